// Keccak-256, for selectors of functions, topics of events, and the letter case of accounts.

const ROUNDS = 24;
const ROTATIONS = [1, 3, 6, 10, 15, 21, 28, 36, 45, 55, 2, 14, 27, 41, 56, 8, 25, 43, 62, 18, 39, 61, 20, 44];
const LANES = [10, 7, 11, 17, 18, 3, 5, 16, 8, 21, 24, 4, 15, 23, 19, 13, 12, 2, 20, 14, 22, 9, 6, 1];
const RATE = 136;
const MASK = (1n << 64n) - 1n;

const CONSTANTS = (() => {
  const all = [];
  let state = 1;
  const bit = () => {
    const out = state & 1;
    state = state & 0x80 ? ((state << 1) ^ 0x171) & 0xff : state << 1;
    return out;
  };
  for (let round = 0; round < ROUNDS; round += 1) {
    let constant = 0n;
    for (let power = 0; power < 7; power += 1) if (bit()) constant |= 1n << BigInt(2 ** power - 1);
    all.push(constant);
  }
  return all;
})();

const rotate = (value, by) => ((value << BigInt(by)) | (value >> BigInt(64 - by))) & MASK;

function permute(a) {
  const sums = new Array(5);
  for (let round = 0; round < ROUNDS; round += 1) {
    for (let x = 0; x < 5; x += 1) sums[x] = a[x] ^ a[x + 5] ^ a[x + 10] ^ a[x + 15] ^ a[x + 20];
    for (let x = 0; x < 5; x += 1) {
      const mixed = sums[(x + 4) % 5] ^ rotate(sums[(x + 1) % 5], 1);
      for (let y = 0; y < 25; y += 5) a[x + y] ^= mixed;
    }
    let carried = a[1];
    for (let step = 0; step < 24; step += 1) {
      const lane = LANES[step];
      [a[lane], carried] = [rotate(carried, ROTATIONS[step]), a[lane]];
    }
    for (let y = 0; y < 25; y += 5) {
      const row = a.slice(y, y + 5);
      for (let x = 0; x < 5; x += 1) a[x + y] = row[x] ^ (~row[(x + 1) % 5] & MASK & row[(x + 2) % 5]);
    }
    a[0] ^= CONSTANTS[round];
  }
}

/** The hash of bytes, or of a text in UTF-8, in hex. */
export function keccak(input) {
  const data = typeof input === "string" ? new TextEncoder().encode(input) : input;
  const padded = new Uint8Array((Math.floor(data.length / RATE) + 1) * RATE);
  padded.set(data);
  padded[data.length] ^= 0x01;
  padded[padded.length - 1] ^= 0x80;
  const view = new DataView(padded.buffer);
  const state = new Array(25).fill(0n);
  for (let at = 0; at < padded.length; at += RATE) {
    for (let lane = 0; lane < RATE / 8; lane += 1) state[lane] ^= view.getBigUint64(at + lane * 8, true);
    permute(state);
  }
  const out = new DataView(new ArrayBuffer(32));
  for (let lane = 0; lane < 4; lane += 1) out.setBigUint64(lane * 8, state[lane], true);
  return Array.from(new Uint8Array(out.buffer), (byte) => byte.toString(16).padStart(2, "0")).join("");
}

/** An account in the letter case of EIP-55. */
export function checksummed(account) {
  const digits = account.slice(2).toLowerCase();
  const hash = keccak(digits);
  return `0x${Array.from(digits, (digit, at) => (parseInt(hash[at], 16) > 7 ? digit.toUpperCase() : digit)).join("")}`;
}
