// The blocks of the active chain, from the tip or from a height on downwards.

import { block, follow, header } from "./chain.js";
import { h } from "./dom.js";
import { bytes, count, percent } from "./format.js";
import { age, blockLink, heading, heightLink, liveTable, panel, pill } from "./parts.js";
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

/** What is left of a pruned block: its header. */
const prunedRow = ({ height, hash, time }) => [
  heightLink(height, hash),
  blockLink(hash, { head: 6, tail: 6 }),
  age(time),
  pill("pruned"),
  "",
  "",
];

export async function show([from], signal) {
  const list = liveTable(COLUMNS, { caption: "Blocks", empty: () => "No blocks yet." });
  const [newer, older] = ["← newer", "older →"].map((text) => h("a", text));
  const read = async () => {
    const { height: tip, gasLimit, pruneHeight } = await call("chain_getInfo");
    const first = /^\d{1,10}$/.test(from ?? "") ? Math.min(Number(from), tip) : tip;
    const heights = Array.from({ length: Math.min(PAGE, first + 1) }, (_, below) => first - below);
    // Genesis is never pruned.
    const gone = (height) => height > 0 && height < (pruneHeight ?? 0);
    const found = await Promise.all(
      heights.map(async (height) => (gone(height) ? header : block)(await call("chain_getBlockHash", height))),
    );
    if (signal.aborted) return;
    list.show(
      found.map((one) =>
        gone(one.height) ? [`${one.hash} pruned`, () => prunedRow(one)] : [one.hash, () => row(one, gasLimit)],
      ),
    );
    newer.hidden = first === tip;
    newer.href = first + PAGE < tip ? `#/blocks/${first + PAGE}` : "#/blocks";
    older.hidden = first < PAGE;
    older.href = `#/blocks/${first - PAGE}`;
  };
  await read();
  follow(["chain"], read, signal);
  return [heading("Blocks"), panel("Active chain", list, h("p", { class: "steps" }, newer, older))];
}
