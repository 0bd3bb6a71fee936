// Blocks, reorganisations and transactions as they happen, and the search.
"use strict";

const fs = require("fs");
const { check, equal, task, until } = require("./lib/tasks");
const { dev, wallet } = require("./lib/node");
const { open } = require("./lib/browser");
const miner = require("./lib/mine");

const TOKEN = JSON.parse(fs.readFileSync(process.env.CLIENT_CONTRACTS)).contracts["Token.sol"].Token.evm.bytecode.object;
const tip = (page) => page.evaluate(() => document.querySelector(".figures dd a")?.textContent);
const text = (page) => page.evaluate(() => document.querySelector("main").innerText);
const shows = (page, part, what, time) =>
  until(async () => (await text(page)).includes(part), what ?? `the view shows ${part}`, time);

async function blocks(browser, node) {
  const { page, context, faults, go } = await open(browser, node.url);
  await task("home shows the tip", async () => until(async () => (await tip(page)) === "0", "the tip"));
  await task("home shows a block within a second", async () => {
    await node.call("dev_mine", 1);
    const began = Date.now();
    await until(async () => (await tip(page)) === "1", "the new tip", 1_000);
    return `${Date.now() - began} ms`;
  });
  await task("a reorganisation of 3 is seen, with what it dropped", async () => {
    const lost = await node.call("dev_mine", 3);
    await until(async () => (await tip(page)) === "4", "the blocks");
    await node.call("dev_reorg", 3);
    await page.waitForSelector(".banner.reorg", { timeout: 2_000 });
    const said = await page.innerText(".banner.reorg");
    check(said.includes("Reorganisation of 3 blocks") && said.includes("4 blocks took the place of 3"), said);
    await until(async () => (await tip(page)) === "5", "the tip of the new branch");
    equal(
      await page.evaluate(() => document.querySelectorAll(".tree .valid-fork").length),
      3,
      "losing blocks in the tree",
    );
    for (const hash of lost) {
      await go(`block/${hash}`);
      await shows(page, "not on the active chain");
      await shows(page, "valid, and its branch lost");
    }
    await page
      .getByRole("link", { name: /^1$|^2$/ })
      .first()
      .waitFor();
  });
  await task("losing blocks are reached from home by keyboard", async () => {
    await go("");
    await page.waitForSelector(".tree .valid-fork");
    await page.focus(".tree .valid-fork");
    await page.keyboard.press("Enter");
    await shows(page, "not on the active chain");
  });
  await task("a view that was left while it asked the node does not come back", async () => {
    await go("");
    await page.waitForSelector(".tree");
    for (const view of ["block", "search"]) {
      const [hash] = await node.call("dev_mine", 1);
      await page.evaluate((to) => {
        // The page's own listener comes first: it has asked, and no answer can be there yet.
        addEventListener("hashchange", () => (location.hash = "#/"), { once: true });
        location.hash = to;
      }, `#/${view}/${hash}`);
      await page.waitForTimeout(500);
      await shows(page, "Blocks to come");
    }
  });
  await task("a transaction that a reorganisation replaced is still reached in its block", async () => {
    const [from, to] = await node.call("eth_accounts");
    const sent = { from, to, gas: "0x5208", gasPrice: "0x77359400", nonce: "0x0" };
    const lost = (await node.call("eth_sendTransaction", { ...sent, value: "0x1" })).slice(2);
    const block = await node.call("chain_getBlockHash", Number(await node.call("eth_blockNumber")));
    const { raw } = await node.call("eth_signTransaction", { ...sent, value: "0x2" });
    await node.call("dev_reorg", 1, [[raw], []]);
    await page.waitForFunction(() => /1 transaction was replaced/.test(document.querySelector(".banner")?.innerText));
    await go(`block/${block}`);
    await page.click(`a[href="#/tx/${lost}/in/${block}"]`);
    await shows(page, "The block that holds it lost");
    // The banner names it, and the search finds it.
    await go("");
    await page.click(`.banner a[href="#/search/${lost}"]`);
    const place = () => page.evaluate(() => location.hash);
    await until(async () => (await place()) === `#/tx/${lost}/in/${block}`, "where the search leads");
    await shows(page, "The block that holds it lost");
    // So does a page that is opened there, which knows no branches yet.
    const other = await open(browser, node.url, `search/${lost}`);
    await shows(other.page, "The block that holds it lost");
    equal(other.faults, [], "faults");
    await other.context.close();
    await go("tx");
    await shows(page, "64 hexadecimal digits");
    await go("constructor");
    await shows(page, "This view does not exist");
  });
  await task("blocks below the latest are reached from home, page by page", async () => {
    await node.call("dev_mine", 42);
    const height = Number(await node.call("eth_blockNumber"));
    await go("");
    await page.getByRole("link", { name: "All blocks" }).click();
    const heights = () => page.$$eval("main tbody tr td:first-child", (cells) => cells.map((one) => Number(one.innerText)));
    const from = (first) =>
      until(async () => {
        const wanted = Array.from({ length: Math.min(20, first + 1) }, (_, below) => first - below);
        return `${await heights()}` === `${wanted}`;
      }, `the blocks from ${first} on`);
    for (const first of [height, height - 20, height - 40]) {
      await from(first);
      if (first >= 20) await page.getByRole("link", { name: "older →" }).click();
    }
    check(await page.getByText("older →").isHidden(), "there is nothing below genesis");
    await page.goBack();
    await from(height - 20);
    await page.getByRole("link", { name: "← newer" }).click();
    await from(height);
    // A reorganisation and a new tip are seen.
    await node.call("dev_reorg", 3);
    await from(height + 1);
    const tips = await page.$$eval("main tbody tr a.number", (links) => links.slice(0, 4).map((one) => one.hash));
    for (const [at, link] of tips.entries())
      equal(link, `#/block/${await node.call("chain_getBlockHash", height + 1 - at)}`, "an active block");
    await go("blocks/1");
    await from(1);
    await page.click("main tbody tr a");
    await shows(page, "Block 1");
  });
  await task("all branches are listed, more than the tree shows", async () => {
    for (let at = 0; at < 9; at += 1) await node.call("dev_reorg", 1);
    const lost = (await node.call("chain_getTips")).filter((tip) => tip.status !== "active");
    check(lost.length > 8, "enough branches");
    await go("");
    await page.getByRole("link", { name: `All ${lost.length} branches` }).click();
    await shows(page, `${lost.length} heads`);
    for (const { hash } of lost) check(await page.$(`main a[href="#/block/${hash}"]`), `branch ${hash}`);
  });
  await task("a found block that loses is marked so among those found here", async () => {
    const { hash, status } = await miner.mine(node, Buffer.from("found"));
    equal(status, "connected", "what the node makes of it");
    await go("mining");
    const found = page.getByRole("table", { name: "Blocks that were found here" });
    const row = found.locator("tbody tr", { has: page.locator(`a[href="#/block/${hash}"]`) });
    const state = (wanted) => until(async () => (await row.innerText()).split("\t").includes(wanted), wanted, 15_000);
    await state("active");
    await node.call("dev_reorg", 1);
    await state("lost");
  });
  await task("a button that was pressed by the keyboard keeps the focus", async () => {
    await go("dev");
    const mine = page.getByRole("button", { name: "Mine", exact: true });
    await mine.focus();
    for (let presses = 0; presses < 2; presses += 1) {
      const before = Number(await node.call("eth_blockNumber"));
      await page.keyboard.press("Enter");
      await until(async () => Number(await node.call("eth_blockNumber")) > before, "a block");
      await until(async () => mine.evaluate((button) => button === document.activeElement && !button.disabled), "focus");
    }
  });
  await task("blocks, reorganisations: no fault of the page", async () => equal(faults, [], "faults"));
  await context.close();
}

