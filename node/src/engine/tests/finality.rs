//! Certificates on the chain: which are followed, and what comes of the others.

use chain_core::{
    finality::{Certificate, Evidence, FinalityError, Statement, Vote},
    hash::BlockHash,
    spec::{ChainSpec, Finality},
    units::{Amount, Height},
};

use super::kit::{Kit, reroot, spec};
use crate::{
    engine::{AcceptError, Action, Event, InboundId, NodeEvent, Payer, PeerAction, PeerEvent, PeerId, Side},
    finality::{Alarm, MemberKey},
    mempool::MempoolConfig,
    store::memory::Faults,
    wire::{Request, Response},
};

/// The key of a member.
pub(crate) fn key(member: u8) -> MemberKey {
    MemberKey::from_bytes([0x50 + member; 32]).unwrap()
}

/// A chain whose blocks so many members finalize.
pub(crate) fn final_spec(members: u8, window: u32) -> ChainSpec {
    let members = (0..members).map(|member| key(member).public()).collect();
    ChainSpec { name: "final".into(), finality: Some(Finality { members, interval: 4, depth: 2, window }), ..spec(50) }
}

pub(super) fn kit(window: u32) -> Kit {
    Kit::with(final_spec(4, window), MempoolConfig::default())
}

/// The certificate of members 0 to 2, or of others.
pub(crate) fn certificate(kit: &Kit, height: Height, hash: BlockHash, members: [u8; 3]) -> Certificate {
    let electorate = kit.engine.chain().finality().unwrap().electorate();
    let sign = |member| Vote::sign(electorate, height, Statement::Finalize { hash }, member, key(member).pair()).signed;
    Certificate { height, hash, signatures: members.map(sign).to_vec() }
}

/// Hands a certificate in, and lets the engine follow it.
pub(super) fn certify(kit: &mut Kit, height: Height, hash: BlockHash) {
    let certificate = certificate(kit, height, hash, [0, 1, 2]);
    take(kit, certificate).unwrap();
}

pub(super) fn take(kit: &mut Kit, certificate: Certificate) -> Result<(), FinalityError> {
    let result = kit.engine.chain.on_certificate(certificate, None, &kit.engine.out).map_err(|fatal| fatal.0).unwrap();
    kit.settle_all();
    result
}

pub(super) fn alarm(kit: &Kit) -> Option<Alarm> {
    kit.engine.chain().finality().unwrap().alarm().cloned()
}

pub(super) fn finalized(kit: &Kit) -> (Height, BlockHash) {
    let newest = kit.engine.chain().finality().unwrap().newest();
    newest.map_or((0, kit.genesis.hash()), |newest| (newest.height, newest.hash))
}

/// The depth of the last reorganisation that was announced.
fn last_reorg(kit: &Kit) -> Option<usize> {
    kit.events.iter().rev().find_map(|event| match event {
        NodeEvent::NewTip { disconnected, .. } => Some(disconnected.len()),
        _ => None,
    })
}

/// `a1` to `a6` here, and `b1` to `b9` on a twin of the empty chain.
pub(super) fn fork(window: u32) -> (Kit, Vec<BlockHash>, Kit, Vec<BlockHash>) {
    let mut a = kit(window);
    let mut b = a.twin();
    let blocks =
        |kit: &mut Kit, count| kit.mine_many(count).iter().map(chain_core::block::Block::hash).collect::<Vec<_>>();
    let (on_a, on_b) = (blocks(&mut a, 6), blocks(&mut b, 9));
    a.now = a.now.max(b.now);
    (a, on_a, b, on_b)
}

pub(super) fn give_all(from: &Kit, to: &mut Kit) {
    for height in 1..=from.height() {
        to.take(from.block_at(height)).unwrap();
    }
}

// FIN-1
#[test]
fn more_work_does_not_disconnect_a_final_block() {
    let (mut a, on_a, b, _) = fork(100);
    certify(&mut a, 4, on_a[3]);
    assert_eq!(finalized(&a), (4, on_a[3]));
    give_all(&b, &mut a);
    assert_eq!(a.tip(), on_a[5], "nine blocks are more than six");
    a.mine();
    assert_eq!(a.height(), 7);
    assert_eq!(alarm(&a), None);
}

