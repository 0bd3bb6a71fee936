//! Keeping the pool within its bytes: the worst go first, and the price of entry rises.

use chain_core::Address;

use super::{ChainPoint, Id, Mempool, MempoolError, RemovalReason, Staged, SubmitError, rate::Rate, stage::Kind};

/// What the price of entry rises by above what was dropped, in wei a gas.
const STEP: u64 = 100_000_000;

/// Seconds in which the price of entry halves while the pool is full.
const HALF_LIFE: u32 = 3_600;

/// Hundredths of the pool below which there is room, so that entry costs nothing extra. Only what could be mined counts:
/// the rest gives way first. A price that outlived the crowd would keep honest transactions out of an empty pool for
/// hours, and whoever drove it up need not have paid it.
const ROOM: usize = 75;

/// The price of entry after the pool overflowed: base fee included, so that it means the same at every base fee.
#[derive(Debug, Default)]
pub(crate) struct Floor {
    rate: Rate,
    since: u32,
}

impl Floor {
    pub(crate) fn rate(&self) -> Rate {
        self.rate
    }

    fn raise(&mut self, dropped: Rate, now: u32) {
        let above = dropped.plus_wei(STEP);
        if above > self.rate {
            *self = Self { rate: above, since: now };
        }
    }

    fn decay(&mut self, half_life: u32, now: u32) {
        while self.rate > Rate::default() && now.saturating_sub(self.since) >= half_life {
            self.rate = self.rate.halved();
            self.since += half_life;
        }
    }
}

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
            Kind::Coin(coin) => self.admit_coin(prepared, coin, point.now)?,
            Kind::Account(account) => self.admit_account(prepared, account, point.now)?,
        }
        self.enforce_limit(point.now, newcomer.as_ref());
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

    /// Lets the price of entry sink and drops what is too old. To be called every few seconds.
    pub fn tick(&mut self, now: u32) {
        self.floor.decay(HALF_LIFE, now);
        if now.saturating_sub(self.last_expiry) < 60 {
            return;
        }
        self.last_expiry = now;
        let old = |time: u32| now.saturating_sub(time) > self.config.expiry;
        let coins: Vec<_> = self.coins.iter().filter(|(_, entry)| old(entry.time)).map(|(slot, _)| slot).collect();
        let accounts: Vec<_> =
            self.accounts.iter().filter(|(_, entry)| old(entry.time)).map(|(slot, _)| slot).collect();
        self.drop_each(&coins, RemovalReason::Expired);
        for slot in accounts {
            self.drop_account(slot, RemovalReason::Expired);
        }
        self.lower_floor();
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::mempool::rate::Tip;
    use chain_core::U256;

    #[test]
    fn the_price_of_entry_rises_and_sinks() {
        let gwei = |amount: u64| Rate::of_wei(U256::from(amount * 1_000_000_000));
        let mut floor = Floor::default();
        floor.raise(gwei(4), 1_000);
        assert_eq!(floor.rate(), gwei(4).plus_wei(STEP));
        floor.raise(gwei(3), 1_001);
        assert_eq!((floor.rate(), floor.since), (gwei(4).plus_wei(STEP), 1_000));
        floor.decay(100, 1_099);
        assert_eq!(floor.rate(), gwei(4).plus_wei(STEP));
        floor.decay(100, 1_200);
        assert_eq!(floor.rate().above(0), Tip::of_wei(U256::from(1_025_000_000u64)));
        floor.decay(100, u32::MAX);
        assert_eq!(floor.rate(), Rate::default());
    }
}
