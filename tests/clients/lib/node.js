// Starts a node of a throw-away chain on a free port: Cairn's, or anvil, which shows that a script itself is right.
"use strict";

const fs = require("fs");
const net = require("net");
const os = require("os");
const path = require("path");
const { spawn } = require("child_process");

const STARTS_WITHIN = 20_000;

/// The program of a Foundry tool. Its npm package has one for each platform.
function foundry(tool) {
  const platform = { linux: "linux", darwin: "darwin", win32: "win32" }[process.platform];
  const machine = { x64: "amd64", arm64: "arm64" }[process.arch];
  const folder = path.dirname(require.resolve(`@foundry-rs/${tool}-${platform}-${machine}/package.json`));
  return path.join(folder, "bin", tool);
}

function freePort() {
  return new Promise((resolve, reject) => {
    const server = net.createServer().on("error", reject);
    server.listen(0, "127.0.0.1", () => {
      const { port } = server.address();
      server.close(() => resolve(port));
    });
  });
}

/// A JSON-RPC call without any client.
async function request(url, method, params = [], headers = {}) {
  const response = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: JSON.stringify({ jsonrpc: "2.0", id: 1, method, params }),
  });
  return response.json();
}

async function answers(url, child) {
  const end = Date.now() + STARTS_WITHIN;
  while (Date.now() < end && child.exitCode === null) {
    const chain = await request(url, "eth_chainId").catch(() => null);
    if (chain?.result) return true;
    await new Promise((resolve) => setTimeout(resolve, 50));
  }
  return false;
}

function commandOf(kind, folder, port) {
  if (kind === "anvil") return [foundry("anvil"), ["--port", `${port}`, "--silent"]];
  const chain = kind === "local" ? ["--chain", "local"] : ["--dev"];
  const options = ["--datadir", path.join(folder, "data"), "--http.port", `${port}`, "--max-peers", "0"];
  return [process.env.CAIRN_NODE ?? "bin/cairn-node", [...chain, ...options]];
}

/// Starts a node: `kind` is `cairn` (with --dev), `local` or `anvil`. Its home is a temporary folder that `stop` removes.
async function start(kind) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), "cairn-clients-"));
  const port = await freePort();
  const [program, options] = commandOf(kind, folder, port);
  const log = fs.openSync(path.join(folder, "log"), "w");
  const child = spawn(program, options, { stdio: ["ignore", log, log], env: { ...process.env, HOME: folder } });
  child.on("error", (error) => fs.writeSync(log, `${error}\n`));
  const stop = async () => {
    if (child.exitCode === null && child.pid) {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGTERM");
      const slow = setTimeout(() => child.kill("SIGKILL"), 5_000);
      await ended;
      clearTimeout(slow);
    }
    fs.rmSync(folder, { recursive: true, force: true });
  };
  if (!(await answers(`http://127.0.0.1:${port}`, child))) {
    const said = fs.readFileSync(path.join(folder, "log"), "utf8").trim();
    await stop();
    throw new Error(`${program} did not start: ${said}`);
  }
  return { port, folder, stop };
}

module.exports = { start, request, foundry, freePort };
