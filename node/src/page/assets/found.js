// A block found by a miner of this node: a sign that cannot be overlooked, on whatever view is open.

import { chain, watch } from "./chain.js";
import { h, keep, kept } from "./dom.js";
import { counted, foreign } from "./format.js";
import { attempt } from "./rpc.js";

const STAYS = 8_000;
/** Blocks that come faster than this are not worth a sign each, in seconds. */
const RARE = 60;
let before = null;
let timer = null;
let shown = -Infinity;

/** What the reader chose: a sound with the sign, and the sign for blocks of the node's own miner too. */
export const choices = {
  get sound() {
    return kept("sound", true);
  },
  set sound(value) {
    keep("sound", value);
  },
  get own() {
    return kept("own-blocks", chain.info?.targetInterval >= RARE);
  },
  set own(value) {
    keep("own-blocks", value);
  },
};

function chime() {
  if (!choices.sound || !window.AudioContext) return;
  const context = new AudioContext();
  const volume = context.createGain();
  volume.gain.setValueAtTime(0.15, context.currentTime);
  volume.gain.exponentialRampToValueAtTime(0.001, context.currentTime + 1.4);
  volume.connect(context.destination);
  [523.25, 659.25, 783.99, 1046.5].forEach((pitch, at) => {
    const tone = context.createOscillator();
    tone.frequency.value = pitch;
    tone.connect(volume);
    tone.start(context.currentTime + at * 0.12);
    tone.stop(context.currentTime + 1.4);
  });
  setTimeout(() => context.close(), 2000);
}

function close() {
  document.querySelector(".found")?.remove();
  clearTimeout(timer);
}

/** Shows the sign. */
export function celebrate(title, detail) {
  close();
  document.body.append(
    h(
      "div",
      { class: "found", role: "alert" },
      h(
        "div",
        h("p", { class: "title" }, title),
        h("p", detail),
        h("button", { type: "button", onclick: close }, "Close"),
      ),
    ),
  );
  chime();
  timer = setTimeout(close, STAYS);
}

/** Blocks that the node's miner, its stratum workers and miners over JSON-RPC found, and the last of them. */
async function counts() {
  const [own, stratum] = await Promise.all([attempt(null, "miner_status"), attempt(null, "miner_getStats")]);
  if (!own && !stratum) return null;
  const { rpc = 0, getblocktemplate = 0 } = own?.found ?? {};
  return {
    own: own?.blocks ?? 0,
    workers: stratum?.blocks ?? 0,
    others: rpc + getblocktemplate,
    last: stratum?.lastBlocks?.[0],
  };
}

async function compare() {
  const now = await counts();
  if (now && before && performance.now() - shown > RARE * 1000) {
    const [own, workers, others] = ["own", "workers", "others"].map((name) => now[name] - before[name]);
    const worker = foreign(now.last?.worker || "without a name", 40);
    // In a devnet these are orders of its terminal or of the page: as quick as the own miner, and as little news.
    const miners = others > 0 && (choices.own || (await attempt(null, "devnet_status")) === null);
    if (workers > 0 || miners || (own > 0 && choices.own)) {
      shown = performance.now();
      celebrate(
        "Block found!",
        workers > 0
          ? `Worker ${worker} found block ${now.last?.height ?? ""}.`
          : miners
            ? `A miner over JSON-RPC found ${counted(others, "block")}.`
            : `This node's miner found ${counted(own, "block")}.`,
      );
    }
  }
  if (now) before = now;
}

export function start() {
  watch(["chain"], compare);
  document.addEventListener("keydown", ({ key }) => key === "Escape" && close());
}
