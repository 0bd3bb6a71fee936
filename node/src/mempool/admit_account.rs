//! Judging and taking an account transaction: nonces, funds, replacement.

use alloy_primitives::KECCAK256_EMPTY;
use chain_core::{Address, U256, account::Fields, error::RuleError, state::Account};

use super::{
    ChainPoint, Mempool, MempoolError, RemovalReason, SubmitError,
    accounts::{AccountEntry, Queue},
    rate::{Rate, Tip},
    stage::{Prepared, StagedAccount},
};

/// EIP-7702: code that delegates starts so.
const DELEGATION: [u8; 3] = [0xef, 0x01, 0x00];

impl Mempool {
    /// Judges an account transaction of a known sender.
    pub(super) fn stage_account(
        &self,
        point: &ChainPoint,
        sender: Address,
        fields: &Fields,
    ) -> Result<StagedAccount, SubmitError> {
        if fields.gas_limit > point.spec.gas_limit.saturating_sub(8_000) {
            let limit = point.spec.gas_limit.saturating_sub(8_000);
            return Err(MempoolError::GasOverBlock { got: fields.gas_limit, limit }.into());
        }
        let (fee_cap, tip_cap) = (fields.fees.fee_cap(), fields.fees.tip_cap());
        let floor = point.spec.base_fee_floor;
        if fee_cap < U256::from(floor) {
            return Err(RuleError::FeeCapTooLow { got: fee_cap, base_fee: floor }.into());
        }
        let least = Rate::of_wei(fee_cap).above(floor).min(Tip::of_wei(tip_cap));
        let tip = Rate::of_wei(fee_cap).above(point.base_fee).min(Tip::of_wei(tip_cap));
        self.check_price(point, least, Rate::from_tip(tip, point.base_fee))?;
        let (nonce, balance) = match self.accounts.queue(&sender) {
            Some(queue) => (queue.nonce, queue.balance),
            None => sender_on_chain(point, &sender)?,
        };
        let staged = StagedAccount { sender, nonce, balance };
        self.check_queue(&staged, fields)?;
        Ok(staged)
    }

    /// Checks nonce, limits, replacement and funds against what the sender has here.
    fn check_queue(&self, staged: &StagedAccount, fields: &Fields) -> Result<(), MempoolError> {
        let StagedAccount { sender, nonce: expected, balance } = *staged;
        let got = fields.nonce;
        if got < expected {
            return Err(MempoolError::NonceTooLow { sender, got, expected });
        }
        let empty = Queue { nonce: expected, balance, ..Queue::default() };
        let queue = self.accounts.queue(&sender).unwrap_or(&empty);
        match queue.slots.get(&got) {
            Some(slot) => check_price_bump(self.accounts.get(*slot), fields)?,
            None => {
                let (next, limit) = (queue.first_gap(), self.config.nonce_gap);
                if got.saturating_sub(next) > limit {
                    return Err(MempoolError::NonceGap { sender, got, expected: next, limit });
                }
                if queue.slots.len() >= self.config.per_sender {
                    return Err(MempoolError::SenderLimit { sender, limit: self.config.per_sender });
                }
            }
        }
        let before = queue.slots.range(expected..got).map(|(_, slot)| self.accounts.get(*slot).cost);
        let needed = before.fold(cost(fields), U256::saturating_add);
        if needed > queue.balance {
            return Err(MempoolError::InsufficientFunds { sender, available: queue.balance, needed });
        }
        Ok(())
    }

    /// Takes a staged account transaction.
    pub(super) fn admit_account(
        &mut self,
        prepared: Prepared,
        staged: StagedAccount,
        now: u32,
    ) -> Result<(), SubmitError> {
        let chain_core::transaction::Transaction::Account(tx) = &*prepared.transaction else {
            return Err(MempoolError::Coinbase.into());
        };
        let fields = tx.fields();
        self.check_queue(&staged, fields)?;
        let same_nonce = self.accounts.queue(&staged.sender).and_then(|queue| queue.slots.get(&fields.nonce));
        if let Some(slot) = same_nonce.copied() {
            self.drop_account(slot, RemovalReason::Replaced(prepared.txid));
        }
        let entry = AccountEntry {
            txid: prepared.txid,
            leaf: prepared.leaf,
            sender: staged.sender,
            nonce: fields.nonce,
            size: prepared.size,
            gas_limit: fields.gas_limit,
            fee_cap: fields.fees.fee_cap(),
            tip_cap: fields.fees.tip_cap(),
            cost: cost(fields),
            time: now,
            sequence: self.sequence(),
            pending: false,
            memory: memory_of(prepared.size, fields),
            transaction: prepared.transaction.clone(),
        };
        self.insert_account(entry, staged.nonce, staged.balance);
        Ok(())
    }
}

/// Nonce and balance of an account at the tip, and whether it may send.
fn sender_on_chain(point: &ChainPoint, sender: &Address) -> Result<(u64, U256), SubmitError> {
    let account: Account = point.view.account(sender)?.unwrap_or_default();
    // ACC-11
    if account.code_hash != KECCAK256_EMPTY && !point.view.code(&account.code_hash)?.starts_with(&DELEGATION) {
        return Err(RuleError::SenderHasCode(*sender).into());
    }
    Ok((account.nonce, account.balance))
}

/// Most that a transaction may take from the balance; the largest word if even that does not hold it.
fn cost(fields: &Fields) -> U256 {
    U256::from(fields.gas_limit).saturating_mul(fields.fees.fee_cap()).saturating_add(fields.value)
}

/// A replacement raises both caps by a tenth, as geth asks for.
fn check_price_bump(replaced: &AccountEntry, fields: &Fields) -> Result<(), MempoolError> {
    let small = |cap: U256| u128::try_from(cap).unwrap_or(u128::MAX);
    let bumped = |cap: u128| cap.saturating_add(cap.div_ceil(10));
    let (needed_fee_cap, needed_tip_cap) = (bumped(small(replaced.fee_cap)), bumped(small(replaced.tip_cap)));
    let (got_fee_cap, got_tip_cap) = (small(fields.fees.fee_cap()), small(fields.fees.tip_cap()));
    if got_fee_cap >= needed_fee_cap && got_tip_cap >= needed_tip_cap {
        return Ok(());
    }
    let replaced = replaced.txid;
    Err(MempoolError::ReplacementPrice { replaced, got_fee_cap, got_tip_cap, needed_fee_cap, needed_tip_cap })
}

/// Estimated memory of an entry: raw bytes, what they were decoded to, the queue and the indexes.
fn memory_of(size: usize, fields: &Fields) -> usize {
    const ENTRY: usize = 1_232;
    let slots: usize = fields.access_list.iter().map(|(_, slots)| 56 + 32 * slots.len()).sum();
    ENTRY + 2 * size + slots + 160 * fields.authorizations.len()
}
