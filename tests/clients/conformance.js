// What geth answers where clients rely on it: shapes, limits, and the words of errors. Plain calls.
"use strict";

const http = require("http");
const ethers = require("ethers");
const { url, onCairn, ADDRESSES, task, done, check, equal, rejects, until, call } = require("./lib/tasks");
const { wallet, setUp, geth, refused, refusedBy } = require("./lib/chain");

const hex = ethers.toQuantity;
const zero = ethers.ZeroHash;
const POINT = { x: -5n, y: [1, 2], name: "here" };

async function post(body, headers = {}) {
  const text = typeof body === "string" ? body : JSON.stringify(body);
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", ...headers },
    body: text,
  });
  return answer.json();
}

async function transport() {
  await task("error of what is no JSON", async () => equal((await post("{")).error.code, -32700), geth);
  await task("error of what is not a request", async () => equal((await post({ id: 1 })).error.code, -32600));
  await task("error of an unknown method", async () =>
    equal((await post({ jsonrpc: "2.0", id: 1, method: "eth_nothing", params: [] })).error.code, -32601),
  );
  await task("id as it was sent", async () => {
    for (const id of [7, "seven", 0])
      equal((await post({ jsonrpc: "2.0", id, method: "eth_chainId", params: [] })).id, id);
  });
  await task("no params member", async () =>
    check((await post({ jsonrpc: "2.0", id: 1, method: "eth_chainId" })).result, "no result"),
  );
  await task("content type with a charset", async () => {
    check(
      (
        await post(
          { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] },
          { "content-type": "application/json; charset=utf-8" },
        )
      ).result,
      "no result",
    );
  });
  await task("batch with an error inside", async () => {
    const found = await post([
      { jsonrpc: "2.0", id: 1, method: "eth_chainId", params: [] },
      { jsonrpc: "2.0", id: 2, method: "eth_nothing", params: [] },
    ]);
    equal(found.map(({ id, error }) => [id, error?.code ?? 0]).sort(), [
      [1, 0],
      [2, -32601],
    ]);
  });
  await task("empty batch", async () => equal((await post([])).error?.code, -32600));
  for (const count of [500, 1000]) {
    await task(`batch of ${count}`, async () => {
      const batch = Array.from({ length: count }, (_, id) => ({
        jsonrpc: "2.0",
        id,
        method: "eth_getBalance",
        params: [ADDRESSES[0], "latest"],
      }));
      const found = await post(batch);
      check(found.length === count && found.every(({ result }) => result), "not all have results");
    });
  }
  await task("300 connections at once", async () => {
    const agent = new http.Agent({ keepAlive: true, maxSockets: 300 });
    const body = JSON.stringify({ jsonrpc: "2.0", id: 1, method: "eth_getBalance", params: [ADDRESSES[0], "latest"] });
    const one = () =>
      new Promise((resolve, reject) => {
        const asked = http.request(
          process.env.CLIENT_DIRECT,
          { method: "POST", agent, headers: { "content-type": "application/json" } },
          (answer) => {
            answer.resume().on("end", () => resolve(answer.statusCode));
          },
        );
        asked.on("error", reject).end(body);
      });
    const found = await Promise.all(Array.from({ length: 300 }, one)).finally(() => agent.destroy());
    equal(found.filter((status) => status !== 200).length, 0, "refused connections");
  });
}

