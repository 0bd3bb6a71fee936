//! Fills pools up to their limits: as many transactions of one account as it may have, and one more; the longest chains of
//! coin transactions, and one more.

use cairn_node::{engine::PeerAction, mempool::MempoolConfig, wire::Request};
use chain_core::{
    Address, Bytes, U256,
    state::StateView,
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, OutPoint, Output},
    },
    units::Amount,
};

use super::Strategy;
use crate::{
    chain::{CHEATING, COINS},
    traffic::{first_coin, pay_coin},
    world::Context,
};

/// Milliseconds until it fills pools for the first time, and again.
const FIRST: (u64, u64) = (5_000, 60_000);
const AGAIN: (u64, u64) = (100_000, 300_000);

/// Milliseconds in which it announces nothing, so that others find what it has by comparing pools.
const SILENT: u64 = 40_000;

/// Grains that a link of a chain of coins pays.
const FEE: u64 = 3_000;

/// Transactions of one account that together are more than one response holds, and their bytes of calldata.
const HEAVY: u64 = 40;
const HEAVY_BYTES: usize = 60_000;

/// How often there are as many of one account as a pool takes: each costs every node a signature.
const OFTEN_MANY: f64 = 0.1;

/// A filler.
#[derive(Default)]
pub(crate) struct Filler {
    /// The last coin of each chain; the coins of genesis at first.
    ends: Vec<OutPoint>,
    /// It announces nothing until then.
    silent: u64,
    /// Whether it sends as many transactions of one account as a pool takes, once.
    many: Option<bool>,
    fills: u32,
}

impl Filler {
    /// One that sends as many as a pool takes.
    #[cfg(test)]
    pub(crate) fn of_many() -> Self {
        Self { many: Some(true), ..Self::default() }
    }
}

/// Transactions of the cheating account, from its next nonce on: one more than a pool takes, or few heavy ones. They pay little:
/// users come first, and when the base fee rises they stay where they are.
fn calls(context: &mut Context<'_>, many: bool) -> Option<Vec<Transaction>> {
    let chain = context.chain();
    let user = &chain.users[CHEATING];
    let engine = context.engine()?;
    let next = engine.store().view().account(&user.address).ok()??.nonce;
    let pending = engine.mempool().pending_nonce(&user.address).unwrap_or(next).max(next);
    let floor = chain.spec.base_fee_floor;
    let end = if many { next + MempoolConfig::default().per_sender as u64 + 1 } else { pending + HEAVY };
    let (bytes, gas_limit) = if many { (0, 21_000) } else { (HEAVY_BYTES, 700_000) };
    let input = Bytes::from(vec![0; bytes]);
    let call = |nonce| {
        let fields = Fields {
            tx_type: 2,
            chain_id: chain.spec.chain_id,
            nonce,
            fees: Fees::Dynamic { max_fee: U256::from(floor + floor / 4), max_priority_fee: U256::from(floor / 100) },
            gas_limit,
            to: Some(Address::repeat_byte(0x66)),
            value: U256::ZERO,
            input: input.clone(),
            access_list: Vec::new(),
            authorizations: Vec::new(),
        };
        AccountTransaction::sign(fields, &user.secret).ok().map(Transaction::Account)
    };
    (pending..end).map(call).collect()
}

impl Filler {
    /// From each coin that it has a chain, one link longer than a pool takes.
    fn chains(&mut self, context: &mut Context<'_>) -> Vec<Transaction> {
        let chain = context.chain();
        let user = &chain.users[CHEATING];
        if self.ends.is_empty() {
            self.ends = (0..COINS).map(|number| first_coin(&chain, CHEATING, number).0).collect();
        }
        let mut links = Vec::new();
        let Some(engine) = context.engine() else { return links };
        for end in &mut self.ends {
            // Not mined yet.
            let Ok(Some(mut coin)) = engine.store().view().coin(end) else { continue };
            let mut outpoint = *end;
            for link in 0..=MempoolConfig::default().chain_count {
                let Some(left) = coin.output.amount.grains().checked_sub(FEE) else { break };
                let output = Output { amount: Amount::from_grains(left), lock: user.lock };
                let tx = pay_coin(&chain.hash, user, outpoint, coin, vec![output]);
                (outpoint, coin) = (OutPoint { txid: tx.txid(), index: 0 }, Coin { output, ..coin });
                // The last one is refused.
                if link < MempoolConfig::default().chain_count {
                    *end = outpoint;
                }
                links.push(Transaction::Coin(tx));
            }
        }
        links
    }
}

impl Strategy for Filler {
    fn act(&mut self, context: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        match action {
            PeerAction::Request(_, _, Request::Announce(_)) if context.now() < self.silent => None,
            action => Some(action),
        }
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        self.fills += 1;
        if self.fills == 1 {
            let first = context.random().between(FIRST.0, FIRST.1);
            return context.wake_after(first);
        }
        let (drawn, silently) = (context.random().chance(OFTEN_MANY), context.random().chance(0.5));
        let many = *self.many.get_or_insert(drawn) && self.fills == 2;
        let mut batch = calls(context, many).unwrap_or_default();
        batch.extend(self.chains(context));
        context.log(|| format!("fills pools with {} transactions, silently: {silently}", batch.len()));
        if silently {
            // Whoever connects anew compares pools.
            self.silent = context.now() + SILENT;
            context.pay_all_at(context.node(), batch);
            context.peers().into_iter().for_each(|peer| context.hang_up(peer));
        } else {
            let node = context.pick_honest();
            context.pay_all_at(node, batch);
        }
        let pause = context.random().between(AGAIN.0, AGAIN.1);
        context.wake_after(pause);
    }
}
