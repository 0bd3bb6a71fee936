// Where a text leads: a height, a block, a transaction, an account, a coin address.

import { chain, watch } from "./chain.js";
import { h } from "./dom.js";
import { foreign } from "./format.js";
import { failure, heading } from "./parts.js";
import { attempt, call, isMissing } from "./rpc.js";

const MOST_LOST = 48;
/** How long a page that was just opened waits for the chain, in ms. */
const PATIENCE = 5_000;

const go = (path) => {
  location.replace(`${location.pathname}#/${path}`);
  return heading("Found");
};

export async function show([text], signal) {
  const query = (text ?? "").trim();
  let refused = null;
  const place = await find(query, signal).catch((error) => {
    refused = error;
    return null;
  });
  // Whoever went elsewhere meanwhile stays there.
  if (signal.aborted) return [];
  if (place) return go(place);
  return [
    heading("Nothing found"),
    refused ? failure(refused) : null,
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
    const hash = await call("chain_getBlockHash", height).catch((error) => {
      if (isMissing(error)) throw error;
      return null;
    });
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
  let refused = null;
  const [status, tx] = await Promise.all([
    attempt(null, "chain_getBlockStatus", hash),
    call("coin_getTransaction", hash).catch((error) => {
      refused = error;
      return null;
    }),
  ]);
  if (tx) return `tx/${hash}`;
  if (status && status.status !== "unknown") return `block/${hash}`;
  const coin = await withdrawn(hash);
  if (coin) return `tx/${hash}/coin/${coin.index}`;
  const losing = await inLosingBlock(hash, signal);
  // The node could not look: pruned, without an index, not served.
  if (!losing && refused) throw refused;
  return losing;
}

/** Coins of one withdrawing transaction that are looked for. */
const MOST_WITHDRAWN = 8;

/** A withdrawn coin, which has an id of its own, while no block spends it; with its index. */
export async function withdrawn(id, indexes = Array.from({ length: MOST_WITHDRAWN }, (_, at) => at)) {
  const found = await Promise.all(
    indexes.map(async (index) => ({ ...(await attempt(null, "coin_getCoin", id, index, false)), index })),
  );
  return found.find((coin) => coin.amount !== undefined) ?? null;
}

/** A transaction that a reorganisation took back: the newest losing blocks that the page knows are read, one at a time. */
async function inLosingBlock(id, signal) {
  // A page that was opened here knows no branches yet.
  if (chain.path.length === 0)
    await new Promise((resolve) => {
      watch(["chain"], resolve, signal);
      setTimeout(resolve, PATIENCE);
    });
  // What was dropped just now may be of a branch that was not read yet.
  const dropped = chain.reorgs.flatMap((reorg) => reorg.dropped);
  const lost = [...dropped, ...chain.branches.flatMap(({ blocks }) => blocks)].map(({ hash }) => hash);
  for (const hash of [...new Set(lost)].slice(0, MOST_LOST)) {
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
