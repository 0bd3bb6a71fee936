//! Looking at a transaction before its signatures are verified: everything cheap, nothing kept.

use alloy_primitives::map::HashMap;
use chain_core::{
    Address, U256,
    error::RuleError,
    execute::{CoinFee, coin_fee},
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Coin, CoinTransaction, OutPoint, Witness},
        policy::{PolicyNode, ProofItem},
    },
    units::{Amount, Gas, Height},
};
use std::sync::Arc;

use super::{
    ChainPoint, Id, Mempool, MempoolError, SubmitError,
    accounts::{OnChain, Queue},
    rate::{Rate, Tip},
};

/// A transaction that keeps every rule that it can keep alone, its sender recovered.
#[derive(Clone, Debug)]
pub struct Prepared {
    /// The transaction.
    pub transaction: Arc<Transaction>,
    /// Its identifier.
    pub txid: TxId,
    /// Its merkle leaf, which its witnesses change.
    pub leaf: [u8; 32],
    /// Its encoded bytes.
    pub size: usize,
    /// Who signed it, if it is an account transaction.
    pub sender: Option<Address>,
}

/// Transactions that were staged and not yet admitted: later ones of the same batch may spend from them, or follow their
/// nonces.
#[derive(Debug, Default)]
pub struct InFlight {
    transactions: HashMap<TxId, Arc<Transaction>>,
    /// The nonce after those of a sender that are in flight in an unbroken row.
    next_nonces: HashMap<Address, u64>,
}

impl InFlight {
    /// Whether a transaction is in flight.
    pub fn contains(&self, txid: &TxId) -> bool {
        self.transactions.contains_key(txid)
    }

    /// The nonce after those of a sender that are in flight; 0 if there are none.
    pub(super) fn next_nonce(&self, sender: &Address) -> u64 {
        self.next_nonces.get(sender).copied().unwrap_or_default()
    }
}

/// A transaction that the pool would take if its signatures are right.
#[derive(Clone, Debug)]
pub struct Staged {
    pub(super) prepared: Prepared,
    pub(super) kind: Kind,
}

#[derive(Clone, Debug)]
pub(super) enum Kind {
    Coin(StagedCoin),
    Account(StagedAccount),
}

/// What was found about a coin transaction.
#[derive(Clone, Debug)]
pub(super) struct StagedCoin {
    pub(super) spent: Box<[Coin]>,
    /// Which inputs come from transactions of the pool, or in flight.
    pub(super) unconfirmed: Vec<OutPoint>,
    pub(super) fee: CoinFee,
    pub(super) valid_from: Height,
}

/// What was found about an account transaction.
#[derive(Clone, Copy, Debug)]
pub(super) struct StagedAccount {
    pub(super) sender: Address,
    pub(super) on_chain: OnChain,
}

impl Staged {
    /// The transaction.
    pub fn prepared(&self) -> &Prepared {
        &self.prepared
    }

    /// A coin transaction and what it spends, whose signatures are still to be verified.
    pub fn spend(&self) -> Option<(&CoinTransaction, &[Coin])> {
        match (&*self.prepared.transaction, &self.kind) {
            (Transaction::Coin(tx), Kind::Coin(staged)) => Some((tx, &staged.spent)),
            _ => None,
        }
    }

    /// Fee (zero for accounts), gas, and tip in wei per gas at a base fee.
    pub fn price(&self, base_fee: u64) -> (Amount, Gas, i128) {
        match (&*self.prepared.transaction, &self.kind) {
            (Transaction::Account(tx), _) => {
                let fields = tx.fields();
                let cap = Rate::of_wei(fields.fees.fee_cap()).above(base_fee);
                (Amount::ZERO, fields.gas_limit, cap.min(Tip::of_wei(fields.fees.tip_cap())).wei())
            }
            (_, Kind::Coin(StagedCoin { fee, .. })) => {
                (fee.fee, fee.gas, Rate::of_fee(fee.fee, fee.gas).above(base_fee).wei())
            }
            _ => (Amount::ZERO, 0, 0),
        }
    }
}

