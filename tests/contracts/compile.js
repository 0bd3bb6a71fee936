// Compiles every .sol file of a folder into CACHE/contracts.json, as `solc --standard-json` writes it. Nothing is done if
// neither the sources nor the compiler changed since the last time.
"use strict";

const fs = require("fs");
const path = require("path");
const { createHash } = require("crypto");

const [, , folder, cache] = process.argv;
const solc = require(path.join(cache, "node_modules", "solc"));

const names = fs.readdirSync(folder).filter((name) => name.endsWith(".sol")).sort();
const input = {
  language: "Solidity",
  sources: Object.fromEntries(names.map((name) => [name, { content: fs.readFileSync(path.join(folder, name), "utf8") }])),
  settings: {
    evmVersion: "osaka",
    optimizer: { enabled: true, runs: 200 },
    outputSelection: { "*": { "*": ["abi", "evm.bytecode.object", "evm.bytecode.linkReferences"] } },
  },
};
const stamp = createHash("sha256").update(JSON.stringify([solc.version(), input])).digest("hex");
const [stampFile, resultFile] = [path.join(cache, "stamp"), path.join(cache, "contracts.json")];
if (fs.existsSync(resultFile) && fs.existsSync(stampFile) && fs.readFileSync(stampFile, "utf8") === stamp) {
  process.exit(0);
}

const found = (name) => {
  const file = path.join(cache, "node_modules", name);
  return fs.existsSync(file) ? { contents: fs.readFileSync(file, "utf8") } : { error: "not found" };
};
const result = JSON.parse(solc.compile(JSON.stringify(input), { import: found }));
const errors = (result.errors ?? []).filter((error) => error.severity === "error");
if (errors.length > 0) {
  console.error(errors.map((error) => error.formattedMessage).join("\n"));
  process.exit(2);
}
// The tests' own contracts, and what they need to know of others.
result.contracts = Object.fromEntries(Object.entries(result.contracts).filter(([name]) => names.includes(name)));
fs.writeFileSync(resultFile + ".new", JSON.stringify(result));
fs.renameSync(resultFile + ".new", resultFile);
fs.writeFileSync(stampFile, stamp);
