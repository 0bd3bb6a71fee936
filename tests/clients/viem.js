// viem 2.
"use strict";

const viem = require("viem");
const { privateKeyToAccount, generatePrivateKey } = require("viem/accounts");
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
  rejects,
  until,
  sleep,
  call,
  mine,
} = require("./lib/tasks");

const account = privateKeyToAccount(KEYS[0]);
const other = privateKeyToAccount(KEYS[1]);
const fresh = () => privateKeyToAccount(generatePrivateKey());
const POINT = { x: -5n, y: [1, 2], name: "here" };
const artifacts = { probe: contract("Probe"), token: contract("Token"), multicall: contract("Multicall") };

let chain;
let node;
let wallet;

async function connect() {
  const id = await viem.createPublicClient({ transport: viem.http(url) }).getChainId();
  chain = viem.defineChain({
    id,
    name: "Cairn",
    nativeCurrency: { name: "CRN", symbol: "CRN", decimals: 18 },
    rpcUrls: { default: { http: [url] } },
  });
  node = viem.createPublicClient({ chain, transport: viem.http(url), pollingInterval: 100, cacheTime: 0 });
  wallet = viem.createWalletClient({ chain, account, transport: viem.http(url) });
}

const mined = (hash) => node.waitForTransactionReceipt({ hash });
async function deploy({ abi, bytecode }, args = []) {
  const receipt = await mined(await wallet.deployContract({ abi, bytecode, args }));
  return { address: receipt.contractAddress, abi };
}
const read = (of, functionName, args = []) => node.readContract({ ...of, functionName, args });
const write = async (of, functionName, args = []) => mined(await wallet.writeContract({ ...of, functionName, args }));

async function reading() {
  await task("balance", async () => check((await node.getBalance(account)) > 10n ** 18n, "no money"));
  await task("blocks", async () => {
    for (const blockTag of ["earliest", "finalized", "safe", "latest", "pending"])
      check(await node.getBlock({ blockTag }), `no ${blockTag} block`);
  });
  await task("unknown block", async () =>
    equal((await rejects(() => node.getBlock({ blockNumber: 1_000_000n }))).name, "BlockNotFoundError"),
  );
  await task("unknown transaction", async () =>
    equal((await rejects(() => node.getTransaction({ hash: viem.zeroHash }))).name, "TransactionNotFoundError"),
  );
  await task("gas price", async () => check((await node.getGasPrice()) > 0n, "no price"));
  await task("fees per gas", async () => check((await node.estimateFeesPerGas()).maxFeePerGas > 0n, "no price"));
  await task("fee history", async () =>
    equal((await node.getFeeHistory({ blockCount: 1, rewardPercentiles: [25, 75] })).reward[0].length, 2),
  );
  await task("fee history without percentiles", async () => {
    const { reward, gasUsedRatio } = await node.getFeeHistory({ blockCount: 1, rewardPercentiles: [] });
    equal([reward ?? [], gasUsedRatio.length], [[], 1]);
  });
  await task("blob base fee", async () => check((await node.getBlobBaseFee()) >= 0n, "no fee"));
  await task("accounts of the node", async () => equal((await wallet.getAddresses())[0], ADDRESSES[0]));
}

