// cast of Foundry, on the command line.
"use strict";

const { execFile, spawn } = require("child_process");
const { foundry } = require("./lib/node");
const {
  url,
  ws,
  KEYS,
  ADDRESSES,
  contract,
  task,
  done,
  check,
  equal,
  until,
  sleep,
  call,
  mine,
} = require("./lib/tasks");

const program = foundry("cast");
const ZERO = `0x${"0".repeat(64)}`;
const POINT = "(-5,[1,2],here)";

/// What `cast` prints, or its words of failure thrown.
function cast(...given) {
  const env = { ...process.env, ETH_RPC_URL: url, FOUNDRY_DISABLE_NIGHTLY_WARNING: "1", NO_COLOR: "1" };
  return new Promise((resolve, reject) => {
    execFile(program, given, { env, timeout: 20_000, maxBuffer: 1 << 26 }, (error, out, err) => {
      if (error) reject(new Error(`${err || error.message}`.trim()));
      else resolve(out.trim());
    });
  });
}
const json = async (...given) => JSON.parse(await cast(...given, "--json"));
const key = ["--private-key", KEYS[0]];
const send = async (...given) => {
  const receipt = await json("send", ...key, ...given);
  equal(receipt.status, "0x1", "status");
  return receipt;
};
const fails = async (words, ...given) => {
  const said = await cast(...given).then(
    (out) => Promise.reject(new Error(`expected a failure, got ${out}`)),
    (error) => error.message,
  );
  check(said.toLowerCase().includes(words.toLowerCase()), `expected "${words}", got: ${said}`);
};

async function reading() {
  await task("chain-id", async () => check(Number(await cast("chain-id")) > 0, "no chain id"));
  await task("client", async () => check((await cast("client")).includes("/"), "no version"));
  await task("block-number", async () => check(Number(await cast("block-number")) >= 0, "no number"));
  await task("block", async () => equal((await json("block", "latest")).number, await call("eth_blockNumber")));
  await task("block of a tag", async () => check((await json("block", "finalized")).hash, "no block"));
  await task("age", async () => check((await cast("age", "latest")).length > 10, "no date"));
  await task("balance", async () => check(BigInt(await cast("balance", ADDRESSES[0])) > 10n ** 18n, "no money"));
  await task("nonce", async () => equal(await cast("nonce", ADDRESSES[0]), "0"));
  await task("gas-price", async () => check(BigInt(await cast("gas-price")) > 0n, "no price"));
  await task("base-fee", async () => check(BigInt(await cast("base-fee")) > 0n, "no fee"));
  await task("rpc", async () => equal(JSON.parse(await cast("rpc", "eth_chainId")), await call("eth_chainId")));
  await task("rpc eth_accounts", async () =>
    equal(JSON.parse(await cast("rpc", "eth_accounts"))[0].toLowerCase(), ADDRESSES[0].toLowerCase()),
  );
}

async function sending() {
  const to = "0x00000000000000000000000000000000000abcde";
  for (const [what, flags] of [
    ["1559", []],
    ["legacy", ["--legacy"]],
    ["access list", ["--access-list", JSON.stringify([{ address: to, storageKeys: [ZERO] }])]],
    ["fee given", ["--gas-price", "20gwei", "--priority-gas-price", "1gwei"]],
  ])
    await task(`send ${what}`, () => send(to, "--value", "1000", ...flags));
  await task("send and wait by the node", () => send(to, "--value", "1000", "--sync"));
  await task("send asynchronously", async () => {
    const hash = await cast("send", ...key, "--async", to, "--value", "1000");
    equal((await json("receipt", hash)).status, "0x1");
    equal((await json("tx", hash)).hash, hash);
  });
  await task("send by an account of the node", () =>
    json("send", "--unlocked", "--from", ADDRESSES[2], to, "--value", "1"),
  );
  await task("send with a small balance", async () => {
    const poor = (await json("wallet", "new"))[0];
    await send(poor.address, "--value", "0.005ether");
    equal((await json("send", "--private-key", poor.private_key, to, "--value", "1000")).status, "0x1");
  });
  await task("publish", async () => {
    const raw = await cast("mktx", ...key, to, "--value", "1");
    equal(JSON.parse(await cast("publish", raw)).status, "0x1");
  });
  await task("balance at a block", async () => {
    const tip = Number(await cast("block-number"));
    equal(BigInt(await cast("balance", to)) - BigInt(await cast("balance", to, "--block", `${tip - 1}`)), 1n);
  });
}

