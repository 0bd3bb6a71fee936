//! Which stored blocks can still be read, without opening the state: before a reindex drops what cannot be made again.

use chain_core::{codec, spec::ChainSpec, units::Height};
use std::path::Path;

use super::{
    BlockRef, Column, Kv, KvRead, Store, StoreConfig, StoreError,
    read::{read_headers, read_pruned},
    rocks::RocksKv,
    schema,
};

/// What a database holds.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Survey {
    /// Height of the tip that the state is of, if there is one.
    pub tip: Option<Height>,
    /// The highest block that was pruned; 0 if none was.
    pub pruned: Height,
    /// Blocks that are stored but cannot be read, lowest first.
    pub damaged: Vec<BlockRef>,
}

impl Survey {
    /// Reads every block that is stored in a data directory.
    ///
    /// # Errors
    /// [`StoreError`] if it is in use, of another chain, or its headers cannot be read.
    pub fn run(datadir: &Path, spec: &ChainSpec, config: &StoreConfig) -> Result<Self, StoreError> {
        let kv = RocksKv::open(datadir, config)?;
        if let Some(identity) = kv.get(Column::Meta, schema::IDENTITY)? {
            Store::check_identity(&identity, spec)?;
        }
        let tip = kv.get(Column::Meta, schema::TIP)?;
        let tip = tip.and_then(|tip| schema::read_tip(&tip).ok().map(|(at, ..)| at.height));
        Ok(Self { tip, pruned: read_pruned(&kv)?, damaged: damaged_bodies(&kv)? })
    }

    /// Up to which height blocks are pruned in a database of which files are damaged.
    ///
    /// # Errors
    /// [`StoreError`] if it is in use, or not even that can be read.
    pub fn pruned_of_damaged(datadir: &Path, config: &StoreConfig) -> Result<Height, StoreError> {
        read_pruned(&RocksKv::open_damaged(datadir, config)?)
    }
}

impl Store {
    /// Forgets every stored block that cannot be read, so that it is fetched again; answers which.
    ///
    /// # Errors
    /// [`StoreError`] if the headers cannot be read, or the database cannot be written.
    pub fn forget_damaged(&mut self) -> Result<Vec<BlockRef>, StoreError> {
        let damaged = damaged_bodies(&*self.kv)?;
        for at in &damaged {
            self.remove_body(*at)?;
        }
        Ok(damaged)
    }
}

/// Bodies that are said to be stored and are not, or do not hold the block. What was pruned is not damaged.
fn damaged_bodies(kv: &dyn Kv) -> Result<Vec<BlockRef>, StoreError> {
    let (mut damaged, pruned) = (Vec::new(), read_pruned(kv)?);
    for record in read_headers(kv)? {
        let holds = |bytes: &[u8]| {
            codec::decode(bytes).is_ok_and(|block: chain_core::block::Block| block.hash() == record.hash)
        };
        match kv.get(Column::Bodies, &schema::block_key(record.at())) {
            _ if !record.body || record.at().is_pruned(pruned) => {}
            Ok(Some(bytes)) if holds(&bytes) => {}
            Ok(_) | Err(StoreError::Corrupt(_)) => damaged.push(record.at()),
            Err(error) => return Err(error),
        }
    }
    damaged.sort_unstable();
    Ok(damaged)
}
