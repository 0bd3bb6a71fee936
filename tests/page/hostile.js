// Texts that others choose are text: names of tokens, agents of peers, extras of blocks, reasons of reverts, what is typed.
"use strict";

const fs = require("fs");
const { check, equal, task, until } = require("./lib/tasks");
const { dev } = require("./lib/node");
const { open } = require("./lib/browser");
const { mine } = require("./lib/mine");

const EVIL = '<img src=x onerror="window.caught=1"><script>window.caught=1</script>\u202e\u001b[31m';
const contracts = JSON.parse(fs.readFileSync(process.env.CLIENT_CONTRACTS)).contracts;
const contract = (name) => ({
  abi: contracts[`${name}.sol`][name].abi,
  code: contracts[`${name}.sol`][name].evm.bytecode.object,
});

const text = (page) => page.evaluate(() => document.querySelector("main").innerText);
const shows = (page, part) => until(async () => (await text(page)).includes(part), `the view shows ${part}`);

/// Encodes with the page's own module.
const encode = (page, types, values) =>
  page.evaluate(
    async ([types, values]) => {
      const abi = await import("/assets/abi.js");
      return abi.encode(
        types.map((type) => abi.parseType({ type })),
        values.map((value) => (typeof value === "string" && /^\d+n$/.test(value) ? BigInt(value.slice(0, -1)) : value)),
      );
    },
    [types, values],
  );

async function deploy(node, page, name, types, values) {
  const [from] = await node.call("eth_accounts");
  const data = `0x${contract(name).code}${await encode(page, types, values)}`;
  const hash = await node.call("eth_sendTransaction", { from, data, gas: "0x4c4b40" });
  return { hash: hash.slice(2), address: (await node.call("eth_getTransactionReceipt", hash)).contractAddress };
}

/// As many bytes as a coinbase may have of the miner's choice (SPEC.md): markup, controls, directions, and what is no UTF-8.
const EXTRA = Buffer.concat([
  Buffer.from('"><img src=x onerror=window.caught=1>\u0000\u001b[2J\u202e\u2066\u2029</script>', "utf8"),
  Buffer.from([0xc3, 0x28, 0xf0, 0x9f, 0x92, 0xed, 0xa0, 0x80, 0xc0, 0xaf]),
  Buffer.alloc(94, 0xff),
]).subarray(0, 94);

