// All branches that lost, also those that are too old for the tree.

import { follow, losing } from "./chain.js";
import { counted } from "./format.js";
import { blockLink, heading, heightLink, pages, panel, pill, table } from "./parts.js";
import { call } from "./rpc.js";

const PAGE = 25;

export const STATUS = {
  active: "active",
  "valid-fork": "valid, lost",
  "valid-headers": "not executed",
  "headers-only": "header only",
  invalid: "invalid",
};

const COLUMNS = [["Height", "number"], ["Head"], ["Length", "number"], ["Forks at", "number wide-only"], ["Status"]];

/** A table of heads as `chain_getTips` names them. */
export function heads(tips) {
  const rows = tips.map((tip) => [
    heightLink(tip.height, tip.hash),
    blockLink(tip.hash),
    String(tip.branchLength),
    heightLink(tip.height - tip.branchLength),
    pill(STATUS[tip.status] ?? tip.status, tip.status === "invalid" ? "bad" : ""),
  ]);
  return table(COLUMNS, rows, {
    caption: "Heads that are not active",
    empty: "No losing branch is known: every block that this node saw is on the active chain.",
  });
}

export async function show(_, signal) {
  const list = pages(async (cursor) => {
    const from = cursor ?? 0;
    // One beyond the page, and the active one.
    const tips = losing(await call("chain_getTips", from + PAGE + 2));
    const next = from + PAGE < tips.length ? from + PAGE : null;
    const total = next === null ? counted(tips.length, "head") : "The highest come first.";
    return { content: [total, heads(tips.slice(from, from + PAGE))], next };
  }, signal);
  follow(["chain"], () => list.reload(), signal);
  return [heading("Branches that lost"), panel("Heads", list)];
}
