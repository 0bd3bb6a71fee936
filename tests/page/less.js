// Nodes that have less, serve less or are away: the page shows what there is, and says in sentences what is not.
"use strict";

const { check, equal, task, until } = require("./lib/tasks");
const { dev } = require("./lib/node");
const { open } = require("./lib/browser");

const text = (page) => page.evaluate(() => document.querySelector("main").innerText);
const shows = (page, part) => until(async () => (await text(page)).includes(part), `the view shows ${part}`);

/// A node whose oldest blocks are pruned, and a transaction of a pruned block and of one that is kept.
async function pruned(browser) {
  const node = await dev("--prune", "288");
  try {
    const [from, to] = await node.call("eth_accounts");
    const send = async () => (await node.call("eth_sendTransaction", { from, to, value: "0x1" })).slice(2);
    const old = [await send(), await send()];
    await node.call("dev_mine", 700);
    const low = () => node.call("chain_getInfo").then((info) => info.pruneHeight);
    const oldest = await until(low, "blocks are pruned");
    const recent = [await send(), await send(), await send()];
    const { page, context, faults, go } = await open(browser, node.url, `account/${to}`);
    await task("pruned: a history shows what is kept, and why it ends", async () => {
      await shows(page, "was pruned");
      for (const id of recent) check(await page.$(`main a[href="#/tx/${id}"]`), `transaction ${id}`);
      check(!(await page.$(`main a[href="#/tx/${old[0]}"]`)), "an entry of a pruned block");
    });
    await task("pruned: a list of blocks shows those that are kept, and headers of the others", async () => {
      await go(`blocks/${oldest + 9}`);
      await until(async () => (await page.locator("main tbody tr").count()) === 20, "a whole page");
      equal(await page.locator("main tbody .pill", { hasText: "pruned" }).count(), 10, "pruned blocks");
    });
    await task("pruned: the header of a block is there", async () => {
      await go("block/1");
      await shows(page, "Merkle root");
      await shows(page, "was pruned");
      await shows(page, "confirmations");
    });
    await task("pruned: the search says what the node says of a transaction", async () => {
      await go(`search/${old[0]}`);
      await shows(page, "Nothing found");
      await shows(page, "was pruned");
    });
    await task("pruned: no fault of the page", async () => equal(faults, [], "faults"));
    await context.close();
  } finally {
    await node.stop();
  }
}

async function withoutIndex(browser) {
  const node = await dev("--no-index");
  try {
    await node.call("dev_mine", 1);
    const { transactions } = await node.call("chain_getBlock", 1, 1);
    const { page, context } = await open(browser, node.url, `search/${"ab".repeat(32)}`);
    await task("without an index: the search says so", async () => {
      await shows(page, "index is switched off");
      check(transactions.length === 1, "a coinbase");
    });
    await context.close();
  } finally {
    await node.stop();
  }
}

async function ethAlone(browser) {
  const node = await dev("--http.api", "eth");
  try {
    const { page, context, go } = await open(browser, node.url);
    for (const view of ["", "network", "finality", "blocks", "mining"])
      await task(`the chain is not served: ${view || "home"} says so, and what serves it`, async () => {
        await go(view);
        await shows(page, "is not served here: start the node with");
        await shows(page, "among --http.api");
        await until(async () => (await page.locator(".loading:visible").count()) === 0, "nothing waits without end");
      });
    await context.close();
  } finally {
    await node.stop();
  }
}

async function away(browser) {
  const node = await dev();
  const { page, context, faults, go } = await open(browser, node.url);
  let again = null;
  try {
    await until(async () => (await text(page)).includes("Tip"), "home");
    await node.stop();
    await task("the node is away: a view that was not opened before says so", async () => {
      await go("mining");
      await shows(page, "The node cannot be reached.");
      check(!/imported module|http:/.test(await text(page)), await text(page));
    });
    await task("it opens by itself when the node is back, and leaves a reader who types alone", async () => {
      await page.fill("#query", "tip");
      again = await dev.at(node.port);
      await until(async () => (await text(page)).includes("Point a miner here"), "the view", 25_000);
      equal(await page.evaluate(() => document.activeElement.id), "query", "what has the focus");
    });
    await task("a connection that is lost while a block is asked for is not taken for a block that is not there", async () => {
      await again.call("dev_mine", 2);
      process.kill(again.pid, "SIGSTOP");
      await go("block/1");
      await until(async () => (await text(page)).includes("Asking the node"), "the view waits");
      process.kill(again.pid, "SIGKILL");
      await again.stop();
      again = await dev.at(node.port);
      await again.call("dev_mine", 2);
      await until(async () => (await text(page)).includes("1 transaction"), "the whole block", 25_000);
      check(!(await text(page)).includes("was lost"), await text(page));
    });
    await task("the cookie of another start is called so in words of the page", async () => {
      await go("network");
      await page.fill("#cookie", "__cookie__:00");
      await page.getByRole("button", { name: "Show the peers" }).click();
      await shows(page, "This is not the cookie of this node.");
      check(!/--cookie|CAIRN_COOKIE/.test(await text(page)), await text(page));
    });
    const real = faults.filter((one) => !/Failed to load resource|ERR_/.test(one));
    await task("a node that was away: no fault of the page", async () => equal(real, [], "faults"));
  } finally {
    await context.close();
    await again?.stop();
  }
}

module.exports = async (browser) => {
  await pruned(browser);
  await withoutIndex(browser);
  await ethAlone(browser);
  await away(browser);
};
