// Wallets of the browser (EIP-1193): what the page asks them for, and what it makes of odd answers.
"use strict";

const fs = require("fs");
const { check, equal, task, until } = require("./lib/tasks");
const { dev } = require("./lib/node");
const { open } = require("./lib/browser");

const { abi, evm } = JSON.parse(fs.readFileSync(process.env.CLIENT_CONTRACTS)).contracts["Token.sol"].Token;
const EVIL = '<img src=x onerror="window.caught=1">\u202e\u001b[31m';

/// What a page finds as its wallet: it notes requests, and answers as `window.answers` has it: a value, or {throw: value}.
function fakeWallet() {
  window.asked = [];
  window.answers = {};
  window.ethereum = {
    async request(request) {
      window.asked.push(JSON.parse(JSON.stringify(request)));
      const answer = window.answers[request.method];
      if (answer && typeof answer === "object" && "throw" in answer) throw answer.throw;
      return answer ?? null;
    },
  };
}

/// The requests since the last time; an address may be in any case.
async function asked(page) {
  const all = await page.evaluate(() => window.asked.splice(0));
  for (const one of all) if (one.params?.[0]?.to) one.params[0].to = one.params[0].to.toLowerCase();
  return all;
}

const answers = (page, all) => page.evaluate((all) => Object.assign(window.answers, all), all);
const said = (page) => page.evaluate(() => document.querySelector("#said").textContent);

async function press(page) {
  await page.evaluate(() => (document.querySelector("#said").textContent = ""));
  await page.getByRole("button", { name: "Add this chain to a wallet" }).click();
  return until(() => said(page), "an outcome");
}

async function token(node) {
  const [from] = await node.call("eth_accounts");
  const word = (number) => BigInt(number).toString(16).padStart(64, "0");
  const text = (value) => word(value.length) + Buffer.from(value).toString("hex").padEnd(64, "0");
  const data = `0x${evm.bytecode.object}${word(96)}${word(160)}${word(1_000_000)}${text("Pebble")}${text("PBL")}`;
  const hash = await node.call("eth_sendTransaction", { from, data, gas: "0x4c4b40" });
  return (await node.call("eth_getTransactionReceipt", hash)).contractAddress;
}

/// Fills in the form of `transfer` and sends it; what the page says.
async function transfer(page, to, amount) {
  const form = page.locator("details.form", { hasText: "transfer(address,uint256)" });
  if (!(await form.evaluate((element) => element.open))) await form.locator("summary").click();
  const inputs = form.locator("input");
  await inputs.nth(0).fill(to);
  await inputs.nth(1).fill(amount);
  await form.getByRole("button", { name: "Send" }).click();
  await until(async () => (await form.locator(".result").innerText()) !== "", "a result");
  return form.locator(".result").innerText();
}

async function adding(page, id) {
  await task("add this chain: the wallet is asked for it with what EIP-3085 asks for", async () => {
    await press(page);
    equal(
      await asked(page),
      [
        {
          method: "wallet_addEthereumChain",
          params: [
            {
              chainId: id,
              chainName: "Cairn dev",
              rpcUrls: [new URL(page.url()).origin],
              nativeCurrency: { name: "Cairn", symbol: "CRN", decimals: 18 },
            },
          ],
        },
      ],
      "requests",
    );
    equal(await said(page), "The wallet knows this chain.", "outcome");
  });
  await task("add this chain: what a wallet throws is short text", async () => {
    const thrown = [{ code: 4001, message: "User rejected the request." }, EVIL, null, 7, { message: { deep: EVIL } }];
    for (const one of thrown) {
      await answers(page, { wallet_addEthereumChain: { throw: one } });
      check((await press(page)).startsWith("The wallet refused: "), await said(page));
    }
    await answers(page, { wallet_addEthereumChain: { throw: { message: `${EVIL}${"x".repeat(1_000_000)}` } } });
    const text = await press(page);
    check(text.includes("<img src=x") && text.length < 400, `${text.length} characters: ${text.slice(0, 80)}`);
    check(!/[\u202e\u001b]/.test(text), "controls are written out");
    await asked(page);
  });
}

