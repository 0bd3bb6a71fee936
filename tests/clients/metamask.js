// The calls that a browser wallet makes: when a network is added, when it shows an account, and when it sends. Without a
// library, with a page extension's origin.
"use strict";

const ethers = require("ethers");
const { url, KEYS, ADDRESSES, contract, task, done, check, equal, until, mine } = require("./lib/tasks");

const ORIGIN = "chrome-extension://nkbihfbeogaeaoehlefnkodbefgpgknn";
let id = 4_712_000_000_000;

async function post(body) {
  const answer = await fetch(url, {
    method: "POST",
    headers: { "content-type": "application/json", origin: ORIGIN },
    body: JSON.stringify(body),
  });
  check(answer.ok, `HTTP ${answer.status}`);
  return answer.json();
}
async function call(method, ...params) {
  const asked = { id: (id += 1), jsonrpc: "2.0", method, params };
  const { result, error, id: answered } = await post(asked);
  equal(answered, asked.id, "id");
  if (error) throw Object.assign(new Error(error.message), error);
  return result;
}

async function adding() {
  const chainId = await task("add the network", async () => {
    const [hex, version] = [await call("eth_chainId"), await call("net_version")];
    equal(BigInt(hex), BigInt(version));
    return hex;
  });
  await task("is it EIP-1559", async () => {
    const block = await call("eth_getBlockByNumber", "latest", false);
    check(BigInt(block.baseFeePerGas) > 0n && Number(block.gasLimit) > 21_000, "no base fee");
  });
  await task("block tracker", async () => check(Number(await call("eth_blockNumber")) >= 0, "no number"));
  await task("accounts' balances", async () => {
    for (const account of ADDRESSES)
      check(BigInt(await call("eth_getBalance", account.toLowerCase(), "latest")) > 0n, "no money");
  });
  await task("balances in a batch", async () => {
    const asked = ADDRESSES.map((account) => ({
      id: (id += 1),
      jsonrpc: "2.0",
      method: "eth_getBalance",
      params: [account, "latest"],
    }));
    const found = await post(asked);
    equal(found.map((one) => one.id).sort(), asked.map((one) => one.id).sort());
  });
  return chainId;
}

async function sending(chainId) {
  const wallet = new ethers.Wallet(KEYS[0]);
  const from = wallet.address.toLowerCase();
  const to = "0x00000000000000000000000000000000000d00d5";
  const fees = await task("fee market", async () => {
    const history = await call("eth_feeHistory", "0x5", "latest", [10, 20, 30]);
    check(history.baseFeePerGas.length === history.gasUsedRatio.length + 1, "wrong length");
    equal((await call("eth_feeHistory", 5, "latest", [10])).reward.length, history.reward.length);
    return { base: BigInt(history.baseFeePerGas.at(-1)), price: BigInt(await call("eth_gasPrice")) };
  });
  await task("is it a contract", async () => equal(await call("eth_getCode", to, "latest"), "0x"));
  const gas = await task("estimate", async () => {
    const found = await call(
      "eth_estimateGas",
      {
        from,
        to,
        value: "0x38d7ea4c68000",
        data: "0x",
        gas: "0x7530",
        maxFeePerGas: ethers.toQuantity(fees.base * 2n),
      },
      "latest",
    );
    check(BigInt(found) >= 21_000n && BigInt(found) < 22_000n, `gas ${found}`);
    return BigInt(found);
  });
  await task("estimate without a known sender", async () =>
    check(BigInt(await call("eth_estimateGas", { from: to, to: from })) >= 21_000n, "too little"),
  );
  const nonce = await task("nonce", async () => {
    const [latest, pending] = [
      await call("eth_getTransactionCount", from, "latest"),
      await call("eth_getTransactionCount", from, "pending"),
    ];
    equal(latest, pending);
    return Number(pending);
  });
  const hash = await task("send", async () => {
    const signed = await wallet.signTransaction({
      type: 2,
      chainId,
      nonce,
      to,
      value: 10n ** 15n,
      gasLimit: gas ?? 21_000n,
      maxFeePerGas: fees.base * 2n + 1_000_000_000n,
      maxPriorityFeePerGas: 1_000_000_000n,
    });
    const sent = await call("eth_sendRawTransaction", signed);
    equal(sent, ethers.keccak256(signed));
    return sent;
  });
  await task("follow until confirmed", async () => {
    const receipt = await until(() => call("eth_getTransactionReceipt", hash), "the receipt");
    const block = await call("eth_getBlockByHash", receipt.blockHash, false);
    equal([receipt.status, block.transactions.includes(hash), block.hash], ["0x1", true, receipt.blockHash]);
    check(BigInt(receipt.effectiveGasPrice) >= BigInt(block.baseFeePerGas), "wrong price");
    equal((await call("eth_getTransactionByHash", hash)).blockNumber, receipt.blockNumber);
  });
  await task("balance went down", async () =>
    check(BigInt(await call("eth_getBalance", to, "latest")) === 10n ** 15n, "not received"),
  );
}

