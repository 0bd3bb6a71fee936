//! Addresses of nodes that may be there: bounded, kept over restarts, and tried ever less often the longer they fail.

use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use std::{
    collections::{HashMap, HashSet},
    net::IpAddr,
    path::PathBuf,
};

use super::{
    address::{self, Scope},
    files,
};

/// Most nodes.
const MOST: usize = 1_024;
/// Of these, most that one network told of: an attacker who talks much does not fill the book.
const MOST_OF_GROUP: usize = 128;
/// Most addresses of one node.
const ADDRESSES: usize = 4;
/// Wait after the first failure, in seconds; doubled by each further one.
const FIRST_WAIT: u64 = 15;
/// Longest wait.
const LONGEST_WAIT: u64 = 6 * 3_600;
/// A node that failed so often and was never met is forgotten.
const HOPELESS: u32 = 6;

#[derive(Clone, Debug, Default)]
struct Entry {
    addresses: Vec<Multiaddr>,
    /// Network of whoever told of it.
    told_by: Option<IpAddr>,
    /// When it was connected last; 0 for never.
    met: u64,
    failures: u32,
    /// Not to be tried before.
    next: u64,
}

#[derive(Serialize, Deserialize)]
struct Saved {
    peer: String,
    addresses: Vec<String>,
    met: u64,
}

/// The address book. Times are seconds since the Unix epoch.
#[derive(Debug, Default)]
pub struct Book {
    entries: HashMap<PeerId, Entry>,
    file: Option<PathBuf>,
    changed: bool,
}

impl Book {
    /// The book of an earlier run, kept in a file from now on.
    pub fn load(file: Option<PathBuf>) -> Self {
        let saved: Vec<Saved> = file.as_deref().map(files::read).unwrap_or_default();
        let entry = |saved: Saved| {
            let addresses = saved.addresses.iter().filter_map(|text| text.parse().ok()).filter(address::can_dial);
            let entry = Entry { addresses: addresses.take(ADDRESSES).collect(), met: saved.met, ..Entry::default() };
            Some((saved.peer.parse().ok()?, entry))
        };
        let entries = saved.into_iter().take(MOST).filter_map(entry);
        Self { entries: entries.filter(|(_, entry)| !entry.addresses.is_empty()).collect(), file, changed: false }
    }

