require("@nomicfoundation/hardhat-ethers");
const path = require("path");
const { subtask } = require("hardhat/config");
const { TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD } = require("hardhat/builtin-tasks/task-names");

// The compiler of npm, in place of one that Hardhat would download.
subtask(TASK_COMPILE_SOLIDITY_GET_SOLC_BUILD, async ({ solcVersion }) => ({
  version: solcVersion,
  longVersion: solcVersion,
  compilerPath: path.join(process.env.CLIENT_SOLC, "soljson.js"),
  isSolcJs: true,
}));

const url = process.env.CLIENT_URL;
module.exports = {
  solidity: { version: "0.8.37", settings: { evmVersion: "osaka", optimizer: { enabled: true } } },
  defaultNetwork: "node",
  networks: {
    node: { url, accounts: { mnemonic: "test test test test test test test test test test test junk" } },
    remote: { url, accounts: "remote" },
  },
};
