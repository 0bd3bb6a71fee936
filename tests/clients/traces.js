// Filters, logs, traces, and parameters of the wrong type, as geth answers them. Plain calls.
"use strict";

const ethers = require("ethers");
const { onCairn, ADDRESSES, task, done, check, equal, rejects, call } = require("./lib/tasks");
const { wallet, setUp, geth, refused, refusedBy } = require("./lib/chain");

const hex = ethers.toQuantity;
const zero = ethers.ZeroHash;

async function filters({ token }) {
  await refused("unknown filter", [-32000, -32001], "filter not found", "eth_getFilterChanges", "0xdeadbeef");
  await task("uninstall an unknown filter", async () => equal(await call("eth_uninstallFilter", "0xdeadbeef"), false));
  await task("filter after it was uninstalled", async () => {
    const id = await call("eth_newBlockFilter");
    equal([await call("eth_getFilterChanges", id), await call("eth_uninstallFilter", id)], [[], true]);
    await rejects(() => call("eth_getFilterChanges", id));
  });
  await task("getFilterLogs of a block filter", async () => {
    await rejects(async () => call("eth_getFilterLogs", await call("eth_newBlockFilter")));
  });
  const range = (filter) => call("eth_getLogs", { address: token, ...filter });
  await task("topics", async () => {
    const transfer = ethers.id("Transfer(address,address,uint256)");
    const count = async (topics) => (await range({ fromBlock: "0x0", topics })).length;
    const to = ethers.zeroPadValue(ADDRESSES[1], 32);
    equal(
      [
        await count([]),
        await count([transfer]),
        await count([null, null, to]),
        await count([[zero, transfer], [], [to, zero]]),
        await count([zero]),
      ],
      [2, 2, 1, 1, 0],
    );
  });
  await task("no logs is an empty array", async () => equal(await range({ topics: [zero] }), []));
  await task("several addresses", async () =>
    equal((await call("eth_getLogs", { address: [token, ADDRESSES[3]], fromBlock: "earliest" })).length, 2),
  );
  await refused("reversed range", [-32602, -32000], onCairn ? "invalid block range" : "", "eth_getLogs", {
    fromBlock: "0x5",
    toBlock: "0x2",
  });
  await refused("block hash and range", -32602, "", "eth_getLogs", { fromBlock: "0x0", blockHash: zero });
  await refused("unknown block hash", [-32000, -32001], onCairn ? "unknown block" : "", "eth_getLogs", {
    blockHash: zero,
  });
  if (onCairn)
    await refused("five topics", -32602, "topics", "eth_getLogs", { topics: [zero, zero, zero, zero, zero] });
}

async function traces({ token, tokens, transfer }) {
  const trace = (options) => call("debug_traceTransaction", transfer.hash, options);
  const from = wallet.address.toLowerCase();
  await task(
    "struct logs",
    async () => {
      const { failed, structLogs } = await trace({});
      equal([failed, structLogs[0].pc, structLogs.at(-1).op], [false, 0, "RETURN"]);
    },
    geth,
  );
  await task("callTracer with logs", async () =>
    equal((await trace({ tracer: "callTracer", tracerConfig: { withLog: true } })).logs.length, 1),
  );
  await task("prestateTracer", async () =>
    check((await trace({ tracer: "prestateTracer" }))[from].balance, "no balance"),
  );
  await task("prestateTracer with a diff", async () => {
    const { pre, post: after } = await trace({ tracer: "prestateTracer", tracerConfig: { diffMode: true } });
    equal(Number(after[from].nonce) - Number(pre[from].nonce), 1);
  });
  await task("4byteTracer", async () => equal(await trace({ tracer: "4byteTracer" }), { "0xa9059cbb-64": 1 }));
  await task("noopTracer", async () => equal(await trace({ tracer: "noopTracer" }), {}));
  await task(
    "flatCallTracer",
    async () => {
      const [first] = await trace({ tracer: "flatCallTracer" });
      equal([first.type, first.action.to, first.transactionHash], ["call", token.toLowerCase(), transfer.hash]);
    },
    { only: "cairn" },
  );
  await task(
    "muxTracer",
    async () => {
      const found = await trace({ tracer: "muxTracer", tracerConfig: { callTracer: {}, "4byteTracer": {} } });
      equal(Object.keys(found).sort(), ["4byteTracer", "callTracer"]);
    },
    geth,
  );
  await task("unknown tracer", async () => check(await rejects(() => trace({ tracer: "nothingTracer" })), "traced"));
  await task("traceCall with state overrides", async () => {
    const asked = { from: `0x${"99".repeat(20)}`, to: token, data: tokens.encodeFunctionData("totalSupply") };
    const change = { [token]: { stateDiff: { [ethers.toBeHex(2, 32)]: ethers.toBeHex(7, 32) } } };
    equal(
      BigInt((await call("debug_traceCall", asked, "latest", { tracer: "callTracer", stateOverrides: change })).output),
      7n,
    );
  });
  await task("traces of a block", async () =>
    equal(
      (await call("debug_traceBlockByHash", transfer.blockHash, { tracer: "callTracer" })).map(({ txHash }) => txHash),
      [transfer.hash],
    ),
  );
  await task("trace_transaction and trace_block", async () => {
    equal((await call("trace_transaction", transfer.hash))[0].action.from, from);
    const found = await call("trace_block", hex(transfer.blockNumber));
    check(
      found.some(({ transactionHash }) => transactionHash === transfer.hash),
      "the transaction is missing",
    );
  });
  await task("trace_filter", async () => {
    const found = await call("trace_filter", {
      fromBlock: hex(transfer.blockNumber),
      toBlock: hex(transfer.blockNumber),
      toAddress: [token],
    });
    equal(
      found.map(({ transactionHash }) => transactionHash),
      [transfer.hash],
    );
  });
  await refusedBy(
    geth,
    "trace of an unknown transaction",
    [-32000, -32001],
    "not found",
    "debug_traceTransaction",
    zero,
    {},
  );
}

/// Parameters of the wrong type.
async function wrong() {
  const methods = {
    eth_getBalance: [5, "latest"],
    eth_getCode: ["0x12", "latest"],
    eth_getStorageAt: [ADDRESSES[0], "zz", "latest"],
    eth_getTransactionCount: [ADDRESSES[0], "newest"],
    eth_getBlockByNumber: ["latest", "yes"],
    eth_getBlockByHash: ["0x12", false],
    eth_call: ["0x12", "latest"],
    eth_estimateGas: [[]],
    eth_getLogs: ["all"],
    eth_getTransactionByHash: [7],
    eth_getTransactionReceipt: ["0x"],
    eth_feeHistory: ["many", "latest", []],
    eth_sendRawTransaction: ["zz"],
    eth_newFilter: [3],
    eth_getProof: [ADDRESSES[0], "keys", "latest"],
    eth_uninstallFilter: [[]],
    debug_traceTransaction: [5, {}],
    eth_simulateV1: ["x", "latest"],
    eth_createAccessList: [1, "latest"],
  };
  for (const [method, params] of Object.entries(methods))
    await refused(`wrong parameter of ${method}`, -32602, "", method, ...params);
}

(async () => {
  const made = await setUp();
  await filters(made);
  await traces(made);
  await wrong();
  done();
})();
