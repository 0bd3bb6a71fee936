// The chain as the page knows it: the tip, the blocks below it, branches that lost, and what changes them.

import { Recent } from "./dom.js";
import { attempt, call, isMissing, onStatus, status, subscribe } from "./rpc.js";

/** Active blocks that are kept below the tip. */
const DEPTH = 48;
/** Blocks of them that are known in full. */
export const DETAILED = 10;
/** A tip that is so much higher has many unknown blocks below it. */
const FAR = 4;
/** Branches that lost, the highest first, and blocks of each. */
const MOST_TIPS = 24;
const MOST_BRANCH = 32;
/** Heads that are counted, the active one too. */
export const MOST_COUNTED = 200;
/** Transactions of a block that are remembered. */
const MOST_IDS = 16;
const MOST_REORGS = 20;

/** A tip moves the page at most so often, in ms; a chain that stands still is looked at so often. */
const LEAST_PAUSE = 250;
const LOOK = 5_000;
/** A branch that cannot be read is tried again after a look, then after twice as long each time, up to this. */
const MOST_WAIT = 600_000;

export const chain = {
  info: null,
  supply: null,
  peers: null,
  /** Active headers, newest first. */
  path: [],
  /** {tip, fork, blocks (newest first), whole, read, tries, retry} of each branch that lost. */
  branches: [],
  /** How many branches lost, also those that are not read. */
  losing: 0,
  /** Newest first. */
  blocks: [],
  reorgs: [],
  error: null,
};

const headers = new Recent(1200);
const blocks = new Recent(80);
const watchers = new Set();

/** Why there will be nothing to show: the node does not serve the chain. Null if it does, or may. */
export const unserved = () => (!chain.info && isMissing(chain.error) ? chain.error : null);

/** Calls a function whenever something of these kinds changed, until the signal: "chain", "reorg", "info". */
export function watch(kinds, listener, signal) {
  const watcher = { kinds, listener };
  watchers.add(watcher);
  signal?.addEventListener("abort", () => watchers.delete(watcher));
}

/** What follows the chain rests so many times as long as it takes the node to answer, within these bounds in ms. */
const REST = 60;
const MOST_REST = 60_000;

/** Runs asynchronous work when something of these kinds changes, so seldom that the node spends little on it. */
export function follow(kinds, work, signal, least = 0) {
  let [timer, busy, again, ready] = [null, false, false, 0];
  async function run() {
    timer = null;
    busy = true;
    again = false;
    const began = performance.now();
    try {
      await work();
    } catch {
      // The next change tries again.
    }
    const now = performance.now();
    ready = now + Math.max(least, Math.min(MOST_REST, REST * (now - began)));
    busy = false;
    if (again) soon();
  }
  function soon() {
    again = busy;
    if (!busy && timer === null && !signal.aborted) timer = setTimeout(run, Math.max(0, ready - performance.now()));
  }
  watch(kinds, soon, signal);
  signal.addEventListener("abort", () => clearTimeout(timer));
  return soon;
}

function tell(kind, detail) {
  for (const { kinds, listener } of watchers) if (kinds.includes(kind)) listener(kind, detail);
}

export async function header(hash) {
  return headers.get(hash) ?? headers.set(hash, slim(await call("chain_getHeader", hash)));
}

const slim = ({ hash, height, prev, time, difficulty, bits, chainWork }) => ({
  hash,
  height,
  prev,
  time,
  difficulty,
  bits,
  chainWork,
});

/** What lists show of a block, of any branch. */
export async function block(hash) {
  const known = blocks.get(hash);
  if (known) return known;
  const whole = await call("chain_getBlock", hash, 1);
  const { height, time, size, gasUsed, baseFee, beneficiary, extra, transactions } = whole;
  const ids = transactions.slice(0, MOST_IDS);
  return blocks.set(hash, {
    hash,
    height,
    time,
    size,
    gasUsed,
    baseFee,
    beneficiary,
    extra,
    count: transactions.length,
    ids,
  });
}

async function readPath(info) {
  const path = [];
  if (!chain.path[0] || info.height > chain.path[0].height + FAR) await prefetch(info.height);
  for (let hash = info.bestHash; path.length < DEPTH && hash;) {
    const one = await header(hash);
    path.push(one);
    hash = one.height > 0 ? one.prev : null;
  }
  return path;
}

/** At the start and after a while away: many headers at once, not one after the other. */
async function prefetch(tip) {
  const heights = Array.from({ length: Math.min(DEPTH, tip + 1) }, (_, below) => tip - below);
  const found = await Promise.all(heights.map((height) => attempt(null, "chain_getHeader", height)));
  found.filter(Boolean).forEach((one) => headers.set(one.hash, slim(one)));
}

/** The heads that are not active, the highest first. */
export const losing = (tips) =>
  tips.filter((tip) => tip.status !== "active").sort((a, b) => b.height - a.height);

