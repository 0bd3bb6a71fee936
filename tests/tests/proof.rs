//! `coin_getProof` on a real node, checked by what docs/rpc.md says alone: with a hash function of its own, and none of the node's code.

use cairn_tests::{Load, Node, NodeOptions, TestKey, send_all};
use chain_core::units::{Amount, GRAINS_PER_CRN};
use serde_json::{Value, json};
use sha2::{Digest, Sha256};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

type Hash = [u8; 32];

fn sha256d(bytes: &[u8]) -> Hash {
    Sha256::digest(Sha256::digest(bytes)).into()
}

fn join(left: &Hash, right: &Hash) -> Hash {
    sha256d(&[&left[..], &right[..]].concat())
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a text")).expect("hex digits")
}

/// The root that a proof leads to.
fn fold(proof: &Value, mut index: usize) -> Hash {
    let mut count = proof["count"].as_u64().expect("a number") as usize;
    let mut branch = proof["branch"].as_array().expect("a list").iter().map(bytes);
    let mut node = sha256d(&bytes(&proof["transaction"]));
    while count > 1 {
        let sibling = index ^ 1;
        if sibling < count {
            let sibling = branch.next().expect("a sibling").try_into().expect("32 bytes");
            node = if index.is_multiple_of(2) { join(&node, &sibling) } else { join(&sibling, &node) };
        }
        (index, count) = (index / 2, count.div_ceil(2));
    }
    assert_eq!(branch.next(), None, "no sibling is left over");
    node
}

/// The root over all leaves, an odd one goes up unchanged.
fn root(mut level: Vec<Hash>) -> Hash {
    while level.len() > 1 {
        level =
            level.chunks(2).map(|pair| if let [left, right] = pair { join(left, right) } else { pair[0] }).collect();
    }
    level[0]
}

// 103 leaves: 52, 26, 13, 7, 4, 2, 1; an odd one at three levels.
#[test]
fn every_position_of_a_block_with_many_transactions_is_proven_to_its_header() {
    let mut load = Load::on(cairn_tests::spec(), 200, Amount::from_grains(GRAINS_PER_CRN));
    let node = Node::with(NodeOptions { spec: load.spec.clone(), ..NodeOptions::default() });
    let sent = send_all(&node.rpc, &load.coin_transactions(102));
    sent.into_iter().for_each(|sent| _ = sent.expect("the transaction is valid"));
    node.mine(1, &TestKey::new(1, "ecrn").address(), NOBODY);
    let block = node.rpc.call("chain_getBlock", json!([1]));
    let txids = block["transactions"].as_array().expect("a list");
    assert_eq!(txids.len(), 103);

    let mut leaves = Vec::new();
    for (index, txid) in txids.iter().enumerate() {
        let proof = node.rpc.call("coin_getProof", json!([txid]));
        let named = [&proof["txid"], &proof["height"], &proof["index"], &proof["count"]];
        assert_eq!(named, [txid, &json!(1), &json!(index), &json!(103)]);
        let header = bytes(&proof["header"]);
        let mut hash = sha256d(&header);
        hash.reverse();
        assert_eq!((hex::encode(hash), header.len()), (block["hash"].as_str().expect("a hash").to_owned(), 80));
        assert_eq!(fold(&proof, index), header[36..68], "position {index}");
        leaves.push(sha256d(&bytes(&proof["transaction"])));
        if index + 1 == txids.len() {
            assert_eq!(root(leaves.clone()), header[36..68], "the root over all of them");
        }
        // Its neighbour is another transaction, so at that place the proof leads elsewhere.
        if index ^ 1 < txids.len() {
            assert_ne!(fold(&proof, index ^ 1), header[36..68], "position {index}");
        }
        assert_eq!(proof, node.rpc.call("coin_getProof", json!([txid, block["hash"]])), "the block by its name");
    }
}
