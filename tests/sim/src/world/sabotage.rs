//! Engines that break their word, among honest ones and taken for honest: what must hold is seen not to hold.

use cairn_lab::network::{Latency, MessageFaults};
use cairn_node::{
    engine::{Offence, PeerAction, PeerUsage, Verdict},
    store::memory::MemoryKv,
    wire::{Request, Response},
};
use chain_core::{
    block::Block,
    error::RuleError,
    finality::{Certificate, Electorate, Statement, Vote},
    hash::BlockHash,
    transaction::Transaction,
    units::{Amount, Height},
};

use std::ops::ControlFlow;

use super::{Context, World};
use crate::{
    attack::{Kind, Strategy},
    oracle::Invariant,
    plan::{ModelName, Overrides, Plan, Topology},
    runner::guarded,
};

/// Four nodes, nothing that goes wrong.
pub(super) fn calm(seed: u64) -> World {
    World::new(calm_plan(seed), false)
}

/// The same; all four are members of finality.
fn members(seed: u64) -> World {
    World::new(Plan { members: 4, sync: false, ..calm_plan(seed) }, false)
}

fn calm_plan(seed: u64) -> Plan {
    let model = Some(ModelName::Synchronous);
    let overrides = Overrides { nodes: Some(4), blocks: Some(8), model, attack: Some(None), ..Overrides::default() };
    let plan = Plan::draw(seed, &overrides);
    Plan {
        latency: Latency::Constant(100),
        messages: MessageFaults { held: plan.messages.held, ..MessageFaults::default() },
        busy: 0.0,
        topology: Topology::Complete,
        shares: vec![0.4, 0.3, 0.3, 0.0],
        skews: vec![0; 4],
        faults: Vec::new(),
        transactions: 1.0,
        sync: true,
        ..plan
    }
}

/// What breaks in the history of a world of which one node, taken for honest, does this.
fn broken_by(node: usize, strategy: impl Strategy + 'static) -> Option<Invariant> {
    let mut world = calm(1);
    world.nodes[node].strategy = Some(Box::new(strategy));
    guarded(world).violation.map(|violation| violation.invariant)
}

/// Changes what an engine wants of the network.
pub(super) struct Acts<F>(pub(super) F);

impl<F: FnMut(&mut Context<'_>, PeerAction) -> Option<PeerAction>> Strategy for Acts<F> {
    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        (self.0)(context, action)
    }
}

#[test]
fn honest_nodes_in_a_good_network_break_nothing() {
    for seed in 0..4 {
        assert_eq!(guarded(calm(seed)).violation, None, "seed {seed}");
    }
    assert_eq!(broken_by(3, Acts(|_: &mut Context<'_>, action| Some(action))), None);
}

#[test]
fn a_question_that_is_forgotten_is_reported() {
    let forgets = |_: &mut Context<'_>, action| Some(action).filter(|it| !matches!(it, PeerAction::Respond(..)));
    // The others would give it up before it is reported.
    let stays = |_: &mut Context<'_>, action| Some(action).filter(|it| !matches!(it, PeerAction::Disconnect(..)));
    let mut world = calm(1);
    (0..3).for_each(|node| world.nodes[node].strategy = Some(Box::new(Acts(stays))));
    world.nodes[3].strategy = Some(Box::new(Acts(forgets)));
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::Protocol));
}

#[test]
fn a_question_that_is_answered_twice_is_reported() {
    let repeats = |context: &mut Context<'_>, action: PeerAction| {
        if let PeerAction::Respond(peer, id, response) = &action {
            context.respond(*peer, *id, response.clone());
        }
        Some(action)
    };
    assert_eq!(broken_by(3, Acts(repeats)), Some(Invariant::Protocol));
}

#[test]
fn a_block_that_is_judged_twice_is_reported() {
    let mut before = None;
    let repeats = move |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Judge(..) => before.replace(action.clone()).or(Some(action)),
        action => Some(action),
    };
    assert_eq!(broken_by(3, Acts(repeats)), Some(Invariant::Protocol));
}

