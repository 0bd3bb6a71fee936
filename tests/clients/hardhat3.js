// Hardhat 3 with its plugins for ethers, Ignition and the network's helpers: a project that builds, runs scripts and a
// deployment on networks with keys and with the node's accounts, and forks the node's chain. It is a module, and needs a
// later Node.js than the other clients.
"use strict";

const fs = require("fs");
const path = require("path");
const { execFile } = require("child_process");
const { hardhat3, task, limit, done, check, call } = require("./lib/tasks");

const sources = path.join(__dirname, "hardhat3");
const project = path.join(process.cwd(), "hardhat3");
const { packages, reason } = hardhat3;
const slow = { time: 60_000 };

function hardhat(...given) {
  const program = path.join(packages, "node_modules/hardhat/dist/src/cli.js");
  const { NODE_PATH, ...inherited } = process.env;
  const env = {
    ...inherited,
    HARDHAT_DISABLE_TELEMETRY: "true",
    HARDHAT_IGNITION_CONFIRM_DEPLOYMENT: "false",
    NO_COLOR: "1",
    CI: "true",
  };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...given], { cwd: project, env, timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${out}\n${err}`.trim().split("\n").slice(-6).join(" | ")));
      else resolve(out);
    });
  });
}

// What is known to fail, and why.
const LIMITS = {
  setBlockGasLimit: "the gas limit of blocks is a part of the chain's spec",
  setPrevRandao: "PREVRANDAO is a block's difficulty (SPEC.md, VM-4)",
  "of chain type l1": "it wants excessBlobGas in blocks since Cancun, and this chain has no blobs",
};

/// Runs a script of the project; each line that it prints is a task.
async function script(file, network, prefix) {
  const given = ["run", "--no-compile", `scripts/${file}`, "--network", network];
  const out = await task(`${prefix}run ${file}`, () => hardhat(...given), slow);
  for (const line of `${out ?? ""}`.split("\n")) {
    const [, outcome, what, why] = line.match(/^(passed|failed) ([^:]+)(?:: (.*))?$/) ?? [];
    const action = async () => check(outcome === "passed", why);
    if (what in LIMITS) await limit(`${prefix}${what}`, LIMITS[what], action);
    else if (outcome) await task(`${prefix}${what}`, action);
  }
}

/// Deploys with the command line, which keeps a journal: a second run has nothing to do.
async function ignition(network) {
  const deploy = async (expected) => {
    const given = ["ignition/modules/Safe.ts", "--network", network, "--deployment-id", network];
    const out = await hardhat("ignition", "deploy", ...given);
    check(expected.test(out), out);
  };
  await task(`${network} ignition deploy`, () => deploy(/successfully deployed/), slow);
  await task(`${network} ignition deploy again`, () => deploy(/Nothing new to deploy/), slow);
}

(async () => {
  if (!packages) {
    await limit("project", reason, () => Promise.reject());
    return done();
  }
  process.env.CLIENT_CHAIN_ID = `${Number(await call("eth_chainId"))}`;
  fs.cpSync(sources, project, { recursive: true });
  fs.mkdirSync(path.join(project, "contracts"));
  fs.copyFileSync(path.join(__dirname, "forge/src/Safe.sol"), path.join(project, "contracts/Safe.sol"));
  fs.copyFileSync(path.join(__dirname, "../contracts/Probe.sol"), path.join(project, "contracts/Probe.sol"));
  fs.symlinkSync(path.join(packages, "node_modules"), path.join(project, "node_modules"));
  await task("build", () => hardhat("build"), slow);
  await script("work.ts", "cairn", "");
  await script("work.ts", "remote", "remote ");
  await script("helpers.ts", "remote", "helpers ");
  await script("fork.ts", "cairn", "fork ");
  await ignition("cairn");
  await ignition("remote");
  done();
})();
