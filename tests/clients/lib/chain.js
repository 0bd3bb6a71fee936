// A chain with two contracts and a transfer, for scripts that call the node without a client.
"use strict";

const ethers = require("ethers");
const { url, KEYS, ADDRESSES, contract, task, check, rejects, call } = require("./tasks");

const provider = new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 50, cacheTimeout: -1 });
const wallet = new ethers.Wallet(KEYS[0], provider);

const deploy = async (name, ...given) => {
  const { abi, bytecode } = contract(name);
  return (await new ethers.ContractFactory(abi, bytecode, wallet).deploy(...given)).waitForDeployment();
};

/// A token, a contract that fails in many ways, and the receipt of a transfer of the token.
async function setUp() {
  const token = await deploy("Token", "Stone", "STN", 1000n);
  const probe = await deploy("Probe");
  const receipt = await (await token.transfer(ADDRESSES[1], 5n)).wait();
  return {
    token: await token.getAddress(),
    probe: await probe.getAddress(),
    transfer: receipt,
    coder: probe.interface,
    tokens: token.interface,
  };
}

// What geth does and anvil does otherwise.
const geth = { only: "cairn" };
/// A call that must end with one of these codes and with these words.
const refused = (what, codes, words, method, ...params) => refusedBy({}, what, codes, words, method, ...params);
const refusedBy = (where, what, codes, words, method, ...params) =>
  task(
    what,
    async () => {
      const error = await rejects(() => call(method, ...params));
      check(
        [codes].flat().includes(error.code) && error.message.toLowerCase().includes(words.toLowerCase()),
        `expected ${codes} "${words}", got ${error.code} ${error.message}`,
      );
    },
    where,
  );

module.exports = { provider, wallet, setUp, geth, refused, refusedBy };
