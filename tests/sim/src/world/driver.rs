//! What the engine's thread does in a node: events in, actions out, timers.

use cairn_node::{
    engine::{Action, Engine, Event, NodeEvent, PeerId, PeerUsage, PeerWork, Reply},
    mempool::{MempoolConfig, MempoolStats},
};
use std::{collections::BTreeMap, ops::ControlFlow};

use super::{Happening, Phase, World, links::name};
use crate::{attack::Kind, chain::USERS, node::open, oracle::Invariant, stats::Most};

/// Seconds over which work for a peer is added up.
const WORK_SPAN: u64 = 10;

/// Questions that an engine may ask one peer in that time. An honest one asks for blocks and transactions as often as answers come:
/// some ten a round trip of a few milliseconds while there is much, a fraction of that otherwise.
pub(super) const ASKED: u64 = 600;

/// Blocks that a reorganisation may go back in a network that keeps its bound and that nobody attacks.
const DEPTH: usize = 12;

/// Ticks that may come without waiting, in one second.
const HURRIED: u32 = 1_000;

/// Headers that nobody mined but a flood, and that were worth more than a node's own chain when that was short.
const CHEAP_HEADERS: usize = 500;

/// Names the blocks of a node's own miner.
pub(super) const MINED: u64 = 1;

/// Names what users hand in.
pub(super) const PAID: u64 = 2;

/// Names what attackers hand in.
pub(super) const ATTACKER: u64 = 3;

impl World {
    /// A process starts, on whatever its disk holds.
    pub(super) fn start(&mut self, node: usize) {
        if self.nodes[node].engine.is_some() || self.nodes[node].gone {
            return;
        }
        let seed = self.chances.nodes.word();
        self.nodes[node].kv.set_faults(Default::default());
        let engine = match open(&self.nodes[node].kv, &self.chain, &self.plan, seed, self.member_key(node)) {
            Ok(engine) => engine,
            Err(error) => return self.fail(Invariant::Storage, format!("{} does not start: {error}", name(node))),
        };
        let tip = engine.store().tip();
        self.log.line(self.now, name(node), || format!("starts at {} {}", tip.height, tip.hash));
        if tip.height > 0 && self.oracle.facts(&tip.hash).is_none() {
            return self
                .fail(Invariant::Storage, format!("{} starts on {}, which never was a tip", name(node), tip.hash));
        }
        let state = &mut self.nodes[node];
        state.engine = Some(engine);
        state.told = tip.hash;
        state.failing = false;
        state.starts += 1;
        let start = state.starts;
        state.next_tick = self.now + self.chances.nodes.below(self.plan.tick);
        let (tick, dial) = (state.next_tick, self.now + self.chances.nodes.below(2_000));
        self.queue.plan(tick, Happening::Tick { node, start });
        self.queue.plan(dial, Happening::Dial { node, start });
        if !self.nodes[node].is_honest() {
            self.queue.plan(dial, Happening::Timer { node, start });
        }
        self.handle(node, Event::Continue);
    }

    /// An event for an engine, and all that follows from it at once.
    pub(crate) fn handle(&mut self, node: usize, event: Event) {
        if self.is_busy(node) {
            self.postpone(node, event);
        } else {
            self.handle_at_once(node, event);
        }
    }

    pub(super) fn handle_at_once(&mut self, node: usize, event: Event) {
        let mut next = Some(event);
        while let Some(event) = next.take() {
            let now = self.clock(node);
            match self.turn(node, |engine| engine.handle(event, now)) {
                ControlFlow::Continue(more) => next = more,
                ControlFlow::Break(()) => return,
            }
        }
        self.after(node);
    }

    /// An engine does something, and what it wants is done. Answers how it goes on; breaks off if it does not.
    pub(super) fn turn(
        &mut self,
        node: usize,
        act: impl FnOnce(&mut Engine) -> Vec<Action>,
    ) -> ControlFlow<(), Option<Event>> {
        let (signed, units) = (self.signed(node), self.units(node));
        let Some(engine) = self.nodes[node].engine.as_mut() else { return ControlFlow::Break(()) };
        self.stats.events += 1;
        let actions = act(engine);
        if self.crashes_at_vote(node, &signed) {
            self.crash_at_vote(node, actions);
            return ControlFlow::Break(());
        }
        self.spend(node, units, &actions);
        let mut more = false;
        for action in actions {
            more |= self.perform(node, action);
            if self.has_failed() {
                return ControlFlow::Break(());
            }
        }
        ControlFlow::Continue(more.then(|| self.delay_or_continue(node)).flatten())
    }

    /// Goes on at once, or after other events that come in the meantime.
    fn delay_or_continue(&mut self, node: usize) -> Option<Event> {
        if self.is_busy(node) {
            self.postpone(node, Event::Continue);
            return None;
        }
        if self.plan.busy == 0.0 || !self.chances.nodes.chance(self.plan.busy) {
            return Some(Event::Continue);
        }
        let start = self.nodes[node].starts;
        let at = self.now + self.chances.nodes.between(1, 50);
        self.queue.plan(at, Happening::Continue { node, start });
        None
    }

