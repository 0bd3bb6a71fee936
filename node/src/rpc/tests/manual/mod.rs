//! The manual of the methods: `docs/openrpc.json` and `docs/rpc.md` are written from it and from the tables, its examples run,
//! and methods refuse what it does not allow.

mod examples;
mod openrpc;
mod page;
mod parse;
mod schema;
mod wrong;

use std::{collections::BTreeMap, fs, path::Path};

use super::all_methods;
use crate::rpc::testing::TestNode;
use parse::{Entry, Part};

/// Sections in the order of the page.
const SECTIONS: [(&str, &str); 13] = [
    ("head", include_str!("../../manual/head.md")),
    ("chain", include_str!("../../manual/chain.md")),
    ("coin", include_str!("../../manual/coin.md")),
    ("miner", include_str!("../../manual/miner.md")),
    ("txpool", include_str!("../../manual/txpool.md")),
    ("eth", include_str!("../../manual/eth.md")),
    ("subscriptions", include_str!("../../manual/subscriptions.md")),
    ("debug", include_str!("../../manual/debug.md")),
    ("trace", include_str!("../../manual/trace.md")),
    ("ots", include_str!("../../manual/ots.md")),
    ("admin", include_str!("../../manual/admin.md")),
    ("dev", include_str!("../../manual/dev.md")),
    ("devnet", include_str!("../../manual/devnet.md")),
];

/// What stands for a value of the running chain in examples, and how pages show it.
const PLACEHOLDERS: [(&str, &str); 15] = [
    ("$hash", "0x…64"),
    ("$tx", "0x…64"),
    ("$block", "…64"),
    ("$txid", "…64"),
    ("$raw", "0x02…"),
    ("$raw2", "0x02…"),
    ("$rawCoin", "01…"),
    ("$encodedBlock", "…"),
    ("$contract", "0x…40"),
    ("$address", "dcrn1…"),
    ("$filter", "0x…32"),
    ("$subscription", "0x…32"),
    ("$template", "7"),
    ("$header", "…160"),
    ("$coinbase", "…"),
];

fn parts(section: &str) -> Vec<Part> {
    let (_, text) = SECTIONS.iter().find(|(name, _)| *name == section).expect("a section");
    parse::parts(text)
}

fn entries() -> Vec<Entry> {
    let all = SECTIONS.iter().flat_map(|(_, text)| parse::parts(text));
    all.filter_map(|part| if let Part::Entry(entry) = part { Some(entry) } else { None }).collect()
}

/// What a file should hold, and fails where it does not, or writes it.
fn checked_in(name: &str, expected: &str) {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs").join(name);
    if std::env::var_os("CAIRN_WRITE_DOCS").is_some() {
        fs::write(path, expected).unwrap();
    } else {
        assert!(
            fs::read_to_string(path).unwrap() == expected,
            "docs/{name} is not what the RPC's tables and node/src/rpc/manual say; write it again with \
             `CAIRN_WRITE_DOCS=1 cargo test --release -p cairn-node --lib rpc::tests::manual`"
        );
    }
}

#[test]
fn the_documents_are_those_of_the_tables() {
    let document = openrpc::document();
    checked_in("openrpc.json", &openrpc::text(&document));
    checked_in("rpc.md", &page::page());
}

#[test]
fn the_manual_has_each_method_with_its_parameters() {
    let mut described = BTreeMap::new();
    for signature in entries().iter().flat_map(|entry| &entry.methods) {
        let names: Vec<_> = signature.params.iter().map(|param| param.name.clone()).collect();
        assert!(described.insert(signature.name.clone(), names).is_none(), "{} is there twice", signature.name);
    }
    for method in all_methods() {
        let names = described.remove(method.name).unwrap_or_else(|| panic!("{} is not in the manual", method.name));
        assert_eq!(names, method.params, "{}", method.name);
    }
    assert!(described.is_empty(), "of no table: {described:?}");
}

#[test]
fn the_node_describes_what_it_serves() {
    let node = TestNode::fresh();
    let document = node.call("rpc.discover", serde_json::json!([]));
    let described: Vec<_> = document["methods"].as_array().unwrap().iter().map(|method| &method["name"]).collect();
    let mut served: Vec<_> = node.methods.method_names().collect();
    served.sort_unstable();
    assert_eq!(described, served);
}
