//! Batch update of a trie.
//!
//! One walk over the changed paths, depth first. A subtree returns its new form; leaves and extensions are placed by
//! the parent, because a branch that is left with one child merges with it. Branches never move: a branch is stored at
//! the common nibbles of its keys, whatever happens above it.

use super::{
    LeafChange, MissingNode, Nibbles, Node, NodeChange, NodeKey, NodeReader,
    node::{Branch, Reference, Shape},
};
use crate::{error::ViewError, trie::EMPTY_ROOT};
use alloy_primitives::{B256, keccak256};
use std::{borrow::Cow, sync::Arc};

/// Applies changes to the trie of `owner`; returns the new root and the changed nodes.
///
/// An empty value removes its key, like `None`. Of several changes of one key the last counts. Sorted changes are
/// fastest.
///
/// # Errors
/// [`ViewError`] if a node cannot be read.
pub fn update(
    reader: &dyn NodeReader,
    owner: Option<B256>,
    changes: &[LeafChange],
) -> Result<(B256, Vec<NodeChange>), ViewError> {
    let changes = changes.iter().map(|(key, value)| (Nibbles::of_key(key), value.as_deref()));
    update_paths(reader, owner, changes)
}

/// Root of the trie of a list: value by RLP of its index, as in a block's receipts.
///
/// # Panics
/// Never: the nodes of a new trie are not read.
pub fn ordered_root<T: AsRef<[u8]>>(values: &[T]) -> B256 {
    struct NoNodes;
    impl NodeReader for NoNodes {
        fn node(&self, _key: &NodeKey) -> Result<Option<Arc<Node>>, ViewError> {
            Ok(None)
        }
    }
    let changes = values.iter().enumerate().map(|(index, value)| {
        let key = alloy_rlp::encode(index);
        (Nibbles::of_bytes(&key).expect("the RLP of a number has at most 9 bytes"), Some(value.as_ref()))
    });
    update_paths(&NoNodes, None, changes).expect("a new trie is built without reading a node").0
}

/// [`update`] for keys of any length.
///
/// # Errors
/// Those of [`update`].
pub fn update_paths<'a>(
    reader: &dyn NodeReader,
    owner: Option<B256>,
    changes: impl Iterator<Item = (Nibbles, Option<&'a [u8]>)>,
) -> Result<(B256, Vec<NodeChange>), ViewError> {
    let mut changes: Vec<Change<'a>> =
        changes.map(|(path, value)| Change { path, value: value.filter(|value| !value.is_empty()) }).collect();
    changes.sort_by_key(|change| change.path);
    changes.dedup_by(|later, kept| {
        let same = later.path == kept.path;
        if same {
            *kept = *later;
        }
        same
    });

    let root = NodeKey { owner, path: Nibbles::default() };
    let node = reader.node(&root)?;
    let old = node.as_ref().map_or(Reference::Empty, |node| Reference::Hash(keccak256(node.as_bytes())));
    let shape = node.map(|node| decode(root.path, node.as_bytes())).transpose()?;
    let mut update = Update { reader, owner, diff: Vec::with_capacity(4 * changes.len()) };
    let subtree = update.rewrite(root.path, old, shape, &changes)?;
    match update.place(root.path, old, subtree) {
        Reference::Hash(hash) => Ok((hash, update.diff)),
        _ => Ok((EMPTY_ROOT, update.diff)),
    }
}

/// A stored node is at the wrong place.
#[derive(Debug, thiserror::Error)]
#[error("the trie node at {0:?} leads beyond the length of a key")]
struct TooDeep(Nibbles);

fn damaged(error: impl std::error::Error + Send + Sync + 'static) -> ViewError {
    ViewError(Arc::new(error))
}

/// A key's new value, or none; changes are always sorted by path.
#[derive(Clone, Copy)]
struct Change<'a> {
    path: Nibbles,
    value: Option<&'a [u8]>,
}