async function sending() {
  const to = fresh().address;
  const gasPrice = (await node.getGasPrice()) * 2n;
  const accessList = [{ address: to, storageKeys: [viem.zeroHash] }];
  for (const [type, extra] of [
    ["legacy", { gasPrice }],
    ["eip2930", { gasPrice, accessList }],
    ["eip1559", {}],
  ]) {
    await task(`send ${type}`, async () => {
      const receipt = await mined(await wallet.sendTransaction({ to, value: 1000n, type, ...extra }));
      equal([receipt.status, receipt.type], ["success", type]);
    });
  }
  await task("balance at a block", async () => {
    const blockNumber = (await node.getBlockNumber()) - 1n;
    equal(
      [await node.getBalance({ address: to }), await node.getBalance({ address: to, blockNumber })],
      [3000n, 2000n],
    );
  });
  await task("send raw and wait", async () => {
    const request = await wallet.prepareTransactionRequest({ to, value: 1n });
    const receipt = await node.sendRawTransactionSync({ serializedTransaction: await wallet.signTransaction(request) });
    equal(receipt.status, "success");
  });
  await task("sender with a small balance", async () => {
    const poor = fresh();
    await mined(await wallet.sendTransaction({ to: poor.address, value: viem.parseEther("0.005") }));
    const client = viem.createWalletClient({ chain, account: poor, transport: viem.http(url) });
    equal((await mined(await client.sendTransaction({ to, value: 1000n }))).status, "success");
  });
  await task("account of the node", async () => {
    const client = viem.createWalletClient({ chain, account: ADDRESSES[2], transport: viem.http(url) });
    equal((await mined(await client.sendTransaction({ to, value: 5n }))).status, "success");
    const signature = await client.signMessage({ message: "hello" });
    check(await viem.verifyMessage({ address: ADDRESSES[2], message: "hello", signature }), "wrong signature");
  });
  await task("requestAddresses", async () => equal((await wallet.requestAddresses())[0], ADDRESSES[0]));
  await task("transaction by sender and nonce", async () => {
    const client = viem.createWalletClient({ chain, account: ADDRESSES[2], transport: viem.http(url) });
    const { hash, nonce } = await node.getTransaction({ hash: await client.sendTransaction({ to, value: 5n }) });
    equal((await node.getTransaction({ sender: ADDRESSES[2], nonce })).hash, hash);
  });
  await task("send without a signature", async () => {
    const test = viem.createTestClient({ chain, mode: "anvil", transport: viem.http(url) });
    const from = fresh().address;
    await test.setBalance({ address: from, value: 10n ** 18n });
    const hash = await test.sendUnsignedTransaction({ from, to, value: 7n });
    const receipt = await mined(hash);
    equal([receipt.status, receipt.from], ["success", from.toLowerCase()]);
  });
  await task("typed data of the node", async () => {
    const client = viem.createWalletClient({ chain, account: ADDRESSES[2], transport: viem.http(url) });
    const data = {
      domain: { name: "it", chainId: chain.id },
      types: { Mail: [{ name: "text", type: "string" }] },
      primaryType: "Mail",
      message: { text: "hi" },
    };
    check(
      await viem.verifyTypedData({ ...data, address: ADDRESSES[2], signature: await client.signTypedData(data) }),
      "wrong signature",
    );
  });
  await task("wait for confirmations", async () => {
    const waiting = node.waitForTransactionReceipt({
      hash: await wallet.sendTransaction({ to, value: 1n }),
      confirmations: 3,
    });
    await mine(2);
    equal((await waiting).status, "success");
  });
  await task("nonces", async () => {
    const nonce = await node.getTransactionCount({ address: account.address });
    equal(await node.getTransactionCount({ address: account.address, blockTag: "pending" }), nonce);
  });
}

