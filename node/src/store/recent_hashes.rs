//! Hashes of the last blocks: contracts ask for 256 of them at any price.

use chain_core::{hash::BlockHash, units::Height};
use std::collections::VecDeque;

/// How many hashes are kept.
pub const KEPT: usize = 1_024;

/// The last hashes of the active chain, without a gap up to the tip.
#[derive(Debug, Default)]
pub struct RecentHashes {
    hashes: VecDeque<BlockHash>,
    /// Height of the block after the last.
    next: Height,
}

impl RecentHashes {
    /// The hashes up to a tip, lowest first.
    pub fn new(hashes: VecDeque<BlockHash>, tip: Height) -> Self {
        Self { hashes, next: tip + 1 }
    }

    /// The hash at a height, if it is kept.
    pub fn get(&self, height: Height) -> Option<BlockHash> {
        let below = usize::try_from(self.next.checked_sub(height)?).ok()?;
        self.hashes.len().checked_sub(below).and_then(|index| self.hashes.get(index)).copied()
    }

    /// Appends the next tip.
    pub fn push(&mut self, hash: BlockHash) {
        self.hashes.push_back(hash);
        self.next += 1;
        if self.hashes.len() > KEPT {
            self.hashes.pop_front();
        }
    }

    /// Takes the tip back.
    pub fn pop(&mut self) {
        self.hashes.pop_back();
        self.next -= 1;
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn hash(number: u8) -> BlockHash {
        BlockHash([number; 32])
    }

    #[test]
    fn knows_what_was_pushed_and_not_popped() {
        let mut recent = RecentHashes::new(VecDeque::from([hash(5), hash(6)]), 6);
        recent.push(hash(7));
        assert_eq!(
            [4, 5, 6, 7, 8].map(|height| recent.get(height)),
            [None, Some(hash(5)), Some(hash(6)), Some(hash(7)), None]
        );
        for _ in 0..3 {
            recent.pop();
        }
        assert_eq!(recent.get(5), None);
        recent.push(hash(9));
        assert_eq!(recent.get(5), Some(hash(9)));
    }

    #[test]
    fn keeps_no_more_than_it_has_to() {
        let mut recent = RecentHashes::new(VecDeque::from([hash(0)]), 0);
        (0..2 * KEPT).for_each(|_| recent.push(hash(1)));
        assert_eq!(recent.hashes.len(), KEPT);
        assert_eq!(recent.get(2 * KEPT as Height), Some(hash(1)));
        assert_eq!(recent.get(0), None);
    }
}
