//! How blocks spread among miners, and how many are found of one height: books for a comparison with Decker and Wattenhofer's model of
//! 2013. They hold for histories in which nodes mine from the start to the end.

use chain_core::{hash::BlockHash, units::Height};
use std::collections::{BTreeMap, BTreeSet, HashMap};

/// What was seen until some moment; the difference of two is what was seen in between.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct Forks {
    /// Blocks found.
    pub found: u64,
    /// Heights of which a block was found.
    pub heights: u64,
    /// Heights of which a second one was found.
    pub forked: u64,
    /// Milliseconds until a node had heard of a block, times the node's part of the hash rate, summed over blocks and nodes.
    pub unheard: f64,
    /// Milliseconds in which a node went on to mine at a height of which a block had been found, times its part of the hash rate, summed
    /// over heights and nodes. In intervals between blocks, this is how many blocks are expected beside the first of each height: finds of
    /// one height come at the rate of those who mine at it.
    pub exposed: f64,
    /// The part of that until the second block: how many heights are expected to have one.
    pub exposed_to_second: f64,
}

impl Forks {
    /// What was seen in two histories.
    #[must_use]
    pub fn plus(&self, other: &Self) -> Self {
        Self {
            found: self.found + other.found,
            heights: self.heights + other.heights,
            forked: self.forked + other.forked,
            unheard: self.unheard + other.unheard,
            exposed: self.exposed + other.exposed,
            exposed_to_second: self.exposed_to_second + other.exposed_to_second,
        }
    }

    /// What was seen since an earlier moment.
    pub fn since(&self, earlier: &Self) -> Self {
        Self {
            found: self.found - earlier.found,
            heights: self.heights - earlier.heights,
            forked: self.forked - earlier.forked,
            unheard: self.unheard - earlier.unheard,
            exposed: self.exposed - earlier.exposed,
            exposed_to_second: self.exposed_to_second - earlier.exposed_to_second,
        }
    }
}

/// When blocks of a height were found.
#[derive(Clone, Copy, Debug)]
struct Finds {
    first: u64,
    second: Option<u64>,
}

/// What a node mines on.
#[derive(Clone, Copy, Debug, Default)]
struct Place {
    tip: Height,
    since: u64,
}

/// The books.
#[derive(Debug)]
pub(crate) struct ForkBooks {
    total: Forks,
    shares: Vec<f64>,
    finds: BTreeMap<Height, Finds>,
    places: Vec<Place>,
    /// Who has not heard of a block, which was found at that time.
    spreading: HashMap<BlockHash, (u64, BTreeSet<usize>)>,
}

impl ForkBooks {
    /// Empty ones, for nodes with these parts of the hash rate.
    pub(crate) fn new(shares: &[f64]) -> Self {
        Self {
            total: Forks::default(),
            shares: shares.to_vec(),
            finds: BTreeMap::new(),
            places: vec![Place::default(); shares.len()],
            spreading: HashMap::new(),
        }
    }

    pub(crate) fn total(&self) -> Forks {
        self.total
    }

    /// A node finds a block.
    pub(crate) fn found(&mut self, node: usize, hash: BlockHash, height: Height, now: u64) {
        self.total.found += 1;
        match self.finds.get_mut(&height) {
            None => {
                self.total.heights += 1;
                self.finds.insert(height, Finds { first: now, second: None });
            }
            Some(finds) if finds.second.is_none() => {
                self.total.forked += 1;
                finds.second = Some(now);
            }
            Some(_) => {}
        }
        let others = (0..self.shares.len()).filter(|other| *other != node && self.shares[*other] > 0.0).collect();
        self.spreading.insert(hash, (now, others));
    }

    /// A node hears of a block, perhaps not for the first time.
    pub(crate) fn heard(&mut self, node: usize, hash: &BlockHash, now: u64) {
        let Some((found, others)) = self.spreading.get_mut(hash) else { return };
        if others.remove(&node) {
            self.total.unheard += self.shares[node] * (now - *found) as f64;
        }
        if others.is_empty() {
            self.spreading.remove(hash);
        }
    }

    /// A node has another tip, and mines on that.
    pub(crate) fn moved(&mut self, node: usize, tip: Height, now: u64) {
        let Place { tip: before, since } = std::mem::replace(&mut self.places[node], Place { tip, since: now });
        let Some(finds) = self.finds.get(&(before + 1)) else { return };
        let (start, share) = (finds.first.max(since), self.shares[node]);
        let until = |end: u64| end.saturating_sub(start) as f64 * share;
        self.total.exposed += until(now);
        self.total.exposed_to_second += until(finds.second.map_or(now, |second| second.min(now)));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const ONE: BlockHash = BlockHash([1; 32]);
    const OTHER: BlockHash = BlockHash([2; 32]);
    const NEXT: BlockHash = BlockHash([3; 32]);

    #[test]
    fn hash_rate_counts_where_it_still_mines_at_a_height_that_has_a_block() {
        let mut books = ForkBooks::new(&[0.5, 0.25, 0.25]);
        // The first node finds a block at 1,000. The second finds another before it hears of that, at 1,400, and stays with its own.
        books.found(0, ONE, 1, 1_000);
        books.moved(0, 1, 1_000);
        books.found(1, OTHER, 1, 1_400);
        books.moved(1, 1, 1_400);
        // 200 x 0.25 since the second block was found.
        books.heard(2, &ONE, 1_600);
        books.moved(2, 1, 1_600);
        books.heard(1, &ONE, 1_800);
        books.heard(2, &OTHER, 1_900);
        books.heard(0, &OTHER, 2_400);
        // Nobody else mined at the second height after its block came to all at once.
        books.found(2, NEXT, 2, 5_000);
        for node in 0..3 {
            books.heard(node, &NEXT, 5_000);
            books.moved(node, 2, 5_000);
        }
        books.heard(2, &ONE, 6_000);
        let wanted = Forks {
            found: 3,
            heights: 2,
            forked: 1,
            unheard: 0.25 * 600.0 + 0.25 * 800.0 + 0.25 * 500.0 + 0.5 * 1_000.0,
            exposed: 0.25 * 400.0 + 0.25 * 600.0,
            exposed_to_second: 0.25 * 400.0 + 0.25 * 400.0,
        };
        assert_eq!(books.total(), wanted);
        assert_eq!(books.total().since(&wanted), Forks::default());
    }
}