async function contracts() {
  const probe = await task("deploy", () => deploy(artifacts.probe));
  const token = await task("deploy with arguments", () => deploy(artifacts.token, ["Stone", "STN", 10n ** 24n]));
  const multicall = await deploy(artifacts.multicall);
  await task("read", async () => equal(await read(token, "balanceOf", [account.address]), 10n ** 24n));
  await task("read with structs", async () => equal(await read(probe, "echo", [[POINT], false]), [[POINT], true]));
  await task("write", async () => equal((await write(token, "transfer", [other.address, 1n])).logs.length, 1));
  await task("simulate a write", async () => {
    const { result } = await node.simulateContract({
      ...token,
      account,
      functionName: "transfer",
      args: [other.address, 1n],
    });
    equal(result, true);
  });
  await task("estimate", async () => {
    const gas = await node.estimateContractGas({
      ...token,
      account: account.address,
      functionName: "transfer",
      args: [other.address, 1n],
    });
    check(gas > 21_000n && gas < 100_000n, `gas ${gas}`);
  });
  await task("multicall", async () => {
    const calls = [
      { ...token, functionName: "name" },
      { ...token, functionName: "symbol" },
      { ...probe, functionName: "divide", args: [1n, 0n] },
    ];
    const found = await node.multicall({ contracts: calls, multicallAddress: multicall.address });
    equal(
      found.map(({ status }) => status),
      ["success", "success", "failure"],
    );
  });
  await task("multicall without a contract", async () => {
    const calls = [
      { ...token, functionName: "name" },
      { ...token, functionName: "totalSupply" },
    ];
    const found = await node.multicall({ contracts: calls, allowFailure: false, deployless: true });
    equal(found, ["Stone", 10n ** 24n]);
  });
  await task("call without deployment", async () => {
    const data = viem.encodeFunctionData({ abi: probe.abi, functionName: "divide", args: [8n, 2n] });
    equal(BigInt((await node.call({ code: artifacts.probe.bytecode, data })).data), 4n);
  });
  await task("storage", async () =>
    equal(BigInt(await node.getStorageAt({ address: token.address, slot: "0x2" })), 10n ** 24n),
  );
  await task("proof", async () => {
    const blockNumber = (await node.getBlockNumber()) - 1n;
    equal(
      (await node.getProof({ address: token.address, storageKeys: [viem.pad("0x2")], blockNumber })).storageProof[0]
        .value,
      10n ** 24n,
    );
  });
  await task("eip712Domain", async () =>
    equal((await node.getEip712Domain({ address: token.address })).domain.name, "Stone"),
  );
  await task("verify a signature", async () => {
    const signature = await account.signMessage({ message: "mine" });
    equal(await node.verifyMessage({ address: account.address, message: "mine", signature }), true);
  });
  await task("send eip7702", async () => {
    const authorization = await wallet.signAuthorization({ account: other, contractAddress: probe.address });
    const data = viem.encodeFunctionData({ abi: probe.abi, functionName: "work", args: [1n] });
    const receipt = await mined(
      await wallet.sendTransaction({ to: other.address, data, authorizationList: [authorization] }),
    );
    equal([receipt.status, receipt.type], ["success", "eip7702"]);
    equal(await node.getDelegation({ address: other.address }), viem.getAddress(probe.address));
  });
  return { probe, token };
}

async function logs({ token }) {
  const before = await node.getBlockNumber();
  for (const value of [1n, 2n, 3n]) await write(token, "transfer", [ADDRESSES[3], value]);
  const filter = { ...token, eventName: "Transfer", args: { to: ADDRESSES[3] } };
  await task("getContractEvents", async () => {
    const found = await node.getContractEvents({ ...filter, fromBlock: 0n });
    equal(
      found.map(({ args }) => args.value),
      [1n, 2n, 3n],
    );
  });
  await task("getLogs", async () =>
    equal((await node.getLogs({ address: token.address, fromBlock: before + 2n })).length, 2),
  );
  await task("filter of events", async () => {
    const made = await node.createContractEventFilter({ ...filter, fromBlock: before });
    equal((await node.getFilterLogs({ filter: made })).length, 3);
    await node.getFilterChanges({ filter: made });
    await write(token, "transfer", [ADDRESSES[3], 4n]);
    equal(
      (await node.getFilterChanges({ filter: made })).map(({ args }) => args.value),
      [4n],
    );
    check(await node.uninstallFilter({ filter: made }), "it was not there");
  });
  await task("filter of blocks", async () => {
    const made = await node.createBlockFilter();
    await mine(2);
    equal((await node.getFilterChanges({ filter: made })).length, 2);
  });
  await task("filter of pending transactions", async () => {
    const made = await node.createPendingTransactionFilter();
    const hash = await wallet.sendTransaction({ to: ADDRESSES[3], value: 1n });
    check((await node.getFilterChanges({ filter: made })).includes(hash), "the transaction is missing");
  });
}

