import { network } from "hardhat";
import SafeModule from "../ignition/modules/Safe.js";
import { check, each, rejects } from "./each.js";

const { ethers, ignition, provider } = await network.create();
const [first, second] = await ethers.getSigners();
const safe = await ethers.deployContract("Safe", [5]);
const probe = await ethers.deployContract("Probe");
const sent = async (transaction: Promise<any>) => check((await (await transaction).wait()).status === 1, "failed");

/// What a contract refuses with comes back as data, and a text in the message too.
async function decoded(contract: any, name: string, argument: unknown, action: () => Promise<unknown>) {
  const error = await rejects(action);
  const found = contract.interface.parseError(error.data ?? "0x");
  check(found?.name === name && found.args[0] === argument, `not decoded: ${error.message}`);
  check(name !== "Error" || error.message.includes(argument), `not said: ${error.message}`);
}

await each({
  getSigners: async () => check(first.address && second.address, "no signers"),
  balance: async () => check((await ethers.provider.getBalance(first.address)) > 10n ** 18n, "no money"),
  deploy: () => safe.waitForDeployment(),
  read: async () => check((await safe.number()) === 5n, "wrong number"),
  write: () => sent(safe.set(6)),
  "write by another signer": () => sent(safe.connect(second).set(7)),
  transfer: () => sent(first.sendTransaction({ to: second.address, value: 5n })),
  "events of a receipt": async () => {
    const { logs } = await (await safe.set(7)).wait();
    check(logs[0].fragment.name === "Changed" && logs[0].args.number === 7n, "wrong event");
  },
  queryFilter: async () => check((await safe.queryFilter("Changed", 0)).length === 3, "wrong events"),
  "contract.on": async () => {
    const heard = new Promise<void>((resolve, reject) => {
      safe.on("Changed", (_by: string, number: bigint) => number === 8n && resolve());
      setTimeout(() => reject(new Error("no event within 10 s")), 10_000).unref();
    });
    await new Promise((resolve) => setTimeout(resolve, 500));
    await safe.set(8);
    await heard;
    await safe.off("Changed");
  },
  "sign a message": async () =>
    check(ethers.verifyMessage("hello", await first.signMessage("hello")) === first.address, "wrong signer"),
  "reason of a call": async () => decoded(probe, "Error", "too late", () => probe.failWith("too late")),
  "reason of a transaction": async () => decoded(probe, "Error", "too late", () => probe.failWith.send("too late")),
  "panic of a call": async () => decoded(probe, "Panic", 0x12n, () => probe.divide(1, 0)),
  "custom error of a call": async () =>
    decoded(safe, "NotOwner", second.address, () => safe.connect(second).close.staticCall()),
  "custom error of a transaction": async () =>
    decoded(safe, "NotOwner", second.address, () => safe.connect(second).close()),
  "a transaction that fails": async () => {
    const failing = await safe.connect(second).close({ gasLimit: 100_000 });
    check((await rejects(() => failing.wait())).receipt?.status === 0, "no receipt");
  },
  "Ignition from a script": async () => {
    const { safe: placed } = await ignition.deploy(SafeModule);
    check((await placed.number()) === 6n, "wrong number");
  },
  "snapshot and revert": async () => {
    const id = await provider.request({ method: "evm_snapshot" });
    await sent(safe.set(99));
    check(await provider.request({ method: "evm_revert", params: [id] }), "not reverted");
    check((await safe.number()) === 8n, "wrong number");
  },
});
process.exit(0);
