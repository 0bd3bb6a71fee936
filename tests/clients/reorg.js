// What clients are told when blocks leave the chain.
"use strict";

const ethers = require("ethers");
const viem = require("viem");
const { Web3 } = require("web3");
const { Feed } = require("./lib/feed");
const {
  url,
  ws,
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
  call,
  mine,
  reorg,
} = require("./lib/tasks");

const provider = new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 });
const wallet = new ethers.Wallet(KEYS[0], provider);
const hex = ethers.toQuantity;
const height = async () => Number(await call("eth_blockNumber"));
const block = (tag) => call("eth_getBlockByNumber", tag, false);
const receipt = (hash) => call("eth_getTransactionReceipt", hash);
const cairn = { only: "cairn" };

let token;
let address;
const transfer = async (value) => (await token.transfer(ADDRESSES[1], value)).wait();
/// Replaces the last blocks; their transactions are mined again.
async function replace(depth, hash) {
  await reorg(depth);
  await until(async () => (await receipt(hash)) ?? (await mine(), null), "the transaction to be mined again");
}
const brief = ({ removed, blockHash, transactionHash }) => [removed, blockHash, transactionHash];

async function reading() {
  const old = await transfer(1n);
  const before = await block(hex(old.blockNumber));
  await mine(2);
  await task("a real branch", async () => {
    const tip = await height();
    await reorg(3);
    check((await height()) > tip || !onCairn, "the branch is not longer");
    check((await block(before.number)).hash !== before.hash, "the block is still there");
  });
  await task(
    "its transactions return",
    async () => {
      await until(async () => (await receipt(old.hash)) ?? (await mine(), null), "the receipt");
      check((await receipt(old.hash)).blockHash !== old.blockHash, "in the old block");
    },
    cairn,
  );
  await task(
    "the old block by hash",
    async () => equal((await call("eth_getBlockByHash", old.blockHash, false)).hash, old.blockHash),
    cairn,
  );
  await task(
    "its transactions",
    async () => equal((await call("eth_getBlockByHash", old.blockHash, true)).transactions[0].blockHash, old.blockHash),
    cairn,
  );
  await task(
    "its receipts",
    async () =>
      equal(
        (await call("eth_getBlockReceipts", old.blockHash)).map(({ blockHash }) => blockHash),
        [old.blockHash],
      ),
    cairn,
  );
  await task(
    "its logs",
    async () =>
      equal(
        (await call("eth_getLogs", { blockHash: old.blockHash })).map(({ blockHash }) => blockHash),
        [old.blockHash],
      ),
    cairn,
  );
  await task(
    "the receipt is of the new block",
    async () => {
      const found = await receipt(old.hash);
      equal((await block(found.blockNumber)).hash, found.blockHash);
      equal((await call("eth_getTransactionByHash", old.hash)).blockHash, found.blockHash);
    },
    cairn,
  );
  await task(
    "requireCanonical",
    async () => {
      const error = await rejects(() =>
        call("eth_getBalance", ADDRESSES[0], { blockHash: old.blockHash, requireCanonical: true }),
      );
      check(/canonical/.test(error.message), error.message);
    },
    cairn,
  );
  await task(
    "chain_getBlockStatus",
    async () => {
      const status = (hash) => call("chain_getBlockStatus", hash.slice(2));
      const [lost, won] = [await status(old.blockHash), await status((await block("latest")).hash)];
      equal([lost.status, won.status, won.confirmations], ["side", "active", 1]);
      equal(lost.forkPoint.height, old.blockNumber - 1);
    },
    cairn,
  );
  await task(
    "a trace of the transaction",
    async () =>
      equal((await call("debug_traceTransaction", old.hash, { tracer: "callTracer" })).to, address.toLowerCase()),
    cairn,
  );
  await task("getLogs has the new ones only", async () => {
    const found = await call("eth_getLogs", { address, fromBlock: "0x0" });
    for (const log of found) equal([(await block(log.blockNumber)).hash, log.removed], [log.blockHash, false]);
  });
  await task(
    "chain_confidence",
    async () => {
      const { confirmations, reversalProbability } = await call("chain_confidence", old.hash.slice(2), 0.1);
      const { blockNumber } = await receipt(old.hash);
      equal(confirmations, (await height()) - Number(blockNumber) + 1);
      check(reversalProbability > 0 && reversalProbability < 1, `probability ${reversalProbability}`);
    },
    cairn,
  );
}

