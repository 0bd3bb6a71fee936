// ethers 6.
"use strict";

const ethers = require("ethers");
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

const http = new ethers.JsonRpcProvider(url, undefined, { polling: true, pollingInterval: 100, cacheTimeout: -1 });
const wallet = new ethers.Wallet(KEYS[0], http);
const other = new ethers.Wallet(KEYS[1], http);
const POINT = { x: -5n, y: [1, 2], name: "here" };

const deployed = async (signer, artifact, ...given) => {
  const made = await new ethers.ContractFactory(artifact.abi, artifact.bytecode, signer).deploy(...given);
  return made.waitForDeployment();
};
const send = async (request, signer = wallet) => (await signer.sendTransaction(request)).wait();

async function reading() {
  await task("chain id", async () => check((await http.getNetwork()).chainId > 0n, "no chain id"));
  await task("balance", async () => check((await http.getBalance(wallet.address)) > 10n ** 18n, "no money"));
  await task("block number", async () => check((await http.getBlockNumber()) >= 0, "no block number"));
  await task("accounts of the node", async () => equal((await http.listAccounts())[0]?.address, ADDRESSES[0]));
  await task("block tags", async () => {
    for (const tag of ["earliest", "finalized", "safe", "latest", "pending"])
      check(await http.getBlock(tag), `no ${tag} block`);
  });
  await task("fee data", async () => {
    const fees = await http.getFeeData();
    check(fees.gasPrice > 0n && fees.maxFeePerGas > 0n && fees.maxPriorityFeePerGas >= 0n, "no fees");
  });
  await task("nothing for what is unknown", async () => {
    equal(await http.getTransaction(ethers.ZeroHash), null);
    equal(await http.getTransactionReceipt(ethers.ZeroHash), null);
    equal(await http.getBlock(ethers.ZeroHash), null);
    equal(await http.getBlock(1_000_000), null);
  });
}

async function sending() {
  const to = ethers.Wallet.createRandom().address;
  const fees = await http.getFeeData();
  for (const [what, type, extra] of [
    ["legacy", 0, { gasPrice: fees.gasPrice * 2n }],
    ["access list", 1, { gasPrice: fees.gasPrice * 2n, accessList: [{ address: to, storageKeys: [ethers.ZeroHash] }] }],
    ["1559", 2, {}],
  ]) {
    await task(`send ${what}`, async () => {
      const receipt = await send({ to, value: 1000n, type, ...extra });
      equal([receipt.status, receipt.type, (await http.getTransaction(receipt.hash)).type], [1, type, type]);
    });
  }
  await task("balance after", async () => equal(await http.getBalance(to), 3000n));
  await task("balance before", async () => equal(await http.getBalance(to, (await http.getBlockNumber()) - 1), 2000n));
  await task("signer of the node", async () => {
    const signer = await http.getSigner(ADDRESSES[2]);
    equal((await (await signer.sendTransaction({ to, value: 5n })).wait()).status, 1);
  });
  await task("personal_sign of the node", async () => {
    const signed = await (await http.getSigner(ADDRESSES[2])).signMessage("hello");
    equal(ethers.verifyMessage("hello", signed), ADDRESSES[2]);
  });
  await task("typed data of the node", async () => {
    const [domain, types, value] = [
      { name: "it", chainId: (await http.getNetwork()).chainId },
      { Mail: [{ name: "text", type: "string" }] },
      { text: "hi" },
    ];
    const signed = await (await http.getSigner(ADDRESSES[2])).signTypedData(domain, types, value);
    equal(ethers.verifyTypedData(domain, types, value, signed), ADDRESSES[2]);
  });
  await task("block with its transactions", async () => {
    const block = await http.getBlock("latest", true);
    check(
      block.prefetchedTransactions.length > 0 && block.prefetchedTransactions[0].hash === block.transactions[0],
      "no transactions",
    );
  });
  await task("wait for confirmations", async () => {
    const sent = await wallet.sendTransaction({ to, value: 1n });
    const waiting = sent.wait(3);
    await mine(2);
    check((await (await waiting).confirmations()) >= 3, "too few confirmations");
  });
}

