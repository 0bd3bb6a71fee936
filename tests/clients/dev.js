// The comforts of a development chain that users of anvil and Hardhat's network know, by plain calls.
"use strict";

const ethers = require("ethers");
const {
  url,
  onCairn,
  KEYS,
  ADDRESSES,
  contract,
  task,
  done,
  check,
  equal,
  rejects,
  until,
  sleep,
  call,
} = require("./lib/tasks");
const { start, request } = require("./lib/node");

const http = new ethers.JsonRpcProvider(url, undefined, { cacheTimeout: -1, pollingInterval: 50 });
const hex = (number) => ethers.toQuantity(number);
const block = (tag = "latest") => call("eth_getBlockByNumber", tag, false);
const height = async () => Number(await call("eth_blockNumber"));
const time = async (tag) => Number((await block(tag)).timestamp);
const balance = async (account, tag = "latest") => BigInt(await call("eth_getBalance", account, tag));
const transfer = (from, value, extra = {}) =>
  call("eth_sendTransaction", { from, to: ADDRESSES[3], value: hex(value), ...extra });
const receiptOf = (hash) => until(() => call("eth_getTransactionReceipt", hash), "the receipt");
const FACTORY = "0x4e59b44847b379578588920ca78fbf26c0b4956c";
const STRANGER = "0x00000000000000000000000000000000000b0b0b";

async function accounts() {
  await task("ten accounts", async () => {
    const found = await call("eth_accounts");
    equal(found.length, 10);
    for (const account of found) check((await balance(account)) > 10n ** 18n, `${account} has no money`);
  });
  await task("eth_sendTransaction", async () =>
    equal((await receiptOf(await transfer(ADDRESSES[1], 5))).status, "0x1"),
  );
  await task("eth_signTransaction", async () => {
    const nonce = await call("eth_getTransactionCount", ADDRESSES[1], "latest");
    const chainId = await call("eth_chainId");
    const signed = await call("eth_signTransaction", {
      from: ADDRESSES[1],
      to: ADDRESSES[3],
      value: "0x1",
      gas: "0x5208",
      maxFeePerGas: "0x4a817c800",
      maxPriorityFeePerGas: "0x1",
      nonce,
      chainId,
    });
    equal(ethers.Transaction.from(signed.raw ?? signed).from, ADDRESSES[1]);
  });
  await task("eth_sign and personal_sign", async () => {
    const message = ethers.hexlify(ethers.toUtf8Bytes("hello"));
    for (const signed of [
      await call("eth_sign", ADDRESSES[1], message),
      await call("personal_sign", message, ADDRESSES[1]),
    ])
      equal(ethers.verifyMessage("hello", signed), ADDRESSES[1]);
  });
  await task("eth_signTypedData_v4", async () => {
    const [domain, types, message] = [{ name: "it" }, { Mail: [{ name: "text", type: "string" }] }, { text: "hi" }];
    const payload = ethers.TypedDataEncoder.getPayload(domain, types, message);
    equal(
      ethers.verifyTypedData(domain, types, message, await call("eth_signTypedData_v4", ADDRESSES[1], payload)),
      ADDRESSES[1],
    );
  });
  await task("no account of its own", async () => check(await rejects(() => transfer(STRANGER, 5)), "sent"));
  await task("impersonate", async () => {
    await call("anvil_setBalance", STRANGER, hex(10n ** 18n));
    await call("anvil_impersonateAccount", STRANGER);
    equal((await receiptOf(await transfer(STRANGER, 5))).from, STRANGER);
    await call("anvil_stopImpersonatingAccount", STRANGER);
    check(await rejects(() => transfer(STRANGER, 5)), "sent after the end");
  });
  await task("hardhat_impersonateAccount", async () => {
    await call("hardhat_impersonateAccount", STRANGER);
    equal((await receiptOf(await transfer(STRANGER, 6))).status, "0x1");
    await call("hardhat_stopImpersonatingAccount", STRANGER);
  });
}