async function reads({ token, probe, transfer, coder }) {
  const block = await call("eth_getBlockByHash", transfer.blockHash, false);
  await task("net and web3", async () => {
    equal([await call("net_listening"), await call("net_version")], [true, `${Number(await call("eth_chainId"))}`]);
    equal(await call("web3_sha3", "0x68656c6c6f"), ethers.id("hello"));
  });
  await task(
    "rpc.discover",
    async () => {
      const names = (await call("rpc.discover")).methods.map(({ name }) => name);
      const missing = ["eth_call", "eth_subscribe", "chain_getLogs"].filter((name) => !names.includes(name));
      equal(missing, [], "missing methods");
    },
    { only: "cairn" },
  );
  await task(
    "uncles",
    async () => {
      equal(
        [
          await call("eth_getUncleCountByBlockNumber", "latest"),
          await call("eth_getUncleCountByBlockHash", block.hash),
        ],
        ["0x0", "0x0"],
      );
      equal(await call("eth_getUncleCountByBlockHash", zero), null);
      equal(
        [
          await call("eth_getUncleByBlockNumberAndIndex", "latest", "0x0"),
          await call("eth_getUncleByBlockHashAndIndex", block.hash, "0x0"),
        ],
        [null, null],
      );
    },
    geth,
  );
  await task(
    "fee history",
    async () => {
      const plain = await call("eth_feeHistory", "0x2", "latest", []);
      equal([plain.reward ?? [], plain.baseFeePerGas.length], [[], 3]);
      const rewards = await call("eth_feeHistory", "0x2", "latest", [0, 50, 100]);
      equal(
        rewards.reward.map(({ length }) => length),
        [3, 3],
      );
      const none = await call("eth_feeHistory", "0x0", "latest", []);
      equal([none.oldestBlock, none.gasUsedRatio ?? []], ["0x0", []]);
    },
    geth,
  );
  await refusedBy(
    geth,
    "fee history with falling percentiles",
    [-32000, -32602],
    "percentile",
    "eth_feeHistory",
    "0x2",
    "latest",
    [50, 10],
  );
  await task("blob base fee", async () => check(BigInt(await call("eth_blobBaseFee")) >= 0n, "no fee"));
  await task(
    "pending block",
    async () => {
      const { number, hash, nonce } = await call("eth_getBlockByNumber", "pending", false);
      equal([Number(number) - Number(await call("eth_blockNumber")), hash, nonce ?? null], [1, null, null]);
    },
    { only: "cairn" },
  );
  await task("raw transactions", async () => {
    const raw = await call("eth_getRawTransactionByHash", transfer.hash);
    equal(ethers.keccak256(raw), transfer.hash);
    equal(await call("eth_getRawTransactionByBlockHashAndIndex", block.hash, "0x0"), raw);
    equal(await call("eth_getRawTransactionByBlockNumberAndIndex", block.number, "0x0"), raw);
  });
  await task("debug_getRawTransaction", async () =>
    equal(ethers.keccak256(await call("debug_getRawTransaction", transfer.hash)), transfer.hash),
  );
  await task(
    "debug_getRawReceipts",
    async () => equal((await call("debug_getRawReceipts", block.number)).length, 1),
    geth,
  );
  await task(
    "debug_getRawBlock and Header",
    async () =>
      check(
        (await call("debug_getRawBlock", block.number)).length >
          (await call("debug_getRawHeader", block.number)).length,
        "too short",
      ),
    geth,
  );
  await task(
    "headers",
    async () => {
      const [byNumber, byHash] = [
        await call("eth_getHeaderByNumber", block.number),
        await call("eth_getHeaderByHash", block.hash),
      ];
      equal([byNumber.hash, byHash.hash, byNumber.transactions ?? null], [block.hash, block.hash, null]);
    },
    { only: "cairn" },
  );
  await task("addresses of any letter case", async () => {
    const wrong = ADDRESSES[0].replace(/[a-f]/i, (letter) =>
      letter === letter.toLowerCase() ? letter.toUpperCase() : letter.toLowerCase(),
    );
    for (const account of [wrong, `0x${ADDRESSES[0].slice(2).toUpperCase()}`])
      check(BigInt(await call("eth_getBalance", account, "latest")) > 0n, "no money");
  });
  await task("EIP-1898", async () => {
    for (const tag of [
      { blockNumber: block.number },
      { blockHash: block.hash },
      { blockHash: block.hash, requireCanonical: true },
      block.hash,
    ])
      check(BigInt(await call("eth_getBalance", ADDRESSES[0], tag)) > 0n, "no money");
  });
  await task("block left out", async () => check(BigInt(await call("eth_getBalance", ADDRESSES[0])) > 0n, "no money"), {
    only: "cairn",
  });
  await refusedBy(
    geth,
    "state of an unknown block",
    [-32000, -32001],
    "not found",
    "eth_getBalance",
    ADDRESSES[0],
    "0xffffff",
  );
  await task("short storage keys", async () =>
    equal(BigInt(await call("eth_getStorageAt", token, "0x2", "latest")), 1000n),
  );
  await task("proof of keys as they were sent", async () =>
    equal(
      (await call("eth_getProof", token, [ethers.toBeHex(2, 32)], "latest")).storageProof[0].key,
      ethers.toBeHex(2, 32),
    ),
  );
  await task(
    "several storage values",
    async () => {
      const found = await call("eth_getStorageValues", { [token]: [ethers.toBeHex(2, 32), zero] }, "latest");
      equal(Object.values(found)[0].map(BigInt), [1000n, 0n]);
    },
    { only: "cairn" },
  );
  await task("fill a transaction", async () => {
    const { tx } = await call("eth_fillTransaction", { from: wallet.address, to: ADDRESSES[1], value: "0x1" });
    check(tx.gas && tx.nonce && (tx.maxFeePerGas || tx.gasPrice), "not filled");
  });
  await task("eth_config", async () => equal((await call("eth_config")).current.chainId, await call("eth_chainId")));
  await task("call of a named block", async () => {
    const chain = async (tag) =>
      coder.decodeFunctionResult(
        "chain",
        await call("eth_call", { to: probe, data: coder.encodeFunctionData("chain") }, tag),
      );
    const [number, time] = [...(await chain(block.number))].slice(1, 3);
    equal([number, time], [BigInt(block.number), BigInt(block.timestamp)]);
  });
}

