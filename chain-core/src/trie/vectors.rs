//! Ethereum's official TrieTests.

use super::{EMPTY_ROOT, Nibbles, tests::MemoryNodes, update::update_paths};
use alloy_primitives::{B256, keccak256};
use serde_json::{Map, Value};
use std::{io::Read, path::PathBuf};

/// Files of `misc.tar.zst` under a folder and its folders, by name; `None` where the vectors are not at hand.
pub(crate) fn official(folder: &str) -> Option<Vec<(String, Map<String, Value>)>> {
    let default = concat!(env!("CARGO_MANIFEST_DIR"), "/../../shared/vectors");
    let root = std::env::var_os("CAIRN_VECTORS").map_or_else(|| PathBuf::from(default), PathBuf::from);
    let Ok(file) = std::fs::File::open(root.join("misc.tar.zst")) else {
        println!("skipped: no vectors");
        return None;
    };
    let mut archive = tar::Archive::new(ruzstd::decoding::StreamingDecoder::new(file).unwrap());
    let mut files = Vec::new();
    for entry in archive.entries().unwrap() {
        let mut entry = entry.unwrap();
        let path = entry.path().unwrap().into_owned();
        if path.ancestors().any(|parent| parent.ends_with(folder)) && path.extension().is_some() {
            let mut text = String::new();
            entry.read_to_string(&mut text).unwrap();
            let name = path.file_stem().unwrap().to_string_lossy().into_owned();
            files.push((name, serde_json::from_str(&text).unwrap()));
        }
    }
    Some(files)
}

fn bytes(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    Some(text.strip_prefix("0x").map_or_else(|| text.as_bytes().to_vec(), |digits| hex::decode(digits).unwrap()))
}

/// The changes of a test, in order.
fn changes(test: &Value) -> Vec<(Vec<u8>, Option<Vec<u8>>)> {
    match &test["in"] {
        Value::Array(pairs) => pairs.iter().map(|pair| (bytes(&pair[0]).unwrap(), bytes(&pair[1]))).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| (bytes(&key.as_str().into()).unwrap(), bytes(value))).collect()
        }
        other => panic!("not a list of changes: {other}"),
    }
}

fn path(key: &[u8], hashed: bool) -> Nibbles {
    if hashed { Nibbles::of_key(&keccak256(key)) } else { Nibbles::of_bytes(key).unwrap() }
}

// ST-1
#[test]
fn official_trie_tests_pass_change_by_change_and_at_once() {
    let mut count = 0;
    for (file, tests) in official("TrieTests").into_iter().flatten() {
        let hashed = file.to_lowercase().contains("secure");
        for (name, test) in tests.iter().filter(|(_, test)| test.get("root").is_some()) {
            let expected: B256 = test["root"].as_str().unwrap().parse().unwrap();
            let changes = changes(test);
            let changes = || changes.iter().map(|(key, value)| (path(key, hashed), value.as_deref()));

            let mut nodes = MemoryNodes::default();
            let mut root = EMPTY_ROOT;
            for change in changes() {
                let (new, diff) = update_paths(&nodes, None, std::iter::once(change)).unwrap();
                nodes.apply(diff);
                root = new;
            }
            assert_eq!(root, expected, "{file}/{name}, one by one");

            let mut at_once = MemoryNodes::default();
            let (root, diff) = update_paths(&at_once, None, changes()).unwrap();
            at_once.apply(diff);
            assert_eq!(root, expected, "{file}/{name}, at once");
            assert_eq!(at_once, nodes, "{file}/{name}");
            count += 1;
        }
    }
    println!("{count} official trie tests");
}
