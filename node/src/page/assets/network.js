// The network: what anyone may know, and with the node's cookie its peers, bans and clock.

import { chain, unserved, watch } from "./chain.js";
import { h, put } from "./dom.js";
import { ago, bytes, count, counted, date, duration, foreign, significant } from "./format.js";
import { age, facts, failure, hash, heading, loading, panel, pill, table } from "./parts.js";
import { attempt, authorized } from "./rpc.js";

const EVERY = 4_000;
const MOST = 60;
/** The code of an error for whoever lacks the cookie, or sends a wrong one. */
const UNAUTHORIZED = 4100;

/** In memory alone: a reload forgets it. */
let cookie = null;

export async function show(_, signal) {
  const [open, closed] = [h("div", loading()), h("div")];
  const modules = await attempt({}, "rpc_modules");
  const render = async () => {
    if (signal.aborted) return;
    if (chain.info) put(open, visible(modules));
    else if (unserved()) put(open, failure(unserved()), facts(served(modules)));
  };
  watch(["info"], render, signal);
  await render();
  const secret = () => put(closed, cookie ? withCookie(signal, secret) : ask(secret));
  secret();
  return [heading("Network"), panel("What everyone may see", open), h("div", closed)];
}

function syncing(info, behind, peers) {
  if (info.syncing) return `no: ${counted(behind, "block")} behind the best known header`;
  return peers === 0 ? "as far as it knows: there is no peer to compare with" : "yes";
}

function visible(modules) {
  const { info, peers } = chain;
  const behind = info.headers - info.height;
  return facts(
    ["Peers", peers === null ? "–" : count(peers)],
    ["In sync", syncing(info, behind, peers)],
    ["Chain", `${foreign(info.chain, 40)}, id ${info.chainId}`],
    ["Genesis", hash(info.genesis, "#/block/0", { whole: true })],
    [
      "Rules",
      `a block every ${duration(info.targetInterval)}, at most ${bytes(info.maxBlockBytes)} and ${count(info.gasLimit)} gas; coinbases mature after ${counted(info.coinbaseMaturity, "block")}`,
    ],
    ["Keeps", info.pruned ? `blocks from ${count(info.pruneHeight)} on` : "all blocks"],
    ["Indexes", info.index ? "yes" : "no: no histories, no search for transactions"],
    served(modules),
  );
}

const served = (modules) => ["Served here", Object.keys(modules).slice(0, 30).join(", ")];

/** The node's own words are for programs, which find the cookie by flags. */
const refusal = (error) =>
  error.code === UNAUTHORIZED
    ? failure("This is not the cookie of this node. It is new at each start of the node: paste what its file holds now.")
    : failure(error);

function ask(done) {
  const field = h("input", {
    type: "password",
    id: "cookie",
    maxlength: 200,
    autocomplete: "off",
    placeholder: "__cookie__:…",
  });
  const out = h("div");
  const submit = async (event) => {
    event.preventDefault();
    try {
      await authorized(field.value.trim(), "admin_nodeInfo");
      cookie = field.value.trim();
      done();
    } catch (error) {
      put(out, refusal(error));
    }
  };
  return panel(
    "Peers, bans and the clock",
    h(
      "p",
      "Addresses of peers are the operator's business: the node shows them to those who can read its cookie, a file that it makes at each start. Paste what stands in it, ",
      h("code", "DATADIR/.cookie"),
      " or ",
      h("code", `~/.cairn/cookies/${location.port || "8545"}`),
      ". It stays in this tab until it is reloaded.",
    ),
    h(
      "form",
      { class: "row", onsubmit: submit },
      h("label", { for: "cookie" }, "Cookie"),
      field,
      h("button", { type: "submit" }, "Show the peers"),
    ),
    h("p", { class: "hint" }, "In a terminal: ", h("code", "cairn-node peers"), "."),
    out,
  );
}

