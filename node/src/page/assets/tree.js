// The tree of all known heads: the active chain with time from left to right, and below it the branches that lost.

import { STATUS, heads } from "./branches.js";
import { MOST_COUNTED } from "./chain.js";
import { h, s } from "./dom.js";
import { clock, duration, short } from "./format.js";

const [HEIGHT, TOP, LANE, EDGE] = [26, 34, 46, 14];
/** Pixels of one block interval, and what a block takes at least and at most. */
const [OF_INTERVAL, AT_MOST] = [62, 150];
const MOST_LANES = 6;
const LISTED = 8;

/** Places the newest blocks of the active chain that fit, oldest first: [{header, x}]. */
function placeActive(path, width, box, ahead, interval) {
  const placed = [];
  let room = width - 2 * EDGE - box - ahead;
  for (let at = 0; at < path.length; at += 1) {
    const passed = at > 0 ? path[at - 1].time - path[at].time : 0;
    const gap = at > 0 ? Math.min(AT_MOST, Math.max(box + 16, (passed / interval) * OF_INTERVAL)) : 0;
    if (gap > room) break;
    room -= gap;
    placed.push({ header: path[at], back: gap });
  }
  let x = width - EDGE - box - ahead;
  // A short chain begins at the left.
  if (placed.length === path.length && room > 0) x -= room;
  for (const one of placed) one.x = x -= one.back;
  return placed.reverse();
}

/** Where a time is between the active blocks. */
function xOfTime(active, time) {
  const after = active.findIndex((one) => one.header.time >= time);
  if (after === -1) return active.at(-1).x;
  // Left of the picture, which its own order of blocks places.
  if (after === 0) return -Infinity;
  const [left, right] = [active[after - 1], active[after]];
  const part = (time - left.header.time) / Math.max(1, right.header.time - left.header.time);
  return left.x + part * (right.x - left.x);
}

/** Where a branch's blocks are: to the right of where it forks off, of which only those in the picture are drawn. */
function placeBlocks(branch, parent, active, box) {
  const first = active[0];
  const oldest = branch.blocks.at(-1);
  // The active blocks left of the picture, drawn as narrow as can be.
  let x = parent?.x ?? first.x - (first.header.height - oldest.height + 1) * (box + 16);
  const blocks = [...branch.blocks].reverse().map((header) => {
    x = Math.max(x + box + 10, xOfTime(active, header.time));
    return { header, x };
  });
  return blocks.filter((one) => one.x >= EDGE);
}

/** Places branches of which a part is in the picture, each in a lane of its own; the parent is null if it is left of it. */
function placeBranches(branches, active, box) {
  const byHash = new Map(active.map((one) => [one.header.hash, one]));
  const ends = [];
  const placed = [];
  for (const branch of [...branches].sort((a, b) => b.fork - a.fork)) {
    const oldest = branch.blocks.at(-1);
    const parent = (oldest && byHash.get(oldest.prev)) ?? null;
    // What forks off in the picture is drawn as soon as all of it is known.
    if (!oldest || (branch.fork >= active[0].header.height && !(branch.whole && parent))) continue;
    const blocks = placeBlocks(branch, parent, active, box);
    if (blocks.length === 0) continue;
    const [from, to] = [parent?.x ?? 0, blocks.at(-1).x + box];
    let lane = ends.findIndex((intervals) => intervals.every(([begin, end]) => to < begin - 8 || from > end + 8));
    if (lane === -1) lane = ends.push([]) - 1;
    if (lane >= MOST_LANES) continue;
    ends[lane].push([from, to]);
    placed.push({ branch, parent, blocks, lane });
  }
  return placed;
}

function node({ header, x }, y, box, status, isTip) {
  const text = `Block ${header.height}, ${STATUS[status]}${isTip ? ", the tip" : ""}, ${clock(header.time)}, ${short(header.hash)}`;
  return s(
    "a",
    { href: `#/block/${header.hash}`, class: `node ${status}${isTip ? " tip" : ""}`, "aria-label": text },
    s("title", text),
    s("rect", { x, y, width: box, height: HEIGHT, rx: 6 }),
    s("text", { x: x + box / 2, y: y + HEIGHT / 2 + 4, "text-anchor": "middle" }, String(header.height)),
  );
}

