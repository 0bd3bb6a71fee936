// What each script has: the node that run.js started for it, the contracts, the accounts, and `task`, which prints a line.
"use strict";

const fs = require("fs");
const rpc = require("./node");

const url = process.env.CLIENT_URL;
const ws = url?.replace("http", "ws");
const onCairn = process.env.CLIENT_KIND !== "anvil";
const name = process.env.CLIENT_NAME;
// Where Hardhat 3 is installed, if Node.js is new enough, and why it is not.
const hardhat3 = {
  packages: process.env.CLIENT_HARDHAT3,
  reason: `Hardhat 3 needs Node.js ${require("../hardhat3/package.json").engines.node}, and this is ${process.version}`,
};

// The accounts of `--dev` and of anvil: those of the mnemonic "test test test ... junk".
const KEYS = [
  "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
  "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
  "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
  "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
];
const ADDRESSES = [
  "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266",
  "0x70997970C51812dc3A010C7d01b50e0d17dc79C8",
  "0x3C44CdDdB6a900fa2b585dd299e03d12FA4293BC",
  "0x90F79bf6EB2c4f870365E785982E1f101E93b906",
];

const contracts = JSON.parse(fs.readFileSync(process.env.CLIENT_CONTRACTS)).contracts;
/// ABI and bytecode of a contract of tests/contracts.
function contract(file, of = file) {
  const found = contracts[`${file}.sol`][of];
  return { abi: found.abi, bytecode: `0x${found.evm.bytecode.object}` };
}

const TASK_TIME = Number(process.env.CLIENT_TASK_TIME ?? 12_000);
let passed = 0;
let failed = 0;

function within(milliseconds, promise, what) {
  let timer;
  const late = new Promise((_, reject) => {
    timer = setTimeout(() => reject(new Error(`${what} within ${milliseconds / 1000} s`)), milliseconds);
  });
  return Promise.race([promise, late]).finally(() => clearTimeout(timer));
}

/// One thing that a client's user does. `only: "cairn"` is what other nodes do not have.
async function task(what, action, { only, time = TASK_TIME } = {}) {
  if (only === "cairn" && !onCairn) return undefined;
  try {
    const result = await within(time, action(), "no result");
    passed += 1;
    console.log(`ok ${name} ${what}`);
    return result;
  } catch (error) {
    failed += 1;
    const said = `${error?.shortMessage ?? error?.message ?? error}`.replace(/\s+/g, " ").slice(0, 500);
    const cause =
      `${error?.details ?? error?.error?.message ?? error?.info?.error?.message ?? error?.cause?.message ?? ""}`.replace(
        /\s+/g,
        " ",
      );
    console.log(`FAIL ${name} ${what}: ${said}${cause && !said.includes(cause) ? ` (${cause.slice(0, 300)})` : ""}`);
    return undefined;
  }
}

/// A task that is known to fail, as the documentation says. It fails if it no longer does.
async function limit(what, reason, action) {
  const works = await within(TASK_TIME, action(), "no result").then(
    () => true,
    () => false,
  );
  if (works && onCairn) {
    failed += 1;
    console.log(`FAIL ${name} ${what}: it works now: make it a task, and correct docs/rpc.md`);
  } else console.log(`limit ${name} ${what}: ${works ? "works here" : reason}`);
}

/// Ends the script: sockets that a client left open do not keep it.
function done() {
  console.log(`${name}: ${passed} passed, ${failed} failed`);
  process.exit(failed === 0 ? 0 : 1);
}

const show = (value) => JSON.stringify(value, (_, inner) => (typeof inner === "bigint" ? `${inner}` : inner));

function check(truth, message) {
  if (!truth) throw new Error(message);
}

function equal(got, expected, what = "value") {
  check(show(got) === show(expected), `${what}: expected ${show(expected)}, got ${show(got)}`);
}

/// The error that an action must end with.
async function rejects(action) {
  let result;
  try {
    result = await action();
  } catch (error) {
    return error;
  }
  throw new Error(`expected an error, got ${show(result)}`);
}

/// Waits until something holds.
async function until(condition, what, time = 8_000) {
  const end = Date.now() + time;
  for (;;) {
    const found = await condition();
    if (found) return found;
    check(Date.now() < end, `${what}: not within ${time / 1000} s`);
    await sleep(30);
  }
}

const sleep = (milliseconds) => new Promise((resolve) => setTimeout(resolve, milliseconds));

/// A call without a client: the result, or the node's error thrown with its code and data.
async function call(method, ...params) {
  const { result, error } = await rpc.request(url, method, params);
  if (error) throw Object.assign(new Error(`${method}: ${error.message}`), { code: error.code, data: error.data });
  return result;
}

const mine = (blocks = 1) => call(onCairn ? "dev_mine" : "anvil_mine", onCairn ? blocks : `0x${blocks.toString(16)}`);

/// Replaces the last blocks by a longer branch, which carries none of their transactions.
const reorg = (depth) => call(...(onCairn ? ["dev_reorg", depth] : ["anvil_reorg", depth, []]));

// What a client's own timers ran into. They repeat themselves.
const inBackground = new Set();
process.on("unhandledRejection", (error) => {
  const said = `${error?.error?.message ?? error?.message ?? error}`.replace(/\s+/g, " ").slice(0, 300);
  if (inBackground.has(said)) return;
  inBackground.add(said);
  failed += 1;
  console.log(`FAIL ${name} background: ${said}`);
});

module.exports = {
  url,
  ws,
  onCairn,
  hardhat3,
  KEYS,
  ADDRESSES,
  contract,
  task,
  limit,
  done,
  check,
  equal,
  rejects,
  until,
  sleep,
  call,
  mine,
  reorg,
  show,
  within,
};
