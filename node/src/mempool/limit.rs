//! Keeping the pool within its bytes: the worst go first, and the price of entry rises.

use chain_core::Address;

use super::{
    ChainPoint, Id, Mempool, MempoolError, RemovalReason, Staged, SubmitError, floor::Floor, rate::Rate, stage::Kind,
};

/// Seconds in which the price of entry halves while the pool is full.
const HALF_LIFE: u32 = 3_600;

/// Hundredths of the pool below which there is room, so that entry costs nothing extra. Only what could be mined counts:
/// the rest gives way first. A price that outlived the crowd would keep honest transactions out of an empty pool for
/// hours, and the attacker who raised it may never have paid it.
const ROOM: usize = 75;

impl Mempool {
    /// Takes a staged transaction whose signatures are right, at the same tip that it was staged at.
    ///
    /// # Errors
    /// [`SubmitError`]: others were taken in between, or the pool is full of better ones.
    pub fn admit(&mut self, point: &ChainPoint, staged: Staged) -> Result<(), SubmitError> {
        let Staged { prepared, kind } = staged;
        let (txid, newcomer) = (prepared.txid, prepared.sender);
        if self.by_txid.contains_key(&txid) {
            return Err(MempoolError::AlreadyKnown(txid).into());
        }
        match kind {
            Kind::Coin(coin) => self.admit_coin(prepared, coin, point)?,
            Kind::Account(account) => self.admit_account(prepared, account, point)?,
        }
        self.enforce_limit(point.steady, newcomer.as_ref());
        self.lower_floor();
        if !self.by_txid.contains_key(&txid) {
            return Err(MempoolError::Full { minimum: self.min_tip() }.into());
        }
        Ok(())
    }

    /// Least tip per gas that is taken now, in wei.
    pub(super) fn min_tip(&self) -> u64 {
        let floor = self.floor.rate().above(self.base_fee).ceil_wei().max(0);
        u64::try_from(floor).unwrap_or(u64::MAX).max(self.config.min_tip)
    }

    /// Drops the worst until the rest fits; `newcomer` sent the account transaction that came last.
    pub(super) fn enforce_limit(&mut self, now: u32, newcomer: Option<&Address>) {
        while self.memory > self.config.max_bytes {
            let Some((id, rate)) = self.worst(newcomer) else { return };
            if let Some(rate) = rate {
                self.floor.raise(rate, now);
            }
            match id {
                Id::Coin(slot) => self.drop_coins(&[slot], RemovalReason::Evicted),
                Id::Account(slot) => self.drop_account(slot, RemovalReason::Evicted),
            }
        }
    }

    /// What to drop first, and the price that this sets: what waits for something, then what is over its sender's share,
    /// neither of which says anything about prices; then what tips least.
    fn worst(&self, newcomer: Option<&Address>) -> Option<(Id, Option<Rate>)> {
        let free = self.accounts.worst_queued().or_else(|| self.accounts.last_over_share(newcomer));
        if let Some(slot) = free {
            return Some((Id::Account(slot), None));
        }
        let coin = self.coins.worst().map(|(rate, slot)| (rate.above(self.base_fee), Id::Coin(slot)));
        let account = self.accounts.worst_pending().map(|(tip, slot)| (tip, Id::Account(slot)));
        let (tip, id) = coin.into_iter().chain(account).min()?;
        Some((id, Some(Rate::from_tip(tip, self.base_fee))))
    }

    /// Ends the price of entry once there is room for what could be mined.
    pub(super) fn lower_floor(&mut self) {
        let held = self.memory - self.accounts.queued_memory();
        if held <= self.config.max_bytes / 100 * ROOM {
            self.floor = Floor::default();
        }
    }

    /// Lets the price of entry sink and drops what is too old. To be called every few seconds, with the time of the steady clock:
    /// a wall clock that is set ahead would empty the pool.
    pub fn tick(&mut self, now: u32) {
        self.floor.decay(HALF_LIFE, now);
        if now.saturating_sub(self.last_expiry) < 60 {
            return;
        }
        self.last_expiry = now;
        let old = |since: u32| now.saturating_sub(since) > self.config.expiry;
        let coins: Vec<_> = self.coins.iter().filter(|(_, entry)| old(entry.since)).map(|(slot, _)| slot).collect();
        let accounts: Vec<_> =
            self.accounts.iter().filter(|(_, entry)| old(entry.since)).map(|(slot, _)| slot).collect();
        self.drop_each(&coins, RemovalReason::Expired);
        for slot in accounts {
            self.drop_account(slot, RemovalReason::Expired);
        }
        self.lower_floor();
    }
}
