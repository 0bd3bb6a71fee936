//! Whether an answer is that of the test chain, as far as Cairn's chain can be that chain.
//!
//! Hashes of blocks and transactions are translated before. What is masked beside them follows from the proof of work, from
//! Cairn's rules being those of Osaka from block 1 on, or from a transaction that had to be signed anew; each line of
//! [`is_masked`] says which.

use serde_json::{Map, Value};

use crate::replay::Names;

/// First blocks of the forks, and the last block.
const BYZANTIUM: u64 = 9;
const LONDON: u64 = 27;
const OSAKA: u64 = 48;
const LAST: u64 = 54;

/// Of headers: roots and proof of work, and what a chain without beacon blocks, withdrawals and blobs does not have.
const HEADER: &[&str] = &[
    "difficulty",
    "mixHash",
    "parentBeaconBlockRoot",
    "receiptsRoot",
    "requestsHash",
    "sha3Uncles",
    "size",
    "stateRoot",
    "totalDifficulty",
    "transactionsRoot",
    "uncles",
    "withdrawals",
    "withdrawalsRoot",
    "baseFeePerBlobGas",
    "blobGasPrice",
    "blobGasUsed",
    "blobGasUsedRatio",
    "excessBlobGas",
];

/// What of a whole case cannot be equal.
#[derive(Clone, Copy)]
pub struct Case {
    /// Its blocks are simulated, so that their hashes are others.
    pub simulated: bool,
    /// Words of what contracts return: proof of work, and hashes of simulated blocks.
    pub words: &'static [usize],
}

/// What an object of the test chain is about.
#[derive(Clone, Copy)]
struct About {
    /// Its block's number, if it has one.
    number: Option<u64>,
    case: Case,
    /// Whether it is a block.
    is_block: bool,
    /// Whether it is, or belongs to, a transaction that was signed anew.
    anew: bool,
}

fn about(object: &Map<String, Value>, outer: About, names: &Names) -> About {
    let number = object.get("number").or_else(|| object.get("blockNumber")).and_then(Value::as_str);
    let number = number.and_then(|text| u64::from_str_radix(text.trim_start_matches("0x"), 16).ok());
    let hash = object.get("transactionHash").or_else(|| object.get("hash")).and_then(Value::as_str);
    About {
        number: number.or(outer.number),
        case: outer.case,
        is_block: object.contains_key("stateRoot"),
        anew: hash.is_some_and(|hash| names.is_anew(hash)),
    }
}

fn is_masked(key: &str, about: About) -> bool {
    let before = |fork: u64| about.number.is_some_and(|number| number < fork);
    if HEADER.contains(&key) {
        return true;
    }
    match key {
        // Of a block it is proof of work.
        "nonce" => about.is_block,
        // The spec's commitment stands there.
        "extraData" => about.number == Some(0),
        // The limit doubled at London.
        "gasLimit" => before(LONDON),
        // The fee market starts at block 1, and ends in the very fee of the last block.
        "baseFeePerGas" if before(LONDON) => true,
        "baseFeePerGas" | "gasPrice" | "effectiveGasPrice" if before(LAST) && !about.case.simulated => true,
        // Gas had other prices.
        "gasUsed" | "cumulativeGasUsed" => before(OSAKA) && !about.case.simulated,
        // A receipt had a root where it has a status now.
        "root" | "status" => before(BYZANTIUM),
        "v" | "r" | "s" | "yParity" | "gas" | "gasPrice" | "maxFeePerGas" | "chainId" | "type" => about.anew,
        "accessList" | "maxFeePerBlobGas" | "blobVersionedHashes" => about.anew,
        "hash" | "parentHash" | "blockHash" | "transactionHash" => about.case.simulated,
        _ => false,
    }
}

/// The first difference; `None` if the answer will do.
pub fn difference(expected: &Value, actual: &Value, case: Case, names: &Names) -> Option<String> {
    let outer = About { number: None, case, is_block: false, anew: false };
    values(expected, actual, "result", outer, names)
}