async function balances() {
  await task(
    "balances follow",
    async () => {
      const to = ethers.Wallet.createRandom().address;
      const sent = await (await wallet.sendTransaction({ to, value: 9n })).wait();
      await replace(1, sent.hash);
      equal(await provider.getBalance(to), 9n);
      equal(await provider.getBalance(to, (await receipt(sent.hash)).blockNumber - 1), 0n);
    },
    cairn,
  );
  await task(
    "nonces follow",
    async () => {
      const sent = await transfer(2n);
      await replace(1, sent.hash);
      equal(await wallet.getNonce("latest"), await wallet.getNonce("pending"));
    },
    cairn,
  );
}

async function branches() {
  const notice = await Feed.open(ws);
  const heard = onCairn ? await notice.subscribe("chain_subscribeReorgs").catch(() => []) : [];
  const signed = async (nonce, value) => {
    const chainId = await call("eth_chainId");
    const [maxFeePerGas, maxPriorityFeePerGas] = [20_000_000_000n, 1_000_000_000n];
    return new ethers.Wallet(KEYS[2]).signTransaction({
      type: 2,
      chainId,
      nonce,
      to: ADDRESSES[3],
      value,
      gasLimit: 21_000n,
      maxFeePerGas,
      maxPriorityFeePerGas,
    });
  };
  await task(
    "a branch carries what it is told to",
    async () => {
      const old = await transfer(1n);
      await call("dev_reorg", 1, [[old.hash]]);
      equal(Number((await receipt(old.hash)).blockNumber), old.blockNumber);
    },
    cairn,
  );
  await task(
    "a double spend",
    async () => {
      const nonce = Number(await call("eth_getTransactionCount", ADDRESSES[2], "latest"));
      const first = await call("eth_sendRawTransaction", await signed(nonce, 1n));
      await until(() => receipt(first), "the receipt");
      const second = await signed(nonce, 2n);
      await call("dev_reorg", 1, [[second]]);
      equal([await receipt(first), await call("eth_getTransactionByHash", first)], [null, null]);
      equal((await receipt(ethers.keccak256(second))).status, "0x1");
      await until(
        () => heard.some(({ transactions }) => JSON.stringify(transactions.conflicting).includes(first.slice(2))),
        "the conflict in chain_subscribeReorgs",
      );
    },
    cairn,
  );
  await task(
    "a branch beside the chain",
    async () => {
      const tip = await call("eth_getBlockByNumber", "latest", false);
      const { blocks, active } = await call("dev_fork", Number(tip.number) - 1);
      equal([active, (await call("eth_getBlockByNumber", "latest", false)).hash], [false, tip.hash]);
      equal((await call("eth_getBlockByHash", `0x${blocks[0]}`, false)).number, tip.number);
    },
    cairn,
  );
  notice.close();
}

async function filters() {
  await task(
    "a filter of logs",
    async () => {
      const id = await call("eth_newFilter", { address });
      const old = await transfer(3n);
      equal((await call("eth_getFilterChanges", id)).map(brief), [[false, old.blockHash, old.hash]]);
      await replace(1, old.hash);
      const now = (await receipt(old.hash)).blockHash;
      equal((await call("eth_getFilterChanges", id)).map(brief), [
        [true, old.blockHash, old.hash],
        [false, now, old.hash],
      ]);
    },
    cairn,
  );
  await task(
    "a filter of logs that was not read in between",
    async () => {
      const id = await call("eth_newFilter", { address });
      const old = await transfer(3n);
      await replace(1, old.hash);
      const found = (await call("eth_getFilterChanges", id)).map(brief);
      const left = found
        .filter(([removed]) => !removed)
        .filter(([, hash]) => !found.some(([removed, gone]) => removed && gone === hash));
      equal(left, [[false, (await receipt(old.hash)).blockHash, old.hash]]);
    },
    cairn,
  );
  await task("a filter of blocks", async () => {
    const id = await call("eth_newBlockFilter");
    await mine(2);
    await call("eth_getFilterChanges", id);
    const fork = (await height()) - 2;
    await reorg(2);
    const found = await call("eth_getFilterChanges", id);
    for (let at = fork + 1; at <= (await height()); at += 1)
      check(found.includes((await block(hex(at))).hash), `block ${at} is missing`);
  });
}