async function watching(client, over, { token }) {
  const heard = { events: [], blocks: [], pending: [] };
  const stop = [];
  await task(`${over} watch`, async () => {
    const onError = (error) => (heard.error ??= error);
    stop.push(
      client.watchContractEvent({
        ...token,
        eventName: "Transfer",
        onLogs: (found) => heard.events.push(...found),
        onError,
      }),
    );
    stop.push(client.watchBlocks({ onBlock: ({ number }) => heard.blocks.push(number), onError }));
    stop.push(client.watchPendingTransactions({ onTransactions: (hashes) => heard.pending.push(...hashes), onError }));
    await sleep(500);
    if (heard.error) throw heard.error;
  });
  const receipt = await write(token, "transfer", [ADDRESSES[3], 99n]);
  await task(`${over} watchContractEvent`, () =>
    until(() => heard.events.some(({ args }) => args.value === 99n), "the event"),
  );
  await task(`${over} watchBlocks`, () => until(() => heard.blocks.includes(receipt.blockNumber), "the block"));
  await task(`${over} watchPendingTransactions`, () =>
    until(() => heard.pending.includes(receipt.transactionHash), "the transaction"),
  );
  for (const end of stop) end();
}

async function special({ probe, token }) {
  const chainData = viem.encodeFunctionData({ abi: probe.abi, functionName: "chain" });
  await task("state override", async () => {
    const stateOverride = [{ address: token.address, stateDiff: [{ slot: viem.pad("0x2"), value: viem.pad("0x9") }] }];
    equal(await node.readContract({ ...token, functionName: "totalSupply", stateOverride }), 9n);
  });
  await task("override of code and balance", async () => {
    const address = fresh().address;
    const stateOverride = [{ address, code: await node.getCode(probe), balance: 5n }];
    equal(
      await node.readContract({ address, abi: probe.abi, functionName: "divide", args: [6n, 2n], stateOverride }),
      3n,
    );
  });
  await task("block override", async () => {
    const { data } = await node.call({
      to: probe.address,
      data: chainData,
      blockOverrides: { number: 1234n, time: 4294967295n },
    });
    equal(viem.decodeFunctionResult({ abi: probe.abi, functionName: "chain", data }).slice(1, 3), [1234n, 4294967295n]);
  });
  await task("access list", async () => {
    const data = viem.encodeFunctionData({ abi: token.abi, functionName: "transfer", args: [other.address, 1n] });
    const { accessList, gasUsed } = await node.createAccessList({ account: account.address, to: token.address, data });
    check(accessList.length === 1 && accessList[0].storageKeys.length === 2 && gasUsed > 21_000n, "wrong list");
  });
  await task("simulateCalls", async () => {
    const calls = [
      { to: ADDRESSES[3], value: 7n },
      { to: token.address, abi: token.abi, functionName: "transfer", args: [other.address, 2n] },
    ];
    const { results } = await node.simulateCalls({ account: account.address, calls });
    equal(
      results.map(({ status }) => status),
      ["success", "success"],
    );
  });
  await task("simulateCalls with asset changes", async () => {
    const calls = [{ to: ADDRESSES[3], value: 7n }];
    const { assetChanges } = await node.simulateCalls({ account: account.address, calls, traceAssetChanges: true });
    equal(
      assetChanges.map(({ value }) => value.diff),
      [-7n],
    );
  });
  await task("simulateBlocks", async () => {
    const stateOverrides = [{ address: ADDRESSES[3], balance: viem.parseEther("3") }];
    const calls = [{ account: ADDRESSES[3], to: ADDRESSES[2], value: 1n }];
    const [found] = await node.simulateBlocks({
      blocks: [{ blockOverrides: { baseFeePerGas: 10n }, stateOverrides, calls }],
    });
    equal([found.calls[0].status, found.baseFeePerGas], ["success", 10n]);
  });
}

