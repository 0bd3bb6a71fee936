//! Attacks on engines that lack a defence: what each attack is after is seen to happen, and not to happen without it.

mod pools;
mod sync;

use cairn_lab::network::MessageFaults;
use cairn_node::{
    engine::{Offence, PeerAction, PeerEvent, PeerId, PeerWork, RequestId},
    store::BlockRef,
    wire::{Request, Response},
};
use chain_core::{
    codec,
    error::RuleError,
    execute::withdrawal_outpoint,
    hash::{BlockHash, TxId},
    transaction::{Transaction, coin::Output},
    units::Amount,
};
use std::collections::{BTreeMap, BTreeSet};

use super::{Context, World, sabotage::calm};
use crate::{
    attack::{Kind, Strategy},
    chain::{CHEATING, withdrawn},
    oracle::Invariant,
    plan::{Fault, ModelName, Overrides, Plan, Topology},
    runner::guarded,
};

/// Histories in which an attack is tried.
const SEEDS: u64 = 12;

/// What an engine does that lacks a defence.
type Flaw = fn() -> Box<dyn Strategy>;

/// A history in which nothing goes wrong but that one node is apart for a while, and has to catch up.
fn plan(seed: u64, attack: Option<Kind>) -> Plan {
    let model = Some(ModelName::Synchronous);
    let overrides = Overrides { nodes: Some(6), blocks: Some(12), model, attack: Some(attack), ..Overrides::default() };
    let plan = Plan::draw(seed, &overrides);
    let apart = (0..plan.nodes).map(|node| u8::from(node == 0)).collect();
    Plan {
        messages: MessageFaults { loss: 0.0, duplication: 0.0, ..plan.messages },
        skews: vec![0; plan.nodes],
        faults: vec![(5_000, Fault::Partition(apart)), (70_000, Fault::Heal)],
        ..plan
    }
}

/// What breaks first in these histories if all honest nodes, taken for such, have the flaw.
fn broken(plans: impl Iterator<Item = Plan>, flaw: Flaw) -> Option<Invariant> {
    let mut broken = plans.filter_map(|plan| {
        let mut world = World::new(plan, false);
        let honest = world.plan.honest();
        world.nodes[..honest].iter_mut().for_each(|node| node.strategy = Some(flaw()));
        guarded(world).violation.map(|violation| violation.invariant)
    });
    broken.next()
}

/// That an invariant breaks by the attack and the flaw together, and not by the flaw alone.
fn breaks(attack: Kind, flaw: Flaw, invariant: Invariant) {
    assert_eq!(broken((0..SEEDS).map(|seed| plan(seed, Some(attack))), flaw), Some(invariant));
    assert_eq!(broken((0..SEEDS).map(|seed| plan(seed, None)), flaw), None);
}

/// Forwards the first form of each block, before it knows that it is true.
#[derive(Default)]
struct Forwards(BTreeSet<BlockHash>);

impl Strategy for Forwards {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if let PeerEvent::Gossip(_, compact) = &event
            && self.0.insert(compact.header.hash())
        {
            for other in context.peers().into_iter().filter(|other| *other != peer) {
                context.gossip(other, compact);
            }
        }
        Some(event)
    }
}

#[test]
fn false_forms_make_nodes_ban_each_other_that_forward_what_they_have_not_seen_whole() {
    breaks(Kind::FalseForms, || Box::<Forwards>::default(), Invariant::Blame);
}

/// Never asks for a block again once a false body of it came.
#[derive(Default)]
struct Condemns {
    asked: BTreeMap<RequestId, Vec<BlockHash>>,
    condemned: BTreeSet<BlockHash>,
}

