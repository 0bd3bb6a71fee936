// Wallets in the browser (EIP-1193). What a wallet answers is as foreign as what a peer sends.

import { chain } from "./chain.js";
import { foreign } from "./format.js";
import { sentence } from "./rpc.js";

/** The wallet that the browser has, or null. */
export function provider() {
  try {
    return typeof window.ethereum?.request === "function" ? window.ethereum : null;
  } catch {
    return null;
  }
}

const NONE = "No wallet in this browser: install MetaMask or another one that speaks EIP-1193.";

const chainId = () => `0x${chain.info.chainId.toString(16)}`;

/** What a wallet threw, which may be anything, as a sentence. */
function refusal(error) {
  try {
    const text = typeof error === "string" ? error : error?.message;
    return foreign(sentence(typeof text === "string" && text ? text : "it gave no reason"), 300);
  } catch {
    return "It gave no reason.";
  }
}

/** Asks the wallet to add and choose this chain; says what came of it. */
export async function addChain() {
  const wallet = provider();
  if (!wallet) return NONE;
  if (!chain.info) return "The node has not answered yet.";
  try {
    await wallet.request({
      method: "wallet_addEthereumChain",
      params: [
        {
          chainId: chainId(),
          chainName: `Cairn ${chain.info.chain}`,
          rpcUrls: [location.origin],
          nativeCurrency: { name: "Cairn", symbol: "CRN", decimals: 18 },
        },
      ],
    });
    return "The wallet knows this chain.";
  } catch (error) {
    return `The wallet refused: ${refusal(error)}`;
  }
}

/** Whether the wallet is on this chain. Some return a number, or digits in capitals. */
async function isHere(wallet) {
  const id = await wallet.request({ method: "eth_chainId" });
  return typeof id === "number" ? id === chain.info.chainId : typeof id === "string" && id.toLowerCase() === chainId();
}

async function sender(wallet) {
  const accounts = await wallet.request({ method: "eth_requestAccounts" });
  const first = Array.isArray(accounts) ? accounts[0] : null;
  if (typeof first !== "string" || !/^0x[0-9a-fA-F]{40}$/.test(first)) throw new Error("it named no account");
  return first;
}

async function signed(wallet, { to, data, value }) {
  const from = await sender(wallet);
  if (!(await isHere(wallet))) {
    try {
      await wallet.request({ method: "wallet_switchEthereumChain", params: [{ chainId: chainId() }] });
    } catch {
      await addChain();
    }
    if (!(await isHere(wallet))) throw new Error("it is on another chain");
  }
  const id = await wallet.request({
    method: "eth_sendTransaction",
    params: [{ from, to, data, value: `0x${value.toString(16)}` }],
  });
  if (typeof id !== "string" || !/^0x[0-9a-fA-F]{64}$/.test(id))
    throw new Error("it returned no transaction hash; look into it for what it sent");
  return id.toLowerCase();
}

/** Sends a transaction by the wallet, on this chain; its hash. Throws an Error with text alone. */
export async function send(transaction) {
  const wallet = provider();
  if (!wallet) throw new Error(NONE);
  try {
    return await signed(wallet, transaction);
  } catch (error) {
    throw new Error(`the wallet did not send it: ${refusal(error)}`, { cause: error });
  }
}
