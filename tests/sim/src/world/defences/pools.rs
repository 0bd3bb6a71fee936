//! Attacks on what nodes keep of transactions that cannot be mined yet.

use cairn_node::{
    engine::{PeerEvent, PeerId},
    mempool::{EntryStatus, MempoolConfig},
    wire::Response,
};
use chain_core::{codec, hash::TxId, state::StateView, transaction::Transaction};
use std::collections::BTreeSet;

use super::{Flaw, SEEDS, broken, plan};
use crate::{
    attack::{Filler, Kept, Kind, Strategy},
    oracle::Invariant,
    plan::Plan,
    runner::guarded,
    stats::Most,
    world::{Context, World},
};

/// That the memory of nodes with a flaw is filled by an attack, and not without it.
fn fills(attack: Kind, flaw: Flaw) {
    let plan = |seed, attack| Plan { faults: Vec::new(), ..plan(seed, attack) };
    assert_eq!(broken((0..SEEDS).map(|seed| plan(seed, Some(attack))), flaw), Some(Invariant::Memory));
    assert_eq!(broken((0..SEEDS).map(|seed| plan(seed, None)), flaw), None);
}

/// Keeps every transaction whose parent it lacks.
#[derive(Default)]
struct Adopts(BTreeSet<TxId>);

impl Strategy for Adopts {
    fn receive(&mut self, context: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let PeerEvent::Response(_, Ok(Response::Transactions(came))) = &event else { return Some(event) };
        let Some(engine) = context.engine() else { return Some(event) };
        for transaction in came.iter().filter_map(|bytes| codec::decode::<Transaction>(bytes).ok()) {
            let Transaction::Coin(tx) = &transaction else { continue };
            let lacks = tx.inputs.iter().any(|input| {
                !engine.mempool().contains(&input.txid) && !matches!(engine.store().view().coin(input), Ok(Some(_)))
            });
            if lacks {
                self.0.insert(tx.txid());
            }
        }
        Some(event)
    }

    fn keeps(&self) -> Kept {
        Kept { orphans: self.0.len(), ..Kept::default() }
    }
}

#[test]
fn orphans_fill_nodes_that_keep_each() {
    fills(Kind::Censor, || Box::<Adopts>::default());
}

/// Keeps every transaction that waited for a nonce when it came, although another takes its place.
#[derive(Default)]
struct Collects {
    came: Vec<TxId>,
    waiting: BTreeSet<TxId>,
}

impl Strategy for Collects {
    fn receive(&mut self, context: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if let Some(engine) = context.engine() {
            let waits = |txid: &TxId| engine.mempool().get(txid).is_some_and(|it| it.status == EntryStatus::Queued);
            self.waiting.extend(self.came.drain(..).filter(waits));
        }
        if let PeerEvent::Response(_, Ok(Response::Transactions(came))) = &event {
            let decoded = came.iter().filter_map(|bytes| codec::decode::<Transaction>(bytes).ok());
            self.came.extend(decoded.map(|transaction| transaction.txid()));
        }
        Some(event)
    }

    fn keeps(&self) -> Kept {
        Kept { waiting: self.waiting.len(), ..Kept::default() }
    }
}

#[test]
fn gaps_of_nonces_fill_nodes_that_keep_all_that_waits() {
    fills(Kind::Gapper, || Box::<Collects>::default());
}

/// Few nodes, of which the last fills the pools of the others.
fn filled(seed: u64, pool_bytes: usize) -> Most {
    let plan = Plan { blocks: 8, pool_bytes, faults: Vec::new(), slow: None, ..plan(seed, Some(Kind::Filler)) };
    let (first, nodes) = (plan.honest(), plan.nodes);
    let world =
        (first..nodes).fold(World::new(plan, false), |world, node| world.with(node, Box::new(Filler::of_many())));
    let outcome = guarded(world);
    assert_eq!(outcome.violation, None, "seed {seed}");
    outcome.stats.most
}

#[test]
fn a_filler_fills_pools_up_to_the_limits_of_an_account_of_chains_and_of_their_size() {
    // 1,024 of one account, and 25 from each of eight coins.
    let most = filled(1, MempoolConfig::default().max_bytes);
    assert!(most.pool >= 1_024 + 8 * 25, "{most:?}");
    assert!(most.comparison >= 2, "{most:?}");
    // Some 1,500 bytes each.
    let most = filled(2, 1 << 20);
    assert!((500..1_000).contains(&most.pool), "{most:?}");
}
