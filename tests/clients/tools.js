// Runs the lines of docs/tools.md as they are written, but for the port, and without what installs or starts something.
"use strict";

const fs = require("fs");
const path = require("path");
const { execFile } = require("child_process");
const { foundry } = require("./lib/node");
const { url, hardhat3, task, limit, done } = require("./lib/tasks");

const NOT_RUN = /^(npm install|pip install|bin\/cairn-node) /;
const { port } = new URL(url);
// The section whose packages are not with the others.
const HARDHAT3 = "Hardhat 3";

/// The sections with their code blocks: language, text, and the file that the line before names.
function sections(text) {
  return text
    .split(/^## /m)
    .slice(1)
    .map((section) => {
      const blocks = [...section.matchAll(/(?:^`([^`\n]+)`:\n\n)?^```(\w+)\n(.*?)^```$/gms)];
      return {
        title: section.split("\n")[0],
        blocks: blocks.map(([, file, language, code]) => ({ file, language, code })),
      };
    });
}

/// A section's own folder, which has the packages that its `npm install` would have fetched.
function folderOf(title) {
  const folder = path.resolve(title.replaceAll(/\W+/g, "-").toLowerCase());
  const packages = title === HARDHAT3 ? hardhat3.packages : process.env.CLIENT_CACHE;
  fs.mkdirSync(folder);
  fs.symlinkSync(path.join(packages, "node_modules"), path.join(folder, "node_modules"));
  return folder;
}

function shell(code, cwd) {
  const lines = code.split("\n").filter((line) => !NOT_RUN.test(line));
  const tools = ["cast", "forge"].map((tool) => path.dirname(foundry(tool)));
  const python = path.dirname(process.env.CLIENT_PYTHON);
  const env = {
    ...process.env,
    PATH: [...tools, python, process.env.PATH].join(":"),
    FOUNDRY_SOLC: path.join(__dirname, "lib/solc"),
    HARDHAT_DISABLE_TELEMETRY_PROMPT: "true",
    HARDHAT_DISABLE_TELEMETRY: "true",
    CI: "true",
  };
  return new Promise((resolve, reject) => {
    execFile("bash", ["--norc", "-euc", lines.join("\n")], { cwd, env, timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${err || out || error.message}`.trim().split("\n").slice(-8).join(" | ")));
      else resolve(out);
    });
  });
}

async function section(title, blocks) {
  const folder = folderOf(title);
  for (const { file, language, code } of blocks) {
    if (file) {
      const target = path.join(folder, file);
      fs.mkdirSync(path.dirname(target), { recursive: true });
      fs.writeFileSync(target, code);
    } else if (language === "sh") await shell(code, folder);
  }
}

(async () => {
  const text = fs.readFileSync(path.join(__dirname, "../../docs/tools.md"), "utf8").replaceAll("8545", port);
  for (const { title, blocks } of sections(text)) {
    if (blocks.length === 0) continue;
    if (title === HARDHAT3 && !hardhat3.packages) {
      await limit(title, hardhat3.reason, () => Promise.reject());
      continue;
    }
    await task(title, () => section(title, blocks), { time: 120_000 });
  }
  done();
})();