function withCookie(signal, changed) {
  const [node, peers, bans, gone] = [h("div", loading()), h("div"), h("div"), h("div")];
  const read = async () => {
    if (document.hidden || !cookie) return;
    try {
      const info = await authorized(cookie, "admin_nodeInfo");
      if (signal.aborted) return;
      put(node, about(info));
      if (info.id === null) {
        put(peers, h("p", { class: "empty" }, "This node runs without a network (--dev or --max-peers 0)."));
        return;
      }
      const [list, banned] = [await authorized(cookie, "admin_peers"), await authorized(cookie, "admin_bans")];
      if (signal.aborted) return;
      put(peers, peerTable(list));
      put(bans, banTable(banned));
      put(gone, goneTable(info.disconnected ?? []));
    } catch (error) {
      put(node, refusal(error));
    }
  };
  const timer = setInterval(read, EVERY);
  signal.addEventListener("abort", () => clearInterval(timer));
  read();
  const forget = () => {
    cookie = null;
    clearInterval(timer);
    changed();
  };
  return [
    panel("Node", node, h("p", h("button", { type: "button", onclick: forget }, "Forget the cookie"))),
    panel("Peers", peers),
    panel("Bans", bans),
    panel("Lately disconnected", gone),
  ];
}

function about(info) {
  const offset = info.clockOffset;
  const clock =
    offset === null
      ? "nothing to compare with"
      : `${offset === 0 ? "equal to" : `${duration(Math.abs(offset))} ${offset > 0 ? "behind" : "ahead of"}`} the median of ${counted(info.clockPeers, "peer")}`;
  return facts(
    ["Version", foreign(info.name, 120)],
    ["Up", `${duration(info.uptime)}, process ${info.process}`],
    ["Data", foreign(info.datadir ?? "in memory", 200)],
    ["Id", info.id ? hash(info.id, null, { whole: true }) : null],
    [
      "Addresses",
      info.addresses?.length > 0
        ? h(
            "ul",
            { class: "plain" },
            info.addresses.slice(0, 8).map((one) => h("li", { class: "mono wrap" }, foreign(one, 200))),
          )
        : null,
    ],
    ["This machine's clock", info.id ? clock : null],
    ["Traffic", info.traffic ? `${bytes(info.traffic.received)} received, ${bytes(info.traffic.sent)} sent` : null],
  );
}

function peerTable(list) {
  const rows = list
    .slice(0, MOST)
    .map((peer) => [
      h("span", { class: "mono wrap" }, foreign(peer.address, 80)),
      pill(peer.direction),
      foreign(peer.agent ?? "–", 60),
      peer.height === null ? "–" : h("span", { title: peer.bestHash }, count(peer.height)),
      peer.pingMs === null ? "–" : `${significant(peer.pingMs)} ms`,
      peer.clockOffset === null || peer.clockOffset === undefined ? "–" : `${peer.clockOffset} s`,
      peer.points > 0 ? h("strong", { class: "bad" }, count(peer.points)) : "0",
      `${bytes(peer.traffic.received)} / ${bytes(peer.traffic.sent)}`,
      duration(peer.connected),
    ]);
  const columns = [
    ["Address"],
    ["Direction"],
    ["Version"],
    ["Height", "number"],
    ["Ping", "number"],
    ["Clock", "number"],
    ["Points", "number"],
    ["Received / sent", "number"],
    ["Connected", "number"],
  ];
  const more = list.length > MOST ? h("p", { class: "hint" }, `The first ${MOST} of ${count(list.length)}.`) : null;
  return [table(columns, rows, { caption: "Peers", empty: "No peers are connected." }), more];
}

function banTable(list) {
  const rows = list
    .slice(0, MOST)
    .map((ban) => [
      h("span", { class: "mono wrap" }, foreign(ban.target, 80)),
      h("span", { title: date(ban.until) }, ago(ban.until)),
      foreign(ban.reason, 120),
    ]);
  return table([["Who"], ["Ends"], ["Why", "prose"]], rows, { caption: "Bans", empty: "Nothing is banned." });
}

function goneTable(list) {
  const rows = list.map((one) => [
    h("span", { class: "mono wrap" }, foreign(one.address, 80)),
    foreign(one.agent ?? "–", 60),
    age(one.at),
    duration(one.connected),
    foreign(one.reason, 160),
  ]);
  return table([["Address"], ["Version"], ["When"], ["Was connected", "number"], ["Why", "prose"]], rows, {
    caption: "Connections that ended",
    empty: "No connection has ended.",
  });
}
