//! Judging and taking an account transaction: nonces, funds, replacement.

use alloy_primitives::KECCAK256_EMPTY;
use chain_core::{Address, U256, error::RuleError, state::Account, transaction::account::Fields};

use super::{
    ChainPoint, InFlight, Mempool, MempoolError, SubmitError,
    accounts::{AccountEntry, OnChain, Queue},
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
        flight: &InFlight,
        sender: Address,
        fields: &Fields,
    ) -> Result<StagedAccount, SubmitError> {
        if fields.gas_limit > point.spec.gas_limit.saturating_sub(8_000) {
            let limit = point.spec.gas_limit.saturating_sub(8_000);
            return Err(MempoolError::GasOverBlock { got: fields.gas_limit, limit }.into());
        }
        let (fee_cap, tip_cap) = (fields.fees.fee_cap(), fields.fees.tip_cap());
        // DEV-4: the next block's may be below the floor.
        let floor = point.spec.base_fee_floor.min(point.base_fee);
        if fee_cap < U256::from(floor) {
            return Err(RuleError::FeeCapTooLow { got: fee_cap, base_fee: floor }.into());
        }
        let least = Rate::of_wei(fee_cap).above(floor).min(Tip::of_wei(tip_cap));
        let tip = Rate::of_wei(fee_cap).above(point.base_fee).min(Tip::of_wei(tip_cap));
        self.check_price(point, least, Rate::from_tip(tip, point.base_fee))?;
        let on_chain = match self.accounts.queue(&sender) {
            Some(queue) => queue.on_chain,
            None => sender_on_chain(point, &sender)?,
        };
        let staged = StagedAccount { sender, on_chain };
        self.check_queue(&staged, fields, flight.next_nonce(&sender))?;
        Ok(staged)
    }

    /// Checks nonce, limits, replacement and funds against what the sender has here; `coming` is the nonce after those that
    /// are in flight.
    fn check_queue(&self, staged: &StagedAccount, fields: &Fields, coming: u64) -> Result<(), MempoolError> {
        let StagedAccount { sender, on_chain } = *staged;
        let (got, expected) = (fields.nonce, on_chain.nonce);
        if got < expected {
            return Err(MempoolError::NonceTooLow { sender, got, expected });
        }
        // As in geth: its balance may be gone by anybody's call, and with it any number of transactions.
        if on_chain.delegated && got > expected {
            return Err(MempoolError::DelegatedSender { sender, got, expected });
        }
        let empty = Queue { on_chain, ..Queue::default() };
        let queue = self.accounts.queue(&sender).unwrap_or(&empty);
        match queue.slots.get(&got) {
            Some(slot) => check_price_bump(self.accounts.get(*slot), fields)?,
            None => {
                let (next, limit) = (queue.first_gap().max(coming), self.config.nonce_gap);
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
        if needed > on_chain.balance {
            return Err(MempoolError::InsufficientFunds { sender, available: on_chain.balance, needed });
        }
        Ok(())
    }

    /// Takes a staged account transaction.
    pub(super) fn admit_account(
        &mut self,
        prepared: Prepared,
        staged: StagedAccount,
        point: &ChainPoint,
    ) -> Result<(), SubmitError> {
        let chain_core::transaction::Transaction::Account(tx) = &*prepared.transaction else {
            return Err(MempoolError::Coinbase.into());
        };
        let fields = tx.fields();
        self.check_queue(&staged, fields, 0)?;
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
            time: point.time,
            since: point.steady,
            sequence: self.sequence(),
            pending: false,
            memory: memory_of(prepared.size, fields),
            transaction: prepared.transaction.clone(),
        };
        self.insert_account(entry, staged.on_chain);
        Ok(())
    }
}

/// How an account stands at the tip, and whether it may send.
fn sender_on_chain(point: &ChainPoint, sender: &Address) -> Result<OnChain, SubmitError> {
    let account: Account = point.view.account(sender)?.unwrap_or_default();
    // ACC-11, DEV-2
    if !point.spec.is_dev()
        && account.code_hash != KECCAK256_EMPTY
        && !point.view.code(&account.code_hash)?.starts_with(&DELEGATION)
    {
        return Err(RuleError::SenderHasCode(*sender).into());
    }
    Ok(account.into())
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
