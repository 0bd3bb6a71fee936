//! Addresses of nodes that may be there: bounded, kept over restarts, and tried ever less often the longer they fail.
//!
//! As in Bitcoin Core there are two kinds. *Met* are nodes that this one dialled and found on its chain; nobody gets in there by
//! connecting. *Heard of* are all others. An attacker with many keys fills neither: what one network advertised is bounded, and
//! when a kind is full, its worst entry goes.

use libp2p::{Multiaddr, PeerId};
use serde::{Deserialize, Serialize};
use std::{
    cmp::Reverse,
    collections::{HashMap, HashSet},
    net::{IpAddr, Ipv4Addr},
    path::PathBuf,
    time::{Duration, Instant},
};

use super::{
    address::{self, Reach},
    files,
};

/// Most nodes that were only heard of.
const MOST_HEARD: usize = 768;
/// Most nodes that were met.
const MOST_MET: usize = 256;
/// Most that one network advertised, met or not: an attacker who sends many does not fill the book.
const MOST_TOLD: usize = 128;
/// Most that are in one public network: one who has only that does not fill the book either, whatever its source.
const MOST_OF_GROUP: usize = 32;
/// In the place of a network: what searches in the distributed table brought, which anybody may have put there. It takes up nobody
/// else's part of the book.
pub const TABLE: IpAddr = IpAddr::V4(Ipv4Addr::BROADCAST);
/// Most addresses of one node.
const ADDRESSES: usize = 4;
/// Wait after the first failure; doubled by each further one.
const FIRST_WAIT: Duration = Duration::from_secs(15);
/// Longest wait.
const LONGEST_WAIT: Duration = Duration::from_secs(6 * 3_600);
/// A node that failed so often and was never met is forgotten.
const HOPELESS: u32 = 6;
/// A node that was met is forgotten after so many failures, which take about two days, if that was long ago, in seconds. A clock
/// that jumps ahead makes nobody fail, so that it empties no book.
const LOST: u32 = 16;
const LONG_AGO: u64 = 30 * 24 * 3_600;

#[derive(Clone, Debug)]
struct Entry {
    addresses: Vec<Multiaddr>,
    /// Network of the peer that first advertised it.
    told_by: IpAddr,
    /// When this node was connected with it last, having dialled it, in seconds since the Unix epoch; 0 for never.
    met: u64,
    failures: u32,
    /// Not to be tried before.
    next: Option<Instant>,
}

impl Entry {
    /// The public network that it is in.
    fn group(&self) -> Option<IpAddr> {
        let ip = self.addresses.first().and_then(address::ip)?;
        (address::reach(ip) == Reach::Global).then(|| address::group(ip))
    }

    /// The greater, the sooner it goes: never met, failing, met long ago.
    fn badness(&self) -> (bool, u32, Reverse<u64>) {
        (self.met == 0, self.failures, Reverse(self.met))
    }
}

#[derive(Serialize, Deserialize)]
struct SavedNode {
    peer: String,
    addresses: Vec<String>,
    met: u64,
    #[serde(default)]
    failures: u32,
    #[serde(default)]
    told_by: Option<IpAddr>,
}

/// The address book.
#[derive(Debug, Default)]
pub struct Book {
    entries: HashMap<PeerId, Entry>,
    file: Option<PathBuf>,
    changed: bool,
}

