//! Payments, and how a history ends: the network becomes good, everybody must agree, and the books are audited.

use cairn_node::engine::{Engine, Event};
use chain_core::{hash::TxId, transaction::Transaction};
use std::collections::HashSet;

use super::{Happening, Phase, World, driver::PAID, links::name};
use crate::{node::open, oracle::Invariant, plan::SMALL_POOL, stats::Revenue};

/// Milliseconds and blocks in which a good network must have recovered.
const RECOVERY: u64 = 150_000;
const RECOVERY_BLOCKS: u32 = 8;

/// Milliseconds in which what is known spreads while nobody mines. A tip that came by download is not gossiped: a node that missed
/// its blocks asks for it within some 35 s, and those behind it after that. In a ring of ten, some are five hops away.
const SETTLING: u64 = 5 * 35_000;

/// Blocks that honest nodes may disagree about at the end, while equal work lets them.
const TIES: usize = 6;

/// Of so many histories, one is executed once more from its bodies alone.
const REPLAYED: u64 = 4;

impl World {
    pub(super) fn plan_payment(&mut self) {
        if self.plan.transactions == 0.0 {
            return;
        }
        let mean = self.plan.rules.milliseconds() as f64 / self.plan.transactions;
        let wait = self.chances.traffic.exponential(mean) as u64;
        self.queue.plan(self.now + 1 + wait, Happening::Pay);
    }

    /// Somebody pays somebody, and at times somebody else with the same coin.
    pub(super) fn pay(&mut self) {
        if self.phase == Phase::Quiet {
            return;
        }
        self.plan_payment();
        let rivals = self.phase == Phase::Rough;
        let Some(node) = self.running_node() else { return };
        let Some(engine) = self.nodes[node].engine.as_ref() else { return };
        let Some(payment) = self.traffic.next(engine, &mut self.chances.traffic, rivals) else { return };
        self.hand_in(node, payment.transaction);
        if let (Some(rival), Some(node)) = (payment.rival, self.running_node()) {
            self.hand_in(node, rival);
        }
    }

    fn running_node(&mut self) -> Option<usize> {
        let running: Vec<usize> = self
            .nodes
            .iter()
            .filter(|node| node.is_honest() && node.engine.is_some())
            .map(|node| node.number)
            .collect();
        (!running.is_empty()).then(|| *self.chances.traffic.pick(&running))
    }

    fn hand_in(&mut self, node: usize, transaction: Transaction) {
        self.stats.transactions.0 += 1;
        self.handle(node, Event::Transactions(vec![(PAID, transaction)]));
    }

    /// A node took a payment.
    pub(super) fn paid(&mut self, txid: TxId) {
        self.log.mix_bytes(&txid.0);
        self.stats.transactions.1 += 1;
    }

    /// The last act.
    pub(super) fn finish(&mut self) {
        if self.has_failed() {
            return;
        }
        self.make_good();
        let (start, height) = (self.now, self.height());
        while !self.has_failed() && (self.now < start + RECOVERY || self.height() < height + RECOVERY_BLOCKS) {
            self.step();
            if self.now > start + 40 * RECOVERY {
                return self.fail(Invariant::Liveness, "hardly any block since the network is good".into());
            }
        }
        self.log.line(self.now, "--", || "nobody mines any more".into());
        self.phase = Phase::Quiet;
        self.run_until(self.now + SETTLING);
        self.check_ties();
        self.last_block();
        self.run_until(self.now + SETTLING);
        self.check_agreement();
        self.check_finality_goes_on();
        self.audit();
    }

    /// Partitions heal, clocks are set right, processes start, delays are bounded, attackers' miners stop; users pay what must be mined.
    pub(super) fn make_good(&mut self) {
        self.log.line(self.now, "--", || "the network is good from now on".into());
        self.phase = Phase::Good;
        self.links.partition = None;
        self.links.eclipsed.clear();
        self.clear_ways();
        self.join_honest();
        for node in 0..self.nodes.len() {
            self.nodes[node].kv.set_faults(Default::default());
            self.nodes[node].failing = false;
            self.nodes[node].crash_at_vote = None;
            self.nodes[node].skew = self.plan.skews[node];
            self.consult(node, |strategy, context| strategy.stop(context));
            self.start(node);
        }
        // What waits for a nonce that another node has is the first to go when a pool is full.
        let one = if self.plan.pool_bytes == SMALL_POOL { self.running_node() } else { None };
        for transaction in self.traffic.promises() {
            let txid = transaction.txid();
            if let Some(node) = one.or_else(|| self.running_node()) {
                self.hand_in(node, transaction);
                self.promised.push(txid);
            }
        }
    }

    pub(super) fn honest(&self) -> impl Iterator<Item = (usize, &Engine)> {
        self.nodes
            .iter()
            .filter(|node| node.is_honest())
            .filter_map(|node| node.engine.as_ref().map(|engine| (node.number, engine)))
    }

