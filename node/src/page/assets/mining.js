// Miners of this node: workers, shares, blocks, the time to the next; how to point a machine here.

import { chain, follow, pace } from "./chain.js";
import { h, put } from "./dom.js";
import { celebrate, choices } from "./found.js";
import { count, counted, duration, foreign, hashrate, percent, scaled } from "./format.js";
import {
  addressLink,
  age,
  blockLink,
  facts,
  failure,
  heading,
  heightLink,
  loading,
  panel,
  pill,
  table,
} from "./parts.js";
import { attempt, call } from "./rpc.js";

const EVERY = 4_000;
const MOST_WORKERS = 50;

export async function show(_, signal) {
  const [totals, workers, found] = [h("div", loading()), h("div"), h("div")];
  let last = "";
  const read = async () => {
    if (document.hidden) return;
    try {
      const [own, stats, list] = await Promise.all([
        attempt(null, "miner_status"),
        call("miner_getStats"),
        call("miner_getWorkers"),
      ]);
      const blocks = await withStates(lastBlocks(own, stats));
      const text = JSON.stringify([own, stats, list, blocks, chain.info?.difficulty]);
      if (signal.aborted || text === last) return;
      last = text;
      put(totals, overview(own, stats));
      put(workers, workerTable(list));
      put(found, blockTable(blocks));
      put(how, pointing(stats));
    } catch (error) {
      if (!signal.aborted) put(totals, failure(error));
    }
  };
  const how = h("div");
  await read();
  const timer = setInterval(follow(["chain"], read, signal), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  return [
    heading("Mining"),
    panel("This node's miners", totals, sign()),
    panel("Workers", workers),
    panel("Blocks found", found),
    panel("Point a miner here", how),
  ];
}

function overview(own, stats) {
  const rate = (own?.hashrate ?? 0) + stats.hashrate;
  const network = pace()?.hashrate;
  const difficulty = chain.info?.difficulty ?? NaN;
  const doing = own?.mining
    ? `on ${counted(own.threads, "thread")}`
    : own?.automine
      ? "mines each transaction at once"
      : "off";
  return facts(
    ["Hash rate", hashrate(rate)],
    ["Of the network", Number.isFinite(network) ? `about ${hashrate(network)}, by its last blocks` : "–"],
    ["Expected time to a block", rate > 0 ? duration(difficulty / rate) : "never: nothing mines here"],
    ["Difficulty", `${scaled(difficulty)} hashes a block`],
    [
      "The node's own miner",
      own
        ? [
            doing,
            own.waiting ? `; waits: ${foreign(own.waiting, 120)}` : "",
          ]
        : null,
    ],
    [
      "Pays to",
      own?.address ? addressLink(own.address) : "nobody yet: cairn-wallet mine, or cairn-node mine-to ADDRESS",
    ],
    [
      "Stratum",
      stats.stratum ? `${counted(stats.workers, "worker")} on ${counted(stats.sessions, "connection")}` : "off",
    ],
    [
      "Shares",
      stats.stratum || stats.accepted > 0
        ? `${count(stats.accepted)} accepted, ${percent(stats.staleRate)} stale`
        : null,
    ],
    ["Best share", stats.bestShare > 0 ? ["difficulty ", difficultyOf(stats.bestShare)] : null],
    ["Blocks found", foundBy(own, stats)],
  );
}

/** Hashes that a share of difficulty 1 takes on average: Bitcoin's unit, which miners show too. */
const HASHES = 2 ** 32;

/** A difficulty of shares; its title says what that is. */
function difficultyOf(value) {
  const title = `difficulty ${count(significantDigits(value))}: a hash as low takes ${scaled(value * HASHES)} hashes on average (difficulty 1 takes 2^32)`;
  return h("span", { title }, scaled(value));
}

const significantDigits = (value) => (value >= 100 ? Math.round(value) : Number(value.toPrecision(4)));

/** How many blocks each kind of miner found. */
function foundBy(own, stats) {
  const { found = {} } = own ?? {};
  const kinds = [
    [found.own, "by the node's own miner"],
    [found.rpc, "by miners over JSON-RPC"],
    [found.getblocktemplate, "by getblocktemplate"],
  ].filter(([number]) => number > 0);
  const parts = kinds.map(([number, by]) => `${count(number)} ${by}`);
  const since = parts.length > 0 ? [`${parts.join(", ")} since the start`] : [];
  if (stats.blocks > 0) since.push(`${count(stats.blocks)} by stratum in all`);
  return since.join("; ") || "none yet";
}

function workerTable(list) {
  const rows = list
    .slice(0, MOST_WORKERS)
    .map((one) => [
      [foreign(one.worker || "–", 40), one.sessions > 0 ? null : pill("away", "waits")],
      addressLink(one.address),
      h("span", { class: "dim" }, foreign(one.agent, 40)),
      hashrate(one.hashrate),
      difficultyOf(one.difficulty),
      [
        difficultyOf(one.bestShare),
        h("span", { class: "unseen" }, `, of this session ${scaled(one.bestShareOfSession)}`),
      ],
      [
        count(one.accepted),
        h("span", { class: "dim", title: reasons(one.rejected) }, ` / ${count(sum(one.rejected))}`),
      ],
      count(one.blocks),
      age(one.lastSeen),
    ]);
  const columns = [
    ["Worker"],
    ["Pays to"],
    ["Program", "wide-only"],
    ["Hash rate", "number"],
    ["Share difficulty", "number"],
    ["Best share (difficulty)", "number"],
    ["Shares / refused", "number"],
    ["Blocks", "number"],
    ["Seen"],
  ];
  const more =
    list.length > MOST_WORKERS
      ? h("p", { class: "hint" }, `The first ${MOST_WORKERS} of ${count(list.length)}.`)
      : null;
  return [table(columns, rows, { caption: "Workers", empty: "No miner has connected by stratum yet." }), more];
}

const sum = (rejected) => Object.values(rejected ?? {}).reduce((all, one) => all + one, 0);
const reasons = (rejected) =>
  Object.entries(rejected ?? {})
    .filter(([, number]) => number > 0)
    .map(([reason, number]) => `${reason} ${number}`)
    .join(", ") || "none refused";

const STATES = { active: "active", side: "lost", invalid: "invalid" };
const FINDERS = { own: "the node's own miner", rpc: "a miner over JSON-RPC", getblocktemplate: "getblocktemplate" };

/** The last blocks that were found here, by whomever, newest first. */
function lastBlocks(own, stats) {
  const workers = (stats.lastBlocks ?? []).map((one) => ({
    ...one,
    finder: one.worker ? `worker ${foreign(one.worker, 40)}` : "a worker without a name",
  }));
  const others = (own?.lastBlocks ?? []).map((one) => ({ ...one, finder: FINDERS[one.by] ?? foreign(one.by, 20) }));
  return [...workers, ...others].sort((a, b) => b.time - a.time || b.height - a.height).slice(0, 20);
}

/** Where each stands now: a found block may have lost since. */
const withStates = (blocks) =>
  Promise.all(
    blocks.map(async (block) => {
      const active = chain.path.some(({ hash }) => hash === block.hash);
      const state = active ? "active" : (await attempt(null, "chain_getBlockStatus", block.hash))?.status;
      return { ...block, state: Object.hasOwn(STATES, state) ? STATES[state] : "unknown" };
    }),
  );

function blockTable(blocks) {
  const rows = blocks.map((one) => [
    heightLink(one.height, one.hash),
    blockLink(one.hash),
    pill(one.state, one.state === "active" ? "" : "bad"),
    one.finder,
    one.address ? addressLink(one.address) : "nobody",
    age(one.time),
  ]);
  const columns = [["Height", "number"], ["Block", "wide-only"], ["State"], ["Found by"], ["Pays to", "wide-only"], ["Age"]];
  return table(columns, rows, {
    caption: "Blocks that were found here",
    empty: "None yet, by the node's own miner, over JSON-RPC or by stratum.",
  });
}

/** The sign for a found block, and what the reader wants of it. */
function sign() {
  const choice = (name, text) => {
    const id = `choice-${name}`;
    const box = h("input", {
      type: "checkbox",
      id,
      checked: choices[name],
      onchange: () => (choices[name] = box.checked),
    });
    return h("span", { class: "choice" }, box, h("label", { for: id }, text));
  };
  return h(
    "p",
    { class: "row" },
    h(
      "button",
      {
        type: "button",
        onclick: () => celebrate("Block found!", "This is a test: so it looks when a miner of this node finds one."),
      },
      "Test the sign for a found block",
    ),
    choice("sound", "with a sound"),
    choice("own", "also for the node's own miner"),
  );
}

function pointing(stats) {
  const hrp = chain.info?.hrp ?? "crn";
  if (!stats.stratum) {
    return [
      h("p", "Stratum is off. Start the node with it, for machines on the network with an address:"),
      h("code", { class: "block" }, "cairn-node --stratum\ncairn-node --stratum --stratum.addr 0.0.0.0"),
      h(
        "p",
        { class: "hint" },
        "Without it, ",
        h("code", "cairn-miner --rpc"),
        " mines over JSON-RPC, and ",
        h("code", "cairn-node --mine"),
        " on the node itself.",
      ),
    ];
  }
  const colon = stats.stratum.lastIndexOf(":");
  const [host, port] = [stats.stratum.slice(0, colon), stats.stratum.slice(colon + 1)];
  const open = host === "0.0.0.0" || host === "[::]";
  const reach = open ? location.hostname : host;
  const url = `stratum+tcp://${reach}:${port}`;
  return [
    h(
      "p",
      "Any SHA-256 miner works: an ASIC, a Bitaxe, a NerdMiner, minerd. The user is the address to pay, after a point a name for the machine; the password is ignored.",
    ),
    facts(
      ["URL", h("code", url)],
      ["Host, port", h("code", `${reach}, ${port}`)],
      ["User", h("code", `${hrp}1YOURADDRESS.machine`)],
      ["Password", h("code", "x")],
    ),
    h(
      "code",
      { class: "block" },
      `minerd -a sha256d -o ${url} -u ${hrp}1YOURADDRESS.laptop -p x\ncairn-miner --stratum ${url} --address ${hrp}1YOURADDRESS --worker garage`,
    ),
    open
      ? null
      : h(
          "p",
          { class: "hint" },
          `The node listens on ${host}: for miners on other machines, start it with --stratum.addr 0.0.0.0.`,
        ),
  ];
}
