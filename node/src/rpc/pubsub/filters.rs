//! Filters that are polled over HTTP: each is a place in what happened, not a queue of it.
//!
//! What changed since the last poll is found by walking from the block seen then to the tip; hashes of pending transactions come
//! from one ring for all. So a filter that nobody polls costs a few bytes until it expires. Ids are random and belong to who
//! knows them, as in geth: HTTP has no connections that could own them.

use chain_core::hash::TxId;
use parking_lot::Mutex;
use std::{
    collections::{HashMap, VecDeque},
    net::IpAddr,
    sync::Arc,
    time::{Duration, Instant},
};

use super::{
    id::{random_id, show_id},
    topic::LogTopic,
};
use crate::{
    rpc::base::{BlockTag, RpcError, RpcResult, cannot, over_limit},
    store::{BlockRef, Snapshot},
};

/// A filter that was not polled for so long is forgotten.
const EXPIRY: Duration = Duration::from_secs(300);
/// Filters of all, and of one address that is not of this machine.
const MOST: usize = 10_000;
const MOST_OF_ONE: usize = 1_000;
/// Addresses and topics in all of them, each filter counting as one more.
const MOST_WEIGHT: usize = 500_000;
const MOST_WEIGHT_OF_ONE: usize = 50_000;
/// Hashes of pending transactions that are kept for filters to fetch.
const RING: usize = 65_536;

/// What a filter looks for, and up to where it was fetched.
#[derive(Clone, Debug)]
pub enum Polled {
    /// Blocks after this one.
    Blocks(BlockRef),
    /// Pending transactions from this number on.
    Pending(u64),
    /// Logs of blocks after one, or removed with blocks up to it.
    Logs {
        /// Which ones.
        topic: Arc<LogTopic>,
        /// The range as it was given, for the logs that there are.
        range: (Option<BlockTag>, Option<BlockTag>),
        /// The last tip whose logs were fetched.
        seen: BlockRef,
    },
}

impl Polled {
    fn weight(&self) -> usize {
        1 + if let Self::Logs { topic, .. } = self { topic.weight() } else { 0 }
    }
}

/// What a poll is to look at.
pub enum Since {
    /// Blocks after this one.
    Blocks(BlockRef),
    /// These transactions.
    Pending(RpcResult<Vec<TxId>>),
    /// Logs of blocks after this one, or removed with blocks up to it.
    Logs {
        /// Which ones.
        topic: Arc<LogTopic>,
        /// The block.
        seen: BlockRef,
    },
}

impl Since {
    /// The last tip that the filter had seen.
    pub fn seen(&self) -> Option<BlockRef> {
        match self {
            Self::Blocks(seen) | Self::Logs { seen, .. } => Some(*seen),
            Self::Pending(_) => None,
        }
    }
}

struct Filter {
    network: IpAddr,
    polled: Instant,
    weight: usize,
    content: Polled,
    /// Polls so far.
    polls: u64,
    /// The first poll that failed since the last one began: what it did not return is still to come.
    failed: Option<u64>,
}

/// See the module's first lines.
#[derive(Default)]
pub struct Filters(Mutex<State>);

#[derive(Default)]
struct State {
    all: HashMap<u128, Filter>,
    ring: VecDeque<TxId>,
    /// Number of the first in the ring.
    first: u64,
}

fn not_found() -> RpcError {
    // In geth's words.
    cannot("filter not found")
}

impl Filters {
    /// Makes a filter; returns its id.
    ///
    /// # Errors
    /// -32005 if there are too many.
    pub fn add(&self, content: Polled, network: IpAddr, now: Instant) -> RpcResult<String> {
        let id = random_id()?;
        let mut state = self.0.lock();
        let weight = content.weight();
        state.make_room(network, weight, now)?;
        state.all.insert(id, Filter { network, polled: now, weight, content, polls: 0, failed: None });
        Ok(show_id(id))
    }

    /// A filter, which lives longer for being asked for.
    ///
    /// # Errors
    /// If it is unknown or has expired.
    pub fn get(&self, id: u128, now: Instant) -> RpcResult<Polled> {
        Ok(self.0.lock().get(id, now)?.content.clone())
    }

