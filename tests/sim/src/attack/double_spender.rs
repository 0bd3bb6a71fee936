//! Pays a merchant, and mines a branch in secret on which the same coin goes back to itself (Nakamoto, section 11).
//!
//! It publishes once the merchant has waited for so many confirmations and the branch has more work; it gives up when it
//! is hopelessly behind, and tries again with another coin. On a chain with finality its engine hears of no certificate until some
//! time after it has published, so that it follows and hands out its branch whatever the members say.

use cairn_node::engine::{Engine, PeerEvent, PeerId};
use chain_core::{
    block::Block,
    hash::TxId,
    state::StateView,
    transaction::{
        Transaction,
        coin::{OutPoint, Output},
    },
    units::{Amount, Height},
};
use std::collections::HashSet;

use super::{BEGINS_AFTER, HEARS_AFTER, Strategy, lab::Lab, members::Deaf};
use crate::{
    chain::{CHEATING, COIN, COINS},
    stats::Stats,
    traffic::{first_coin, pay_coin},
    world::Context,
};

/// Fee of the payment, in grains.
const FEE: u64 = 10_000;

/// Milliseconds between two attempts.
const PAUSE: u64 = 60_000;

/// Blocks that the secret branch may be behind beyond the confirmations waited for; or ahead, for then nothing comes of the payment.
const HOPE: Height = 6;

/// A double spender. Its branch begins when it pays, not a block in advance.
#[derive(Default)]
pub(super) struct DoubleSpender {
    lab: Option<Lab>,
    attempt: Option<Attempt>,
    coins_used: usize,
    ended: Vec<Ended>,
    deaf: Deaf,
    /// When a member of finality listens again.
    hears_at: u64,
}

/// An attempt that was published or given up.
struct Ended {
    confirmations: u32,
    published: bool,
    /// What gives the coin back.
    rival: TxId,
}

struct Attempt {
    /// What the merchant gets.
    paid: OutPoint,
    confirmations: u32,
    rival: TxId,
}

impl DoubleSpender {
    fn begin(&mut self, context: &mut Context<'_>) -> Option<()> {
        // Accomplices begin with other coins.
        let number = (self.coins_used + context.node() * (COINS / 2)) % COINS;
        self.coins_used += 1;
        let chain = context.chain();
        let (outpoint, coin) = first_coin(&chain, CHEATING, number);
        context.engine()?.store().view().coin(&outpoint).ok()??;
        let spend = |user: usize| {
            let outputs =
                vec![Output { amount: Amount::from_grains(COIN.grains() - FEE), lock: chain.users[user].lock }];
            Transaction::Coin(pay_coin(&chain.hash, &chain.users[CHEATING], outpoint, coin, outputs))
        };
        let (honest, rival) = (spend(0), spend(CHEATING));
        let mut lab = match self.lab.take() {
            Some(lab) => lab,
            None => Lab::new(context)?,
        };
        lab.follow(context);
        // A branch that was refused has more work than the chain.
        if context.engine()?.store().tip().hash != lab.tip() {
            lab = Lab::new(context)?;
        }
        lab.secret.clear();
        let rival_id = rival.txid();
        lab.pay(rival, context.clock());
        self.lab = Some(lab);
        let drawn = context.random().between(1, 6) as u32;
        let confirmations = context.confirmations().unwrap_or(drawn);
        let paid = OutPoint { txid: honest.txid(), index: 0 };
        context.log(|| format!("pays with {} and mines against it", paid.txid));
        context.pay(honest);
        self.attempt = Some(Attempt { paid, confirmations, rival: rival_id });
        Some(())
    }

    /// Publishes or gives up if it is time to.
    fn consider(&mut self, context: &mut Context<'_>) {
        let (Some(attempt), Some(lab)) = (&self.attempt, &mut self.lab) else { return };
        let Some(engine) = context.engine() else { return };
        let (public, work) = (engine.store().tip().height, engine.chain_info().work);
        let coin = engine.store().view().coin(&attempt.paid).ok().flatten();
        let confirmed = coin.map_or(0, |coin| public + 1 - coin.height);
        let apart = public.abs_diff(lab.height());
        let wins = confirmed >= attempt.confirmations && lab.work() > work;
        // What the end of the history cuts off counts as neither.
        if !wins && apart <= attempt.confirmations + HOPE {
            return;
        }
        self.ended.push(Ended { confirmations: attempt.confirmations, published: wins, rival: attempt.rival });
        if wins {
            context.log(|| format!("takes back what had {confirmed} confirmations"));
            lab.secret.drain(..).for_each(|block| context.submit(block));
            self.hears_at = context.now() + HEARS_AFTER;
        }
        self.attempt = None;
    }

    /// Whether it knows what became of its last branch.
    fn is_ready(&self, context: &Context<'_>) -> bool {
        context.member().is_none() || context.now() >= self.hears_at + BEGINS_AFTER
    }
}

impl Strategy for DoubleSpender {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match self.attempt.is_some() || context.now() < self.hears_at {
            true => self.deaf.receive(context, peer, event),
            false => Some(event),
        }
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        if self.attempt.is_none() && self.is_ready(context) {
            self.begin(context);
        }
        let pause = context.random().between(PAUSE / 2, PAUSE * 2);
        context.wake_after(pause);
    }

    fn workshop(&mut self) -> Option<&mut Engine> {
        self.lab.as_mut().filter(|_| self.attempt.is_some()).map(|lab| &mut lab.engine)
    }

    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        let now = context.clock();
        let Some(lab) = self.lab.as_mut().filter(|_| self.attempt.is_some()) else { return Some(block) };
        lab.keep(block, now);
        self.consider(context);
        None
    }

    fn new_tip(&mut self, context: &mut Context<'_>, _: &[chain_core::hash::BlockHash]) {
        self.consider(context);
    }

    fn stop(&mut self, _: &mut Context<'_>) {
        self.attempt = None;
    }

    fn tally(&self, mined: &HashSet<TxId>, stats: &mut Stats) {
        for Ended { confirmations, published, rival } in &self.ended {
            let sum = stats.double_spends.entry(*confirmations).or_default();
            sum.tried += 1;
            sum.published += u64::from(*published);
            sum.done += u64::from(*published && mined.contains(rival));
        }
    }
}
