// A transaction of any kind: what it moves, what it logged, the calls inside, and how sure it is.

import { decodeCall, decodeLog, decodeRevert, show as showValue } from "./abi.js";
import { follow } from "./chain.js";
import { abiBox, abiOf, eventsOf } from "./contract.js";
import { h, put } from "./dom.js";
import {
  bytes,
  count,
  counted,
  date,
  foreign,
  grains,
  percent,
  price,
  scaled,
  wei,
  weiExact,
} from "./format.js";
import {
  addressLink,
  age,
  bare,
  blockLink,
  coinLink,
  facts,
  failure,
  fillWith,
  hash,
  heading,
  heightLink,
  loading,
  longCode,
  owner,
  panel,
  pill,
  purpose,
  table,
  txLink,
} from "./parts.js";
import { attempt, call } from "./rpc.js";
import { withdrawn } from "./search.js";
import { calls } from "./trace.js";

const MOST_COINS = 30;
const MOST_LOGS = 50;
const MOST_INPUT = 2_000;

export async function show([name, kind, place], signal) {
  if (!/^(0x)?[0-9a-fA-F]{64}$/.test(name ?? ""))
    return [heading("No transaction"), h("p", "The id of a transaction is 64 hexadecimal digits.")];
  const id = bare(name);
  const tx = (await call("coin_getTransaction", id)) ?? (kind === "in" ? await ofLosingBlock(id, place) : null);
  return tx ? transaction(id, tx, signal) : noTransaction(id, kind === "coin" ? [Number(place)] : undefined);
}

/** What an id names that no transaction has: a coin that an account transaction withdrew, or nothing. */
async function noTransaction(id, indexes) {
  const coin = await withdrawn(id, indexes);
  const whole = hash(id, null, { whole: true });
  if (coin)
    return [
      heading("Withdrawn coin"),
      panel(
        "Coin",
        facts(
          ["Id", [whole, `:${coin.index}`]],
          ["Amount", h("strong", grains(coin.amount))],
          ["Owner", owner(coin)],
          ["Block", coin.height === null ? pill("pending", "waits") : heightLink(coin.height)],
          ["Withdrawn by", coin.madeBy ? txLink(coin.madeBy, { whole: true }) : null],
        ),
        h("p", { class: "hint" }, "An account transaction made it out of money of an account, so its id is no transaction's."),
      ),
    ];
  const unknown =
    "The node knows no such transaction: it is in no block of the active chain, and not in the mempool. It may be the id of a " +
    "withdrawn coin that is spent, or whose block was pruned.";
  return [heading("Transaction"), h("p", unknown), h("p", whole)];
}

async function transaction(id, tx, signal) {
  const place = h("div", { class: "state" });
  let state = tx;
  const stand = async () => {
    if (tx.branch) return put(place, standing(tx));
    const now = await attempt(state, "coin_getTransaction", id);
    const moved = now?.blockHash !== state?.blockHash;
    state = now;
    if (signal.aborted) return null;
    // It was mined, or its block was dropped: what is shown below has changed too.
    if (moved) dispatchEvent(new HashChangeEvent("hashchange"));
    return put(place, standing(now));
  };
  follow(["chain"], stand, signal);
  put(place, standing(tx));
  const shown = [heading(TITLES[purpose(tx)]), place, panel("Transaction", common(tx))];
  if (tx.kind === "account") shown.push(...(await account(tx, signal)));
  else shown.push(coins(tx, signal));
  if (!tx.branch && tx.kind !== "coinbase") shown.push(confidence(id, signal));
  return shown;
}

/** A transaction that is in a losing block alone. */
async function ofLosingBlock(id, branch) {
  const block = await call("chain_getBlock", branch, 2);
  const position = block.transactions.findIndex((tx) => tx.txid === id);
  return position < 0
    ? null
    : {
        ...block.transactions[position],
        blockHash: block.hash,
        height: block.height,
        time: block.time,
        position,
        confirmations: -1,
        branch,
      };
}

const TITLES = {
  coinbase: "Coinbase",
  deposit: "Deposit",
  payment: "Coin payment",
  deployment: "Deployment of a contract",
  withdrawal: "Withdrawal",
  call: "Contract call",
  transfer: "Transfer",
};

function standing(tx) {
  if (!tx) return h("p", pill("gone", "bad"), " It is in no block any more, and not in the mempool.");
  if (tx.branch)
    return h(
      "p",
      pill("not on the active chain", "bad"),
      " The block that holds it lost. Block ",
      blockLink(tx.branch),
      ".",
    );
  if (tx.confirmations === 0) return h("p", pill("pending", "waits"), " It waits in the mempool for a block.");
  return h(
    "p",
    pill("mined", "good"),
    tx.success === false ? pill("reverted", "bad") : null,
    ` ${counted(tx.confirmations, "confirmation")}, in block `,
    heightLink(tx.height, tx.blockHash),
    ".",
  );
}

