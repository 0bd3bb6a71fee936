// What views are made of: links, hashes, tables, pages of lists, errors.

import { Recent, h, put, s } from "./dom.js";
import { ago, date, foreign, short } from "./format.js";
import { checksummed } from "./keccak.js";
import { sentence } from "./rpc.js";

export const bare = (hash) => (hash.startsWith("0x") ? hash.slice(2) : hash);

/** A short hash that can be copied, with a link if there is a place to go. */
export function hash(text, href, { head = 8, tail = 6, whole = false } = {}) {
  const brief = whole ? text : short(text, head, tail);
  // Tables of small screens show the head alone.
  const cut = brief.indexOf("…") + 1;
  const shown = cut > 1 ? [brief.slice(0, cut), h("span", { class: "tail" }, brief.slice(cut))] : brief;
  const name = href ? h("a", { href, title: text }, shown) : h("span", { title: text }, shown);
  return h("span", { class: `hash${whole ? " whole" : ""}` }, name, copier(text));
}

function copier(text) {
  return h(
    "button",
    {
      class: "copy",
      type: "button",
      title: "Copy",
      "aria-label": `Copy ${short(text)}`,
      onclick: ({ currentTarget }) => copy(currentTarget, text),
    },
    icon(),
  );
}

const icon = () =>
  s(
    "svg",
    { viewBox: "0 0 16 16", "aria-hidden": "true" },
    s("rect", { x: 5.5, y: 5.5, width: 8, height: 8, rx: 1.5 }),
    s("path", { d: "M10.5 3.5V3A1.5 1.5 0 0 0 9 1.5H4A1.5 1.5 0 0 0 2.5 3v6A1.5 1.5 0 0 0 4 10.5h.5" }),
  );

async function copy(button, text) {
  let done = "✓";
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    // No clipboard on pages that are not of this machine: select it instead.
    const range = document.createRange();
    range.selectNodeContents(button.previousSibling);
    getSelection().removeAllRanges();
    getSelection().addRange(range);
    done = "…";
  }
  put(button, done);
  setTimeout(() => put(button, icon()), 1200);
}

export const blockLink = (id, options) => hash(bare(id), `#/block/${bare(id)}`, options);
export const heightLink = (height, id) =>
  h("a", { class: "number", href: `#/block/${id ? bare(id) : height}` }, String(height));
export const txLink = (id, options = {}) =>
  hash(bare(id), `#/tx/${bare(id)}${options.block ? `/in/${options.block}` : ""}`, options);

/** A link to what is known of a coin: its transaction, or of a withdrawn one the coin itself. */
export const coinLink = ({ txid, index }, options) => hash(bare(txid), `#/tx/${bare(txid)}/coin/${index}`, options);

const cases = new Recent(500);

/** An account as EIP-55 writes it; other texts as they are. */
const written = (address) =>
  /^0x[0-9a-f]{40}$/.test(address) ? (cases.get(address) ?? cases.set(address, checksummed(address))) : address;

/** An address of either ledger. */
export function addressLink(given, options = {}) {
  const tail = { head: 10, tail: 6, ...options };
  const address = written(String(given));
  return hash(address, `#/${address.startsWith("0x") ? "account" : "address"}/${encodeURIComponent(address)}`, tail);
}

/** An output's owner: its address, or its policy's or key's bare lock. */
export function owner(output) {
  const lock = output.lock ?? {};
  // Blocks of a node that was told no address: the key is not a point of the curve.
  if (lock.type === "key" && /^0+$/.test(lock.key ?? "")) return h("span", { title: output.address }, "nobody");
  if (output.address) return addressLink(output.address);
  return h(
    "span",
    { class: "mono" },
    foreign(lock.type ?? "?", 20),
    " ",
    short(lock.key ?? lock.hash ?? lock.account ?? ""),
  );
}

/** The account that turns money of accounts into coins (SPEC.md, GW-1). */
const GATEWAY = `0x${"c0".padStart(40, "0")}`;

/** What a transaction does, in a word. */
export function purpose(tx) {
  if (tx.kind === "coinbase") return "coinbase";
  if (tx.kind === "coin") return tx.outputs.some((one) => one.address?.startsWith("0x")) ? "deposit" : "payment";
  if (tx.to === null) return "deployment";
  if (tx.to.toLowerCase() === GATEWAY) return "withdrawal";
  return tx.input ? "call" : "transfer";
}

/** A long text that may scroll, also by keyboard. */
export const longCode = (label, text) =>
  h("code", { class: "block", tabindex: 0, role: "group", "aria-label": label }, text);

export const pill = (text, kind = "") => h("span", { class: `pill ${kind}` }, text);

/** A time that keeps saying how long ago it was. */
export function age(time) {
  return h("time", { class: "age", "data-at": time, title: date(time), datetime: iso(time) }, ago(time));
}

function iso(time) {
  const at = new Date(time * 1000);
  return Number.isNaN(at.getTime()) ? null : at.toISOString();
}

/** Brings all ages up to date; called every second. */
export function refreshAges() {
  for (const one of document.querySelectorAll("time.age")) {
    const text = ago(Number(one.dataset.at));
    if (one.textContent !== text) one.textContent = text;
  }
}

/** Names and values. Rows without a value are left out. */
export function facts(...rows) {
  const shown = rows.filter((row) => row && row[1] !== null && row[1] !== undefined);
  return h(
    "dl",
    { class: "facts" },
    shown.map(([name, value, title]) => h("div", h("dt", title ? { title } : null, name), h("dd", value))),
  );
}

