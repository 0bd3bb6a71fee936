//! Pruning as a user meets it: on the disk, over RPC, among peers, and the way back.

use cairn_tests::{Node, NodeOptions, TestKey, wait_for};
use serde_json::json;
use std::process::Command;

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

/// What a command on a node's directory says, and whether it succeeded.
fn command(node: &Node, arguments: &[&str]) -> (bool, String) {
    let output = Command::new(cairn_tests::binary("cairn-node"))
        .args(arguments)
        .arg("--chain")
        .arg(node.chain_file())
        .arg("--datadir")
        .arg(node.datadir())
        .output()
        .expect("the node's binary can be run");
    let said = [output.stdout, output.stderr].concat();
    (output.status.success(), String::from_utf8(said).expect("it speaks UTF-8"))
}

// 360 blocks: the first 64 to 72 are pruned, for blocks go 64 at a time at least, when the node writes to the disk.
#[test]
fn a_pruned_node_says_what_it_lacks_and_gets_it_again_from_peers() {
    let owner = TestKey::new(1, "ecrn");
    let archive = Node::start();
    archive.mine(360, &owner.address(), NOBODY);
    let flags = ["--prune", "288"].map(str::to_owned).to_vec();
    let mut pruned = Node::with(NodeOptions { flags, ..NodeOptions::default() });
    pruned.connect(&archive);
    wait_for("the chain", 120, || (pruned.height() == 360).then_some(()));
    let info = pruned.rpc.call("chain_getInfo", json!([]));
    let oldest = info["pruneHeight"].as_u64().expect("blocks are pruned");
    assert!(info["pruned"] == true && (65..=73).contains(&oldest), "{info}");
    let last = oldest - 1;
    assert_eq!(archive.rpc.call("chain_getInfo", json!([]))["pruned"], false);

    let hash = archive.rpc.call("chain_getBlockHash", json!([last]));
    let hex = format!("{last:#x}");
    let coinbase = |height: u64| archive.rpc.call("chain_getBlock", json!([height]))["transactions"][0].clone();
    for (method, params) in [
        ("chain_getBlock", json!([last])),
        ("chain_getBlock", json!([hash, 0])),
        ("eth_getBlockByNumber", json!([hex, false])),
        ("eth_getBlockReceipts", json!([hex])),
        ("coin_getProof", json!([coinbase(last)])),
        ("coin_getProof", json!([coinbase(last), hash])),
    ] {
        let error = pruned.rpc.try_call(method, params).expect_err("the block is gone");
        assert_eq!(error.code, -32002, "{method}: {error:?}");
        let said = format!("at height {last} was pruned: this node keeps only blocks above height {last} (--prune)");
        assert!(error.message.contains(&said), "{method}: {error:?}");
    }
    assert_eq!(
        pruned.rpc.call("chain_getBlock", json!([oldest, 0])),
        archive.rpc.call("chain_getBlock", json!([oldest, 0]))
    );
    let proof = json!([coinbase(oldest)]);
    let (own, other) = (pruned.rpc.call("coin_getProof", proof.clone()), archive.rpc.call("coin_getProof", proof));
    assert_eq!(own, other);
    // The state and the history of coins do not need the blocks.
    let coins = |node: &Node| node.rpc.call("coin_getBalance", json!([owner.address()]));
    assert_eq!(coins(&pruned), coins(&archive));

    // Two pruned nodes have nothing to begin a chain with; a third syncs as soon as one that keeps all is there.
    let fresh = Node::start();
    fresh.connect(&pruned);
    wait_for("the headers", 60, || (fresh.rpc.call("chain_getInfo", json!([]))["headers"] == 360).then_some(()));
    assert_eq!(fresh.height(), 0);
    assert_eq!(fresh.rpc.call("admin_bans", json!([])), json!([]), "a pruned node is no offender");
    fresh.connect(&archive);
    wait_for("the blocks", 120, || (fresh.height() == 360).then_some(()));

    gets_its_blocks_again(&mut pruned, &archive, last);
}

/// Commands that need the blocks that were pruned, and the way back over the network.
fn gets_its_blocks_again(pruned: &mut Node, archive: &Node, last: u64) {
    assert!(pruned.stop());
    let (done, said) = command(pruned, &["reindex"]);
    assert!(
        !done
            && said
                .contains(&format!("blocks 1 to {last} were pruned (--prune), and without them the state cannot be")),
        "{said}"
    );
    let again = format!(
        "`{} reindex --force --chain {} --datadir {}`",
        cairn_tests::typed("cairn-node"),
        pruned.chain_file().display(),
        pruned.datadir().display()
    );
    assert!(said.contains(&again), "{said}");
    let file = pruned.folder.path().join("blocks");
    let (done, said) = command(pruned, &["export", &file.display().to_string()]);
    assert!(!done && said.contains("at height 1 was pruned") && !file.exists(), "{said}");
    pruned.restart();
    assert_eq!(pruned.height(), 360, "nothing was changed");
    assert!(pruned.stop());
    let (done, said) = command(pruned, &["reindex", "--force"]);
    assert!(
        done && said
            .contains(&format!("blocks 1 to {last} were pruned: start the node, which fetches them from peers")),
        "{said}"
    );
    pruned.restart();
    assert_eq!(pruned.height(), 0);
    pruned.connect(archive);
    wait_for("the chain", 120, || (pruned.height() == 360).then_some(()));
}

/// Older states on one directory: as many as the flags of each run say, whatever they said before.
#[test]
fn states_are_kept_as_the_flags_say() {
    let owner = TestKey::new(1, "ecrn");
    let mut node = Node::start();
    node.mine(140, &owner.address(), NOBODY);
    let oldest = |node: &Node| node.rpc.call("eth_capabilities", json!([]))["state"]["oldestBlock"].clone();
    let balance = |node: &Node, block: &str| node.rpc.try_call("eth_getBalance", json!([NOBODY, block]));
    let proof = |node: &Node, block: &str| node.rpc.try_call("eth_getProof", json!([NOBODY, ["0x0"], block]));
    assert_eq!(oldest(&node), "0xc");
    assert!(balance(&node, "0xc").is_ok() && proof(&node, "0xc").is_ok());
    let error = balance(&node, "0xb").expect_err("it is not kept");
    assert!(error.message.starts_with("missing trie node: historical state of block 11 is not available"), "{error:?}");

    node.kill();
    node.restart_with(&["--archive"]);
    assert_eq!(oldest(&node), "0x0");
    assert!(balance(&node, "0x0").is_ok() && proof(&node, "0x0").is_ok());
    node.mine(10, &owner.address(), NOBODY);
    assert_eq!((node.height(), oldest(&node)), (150, json!("0x0")));

    assert!(node.stop());
    node.restart_with(&["--history", "140"]);
    assert_eq!(oldest(&node), "0xa");
    assert!(balance(&node, "0xa").is_ok() && balance(&node, "0x9").is_err());
}