const edge = (x1, y1, x2, y2, kind) => {
  const bend = Math.min(22, Math.max(4, (x2 - x1) / 2));
  const path = y1 === y2 ? `M${x1} ${y1}H${x2}` : `M${x1} ${y1}C${x1 + bend} ${y1} ${x2 - bend} ${y2} ${x2} ${y2}`;
  return s("path", { class: `edge ${kind}`, d: path });
};

/** Times between blocks, and the clock below some of them. */
function times(active, box, bottom) {
  const marks = [];
  let free = -Infinity;
  active.forEach(({ header, x }, at) => {
    const before = active[at - 1];
    if (before && x - before.x - box >= 30)
      marks.push(
        s(
          "text",
          { class: "step", x: (before.x + box + x) / 2, y: TOP - 8, "text-anchor": "middle" },
          duration(header.time - before.header.time),
        ),
      );
    if (x < free) return;
    free = x + 86;
    marks.push(
      s("line", { class: "tick", x1: x + box / 2, x2: x + box / 2, y1: TOP + HEIGHT, y2: bottom - 14 }),
      s("text", { class: "clock", x, y: bottom - 2 }, clock(header.time)),
    );
  });
  return marks;
}

/** The picture. */
export function draw(chain, width) {
  if (chain.path.length === 0) return h("p", { class: "empty" }, "No blocks yet.");
  const box = Math.max(40, 16 + 7.4 * String(chain.info.height).length);
  const longest = Math.max(
    0,
    ...chain.branches.filter((one) => one.whole).map((one) => one.tip.height - chain.info.height),
  );
  const active = placeActive(
    chain.path,
    width,
    box,
    Math.min(width / 3, longest * (box + 10)),
    Math.max(1, chain.info.targetInterval),
  );
  const branches = placeBranches(chain.branches, active, box);
  const lanes = Math.max(0, ...branches.map((one) => one.lane + 1));
  const bottom = TOP + HEIGHT + lanes * LANE + 30;
  const middle = TOP + HEIGHT / 2;
  const edges = active.slice(1).map((one, at) => edge(active[at].x + box, middle, one.x, middle, "active"));
  if (active[0].header.height > 0)
    edges.unshift(edge(Math.max(0, active[0].x - EDGE), middle, active[0].x, middle, "active"));
  const nodes = active.map((one, at) => node(one, TOP, box, "active", at === active.length - 1));
  for (const { branch, parent, blocks, lane } of branches) {
    const y = TOP + (lane + 1) * LANE;
    blocks.forEach((one, at) => {
      const level = y + HEIGHT / 2;
      if (at === 0 && parent) edges.push(drop([parent.x + box / 2, TOP + HEIGHT], one.x, level));
      else edges.push(edge(at === 0 ? 0 : blocks[at - 1].x + box, level, one.x, level, "lost"));
      nodes.push(node(one, y, box, branch.tip.status, false));
    });
  }
  const picture = s(
    "svg",
    {
      class: "tree",
      viewBox: `0 0 ${width} ${bottom}`,
      width,
      height: bottom,
      role: "group",
      "aria-label": `The last ${active.length} blocks and ${branches.length} branches that lost`,
    },
    times(active, box, bottom),
    edges,
    nodes,
  );
  return [picture, rest(chain.losing - branches.length, chain.losing + 1 < MOST_COUNTED)];
}

/** Branches that are not drawn: too old, or there is no room. */
function rest(number, all) {
  if (number <= 0) return null;
  const many = `${number}${all ? "" : " or more"}`;
  return h("p", { class: "hint" }, number === 1 ? "1 more branch is in the list below." : `${many} more branches are in the list below.`);
}

/** From below a block to the side of the first of a branch. */
const drop = ([x, y], toX, toY) =>
  s("path", { class: "edge lost", d: `M${x} ${y}C${x} ${toY} ${x} ${toY} ${toX} ${toY}` });

/** The same in words: branches that lost, also those too old for the picture. */
export function lost({ branches, losing }) {
  const shown = branches.slice(0, LISTED).map(({ tip }) => tip);
  const more = losing > shown.length ? h("p", h("a", { href: "#/branches" }, losing + 1 < MOST_COUNTED ? `All ${losing} branches` : "All branches")) : null;
  return [heads(shown), more];
}
