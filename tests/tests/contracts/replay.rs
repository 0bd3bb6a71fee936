//! Contracts over reorganisations, on a second node, and over a restart.

use cairn_tests::{Node, TestKey};
use serde_json::{Value, json};

use crate::lab::{Lab, options, text};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";
const OTHER: &str = "0x000000000000000000000000000000000000dEaD";

fn code(node: &Node, contract: &str) -> Value {
    node.rpc.call("eth_getCode", json!([contract, "latest"]))
}

fn state_root(node: &Node) -> Value {
    node.rpc.call("chain_getBlock", json!([node.height()]))["stateRoot"].clone()
}

fn hand_over(from: &Node, to: &Node, above: u64) {
    for block in from.blocks_above(above) {
        to.submit(&block).expect("both nodes keep the same rules");
    }
}

//         /- a1 (deploys) - a2 (transfers) - a3
//  common                                             - c1 (deploys and transfers again)
//         \- b1 - b2 - b3 - b4
#[test]
fn a_contract_is_reorganised_away_and_mined_again() {
    let Some(mut lab) = Lab::start() else { return };
    let rival = Node::with(options());
    hand_over(&lab.node, &rival, 0);
    let common = lab.node.height();

    let token = lab.deploy("Token", &["Cairn Token", "TOK", "1000"]);
    lab.call("Token", &[&token, "transfer", OTHER, "12"]);
    lab.mine(1);
    let made = code(&lab.node, &token);
    assert_ne!(made, "0x");

    rival.mine(4, &TestKey::new(3, "ecrn").address(), NOBODY);
    hand_over(&rival, &lab.node, common);
    assert_eq!((lab.node.tip(), state_root(&lab.node)), (rival.tip(), state_root(&rival)));
    assert_eq!(code(&lab.node, &token), "0x", "as if it had never been made");
    assert_eq!(lab.pending(), 2, "both wait again, in the order of their nonces");
    assert_eq!(lab.node.rpc.call("eth_getTransactionCount", json!([lab.account, "latest"])), "0x0");

    lab.mine(1);
    assert_eq!(lab.pending(), 0);
    assert_eq!(code(&lab.node, &token), made);
    let balances = |lab: &Lab| {
        let of = |account: &str| lab.number("Token", &[&token, "balanceOf", account]);
        (of(&lab.account), of(OTHER))
    };
    assert_eq!(balances(&lab), (988, 12));

    hand_over(&lab.node, &rival, common + 4);
    assert_eq!((lab.node.tip(), state_root(&lab.node)), (rival.tip(), state_root(&rival)));
    assert_eq!(code(&rival, &token), made);
    let fresh = Node::with(options());
    hand_over(&lab.node, &fresh, 0);
    assert_eq!((lab.node.tip(), state_root(&lab.node)), (fresh.tip(), state_root(&fresh)));

    let before = (lab.node.tip(), state_root(&lab.node), receipts(&lab.node));
    assert!(lab.node.stop(), "a clean end on SIGTERM: {}", lab.node.log());
    lab.node.restart();
    assert_eq!(before, (lab.node.tip(), state_root(&lab.node), receipts(&lab.node)));
    assert_eq!(balances(&lab), (988, 12));
    lab.call("Token", &[&token, "transfer", OTHER, "1"]);
    lab.node.kill();
    lab.node.restart();
    assert_eq!(balances(&lab), (987, 13));
}

/// The receipts of the newest block, with their logs.
fn receipts(node: &Node) -> Value {
    let receipts = node.rpc.call("eth_getBlockReceipts", json!(["latest"]));
    let receipts = receipts.as_array().expect("a list").iter();
    receipts.map(|receipt| json!([text(&receipt["transactionHash"]), receipt["status"], receipt["logs"]])).collect()
}
