//! The mempool as the next blocks, for a second: the engine walks through much of the pool for it, and any number of pages and
//! programs may ask.

use chain_core::hash::BlockHash;
use parking_lot::Mutex;
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

use crate::mempool::Coming;

/// How old an answer may be.
const FRESH: Duration = Duration::from_secs(1);

/// The last answer, with the tip that it was for and when it was given.
#[derive(Default)]
pub struct NextBlocks(Mutex<Option<(BlockHash, Instant, Arc<Coming>)>>);

impl NextBlocks {
    /// What is known of the blocks after this tip, or what `ask` says. Callers that come meanwhile wait for the same answer.
    pub fn get<E>(
        &self,
        tip: BlockHash,
        now: Instant,
        ask: impl FnOnce() -> Result<Coming, E>,
    ) -> Result<Arc<Coming>, E> {
        let mut last = self.0.lock();
        if let Some((parent, at, coming)) = &*last
            && *parent == tip
            && now.saturating_duration_since(*at) < FRESH
        {
            return Ok(coming.clone());
        }
        let coming = Arc::new(ask()?);
        *last = Some((tip, now, coming.clone()));
        Ok(coming)
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn the_engine_is_asked_once_a_second_and_after_each_block() {
        let (next, now) = (NextBlocks::default(), Instant::now());
        let (one, other) = (BlockHash([1; 32]), BlockHash([2; 32]));
        let mut asked = 0;
        let mut get = |tip, now| {
            let coming = || {
                asked += 1;
                Ok::<_, ()>(Coming { left: asked, ..Coming::default() })
            };
            next.get(tip, now, coming).unwrap().left
        };
        assert_eq!([get(one, now), get(one, now + FRESH / 2), get(one, now + FRESH)], [1, 1, 2]);
        assert_eq!([get(other, now + FRESH), get(other, now + FRESH)], [3, 3]);
        assert_eq!(next.get(one, now, || Err("the engine has stopped")), Err("the engine has stopped"));
    }
}
