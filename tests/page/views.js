// Each view in both themes and on a small screen: no serious fault for axe, nothing wider than the screen. With PAGE_SHOTS=FOLDER
// pictures of all are left there.
"use strict";

const fs = require("fs");
const path = require("path");
const { check, task, until } = require("./lib/tasks");
const { dev, devnet } = require("./lib/node");
const { open } = require("./lib/browser");

const axe = fs.readFileSync(require.resolve("axe-core/axe.min.js"), "utf8");
const contracts = JSON.parse(fs.readFileSync(process.env.CLIENT_CONTRACTS)).contracts;
const shots = process.env.PAGE_SHOTS;

/// Something of each kind.
async function fill(node) {
  const [from, to] = await node.call("eth_accounts");
  const transfer = await node.call("eth_sendTransaction", { from, to, value: "0xde0b6b3a7640000" });
  const created = await node.call("eth_sendTransaction", {
    from,
    data: `0x${contracts["Bank.sol"].Bank.evm.bytecode.object}`,
    gas: "0x4c4b40",
  });
  const { contractAddress } = await node.call("eth_getTransactionReceipt", created);
  const paid = await node.call("eth_sendTransaction", {
    from,
    to: contractAddress,
    value: "0x8ac7230489e80000",
    gas: "0x30d40",
  });
  const [losing] = await node.call("dev_mine", 2);
  await node.call("dev_reorg", 2);
  await node.call("dev_setAutomine", false);
  for (let at = 0; at < 6; at += 1)
    await node.call("eth_sendTransaction", {
      from,
      to,
      value: "0x1",
      maxPriorityFeePerGas: `0x${(at * 500_000_000).toString(16)}`,
      maxFeePerGas: "0x4a817c800",
    });
  const { address } = await node.call("miner_status");
  const block = await node.call("chain_getBlock", 2, 1);
  return {
    home: "",
    blocks: "blocks",
    branches: "branches",
    block: "block/2",
    losing: `block/${losing}`,
    coinbase: `tx/${block.transactions[0]}`,
    transfer: `tx/${transfer.slice(2)}`,
    call: `tx/${paid.slice(2)}`,
    deployment: `tx/${created.slice(2)}`,
    account: `account/${from}`,
    contract: `account/${contractAddress}`,
    address: `address/${address}`,
    mining: "mining",
    network: "network",
    finality: "finality",
    dev: "dev",
    nothing: "search/nothing",
    wrong: "nowhere",
  };
}

async function audit(page) {
  const { violations } = await page.evaluate(() => window.axe.run(document, { resultTypes: ["violations"] }));
  const bad = violations.filter((one) => one.impact === "serious" || one.impact === "critical");
  check(
    bad.length === 0,
    bad
      .map(
        (one) =>
          `${one.id} (${one.impact}): ${one.nodes
            .slice(0, 3)
            .map((node) => `${node.html.slice(0, 120)} ${node.any[0]?.message ?? ""}`)
            .join(" | ")}`,
      )
      .join("; "),
  );
  return violations.length > 0 ? `minor: ${violations.map((one) => one.id).join(", ")}` : undefined;
}

/// Looks at views of a node in both themes and both widths.
async function look(browser, node, views, what) {
  for (const [theme, width] of [
    ["light", 1280],
    ["dark", 1280],
    ["light", 360],
    ["dark", 360],
  ]) {
    const { page, context, faults, go } = await open(browser, node.url, "", {
      colorScheme: theme,
      viewport: { width, height: width < 600 ? 740 : 900 },
      bypassCSP: true,
      reducedMotion: "reduce",
    });
    await page.evaluate(axe);
    for (const [name, view] of Object.entries(views)) {
      await task(`${name}, ${theme}, ${width} px: no serious fault, nothing too wide`, async () => {
        await go(view || "");
        await until(async () => (await page.locator(".loading:visible").count()) === 0, "the view is whole");
        await page.waitForTimeout(250);
        // Long bytes and inputs, which scroll.
        await page.$$eval("main details > code.block", (all) => all.forEach((code) => (code.parentElement.open = true)));
        if (shots) await page.screenshot({ path: path.join(shots, `${name}-${theme}-${width}.png`), fullPage: true });
        const over = await page.evaluate(
          () => document.documentElement.scrollWidth - document.documentElement.clientWidth,
        );
        check(over <= 0, `${over} px wider than the screen`);
        return audit(page);
      });
    }
    await task(`${what}, ${theme}, ${width} px: no fault of the page`, async () =>
      check(faults.length === 0, faults.join("; ")),
    );
    await context.close();
  }
}

