//! What an attacker can do: whatever its node can, and say whatever it likes.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{Engine, Event, InboundId, PeerAction, PeerEvent, PeerId, RequestId, Time},
    wire::{CompactBlock, Request, Response},
};
use chain_core::{block::Block, transaction::Transaction};
use std::sync::Arc;

use super::{
    Happening, Message, World,
    driver::{ATTACKER, MINED},
    links::name,
    shell::{OWN, encode},
};
use crate::{attack::Strategy, chain::Chain, node::open, stats::Stats};

/// A strategy's hands: the world, seen from its node.
pub struct Context<'a> {
    world: &'a mut World,
    node: usize,
    /// What happens once the strategy has done.
    later: Vec<Later>,
}

/// What a strategy has happen once it has done.
enum Later {
    /// An event for an engine.
    Event(usize, Event),
    /// Its node finds a block.
    Find,
}

impl World {
    /// Lets a node's strategy act, if it has one.
    pub(crate) fn consult<T>(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut dyn Strategy, &mut Context<'_>) -> T,
    ) -> Option<T> {
        let mut strategy = self.nodes[node].strategy.take()?;
        let mut context = Context { world: self, node, later: Vec::new() };
        let answer = act(&mut *strategy, &mut context);
        let later = context.later;
        self.nodes[node].strategy = Some(strategy);
        for later in later {
            match later {
                Later::Event(node, event) => self.handle(node, event),
                Later::Find => self.mine_at_once(node),
            }
        }
        Some(answer)
    }

    /// Lets a node's strategy change or swallow something; without one, it passes.
    pub(crate) fn filter<E>(
        &mut self,
        node: usize,
        passing: E,
        act: impl FnOnce(&mut dyn Strategy, &mut Context<'_>, E) -> Option<E>,
    ) -> Option<E> {
        if self.nodes[node].strategy.is_none() {
            return Some(passing);
        }
        self.consult(node, |strategy, context| act(strategy, context, passing)).flatten()
    }

    /// Whether a node passes blocks on to a peer.
    pub(crate) fn forwards(&self, node: usize, peer: PeerId) -> bool {
        let (Some(strategy), Some(other)) = (&self.nodes[node].strategy, self.other_end(node, peer)) else {
            return true;
        };
        strategy.forwards(self.links.eclipsed.contains(&other))
    }

    /// An attacker's timer.
    pub(super) fn attack_timer(&mut self, node: usize, start: u64) {
        if self.nodes[node].starts == start && self.nodes[node].engine.is_some() {
            self.consult(node, |strategy, context| strategy.timer(context));
        }
    }
}

impl Context<'_> {
    /// Milliseconds from the start.
    pub fn now(&self) -> u64 {
        self.world.now
    }

    /// What the node's wall clock shows.
    pub fn clock(&self) -> Time {
        self.world.clock(self.node).wall
    }

    /// Which member of finality the node is, if it is one.
    pub fn member(&self) -> Option<u8> {
        self.world.nodes[self.node].member
    }

    /// The node's number.
    pub fn node(&self) -> usize {
        self.node
    }

    /// The chain.
    pub fn chain(&self) -> Arc<Chain> {
        self.world.chain.clone()
    }

    /// Chance.
    pub fn random(&mut self) -> &mut Random {
        &mut self.world.chances.attack
    }

    /// Statistics, for what only the attacker knows.
    pub fn stats(&mut self) -> &mut Stats {
        &mut self.world.stats
    }

    /// The node's own engine.
    pub fn engine(&mut self) -> Option<&mut Engine> {
        self.world.nodes[self.node].engine.as_mut()
    }

    /// Another engine on a database of its own, connected with nobody.
    pub fn new_engine(&mut self) -> Option<Engine> {
        let seed = self.random().word();
        open(&Default::default(), &self.world.chain, &self.world.plan, seed, None).ok()
    }

    /// What to put into a block of this node.
    pub fn template_request(&self) -> cairn_node::engine::TemplateRequest {
        self.world.nodes[self.node].request(&self.world.chain)
    }

    /// Connections.
    pub fn peers(&self) -> Vec<PeerId> {
        self.world.nodes[self.node].wire.peers.keys().copied().collect()
    }

    /// Whether a peer is a victim that only attackers reach.
    pub fn is_victim(&self, peer: PeerId) -> bool {
        self.world.other_end(self.node, peer).is_some_and(|other| self.world.links.eclipsed.contains(&other))
    }

