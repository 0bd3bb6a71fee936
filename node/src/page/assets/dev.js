// A development chain: blocks on demand, reorganisations, time, money.

import { chain, follow } from "./chain.js";
import { devnet } from "./devnet.js";
import { h, put } from "./dom.js";
import { counted, date, wei } from "./format.js";
import {
  action,
  addressLink,
  bare,
  blockLink,
  facts,
  failure,
  heading,
  loading,
  panel,
  table,
  txLink,
} from "./parts.js";
import { attempt, call } from "./rpc.js";

const WEI = 10n ** 18n;
const MOST_MINED = 10_000;

export async function show(_, signal) {
  let accounts;
  try {
    accounts = await call("dev_accounts");
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
    const [automine, balances] = [
      await attempt(null, "anvil_getAutomine"),
      await Promise.all(accounts.map((one) => attempt("0x0", "eth_getBalance", one.account, "latest"))),
    ];
    if (signal.aborted || !chain.info) return;
    put(
      state,
      facts(
        ["Height", String(chain.info.height)],
        ["Clock of the tip", chain.path[0] ? date(chain.path[0].time) : null],
        ["Transactions are mined", automine ? "each at once" : "on demand, or by the clock"],
        ["Mempool", counted(chain.info.mempool.transactions, "transaction")],
      ),
    );
    put(list, accountTable(accounts, balances));
  };
  follow(["chain", "info"], render, signal, 1_000);
  await render();
  return [
    heading("Development"),
    panel("The chain now", state),
    h("div", { class: "halves" }, panel("Blocks", mining()), panel("Reorganise", reorganising())),
    h("div", { class: "halves" }, panel("Send from a funded account", sending(accounts)), panel("Faucet", faucet())),
    panel("Funded accounts", list, h("p", { class: "hint" }, "Everybody knows their keys: use them nowhere else.")),
  ];
}

let fields = 0;

function field(label, value, attributes = {}) {
  const input = h("input", { id: `dev-${(fields += 1)}`, value, ...attributes });
  return { input, row: h("p", { class: "field" }, h("label", { for: input.id }, label), input) };
}

function whole(input, most) {
  const number = Number(input.value);
  if (!Number.isInteger(number) || number < 1 || number > most)
    throw new Error(`expected a whole number from 1 to ${most}, got ${input.value || "nothing"}`);
  return number;
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

/** An amount in CRN as wei. */
function crn(text) {
  const match = text.trim().match(/^(\d{1,12})(?:\.(\d{1,18}))?$/);
  if (!match) throw new Error(`expected an amount in CRN such as 1.5, got ${text || "nothing"}`);
  return BigInt(match[1]) * WEI + BigInt((match[2] ?? "").padEnd(18, "0"));
}

function account(text) {
  if (!/^0x[0-9a-fA-F]{40}$/.test(text.trim()))
    throw new Error(`expected an account, 0x and 40 digits, got ${text || "nothing"}`);
  return text.trim();
}

function sending(accounts) {
  const from = h(
    "select",
    { id: "dev-from" },
    accounts.map((one) => h("option", { value: one.account }, one.account)),
  );
  const to = field("To", "", { spellcheck: "false", placeholder: "0x…" });
  const amount = field("CRN", "1");
  const data = field("Data", "", { spellcheck: "false", placeholder: "0x… (none)" });
  const send = async () => {
    const request = { from: from.value, value: `0x${crn(amount.input.value).toString(16)}` };
    // Without a receiver the data is the code of a new contract.
    if (to.input.value.trim()) request.to = account(to.input.value);
    if (data.input.value.trim()) request.data = data.input.value.trim();
    if (!request.to && !request.data)
      throw new Error("expected an account to send to, or data: the code of a new contract");
    return ["sent: ", txLink(bare(await call("eth_sendTransaction", request)))];
  };
  return [
    h("p", { class: "field" }, h("label", { for: "dev-from" }, "From"), from),
    to.row,
    amount.row,
    data.row,
    action("Send", send, "main"),
  ];
}

function faucet() {
  const to = field("Account", "", { spellcheck: "false", placeholder: "0x…" });
  const amount = field("CRN to add", "100");
  const give = async () => {
    const who = account(to.input.value);
    const has = BigInt(await call("eth_getBalance", who, "latest"));
    await call("anvil_setBalance", who, `0x${(has + crn(amount.input.value)).toString(16)}`);
    return [addressLink(who), ` has ${wei(await call("eth_getBalance", who, "latest"))}`];
  };
  return [
    h("p", { class: "hint" }, "Makes money out of nothing, by a block of its own."),
    to.row,
    amount.row,
    action("Give", give, "main"),
  ];
}

function accountTable(accounts, balances) {
  const rows = accounts
    .slice(0, 20)
    .map((one, at) => [addressLink(one.account, { head: 12, tail: 10 }), wei(balances[at])]);
  return table([["Account"], ["Balance", "number"]], rows, { caption: "Funded accounts" });
}