module.exports = async (browser) => {
  const node = await dev("--stratum", "--stratum.port", "0");
  try {
    await look(browser, node, await fill(node), "views");
    await keyboard(browser, node);
    await hurry(browser, node);
  } finally {
    await node.stop();
  }
  const net = await devnet("--nodes", "4", "--members", "4");
  try {
    await until(async () => (await net.call("devnet_status")).nodes.length === 4, "the devnet runs", 30_000);
    await until(async () => (await net.call("chain_getFinality")).certificate, "a certificate", 120_000);
    await look(browser, net, { devnet: "dev", found: "mining", members: "finality" }, "devnet");
    await finality(browser, net);
  } finally {
    await net.stop();
  }
};

/// The node's own answer for a tag, and what the page says; the chain moves meanwhile.
async function finality(browser, net) {
  const { page, context } = await open(browser, net.url, "finality");
  await task("members: safe and finalized are what the node calls so", async () => {
    const said = (name) => page.locator("dl.facts div", { has: page.getByText(name, { exact: true }) }).locator("dd").innerText();
    const named = async () =>
      Promise.all(["safe", "finalized"].map(async (tag) => Number((await net.call("eth_getBlockByNumber", tag, false)).number)));
    const shown = async () => Promise.all(["safe", "finalized"].map(async (tag) => parseInt(await said(tag))));
    await until(async () => `${await named()}` === `${await shown()}`, "both");
    const { height, safeDepth } = await net.call("chain_getInfo");
    const [safe, finalized] = await named();
    check(safe >= finalized && safe >= height - safeDepth - 1, `safe ${safe}, finalized ${finalized}`);
    return `safe ${safe}, finalized ${finalized}, tip ${height}`;
  });
  await context.close();
}

async function keyboard(browser, node) {
  const { page, context } = await open(browser, node.url);
  await task("by keyboard: the skip link, the search by /, the theme", async () => {
    await page.keyboard.press("Tab");
    check(
      (await page.evaluate(() => document.activeElement.textContent)).startsWith("Skip"),
      "the first stop is the skip link",
    );
    await page.keyboard.press("Enter");
    const focused = () => page.evaluate(() => document.activeElement.id);
    await until(async () => (await focused()) === "main", "it leads to the content");
    await page.keyboard.press("/");
    await until(async () => (await focused()) === "query", "/ leads to the search");
    await page.focus("#theme");
    await page.keyboard.press("Enter");
    check((await page.evaluate(() => document.documentElement.dataset.theme)) === "light", "the theme changes");
    const outline = await page.evaluate(() => getComputedStyle(document.activeElement).outlineStyle);
    check(outline !== "none", "the focus is visible");
  });
  await context.close();
}

/// Whoever presses / before the page has followed a link.
async function hurry(browser, node) {
  const { page, context } = await open(browser, node.url, "", {
    // It listens before the page does: the focus goes there before the page hears of the skip link, and while a view is loaded.
    script: () =>
      window.addEventListener("hashchange", () => {
        const press = () => document.getElementById("query").focus();
        if (location.hash === "#main") press();
        else setTimeout(press, 0);
      }),
  });
  for (const [link, hash] of [
    [".skip", "#main"],
    ['.tabs a[href="#/mining"]', "#/mining"],
  ])
    await task(`a search that was begun keeps the focus when ${hash} comes`, async () => {
      await page.focus(link);
      await page.keyboard.press("Enter");
      await page.waitForFunction((target) => location.hash === target, hash);
      if (hash !== "#main") await until(async () => (await page.textContent("h1")) === "Mining", "the view");
      await page.waitForTimeout(100);
      check((await page.evaluate(() => document.activeElement.id)) === "query", "the focus was taken away");
    });
  await task("who starts at the skip link's target sees the chain", async () => {
    await page.goto("about:blank");
    await page.goto(`${node.url}/#main`);
    await page.waitForSelector(".figures dd a");
  });
  await context.close();
}
