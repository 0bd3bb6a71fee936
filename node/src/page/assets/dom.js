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
  const back = focusIn(element);
  element.replaceChildren();
  fill(element, parts);
  back?.(element);
  return element;
}

/** The same for a list whose children are mostly those of before: equal ones stay. */
export function renew(element, children) {
  children.forEach((child, at) => {
    const before = element.children[at];
    if (!before) element.append(child);
    else if (!before.isEqualNode(child)) {
      const back = focusIn(before);
      before.replaceWith(child);
      back?.(child, true);
    }
  });
  while (element.children.length > children.length) element.lastElementChild.remove();
}

const CAN_FOCUS = "a[href], button, input, select, textarea, summary, [tabindex]";
const all = (element, like) => [...element.querySelectorAll(like)];

/** The row of a table is named by its first link. */
const rowOf = (element) => element.closest("tr")?.querySelector("a")?.getAttribute("href") ?? null;

/**
 * Notes what has the focus in an element, or null. The function that it brings gives the focus back in an element that took
 * the place: to its like, in its like's row; of several to the one at the same place; if asked so to what stands there now.
 */
function focusIn(element) {
  const active = document.activeElement;
  if (active === element || !element.contains(active)) return null;
  const like = selector(active);
  const row = rowOf(active);
  const alike = (within) => {
    const found = like ? all(within, like) : [];
    const same = found.filter((one) => rowOf(one) === row);
    return same.length > 0 ? same : found;
  };
  const [at, place] = [alike(element).indexOf(active), all(element, CAN_FOCUS).indexOf(active)];
  return (now, anything = false) => {
    const found = alike(now);
    const next = found[Math.min(at, found.length - 1)] ?? (anything ? all(now, CAN_FOCUS)[place] : null);
    next?.focus({ preventScroll: true });
  };
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