function common(tx) {
  return facts(
    ["Id", hash(tx.txid, null, { whole: true })],
    ["Block", tx.blockHash ? [blockLink(tx.blockHash), ` position ${tx.position}`] : "none yet"],
    ["Time", tx.time ? [date(tx.time), " (", age(tx.time), ")"] : null],
    ["Size", tx.size === undefined ? null : bytes(tx.size)],
    ["Gas", tx.kind === "account" ? null : count(tx.gas)],
    [
      "Fee",
      tx.fee === null || tx.fee === undefined
        ? null
        : [grains(tx.fee), tx.gas ? ` (${price((tx.fee * 1e10) / tx.gas)} per gas)` : null],
    ],
  );
}

/** Inputs and outputs side by side. Inputs name coins only: what they hold is in the transactions that made them. */
function coins(tx, signal) {
  const inputs = h("div", loading());
  if (tx.kind === "coinbase") put(inputs, h("p", { class: "empty" }, "Newly mined coins, and the fees of the block."));
  else fillWith(inputs, inputTable(tx.inputs), signal);
  const outputs = tx.outputs
    .slice(0, MOST_COINS)
    .map((output) => [String(output.index), owner(output), grains(output.amount)]);
  const total = tx.outputs.reduce((sum, output) => sum + BigInt(output.amount), 0n);
  return h(
    "div",
    { class: "halves" },
    panel(tx.kind === "coinbase" ? "From" : counted(tx.inputs.length, "input"), inputs),
    panel(
      counted(tx.outputs.length, "output"),
      table([["#", "number"], ["To"], ["Amount", "number"]], outputs, { empty: "None: nobody is paid." }),
      more(tx.outputs.length),
      h("p", { class: "hint" }, `Together ${grains(total)}`),
    ),
  );
}

const more = (all) =>
  all > MOST_COINS ? h("p", { class: "hint" }, `The first ${MOST_COINS} of ${count(all)}.`) : null;

async function inputTable(inputs) {
  const rows = inputs.slice(0, MOST_COINS).map(async (input) => {
    const made = await attempt(undefined, "coin_getTransaction", input.txid);
    // A payment that waits spends what its block has not spent yet.
    const coin =
      made?.outputs?.find((output) => output.index === input.index) ??
      (made === null ? await withdrawn(input.txid, [input.index]) : null);
    const unknown = made === null ? "a withdrawn coin" : "unknown";
    const ends = { head: 6, tail: 4 };
    return [
      coin ? owner(coin) : h("span", { class: "dim" }, unknown),
      coin ? grains(coin.amount) : "–",
      [coin?.madeBy ? coinLink(coin, ends) : made === null ? hash(input.txid, null, ends) : txLink(input.txid, ends), `:${input.index}`],
      pill(input.witness?.type ?? "?"),
    ];
  });
  return [
    table([["From"], ["Amount", "number"], ["Coin"], ["Witness", "wide-only"]], await Promise.all(rows)),
    more(inputs.length),
  ];
}

async function account(tx, signal) {
  const receipt = tx.branch ? null : await attempt(null, "eth_getTransactionReceipt", `0x${tx.txid}`);
  const abi = tx.to ? abiOf(tx.to) : [];
  const parts = [panel("Account transaction", accountFacts(tx, receipt, abi))];
  if (tx.withdrawals?.length > 0) {
    const rows = tx.withdrawals
      .slice(0, MOST_COINS)
      .map((one) => [owner(one), grains(one.amount), [hash(one.txid), `:${one.index}`]]);
    parts.push(panel("Withdrawn to coins", table([["To"], ["Amount", "number"], ["Coin"]], rows)));
  }
  if (receipt) parts.push(panel(counted(receipt.logs.length, "log"), logs(receipt.logs, tx)));
  if (receipt) parts.push(panel("Calls", traceBox(tx, signal)));
  return parts;
}

