// Forms that send from accounts whose keys the node has: on a development chain and in a devnet.

import { h } from "./dom.js";
import { wei } from "./format.js";
import { checksummed } from "./keccak.js";
import { action, addressLink, bare, table, txLink } from "./parts.js";
import { attempt, call } from "./rpc.js";

const WEI = 10n ** 18n;
const MOST_ACCOUNTS = 20;

let fields = 0;

/** An input with its label. */
export function field(label, value, attributes = {}) {
  const input = h("input", { id: `field-${(fields += 1)}`, value, spellcheck: "false", ...attributes });
  return { input, row: h("p", { class: "field" }, h("label", { for: input.id }, label), input) };
}

/** The whole number from 1 to `most` in an input. */
export function whole(input, most) {
  const number = Number(input.value);
  if (!Number.isInteger(number) || number < 1 || number > most)
    throw new Error(`expected a whole number from 1 to ${most}, got ${input.value || "nothing"}`);
  return number;
}

/** An amount in CRN as wei. */
function crn(text) {
  const match = text.trim().match(/^(\d{1,12})(?:\.(\d{1,18}))?$/);
  if (!match) throw new Error(`expected an amount in CRN such as 1.5, got ${text || "nothing"}`);
  return BigInt(match[1]) * WEI + BigInt((match[2] ?? "").padEnd(18, "0"));
}

function account(text) {
  const address = text.trim();
  if (!/^0x[0-9a-fA-F]{40}$/.test(address))
    throw new Error(`expected an account, 0x and 40 digits, got ${text || "nothing"}`);
  const digits = address.slice(2);
  const mixed = digits !== digits.toLowerCase() && digits !== digits.toUpperCase();
  if (mixed && checksummed(address) !== address) throw new Error("the account is mistyped: its checksum does not match");
  return address;
}

/** Has the node sign and send; a link to the transaction. */
export async function send(request, value) {
  const hash = await call("eth_sendTransaction", { ...request, value: `0x${value.toString(16)}` });
  return ["sent: ", txLink(bare(hash))];
}

/** A form that sends from one of these accounts. */
export function sending(accounts) {
  const from = h(
    "select",
    { id: "money-from" },
    accounts.map((one) => h("option", { value: one }, one)),
  );
  const to = field("To", "", { placeholder: "0x…" });
  const amount = field("CRN", "1");
  const data = field("Data", "", { placeholder: "0x… (none)" });
  const press = async () => {
    const request = { from: from.value };
    const value = crn(amount.input.value);
    // Without a receiver the data is the code of a new contract.
    if (to.input.value.trim()) request.to = account(to.input.value);
    if (data.input.value.trim()) request.data = data.input.value.trim();
    if (!request.to && !request.data)
      throw new Error("expected an account to send to, or data: the code of a new contract");
    return send(request, value);
  };
  return [
    h("p", { class: "field" }, h("label", { for: "money-from" }, "From"), from),
    to.row,
    amount.row,
    data.row,
    action("Send", press, "main"),
  ];
}

/** A form that gives money: `give` takes the account and the wei, and brings what to say. */
export function faucet(hint, label, give) {
  const to = field("Account", "", { placeholder: "0x…" });
  const amount = field(label, "100");
  return [
    h("p", { class: "hint" }, hint),
    to.row,
    amount.row,
    action("Give", async () => give(account(to.input.value), crn(amount.input.value)), "main"),
  ];
}

/** What accounts have. */
export async function balances(accounts) {
  const shown = accounts.slice(0, MOST_ACCOUNTS);
  const found = await Promise.all(shown.map((one) => attempt("0x0", "eth_getBalance", one, "latest")));
  const rows = shown.map((one, at) => [addressLink(one, { head: 12, tail: 10 }), wei(found[at])]);
  return table([["Account"], ["Balance", "number"]], rows, { caption: "Funded accounts" });
}
