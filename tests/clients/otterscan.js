// The calls of Otterscan, a block explorer in the browser that has no server but the node.
"use strict";

const ethers = require("ethers");
const { url, KEYS, ADDRESSES, contract, task, limit, done, check, equal, call, mine } = require("./lib/tasks");

const wallet = new ethers.Wallet(
  KEYS[0],
  new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 }),
);
const hex = ethers.toQuantity;
const send = async (request) => (await wallet.sendTransaction(request)).wait();
const lower = (text) => text.toLowerCase();

// Creates an empty contract and pays 5 wei to the third account, all within the constructor.
const INSIDE = `0x600060006000f05060006000600060006005${`73${lower(ADDRESSES[2]).slice(2)}`}5af100`;

async function history() {
  const made = { nonce: await wallet.getNonce() };
  const { abi, bytecode } = contract("Probe");
  made.interface = new ethers.Interface(abi);
  made.deployed = await send({ data: bytecode });
  made.contract = made.deployed.contractAddress;
  made.inside = await send({ data: INSIDE, value: 5n });
  const data = made.interface.encodeFunctionData("failWith", ["too late"]);
  const failed = await wallet.sendTransaction({ to: made.contract, data, gasLimit: 100_000n });
  made.failed = await failed.wait().catch(({ receipt }) => receipt);
  for (let value = 1n; value <= 30n; value += 1n) made.last = await send({ to: ADDRESSES[3], value });
  return made;
}

async function blocks(made) {
  await task("getApiLevel", async () => check(Number(await call("ots_getApiLevel")) >= 8, "too low"));
  await task("header by number", async () => {
    const [header, block] = [
      await call("erigon_getHeaderByNumber", "0x1"),
      await call("eth_getBlockByNumber", "0x1", false),
    ];
    equal([header.hash, header.number], [block.hash, "0x1"]);
  });
  await task("header by tag", async () => check((await call("erigon_getHeaderByNumber", "latest")).hash, "no header"), {
    only: "cairn",
  });
  await task("getBlockDetails", async () => {
    const { block, issuance, totalFees } = await call("ots_getBlockDetails", made.last.blockNumber);
    equal([block.hash, Number(block.transactionCount)], [made.last.blockHash, 1]);
    check(!block.transactions, "the transactions are there");
    equal(BigInt(totalFees), made.last.gasUsed * made.last.gasPrice);
    check(issuance.blockReward !== undefined && issuance.issuance !== undefined, "no issuance");
  });
  await task("getBlockDetailsByHash", async () =>
    equal((await call("ots_getBlockDetailsByHash", made.last.blockHash)).block.number, hex(made.last.blockNumber)),
  );
  await task("getBlockDetails of no block", async () =>
    equal(await call("ots_getBlockDetails", 1_000_000).catch(() => null), null),
  );
  await task("getBlockTransactions", async () => {
    const { fullblock, receipts } = await call("ots_getBlockTransactions", made.last.blockNumber, 0, 25);
    equal(
      [fullblock.transactions.map(({ hash }) => hash), receipts.map(({ transactionHash }) => transactionHash)],
      [[made.last.hash], [made.last.hash]],
    );
    check(fullblock.transactions[0].input.length <= 10, "the whole input");
    check(!receipts[0].logs && !receipts[0].logsBloom, "the logs are there");
  });
}

async function transactions(made) {
  await task("getInternalOperations", async () => {
    const found = await call("ots_getInternalOperations", made.inside.hash);
    equal(
      found.filter(({ type }) => Number(type) === 0).map(({ to, value }) => [lower(to), BigInt(value)]),
      [[lower(ADDRESSES[2]), 5n]],
    );
    equal(found.filter(({ type }) => Number(type) === 2).length >= 1, true);
  });
  await task("getInternalOperations of a transfer", async () =>
    equal(await call("ots_getInternalOperations", made.last.hash), []),
  );
  await task("getTransactionError", async () => {
    const data = await call("ots_getTransactionError", made.failed.hash);
    equal(made.interface.parseError(data).args[0], "too late");
    equal(await call("ots_getTransactionError", made.last.hash), "0x");
  });
  await task("traceTransaction", async () => {
    const [outer, ...inner] = await call("ots_traceTransaction", made.inside.hash);
    equal(
      [outer.type, Number(outer.depth), lower(outer.from), BigInt(outer.value)],
      ["CREATE", 0, lower(wallet.address), 5n],
    );
    equal(
      inner.map(({ type, depth }) => [type, Number(depth)]),
      [
        ["CREATE", 1],
        ["CALL", 1],
      ],
    );
  });
  await task("getTransactionBySenderAndNonce", async () => {
    equal(await call("ots_getTransactionBySenderAndNonce", wallet.address, made.nonce), made.deployed.hash);
    equal(await call("ots_getTransactionBySenderAndNonce", wallet.address, 1_000_000), null);
  });
}

async function accounts(made) {
  await task("hasCode", async () => {
    equal(await call("ots_hasCode", made.contract, "latest"), true);
    equal(await call("ots_hasCode", ADDRESSES[3], "latest"), false);
    equal(await call("ots_hasCode", made.contract, hex(made.deployed.blockNumber - 1)), false);
  });
  await task("getContractCreator", async () => {
    const { hash, creator } = await call("ots_getContractCreator", made.contract);
    equal([hash, lower(creator)], [made.deployed.hash, lower(wallet.address)]);
    equal(await call("ots_getContractCreator", ADDRESSES[3]), null);
  });
  await task("searchTransactionsBefore", async () => {
    const { txs, receipts, firstPage, lastPage } = await call("ots_searchTransactionsBefore", ADDRESSES[3], 0, 25);
    equal(
      [txs[0].hash, receipts[0].transactionHash, firstPage, lastPage],
      [made.last.hash, made.last.hash, true, false],
    );
    check(txs.length >= 25 && receipts.length === txs.length && receipts[0].timestamp, "too few");
    const next = await call("ots_searchTransactionsBefore", ADDRESSES[3], Number(txs.at(-1).blockNumber), 25);
    equal([txs.length + next.txs.length, next.lastPage], [30, true]);
  });
  await task("searchTransactionsAfter", async () => {
    const { txs, lastPage } = await call("ots_searchTransactionsAfter", ADDRESSES[3], 0, 25);
    check(txs.length >= 25 && lastPage === true, "too few, or not the last page");
    check(Number(txs[0].blockNumber) > Number(txs.at(-1).blockNumber), "not the newest first");
  });
  const reason = "accounts that only calls inside of transactions touch are not indexed";
  await limit("search finds calls inside", reason, async () => {
    const { txs } = await call("ots_searchTransactionsBefore", ADDRESSES[2], 0, 25);
    equal(
      txs.map(({ hash }) => hash),
      [made.inside.hash],
    );
  });
}

(async () => {
  const made = await history();
  await blocks(made);
  await transactions(made);
  await accounts(made);
  await task("home page", async () => {
    await mine();
    const tip = Number(await call("eth_blockNumber"));
    for (let height = tip; height > tip - 5; height -= 1)
      check((await call("ots_getBlockDetails", height)).block.hash, "no block");
  });
  done();
})();