#[test]
fn honest_peers_that_are_rejected_or_banned_are_reported() {
    let rejects = |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Judge(peer, id, _) => Some(PeerAction::Judge(peer, id, Verdict::Reject)),
        action => Some(action),
    };
    assert_eq!(broken_by(3, Acts(rejects)), Some(Invariant::Blame));
    let bans = |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Request(peer, _, Request::Announce(_)) => {
            Some(PeerAction::Penalize(peer, Offence::InvalidBlock(RuleError::BadCoinSignature { transaction: None })))
        }
        action => Some(action),
    };
    assert_eq!(broken_by(3, Acts(bans)), Some(Invariant::Blame));
}

#[test]
fn payments_that_a_node_takes_and_keeps_to_itself_are_reported() {
    let hides = |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Request(_, _, Request::Announce(_)) => None,
        PeerAction::Respond(peer, id, Response::ShortIds(_)) => {
            Some(PeerAction::Respond(peer, id, Response::ShortIds(Vec::new())))
        }
        action => Some(action),
    };
    let mut world = calm(1);
    // It does not mine, not even the last block.
    world.plan.shares.rotate_right(1);
    world.nodes[0].strategy = Some(Box::new(Acts(hides)));
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::Liveness));
}

#[test]
fn a_node_that_does_not_follow_the_others_is_reported() {
    let deaf = |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Request(_, _, Request::Headers { .. } | Request::Blocks(_) | Request::BlockTransactions { .. }) => {
            None
        }
        action => Some(action),
    };
    let mut world = calm(1);
    world.nodes[3].strategy = Some(Box::new(Acts(deaf)));
    // It misses the first blocks, and never asks for them.
    world.begin();
    world.split(vec![0, 0, 0, 1]);
    world.rough();
    world.finish();
    assert_eq!(world.violation.map(|violation| violation.invariant), Some(Invariant::Liveness));
}

/// Claims a grain too much.
struct Greedy;

impl Strategy for Greedy {
    fn found(&mut self, context: &mut Context<'_>, mut block: Block) -> Option<Block> {
        if let Some(Transaction::Coinbase(coinbase)) = block.transactions.first_mut() {
            coinbase
                .outputs
                .iter_mut()
                .for_each(|output| output.amount = Amount::from_grains(output.amount.grains() + 1));
        }
        context.chain().reroot(&mut block);
        Some(block)
    }
}

#[test]
fn an_honest_miner_of_invalid_blocks_is_reported() {
    assert_eq!(broken_by(0, Greedy), Some(Invariant::Template));
}

#[test]
fn a_panic_is_reported() {
    let panics = |_: &mut Context<'_>, _| panic!("on purpose");
    assert_eq!(broken_by(3, Acts(panics)), Some(Invariant::Sanity));
}

#[test]
fn what_peers_make_an_engine_remember_beyond_the_bound_is_reported() {
    let mut world = calm(1);
    world.most = |_| PeerUsage::default();
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::Memory));
}

#[test]
fn work_for_a_peer_beyond_the_bound_is_reported() {
    let mut world = calm(1);
    world.most_work = |_| 0;
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::Work));
    let mut world = calm(1);
    world.most_asked = 0;
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::Work));
}

#[test]
fn an_honest_peer_that_is_close_to_a_ban_is_reported() {
    let blames = |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Request(peer, _, Request::Announce(_)) => Some(PeerAction::Penalize(peer, Offence::LessWork)),
        action => Some(action),
    };
    assert_eq!(broken_by(3, Acts(blames)), Some(Invariant::Blame));
}

#[test]
fn an_honest_peer_that_is_disconnected_is_reported() {
    let quits = |_: &mut Context<'_>, action: PeerAction| match action {
        PeerAction::Request(peer, _, Request::Announce(_)) => Some(PeerAction::Disconnect(peer, "stalls".into())),
        action => Some(action),
    };
    assert_eq!(broken_by(3, Acts(quits)), Some(Invariant::Blame));
}