impl Strategy for Condemns {
    fn receive(&mut self, _: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if let PeerEvent::Response(id, Ok(Response::Blocks(bodies))) = &event {
            let asked = self.asked.remove(id).unwrap_or_default();
            for (hash, body) in asked.into_iter().zip(bodies.clone()) {
                if !body.into_decoded().is_ok_and(|(block, _)| block.matches_merkle_root()) {
                    self.condemned.insert(hash);
                }
            }
        }
        Some(event)
    }

    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        if let PeerAction::Request(_, id, Request::Blocks(hashes)) = &action {
            if hashes.iter().any(|hash| self.condemned.contains(hash)) {
                return None;
            }
            self.asked.insert(*id, hashes.clone());
        }
        Some(action)
    }
}

#[test]
fn false_bodies_keep_a_block_from_nodes_that_hold_them_against_its_hash() {
    breaks(Kind::Mutator, || Box::<Condemns>::default(), Invariant::CommonPrefix);
}

/// Asks for a transaction once, however many announce it, and compares no pools.
#[derive(Default)]
struct AsksOnce(BTreeSet<TxId>);

impl Strategy for AsksOnce {
    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Request(_, _, Request::Pool { .. }) => None,
            PeerAction::Request(peer, id, Request::Transactions(mut names)) => {
                names.retain(|name| self.0.insert(*name));
                (!names.is_empty()).then_some(PeerAction::Request(peer, id, Request::Transactions(names)))
            }
            action => Some(action),
        }
    }
}

/// One node alone mines, so that it must hear of what the others take, and it is far from most of them but not from attackers. What
/// must be mined is handed in soon, when those have not been banned yet.
fn one_miner(seed: u64, attack: Option<Kind>) -> Plan {
    let mut plan =
        Plan { topology: Topology::Ring, faults: Vec::new(), blocks: 2, transactions: 0.1, ..plan(seed, attack) };
    plan.shares = vec![0.0; plan.nodes];
    plan.shares[1] = 1.0;
    plan
}

/// That an attack keeps a transaction from the miner that asks for each only once.
fn censors(attack: Kind) {
    let flaw: Flaw = || Box::<AsksOnce>::default();
    let invariant = broken((0..SEEDS).map(|seed| one_miner(seed, Some(attack))), flaw);
    assert_eq!(invariant, Some(Invariant::Liveness));
    assert_eq!(broken((0..SEEDS).map(|seed| one_miner(seed, None)), flaw), None);
}

#[test]
fn silence_keeps_transactions_from_nodes_that_ask_once() {
    censors(Kind::Censor);
}

#[test]
fn wrong_signatures_keep_transactions_from_nodes_that_ask_once() {
    censors(Kind::BadSigner);
}

/// Holds it against a peer that nothing came of what it announced.
#[derive(Default)]
struct Strict;

impl Strategy for Strict {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        if matches!(&event, PeerEvent::Response(_, Ok(Response::Transactions(came))) if came.is_empty()) {
            context.perform(PeerAction::Penalize(peer, Offence::Doubled("nothing")));
        }
        Some(event)
    }
}

#[test]
fn replacing_without_end_makes_nodes_ban_each_other_that_expect_what_was_announced() {
    breaks(Kind::Churner, || Box::<Strict>::default(), Invariant::Blame);
}

/// Takes a coin of a withdrawal for what the same call withdrew on its own branch, as if its name did not say what it holds.
#[derive(Default)]
struct Nominal {
    calls: BTreeMap<TxId, Amount>,
}

