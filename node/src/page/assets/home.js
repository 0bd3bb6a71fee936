// The chain at a glance: heads and branches, figures, the blocks to come, the latest blocks and transactions.

import { COLUMNS as BLOCKS, row as blockRow } from "./blocks.js";
import { DETAILED, chain, pace, unserved, watch } from "./chain.js";
import { show as showComing } from "./coming.js";
import { Recent, h, put, renew } from "./dom.js";
import {
  bytes,
  count,
  counted,
  duration,
  grains,
  hashrate,
  percent,
  price,
  scaled,
  short,
  wei,
  weiExact,
} from "./format.js";
import {
  addressLink,
  age,
  failure,
  heading,
  heightLink,
  liveTable,
  loading,
  panel,
  pill,
  purpose,
  txLink,
} from "./parts.js";
import { list as reorgList } from "./reorgs.js";
import { attempt } from "./rpc.js";
import { draw, lost } from "./tree.js";

const MOST_TRANSACTIONS = 10;
const known = new Recent(120);

const UNSERVED = "Unknown: this node does not serve its chain to the page.";
const TRANSACTIONS = [["Transaction"], ["Kind"], ["Amount", "number"], ["To", "wide-only"], ["Block"]];

export function show(_, signal) {
  const figures = h("dl", { class: "figures" });
  const [tree, lostList, coming, reorgs] = [
    h("div", { class: "wood" }, loading()),
    h("div"),
    h("div", loading()),
    h("div"),
  ];
  const blocks = liveTable(BLOCKS, { caption: "Latest blocks", empty: () => "No blocks yet." });
  const transactions = liveTable(TRANSACTIONS, {
    caption: "Latest transactions",
    empty: () => `None in the mempool, and none but coinbases in the last ${counted(chain.blocks.length, "block")}.`,
  });
  let [first, branches, width] = [[], "", 0];
  const showTree = () => chain.path.length > 0 && width > 0 && put(tree, draw(chain, width));
  const showTransactions = () => latestTransactions(transactions, first, signal);
  const showLost = () => {
    const now = [chain.losing, ...chain.branches.map(({ tip }) => `${tip.hash}${tip.status}`)].join();
    if (now !== branches || !lostList.hasChildNodes()) put(lostList, lost(chain));
    branches = now;
  };
  const render = (kind) => {
    if (chain.error && chain.path.length === 0) put(tree, failure(chain.error));
    if (unserved()) [coming, blocks, transactions].forEach((part) => put(part, h("p", { class: "empty" }, UNSERVED)));
    if (!chain.info) return;
    renew(figures, all());
    if (kind === "reorg") known.clear();
    if (kind === "reorg" || !reorgs.hasChildNodes()) put(reorgs, reorgList());
    if (kind === "info" || chain.path.length === 0) return;
    // A part a frame: none takes long.
    inTurn(
      [showTree, showLost, () => blocks.show(latestBlocks()), showTransactions],
      signal,
    );
  };
  watch(["chain", "info", "reorg"], render, signal);
  showComing(coming, signal, (found) => {
    first = found.slice(0, 5);
    showTransactions();
  });
  // To ask the element itself would lay the page out once more. Its height follows from what is drawn.
  const resized = new ResizeObserver(([{ contentRect }]) => {
    const changed = width !== Math.floor(contentRect.width);
    width = Math.floor(contentRect.width);
    if (changed) showTree();
  });
  resized.observe(tree);
  signal.addEventListener("abort", () => resized.disconnect());
  render("chain");
  return [
    heading("The chain"),
    figures,
    panel("Heads", tree, h("h3", "Branches that lost"), lostList),
    panel("Blocks to come", coming),
    h("div", { class: "halves" }, panel("Latest blocks", blocks, h("p", h("a", { href: "#/blocks" }, "All blocks"))), panel("Latest transactions", transactions)),
    panel("Reorganisations", reorgs),
  ];
}

let turn = 0;

/** Runs functions in one frame each; those of a later call take the place of those that did not run yet. */
function inTurn(work, signal) {
  const mine = (turn += 1);
  const next = () => {
    if (mine !== turn || signal.aborted) return;
    work.shift()();
    if (work.length > 0) requestAnimationFrame(next);
  };
  requestAnimationFrame(next);
}