#[test]
fn a_disk_that_forgets_what_was_flushed_is_reported() {
    for forgets in [false, true] {
        let mut world = calm(1);
        world.begin();
        world.rough();
        assert!(world.height() > 0);
        if forgets {
            world.nodes[0].kv = MemoryKv::with_crashes();
        }
        world.crash(0, true, 1_000);
        let violation = world.violation.map(|violation| violation.invariant);
        assert_eq!(violation, forgets.then_some(Invariant::Storage));
    }
}

/// Two branches, of nodes 0 and 1 and of the others, each so high.
fn branches(mut world: World, height: Height) -> World {
    world.plan.shares = vec![0.25; 4];
    world.begin();
    world.split(vec![0, 0, 1, 1]);
    let is_short = |world: &World| {
        let mut engines = world.nodes.iter().filter_map(|node| node.engine.as_ref());
        engines.any(|engine| engine.store().tip().height < height) || world.now == 0
    };
    while is_short(&world) {
        world.step();
    }
    world
}

#[test]
fn branches_that_do_not_meet_are_reported() {
    let mut world = branches(calm(1), 8);
    world.check_ties();
    assert_eq!(world.violation.map(|violation| violation.invariant), Some(Invariant::CommonPrefix));
}

#[test]
fn members_that_keep_their_word_break_nothing() {
    for seed in 0..4 {
        let outcome = guarded(members(seed));
        assert_eq!(outcome.violation, None, "seed {seed}");
        assert!(outcome.stats.finality.count() > 0, "seed {seed}");
    }
}

#[test]
fn a_node_that_ignores_certificates_is_reported() {
    let mut world = members(1);
    world.nodes[3].strategy = Some(Kind::Majority.strategy());
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::Finality));
}

/// What members sign.
fn vote(world: &World, member: u8, height: Height, hash: BlockHash) -> Vote {
    let chain = &world.chain;
    let electorate = Electorate { genesis: chain.hash, rules: chain.spec.finality.clone().unwrap() };
    let pair = chain.members[usize::from(member)].pair();
    Vote::sign(&electorate, height, Statement::Finalize { hash }, member, pair)
}

/// A node tells its peers of a certificate that members 0 to 2 have signed for a block of its chain, true or not.
fn certify(world: &mut World, node: usize, height: Height) {
    let hash = world.nodes[node].engine.as_ref().unwrap().store().at_height(height).unwrap().unwrap().hash;
    let signatures = (0..3).map(|member| vote(world, member, height, hash).signed).collect();
    tell(world, node, Some(Certificate { height, hash, signatures }), Vec::new());
}