impl Strategy for Nominal {
    fn new_tip(&mut self, context: &mut Context<'_>, connected: &[BlockHash]) {
        let Some(engine) = context.engine() else { return };
        for hash in connected {
            let Some(height) = engine.chain().tree().get(hash).map(|header| header.height) else { continue };
            let Ok(Some(block)) = engine.store().body(BlockRef { height, hash: *hash }) else { continue };
            let Some(coinbase) = block.coinbase() else { continue };
            let amount = withdrawn(&coinbase.beneficiary);
            let calls = block.transactions.iter().filter(|tx| matches!(tx, Transaction::Account(_)));
            self.calls.extend(calls.map(|tx| (tx.txid(), amount)));
        }
    }

    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let PeerEvent::Response(_, Ok(Response::Transactions(came))) = &event else { return Some(event) };
        let lock = context.chain().users[CHEATING].lock;
        // All that the contract may withdraw.
        let amounts = (0..16).map(|miner| withdrawn(&chain_core::Address::repeat_byte(miner)));
        let others: BTreeSet<_> = amounts
            .flat_map(|amount| self.calls.iter().map(move |(call, own)| (*call, *own, amount)))
            .filter(|(_, own, amount)| own != amount)
            .map(|(call, _, amount)| withdrawal_outpoint(call, 0, &Output { amount, lock }))
            .collect();
        let spends = |tx: &Transaction| match tx {
            Transaction::Coin(tx) => tx.inputs.iter().any(|input| others.contains(input)),
            _ => false,
        };
        if came.iter().filter_map(|bytes| codec::decode(bytes).ok()).any(|tx| spends(&tx)) {
            let rule = RuleError::BadCoinSignature { transaction: None };
            context.perform(PeerAction::Penalize(peer, Offence::InvalidTransaction(rule)));
        }
        Some(event)
    }
}

#[test]
fn withdrawals_that_differ_by_branch_make_nodes_ban_each_other_that_know_them_by_the_call_alone() {
    breaks(Kind::ForkSpender, || Box::<Nominal>::default(), Invariant::Blame);
}

/// Never learns that a peer is gone.
struct Remembers;

impl Strategy for Remembers {
    fn receive(&mut self, _: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        Some(event).filter(|event| !matches!(event, PeerEvent::Disconnected))
    }
}

#[test]
fn ever_new_identities_fill_nodes_that_remember_the_old_ones() {
    let plan = |attack| {
        let plan = plan(1, attack);
        Plan { faults: Vec::new(), ..plan }
    };
    assert_eq!(broken(std::iter::once(plan(Some(Kind::Sybil))), || Box::new(Remembers)), Some(Invariant::Memory));
    assert_eq!(broken(std::iter::once(plan(None)), || Box::new(Remembers)), None);
}

#[test]
fn expensive_questions_use_up_most_of_what_a_peer_may_cost() {
    let world = || World::new(Plan { faults: Vec::new(), ..plan(1, Some(Kind::Asker)) }, false);
    assert_eq!(guarded(world()).violation, None);
    let mut strict = world();
    strict.most_work = |seconds| PeerWork::most_units(seconds) / 3;
    assert_eq!(guarded(strict).violation.map(|violation| violation.invariant), Some(Invariant::Work));
}

/// Keeps a branch to itself until it has found so many blocks.
struct Hidden(u32);

impl Strategy for Hidden {
    fn found(&mut self, _: &mut Context<'_>, block: chain_core::block::Block) -> Option<chain_core::block::Block> {
        self.0 = self.0.saturating_sub(1);
        Some(block)
    }

    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        if self.0 == 0 {
            return Some(action);
        }
        match action {
            PeerAction::Gossip(_) | PeerAction::Request(_, _, Request::Status(_)) | PeerAction::Disconnect(..) => None,
            PeerAction::Respond(peer, id, Response::Status(status)) => {
                let best = context.chain().hash;
                let status = cairn_node::wire::Status { best, height: 0, work: chain_core::U256::ZERO, ..status };
                Some(PeerAction::Respond(peer, id, Response::Status(status)))
            }
            PeerAction::Respond(peer, id, Response::Headers(_)) => {
                Some(PeerAction::Respond(peer, id, Response::Headers(Vec::new())))
            }
            action => Some(action),
        }
    }
}

#[test]
fn a_long_branch_that_others_leave_in_a_good_network_is_reported() {
    let mut world = calm(1);
    world.plan.shares = vec![0.6, 0.4, 0.0, 0.0];
    world.plan.blocks = 60;
    world.nodes[0].strategy = Some(Box::new(Hidden(40)));
    assert_eq!(guarded(world).violation.map(|violation| violation.invariant), Some(Invariant::CommonPrefix));
}
