// The README's pictures: the chain and a contract's call, of a devnet that mines, pays, and reorganises. node pictures.js FOLDER
"use strict";

const fs = require("fs");
const path = require("path");
const { launch, open } = require("./lib/browser");
const { sleep, until } = require("./lib/tasks");
const { devnet, wallet } = require("./lib/node");

const MOST = 150_000;

/// A picture of an open page, which must be small.
async function shoot(page, file) {
  await page.screenshot({ path: file });
  const { size } = fs.statSync(file);
  if (size > MOST) throw new Error(`${file} has ${size} bytes, more than ${MOST}`);
  console.log(`${file}: ${size} bytes`);
}

async function main() {
  const folder = process.argv[2];
  if (!folder) throw new Error("expected a folder for the pictures");
  const [net, browser] = [await devnet(), await launch()];
  try {
    const { page, go } = await open(browser, net.url, "", {
      colorScheme: "light",
      viewport: { width: 1100, height: 760 },
    });
    const command = await wallet(net);
    await command("mine");
    const height = async () => Number(await net.call("eth_blockNumber"));
    await until(async () => (await height()) > 16, "blocks", 300_000);
    net.order("reorg 3");
    await page.waitForSelector(".banner.reorg", { timeout: 240_000 });
    await until(
      async () => (await command("balance")).coins?.confirmed > 0 || (await height()) > 60,
      "coins to spend",
      300_000,
    );
    const [{ address }] = [await net.call("miner_status")];
    const sent = await command("deposit", "2").catch((error) => console.error(`pictures: ${error.message}`));
    for (const amount of ["0.4", "0.7", "1.1"])
      await command("send", `${address}=${amount}`).catch((error) => console.error(`pictures: ${error.message}`));
    await sleep(1_500);
    await page
      .getByRole("button", { name: "Close this message" })
      .click()
      .catch(() => {});
    await shoot(page, path.join(folder, "chain.png"));
    const txid = (sent?.txid ?? "").replace(/^0x/, "");
    await until(
      async () => (await net.call("coin_getTransaction", txid))?.confirmations > 2,
      "a block with the payment",
      120_000,
    );
    await page.emulateMedia({ colorScheme: "dark" });
    await go(`tx/${txid}`);
    await page.waitForSelector(".range");
    await sleep(800);
    await shoot(page, path.join(folder, "transaction.png"));
  } finally {
    await browser.close();
    await net.stop();
  }
}

main().catch((error) => {
  console.error(`pictures: ${error.message}`);
  process.exit(1);
});