fn tell(world: &mut World, node: usize, certificate: Option<Certificate>, votes: Vec<Vote>) {
    world.nodes[node].strategy = Some(Box::new(Acts(|_: &mut Context<'_>, action| Some(action))));
    world.consult(node, |_, context| {
        for peer in context.peers() {
            let (certificate, votes) = (certificate.clone(), votes.clone());
            context.ask(peer, Request::Finality { newest: 0, certificate, votes, evidence: Vec::new() });
        }
    });
    world.run_until(world.now + 1_000);
}

/// That finality broke, and how.
fn assert_broken(world: &World, how: &str) {
    let violation = world.violation.as_ref().expect(how);
    assert_eq!(violation.invariant, Invariant::Finality, "{violation:?}");
    assert!(violation.detail.contains(how), "{violation:?}");
}

#[test]
fn certificates_for_two_branches_are_reported() {
    let mut world = branches(members(1), 4);
    certify(&mut world, 1, 4);
    assert_eq!(world.violation, None);
    assert_eq!(world.nodes[0].finalized.0, 4);
    certify(&mut world, 3, 4);
    assert_broken(&world, "are final at height 4");
}

/// Until the first node takes a block for final.
fn finalized(mut world: World) -> World {
    world.begin();
    while world.nodes[0].finalized.0 == 0 {
        world.step();
    }
    assert_eq!(world.violation, None);
    world
}

#[test]
fn a_final_block_that_is_taken_back_is_reported() {
    let mut world = finalized(members(1));
    let (height, hash) = world.nodes[0].finalized;
    world.check_final_blocks(0, height + 2, &[]);
    assert_eq!(world.violation, None);
    world.check_final_blocks(0, height + 2, &[BlockHash([9; 32]), hash]);
    assert_broken(&world, "disconnects");
    let mut world = finalized(members(1));
    world.nodes[0].finalized.1 = BlockHash([9; 32]);
    world.check_final_blocks(0, height + 2, &[]);
    assert_broken(&world, "is final");
}

#[test]
fn a_disk_that_forgets_a_final_block_is_reported() {
    let mut world = finalized(members(1));
    world.nodes[0].kv = MemoryKv::with_crashes();
    world.crash(0, true, 1_000);
    assert_eq!(world.violation, None, "nothing of it was said to be on the disk");
    world.run_until(world.now + 2_000);
    assert_broken(&world, "for final at");
}

/// Two branches of at least eight blocks, of which the one with less work has a certificate.
fn revived(window: u32) -> (World, [usize; 2], BlockHash) {
    let mut world = branches(World::new(Plan { members: 4, window, sync: false, ..calm_plan(1) }, false), 8);
    let work = |world: &World, node: usize| world.nodes[node].engine.as_ref().unwrap().chain_info().work;
    let (lesser, others) = if work(&world, 1) <= work(&world, 3) { (1, [2, 3]) } else { (3, [0, 1]) };
    // Each tells the other.
    certify(&mut world, lesser, 4);
    certify(&mut world, lesser - 1, 4);
    assert_eq!([lesser - 1, lesser].map(|node| world.nodes[node].finalized.0), [4; 2]);
    let hash = world.nodes[lesser].engine.as_ref().unwrap().store().at_height(4).unwrap().unwrap().hash;
    (world, others, hash)
}

#[test]
fn a_certificate_revives_an_old_branch_within_the_window() {
    let (mut world, _, hash) = revived(400);
    world.finish();
    assert_eq!(world.violation, None);
    assert_eq!((world.stats.refused, world.stats.accepted), (0, 0));
    assert!(world.honest().all(|(_, engine)| engine.store().at_height(4).unwrap().unwrap().hash == hash));
}

#[test]
fn a_certificate_that_revives_too_old_a_branch_waits_for_the_operators() {
    let (mut world, _, hash) = revived(3);
    world.finish();
    assert_eq!(world.violation, None);
    assert_eq!((world.stats.refused, world.stats.accepted), (2, 2));
    assert!(world.honest().all(|(_, engine)| engine.store().at_height(4).unwrap().unwrap().hash == hash));
}

#[test]
fn a_node_that_follows_such_a_certificate_by_itself_is_reported() {
    let (mut world, [node, _], hash) = revived(3);
    world.make_good();
    while world.stats.refused == 0 {
        world.step();
    }
    let node = if world.nodes[node].asks_members { node } else { node + 1 };
    let turn = world.turn(node, |engine| engine.accept_certificate(hash).1);
    if let ControlFlow::Continue(Some(event)) = turn {
        world.handle(node, event);
    }
    assert_broken(&world, "for a certificate");
}

#[test]
fn a_refusal_without_a_reason_is_reported() {
    let (mut world, [node, _], hash) = revived(3);
    let own = world.nodes[node].told;
    let parent = world.nodes[node].engine.as_ref().unwrap().chain().tree().get(&own).unwrap().header.prev;
    // A block of the own chain, and one for which as many blocks go as may.
    for (refused, window) in [(parent, 3), (hash, 100)] {
        world.plan.window = window;
        world.nodes[node].asks_members = false;
        world.ask_members(node, refused);
        assert_broken(&world, "blocks would go");
        world.violation = None;
    }
    (world.plan.window, world.nodes[node].asks_members) = (3, false);
    world.ask_members(node, hash);
    assert_eq!((world.violation.clone(), world.stats.refused), (None, 1));
}

#[test]
fn an_honest_member_that_is_accused_is_reported() {
    let mut world = members(1);
    world.begin();
    world.run_until(10_000);
    let votes = [1, 2].map(|byte| vote(&world, 3, 4, BlockHash([byte; 32]))).to_vec();
    tell(&mut world, 3, None, votes);
    assert_broken(&world, "accuses member 3");
}