async function contracts() {
  const probe = await task("deploy", () => deployed(wallet, contract("Probe")));
  const token = await task("deploy with arguments", () =>
    deployed(wallet, contract("Token"), "Stone", "STN", 10n ** 24n),
  );
  const multicall = await deployed(wallet, contract("Multicall"));
  await task("code", async () => check((await http.getCode(await probe.getAddress())).length > 100, "no code"));
  await task("call", async () => equal(await token.balanceOf(wallet.address), 10n ** 24n));
  await task("call with structs", async () => equal((await probe.echo([POINT], true))[1], false));
  await task("storage", async () => equal(BigInt(await http.getStorage(await token.getAddress(), 2)), 10n ** 24n));
  await task("estimate", async () =>
    check((await token.transfer.estimateGas(other.address, 1n)) > 21_000n, "too little gas"),
  );
  await task("static call", async () => equal(await token.transfer.staticCall(other.address, 1n), true));
  await task("block of a call", async () => equal((await probe.chain()).number, BigInt(await http.getBlockNumber())));
  await task("multicall", async () => {
    const target = await token.getAddress();
    const data = token.interface.encodeFunctionData("balanceOf", [wallet.address]);
    const calls = [
      { target, allowFailure: false, callData: data },
      { target, allowFailure: true, callData: "0x12345678" },
    ];
    const results = await multicall.aggregate3.staticCall(calls);
    equal(
      [results[0].success, results[1].success, await multicall.getBlockNumber()],
      [true, false, BigInt(await http.getBlockNumber())],
    );
  });
  await task("permit by typed data", async () => {
    const [domainName, verifyingContract] = ["Stone", await token.getAddress()];
    const { chainId } = await http.getNetwork();
    const domain = { name: domainName, version: "1", chainId, verifyingContract };
    const fields = ["owner address", "spender address", "value uint256", "nonce uint256", "deadline uint256"];
    const types = { Permit: fields.map((field) => ({ name: field.split(" ")[0], type: field.split(" ")[1] })) };
    const value = { owner: wallet.address, spender: other.address, value: 7n, nonce: 0n, deadline: 2n ** 40n };
    const { v, r, s } = ethers.Signature.from(await wallet.signTypedData(domain, types, value));
    await (await token.permit(value.owner, value.spender, value.value, value.deadline, v, r, s)).wait();
    equal(await token.allowance(wallet.address, other.address), 7n);
  });
  await task("send 7702", async () => {
    const address = await probe.getAddress();
    const authorization = await other.authorize({ address, nonce: await other.getNonce() });
    const receipt = await send({
      type: 4,
      to: other.address,
      data: probe.interface.encodeFunctionData("work", [1]),
      authorizationList: [authorization],
    });
    equal(
      [receipt.status, receipt.type, await http.getCode(other.address)],
      [1, 4, `0xef0100${address.slice(2).toLowerCase()}`],
    );
  });
  return { probe, token };
}

async function logs({ probe, token }) {
  const sent = [];
  for (let value = 1n; value <= 3n; value += 1n) sent.push(await (await token.transfer(other.address, value)).wait());
  await task("logs of a receipt", async () => equal(sent[0].logs[0].args.value, 1n));
  await task("queryFilter", async () => {
    const found = await token.queryFilter(token.filters.Transfer(null, other.address), 0);
    equal(
      found.map((event) => event.args.value),
      [1n, 2n, 3n],
    );
  });
  await task("getLogs", async () => {
    const found = await http.getLogs({
      address: await token.getAddress(),
      fromBlock: sent[1].blockNumber,
      toBlock: "latest",
    });
    equal(
      found.map((log) => [log.transactionHash, log.removed]),
      [
        [sent[1].hash, false],
        [sent[2].hash, false],
      ],
    );
  });
  await task("getLogs of a block", async () => equal((await http.getLogs({ blockHash: sent[2].blockHash })).length, 1));
  await task("queryFilter of an indexed string", async () => {
    await (await probe.say("topic", POINT, "0x1234")).wait();
    const [event] = await probe.queryFilter(probe.filters.Said("topic"));
    equal([event.args.point.name, event.args.data], ["here", "0x1234"]);
  });
  await task("contract.on", async () => {
    const heard = [];
    await token.on("Transfer", (from, to, value) => heard.push(value));
    await sleep(300);
    await (await token.transfer(other.address, 44n)).wait();
    await until(() => heard.includes(44n), "the event");
    await token.off("Transfer");
  });
  await task("provider.on block", async () => {
    const heard = [];
    await http.on("block", (number) => heard.push(number));
    await sleep(300);
    await mine(2);
    const tip = await http.getBlockNumber();
    await until(() => heard.includes(tip) && heard.includes(tip - 1), "both blocks");
    await http.off("block");
  });
  await task("provider.on pending", async () => {
    const heard = [];
    await http.on("pending", (hash) => heard.push(hash));
    await sleep(500);
    const { hash } = await send({ to: ADDRESSES[3], value: 3n });
    await until(() => heard.includes(hash), "the transaction");
    await http.off("pending");
  });
}

