// The calls inside a transaction, as a tree.

import { decodeCall } from "./abi.js";
import { abiOf } from "./contract.js";
import { h } from "./dom.js";
import { count, foreign, short, wei } from "./format.js";
import { addressLink, pill } from "./parts.js";

const MOST_FRAMES = 300;
const OPEN_DEPTH = 3;

/** The tree of what callTracer returned. */
export function calls(root) {
  const left = { frames: MOST_FRAMES, abis: new Map() };
  const tree = h("ul", { class: "calls" }, frame(root, 0, left));
  return left.frames > 0 ? tree : [tree, h("p", { class: "hint" }, `The first ${MOST_FRAMES} calls.`)];
}

function frame(one, depth, left) {
  left.frames -= 1;
  const inner = [];
  for (const call of one.calls ?? []) {
    if (left.frames <= 0) break;
    inner.push(frame(call, depth + 1, left));
  }
  const line = [
    pill(foreign(one.type, 20), one.error ? "bad" : ""),
    " ",
    one.to ? addressLink(one.to) : "–",
    " ",
    h("span", { class: "mono" }, said(one, left.abis)),
    one.value && BigInt(one.value) > 0n ? h("span", ` ${wei(one.value)}`) : null,
    h("span", { class: "dim" }, ` ${count(Number(one.gasUsed ?? 0))} gas`),
    one.error ? h("span", { class: "bad" }, ` ${foreign(one.error, 80)}`) : null,
    one.revertReason ? h("span", { class: "bad" }, ` “${foreign(one.revertReason, 120)}”`) : null,
  ];
  if (inner.length === 0) return h("li", h("div", { class: "frame" }, line));
  return h("li", h("details", { open: depth < OPEN_DEPTH }, h("summary", { class: "frame" }, line), h("ul", inner)));
}

/** What a call asks for: in words if the ABI of the contract was pasted. */
function said(one, abis) {
  if (one.type?.startsWith("CREATE")) return "new contract";
  const input = one.input ?? "0x";
  if (input.length < 10) return "";
  if (one.to && !abis.has(one.to)) abis.set(one.to, abiOf(one.to));
  const read = decodeCall(abis.get(one.to) ?? [], input);
  return read ? foreign(read, 300) : `${input.slice(0, 10)}(${input.length > 10 ? short(input.slice(10), 24, 0) : ""})`;
}
