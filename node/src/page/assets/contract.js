// A contract: its code and creator, the ABI that the reader pastes, forms that read and write.

import { COMMON, decode, decodeRevert, encode, fromText, parseAbi, show, typeName } from "./abi.js";
import { chain } from "./chain.js";
import { keccak } from "./keccak.js";
import { h, keep, kept, put } from "./dom.js";
import { counted, foreign, units } from "./format.js";
import { action, addressLink, facts, failure, longCode, panel, txLink } from "./parts.js";
import { RpcError, attempt, call } from "./rpc.js";
import { provider, send } from "./wallet.js";

const MOST_KEPT = 40;
const MOST_ABI = 200_000;
const MOST_FORMS = 100;
const MOST_CODE = 20_000;

/** ABIs that the reader pasted, by chain and address; the newest are kept. */
const nameOf = (address) => `${chain.info?.genesis?.slice(0, 16) ?? "?"} ${address.toLowerCase()}`;

/** The entries of a contract's ABI; none if none was pasted. */
export function abiOf(address) {
  const text = kept("abis", {})[nameOf(address)];
  try {
    return text ? parseAbi(text) : [];
  } catch {
    return [];
  }
}

/** The entries that logs of a contract are read with. */
export const eventsOf = (address) => [...abiOf(address), ...COMMON];

function keepAbi(address, text) {
  const all = kept("abis", {});
  delete all[nameOf(address)];
  if (text) all[nameOf(address)] = text;
  const names = Object.keys(all);
  names.slice(0, Math.max(0, names.length - MOST_KEPT)).forEach((old) => delete all[old]);
  return keep("abis", all);
}

let boxes = 0;

/** Takes an ABI for a contract. */
export function abiBox(address, changed) {
  const id = `abi-${(boxes += 1)}`;
  const text = h("textarea", {
    id,
    rows: 3,
    maxlength: MOST_ABI,
    spellcheck: "false",
    placeholder: '[{"type":"function","name":"transfer", …}]',
  });
  text.value = kept("abis", {})[nameOf(address)] ?? "";
  const use = async () => {
    const entries = text.value.trim() ? parseAbi(text.value) : [];
    const stays = keepAbi(address, text.value.trim() || null);
    changed();
    return entries.length > 0
      ? `${counted(entries.length, "entry").replace("entrys", "entries")}${stays ? ", kept in this browser" : ""}`
      : "forgotten";
  };
  return h(
    "div",
    { class: "abi" },
    h("label", { for: id }, "ABI of ", h("span", { class: "mono" }, address)),
    text,
    action("Use", use),
  );
}

const TEXT = { kind: "string" };
const NUMBER = { kind: "uint", bits: 256 };

/** What a function of a contract returns for encoded arguments, or null: it may not have it at all. */
export async function ask(address, signature, type, given = "") {
  const result = await attempt(
    "0x",
    "eth_call",
    { to: address, data: `0x${keccak(signature).slice(0, 8)}${given}`, gas: "0x30d40" },
    "latest",
  );
  try {
    return decode([type], result.slice(2))[0];
  } catch {
    return null;
  }
}

/** What a token calls itself. */
async function token(address) {
  const [name, symbol, decimals, supply] = await Promise.all([
    ask(address, "name()", TEXT),
    ask(address, "symbol()", TEXT),
    ask(address, "decimals()", NUMBER),
    ask(address, "totalSupply()", NUMBER),
  ]);
  if (name === null || symbol === null) return [];
  const all =
    supply === null || decimals === null || decimals > 77n
      ? null
      : `${units(supply, Number(decimals))} ${foreign(symbol, 30)}`;
  return [
    ["Calls itself", `${foreign(name, 80)} (${foreign(symbol, 30)})`],
    ["Its supply", all],
  ];
}

/** The parts of a contract's view. */
export async function contract(address, code, signal) {
  const made = await attempt(null, "ots_getContractCreator", address);
  const forms = h("div");
  const accounts = await attempt([], "eth_accounts");
  const render = () =>
    put(
      forms,
      abiOf(address).length > 0
        ? functions(address, abiOf(address), accounts)
        : h("p", { class: "empty" }, "Paste the ABI that the compiler wrote to read and call this contract."),
    );
  render();
  signal.addEventListener("abort", () => put(forms));
  return [
    panel(
      "Contract",
      facts(
        ...(await token(address)),
        ["Created by", made ? addressLink(made.creator) : null],
        ["Created in", made ? txLink(made.hash) : null],
      ),
      h("details", h("summary", "Bytes"), longCode("Bytes of the contract", foreign(code, MOST_CODE))),
    ),
    panel(
      "Read and write",
      forms,
      h("details", { open: abiOf(address).length === 0 }, h("summary", "ABI"), abiBox(address, render)),
    ),
  ];
}

