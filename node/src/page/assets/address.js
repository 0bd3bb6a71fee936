// A coin address: its balance, coins and history.

import { follow } from "./chain.js";
import { h, put } from "./dom.js";
import { count, grains } from "./format.js";
import { age, coinLink, facts, failure, hash, heading, heightLink, pages, panel, pill, table, txLink } from "./parts.js";
import { call } from "./rpc.js";

const PAGE = 25;
/** Coins that a balance is the sum of at most, spent ones counted: more would keep the node busy at each block. */
const MOST = 10_000;

export async function show([address], signal) {
  const { valid, address: plain, lock, error } = await call("coin_validateAddress", address);
  if (!valid) return [heading("No address of this chain"), failure(error ?? "it is not valid")];
  const balance = h("div");
  const read = async () => {
    const found = await call("coin_getBalance", plain, MOST);
    if (!signal.aborted) put(balance, balances(found));
  };
  await read();
  const [coins, past] = [coinPages(plain, signal), historyPages(plain, signal)];
  follow(["chain"], () => Promise.all([read(), coins.reload(), past.reload()]), signal);
  return [
    heading("Coin address"),
    panel("Address", facts(["Address", hash(plain, null, { whole: true })], ["Lock", pill(lock.type)]), balance),
    h("div", { class: "halves" }, panel("History", past), panel("Unspent coins", coins)),
  ];
}

function balances(found) {
  const least = found.complete ? "" : `at least, of the first ${count(MOST)} coins that it ever received: `;
  return facts(
    ["Spendable", [least, h("strong", grains(found.spendable))]],
    ["Confirmed", grains(found.confirmed)],
    ["Immature", found.immature > 0 ? `${grains(found.immature)}, newly mined` : null],
    ["Coming", found.pendingIn > 0 ? `${grains(found.pendingIn)} in the mempool` : null],
    ["Going", found.pendingOut > 0 ? `${grains(found.pendingOut)} in the mempool` : null],
    ["Coins", count(found.coins)],
  );
}

function coinPages(address, signal) {
  return pages(async (cursor) => {
    const { coins, next } = await call("coin_getCoins", address, { limit: PAGE, ...(cursor ? { cursor } : {}) });
    const rows = coins.map((coin) => [
      [coinLink(coin), `:${coin.index}`],
      grains(coin.amount),
      coin.height === null ? pill("pending", "waits") : heightLink(coin.height),
      [
        coin.coinbase ? pill("coinbase", "coinbase") : null,
        coin.mature === false ? pill("immature", "waits") : null,
        coin.spentBy ? [pill("being spent", "waits"), " by ", txLink(coin.spentBy, { head: 4, tail: 4 })] : null,
      ],
    ]);
    return {
      content: table([["Coin"], ["Amount", "number"], ["Block", "number"], ["State"]], rows, {
        caption: "Unspent coins",
        empty: "This address has no unspent coins.",
      }),
      next,
    };
  }, signal);
}

function historyPages(address, signal) {
  return pages(async (cursor) => {
    const { entries, next } = await call("coin_getHistory", address, { limit: PAGE, ...(cursor ? { cursor } : {}) });
    const rows = entries.map((entry) => {
      const net = entry.received - entry.sent;
      return [
        txLink(entry.txid),
        pill(entry.kind, entry.kind),
        h("span", { class: net < 0 ? "bad" : "good" }, `${net < 0 ? "" : "+"}${grains(net)}`),
        entry.height === null ? pill("pending", "waits") : heightLink(entry.height),
        entry.time === null ? "–" : age(entry.time),
      ];
    });
    const columns = [["Transaction"], ["Kind"], ["Amount", "number"], ["Block", "number"], ["Age", "wide-only"]];
    return {
      content: table(columns, rows, { caption: "History", empty: "Nothing was ever paid to this address." }),
      next,
    };
  }, signal);
}
