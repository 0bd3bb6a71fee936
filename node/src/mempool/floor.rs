//! The rolling minimum fee: what a transaction has to pay after others were evicted.

use super::rate::Rate;

/// What the minimum rises by above what was dropped, in wei per gas.
const STEP: u64 = 100_000_000;

/// The price of entry after the pool overflowed: base fee included, so that it means the same at every base fee.
#[derive(Debug, Default)]
pub(super) struct Floor {
    rate: Rate,
    since: u32,
}

impl Floor {
    pub(super) fn rate(&self) -> Rate {
        self.rate
    }

    pub(super) fn raise(&mut self, dropped: Rate, now: u32) {
        let above = dropped.plus_wei(STEP);
        if above > self.rate {
            *self = Self { rate: above, since: now };
        }
    }

    pub(super) fn decay(&mut self, half_life: u32, now: u32) {
        while self.rate > Rate::default() && now.saturating_sub(self.since) >= half_life {
            self.rate = self.rate.halved();
            self.since += half_life;
        }
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