async function sending(page, node, contract, id) {
  const [, from, to] = await node.call("eth_accounts");
  const data = `0xa9059cbb${to.slice(2).toLowerCase().padStart(64, "0")}${250n.toString(16).padStart(64, "0")}`;
  const call = { method: "eth_sendTransaction", params: [{ from, to: contract, data, value: "0x0" }] };
  await task("a form that writes has the wallet send the call", async () => {
    await page.locator("main textarea").fill(JSON.stringify(abi));
    await page.getByRole("button", { name: "Use" }).click();
    const hash = `0x${"ab".repeat(32)}`;
    await answers(page, { eth_requestAccounts: [from], eth_chainId: id, eth_sendTransaction: hash });
    const text = await transfer(page, to, "250");
    check(text.startsWith("Sent: abab"), text);
    equal(await asked(page), [{ method: "eth_requestAccounts" }, { method: "eth_chainId" }, call], "requests");
    check(await page.locator(`details.form a[href="#/tx/${hash.slice(2)}"]`).count(), "a link to it");
  });
  await task("a wallet on another chain is asked to switch, and to add the chain if it does not know it", async () => {
    await answers(page, { eth_chainId: "0x1", wallet_switchEthereumChain: { throw: { code: 4902 } } });
    await answers(page, { wallet_addEthereumChain: null });
    check((await transfer(page, to, "250")).includes("is on another chain"), "it says so");
    equal(
      (await asked(page)).map((one) => one.method),
      ["eth_requestAccounts", "eth_chainId", "wallet_switchEthereumChain", "wallet_addEthereumChain", "eth_chainId"],
      "requests, and nothing sent",
    );
    await answers(page, { eth_chainId: Number(id) });
    check((await transfer(page, to, "250")).startsWith("Sent: "), "a number is an id too");
    equal((await asked(page)).at(-1), call, "the call");
  });
  await task("odd answers of a wallet are short text, and lead nowhere", async () => {
    const long = `${EVIL}${"x".repeat(1_000_000)}`;
    const odd = [
      ...[null, 7, EVIL, {}, [], [7], [EVIL], [[from]]].map((answer) => ({ eth_requestAccounts: answer })),
      ...[null, EVIL, long, {}, [id]].map((answer) => ({ eth_chainId: answer })),
      ...[null, 7, true, EVIL, long, "0x12", {}, [`0x${"ab".repeat(32)}`]].map((answer) => ({
        eth_sendTransaction: answer,
      })),
      ...["eth_requestAccounts", "eth_chainId", "eth_sendTransaction"].flatMap((method) =>
        [null, 7, long, { message: long }, { code: 3, data: EVIL }].map((thrown) => ({ [method]: { throw: thrown } })),
      ),
    ];
    const good = { eth_requestAccounts: [from], eth_chainId: id, eth_sendTransaction: `0x${"cd".repeat(32)}` };
    for (const answer of odd) {
      await answers(page, { ...good, ...answer });
      const text = await transfer(page, to, "250");
      const what = `${JSON.stringify(answer).slice(0, 80)}: ${text.slice(0, 200)}`;
      check(text.startsWith("The wallet did not send it: ") && text.length < 700, what);
      check(!/[\u202e\u001b]/.test(text), what);
    }
    check((await page.locator("details.form .result a").count()) === 0, "no links out of odd answers");
    return `${odd.length} of them`;
  });
}

module.exports = async (browser) => {
  const node = await dev();
  try {
    const id = await node.call("eth_chainId");
    const contract = await token(node);
    const { page, context, faults } = await open(browser, node.url, `account/${contract}`, { script: fakeWallet });
    await page.locator("main textarea").waitFor();
    await adding(page, id);
    await sending(page, node, contract, id);
    await task("wallets: nothing ran, was loaded, or violated the policy", async () => {
      equal(await page.evaluate(() => window.caught ?? null), null, "what scripts left");
      equal(await page.evaluate(() => document.querySelectorAll("main img, footer img").length), 0, "elements");
      equal(faults, [], "faults");
    });
    await context.close();
  } finally {
    await node.stop();
  }
};
