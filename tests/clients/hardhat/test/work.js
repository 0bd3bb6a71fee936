// Prints `passed NAME` or `failed NAME: why` for each thing that a project does.
"use strict";

const { ethers, network } = require("hardhat");
const helpers = require("@nomicfoundation/hardhat-network-helpers");

const check = (truth, message) => {
  if (!truth) throw new Error(message);
};

async function work() {
  const [first, second] = await ethers.getSigners();
  let safe;
  const tasks = {
    getSigners: async () => check(first.address && second.address, "no signers"),
    balance: async () => check((await ethers.provider.getBalance(first.address)) > 10n ** 18n, "no money"),
    deploy: async () => {
      safe = await ethers.deployContract("Safe", [5]);
      await safe.waitForDeployment();
    },
    read: async () => check((await safe.number()) === 5n, "wrong number"),
    write: async () => check((await (await safe.set(6)).wait()).status === 1, "failed"),
    "write by another signer": async () =>
      check((await (await safe.connect(second).set(7)).wait()).status === 1, "failed"),
    transfer: async () =>
      check((await (await first.sendTransaction({ to: second.address, value: 5n })).wait()).status === 1, "failed"),
    queryFilter: async () => check((await safe.queryFilter("Changed", 0)).length === 2, "wrong events"),
    "contract.on": async () => {
      const heard = new Promise((resolve, reject) => {
        safe.on("Changed", (by, number) => number === 8n && resolve());
        setTimeout(() => reject(new Error("no event within 10 s")), 10_000);
      });
      await new Promise((resolve) => setTimeout(resolve, 500));
      await safe.set(8);
      await heard;
      await safe.off("Changed");
    },
    "custom error": async () => {
      const error = await safe
        .connect(second)
        .close.staticCall()
        .then(
          () => null,
          (refused) => refused,
        );
      check(safe.interface.parseError(error?.data ?? "0x")?.name === "NotOwner", `not recognised: ${error?.message}`);
    },
    "snapshot and revert": async () => {
      const id = await network.provider.send("evm_snapshot");
      await (await safe.set(99)).wait();
      check((await network.provider.send("evm_revert", [id])) === true, "not reverted");
      check((await safe.number()) === 8n, "wrong number");
    },
    "increase time": async () => {
      const before = (await ethers.provider.getBlock("latest")).timestamp;
      await network.provider.send("evm_increaseTime", [1000]);
      await network.provider.send("evm_mine");
      check((await ethers.provider.getBlock("latest")).timestamp >= before + 1000, "time stood still");
    },
    "helpers time and mine": async () => {
      const [before, height] = [await helpers.time.latest(), await helpers.time.latestBlock()];
      await helpers.time.increase(1000);
      await helpers.mine(20_000);
      check((await helpers.time.latest()) >= before + 1000, "time stood still");
      check((await helpers.time.latestBlock()) === height + 20_001, "wrong height");
    },
    "helpers takeSnapshot and loadFixture": async () => {
      const snapshot = await helpers.takeSnapshot();
      const fixture = async () => ethers.deployContract("Safe", [11]);
      const fresh = await helpers.loadFixture(fixture);
      await (await fresh.set(12)).wait();
      check((await (await helpers.loadFixture(fixture)).number()) === 11n, "not the fixture's state");
      await snapshot.restore();
    },
    "helpers setBalance and impersonateAccount": async () => {
      const stranger = "0x00000000000000000000000000000000000b0b0b";
      await helpers.setBalance(stranger, 10n ** 18n);
      await helpers.impersonateAccount(stranger);
      const signer = await ethers.provider.getSigner(stranger).catch(() => null);
      check((await ethers.provider.getBalance(stranger)) === 10n ** 18n, "wrong balance");
      if (network.name === "remote") check(signer, "no signer");
      await helpers.stopImpersonatingAccount(stranger);
    },
  };
  for (const [name, action] of Object.entries(tasks)) {
    const line = await action().then(
      () => `passed ${name}`,
      (error) => `failed ${name}: ${error.message}`.replace(/\s+/g, " ").slice(0, 400),
    );
    console.log(line);
  }
}

work().then(() => process.exit(0));