    pub(super) fn go_on(&mut self, node: usize, start: u64) {
        if self.nodes[node].starts == start {
            self.handle(node, Event::Continue);
        }
    }

    /// After events: the next tick may be due sooner, and the miner may have another tip.
    fn after(&mut self, node: usize) {
        let Some(engine) = self.nodes[node].engine.as_ref() else { return };
        let (wake, usage, headers) = (engine.wake_at(), engine.peer_usage(), engine.chain().headers());
        let pool = engine.mempool().stats();
        self.check_pool(node, &usage, &pool);
        self.check_memory(node, &usage, headers);
        self.check_finality(node);
        if let Some(wake) = wake {
            let at = self.now + wake.since(self.clock(node).steady).max(1);
            self.plan_tick(node, at);
        }
        self.mine_on(node);
    }

    /// What peers make an engine remember is bounded, whatever they do.
    fn check_memory(&mut self, node: usize, usage: &PeerUsage, headers: usize) {
        let peers = self.nodes[node].wire.peers.len() + self.unnoticed(node);
        let over = usage.over(&(self.most)(peers));
        if !over.is_empty() {
            let detail = format!("{} keeps too many {} of {peers} peers: {usage:?}", name(node), over.join(", "));
            return self.fail(Invariant::Memory, detail);
        }
        // Forgers make another block of each that they find.
        // A node that knows no long chain yet may have to store what somebody paid for.
        let is_late = self.plan.late.is_some_and(|late| late.node == node);
        let before = 2 * self.plan.past as usize + if is_late { self.cheap_headers } else { 0 };
        if self.nodes[node].is_honest() && headers > before + 1 + 2 * self.stats.found as usize + CHEAP_HEADERS {
            let detail = format!("{} stores {headers} headers, {} blocks were found", name(node), self.stats.found);
            self.fail(Invariant::Memory, detail);
        }
    }

    /// The pool and what waits for others are bounded too.
    fn check_pool(&mut self, node: usize, usage: &PeerUsage, pool: &MempoolStats) {
        if !self.nodes[node].is_honest() {
            return;
        }
        self.stats.most.merge(&Most {
            pool: pool.transactions,
            comparison: self.nodes[node].compared.1,
            orphans: usage.orphans,
            partials: usage.partials,
            bodies: usage.bodies,
            checkpoints: usage.checkpoints,
            backlog: 0,
        });
        let kept = self.nodes[node].strategy.as_ref().map(|strategy| strategy.keeps()).unwrap_or_default();
        let config = MempoolConfig::default();
        // Behind a gap there are no more than may be ahead of it, unless the gap came later.
        let fills = self.plan.attackers.contains(&Kind::Filler);
        let most_waiting = USERS * if fills { config.per_sender } else { config.nonce_gap as usize };
        let waiting = pool.transactions - pool.pending + kept.waiting;
        let orphans = usage.orphans + kept.orphans;
        if pool.bytes > pool.max_bytes || waiting > most_waiting || orphans > (self.most)(0).orphans {
            let detail = format!("{} keeps {waiting} without their nonces, {orphans} orphans, {pool:?}", name(node));
            self.fail(Invariant::Memory, detail);
        }
    }

    fn plan_tick(&mut self, node: usize, at: u64) {
        let state = &mut self.nodes[node];
        if at < state.next_tick {
            state.next_tick = at;
            self.queue.plan(at, Happening::Tick { node, start: state.starts });
        }
    }

    /// An engine's timer.
    pub(super) fn tick(&mut self, node: usize, start: u64) {
        let now = self.now;
        let state = &mut self.nodes[node];
        if state.starts != start || state.engine.is_none() || state.next_tick != now {
            return;
        }
        let second = now / 1_000;
        state.hurry = if state.hurry.0 == second { (second, state.hurry.1 + 1) } else { (second, 0) };
        if state.hurry.1 > HURRIED {
            return self.fail(Invariant::Sanity, format!("{} is woken without end", name(node)));
        }
        state.next_tick = now + self.plan.tick;
        self.queue.plan(now + self.plan.tick, Happening::Tick { node, start });
        self.time_out(node);
        self.handle(node, Event::Tick);
        self.check_work(node);
    }