async function contracts() {
  const deploy = async (artifact, ...args) => (await send("--create", artifact.bytecode, ...args)).contractAddress;
  const token = await task("deploy", () =>
    deploy(contract("Token"), "constructor(string,string,uint256)", "Stone", "STN", "1000000"),
  );
  const probe = await deploy(contract("Probe"));
  await task("code", async () => check((await cast("code", token)).length > 100, "no code"));
  await task("codesize", async () => check(Number(await cast("codesize", token)) > 100, "no code"));
  await task("codehash", async () => equal((await cast("codehash", token)).length, 66));
  await task("storage", async () => equal(BigInt(await cast("storage", token, "2")), 1_000_000n));
  await task("proof", async () =>
    check((await json("proof", token, "2")).storageProof[0].proof.length > 0, "no proof"),
  );
  await task("storage-root", async () => equal((await cast("storage-root", token)).length, 66));
  await task("call", async () =>
    equal((await cast("call", token, "balanceOf(address)(uint256)", ADDRESSES[0])).split(" ")[0], "1000000"),
  );
  await task("call of a deployment", async () =>
    check((await cast("call", "--create", contract("Probe").bytecode)).length > 100, "no code"),
  );
  await task("call with a changed balance", async () => {
    await cast(
      "call",
      "--from",
      `0x${"ab".repeat(20)}`,
      "--value",
      "5",
      "--override-balance",
      `0x${"ab".repeat(20)}:100`,
      ADDRESSES[3],
    );
  });
  await task("call with changed storage", async () => {
    const slot = `0x${"2".padStart(64, "0")}`;
    equal(
      await cast(
        "call",
        token,
        "totalSupply()(uint256)",
        "--override-state-diff",
        `${token}:${slot}:0x${"9".padStart(64, "0")}`,
      ),
      "9",
    );
  });
  await task("call with a changed block", async () => {
    const found = await cast(
      "call",
      probe,
      "chain()(uint256,uint256,uint256,uint256,address)",
      "--block.number",
      "1234",
      "--block.time",
      "4294967295",
    );
    equal(found.split("\n")[1].split(" ")[0], "1234");
  });
  await task("call --trace", async () =>
    check((await cast("call", "--trace", token, "totalSupply()(uint256)")).includes("totalSupply"), "no trace"),
  );
  await task("estimate", async () =>
    check(
      Number(await cast("estimate", token, "transfer(address,uint256)", ADDRESSES[3], "1", "--from", ADDRESSES[0])) >
        21_000,
      "too little",
    ),
  );
  await task("access-list", async () => {
    const { accessList } = await json(
      "access-list",
      token,
      "transfer(address,uint256)",
      ADDRESSES[3],
      "1",
      "--from",
      ADDRESSES[0],
    );
    equal(accessList.length, 1);
  });
  await task("send --access-list", () => send(token, "transfer(address,uint256)", ADDRESSES[3], "1", "--access-list"));
  await task("send --auth", async () => {
    await send(ADDRESSES[0], "work(uint256)", "1", "--auth", probe, "--gas-limit", "300000");
    equal(await cast("code", ADDRESSES[0]), `0xef0100${probe.slice(2).toLowerCase()}`);
    await send(ADDRESSES[0], "--auth", `0x${"0".repeat(40)}`);
  });
  return { token, probe };
}