async function tokens() {
  const wallet = new ethers.Wallet(KEYS[0], new ethers.JsonRpcProvider(url, undefined, { pollingInterval: 50 }));
  const artifact = contract("Token");
  const token = await (
    await new ethers.ContractFactory(artifact.abi, artifact.bytecode, wallet).deploy("Stone", "STN", 1000n)
  ).waitForDeployment();
  const to = (await token.getAddress()).toLowerCase();
  const data = (name, ...given) => token.interface.encodeFunctionData(name, given);
  await task("add a token", async () => {
    for (const name of ["symbol", "decimals", "name"])
      check((await call("eth_call", { to, data: data(name) }, "latest")).length >= 66, `no ${name}`);
    equal(BigInt(await call("eth_call", { to, data: data("balanceOf", wallet.address) }, "latest")), 1000n);
  });
  await task("not a token: a call that reverts", async () => {
    const error = await call(
      "eth_call",
      { to, data: "0x01ffc9a780ac58cd00000000000000000000000000000000000000000000000000000000" },
      "latest",
    ).catch((refused) => refused);
    equal([error.code, error.message.startsWith("execution reverted")], [3, true]);
  });
  await task("simulate before the send", async () => {
    const transaction = {
      from: wallet.address,
      to,
      value: "0x0",
      data: data("transfer", ADDRESSES[1], 5n),
      gas: "0x186a0",
      type: "0x2",
      chainId: await call("eth_chainId"),
    };
    const estimate = await call("eth_estimateGas", transaction);
    check(BigInt(estimate) > 21_000n, "too little");
    const [block] = await call(
      "eth_simulateV1",
      { blockStateCalls: [{ calls: [transaction] }], traceTransfers: true, validation: false },
      "latest",
    );
    equal(block.calls[0].status, "0x1");
  });
  await task("speed up", async () => {
    const nonce = await wallet.getNonce();
    const signed = async (nonceAt, tip) =>
      wallet.signTransaction({
        type: 2,
        chainId: await call("eth_chainId"),
        nonce: nonceAt,
        to: ADDRESSES[1],
        value: 1n,
        gasLimit: 21_000n,
        maxFeePerGas: tip * 20n,
        maxPriorityFeePerGas: tip,
      });
    await call("eth_sendRawTransaction", await signed(nonce + 1, 1_000_000_000n));
    const faster = await call("eth_sendRawTransaction", await signed(nonce + 1, 1_100_000_000n));
    await call("eth_sendRawTransaction", await signed(nonce, 1_000_000_000n));
    await mine();
    equal((await until(() => call("eth_getTransactionReceipt", faster), "the receipt")).status, "0x1");
  });
}

(async () => {
  await sending(await adding());
  await tokens();
  done();
})();
