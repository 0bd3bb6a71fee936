//! Who agrees, and how.

use super::{Id, Number, View};

/// Who agrees, and how.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct Rules {
    /// n: how many replicas.
    pub replicas: u8,
    /// f: how many of them may be faulty.
    pub faulty: u8,
    /// How many make a quorum: n-f, which is 2f+1 of 3f+1.
    pub quorum: usize,
    /// Who leads view 0; the others follow in order.
    pub first: Id,
    /// How far above the stable checkpoint numbers are taken from.
    pub window: Number,
}

impl Rules {
    /// 3f+1 replicas.
    pub fn for_faulty(faulty: u8) -> Self {
        let (replicas, quorum) = (3 * faulty + 1, 2 * usize::from(faulty) + 1);
        Self { replicas, faulty, quorum, first: 0, window: 8 }
    }

    /// Who leads a view.
    pub fn leader(&self, view: View) -> Id {
        let place = (u64::from(self.first) + view % u64::from(self.replicas)) % u64::from(self.replicas);
        Id::try_from(place).expect("below the number of replicas")
    }
}
