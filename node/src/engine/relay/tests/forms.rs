//! False compact forms under honest headers: they cost their maker alone, and never keep the honest form from anybody.

use chain_core::{block::Block, transaction::Transaction};

use super::{
    blocks::{nodes, payments, with_block},
    net::{HOSTILE, Net},
};
use crate::{
    engine::{
        GossipId, InboundId, Offence, PeerAction, PeerEvent, PeerId, PeerWork, Verdict, compact,
        tests::kit::{FEE, solved},
    },
    wire::{CompactBlock, Request, Response, ShortId, ShortIds},
};

/// Verdicts so far, with the peers that they are about.
fn verdicts(net: &mut Net) -> Vec<(u64, Verdict)> {
    let judged = |(_, action): &(usize, PeerAction)| match action {
        PeerAction::Judge(peer, _, verdict) => Some((peer.0, *verdict)),
        _ => None,
    };
    let verdicts = net.outside.iter().filter_map(judged).collect();
    net.outside.retain(|entry| judged(entry).is_none());
    verdicts
}

fn gossip(net: &mut Net, node: usize, peer: u64, id: u64, form: &CompactBlock) {
    net.inject(node, peer, PeerEvent::Gossip(GossipId(id), form.clone()));
}

fn lengthened(honest: &CompactBlock) -> CompactBlock {
    let mut form = honest.clone();
    form.short_ids.push(ShortId([0xab; 6]));
    form
}

// An attacker has the block of node 2 before node 0 has it:
//
//     2 --- 0 --- 1
//          /
//     attacker
#[test]
fn a_false_compact_block_costs_no_honest_peer_anything() {
    for lacking in [0, 10] {
        let mut net = nodes(3, 40);
        net.disconnect(1, 2);
        net.mute = |_, request| matches!(request, Request::Announce(_));
        let status = net.status(0);
        net.intrude(0, HOSTILE, status);
        net.run(1_000);
        let payments = payments(&net.nodes[0], 40);
        net.nodes[2].submit_all(payments.clone());
        for node in [0, 1] {
            net.nodes[node].submit_all(payments[lacking..].to_vec());
        }
        net.asked.clear();
        net.mine(2);
        let honest = compact(&net.nodes[2].block_at(1)).unwrap();
        gossip(&mut net, 0, HOSTILE, 1, &lengthened(&honest));
        net.run(200);
        assert_eq!(net.heights(), [1; 3], "{lacking} are lacking");
        assert_eq!(net.asked.get("blocks"), None, "the honest form reached everybody: {:?}", net.asked);
        assert_eq!(net.offences, [(0, PeerId(HOSTILE), Offence::BadCompact)]);
        assert_eq!(verdicts(&mut net), [(HOSTILE, Verdict::Ignore)]);
    }
}

#[test]
fn a_form_that_a_node_cannot_judge_is_not_forwarded() {
    let mut net = nodes(2, 10);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    let [one, other] = [FEE, FEE + 1].map(|fee| Transaction::Coin(net.nodes[0].send(0, fee)));
    let mut miner = net.nodes[0].twin();
    miner.now = net.now;
    assert!(miner.submit_all(vec![one.clone()])[0].is_ok());
    assert!(net.nodes[0].submit_all(vec![one])[0].is_ok());
    assert!(net.nodes[1].submit_all(vec![other.clone()])[0].is_ok());
    let block: Block = miner.mine_many(1).remove(0);
    net.now = miner.now;
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    // Node 1 has what the false form names, and sees that it does not fit; node 0 does not.
    let id = ShortIds::of_block(&block.hash()).id(&chain_core::block::merkle::leaf(&other));
    let form = CompactBlock { short_ids: vec![id], ..compact(&block).unwrap() };
    gossip(&mut net, 0, HOSTILE, 1, &form);
    net.run(1_000);
    assert!(net.offences.is_empty(), "{:?}", net.offences);
    assert_eq!(verdicts(&mut net), []);
    net.run(20_000);
    assert_eq!(verdicts(&mut net), [(HOSTILE, Verdict::Ignore)], "the network waits for a verdict no longer");
}

