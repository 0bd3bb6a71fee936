// The README's picture of `cairn-node top`, of a devnet that mines, pays and reorganises. node top.js FILE.svg
"use strict";

const fs = require("fs");
const { spawn } = require("child_process");
const { cells, svg } = require("./lib/screen");
const { sleep, until } = require("./lib/tasks");
const { devnet, wallet } = require("./lib/node");

const [COLUMNS, ROWS, MOST] = [100, 30, 60_000];
const REPAINT = "\x0c";

/// The program on a pseudo terminal, which `script` of util-linux makes, and what it wrote.
function terminal(net) {
  const command = `stty cols ${COLUMNS} rows ${ROWS}; exec "$CAIRN_NODE" top --rpc ${net.url}`;
  const env = { ...process.env, HOME: net.folder, TERM: "xterm-256color" };
  delete env.NO_COLOR;
  const child = spawn("script", ["--quiet", "--return", "--command", command, "/dev/null"], { env });
  const ended = new Promise((resolve, reject) => {
    child.on("error", () => reject(new Error("script (util-linux) cannot be run")));
    child.on("exit", resolve);
  });
  ended.catch(() => {});
  let written = "";
  child.stdout.setEncoding("utf8").on("data", (text) => (written += text));
  const shown = () => cells(written, COLUMNS, ROWS);
  const text = () => shown().map((row) => row.map(({ letter }) => letter).join("")).join("\n");
  return { type: (keys) => child.stdin.write(keys), ended, shown, text };
}

async function main() {
  const file = process.argv[2];
  if (!file) throw new Error("expected a file for the picture");
  const net = await devnet();
  try {
    const command = await wallet(net);
    await command("mine");
    const height = async () => Number(await net.call("eth_blockNumber"));
    await until(async () => (await height()) > 16, "blocks", 300_000);
    const top = terminal(net);
    await Promise.race([top.ended, until(() => top.text().includes("Log (UTC)"), "a frame", 30_000)]);
    net.order("reorg 2");
    await until(() => top.text().includes("reorganised "), "a reorg", 240_000);
    const spendable = async () => (await command("balance")).coins?.confirmed > 0 || (await height()) > 60;
    await until(spendable, "coins to spend", 300_000);
    const { address } = await net.call("miner_status");
    for (const amount of ["0.4", "0.7", "1.1"])
      await command("send", `${address}=${amount}`).catch((error) => console.error(`pictures: ${error.message}`));
    await sleep(2_500);
    top.type(REPAINT);
    await sleep(500);
    fs.writeFileSync(file, svg(top.shown()));
    top.type("q");
    await top.ended;
    const { size } = fs.statSync(file);
    if (size > MOST) throw new Error(`${file} has ${size} bytes, more than ${MOST}`);
    console.log(`${file}: ${size} bytes`);
  } finally {
    await net.stop();
  }
}

main().catch((error) => {
  console.error(`pictures: ${error.message}`);
  process.exit(1);
});