/// The new form of a subtree.
enum Subtree {
    Empty,
    /// Not placed yet; the path starts at the subtree.
    Leaf(Nibbles, Vec<u8>),
    /// Not placed yet, but the branch below it is.
    Extension(Nibbles, Reference),
    /// Placed.
    Branch(Reference),
}

impl Subtree {
    /// The same, as seen from an ancestor.
    fn below(self, prefix: Nibbles) -> Self {
        match self {
            Self::Empty => Self::Empty,
            Self::Leaf(path, value) => Self::Leaf(prefix.join(&path), value),
            Self::Extension(path, child) => Self::Extension(prefix.join(&path), child),
            Self::Branch(child) if prefix.is_empty() => Self::Branch(child),
            Self::Branch(child) => Self::Extension(prefix, child),
        }
    }
}

/// A branch being rewritten.
struct Fork {
    /// Its position.
    at: Nibbles,
    /// The old node at that position.
    old: Reference,
    /// The old children, each at the position one nibble on.
    branch: Box<Branch>,
    /// The new forms of the changed children.
    changed: [Option<Subtree>; 16],
}

impl Fork {
    fn new(at: Nibbles, old: Reference, branch: Box<Branch>) -> Self {
        Self { at, old, branch, changed: Default::default() }
    }

    /// Position of a child.
    fn position(&self, index: usize) -> Nibbles {
        self.at.push(index as u8) // one of 16
    }

    fn has_child(&self, index: usize) -> bool {
        match &self.changed[index] {
            None => !self.branch.children[index].is_empty(),
            Some(subtree) => !matches!(subtree, Subtree::Empty),
        }
    }
}

struct Update<'a> {
    reader: &'a dyn NodeReader,
    owner: Option<B256>,
    diff: Vec<NodeChange>,
}

