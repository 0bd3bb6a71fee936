// Stands between a client and its node and validates each result against Ethereum's description of the methods
// (openrpc.json of execution-apis). It changes nothing, and gives each connection of the client one of its own.
"use strict";

const http = require("http");
const Ajv = require("ajv");
const WebSocket = require("ws");

/// Checks responses and remembers what did not match, once for each kind.
class Checker {
  constructor(document) {
    this.checked = 0;
    this.methods = new Set();
    this.faults = new Map();
    this.validators = new Map();
    if (!document) return;
    // An empty array of logs is one of hashes too, which oneOf does not allow.
    document = JSON.parse(JSON.stringify(document).replaceAll('"oneOf":', '"anyOf":'));
    const ajv = new Ajv({ strict: false, logger: false, validateFormats: false });
    ajv.addSchema(document, "openrpc");
    document.methods.forEach(({ name }, index) => {
      this.validators.set(name, ajv.compile({ $ref: `openrpc#/methods/${index}/result/schema` }));
    });
    const log = ajv.compile({ $ref: "openrpc#/components/schemas/Log" });
    this.validators.set("a notification of logs", log);
  }

  /// A request with its response, or batches of them.
  exchange(asked, answered) {
    const requests = new Map([asked].flat().map((request) => [request?.id, request]));
    for (const response of [answered].flat()) this.response(requests.get(response?.id), response);
  }

  response(request, response) {
    const method = request?.method ?? "?";
    if (response?.jsonrpc !== "2.0") return this.fault(method, "no jsonrpc member", request, response);
    if ("error" in response) {
      const { code, message } = response.error ?? {};
      if (!Number.isInteger(code) || typeof message !== "string")
        this.fault(method, "malformed error", request, response);
      return undefined;
    }
    const validate = this.validators.get(method);
    if (!validate) return undefined;
    this.checked += 1;
    this.methods.add(method);
    if (validate(completed(request, response.result))) return undefined;
    return this.fault(method, described(validate.errors), request, response);
  }

  /// What a subscription sends. Only for logs there is a description.
  notification({ method, params }) {
    const { result } = params ?? {};
    if (method === "eth_subscription" && result?.topics)
      this.response({ method: "a notification of logs" }, { jsonrpc: "2.0", result });
  }

  fault(method, what, request, response) {
    const key = `${method} ${what}`;
    if (this.faults.has(key)) return;
    this.faults.set(key, `${key} (params ${brief(request?.params)}, answered ${brief(response)})`);
  }
}

/// A block that is not mined has neither hash, nonce nor miner; the description knows mined ones only.
function completed({ method, params }, result) {
  if (method !== "eth_getBlockByNumber" || params?.[0] !== "pending" || !result) return result;
  const made = { hash: result.parentHash, nonce: "0x0000000000000000", miner: `0x${"0".repeat(40)}` };
  for (const [name, value] of Object.entries(made)) made[name] = result[name] ?? value;
  return { ...result, ...made };
}

/// What is wrong, without the alternatives that nobody meant.
function described(errors) {
  const meant = errors.filter(({ keyword, message }) => keyword !== "anyOf" && message !== "must be null");
  const [first] = (meant.length > 0 ? meant : errors).sort(
    (left, right) => right.instancePath.length - left.instancePath.length,
  );
  return `${first.instancePath.replace(/\d+/g, "0")} ${first.message} ${JSON.stringify(first.params)}`;
}

const brief = (value) => JSON.stringify(value)?.slice(0, 600);

const parsed = (text) => {
  try {
    return JSON.parse(text);
  } catch {
    return undefined;
  }
};

function forward(port, agent, checker) {
  return (request, response) => {
    const body = [];
    request.on("data", (part) => body.push(part));
    request.on("end", () => {
      const sent = Buffer.concat(body);
      const { method, url, headers } = request;
      const upstream = http.request({
        host: "127.0.0.1",
        port,
        method,
        path: url,
        headers: { ...headers, "accept-encoding": "identity" },
        agent,
      });
      upstream.on("error", (error) => response.writeHead(502).end(`${error}`));
      upstream.on("response", (answer) => {
        const got = [];
        answer.on("data", (part) => got.push(part));
        answer.on("end", () => {
          const received = Buffer.concat(got);
          const [asked, answered] = [parsed(sent), parsed(received)];
          if (asked && answered) checker.exchange(asked, answered);
          response.writeHead(answer.statusCode, answer.headers).end(received);
        });
      });
      upstream.end(sent);
    });
  };
}

function relay(port, checker, server) {
  const acceptor = new WebSocket.Server({ noServer: true, maxPayload: 64 << 20, perMessageDeflate: false });
  server.on("upgrade", (request, socket, head) => {
    acceptor.handleUpgrade(request, socket, head, (client) => {
      const asked = new Map();
      const waiting = [];
      const origin = request.headers.origin;
      const node = new WebSocket(`ws://127.0.0.1:${port}`, { origin, maxPayload: 64 << 20, perMessageDeflate: false });
      node.on("open", () => waiting.splice(0).forEach((text) => node.send(text)));
      client.on("message", (data) => {
        const text = data.toString();
        for (const one of [parsed(text)].flat()) if (one?.id !== undefined) asked.set(one.id, one);
        if (node.readyState === WebSocket.OPEN) node.send(text);
        else waiting.push(text);
      });
      node.on("message", (data) => {
        const text = data.toString();
        for (const one of [parsed(text)].flat()) {
          if (one?.id === undefined || one.id === null) {
            checker.notification(one ?? {});
            continue;
          }
          checker.response(asked.get(one.id), one);
          asked.delete(one.id);
        }
        client.send(text);
      });
      for (const [here, there] of [
        [client, node],
        [node, client],
      ]) {
        here.on("close", () => there.close());
        here.on("error", () => there.terminate());
      }
    });
  });
}

/// Starts a proxy before the node on `port`; `document` is openrpc.json, without which nothing is validated.
function proxy(port, document) {
  const checker = new Checker(document);
  const agent = new http.Agent({ keepAlive: true, maxSockets: Infinity });
  const server = http.createServer({ keepAliveTimeout: 60_000 }, forward(port, agent, checker));
  relay(port, checker, server);
  return new Promise((resolve) => {
    server.listen(0, "127.0.0.1", 1024, () => {
      const stop = () => {
        agent.destroy();
        server.closeAllConnections();
        server.close();
      };
      resolve({ url: `http://127.0.0.1:${server.address().port}`, checker, stop });
    });
  });
}

module.exports = { proxy };