async function calls({ token, probe, coder, tokens }) {
  const echo = { to: token, data: tokens.encodeFunctionData("totalSupply") };
  const run = (name, given) => ({ to: probe, data: coder.encodeFunctionData(name, given) });
  await task(
    "unknown members of a call",
    async () => {
      const extra = {
        chain: "main",
        maxFeePerBlobGas: "0x1",
        gasLimit: "0x5208",
        customData: {},
        type: 2,
        yParity: "0x1",
      };
      equal(BigInt(await call("eth_call", { ...echo, ...extra }, "latest")), 1000n);
      check(await call("eth_estimateGas", { ...echo, ...extra, from: ADDRESSES[0] }), "no estimate");
    },
    { only: "cairn" },
  );
  await task("input and data", async () => {
    equal(BigInt(await call("eth_call", { to: token, input: echo.data, data: echo.data }, "latest")), 1000n);
  });
  await refusedBy(
    geth,
    "input that is not data",
    [-32000, -32602],
    "",
    "eth_call",
    { to: token, input: echo.data, data: "0x1234" },
    "latest",
  );
  await task("state overrides", async () => {
    const slot = ethers.toBeHex(2, 32);
    const over = async (change) => BigInt(await call("eth_call", echo, "latest", { [token]: change }));
    equal([await over({ stateDiff: { [slot]: ethers.toBeHex(7, 32) } }), await over({ state: {} })], [7n, 0n]);
    equal(await over({ code: "0x602a60005260206000f3", nonce: "0x5", balance: "0x1" }), 42n);
    await rejects(() => over({ state: {}, stateDiff: {} }));
  });
  await task(
    "moved precompile",
    async () => {
      const to = `0x${"77".repeat(20)}`;
      const overrides = { "0x0000000000000000000000000000000000000002": { movePrecompileToAddress: to } };
      equal(await call("eth_call", { to, data: "0x" }, "latest", overrides), ethers.sha256("0x"));
    },
    { only: "cairn" },
  );
  await task("block overrides", async () => {
    const change = { number: "0x7", time: "0x8", gasLimit: "0x9000000", feeRecipient: ADDRESSES[3] };
    const found = coder.decodeFunctionResult("chain", await call("eth_call", run("chain"), "latest", {}, change));
    equal([found[1], found[2], found[4]], [7n, 8n, ADDRESSES[3]]);
  });
  await refused(
    "revert with a reason",
    3,
    "execution reverted: too late",
    "eth_call",
    run("failWith", ["too late"]),
    "latest",
  );
  await refused("panic", 3, "division or modulo by zero", "eth_call", run("divide", [1, 0]), "latest");
  await refused("custom error", 3, "execution reverted", "eth_call", run("failCustom", [3, POINT]), "latest");
  await refused("revert without data", [-32000, 3], "execution reverted", "eth_call", run("failSilently"), "latest");
  await refusedBy(
    geth,
    "out of gas",
    [-32000, -32003],
    "gas",
    "eth_call",
    { ...run("spin"), gas: "0x186a0" },
    "latest",
  );
  await refusedBy(geth, "invalid opcode", [-32000, -32003], "invalid", "eth_call", { data: "0xfe" }, "latest");
  await refused("revert of an estimate", 3, "execution reverted: too late", "eth_estimateGas", {
    from: ADDRESSES[0],
    ...run("failWith", ["too late"]),
  });
  const poor = { from: `0x${"99".repeat(20)}`, to: ADDRESSES[1] };
  await refusedBy(geth, "estimate beyond the funds", [-32000, -32003], "insufficient funds", "eth_estimateGas", {
    ...poor,
    value: "0x1",
  });
  await refused(
    "call beyond the funds",
    [-32000, -32003],
    "insufficient funds",
    "eth_call",
    { ...poor, value: "0x1" },
    "latest",
  );
  await task("estimate capped by the funds", async () => {
    const overrides = { [poor.from]: { balance: hex(10n ** 15n) } };
    const price = hex(BigInt((await call("eth_getBlockByNumber", "latest", false)).baseFeePerGas) * 2n);
    equal(Number(await call("eth_estimateGas", { ...poor, maxFeePerGas: price }, "latest", overrides)), 21_000);
  });
  await refused(
    "estimate beyond the allowance",
    [-32000, -32003],
    onCairn ? "gas required exceeds allowance (21000)" : "gas",
    "eth_estimateGas",
    { from: ADDRESSES[0], ...run("work", [5]), gas: "0x5208" },
  );
  await refusedBy(
    geth,
    "call below the base fee",
    [-32000, -32003],
    "max fee per gas less than block base fee",
    "eth_call",
    { from: ADDRESSES[0], to: ADDRESSES[1], maxFeePerGas: "0x1", maxPriorityFeePerGas: "0x0" },
    "latest",
  );
  await refusedBy(
    geth,
    "tip above the fee",
    [-32000, -32003, -32602],
    "max priority fee per gas",
    "eth_call",
    { from: ADDRESSES[0], to: ADDRESSES[1], maxFeePerGas: "0x4a817c800", maxPriorityFeePerGas: "0x4a817c801" },
    "latest",
  );
}

