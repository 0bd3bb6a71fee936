// Where a text leads: a height, a block, a transaction, an account, a coin address.

import { chain, watch } from "./chain.js";
import { h } from "./dom.js";
import { foreign } from "./format.js";
import { heading } from "./parts.js";
import { attempt, call } from "./rpc.js";

const MOST_LOST = 48;
/** How long a page that was just opened waits for the chain, in ms. */
const PATIENCE = 5_000;

const go = (path) => {
  location.replace(`${location.pathname}#/${path}`);
  return heading("Found");
};

export async function show([text], signal) {
  const query = (text ?? "").trim();
  const place = await find(query, signal);
  // Whoever went elsewhere meanwhile stays there.
  if (signal.aborted) return [];
  if (place) return go(place);
  return [
    heading("Nothing found"),
    h("p", h("span", { class: "mono wrap" }, foreign(query, 200)), " is not known to this node as any of these:"),
    h(
      "ul",
      h("li", "a height, up to that of the tip", chain.info ? [": ", h("code", String(chain.info.height))] : ""),
      h(
        "li",
        "the hash of a block of any branch, or of a transaction of either ledger: 64 hexadecimal digits, with or without ",
        h("code", "0x"),
      ),
      h("li", "the id of a withdrawn coin that is not spent, or of a transaction that a reorganisation took back of late"),
      h("li", "an account: ", h("code", "0x"), " and 40 hexadecimal digits"),
      h("li", await aboutAddress(query)),
    ),
  ];
}

/** The view of what was typed, or null. */
export async function find(query, signal) {
  if (/^[\d,. ]{1,13}$/.test(query) && /\d/.test(query)) {
    const height = Number(query.replace(/[,. ]/g, ""));
    const hash = await attempt(null, "chain_getBlockHash", height);
    return hash ? `block/${hash}` : null;
  }
  if (/^0x[0-9a-fA-F]{40}$/.test(query)) return `account/${query}`;
  if (/^(0x)?[0-9a-fA-F]{64}$/.test(query)) return byHash(query.replace(/^0x/, "").toLowerCase(), signal);
  if (/^[a-zA-Z]{2,10}1[a-zA-Z0-9]{6,120}$/.test(query)) {
    const { valid, address } = await call("coin_validateAddress", query);
    return valid ? `address/${address}` : null;
  }
  return null;
}

async function byHash(hash, signal) {
  const [status, tx] = await Promise.all([
    attempt(null, "chain_getBlockStatus", hash),
    attempt(null, "coin_getTransaction", hash),
  ]);
  if (tx) return `tx/${hash}`;
  if (status && status.status !== "unknown") return `block/${hash}`;
  // A withdrawn coin has an id of its own.
  const coin = await attempt(null, "coin_getCoin", hash, 0);
  return coin?.madeBy ? `tx/${coin.madeBy}` : inLosingBlock(hash, signal);
}

/** A transaction that a reorganisation took back: the newest losing blocks that the page knows are read, one at a time. */
async function inLosingBlock(id, signal) {
  // A page that was opened here knows no branches yet.
  if (chain.path.length === 0)
    await new Promise((resolve) => {
      watch(["chain"], resolve, signal);
      setTimeout(resolve, PATIENCE);
    });
  for (const { hash } of chain.branches.flatMap(({ blocks }) => blocks).slice(0, MOST_LOST)) {
    const block = await attempt(null, "chain_getBlock", hash, 1);
    if (signal.aborted) return null;
    if (block?.transactions.includes(id)) return `tx/${id}/in/${hash}`;
  }
  return null;
}

async function aboutAddress(query) {
  const checked = /1/.test(query) && query.length < 200 ? await attempt(null, "coin_validateAddress", query) : null;
  return ["a coin address of this chain", checked?.error ? `: ${foreign(checked.error, 200)}` : ""];
}