#[test]
fn a_false_coinbase_does_not_block_the_honest_form_and_costs_its_maker() {
    let (mut net, honest) = with_block(|_, _| {});
    let mut other = net.nodes[0].twin();
    other.name = 99;
    other.now = net.now;
    let coinbase = compact(&other.mine_many(1)[0]).unwrap().coinbase;
    let status = net.status(0);
    net.intrude(0, HOSTILE + 1, status);
    gossip(&mut net, 0, HOSTILE, 1, &CompactBlock { coinbase, ..honest.clone() });
    assert_eq!(verdicts(&mut net), [(HOSTILE, Verdict::Ignore)], "it is whole, and false: nothing is waited for");
    gossip(&mut net, 0, HOSTILE + 1, 2, &honest);
    assert_eq!(verdicts(&mut net), [(HOSTILE + 1, Verdict::Accept)]);
    assert_eq!(net.offences, [(0, PeerId(HOSTILE), Offence::BadCompact)]);
    net.run(10);
    assert_eq!(net.heights(), [1]);
}

#[test]
fn a_peer_that_sends_a_false_form_first_cannot_spoil_the_honest_one() {
    let (mut net, honest) = with_block(|_, _| {});
    // Gossip hands the honest form over once only: as that of the peer that sent it first.
    gossip(&mut net, 0, HOSTILE, 1, &lengthened(&honest));
    gossip(&mut net, 0, HOSTILE, 2, &honest);
    assert_eq!(verdicts(&mut net), [(HOSTILE, Verdict::Accept), (HOSTILE, Verdict::Ignore)]);
    assert_eq!(net.offences, [(0, PeerId(HOSTILE), Offence::BadCompact)]);
}

#[test]
fn a_block_that_comes_whole_settles_the_forms_that_wait() {
    let mut net = nodes(2, 10);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    net.disconnect(0, 1);
    net.run(100);
    let payments = payments(&net.nodes[0], 10);
    net.nodes[1].submit_all(payments);
    net.mine(1);
    let honest = compact(&net.nodes[1].block_at(1)).unwrap();
    for (peer, form) in [(HOSTILE, &honest), (HOSTILE + 1, &lengthened(&honest))] {
        let status = net.status(0);
        net.intrude(0, peer, status);
        gossip(&mut net, 0, peer, peer, form);
    }
    assert_eq!(verdicts(&mut net), [], "all transactions are missing");
    net.connect(0, 1);
    net.run(15_000);
    assert_eq!(net.heights(), [1; 2]);
    assert_eq!(verdicts(&mut net), [(HOSTILE, Verdict::Accept), (HOSTILE + 1, Verdict::Ignore)]);
    assert_eq!(net.offences, [(0, PeerId(HOSTILE + 1), Offence::BadCompact)]);
}

#[test]
fn one_header_buys_two_walks_over_the_pool_of_one_peer() {
    let (mut net, honest) = with_block(|_, _| {});
    let payments = payments(&net.nodes[0], 10);
    net.nodes[0].submit_all(payments);
    for number in 0..50 {
        let mut form = honest.clone();
        form.short_ids = vec![ShortId([number; 6]); 20];
        gossip(&mut net, 0, HOSTILE, u64::from(number), &form);
    }
    let work = net.nodes[0].engine.peer_work().next().unwrap().1;
    assert_eq!(work.leaves, 2 * (10 + 20));
    assert_eq!(verdicts(&mut net).len(), 42, "eight wait for the block, without a walk");
}

