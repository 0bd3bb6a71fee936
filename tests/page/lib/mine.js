// A miner over JSON-RPC.
"use strict";

const crypto = require("crypto");
const { request } = require("../../clients/lib/node");

/// Mines a block by `miner_getTemplate` and `miner_submit`, whose coinbase ends with these bytes; what the node makes of it.
async function mine(node, extra) {
  const call = async (method, ...params) => {
    const { result, error } = await request(node.url, method, params, {
      authorization: `Basic ${Buffer.from(node.cookie()).toString("base64")}`,
    });
    if (error) throw new Error(`${method}: ${error.message}`);
    return result;
  };
  const { address } = await node.call("miner_status");
  // The node's own bytes, which make its templates differ, are replaced too.
  const template = await call("miner_getTemplate", { address, extra: "00".repeat(70) });
  const [header, coinbase] = [Buffer.from(template.header, "hex"), Buffer.from(template.coinbase, "hex")];
  const twice = (bytes) =>
    crypto.createHash("sha256").update(crypto.createHash("sha256").update(bytes).digest()).digest();
  extra.copy(coinbase, template.extranonceOffset + template.extranonceSize - extra.length);
  const fold = (root, leaf) => twice(Buffer.concat([root, Buffer.from(leaf, "hex")]));
  template.merkleBranch.reduce(fold, twice(coinbase)).copy(header, 36);
  for (let nonce = 0; nonce < 1 << 20; nonce += 1) {
    header.writeUInt32LE(nonce, 76);
    if (Buffer.from(twice(header)).reverse().toString("hex") <= template.target) break;
  }
  return call("miner_submit", template.id, header.toString("hex"), coinbase.toString("hex"));
}

module.exports = { mine };
