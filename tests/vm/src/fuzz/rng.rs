//! Random numbers that only depend on the seed (SplitMix64).

use alloy_primitives::U256;

/// A source of numbers.
#[derive(Clone, Debug)]
pub struct Rng(u64);

impl Rng {
    /// Starts at a seed.
    pub fn new(seed: u64) -> Self {
        Self(seed.wrapping_mul(0x2545_f491_4f6c_dd1d) ^ 0x5851_f42d_4c95_7f2d)
    }

    /// 64 random bits.
    pub fn bits(&mut self) -> u64 {
        self.0 = self.0.wrapping_add(0x9e37_79b9_7f4a_7c15);
        let mut bits = self.0;
        bits = (bits ^ bits >> 30).wrapping_mul(0xbf58_476d_1ce4_e5b9);
        bits = (bits ^ bits >> 27).wrapping_mul(0x94d0_49bb_1331_11eb);
        bits ^ bits >> 31
    }

    /// A number below `limit`, which is not 0.
    pub fn below(&mut self, limit: usize) -> usize {
        (self.bits() % limit as u64) as usize
    }

    /// True `percent` times of a hundred.
    pub fn percent(&mut self, percent: usize) -> bool {
        self.below(100) < percent
    }

    /// True once in `count` times.
    pub fn once_in(&mut self, count: usize) -> bool {
        self.below(count) == 0
    }

    /// One of some.
    pub fn pick<'a, T>(&mut self, items: &'a [T]) -> &'a T {
        &items[self.below(items.len())]
    }

    /// The place of one of some weights, as often as it weighs.
    pub fn weighed(&mut self, weights: &[usize]) -> usize {
        let mut left = self.below(weights.iter().sum());
        weights
            .iter()
            .position(|weight| left.checked_sub(*weight).map(|rest| left = rest).is_none())
            .unwrap_or_default()
    }

    /// Random bytes.
    pub fn bytes(&mut self, len: usize) -> Vec<u8> {
        (0..len).map(|_| self.bits() as u8).collect()
    }

    /// 256 random bits.
    pub fn wide(&mut self) -> U256 {
        U256::from_limbs(std::array::from_fn(|_| self.bits()))
    }

    /// A word that is often at an edge.
    pub fn word(&mut self) -> U256 {
        match self.below(12) {
            0..=3 => U256::from(self.below(256)),
            4 => U256::ZERO,
            5 => U256::from(self.bits()),
            6 => U256::ONE << self.below(256),
            7 => (U256::ONE << self.below(256)) - U256::ONE,
            8 => U256::MAX - U256::from(self.below(3)),
            9 => (U256::ONE << 255) - U256::from(self.below(2)),
            10 => self.wide() >> self.below(256),
            _ => self.wide(),
        }
    }
}