async function sockets({ token }) {
  const socket = new ethers.WebSocketProvider(ws, undefined, { cacheTimeout: -1 });
  const heard = { blocks: [], pending: [], transfers: [] };
  const overSocket = token.connect(socket);
  await task("ws connect", async () => check((await socket.getNetwork()).chainId > 0n, "no chain id"));
  await task("ws subscribe", async () => {
    await socket.on("block", (number) => heard.blocks.push(number));
    await socket.on("pending", (hash) => heard.pending.push(hash));
    await overSocket.on("Transfer", (from, to, value) => heard.transfers.push(value));
    await sleep(400);
  });
  const receipt = await (await token.transfer(other.address, 77n)).wait();
  await task("ws new heads", () => until(() => heard.blocks.includes(receipt.blockNumber), "the block"));
  await task("ws pending", () => until(() => heard.pending.includes(receipt.hash), "the transaction"));
  await task("ws logs", () => until(() => heard.transfers.includes(77n), "the event"));
  await task("ws waitForDeployment", async () => {
    const made = await deployed(new ethers.Wallet(KEYS[0], socket), contract("Probe"));
    check((await socket.getCode(await made.getAddress())).length > 100, "no code");
  });
  await task("ws waitForDeployment on a chain that is mined", async () => {
    await call("evm_setAutomine", false);
    const pace = setInterval(() => mine().catch(() => {}), 400);
    try {
      const made = await deployed(new ethers.Wallet(KEYS[0], socket), contract("Probe"));
      check((await made.deploymentTransaction().wait(3)).status === 1, "failed");
    } finally {
      clearInterval(pace);
      await call("evm_setAutomine", true);
    }
  });
  await task("ws reads", async () => check((await socket.getBalance(wallet.address)) > 0n, "no money"));
  await socket.destroy();
}

async function special({ probe, token }) {
  const address = await token.getAddress();
  const data = token.interface.encodeFunctionData("balanceOf", [wallet.address]);
  const latest = () => http.getBlockNumber();
  await task("getProof", async () => {
    const proof = await http.send("eth_getProof", [
      address,
      [ethers.toBeHex(2, 32)],
      ethers.toQuantity((await latest()) - 1),
    ]);
    check(proof.accountProof.length > 0 && BigInt(proof.storageProof[0].value) === 10n ** 24n, "no proof");
  });
  await task("state override", async () => {
    const stateDiff = { [ethers.toBeHex(2, 32)]: ethers.toBeHex(9, 32) };
    const supply = token.interface.encodeFunctionData("totalSupply");
    equal(
      BigInt(await http.send("eth_call", [{ to: address, data: supply }, "latest", { [address]: { stateDiff } }])),
      9n,
    );
  });
  await task("block override", async () => {
    const call = { to: await probe.getAddress(), data: probe.interface.encodeFunctionData("chain") };
    const result = await http.send("eth_call", [call, "latest", {}, { number: "0x4d2", time: "0xffffffff" }]);
    equal([...probe.interface.decodeFunctionResult("chain", result)].slice(1, 3), [1234n, 4294967295n]);
  });
  await task("access list", async () => {
    const { accessList, gasUsed } = await http.send("eth_createAccessList", [
      { from: wallet.address, to: address, data },
      "latest",
    ]);
    check(accessList.length === 1 && accessList[0].storageKeys.length === 1 && BigInt(gasUsed) > 21_000n, "no keys");
  });
  await task("simulate", async () => {
    const calls = [
      { from: wallet.address, to: address, data: token.interface.encodeFunctionData("transfer", [other.address, 5n]) },
    ];
    const [block] = await http.send("eth_simulateV1", [{ blockStateCalls: [{ calls }] }, "latest"]);
    equal([block.calls[0].status, block.calls[0].logs.length], ["0x1", 1]);
  });
  await task("fee history", async () =>
    equal((await http.send("eth_feeHistory", ["0x2", "latest", [50]])).reward.length, 2),
  );
  await task("traces", async () => {
    const { hash } = await (await token.transfer(other.address, 1n)).wait();
    const calls = await http.send("debug_traceTransaction", [hash, { tracer: "callTracer" }]);
    const before = await http.send("debug_traceTransaction", [hash, { tracer: "prestateTracer" }]);
    check(calls.to.toLowerCase() === address.toLowerCase() && address.toLowerCase() in before, "wrong trace");
  });
}

