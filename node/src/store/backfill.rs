//! History rows at the start: of a database that has none, or that was kept with another setting.

use chain_core::units::Height;
use std::time::{Duration, Instant};

use super::{Batch, Column, Durability, Store, StoreError, history, read::read_history, schema};

/// Bytes of rows that are written together.
const AT_ONCE: usize = 4 << 20;
/// Blocks whose rows are better dropped with all others than deleted one by one.
const FAR: Height = 1_024;
/// Between two lines of the log.
const REPORT_EVERY: Duration = Duration::from_secs(10);

impl Store {
    /// Brings the rows on disk to what is configured: drops those of an earlier setting, and makes missing ones from undo data
    /// as far down as that is kept. A crash on the way loses nothing: each batch says from where on the rows are complete.
    pub(super) fn settle_history(&mut self) -> Result<(), StoreError> {
        let tip = self.tip.at.height;
        let (mut floor, dropping) = read_history(&*self.kv)?.unwrap_or((tip, false));
        let mut wanted = self.history.lowest(tip);
        // Pruning deletes rows block by block, which would be a batch without a bound where it was switched on late.
        let pruned = self.config.prune.map_or(0, |keep| tip.saturating_sub(keep));
        if self.config.history.is_some() && pruned > floor.saturating_add(FAR) {
            wanted = wanted.max(pruned);
        }
        if dropping || floor < wanted {
            // Said before they are dropped, so that none of them is read.
            self.write_floor(&mut Batch::default(), tip, true)?;
            self.kv.clear(&[Column::History])?;
            self.write_floor(&mut Batch::default(), tip, false)?;
            floor = tip;
        }
        let floor = self.fill_history(floor, wanted.max(self.pruned))?;
        self.history.filled(floor);
        Ok(())
    }

    /// Writes the rows of the blocks from `floor` down to the one above `wanted`; returns where it ended.
    fn fill_history(&mut self, mut floor: Height, wanted: Height) -> Result<Height, StoreError> {
        let (mut batch, mut reported) = (Batch::default(), Instant::now());
        while floor > wanted {
            let Some((accounts, storage)) = self.changes_at(floor)? else { break };
            history::put(&mut batch, floor, &accounts, &storage);
            floor -= 1;
            if batch.memory() >= AT_ONCE {
                self.write_floor(&mut batch, floor, false)?;
            }
            if reported.elapsed() >= REPORT_EVERY {
                reported = Instant::now();
                tracing::info!("making the states of older blocks readable: down to block {floor}, until {wanted}");
            }
        }
        if !batch.is_empty() {
            self.write_floor(&mut batch, floor, false)?;
        }
        Ok(floor)
    }

    /// Writes a batch with the block from which on states are known, and clears it.
    fn write_floor(&mut self, batch: &mut Batch, floor: Height, dropping: bool) -> Result<(), StoreError> {
        let value = [&floor.to_be_bytes()[..], &[1][..usize::from(dropping)]].concat();
        batch.put(Column::Meta, schema::HISTORY, &value);
        batch.sort();
        self.write(batch, Durability::Disk)?;
        batch.clear();
        Ok(())
    }
}
