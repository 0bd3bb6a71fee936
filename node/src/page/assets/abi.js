// Solidity's ABI: what forms ask for, what calls send, what results and logs mean.
//
// A type is {kind, …}: "uint", "int" (bits), "address", "bool", "bytes" (size, or dynamic), "string", "array" (of, length),
// "tuple" (parts with names).

import { checksummed, keccak } from "./keccak.js";

/** Bounds of what hostile data may make this build. */
const MOST_ITEMS = 1000;
const MOST_DEPTH = 16;
const MOST_ENTRIES = 2000;

/** Parses the type of a parameter of a JSON ABI. */
export function parseType(parameter, depth = 0) {
  if (depth > MOST_DEPTH) throw new Error("the type is nested too deeply");
  const name = String(parameter.type ?? "");
  const array = name.match(/^(.*)\[(\d*)\]$/);
  if (array) {
    const of = parseType({ ...parameter, type: array[1] }, depth + 1);
    return { kind: "array", of, length: array[2] === "" ? null : Number(array[2]) };
  }
  if (name === "tuple") {
    const parts = (parameter.components ?? []).map((part) => ({
      name: part.name ?? "",
      type: parseType(part, depth + 1),
    }));
    return { kind: "tuple", parts };
  }
  const number = name.match(/^(u?int)(\d*)$/);
  if (number) return { kind: number[1], bits: Number(number[2] || 256) };
  const sized = name.match(/^bytes(\d+)$/);
  if (sized && sized[1] >= 1 && sized[1] <= 32) return { kind: "bytes", size: Number(sized[1]) };
  if (name === "bytes" || name === "string" || name === "address" || name === "bool") return { kind: name };
  if (name === "function") return { kind: "bytes", size: 24 };
  throw new Error(`the type ${name || "(none)"} is not known`);
}

/** The name of a type as signatures have it. */
export function typeName(type) {
  if (type.kind === "array") return `${typeName(type.of)}[${type.length ?? ""}]`;
  if (type.kind === "tuple") return `(${type.parts.map((part) => typeName(part.type)).join(",")})`;
  if (type.kind === "uint" || type.kind === "int") return `${type.kind}${type.bits}`;
  return type.kind === "bytes" && type.size ? `bytes${type.size}` : type.kind;
}

/** Reads a JSON ABI, or a compiler's output that has one, into entries with types and signatures. */
export function parseAbi(text) {
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    throw new Error("this is not JSON: paste the array that the compiler wrote as “abi”");
  }
  const list = Array.isArray(json) ? json : json?.abi;
  if (!Array.isArray(list))
    throw new Error("this JSON has no ABI: expected an array, or an object with an array “abi”");
  if (list.length > MOST_ENTRIES) throw new Error(`the ABI has more than ${MOST_ENTRIES} entries`);
  return list
    .filter((entry) => entry && ["function", "event", "error"].includes(entry.type ?? "function"))
    .map(parseEntry);
}

function parseEntry(entry) {
  const parameters = (list) =>
    (Array.isArray(list) ? list : []).map((one) => ({
      name: String(one.name ?? ""),
      type: parseType(one),
      indexed: one.indexed === true,
    }));
  const [name, inputs, outputs] = [String(entry.name ?? ""), parameters(entry.inputs), parameters(entry.outputs)];
  const signature = `${name}(${inputs.map((one) => typeName(one.type)).join(",")})`;
  const mutability = String(entry.stateMutability ?? (entry.constant ? "view" : "nonpayable"));
  const reads = mutability === "view" || mutability === "pure";
  return {
    kind: entry.type ?? "function",
    name,
    inputs,
    outputs,
    signature,
    hash: keccak(signature),
    mutability,
    reads,
    anonymous: entry.anonymous === true,
  };
}

const plain = (signature, indexed = 0) => {
  const [, name, types] = signature.match(/^(\w+)\((.*)\)$/);
  const inputs = types
    .split(",")
    .filter(Boolean)
    .map((one, at) => {
      const [type, label] = one.trim().split(" ");
      return { type, name: label ?? "", indexed: at < indexed };
    });
  return { type: "event", name, inputs };
};

/** Events that many contracts share, and those of the gateway. A log is read with the first that fits it. */
export const COMMON = [
  plain("Transfer(address from,address to,uint256 value)", 2),
  plain("Transfer(address from,address to,uint256 tokenId)", 3),
  plain("Approval(address owner,address spender,uint256 value)", 2),
  plain("Approval(address owner,address approved,uint256 tokenId)", 3),
  plain("ApprovalForAll(address owner,address operator,bool approved)", 2),
  plain("TransferSingle(address operator,address from,address to,uint256 id,uint256 value)", 3),
  plain("TransferBatch(address operator,address from,address to,uint256[] ids,uint256[] values)", 3),
  plain("OwnershipTransferred(address previousOwner,address newOwner)", 2),
  plain("Withdrawal(address sender,bytes lock,uint64 grains)", 1),
].map(parseEntry);