/// A node that does not give the header of one losing block is asked for it again, but ever more seldom.
async function backsOff(browser, node) {
  const { hash } = (await node.call("chain_getTips")).find((tip) => tip.status !== "active");
  const { page, context } = await open(browser, node.url, "", {
    script: () => {
      window.asked = 0;
      const { send } = WebSocket.prototype;
      WebSocket.prototype.send = function (text) {
        const odd = text.includes("chain_getHeader") && localStorage.lost && text.includes(localStorage.lost);
        window.asked += odd ? 1 : 0;
        return send.call(this, odd ? text.replace("chain_getHeader", "chain_getNothing") : text);
      };
    },
  });
  await task(
    "a branch that cannot be read is asked for again after 5 s, then after 10 s",
    async () => {
      await page.evaluate((hash) => (localStorage.lost = hash), hash);
      await page.reload();
      const asked = () => page.evaluate(() => window.asked);
      await until(async () => (await asked()) === 1, "the first time", 10_000);
      await until(async () => (await asked()) === 2, "the second time", 9_000);
      await page.waitForTimeout(8_000);
      check((await asked()) === 2, `${await asked()} times within 13 s`);
      await until(async () => (await asked()) === 3, "the third time", 9_000);
    },
    60_000,
  );
  await context.close();
}

