//! What others may ask of the chain.

use chain_core::{hash::BlockHash, headers::Status, units::Height};

use super::Chain;
use crate::{
    engine::{ChainInfo, ChainTip, SyncProgress, TipStatus},
    mempool::MempoolStats,
};

impl Chain {
    /// The active chain now, beside what is known of the mempool and of the next block's base fee.
    pub(crate) fn info(&self, mempool: MempoolStats, next_base_fee: u64) -> ChainInfo {
        let tip = self.store.tip();
        let best = self.tree.get(&self.tree.best_header());
        let info = self.tree.get(&tip.hash).expect("the tip's header is in the tree");
        ChainInfo {
            genesis: self.genesis,
            height: tip.height,
            hash: tip.hash,
            header: info.header,
            work: info.work,
            next_base_fee,
            next_bits: self.next_bits(),
            best_header: best.map_or(tip.height, |info| info.height),
            syncing: self.is_syncing() || self.has_backlog(),
            connecting: self.next_step().is_some(),
            sync: self.progress(),
            mempool,
            pruned: self.store.pruned(),
        }
    }

    /// How far connecting or fetching blocks is, if many are left.
    fn progress(&self) -> Option<SyncProgress> {
        let tip = self.store.tip().height;
        let replaying = || SyncProgress { start: tip, current: tip, highest: tip + self.backlog() };
        self.fetching().or_else(|| self.has_backlog().then(replaying))
    }

    /// Leaves of the block tree, at most so many: the active tip first, then by height.
    pub fn tips(&self, most: usize) -> Vec<ChainTip> {
        let tip = self.store.tip();
        let mut hashes = self.tree.tips();
        if !hashes.contains(&tip.hash) {
            hashes.push(tip.hash);
        }
        hashes.sort_by_key(|hash| (*hash != tip.hash, std::cmp::Reverse(self.height_of(hash)), *hash));
        hashes.iter().take(most).filter_map(|hash| self.chain_tip(hash)).collect()
    }

    fn chain_tip(&self, hash: &BlockHash) -> Option<ChainTip> {
        let tip = self.store.tip();
        let info = self.tree.get(hash)?;
        let fork: Height = self.tree.get(&self.tree.fork_point(hash, &tip.hash)?)?.height;
        let status = match info.status {
            _ if *hash == tip.hash => TipStatus::Active,
            Status::Valid => TipStatus::ValidFork,
            Status::BodyStored => TipStatus::ValidHeaders,
            Status::HeaderOnly => TipStatus::HeadersOnly,
            Status::Invalid => TipStatus::Invalid,
        };
        Some(ChainTip { hash: *hash, height: info.height, branch_length: info.height - fork, status })
    }

    /// Headers of all branches.
    pub fn headers(&self) -> usize {
        self.tree.len()
    }
}
