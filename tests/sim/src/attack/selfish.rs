//! The selfish miner of Eyal and Sirer (2014), figure 1.
//!
//! It mines on a secret branch. When others find a block, it publishes as much as it takes to be level, all if its lead is
//! down to one, and gives up if it has fallen behind. On a chain with finality, it publishes all of a branch that a certificate
//! contradicts, hands that out for a while as if there were no certificate, and begins anew on the others' chain.

use cairn_node::engine::{Engine, PeerAction, PeerEvent, PeerId, Verdict};
use chain_core::{block::Block, hash::BlockHash, units::Height};

use std::collections::HashSet;

use super::{BEGINS_AFTER, HEARS_AFTER, Strategy, forger::compact, lab::Lab, members::Deaf};
use crate::world::Context;

/// Milliseconds between two looks at certificates.
const LOOK: u64 = 5_000;

/// A selfish miner.
#[derive(Default)]
pub struct SelfishMiner {
    lab: Option<Lab>,
    /// The last block published, which races with one of the same height.
    racing: Option<BlockHash>,
    /// Blocks of its own that the node's engine was given.
    published: HashSet<BlockHash>,
    deaf: Deaf,
    /// When a member of finality listens again.
    hears_at: u64,
}

impl SelfishMiner {
    /// Publishes secret blocks up to a height.
    fn publish(&mut self, context: &mut Context<'_>, up_to: Height, height: Height) {
        let Some(lab) = &mut self.lab else { return };
        // The last secret block is at `height`.
        let hidden = (height - up_to.min(height)) as usize;
        let count = lab.secret.len().saturating_sub(hidden);
        for block in lab.secret.drain(..count) {
            self.published.insert(block.hash());
            // Its own engine does not pass on what is no better than its tip.
            let form = compact(&block);
            context.peers().into_iter().for_each(|peer| context.gossip(peer, &form));
            context.submit(block);
        }
    }

    /// Publishes a branch that others have called off, and gives it up.
    fn leave_refused(&mut self, context: &mut Context<'_>) {
        let (Some(lab), Some((height, hash))) = (&self.lab, self.deaf.newest()) else { return };
        if lab.stands_on(height, &hash) {
            return;
        }
        context.log(|| format!("its branch has not {hash} at {height}, which is final"));
        let own = lab.height();
        self.publish(context, own, own);
        (self.lab, self.racing) = (None, None);
        self.hears_at = context.now() + HEARS_AFTER;
    }
}

impl Strategy for SelfishMiner {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match self.lab.is_some() || context.now() < self.hears_at {
            true => self.deaf.receive(context, peer, event),
            false => Some(event),
        }
    }

    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        // It does not help blocks of others along: they might win a race.
        Some(match action {
            PeerAction::Judge(peer, id, Verdict::Accept) => PeerAction::Judge(peer, id, Verdict::Ignore),
            action => action,
        })
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        if context.member().is_none() {
            self.lab = self.lab.take().or_else(|| Lab::new(context));
            return;
        }
        self.leave_refused(context);
        if self.lab.is_none() && context.now() >= self.hears_at + BEGINS_AFTER {
            self.lab = Lab::new(context);
        }
        context.wake_after(LOOK);
    }

    fn workshop(&mut self) -> Option<&mut Engine> {
        self.lab.as_mut().map(|lab| &mut lab.engine)
    }

    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        let now = context.clock();
        let Some(lab) = &mut self.lab else { return Some(block) };
        let wins_race = self.racing.take().is_some_and(|racing| racing == block.header.prev);
        lab.keep(block, now);
        let height = lab.height();
        if wins_race {
            self.publish(context, height, height);
        }
        None
    }

    fn new_tip(&mut self, context: &mut Context<'_>, connected: &[BlockHash]) {
        let Some(last) = connected.last() else { return };
        if self.published.contains(last) {
            return;
        }
        let Some(lab) = &mut self.lab else { return };
        let secret = lab.secret.last().map(Block::hash);
        lab.follow(context);
        let Some(public) = context.engine().map(|engine| engine.store().tip().height) else { return };
        if secret.is_none_or(|secret| lab.tip() != secret) {
            lab.secret.clear();
            self.racing = None;
            return;
        }
        let height = lab.height();
        let lead = i64::from(height) - i64::from(public);
        context.log(|| format!("selfish lead {lead}"));
        match lead {
            // One ahead before: now level, and the race is on.
            ..=0 => {
                self.racing = secret;
                self.publish(context, height, height);
            }
            1 => self.publish(context, height, height),
            _ => self.publish(context, public, height),
        }
    }

    fn stop(&mut self, context: &mut Context<'_>) {
        let height = self.lab.as_ref().map_or(0, Lab::height);
        self.publish(context, height, height);
        self.lab = None;
    }
}
