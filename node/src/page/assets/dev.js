// A development chain: blocks on demand, reorganisations, time, money.

import { chain, follow, unserved } from "./chain.js";
import { devnet } from "./devnet.js";
import { h, put } from "./dom.js";
import { counted, date, wei } from "./format.js";
import { balances, faucet, field, sending, whole } from "./money.js";
import { action, addressLink, blockLink, facts, failure, heading, loading, panel } from "./parts.js";
import { attempt, call } from "./rpc.js";

const MOST_MINED = 10_000;

export async function show(_, signal) {
  let accounts;
  try {
    accounts = (await call("dev_accounts")).map((one) => one.account);
  } catch (error) {
    const status = await attempt(null, "devnet_status");
    if (status) return devnet(status, signal);
    return [
      heading("Development"),
      failure(error),
      h(
        "p",
        "These buttons are for ",
        h("code", "cairn-node --dev"),
        " and nodes of ",
        h("code", "cairn-node devnet"),
        ", on the machine that they run on.",
      ),
    ];
  }
  const [state, list] = [h("div", loading()), h("div", loading())];
  const render = async () => {
    const [automine, table] = [await attempt(null, "anvil_getAutomine"), await balances(accounts)];
    if (signal.aborted) return;
    put(list, table);
    if (unserved()) put(state, failure(unserved()));
    if (!chain.info) return;
    put(
      state,
      facts(
        ["Height", String(chain.info.height)],
        ["Clock of the tip", chain.path[0] ? date(chain.path[0].time) : null],
        ["Transactions are mined", automine ? "each at once" : "on demand, or by the clock"],
        ["Mempool", counted(chain.info.mempool.transactions, "transaction")],
      ),
    );
  };
  follow(["chain", "info"], render, signal, 1_000);
  await render();
  return [
    heading("Development"),
    panel("The chain now", state),
    h("div", { class: "halves" }, panel("Blocks", mining()), panel("Reorganise", reorganising())),
    h(
      "div",
      { class: "halves" },
      panel("Send from a funded account", sending(accounts)),
      panel("Faucet", faucet("Makes money out of nothing, by a block of its own.", "CRN to add", give)),
    ),
    panel("Funded accounts", list, h("p", { class: "hint" }, "Everybody knows their keys: use them nowhere else.")),
  ];
}

function mining() {
  const blocks = field("Blocks", "1", { type: "number", min: 1, max: MOST_MINED });
  const time = field("Seconds to add", "3600", { type: "number", min: 1 });
  const mine = async () => {
    const hashes = await call("dev_mine", whole(blocks.input, MOST_MINED));
    return ["mined ", counted(hashes.length, "block"), ": ", blockLink(hashes.at(-1))];
  };
  const forward = async () =>
    `the clock is ${await call("evm_increaseTime", whole(time.input, 10 ** 9))} s ahead; the next block has its time`;
  const automine = (on) => async () => {
    await call("dev_setAutomine", on);
    return on ? "each transaction is mined at once" : "transactions wait for a block";
  };
  return [
    blocks.row,
    action("Mine", mine, "main"),
    time.row,
    action("Set the clock forward", forward),
    h("p", { class: "row" }, action("Mine each transaction", automine(true)), action("Let them wait", automine(false))),
  ];
}

function reorganising() {
  const depth = field("Blocks to drop", "3", { type: "number", min: 1 });
  const reorg = async () => {
    const { blocks } = await call("dev_reorg", whole(depth.input, 10_000));
    return ["the chain is now on ", blockLink(blocks.at(-1))];
  };
  const back = async () => {
    await call("anvil_rollback", whole(depth.input, 10_000));
    return "the blocks are forgotten for good";
  };
  return [
    h(
      "p",
      { class: "hint" },
      "The last blocks give way to a branch of one more, which is empty; their transactions wait in the mempool again.",
    ),
    depth.row,
    h("p", { class: "row" }, action("Reorganise", reorg, "main"), action("Roll back", back)),
  ];
}

/** Money out of nothing, by a block of its own. */
async function give(who, amount) {
  const has = BigInt(await call("eth_getBalance", who, "latest"));
  await call("anvil_setBalance", who, `0x${(has + amount).toString(16)}`);
  return [addressLink(who), ` has ${wei(await call("eth_getBalance", who, "latest"))}`];
}