function accountFacts(tx, receipt, abi) {
  const used = receipt ? Number(receipt.gasUsed) : null;
  const paid = receipt ? BigInt(receipt.gasUsed) * BigInt(receipt.effectiveGasPrice) : null;
  const read = tx.input ? decodeCall(abi, `0x${tx.input}`) : null;
  return facts(
    ["From", addressLink(tx.from, { whole: true })],
    ["To", tx.to ? addressLink(tx.to, { whole: true }) : "a new contract"],
    ["Created", receipt?.contractAddress ? addressLink(receipt.contractAddress, { whole: true }) : null],
    ["Value", h("span", { title: weiExact(tx.valueWei) }, wei(tx.valueWei))],
    ["Nonce", count(tx.nonce)],
    [
      "Gas",
      used === null
        ? `at most ${count(tx.gasLimit)}`
        : `${count(used)} of ${count(tx.gasLimit)} (${percent(used / tx.gasLimit)})`,
    ],
    [
      "Fee",
      paid === null
        ? null
        : h("span", { title: weiExact(paid) }, `${wei(paid)} (${price(Number(receipt.effectiveGasPrice))} per gas)`),
    ],
    [
      "Fee caps",
      tx.maxFeePerGas === undefined
        ? null
        : `${price(tx.maxFeePerGas)} per gas, of that at most ${price(tx.maxPriorityFeePerGas ?? tx.maxFeePerGas)} tip`,
    ],
    ["Type", tx.type === undefined ? null : String(tx.type)],
    ["Call", read ? h("span", { class: "mono wrap" }, foreign(read, MOST_INPUT)) : null],
    [
      "Input",
      tx.input
        ? h(
            "details",
            h("summary", bytes(tx.input.length / 2)),
            longCode("Input", foreign(`0x${tx.input}`, MOST_INPUT)),
          )
        : null,
    ],
  );
}

function logs(all, tx) {
  const place = h("div");
  const render = () =>
    put(
      place,
      all.length === 0
        ? h("p", { class: "empty" }, "None.")
        : h("ol", { class: "logs" }, all.slice(0, MOST_LOGS).map(oneLog)),
      all.length > MOST_LOGS ? h("p", { class: "hint" }, `The first ${MOST_LOGS} of ${count(all.length)}.`) : null,
    );
  render();
  const addresses = [...new Set(all.map((log) => log.address))].slice(0, 8);
  return [
    place,
    addresses.length > 0 && !tx.branch
      ? h(
          "details",
          h("summary", "Paste an ABI to read them with"),
          addresses.map((address) => abiBox(address, render)),
        )
      : null,
  ];
}

function oneLog(log) {
  const read = decodeLog(eventsOf(log.address), log);
  const value = (one) =>
    one.type.kind === "address"
      ? addressLink(one.value)
      : h("span", { class: "mono wrap" }, foreign(showValue(one.type, one.value), 400));
  const rows = read
    ? facts(...read.values.map((one, at) => [foreign(one.name, 60) || `#${at}`, value(one)]))
    : facts(...log.topics.map((topic, at) => [`topic ${at}`, hash(topic, null, { whole: true })]), [
        "data",
        longCode("Data of the log", foreign(log.data, MOST_INPUT)),
      ]);
  return h(
    "li",
    h(
      "p",
      h("strong", { class: "mono" }, read ? foreign(read.entry.signature, 120) : "unknown event"),
      " by ",
      addressLink(log.address),
    ),
    rows,
  );
}

function traceBox(tx, signal) {
  const place = h("div", loading("Running it again …"));
  const trace = async () => {
    const root = await call("debug_traceTransaction", `0x${tx.txid}`, { tracer: "callTracer" });
    const why = root.error && root.output ? decodeRevert(tx.to ? abiOf(tx.to) : [], root.output) : null;
    return [
      root.error ? h("p", pill(foreign(root.error, 60), "bad"), why ? ` ${foreign(why, 300)}` : "") : null,
      calls(root),
    ];
  };
  fillWith(place, trace(), signal);
  return place;
}

/** How likely an attacker of a share that the reader chooses is to reverse it. */
function confidence(id, signal) {
  const place = h("div", loading());
  const share = h("input", { type: "range", id: "share", min: 1, max: 50, step: 1, value: 10, oninput: ask });
  const label = h("output", { for: "share" });
  let asked = 0;

  async function ask() {
    label.textContent = `${share.value} %`;
    const mine = (asked += 1);
    try {
      const found = await call("chain_confidence", id, Number(share.value) / 100);
      if (mine === asked && !signal.aborted) put(place, verdict(found));
    } catch (error) {
      if (mine === asked && !signal.aborted) put(place, failure(error));
    }
  }

  follow(["chain"], ask, signal);
  ask();
  return panel(
    "Confidence",
    h(
      "p",
      { class: "range" },
      h("label", { for: "share" }, "An attacker with this share of all hash power"),
      share,
      label,
    ),
    place,
  );
}

function verdict(found) {
  if (!found) return h("p", { class: "empty" }, "Unknown.");
  const work = found.workOnTop
    ? `${scaled(Number(BigInt(`0x${found.workOnTop}`)))} hashes of work on top of its block`
    : "not in a block yet";
  return h(
    "p",
    h("strong", { class: "big" }, percent(found.reversalProbability)),
    ` probability of reversal with ${counted(found.confirmations, "confirmation")}; ${work}.`,
  );
}
