// Runs the lines of docs/tools.md as they are written, but for the port, and without what installs or starts something.
"use strict";

const fs = require("fs");
const path = require("path");
const { execFile } = require("child_process");
const { foundry } = require("./lib/node");
const { url, task, done } = require("./lib/tasks");

const NOT_RUN = /^(npm install|pip install|bin\/cairn-node) /;
const { port } = new URL(url);

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

function shell(code) {
  const lines = code.split("\n").filter((line) => !NOT_RUN.test(line));
  const tools = ["cast", "forge"].map((tool) => path.dirname(foundry(tool)));
  const python = path.dirname(process.env.CLIENT_PYTHON);
  const env = {
    ...process.env,
    PATH: [...tools, python, process.env.PATH].join(":"),
    FOUNDRY_SOLC: path.join(__dirname, "lib/solc"),
    HARDHAT_DISABLE_TELEMETRY_PROMPT: "true",
    CI: "true",
  };
  return new Promise((resolve, reject) => {
    execFile("bash", ["--norc", "-euc", lines.join("\n")], { env, timeout: 60_000 }, (error, out, err) => {
      if (error) reject(new Error(`${err || out || error.message}`.trim().split("\n").slice(-8).join(" | ")));
      else resolve(out);
    });
  });
}

(async () => {
  fs.symlinkSync(path.join(process.env.CLIENT_CACHE, "node_modules"), "node_modules");
  const text = fs.readFileSync(path.join(__dirname, "../../docs/tools.md"), "utf8").replaceAll("8545", port);
  for (const { title, blocks } of sections(text)) {
    if (blocks.length === 0) continue;
    await task(
      title,
      async () => {
        for (const { file, language, code } of blocks) {
          if (file) {
            fs.mkdirSync(path.dirname(file), { recursive: true });
            fs.writeFileSync(file, code);
          } else if (language === "sh") await shell(code);
        }
      },
      { time: 120_000 },
    );
  }
  done();
})();
