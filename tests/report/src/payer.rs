//! The double spender of Rosenfeld (2014), with real payments.
//!
//! It mines one block in secret, with a transaction that pays a coin back to itself, then hands the merchant one that spends the same
//! coin. Once the merchant has seen so many confirmations and the secret branch has more work, it publishes. It gives up when it
//! is some blocks behind. Then it begins again, with what came of the coin.

use cairn_node::engine::Engine;
use cairn_sim::{CHEATING, COIN, Context, Lab, Strategy, first_coin, pay_coin};
use chain_core::{
    block::Block,
    hash::BlockHash,
    state::StateView,
    transaction::{
        Transaction,
        coin::{Coin, OutPoint, Output},
    },
    units::{Amount, Height},
};
use std::{cell::RefCell, rc::Rc};

/// The node of the merchant, which mines for all who are honest.
pub const MERCHANT: usize = 0;

/// Fees of the payment and of its rival, in grains: they differ so that the coins do.
const FEES: [u64; 2] = [10_000, 20_000];

/// Milliseconds until all nodes have heard of a branch that was published. Blocks are minutes apart.
const PAUSE: u64 = 2_000;

/// What became of all attempts.
#[derive(Debug, Default)]
pub struct Tally {
    /// Attempts that ended.
    pub tried: u64,
    /// Payments that the merchant lost after it had all confirmations.
    pub done: u64,
    /// What went wrong, which should be nothing.
    pub faults: u64,
}

/// The double spender.
pub struct Payer {
    confirmations: u32,
    hope: Height,
    tally: Rc<RefCell<Tally>>,
    lab: Option<Lab>,
    coin: Option<(OutPoint, Coin)>,
    /// What the attempt before made: a branch that was published may lose after all, and with it what came of the coin.
    before: Vec<OutPoint>,
    attempt: Option<Attempt>,
}

struct Attempt {
    /// Handed in once a block is in advance.
    payment: Option<Transaction>,
    /// The coins that payment and rival make.
    coins: [OutPoint; 2],
    /// Its branch is on its way to all.
    published: bool,
}

impl Payer {
    /// One that counts what it achieves.
    pub fn new(confirmations: u32, hope: Height, tally: Rc<RefCell<Tally>>) -> Self {
        Self { confirmations, hope, tally, lab: None, coin: None, before: Vec::new(), attempt: None }
    }

    fn begin(&mut self, context: &mut Context<'_>) -> Option<()> {
        let chain = context.chain();
        let user = &chain.users[CHEATING];
        let (outpoint, coin) = *self.coin.get_or_insert_with(|| first_coin(&chain, CHEATING, 0));
        let spend = |fee: u64| {
            let outputs = vec![Output {
                amount: Amount::from_grains(coin.output.amount.grains().saturating_sub(fee)),
                lock: user.lock,
            }];
            Transaction::Coin(pay_coin(&chain.hash, user, outpoint, coin, outputs))
        };
        let [payment, rival] = FEES.map(spend);
        let mut lab = match self.lab.take() {
            Some(lab) => lab,
            None => Lab::new(context)?,
        };
        lab.follow(context);
        lab.secret.clear();
        let coins = [&payment, &rival].map(|tx| OutPoint { txid: tx.txid(), index: 0 });
        lab.pay(rival, context.clock());
        self.lab = Some(lab);
        self.attempt = Some(Attempt { payment: Some(payment), coins, published: false });
        context.find_at_once();
        Some(())
    }

    /// Publishes or gives up if it is time to.
    fn consider(&mut self, context: &mut Context<'_>) {
        let (Some(attempt), Some(lab)) = (&mut self.attempt, &mut self.lab) else { return };
        if attempt.payment.is_some() || attempt.published {
            return;
        }
        let Some(engine) = context.engine() else { return };
        let (public, work) = (engine.store().tip().height, engine.chain_info().work);
        let paid = engine.store().view().coin(&attempt.coins[0]).ok().flatten();
        let confirmed = paid.map_or(0, |coin| public + 1 - coin.height);
        let wins = confirmed >= self.confirmations && lab.work() > work;
        if wins {
            attempt.published = true;
            lab.secret.drain(..).for_each(|block| context.submit(block));
        } else if public < lab.height() + self.hope {
            return;
        }
        let mut tally = self.tally.borrow_mut();
        tally.tried += 1;
        tally.done += u64::from(wins);
        drop(tally);
        if !wins {
            self.end(context);
        }
    }

    /// The next attempt spends what is left of the coin, whichever transaction spent it.
    fn end(&mut self, context: &mut Context<'_>) {
        let Some(attempt) = self.attempt.take() else { return };
        let Some(engine) = context.engine() else { return };
        let view = engine.store().view();
        let there = |outpoint: &OutPoint| Some((*outpoint, view.coin(outpoint).ok()??));
        let mut tally = self.tally.borrow_mut();
        let left = attempt.coins.iter().find_map(there).or_else(|| {
            // The merchant had found a block meanwhile and kept its branch: the attempt before was lost, and this one was none.
            let kept = self.before.first().and_then(there)?;
            (tally.tried, tally.done) = (tally.tried.saturating_sub(1), tally.done.saturating_sub(1));
            Some(kept)
        });
        let empty = left.is_none_or(|(_, coin)| coin.output.amount.grains() < COIN.grains() / 2);
        tally.faults += u64::from(empty);
        drop(tally);
        self.coin = left;
        self.before = attempt.coins.to_vec();
        context.wake_after(PAUSE);
    }
}

impl Strategy for Payer {
    fn timer(&mut self, context: &mut Context<'_>) {
        if self.attempt.is_none() && self.begin(context).is_none() {
            self.tally.borrow_mut().faults += 1;
        }
    }

    fn workshop(&mut self) -> Option<&mut Engine> {
        self.lab.as_mut().filter(|_| self.attempt.is_some()).map(|lab| &mut lab.engine)
    }

    fn found(&mut self, context: &mut Context<'_>, block: Block) -> Option<Block> {
        let now = context.clock();
        let Some(lab) = self.lab.as_mut().filter(|_| self.attempt.is_some()) else { return Some(block) };
        lab.keep(block, now);
        if let Some(payment) = self.attempt.as_mut().and_then(|attempt| attempt.payment.take()) {
            context.pay_at(MERCHANT, payment);
        }
        self.consider(context);
        None
    }

    fn new_tip(&mut self, context: &mut Context<'_>, _: &[BlockHash]) {
        let Some(attempt) = &self.attempt else { return };
        let reverted = context.engine().is_some_and(|engine| {
            let rival = engine.store().view().coin(&attempt.coins[1]);
            rival.is_ok_and(|coin| coin.is_some())
        });
        if reverted {
            return self.end(context);
        }
        self.consider(context);
    }
}