// FIN-1
#[test]
fn a_certificate_takes_the_chain_to_a_branch_of_less_work() {
    let (mut a, on_a, b, _) = fork(100);
    give_all(&b, &mut a);
    assert_eq!(a.height(), 9);
    certify(&mut a, 4, on_a[3]);
    assert_eq!((a.tip(), last_reorg(&a)), (on_a[5], Some(9)));
    a.mine();
    // The certificate and the branch are there after a restart.
    a.restart();
    assert_eq!((a.height(), finalized(&a)), (7, (4, on_a[3])));
    assert_eq!(a.engine.store().reader().snapshot().unwrap().finalized().unwrap().map(|found| found.height), Some(4));
}

// FIN-4
#[test]
fn an_old_branch_is_not_revived_by_a_fresh_certificate() {
    let (mut a, on_a, b, on_b) = fork(8);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    let hash = on_a[3];
    assert_eq!(alarm(&a), Some(Alarm::TooDeep { height: 4, hash, depth: 9, window: 8 }));
    assert_eq!((a.tip(), finalized(&a).0), (on_b[8], 0));
    a.restart();
    assert_eq!((a.tip(), finalized(&a).0), (on_b[8], 0), "it was not stored");
    // One block less is what the window allows.
    let (mut a, on_a, b, _) = fork(9);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    assert_eq!((a.tip(), alarm(&a)), (on_a[5], None));
}

// FIN-4
#[test]
fn a_certificate_for_an_old_block_of_the_own_chain_disconnects_nothing() {
    // Members that were away for longer than the window make up for the checkpoints of that time.
    let mut a = kit(8);
    let on_a: Vec<_> = a.mine_many(20).iter().map(chain_core::block::Block::hash).collect();
    for height in [4, 8, 12] {
        certify(&mut a, height, on_a[height as usize - 1]);
        assert_eq!((finalized(&a).0, a.tip(), alarm(&a)), (height, on_a[19], None));
    }
}

pub(super) fn accept(kit: &mut Kit, block: BlockHash) -> Result<Height, AcceptError> {
    let (result, actions) = kit.engine.accept_certificate(block);
    assert!(result.is_ok() || actions.is_empty());
    kit.settle_all();
    result
}

// FIN-4
#[test]
fn the_operator_can_have_a_certificate_followed_that_was_refused() {
    let (mut a, on_a, b, on_b) = fork(8);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    assert_eq!((a.tip(), finalized(&a).0), (on_b[8], 0));
    assert_eq!(accept(&mut a, on_b[3]), Err(AcceptError::NotRefused(on_b[3])), "nobody certified it");
    assert_eq!(accept(&mut a, on_a[3]), Ok(4));
    assert_eq!((a.tip(), finalized(&a), alarm(&a)), (on_a[5], (4, on_a[3]), None));
    assert_eq!(accept(&mut a, on_a[3]), Err(AcceptError::NotRefused(on_a[3])), "it is followed");
    a.restart();
    assert_eq!((a.tip(), finalized(&a)), (on_a[5], (4, on_a[3])));
}

// FIN-4
#[test]
fn what_is_accepted_already_makes_no_later_certificate_too_deep() {
    let mut a = kit(8);
    let mut b = a.twin();
    let on_a: Vec<_> = a.mine_many(12).iter().map(chain_core::block::Block::hash).collect();
    b.mine_many(60);
    a.now = a.now.max(b.now);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    // The first slice of the way back: the tip that was announced is still the old one.
    assert_eq!(a.engine.accept_certificate(on_a[3]).0, Ok(4));
    assert!((13..60).contains(&a.height()), "{}", a.height());
    let newer = certificate(&a, 8, on_a[7], [0, 1, 2]);
    a.engine.chain.on_certificate(newer, None, &a.engine.out).map_err(|fatal| fatal.0).unwrap().unwrap();
    assert_eq!((finalized(&a).0, alarm(&a)), (8, None), "at once, not when the way back is done");
    a.settle_all();
    assert_eq!((finalized(&a).0, a.tip(), alarm(&a)), (8, on_a[11], None));
}

// FIN-4
#[test]
fn the_newest_refused_certificate_stands_for_those_below_it() {
    let (mut a, _, b, on_b) = fork(4);
    let on_a: Vec<_> = a.mine_many(4).iter().map(chain_core::block::Block::hash).collect();
    certify(&mut a, 8, on_b[7]);
    give_all(&b, &mut a);
    let refused = |kit: &Kit| kit.engine.chain().finality().unwrap().refused().map(|refused| refused.height);
    assert_eq!((refused(&a), a.tip()), (Some(8), on_a[3]));
    let raised = alarm(&a);
    assert!(matches!(raised, Some(Alarm::TooDeep { height: 8, .. })), "{raised:?}");
    // An older one is told again and again: nothing changes.
    certify(&mut a, 4, on_b[3]);
    assert_eq!((refused(&a), alarm(&a)), (Some(8), raised));
    assert_eq!(accept(&mut a, on_b[3]), Ok(8), "the operator was told of this block");
    assert_eq!((a.tip(), finalized(&a), alarm(&a)), (on_b[8], (8, on_b[7]), None));
}

