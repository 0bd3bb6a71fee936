// A network of three nodes: blocks as they are mined, and the buttons that partition, heal, mine and reorganise it.
"use strict";

const { check, equal, task, until } = require("./lib/tasks");
const { devnet } = require("./lib/node");
const { open } = require("./lib/browser");

const tip = (page) => page.evaluate(() => document.querySelector(".figures dd a")?.textContent);
const text = (page) => page.evaluate(() => document.querySelector("main").innerText);
const button = (page, name) => page.getByRole("button", { name, exact: true });

/// Presses a button, and waits for what comes of it.
async function press(page, name, time) {
  const outcome = page.locator(".action", { has: button(page, name) }).locator(".outcome");
  await button(page, name).click();
  const said = async () => {
    const now = await outcome.innerText();
    return now !== "" && now !== "…" ? now : null;
  };
  return until(said, `what comes of ${name}`, time);
}

async function mine(page, node, blocks) {
  await page.getByLabel("On", { exact: true }).selectOption(`${node}`);
  await page.getByRole("spinbutton", { name: "Blocks", exact: true }).fill(`${blocks}`);
  await press(page, "Mine", 60_000);
}

/// The view as it is while no node is known, and once they are.
const beginning = (page) =>
  page.evaluate(async () => {
    const { devnet } = await import("/assets/devnet.js");
    const [view, end] = [document.createElement("div"), new AbortController()];
    view.append(...devnet({ nodes: [], busy: null, note: null, last: null }, end.signal));
    const count = () => [view.querySelectorAll("button").length > 0, view.querySelectorAll("#devnet-node option").length];
    const before = count();
    while (!count()[0]) await new Promise((resolve) => setTimeout(resolve, 100));
    end.abort();
    return [before, count()];
  });

async function splits(net, page, go) {
  const nodes = async () => (await net.call("devnet_status")).nodes;
  const row = (at) => page.locator("tbody tr").nth(at).innerText();
  await task(
    "devnet: a button cuts this node off",
    async () => {
      await go("dev");
      await button(page, "Cut off this node").waitFor();
      equal(await press(page, "Cut off this node"), "done", "outcome");
      await until(async () => (await nodes()).every((one) => one.peers === (one.node === 0 ? 0 : 1)), "peers", 20_000);
      await until(
        async () => /^0 \(this one\)/.test(await row(0)) && /1\s*$/.test((await row(1)).replace(/Kill\s*$/, "")),
        "the table",
      );
      equal(
        (await nodes()).map((one) => one.side),
        [0, 1, 1],
        "sides",
      );
    },
    60_000,
  );
  await task(
    "devnet: both sides mine branches of their own",
    async () => {
      await mine(page, 0, 1);
      // The nodes mine by themselves too.
      await until(
        async () => {
          await mine(page, 1, 2);
          const [here, there] = await nodes();
          return there.height > here.height + 2;
        },
        "the other side is ahead",
        150_000,
      );
      const [here, there] = await nodes();
      check(here.tip !== there.tip, "two tips");
      return `heights ${here.height} and ${there.height}`;
    },
    180_000,
  );
  await task(
    "devnet: healed, this node reorganises to the branch with more work, and shows the one that lost",
    async () => {
      await press(page, "Heal");
      await page.waitForSelector(".banner.reorg", { timeout: 30_000 });
      await go("");
      await page.waitForSelector(".tree .valid-fork", { timeout: 10_000 });
      await until(async () => new Set((await nodes()).map((one) => one.tip)).size === 1, "one tip", 30_000);
      return (await page.innerText(".banner.reorg")).split(". ")[0];
    },
    90_000,
  );
}

async function orders(net, page, go) {
  await task(
    "devnet: a button starts a real reorganisation of 2",
    async () => {
      const before = await page.locator(".banner.reorg").count();
      await go("dev");
      await page.getByLabel("Blocks to drop", { exact: true }).fill("2");
      const said = await press(page, "Reorganise", 170_000);
      check(said.includes("reorganised: "), said);
      check((await page.locator(".banner.reorg").count()) >= Math.max(1, before), "a banner");
      return said;
    },
    180_000,
  );
  await task("devnet: a node is killed and started again", async () => {
    await button(page, "Kill node 2").click();
    await button(page, "Restart node 2").waitFor();
    await page.setViewportSize({ width: 360, height: 740 });
    const box = page.locator(".scroll", { has: button(page, "Restart node 2") });
    const over = await box.evaluate((element) => element.scrollWidth - element.clientWidth);
    await page.setViewportSize({ width: 1280, height: 900 });
    check(over <= 0, `at 360 px ${over} px of the table are out of sight`);
    await button(page, "Restart node 2").click();
    await button(page, "Kill node 2").waitFor();
  });
  await task("devnet: what cannot be done is said in words", async () => {
    await page.getByLabel("Groups").fill("0,1,2");
    check((await press(page, "Partition")).startsWith("That is all nodes in one group"), "one group");
    await page.getByLabel("Address", { exact: true }).fill("lcrn1nothing");
    check(/address/.test(await press(page, "Pay blocks to it")), "no address");
    await until(async () => (await text(page)).includes("pay lcrn1nothing: "), "the last order");
  });
}

