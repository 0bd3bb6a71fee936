// The mempool as blocks to come, best tip per gas first.

import { h, put, renew } from "./dom.js";
import { bytes, count, counted, percent, price, significant } from "./format.js";
import { failure, liveTable, pill, txLink } from "./parts.js";
import { call, isMissing, status } from "./rpc.js";
import { chain, follow } from "./chain.js";

const LEAST_PAUSE = 2_000;
const NAMED = 12;

function tile(block, at, limit) {
  const fill = Math.min(1, block.gas / limit);
  const { least, median, most } = block.tipPerGas;
  return h(
    "li",
    { class: "tile" },
    h("h3", at === 0 ? "Next block" : `In ${at + 1} blocks`),
    h("p", { class: "big" }, price(median)),
    h("p", { class: "hint" }, least === most ? "all the same" : range(price(least), price(most))),
    h("meter", { min: 0, max: 1, value: fill, "aria-label": `${percent(fill)} of the gas limit` }),
    h("p", { class: "small" }, `${count(block.transactions)} txs, ${bytes(block.size)}`),
    h("p", { class: "small" }, `tips ${significant(Number(block.tipsWei) / 1e18)} CRN`),
  );
}

/** Two prices, whose unit is written once if it is the same. */
function range(low, high) {
  const [number, unit] = low.split(" ");
  return `${high.endsWith(` ${unit}`) ? number : low} – ${high}`;
}

const COLUMNS = [["Transaction"], ["Kind"], ["Tip per gas", "number"], ["Gas", "number"], ["Size", "number"]];

function row(one) {
  const cells = () => [
    txLink(one.txid),
    pill(one.kind, one.kind),
    price(one.tipPerGas),
    count(one.gas),
    bytes(one.size),
  ];
  return [`${one.txid} ${one.tipPerGas}`, cells];
}

const later = (left) =>
  h(
    "li",
    { class: "tile rest" },
    h("h3", "Later"),
    h("p", { class: "big" }, count(left)),
    h("p", { class: "hint" }, "beyond, or waiting for a nonce or a lower base fee"),
  );

/** The blocks, and the first transactions of the next one for those who open the list. */
function board() {
  const tiles = h("ol", { class: "tiles" });
  const best = liveTable(COLUMNS, { caption: "First transactions of the next block", empty: () => "None." });
  let first = [];
  const list = () => details.open && best.show(first.map(row));
  const details = h("details", { ontoggle: list }, h("summary", "First in the next block"), best);
  const hint = "Highest tip per gas first, if nothing else arrives: the median of each block, and its range.";
  const element = h("div", h("p", { class: "hint" }, hint), tiles, details);
  element.show = ({ blocks, transactions, left }) => {
    const rest = left > 0 ? [later(left)] : [];
    renew(tiles, [...blocks.map((block, at) => tile(block, at, chain.info.gasLimit)), ...rest]);
    first = transactions;
    list();
  };
  return element;
}

function nothing(left) {
  const text =
    left > 0
      ? `${counted(left, "transaction")} wait for a nonce or for a lower base fee; none can be mined now.`
      : "The mempool is empty: the next block has only its coinbase.";
  return h("p", { class: "empty" }, text);
}

/** Keeps an element filled with the blocks to come, and calls back with the first transactions. */
export function show(place, signal, onFirst) {
  const blocks = board();

  function render(coming) {
    if (coming.blocks.length === 0) put(place, nothing(coming.left));
    else if (place.firstChild !== blocks) put(place, blocks);
    if (coming.blocks.length > 0) blocks.show(coming);
    onFirst(coming.transactions);
  }

  async function read() {
    if (document.hidden || status.state !== "open" || !chain.info) return;
    try {
      const coming = await call("chain_getNextBlocks", NAMED);
      if (!signal.aborted) render(coming);
    } catch (error) {
      const text = "This node does not lay out its mempool.";
      put(place, isMissing(error) ? h("p", { class: "empty" }, text) : failure(error));
    }
  }

  const soon = follow(["info"], read, signal, LEAST_PAUSE);
  const interval = setInterval(soon, LEAST_PAUSE);
  signal.addEventListener("abort", () => clearInterval(interval));
  soon();
}