const figure = (name, value, note) =>
  h(
    "div",
    h("dt", name),
    h("dd", h("span", { class: "value" }, value), note ? h("span", { class: "note" }, note) : null),
  );

/** The figures, in order. */
function all() {
  const { info, path, peers, supply } = chain;
  const rate = pace();
  const money = supply ? BigInt(supply.coins) * 10n ** 10n + BigInt(supply.accountsWei) : null;
  const state =
    info.syncing && info.sync
      ? `syncing, ${percent(info.height / Math.max(1, info.sync.highest))} of ${count(info.sync.highest)}`
      : null;
  return [
    figure("Tip", heightLink(info.height, info.bestHash), state ?? (path[0] ? age(path[0].time) : null)),
    figure("Block time", rate ? duration(rate.interval) : "–", `target ${duration(info.targetInterval)}`),
    figure("Difficulty", scaled(info.difficulty), "hashes a block"),
    figure(
      "Hash rate",
      rate && Number.isFinite(rate.hashrate) ? hashrate(rate.hashrate) : "–",
      rate ? `over ${counted(rate.blocks, "block")}` : "too few blocks",
    ),
    figure("Base fee", price(info.baseFee), "per gas, next block"),
    figure(
      "Supply",
      money === null ? "–" : h("span", { title: weiExact(money) }, rounded(money)),
      supply ? `${counted(supply.coinCount, "coin")}, ${counted(supply.accountCount, "account")}` : null,
    ),
    figure(
      "Mempool",
      count(info.mempool.transactions),
      `${bytes(info.mempool.bytes)} of ${bytes(info.mempool.maxBytes)}`,
    ),
    figure(
      "Peers",
      peers === null ? "–" : count(peers),
      info.pruned ? `blocks from ${count(info.pruneHeight)} on` : "all blocks kept",
    ),
  ];
}

/** Money at a glance: whole CRN, of large amounts three digits. */
function rounded(amount) {
  const whole = Number(amount / 10n ** 18n);
  return `${whole < 1e7 ? count(whole) : scaled(whole)} CRN`;
}

/** What a list says of a transaction; remembered, since blocks do not change. */
async function summary(id) {
  return known.get(id) ?? keepIfMined(id, await attempt(null, "coin_getTransaction", id));
}

function keepIfMined(id, tx) {
  if (!tx) return null;
  const { txid, kind, from, to, valueWei, outputs, time, height, success, confirmations } = tx;
  const paid = outputs?.reduce((sum, output) => sum + BigInt(output.amount), 0n);
  const brief = {
    txid,
    kind,
    from,
    to,
    valueWei,
    paid,
    receivers: outputs?.length,
    first: outputs?.[0],
    time,
    height,
    success,
    purpose: purpose(tx),
  };
  return confirmations > 0 ? known.set(id, brief) : brief;
}

const latestBlocks = () =>
  chain.blocks.slice(0, DETAILED).map((block) => [block.hash, () => blockRow(block, chain.info.gasLimit)]);

let asked = 0;

async function latestTransactions(place, pending, signal) {
  const mine = (asked += 1);
  const mined = chain.blocks.flatMap((block) => block.ids.slice(1).reverse()).slice(0, MOST_TRANSACTIONS);
  const ids = [...new Set([...pending.map((one) => one.txid), ...mined])].slice(0, MOST_TRANSACTIONS);
  const found = (await Promise.all(ids.map(summary))).filter(Boolean);
  if (!signal.aborted && mine === asked)
    place.show(found.map((tx) => [`${tx.txid} ${tx.height}`, () => transactionRow(tx)]));
}

function transactionRow(tx) {
  const to = tx.kind === "coin" ? receiver(tx) : tx.to ? addressLink(tx.to, { head: 8, tail: 4 }) : "–";
  return [
    txLink(tx.txid, { head: 6, tail: 4 }),
    [pill(tx.purpose, tx.kind), tx.success === false ? pill("reverted", "bad") : null],
    tx.kind === "coin" ? grains(tx.paid) : wei(tx.valueWei ?? 0),
    to,
    tx.height === null ? pill("pending", "waits") : heightLink(tx.height),
  ];
}

function receiver({ first, receivers }) {
  const one = first?.address ? addressLink(first.address, { head: 8, tail: 4 }) : short(first?.lock?.hash ?? "");
  return receivers > 1 ? [one, ` +${receivers - 1}`] : one;
}
