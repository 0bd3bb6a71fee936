//! Attacks on how nodes follow the chain.

use cairn_node::{
    engine::{Offence, PeerAction, PeerEvent, PeerId},
    wire::Request,
};
use chain_core::error::RuleError;

use super::{SEEDS, broken, plan};
use crate::{
    attack::{Kind, Strategy},
    oracle::Invariant,
    past::Late,
    plan::{Overrides, Plan, Topology},
    runner::guarded,
    stats::Most,
    world::{Context, World},
};

/// Asks one peer alone for blocks, the first that it asked, and gives it up for nothing.
#[derive(Default)]
struct Loyal(Option<PeerId>);

impl Strategy for Loyal {
    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match &action {
            PeerAction::Request(peer, _, Request::Blocks(_)) => {
                let peers = context.peers();
                let first = *self.0.take_if(|first| peers.contains(first)).as_ref().unwrap_or(peer);
                self.0 = Some(first);
                (first == *peer).then_some(action)
            }
            PeerAction::Disconnect(..) | PeerAction::Penalize(..) => None,
            _ => Some(action),
        }
    }
}

/// A node has to fetch some hundred blocks.
fn late(seed: u64, attack: Option<Kind>) -> Plan {
    let late = Some(Late { node: 1, at: 5_000, stale: false });
    let mut plan = Plan {
        past: 400,
        late,
        indexes: false,
        faults: Vec::new(),
        topology: Topology::Complete,
        busy: 0.0,
        ..plan(seed, attack)
    };
    plan.shares[0] += std::mem::take(&mut plan.shares[1]);
    plan
}

#[test]
fn a_staller_holds_up_nodes_that_ask_nobody_else() {
    let flaw = || Box::<Loyal>::default() as Box<dyn Strategy>;
    let attacked = (0..SEEDS).map(|seed| late(seed, Some(Kind::Staller)));
    assert_eq!(broken(attacked, flaw), Some(Invariant::Liveness));
    assert_eq!(broken((0..SEEDS).map(|seed| late(seed, None)), flaw), None);
}

/// Holds it against a peer that a block is ahead of its own clock.
struct Punctual;

impl Strategy for Punctual {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if let PeerEvent::Gossip(_, compact) = &event {
            let latest = context.clock().seconds() + u64::from(context.chain().spec.max_future);
            if u64::from(compact.header.time) > latest {
                let rule = RuleError::BadCoinSignature { transaction: None };
                context.perform(PeerAction::Penalize(peer, Offence::InvalidBlock(rule)));
            }
        }
        Some(event)
    }
}

/// The clocks of the attacker and of every other node are ahead, as far as honest ones may be.
fn clocks(seed: u64, attack: Option<Kind>) -> Plan {
    let mut plan = Plan { faults: Vec::new(), topology: Topology::Complete, ..plan(seed, attack) };
    let honest = plan.honest();
    plan.skews = (0..plan.nodes).map(|node| if node >= honest || node % 2 == 1 { 45_000 } else { 0 }).collect();
    plan
}

#[test]
fn the_latest_times_make_nodes_ban_each_other_that_hold_them_against_who_passes_them_on() {
    let flaw = || Box::new(Punctual) as Box<dyn Strategy>;
    let attacked = (0..SEEDS).map(|seed| clocks(seed, Some(Kind::Timekeeper)));
    assert_eq!(broken(attacked, flaw), Some(Invariant::Blame));
    assert_eq!(broken((0..SEEDS).map(|seed| clocks(seed, None)), flaw), None);
}

/// What honest nodes had at most in some histories, in which nothing broke.
fn most(kind: Kind, share: Option<f64>) -> Most {
    let mut most = Most::default();
    for seed in 0..4 {
        let overrides = Overrides { attack: Some(Some(kind)), share, ..Overrides::default() };
        let outcome = guarded(World::new(Plan::draw(1 + seed, &overrides), false));
        assert_eq!(outcome.violation, None, "seed {}", 1 + seed);
        most.merge(&outcome.stats.most);
    }
    most
}

#[test]
fn a_hoarder_has_nodes_complete_as_many_blocks_at_once_as_they_may() {
    assert_eq!(most(Kind::Hoarder, Some(0.45)).partials, 8);
}

#[test]
fn chains_of_headers_take_several_responses_before_they_are_worth_storing() {
    assert!(most(Kind::LongHeaders, None).checkpoints >= 2);
}
