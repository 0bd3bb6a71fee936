//! Blocks that the disk does not give back any more, although they were executed long ago.

use super::{
    hostile::ask,
    net::{HOSTILE, Net},
};
use crate::{
    engine::{Offence, PeerEvent, tests::kit::Kit},
    store::BlockRef,
    wire::{Body, Request, Response},
};

/// Has one block of a node's chain be unreadable; where that stands.
fn spoil(kit: &mut Kit) -> BlockRef {
    kit.restart();
    let at = kit.engine.store().at_height(5).unwrap().unwrap();
    kit.kv.spoil_body(at);
    at
}

/// A node of which one block of the chain cannot be read, and where that stands.
fn spoiled() -> (Kit, BlockRef) {
    let mut kit = Kit::new();
    kit.mine_many(30);
    let at = spoil(&mut kit);
    (kit, at)
}

fn is_whole(kit: &Kit, at: BlockRef) -> bool {
    kit.engine.store().unreadable().is_empty() && kit.engine.store().body(at).is_ok_and(|body| body.is_some())
}

#[test]
fn a_block_that_cannot_be_read_stops_no_node_and_is_fetched_again() {
    let mut miner = Kit::new();
    miner.mine_many(30);
    let (mut victim, healthy, fresh) = (miner.twin(), miner.twin(), Kit::new());
    let at = spoil(&mut victim);
    let mut net = Net::new(vec![fresh, victim, healthy]);
    net.connect(0, 1);
    net.run(20_000);
    assert_eq!(net.nodes[1].fatal, None, "the victim runs");
    assert_eq!(net.heights(), [4, 30, 30], "up to the block that cannot be read");
    assert_eq!(net.nodes[1].engine.store().unreadable(), [at]);
    net.connect(1, 2);
    net.run_until(60_000, |net| is_whole(&net.nodes[1], at));
    net.run_until(120_000, |net| net.heights() == [30; 3]);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn blocks_that_cannot_be_read_are_asked_for_one_at_a_time() {
    let mut kit = Kit::new();
    kit.mine_many(30);
    kit.restart();
    let blocks: Vec<BlockRef> = (5..15).map(|height| kit.engine.store().at_height(height).unwrap().unwrap()).collect();
    blocks.iter().for_each(|at| kit.kv.spoil_body(*at));
    let mut net = Net::new(vec![kit]);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    for at in &blocks {
        assert!(matches!(ask(&mut net, Request::Blocks(vec![at.hash])), Response::Unknown));
    }
    let asked: Vec<usize> = (0..40)
        .map(|_| {
            net.run(1_500);
            let questions = net.questions(HOSTILE);
            questions.iter().filter(|(.., request)| matches!(request, Request::Blocks(_))).count()
        })
        .collect();
    assert_eq!(asked.iter().max(), Some(&1), "{asked:?}");
}

#[test]
fn transactions_of_a_block_that_cannot_be_read_are_not_known() {
    let (victim, at) = spoiled();
    let other = victim.engine.store().at_height(6).unwrap().unwrap();
    let mut net = Net::new(vec![victim]);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    let transactions = |block| Request::BlockTransactions { block, positions: vec![0] };
    assert!(matches!(ask(&mut net, transactions(at.hash)), Response::Unknown));
    assert!(matches!(ask(&mut net, transactions(other.hash)), Response::Transactions(found) if found.len() == 1));
    assert!(matches!(ask(&mut net, Request::Blocks(vec![at.hash, other.hash])), Response::Unknown));
    assert_eq!(net.nodes[0].engine.store().unreadable(), [at]);
    assert_eq!(net.nodes[0].fatal, None);
}

#[test]
fn a_false_body_does_not_take_the_place_of_one_that_cannot_be_read() {
    let (victim, at) = spoiled();
    let mut net = Net::new(vec![victim]);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    assert!(matches!(ask(&mut net, Request::Blocks(vec![at.hash])), Response::Unknown));
    let asked = |net: &mut Net| {
        net.run(1_500);
        let mut questions = net.questions(HOSTILE);
        questions.retain(|(_, _, request)| *request == Request::Blocks(vec![at.hash]));
        questions.pop().map(|(_, id, _)| id)
    };
    let id = (0..40).find_map(|_| asked(&mut net)).expect("it is asked for");
    let header = net.nodes[0].engine.chain().tree().get(&at.hash).unwrap().header;
    let empty = chain_core::block::Block { header, transactions: Vec::new() };
    let answer = Response::Blocks(vec![Body::new(chain_core::codec::encode(&empty))]);
    net.inject(0, HOSTILE, PeerEvent::Response(id, Ok(answer)));
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidBlock(_)]), "{:?}", net.offences);
    assert_eq!(net.nodes[0].engine.store().unreadable(), [at]);
}
