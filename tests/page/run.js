// Drives the page of real nodes with Chromium, prints a line for each task, and the count. node run.js [SECTION ...]
"use strict";

const { count } = require("./lib/tasks");
const { launch } = require("./lib/browser");

const SECTIONS = ["chain", "devnet", "network", "hostile", "less", "wallet", "views", "load"];

async function main() {
  const chosen = process.argv.slice(2);
  const unknown = chosen.find((name) => !SECTIONS.includes(name));
  if (unknown) throw new Error(`no such section: ${unknown}; there are ${SECTIONS.join(", ")}`);
  const browser = await launch();
  try {
    for (const name of chosen.length > 0 ? chosen : SECTIONS) await require(`./${name}`)(browser);
  } finally {
    await browser.close();
  }
  console.log(`${count.passed} passed, ${count.failed} failed`);
  process.exit(count.failed === 0 && count.passed > 0 ? 0 : 1);
}

main().catch((error) => {
  console.error(`page: ${error.stack ?? error}`);
  process.exit(2);
});