// FIN-4
#[test]
fn an_alarm_ends_when_the_chain_comes_by_work_to_what_was_refused() {
    let (mut a, _, b, on_b) = fork(4);
    certify(&mut a, 8, on_b[7]);
    give_all(&b, &mut a);
    assert_eq!((a.tip(), finalized(&a), alarm(&a)), (on_b[8], (8, on_b[7]), None), "to that block itself");
    let (mut a, on_a, b, _) = fork(8);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    assert!(matches!(alarm(&a), Some(Alarm::TooDeep { height: 4, .. })));
    let (mut other, on_other, ..) = fork(8);
    assert_eq!(on_other, on_a);
    other.mine_many(4);
    a.now = a.now.max(other.now);
    give_all(&other, &mut a);
    assert_eq!(a.height(), 10);
    certify(&mut a, 8, other.block_at(8).hash());
    assert_eq!((finalized(&a).0, alarm(&a)), (8, None));
    assert!(a.engine.chain().finality().unwrap().refused().is_none());
}

// FIN-4
#[test]
fn the_operator_cannot_have_a_certificate_followed_that_contradicts_another() {
    let (mut a, on_a, b, on_b) = fork(8);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    certify(&mut a, 8, on_b[7]);
    assert_eq!(finalized(&a).0, 8);
    assert_eq!(accept(&mut a, on_a[3]), Err(AcceptError::Contradicts(on_a[3])));
    assert_eq!((a.tip(), finalized(&a)), (on_b[8], (8, on_b[7])));
    let mut plain = Kit::new();
    assert_eq!(accept(&mut plain, on_a[3]), Err(AcceptError::NotRefused(on_a[3])), "a chain without finality");
}

#[test]
fn a_certificate_for_an_unknown_block_waits_for_the_block() {
    let (a, on_a, mut b, _) = fork(100);
    certify(&mut b, 4, on_a[3]);
    assert_eq!(b.engine.chain().finality().unwrap().wanted().map(|wanted| wanted.height), Some(4));
    assert_eq!((b.height(), finalized(&b).0, alarm(&b)), (9, 0, None));
    for height in 1..=3 {
        b.take(a.block_at(height)).unwrap();
    }
    assert_eq!(b.height(), 9);
    b.take(a.block_at(4)).unwrap();
    b.settle_all();
    assert_eq!((b.tip(), finalized(&b)), (on_a[3], (4, on_a[3])));
    assert_eq!(b.engine.chain().finality().unwrap().wanted(), None);
}

#[test]
fn a_certificate_for_a_block_of_the_future_waits_until_its_time() {
    let mut a = kit(100);
    a.mine_many(3);
    let mut ahead = a.twin();
    ahead.now = ahead.now.after(600_000);
    ahead.mine();
    let (block, hash) = (ahead.block_at(4), ahead.tip());
    a.take(block).unwrap();
    certify(&mut a, 4, hash);
    assert_eq!((a.height(), finalized(&a).0), (3, 0));
    a.now = ahead.now;
    a.handle(Event::Tick);
    a.settle_all();
    assert_eq!((a.tip(), finalized(&a)), (hash, (4, hash)));
}

#[test]
fn a_certificate_whose_height_is_not_that_of_its_block_is_not_followed() {
    let (mut a, on_a, ..) = fork(100);
    // Heights alone would fit: 8 is above all that is final.
    certify(&mut a, 8, on_a[3]);
    assert_eq!(alarm(&a), Some(Alarm::Invalid { height: 8, hash: on_a[3] }));
    assert_eq!(finalized(&a).0, 0);
}

