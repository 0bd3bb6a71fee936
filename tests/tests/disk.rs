//! Disks that fill up, and files that are damaged.

use cairn_tests::{Node, NodeOptions, binary};
use serde_json::json;
use std::{fs, path::PathBuf, process::Command};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

#[test]
fn a_node_whose_disk_is_full_says_so_and_keeps_every_block() {
    let owner = cairn_tests::TestKey::new(1, "ecrn");
    let mut node = Node::with(NodeOptions { file_limit: Some(512), ..NodeOptions::default() });
    let mut acknowledged = 0;
    for _ in 0..1_000 {
        let request = json!([{"address": owner.address(), "account": NOBODY, "full": true}]);
        let Ok(template) = node.rpc.try_call("miner_getTemplate", request) else { break };
        let bytes = hex::decode(template["block"].as_str().expect("a block")).expect("hex");
        let mut block = chain_core::codec::decode(&bytes).expect("a block");
        cairn_tests::grind(&mut block);
        match node.submit(&block) {
            Ok(_) => acknowledged += 1,
            Err(_) => break,
        }
    }
    assert!((10..1_000).contains(&acknowledged), "{acknowledged} blocks fit");
    assert!(!node.wait_until_over(), "the node ends with a failure");
    let log = node.log();
    assert!(log.contains("no space left on the disk: free some and start again"), "{log}");

    node.restart();
    assert!(node.height() >= acknowledged, "{} after {acknowledged}", node.height());
    node.mine(2, &owner.address(), NOBODY);
    assert!(node.stop());
}

/// The only file of the database whose name starts so.
fn database_file(node: &Node, name: &str) -> PathBuf {
    let files = fs::read_dir(node.datadir().join("db")).expect("the database is a directory");
    let mut files = files.map(|file| file.expect("it can be listed").path());
    files
        .find(|path| path.file_name().is_some_and(|found| found.to_string_lossy().starts_with(name)))
        .expect("it is there")
}

/// What a command says when it fails on a node's directory.
fn failure(node: &Node, command: &str) -> String {
    let output = Command::new(binary("cairn-node"))
        .arg(command)
        .arg("--chain")
        .arg(node.folder.path().join("chain.toml"))
        .arg("--datadir")
        .arg(node.datadir())
        .output()
        .expect("the node's binary can be run");
    assert!(!output.status.success());
    String::from_utf8(output.stderr).expect("it speaks UTF-8")
}

#[test]
fn a_database_that_cannot_be_opened_is_named_with_what_to_do() {
    let owner = cairn_tests::TestKey::new(1, "ecrn");
    let mut node = Node::start();
    node.mine(5, &owner.address(), NOBODY);
    assert!(node.stop());
    fs::write(database_file(&node, "CURRENT"), "nonsense").expect("the file can be written");
    let said = failure(&node, "run");
    assert!(said.contains("the database is damaged") && said.contains("cairn-node reindex"), "{said}");
    let said = failure(&node, "reindex");
    let folder = node.datadir().join("db");
    assert!(said.contains(&format!("move {} away and start the node again", folder.display())), "{said}");

    // Which helps.
    fs::rename(folder, node.datadir().join("damaged")).expect("it can be moved");
    node.restart();
    assert_eq!(node.height(), 0);
}
