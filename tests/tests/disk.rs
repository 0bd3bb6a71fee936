//! Disks that fill up, and files that are damaged.

use cairn_tests::{Node, NodeOptions, binary};
use serde_json::json;
use std::{
    fs,
    path::PathBuf,
    process::{Command, Output},
};

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
    let said = format!("no space left on the disk that holds {}: free some and start again", node.datadir().display());
    assert!(log.contains(&said), "{log}");

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

/// Runs a command on a node's directory.
fn command(node: &Node, arguments: &[&str]) -> Output {
    Command::new(binary("cairn-node"))
        .args(arguments)
        .arg("--chain")
        .arg(node.folder.path().join("chain.toml"))
        .arg("--datadir")
        .arg(node.datadir())
        .output()
        .expect("the node's binary can be run")
}

/// What a command says when it fails on a node's directory.
fn failure(node: &Node, arguments: &[&str]) -> String {
    let output = command(node, arguments);
    assert_eq!(output.status.code(), Some(1), "{}", String::from_utf8_lossy(&output.stdout));
    String::from_utf8(output.stderr).expect("it speaks UTF-8")
}

/// What a command says when it succeeds on a node's directory.
fn success(node: &Node, arguments: &[&str]) -> String {
    let output = command(node, arguments);
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).expect("it speaks UTF-8")
}

/// What every hint names behind the program, so that it works on this node's data.
fn on_data(node: &Node, command: &str) -> String {
    let chain = node.folder.path().join("chain.toml");
    let program = cairn_tests::typed("cairn-node");
    format!("`{program} {command} --chain {} --datadir {}`", chain.display(), node.datadir().display())
}

#[test]
fn a_database_that_cannot_be_opened_is_named_with_what_to_do() {
    ["CURRENT", "MANIFEST"].into_iter().for_each(is_named_with_what_to_do);
}

fn is_named_with_what_to_do(file: &str) {
    let owner = cairn_tests::TestKey::new(1, "ecrn");
    let mut node = Node::start();
    node.mine(5, &owner.address(), NOBODY);
    assert!(node.stop());
    let file = database_file(&node, file);
    let mut bytes = fs::read(&file).expect("the file can be read");
    bytes[5] ^= 1;
    fs::write(&file, bytes).expect("the file can be written");
    let folder = node.datadir().join("db");
    // A plain reindex could not help, and says the same.
    for command in ["run", "reindex"] {
        let said = failure(&node, &[command]);
        assert!(
            said.contains(&format!("{}, which moves {} aside", on_data(&node, "reindex --force"), folder.display())),
            "{said}"
        );
    }

    // Which helps.
    let said = success(&node, &["reindex", "--force"]);
    assert!(said.starts_with("moved the damaged database to "), "{said}");
    node.restart();
    assert_eq!(node.height(), 0);
}

/// Overwrites some bytes in each file that holds bodies.
fn damage_blocks(node: &Node) {
    let files = fs::read_dir(node.datadir().join("db")).expect("the database is a directory");
    let mut damaged = 0;
    for file in files {
        let path = file.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "blob") {
            let mut bytes = fs::read(&path).expect("it can be read");
            let middle = bytes.len() / 2;
            bytes[middle..middle + 8].fill(0xa5);
            fs::write(&path, bytes).expect("it can be written");
            damaged += 1;
        }
    }
    assert!(damaged > 0, "blocks are stored in blob files");
}

#[test]
fn damaged_blocks_are_named_before_anything_is_lost_and_fetched_again() {
    const HEIGHT: u64 = 40;
    let owner = cairn_tests::TestKey::new(1, "ecrn");
    let mut node = Node::start();
    let peer = Node::start();
    node.mine(HEIGHT as u32, &owner.address(), NOBODY);
    peer.connect(&node);
    cairn_tests::wait_for("the peer to have the chain", 60, || (peer.height() == HEIGHT).then_some(()));
    // What the log holds is written to files at the next start.
    assert!(node.stop());
    node.restart();
    assert!(node.stop());
    damage_blocks(&node);

    let said = failure(&node, &["reindex"]);
    assert!(said.contains("cannot be read from the disk, but the state can: nothing was changed"), "{said}");
    assert!(said.contains(&on_data(&node, "reindex --force")), "{said}");
    node.restart();
    assert_eq!(node.height(), HEIGHT, "nothing was lost");
    assert!(node.stop());

    let said = success(&node, &["reindex", "--force"]);
    assert!(said.contains("lost the block"), "{said}");
    let again = success(&node, &["reindex"]);
    assert!(!again.contains("lost"), "what is damaged is forgotten: {again}");
    node.restart();
    assert!(node.height() < HEIGHT);
    node.connect(&peer);
    cairn_tests::wait_for("the node to fetch what it lost", 60, || (node.height() == HEIGHT).then_some(()));
}

#[test]
fn a_reindex_that_runs_out_of_space_is_no_success() {
    const HEIGHT: u32 = 150;
    let owner = cairn_tests::TestKey::new(1, "ecrn");
    let mut node = Node::start();
    node.mine(HEIGHT, &owner.address(), NOBODY);
    assert!(node.stop());
    for limit in [16, 64, 128, 192, 256, 384, 512] {
        let output = Command::new("sh")
            .args(["-c", &format!("trap '' XFSZ; ulimit -f {limit}; exec \"$0\" \"$@\"")])
            .arg(binary("cairn-node"))
            .args(["reindex", "--chain"])
            .arg(node.folder.path().join("chain.toml"))
            .arg("--datadir")
            .arg(node.datadir())
            .output()
            .expect("the shell can be run");
        let said = String::from_utf8_lossy(&output.stdout).into_owned();
        let whole = said.contains(&format!("rebuilt {HEIGHT} blocks"));
        assert_eq!(output.status.success(), whole, "{limit}: {said}{}", String::from_utf8_lossy(&output.stderr));
    }
    assert!(success(&node, &["reindex"]).contains(&format!("rebuilt {HEIGHT} blocks")));
}
