//! Nodes that finalize the blocks of their chain.

use cairn_node::finality::MemberKey;
use chain_core::spec::{ChainSpec, Finality};
use std::process::Command;

use crate::{Node, NodeOptions, binary};

/// Four nodes whose keys `member new` made, on a chain that disconnects at most `window` blocks for a certificate.
///
/// # Panics
/// If a key cannot be made.
pub fn members(window: u32, flags: &[&str]) -> Vec<Node> {
    let folders: Vec<_> = (0..4).map(|_| tempfile::tempdir().expect("a temporary directory can be made")).collect();
    let key = |folder: &tempfile::TempDir| {
        let datadir = folder.path().join("data");
        let mut command = Command::new(binary("cairn-node"));
        command.args(["member", "new", "--json", "--datadir"]).arg(&datadir);
        assert!(command.output().expect("cairn-node runs").status.success(), "a key is made");
        let file = datadir.join(MemberKey::FILE);
        MemberKey::load(&file).expect("the file can be read").expect("the file is there").public()
    };
    let finality = Finality { members: folders.iter().map(key).collect(), interval: 5, depth: 2, window };
    let spec = ChainSpec { name: "final".into(), finality: Some(finality), ..crate::spec() };
    let flags: Vec<String> = ["--cache", "16"].iter().chain(flags).map(|flag| (*flag).to_owned()).collect();
    let start =
        |folder| Node::within(folder, NodeOptions { spec: spec.clone(), flags: flags.clone(), file_limit: None });
    folders.into_iter().map(start).collect()
}