async function transactions(browser, node) {
  const { page, context, faults, go } = await open(browser, node.url);
  const command = await wallet(node);
  const to = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  const address = (await node.call("miner_status")).address;
  const seen = {};

  async function appears(id, kind) {
    const began = Date.now();
    await until(
      async () => page.evaluate((href) => !!document.querySelector(`a[href="${href}"]`), `#/tx/${id}`),
      `the ${kind}`,
      1_000,
    );
    return `${Date.now() - began} ms after the wallet returned`;
  }
  await task("a coin payment by the wallet appears within a second of its block", async () => {
    const sent = await command("send", `${address}=1.25`);
    seen.coin = sent.txid ?? sent.txids?.[0];
    return appears(seen.coin, "payment");
  });
  await task("a transfer by the wallet appears within a second of its block", async () => {
    const sent = await command("transfer", to, "0.5");
    seen.account = (sent.txid ?? sent.hash).replace(/^0x/, "");
    return appears(seen.account, "transfer");
  });
  await task("a contract that the wallet deploys and calls appears within a second of each block", async () => {
    const constructor = ["--constructor", "constructor(string,string,uint256)"];
    const made = await command("deploy", `0x${TOKEN}`, "Pebble", "PBL", "1000000", ...constructor);
    const first = await appears(made.txid.replace(/^0x/, ""), "deployment");
    const called = await command("call", made.contract, "transfer(address,uint256)", to, "250");
    const second = await appears(called.txid.replace(/^0x/, ""), "call");
    await go(`tx/${called.txid.replace(/^0x/, "")}`);
    await until(async () => (await page.textContent("h1")) === "Contract call", "its view");
    await go(`account/${to}`);
    const row = page.getByRole("table", { name: "Tokens" }).locator("tbody tr");
    await row.waitFor();
    check(/^PBL\s+0\.00000000000000025\s/.test(await row.innerText()), await row.innerText());
    await go("");
    return `${first}; ${second}`;
  });
  await task("a deposit and a withdrawal by the wallet are called so", async () => {
    for (const [name, title] of [
      ["deposit", "Deposit"],
      ["withdraw", "Withdrawal"],
    ]) {
      const { txid } = await command(name, "0.75");
      const id = txid.replace(/^0x/, "");
      await appears(id, name);
      const row = page.locator("tr", { has: page.locator(`a[href="#/tx/${id}"]`) });
      check((await row.first().innerText()).includes(title.toLowerCase()), `home says ${title}`);
      await go(`tx/${id}`);
      await until(async () => (await page.textContent("h1")) === title, `${title}, not ${await page.textContent("h1")}`);
      await go("");
    }
  });
  await withdrawn(node, command, page, go);
  await task("search finds a height, a block, a transaction of each ledger, an account, an address", async () => {
    const hash = await node.call("chain_getBlockHash", 1);
    const kinds = [
      ["1", "Block 1"],
      [hash, "Block 1"],
      [`0x${hash}`, "Block 1"],
      [seen.coin, "Coin payment"],
      [`0x${seen.account}`, "Transfer"],
      [to.toLowerCase(), "Account"],
      [address, "Coin address"],
    ];
    for (const [query, title] of kinds) {
      await page.fill("#query", query);
      await page.press("#query", "Enter");
      await until(
        async () => (await page.textContent("h1")) === title,
        `${query} leads to ${title}, not ${await page.textContent("h1")}`,
      );
      await go("");
      await until(async () => (await page.textContent("h1")) === "The chain", "home");
    }
  });
  await task("search says what it found nothing of, and why", async () => {
    await page.fill("#query", `${address.slice(0, -1)}${address.endsWith("q") ? "p" : "q"}`);
    await page.press("#query", "Enter");
    await shows(page, "Nothing found");
    await shows(page, "checksum is wrong");
  });
  await task("a payment shows inputs, outputs, fee and confidence", async () => {
    await go(`tx/${seen.coin}`);
    await shows(page, "1.25 CRN");
    await shows(page, "probability of reversal");
    const before = await page.innerText(".big");
    await page.fill("#share", "40");
    await until(async () => (await page.innerText(".big")) !== before, "a stronger attacker is likelier");
  });
  await task("a pending transaction becomes a mined one before the reader's eyes", async () => {
    await node.call("dev_setAutomine", false);
    const sent = await command("transfer", to, "0.25");
    await go(`tx/${(sent.txid ?? sent.hash).replace(/^0x/, "")}`);
    await shows(page, "It waits in the mempool");
    await go("");
    await shows(page, "Next block");
    await go(`tx/${(sent.txid ?? sent.hash).replace(/^0x/, "")}`);
    await shows(page, "It waits in the mempool");
    await node.call("dev_mine", 1);
    await shows(page, "1 confirmation,");
    await node.call("dev_setAutomine", true);
  });
  await task("the development view mines, reorganises and gives", async () => {
    await go("dev");
    const height = Number(await node.call("eth_blockNumber"));
    await page.getByRole("button", { name: "Mine", exact: true }).click();
    await until(async () => Number(await node.call("eth_blockNumber")) === height + 1, "a block");
    await page.getByRole("button", { name: "Reorganise", exact: true }).click();
    // The transactions of the dropped blocks are mined again, each in a block.
    await until(async () => Number(await node.call("eth_blockNumber")) >= height + 2, "a branch of one more");
    await page.getByLabel("Account", { exact: true }).fill("0x00000000000000000000000000000000000000aa");
    await page.getByRole("button", { name: "Give" }).click();
    await shows(page, "has 100 CRN");
  });
  await task("the page connects again after the node was away", async () => {
    node.child.kill("SIGSTOP");
    await new Promise((resolve) => setTimeout(resolve, 300));
    node.child.kill("SIGCONT");
    await context.setOffline(true);
    await context.setOffline(false);
    await go("");
    await node.call("dev_mine", 1);
    const height = Number(await node.call("eth_blockNumber"));
    await until(async () => (await tip(page)) === `${height}`, "the newest tip", 20_000);
  });
  await task("transactions and search: no fault of the page", async () => equal(faults, [], "faults"));
  await context.close();
}

