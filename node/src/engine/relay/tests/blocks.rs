//! New blocks: compact, rebuilt from the pool, passed on before they are executed.

use chain_core::{
    Bytes,
    block::{Block, header::Header},
    transaction::Transaction,
};

use super::net::{HOSTILE, Net, connected};
use crate::{
    engine::{
        Action, Event, GossipId, Offence, PeerAction, PeerEvent, PeerId, Side, Verdict, compact,
        tests::kit::{FEE, Kit, spec},
    },
    mempool::MempoolConfig,
    wire::{CompactBlock, Request, Response},
};

pub(super) fn nodes(count: usize, coins: usize) -> Net {
    let first = Kit::with(spec(coins), MempoolConfig::default());
    let others: Vec<Kit> = (1..count).map(|_| first.twin()).collect();
    let mut net = Net::new(std::iter::once(first).chain(others).collect());
    net.connect_all();
    net.run(1_000);
    net
}

pub(super) fn payments(kit: &Kit, count: u32) -> Vec<Transaction> {
    (0..count).map(|index| Transaction::Coin(kit.send(index, FEE + u64::from(index)))).collect()
}

fn gossip(kit: &mut Kit, compact: &CompactBlock) -> Vec<Action> {
    kit.engine.handle(Event::Peer(PeerId(HOSTILE), connected(Side::Inbound, HOSTILE)), kit.now);
    let event = PeerEvent::Gossip(GossipId(1), compact.clone());
    kit.engine.handle(Event::Peer(PeerId(HOSTILE), event), kit.now)
}

#[test]
fn a_block_of_the_pool_is_rebuilt_without_a_question_and_passed_on_before_it_is_executed() {
    let mut miner = Kit::with(spec(1_000), MempoolConfig::default());
    let mut receiver = miner.twin();
    let payments = payments(&miner, 1_000);
    for node in [&mut miner, &mut receiver] {
        assert!(node.submit_all(payments.clone()).iter().all(Result::is_ok));
    }
    miner.mine();
    let block = miner.block_at(1);
    assert_eq!(block.transactions.len(), 1_001);
    receiver.now = miner.now;
    let actions = gossip(&mut receiver, &compact(&block).unwrap());
    assert!(matches!(actions[0], Action::Peer(PeerAction::Judge(_, _, Verdict::Accept))), "{actions:?}");
    assert!(matches!(actions[1..], [Action::Continue]), "{actions:?}");
    assert_eq!(receiver.height(), 0, "not executed yet");
    receiver.settle();
    assert_eq!(receiver.tip(), block.hash());
    assert_eq!(receiver.engine.mempool().stats().transactions, 0);
}