impl Mempool {
    /// Judges a transaction against the chain, the pool and the limits, signatures aside.
    ///
    /// # Errors
    /// [`SubmitError`] that says what it misses.
    pub fn stage(&self, point: &ChainPoint, flight: &InFlight, prepared: Prepared) -> Result<Staged, SubmitError> {
        let limit = self.config.transaction_bytes;
        if prepared.size > limit {
            return Err(MempoolError::TooLarge { got: prepared.size, limit }.into());
        }
        if self.by_txid.contains_key(&prepared.txid) || flight.contains(&prepared.txid) {
            return Err(MempoolError::AlreadyKnown(prepared.txid).into());
        }
        let transaction = prepared.transaction.clone();
        let kind = match (&*transaction, prepared.sender) {
            (Transaction::Coin(tx), _) => Kind::Coin(self.stage_coin(point, flight, &prepared, tx)?),
            (Transaction::Account(tx), Some(sender)) => {
                Kind::Account(self.stage_account(point, flight, sender, tx.fields())?)
            }
            _ => return Err(MempoolError::Coinbase.into()),
        };
        Ok(Staged { prepared, kind })
    }

    /// Takes note that a staged transaction is in flight.
    pub fn take_off(&self, flight: &mut InFlight, staged: &Staged) {
        let Prepared { txid, transaction, .. } = &staged.prepared;
        flight.transactions.insert(*txid, transaction.clone());
        let (Kind::Account(StagedAccount { sender, on_chain }), Transaction::Account(tx)) =
            (&staged.kind, &**transaction)
        else {
            return;
        };
        let queue = self.accounts.queue(sender);
        let in_pool = queue.map_or(on_chain.nonce, Queue::first_gap);
        let mut next = in_pool.max(flight.next_nonce(sender));
        if tx.fields().nonce == next {
            next += 1;
            while queue.is_some_and(|queue| queue.slots.contains_key(&next)) {
                next += 1;
            }
        }
        flight.next_nonces.insert(*sender, next);
    }

    fn stage_coin(
        &self,
        point: &ChainPoint,
        flight: &InFlight,
        prepared: &Prepared,
        tx: &CoinTransaction,
    ) -> Result<StagedCoin, SubmitError> {
        check_dust(point, tx)?;
        let gas = tx.gas(prepared.size);
        // What a block has beside a coinbase of one output.
        let limit = point.spec.gas_limit.saturating_sub(8_000);
        if gas > limit {
            return Err(MempoolError::GasOverBlock { got: gas, limit }.into());
        }
        let mut spent = Vec::with_capacity(tx.inputs.len());
        let mut unconfirmed = Vec::new();
        for input in &tx.inputs {
            let (coin, confirmed) = self.find_coin(point, flight, input)?;
            if !confirmed {
                unconfirmed.push(*input);
            }
            spent.push(coin);
        }
        let valid_from = valid_from(point, tx, &spent)?;
        let fee = coin_fee(tx, prepared.size, &spent, point.spec.base_fee_floor)?;
        let rate = Rate::of_fee(fee.fee, fee.gas);
        self.check_price(point, rate.above(point.spec.base_fee_floor), rate)?;
        let staged = StagedCoin { spent: spent.into(), unconfirmed, fee, valid_from };
        self.check_coin_place(tx, prepared.size, &staged, flight)?;
        Ok(staged)
    }

