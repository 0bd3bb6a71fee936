//! The tree of headers.

use std::sync::Arc;

use alloy_primitives::U256;
use hashbrown::HashTable;

use super::{
    HeaderContext, HeaderError,
    node::{Executed, Id, NONE, Node, Status, skip_height},
};
use crate::{block::header::Header, fees::next_base_fee, hash::BlockHash, spec::ChainSpec, units::Height, work::pow};

/// A header as it is stored.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct StoredHeader {
    /// The header.
    pub header: Header,
    /// Its hash, trusted.
    pub hash: BlockHash,
    /// The status of the block.
    pub status: Status,
    /// Set once the block was executed.
    pub executed: Option<Executed>,
}

/// Why stored headers are not a tree.
#[derive(Debug, Clone, PartialEq, Eq, thiserror::Error)]
pub enum LoadError {
    /// No genesis header.
    #[error("there are no headers")]
    Empty,
    /// A header precedes its parent, or lacks it.
    #[error("header {hash} is stored without its parent {parent}")]
    UnknownParent {
        /// The header.
        hash: BlockHash,
        /// Its parent.
        parent: BlockHash,
    },
    /// The same header twice.
    #[error("header {0} is stored twice")]
    Duplicate(BlockHash),
    /// Malformed bits.
    #[error("header {0} is stored with impossible bits")]
    BadBits(BlockHash),
}

/// A header that was inserted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Inserted {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Whether it is the best header now.
    pub best: bool,
}

/// What the tree knows of a block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct HeaderInfo {
    /// The header.
    pub header: Header,
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Work of the chain up to and including it.
    pub work: U256,
    /// The status of the block.
    pub status: Status,
    /// Set once the block was executed.
    pub executed: Option<Executed>,
}

/// All known headers.
#[derive(Clone, Debug)]
pub struct HeaderTree {
    spec: Arc<ChainSpec>,
    nodes: Vec<Node>,
    /// Ids by hash; the hashes themselves are in the nodes.
    index: HashTable<Id>,
    pub(super) best_header: Id,
    pub(super) candidate: Id,
    /// The finalized block; the genesis block without finality.
    pub(super) finalized: Id,
    pub(super) next_sequence: u32,
}

impl HeaderTree {
    /// A tree of the genesis block alone, which counts as executed at the spec's first base fee.
    ///
    /// # Panics
    /// If the spec's bits are not canonical; those of parsed and built-in specs are.
    pub fn new(spec: &ChainSpec, genesis: &Header) -> Self {
        let context = HeaderContext::genesis(spec, genesis);
        let mut tree = Self {
            spec: Arc::new(spec.clone()),
            nodes: Vec::new(),
            index: HashTable::new(),
            best_header: 0,
            candidate: 0,
            finalized: 0,
            // 0 is for the preferred tip.
            next_sequence: 1,
        };
        tree.add(Node::new(genesis, &context, NONE, 0));
        tree.mark_valid(&context.hash, Executed { base_fee: spec.initial_base_fee, gas_used: 0 });
        tree
    }

    /// A tree of stored headers: the genesis first, parents before children. Checks and hashes nothing again.
    ///
    /// # Errors
    /// [`LoadError`] if they do not form a tree.
    pub fn load(spec: &ChainSpec, headers: impl IntoIterator<Item = StoredHeader>) -> Result<Self, LoadError> {
        let mut headers = headers.into_iter();
        let genesis = headers.next().ok_or(LoadError::Empty)?;
        let mut tree = Self::new(spec, &genesis.header);
        tree.nodes.reserve(headers.size_hint().0);
        headers.try_for_each(|stored| tree.restore(&stored))?;
        Ok(tree)
    }

    fn restore(&mut self, stored: &StoredHeader) -> Result<(), LoadError> {
        let StoredHeader { header, hash, status, executed } = stored;
        if self.contains(hash) {
            return Err(LoadError::Duplicate(*hash));
        }
        let unknown = LoadError::UnknownParent { hash: *hash, parent: header.prev };
        let parent = self.find(&header.prev).ok_or(unknown)?;
        let target = pow::target(header.bits).map_err(|_| LoadError::BadBits(*hash))?;
        let context = self.node(parent).context().extend(header, *hash, pow::work(target));
        let inherited = self.node(parent).invalid;
        let id = self.attach(header, &context, parent);
        self.node_mut(id).executed = *executed;
        self.node_mut(id).invalid = inherited || *status == Status::Invalid;
        if *status == Status::BodyStored || executed.is_some() {
            self.mark_body(hash);
        }
        self.consider_best(id);
        Ok(())
    }

    /// Checks a header and adds it. `now` is in seconds since the Unix epoch.
    ///
    /// # Errors
    /// [`HeaderError`]; the tree is then unchanged.
    pub fn insert(&mut self, header: &Header, now: u64) -> Result<Inserted, HeaderError> {
        let hash = header.hash();
        if self.contains(&hash) {
            return Err(HeaderError::Duplicate(hash));
        }
        let parent = self.find(&header.prev).ok_or(HeaderError::UnknownParent(header.prev))?;
        if self.node(parent).invalid {
            return Err(HeaderError::InvalidParent(header.prev));
        }
        let context = self.node(parent).context().child_of_hash(&self.spec, header, hash, now)?;
        let id = self.attach(header, &context, parent);
        let best = self.consider_best(id);
        Ok(Inserted { hash, height: context.height, best })
    }