    /// Notes an address that somebody told of, if there is room.
    pub fn add(&mut self, peer: PeerId, address: Multiaddr, told_by: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            if !entry.addresses.contains(&address) && entry.addresses.len() < ADDRESSES {
                entry.addresses.push(address);
                self.changed = true;
            }
            return;
        }
        let group = Some(told_by).filter(|ip| address::scope(*ip) == Scope::Global).map(address::group);
        let told = self.entries.values().filter(|entry| group.is_some() && entry.told_by == group && entry.met == 0);
        if told.count() >= MOST_OF_GROUP || !self.make_room() {
            return;
        }
        self.entries.insert(peer, Entry { addresses: vec![address], told_by: group, ..Entry::default() });
        self.changed = true;
    }

    /// Forgets the worst entry if the book is full; answers whether there is room then.
    fn make_room(&mut self) -> bool {
        if self.entries.len() < MOST {
            return true;
        }
        let strangers = self.entries.iter().filter(|(_, entry)| entry.met == 0);
        let worst = strangers.max_by_key(|(_, entry)| entry.failures).map(|(peer, _)| *peer);
        worst.and_then(|peer| self.entries.remove(&peer)).is_some()
    }

    /// A node was connected, and is of this chain. `address` is given if this node dialled it.
    pub fn met(&mut self, peer: PeerId, address: Option<Multiaddr>, now: u64) {
        if !self.entries.contains_key(&peer) && (address.is_none() || !self.make_room()) {
            return;
        }
        let entry = self.entries.entry(peer).or_default();
        (entry.met, entry.failures, entry.next) = (now, 0, now + FIRST_WAIT);
        if let Some(address) = address {
            entry.addresses.retain(|other| *other != address);
            entry.addresses.insert(0, address);
            entry.addresses.truncate(ADDRESSES);
        }
        self.changed = true;
    }

    /// A node could not be reached: it is left alone for a while.
    pub fn failed(&mut self, peer: &PeerId, now: u64) {
        let Some(entry) = self.entries.get_mut(peer) else {
            return;
        };
        entry.failures += 1;
        let wait = FIRST_WAIT.saturating_mul(1 << entry.failures.min(20) >> 1).min(LONGEST_WAIT);
        entry.next = now + wait;
        if entry.met == 0 && entry.failures >= HOPELESS {
            self.forget(peer);
        }
    }

    /// A node is of another chain, or banned.
    pub fn forget(&mut self, peer: &PeerId) {
        self.changed |= self.entries.remove(peer).is_some();
    }

    /// A node to dial now: none of those to avoid, no network that is dialled into already, and those that were met
    /// before first, but for every other time. `random` decides among equals.
    pub fn candidate(
        &self,
        now: u64,
        avoid: impl Fn(&PeerId) -> bool,
        groups: &HashSet<IpAddr>,
        random: u64,
    ) -> Option<(PeerId, Vec<Multiaddr>)> {
        let elsewhere = |entry: &Entry| {
            let ip = entry.addresses.first().and_then(address::ip);
            ip.is_none_or(|ip| !groups.contains(&address::group(ip)))
        };
        let due = |(peer, entry): &(&PeerId, &Entry)| entry.next <= now && !avoid(peer) && elsewhere(entry);
        let mut due: Vec<_> = self.entries.iter().filter(due).collect();
        if random.is_multiple_of(2) && due.iter().any(|(_, entry)| entry.met > 0) {
            due.retain(|(_, entry)| entry.met > 0);
        }
        due.sort_by_key(|(peer, _)| **peer);
        let chosen = (random / 2) as usize % due.len().max(1);
        due.get(chosen).map(|(peer, entry)| (**peer, entry.addresses.clone()))
    }

    /// Writes the book down if it changed.
    pub fn save(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| std::mem::take(&mut self.changed)) else {
            return;
        };
        let saved = |(peer, entry): (&PeerId, &Entry)| Saved {
            peer: peer.to_string(),
            addresses: entry.addresses.iter().map(ToString::to_string).collect(),
            met: entry.met,
        };
        let list: Vec<Saved> = self.entries.iter().map(saved).collect();
        if let Err(error) = files::write(file, &list) {
            tracing::warn!("cannot save known nodes to {}: {error}", file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use libp2p::identity::Keypair;

    fn someone() -> PeerId {
        Keypair::generate_ed25519().public().to_peer_id()
    }

    fn at(number: usize) -> Multiaddr {
        format!("/ip4/{}.{}.1.1/tcp/30303", 11 + number / 250, 1 + number % 250).parse().unwrap()
    }

    fn teller(number: usize) -> IpAddr {
        address::ip(&at(number)).unwrap()
    }

    impl Book {
        fn len(&self) -> usize {
            self.entries.len()
        }
    }

    fn any(book: &Book, now: u64) -> Option<PeerId> {
        book.candidate(now, |_| false, &HashSet::new(), 1).map(|(peer, _)| peer)
    }

    #[test]
    fn a_node_that_fails_is_tried_ever_less_often() {
        let (mut book, peer) = (Book::default(), someone());
        book.add(peer, at(0), teller(0));
        book.met(peer, Some(at(0)), 1);
        let mut now = 100;
        for wait in [15, 30, 60, 120] {
            assert_eq!(any(&book, now), Some(peer));
            book.failed(&peer, now);
            assert_eq!(any(&book, now + wait - 1), None);
            now += wait;
        }
        for _ in 0..100 {
            book.failed(&peer, now);
        }
        assert_eq!(any(&book, now + LONGEST_WAIT), Some(peer), "one that was met is never given up");
    }

    #[test]
    fn a_stranger_that_never_answers_is_forgotten() {
        let (mut book, peer) = (Book::default(), someone());
        book.add(peer, at(0), teller(0));
        (0..HOPELESS).for_each(|_| book.failed(&peer, 0));
        assert_eq!(book.len(), 0);
    }

    #[test]
    fn the_book_is_bounded_and_one_network_does_not_fill_it() {
        let mut book = Book::default();
        for number in 0..MOST_OF_GROUP + 5 {
            book.add(someone(), at(number), teller(0));
        }
        assert_eq!(book.len(), MOST_OF_GROUP);
        let friend = someone();
        book.met(friend, Some(at(7)), 5);
        for number in 0..2 * MOST {
            book.add(someone(), at(number), teller(number));
        }
        assert_eq!(book.len(), MOST);
        assert!(book.entries.contains_key(&friend));
        (0..10).for_each(|number| book.add(friend, at(number), teller(0)));
        assert_eq!(book.entries[&friend].addresses.len(), ADDRESSES);
    }

    #[test]
    fn candidates_are_elsewhere_and_wanted() {
        let (mut book, peer) = (Book::default(), someone());
        book.add(peer, at(0), teller(0));
        assert_eq!(book.candidate(0, |other| *other == peer, &HashSet::new(), 0), None);
        assert_eq!(book.candidate(0, |_| false, &HashSet::from([address::group(teller(0))]), 0), None);
        assert_eq!(book.candidate(0, |_| false, &HashSet::new(), 0), Some((peer, vec![at(0)])));
        let friend = someone();
        book.met(friend, Some(at(1)), 1);
        for random in 0..10 {
            let chosen = book.candidate(99, |_| false, &HashSet::new(), 2 * random).unwrap().0;
            assert_eq!(chosen, friend, "a node that was met comes first half of the time");
        }
    }

    #[test]
    fn the_book_outlives_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("peers.json");
        let mut book = Book::load(Some(file.clone()));
        let peer = someone();
        book.met(peer, Some(at(3)), 7);
        book.save();
        let again = Book::load(Some(file));
        assert_eq!(again.candidate(100, |_| false, &HashSet::new(), 0), Some((peer, vec![at(3)])));
        assert_eq!(again.entries[&peer].met, 7);
    }
}