/// A coin that an account transaction withdrew has an id of its own, which is no transaction's.
async function withdrawn(node, command, page, go) {
  let [id, coin] = [null, null];
  await task("a withdrawn coin is shown with what withdrew it, from its owner and by the search", async () => {
    id = (await command("withdraw", "0.5")).txid.replace(/^0x/, "");
    [coin] = (await node.call("coin_getTransaction", id)).withdrawals;
    await go(`address/${coin.address}`);
    await page.click(`main a[href^="#/tx/${coin.txid}"]`);
    for (const open of [async () => {}, () => go(`search/${coin.txid}`), () => go(`tx/${coin.txid}`)]) {
      await open();
      await until(async () => (await page.textContent("h1")) === "Withdrawn coin", "its view");
      await shows(page, "0.5 CRN");
      await page.waitForSelector(`main a[href="#/tx/${id}"]`);
      await go("");
      await until(async () => (await page.textContent("h1")) === "The chain", "home");
    }
  });
  await task("a payment that spends it shows what it spends, and no dead link", async () => {
    const name = `${coin.txid}:${coin.index}`;
    await node.call("dev_setAutomine", false);
    const { txid } = await command("send", coin.address, "--max", "--coin", name);
    await go(`tx/${txid}`);
    const row = page.locator("main .halves tbody tr").first();
    await until(async () => (await row.innerText()).includes("0.5 CRN"), "the amount, while it waits");
    await node.call("dev_mine", 1);
    await node.call("dev_setAutomine", true);
    await shows(page, "1 confirmation,");
    await until(async () => (await row.innerText()).includes("a withdrawn coin"), "a withdrawn coin");
    equal(await row.locator("a").count(), 0, "links");
  });
}