function functions(address, abi, accounts) {
  const all = abi.filter((entry) => entry.kind === "function").slice(0, MOST_FORMS);
  const [reads, writes] = [all.filter((entry) => entry.reads), all.filter((entry) => !entry.reads)];
  const sender = h(
    "select",
    { id: "sender" },
    provider() ? h("option", { value: "" }, "the wallet in this browser") : null,
    accounts.slice(0, 20).map((one) => h("option", { value: one }, `${one} (development)`)),
  );
  const ready = sender.options.length > 0;
  return h(
    "div",
    { class: "halves" },
    h(
      "div",
      h("h3", "Read"),
      reads.length > 0
        ? reads.map((entry) => form(entry, (values) => read(address, abi, entry, values)))
        : h("p", { class: "empty" }, "No functions that only read."),
    ),
    h(
      "div",
      h("h3", "Write"),
      ready
        ? h("p", h("label", { for: "sender" }, "Send from "), sender)
        : h("p", { class: "hint" }, "To write, open this page in a browser with a wallet such as MetaMask."),
      writes.length > 0
        ? writes.map((entry) =>
            form(entry, (values, value) => write(address, abi, entry, values, value, sender.value), !ready),
          )
        : h("p", { class: "empty" }, "No functions that write."),
    ),
  );
}

let fields = 0;

function form(entry, work, off = false) {
  const inputs = entry.inputs.map((one, at) => ({
    one,
    field: h("input", { id: `field-${(fields += 1)}`, spellcheck: "false", placeholder: typeName(one.type) }),
    name: one.name || `#${at}`,
  }));
  const value =
    entry.mutability === "payable"
      ? h("input", { id: `field-${(fields += 1)}`, placeholder: "wei", value: "0" })
      : null;
  const labelled = (field, text) => h("p", { class: "field" }, h("label", { for: field.id }, text), field);
  const out = h("div", { class: "result", role: "status" });
  async function run() {
    put(out);
    const values = inputs.map(({ one, field, name }) => {
      try {
        return fromText(one.type, field.value);
      } catch (error) {
        throw new Error(`${foreign(name, 60)}: ${error.message}`);
      }
    });
    put(out, await work(values, value ? fromText({ kind: "uint", bits: 256 }, value.value || "0") : 0n));
    return "";
  }
  const button = action(entry.reads ? "Read" : "Send", run);
  if (off) button.firstChild.disabled = true;
  return h(
    "details",
    { class: "form" },
    h("summary", h("span", { class: "mono wrap" }, foreign(entry.signature, 160))),
    inputs.map(({ field, name }) => labelled(field, foreign(name, 60))),
    value ? labelled(value, "value") : null,
    button,
    out,
  );
}

const dataOf = (entry, values) =>
  `0x${entry.hash.slice(0, 8)}${encode(
    entry.inputs.map((one) => one.type),
    values,
  )}`;

/** What a call that failed said, by the ABI. */
function explained(abi, error) {
  const why = error instanceof RpcError ? decodeRevert(abi, error.data) : null;
  return why ? new Error(`reverted: ${why}`) : error;
}

async function read(address, abi, entry, values) {
  let result;
  try {
    result = await call("eth_call", { to: address, data: dataOf(entry, values) }, "latest");
  } catch (error) {
    throw explained(abi, error);
  }
  if (entry.outputs.length === 0) return "done";
  const found = decode(
    entry.outputs.map((one) => one.type),
    result.slice(2),
  );
  return facts(
    ...entry.outputs.map((one, at) => [
      `${foreign(one.name, 60) || "result"} ${typeName(one.type)}`,
      one.type.kind === "address"
        ? addressLink(found[at])
        : h("span", { class: "mono wrap" }, foreign(show(one.type, found[at]), 4000)),
    ]),
  );
}

async function write(address, abi, entry, values, value, from) {
  const data = dataOf(entry, values);
  try {
    const id = from
      ? await call("eth_sendTransaction", { from, to: address, data, value: `0x${value.toString(16)}` })
      : await send({ to: address, data, value });
    return h("p", "Sent: ", txLink(id));
  } catch (error) {
    return failure(explained(abi, error));
  }
}
