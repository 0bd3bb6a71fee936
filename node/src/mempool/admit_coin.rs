//! Taking a coin transaction: what it replaces, and how long a chain it makes.

use chain_core::{
    transaction::coin::{CoinTransaction, OutPoint},
    units::Amount,
};

use super::{
    ChainPoint, Id, InFlight, Mempool, MempoolError, RemovalReason, SubmitError,
    coins::{CoinEntry, Links, Sums},
    stage::{Prepared, StagedCoin},
    types::Slot,
};

/// Most bytes of the one child that an ancestor may have beyond its limits, as in Bitcoin Core: the owner of another output
/// of it can still raise its fee, however many descendants somebody hung on his own.
const CARVE_OUT_BYTES: usize = 10_000;

/// Where a coin transaction would stand.
pub(super) struct Place {
    /// Transactions of the pool that it spends from.
    parents: Vec<Slot>,
    /// Transactions that spend what it spends.
    conflicts: Vec<Slot>,
}

impl Mempool {
    /// Finds where a coin transaction would stand, and whether it may. Parents in flight are counted at admission.
    pub(super) fn check_coin_place(
        &self,
        tx: &CoinTransaction,
        size: usize,
        staged: &StagedCoin,
        flight: &InFlight,
    ) -> Result<Place, MempoolError> {
        let mut parents = Vec::new();
        for outpoint in &staged.unconfirmed {
            match self.by_txid.get(&outpoint.txid) {
                Some(Id::Coin(slot)) if !parents.contains(slot) => parents.push(*slot),
                Some(Id::Coin(_)) => {}
                None if flight.contains(&outpoint.txid) => {}
                _ => return Err(MempoolError::MissingCoin(*outpoint)),
            }
        }
        let mut conflicts: Vec<Slot> = tx.inputs.iter().filter_map(|input| self.coins.spender(input)).collect();
        conflicts.sort_unstable();
        conflicts.dedup();
        let ancestors = self.ancestors_within_limits(&parents, size)?;
        let replaced = self.check_replacement(&conflicts, &ancestors, staged)?;
        self.check_descendants(&ancestors, &replaced, size)?;
        Ok(Place { parents, conflicts })
    }

    fn ancestors_within_limits(&self, parents: &[Slot], size: usize) -> Result<Vec<Slot>, MempoolError> {
        let limit = self.config.chain_count;
        // Each parent is one ancestor: do not walk from thousands of them.
        if parents.len() >= limit {
            return Err(MempoolError::TooManyAncestors { got: parents.len() + 1, limit });
        }
        let ancestors = self.coins.ancestry(parents);
        if ancestors.len() >= limit {
            return Err(MempoolError::TooManyAncestors { got: ancestors.len() + 1, limit });
        }
        let bytes: u64 = ancestors.iter().map(|slot| self.coins.get(*slot).own.size).sum();
        let (got, limit) = (bytes as usize + size, self.config.chain_bytes);
        if got > limit {
            return Err(MempoolError::AncestorsTooLarge { got, limit });
        }
        Ok(ancestors)
    }

    /// Checks that what is replaced is paid for; returns all that would be dropped.
    fn check_replacement(
        &self,
        conflicts: &[Slot],
        ancestors: &[Slot],
        staged: &StagedCoin,
    ) -> Result<Vec<Slot>, MempoolError> {
        if conflicts.is_empty() {
            return Ok(Vec::new());
        }
        let limit = self.config.replaced;
        if conflicts.len() > limit {
            return Err(MempoolError::TooManyReplaced { got: conflicts.len(), limit });
        }
        let replaced = self.coins.descent(conflicts);
        if replaced.len() > limit {
            return Err(MempoolError::TooManyReplaced { got: replaced.len(), limit });
        }
        if let Some(slot) = ancestors.iter().find(|slot| replaced.contains(slot)) {
            return Err(MempoolError::SpendsReplaced(self.coins.get(*slot).txid));
        }
        if let Some(outpoint) = staged.unconfirmed.iter().find(|outpoint| !self.spent_by_any(conflicts, outpoint)) {
            return Err(MempoolError::ReplacementAddsUnconfirmed(*outpoint));
        }
        let needed = self.replacement_fee(conflicts, &replaced, staged);
        if staged.fee.fee < needed {
            return Err(MempoolError::ReplacementFee { count: replaced.len(), got: staged.fee.fee, needed });
        }
        Ok(replaced)
    }

