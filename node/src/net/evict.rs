//! Which inbound peer makes room for another when all places are taken, as Bitcoin Core chooses: peers are protected by
//! qualities that an attacker cannot have for all of its connections at once, and of the rest the youngest of the network with the
//! most connections goes.

use libp2p::PeerId;
use std::{
    cmp::Reverse,
    collections::HashMap,
    hash::BuildHasher,
    net::IpAddr,
    time::{Duration, Instant},
};

/// What speaks for an inbound peer.
#[derive(Clone, Debug)]
pub struct Deserts {
    /// Its key.
    pub peer: PeerId,
    /// The network that it comes from.
    pub group: Option<IpAddr>,
    /// Since when it is connected.
    pub since: Instant,
    /// Its best round trip.
    pub ping: Option<Duration>,
    /// When it last was the first to bring a block.
    pub useful: Option<Instant>,
}

/// Chooses who makes room, if anybody is to, where there are `places`.
pub fn choose(mut peers: Vec<Deserts>, places: usize) -> Option<PeerId> {
    let few = places / 10;
    // Some networks that an attacker cannot foresee: the key of the hash is a secret of this process.
    let secret = std::sync::LazyLock::force(&SECRET);
    protect(&mut peers, few, |peer| Some(Reverse(secret.hash_one(peer.group))));
    // Near ones: an attacker is near to few nodes at once.
    protect(&mut peers, 2 * few, |peer| peer.ping.map(Reverse));
    // Those that bring blocks first: that costs work, or good connections.
    protect(&mut peers, few, |peer| peer.useful);
    // The longest connected: one who comes to fill the places comes late.
    let half = peers.len() / 2;
    protect(&mut peers, half, |peer| Some(Reverse(peer.since)));
    let mut sizes: HashMap<Option<IpAddr>, usize> = HashMap::new();
    peers.iter().for_each(|peer| *sizes.entry(peer.group).or_default() += 1);
    peers.iter().max_by_key(|peer| (sizes.get(&peer.group), peer.since)).map(|peer| peer.peer)
}

static SECRET: std::sync::LazyLock<std::hash::RandomState> = std::sync::LazyLock::new(Default::default);

/// Takes out so many of those with the most of a quality; who lacks it is not protected by it.
fn protect<Q: Ord>(peers: &mut Vec<Deserts>, count: usize, quality: impl Fn(&Deserts) -> Option<Q>) {
    peers.sort_by_key(|peer| Reverse(quality(peer)));
    let protected = peers.iter().take(count).filter(|peer| quality(peer).is_some()).count();
    peers.drain(..protected);
}

#[cfg(test)]
mod tests {
    use super::*;

    /// Peers number `from` to `to`, each connected a second later than the one before, from 9.`network`.0.0.
    fn crowd(start: Instant, range: std::ops::Range<u64>, network: impl Fn(u64) -> u8) -> Vec<Deserts> {
        let peer = |number| Deserts {
            peer: PeerId::random(),
            group: Some(IpAddr::from([9, network(number), 0, 0])),
            since: start + Duration::from_secs(number),
            ping: Some(Duration::from_millis(100)),
            useful: None,
        };
        range.map(peer).collect()
    }

    #[test]
    fn the_youngest_of_the_largest_network_goes() {
        let start = Instant::now();
        // The places are few, so that only age protects.
        let mut peers = crowd(start, 0..4, |number| number as u8);
        peers.extend(crowd(start, 4..8, |number| if number < 7 { 100 } else { 101 }));
        assert_eq!(choose(peers.clone(), 8), Some(peers[6].peer));
        assert_eq!(choose(Vec::new(), 8), None);
        assert_eq!(choose(peers[..1].to_vec(), 1), Some(peers[0].peer));
    }

    // 40 attackers come after one honest peer of each kind, and then come and go for long.
    #[test]
    fn honest_peers_outlast_a_crowd() {
        let start = Instant::now();
        let mut peers = crowd(start, 0..42, |number| (number / 4) as u8);
        let (old, near, useful) = (peers[0].peer, peers[41].peer, peers[40].peer);
        peers[41].ping = Some(Duration::from_millis(1));
        peers[40].useful = Some(start);
        for number in 42..5_000 {
            let gone = choose(peers.clone(), 42).unwrap();
            peers.retain(|peer| peer.peer != gone);
            peers.extend(crowd(start, number..number + 1, |number| (number % 200) as u8));
        }
        for (honest, why) in [(old, "age"), (near, "a short round trip"), (useful, "blocks")] {
            assert!(peers.iter().any(|peer| peer.peer == honest), "protected by {why}");
        }
    }
}
