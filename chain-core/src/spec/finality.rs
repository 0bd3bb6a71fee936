//! Who finalizes blocks of a chain, and when. Most chains have nobody.

use serde::Serialize;

use crate::{
    finality::pbft::{Rules, View},
    transaction::coin::KeyBytes,
    units::Height,
};

/// Most members: a proof that a block was prepared then has 67 signatures.
pub const MOST_MEMBERS: usize = 100;

/// The parameters of finality.
#[derive(Clone, Debug, PartialEq, Eq, Serialize)]
pub struct Finality {
    /// Keys of the members, 3f+1 of them. A member is its place in this list.
    pub members: Vec<KeyBytes>,
    /// E: heights of finalized blocks are multiples of it.
    pub interval: u32,
    /// Sigma: a member votes for a block that is so deep on its best chain.
    pub depth: u32,
    /// W: a certificate that disconnects more blocks is refused.
    pub window: u32,
}

impl Finality {
    /// f: how many members may do anything.
    fn faulty(&self) -> u8 {
        u8::try_from(self.members.len().min(MOST_MEMBERS).saturating_sub(1) / 3).unwrap_or(0)
    }

    /// How members agree on a checkpoint: each leads the first view of one in turn.
    pub fn agreement(&self, height: Height) -> Rules {
        let rules = Rules::for_faulty(self.faulty());
        let first = u8::try_from(height / self.interval % u32::from(rules.replicas)).unwrap_or(0);
        Rules { first, ..rules }
    }

    /// 2f+1: any two such groups have a correct member in common.
    pub fn quorum(&self) -> usize {
        Rules::for_faulty(self.faulty()).quorum
    }

    /// How many members there are.
    pub fn count(&self) -> u8 {
        Rules::for_faulty(self.faulty()).replicas
    }

    /// Who leads a view of a checkpoint.
    pub fn leader(&self, height: Height, view: View) -> u8 {
        self.agreement(height).leader(view)
    }

    /// Whether a block of this height may be finalized.
    pub fn is_checkpoint(&self, height: Height) -> bool {
        // FIN-2
        height > 0 && height.is_multiple_of(self.interval)
    }

    /// The height that is finalized after this one, if there is one left.
    pub fn next_after(&self, height: Height) -> Option<Height> {
        height.checked_add(self.interval - height % self.interval)
    }
}
