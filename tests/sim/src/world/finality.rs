//! Finality: what must hold of final blocks, whatever members and miners do.

use cairn_node::{
    engine::{AcceptError, Action, ChainInfo, Engine},
    finality::{Alarm, MemberKey},
};
use chain_core::{finality::Vote, hash::BlockHash, units::Height};
use std::ops::ControlFlow;

use super::{Happening, Phase, World, links::name};
use crate::{chain::CHECKPOINTS, oracle::Invariant};

/// Checkpoints that may be open at the end, beside the one that is not deep enough.
const OPEN: Height = 1;

/// Milliseconds in which members that lost each other, and wait longer with each view since, meet in one.
const MEET: u64 = 900_000;

/// Milliseconds in which they make up for each checkpoint that they missed, one after the other, where messages take longer than a
/// member waits at first.
const MAKE_UP: u64 = 60_000;

/// Milliseconds in which an operator asks the members: at least, and at most before and after the network is good.
const ASKING: (u64, u64, u64) = (1_000, 60_000, 10_000);

impl World {
    /// The key of a node that is a member.
    pub(super) fn member_key(&self, node: usize) -> Option<MemberKey> {
        self.nodes[node].member.map(|member| self.chain.members[usize::from(member)].clone())
    }

    /// What a member has signed at the checkpoints that are voted on, if it is to crash when it signs more.
    pub(super) fn signed(&self, node: usize) -> Vec<Vote> {
        let state = &self.nodes[node];
        let finality = state.crash_at_vote.and(state.engine.as_ref()).and_then(|engine| engine.chain().finality());
        let own = |vote: &&Vote| Some(vote.signed.member) == state.member;
        finality.map_or(Vec::new(), |finality| finality.votes().filter(own).cloned().collect())
    }

    /// Whether a member that is to crash at its next vote has signed one since.
    pub(super) fn crashes_at_vote(&self, node: usize, before: &[Vote]) -> bool {
        self.signed(node).iter().any(|vote| !before.contains(vote))
    }

    /// A member's process ends after its vote was stored and before anything of it is sent.
    pub(super) fn crash_at_vote(&mut self, node: usize, actions: Vec<Action>) {
        let Some((power, down)) = self.nodes[node].crash_at_vote.take() else { return };
        // What the engine did with its chain is done.
        for action in actions {
            if let Action::Publish(event) = action {
                self.publish(node, event);
            }
        }
        self.stats.crashes_at_votes += 1;
        self.crash(node, power, down);
    }

    /// After an event of an honest node: what it takes for final.
    pub(super) fn check_finality(&mut self, node: usize) {
        let Some(finality) = self.finality(node) else { return };
        let newest = finality.newest().map_or((0, BlockHash::default()), |newest| (newest.height, newest.hash));
        let refused = finality.refused().map(|refused| refused.hash);
        // No member is to blame for a certificate that comes too late.
        let fault = finality.alarm().filter(|alarm| !matches!(alarm, Alarm::TooDeep { .. }));
        let alarm = fault.map(ToString::to_string);
        let accused: Vec<u8> = finality.evidence().map(chain_core::finality::Evidence::member).collect();
        let before = self.nodes[node].finalized;
        if let Some(alarm) = alarm {
            return self.fail(Invariant::Finality, format!("{}: {alarm}", name(node)));
        }
        let honest = |member: &u8| self.nodes.iter().any(|node| node.member == Some(*member) && node.is_honest());
        if let Some(member) = accused.iter().find(|member| honest(member)) {
            return self.fail(Invariant::Finality, format!("{} accuses member {member}, which is honest", name(node)));
        }
        if let Some(refused) = refused {
            self.ask_members(node, refused);
        }
        if newest == before {
            return;
        }
        if newest.0 <= before.0 {
            let detail = format!("{} took {} for final at {}, and has {newest:?} now", name(node), before.1, before.0);
            return self.fail(Invariant::Finality, detail);
        }
        self.nodes[node].finalized = newest;
        self.log.mix_bytes(&newest.1.0);
        self.log.line(self.now, name(node), || format!("final is {} {}", newest.0, newest.1));
        let judgement = self.oracle.finalize(newest.0, newest.1);
        self.judge(judgement);
        if let Some(deep) = self.oracle.reached(newest.0 + CHECKPOINTS.1) {
            self.stats.finality.add(self.now - deep);
        }
    }

    /// A node refuses a certificate for its depth: its operator asks the members over another channel.
    pub(super) fn ask_members(&mut self, node: usize, refused: BlockHash) {
        if std::mem::replace(&mut self.nodes[node].asks_members, true) {
            return;
        }
        let depth = self.oracle.disconnected(self.nodes[node].told, refused);
        if depth <= self.plan.window as usize {
            let detail = format!("{} refuses {refused}, for which {depth} blocks would go", name(node));
            return self.fail(Invariant::Finality, detail);
        }
        self.stats.refused += 1;
        self.log.line(self.now, name(node), || "refuses a certificate".into());
        let (least, rough, good) = ASKING;
        let most = if self.phase == Phase::Rough { rough } else { good };
        let at = self.now + self.chances.nodes.between(least, most);
        self.queue.plan(at, Happening::Accept { node, start: self.nodes[node].starts });
    }

