//! Chains of which the peers have pruned the first blocks.

use super::net::Net;
use crate::{engine::tests::kit::Kit, store::StoreConfig};

/// A node that keeps a chain of 400 blocks from 321 on, and one that keeps all of them.
fn pruned_and_whole() -> (Kit, Kit) {
    let mut whole = Kit::new();
    let mut pruned = whole.twin();
    pruned.store = StoreConfig { prune: Some(50), ..StoreConfig::default() };
    pruned.restart();
    for block in whole.mine_many(400) {
        pruned.now = whole.now;
        pruned.take(block).unwrap();
    }
    assert_eq!(pruned.engine.status().oldest, 321);
    (pruned, whole)
}

#[test]
fn a_node_whose_peers_have_pruned_the_next_block_is_syncing_until_one_has_it() {
    let (pruned, whole) = pruned_and_whole();
    let mut net = Net::new(vec![pruned, whole, Kit::new()]);
    net.connect(2, 0);
    net.run(120_000);
    let info = net.nodes[2].engine.chain_info();
    assert_eq!((info.height, info.best_header, info.syncing), (0, 400, true));
    let progress = info.sync.expect("how far it is");
    assert_eq!((progress.start, progress.current, progress.highest), (0, 0, 400));
    let (relay, chain) = (&net.nodes[2].engine.relay, net.nodes[2].engine.chain());
    let (lowest, peers, oldest) = (1, 1, 321);
    assert_eq!(relay.blocks.next_is_pruned(&relay.peers, chain), Some(Some((lowest, peers, oldest))));
    // That the peers which know the chain have left makes its blocks no easier to get.
    net.disconnect(2, 0);
    net.run(60_000);
    assert!(net.nodes[2].engine.chain_info().syncing);
    net.connect(2, 1);
    net.run_until(60_000, |net| net.heights() == [400; 3]);
    net.run(2_000);
    assert!(!net.nodes[2].engine.chain_info().syncing);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_node_that_is_less_behind_than_peers_keep_blocks_is_not_held_up() {
    let (pruned, whole) = pruned_and_whole();
    let mut near = Kit::new();
    near.now = whole.now;
    (1..=330).for_each(|height| _ = near.take(whole.block_at(height)));
    let mut net = Net::new(vec![pruned, near]);
    net.connect(0, 1);
    net.run_until(60_000, |net| net.heights() == [400; 2]);
    net.run(2_000);
    assert!(!net.nodes[1].engine.chain_info().syncing);
}

#[test]
fn a_chain_of_which_no_peer_has_spoken_for_long_holds_nobody_up() {
    let (pruned, _) = pruned_and_whole();
    let mut net = Net::new(vec![pruned, Kit::new()]);
    net.connect(1, 0);
    net.run(120_000);
    net.disconnect(1, 0);
    net.run(500_000);
    assert!(net.nodes[1].engine.chain_info().syncing);
    net.run(200_000);
    assert!(!net.nodes[1].engine.chain_info().syncing);
}