#[test]
fn what_the_pool_lacks_is_asked_for_in_one_question() {
    let mut net = nodes(3, 40);
    // Nodes 1 and 2 are told nothing of transactions.
    net.mute = |_, request| matches!(request, Request::Announce(_));
    let payments = payments(&net.nodes[0], 40);
    net.nodes[0].submit_all(payments.clone());
    net.nodes[1].submit_all(payments[..30].to_vec());
    net.nodes[2].submit_all(payments[10..].to_vec());
    net.asked.clear();
    net.mine(0);
    net.run(500);
    assert_eq!(net.heights(), [1; 3]);
    assert_eq!(net.asked.get("block transactions"), Some(&2), "{:?}", net.asked);
    assert_eq!(net.asked.get("blocks"), None);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn who_is_asked_for_what_it_lacks_itself_answers_when_it_has_it() {
    let mut net = nodes(3, 40);
    net.disconnect(0, 2);
    net.run(100);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    let payments = payments(&net.nodes[0], 40);
    net.nodes[0].submit_all(payments.clone());
    for node in [1, 2] {
        net.nodes[node].submit_all(payments[..30].to_vec());
    }
    net.asked.clear();
    net.mine(0);
    net.run(500);
    assert_eq!(net.heights(), [1; 3]);
    assert_eq!(net.asked.get("blocks"), None, "{:?}", net.asked);
}

#[test]
fn a_block_of_strangers_is_fetched_whole() {
    let mut net = nodes(2, 40);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    let payments = payments(&net.nodes[0], 40);
    net.nodes[0].submit_all(payments);
    net.asked.clear();
    net.mine(0);
    net.run(500);
    assert_eq!(net.heights(), [1; 2]);
    assert_eq!(net.asked.get("blocks"), Some(&1), "{:?}", net.asked);
}

#[test]
fn a_block_comes_from_another_if_missing_transactions_are_withheld() {
    let mut net = nodes(3, 40);
    let payments = payments(&net.nodes[0], 40);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    net.nodes[0].submit_all(payments.clone());
    net.nodes[1].submit_all(payments.clone());
    net.nodes[2].submit_all(payments[..30].to_vec());
    net.mute = |_, request| matches!(request, Request::BlockTransactions { .. });
    net.mine(0);
    net.run(6_000);
    assert_eq!(net.heights(), [1; 3]);
}

/// A node that a hostile peer may gossip to, and a block that it does not have.
pub(super) fn with_block(change: impl FnOnce(&Kit, &mut Block)) -> (Net, CompactBlock) {
    let mut net = nodes(1, 10);
    let mut miner = net.nodes[0].twin();
    miner.now = net.now;
    let block = miner.mine_many(3).remove(0);
    let mut changed = block;
    change(&net.nodes[0], &mut changed);
    net.now = miner.now;
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    (net, compact(&changed).unwrap())
}

fn judged(net: &mut Net, compact: &CompactBlock) -> Verdict {
    net.inject(0, HOSTILE, PeerEvent::Gossip(GossipId(7), compact.clone()));
    net.verdicts().pop().unwrap()
}

pub(super) fn solve(kit: &Kit, header: &mut Header) {
    let limit = chain_core::work::pow::target(kit.spec.pow_limit_bits).unwrap();
    while chain_core::work::pow::check_pow(&header.hash(), header.bits, limit).is_err() {
        header.nonce += 1;
    }
}

#[test]
fn a_good_block_is_accepted_once() {
    let (mut net, compact) = with_block(|_, _| {});
    assert_eq!(judged(&mut net, &compact), Verdict::Accept);
    assert_eq!(net.heights(), [1]);
    assert_eq!(judged(&mut net, &compact), Verdict::Ignore, "duplicate");
    assert!(net.offences.is_empty());
}

// HDR-2
#[test]
fn a_block_without_work_is_rejected() {
    let (mut net, compact) = with_block(|_, block| {
        while block.hash().0[31] < 0x80 {
            block.header.nonce += 1
        }
    });
    assert_eq!(judged(&mut net, &compact), Verdict::Reject);
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidHeader(_)]), "{:?}", net.offences);
}

// HDR-3
#[test]
fn a_block_of_wrong_difficulty_is_rejected() {
    let (mut net, compact) = with_block(|kit, block| {
        block.header.bits = 0x207f_fffe;
        solve(kit, &mut block.header);
    });
    assert_eq!(judged(&mut net, &compact), Verdict::Reject);
}

#[test]
fn an_orphan_is_ignored_and_asked_about_once() {
    let (mut net, compact) = with_block(|kit, block| {
        block.header.prev.0 = [9; 32];
        solve(kit, &mut block.header);
    });
    assert_eq!(judged(&mut net, &compact), Verdict::Ignore);
    assert!(net.offences.is_empty());
    assert_eq!(net.questions(HOSTILE).len(), 2, "for the pool and for headers");
    assert_eq!(judged(&mut net, &compact), Verdict::Ignore);
    assert!(net.questions(HOSTILE).is_empty());
}

#[test]
fn orphans_are_bounded_and_forgotten() {
    let (mut net, compact) = with_block(|_, _| {});
    for number in 0..2_000_u32 {
        let mut orphan = compact.clone();
        orphan.header.prev.0[..4].copy_from_slice(&number.to_le_bytes());
        solve(&net.nodes[0], &mut orphan.header);
        assert_eq!(judged(&mut net, &orphan), Verdict::Ignore);
        assert!(net.nodes[0].engine.peer_usage().held <= 4);
    }
    net.run(120_000);
    assert_eq!(net.nodes[0].engine.peer_usage().held, 0);
}