// FIN-4
#[test]
fn two_certificates_for_one_height_name_those_who_signed_both() {
    let (mut a, on_a, b, on_b) = fork(100);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    let other = certificate(&a, 4, on_b[3], [1, 2, 3]);
    take(&mut a, other).unwrap();
    assert_eq!(alarm(&a), Some(Alarm::Conflict { height: 4, hash: on_b[3], at: 4, finalized: on_a[3] }));
    assert_eq!(a.tip(), on_a[5], "the first one holds");
    let named = |kit: &Kit| {
        let evidence = kit.engine.chain().finality().unwrap().evidence();
        evidence.map(Evidence::member).collect::<Vec<_>>()
    };
    assert_eq!(named(&a), [1, 2]);
    a.restart();
    assert_eq!(named(&a), [1, 2], "evidence is stored");
}

// FIN-4
#[test]
fn a_certificate_below_the_newest_one_contradicts_it_though_none_is_stored_for_its_height() {
    //  genesis - a1 ... a4 ... a8   certified at 8 only: this node was not there when 4 was
    //          \ b1 ... b4
    let (mut a, on_a, b, on_b) = fork(100);
    a.mine_many(2);
    let newest = a.tip();
    give_all(&b, &mut a);
    certify(&mut a, 8, newest);
    assert_eq!((finalized(&a), a.engine.store().certificate_at(4).unwrap()), ((8, newest), None));
    certify(&mut a, 4, on_a[3]);
    assert_eq!(alarm(&a), None, "the same branch");
    certify(&mut a, 4, on_b[3]);
    assert_eq!(alarm(&a), Some(Alarm::Conflict { height: 4, hash: on_b[3], at: 8, finalized: newest }));
    assert_eq!((a.tip(), finalized(&a)), (newest, (8, newest)));
    // Nor need the other block be known.
    let (mut a, ..) = fork(100);
    a.mine_many(2);
    let newest = a.tip();
    certify(&mut a, 8, newest);
    certify(&mut a, 4, on_b[3]);
    assert_eq!(alarm(&a), Some(Alarm::Conflict { height: 4, hash: on_b[3], at: 8, finalized: newest }));
}

// FIN-4
#[test]
fn a_certificate_that_was_refused_and_one_that_is_followed_name_those_who_signed_both() {
    let (mut a, on_a, b, on_b) = fork(8);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    assert!(matches!(alarm(&a), Some(Alarm::TooDeep { .. })));
    let other = certificate(&a, 4, on_b[3], [1, 2, 3]);
    take(&mut a, other).unwrap();
    assert_eq!(finalized(&a), (4, on_b[3]));
    assert_eq!(alarm(&a), Some(Alarm::Conflict { height: 4, hash: on_a[3], at: 4, finalized: on_b[3] }));
    let evidence = a.engine.chain().finality().unwrap().evidence();
    assert_eq!(evidence.map(Evidence::member).collect::<Vec<_>>(), [1, 2]);
}

// FIN-4
#[test]
fn a_later_certificate_on_another_branch_is_not_followed() {
    let (mut a, on_a, b, on_b) = fork(100);
    give_all(&b, &mut a);
    certify(&mut a, 4, on_a[3]);
    certify(&mut a, 8, on_b[7]);
    assert_eq!(alarm(&a), Some(Alarm::Conflict { height: 8, hash: on_b[7], at: 4, finalized: on_a[3] }));
    assert_eq!((a.tip(), finalized(&a)), (on_a[5], (4, on_a[3])));
}

#[test]
fn a_certificate_that_breaks_a_rule_is_its_senders_fault() {
    let (mut a, on_a, ..) = fork(100);
    let good = certificate(&a, 4, on_a[3], [0, 1, 2]);
    let mut forged = good.clone();
    forged.hash = on_a[2];
    assert_eq!(take(&mut a, forged), Err(FinalityError::Signature(0)));
    assert_eq!(take(&mut a, good.clone()), Ok(()));
    assert_eq!(take(&mut a, good), Ok(()), "the same again says nothing new");
    assert_eq!(a.engine.chain().finality().unwrap().height(), 4);
}

#[test]
fn a_crash_between_certificate_and_reorganisation_is_made_up_for() {
    let (mut a, on_a, b, _) = fork(100);
    give_all(&b, &mut a);
    let certificate = certificate(&a, 4, on_a[3], [0, 1, 2]);
    // It is on disk; the process ends before the first block is disconnected.
    a.engine.chain.on_certificate(certificate, None, &a.engine.out).map_err(|fatal| fatal.0).unwrap().unwrap();
    assert_eq!(a.height(), 9);
    a.restart();
    assert_eq!((a.tip(), finalized(&a)), (on_a[5], (4, on_a[3])));
}