    /// Moves a filter on to the tip of a snapshot; returns from where, and the number of this poll. The snapshot is made
    /// here, so that of two polls the later one has the later tip.
    ///
    /// # Errors
    /// As [`Filters::get`], and those of the snapshot.
    pub fn advance(
        &self,
        id: u128,
        now: Instant,
        snapshot: impl FnOnce() -> RpcResult<Snapshot>,
    ) -> RpcResult<(Since, Snapshot, u64)> {
        let mut state = self.0.lock();
        let next = state.next_pending();
        let filter = state.get(id, now)?;
        let snapshot = snapshot()?;
        (filter.polls, filter.failed) = (filter.polls + 1, None);
        let number = filter.polls;
        let since = match &mut filter.content {
            Polled::Blocks(seen) => Since::Blocks(std::mem::replace(seen, snapshot.tip())),
            Polled::Logs { topic, seen, .. } => {
                Since::Logs { topic: topic.clone(), seen: std::mem::replace(seen, snapshot.tip()) }
            }
            Polled::Pending(from) => {
                let from = std::mem::replace(from, next);
                Since::Pending(state.pending_from(from))
            }
        };
        Ok((since, snapshot, number))
    }

    /// Moves a filter back to where a poll that failed began, if it is still there. Of several that failed the first counts: it
    /// began before the others.
    pub fn put_back(&self, id: u128, at: BlockRef, number: u64) {
        let mut state = self.0.lock();
        let Some(filter) = state.all.get_mut(&id).filter(|filter| filter.failed.is_none_or(|first| number < first))
        else {
            return;
        };
        match &mut filter.content {
            Polled::Blocks(seen) | Polled::Logs { seen, .. } => *seen = at,
            Polled::Pending(_) => {}
        }
        filter.failed = Some(number);
    }

    /// Removes a filter; whether there was one.
    pub fn remove(&self, id: u128, now: Instant) -> bool {
        let mut state = self.0.lock();
        state.expire(now);
        state.all.remove(&id).is_some()
    }

    /// Notes account transactions that the mempool may mine.
    pub fn note_pending(&self, txids: &[TxId]) {
        let mut state = self.0.lock();
        state.ring.extend(txids);
        let surplus = state.ring.len().saturating_sub(RING);
        state.ring.drain(..surplus);
        state.first += surplus as u64;
    }

    /// Where the next pending transaction will stand.
    pub fn next_pending(&self) -> u64 {
        self.0.lock().next_pending()
    }

    /// Events were lost: no filter of pending transactions is complete.
    pub fn lose_pending(&self) {
        let mut state = self.0.lock();
        state.first += state.ring.len() as u64 + 1;
        state.ring.clear();
    }
}

impl State {
    /// A filter, which lives longer for being asked for.
    fn get(&mut self, id: u128, now: Instant) -> RpcResult<&mut Filter> {
        self.expire(now);
        let filter = self.all.get_mut(&id).ok_or_else(not_found)?;
        filter.polled = now;
        Ok(filter)
    }

    fn next_pending(&self) -> u64 {
        self.first + self.ring.len() as u64
    }

    /// Pending transactions from a number on; -32005 if some of them are not kept any more.
    fn pending_from(&self, number: u64) -> RpcResult<Vec<TxId>> {
        match number.checked_sub(self.first) {
            Some(skip) => Ok(self.ring.iter().skip(usize::try_from(skip).unwrap_or(usize::MAX)).copied().collect()),
            None => Err(over_limit(format!(
                "some transactions since the last poll are not kept any more, but the last {RING}: poll more often"
            ))),
        }
    }

    fn expire(&mut self, now: Instant) {
        self.all.retain(|_, filter| now.saturating_duration_since(filter.polled) < EXPIRY);
    }

