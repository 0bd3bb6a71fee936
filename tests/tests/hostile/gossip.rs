//! Peers that misuse the gossip of blocks.

use cairn_node::wire::{CompactBlock, Message};
use cairn_tests::{Load, Node, NodeOptions, grind, wait_for};
use chain_core::{Bytes, block::Block, codec, hash::BlockHash};
use serde_json::json;
use std::time::Duration;

use super::{
    Victim,
    attacker::{Attacker, Manners, packet},
};

#[test]
fn gossip_that_is_no_block_is_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    let mut number = 0_u64;
    victim.wait_for_ban(&mut attacker, |attacker| {
        number += 1;
        attacker.gossip([&number.to_le_bytes()[..], &[0xee; 500]].concat());
    });
    victim.is_well();
}

/// A node with one block, and forms of a block without a known parent, which a node cannot judge.
fn with_orphans() -> (Victim, impl FnMut() -> Vec<u8>) {
    let (victim, _, load) = with_a_friend();
    let mut orphan = load.blocks[0].clone();
    orphan.header.prev = BlockHash([7; 32]);
    grind(&mut orphan);
    let mut number = 0;
    let form = move || {
        number += 1;
        false_form(&orphan, number, 0)
    };
    (victim, form)
}

/// A form that is not a block's own, of at least so many bytes.
fn false_form(block: &Block, number: u32, bytes: usize) -> Vec<u8> {
    let coinbase = Bytes::from([&number.to_le_bytes()[..], &vec![0; bytes]].concat());
    CompactBlock { header: block.header, coinbase, short_ids: Vec::new() }.encode()
}

/// Each message is remembered for minutes, however little it cost.
#[test]
fn a_flood_of_orphan_blocks_is_punished() {
    let (victim, mut form) = with_orphans();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.run(Duration::from_secs(1));
    victim.wait_for_ban(&mut attacker, |attacker| (0..500).for_each(|_| attacker.gossip(form())));
    assert!(ban_reason(&victim, &attacker).contains("too many blocks"));
}

/// After a network was apart, or on a chain that makes many blocks a second, an honest peer passes many on at once.
#[test]
fn a_burst_of_blocks_costs_a_peer_nothing() {
    let (victim, mut form) = with_orphans();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.run(Duration::from_secs(1));
    (0..400).for_each(|_| attacker.gossip(form()));
    attacker.gossip(vec![0xee; 500]);
    let id = attacker.id().to_string();
    let points = wait_for("what comes after the burst", 60, || {
        attacker.run(Duration::from_millis(100));
        let peers = victim.node.rpc.call("admin_peers", json!([]));
        let peer = peers.as_array().into_iter().flatten().find(|peer| peer["id"] == id.as_str())?;
        peer["points"].as_u64().filter(|points| *points > 0)
    });
    assert_eq!(points, 50, "the bytes that are no block cost points, and nothing else");
}

#[test]
fn gossip_larger_than_any_block_goes_nowhere() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.run(Duration::from_secs(1));
    for number in 0..8_u8 {
        attacker.gossip(vec![number; 8 << 20]);
        attacker.run(Duration::from_millis(500));
    }
    victim.is_well();
}

/// A node with a block, one that is connected with it, and the next block.
fn with_a_friend() -> (Victim, Node, Load) {
    let mut load = Load::new();
    (0..2).for_each(|_| load.block(Vec::new()));
    let [node, friend] =
        [(); 2].map(|()| Node::with(NodeOptions { spec: load.spec.clone(), ..NodeOptions::default() }));
    submit(&node, &load.blocks[0]);
    submit(&friend, &load.blocks[0]);
    friend.connect(&node);
    wait_for("the friend", 20, || (node.peers() == 1).then_some(()));
    (Victim::of(node, 1), friend, load)
}

fn submit(node: &Node, block: &Block) {
    node.rpc.call("chain_submitBlock", json!([hex::encode(codec::encode(block))]));
}

/// What is gossiped of a block that has no transactions.
fn form(block: &Block) -> Vec<u8> {
    let coinbase = Bytes::from(block.transactions[0].encode());
    CompactBlock { header: block.header, coinbase, short_ids: Vec::new() }.encode()
}

/// Submits the next block to the friend, and waits until the victim has it: for less than the time after which a peer is asked again
/// where it stands.
fn wait_for_next_block(victim: &Victim, friend: &Node, load: &Load, attacker: &mut Attacker) {
    submit(friend, &load.blocks[1]);
    wait_for("the block", 10, || {
        attacker.run(Duration::from_millis(50));
        (victim.node.height() == 2).then_some(())
    });
}

fn ban_reason(victim: &Victim, attacker: &Attacker) -> String {
    let bans = victim.node.rpc.call("admin_bans", json!([]));
    let id = attacker.id().to_string();
    let ban = bans.as_array().and_then(|bans| bans.iter().find(|ban| ban["target"] == id.as_str()));
    ban.map(|ban| ban["reason"].to_string()).unwrap_or_default()
}

/// The library keeps messages whole before it looks whether anybody subscribed to their topic.
#[test]
fn gossip_on_another_topic_is_not_kept_and_is_punished() {
    let victim = Victim::start();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.run(Duration::from_secs(1));
    let packets: Vec<Vec<u8>> = (0..200_u8).map(|number| packet("x", &[vec![number; 1_000_000]])).collect();
    attacker.gossip_raw(&packets);
    victim.wait_for_ban(&mut attacker, |_| {});
    assert!(ban_reason(&victim, &attacker).contains("gossip on another topic"));
    victim.is_well();
}

/// The id of a message is that of its bytes, on any topic: a copy on another one must not pass for the block.
#[test]
fn a_block_that_was_gossiped_on_another_topic_still_arrives() {
    let (victim, friend, load) = with_a_friend();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.run(Duration::from_secs(1));
    attacker.gossip_raw(&[packet("x", &[form(&load.blocks[1])])]);
    attacker.run(Duration::from_secs(1));
    wait_for_next_block(&victim, &friend, &load, &mut attacker);
}

/// Gossip takes each message once: a peer that fills its room and then sends the block has every other copy dropped as a duplicate.
#[test]
fn a_block_that_came_behind_junk_is_not_lost() {
    let (victim, friend, load) = with_a_friend();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.introduce(&victim.genesis, "junk/1", 0);
    attacker.run(Duration::from_secs(1));
    // As many as may be decoded at a time.
    let messages: Vec<Vec<u8>> =
        (0..16).map(|number| false_form(&load.blocks[0], number, 60_000)).chain([form(&load.blocks[1])]).collect();
    attacker.gossip_raw(&[packet(&attacker.topic(), &messages)]);
    attacker.run(Duration::from_secs(1));
    wait_for_next_block(&victim, &friend, &load, &mut attacker);
}

/// Headers of old blocks are free, and gossip without points would fill the room that blocks need.
#[test]
fn a_false_form_of_a_known_block_is_punished() {
    let (victim, _friend, load) = with_a_friend();
    let mut attacker = victim.attacker(Manners::Handshake);
    attacker.introduce(&victim.genesis, "junk/1", 0);
    attacker.run(Duration::from_secs(1));
    attacker.gossip(false_form(&load.blocks[0], 1, 0));
    victim.wait_for_ban(&mut attacker, |_| {});
    assert!(ban_reason(&victim, &attacker).contains("a compact block that is not the block of its header"));
}
