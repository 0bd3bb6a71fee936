//! Engines that break their word, among honest ones and taken for honest: what must hold is seen not to hold.

use cairn_node::{
    engine::{Offence, PeerAction, PeerUsage, Verdict},
    store::memory::MemoryKv,
    wire::{Request, Response},
};
use chain_core::{block::Block, error::RuleError, transaction::Transaction, units::Amount};

use super::{Context, World};
use crate::{
    attack::Strategy,
    model::Latency,
    oracle::Invariant,
    plan::{ModelName, Overrides, Plan, Topology},
    runner::guarded,
};

/// Four nodes, nothing that goes wrong.
pub(super) fn calm(seed: u64) -> World {
    let model = Some(ModelName::Synchronous);
    let overrides = Overrides { nodes: Some(4), blocks: Some(8), model, attack: Some(None), ..Overrides::default() };
    let plan = Plan {
        latency: Latency::Constant(100),
        loss: 0.0,
        duplication: 0.0,
        reordering: 0.0,
        busy: 0.0,
        topology: Topology::Complete,
        shares: vec![0.4, 0.3, 0.3, 0.0],
        skews: vec![0; 4],
        faults: Vec::new(),
        transactions: 1.0,
        sync: true,
        ..Plan::draw(seed, &overrides)
    };
    World::new(plan, false)
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
    assert_eq!(broken_by(3, Acts(forgets)), Some(Invariant::Protocol));
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

#[test]
fn branches_that_do_not_meet_are_reported() {
    let mut world = calm(1);
    world.plan.shares = vec![0.25; 4];
    world.begin();
    world.split(vec![0, 0, 1, 1]);
    let is_short = |world: &World| {
        let mut engines = world.nodes.iter().filter_map(|node| node.engine.as_ref());
        engines.any(|engine| engine.store().tip().height < 8) || world.now == 0
    };
    while is_short(&world) {
        world.step();
    }
    world.check_ties();
    assert_eq!(world.violation.map(|violation| violation.invariant), Some(Invariant::CommonPrefix));
}
