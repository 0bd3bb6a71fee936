// A network on this machine (cairn-node devnet): its nodes, and orders to the process that started them.

import { follow } from "./chain.js";
import { h, put } from "./dom.js";
import { count, foreign } from "./format.js";
import { balances, faucet, field, send, sending, whole } from "./money.js";
import { action, blockLink, failure, heading, loading, panel, pill, table } from "./parts.js";
import { attempt, call } from "./rpc.js";

const EVERY = 1_000;
const LOOK = 250;
const MOST_NODES = 100;
const MOST_BLOCKS = 1_000;

/** The view of a node of a devnet, whose status was just read. */
export function devnet(status, signal) {
  const [nodes, orders] = [h("div", loading()), h("div", loading())];
  const progress = h("p", { class: "hint", role: "status" });
  let [shown, told] = ["", ""];
  const render = (now) => {
    const text = JSON.stringify(now.nodes);
    // A devnet that only starts names none yet. A table that is made anew would take the focus from its buttons.
    if (now.nodes.length > 0 && text !== shown) {
      if (shown === "") put(orders, forms(now.nodes, signal));
      put(nodes, nodeTable(now.nodes));
      shown = text;
    }
    const line = said(now);
    if (line !== told) progress.textContent = line;
    told = line;
  };
  const look = async () => {
    if (document.hidden) return;
    try {
      const now = await call("devnet_status");
      if (!signal.aborted) render(now);
    } catch (error) {
      if (!signal.aborted) put(progress, failure(error));
      told = "";
    }
  };
  const timer = setInterval(look, EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  render(status);
  return [heading("Development network"), panel("Nodes", nodes, progress), orders];
}

function forms(nodes, signal) {
  const names = nodes.slice(0, MOST_NODES).map((one) => one.node);
  const own = ownNode(nodes);
  return [
    h("div", { class: "halves" }, panel("Partition", partition(own, names)), panel("Reorganise", reorganise())),
    h("div", { class: "halves" }, panel("Blocks", mine(own, names)), panel("Coins", coins())),
    money(signal),
  ];
}

const isHere = (one) => new URL(one.rpc).port === location.port;
const ownNode = (nodes) => nodes.find(isHere)?.node ?? 0;

function said({ busy, note, last }) {
  if (busy) return `${foreign(busy, 200)}: ${foreign(note ?? "at work", 300)} …`;
  if (!last) return "The page gives orders to the devnet, as its terminal does.";
  return `${foreign(last.order, 200)}: ${foreign(last.error ?? note ?? "done", 300)}`;
}

/** Gives an order, and waits until it has ended. */
async function order(line) {
  await call("devnet_order", line);
  for (;;) {
    await new Promise((resolve) => setTimeout(resolve, LOOK));
    const { busy, last, note } = await call("devnet_status");
    if (busy === line) continue;
    if (last?.order === line && last.error) throw new Error(last.error);
    return last?.order === line && note ? foreign(note, 300) : "done";
  }
}

function nodeTable(nodes) {
  const rows = nodes.slice(0, MOST_NODES).map((one) => {
    const here = isHere(one);
    const name = here ? `${one.node} (this one)` : String(one.node);
    const state = one.up ? pill(one.mining ? "mines" : "up", "good") : pill("down", "bad");
    const power = one.up
      ? action("Kill", () => order(`kill ${one.node}`))
      : action("Restart", () => order(`restart ${one.node}`));
    power.firstChild.setAttribute("aria-label", `${one.up ? "Kill" : "Restart"} node ${one.node}`);
    return [
      here ? name : h("a", { href: one.rpc, rel: "noreferrer" }, name),
      state,
      one.side === 0 ? "–" : count(one.side),
      one.height === null ? "–" : count(one.height),
      one.tip ? tip(one.tip) : "–",
      one.peers === null ? "–" : count(one.peers),
      // Who is killed cannot say that it was.
      here ? "" : power,
    ];
  });
  const columns = [
    ["Node"],
    ["State"],
    ["Side", "number"],
    ["Height", "number"],
    ["Tip", "wide-only"],
    ["Peers", "number wide-only"],
    ["Process"],
  ];
  return table(columns, rows, { caption: "Nodes of the devnet" });
}

/** The beginning of a hash is zeros. */
const tip = (hash) => blockLink(hash, { head: 0, tail: 10 });

function partition(own, names) {
  const rest = names.filter((one) => one !== own).join(",");
  const groups = field("Groups", `${own} | ${rest}`);
  return [
    h(
      "p",
      { class: "hint" },
      "Nodes of one group see each other alone: each group goes on with a branch of its own, if it mines. Healed, the one with the most work wins.",
    ),
    groups.row,
    h(
      "p",
      { class: "row" },
      action("Partition", () => order(`partition ${groups.input.value.trim()}`), "main"),
      action("Cut off this node", () => order(`partition ${own} | ${rest}`)),
      action("Heal", () => order("heal")),
    ),
  ];
}

function reorganise() {
  const depth = field("Blocks to drop", "3", { type: "number", min: 1, max: MOST_BLOCKS });
  return [
    h(
      "p",
      { class: "hint" },
      "One node is cut off and mines the branch that wins; then all are joined. The difficulty is real, so this takes a while.",
    ),
    depth.row,
    action("Reorganise", () => order(`reorg ${whole(depth.input, MOST_BLOCKS)}`), "main"),
  ];
}

function mine(own, names) {
  const blocks = field("Blocks", "1", { type: "number", min: 1, max: MOST_BLOCKS });
  const node = h(
    "select",
    { id: "devnet-node" },
    names.map((one) => h("option", { value: one }, `node ${one}${one === own ? " (this one)" : ""}`)),
  );
  node.value = String(own);
  return [
    h("p", { class: "hint" }, "The nodes' own miners rest meanwhile."),
    blocks.row,
    h("p", { class: "field" }, h("label", { for: "devnet-node" }, "On"), node),
    action("Mine", () => order(`mine ${whole(blocks.input, MOST_BLOCKS)} ${node.value}`), "main"),
  ];
}

function coins() {
  const to = field("Address", "", { placeholder: "vcrn1…" });
  const pay = async () => {
    const address = to.input.value.trim();
    if (!/^[0-9a-z]{8,120}$/.test(address))
      throw new Error(`expected a coin address of this chain, got ${address || "nothing"}`);
    return order(`pay ${address}`);
  };
  const rules = h("span");
  attempt(null, "chain_getInfo").then((info) => {
    if (info) rules.textContent = ` They can be spent after ${count(info.coinbaseMaturity)} more blocks.`;
  });
  return [
    h(
      "p",
      { class: "hint" },
      "The nodes' blocks pay nobody until a wallet's address is given. From then on they all pay there.",
      rules,
    ),
    to.row,
    action("Pay blocks to it", pay, "main"),
  ];
}

/** Sending, a faucet and balances, on a chain whose genesis block gives money to accounts that the node signs for. */
function money(signal) {
  const place = h("div");
  const fill = async () => {
    const accounts = await attempt([], "eth_accounts");
    if (signal.aborted || accounts.length === 0) return;
    const list = h("div", loading());
    const render = async () => put(list, await balances(accounts));
    follow(["chain"], render, signal, EVERY);
    put(
      place,
      h(
        "div",
        { class: "halves" },
        panel("Send from a funded account", sending(accounts)),
        panel("Faucet", faucet("Sends from the last of the funded accounts, in the next block.", "CRN to send", give)),
      ),
      panel("Funded accounts", list, h("p", { class: "hint" }, "Everybody knows their keys: use them nowhere else.")),
    );
    await render();
    async function give(to, amount) {
      return send({ from: accounts.at(-1), to }, amount);
    }
  };
  fill();
  return place;
}
