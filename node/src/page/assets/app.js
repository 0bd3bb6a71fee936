// The page's frame: which view is open, the search, the theme, the connection.

import { chain, start, watch } from "./chain.js";
import { $, h, keep, kept, put } from "./dom.js";
import { foreign } from "./format.js";
import { start as startFound } from "./found.js";
import { failure, loading, refreshAges } from "./parts.js";
import { start as startReorgs } from "./reorgs.js";
import { attempt, onStatus } from "./rpc.js";
import { addChain } from "./wallet.js";

const VIEWS = {
  "": ["The chain", () => import("./home.js")],
  blocks: ["Blocks", () => import("./blocks.js")],
  branches: ["Branches", () => import("./branches.js")],
  block: ["Block", () => import("./block.js")],
  tx: ["Transaction", () => import("./transaction.js")],
  address: ["Address", () => import("./address.js")],
  account: ["Account", () => import("./account.js")],
  search: ["Search", () => import("./search.js")],
  mining: ["Mining", () => import("./mining.js")],
  network: ["Network", () => import("./network.js")],
  finality: ["Finality", () => import("./finality.js")],
  dev: ["Development", () => import("./dev.js")],
};

let leave = null;
let opened = false;
/** Whether the view that is open could not be shown. */
let failed = false;

function route() {
  // The skip link leads to a part of the view. A page that is opened there shows home.
  const hash = location.hash === "#main" ? "" : location.hash;
  const [name, ...args] = hash.replace(/^#\/?/, "").split("/").map(decoded);
  return { name: Object.hasOwn(VIEWS, name) ? name : null, args };
}

function decoded(part) {
  try {
    return decodeURIComponent(part);
  } catch {
    return part;
  }
}

/** Opens the view that the address names; again, if it could not be shown before: who reads or types meanwhile is left alone. */
async function open(again = false) {
  // The skip link: the browser itself moves the focus.
  if (location.hash === "#main" && leave) return;
  const focused = document.activeElement;
  const { name, args } = route();
  leave?.abort();
  leave = new AbortController();
  const { signal } = leave;
  failed = false;
  const main = $("main");
  const [title, load] = VIEWS[name] ?? ["Not found", null];
  document.title = `${title} · Cairn`;
  for (const tab of document.querySelectorAll(".tabs a")) {
    const current = tab.getAttribute("href") === `#/${name ?? "-"}`;
    if (current) tab.setAttribute("aria-current", "page");
    else tab.removeAttribute("aria-current");
    // On a small screen it may be out of sight.
    if (current) tab.scrollIntoView({ block: "nearest", inline: "nearest" });
  }
  if (!load) {
    put(main, h("h1", "This view does not exist"), h("p", h("a", { href: "#/" }, "Back to the chain")));
    return;
  }
  const slow = setTimeout(() => signal.aborted || put(main, h("h1", title), loading()), opened ? 150 : 0);
  try {
    const view = await loaded(load);
    if (signal.aborted) return;
    const content = await view.show(args, signal);
    if (signal.aborted) return;
    put(main, content);
    const shown = main.querySelector("h1")?.textContent ?? title;
    document.title = `${foreign(shown, 80)} · Cairn`;
    // A reader of the screen hears where it is; at the start the page itself is read. Whoever went elsewhere meanwhile stays there.
    const moved = ![focused, document.body].includes(document.activeElement);
    if (opened && !moved && !again) main.querySelector("h1")?.focus({ preventScroll: true });
    if (opened && !again) window.scrollTo(0, 0);
    opened = true;
  } catch (error) {
    if (signal.aborted) return;
    failed = true;
    put(main, h("h1", title), failure(error));
  } finally {
    clearTimeout(slow);
  }
}

/** The program of a view, which the node serves as it serves the rest. */
async function loaded(load) {
  try {
    return await load();
  } catch (error) {
    // Browsers say each in their words that they could not fetch it.
    if (!(error instanceof TypeError && /import/i.test(error.message))) throw error;
    throw new Error("The node cannot be reached. This view opens as soon as the node answers again.");
  }
}

const THEMES = { system: ["◐", "as the system"], light: ["☀", "light"], dark: ["☾", "dark"] };

function theme() {
  let chosen = kept("theme", "system");
  if (!(chosen in THEMES)) chosen = "system";
  const apply = () => {
    document.documentElement.dataset.theme = chosen;
    const [sign, name] = THEMES[chosen];
    $("theme").textContent = sign;
    $("theme").setAttribute("aria-label", `Theme: ${name}`);
    $("theme").title = `Theme: ${name}`;
  };
  $("theme").addEventListener("click", () => {
    const names = Object.keys(THEMES);
    chosen = names[(names.indexOf(chosen) + 1) % names.length];
    keep("theme", chosen);
    apply();
  });
  apply();
}

function search() {
  $("search").addEventListener("submit", (event) => {
    event.preventDefault();
    const query = $("query").value.trim();
    if (query) location.hash = `#/search/${encodeURIComponent(query)}`;
  });
  document.addEventListener("keydown", (event) => {
    const typing = event.target.closest?.("input, textarea, select, [contenteditable]");
    if (event.key !== "/" || typing || event.ctrlKey || event.metaKey || event.altKey) return;
    event.preventDefault();
    $("query").focus();
  });
}

const STATES = { open: "Live", waiting: "Connecting", lost: "No connection: trying again" };

function connection() {
  onStatus((state) => {
    $("connection").dataset.state = state;
    $("connection").lastElementChild.textContent = STATES[state];
    if (state === "open" && failed) open(true);
  });
}

/** What is asked once a connection: the chain may be another after a restart. */
function identity() {
  onStatus(async (state) => {
    if (state !== "open") return;
    $("client").textContent = foreign(await attempt("", "web3_clientVersion"), 120);
    $("tab-dev").hidden =
      (await attempt(null, "anvil_getAutomine")) === null && (await attempt(null, "devnet_status")) === null;
  });
  watch(["chain"], () => {
    $("network").hidden = false;
    $("network").textContent = foreign(chain.info.chain, 40);
    $("network").title = `chain id ${chain.info.chainId}`;
  });
}

theme();
search();
connection();
identity();
startReorgs($("reorgs"));
startFound();
start();
window.addEventListener("hashchange", () => open());
$("add-chain").addEventListener("click", async () => ($("said").textContent = await addChain()));
setInterval(refreshAges, 1000);
open();