const isDynamic = (type) =>
  (type.kind === "bytes" && !type.size) ||
  type.kind === "string" ||
  (type.kind === "array" && (type.length === null || isDynamic(type.of))) ||
  (type.kind === "tuple" && type.parts.some((part) => isDynamic(part.type)));

const headWords = (type) => {
  if (isDynamic(type)) return 1;
  if (type.kind === "array") return type.length * headWords(type.of);
  return type.kind === "tuple" ? type.parts.reduce((sum, part) => sum + headWords(part.type), 0) : 1;
};

const word = (value) => BigInt.asUintN(256, value).toString(16).padStart(64, "0");
const right = (hex) => hex.padEnd(Math.ceil(hex.length / 64) * 64, "0");

/** Encodes values of some types, as hex without 0x. */
export function encode(types, values) {
  let offset = types.reduce((sum, type) => sum + headWords(type), 0) * 32;
  let [head, tail] = ["", ""];
  types.forEach((type, at) => {
    const encoded = encodeOne(type, values[at]);
    if (!isDynamic(type)) {
      head += encoded;
      return;
    }
    head += word(BigInt(offset));
    tail += encoded;
    offset += encoded.length / 2;
  });
  return head + tail;
}

function encodeOne(type, value) {
  switch (type.kind) {
    case "uint":
    case "int":
      return word(value);
    case "bool":
      return word(value ? 1n : 0n);
    case "address":
      return value.slice(2).toLowerCase().padStart(64, "0");
    case "bytes":
      return type.size ? right(value.slice(2)) : word(BigInt(value.length / 2 - 1)) + right(value.slice(2));
    case "string": {
      const hex = Array.from(new TextEncoder().encode(value), (byte) => byte.toString(16).padStart(2, "0")).join("");
      return word(BigInt(hex.length / 2)) + right(hex);
    }
    case "array": {
      const encoded = encode(
        value.map(() => type.of),
        value,
      );
      return type.length === null ? word(BigInt(value.length)) + encoded : encoded;
    }
    default:
      return encode(
        type.parts.map((part) => part.type),
        value,
      );
  }
}

/** A value of a type from what was typed; arrays and tuples as JSON. */
export function fromText(type, text) {
  if (type.kind === "array" || type.kind === "tuple") {
    let json;
    try {
      // Numbers beyond 2^53 keep all their digits.
      json = JSON.parse(
        text.replace(/"(?:[^"\\]|\\.)*"|-?\d{16,}/g, (part) => (part.startsWith('"') ? part : `"${part}"`)),
      );
    } catch {
      throw new Error(`expected ${typeName(type)} as JSON, such as ${type.kind === "array" ? "[1, 2]" : '["0x…", 1]'}`);
    }
    return fromJson(type, json);
  }
  return fromJson(type, type.kind === "string" ? text : text.trim());
}

function fromJson(type, value) {
  const wrong = () => new Error(`expected ${typeName(type)}, got ${JSON.stringify(value).slice(0, 60)}`);
  switch (type.kind) {
    case "uint":
    case "int": {
      if (!/^-?(0x[0-9a-fA-F]+|\d+)$/.test(String(value))) throw wrong();
      const text = String(value);
      const number = text.startsWith("-") ? -BigInt(text.slice(1)) : BigInt(text);
      const fits = type.kind === "uint" ? BigInt.asUintN(type.bits, number) : BigInt.asIntN(type.bits, number);
      if (fits !== number) throw new Error(`${text} does not fit into ${typeName(type)}`);
      return number;
    }
    case "bool":
      if (value === true || value === "true" || value === "1" || value === 1) return true;
      if (value === false || value === "false" || value === "0" || value === 0) return false;
      throw wrong();
    case "address":
      if (!/^0x[0-9a-fA-F]{40}$/.test(value)) throw wrong();
      return value;
    case "bytes":
      if (!/^0x([0-9a-fA-F]{2})*$/.test(value) || (type.size && value.length !== 2 + 2 * type.size)) throw wrong();
      return value;
    case "string":
      return String(value);
    case "array":
      if (!Array.isArray(value) || (type.length !== null && value.length !== type.length)) throw wrong();
      return value.map((one) => fromJson(type.of, one));
    default: {
      const list = Array.isArray(value) ? value : type.parts.map((part) => value?.[part.name]);
      if (list.length !== type.parts.length) throw wrong();
      return type.parts.map((part, at) => fromJson(part.type, list[at]));
    }
  }
}

class Reader {
  constructor(hex) {
    this.hex = hex;
    this.items = 0;
  }

  word(at) {
    const text = this.hex.slice(at * 2, at * 2 + 64);
    if (text.length !== 64) throw new Error("the data is too short");
    return text;
  }

  number(at) {
    const value = BigInt(`0x${this.word(at)}`);
    if (value > BigInt(this.hex.length)) throw new Error("an offset is beyond the data");
    return Number(value);
  }

