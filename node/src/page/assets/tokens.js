// What an account has of tokens (ERC-20): of those that the first transfers to it name.

import { ask } from "./contract.js";
import { h } from "./dom.js";
import { count, foreign, units } from "./format.js";
import { keccak } from "./keccak.js";
import { addressLink, panel, table } from "./parts.js";
import { attempt } from "./rpc.js";

/** Transfers that are read, pages of blocks until there is one, and contracts that are asked. */
const MOST_LOGS = 100;
const MOST_PAGES = 5;
const MOST_TOKENS = 10;
/** Digits that are shown: a contract may name any number. */
const MOST_DIGITS = 40;

const TRANSFER = `0x${keccak("Transfer(address,address,uint256)")}`;
const [TEXT, NUMBER] = [{ kind: "string" }, { kind: "uint", bits: 256 }];

/** The first transfers to an account. A page without logs ends after many blocks. */
async function transfers(word) {
  const filter = { topics: [TRANSFER, null, `0x${word}`] };
  let [found, cursor] = [null, undefined];
  for (let page = 0; page < MOST_PAGES && !found?.logs.length && (page === 0 || found?.more); page++) {
    found = await attempt(null, "chain_getLogs", filter, { limit: MOST_LOGS, cursor });
    cursor = found?.next;
  }
  return found;
}

/** A panel of balances; null if there is nothing to show. */
export async function tokens(account) {
  const word = account.slice(2).toLowerCase().padStart(64, "0");
  const found = await transfers(word);
  // Tokens of a kind each (ERC-721) have four topics.
  const named = (found?.logs ?? []).filter((log) => log.topics.length === 3).map((log) => log.address);
  const contracts = [...new Set(named)];
  const rows = (await Promise.all(contracts.slice(0, MOST_TOKENS).map((one) => row(one, word)))).filter(Boolean);
  const part = found?.more || contracts.length > MOST_TOKENS;
  if (rows.length === 0 && !part) return null;
  return panel(
    "Tokens",
    table([["Token"], ["Balance", "number"], ["Contract"]], rows, { caption: "Tokens", empty: "None among those that were looked at." }),
    part
      ? h("p", { class: "hint" }, `Of ${count(MOST_TOKENS)} contracts at most, which its first ${MOST_LOGS} transfers name: there may be more.`)
      : null,
  );
}

/** A contract may be no token, or lie: what it says is text, and its numbers are its own. */
async function row(contract, word) {
  const [balance, symbol, decimals] = await Promise.all([
    ask(contract, "balanceOf(address)", NUMBER, word),
    ask(contract, "symbol()", TEXT),
    ask(contract, "decimals()", NUMBER),
  ]);
  if (balance === null || balance === 0n) return null;
  const whole = decimals === null || decimals > 77n ? count(balance) : units(balance, Number(decimals));
  const shown = whole.length > MOST_DIGITS ? h("span", { title: whole }, `${whole.slice(0, MOST_DIGITS)}…`) : whole;
  return [foreign(symbol || "?", 30), shown, addressLink(contract)];
}
