// An account: balance, nonce, history; a contract's code and its forms.

import { chain, follow } from "./chain.js";
import { checksummed } from "./keccak.js";
import { contract } from "./contract.js";
import { h, put } from "./dom.js";
import { count, wei, weiExact } from "./format.js";
import { addressLink, age, facts, failure, hash, heading, heightLink, pages, panel, pill, table, txLink } from "./parts.js";
import { attempt, call } from "./rpc.js";
import { tokens } from "./tokens.js";

const PAGE = 25;
/** Calls for a page at most: a node that answers with less and less would be asked without end. */
const MOST_ASKED = 12;
/** Balances of tokens are asked for so seldom, in ms. */
const TOKENS = 10_000;
/** The gateway is code of the node, not of the chain. */
const DELEGATION = "0xef0100";

export async function show([name], signal) {
  if (!/^0x[0-9a-fA-F]{40}$/.test(name ?? ""))
    return [heading("No account"), h("p", "An account is 0x and 40 hexadecimal digits.")];
  const account = checksummed(name);
  const place = h("div");
  const code = await attempt("0x", "eth_getCode", account, "latest");
  const read = async () => {
    const [balance, nonce, pending] = await Promise.all([
      call("eth_getBalance", account, "latest"),
      call("eth_getTransactionCount", account, "latest"),
      attempt(null, "eth_getTransactionCount", account, "pending"),
    ]);
    if (!signal.aborted)
      put(place, state(account, balance, Number(nonce), pending === null ? null : Number(pending), code));
  };
  await read();
  const past = historyPages(account, signal);
  follow(["chain"], () => Promise.all([read(), past.reload()]), signal);
  const delegate = code.startsWith(DELEGATION) ? checksummed(`0x${code.slice(8, 48)}`) : null;
  const held = h("div");
  const hold = async () => {
    const balances = await tokens(account);
    if (!signal.aborted) put(held, balances);
  };
  hold().catch(() => {});
  follow(["chain"], hold, signal, TOKENS);
  const shown = [heading(code === "0x" || delegate ? "Account" : "Contract"), panel("State", place), held];
  if (delegate)
    shown.push(panel("Delegation", h("p", "This account runs the code of ", addressLink(delegate), " (EIP-7702).")));
  if (code !== "0x" && !delegate) shown.push(...(await contract(account, code, signal)));
  shown.push(
    panel(
      "History",
      past,
      h("p", { class: "hint" }, "What calls inside of transactions moved is in the traces of those, not here."),
    ),
  );
  return shown;
}

function state(account, balance, nonce, pending, code) {
  return facts(
    ["Account", hash(account, null, { whole: true })],
    ["Balance", h("strong", { title: weiExact(balance) }, wei(balance))],
    [
      "Transactions sent",
      pending !== null && pending > nonce
        ? `${count(nonce)}, and ${count(pending - nonce)} in the mempool`
        : count(nonce),
    ],
    ["Code", code === "0x" ? "none" : `${count((code.length - 2) / 2)} bytes`],
  );
}

function moved(amount, out) {
  if (BigInt(amount) === 0n) return h("span", { class: "dim" }, "0 CRN");
  return h("span", { class: out ? "bad" : "good", title: weiExact(amount) }, `${out ? "−" : "+"}${wei(amount)}`);
}

function historyPages(account, signal) {
  return pages(async (cursor) => {
    const { entries, next, refused } = await readable(account, cursor, signal);
    const rows = entries.map((entry) => {
      const out = entry.direction === "out";
      const other = out ? entry.to : entry.from;
      return [
        txLink(entry.txid),
        [pill(entry.kind, entry.kind), entry.success === false ? pill("reverted", "bad") : null],
        moved(entry.valueWei, out),
        other ? [out ? "to " : "from ", addressLink(other)] : "–",
        entry.height === null ? pill("pending", "waits") : heightLink(entry.height),
        entry.time === null ? "–" : age(entry.time),
      ];
    });
    const columns = [
      ["Transaction"],
      ["Kind"],
      ["Amount", "number"],
      ["With", "wide-only"],
      ["Block", "number"],
      ["Age", "wide-only"],
    ];
    const empty = "This account sent and received nothing yet.";
    const list = rows.length === 0 && refused ? null : table(columns, rows, { caption: "History", empty });
    return { content: [list, refused ? [h("p", { class: "hint" }, "The node has no more of it:"), failure(refused)] : null], next };
  }, signal);
}

/** A page of a history as far as the node has the blocks: it refuses a page of which it lacks one. */
async function readable(account, cursor, signal) {
  let [entries, next, refused, limit] = [[], cursor, null, PAGE];
  for (let asked = 0; limit > 0 && entries.length < PAGE; asked++) {
    if (signal.aborted || asked === MOST_ASKED) break;
    try {
      const options = { limit: Math.min(limit, PAGE - entries.length), ...(next ? { cursor: next } : {}) };
      const found = await call("chain_getAccountHistory", account, options);
      entries = [...entries, ...found.entries.slice(0, options.limit)];
      next = found.next;
      if (!refused || !next) return { entries, next, refused: null };
    } catch (error) {
      // A lost connection, an index that is off or a namespace that is not served: no part of a page can be had.
      if (!error.code || !(chain.info ?? (await call("chain_getInfo"))).pruned) throw error;
      refused = error;
      limit = Math.floor(limit / 2);
    }
  }
  // A whole page that was read in parts: the next one tells whether there is more.
  return entries.length >= PAGE ? { entries, next, refused: null } : { entries, next: null, refused };
}