async function mining() {
  for (const [method, params, blocks] of [
    ["evm_mine", [], 1],
    ["anvil_mine", ["0x5"], 5],
    ["hardhat_mine", ["0x3"], 3],
  ]) {
    await task(`${method} ${JSON.stringify(params)}`, async () => {
      const before = await height();
      await call(method, ...params);
      equal((await height()) - before, blocks);
    });
  }
  await task("mine with an interval", async () => {
    const before = await time();
    await call("anvil_mine", "0x3", "0x3c");
    equal(
      [(await time()) - before >= 120, (await time(hex((await height()) - 1))) <= (await time()) - 60],
      [true, true],
    );
  });
  await task("automine off and on", async () => {
    equal(await call("anvil_getAutomine"), true);
    await call("evm_setAutomine", false);
    equal(await call("anvil_getAutomine"), false);
    const hash = await transfer(ADDRESSES[1], 7);
    await sleep(200);
    equal(await call("eth_getTransactionReceipt", hash), null);
    await call("evm_mine");
    equal((await call("eth_getTransactionReceipt", hash)).status, "0x1");
    await call("evm_setAutomine", true);
  });
  await task("interval mining", async () => {
    const before = await height();
    await call("evm_setIntervalMining", 1);
    await until(async () => (await height()) >= before + 2, "two blocks");
    await call("evm_setIntervalMining", 0);
    await call("evm_setAutomine", true);
  });
  await task("drop a transaction", async () => {
    await call("evm_setAutomine", false);
    const hash = await transfer(ADDRESSES[1], 8);
    await call("anvil_dropTransaction", hash);
    equal(await call("eth_getTransactionByHash", hash), null);
    await call("evm_setAutomine", true);
  });
  await task("coinbase", async () => {
    await call("anvil_setCoinbase", STRANGER);
    await call("evm_mine");
    equal((await block()).miner, STRANGER);
  });
  await task("base fee of the next block", async () => {
    await call("anvil_setNextBlockBaseFeePerGas", hex(5_000_000_000n));
    await call("evm_mine");
    equal((await block()).baseFeePerGas, hex(5_000_000_000n));
  });
}

async function clock() {
  await task("evm_increaseTime", async () => {
    const before = await time();
    await call("evm_increaseTime", 3600);
    await call("evm_mine");
    const after = await time();
    check(after >= before + 3600 && after < before + 3700, `from ${before} to ${after}`);
  });
  await task("evm_increaseTime of a quantity", async () => {
    const before = await time();
    await call("evm_increaseTime", "0x64");
    await call("evm_mine");
    check((await time()) >= before + 100, "time stood still");
  });
  await task("evm_setNextBlockTimestamp", async () => {
    const at = (await time()) + 500;
    await call("evm_setNextBlockTimestamp", at);
    await call("evm_mine");
    equal(await time(), at);
  });
  await task("evm_mine with a time", async () => {
    const at = (await time()) + 1000;
    await call("evm_mine", { timestamp: at });
    equal(await time(), at);
    await call("evm_mine");
    check((await time()) >= at, "time ran back");
  });
  await task("time goes on", async () => {
    await call("evm_mine");
    const before = await time();
    await sleep(2_100);
    await call("evm_mine");
    check((await time()) > before, "time stands still");
  });
}

async function cheats() {
  const wallet = new ethers.Wallet(KEYS[0], http);
  const artifact = contract("Token");
  const token = await (
    await new ethers.ContractFactory(artifact.abi, artifact.bytecode, wallet).deploy("Stone", "STN", 1000n)
  ).waitForDeployment();
  const address = await token.getAddress();
  for (const prefix of ["anvil", "hardhat"]) {
    await task(`${prefix}_setBalance`, async () => {
      await call(`${prefix}_setBalance`, STRANGER, hex(123_456n * 10n ** 10n));
      equal(await balance(STRANGER), 123_456n * 10n ** 10n);
    });
    await task(`${prefix}_setCode`, async () => {
      await call(`${prefix}_setCode`, STRANGER, "0x602a60005260206000f3");
      equal(BigInt(await call("eth_call", { to: STRANGER }, "latest")), 42n);
      await call(`${prefix}_setCode`, STRANGER, "0x");
    });
    await task(`${prefix}_setNonce`, async () => {
      const nonce = prefix === "anvil" ? 77 : 88;
      await call(`${prefix}_setNonce`, STRANGER, hex(nonce));
      equal(await call("eth_getTransactionCount", STRANGER, "latest"), hex(nonce));
    });
    await task(`${prefix}_setStorageAt`, async () => {
      const supply = prefix === "anvil" ? 5555n : 6666n;
      await call(`${prefix}_setStorageAt`, address, ethers.toBeHex(2, 32), ethers.toBeHex(supply, 32));
      equal(await token.totalSupply(), supply);
    });
  }
  await task(
    "state roots hold",
    async () => {
      const { stateRoot } = await block();
      const { accountProof } = await call("eth_getProof", address, [], "latest");
      equal(ethers.keccak256(accountProof[0]), stateRoot);
    },
    { only: "cairn" },
  );
}