async function subscriptions() {
  const feed = await Feed.open(ws);
  await task(
    "logs by subscription",
    async () => {
      const heard = await feed.subscribe("eth_subscribe", "logs", { address });
      const old = await transfer(4n);
      await until(() => heard.length === 1, "the log");
      await replace(1, old.hash);
      const now = (await receipt(old.hash)).blockHash;
      await until(() => heard.length >= 3, "the removed log and the new one");
      equal(heard.map(brief), [
        [false, old.blockHash, old.hash],
        [true, old.blockHash, old.hash],
        [false, now, old.hash],
      ]);
    },
    cairn,
  );
  await task("heads by subscription", async () => {
    const heard = await feed.subscribe("eth_subscribe", "newHeads");
    await mine(3);
    await until(() => heard.length === 3, "three heads");
    const fork = (await height()) - 3;
    await reorg(3);
    const tip = await height();
    await until(() => heard.some(({ number, hash }) => Number(number) === tip && hash), "the new tip");
    for (let at = fork + 1; at <= tip; at += 1) {
      const { hash } = await block(hex(at));
      check(
        heard.some((head) => head.hash === hash),
        `block ${at} of the new branch is missing`,
      );
    }
    const branch = heard.slice(3);
    for (let at = 1; at < branch.length; at += 1) equal(branch[at].parentHash, branch[at - 1].hash, "parent");
  });
  await task(
    "chain_subscribeReorgs",
    async () => {
      const heard = await feed.subscribe("chain_subscribeReorgs");
      const old = await transfer(5n);
      await mine();
      const gone = [old.blockHash, (await block("latest")).hash].map((hash) => hash.slice(2));
      await reorg(2);
      const [found] = await until(() => heard.length > 0 && heard, "the notification");
      equal(found.dropped.map(({ hash }) => hash).sort(), gone.sort());
      check(found.added.length > 0, "no added blocks");
      check(JSON.stringify(found.transactions).includes(old.hash.slice(2)), "the transaction is missing");
    },
    cairn,
  );
  await task(
    "what automine takes again is not gone",
    async () => {
      const heard = await feed.subscribe("chain_subscribeReorgs");
      for (let told = 1; told <= 10; told += 1) {
        const { hash } = await transfer(5n);
        await call("dev_reorg", 1);
        const { transactions } = await until(() => heard[told - 1], "the notification");
        check(!transactions.gone.includes(hash.slice(2)), JSON.stringify(transactions));
        await until(async () => (await receipt(hash)) ?? (await mine(), null), "the transaction to be mined again");
      }
    },
    cairn,
  );
  feed.close();
}

/// Sends, waits for three confirmations, and meanwhile the block of the first is replaced.
async function waiting() {
  const across = async (hash, wait) => {
    await until(() => receipt(hash), "the first block");
    const first = (await receipt(hash)).blockHash;
    const waited = wait();
    waited.catch(() => {});
    await new Promise((resolve) => setTimeout(resolve, 300));
    await replace(1, hash);
    for (let blocks = 0; blocks < 4; blocks += 1) {
      await mine();
      await new Promise((resolve) => setTimeout(resolve, 150));
    }
    const found = await waited;
    const now = await receipt(hash);
    equal([found.blockHash === now.blockHash, now.blockHash === first], [true, false], "in the new block");
  };
  await task(
    "ethers waits for 3 confirmations",
    async () => {
      const sent = await wallet.sendTransaction({ to: ADDRESSES[2], value: 1n });
      await across(sent.hash, () => provider.waitForTransaction(sent.hash, 3, 10_000));
    },
    cairn,
  );
  await task(
    "ethers over WebSocket waits for 3 confirmations",
    async () => {
      const socket = new ethers.WebSocketProvider(ws);
      const sent = await wallet.sendTransaction({ to: ADDRESSES[2], value: 1n });
      await across(sent.hash, () => socket.waitForTransaction(sent.hash, 3, 10_000)).finally(() => socket.destroy());
    },
    cairn,
  );
  await task(
    "viem waits for 3 confirmations",
    async () => {
      const client = viem.createPublicClient({ transport: viem.http(url), pollingInterval: 50, cacheTime: 0 });
      const sent = await wallet.sendTransaction({ to: ADDRESSES[2], value: 1n });
      await across(sent.hash, () =>
        client.waitForTransactionReceipt({ hash: sent.hash, confirmations: 3, timeout: 10_000 }),
      );
    },
    cairn,
  );
  await task(
    "web3.js sends across a reorg",
    async () => {
      const web3 = new Web3(url);
      web3.eth.transactionPollingInterval = 50;
      web3.eth.accounts.wallet.add(KEYS[1]);
      const sent = await web3.eth.sendTransaction({ from: ADDRESSES[1], to: ADDRESSES[2], value: 1n });
      await replace(1, sent.transactionHash);
      equal((await web3.eth.sendTransaction({ from: ADDRESSES[1], to: ADDRESSES[2], value: 1n })).status, 1n);
    },
    cairn,
  );
}

(async () => {
  const { abi, bytecode } = contract("Token");
  token = await (
    await new ethers.ContractFactory(abi, bytecode, wallet).deploy("Stone", "STN", 1000n)
  ).waitForDeployment();
  address = await token.getAddress();
  await mine(5);
  await reading();
  await balances();
  await branches();
  await filters();
  await subscriptions();
  await waiting();
  done();
})();