  bytes(at, size) {
    const text = this.hex.slice(at * 2, (at + size) * 2);
    if (text.length !== size * 2) throw new Error("the data is too short");
    return text;
  }
}

/** Decodes hex without 0x; throws if it is not of these types. */
export function decode(types, hex) {
  return decodeAll(new Reader(hex), types, 0, 0);
}

function decodeAll(reader, types, base, depth) {
  if (depth > MOST_DEPTH || (reader.items += types.length) > MOST_ITEMS) throw new Error("too many values");
  let at = base;
  return types.map((type) => {
    const place = isDynamic(type) ? base + reader.number(at) : at;
    at += 32 * headWords(type);
    return decodeOne(reader, type, place, depth + 1);
  });
}

function decodeOne(reader, type, at, depth) {
  switch (type.kind) {
    case "uint":
      return BigInt(`0x${reader.word(at)}`);
    case "int":
      return BigInt.asIntN(256, BigInt(`0x${reader.word(at)}`));
    case "bool":
      return BigInt(`0x${reader.word(at)}`) !== 0n;
    case "address":
      return checksummed(`0x${reader.word(at).slice(24)}`);
    case "bytes":
      return `0x${type.size ? reader.word(at).slice(0, type.size * 2) : reader.bytes(at + 32, reader.number(at))}`;
    case "string": {
      const pairs = reader.bytes(at + 32, reader.number(at)).match(/../g) ?? [];
      return new TextDecoder().decode(Uint8Array.from(pairs, (pair) => parseInt(pair, 16)));
    }
    case "array": {
      const length = type.length ?? reader.number(at);
      if (length > MOST_ITEMS) throw new Error("too many values");
      return decodeAll(reader, new Array(length).fill(type.of), type.length === null ? at + 32 : at, depth);
    }
    default:
      return decodeAll(
        reader,
        type.parts.map((part) => part.type),
        at,
        depth,
      );
  }
}

/** A decoded value as text, not yet safe to trust: callers escape what strings hold. */
export function show(type, value) {
  if (type.kind === "array") return `[${value.map((one) => show(type.of, one)).join(", ")}]`;
  if (type.kind === "tuple")
    return `(${type.parts.map((part, at) => `${part.name ? `${part.name}: ` : ""}${show(part.type, value[at])}`).join(", ")})`;
  return type.kind === "string" ? JSON.stringify(value) : String(value);
}

/** A log by one of these entries: {entry, values}, or null. Dynamic indexed values are hashes. */
export function decodeLog(entries, log) {
  const topic = log.topics[0]?.slice(2);
  for (const entry of entries) {
    const indexed = entry.inputs.filter((one) => one.indexed).length;
    if (entry.kind !== "event" || entry.anonymous || entry.hash !== topic || indexed !== log.topics.length - 1)
      continue;
    try {
      const rest = decode(
        entry.inputs.filter((one) => !one.indexed).map((one) => one.type),
        log.data.slice(2),
      );
      let [topics, plainly] = [1, 0];
      const values = entry.inputs.map((one) => {
        if (!one.indexed) return { ...one, value: rest[plainly++] };
        const text = log.topics[topics++].slice(2);
        const hashed = isDynamic(one.type) || one.type.kind === "tuple" || one.type.kind === "array";
        const type = hashed ? { kind: "bytes", size: 32 } : one.type;
        return { ...one, type, value: decode([type], text)[0] };
      });
      return { entry, values };
    } catch {
      // Another entry may fit, or none does.
    }
  }
  return null;
}

/** What a reverted call said: Error(string), Panic(uint256), or an error of the ABI. */
export function decodeRevert(entries, data) {
  if (typeof data !== "string" || data.length < 10) return null;
  const [selector, rest] = [data.slice(2, 10), data.slice(10)];
  try {
    if (selector === "08c379a0") return decode([{ kind: "string" }], rest)[0];
    if (selector === "4e487b71") return `panic 0x${decode([{ kind: "uint", bits: 256 }], rest)[0].toString(16)}`;
    const entry = entries.find((one) => one.kind === "error" && one.hash.startsWith(selector));
    if (!entry) return null;
    const values = decode(
      entry.inputs.map((one) => one.type),
      rest,
    );
    return `${entry.name}(${entry.inputs.map((one, at) => show(one.type, values[at])).join(", ")})`;
  } catch {
    return null;
  }
}

/** A call by a function of the ABI: "transfer(to: 0x…, value: 1)", or null. */
export function decodeCall(entries, input) {
  const entry = entries.find((one) => one.kind === "function" && one.hash.slice(0, 8) === input.slice(2, 10));
  if (!entry) return null;
  try {
    const values = decode(
      entry.inputs.map((one) => one.type),
      input.slice(10),
    );
    return `${entry.name}(${entry.inputs.map((one, at) => `${one.name ? `${one.name}: ` : ""}${show(one.type, values[at])}`).join(", ")})`;
  } catch {
    return null;
  }
}
