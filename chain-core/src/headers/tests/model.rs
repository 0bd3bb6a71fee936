//! Fork choice compared with a model that examines every block each time.

use alloy_primitives::U256;
use proptest::{
    collection::vec,
    prelude::*,
    sample::{Index, select},
};

use super::*;

#[derive(Clone, Debug)]
enum Step {
    Body(Index),
    Invalid(Index),
}

fn step() -> impl Strategy<Value = Step> {
    let invalid = any::<Index>().prop_map(Step::Invalid);
    prop_oneof![8 => any::<Index>().prop_map(Step::Body), 1 => invalid]
}

/// Targets of a block: two hashes of work, four, eight, and 65,536.
const BITS: [u32; 4] = [0x207f_ffff, 0x203f_ffff, 0x201f_ffff, 0x1f00_ffff];

/// A header by its parent and its bits.
fn drawn() -> impl Strategy<Value = (Index, u32)> {
    (any::<Index>(), prop_oneof![6 => select(&BITS[..3]), 1 => Just(BITS[3])])
}

/// A tree of unmined headers: header `i + 1` on one of the `i + 1` before it.
fn grow(drawn: &[(Index, u32)]) -> (HeaderTree, Vec<StoredHeader>) {
    let spec = ChainSpec::dev();
    let mut stored: Vec<StoredHeader> = Vec::new();
    for number in 0..=drawn.len() {
        let parent = number.checked_sub(1).map(|at| drawn[at]);
        let prev = parent.map_or(BlockHash::default(), |(parent, _)| stored[parent.index(number)].hash);
        let bits = parent.map_or(spec.genesis_bits, |(_, bits)| bits);
        let nonce = u32::try_from(number).unwrap();
        let header = Header { version: 1, prev, merkle_root: [0; 32], time: 0, bits, nonce };
        stored.push(StoredHeader { header, hash: header.hash(), status: Status::HeaderOnly, executed: None });
    }
    (HeaderTree::load(&spec, stored.iter().copied()).unwrap(), stored)
}

/// What is true of a block, by looking at all its ancestors.
struct Model<'a> {
    stored: &'a [StoredHeader],
    bodies: Vec<bool>,
    invalid: Vec<bool>,
}

impl Model<'_> {
    fn ancestors(&self, at: usize) -> impl Iterator<Item = usize> {
        let parent = |at: &usize| {
            let prev = self.stored[*at].header.prev;
            self.stored.iter().position(|stored| stored.hash == prev)
        };
        std::iter::successors(Some(at), parent)
    }

    fn is_valid(&self, at: usize) -> bool {
        !self.ancestors(at).any(|at| self.invalid[at])
    }

    fn is_complete(&self, at: usize) -> bool {
        self.ancestors(at).all(|at| self.bodies[at])
    }

    /// Work of a block and its ancestors.
    fn work(&self, at: usize) -> U256 {
        self.ancestors(at).map(|at| pow::work(pow::target(self.stored[at].header.bits).unwrap())).sum()
    }

    /// Work of the best of the blocks that fit.
    fn best(&self, fits: impl Fn(usize) -> bool) -> U256 {
        let fitting = (0..self.stored.len()).filter(|at| self.is_valid(*at) && fits(*at));
        fitting.map(|at| self.work(at)).max().unwrap_or_else(|| self.work(0))
    }

    /// Checks a choice against the work that it must have; a choice only changes for more work, or if it fell.
    fn check(&self, before: BlockHash, now: &HeaderInfo, work: U256) -> Result<(), TestCaseError> {
        prop_assert_eq!(now.work, work);
        let at = |hash| self.stored.iter().position(|stored| stored.hash == hash).unwrap();
        prop_assert!(self.is_valid(at(now.hash)));
        let old = at(before);
        if before != now.hash && self.is_valid(old) {
            prop_assert!(self.work(old) < work);
        }
        Ok(())
    }
}

proptest! {
    // HDR-6
    #[test]
    fn chooses_what_a_look_at_all_blocks_chooses(parents in vec(drawn(), 1..30), steps in vec(step(), 1..60)) {
        let (mut tree, stored) = grow(&parents);
        let (mut bodies, invalid) = (vec![false; stored.len()], vec![false; stored.len()]);
        bodies[0] = true;
        let mut model = Model { stored: &stored, bodies, invalid };
        for step in steps {
            let (candidate, best) = (tree.candidate(), tree.best_header());
            match step {
                Step::Body(at) => {
                    let at = at.index(stored.len());
                    tree.mark_body(&stored[at].hash);
                    model.bodies[at] = true;
                }
                Step::Invalid(at) => {
                    let at = 1 + at.index(stored.len() - 1);
                    let fallen = tree.mark_invalid(&stored[at].hash);
                    model.invalid[at] = true;
                    prop_assert!(fallen.iter().all(|hash| tree.is_ancestor(&stored[at].hash, hash)));
                }
            }
            model.check(candidate, &tree.get(&tree.candidate()).unwrap(), model.best(|at| model.is_complete(at)))?;
            model.check(best, &tree.get(&tree.best_header()).unwrap(), model.best(|_| true))?;
        }
    }

    #[test]
    fn paths_lead_from_any_block_to_any_other(parents in vec(drawn(), 1..40), from: Index, to: Index) {
        let (tree, stored) = grow(&parents);
        let (from, to) = (from.get(&stored).hash, to.get(&stored).hash);
        let path = tree.path(&from, &to).unwrap();
        let prev = |hash: &BlockHash| tree.get(hash).unwrap().header.prev;
        let fork = path.disconnect.iter().try_fold(from, |tip, hash| (*hash == tip).then(|| prev(hash))).unwrap();
        prop_assert_eq!(Some(fork), tree.fork_point(&from, &to));
        let end = path.connect.iter().try_fold(fork, |tip, hash| (prev(hash) == tip).then_some(*hash));
        prop_assert_eq!(end, Some(to));
        prop_assert!(path.connect.iter().all(|hash| !path.disconnect.contains(hash)));
    }
}
