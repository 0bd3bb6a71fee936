import { network } from "hardhat";
import { check, each, rejects } from "./each.js";

const { ethers, networkHelpers: helpers } = await network.create();
const [first] = await ethers.getSigners();
const stranger = "0x00000000000000000000000000000000000b0b0b";
const height = () => ethers.provider.getBlockNumber();

await each({
  "time.increase": async () => {
    const before = await helpers.time.latest();
    check((await helpers.time.increase(1000)) === before + 1000, "wrong time");
    check((await helpers.time.latest()) === before + 1000, "time stood still");
  },
  "time.increaseTo": async () => {
    const to = (await helpers.time.latest()) + 500;
    await helpers.time.increaseTo(to);
    check((await helpers.time.latest()) === to, "wrong time");
  },
  "time.setNextBlockTimestamp": async () => {
    const to = (await helpers.time.latest()) + 77;
    await helpers.time.setNextBlockTimestamp(to);
    await helpers.mine();
    check((await helpers.time.latest()) === to, "wrong time");
  },
  "mine many": async () => {
    const [number, time] = [await height(), await helpers.time.latest()];
    await helpers.mine(10, { interval: 60 });
    check((await height()) === number + 10, "wrong height");
    check((await helpers.time.latest()) >= time + 540, "wrong interval");
  },
  mineUpTo: async () => {
    const to = (await height()) + 5;
    await helpers.mineUpTo(to);
    check((await height()) === to, "wrong height");
  },
  takeSnapshot: async () => {
    const before = await ethers.provider.getBalance(stranger);
    const snapshot = await helpers.takeSnapshot();
    await (await first.sendTransaction({ to: stranger, value: 5n })).wait();
    await snapshot.restore();
    check((await ethers.provider.getBalance(stranger)) === before, "not restored");
  },
  loadFixture: async () => {
    const fixture = async () => ethers.deployContract("Safe", [5]);
    await (await (await helpers.loadFixture(fixture)).set(6)).wait();
    check((await (await helpers.loadFixture(fixture)).number()) === 5n, "not the fixture's state");
  },
  setBalance: async () => {
    await helpers.setBalance(stranger, 10n ** 18n);
    check((await ethers.provider.getBalance(stranger)) === 10n ** 18n, "wrong balance");
  },
  setCode: async () => {
    await helpers.setCode(stranger, "0x00");
    check((await ethers.provider.getCode(stranger)) === "0x00", "wrong code");
    await helpers.setCode(stranger, "0x");
  },
  setNonce: async () => {
    await helpers.setNonce(stranger, 9);
    check((await ethers.provider.getTransactionCount(stranger)) === 9, "wrong nonce");
  },
  "setStorageAt and getStorageAt": async () => {
    const safe = await ethers.deployContract("Safe", [5]);
    const target = await safe.getAddress();
    await helpers.setStorageAt(target, 0, 42);
    check((await safe.number()) === 42n, "wrong number");
    check(BigInt(await helpers.getStorageAt(target, 0)) === 42n, "wrong storage");
  },
  impersonateAccount: async () => {
    await helpers.impersonateAccount(stranger);
    const signer = await ethers.getSigner(stranger);
    await (await signer.sendTransaction({ to: first.address, value: 5n })).wait();
    await helpers.stopImpersonatingAccount(stranger);
    await rejects(() => signer.sendTransaction({ to: first.address, value: 5n }));
  },
  setNextBlockBaseFeePerGas: async () => {
    await helpers.setNextBlockBaseFeePerGas(3_000_000_000n);
    await helpers.mine();
    check((await ethers.provider.getBlock("latest"))?.baseFeePerGas === 3_000_000_000n, "wrong fee");
  },
  setCoinbase: async () => {
    await helpers.setCoinbase(stranger);
    await helpers.mine();
    check((await ethers.provider.getBlock("latest"))?.miner.toLowerCase() === stranger, "wrong miner");
  },
  setBlockGasLimit: async () => {
    await helpers.setBlockGasLimit(20_000_000);
    await helpers.mine();
    check((await ethers.provider.getBlock("latest"))?.gasLimit === 20_000_000n, "wrong limit");
  },
  "setBlockGasLimit to what it is": async () => {
    const limit = (await ethers.provider.getBlock("latest"))?.gasLimit;
    await helpers.setBlockGasLimit(limit ?? 0);
  },
  setPrevRandao: async () => {
    await helpers.setPrevRandao(7);
    await helpers.mine();
    check(BigInt((await ethers.provider.getBlock("latest"))?.prevRandao ?? 0) === 7n, "wrong value");
  },
  "with keys of one's own": async () => (await network.create("cairn")).networkHelpers.time.latest(),
});
process.exit(0);
