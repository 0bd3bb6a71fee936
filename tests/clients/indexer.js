// An indexer of a contract's events that follows random reorgs, by three ways at once: the cursor of chain_getLogs, the
// subscription to logs, and a filter. Each must end with exactly the logs of the chain. CLIENT_SEED repeats a run.
"use strict";

const ethers = require("ethers");
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
  until,
  call,
  mine,
} = require("./lib/tasks");

const ROUNDS = Number(process.env.CLIENT_ROUNDS ?? 200);
const DEEPEST = 6;
const seed = Number(process.env.CLIENT_SEED ?? Date.now() % 1_000_000);
const wallet = new ethers.Wallet(
  KEYS[0],
  new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 20, cacheTimeout: -1 }),
);

// mulberry32.
let state = seed;
function random(most) {
  state = (state + 0x6d2b79f5) | 0;
  let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
  mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
  return ((mixed ^ (mixed >>> 14)) >>> 0) % most;
}

const keyOf = ({ blockHash, logIndex, transactionHash }) => `${blockHash} ${Number(logIndex)} ${transactionHash}`;

/// A table of logs that adds and removes as it is told to, and minds every mistake.
class Table {
  constructor() {
    this.rows = new Set();
    this.faults = [];
  }

  apply(logs) {
    for (const log of logs) {
      const key = keyOf(log);
      if (log.removed) {
        if (!this.rows.delete(key)) this.faults.push(`removed what was not there: ${key}`);
      } else if (this.rows.has(key)) this.faults.push(`added twice: ${key}`);
      else this.rows.add(key);
    }
  }
}

async function canonical(address) {
  return (await call("eth_getLogs", { address, fromBlock: "0x0" })).map(keyOf).sort();
}

/// What a branch left out is mined again in a moment: the tip must not move between two questions.
async function settled() {
  await until(async () => Number((await call("txpool_status")).pending) === 0, "an empty pool");
}

/// Some transfers, each in a block of its own; then a branch that carries some of the transactions that it replaces.
async function round(token) {
  for (let count = random(3); count > 0; count -= 1) {
    const { hash } = await token.transfer(ADDRESSES[1], BigInt(1 + random(5)));
    await until(() => call("eth_getTransactionReceipt", hash), "the receipt");
  }
  await settled();
  const height = Number(await call("eth_blockNumber"));
  const depth = 1 + random(DEEPEST);
  const replaced = [];
  for (let at = height - depth + 1; at <= height; at += 1)
    replaced.push(...(await call("eth_getBlockByNumber", ethers.toQuantity(at), false)).transactions);
  // The first ones, since each needs the nonce before it.
  const blocks = Array.from({ length: depth + 1 }, () => []);
  replaced.slice(0, random(replaced.length + 1)).forEach((hash, at) => blocks[Math.min(at, depth)].push(hash));
  check((await call("dev_reorg", depth, blocks)).active, "the branch did not win");
  if (random(4) === 0) await mine(1 + random(2));
}

async function follow(token, address) {
  const feed = await Feed.open(ws);
  const [subscribed, filtered, cursor] = [new Table(), new Table(), new Table()];
  const first = await call("eth_getLogs", { address, fromBlock: "0x0" });
  subscribed.apply(first);
  filtered.apply(first);
  const heard = await feed.subscribe("eth_subscribe", "logs", { address });
  const filter = await call("eth_newFilter", { address });
  const byCursor = cursorOf(address, cursor);
  await task(
    `${ROUNDS} reorgs of seed ${seed}`,
    async () => {
      for (let at = 0; at < ROUNDS; at += 1) {
        await round(token);
        if (random(3) === 0) filtered.apply(await call("eth_getFilterChanges", filter));
        if (random(3) === 0) await byCursor();
      }
    },
    { time: 150_000 },
  );
  await settled();
  const expected = await canonical(address);
  const exact = async (table) => {
    equal(table.faults.slice(0, 3), []);
    equal([...table.rows].sort(), expected);
  };
  await task("by eth_subscribe", async () => {
    let applied = 0;
    const caughtUp = () => {
      subscribed.apply(heard.slice(applied));
      applied = heard.length;
      return JSON.stringify([...subscribed.rows].sort()) === JSON.stringify(expected);
    };
    await until(caughtUp, "the last logs", 5_000).catch(() => {});
    await exact(subscribed);
  });
  await task("by eth_getFilterChanges", async () => {
    filtered.apply(await call("eth_getFilterChanges", filter));
    await exact(filtered);
  });
  await task("by chain_getLogs", async () => {
    await byCursor();
    await exact(cursor);
  });
  feed.close();
}

/// Follows by cursor: pages until there is no more; what a lost branch had is undone first.
function cursorOf(address, table) {
  let cursor;
  return async () => {
    for (;;) {
      const options = { limit: 1 + random(9), ...(cursor && { cursor }) };
      const page = await call("chain_getLogs", { address }, options);
      if (page.undo) equal([page.logs, page.more, page.undo.logs.every(({ removed }) => removed)], [[], true, true]);
      table.apply(page.undo?.logs ?? []);
      table.apply(page.logs);
      cursor = page.next;
      if (!page.more) return;
    }
  };
}

(async () => {
  const { abi, bytecode } = contract("Token");
  const token = await (
    await new ethers.ContractFactory(abi, bytecode, wallet).deploy("Stone", "STN", 10n ** 9n)
  ).waitForDeployment();
  await mine(10);
  if (onCairn) await follow(token, await token.getAddress());
  done();
})();
