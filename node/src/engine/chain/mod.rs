//! The chain: the headers of all branches, the stored blocks, and the state at the tip of the active branch.
//!
//! [`accept`] checks blocks and stores them; [`follow`] connects them, one by one, along the best valid branch. The chain
//! knows nothing of peers but whom to blame for a block.

mod accept;
mod finality;
mod follow;
mod held;
mod queries;
mod ready;

pub(super) use follow::Step;

use chain_core::{
    block::{CheckedBlock, header::Header},
    error::RuleError,
    hash::BlockHash,
    headers::{self, HeaderContext, HeaderTree, Status, StoredHeader},
    spec::ChainSpec,
    units::Height,
};
use std::{collections::HashMap, sync::Arc};

use self::{held::Held, ready::Ready};
use super::{Fatal, OpenError, PeerId, Ticket, Time, verify::Verifier};
use crate::{
    finality::{Finality, MemberKey},
    metrics::{Stage, timed},
    store::{HeaderRecord, Store, Verdict},
};

/// Blocks whose senders are remembered; more than wait to be connected, unless branches are left beside the active one.
pub(super) const ORIGINS: usize = 8_192;

/// Headers, blocks and state.
pub struct Chain {
    spec: Arc<ChainSpec>,
    genesis: BlockHash,
    store: Store,
    tree: HeaderTree,
    verifier: Verifier,
    held: Held,
    ready: Ready,
    /// Who sent the blocks that wait to be connected; at most [`ORIGINS`].
    origins: HashMap<BlockHash, PeerId>,
    /// Submitted blocks whose fate is not decided yet.
    undecided: Vec<Undecided>,
    /// The tip that was last announced, and when.
    told: BlockHash,
    told_at: Time,
    /// Blocks that the last announced reorganisation disconnected.
    depth: Height,
    /// Height of the tip when syncing began.
    sync_start: Option<Height>,
    /// Where the chain stands instead of on the best branch, while a branch is made on demand.
    pin: Option<BlockHash>,
    /// Votes, certificates and evidence, on a chain that has them.
    finality: Option<Finality>,
}

/// A submitted block that is stored but neither connected nor found invalid nor left on a side branch yet.
struct Undecided {
    ticket: Ticket,
    hash: BlockHash,
    fault: Option<RuleError>,
}

/// Blocks that were checked and stored, lowest first where one waited for the other.
pub(super) type Stored = Vec<(Height, CheckedBlock)>;

impl Chain {
    /// Opens the chain on a store: loads the headers. With the key of a member it votes.
    ///
    /// # Errors
    /// [`OpenError`] if the store cannot be read or its headers are no tree.
    pub(super) fn open(
        store: Store,
        spec: ChainSpec,
        verifier: Verifier,
        key: Option<MemberKey>,
    ) -> Result<Self, OpenError> {
        let mut tree = HeaderTree::load(&spec, store.load_headers()?.into_iter().map(stored_header))?;
        let finality = Self::open_finality(&store, &spec, &mut tree, key)?;
        let told = store.tip().hash;
        tree.prefer(&told);
        Ok(Self {
            genesis: tree.genesis(),
            tree,
            store,
            spec: Arc::new(spec),
            verifier,
            held: Held::default(),
            ready: Ready::default(),
            origins: HashMap::new(),
            undecided: Vec::new(),
            told,
            told_at: Time(0),
            depth: 0,
            sync_start: None,
            pin: None,
            finality,
        })
    }

    /// The rules' numbers.
    pub fn spec(&self) -> &Arc<ChainSpec> {
        &self.spec
    }

    /// Hash of the genesis block.
    pub fn genesis(&self) -> BlockHash {
        self.genesis
    }

    /// The store.
    pub fn store(&self) -> &Store {
        &self.store
    }

    /// The headers of all branches.
    pub fn tree(&self) -> &HeaderTree {
        &self.tree
    }

    /// The store beside the verifier: the pool reads the one while it uses the other.
    pub(super) fn store_and_verifier(&mut self) -> (&Store, &mut Verifier) {
        (&self.store, &mut self.verifier)
    }

    /// A stored block that waits in memory to be connected.
    pub(super) fn ready(&self, hash: &BlockHash) -> Option<&CheckedBlock> {
        self.ready.get(hash)
    }

    /// Writes all that is in memory to disk, before the store is closed.
    pub(super) fn finish(&mut self) -> Result<(), Fatal> {
        Ok(self.store.finish()?)
    }

    /// Writes all that is in memory to disk.
    fn flush(&mut self) -> Result<(), Fatal> {
        Ok(timed(Stage::Flush, || self.store.flush())?)
    }

    /// Puts checked headers into the tree and the store.
    pub(super) fn insert_headers(&mut self, headers: &[(Header, HeaderContext)]) -> Result<(), Fatal> {
        let mut records = Vec::with_capacity(headers.len());
        for (header, context) in headers {
            if self.tree.insert_checked(header, context).is_some() {
                records.push(HeaderRecord::with_hash(*header, context.hash, context.height));
            }
        }
        Ok(self.store.put_headers(&records)?)
    }

    /// Notes who sent a block that is not stored yet, to be blamed if it turns out invalid.
    pub(super) fn note_origins(&mut self, hashes: impl Iterator<Item = BlockHash>, peer: PeerId) {
        if self.origins.len() >= ORIGINS {
            self.origins.clear();
        }
        let tree = &self.tree;
        let missing = |hash: &BlockHash| tree.get(hash).is_some_and(|info| info.status == Status::HeaderOnly);
        self.origins.extend(hashes.filter(missing).map(|hash| (hash, peer)));
    }

    /// Forgets who sent a block.
    pub(super) fn forget_origin(&mut self, hash: &BlockHash) {
        self.origins.remove(hash);
    }

    /// Blocks whose senders are remembered.
    pub(super) fn origins(&self) -> usize {
        self.origins.len()
    }
}

#[cfg(test)]
impl Chain {
    /// Held orphans and blocks of the future.
    pub(crate) fn held(&self) -> (usize, usize) {
        (self.held.orphans(), self.held.future())
    }
}

fn stored_header(record: HeaderRecord) -> StoredHeader {
    let status = match (record.verdict, record.body) {
        (Verdict::Invalid, _) => Status::Invalid,
        (Verdict::Valid, true) => Status::Valid,
        (Verdict::Unknown, true) => Status::BodyStored,
        (_, false) => Status::HeaderOnly,
    };
    let executed = record
        .executed
        .filter(|_| status == Status::Valid)
        .map(|executed| headers::Executed { base_fee: executed.base_fee, gas_used: executed.gas_used });
    StoredHeader { header: record.header, hash: record.hash, status, executed }
}
