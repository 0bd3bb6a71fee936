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
    const count = () => [view.querySelectorAll("button").length > 0, view.querySelectorAll("option").length];
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
        return (await page.innerText(".banner.reorg")).split(". ")[0];
      },
      180_000,
    );
    await task("devnet: no fault of the page", async () => equal(faults, [], "faults"));
    await context.close();
  } finally {
    await net.stop();
  }
};
