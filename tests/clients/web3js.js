// web3.js 4.
"use strict";

const { Web3 } = require("web3");
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
  call,
  mine,
} = require("./lib/tasks");

const web3 = new Web3(url);
web3.eth.transactionPollingInterval = 100;
const account = web3.eth.accounts.wallet.add(KEYS[0])[0];
const from = account.address;
const POINT = { x: -5n, y: [1, 2], name: "here" };

async function deploy(artifact, args = []) {
  const made = new web3.eth.Contract(artifact.abi);
  made.handleRevert = true;
  return made.deploy({ data: artifact.bytecode, arguments: args }).send({ from });
}

async function reading() {
  await task("chain id", async () => check((await web3.eth.getChainId()) > 0n, "no chain id"));
  await task("net_version", async () => equal(await web3.eth.net.getId(), await web3.eth.getChainId()));
  await task("net_listening", async () => equal(await web3.eth.net.isListening(), true));
  await task("peers", async () => check((await web3.eth.net.getPeerCount()) >= 0n, "no count"));
  await task("client version", async () => check((await web3.eth.getNodeInfo()).length > 3, "no version"));
  await task("syncing", async () => equal(await web3.eth.isSyncing(), false));
  await task("accounts", async () => equal((await web3.eth.getAccounts())[0], ADDRESSES[0]));
  await task("balance", async () => check((await web3.eth.getBalance(from)) > 10n ** 18n, "no money"));
  await task("gas price", async () => check((await web3.eth.getGasPrice()) > 0n, "no price"));
  await task("fee history", async () =>
    check((await web3.eth.getFeeHistory(1, "latest", [50])).baseFeePerGas.length === 2, "wrong length"),
  );
  await task("block", async () => check((await web3.eth.getBlock("latest", true)).hash, "no block"));
  await task("uncles", async () => equal(await web3.eth.getBlockUncleCount("latest"), 0n));
  await task("unknown block", async () => equal(await web3.eth.getBlock(1_000_000), null));
}

async function sending() {
  const to = web3.eth.accounts.create().address;
  const gasPrice = (await web3.eth.getGasPrice()) * 2n;
  for (const [what, extra] of [
    ["legacy", { type: 0, gasPrice }],
    ["access list", { type: 1, gasPrice, accessList: [{ address: to, storageKeys: [] }] }],
    ["1559", { type: 2 }],
  ]) {
    await task(`send ${what}`, async () => {
      const receipt = await web3.eth.sendTransaction({
        from,
        to,
        value: 1000n,
        gas: 21_000n + (what === "access list" ? 2_400n : 0n),
        ...extra,
      });
      equal([receipt.status, receipt.type], [1n, BigInt(extra.type)]);
    });
  }
  await task("send without gas", async () =>
    equal((await web3.eth.sendTransaction({ from, to, value: 1000n })).status, 1n),
  );
  await task("send with a small balance", async () => {
    const poor = web3.eth.accounts.wallet.add(web3.eth.accounts.create())[1];
    await web3.eth.sendTransaction({ from, to: poor.address, value: 5n * 10n ** 15n });
    equal((await web3.eth.sendTransaction({ from: poor.address, to, value: 1000n })).status, 1n);
  });
  await task("send signed", async () => {
    const signed = await account.signTransaction({
      to,
      value: 1n,
      gas: 21_000n,
      gasPrice,
      nonce: await web3.eth.getTransactionCount(from),
      chainId: await web3.eth.getChainId(),
    });
    equal((await web3.eth.sendSignedTransaction(signed.rawTransaction)).status, 1n);
  });
  await task("send from the node's account", async () => {
    const bare = new Web3(url);
    equal((await bare.eth.sendTransaction({ from: ADDRESSES[2], to, value: 1n })).status, 1n);
  });
  await task("transaction and receipt", async () => {
    const { transactionHash } = await web3.eth.sendTransaction({ from, to, value: 1n });
    equal((await web3.eth.getTransaction(transactionHash)).hash, transactionHash);
    equal((await web3.eth.getTransactionReceipt(transactionHash)).transactionHash, transactionHash);
  });
  await task("typed data of the node", async () => {
    const domain = { name: "it", chainId: Number(await web3.eth.getChainId()) };
    const types = {
      EIP712Domain: [
        { name: "name", type: "string" },
        { name: "chainId", type: "uint256" },
      ],
      Mail: [{ name: "text", type: "string" }],
    };
    const bare = new Web3(url);
    equal(
      (await bare.eth.signTypedData(ADDRESSES[2], { domain, types, primaryType: "Mail", message: { text: "hi" } }))
        .length,
      132,
    );
  });
}

