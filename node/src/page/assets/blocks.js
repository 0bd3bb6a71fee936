// The blocks of the active chain, by pages.

import { block, chain, watch } from "./chain.js";
import { h, put } from "./dom.js";
import { bytes, count, percent } from "./format.js";
import { age, blockLink, heading, heightLink, pages, panel, table } from "./parts.js";
import { call } from "./rpc.js";

const PAGE = 20;

export const COLUMNS = [
  ["Height", "number"],
  ["Hash"],
  ["Age"],
  ["Txs", "number"],
  ["Gas", "wide-only"],
  ["Size", "number wide-only"],
];

/** What lists say of a block. */
export function row(block, gasLimit) {
  const used = block.gasUsed / gasLimit;
  return [
    heightLink(block.height, block.hash),
    blockLink(block.hash, { head: 6, tail: 6 }),
    age(block.time),
    count(block.count),
    h("meter", {
      min: 0,
      max: 1,
      value: used,
      title: `${count(block.gasUsed)} gas`,
      "aria-label": `${percent(used)} of the gas limit`,
    }),
    bytes(block.size),
  ];
}

/** From a height on downwards, or from the tip. */
export async function show([from], signal) {
  const { height: tip, gasLimit } = await call("chain_getInfo");
  const top = /^\d{1,10}$/.test(from ?? "") ? Math.min(Number(from), tip) : tip;
  const list = pages(async (cursor) => {
    const first = cursor ?? top;
    const heights = Array.from({ length: Math.min(PAGE, first + 1) }, (_, below) => first - below);
    const found = await Promise.all(heights.map(async (height) => block(await call("chain_getBlockHash", height))));
    const rows = found.map((one) => row(one, gasLimit));
    return { content: table(COLUMNS, rows, { caption: "Blocks" }), next: first >= PAGE ? first - PAGE : null };
  }, signal);
  const newer = h("p");
  const showNewer = () =>
    chain.info?.height > top && put(newer, h("a", { href: "#/blocks" }, `The tip is at ${count(chain.info.height)}`));
  watch(["chain", "info"], showNewer, signal);
  showNewer();
  return [heading("Blocks"), newer, panel("Active chain", list)];
}
