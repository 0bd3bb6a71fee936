//! Official TrieTests, change by change and all at once.

use alloy_primitives::{B256, keccak256};
use chain_core::{
    state::ViewError,
    trie::{EMPTY_ROOT, Nibbles, Node, NodeChange, NodeKey, NodeReader, update_paths},
};
use serde_json::Value;
use std::{collections::HashMap, sync::Arc};

use crate::lenient;

/// Stored nodes in memory.
#[derive(Default, PartialEq, Eq)]
struct MemoryNodes(HashMap<NodeKey, Arc<Node>>);

impl MemoryNodes {
    fn apply(&mut self, changes: Vec<NodeChange>) {
        for NodeChange { key, node } in changes {
            match node {
                Some(node) => self.0.insert(key, node),
                None => self.0.remove(&key),
            };
        }
    }
}

impl NodeReader for MemoryNodes {
    fn node(&self, key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
        Ok(self.0.get(key).cloned())
    }
}

/// Hex with its prefix, else text.
fn bytes(value: &Value) -> Option<Vec<u8>> {
    let text = value.as_str()?;
    match text.strip_prefix("0x") {
        Some(digits) => hex::decode(digits).ok(),
        None => Some(text.as_bytes().to_vec()),
    }
}

type Changes = Vec<(Nibbles, Option<Vec<u8>>)>;

/// The changes of a test, in order; `hashed` tells that keys are hashed first.
fn changes(test: &Value, hashed: bool) -> Option<Changes> {
    let path = |key: Vec<u8>| if hashed { Some(Nibbles::of_key(&keccak256(key))) } else { Nibbles::of_bytes(&key) };
    match &test["in"] {
        Value::Array(pairs) => pairs.iter().map(|pair| Some((path(bytes(&pair[0])?)?, bytes(&pair[1])))).collect(),
        Value::Object(entries) => {
            entries.iter().map(|(key, value)| Some((path(bytes(&key.as_str().into())?)?, bytes(value)))).collect()
        }
        _ => None,
    }
}

/// Checks a test of a file.
///
/// # Errors
/// What is wrong.
pub fn check(path: &str, test: &Value) -> Result<(), String> {
    let hashed = path.to_lowercase().contains("secure");
    let expected = lenient::hash("root", &test["root"]).map_err(|error| error.to_string())?;
    let changes = changes(test, hashed).ok_or("`in` is not understood")?;
    let changes = || changes.iter().map(|(path, value)| (*path, value.as_deref()));

    let mut nodes = MemoryNodes::default();
    let mut root = EMPTY_ROOT;
    for change in changes() {
        root = advance(&mut nodes, std::iter::once(change))?;
    }
    same("one by one", root, expected)?;
    let mut at_once = MemoryNodes::default();
    let root = advance(&mut at_once, changes())?;
    same("all at once", root, expected)?;
    if nodes == at_once { Ok(()) } else { Err("other nodes are stored one by one than all at once".to_owned()) }
}

fn advance<'a>(
    nodes: &mut MemoryNodes,
    changes: impl Iterator<Item = (Nibbles, Option<&'a [u8]>)>,
) -> Result<B256, String> {
    let (root, changed) = update_paths(nodes, None, changes).map_err(|error| error.to_string())?;
    nodes.apply(changed);
    Ok(root)
}

fn same(how: &str, root: B256, expected: B256) -> Result<(), String> {
    if root == expected { Ok(()) } else { Err(format!("root, {how}: got {root}, expected {expected}")) }
}