module.exports = async (browser) => {
  const node = await dev();
  try {
    const { page, context, faults, go } = await open(browser, node.url);
    await task("a token called <img onerror> is text", async () => {
      const token = await deploy(
        node,
        page,
        "Token",
        ["string", "string", "uint256"],
        ["<img src=x onerror=caught=1>\u202e", "<b>\u001b[31m", "1000000n"],
      );
      await go(`account/${token.address}`);
      await shows(page, "<img src=x onerror=");
      await shows(page, "\\u{202e} (<b>\\u{1b}[31m)");
      const [from] = await node.call("eth_accounts");
      await go(`account/${from}`);
      const tokens = page.getByRole("table", { name: "Tokens" });
      await until(async () => (await tokens.innerText()).includes("<b>\\u{1b}[31m"), "its symbol among balances");
      await go(`account/${token.address}`);
      await page.locator("main textarea").waitFor();
      await page.fill("main textarea", JSON.stringify(contract("Token").abi));
      await page.getByRole("button", { name: "Use" }).click();
      await page.getByText("name()", { exact: true }).click();
      await page.locator("details.form[open] button").click();
      await until(
        async () => (await page.innerText("details.form[open] .result")).includes("<img src=x"),
        "the result as text",
      );
    });
    await task("an ABI with hostile names is text", async () => {
      const abi = [
        {
          type: "function",
          name: EVIL,
          inputs: [{ name: EVIL, type: "uint256" }],
          outputs: [],
          stateMutability: "view",
        },
      ];
      await page.fill("main textarea", JSON.stringify(abi));
      await page.getByRole("button", { name: "Use" }).click();
      await until(async () => (await page.innerText("details.form summary")).includes("<img"), "its name as text");
    });
    await task("reasons of reverts and logs are text, and are read with a pasted ABI", async () => {
      const probe = await deploy(node, page, "Probe", [], []);
      const [from] = await node.call("eth_accounts");
      const failing = `0x${await selector(page, "failWith(string)")}${await encode(page, ["string"], [EVIL])}`;
      const failed = await node
        .call("eth_sendTransaction", { from, to: probe.address, data: failing, gas: "0x7a120" })
        .catch((error) => error.data?.txHash ?? error.data);
      const said = await logOf(node, page, probe.address, from);
      await go(`tx/${said}`);
      await shows(page, "unknown event");
      await page.getByText("Paste an ABI").click();
      await page.locator("textarea").fill(JSON.stringify(contract("Probe").abi));
      await page.getByRole("button", { name: "Use" }).click();
      await shows(page, "Said(string,(int256,uint8[2],string),bytes)");
      await shows(page, "x: -5");
      await shows(page, "<img src=x");
      if (/^0x[0-9a-f]{64}$/.test(failed ?? "")) {
        await go(`tx/${failed.slice(2)}`);
        await shows(page, "<img src=x");
      }
    });
    await task("an extra of 94 odd bytes, the most there can be, is text", async () => {
      const { hash, status } = await mine(node, EXTRA);
      equal(status, "connected", "what the node makes of it");
      equal((await node.call("chain_getBlock", hash, 1)).extra, EXTRA.toString("hex"), "all 94 bytes");
      await go(`block/${hash}`);
      await shows(page, '"><img src=x onerror=window.caught=1>');
      await go("");
      await until(async () => (await text(page)).includes("Latest blocks"), "home");
    });
    await task("agents, reasons and addresses of peers are text", async () => {
      const answers = {
        admin_nodeInfo: {
          name: EVIL,
          uptime: 1,
          process: 1,
          datadir: EVIL,
          id: "12D3",
          clockOffset: -7,
          clockPeers: 3,
          addresses: [EVIL],
          traffic: { received: 1, sent: 1 },
          disconnected: [{ address: EVIL, agent: EVIL, at: 1, connected: 1, reason: EVIL }],
        },
        admin_peers: [
          {
            address: EVIL,
            direction: "inbound",
            agent: EVIL,
            height: 1,
            bestHash: EVIL,
            connected: 1,
            pingMs: 1,
            points: 99,
            clockOffset: 1,
            traffic: { received: 1, sent: 1 },
          },
        ],
        admin_bans: [{ target: EVIL, until: 9_999_999_999, reason: EVIL }],
      };
      await page.route(`${node.url}/`, (route) => {
        const { method } = route.request().postDataJSON() ?? {};
        return method in answers
          ? route.fulfill({ json: { jsonrpc: "2.0", id: 1, result: answers[method] } })
          : route.continue();
      });
      await go("network");
      await page.fill("#cookie", "__cookie__:00");
      await page.getByRole("button", { name: "Show the peers" }).click();
      await shows(page, "7 s ahead of the median of 3 peers");
      await until(async () => (await text(page)).split("<img src=x").length > 10, "each of them as text");
      await page.unroute(`${node.url}/`);
    });
    await task("what is typed into the search and the address is text", async () => {
      await go(`search/${encodeURIComponent(EVIL)}`);
      await shows(page, "Nothing found");
      await go(`account/${encodeURIComponent(EVIL)}`);
      await shows(page, "No account");
      await go("%E0%A4%A/<script>");
      await shows(page, "This view does not exist");
      await go(`block/${encodeURIComponent(EVIL)}`);
      await page.waitForSelector(".failure");
    });
    await task("nothing hostile ran, was loaded, or violated the policy", async () => {
      equal(await page.evaluate(() => window.caught ?? null), null, "what scripts left");
      equal(
        await page.evaluate(() => document.querySelectorAll("main img, main script, main iframe").length),
        0,
        "elements out of texts",
      );
      equal(faults, [], "faults");
    });
    await task("another site may neither frame the page nor call by it", async () => {
      const answer = await fetch(node.url, {
        method: "POST",
        headers: { origin: "https://evil.example", "content-type": "application/json" },
        body: "{}",
      });
      equal(answer.status, 403, "status");
      const served = await fetch(`${node.url}/`);
      check(served.headers.get("content-security-policy").includes("frame-ancestors 'none'"), "frame-ancestors");
    });
    await context.close();
  } finally {
    await node.stop();
  }
};

const selector = (page, signature) =>
  page.evaluate(async (text) => (await import("/assets/keccak.js")).keccak(text).slice(0, 8), signature);

/// Has the probe log hostile texts; the id of the transaction.
async function logOf(node, page, to, from) {
  const data = await page.evaluate(
    async ([abiText, evil]) => {
      const abi = await import("/assets/abi.js");
      const entry = abi.parseAbi(abiText).find((one) => one.name === "say");
      const values = [evil, [-5n, [1n, 2n], evil], "0xdeadbeef"];
      return `0x${entry.hash.slice(0, 8)}${abi.encode(
        entry.inputs.map((one) => one.type),
        values,
      )}`;
    },
    [JSON.stringify(contract("Probe").abi), EVIL],
  );
  return (await node.call("eth_sendTransaction", { from, to, data, gas: "0x7a120" })).slice(2);
}
