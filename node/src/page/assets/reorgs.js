// Reorganisations as they happen: a line above every view, with what went and what came.

import { chain, watch } from "./chain.js";
import { h, put } from "./dom.js";
import { count, counted } from "./format.js";
import { age, bare, blockLink, hash, heightLink, table } from "./parts.js";

const STAYS = 60_000;

const KINDS = [
  ["mined", "is in the new blocks, too", "are in the new blocks, too"],
  ["returned", "waits in the mempool again", "wait in the mempool again"],
  ["conflicting", "was replaced by one that spends the same", "were replaced by others that spend the same"],
  ["gone", "is lost", "are lost"],
];

const MOST_NAMED = 4;

/** Links to transactions of dropped blocks that are in no new block. */
function taken({ transactions }) {
  const ids = ["returned", "conflicting", "gone"].flatMap((key) => (transactions[key] ?? []).map((one) => one.txid ?? one));
  const shown = ids.slice(0, MOST_NAMED).map((id) => [" ", hash(bare(id), `#/search/${bare(id)}`)]);
  return ids.length > 0 ? [" Taken back:", shown, ids.length > MOST_NAMED ? " …" : "."] : null;
}

/** What became of the transactions of dropped blocks, in words. */
export function outcome({ transactions }) {
  const parts = KINDS.filter(([key]) => transactions[key]?.length > 0).map(([key, one, many]) => {
    const number = transactions[key].length;
    return `${counted(number, "transaction")} ${number === 1 ? one : many}`;
  });
  if (transactions.omitted > 0) parts.push(`${count(transactions.omitted)} more are not listed`);
  return parts.length > 0 ? parts.join("; ") : "no transactions but coinbases were in them";
}

/** Shows each reorganisation for a while. */
export function start(place) {
  let timer = null;
  watch(["reorg"], (_, reorg) => {
    clearTimeout(timer);
    put(
      place,
      h(
        "div",
        { class: "banner reorg" },
        h(
          "p",
          h("strong", `Reorganisation of ${counted(reorg.dropped.length, "block")}. `),
          `Above height ${reorg.fork.height}, ${counted(reorg.added.length, "block")} took the place of ${reorg.dropped.length}: `,
          `${outcome(reorg)}. Dropped: `,
          reorg.dropped.slice(0, 4).map((one, at) => [at > 0 ? ", " : "", heightLink(one.height, one.hash)]),
          reorg.dropped.length > 4 ? " …" : ".",
          taken(reorg),
        ),
        h(
          "button",
          { class: "quiet icon", type: "button", "aria-label": "Close this message", onclick: () => put(place) },
          "×",
        ),
      ),
    );
    timer = setTimeout(() => put(place), STAYS);
  });
}

/** The last reorganisations since the page was opened. */
export function list() {
  const rows = chain.reorgs.slice(0, 8).map((reorg) => [
    age(reorg.at),
    String(reorg.dropped.length),
    String(reorg.added.length),
    heightLink(reorg.fork.height, reorg.fork.hash),
    h(
      "ul",
      { class: "inline" },
      reorg.dropped.slice(0, 4).map((one) => h("li", blockLink(one.hash))),
    ),
    outcome(reorg),
  ]);
  const columns = [
    ["Seen"],
    ["Dropped", "number"],
    ["Added", "number"],
    ["Fork at", "number"],
    ["Dropped blocks"],
    ["Their transactions", "prose"],
  ];
  return table(columns, rows, {
    caption: "Reorganisations since the page was opened",
    empty: "None since this page was opened.",
  });
}