async function contracts() {
  const token = await task("deploy", () => deploy(contract("Token"), ["Stone", "STN", 10n ** 24n]));
  const probe = await deploy(contract("Probe"));
  const address = token.options.address;
  await task("code", async () => check((await web3.eth.getCode(address)).length > 100, "no code"));
  await task("storage", async () => equal(BigInt(await web3.eth.getStorageAt(address, 2)), 10n ** 24n));
  await task("call", async () => equal(await token.methods.balanceOf(from).call(), 10n ** 24n));
  await task("call with structs", async () => equal((await probe.methods.echo([POINT], true).call())[1], false));
  await task("estimate", async () =>
    check((await token.methods.transfer(ADDRESSES[3], 1n).estimateGas({ from })) > 21_000n, "too little"),
  );
  await task("write", async () =>
    equal((await token.methods.transfer(ADDRESSES[3], 1n).send({ from })).events.Transfer.returnValues.value, 1n),
  );
  await task("access list", async () => {
    const data = token.methods.transfer(ADDRESSES[3], 1n).encodeABI();
    check((await web3.eth.createAccessList({ from, to: address, data })).accessList.length === 1, "no list");
  });
  await task("proof", async () =>
    equal(
      (await web3.eth.getProof(address, [`0x${"2".padStart(64, "0")}`], "latest")).storageProof[0].value,
      10n ** 24n,
    ),
  );
  await task("getPastEvents", async () =>
    equal((await token.getPastEvents("Transfer", { filter: { to: ADDRESSES[3] }, fromBlock: 0 })).length, 1),
  );
  await task("getPastLogs", async () =>
    equal((await web3.eth.getPastLogs({ address, fromBlock: 0, toBlock: "latest" })).length, 2),
  );
  await task("custom error", async () => {
    const error = await rejects(() => probe.methods.failCustom(3n, POINT).call());
    equal(error.cause?.errorName ?? error.innerError?.errorName, "Wrong");
  });
  await task("revert with a reason", async () => {
    const error = await rejects(() => probe.methods.failWith("too late").call());
    check(
      JSON.stringify([error.message, error.cause?.message, error.innerError?.message]).includes("too late"),
      error.message,
    );
  });
  await task("insufficient funds", async () => {
    const poor = web3.eth.accounts.create();
    const signed = await poor.signTransaction({
      to: from,
      value: 1n,
      gas: 21_000n,
      gasPrice: 10n ** 10n,
      nonce: 0n,
      chainId: await web3.eth.getChainId(),
    });
    const error = await rejects(() =>
      web3.eth.sendSignedTransaction(signed.rawTransaction, undefined, { checkRevertBeforeSending: false }),
    );
    check(
      /insufficient funds/i.test(JSON.stringify([error.message, error.cause?.message, error.innerError?.message])),
      error.message,
    );
  });
  return { token };
}

async function sockets({ token }) {
  const socket = new Web3(ws);
  const heard = { blocks: [], pending: [], logs: [] };
  const over = new socket.eth.Contract(contract("Token").abi, token.options.address);
  await task("ws subscribe", async () => {
    (await socket.eth.subscribe("newHeads")).on("data", ({ number }) => heard.blocks.push(number));
    (await socket.eth.subscribe("newPendingTransactions")).on("data", (hash) => heard.pending.push(hash));
    (await socket.eth.subscribe("logs", { address: token.options.address })).on("data", (log) =>
      heard.logs.push(log.transactionHash),
    );
  });
  await task("ws syncing", () => socket.eth.subscribe("syncing"));
  await task("ws contract events", async () => {
    const events = [];
    over.events.Transfer({ filter: { to: ADDRESSES[2] } }).on("data", (event) => events.push(event.returnValues.value));
    await new Promise((resolve) => setTimeout(resolve, 300));
    await token.methods.transfer(ADDRESSES[2], 66n).send({ from });
    await until(() => events.includes(66n), "the event");
  });
  const receipt = await token.methods.transfer(ADDRESSES[3], 77n).send({ from });
  await task("ws newHeads", () => until(() => heard.blocks.includes(receipt.blockNumber), "the block"));
  await task("ws pending", () => until(() => heard.pending.includes(receipt.transactionHash), "the transaction"));
  await task("ws logs", () => until(() => heard.logs.includes(receipt.transactionHash), "the event"));
  await task("ws unsubscribe", () => socket.eth.clearSubscriptions());
  socket.provider.disconnect();
}

(async () => {
  await reading();
  await sending();
  const made = await contracts();
  await sockets(made);
  await task("batch", async () => {
    const batch = new web3.BatchRequest();
    const answers = Array.from({ length: 20 }, (_, id) =>
      batch.add({ jsonrpc: "2.0", id: id + 1, method: "eth_getBalance", params: [from, "latest"] }),
    );
    await batch.execute({ timeout: 5000 });
    equal((await Promise.all(answers)).length, 20);
  });
  await task("confirmations", async () => {
    const heard = [];
    const sent = web3.eth.sendTransaction({ from, to: ADDRESSES[3], value: 1n });
    sent.on("confirmation", ({ confirmations }) => heard.push(confirmations));
    await sent;
    await until(
      async () => (
        await mine(),
        await new Promise((resolve) => setTimeout(resolve, 200)),
        heard.some((count) => count >= 2n)
      ),
      "two confirmations",
    );
  });
  await task("node is still there", async () => check(await call("eth_blockNumber"), "no number"));
  done();
})();