/// What has the focus keeps it while blocks come.
async function focus(browser, node) {
  const { page, context, go } = await open(browser, node.url);
  const active = () => page.evaluate(() => document.activeElement.closest("tr")?.innerText ?? document.activeElement.localName);
  await task("the link to the tip keeps the focus when a block comes", async () => {
    await until(() => tip(page), "the tip");
    const next = Number(await node.call("eth_blockNumber")) + 1;
    await page.focus(".figures dd a");
    await node.call("dev_mine", 1);
    await until(async () => (await tip(page)) === `${next}`, "the block");
    equal(await page.evaluate(() => document.activeElement.textContent), `${next}`, "what has the focus");
  });
  await task("a link in a history keeps the focus in its row when a block comes", async () => {
    const from = (await node.call("eth_accounts"))[3];
    const to = `0x${"77".repeat(20)}`;
    const send = (value) => node.call("eth_sendTransaction", { from, to, value });
    for (const value of ["0x1", "0x2", "0x3"]) await send(value);
    await go(`account/${from}`);
    await shows(page, "3 wei");
    await page.locator("main tbody tr", { hasText: "2 wei" }).locator("a[href^='#/account/']").focus();
    check((await active()).includes("2 wei"), await active());
    await send("0x4");
    await shows(page, "4 wei");
    check((await active()).includes("2 wei"), await active());
  });
  await task("Escape closes the sign for a found block", async () => {
    await go("mining");
    await page.getByRole("button", { name: "Test the sign" }).click();
    await page.waitForSelector(".found");
    await page.keyboard.press("Escape");
    equal(await page.locator(".found").count(), 0, "signs");
  });
  await context.close();
}

/// A branch that forks off left of the picture.
async function longBranch(browser) {
  const node = await dev();
  try {
    await node.call("dev_mine", 30);
    await node.call("dev_reorg", 29);
    await node.call("dev_mine", 25);
    await node.call("dev_reorg", 20);
    const { page, context } = await open(browser, node.url);
    await task("the end of a branch that forks off left of the tree is drawn, the others are counted", async () => {
      await page.waitForSelector(".tree");
      await until(async () => (await page.locator(".tree .valid-fork").count()) >= 10, "blocks that lost");
      const last = (await node.call("chain_getTips")).find((one) => one.status !== "active" && one.branchLength === 20);
      check(await page.$(`.tree a[href="#/block/${last.hash}"]`), "the newest of them");
      await shows(page, "1 more branch is in the list below.");
      return `${await page.locator(".tree .valid-fork").count()} of 20`;
    });
    await context.close();
  } finally {
    await node.stop();
  }
}

module.exports = async (browser) => {
  const node = await dev();
  try {
    await blocks(browser, node);
    await backsOff(browser, node);
    await focus(browser, node);
    await transactions(browser, node);
  } finally {
    await node.stop();
  }
  await longBranch(browser);
};
