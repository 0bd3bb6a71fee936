// A block of any branch: its header, where it stands, its transactions by pages.

import { follow } from "./chain.js";
import { h, put } from "./dom.js";
import { bytes, count, counted, date, foreign, grains, price, readable, scaled, wei } from "./format.js";
import {
  addressLink,
  age,
  blockLink,
  facts,
  failure,
  hash,
  heading,
  heightLink,
  owner,
  pages,
  panel,
  pill,
  table,
  txLink,
} from "./parts.js";
import { attempt, call } from "./rpc.js";

const PAGE = 25;
/** Blocks up to this size are read with all of their transactions; of larger ones a page at a time. */
const WHOLE = 400_000;

export async function show([name], signal) {
  const asked = /^\d{1,10}$/.test(name) ? Number(name) : name;
  let refused = null;
  const block = await call("chain_getBlock", asked, 1).catch(async (error) => {
    // A connection that was lost says nothing of the block.
    if (!error.code) throw error;
    // Of a pruned block, or one whose body never came, the header is there.
    refused = error;
    return attempt(null, "chain_getHeader", asked);
  });
  if (!block) throw refused;
  const place = h("div", { class: "state" });
  const stand = async () => {
    const status = await attempt(null, "chain_getBlockStatus", block.hash);
    if (!signal.aborted && status) put(place, standing(status, block));
  };
  follow(["chain", "reorg"], stand, signal);
  await stand();
  if (refused) return [heading(`Block ${block.height}`, steps(block)), place, panel("Header", header(block)), panel("Contents", failure(refused))];
  const whole = block.size <= WHOLE ? await attempt(null, "chain_getBlock", block.hash, 2) : null;
  return [
    heading(`Block ${block.height}`, steps(block)),
    place,
    panel("Header", header(block)),
    panel("Contents", contents(block)),
    panel(counted(block.transactions.length, "transaction"), transactions(block, whole, signal)),
  ];
}

function steps(block) {
  return h(
    "p",
    { class: "steps" },
    block.height > 0 ? h("a", { href: `#/block/${block.prev}` }, "← parent") : null,
    block.next ? h("a", { href: `#/block/${block.next}` }, "child →") : null,
  );
}

function standing(status, block) {
  const fork = status.forkPoint;
  if (status.status === "active")
    return h("p", pill("active", "good"), ` ${counted(status.confirmations, "confirmation")}.`);
  if (status.status === "invalid")
    return h("p", pill("invalid", "bad"), " This block breaks a rule of the chain; no node follows it.");
  const lead = status.validated
    ? "This block is valid, and its branch lost or has not won"
    : "This block was not executed: its branch never had the most work";
  return h(
    "p",
    pill("not on the active chain", "bad"),
    ` ${lead}. Its branch forks off after `,
    heightLink(fork.height, fork.hash),
    `; ${counted(status.depth, "active block")} came above that, and at this height stands `,
    h("a", { href: `#/block/${block.height}` }, "another block"),
    ".",
  );
}

function header(block) {
  return facts(
    ["Hash", hash(block.hash, null, { whole: true })],
    ["Parent", block.height > 0 ? blockLink(block.prev, { whole: true }) : "none: this is the genesis block"],
    ["Time", [date(block.time), " (", age(block.time), ")"]],
    ["Difficulty", `${scaled(block.difficulty)} hashes (bits ${block.bits})`],
    ["Work of the chain", h("span", { class: "mono" }, `0x${block.chainWork.replace(/^0+(?=.)/, "")}`)],
    ["Nonce, version", h("span", { class: "mono" }, `${block.nonce}, 0x${block.version.toString(16)}`)],
    ["Merkle root", hash(block.merkleRoot, null, { whole: true })],
  );
}

function contents(block) {
  const text = readable(block.extra ?? "");
  return facts(
    ["Size", bytes(block.size)],
    ["Gas used", block.gasUsed === undefined ? null : count(block.gasUsed)],
    ["Base fee", block.baseFee === null ? "unknown: never executed" : `${price(block.baseFee)} per gas`],
    ["Tips go to", block.beneficiary ? addressLink(block.beneficiary, { whole: true }) : null],
    ["State root", block.stateRoot ? hash(block.stateRoot, null, { whole: true }) : null],
    ["Receipts root", block.receiptsRoot ? hash(block.receiptsRoot, null, { whole: true }) : null],
    ["Coins root", block.coinsRoot ? hash(block.coinsRoot, null, { whole: true }) : null],
    [
      "Extra",
      block.extra
        ? [
            h("span", { class: "mono wrap" }, foreign(block.extra, 200)),
            text ? h("span", { class: "dim" }, ` “${foreign(text, 120)}”`) : null,
          ]
        : null,
    ],
  );
}

function transactions(block, whole, signal) {
  const active = block.confirmations > 0;
  return pages(async (cursor) => {
    const from = cursor ?? 0;
    const ids = block.transactions.slice(from, from + PAGE);
    const found = whole
      ? whole.transactions.slice(from, from + PAGE)
      : await Promise.all(ids.map((id) => attempt(null, "coin_getTransaction", id)));
    const rows = ids.map((id, at) => row(id, found[at], active ? null : block.hash, from + at));
    const next = from + PAGE < block.transactions.length ? from + PAGE : null;
    const columns = [
      ["#", "number wide-only"],
      ["Transaction"],
      ["Kind"],
      ["From", "wide-only"],
      ["To"],
      ["Amount", "number"],
      ["Fee", "number wide-only"],
    ];
    return { content: table(columns, rows, { caption: `Transactions of block ${block.height}` }), next };
  }, signal);
}

function row(id, tx, branch, position) {
  const link = txLink(id, { block: branch });
  if (!tx) return [count(position), link, "–", "–", "–", "–", "–"];
  const kind = [pill(tx.kind, tx.kind), tx.success === false ? pill("reverted", "bad") : null];
  if (tx.kind === "account")
    return [
      count(position),
      link,
      kind,
      addressLink(tx.from),
      tx.to ? addressLink(tx.to) : "new contract",
      wei(tx.valueWei),
      "–",
    ];
  const paid = tx.outputs.reduce((sum, output) => sum + BigInt(output.amount), 0n);
  const first = tx.outputs[0];
  const to = first ? [owner(first), tx.outputs.length > 1 ? ` +${tx.outputs.length - 1}` : ""] : "nobody";
  const from = tx.kind === "coinbase" ? "newly mined" : counted(tx.inputs.length, "coin");
  return [count(position), link, kind, from, to, grains(paid), tx.fee === null ? "–" : grains(tx.fee)];
}