impl Update<'_> {
    /// Applies changes to the subtree that the old trie has at a position.
    fn apply(&mut self, at: Nibbles, old: Reference, changes: &[Change<'_>]) -> Result<Subtree, ViewError> {
        let shape = self.load(at, &old)?;
        self.rewrite(at, old, shape, changes)
    }

    /// Applies changes to a decoded subtree; `old` is the old node at its position.
    fn rewrite(
        &mut self,
        at: Nibbles,
        old: Reference,
        shape: Option<Shape>,
        changes: &[Change<'_>],
    ) -> Result<Subtree, ViewError> {
        match shape {
            None => self.build(at, old, &keep(changes, |change| change.value.is_some())),
            Some(Shape::Leaf { path, value }) => {
                let leaf = Change { path: at.join(&path), value: Some(&value) };
                let mut entries = keep(changes, |change| change.value.is_some()).into_owned();
                if let Err(place) = changes.binary_search_by(|change| change.path.cmp(&leaf.path)) {
                    let removed_before = changes[..place].iter().filter(|change| change.value.is_none()).count();
                    entries.insert(place - removed_before, leaf);
                }
                self.build(at, old, &entries)
            }
            Some(Shape::Extension { path, child }) => self.rewrite_extension(at, old, path, child, changes),
            Some(Shape::Branch(branch)) => {
                let mut fork = Fork::new(at, old, branch);
                self.fill(&mut fork, changes)?;
                self.finish(fork)
            }
        }
    }

    /// Builds a new subtree of entries, none of which is a removal.
    fn build(&mut self, at: Nibbles, old: Reference, entries: &[Change<'_>]) -> Result<Subtree, ViewError> {
        match entries {
            [] => Ok(Subtree::Empty),
            [only] => Ok(Subtree::Leaf(only.path.skip(at.len()), only.value.unwrap_or_default().to_vec())),
            [first, .., last] => {
                let shared = first.path.take(first.path.common_prefix(&last.path));
                let old = if shared == at { old } else { Reference::Empty };
                let mut fork = Fork::new(shared, old, Box::default());
                self.fill(&mut fork, entries)?;
                Ok(self.finish(fork)?.below(shared.skip(at.len())))
            }
        }
    }

    fn rewrite_extension(
        &mut self,
        at: Nibbles,
        old: Reference,
        path: Nibbles,
        child: Reference,
        changes: &[Change<'_>],
    ) -> Result<Subtree, ViewError> {
        let end = at.join(&path);
        let inserts = changes.iter().filter(|change| change.value.is_some());
        let shared = inserts.map(|change| change.path.common_prefix(&end)).min().unwrap_or(end.len());
        if shared < end.len() {
            let shared = end.take(shared);
            let changes = keep(changes, |change| change.path.starts_with(&shared));
            return self.split_extension((at, old), (end, child), shared, &changes);
        }
        let below = keep(changes, |change| change.path.starts_with(&end));
        if below.is_empty() {
            return Ok(Subtree::Extension(path, child));
        }
        let subtree = self.apply(end, child, &below)?;
        Ok(self.take_up(end, child, subtree).below(path))
    }

    /// Inserts a branch at `shared` into an extension from `start` to `end`, for changes that diverge there.
    fn split_extension(
        &mut self,
        start: (Nibbles, Reference),
        end: (Nibbles, Reference),
        shared: Nibbles,
        changes: &[Change<'_>],
    ) -> Result<Subtree, ViewError> {
        let (at, old) = start;
        let (end, child) = end;
        let old = if shared == at { old } else { Reference::Empty };
        let mut fork = Fork::new(shared, old, Box::default());
        let index = end.at(shared.len());
        let kept = end.take(shared.len() + 1);
        let first = changes.partition_point(|change| change.path < kept);
        let count = changes[first..].partition_point(|change| change.path.starts_with(&kept));
        let (before, on, after) = (&changes[..first], &changes[first..first + count], &changes[first + count..]);

        let slot = usize::from(index);
        if kept == end {
            fork.branch.children[slot] = child;
            if !on.is_empty() {
                fork.changed[slot] = Some(self.apply(end, child, on)?);
            }
        } else {
            let rest = Shape::Extension { path: end.skip(kept.len()), child };
            fork.changed[slot] = Some(self.rewrite(kept, Reference::Empty, Some(rest), on)?);
        }
        self.fill(&mut fork, before)?;
        self.fill(&mut fork, after)?;
        Ok(self.finish(fork)?.below(shared.skip(at.len())))
    }

    /// Applies changes to the children of a branch, and to its own value.
    fn fill(&mut self, fork: &mut Fork, changes: &[Change<'_>]) -> Result<(), ViewError> {
        let depth = fork.at.len();
        let mut rest = changes;
        if let [first, tail @ ..] = rest
            && first.path.len() == depth
        {
            fork.branch.value = first.value.unwrap_or_default().to_vec();
            rest = tail;
        }
        while let Some(first) = rest.first() {
            let nibble = first.path.at(depth);
            let (group, tail) = rest.split_at(rest.partition_point(|change| change.path.at(depth) == nibble));
            let index = usize::from(nibble);
            let subtree = self.apply(fork.position(index), fork.branch.children[index], group)?;
            fork.changed[index] = Some(subtree);
            rest = tail;
        }
        Ok(())
    }

    /// Places a branch, or what it collapses to if less than two of its children and its value are left.
    fn finish(&mut self, mut fork: Fork) -> Result<Subtree, ViewError> {
        let mut children = (0..16).filter(|index| fork.has_child(*index));
        let (first, second) = (children.next(), children.next());
        let single = match (first, second, fork.branch.value.is_empty()) {
            (Some(index), None, true) => Some(index),
            (None, None, _) => None,
            _ => return Ok(Subtree::Branch(self.finish_branch(fork))),
        };
        for index in 0..16 {
            if Some(index) != single && fork.changed[index].is_some() {
                self.vacate(fork.position(index), &fork.branch.children[index]);
            }
        }
        let Some(index) = single else {
            let value = fork.branch.value;
            return Ok(if value.is_empty() { Subtree::Empty } else { Subtree::Leaf(Nibbles::default(), value) });
        };
        let (position, child) = (fork.position(index), fork.branch.children[index]);
        let subtree = match fork.changed[index].take() {
            Some(subtree) => subtree,
            None => match self.load(position, &child)? {
                None => Subtree::Empty,
                Some(Shape::Leaf { path, value }) => Subtree::Leaf(path, value),
                Some(Shape::Extension { path, child }) => Subtree::Extension(path, child),
                Some(Shape::Branch(_)) => Subtree::Branch(child),
            },
        };
        Ok(self.take_up(position, child, subtree).below(Nibbles::default().push(index as u8)))
    }

    fn finish_branch(&mut self, mut fork: Fork) -> Reference {
        for index in 0..16 {
            if let Some(subtree) = fork.changed[index].take() {
                let position = fork.position(index);
                let child = &mut fork.branch.children[index];
                *child = self.place(position, *child, subtree);
            }
        }
        self.store(fork.at, fork.old, &Shape::Branch(fork.branch))
    }

    /// Places a subtree at its position, where the old trie has `old`.
    fn place(&mut self, at: Nibbles, old: Reference, subtree: Subtree) -> Reference {
        match subtree {
            Subtree::Empty => {
                self.vacate(at, &old);
                Reference::Empty
            }
            Subtree::Leaf(path, value) => self.store(at, old, &Shape::Leaf { path, value }),
            Subtree::Extension(path, child) => self.store(at, old, &Shape::Extension { path, child }),
            Subtree::Branch(reference) => reference,
        }
    }

    /// Removes a subtree from its position, to be placed further up, unless it is a branch.
    fn take_up(&mut self, at: Nibbles, old: Reference, subtree: Subtree) -> Subtree {
        if !matches!(subtree, Subtree::Branch(_)) {
            self.vacate(at, &old);
        }
        subtree
    }

    fn vacate(&mut self, at: Nibbles, old: &Reference) {
        if matches!(old, Reference::Hash(_)) {
            self.diff.push(NodeChange { key: self.key(at), node: None });
        }
    }

    /// Writes a node if it changed and is not inline; the root never is inline.
    fn store(&mut self, at: Nibbles, old: Reference, shape: &Shape) -> Reference {
        let node = Node::new(shape);
        let reference =
            if at.is_empty() { Reference::Hash(keccak256(node.as_bytes())) } else { Reference::to(node.as_bytes()) };
        match reference {
            Reference::Hash(_) if reference == old => {}
            Reference::Hash(_) => self.diff.push(NodeChange { key: self.key(at), node: Some(Arc::new(node)) }),
            Reference::Inline { .. } | Reference::Empty => self.vacate(at, &old),
        }
        reference
    }

    fn load(&self, at: Nibbles, reference: &Reference) -> Result<Option<Shape>, ViewError> {
        match reference {
            Reference::Empty => Ok(None),
            Reference::Inline { len, rlp } => decode(at, &rlp[..usize::from(*len)]).map(Some),
            Reference::Hash(_) => {
                let key = self.key(at);
                let node = self.reader.node(&key)?.ok_or_else(|| damaged(MissingNode(key)))?;
                decode(at, node.as_bytes()).map(Some)
            }
        }
    }

    fn key(&self, path: Nibbles) -> NodeKey {
        NodeKey { owner: self.owner, path }
    }
}

/// Decodes the node at a position.
fn decode(at: Nibbles, rlp: &[u8]) -> Result<Shape, ViewError> {
    let shape = Shape::decode(rlp).map_err(damaged)?;
    let deepest = match &shape {
        Shape::Leaf { path, .. } => path.len(),
        Shape::Extension { path, .. } => path.len() + 1,
        Shape::Branch(_) => 1,
    };
    // Only a damaged database has such a node; no path holds what is below it.
    if at.len() + deepest > Nibbles::MAX { Err(damaged(TooDeep(at))) } else { Ok(shape) }
}

/// The changes that meet a condition, copied only if some do not.
fn keep<'s, 'a>(changes: &'s [Change<'a>], condition: impl Fn(&Change<'a>) -> bool) -> Cow<'s, [Change<'a>]> {
    if changes.iter().all(&condition) {
        Cow::Borrowed(changes)
    } else {
        Cow::Owned(changes.iter().filter(|change| condition(change)).copied().collect())
    }
}
