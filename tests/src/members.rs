//! Nodes of a chain with finality whose members they are.

use cairn_node::finality::MemberKey;
use chain_core::{
    spec::{ChainSpec, Finality},
    transaction::coin::KeyBytes,
};
use std::process::Command;

use crate::{Node, NodeOptions, binary, spec};

/// Four members, a checkpoint every 5 blocks, 2 deep, which disconnects at most `window`. The last members are strangers with these
/// keys; each other one is a node with these flags, whose key `cairn-node member new` makes.
///
/// # Panics
/// If a node does not start.
pub fn members(window: u32, flags: &[&str], strangers: &[KeyBytes]) -> Vec<Node> {
    let own = 4 - strangers.len();
    let folders: Vec<_> = (0..own).map(|_| tempfile::tempdir().expect("a temporary directory can be made")).collect();
    let key = |folder: &tempfile::TempDir| {
        let data = folder.path().join("data");
        let made = Command::new(binary("cairn-node")).args(["member", "new", "--datadir"]).arg(&data).output();
        let made = made.expect("cairn-node runs");
        assert!(made.status.success(), "{made:?}");
        let key = MemberKey::load(&data.join(MemberKey::FILE)).expect("the file can be read");
        key.expect("the file is there").public()
    };
    let members = folders.iter().map(key).chain(strangers.iter().copied()).collect();
    let finality = Finality { members, interval: 5, depth: 2, window };
    let spec = ChainSpec { name: "final".into(), finality: Some(finality), ..spec() };
    let flags: Vec<String> = ["--cache", "16"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
    let start =
        |folder| Node::within(folder, NodeOptions { spec: spec.clone(), flags: flags.clone(), file_limit: None });
    folders.into_iter().map(start).collect()
}
