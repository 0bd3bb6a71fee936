// What a reader does on a network of three nodes: finds things, sees the wallet's transactions as they are mined, and reads texts
// that others chose, a peer's among them.
"use strict";

const fs = require("fs");
const { spawn } = require("child_process");
const { check, equal, task, until } = require("./lib/tasks");
const { devnet, wallet } = require("./lib/node");
const { open } = require("./lib/browser");

const TOKEN = JSON.parse(fs.readFileSync(process.env.CLIENT_CONTRACTS)).contracts["Token.sol"].Token.evm.bytecode.object;
/// Blocks come every few seconds, at times after a minute.
const BLOCK_TIME = 150_000;
const EVIL = "<img src=x onerror=window.caught=1>";
/// As long as the token lets a name be.
const NAME = "<img src=x onerror=caught=1>";

const text = (page) => page.evaluate(() => document.querySelector("main").innerText);
const shows = (page, part) => until(async () => (await text(page)).includes(part), `the view shows ${part}`);
const title = (page, wanted) => until(async () => (await page.textContent("h1")) === wanted, `the view ${wanted}`);

/// Waits for the block of a transaction, then for the page to show it; how long that took.
async function appears(net, page, id, what) {
  const height = async () => (await net.call("coin_getTransaction", id).catch(() => null))?.height ?? null;
  await until(async () => (await height()) !== null, `the block of ${what}`, BLOCK_TIME);
  const began = Date.now();
  // Before that, its row says that it is pending.
  const mined = (href) => {
    const rows = [...document.querySelectorAll("main tr")].filter((row) => row.querySelector(`a[href="${href}"]`));
    return rows.length > 0 && rows.every((row) => !row.innerText.includes("pending"));
  };
  await until(() => page.evaluate(mined, `#/tx/${id}`), `${what} on the page`, 1_000);
  return `${Date.now() - began} ms after its block`;
}

async function payments(net, page, command, seen) {
  const to = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";
  const { address: receive } = await command("address");
  const timed = (what, action) => task(`devnet: ${what} by the wallet appears within a second of its block`, action, BLOCK_TIME);
  await timed("a coin payment", async () => {
    const sent = await command("send", `${receive}=1.25`);
    Object.assign(seen, { coin: sent.txid ?? sent.txids[0], address: receive, account: to });
    return appears(net, page, seen.coin, "the payment");
  });
  await timed("a transfer", async () => {
    const sent = await command("transfer", to, "0.5");
    seen.transfer = (sent.txid ?? sent.hash).replace(/^0x/, "");
    return appears(net, page, seen.transfer, "the transfer");
  });
  await timed("a contract", async () => {
    const names = [`${NAME}\u202e`, "<b>\u001b[31m", "1000000"];
    const made = await command("deploy", `0x${TOKEN}`, ...names, "--constructor", "constructor(string,string,uint256)");
    seen.contract = made.contract;
    return appears(net, page, made.txid.replace(/^0x/, ""), "the deployment");
  });
  await timed("a contract call", async () => {
    const { txid } = await command("call", seen.contract, "transfer(address,uint256)", to, "250");
    return appears(net, page, txid.replace(/^0x/, ""), "the call");
  });
}

async function finds(net, page, go, seen) {
  await task("devnet: search finds each kind", async () => {
    const hash = await net.call("chain_getBlockHash", 1);
    const kinds = [
      ["1", "Block 1"],
      [hash, "Block 1"],
      [`0x${hash}`, "Block 1"],
      [seen.coin, "Coin payment"],
      [`0x${seen.transfer}`, "Transfer"],
      [seen.account.toLowerCase(), "Account"],
      [seen.contract, "Contract"],
      [seen.address, "Coin address"],
    ];
    for (const [query, view] of kinds) {
      await page.fill("#query", query);
      await page.press("#query", "Enter");
      await title(page, view);
      await go("");
      await title(page, "The chain");
    }
  });
}

/// A real peer with markup and escapes in the name of its program.
async function foreignPeer(net, agent) {
  const { genesis } = await net.call("chain_getInfo");
  const child = spawn(process.env.CAIRN_FOREIGN_PEER, [`127.0.0.1:${net.net}`, genesis, agent]);
  let said = "";
  child.on("error", (error) => (said += error.message));
  for (const stream of [child.stdout, child.stderr]) stream.on("data", (bytes) => (said += bytes));
  await until(() => said.includes("connected"), "the peer introduces itself").catch((error) => {
    child.kill();
    throw new Error(`${error.message}: ${said}`);
  });
  return child;
}

async function hostile(net, page, go, seen) {
  await task("devnet: a token called <img onerror> is text", async () => {
    await go(`account/${seen.contract}`);
    await shows(page, NAME);
    await shows(page, "\\u{202e} (<b>\\u{1b}[31m)");
  });
  await task("devnet: the agent of a real peer, with markup and escapes, is text", async () => {
    const peer = await foreignPeer(net, `${EVIL}\u001b[31m\u202e`);
    try {
      await go("network");
      await page.fill("#cookie", net.cookie());
      await page.getByRole("button", { name: "Show the peers" }).click();
      // The node itself keeps none of a peer's letters that steer a terminal.
      await shows(page, `${EVIL}[31m`);
    } finally {
      peer.kill();
    }
    await until(async () => (await net.call("net_peerCount")) === "0x2", "the peer leaves", 30_000);
  });
  await task("devnet: the bytes of a coinbase that its miner chose are text", async () => {
    const { hash } = (await net.call("miner_status")).lastBlocks[0];
    await go(`block/${hash}`);
    await shows(page, (await net.call("chain_getBlock", hash, 1)).extra.slice(0, 32));
  });
  await task("devnet: nothing hostile ran, was loaded, or violated the policy", async () => {
    equal(await page.evaluate(() => window.caught ?? null), null, "what scripts left");
    equal(await page.evaluate(() => document.querySelectorAll("main img, main script").length), 0, "elements out of texts");
  });
}

module.exports = async (browser) => {
  const net = await devnet();
  try {
    const command = await wallet(net);
    const { page, context, faults, go } = await open(browser, net.url);
    const seen = {};
    await payments(net, page, command, seen);
    check(seen.contract, "there is a contract");
    await finds(net, page, go, seen);
    await hostile(net, page, go, seen);
    await task("devnet: no fault of the page on it", async () => equal(faults, [], "faults"));
    await context.close();
  } finally {
    await net.stop();
  }
};