    /// All honest nodes share all but the last blocks, and know chains of the same work.
    pub(super) fn check_ties(&mut self) {
        if self.has_failed() {
            return;
        }
        let infos: Vec<_> = self.honest().map(|(node, engine)| (node, engine.chain_info())).collect();
        let Some((leader, best)) = infos.iter().max_by_key(|(_, info)| info.work).cloned() else { return };
        for (node, info) in infos {
            let apart = self.oracle.apart(info.hash, best.hash);
            if apart > TIES {
                let detail = format!("{} and {} disagree about {apart} blocks", name(node), name(leader));
                return self.fail(Invariant::CommonPrefix, detail);
            }
            if info.work != best.work {
                let detail = format!(
                    "{} stands at {} {}, {} at {} {}, which has more work",
                    name(node),
                    info.height,
                    info.hash,
                    name(leader),
                    best.height,
                    best.hash
                );
                return self.fail(Invariant::Liveness, detail);
            }
        }
    }

    /// One more block ends all ties.
    fn last_block(&mut self) {
        if self.has_failed() {
            return;
        }
        let best = self.honest().map(|(node, engine)| (engine.chain_info().work, node)).max();
        if let Some((_, node)) = best {
            self.mine_at_once(node);
        }
    }

    /// All honest nodes stand on one tip, and what was promised is in its chain.
    fn check_agreement(&mut self) {
        if self.has_failed() {
            return;
        }
        let tips: Vec<_> = self.honest().map(|(node, engine)| (node, engine.store().tip())).collect();
        let Some((first, tip)) = tips.first().copied() else { return };
        if let Some((other, at)) = tips.iter().find(|(_, at)| *at != tip) {
            let detail = format!("{} stands at {tip:?}, {} at {at:?}", name(first), name(*other));
            return self.fail(Invariant::Liveness, detail);
        }
        let mined: HashSet<TxId> =
            self.oracle.chain_down(tip.hash).flat_map(|(_, facts)| facts.transactions.iter().copied()).collect();
        if let Some(missing) = self.promised.iter().find(|txid| !mined.contains(*txid)) {
            return self.fail(Invariant::Liveness, format!("{missing} was taken and is not mined"));
        }
        let pooled = self.honest().find_map(|(node, engine)| {
            let content = engine.mempool().best(usize::MAX);
            content.into_iter().find(|entry| mined.contains(&entry.txid)).map(|entry| (node, entry.txid))
        });
        if let Some((node, txid)) = pooled {
            self.fail(Invariant::Transactions, format!("{} still has {txid}, which is mined, in its pool", name(node)));
        }
    }

    /// The books of the last tip, and for some histories a node that knows nothing but the bodies.
    fn audit(&mut self) {
        if self.has_failed() {
            return;
        }
        let Some((_, engine)) = self.honest().last() else { return };
        let judgement = self.oracle.audit(engine);
        self.judge(judgement);
        if self.plan.seed.is_multiple_of(REPLAYED) && self.plan.past == 0 {
            self.replay();
        }
    }

    fn replay(&mut self) {
        let Some((_, engine)) = self.honest().next() else { return };
        let tip = engine.store().tip();
        let mut blocks = Vec::new();
        for height in 1..=tip.height {
            let at = engine.store().at_height(height).ok().flatten();
            blocks.extend(at.and_then(|at| engine.store().body(at).ok().flatten()));
        }
        let Ok(mut fresh) = open(&Default::default(), &self.chain, &self.plan, 0, None) else { return };
        let now = self.clock(0);
        for block in blocks {
            fresh.handle(Event::Block(0, block), now);
        }
        fresh.handle(Event::Continue, now);
        if fresh.store().tip() != tip {
            let detail = format!("a replay ends at {:?}, not at {tip:?}", fresh.store().tip());
            return self.fail(Invariant::State, detail);
        }
        let judgement = self.oracle.tip(&fresh, &fresh.chain_info());
        self.judge(judgement);
    }

    /// What the history amounts to.
    pub(super) fn tally(&mut self) {
        self.stats.histories = 1;
        let Some(tip) = self.honest().next().map(|(_, engine)| engine.store().tip()) else { return };
        let (mut kept, mut mined) = (vec![0; self.nodes.len()], HashSet::new());
        let past = self.plan.past;
        for (hash, facts) in self.oracle.chain_down(tip.hash).take_while(|(_, facts)| facts.height > past) {
            self.stats.chain += 1;
            self.stats.mined += facts.transactions.len() as u64;
            mined.extend(facts.transactions.iter().copied());
            if let Some(find) = self.oracle.find(&hash) {
                kept[find.miner] += 1;
            }
        }
        let found = self.oracle.finds_by_miner(self.nodes.len());
        for (node, state) in self.nodes.iter().enumerate() {
            let strategy = state.kind.map_or("honest", |kind| kind.name());
            let chain = self.stats.chain;
            let revenue =
                self.stats.revenue.entry(strategy).or_insert(Revenue { histories: 1, chain, ..Revenue::default() });
            revenue.share += self.plan.shares[node];
            revenue.found += found[node];
            revenue.kept += kept[node];
        }
        for node in 0..self.nodes.len() {
            self.consult(node, |strategy, context| strategy.tally(&mined, context.stats()));
        }
    }
}
