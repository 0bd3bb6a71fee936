//! What is held against peers, also after they have left: one that connects again, or others of its host, begin where it stopped.
//! Points are forgotten one by one, and with the last of them their owner.

use libp2p::PeerId;
use std::{
    collections::HashMap,
    hash::{BuildHasher, RandomState},
    net::IpAddr,
    time::{Duration, Instant},
};

use super::{address, bans::Target};
use crate::engine::Payer;

/// A point is forgotten after so long.
const FORGIVEN: Duration = Duration::from_secs(30);
/// Most keys and hosts that points are held against. Beyond, those with the fewest are forgotten: an attacker with many keys on an
/// address that is shared has no more than if points ended with the connection.
const MOST: usize = 4_096;

#[derive(Debug)]
struct Points {
    points: u32,
    judged: Instant,
}

impl Points {
    fn now(&mut self, now: Instant) -> u32 {
        let forgiven = now.saturating_duration_since(self.judged).as_secs() / FORGIVEN.as_secs();
        if forgiven > 0 {
            self.points = self.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
            self.judged = now;
        }
        self.points
    }
}

/// Points by key, and by host where a host has one owner.
#[derive(Debug, Default)]
pub struct Misbehaviour {
    points: HashMap<Target, Points>,
    /// Names those who pay for what peers ask.
    payers: RandomState,
}

/// What is held to account for what a peer does.
pub fn targets(peer: PeerId, ip: Option<IpAddr>) -> impl Iterator<Item = Target> {
    let host = ip.filter(|ip| !address::is_shared(*ip)).map(|ip| Target::Host(address::host(ip)));
    host.into_iter().chain([Target::Peer(peer)])
}

impl Misbehaviour {
    /// Who pays for what a peer asks: its host, or its key where a host is shared.
    pub fn payer(&self, peer: PeerId, ip: Option<IpAddr>) -> Payer {
        Payer(self.payers.hash_one(targets(peer, ip).next()))
    }

    /// What is held against a peer now, under its key or its host.
    pub fn points(&mut self, peer: PeerId, ip: Option<IpAddr>, now: Instant) -> u32 {
        let points = targets(peer, ip).filter_map(|target| Some(self.points.get_mut(&target)?.now(now)));
        points.max().unwrap_or_default()
    }

    /// Holds more against a peer; returns how much it is together.
    pub fn add(&mut self, peer: PeerId, ip: Option<IpAddr>, points: u32, now: Instant) -> u32 {
        if points == 0 {
            return self.points(peer, ip, now);
        }
        for target in targets(peer, ip) {
            let entry = self.points.entry(target).or_insert(Points { points: 0, judged: now });
            entry.points = entry.now(now).saturating_add(points);
        }
        if self.points.len() > MOST {
            self.points.retain(|_, entry| entry.now(now) > 0);
        }
        while self.points.len() > MOST
            && let Some(fewest) = self.points.iter().min_by_key(|(_, entry)| entry.points).map(|(target, _)| *target)
        {
            self.points.remove(&fewest);
        }
        self.points(peer, ip, now)
    }

    /// Somebody is banned, which is enough, or let in again.
    pub fn forget(&mut self, target: &Target) {
        self.points.remove(target);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(text: &str) -> Option<IpAddr> {
        Some(text.parse().unwrap())
    }

    #[test]
    fn points_are_held_against_the_key_and_against_the_host() {
        let (mut misbehaviour, now) = (Misbehaviour::default(), Instant::now());
        let (one, other) = (PeerId::random(), PeerId::random());
        assert_eq!(misbehaviour.add(one, ip("9.9.9.9"), 25, now), 25);
        assert_eq!(misbehaviour.add(one, ip("8.8.8.8"), 25, now), 50, "the key is the same");
        assert_eq!(misbehaviour.add(other, ip("9.9.9.9"), 20, now), 45, "the host is the same");
        assert_eq!(misbehaviour.points(other, ip("7.7.7.7"), now), 20);
        assert_eq!(misbehaviour.add(PeerId::random(), ip("127.0.0.66"), 50, now), 50);
        assert_eq!(misbehaviour.add(PeerId::random(), ip("127.0.0.66"), 50, now), 100);
    }

    #[test]
    fn those_behind_a_shared_address_do_not_pay_for_each_other() {
        let (mut misbehaviour, now) = (Misbehaviour::default(), Instant::now());
        for shared in ["127.0.0.1", "::1", "192.168.1.1", "10.0.2.100", "172.17.0.1", "fd00::1"] {
            for _ in 0..5 {
                assert_eq!(misbehaviour.add(PeerId::random(), ip(shared), 50, now), 50, "{shared}");
            }
        }
    }

    #[test]
    fn a_point_is_forgotten_in_half_a_minute_and_a_ban_begins_anew() {
        let (mut misbehaviour, now, peer) = (Misbehaviour::default(), Instant::now(), PeerId::random());
        misbehaviour.add(peer, ip("9.9.9.9"), 25, now);
        assert_eq!(misbehaviour.points(peer, ip("9.9.9.9"), now + FORGIVEN * 20), 5);
        assert_eq!(misbehaviour.points(peer, ip("9.9.9.9"), now + FORGIVEN * 25), 0);
        misbehaviour.add(peer, ip("9.9.9.9"), 100, now + FORGIVEN * 25);
        targets(peer, ip("9.9.9.9")).for_each(|target| misbehaviour.forget(&target));
        assert_eq!(misbehaviour.points(peer, ip("9.9.9.9"), now + FORGIVEN * 25), 0);
    }

    #[test]
    fn a_crowd_of_keys_pushes_out_those_with_the_fewest_points() {
        let (mut misbehaviour, now, worst) = (Misbehaviour::default(), Instant::now(), PeerId::random());
        misbehaviour.add(worst, ip("127.0.0.1"), 90, now);
        for _ in 0..MOST + 100 {
            misbehaviour.add(PeerId::random(), ip("127.0.0.1"), 2, now);
        }
        assert_eq!(misbehaviour.points.len(), MOST);
        assert_eq!(misbehaviour.points(worst, None, now), 90);
        misbehaviour.add(PeerId::random(), ip("127.0.0.1"), 2, now + FORGIVEN * 2);
        assert_eq!(misbehaviour.points.len(), 2, "what is forgiven makes room");
    }
}