    /// Whether the peer is in on it.
    pub fn is_accomplice(&self, peer: PeerId) -> bool {
        self.world.other_end(self.node, peer).is_some_and(|other| !self.world.nodes[other].is_honest())
    }

    /// Hands a block to the own engine, as if it had been mined here.
    pub fn submit(&mut self, block: Block) {
        self.submit_at(self.node, block);
    }

    /// Hands a block to any node, as a miner without a node of its own does.
    pub fn submit_at(&mut self, node: usize, block: Block) {
        self.later.push(Later::Event(node, Event::Block(MINED, block)));
    }

    /// Hands a transaction to the own engine, as a user of the node would.
    pub fn pay(&mut self, transaction: Transaction) {
        self.pay_at(self.node, transaction);
    }

    /// Hands a transaction to any node, as a wallet does.
    pub fn pay_at(&mut self, node: usize, transaction: Transaction) {
        self.later.push(Later::Event(node, Event::Transactions(vec![(ATTACKER, transaction)])));
    }

    /// Hands transactions to any node, all in one call.
    pub fn pay_all_at(&mut self, node: usize, transactions: Vec<Transaction>) {
        let batch = transactions.into_iter().map(|transaction| (ATTACKER, transaction)).collect();
        self.later.push(Later::Event(node, Event::Transactions(batch)));
    }

    /// Some node that keeps the rules.
    pub fn pick_honest(&mut self) -> usize {
        let honest = self.world.plan.honest();
        self.random().index(honest)
    }

    /// Its miner has a block at once, by luck, for experiments that begin with that.
    pub fn find_at_once(&mut self) {
        self.later.push(Later::Find);
    }

    /// Confirmations that merchants wait for, if the plan says.
    pub fn confirmations(&self) -> Option<u32> {
        self.world.plan.confirmations
    }

    /// Hands something that a peer sent to the own engine, however long ago that was.
    pub fn hear(&mut self, peer: PeerId, event: PeerEvent) {
        self.later.push(Later::Event(self.node, Event::Peer(peer, event)));
    }

    /// A block of its own that everybody may hear of.
    pub fn note_find(&mut self, block: &Block) {
        self.world.note_find(self.node, block);
    }

    /// Headers of its own that solve their difficulty, so that others may have to store them.
    pub fn note_headers(&mut self, count: usize) {
        self.world.cheap_headers += count;
    }

    /// Asks a peer something. The answer reaches nobody.
    pub fn ask(&mut self, peer: PeerId, request: Request) {
        let id = RequestId(OWN + self.world.links.number());
        self.world.do_for(self.node, PeerAction::Request(peer, id, request));
    }

    /// Answers a peer in the engine's place.
    pub fn respond(&mut self, peer: PeerId, id: InboundId, response: Response) {
        self.world.do_for(self.node, PeerAction::Respond(peer, id, response));
    }

    /// Sends a block to one peer.
    pub fn gossip(&mut self, peer: PeerId, block: &CompactBlock) {
        if let Ok(bytes) = encode(block) {
            self.world.gossip_to(self.node, peer, bytes);
        }
    }

    /// Does in the engine's place what one may want of the network.
    #[cfg(test)]
    pub(crate) fn perform(&mut self, action: PeerAction) {
        self.world.do_for(self.node, action);
    }

    /// Ends a connection.
    pub fn hang_up(&mut self, peer: PeerId) {
        self.world.hang_up(self.node, peer);
    }

    /// Sends bytes to a peer that are no message.
    pub fn babble(&mut self, peer: PeerId, gossip: bool) {
        let bytes: Arc<[u8]> = Arc::from(self.random().bytes().map(|byte| byte | 0xf0).as_slice());
        let message = match gossip {
            true => Message::Gossip(bytes),
            false => Message::Request(RequestId(OWN + self.world.links.number()), bytes),
        };
        self.world.send(self.node, peer, message);
    }

    /// Sets the timer.
    pub fn wake_after(&mut self, milliseconds: u64) {
        let (node, start) = (self.node, self.world.nodes[self.node].starts);
        self.world.queue.plan(self.world.now + milliseconds.max(1), Happening::Timer { node, start });
    }

    /// Notes something.
    pub fn log(&mut self, what: impl FnOnce() -> String) {
        self.world.log.line(self.world.now, name(self.node), what);
    }
}