async function refusals({ probe }) {
  const broke = ethers.Wallet.createRandom().connect(http);
  const { maxFeePerGas } = await http.getFeeData();
  const signed = { gasLimit: 21_000n, maxFeePerGas, maxPriorityFeePerGas: 1n, type: 2, to: other.address };
  const code = async (action) => (await rejects(action)).code;
  await task("INSUFFICIENT_FUNDS", async () =>
    equal(await code(() => broke.sendTransaction({ ...signed, value: 1n, nonce: 0 })), "INSUFFICIENT_FUNDS"),
  );
  await task("INSUFFICIENT_FUNDS of an estimate", async () =>
    equal(await code(() => broke.sendTransaction({ to: other.address, value: 1n })), "INSUFFICIENT_FUNDS"),
  );
  await task("NONCE_EXPIRED", async () =>
    equal(await code(() => wallet.sendTransaction({ ...signed, nonce: 0 })), "NONCE_EXPIRED"),
  );
  await task("REPLACEMENT_UNDERPRICED", async () => {
    const nonce = (await wallet.getNonce()) + 5;
    await wallet.sendTransaction({ ...signed, nonce, value: 1n });
    equal(await code(() => wallet.sendTransaction({ ...signed, nonce, value: 2n })), "REPLACEMENT_UNDERPRICED");
  });
  await task("CALL_EXCEPTION with a reason", async () =>
    equal((await rejects(() => probe.failWith("too late"))).reason, "too late"),
  );
  await task("CALL_EXCEPTION with a custom error", async () => {
    const error = await rejects(() => probe.failCustom(3n, POINT));
    equal([error.code, error.revert?.name, error.revert?.args[0]], ["CALL_EXCEPTION", "Wrong", 3n]);
  });
  await task("CALL_EXCEPTION with a panic", async () => {
    const error = await rejects(() => probe.divide(1n, 0n));
    equal([error.code, error.revert?.name, Number(error.revert?.args[0])], ["CALL_EXCEPTION", "Panic", 18]);
  });
  await task("CALL_EXCEPTION of an estimate", async () =>
    equal(await code(() => probe.failCustom.estimateGas(3n, POINT)), "CALL_EXCEPTION"),
  );
  await task("CALL_EXCEPTION of a receipt", async () => {
    const sent = await wallet.sendTransaction({ to: await probe.getAddress(), data: "0x12345678", gasLimit: 100_000n });
    equal(await code(() => sent.wait()), "CALL_EXCEPTION");
  });
}

async function many() {
  await task("batch of 100", async () => {
    const batched = new ethers.JsonRpcProvider(url, undefined, { batchMaxCount: 100, batchStallTime: 20 });
    const found = await Promise.all(Array.from({ length: 100 }, () => batched.getBalance(wallet.address)));
    check(
      found.every((balance) => balance === found[0]),
      "different balances",
    );
  });
  await task("300 reads at once", async () => {
    const single = new ethers.JsonRpcProvider(url, undefined, { batchMaxCount: 1, cacheTimeout: -1 });
    const found = await Promise.all(
      Array.from({ length: 300 }, (_, at) => single.getBalance(ethers.toBeHex(at + 1, 20))),
    );
    equal(found.length, 300);
  });
}

(async () => {
  await reading();
  await sending();
  const made = await contracts();
  await logs(made);
  await sockets(made);
  await special(made);
  await refusals(made);
  await many();
  done();
})();
