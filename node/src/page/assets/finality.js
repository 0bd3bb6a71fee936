// Finality: what the chain's members finalized if it has any, and the blocks that the node calls safe and finalized.

import { follow } from "./chain.js";
import { h, put } from "./dom.js";
import { count, counted, duration, foreign } from "./format.js";
import { blockLink, facts, failure, hash, heading, heightLink, loading, panel, pill, table } from "./parts.js";
import { attempt, call } from "./rpc.js";

const MOST_MEMBERS = 100;
const MOST_VOTES = 6;
const EVERY = 3_000;

const NONE =
  "This chain has no finality protocol: work alone secures its blocks, and the view of each transaction says how likely a " +
  "reversal is.";

export async function show(_, signal) {
  const [tags, votes, members] = [h("div", loading()), h("div", loading()), h("div")];
  const read = async () => {
    if (signal.aborted || document.hidden) return;
    try {
      const [found, info, ...blocks] = await Promise.all([
        call("chain_getFinality"),
        call("chain_getInfo"),
        ...["safe", "finalized"].map((tag) => attempt(null, "eth_getBlockByNumber", tag, false)),
      ]);
      if (signal.aborted) return;
      const has = Array.isArray(found?.members) && found.members.length > 0;
      put(votes, has ? progress(found) : h("p", { class: "empty" }, NONE));
      put(members, has ? [memberTable(found), evidenceList(found.evidence ?? [])] : null);
      put(tags, byTag(info, blocks, has));
    } catch (error) {
      if (signal.aborted) return;
      put(votes, failure(error));
      if (tags.querySelector(".loading")) put(tags, h("p", { class: "empty" }, "Unknown."));
    }
  };
  const timer = setInterval(follow(["chain"], read, signal), EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  await read();
  return [heading("Finality"), panel("By votes", votes, members), panel("By Ethereum's names", tags)];
}

/** The blocks that the node itself names by these tags. */
function byTag(info, [safe, finalized], voted) {
  const row = (block, depth) => {
    if (!block) return "unknown: the node does not name it";
    const height = Number(block.number);
    if (depth === 0 && !voted) return "the tip itself: nothing reorganises a development chain but its user";
    const below = Math.max(0, info.height - height);
    return [
      heightLink(height, block.hash),
      `, ${counted(below, "block")} below the tip, about ${duration(below * info.targetInterval)}`,
    ];
  };
  const hint = voted
    ? `Here finalized is what the members finalized, and safe the later of that and the block ${counted(info.safeDepth, "block")} below the tip.`
    : "Without votes they are depths: a reorganisation beyond them is improbable, not impossible.";
  return [
    facts(
      ["Tip", heightLink(info.height, info.bestHash)],
      ["safe", row(safe, info.safeDepth)],
      ["finalized", row(finalized, info.finalizedDepth)],
    ),
    h("p", { class: "hint" }, "Ethereum's tools ask for safe and finalized by these names. ", hint),
  ];
}

/** A block of {height, hash}. */
const place = (one) => (one ? [heightLink(one.height, one.hash), " ", blockLink(one.hash)] : null);

function progress(found) {
  const { certificate, next } = found;
  return facts(
    ["Finalized", place(found.finalized)],
    ["Behind the tip", counted(found.lag, "block")],
    [
      "Certificate",
      certificate
        ? [place(certificate), ` ${certificate.signatures.length} of ${counted(found.members.length, "member")} signed`]
        : "none yet",
    ],
    ["Next checkpoint", next ? `height ${next.height}, view ${next.view}, led by member ${next.leader}` : null],
    ["Rules", found.interval ? `a checkpoint every ${counted(found.interval, "block")}` : null],
    ["Waits for", place(found.wanted)],
    ["Refused, too deep", found.refused ? [place(found.refused), " only the operator can have it followed: cairn-node accept-certificate"] : null],
    ["Alarm", found.alarm ? h("strong", { class: "bad" }, foreign(describe(found.alarm), 300)) : null],
    ["This node", found.member === null ? "does not vote" : `votes for member ${found.member}`],
  );
}

const describe = (value) => (typeof value === "string" ? value : JSON.stringify(value));

function memberTable(found) {
  const rows = found.members
    .slice(0, MOST_MEMBERS)
    .map((one, at) => [
      String(at),
      hash(String(one.key)),
      one.faulty ? pill("faulty", "bad") : found.next?.leader === at ? pill("leads") : "–",
      one.votes.length > 0
        ? one.votes
            .slice(0, MOST_VOTES)
            .map((vote) => [
              pill(foreign(vote.kind, 20), "good"),
              `view ${vote.view} `,
              vote.hash ? [blockLink(vote.hash), " "] : null,
            ])
        : h("span", { class: "dim" }, "none yet"),
    ]);
  const columns = [["#", "number"], ["Key"], ["State"], ["Votes for the next checkpoint", "prose"]];
  const more =
    found.members.length > MOST_MEMBERS ? `The first ${MOST_MEMBERS} of ${count(found.members.length)}.` : null;
  return [
    h("h3", counted(found.members.length, "member")),
    table(columns, rows, { caption: "Members" }),
    more ? h("p", { class: "hint" }, more) : null,
  ];
}

function evidenceList(evidence) {
  if (evidence.length === 0) return null;
  return [
    h("h3", "Evidence against members"),
    h(
      "ul",
      evidence.slice(0, MOST_MEMBERS).map((one) => h("li", { class: "mono wrap" }, foreign(JSON.stringify(one), 400))),
    ),
  ];
}
