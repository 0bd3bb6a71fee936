//! What changed since the last flush, and clean copies of what did not.

use alloy_primitives::map::{DefaultHashBuilder, HashMap, hash_map::Entry};
use quick_cache::{DefaultHashBuilder as CacheHasher, OptionsBuilder, Weighter, sync::Cache};
use std::hash::Hash;

/// Values that differ from what is on disk. A value that comes and goes between two flushes leaves no trace.
#[derive(Debug)]
pub struct Changes<K, V> {
    changes: HashMap<K, Change<V>>,
}

/// A value on disk and now; `None` where there is none.
#[derive(Clone, Copy, Debug)]
struct Change<V> {
    disk: Option<V>,
    now: Option<V>,
}

impl<K, V> Default for Changes<K, V> {
    fn default() -> Self {
        Self { changes: HashMap::with_hasher(DefaultHashBuilder::default()) }
    }
}

impl<K: Eq + Hash, V: PartialEq> Changes<K, V> {
    /// The value now, if it differs from the one on disk.
    pub fn get(&self, key: &K) -> Option<Option<&V>> {
        self.changes.get(key).map(|change| change.now.as_ref())
    }

    /// Replaces a value. `before` is what it was, so the disk's if nothing changed since.
    pub fn set(&mut self, key: K, before: Option<V>, now: Option<V>) {
        match self.changes.entry(key) {
            Entry::Vacant(_) if before == now => {}
            Entry::Vacant(entry) => {
                entry.insert(Change { disk: before, now });
            }
            Entry::Occupied(entry) if entry.get().disk == now => {
                entry.remove();
            }
            Entry::Occupied(mut entry) => entry.get_mut().now = now,
        }
    }

    /// Bytes of memory, more or less.
    pub fn memory(&self) -> usize {
        // A hash table is filled to seven eighths at most, and on average to less.
        self.changes.len() * (size_of::<K>() + size_of::<Change<V>>()) * 3 / 2
    }

    /// Every key that changed and its value now.
    pub fn iter(&self) -> impl Iterator<Item = (&K, Option<&V>)> {
        self.changes.iter().map(|(key, change)| (key, change.now.as_ref()))
    }

    /// Takes every key and its value now.
    pub fn drain(&mut self) -> impl Iterator<Item = (K, Option<V>)> {
        self.changes.drain().map(|(key, change)| (key, change.now))
    }
}

/// Copies of what is on disk, bounded in bytes. May be read and filled from many threads.
pub type Clean<K, V, W> = Cache<K, V, W, CacheHasher>;

/// Weighs every entry the same.
#[derive(Clone, Copy, Debug)]
pub struct PerEntry(pub u64);

impl<K, V> Weighter<K, V> for PerEntry {
    fn weight(&self, _: &K, _: &V) -> u64 {
        self.0
    }
}

/// A cache of so many bytes, for entries of about `entry` bytes.
pub fn clean<K: Eq + Hash, V: Clone, W: Weighter<K, V> + Clone>(
    bytes: usize,
    entry: usize,
    weighter: W,
) -> Clean<K, V, W> {
    let options = OptionsBuilder::new()
        .estimated_items_capacity((bytes / entry).max(1))
        .weight_capacity(bytes as u64)
        .shards(4)
        .build()
        .expect("both required settings are given");
    Cache::with_options(options, weighter, CacheHasher::default(), Default::default())
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_value_that_comes_and_goes_leaves_no_trace() {
        let mut changes = Changes::default();
        changes.set(1, None, Some('a'));
        assert_eq!(changes.get(&1), Some(Some(&'a')));
        changes.set(1, Some('a'), None);
        assert_eq!(changes.get(&1), None);
        assert_eq!(changes.iter().count(), 0);
    }

    #[test]
    fn a_value_that_goes_and_comes_back_leaves_no_trace() {
        let mut changes = Changes::default();
        changes.set(1, Some('a'), None);
        assert_eq!(changes.get(&1), Some(None));
        changes.set(1, None, Some('b'));
        assert_eq!(changes.iter().collect::<Vec<_>>(), [(&1, Some(&'b'))]);
        changes.set(1, Some('b'), Some('a'));
        assert_eq!(changes.iter().count(), 0);
    }

    #[test]
    fn a_cache_stays_within_its_bytes() {
        let cache = clean::<u32, u32, _>(10_000, 100, PerEntry(100));
        for key in 0..1_000 {
            cache.insert(key, key);
        }
        assert!(cache.weight() <= 10_000 && cache.len() >= 50, "{} bytes, {} entries", cache.weight(), cache.len());
    }
}