async function refusals({ probe }) {
  const poor = viem.createWalletClient({ chain, account: fresh(), transport: viem.http(url) });
  const walk = (error, name) => Boolean(error.walk?.((inner) => inner?.name === name));
  const refused = (what, name, action) =>
    task(what, async () => {
      const error = await rejects(action);
      check(walk(error, name), `not recognised as ${name}: ${error.details ?? error.message}`);
    });
  const transfer = { to: ADDRESSES[3], value: 1n, gas: 21_000n };
  await refused("InsufficientFunds", "InsufficientFundsError", () => poor.sendTransaction({ ...transfer, nonce: 0 }));
  await refused("InsufficientFunds of an estimate", "InsufficientFundsError", () =>
    poor.sendTransaction({ to: ADDRESSES[3], value: 1n }),
  );
  await refused("NonceTooLow", "NonceTooLowError", () => wallet.sendTransaction({ ...transfer, nonce: 0 }));
  await refused("IntrinsicGasTooLow", "IntrinsicGasTooLowError", () =>
    wallet.sendTransaction({ ...transfer, gas: 20_000n }),
  );
  await refused("FeeCapTooLow", "FeeCapTooLowError", () =>
    node.call({ account: account.address, to: ADDRESSES[3], maxFeePerGas: 1n, maxPriorityFeePerGas: 0n }),
  );
  const run = (functionName, args) => () => read(probe, functionName, args);
  await task("revert with a reason", async () => {
    const error = await rejects(run("failWith", ["too late"]));
    equal(error.walk(({ name }) => name === "ContractFunctionRevertedError")?.reason, "too late");
  });
  await task("custom error", async () => {
    const found = (await rejects(run("failCustom", [3n, POINT]))).walk(
      ({ name }) => name === "ContractFunctionRevertedError",
    );
    equal([found.data?.errorName, found.data?.args], ["Wrong", [3n, POINT]]);
  });
  await task("panic", async () => {
    const found = (await rejects(run("divide", [1n, 0n]))).walk(({ name }) => name === "ContractFunctionRevertedError");
    equal([found.data?.errorName, found.data?.args], ["Panic", [18n]]);
  });
  await task("revert without data", async () =>
    check((await rejects(run("failSilently"))).message.includes("reverted"), "wrong words"),
  );
  await refused("revert of an estimate", "ContractFunctionRevertedError", () =>
    wallet.writeContract({ ...probe, functionName: "failCustom", args: [3n, POINT] }),
  );
}

async function many() {
  await task("batch of 150", async () => {
    const client = viem.createPublicClient({
      chain,
      transport: viem.http(url, { batch: { batchSize: 150, wait: 20 } }),
    });
    const found = await Promise.all(
      Array.from({ length: 150 }, (_, at) =>
        client.getBalance({ address: viem.pad(viem.toHex(at + 1), { size: 20 }) }),
      ),
    );
    equal(found.length, 150);
  });
  await task("300 reads at once", async () => {
    const client = viem.createPublicClient({ chain, transport: viem.http(url, { retryCount: 0 }) });
    const found = await Promise.all(
      Array.from({ length: 300 }, (_, at) =>
        client.getBalance({ address: viem.pad(viem.toHex(at + 1), { size: 20 }) }),
      ),
    );
    equal(found.length, 300);
  });
}

(async () => {
  await task("connect", connect);
  await reading();
  await sending();
  const made = await contracts();
  await logs(made);
  await watching(node, "http", made);
  await watching(viem.createPublicClient({ chain, transport: viem.webSocket(ws) }), "ws", made);
  await special(made);
  await refusals(made);
  await many();
  await task("node is still there", async () => check(await call("eth_blockNumber"), "no number"));
  done();
})();