    /// The coin of an input, and whether it is confirmed.
    fn find_coin(
        &self,
        point: &ChainPoint,
        flight: &InFlight,
        outpoint: &OutPoint,
    ) -> Result<(Coin, bool), SubmitError> {
        let parent = match self.by_txid.get(&outpoint.txid) {
            Some(Id::Coin(slot)) => Some(&*self.coins.get(*slot).transaction),
            // No coin has the id of an account transaction (GW-6).
            Some(Id::Account(_)) => return Err(MempoolError::MissingCoin(*outpoint).into()),
            None => flight.transactions.get(&outpoint.txid).map(|transaction| &**transaction),
        };
        match parent {
            Some(Transaction::Coin(parent)) => {
                let output = parent.outputs.get(outpoint.index as usize).copied();
                let output =
                    output.filter(|output| !matches!(output.lock, chain_core::transaction::coin::Lock::Account(_)));
                let output = output.ok_or(MempoolError::MissingCoin(*outpoint))?;
                Ok((Coin { output, height: point.height, coinbase: false }, false))
            }
            Some(_) => Err(MempoolError::MissingCoin(*outpoint).into()),
            None => {
                let coin = point.view.coin(outpoint)?.ok_or(MempoolError::MissingCoin(*outpoint))?;
                Ok((coin, true))
            }
        }
    }

    /// Whether the pool takes such a price now: `least` is its tip at the lowest base fee there can be.
    pub(super) fn check_price(&self, point: &ChainPoint, least: Tip, rate: Rate) -> Result<(), MempoolError> {
        if least < Tip::of_wei(U256::from(self.config.min_tip)) {
            return Err(MempoolError::TipTooLow { got: least.wei(), minimum: self.config.min_tip });
        }
        if rate < self.floor.rate() {
            let got = rate.above(point.base_fee).wei();
            return Err(MempoolError::TipTooLow { got, minimum: self.min_tip() });
        }
        Ok(())
    }
}

/// What an output must hold: the cost of spending it by a signature at the lowest base fee.
fn dust_limit(base_fee_floor: u64) -> Amount {
    // An input and its witness take at most 38 + 65 bytes.
    const GAS_TO_SPEND: u64 = 5_000 + 16 * 103;
    let wei = U256::from(GAS_TO_SPEND) * U256::from(base_fee_floor);
    Amount::from_wei_ceil(wei).unwrap_or(Amount::from_grains(u64::MAX))
}

fn check_dust(point: &ChainPoint, tx: &CoinTransaction) -> Result<(), MempoolError> {
    let minimum = dust_limit(point.spec.base_fee_floor);
    for (index, output) in tx.outputs.iter().enumerate() {
        let deposit = matches!(output.lock, chain_core::transaction::coin::Lock::Account(_));
        if !deposit && output.amount < minimum {
            return Err(MempoolError::Dust { index, got: output.amount, minimum });
        }
    }
    Ok(())
}

/// First height at which every height and age that the transaction relies on is reached.
///
/// # Errors
/// COIN-8 if a coinbase's coin is not mature in the next block.
fn valid_from(point: &ChainPoint, tx: &CoinTransaction, spent: &[Coin]) -> Result<Height, RuleError> {
    let mut from = 0;
    for ((outpoint, coin), witness) in tx.inputs.iter().zip(spent).zip(&tx.witnesses) {
        if coin.coinbase {
            let expected = coin.height.saturating_add(point.spec.coinbase_maturity);
            if point.height < expected {
                return Err(RuleError::ImmatureCoin { outpoint: *outpoint, got: point.height, expected });
            }
            from = from.max(expected);
        }
        if let Witness::Policy(policy, proof) = witness {
            let leaves = policy.0.iter().filter(is_leaf);
            for (leaf, item) in leaves.zip(proof.0.iter()) {
                from = from.max(match (leaf, item) {
                    (PolicyNode::After(height), ProofItem::Reached) => height,
                    (PolicyNode::Older(age), ProofItem::Reached) => coin.height.saturating_add(age),
                    _ => 0,
                });
            }
        }
    }
    Ok(from)
}

fn is_leaf(node: &PolicyNode) -> bool {
    !matches!(node, PolicyNode::And(_) | PolicyNode::Or(_) | PolicyNode::Threshold(..))
}