fn values(expected: &Value, actual: &Value, path: &str, about: About, names: &Names) -> Option<String> {
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => objects(expected, actual, path, about, names),
        (Value::Array(expected), Value::Array(actual)) => {
            if expected.len() != actual.len() {
                return Some(format!("{path}: {} entries instead of {}", actual.len(), expected.len()));
            }
            let pairs = expected.iter().zip(actual).enumerate();
            pairs.map(|(at, (one, other))| values(one, other, &format!("{path}[{at}]"), about, names)).find_map(|x| x)
        }
        (Value::String(one), Value::String(other)) if path == "result" || path.ends_with(".returnData") => {
            let equal = without(one, about.case.words) == without(other, about.case.words);
            (!equal).then(|| format!("{path}: {other} instead of {one}"))
        }
        _ if expected == actual => None,
        _ => Some(format!("{path}: {} instead of {}", short(actual), short(expected))),
    }
}

fn objects(
    expected: &Map<String, Value>,
    actual: &Map<String, Value>,
    path: &str,
    outer: About,
    names: &Names,
) -> Option<String> {
    let about = about(expected, outer, names);
    let missing = expected.keys().find(|key| !actual.contains_key(*key) && !is_masked(key, about));
    let surplus = actual.keys().find(|key| !expected.contains_key(*key) && !is_masked(key, about));
    if let Some(key) = missing {
        return Some(format!("{path}.{key} is missing"));
    }
    if let Some(key) = surplus {
        return Some(format!("{path}.{key} is surplus"));
    }
    for (key, one) in expected.iter().filter(|(key, _)| !is_masked(key, about)) {
        let other = &actual[key];
        let of_hashes = key == "transactions"
            && about.case.simulated
            && one.as_array().is_some_and(|all| all.iter().all(Value::is_string));
        let found = if of_hashes {
            shapes(one, other, path)
        } else {
            values(one, other, &format!("{path}.{key}"), about, names)
        };
        if found.is_some() {
            return found;
        }
    }
    None
}

/// The first difference in form, for cases whose values are not defined: kinds of values and keys of objects.
pub fn shapes(expected: &Value, actual: &Value, path: &str) -> Option<String> {
    let case = Case { simulated: false, words: &[] };
    let anywhere = About { number: None, case, is_block: false, anew: false };
    match (expected, actual) {
        (Value::Object(expected), Value::Object(actual)) => {
            let missing = expected.keys().find(|key| !actual.contains_key(*key) && !is_masked(key, anywhere));
            if let Some(key) = missing {
                return Some(format!("{path}.{key} is missing"));
            }
            let both = expected.iter().filter_map(|(key, one)| Some((key, one, actual.get(key)?)));
            both.map(|(key, one, other)| shapes(one, other, &format!("{path}.{key}"))).find_map(|x| x)
        }
        (Value::Array(expected), Value::Array(actual)) => {
            let pairs = expected.iter().zip(actual).enumerate();
            pairs.map(|(at, (one, other))| shapes(one, other, &format!("{path}[{at}]"))).find_map(|x| x)
        }
        (Value::String(one), Value::String(other)) if one.starts_with("0x") != other.starts_with("0x") => {
            Some(format!("{path}: {} instead of a value such as {}", short(actual), short(expected)))
        }
        _ if std::mem::discriminant(expected) == std::mem::discriminant(actual) => None,
        _ => Some(format!("{path}: {} instead of a value such as {}", short(actual), short(expected))),
    }
}

/// Bytes in hex without these words of 32 bytes.
fn without(text: &str, words: &[usize]) -> String {
    let digits: Vec<char> = text.chars().skip(2).collect();
    let chunks = digits.chunks(64).enumerate().filter(|(word, _)| !words.contains(word));
    chunks.flat_map(|(_, digits)| digits).collect()
}

/// At most 200 characters of a value.
pub fn short(value: &Value) -> String {
    let text = value.to_string();
    match text.char_indices().nth(200) {
        Some((at, _)) => format!("{}...", &text[..at]),
        None => text,
    }
}
