// Hardhat 2 with its ethers plugin: a project that compiles and runs a script on two networks, with keys and with the
// node's accounts.
"use strict";

const fs = require("fs");
const path = require("path");
const { execFile } = require("child_process");
const { task, done, check } = require("./lib/tasks");

const project = path.join(process.cwd(), "hardhat");

function hardhat(...given) {
  const program = path.join(process.env.CLIENT_CACHE, "node_modules/hardhat/internal/cli/bootstrap.js");
  const env = { ...process.env, HARDHAT_DISABLE_TELEMETRY_PROMPT: "true", NO_COLOR: "1", CI: "true" };
  return new Promise((resolve, reject) => {
    execFile(process.execPath, [program, ...given], { cwd: project, env, timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${out}\n${err}`.trim().split("\n").slice(-6).join(" | ")));
      else resolve(out);
    });
  });
}
const slow = { time: 60_000 };

async function work(network, prefix) {
  const out = await task(
    `${prefix}run a script`,
    () => hardhat("run", "--no-compile", "test/work.js", "--network", network),
    slow,
  );
  for (const line of `${out ?? ""}`.split("\n")) {
    const [, outcome, what, why] = line.match(/^(passed|failed) ([^:]+)(?:: (.*))?$/) ?? [];
    if (outcome) await task(`${prefix}${what}`, async () => check(outcome === "passed", why));
  }
}

(async () => {
  fs.cpSync(path.join(__dirname, "hardhat"), project, { recursive: true });
  fs.mkdirSync(path.join(project, "contracts"));
  fs.copyFileSync(path.join(__dirname, "forge/src/Safe.sol"), path.join(project, "contracts/Safe.sol"));
  // Hardhat looks for itself below the project.
  fs.symlinkSync(path.join(process.env.CLIENT_CACHE, "node_modules"), path.join(project, "node_modules"));
  await task("compile", () => hardhat("compile"), slow);
  await work("node", "");
  await work("remote", "remote ");
  done();
})();
