//! Searching logs: which blocks may hold some that are asked for, by the index, and which of a block's are.

use chain_core::units::Height;
use std::ops::ControlFlow;

use super::{
    BlockLog, BlockRef, Column, KeyRange, LogFilter, LogTerm, Malformed, Order, Snapshot, StoreError, blockdata,
    damaged, schema,
};

impl Snapshot {
    /// Heights of a range of the active chain, lowest first, at which logs may stand that are asked for: by the index, which
    /// knows neither whether one log has all that is named, nor values by more than a part of their hash. Once `stop` says so,
    /// it ends early and the heights mean nothing.
    ///
    /// # Errors
    /// [`StoreError::IndexOff`] without the log index; see [`super::Reader::snapshot`].
    pub fn log_heights(
        &self,
        filter: &LogFilter,
        from: Height,
        to: Height,
        stop: &dyn Fn() -> bool,
    ) -> Result<Vec<Height>, StoreError> {
        self.required_logs()?;
        let to = to.min(self.tip().height);
        if from > to {
            return Ok(Vec::new());
        }
        let mut found: Option<Heights> = None;
        for terms in filter.criteria() {
            let mut any = Heights::new(from, to);
            for term in terms {
                self.mark(term, &mut any, stop)?;
                if stop() {
                    return Ok(Vec::new());
                }
            }
            let both = found.map_or(any.clone(), |before| before.intersection(&any));
            if both.is_empty() {
                return Ok(Vec::new());
            }
            found = Some(both);
        }
        Ok(found.map_or_else(|| (from..=to).collect(), |heights| heights.iter().collect()))
    }

    /// Marks every height at which the index has a term.
    fn mark(&self, term: LogTerm, heights: &mut Heights, stop: &dyn Fn() -> bool) -> Result<(), StoreError> {
        let range = KeyRange {
            from: schema::log_key(term, heights.from).to_vec(),
            to: Some(schema::log_key_after(term, heights.to)),
        };
        let (mut failed, mut rows) = (false, 0_u32);
        self.scan(Column::LogIndex, &range, Order::Ascending, &mut |key, _| {
            rows = rows.wrapping_add(1);
            match schema::read_log_height(key) {
                Ok(height) => heights.mark(height),
                Err(Malformed) => failed = true,
            }
            // The clock costs more than a row.
            let over = failed || rows.is_multiple_of(1_024) && stop();
            if over { ControlFlow::Break(()) } else { ControlFlow::Continue(()) }
        })?;
        if failed { Err(damaged(Column::LogIndex)) } else { Ok(()) }
    }

    /// The logs of a block on any branch that are asked for, in their order; `None` if it was never on the active chain: see
    /// [`Snapshot::receipts`].
    ///
    /// # Errors
    /// [`StoreError::Pruned`]; see [`super::Reader::snapshot`].
    pub fn logs(&self, at: BlockRef, filter: &LogFilter) -> Result<Option<Vec<BlockLog>>, StoreError> {
        self.receipts_row(at, |value| blockdata::read_logs(value, filter))
    }
}

/// Some heights of a range.
#[derive(Clone)]
struct Heights {
    from: Height,
    to: Height,
    words: Vec<u64>,
}

impl Heights {
    /// None of a range that begins before it ends.
    fn new(from: Height, to: Height) -> Self {
        Self { from, to, words: vec![0; (to - from) as usize / 64 + 1] }
    }

    fn mark(&mut self, height: Height) {
        if (self.from..=self.to).contains(&height) {
            let bit = height - self.from;
            self.words[bit as usize / 64] |= 1 << (bit % 64);
        }
    }

    /// Those in both, which are of one range.
    fn intersection(mut self, other: &Self) -> Self {
        for (own, other) in self.words.iter_mut().zip(&other.words) {
            *own &= other;
        }
        self
    }

    fn is_empty(&self) -> bool {
        self.words.iter().all(|word| *word == 0)
    }

    fn iter(&self) -> impl Iterator<Item = Height> {
        let is_marked = |height: &Height| {
            let bit = height - self.from;
            self.words[bit as usize / 64] & (1 << (bit % 64)) != 0
        };
        (self.from..=self.to).filter(is_marked)
    }
}