    /// What each peer makes an engine do in a few seconds is bounded, whatever it says.
    fn check_work(&mut self, node: usize) {
        let Some(engine) = self.nodes[node].engine.as_ref().filter(|_| self.nodes[node].is_honest()) else { return };
        let now: BTreeMap<PeerId, PeerWork> = engine.peer_work().collect();
        let before = &mut self.nodes[node].worked;
        before.retain(|peer, _| now.contains_key(peer));
        let mut most = (0, 0);
        for (peer, work) in now {
            let (since, earlier) = *before.entry(peer).or_insert((self.now, PeerWork::default()));
            if self.now - since < WORK_SPAN * 1_000 {
                continue;
            }
            let (units, asked) = (work.units() - earlier.units(), work.asked - earlier.asked);
            most = (most.0.max(units), most.1.max(asked));
            before.insert(peer, (self.now, work));
        }
        let (units, asked) = most;
        self.stats.work = (self.stats.work.0.max(units), self.stats.work.1.max(asked));
        if units > (self.most_work)(WORK_SPAN + 1) {
            let detail = format!("{} does work of {units} units for one peer in {WORK_SPAN} s", name(node));
            return self.fail(Invariant::Work, detail);
        }
        if asked > self.most_asked {
            let detail = format!("{} asks one peer {asked} questions in {WORK_SPAN} s", name(node));
            self.fail(Invariant::Work, detail);
        }
    }

    /// Does what an engine wants; answers whether it has more to do.
    fn perform(&mut self, node: usize, action: Action) -> bool {
        match action {
            Action::Continue => return true,
            Action::Peer(action) => {
                let wanted = self.filter(node, action, |strategy, context, action| strategy.act(context, action));
                if let Some(action) = wanted {
                    self.do_for(node, action);
                }
            }
            Action::Publish(event) => self.publish(node, event),
            Action::Reply(ticket, reply) => self.answer(node, ticket, reply),
            Action::Fatal(message) => self.stop(node, &message),
        }
        false
    }

    pub(super) fn publish(&mut self, node: usize, event: NodeEvent) {
        let (info, disconnected, connected) = match event {
            NodeEvent::NewTip { info, disconnected, connected, .. } => (info, disconnected, connected),
            NodeEvent::TransactionAdded(txid) => {
                return self.log.line(self.now, name(node), || format!("pools {txid}"));
            }
            NodeEvent::TransactionRemoved(txid, reason) => {
                return self.log.line(self.now, name(node), || format!("drops {txid}: {reason:?}"));
            }
            NodeEvent::TransactionReady(_)
            | NodeEvent::Resubmitted
            | NodeEvent::Progress(..)
            | NodeEvent::TemplateStale => return,
        };
        self.log.mix_bytes(&info.hash.0);
        self.log.line(self.now, name(node), || {
            format!("tip {} {}, {} back, {} on", info.height, info.hash, disconnected.len(), connected.len())
        });
        self.nodes[node].told = info.hash;
        let Some(engine) = self.nodes[node].engine.as_ref() else { return };
        let mut judgement = connected.iter().try_for_each(|hash| self.oracle.connected(engine, *hash));
        if judgement.is_ok() {
            judgement = self.oracle.tip(engine, &info);
        }
        if self.nodes[node].is_honest() {
            self.check_final_blocks(node, info.height, &disconnected);
            self.check_window(node, &info, &disconnected);
            if !disconnected.is_empty() {
                self.stats.reorgs.add(disconnected.len() as u64);
            }
            if disconnected.len() > DEPTH
                && self.phase == Phase::Rough
                && self.plan.is_timely()
                && self.plan.attackers.is_empty()
            {
                let detail = format!("{} leaves {} blocks of its chain", name(node), disconnected.len());
                return self.fail(Invariant::CommonPrefix, detail);
            }
            for hash in &*connected {
                if let Some(find) = self.oracle.find(hash).filter(|find| find.miner != node) {
                    self.stats.propagation.add(self.now.saturating_sub(find.at));
                }
            }
        }
        // Gossip did not bring those that were downloaded.
        connected.iter().for_each(|hash| self.forks.heard(node, hash, self.now));
        self.forks.moved(node, info.height, self.now);
        self.judge(judgement);
        self.consult(node, |strategy, context| strategy.new_tip(context, &connected));
    }

    fn answer(&mut self, node: usize, ticket: u64, reply: Reply) {
        match reply {
            Reply::Block(Err(error))
                if ticket == MINED && self.nodes[node].is_honest() && !self.nodes[node].failing =>
            {
                self.fail(Invariant::Template, format!("{} mined in vain: {error}", name(node)));
            }
            Reply::Block(result) => self.log.line(self.now, name(node), || format!("own block: {result:?}")),
            Reply::Transaction(result) => {
                self.log.line(self.now, name(node), || format!("transaction: {result:?}"));
                if let (PAID, Ok(txid)) = (ticket, result) {
                    self.paid(txid);
                }
            }
        }
    }

    /// Storage failed: the process ends, and is started again when somebody has looked after the disk.
    fn stop(&mut self, node: usize, message: &str) {
        self.log.line(self.now, name(node), || format!("stops: {message}"));
        if !self.nodes[node].failing {
            return self.fail(Invariant::Storage, format!("{} fails: {message}", name(node)));
        }
        let down = self.chances.nodes.between(1_000, 60_000);
        self.crash(node, false, down);
    }
}