// HDR-5
#[test]
fn a_block_of_the_future_is_ignored_and_passed_on_in_its_time() {
    let mut net = nodes(1, 10);
    let mut miner = net.nodes[0].twin();
    let limit = net.now.0 + u64::from(miner.spec.max_future) * 1_000;
    miner.now.0 = limit + 4_000;
    let block = miner.mine_many(1).remove(0);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    assert_eq!(judged(&mut net, &compact(&block).unwrap()), Verdict::Ignore);
    assert_eq!(net.heights(), [0]);
    assert!(
        net.nodes[0].engine.relay.headers.warned_of_future.is_some(),
        "the clock may be what is wrong: the log says so"
    );
    net.run(10_000);
    assert_eq!(net.heights(), [1]);
    let passed_on = |action: &PeerAction| matches!(action, PeerAction::Gossip(_));
    assert!(net.offences.is_empty());
    assert!(!net.outside.iter().any(|(_, action)| passed_on(action)), "the net spreads it");
}

// HDR-5
#[test]
fn a_block_of_a_far_future_occupies_no_place() {
    let mut net = nodes(1, 10);
    let mut miner = net.nodes[0].twin();
    miner.now.0 = net.now.0 + (u64::from(miner.spec.max_future) + 3_600) * 1_000;
    let block = miner.mine_many(1).remove(0);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    assert_eq!(judged(&mut net, &compact(&block).unwrap()), Verdict::Ignore);
    assert_eq!(net.nodes[0].engine.peer_usage().held, 0);
}

#[test]
fn a_block_far_below_the_tip_is_ignored() {
    let mut first = Kit::new();
    let mut fork = first.twin();
    fork.name = 99;
    let stale = compact(&fork.mine_many(1)[0]).unwrap();
    first.mine_many(400);
    let mut net = Net::new(vec![first]);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    assert_eq!(judged(&mut net, &stale), Verdict::Ignore);
    assert!(net.nodes[0].engine.chain().tree().get(&stale.header.hash()).is_none(), "not kept");
}

/// Two nodes, the first of which has missed a block of the second: gossip drops the second's copy as a duplicate.
fn with_missed_block() -> (Net, Header) {
    let mut net = nodes(2, 10);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    let mut miner = net.nodes[0].twin();
    miner.now = net.now;
    let block = miner.mine_many(1).remove(0);
    net.now = miner.now;
    net.nodes[1].now = net.now;
    let header = block.header;
    net.nodes[1].take(block).unwrap();
    net.nodes[1].peer_actions.clear();
    net.outside.clear();
    (net, header)
}

#[test]
fn a_block_that_was_missed_is_downloaded_by_its_header() {
    for stays in [true, false] {
        let (mut net, header) = with_missed_block();
        if !stays {
            net.inject(0, HOSTILE, PeerEvent::Disconnected);
        }
        net.inject(0, HOSTILE, PeerEvent::Missed(vec![header]));
        for (_, id, request) in net.questions(HOSTILE) {
            assert!(stays && matches!(request, Request::Blocks(_)), "it is asked while it is there: {request:?}");
            net.inject(0, HOSTILE, PeerEvent::Response(id, Ok(Response::Unknown)));
        }
        net.run_until(6_000, |net| net.heights() == [1; 2]);
        assert!(net.offences.is_empty(), "{:?}", net.offences);
    }
}

#[test]
fn a_block_that_waited_while_its_sender_was_disconnected_is_downloaded() {
    let (mut net, header) = with_missed_block();
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    let form = CompactBlock { header, coinbase: Bytes::new(), short_ids: Vec::new() };
    net.inject(0, HOSTILE, PeerEvent::Gossip(GossipId(1), form));
    assert_eq!(net.verdicts(), [Verdict::Ignore]);
    net.run_until(6_000, |net| net.heights() == [1; 2]);
}

#[test]
fn a_header_of_no_work_that_was_missed_costs_its_sender() {
    let (mut net, mut header) = with_missed_block();
    header.bits = 0x1d00_ffff;
    net.inject(0, HOSTILE, PeerEvent::Missed(vec![header]));
    assert!(matches!(net.offences_of(0, HOSTILE)[..], [Offence::InvalidHeader(_)]), "{:?}", net.offences);
}
