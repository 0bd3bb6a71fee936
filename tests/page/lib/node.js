// Nodes and wallets of throw-away folders.
"use strict";

const fs = require("fs");
const os = require("os");
const path = require("path");
const { execFile, spawn } = require("child_process");
const { freePort, request } = require("../../clients/lib/node");
const { until } = require("./tasks");

const NODE = process.env.CAIRN_NODE;
const WALLET = process.env.CAIRN_WALLET_PROGRAM ?? path.join(path.dirname(NODE), "cairn-wallet");

/// A process whose log is in a folder, which `stop` removes.
function run(args, name) {
  const folder = fs.mkdtempSync(path.join(os.tmpdir(), `cairn-page-${name}-`));
  const log = path.join(folder, "log");
  const out = fs.openSync(log, "w");
  const child = spawn(NODE, args, { stdio: ["pipe", out, out], env: { ...process.env, HOME: folder, TMPDIR: folder } });
  child.on("error", (error) => fs.writeSync(out, `${error}\n`));
  child.stdin.on("error", () => {});
  const said = () => fs.readFileSync(log, "utf8");
  async function stop() {
    if (child.exitCode === null && child.pid) {
      const ended = new Promise((resolve) => child.on("exit", resolve));
      child.kill("SIGTERM");
      const slow = setTimeout(() => child.kill("SIGKILL"), 15_000);
      await ended;
      clearTimeout(slow);
    }
    fs.rmSync(folder, { recursive: true, force: true });
  }
  return { child, folder, said, stop };
}

function caller(url) {
  return async (method, ...params) => {
    const { result, error } = await request(url, method, params);
    if (error) throw Object.assign(new Error(`${method}: ${error.message}`), { code: error.code, data: error.data });
    return result;
  };
}

async function answers(url, { child, said, stop }) {
  try {
    await until(
      async () => child.exitCode === null && (await request(url, "eth_chainId").catch(() => null))?.result,
      "the node answers",
      30_000,
    );
  } catch (error) {
    const log = said();
    await stop();
    throw new Error(`${error.message}: ${log.trim().slice(-2000)}`);
  }
}

/// A node of its own development chain.
const dev = async (...args) => dev.at(await freePort(), ...args);

/// The same at a port.
dev.at = async (port, ...args) => {
  const url = `http://127.0.0.1:${port}`;
  const process = run(["--dev", "--http.port", `${port}`, "--log.level", "warn", ...args], "dev");
  await answers(url, process);
  return {
    ...process,
    url,
    port,
    call: caller(url),
    pid: process.child.pid,
    cookie: cookieOf(process.folder, port),
  };
};

/// Three nodes of one chain, of which two mine; the page is looked at on the first. Options take the place of --nodes 3.
async function devnet(...args) {
  const [rpc, net] = [await freePort(), await freePort()];
  const process = run(
    ["devnet", ...(args.length > 0 ? args : ["--nodes", "3"]), "--miners", "2", "--rpc-port", `${rpc}`, "--port", `${net}`],
    "devnet",
  );
  const url = `http://127.0.0.1:${rpc}`;
  await answers(url, process);
  const order = (text) => process.child.stdin.write(`${text}\n`);
  return { ...process, url, port: rpc, net, call: caller(url), order, cookie: cookieOf(process.folder, rpc) };
}

/// Reads the cookie of a node of this user.
const cookieOf = (home, port) => () => fs.readFileSync(path.join(home, ".cairn", "cookies", `${port}`), "utf8").trim();

const MNEMONIC = "test test test test test test test test test test test junk";

/// The wallet of the development chain's mnemonic; answers with what a command prints.
async function wallet(node) {
  const words = path.join(node.folder, "words");
  fs.writeFileSync(words, `${MNEMONIC}\n`, { mode: 0o600 });
  const env = {
    ...process.env,
    HOME: node.folder,
    CAIRN_RPC: node.url,
    CAIRN_WALLET_PASSWORD: "page",
    CAIRN_WALLET: path.join(node.folder, "wallet.json"),
  };
  const command = (...args) =>
    new Promise((resolve, reject) => {
      execFile(WALLET, ["--yes", "--json", ...args], { env, timeout: 30_000 }, (error, out, err) =>
        error ? reject(new Error(`cairn-wallet ${args[0]}: ${err || error.message}`)) : resolve(JSON.parse(out)),
      );
    });
  await command("restore", "--mnemonic-file", words);
  return command;
}

/// CPU seconds that a process has used.
function cpu(pid) {
  const fields = fs.readFileSync(`/proc/${pid}/stat`, "utf8").split(") ")[1].split(" ");
  return (Number(fields[11]) + Number(fields[12])) / 100;
}

/// MB of memory of a process that no other shares with it.
function memory(pid) {
  const text = fs.readFileSync(`/proc/${pid}/smaps_rollup`, "utf8");
  const sum = [...text.matchAll(/^Private_(?:Clean|Dirty):\s+(\d+) kB/gm)].reduce((all, [, kb]) => all + Number(kb), 0);
  return sum / 1000;
}

module.exports = { dev, devnet, wallet, cpu, memory };
