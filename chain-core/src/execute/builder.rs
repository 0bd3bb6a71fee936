//! Block templates.

use alloy_primitives::Address;

use super::{BlockContext, coinbase, run::Run};
use crate::{
    block::{check::check_transaction, header::Header},
    error::{ExecuteError, RuleError},
    gas,
    spec::ChainSpec,
    state::{BlockEffects, StateView, ViewError},
    transaction::{
        Transaction,
        coin::{Lock, Output},
        coinbase::{Coinbase, MAX_SIZE_WITH_ONE_OUTPUT, max_extra},
    },
    units::{Amount, Gas},
};

/// Maximum size of an encoded coinbase with its tag.
const COINBASE_BYTES: usize = 1 + MAX_SIZE_WITH_ONE_OUTPUT;
/// Maximum size of the encoded number of transactions.
const COUNT_BYTES: usize = 9;

/// Collects transactions into a block that [`super::execute_block`] accepts: it runs the same code for each.
///
/// Coin signatures are not verified: the caller has verified them.
pub struct BlockBuilder<'v> {
    run: Run<'v>,
    beneficiary: Address,
    transactions: Vec<Transaction>,
    bytes_left: usize,
}

impl<'v> BlockBuilder<'v> {
    /// Starts a block on the state of its parent.
    ///
    /// # Errors
    /// [`ViewError`] if the state cannot be read.
    pub fn new(
        spec: &'v ChainSpec,
        context: BlockContext,
        view: &'v dyn StateView,
        beneficiary: Address,
    ) -> Result<Self, ViewError> {
        let fixed = Header::SIZE + COUNT_BYTES + COINBASE_BYTES;
        Ok(Self {
            run: Run::begin(spec, &context, view, beneficiary, gas::OUTPUT)?,
            beneficiary,
            transactions: Vec::new(),
            bytes_left: spec.max_block_bytes.saturating_sub(fixed),
        })
    }

    /// Appends a coin or account transaction (with its recovered sender) and returns the gas used. On an error nothing
    /// changes.
    ///
    /// # Errors
    /// [`ExecuteError::Rule`] if it is invalid here, or exceeds the gas or bytes left; [`ExecuteError::View`].
    pub fn push(&mut self, transaction: &Transaction, sender: Option<Address>) -> Result<Gas, ExecuteError> {
        let meta = check_transaction(transaction)?;
        let size = meta.size as usize;
        // BLK-5
        let bytes_left = self.bytes_left.checked_sub(size).ok_or_else(|| {
            let limit = self.run.spec.max_block_bytes;
            RuleError::BlockTooLarge { got: limit - self.bytes_left + size, limit }
        })?;
        let gas = self.run.transaction(transaction, &meta, sender)?;
        self.bytes_left = bytes_left;
        self.transactions.push(transaction.clone());
        Ok(gas)
    }

    /// Gas and encoded bytes left for transactions.
    pub fn room(&self) -> (Gas, usize) {
        (self.run.gas_left(), self.bytes_left)
    }

    /// Finishes the block: everything that may be claimed goes to `payout`. The coinbase is the first transaction of
    /// the result. The effects hold for exactly this `extra`, which the outpoints of the coinbase's coins depend on.
    ///
    /// # Errors
    /// CB-2 for `extra`, CB-4 for `payout`; [`ExecuteError::View`].
    pub fn finish(self, payout: Lock, extra: Vec<u8>) -> Result<(Vec<Transaction>, BlockEffects), ExecuteError> {
        // CB-2
        let limit = max_extra(self.run.context.height);
        if extra.len() > limit {
            return Err(RuleError::ExtraTooLong { got: extra.len(), limit }.into());
        }
        // CB-4
        if matches!(payout, Lock::Account(_)) {
            return Err(RuleError::CoinbasePaysAccount { output: 0 }.into());
        }
        let (spec, height) = (self.run.spec, self.run.context.height);
        let amount = coinbase::claimable(spec, height, self.run.tips)?;
        let outputs = if amount == Amount::ZERO { Vec::new() } else { vec![Output { amount, lock: payout }] };
        let ended = self.run.end(if outputs.is_empty() { 0 } else { gas::OUTPUT })?;
        let coinbase = Coinbase {
            height,
            beneficiary: self.beneficiary,
            outputs,
            state_root: ended.roots.state,
            receipts_root: ended.roots.receipts,
            coins_root: ended.roots.coins,
            gas_used: ended.roots.gas_used,
            extra,
        };
        let effects = coinbase::pay(ended, &coinbase, coinbase.txid())?;
        let mut transactions = vec![Transaction::Coinbase(coinbase)];
        transactions.extend(self.transactions);
        Ok((transactions, effects))
    }
}