impl Book {
    /// The book of an earlier run, kept in a file from now on.
    pub fn load(file: Option<PathBuf>) -> Self {
        let saved: Vec<SavedNode> = file.as_deref().map(files::read).unwrap_or_default();
        let mut book = Self { file, ..Self::default() };
        for SavedNode { peer, addresses, met, failures, told_by } in saved {
            let addresses = addresses.iter().filter_map(|text| text.parse().ok()).filter(address::can_dial);
            let addresses: Vec<Multiaddr> = addresses.take(ADDRESSES).collect();
            let told_by = told_by.unwrap_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED));
            if let (Ok(peer), false) = (peer.parse(), addresses.is_empty()) {
                book.insert(peer, Entry { addresses, told_by, met, failures, next: None });
            }
        }
        book.changed = false;
        book
    }

    /// Adds an address of a node that a third party named.
    pub fn add(&mut self, peer: PeerId, address: Multiaddr, told_by: IpAddr) {
        if let Some(entry) = self.entries.get_mut(&peer) {
            if !entry.addresses.contains(&address) && entry.addresses.len() < ADDRESSES {
                entry.addresses.push(address);
                self.changed = true;
            }
            return;
        }
        let told_by = address::group(told_by);
        self.insert(peer, Entry { addresses: vec![address], told_by, met: 0, failures: 0, next: None });
    }

    /// A node that is connected, so that its key is proven, says where it is. That takes the place of what others said of it, except
    /// for the address at which this node met it.
    pub fn introduced(&mut self, peer: PeerId, addresses: &[Multiaddr], at: IpAddr) {
        if addresses.is_empty() {
            return;
        }
        let before = self.entries.remove(&peer);
        let mut entry = before.unwrap_or(Entry { addresses: Vec::new(), told_by: at, met: 0, failures: 0, next: None });
        entry.told_by = address::group(at);
        entry.addresses.truncate(usize::from(entry.met > 0));
        for address in addresses {
            if !entry.addresses.contains(address) && entry.addresses.len() < ADDRESSES {
                entry.addresses.push(address.clone());
            }
        }
        self.insert(peer, entry);
    }

    /// Adds an entry; where that is one too many of a kind, the worst of the kind goes.
    fn insert(&mut self, peer: PeerId, entry: Entry) {
        self.bound(MOST_TOLD, |other| other.told_by == entry.told_by);
        let group = entry.group();
        self.bound(MOST_OF_GROUP, |other| group.is_some() && other.group() == group);
        match entry.met {
            0 => self.bound_heard(),
            _ => self.bound(MOST_MET, |other| other.met > 0),
        }
        self.entries.insert(peer, entry);
        self.changed = true;
    }

    /// Makes room for one more of a kind of which there may be so many.
    fn bound(&mut self, most: usize, kind: impl Fn(&Entry) -> bool) {
        if self.entries.values().filter(|entry| kind(entry)).count() >= most {
            let of_kind = self.entries.iter().filter(|(_, entry)| kind(entry));
            let worst = of_kind.max_by_key(|(_, entry)| entry.badness()).map(|(peer, _)| *peer);
            worst.and_then(|peer| self.entries.remove(&peer));
        }
    }

    /// Makes room for one more that was heard of, at the cost of the network that advertised the most.
    fn bound_heard(&mut self) {
        let mut told: HashMap<IpAddr, usize> = HashMap::new();
        for entry in self.entries.values().filter(|entry| entry.met == 0) {
            *told.entry(entry.told_by).or_default() += 1;
        }
        let talker = told.iter().max_by_key(|(_, count)| **count).map(|(group, _)| *group);
        if told.values().sum::<usize>() >= MOST_HEARD {
            self.bound(0, |entry| entry.met == 0 && Some(entry.told_by) == talker);
        }
    }

    /// This node dialled another at an address, and found it there and on this chain; `clock` is the time in seconds since the
    /// Unix epoch.
    pub fn met(&mut self, peer: PeerId, address: Multiaddr, now: Instant, clock: u64) {
        let fresh = Entry {
            told_by: address::ip(&address).map_or(IpAddr::V4(Ipv4Addr::UNSPECIFIED), address::group),
            addresses: Vec::new(),
            met: 0,
            failures: 0,
            next: None,
        };
        let mut entry = self.entries.remove(&peer).unwrap_or(fresh);
        (entry.met, entry.failures, entry.next) = (clock.max(1), 0, Some(now + FIRST_WAIT));
        entry.addresses.retain(|other| *other != address);
        entry.addresses.insert(0, address);
        entry.addresses.truncate(ADDRESSES);
        self.insert(peer, entry);
    }

    /// A node could not be reached: it is left alone for a while, or forgotten.
    pub fn failed(&mut self, peer: &PeerId, now: Instant, clock: u64) {
        let Some(entry) = self.entries.get_mut(peer) else {
            return;
        };
        entry.failures = entry.failures.saturating_add(1);
        let wait = FIRST_WAIT.saturating_mul(1 << entry.failures.min(20) >> 1).min(LONGEST_WAIT);
        entry.next = Some(now + wait);
        let lost = match entry.met {
            0 => entry.failures >= HOPELESS,
            met => entry.failures >= LOST && clock.saturating_sub(met) > LONG_AGO,
        };
        self.changed = true;
        if lost {
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
        now: Instant,
        avoid: impl Fn(&PeerId) -> bool,
        groups: &HashSet<IpAddr>,
        random: u64,
    ) -> Option<(PeerId, Vec<Multiaddr>)> {
        let elsewhere = |entry: &Entry| entry.group().is_none_or(|group| !groups.contains(&group));
        let due = |(peer, entry): &(&PeerId, &Entry)| {
            entry.next.is_none_or(|next| next <= now) && !avoid(peer) && elsewhere(entry)
        };
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
        let saved = |(peer, entry): (&PeerId, &Entry)| SavedNode {
            peer: peer.to_string(),
            addresses: entry.addresses.iter().map(ToString::to_string).collect(),
            met: entry.met,
            failures: entry.failures,
            told_by: Some(entry.told_by),
        };
        let list: Vec<SavedNode> = self.entries.iter().map(saved).collect();
        if let Err(error) = files::write(file, &list) {
            tracing::warn!("cannot save known nodes to {}: {error}", file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    /// An address in a public network of its own.
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

        fn count_met(&self) -> usize {
            self.entries.values().filter(|entry| entry.met > 0).count()
        }
    }

    fn any(book: &Book, now: Instant) -> Option<PeerId> {
        book.candidate(now, |_| false, &HashSet::new(), 1).map(|(peer, _)| peer)
    }

    #[test]
    fn a_node_that_fails_is_tried_ever_less_often() {
        let (mut book, peer, start) = (Book::default(), PeerId::random(), Instant::now());
        book.met(peer, at(0), start, 1_000);
        let mut now = start + FIRST_WAIT;
        for wait in [15, 30, 60, 120] {
            assert_eq!(any(&book, now), Some(peer));
            book.failed(&peer, now, 1_000);
            assert_eq!(any(&book, now + Duration::from_secs(wait - 1)), None);
            now += Duration::from_secs(wait);
        }
        (0..100).for_each(|_| book.failed(&peer, now, 1_000 + LONG_AGO));
        assert_eq!(any(&book, now + LONGEST_WAIT), Some(peer), "one that was met lately is not given up");
    }

    #[test]
    fn a_stranger_that_never_answers_is_forgotten_and_a_met_one_after_a_month() {
        let (mut book, peer, friend, now) = (Book::default(), PeerId::random(), PeerId::random(), Instant::now());
        book.add(peer, at(0), teller(0));
        (0..HOPELESS).for_each(|_| book.failed(&peer, now, 0));
        assert_eq!(book.len(), 0);
        book.met(friend, at(0), now, 1_000);
        (1..LOST).for_each(|_| book.failed(&friend, now, 1_001 + LONG_AGO));
        assert_eq!(book.len(), 1, "a clock that jumps ahead forgets nobody by itself");
        book.failed(&friend, now, 1_001 + LONG_AGO);
        assert_eq!(book.len(), 0);
    }

    // One host, key after key: each connects, says where it is, and leaves.
    #[test]
    fn a_thousand_keys_of_one_host_leave_the_book_useful() {
        for host in ["9.9.9.9", "127.0.0.1", "192.168.1.7", "2002:909:909::1"] {
            let (mut book, host, now) = (Book::default(), host.parse().unwrap(), Instant::now());
            let friend = PeerId::random();
            book.met(friend, at(0), now, 1_000);
            for number in 0..1_060 {
                book.add(PeerId::random(), at(number), host);
            }
            assert_eq!(book.len(), 1 + MOST_TOLD, "{host}");
            let honest: Vec<PeerId> = (0..200).map(|_| PeerId::random()).collect();
            for (number, peer) in honest.iter().enumerate() {
                book.add(*peer, at(2_000 + number), teller(2_000 + number));
            }
            assert!(honest.iter().all(|peer| book.entries.contains_key(peer)), "others are still heard");
            assert!(book.entries.contains_key(&friend));
        }
    }

    #[test]
    fn a_crowd_of_networks_pushes_out_itself_first() {
        let mut book = Book::default();
        let honest: Vec<PeerId> = (0..50).map(|_| PeerId::random()).collect();
        for (number, peer) in honest.iter().enumerate() {
            book.add(*peer, at(number), teller(number));
        }
        for number in 0..20_000 {
            book.add(PeerId::random(), at(100 + number % 10_000), teller(100 + number % 8));
        }
        assert_eq!(book.len(), MOST_HEARD);
        assert!(honest.iter().all(|peer| book.entries.contains_key(peer)));
    }

    #[test]
    fn addresses_in_one_network_are_few_whoever_tells_of_them() {
        let mut book = Book::default();
        for number in 0..1_000 {
            let address = format!("/ip4/9.9.{}.{}/tcp/1", number / 250, 1 + number % 250).parse().unwrap();
            book.add(PeerId::random(), address, teller(number));
        }
        assert_eq!(book.len(), MOST_OF_GROUP);
    }

    #[test]
    fn of_those_met_the_failing_and_then_the_oldest_go() {
        let (mut book, now) = (Book::default(), Instant::now());
        let friends: Vec<PeerId> = (0..MOST_MET).map(|_| PeerId::random()).collect();
        for (number, peer) in friends.iter().enumerate() {
            book.met(*peer, at(number), now, 1_000 + number as u64);
        }
        book.failed(&friends[7], now, 2_000);
        book.met(PeerId::random(), at(5_000), now, 9_000);
        assert!(!book.entries.contains_key(&friends[7]) && book.entries.contains_key(&friends[0]));
        book.met(PeerId::random(), at(5_001), now, 9_000);
        assert!(!book.entries.contains_key(&friends[0]) && book.entries.contains_key(&friends[1]));
        book.met(friends[1], at(5_002), now, 9_001);
        assert_eq!(book.count_met(), MOST_MET);
        assert_eq!(book.entries[&friends[1]].addresses, [at(5_002), at(1)]);
    }

    #[test]
    fn a_node_has_few_addresses() {
        let (mut book, peer) = (Book::default(), PeerId::random());
        (0..10).for_each(|number| book.add(peer, at(number), teller(0)));
        assert_eq!(book.entries[&peer].addresses.len(), ADDRESSES);
    }

    // Somebody who answers a search names an honest node, at addresses where it is not.
    #[test]
    fn what_a_node_says_of_itself_takes_the_place_of_hearsay() {
        let (mut book, peer, now) = (Book::default(), PeerId::random(), Instant::now());
        (0..ADDRESSES).for_each(|number| book.add(peer, at(100 + number), TABLE));
        book.introduced(peer, &[at(1), at(2)], teller(1));
        assert_eq!(book.entries[&peer].addresses, [at(1), at(2)]);
        assert_eq!(book.entries[&peer].told_by, address::group(teller(1)));
        (0..10).for_each(|number| book.add(peer, at(200 + number), TABLE));
        assert_eq!(book.entries[&peer].addresses[..2], [at(1), at(2)], "others fill what is left");
        book.met(peer, at(3), now, 1_000);
        book.introduced(peer, &[at(4)], teller(1));
        assert_eq!(book.entries[&peer].addresses, [at(3), at(4)], "it was there when this node dialled it");
        book.introduced(peer, &[], teller(1));
        assert_eq!(book.entries[&peer].addresses, [at(3), at(4)]);
    }

    #[test]
    fn a_thousand_keys_that_introduce_themselves_from_one_host_are_bounded_too() {
        let mut book = Book::default();
        (0..1_000).for_each(|number| book.introduced(PeerId::random(), &[at(number)], teller(3)));
        assert_eq!(book.len(), MOST_TOLD);
    }

    #[test]
    fn what_the_table_brings_takes_up_no_networks_part_of_the_book() {
        let mut book = Book::default();
        let honest: Vec<PeerId> = (0..MOST_TOLD).map(|_| PeerId::random()).collect();
        honest.iter().enumerate().for_each(|(number, peer)| book.add(*peer, at(number), teller(1)));
        (0..1_000).for_each(|number| book.add(PeerId::random(), at(1_000 + number), TABLE));
        assert_eq!(book.len(), 2 * MOST_TOLD);
        assert!(honest.iter().all(|peer| book.entries.contains_key(peer)));
    }

    #[test]
    fn candidates_are_elsewhere_and_wanted() {
        let (mut book, peer, start) = (Book::default(), PeerId::random(), Instant::now());
        book.add(peer, at(0), teller(0));
        assert_eq!(book.candidate(start, |other| *other == peer, &HashSet::new(), 0), None);
        assert_eq!(book.candidate(start, |_| false, &HashSet::from([address::group(teller(0))]), 0), None);
        assert_eq!(book.candidate(start, |_| false, &HashSet::new(), 0), Some((peer, vec![at(0)])));
        let friend = PeerId::random();
        book.met(friend, at(1), start, 1);
        for random in 0..10 {
            let chosen = book.candidate(start + FIRST_WAIT, |_| false, &HashSet::new(), 2 * random).unwrap().0;
            assert_eq!(chosen, friend, "a node that was met comes first half of the time");
        }
    }

    #[test]
    fn the_book_outlives_a_restart_and_so_do_its_bounds() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("peers.json");
        let mut book = Book::load(Some(file.clone()));
        let (peer, now) = (PeerId::random(), Instant::now());
        book.met(peer, at(3), now, 7);
        (0..MOST_TOLD).for_each(|number| book.add(PeerId::random(), at(number), teller(700)));
        book.save();
        let mut again = Book::load(Some(file));
        assert_eq!(again.candidate(now, |_| false, &HashSet::new(), 0), Some((peer, vec![at(3)])));
        assert_eq!(again.entries[&peer].met, 7);
        again.add(PeerId::random(), at(900), teller(700));
        assert_eq!(again.len(), 1 + MOST_TOLD);
    }
}