// The attacker is ahead of the honest peer, so that gossip hands the honest form over as the attacker's third:
//
//     attacker --- 0 --- 1          1 has the block, and 0 does not know
#[test]
fn a_peer_that_sends_two_false_forms_first_hides_the_honest_one_for_some_seconds_only() {
    let mut net = nodes(2, 10);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    let mut miner = net.nodes[0].twin();
    miner.now = net.now;
    let payments = payments(&miner, 10);
    miner.submit_all(payments);
    let block = miner.mine_many(1).remove(0);
    net.now = miner.now;
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    net.nodes[1].now = net.now;
    net.nodes[1].take(block.clone()).unwrap();
    net.nodes[1].peer_actions.clear();
    let honest = compact(&block).unwrap();
    let twice = lengthened(&lengthened(&honest));
    for (id, form) in [(1, &lengthened(&honest)), (2, &twice), (3, &honest)] {
        gossip(&mut net, 0, HOSTILE, id, form);
    }
    assert_eq!(verdicts(&mut net), []);
    net.run_until(6_000, |net| net.heights() == [1; 2]);
    let said = verdicts(&mut net);
    assert_eq!(said.iter().filter(|(_, verdict)| *verdict == Verdict::Accept).count(), 1, "it is forwarded: {said:?}");
    assert_eq!(net.offences, [(0, PeerId(HOSTILE), Offence::BadCompact)]);
}

#[test]
fn who_sends_a_false_form_and_leaves_pays_all_the_same() {
    let (mut net, honest) = with_block(|_, _| {});
    gossip(&mut net, 0, HOSTILE, 1, &lengthened(&honest));
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    let status = net.status(0);
    net.intrude(0, HOSTILE + 1, status);
    net.run(300_000);
    let status = net.status(0);
    net.intrude(0, HOSTILE + 2, status);
    gossip(&mut net, 0, HOSTILE + 2, 2, &honest);
    assert_eq!(net.offences, [(0, PeerId(HOSTILE), Offence::BadCompact)]);
}

#[test]
fn a_peer_over_its_budget_buys_no_rebuild_with_gossip() {
    let (mut net, honest) = with_block(|_, _| {});
    let work = PeerWork { base: 10_000, ..PeerWork::default() };
    net.nodes[0].engine.relay.peers.charge(PeerId(HOSTILE), &work, net.now);
    gossip(&mut net, 0, HOSTILE, 1, &honest);
    assert_eq!((verdicts(&mut net).len(), net.heights()), (0, vec![0]));
    let status = net.status(0);
    net.intrude(0, HOSTILE + 1, status);
    gossip(&mut net, 0, HOSTILE + 1, 2, &honest);
    assert_eq!(verdicts(&mut net), [(HOSTILE, Verdict::Accept), (HOSTILE + 1, Verdict::Accept)]);
}

#[test]
fn forms_of_a_block_far_behind_are_not_kept() {
    let mut net = nodes(1, 10);
    let mut other = net.nodes[0].twin();
    (other.now, other.name) = (net.now, 99);
    let payments = payments(&other, 10);
    other.submit_all(payments);
    let old = compact(&other.mine_many(1)[0]).unwrap();
    net.now = other.now;
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    gossip(&mut net, 0, HOSTILE, 1, &old);
    assert_eq!(net.nodes[0].engine.peer_usage().forms, 1);
    net.run(21_000);
    net.nodes[0].mine_many(400);
    net.now = net.nodes[0].now;
    net.collect(0);
    net.run(1_000);
    verdicts(&mut net);
    let status = net.status(0);
    net.intrude(0, HOSTILE + 1, status);
    gossip(&mut net, 0, HOSTILE + 1, 2, &old);
    assert_eq!(verdicts(&mut net), [(HOSTILE + 1, Verdict::Ignore)], "its header is known, and worth little");
}