async function traces({ token, probe }) {
  const { transactionHash } = await send(token, "transfer(address,uint256)", ADDRESSES[3], "12");
  await task("run", async () => check(/Transfer|emit/.test(await cast("run", transactionHash)), "no trace"));
  await task("run --quick", async () =>
    check((await cast("run", "--quick", transactionHash)).includes("Traces"), "no trace"),
  );
  await task("trace of the node", async () => check((await cast("trace", transactionHash)).length > 50, "no trace"));
  await task("trace of a block", async () =>
    check((await cast("rpc", "trace_block", "latest")).length > 50, "no trace"),
  );
  await task("tx --raw", async () => check((await cast("tx", transactionHash, "--raw")).startsWith("0x02"), "not raw"));
  await task("logs", async () => equal((await json("logs", "--address", token, "--from-block", "0")).length, 3));
  await task("logs of an event", async () => {
    const given = [
      "--from-block",
      "0",
      "Transfer(address indexed from,address indexed to,uint256 value)",
      "",
      ADDRESSES[3],
    ];
    equal((await json("logs", "--address", token, ...given)).length, 2);
  });
  await task("logs --subscribe", async () => {
    const child = spawn(program, ["logs", "--subscribe", "--address", token, "--rpc-url", ws], { env: process.env });
    let heard = "";
    for (const stream of [child.stdout, child.stderr]) stream.on("data", (part) => (heard += part));
    await sleep(1_000);
    await send(token, "transfer(address,uint256)", ADDRESSES[3], "1");
    await until(() => heard.includes("blockNumber"), "the log").finally(() => child.kill());
  });
  await task("receipt with confirmations", async () => {
    const hash = await cast("send", ...key, "--async", ADDRESSES[3], "--value", "1");
    const waiting = cast("receipt", hash, "--confirmations", "3");
    await sleep(300);
    await mine(3);
    check((await waiting).includes(hash), "no receipt");
  });
  await task("revert with a reason", () => fails("too late", "call", probe, "failWith(string)", "too late"));
  await task("custom error", () =>
    fails("0xe7191018", "call", probe, "failCustom(uint256,(int256,uint8[2],string))", "3", POINT),
  );
  await task("panic", () =>
    fails("division or modulo by zero", "call", probe, "divide(uint256,uint256)(uint256)", "1", "0"),
  );
}

async function refusals() {
  const poor = (await json("wallet", "new"))[0].private_key;
  const fixed = [
    "--value",
    "1",
    "--gas-limit",
    "21000",
    "--gas-price",
    "20gwei",
    "--priority-gas-price",
    "1",
    "--chain",
    `${Number(await call("eth_chainId"))}`,
  ];
  await task("insufficient funds", () =>
    fails("insufficient funds", "send", "--private-key", poor, ADDRESSES[3], ...fixed),
  );
  await task("nonce too low", () => fails("nonce too low", "send", ...key, ADDRESSES[3], ...fixed, "--nonce", "0"));
  await task("intrinsic gas", () =>
    fails("intrinsic gas", "send", ...key, ADDRESSES[3], "--value", "1", "--gas-limit", "20000"),
  );
  await task("fee below the base fee", () =>
    fails("fee", "call", "--gas-price", "1", "--from", ADDRESSES[0], ADDRESSES[3]),
  );
}

(async () => {
  await reading();
  await sending();
  const made = await contracts();
  await traces(made);
  await refusals();
  await task("typed data", async () => {
    const data = {
      types: { EIP712Domain: [], Mail: [{ name: "text", type: "string" }] },
      domain: {},
      primaryType: "Mail",
      message: { text: "hi" },
    };
    equal((await cast("wallet", "sign", ...key, "--data", JSON.stringify(data))).length, 132);
  });
  await task("find-block", async () => {
    const { timestamp } = await json("block", "2");
    check(Number(await cast("find-block", `${Number(timestamp)}`)) >= 0, "no block");
  });
  done();
})();
