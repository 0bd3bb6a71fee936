// Builds elements. Text stays text: nothing in this page parses HTML.

const SVG = "http://www.w3.org/2000/svg";

/** An HTML element; a part is a child, a text, a list of parts, or an object of attributes and listeners. */
export function h(name, ...parts) {
  return fill(document.createElement(name), parts);
}

/** The same in SVG. */
export function s(name, ...parts) {
  return fill(document.createElementNS(SVG, name), parts);
}

function fill(element, parts) {
  for (const part of parts.flat(Infinity)) {
    if (part === null || part === undefined || part === false) continue;
    if (part instanceof Node) element.append(part);
    else if (typeof part === "object") for (const [key, value] of Object.entries(part)) set(element, key, value);
    else element.append(String(part));
  }
  return element;
}

function set(element, key, value) {
  if (typeof value === "function") element.addEventListener(key.slice(2), value);
  else if (value === null || value === undefined || value === false) return;
  else if (key === "value" || key === "checked" || key === "disabled") element[key] = value;
  else element.setAttribute(key, value === true ? "" : String(value));
}

/** Replaces the children of an element; what had the focus has it again, if its like is there. */
export function put(element, ...parts) {
  const focused =
    document.activeElement !== element && element.contains(document.activeElement)
      ? selector(document.activeElement)
      : null;
  element.replaceChildren();
  fill(element, parts);
  if (focused) element.querySelector(focused)?.focus({ preventScroll: true });
  return element;
}

/** The same for a list whose children are mostly those of before: equal ones stay. */
export function renew(element, children) {
  children.forEach((child, at) => {
    const before = element.children[at];
    if (!before) element.append(child);
    else if (!before.isEqualNode(child)) before.replaceWith(child);
  });
  while (element.children.length > children.length) element.lastElementChild.remove();
}

/** What names a link or a button among the children of an element. */
function selector(element) {
  for (const name of ["href", "aria-label"]) {
    const value = element.getAttribute(name);
    if (value) return `[${name}="${CSS.escape(value)}"]`;
  }
  return element.localName === "summary" ? "summary" : null;
}

export const $ = (id) => document.getElementById(id);

/** Keeps at most so many entries; the one unused for longest goes first. */
export class Recent {
  #most;
  #entries = new Map();

  constructor(most) {
    this.#most = most;
  }

  get(key) {
    const value = this.#entries.get(key);
    if (value !== undefined) {
      this.#entries.delete(key);
      this.#entries.set(key, value);
    }
    return value;
  }

  set(key, value) {
    this.#entries.delete(key);
    this.#entries.set(key, value);
    if (this.#entries.size > this.#most) this.#entries.delete(this.#entries.keys().next().value);
    return value;
  }

  clear() {
    this.#entries.clear();
  }
}

/** What the browser kept under a name, or the default: private windows may keep nothing. */
export function kept(name, otherwise) {
  try {
    return JSON.parse(localStorage.getItem(name)) ?? otherwise;
  } catch {
    return otherwise;
  }
}

/** Keeps a value in the browser, or drops it if it is null. */
export function keep(name, value) {
  try {
    if (value === null) localStorage.removeItem(name);
    else localStorage.setItem(name, JSON.stringify(value));
    return true;
  } catch {
    return false;
  }
}