async function submissions() {
  const chainId = await call("eth_chainId");
  const nonce = () => wallet.getNonce();
  const signed = async (change, by = wallet) =>
    new ethers.Wallet(by.privateKey).signTransaction({
      type: 2,
      chainId,
      to: ADDRESSES[1],
      value: 1n,
      gasLimit: 21_000n,
      maxFeePerGas: 20_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
      ...change,
    });
  const refuse = async (what, words, change, by) =>
    refused(
      what,
      [-32000, -32003],
      words,
      "eth_sendRawTransaction",
      await signed({ nonce: await nonce(), ...change }, by),
    );
  await refuse("nonce too low", "nonce too low", { nonce: 0 });
  await refuse(
    "insufficient funds",
    "insufficient funds for gas * price + value",
    { nonce: 0 },
    ethers.Wallet.createRandom(),
  );
  await refuse("intrinsic gas", "intrinsic gas too low", { gasLimit: 20_000n });
  await refuse("invalid chain id", "invalid chain id", { chainId: 999_999n });
  if (onCairn) await refuse("beyond the gas of a block or transaction", "gas limit", { gasLimit: 10n ** 12n });
  await task("already known", async () => {
    const raw = await signed({ nonce: (await nonce()) + 3 });
    await call("eth_sendRawTransaction", raw);
    const error = await rejects(() => call("eth_sendRawTransaction", raw));
    check(/already known|already imported/.test(error.message), error.message);
  });
  await refuse("replacement underpriced", "replacement transaction underpriced", {
    nonce: (await nonce()) + 3,
    value: 2n,
  });
  await refused("no transaction", [-32000, -32602, -32003], "", "eth_sendRawTransaction", "0x1234");
  await task("send and wait by the node", async () => {
    const raw = await signed({ nonce: await nonce() });
    equal((await call("eth_sendRawTransactionSync", raw)).transactionHash, ethers.keccak256(raw));
  });
}

(async () => {
  await transport();
  const made = await setUp();
  await reads(made);
  await calls(made);
  await submissions();
  await task("node is still there", () => until(() => call("eth_blockNumber"), "the number"));
  done();
})();