#[test]
fn a_list_that_repeats_transactions_under_an_honest_root_loses_no_block() {
    // CVE-2012-2459: the merkle root of [a, b, c] is that of [a, b, c, c].
    let mut net = nodes(2, 10);
    net.mute = |_, request| matches!(request, Request::Announce(_));
    let payments = payments(&net.nodes[0], 2);
    net.nodes[1].submit_all(payments);
    net.disconnect(0, 1);
    net.run(100);
    net.mine(1);
    let block = net.nodes[1].block_at(1);
    let status = net.status(1);
    net.intrude(0, HOSTILE, status);
    let mut form = compact(&block).unwrap();
    form.short_ids.extend_from_within(1..);
    gossip(&mut net, 0, HOSTILE, 1, &form);
    for (_, id, request) in net.questions(HOSTILE) {
        if let Request::BlockTransactions { positions, .. } = request {
            let at = |position: u32| block.transactions[(position as usize).min(2)].encode().into();
            let encoded = positions.into_iter().map(at).collect();
            net.inject(0, HOSTILE, PeerEvent::Response(id, Ok(Response::Transactions(encoded))));
        }
    }
    net.inject(0, HOSTILE, PeerEvent::Disconnected);
    net.connect(0, 1);
    net.run_until(10_000, |net| net.heights() == [1; 2]);
}

#[test]
fn positions_beyond_a_block_prove_nothing() {
    let mut net = nodes(1, 10);
    net.nodes[0].now = net.now;
    net.mine(0);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    net.outside.clear();
    let block = net.nodes[0].tip();
    let request = Request::BlockTransactions { block, positions: vec![0, 9] };
    net.inject(0, HOSTILE, PeerEvent::Request(InboundId(5), request));
    assert!(matches!(net.outside[..], [(0, PeerAction::Respond(_, InboundId(5), Response::Unknown))]));
    assert!(net.offences.is_empty(), "{:?}", net.offences);
}

#[test]
fn floods_of_orphan_blocks_push_out_their_own() {
    let (mut net, form) = with_block(|_, _| {});
    let orphan = |net: &Net, number: u32| {
        let mut block = net.nodes[0].genesis.clone();
        block.header = form.header;
        block.header.prev.0[..4].copy_from_slice(&number.to_le_bytes());
        CompactBlock { header: solved(&net.nodes[0].spec, block).header, ..form.clone() }
    };
    for peer in 0..20 {
        let status = net.status(0);
        net.intrude(0, HOSTILE + peer, status);
        for number in 0..5 {
            let orphan = orphan(&net, 100 * peer as u32 + number);
            gossip(&mut net, 0, HOSTILE + peer, number.into(), &orphan);
        }
        assert!(net.nodes[0].engine.peer_usage().held <= 32);
    }
    assert!(net.nodes[0].engine.relay.blocks.holds_of(PeerId(HOSTILE + 19)), "the last comer has its place");
}

#[test]
fn a_false_form_of_a_block_that_is_known_costs_its_sender_and_a_true_one_does_not() {
    let mut net = nodes(1, 10);
    let payments = payments(&net.nodes[0], 10);
    net.nodes[0].submit_all(payments);
    net.mine(0);
    net.run(1_000);
    let honest = compact(&net.nodes[0].block_at(1)).unwrap();
    let other_coinbase = CompactBlock { coinbase: vec![7; 40].into(), ..honest.clone() };
    for (peer, form, false_one) in
        [(HOSTILE, &honest, false), (HOSTILE + 1, &lengthened(&honest), true), (HOSTILE + 2, &other_coinbase, true)]
    {
        let status = net.status(0);
        net.intrude(0, peer, status);
        gossip(&mut net, 0, peer, peer, form);
        let expected: &[Offence] = if false_one { &[Offence::BadCompact] } else { &[] };
        assert_eq!(net.offences_of(0, peer), expected);
        assert_eq!(verdicts(&mut net), [(peer, Verdict::Ignore)]);
    }
}

#[test]
fn a_peer_over_its_budget_has_no_form_of_an_old_block_checked() {
    let mut net = nodes(1, 10);
    net.mine(0);
    let status = net.status(0);
    net.intrude(0, HOSTILE, status);
    let work = PeerWork { base: 10_000, ..PeerWork::default() };
    net.nodes[0].engine.relay.peers.charge(PeerId(HOSTILE), &work, net.now);
    let form = lengthened(&compact(&net.nodes[0].block_at(1)).unwrap());
    gossip(&mut net, 0, HOSTILE, 1, &form);
    assert_eq!(net.offences_of(0, HOSTILE), []);
}