    /// Whether one of these transactions spends an output of the same parent.
    fn spent_by_any(&self, slots: &[Slot], outpoint: &OutPoint) -> bool {
        let same_parent = |input: &OutPoint| input.txid == outpoint.txid;
        slots.iter().any(|slot| self.coins.get(*slot).coin_transaction().inputs.iter().any(same_parent))
    }

    /// A tenth more than each of the conflicts pays for the same gas, and a tenth more than all that goes pays together.
    fn replacement_fee(&self, conflicts: &[Slot], replaced: &[Slot], staged: &StagedCoin) -> Amount {
        let gas = u128::from(staged.fee.gas);
        let for_gas = |own: &Sums| (u128::from(own.fee.grains()) * gas * 11).div_ceil(10 * u128::from(own.gas.max(1)));
        let each = conflicts.iter().map(|slot| for_gas(&self.coins.get(*slot).own)).max().unwrap_or(0);
        let total: u128 = replaced.iter().map(|slot| u128::from(self.coins.get(*slot).own.fee.grains())).sum();
        Amount::from_grains(u64::try_from(each.max((total * 11).div_ceil(10))).unwrap_or(u64::MAX))
    }

    fn check_descendants(&self, ancestors: &[Slot], replaced: &[Slot], size: usize) -> Result<(), MempoolError> {
        // A child of nothing else that is unconfirmed.
        let carved_out = ancestors.len() == 1 && size <= CARVE_OUT_BYTES;
        let (more, more_bytes) = if carved_out { (1, CARVE_OUT_BYTES) } else { (0, 0) };
        for slot in ancestors {
            let entry = self.coins.get(*slot);
            let mut sums = *entry.with_descendants();
            if !replaced.is_empty() {
                for gone in self.coins.descent(&[*slot]).iter().filter(|slot| replaced.contains(slot)) {
                    sums.subtract(&self.coins.get(*gone).own);
                }
            }
            let (got, limit) = (sums.count as usize + 1, self.config.chain_count);
            if got > limit + more {
                return Err(MempoolError::TooManyDescendants { ancestor: entry.txid, got, limit });
            }
            let (got, limit) = (sums.size as usize + size, self.config.chain_bytes);
            if got > limit + more_bytes {
                return Err(MempoolError::DescendantsTooLarge { ancestor: entry.txid, got, limit });
            }
        }
        Ok(())
    }

    /// Takes a staged coin transaction whose signatures are right.
    pub(super) fn admit_coin(
        &mut self,
        prepared: Prepared,
        staged: StagedCoin,
        point: &ChainPoint,
    ) -> Result<(), SubmitError> {
        let chain_core::transaction::Transaction::Coin(tx) = &*prepared.transaction else {
            return Err(MempoolError::Coinbase.into());
        };
        let place = self.check_coin_place(tx, prepared.size, &staged, &InFlight::default())?;
        if !place.conflicts.is_empty() {
            self.drop_coins(&place.conflicts, RemovalReason::Replaced(prepared.txid));
        }
        let fee = staged.fee;
        let own = Sums { count: 1, size: prepared.size as u64, gas: fee.gas, fee: fee.fee };
        let entry = CoinEntry {
            txid: prepared.txid,
            leaf: prepared.leaf,
            transaction: prepared.transaction,
            spent: staged.spent,
            own,
            time: point.time,
            since: point.steady,
            sequence: self.sequence(),
            valid_from: staged.valid_from,
            links: Links::default(),
        };
        self.insert_coin(entry, place.parents);
        Ok(())
    }
}