async function readBranches() {
  const tips = await attempt(null, "chain_getTips", MOST_COUNTED);
  if (!tips) return null;
  const all = losing(tips);
  chain.losing = all.length;
  const lost = all.slice(0, MOST_TIPS);
  const known = new Map(chain.branches.map((branch) => [nameOf(branch.tip), branch]));
  return Promise.all(
    lost.map((tip) => {
      const before = known.get(nameOf(tip));
      return before && (before.read || Date.now() < before.retry) ? before : readBranch(tip, before?.tries ?? 0);
    }),
  );
}

const nameOf = (tip) => `${tip.hash} ${tip.branchLength} ${tip.status}`;

async function readBranch(tip, tries) {
  const found = [];
  const most = Math.min(tip.branchLength, MOST_BRANCH);
  let hash = tip.hash;
  try {
    while (found.length < most) {
      const one = await header(hash);
      found.push(one);
      hash = one.prev;
    }
  } catch {
    // The connection was lost, or a header is gone: what was read is shown, and a later look reads it again.
  }
  const [whole, read] = [found.length === tip.branchLength, found.length === most];
  // Looks come a little early or late.
  const retry = last + Math.min(MOST_WAIT, LOOK * 2 ** tries) - LEAST_PAUSE;
  return { tip, fork: tip.height - tip.branchLength, blocks: found, whole, read, tries: tries + 1, retry };
}

let running = false;
let again = false;
/** When branches that could not be read are tried again. */
let retry = Infinity;
let last = 0;
let timer = null;

/** Reads the chain again, soon; many requests become one. */
function refresh() {
  if (running) {
    again = true;
    return;
  }
  if (timer !== null || document.hidden) return;
  timer = setTimeout(read, Math.max(0, last + LEAST_PAUSE - Date.now()));
}

async function read() {
  timer = null;
  running = true;
  again = false;
  last = Date.now();
  try {
    const before = chain.info;
    const info = await call("chain_getInfo");
    const moved = before?.bestHash !== info.bestHash || before?.headers !== info.headers;
    if (!before) {
      // What is known of the tip is shown before the blocks below it are read.
      chain.info = info;
      tell("info");
    }
    if (moved || Date.now() >= retry || chain.path.length === 0) {
      const [path, branches, supply] = await Promise.all([
        readPath(info),
        readBranches(),
        attempt(null, "chain_getSupply"),
      ]);
      const due = branches?.filter((branch) => !branch.read).map((branch) => branch.retry);
      retry = due ? Math.min(Infinity, ...due) : Date.now();
      const newest = await Promise.all(path.slice(0, DETAILED).map((one) => block(one.hash).catch(() => null)));
      Object.assign(chain, {
        info,
        path,
        branches: branches ?? chain.branches,
        supply,
        blocks: newest.filter(Boolean),
        error: null,
      });
      tell("chain");
    } else {
      Object.assign(chain, { info, error: null });
    }
    tell("info");
  } catch (error) {
    chain.error = error;
    tell("info");
  }
  running = false;
  if (again) refresh();
}

async function readPeers() {
  if (document.hidden || status.state !== "open") return;
  const peers = await attempt(null, "net_peerCount");
  chain.peers = peers === null ? null : Number(peers);
  tell("info");
}

/** Seconds between blocks and hashes a second, over the blocks that are known. */
export function pace() {
  const [newest, oldest] = [chain.path[0], chain.path.at(-1)];
  const blocks = chain.path.length - 1;
  // The first block after genesis may be years later.
  if (!newest || blocks < 2) return null;
  const from = oldest.height === 0 ? chain.path.at(-2) : oldest;
  const seconds = newest.time - from.time;
  const work = BigInt(`0x${newest.chainWork}`) - BigInt(`0x${from.chainWork}`);
  const steps = newest.height - from.height;
  return { blocks: steps, interval: seconds / steps, hashrate: seconds > 0 ? Number(work) / seconds : NaN };
}

export function start() {
  subscribe("eth_subscribe", ["newHeads"], refresh);
  subscribe("chain_subscribeReorgs", [], (reorg) => {
    if (![reorg?.dropped, reorg?.added].every((blocks) => Array.isArray(blocks) && blocks.every((one) => one?.hash))) return;
    chain.reorgs.unshift({ ...reorg, at: Math.floor(Date.now() / 1000) });
    chain.reorgs.length = Math.min(chain.reorgs.length, MOST_REORGS);
    refresh();
    tell("reorg", reorg);
  });
  onStatus((state) => {
    if (state !== "open") return;
    refresh();
    readPeers();
  });
  setInterval(refresh, LOOK);
  setInterval(readPeers, 2 * LOOK);
  document.addEventListener("visibilitychange", refresh);
}
