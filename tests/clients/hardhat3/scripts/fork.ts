import { network } from "hardhat";
import { check, each, rejects } from "./each.js";

const { ethers } = await network.create("cairn");
const safe = await ethers.deployContract("Safe", [5]);
await (await safe.set(6)).wait();
const target = await safe.getAddress();
const { ethers: forked } = await network.create("fork");
const [, second] = await forked.getSigners();
const copy = await forked.getContractAt("Safe", target);

await each({
  height: async () =>
    check((await forked.provider.getBlockNumber()) >= (await ethers.provider.getBlockNumber()), "wrong height"),
  read: async () => check((await copy.number()) === 6n, "wrong number"),
  write: async () => {
    await (await copy.set(7)).wait();
    check((await copy.number()) === 7n, "not written");
    check((await safe.number()) === 6n, "the node's own state changed");
  },
  queryFilter: async () => check((await copy.queryFilter("Changed", 0)).length === 2, "wrong events"),
  "receipt of the node's chain": async () => {
    const { hash } = safe.deploymentTransaction()!;
    check((await forked.provider.getTransactionReceipt(hash))?.contractAddress === target, "wrong receipt");
  },
  "custom error": async () => {
    const error = await rejects(() => copy.connect(second).getFunction("close").staticCall());
    check(`${error.message}`.includes("NotOwner"), `not decoded: ${error.message}`);
  },
  "of chain type l1": async () => {
    const { ethers: forkedL1 } = await network.create("forkL1");
    check((await (await forkedL1.getContractAt("Safe", target)).number()) === 6n, "wrong number");
  },
});
process.exit(0);
