//! What a search remembers: the states of a depth, and all that were found, with the way to each.

use super::{intern::FastMap, state::Action};
use std::{
    collections::HashSet,
    hash::{BuildHasherDefault, Hasher},
};

/// The digests are hashes already.
#[derive(Clone, Copy, Debug, Default)]
struct Taken(u64);

impl Hasher for Taken {
    fn finish(&self) -> u64 {
        self.0
    }

    fn write(&mut self, _bytes: &[u8]) {}

    fn write_u128(&mut self, digest: u128) {
        // Half of the digest is enough to find its place.
        self.0 = digest as u64;
    }
}

/// The states of one depth, end to end.
#[derive(Debug, Default)]
pub(super) struct Level {
    words: Vec<u32>,
    pub ends: Vec<usize>,
}

impl Level {
    pub fn push(&mut self, state: &[u32]) {
        self.words.extend_from_slice(state);
        self.ends.push(self.words.len());
    }

    pub fn clear(&mut self) {
        self.words.clear();
        self.ends.clear();
    }

    pub fn get(&self, index: usize) -> &[u32] {
        let start = if index == 0 { 0 } else { self.ends[index - 1] };
        &self.words[start..self.ends[index]]
    }
}

/// All states found, and how.
pub(super) struct Seen {
    /// Numbers by digest, in order of discovery; kept only if progress is asked for.
    pub numbers: Option<FastMap<u128, u32>>,
    digests: HashSet<u128, BuildHasherDefault<Taken>>,
    /// For each state but the first: the state before it and what happened.
    pub origins: Vec<(u32, Action)>,
    pub edges: Vec<(u32, u32)>,
    pub done: Vec<u32>,
}

impl Seen {
    pub fn new(progress: bool) -> Self {
        Self {
            numbers: progress.then(FastMap::default),
            digests: HashSet::default(),
            origins: Vec::new(),
            edges: Vec::new(),
            done: Vec::new(),
        }
    }

    /// Whether a state is new.
    pub fn add(&mut self, digest: u128, before: u32, action: Action) -> bool {
        let new = self.digests.insert(digest);
        if new {
            self.origins.push((before, action));
        }
        if let Some(numbers) = &mut self.numbers {
            let number = *numbers.entry(digest).or_insert(self.origins.len() as u32 - 1);
            self.edges.push((before, number));
        }
        new
    }

    pub fn len(&self) -> usize {
        self.origins.len()
    }

    /// The actions from the start to a state.
    pub fn path(&self, mut state: u32) -> Vec<Action> {
        let mut path = Vec::new();
        while state != 0 {
            let (before, action) = self.origins[state as usize];
            path.push(action);
            state = before;
        }
        path.reverse();
        path
    }

    /// The first state from which no state that is done can be reached.
    pub fn blocked(&mut self) -> Option<u32> {
        self.edges.sort_unstable_by_key(|&(_, to)| to);
        let mut reaches = vec![false; self.len()];
        let mut open = std::mem::take(&mut self.done);
        open.iter().for_each(|&state| reaches[state as usize] = true);
        while let Some(state) = open.pop() {
            let start = self.edges.partition_point(|&(_, to)| to < state);
            for &(from, _) in self.edges[start..].iter().take_while(|&&(_, to)| to == state) {
                if !std::mem::replace(&mut reaches[from as usize], true) {
                    open.push(from);
                }
            }
        }
        reaches.iter().position(|&reaches| !reaches).map(|state| state as u32)
    }
}