let panels = 0;

/** A part of a view with a heading. */
export function panel(title, ...content) {
  const id = `part-${(panels += 1)}`;
  return h("section", { class: "panel", "aria-labelledby": id }, h("h2", { id }, title), content);
}

/** A table: columns are [title, class], rows are lists of cells. */
export function table(columns, rows, { caption, empty = "None." } = {}) {
  if (rows.length === 0) return h("p", { class: "empty" }, empty);
  const cell = (value, at) => h("td", { class: columns[at][1] }, value);
  return frame(
    columns,
    caption,
    rows.map((row) => h("tr", row.map(cell))),
  );
}

/**
 * A table whose rows have keys and never change under one: `show` takes [key, function that makes the cells] of all rows and
 * makes those alone that are new. A chain that moves every second then costs a row a second.
 */
export function liveTable(columns, { caption, empty }) {
  const element = h("div", loading());
  let rows = new Map();
  const make = (cells) =>
    h(
      "tr",
      cells().map((value, at) => h("td", { class: columns[at][1] }, value)),
    );
  element.show = (items) => {
    const next = new Map(items.map(([key, cells]) => [key, rows.get(key) ?? make(cells)]));
    if (next.size === 0) put(element, h("p", { class: "empty" }, empty()));
    else if (!element.querySelector("tbody")) put(element, frame(columns, caption));
    const body = element.querySelector("tbody");
    let at = 0;
    for (const row of next.values()) {
      if (body.children[at] !== row) body.insertBefore(row, body.children[at] ?? null);
      at += 1;
    }
    while (body && body.children.length > next.size) body.lastElementChild.remove();
    rows = next;
  };
  return element;
}

function frame(columns, caption, rows = []) {
  const head = h(
    "tr",
    columns.map(([title, kind]) => h("th", { scope: "col", class: kind }, title)),
  );
  // Without links it is scrolled by keys only if it takes the focus itself.
  const reached = rows.length === 0 || rows.some((row) => row.querySelector("a, button:not(.copy), input"));
  return h(
    "div",
    { class: "scroll" },
    reached ? null : { tabindex: 0, role: "group", "aria-label": caption ?? "Table" },
    h("table", caption ? h("caption", { class: "unseen" }, caption) : null, h("thead", head), h("tbody", rows)),
  );
}

export const loading = (text = "Asking the node …") => h("p", { class: "hint loading" }, text);

/** An error of the node as a sentence, with what to do about those that are known. */
export function failure(error) {
  return h("p", { class: "failure", role: "alert" }, foreign(sentence(error), 600));
}

/** Shows what a promise brings in an element: a hint meanwhile, a sentence if it fails. */
export async function fillWith(element, promise, signal) {
  try {
    const content = await promise;
    if (!signal?.aborted) put(element, content);
  } catch (error) {
    if (!signal?.aborted) put(element, failure(error));
  }
  return element;
}

/**
 * A list in pages, of which one is shown. `load(cursor)` brings {content, next}; the first cursor is null.
 */
export function pages(load, signal) {
  const body = h("div", loading());
  const [newer, older] = [
    h("button", { type: "button", onclick: () => turn(-1) }, "← Newer"),
    h("button", { type: "button", onclick: () => turn(1) }, "Older →"),
  ];
  const controls = h("div", { class: "pager", hidden: true }, newer, h("span", { class: "number" }), older);
  const cursors = [null];
  let at = 0;

  async function turn(by) {
    at += by;
    const pressed = [newer, older].find((button) => button === document.activeElement);
    newer.disabled = older.disabled = true;
    try {
      const { content, next } = await load(cursors[at]);
      if (signal?.aborted) return;
      put(body, content);
      cursors.length = at + 1;
      if (next !== null && next !== undefined) cursors.push(next);
    } catch (error) {
      if (signal?.aborted) return;
      put(body, failure(error));
    }
    controls.hidden = at === 0 && cursors.length === 1;
    controls.children[1].textContent = `page ${at + 1}`;
    newer.disabled = at === 0;
    older.disabled = cursors.length <= at + 1;
    focusAgain([pressed, newer, older].find((button) => pressed && button && !button.disabled));
  }

  turn(0);
  const element = h("div", body, controls);
  element.reload = () => (at === 0 ? turn(0) : null);
  return element;
}

/** Gives the focus back to a button that was disabled while its work ran, unless the reader went elsewhere. */
function focusAgain(button) {
  if (document.activeElement === document.body) button?.focus();
}

/** The heading of a view, which gets the focus when it opens. */
export function heading(title, ...more) {
  return h("div", { class: "heading" }, h("h1", { tabindex: "-1" }, title), more);
}

/** A button that is busy while its work runs, and shows what came of it beside it. */
export function action(name, work, kind = "") {
  const out = h("span", { class: "outcome", role: "status" });
  const button = h("button", { type: "button", class: kind, onclick: press }, name);
  async function press() {
    const pressed = button === document.activeElement;
    button.disabled = true;
    put(out, "…");
    try {
      put(out, (await work()) ?? "done");
      out.className = "outcome good";
    } catch (error) {
      put(out, foreign(sentence(error), 300));
      out.className = "outcome bad";
    }
    button.disabled = false;
    if (pressed) focusAgain(button);
  }
  return h("span", { class: "action" }, button, out);
}
