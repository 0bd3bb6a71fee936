//! Headers, bodies and reorganisations between honest nodes.

use super::net::Net;
use crate::engine::tests::kit::Kit;

/// A node with a chain, and some with nothing.
fn one_ahead(blocks: u32, others: usize) -> Net {
    let mut first = Kit::new();
    let new: Vec<Kit> = (0..others).map(|_| first.twin()).collect();
    first.mine_many(blocks);
    Net::new(std::iter::once(first).chain(new).collect())
}

#[test]
fn a_fresh_node_follows_a_chain_of_many_headers_from_several_peers() {
    let mut first = Kit::new();
    first.mine_many(4_500);
    let (second, third) = (first.twin(), first.twin());
    let fresh = Kit::new();
    let mut net = Net::new(vec![first, second, third, fresh]);
    (0..3).for_each(|peer| net.connect(3, peer));
    net.run_until(60_000, |net| net.heights() == [4_500; 4]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    assert!(net.agree());
    assert!(net.asked["headers"] <= 8, "{:?}", net.asked);
}

#[test]
fn blocks_that_come_while_syncing_do_not_disturb() {
    let mut net = one_ahead(1_500, 2);
    net.connect(0, 1);
    net.connect(1, 2);
    for _ in 0..30 {
        net.run(100);
        net.mine(0);
    }
    net.run_until(60_000, |net| net.heights() == [1_530; 3]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn a_mined_block_reaches_everybody_through_others() {
    let mut net = one_ahead(3, 4);
    (0..4).for_each(|node| net.connect(node, node + 1));
    net.run_until(10_000, |net| net.heights() == [3; 5]);
    net.mine(4);
    net.run_until(1_000, |net| net.heights() == [4; 5]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

// Two branches of 4,000 blocks, of which the second is better by one:
//   genesis - a1 ... a4000
//          \- b1 ... b4001
#[test]
fn an_honest_reorganisation_of_four_thousand_blocks_succeeds() {
    let (mut loser, mut winner) = (Kit::new(), Kit::new());
    winner.name = 77;
    loser.mine_many(4_000);
    winner.mine_many(4_001);
    let mut net = Net::new(vec![loser, winner]);
    net.connect(0, 1);
    net.run_until(120_000, |net| net.heights() == [4_001; 2]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn two_partitions_agree_after_they_meet() {
    let mut net = one_ahead(5, 3);
    net.connect_all();
    net.run_until(10_000, |net| net.heights() == [5; 4]);
    for (a, b) in [(0, 2), (0, 3), (1, 2), (1, 3)] {
        net.disconnect(a, b);
    }
    for _ in 0..7 {
        net.mine(0);
        net.run(1_000);
    }
    for _ in 0..9 {
        net.mine(3);
        net.run(1_000);
    }
    assert_eq!(net.heights(), [12, 12, 14, 14]);
    net.connect(1, 2);
    net.run_until(10_000, |net| net.heights() == [14; 4]);
    assert!(net.agree());
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}