    /// Who makes more and more filters loses the own oldest ones, not those of others.
    fn make_room(&mut self, network: IpAddr, weight: usize, now: Instant) -> RpcResult<()> {
        self.expire(now);
        while !network.is_loopback() {
            let own = self.all.iter().filter(|(_, filter)| filter.network == network);
            let of_one = own.clone().map(|(_, filter)| filter.weight).sum::<usize>() + weight;
            let oldest = own.clone().min_by_key(|(_, filter)| filter.polled).map(|(id, _)| *id);
            match oldest {
                Some(oldest) if own.count() >= MOST_OF_ONE || of_one > MOST_WEIGHT_OF_ONE => self.all.remove(&oldest),
                _ => break,
            };
        }
        let of_all = self.all.values().map(|filter| filter.weight).sum::<usize>() + weight;
        match self.all.len() < MOST && of_all <= MOST_WEIGHT {
            true => Ok(()),
            false => Err(over_limit("too many filters, or too many addresses and topics in them: uninstall some")),
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    const SOMEBODY: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 1));
    const ANOTHER: IpAddr = IpAddr::V4(std::net::Ipv4Addr::new(192, 0, 2, 2));

    fn id(text: &str) -> u128 {
        u128::from_str_radix(&text[2..], 16).unwrap()
    }

    #[test]
    fn a_filter_that_is_not_polled_for_five_minutes_is_forgotten() {
        let (filters, start) = (Filters::default(), Instant::now());
        let after = |seconds| start + Duration::from_secs(seconds);
        let polled = id(&filters.add(Polled::Pending(0), SOMEBODY, start).unwrap());
        let idle = id(&filters.add(Polled::Pending(0), SOMEBODY, start).unwrap());
        assert!(filters.get(polled, after(299)).is_ok());
        let gone = filters.get(idle, after(300)).unwrap_err();
        assert_eq!((gone.code(), gone.message()), (-32000, "filter not found"));
        assert!(filters.get(polled, after(598)).is_ok());
        assert!(filters.remove(polled, after(598)));
        assert!(!filters.remove(polled, after(598)));
    }

    #[test]
    fn an_address_that_makes_ever_more_filters_loses_its_own_oldest_one() {
        let (filters, start) = (Filters::default(), Instant::now());
        let add =
            |network, at| id(&filters.add(Polled::Pending(0), network, start + Duration::from_millis(at)).unwrap());
        let other = add(ANOTHER, 0);
        let ids: Vec<_> = (1..=MOST_OF_ONE as u64 + 1).map(|at| add(SOMEBODY, at)).collect();
        let now = start + Duration::from_secs(10);
        assert!(filters.get(ids[0], now).is_err());
        assert!(filters.get(ids[1], now).is_ok() && filters.get(other, now).is_ok());
    }

    #[test]
    fn filters_are_bounded_in_all() {
        let (filters, now) = (Filters::default(), Instant::now());
        let local = IpAddr::V4(std::net::Ipv4Addr::LOCALHOST);
        let add = || filters.add(Polled::Pending(0), local, now).map_err(|error| error.code());
        assert!((0..MOST).all(|_| add().is_ok()));
        assert_eq!(add(), Err(-32005));
    }

    #[test]
    fn pending_transactions_are_kept_for_a_while_and_never_missed_in_silence() {
        let filters = Filters::default();
        let txid = |number: u8| TxId([number; 32]);
        filters.note_pending(&[txid(1)]);
        let from = filters.next_pending();
        assert_eq!(filters.0.lock().pending_from(from).unwrap(), []);
        filters.note_pending(&[txid(2), txid(3)]);
        assert_eq!(filters.0.lock().pending_from(from).unwrap(), [txid(2), txid(3)]);
        let next = filters.next_pending();
        filters.note_pending(&vec![txid(4); RING - 1]);
        assert_eq!(filters.0.lock().pending_from(next).unwrap().len(), RING - 1);
        filters.note_pending(&[txid(5); 2]);
        assert_eq!(filters.0.lock().pending_from(next).unwrap_err().code(), -32005);
        let last = filters.next_pending();
        filters.lose_pending();
        assert_eq!(filters.0.lock().pending_from(last).unwrap_err().code(), -32005);
        assert_eq!(
            {
                let next = filters.next_pending();
                filters.0.lock().pending_from(next).unwrap()
            },
            []
        );
    }
}