async function snapshots() {
  await task("snapshot and revert", async () => {
    const [before, had] = [await height(), await balance(ADDRESSES[3])];
    const id = await call("evm_snapshot");
    await receiptOf(await transfer(ADDRESSES[1], 9));
    check((await balance(ADDRESSES[3])) === had + 9n, "not sent");
    equal(await call("evm_revert", id), true);
    equal([await height(), await balance(ADDRESSES[3])], [before, had]);
    equal((await receiptOf(await transfer(ADDRESSES[1], 9))).status, "0x1");
  });
  await task("revert twice", async () => {
    const id = await call("evm_snapshot");
    await call("evm_mine");
    equal([await call("evm_revert", id), await call("evm_revert", id).catch(() => false)], [true, false]);
  });
  await task("snapshots in each other", async () => {
    const before = await height();
    const outer = await call("evm_snapshot");
    await call("evm_mine");
    const inner = await call("evm_snapshot");
    await call("evm_mine");
    equal(await call("evm_revert", inner), true);
    equal(await height(), before + 1);
    equal(await call("evm_revert", outer), true);
    equal(await height(), before);
  });
  await task("reorg", async () => {
    await call("evm_mine");
    const before = await block();
    await call(...(onCairn ? ["dev_reorg", 1] : ["anvil_reorg", 1, []]));
    check((await call("eth_getBlockByNumber", before.number, false)).hash !== before.hash, "the same block");
  });
  await task("rollback", async () => {
    await call("anvil_mine", "0x3");
    const before = await height();
    await call("anvil_rollback", 2);
    equal(await height(), before - 2);
  });
  await task("dump and load the state", async () => {
    await call("anvil_setBalance", STRANGER, hex(777n * 10n ** 10n));
    const dumped = await call("anvil_dumpState");
    await call("anvil_setBalance", STRANGER, hex(5n * 10n ** 10n));
    await call("anvil_loadState", dumped);
    equal(await balance(STRANGER), 777n * 10n ** 10n);
  });
  await task("gas limit of blocks", async () => {
    // The spec of a Cairn chain has it, so the node says why not.
    const error = await call("evm_setBlockGasLimit", "0x2faf080").catch((refused) => refused);
    check(onCairn ? /gas limit/i.test(error?.message ?? "") : error === true, JSON.stringify(error));
  });
  await task("node info", async () =>
    check((await call("anvil_nodeInfo")).currentBlockNumber !== undefined, "no height"),
  );
  await task("metadata", async () => {
    const before = await call("anvil_metadata");
    check(before.chainId !== undefined, "no chain id");
    const id = await call("evm_snapshot");
    const { instanceId, snapshots } = await call("anvil_metadata");
    check(instanceId === before.instanceId && snapshots[id][1] === before.latestBlockHash, "another one");
    await call("evm_revert", id);
  });
  await task("state of block 0 after 200 blocks", async () => {
    await call("anvil_mine", "0xc8");
    check((await balance(ADDRESSES[0], "0x0")) > 0n, "no money");
  });
  await task("hardhat_reset", async () => {
    const { instanceId } = await call("hardhat_metadata");
    await call("hardhat_reset");
    check((await call("hardhat_metadata")).instanceId !== instanceId, "the same instance");
    equal(await height(), 0);
    // As viem's test client.
    await call("anvil_reset", { forking: { blockNumber: null } });
    equal(await height(), 0);
    equal((await receiptOf(await transfer(ADDRESSES[1], 9))).status, "0x1");
  });
}

async function page() {
  const from = (origin) =>
    fetch(url, {
      method: "POST",
      headers: { "content-type": "application/json", origin },
      body: JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] }),
    });
  await task("a page on localhost may call", async () => {
    for (const origin of ["http://localhost:5173", "http://127.0.0.1:3000"]) {
      const asked = await fetch(url, {
        method: "OPTIONS",
        headers: { origin, "access-control-request-method": "POST", "access-control-request-headers": "content-type" },
      });
      check(
        asked.ok && asked.headers.get("access-control-allow-origin"),
        `${origin}: the preflight ended with ${asked.status}`,
      );
      const answer = await from(origin);
      check(answer.ok && answer.headers.get("access-control-allow-origin"), `${origin}: ${answer.status}`);
    }
  });
  await task("no other page may", async () => equal((await from("https://evil.example")).status, 403), {
    only: "cairn",
  });
  await task("CREATE2 factory", async () => {
    const data = `0x${"0".repeat(63)}1600a600c600039600a6000f3602a60005260206000f3`;
    const hash = await call("eth_sendTransaction", { from: ADDRESSES[1], to: FACTORY, data });
    equal((await receiptOf(hash)).status, "0x1");
  });
  await task(
    "CREATE2 factory of the local chain",
    async () => {
      const local = await start("local");
      const code = await request(`http://127.0.0.1:${local.port}`, "eth_getCode", [FACTORY, "latest"]);
      await local.stop();
      equal(code.result, await call("eth_getCode", FACTORY, "latest"));
      check(code.result.length > 100, "no code");
    },
    { only: "cairn" },
  );
}

(async () => {
  await accounts();
  await mining();
  await clock();
  await cheats();
  await page();
  await snapshots();
  done();
})();
