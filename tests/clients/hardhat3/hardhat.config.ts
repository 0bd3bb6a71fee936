import hardhatEthers from "@nomicfoundation/hardhat-ethers";
import hardhatIgnition from "@nomicfoundation/hardhat-ignition-ethers";
import hardhatNetworkHelpers from "@nomicfoundation/hardhat-network-helpers";
import { defineConfig } from "hardhat/config";

const url = process.env.CLIENT_URL!;
const mnemonic = "test test test test test test test test test test test junk";
export default defineConfig({
  plugins: [hardhatEthers, hardhatIgnition, hardhatNetworkHelpers],
  solidity: {
    version: "0.8.37",
    // The compiler of npm, in place of one that Hardhat would download.
    path: `${process.env.CLIENT_SOLC}/soljson.js`,
    settings: { evmVersion: "osaka", optimizer: { enabled: true } },
  },
  // A fork has to know the chain's rules: Osaka's from the first block on.
  chainDescriptors: {
    [process.env.CLIENT_CHAIN_ID!]: { name: "dev", chainType: "l1", hardforkHistory: { osaka: { blockNumber: 0 } } },
  },
  ignition: { blockPollingInterval: 50 },
  networks: {
    cairn: { type: "http", chainType: "l1", url, accounts: { mnemonic } },
    remote: { type: "http", chainType: "generic", url, accounts: "remote" },
    fork: { type: "edr-simulated", chainType: "generic", forking: { url } },
    forkL1: { type: "edr-simulated", chainType: "l1", forking: { url } },
  },
});