#[test]
fn a_certificate_for_an_invalid_block_leaves_what_was_final_before() {
    let mut a = kit(100);
    a.mine_many(7);
    let (fourth, seventh) = (a.block_at(4).hash(), a.tip());
    certify(&mut a, 4, fourth);
    // A block 8 that claims too much: its header is known, and certified.
    let mut bad = a.block_with(|_| {});
    if let Some(chain_core::transaction::Transaction::Coinbase(coinbase)) = bad.transactions.first_mut() {
        coinbase.outputs.iter_mut().for_each(|output| output.amount = Amount::from_grains(output.amount.grains() + 1));
    }
    let bad = reroot(&a.spec.clone(), bad);
    let hash = bad.hash();
    a.insert_headers(&[bad.header]);
    certify(&mut a, 8, hash);
    assert_eq!(finalized(&a), (8, hash));
    a.take(bad).unwrap_err();
    assert_eq!(alarm(&a), Some(Alarm::Invalid { height: 8, hash }));
    assert_eq!(a.tip(), seventh);
    a.mine();
    assert_eq!(a.height(), 8, "the chain goes on through the block that was final before");
    a.restart();
    assert_eq!(a.height(), 8);
}

#[test]
fn a_lone_member_finalizes_as_the_chain_grows() {
    let mut a = Kit::with(final_spec(1, 100), MempoolConfig::default());
    a.member = Some(key(0));
    a.restart();
    for height in 1..=20 {
        a.mine();
        let last = (height as Height).saturating_sub(2) / 4 * 4;
        assert_eq!(finalized(&a).0, last, "at height {height}");
    }
    a.restart();
    assert_eq!(finalized(&a).0, 16);
}

/// A peer that has introduced itself, and has heard all that there is to say.
fn meet(kit: &mut Kit) {
    let (peer, status, now) = (PeerId(1), kit.engine.status(), kit.now);
    kit.engine.handle(Event::Peer(peer, PeerEvent::Connected(Side::Inbound, Payer(1))), now);
    let introduces = PeerEvent::Request(InboundId(1), Request::Status(status));
    let id = kit.engine.handle(Event::Peer(peer, introduces), now).into_iter().find_map(|action| match action {
        Action::Peer(PeerAction::Request(_, id, Request::Finality { .. })) => Some(id),
        _ => None,
    });
    kit.engine.handle(Event::Peer(peer, PeerEvent::Response(id.unwrap(), Ok(Response::Ack))), now);
}

/// How many votes peers were told.
fn told(kit: &Kit) -> usize {
    let votes = kit.peer_actions.iter().map(|action| match action {
        PeerAction::Request(_, _, Request::Finality { votes, .. }) => votes.len(),
        _ => 0,
    });
    votes.sum()
}

// FIN-3
#[test]
fn no_vote_leaves_before_it_is_on_disk() {
    let mut a = kit(100);
    a.mine_many(5);
    let block = a.block_with(|_| {});
    let leader = a.spec.finality.as_ref().unwrap().leader(4, 0);
    let mut runs = [0, 0];
    // The block itself still reaches the disk; the promise does not, or does.
    for writes in 0..12 {
        let mut twin = a.twin();
        twin.member = Some(key(leader));
        twin.restart();
        meet(&mut twin);
        twin.kv.set_faults(Faults { writes_left: Some(writes), unreadable: false });
        let _ = twin.take(block.clone());
        twin.settle_all();
        twin.kv.set_faults(Faults::default());
        let is_stored = twin.engine.store().promise().unwrap().is_some_and(|promise| !promise.is_empty());
        let (told, own) = (told(&twin), twin.engine.chain().finality().unwrap().round().votes().count());
        assert!(is_stored || told == 0, "{told} votes left after {writes} writes");
        assert!(is_stored || own == 0, "{own} votes were said after {writes} writes");
        assert!(!is_stored || twin.fatal.is_some() || told > 0, "the peer heard nothing after {writes} writes");
        runs[usize::from(told > 0)] += 1;
    }
    assert!(runs[0] > 1 && runs[1] > 1, "{runs:?}");
}

#[test]
fn a_chain_without_members_has_no_rows_of_finality() {
    let mut plain = Kit::new();
    plain.mine_many(3);
    assert!(plain.engine.chain().finality().is_none());
    assert_eq!(plain.engine.store().promise().unwrap(), None);
    assert_eq!(plain.engine.store().newest_certificate(|_| Ok(true)).unwrap(), None);
}
