// The node's JSON-RPC over one WebSocket, which reconnects. Nothing else of the page talks to the node.

/** What the node refused, in its words. */
export class RpcError extends Error {
  constructor({ code, message, data }) {
    super(typeof message === "string" ? message : "the node gave no reason");
    this.code = code;
    this.data = data;
  }
}

/** Calls that wait for an answer at a time; the rest waits here. */
const MOST_SENT = 24;
const MOST_WAITING = 2000;
const PATIENCE = 40_000;
const RETRY = [300, 700, 1500, 3000, 6000, 10_000];

let socket = null;
let failures = 0;
let retry = null;
let next = 1;
const sent = new Map();
const waiting = [];
const subscriptions = new Set();
const byId = new Map();
const listeners = new Set();

export const status = { state: "waiting" };

/** Calls a function with "open", "waiting" or "lost" whenever that changes, and at once if that is not the first. */
export function onStatus(listener) {
  listeners.add(listener);
  if (status.state !== "waiting") listener(status.state);
}

function become(state) {
  if (status.state === state) return;
  status.state = state;
  listeners.forEach((listener) => listener(state));
}

function connect() {
  clearTimeout(retry);
  const mine = new WebSocket(`${location.protocol === "https:" ? "wss" : "ws"}://${location.host}/`);
  socket = mine;
  mine.onopen = () => {
    failures = 0;
    become("open");
    subscriptions.forEach(open);
    pump();
  };
  mine.onmessage = ({ data }) => receive(data);
  mine.onclose = () => {
    if (socket === mine) lose();
  };
}

function lose() {
  socket = null;
  byId.clear();
  for (const { reject } of sent.values())
    reject(new RpcError({ code: 0, message: "the connection to the node was lost" }));
  sent.clear();
  become(failures > 0 ? "lost" : "waiting");
  retry = setTimeout(connect, RETRY[Math.min(failures, RETRY.length - 1)]);
  failures += 1;
}

function receive(text) {
  let message;
  try {
    message = JSON.parse(text);
  } catch {
    return;
  }
  if (message.method) {
    // The last word of a connection that was too slow: the node closes it, and everything is read again.
    if (message.method !== "lagged") byId.get(message.params?.subscription)?.handler(message.params.result);
    return;
  }
  const call = sent.get(message.id);
  if (!call) return;
  sent.delete(message.id);
  clearTimeout(call.timer);
  if (message.error) call.reject(new RpcError(message.error));
  else call.resolve(message.result);
  pump();
}

function pump() {
  while (waiting.length > 0 && sent.size < MOST_SENT && socket?.readyState === WebSocket.OPEN) {
    const call = waiting.shift();
    const id = next++;
    call.timer = setTimeout(() => {
      sent.delete(id);
      call.reject(new RpcError({ code: 0, message: `the node did not answer ${call.method} in time` }));
      pump();
    }, PATIENCE);
    sent.set(id, call);
    socket.send(JSON.stringify({ jsonrpc: "2.0", id, method: call.method, params: call.params }));
  }
}

/** The result of a call; throws an RpcError. */
export function call(method, ...params) {
  return new Promise((resolve, reject) => {
    if (waiting.length >= MOST_WAITING) {
      reject(new RpcError({ code: 0, message: "too many calls wait for the node" }));
      return;
    }
    waiting.push({ method, params, resolve, reject });
    pump();
  });
}

/** The result of a call, or what is given if the node refuses it. */
export async function attempt(otherwise, method, ...params) {
  try {
    return await call(method, ...params);
  } catch {
    return otherwise;
  }
}

/** Subscribes, again after each reconnect. */
export function subscribe(method, params, handler) {
  const subscription = { method, params, handler };
  subscriptions.add(subscription);
  if (socket?.readyState === WebSocket.OPEN) open(subscription);
}

async function open(subscription) {
  try {
    byId.set(await call(subscription.method, ...subscription.params), subscription);
  } catch {
    // The namespace is not served: the page reads at intervals too.
  }
}

/** A call with the node's cookie, by POST: a WebSocket of a browser cannot send it. */
export async function authorized(cookie, method, ...params) {
  if (/[^ -~]/.test(cookie)) throw new Error("A cookie has letters, digits and signs of ASCII alone.");
  const response = await fetch("/", {
    method: "POST",
    headers: { "content-type": "application/json", authorization: `Basic ${btoa(cookie)}` },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
    credentials: "omit",
  });
  if (!response.ok) throw new RpcError({ code: response.status, message: (await response.text()).slice(0, 300) });
  const { error, result } = await response.json();
  if (error) throw new RpcError(error);
  return result;
}

/** An error as a sentence. */
export function sentence(error) {
  const text = String(error?.message ?? error).trim();
  const first = text.charAt(0);
  // Names of methods and flags keep their letters.
  const begun = /^[a-z]+[_A-Z-]/.test(text) ? text : first.toUpperCase() + text.slice(1);
  return /[.!?]$/.test(begun) ? begun : `${begun}.`;
}

/** Whether the node has no such method, or does not serve it here. */
export const isMissing = (error) => error instanceof RpcError && error.code === -32601;

// At once, while the rest of the page is still being read.
connect();