    /// The members have signed it: the operator has it followed, unless the chain has come there by itself.
    pub(super) fn accept(&mut self, node: usize, start: u64) {
        if self.nodes[node].starts != start || self.nodes[node].engine.is_none() {
            return;
        }
        self.nodes[node].asks_members = false;
        let refused = self.finality(node).and_then(|finality| finality.refused());
        let Some(hash) = refused.map(|refused| refused.hash) else { return };
        // For the reorganisation that follows at once, and no other.
        self.nodes[node].accepts = true;
        let mut answer = None;
        let turn = self.turn(node, |engine| {
            let (accepted, actions) = engine.accept_certificate(hash);
            answer = Some(accepted);
            actions
        });
        match answer {
            Some(Ok(height)) => {
                self.stats.accepted += 1;
                self.log.line(self.now, name(node), || format!("is made to follow the certificate of {height} {hash}"));
            }
            Some(Err(AcceptError::Local(_) | AcceptError::Stopped)) if self.nodes[node].failing => {
                self.nodes[node].accepts = false;
            }
            Some(Err(error)) => {
                return self.fail(Invariant::Finality, format!("{} does not follow: {error}", name(node)));
            }
            None => {}
        }
        if let ControlFlow::Continue(next) = turn {
            self.handle_at_once(node, next.unwrap_or(cairn_node::engine::Event::Continue));
        }
    }

    /// A tip with less work than the one before is there for a certificate: it disconnects no more than the window, unless the
    /// operator has accepted that.
    pub(super) fn check_window(&mut self, node: usize, info: &ChainInfo, disconnected: &[BlockHash]) {
        let is_accepted = std::mem::take(&mut self.nodes[node].accepts);
        let Some(former) = disconnected.first() else { return };
        if self.plan.members == 0 || disconnected.len() <= self.plan.window as usize || is_accepted {
            return;
        }
        let work =
            self.nodes[node].engine.as_ref().and_then(|engine| engine.chain().tree().get(former)).map(|at| at.work);
        if work.is_none_or(|work| work >= info.work) {
            let detail = format!("{} disconnects {} blocks for a certificate", name(node), disconnected.len());
            self.fail(Invariant::Finality, detail);
        }
    }

    /// The finality of an honest node's engine, on a chain that has it.
    fn finality(&self, node: usize) -> Option<&cairn_node::finality::Finality> {
        let state = self.nodes.get(node).filter(|state| state.is_honest())?;
        state.engine.as_ref()?.chain().finality()
    }

    /// A tip is announced: its chain goes through the final block, or is not there yet.
    pub(super) fn check_final_blocks(&mut self, node: usize, tip: Height, disconnected: &[BlockHash]) {
        if self.plan.members == 0 {
            return;
        }
        self.oracle.reach(tip, self.now);
        let (height, hash) = self.nodes[node].finalized;
        if height == 0 {
            return;
        }
        if disconnected.contains(&hash) {
            return self.fail(Invariant::Finality, format!("{} disconnects {hash}, which is final", name(node)));
        }
        let at = |engine: &Engine| engine.store().at_height(height).ok().flatten().map(|at| at.hash);
        let active = self.nodes[node].engine.as_ref().and_then(at);
        if tip >= height && active != Some(hash) {
            let detail = format!("{} has {active:?} at height {height}, where {hash} is final", name(node));
            self.fail(Invariant::Finality, detail);
        }
    }

    /// In the end, all honest nodes take all but the last checkpoints for final.
    pub(super) fn check_finality_goes_on(&mut self) {
        let missed = self.behind().map_or(0, |(_, height, tip)| u64::from((tip - height) / CHECKPOINTS.0));
        let end = self.now + MEET + missed * MAKE_UP;
        while let Some((node, height, tip)) = self.behind() {
            if self.now >= end {
                let detail = format!("{} stands at {tip}, and only {height} is final", name(node));
                return self.fail(Invariant::Finality, detail);
            }
            self.run_until(self.now + 10_000);
        }
    }

    /// An honest node that lacks certificates, with the height of its newest and of its tip.
    fn behind(&self) -> Option<(usize, Height, Height)> {
        if self.plan.members == 0 || self.has_failed() {
            return None;
        }
        let (interval, depth) = CHECKPOINTS;
        self.honest().find_map(|(node, engine)| {
            let (tip, height) = (engine.store().tip().height, engine.chain().finality()?.height());
            (height + OPEN * interval + interval + depth <= tip).then_some((node, height, tip))
        })
    }
}