    /// Adds a header that was checked against its parent by [`HeaderContext::child`], with the context that it
    /// returned. `None` if the parent is unknown or invalid, or the header known.
    pub fn insert_checked(&mut self, header: &Header, context: &HeaderContext) -> Option<Inserted> {
        let parent = self.find(&header.prev).filter(|parent| !self.node(*parent).invalid)?;
        if self.contains(&context.hash) || self.node(parent).height + 1 != context.height {
            return None;
        }
        let id = self.attach(header, context, parent);
        let best = self.consider_best(id);
        Some(Inserted { hash: context.hash, height: context.height, best })
    }

    fn attach(&mut self, header: &Header, context: &HeaderContext, parent: Id) -> Id {
        let skip = self.ancestor_id(parent, skip_height(context.height));
        let mut node = Node::new(header, context, parent, skip);
        let id = self.next_id();
        node.next_sibling = std::mem::replace(&mut self.node_mut(parent).first_child, id);
        self.add(node);
        id
    }

    fn add(&mut self, node: Node) {
        let id = self.next_id();
        let nodes = &self.nodes;
        self.index.insert_unique(prefix(&node.hash), id, |id| prefix(&nodes[*id as usize].hash));
        self.nodes.push(node);
    }

    fn next_id(&self) -> Id {
        let id = Id::try_from(self.nodes.len()).unwrap_or(NONE);
        assert!(id != NONE, "four billion headers do not fit in memory");
        id
    }

    fn consider_best(&mut self, id: Id) -> bool {
        // HDR-6
        let is_heavier = !self.node(id).invalid && self.node(id).work > self.node(self.best_header).work;
        let best = is_heavier && self.fits_finality(id);
        if best {
            self.best_header = id;
        }
        best
    }

    /// Number of headers.
    #[expect(clippy::len_without_is_empty, reason = "there is always a genesis header")]
    pub fn len(&self) -> usize {
        self.nodes.len()
    }

    /// The genesis block.
    pub fn genesis(&self) -> BlockHash {
        self.node(0).hash
    }

    /// Whether a header is known.
    pub fn contains(&self, hash: &BlockHash) -> bool {
        self.find(hash).is_some()
    }

    /// What is known of a block.
    pub fn get(&self, hash: &BlockHash) -> Option<HeaderInfo> {
        let id = self.find(hash)?;
        let node = self.node(id);
        Some(HeaderInfo {
            header: self.header(id),
            hash: node.hash,
            height: node.height,
            work: node.work,
            status: node.status(),
            executed: node.executed,
        })
    }

    /// The context for checking a child.
    pub fn context(&self, hash: &BlockHash) -> Option<HeaderContext> {
        self.find(hash).map(|id| self.node(id).context())
    }

    /// Bits that a child of a known block must have.
    pub fn next_bits(&self, parent: &BlockHash) -> Option<u32> {
        self.context(parent).map(|context| context.next_bits(&self.spec))
    }

    /// Base fee of a child of an executed block.
    pub fn next_base_fee(&self, parent: &BlockHash) -> Option<u64> {
        let parent = self.node(self.find(parent)?);
        let Executed { base_fee, gas_used } = parent.executed?;
        // FEE-1
        let first = parent.height == 0;
        Some(if first { self.spec.initial_base_fee } else { next_base_fee(&self.spec, base_fee, gas_used) })
    }

    pub(super) fn find(&self, hash: &BlockHash) -> Option<Id> {
        self.index.find(prefix(hash), |id| self.node(*id).hash == *hash).copied()
    }

    pub(super) fn node(&self, id: Id) -> &Node {
        &self.nodes[id as usize]
    }

    pub(super) fn node_mut(&mut self, id: Id) -> &mut Node {
        &mut self.nodes[id as usize]
    }

    pub(super) fn nodes(&self) -> impl Iterator<Item = (Id, &Node)> {
        (0..).zip(&self.nodes)
    }

    pub(super) fn children(&self, id: Id) -> impl Iterator<Item = Id> + use<'_> {
        let next = |id: Id| (id != NONE).then_some(id);
        std::iter::successors(next(self.node(id).first_child), move |id| next(self.node(*id).next_sibling))
    }

    pub(super) fn header(&self, id: Id) -> Header {
        let node = self.node(id);
        Header {
            version: node.version,
            prev: if node.parent == NONE { BlockHash::default() } else { self.node(node.parent).hash },
            merkle_root: node.merkle_root,
            time: node.time,
            bits: node.bits,
            nonce: node.nonce,
        }
    }
}

/// The hash of the index. Block hashes are as good as random: collisions must be mined.
fn prefix(hash: &BlockHash) -> u64 {
    let [a, b, c, d, e, f, g, h, ..] = hash.0;
    u64::from_le_bytes([a, b, c, d, e, f, g, h])
}
