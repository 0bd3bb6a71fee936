//! A history step by step, for measurements: what happens in some time, and what nodes and miners did until then.

use cairn_node::engine::Engine;
use chain_core::hash::BlockHash;

use super::{Outcome, World};
use crate::{
    forks::Forks,
    oracle::{Find, Violation},
};

impl World {
    /// Lets so many milliseconds happen.
    ///
    /// # Errors
    /// The invariant that did not hold.
    pub fn play(&mut self, milliseconds: u64) -> Result<(), Violation> {
        if !self.begun {
            self.begin();
        }
        self.run_until(self.now + milliseconds);
        self.violation.clone().map_or(Ok(()), Err)
    }

    /// Milliseconds from the start.
    pub fn now(&self) -> u64 {
        self.now
    }

    /// The engine of a node, while its process runs.
    pub fn engine(&self, node: usize) -> Option<&Engine> {
        self.nodes[node].engine.as_ref()
    }

    /// All blocks that were found, in the order of time.
    pub fn finds(&self) -> Vec<(BlockHash, Find)> {
        let mut finds: Vec<_> = self.oracle.finds().collect();
        finds.sort_by_key(|(hash, find)| (find.at, *hash));
        finds
    }

    /// How blocks spread and compete until now.
    pub fn forks(&self) -> Forks {
        self.forks.total()
    }

    /// The most blocks by which one honest node's chain differs from another's.
    pub fn apart(&self) -> usize {
        let tips: Vec<BlockHash> = self.honest().map(|(_, engine)| engine.store().tip().hash).collect();
        let pairs = tips.iter().flat_map(|one| tips.iter().map(move |other| (*one, *other)));
        pairs.map(|(one, other)| self.oracle.apart(one, other)).max().unwrap_or(0)
    }

    /// Ends it where it is.
    pub fn close(mut self) -> Outcome {
        self.tally();
        self.outcome()
    }
}