/// Sends by a form of the development view, and sees the payment in a block and what it paid.
async function pays(net, page, go, button, to, wei) {
  const said = await press(page, button);
  check(said.startsWith("sent: "), said);
  const panel = page.locator(".action", { has: page.getByRole("button", { name: button, exact: true }) });
  const id = (await panel.locator("a").getAttribute("href")).split("/").at(-1);
  const receipt = () => net.call("eth_getTransactionReceipt", `0x${id}`);
  const { blockNumber } = await until(receipt, "its block", 60_000);
  equal(`${BigInt(await net.call("eth_getBalance", to, "latest"))}`, `${wei}`, "what the account has");
  await go(`tx/${id}`);
  await until(async () => /confirmation/.test(await text(page)), "the payment in its block");
  await go(`block/${Number(blockNumber)}`);
  await until(async () => page.locator(`main a[href="#/tx/${id}"]`).count(), "the payment in the block's list");
  await go("dev");
  await page.getByRole("button", { name: "Give", exact: true }).waitFor();
  return `in block ${Number(blockNumber)}`;
}

async function money(net, page, go) {
  const [one, other] = ["a1", "a2"].map((end) => `0x${end.padStart(40, "0")}`);
  const crn = 10n ** 18n;
  await task(
    "devnet: a payment from a funded account is in the next blocks",
    async () => {
      await go("dev");
      await page.getByRole("button", { name: "Send", exact: true }).waitFor();
      await page.getByLabel("To", { exact: true }).fill(one);
      await page.getByLabel("CRN", { exact: true }).fill("1.5");
      return pays(net, page, go, "Send", one, (3n * crn) / 2n);
    },
    120_000,
  );
  await task(
    "devnet: the faucet pays an account",
    async () => {
      await page.getByLabel("Account", { exact: true }).fill(other);
      await page.getByLabel("CRN to send", { exact: true }).fill("250");
      return pays(net, page, go, "Give", other, 250n * crn);
    },
    120_000,
  );
  await task("devnet: the funded accounts are listed, with a warning that their keys are public", async () => {
    await until(async () => (await text(page)).includes("Everybody knows their keys"), "the warning");
    const table = page.getByRole("table", { name: "Funded accounts" });
    await until(async () => (await table.locator("tbody tr").count()) === 10, "ten accounts");
    await until(async () => /9,749\.99\d* CRN/.test(await table.locator("tbody tr").last().innerText()), "its balance");
    check(/everybody knows their keys/i.test(net.said()), "the terminal warns, too");
  });
  await task("devnet: nothing is sent for an account without a key, and nobody is impersonated", async () => {
    const refused = await net.call("eth_sendTransaction", { from: one, to: other, value: "0x1" }).catch((error) => error);
    check(/unknown account/.test(refused.message), `${refused.message}`);
    const cheat = await net.call("anvil_setBalance", one, "0x1").catch((error) => error);
    check(/not served/.test(cheat.message), `${cheat.message}`);
  });
}

async function mining(net, page, go) {
  await task("devnet: the mining view lists blocks of this node's miner, which pays nobody", async () => {
    await go("mining");
    const table = page.getByRole("table", { name: "Blocks that were found here" });
    await until(async () => (await text(page)).includes("by the node's own miner since the start"), "the count", 60_000);
    const { found, lastBlocks, address } = await net.call("miner_status");
    equal(address, null, "whom it pays");
    check(found.own > 0 && lastBlocks.length > 0, JSON.stringify(found));
    const row = await table.locator("tbody tr").last().innerText();
    check(row.includes("the node's own miner") && row.includes("nobody"), row);
    const pays = page.locator("dl.facts div", { hasText: "Pays to" });
    check((await pays.innerText()).includes("nobody yet"), await pays.innerText());
    const { transactions } = await net.call("chain_getBlock", lastBlocks[0].hash, 1);
    await go(`tx/${transactions[0]}`);
    await until(async () => (await page.textContent("h1")) === "Coinbase", "the coinbase");
    await until(async () => (await text(page)).includes("nobody"), "whom it pays");
    check((await page.locator('main a[href*="#/address/"]').count()) === 0, "no address");
  });
}

module.exports = async (browser) => {
  const net = await devnet();
  try {
    const { page, context, faults, go } = await open(browser, net.url);
    await task(
      "devnet: home shows blocks as they are mined",
      async () => {
        const first = Number(await until(() => tip(page), "a tip"));
        await until(async () => Number(await tip(page)) > first, "another block", 60_000);
        await until(async () => (await text(page)).includes("Peers\n2"), "two peers", 30_000);
      },
      120_000,
    );
    await task("devnet: orders wait until the nodes are known", async () =>
      equal(
        await beginning(page),
        [
          [false, 0],
          [true, 3],
        ],
        "buttons and nodes",
      ),
    );
    await money(net, page, go);
    await mining(net, page, go);
    await splits(net, page, go);
    await orders(net, page, go);
    await task(
      "devnet: a reorganisation of 3 from its terminal is seen",
      async () => {
        await page.reload();
        net.order("reorg 3");
        await page.waitForSelector(".banner.reorg", { timeout: 170_000 });
        await go("");
        await page.waitForSelector(".tree .valid-fork", { timeout: 5_000 });
        const said = (await page.innerText(".banner.reorg")).split(". ")[0];
        // A block more may have come before the branch was there.
        check(Number(/Reorganisation of (\d+) blocks/.exec(said)?.[1]) >= 3, said);
        await page.focus(".tree .valid-fork");
        await page.keyboard.press("Enter");
        await until(async () => (await text(page)).includes("not on the active chain"), "a block that lost");
        return said;
      },
      180_000,
    );
    await task("devnet: no fault of the page", async () => equal(faults, [], "faults"));
    await context.close();
  } finally {
    await net.stop();
  }
};
