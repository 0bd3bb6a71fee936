// forge of Foundry: builds, deploys, runs scripts and tests that fork the node. lib/solc compiles.
"use strict";

const fs = require("fs");
const path = require("path");
const { execFile } = require("child_process");
const { foundry } = require("./lib/node");
const { url, KEYS, ADDRESSES, task, done, check, equal, call } = require("./lib/tasks");

const program = foundry("forge");
const project = path.join(process.cwd(), "forge");
const SCRIPT = "script/Deploy.s.sol";
const FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c";

function forge(given, env = {}) {
  const environment = {
    ...process.env,
    NO_COLOR: "1",
    FOUNDRY_SOLC: path.join(__dirname, "lib/solc"),
    FOUNDRY_DISABLE_NIGHTLY_WARNING: "1",
    ...env,
  };
  return new Promise((resolve, reject) => {
    execFile(
      program,
      [given[0], "--root", project, ...given.slice(1)],
      { cwd: project, env: environment, timeout: 60_000, maxBuffer: 1 << 26 },
      (error, out, err) => {
        if (error) reject(Object.assign(new Error(`${out}\n${err}`.trim().split("\n").slice(-8).join(" | ")), { out }));
        else resolve(`${out}${err}`);
      },
    );
  });
}
const slow = { time: 60_000 };
const node = ["--rpc-url", url];
const key = ["--private-key", KEYS[0]];
const word = (number) => `0x${number.toString(16).padStart(64, "0")}`;
const number = async (safe) => Number(await call("eth_call", { to: safe, data: "0x8381f58a" }, "latest"));

/// The transactions of the last run of a script.
function broadcast(file = "run-latest.json") {
  const folder = path.join(project, "broadcast/Deploy.s.sol");
  const chain = fs.readdirSync(folder)[0];
  return JSON.parse(fs.readFileSync(path.join(folder, chain, file)));
}

async function deploying() {
  await task(
    "create",
    async () => {
      const made = JSON.parse(
        await forge([
          "create",
          "src/Safe.sol:Safe",
          ...node,
          ...key,
          "--broadcast",
          "--json",
          "--constructor-args",
          "41",
        ]),
      );
      equal(await number(made.deployedTo), 41);
    },
    slow,
  );
  await task(
    "create by an account of the node",
    async () => {
      const given = [
        "create",
        "src/Safe.sol:Safe",
        ...node,
        "--unlocked",
        "--from",
        ADDRESSES[2],
        "--broadcast",
        "--json",
        "--constructor-args",
        "42",
      ];
      equal(await number(JSON.parse(await forge(given)).deployedTo), 42);
    },
    slow,
  );
  await task(
    "script without broadcast",
    async () => {
      const tip = await call("eth_blockNumber");
      check(
        (await forge(["script", `${SCRIPT}:Deploy`, ...node, ...key])).includes("SIMULATION COMPLETE"),
        "not simulated",
      );
      equal(await call("eth_blockNumber"), tip);
    },
    slow,
  );
  const safe = await task(
    "script --broadcast",
    async () => {
      await forge(["script", `${SCRIPT}:Deploy`, ...node, ...key, "--broadcast"]);
      const { receipts, transactions } = broadcast();
      equal(
        receipts.map(({ status }) => status),
        ["0x1", "0x1", "0x1"],
      );
      equal(await number(transactions[0].contractAddress), 6);
      return transactions[0].contractAddress;
    },
    slow,
  );
  await task(
    "script --slow --legacy",
    async () => {
      await forge(["script", `${SCRIPT}:Deploy`, ...node, ...key, "--broadcast", "--slow", "--legacy"]);
      equal(
        broadcast().receipts.map(({ type }) => type),
        ["0x0", "0x0", "0x0"],
      );
    },
    slow,
  );
  await task(
    "script by an account of the node",
    async () => {
      await forge(["script", `${SCRIPT}:Deploy`, ...node, "--unlocked", "--sender", ADDRESSES[2], "--broadcast"]);
      equal(broadcast().receipts.length, 3);
    },
    slow,
  );
  await task("factory of salted contracts", async () =>
    check((await call("eth_getCode", FACTORY, "latest")).length > 100, "no code at its address"),
  );
  await task(
    "script with a salt",
    async () => {
      await forge(["script", `${SCRIPT}:DeployWithSalt`, ...node, ...key, "--broadcast"]);
      equal(await number(broadcast().transactions[0].contractAddress), 7);
    },
    slow,
  );
  return safe;
}

async function testing(safe) {
  const before = BigInt(await call("eth_blockNumber"));
  await task(
    "script on a contract of the chain",
    async () => {
      await forge([
        "script",
        `${SCRIPT}:Change`,
        ...node,
        ...key,
        "--broadcast",
        "--sig",
        "run(address,uint256)",
        safe,
        "9",
      ]);
      equal(await number(safe), 9);
    },
    slow,
  );
  const { transactions } = await call("eth_getBlockByNumber", "latest", false);
  const env = { SAFE: safe, BEFORE: `${before}`, CHANGE: transactions[0] ?? word(0), CLIENT_URL: url };
  const report = await task(
    "test on forks",
    async () => {
      const out = await forge(["test", "--json"], env).catch((error) => error.out ?? Promise.reject(error));
      return JSON.parse(out.slice(out.indexOf("{")))["test/Fork.t.sol:ForkTest"].test_results;
    },
    slow,
  );
  for (const [test, { status, reason }] of Object.entries(report ?? {})) {
    await task(test.replace("()", "").replaceAll("_", " "), async () => check(status === "Success", reason));
  }
}

(async () => {
  fs.cpSync(path.join(__dirname, "forge"), project, { recursive: true });
  await task("build", () => forge(["build"]), slow);
  await testing(await deploying());
  done();
})();
