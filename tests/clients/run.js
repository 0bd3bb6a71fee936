// Runs unmodified Ethereum clients against a real node, each against one of its own, and prints a table of them.
// node run.js [--on cairn|anvil] [--direct] [CLIENT ...]
"use strict";

const fs = require("fs");
const path = require("path");
const { spawn } = require("child_process");
const { start } = require("./lib/node");
const { proxy } = require("./lib/proxy");

const CLIENTS = {
  ethers: "ethers.js",
  viem: "viem.js",
  "web3.js": "web3js.js",
  "web3.py": "web3py.py",
  cast: "cast.js",
  forge: "forge.js",
  hardhat: "hardhat.js",
  hardhat3: "hardhat3.js",
  metamask: "metamask.js",
  otterscan: "otterscan.js",
  conformance: "conformance.js",
  traces: "traces.js",
  dev: "dev.js",
  reorg: "reorg.js",
  indexer: "indexer.js",
  tools: "tools.js",
};
const CLIENT_TIME = 180_000;

function options(given) {
  const found = { kind: "cairn", direct: false, clients: [] };
  for (let at = 0; at < given.length; at += 1) {
    if (given[at] === "--on") found.kind = given[(at += 1)];
    else if (given[at] === "--direct") found.direct = true;
    else found.clients.push(given[at]);
  }
  for (const client of found.clients)
    if (!(client in CLIENTS))
      throw new Error(`no such client: ${client}; there are ${Object.keys(CLIENTS).join(", ")}`);
  if (found.clients.length === 0) found.clients = Object.keys(CLIENTS);
  return found;
}

/// Runs a script and returns what it printed.
function script(file, env, folder) {
  const program = file.endsWith(".py") ? (process.env.CLIENT_PYTHON ?? "python3") : process.execPath;
  return new Promise((resolve) => {
    const child = spawn(program, [path.join(__dirname, file)], {
      env,
      cwd: folder,
      stdio: ["ignore", "pipe", "pipe"],
      detached: true,
    });
    const printed = [];
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => printed.push(part));
    // It has children of its own, so its whole group ends.
    const end = () => {
      try {
        process.kill(-child.pid, "SIGKILL");
      } catch {
        // It ended by itself.
      }
    };
    const late = setTimeout(() => {
      printed.push(Buffer.from(`\nFAIL ${file} time: not done within ${CLIENT_TIME / 1000} s\n`));
      end();
    }, CLIENT_TIME);
    child.on("close", (code) => {
      clearTimeout(late);
      end();
      resolve({ code, printed: Buffer.concat(printed).toString() });
    });
  });
}

/// Whether the script itself is to blame: it printed no count.
function broken(client, code, printed) {
  if (/: \d+ passed, \d+ failed/.test(printed)) return [];
  return [`FAIL ${client} script: ended with exit code ${code}: ${printed.trim().split("\n").slice(-12).join("\n  ")}`];
}

async function run(client, { kind, direct }, document) {
  const began = Date.now();
  const node = await start(kind);
  const between = direct ? null : await proxy(node.port, kind === "cairn" ? document : null);
  const env = {
    ...process.env,
    HOME: node.folder,
    CLIENT_URL: between?.url ?? `http://127.0.0.1:${node.port}`,
    CLIENT_DIRECT: `http://127.0.0.1:${node.port}`,
    CLIENT_KIND: kind,
    CLIENT_NAME: client,
    NODE_NO_WARNINGS: "1",
  };
  const { code, printed } = await script(CLIENTS[client], env, node.folder);
  between?.stop();
  await node.stop();
  const lines = printed.split("\n").filter((line) => /^(ok|FAIL|limit) /.test(line));
  lines.push(...broken(client, code, printed));
  if (between && kind === "cairn" && document) {
    const { faults, checked, methods } = between.checker;
    // A client that was left out asked nothing.
    if (faults.size === 0 && checked > 0)
      lines.push(`ok ${client} schema: ${checked} results of ${methods.size} methods`);
    else lines.push(...[...faults.values()].map((fault) => `FAIL ${client} schema: ${fault}`));
  }
  console.log(lines.join("\n"));
  const count = (kind) => lines.filter((line) => line.startsWith(kind)).length;
  const [passed, failed, limits] = [count("ok"), count("FAIL"), count("limit")];
  return { client, passed, failed, limits, seconds: (Date.now() - began) / 1000 };
}

function table(results) {
  const rows = results.map(({ client, passed, failed, limits, seconds }) => [
    client,
    `${passed}`,
    `${failed}`,
    `${limits}`,
    seconds.toFixed(1),
  ]);
  const sum = (key) => results.reduce((total, result) => total + result[key], 0);
  rows.push(["all", `${sum("passed")}`, `${sum("failed")}`, `${sum("limits")}`, ""]);
  const line = ([client, ...numbers]) => client.padEnd(12) + numbers.map((number) => number.padStart(9)).join("");
  return [line(["client", "passed", "failed", "limits", "seconds"]), ...rows.map(line)].join("\n");
}

async function main() {
  const chosen = options(process.argv.slice(2));
  const file = process.env.CLIENT_OPENRPC;
  const document = file ? JSON.parse(fs.readFileSync(file)) : null;
  const waiting = [...chosen.clients];
  const results = [];
  // Two at a time: clients mostly wait.
  const worker = async () => {
    for (let client = waiting.shift(); client; client = waiting.shift())
      results.push(await run(client, chosen, document));
  };
  await Promise.all([worker(), worker()]);
  results.sort((left, right) => Object.keys(CLIENTS).indexOf(left.client) - Object.keys(CLIENTS).indexOf(right.client));
  console.log(`\n${table(results)}`);
  process.exit(results.every(({ failed }) => failed === 0) ? 0 : 1);
}

main().catch((error) => {
  console.error(`clients: ${error.message}`);
  process.exit(2);
});
