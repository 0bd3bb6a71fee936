// Wallets in the browser (EIP-1193).

import { chain } from "./chain.js";
import { sentence } from "./rpc.js";

export const provider = () => (typeof window.ethereum?.request === "function" ? window.ethereum : null);

const NONE = "No wallet in this browser: install MetaMask or another one that speaks EIP-1193.";

const chainId = () => `0x${chain.info.chainId.toString(16)}`;

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
    return `The wallet refused: ${sentence(error)}`;
  }
}

/** Sends a transaction by the wallet, on this chain; its hash. */
export async function send({ to, data, value }) {
  const wallet = provider();
  if (!wallet) throw new Error(NONE);
  const [from] = await wallet.request({ method: "eth_requestAccounts" });
  if ((await wallet.request({ method: "eth_chainId" })) !== chainId()) {
    try {
      await wallet.request({ method: "wallet_switchEthereumChain", params: [{ chainId: chainId() }] });
    } catch {
      await addChain();
    }
    if ((await wallet.request({ method: "eth_chainId" })) !== chainId())
      throw new Error("the wallet is on another chain");
  }
  return wallet.request({
    method: "eth_sendTransaction",
    params: [{ from, to, data, value: `0x${value.toString(16)}` }],
  });
}
