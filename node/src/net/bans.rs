//! Who is kept out, until when and why. Bounded, and kept over restarts. While the node runs, bans are measured by a clock that
//! nobody sets: a jump of the time of day neither lifts nor lengthens them.

use libp2p::PeerId;
use serde::{Deserialize, Serialize};
use std::{
    collections::HashMap,
    fmt,
    net::IpAddr,
    path::PathBuf,
    str::FromStr,
    time::{Duration, Instant},
};

use super::{address, clock::Moment, files};

/// Most bans; beyond, the one that ends first is lifted.
const MOST: usize = 4_096;
/// Longest ban, in seconds: what a caller of the RPC can ask for.
const LONGEST: u64 = u32::MAX as u64;
/// Longest reason that is kept.
const REASON: usize = 200;

/// Who is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// The peer with this key.
    Peer(PeerId),
    /// Peers at this address; for IPv6 its first 64 bits.
    Host(IpAddr),
}

impl fmt::Display for Target {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Peer(peer) => peer.fmt(f),
            Self::Host(ip) => ip.fmt(f),
        }
    }
}

impl FromStr for Target {
    type Err = ();

    fn from_str(text: &str) -> Result<Self, ()> {
        match text.parse::<IpAddr>() {
            Ok(ip) => Ok(Self::Host(address::host(ip.to_canonical()))),
            Err(_) => text.parse().map(Self::Peer).map_err(|_| ()),
        }
    }
}

/// One ban.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ban {
    /// When it ends, in seconds since the Unix epoch.
    pub until: u64,
    /// Why.
    pub reason: String,
}

/// A ban in force.
#[derive(Debug)]
struct Held {
    ends: Instant,
    /// The end by the time of day, as long as that does not jump.
    until: u64,
    /// How long it was meant to last, in seconds.
    seconds: u64,
    reason: String,
}

impl Held {
    fn holds(&self, now: Instant) -> bool {
        self.ends > now
    }

    /// The end by the time of day as it is now.
    fn until(&self, at: Moment) -> u64 {
        let until = at.clock.saturating_add(self.ends.saturating_duration_since(at.now).as_secs());
        // Rounding is no jump.
        if until.abs_diff(self.until) <= 2 { self.until } else { until }
    }
}

#[derive(Serialize, Deserialize)]
struct SavedBan {
    target: String,
    until: u64,
    /// A clock that was set back while the node did not run makes no ban longer than this.
    #[serde(default = "day")]
    seconds: u64,
    reason: String,
}

fn day() -> u64 {
    24 * 3_600
}

/// All bans.
#[derive(Debug, Default)]
pub struct Bans {
    bans: HashMap<Target, Held>,
    file: Option<PathBuf>,
    changed: bool,
}

impl Bans {
    /// Those of an earlier run, kept in a file from now on.
    pub fn load(file: Option<PathBuf>, at: Moment) -> Self {
        let saved: Vec<SavedBan> = file.as_deref().map(files::read).unwrap_or_default();
        let mut bans = Self { file, ..Self::default() };
        for SavedBan { target, until, seconds, reason } in saved.into_iter().take(MOST) {
            let left = until.saturating_sub(at.clock).min(seconds);
            if let (Ok(target), true) = (target.parse(), left > 0) {
                bans.add(target, left, reason, at);
                bans.bans.entry(target).and_modify(|held| held.seconds = seconds);
            }
        }
        bans.changed = false;
        bans
    }

    /// Bans somebody for so many seconds, or changes how long.
    pub fn add(&mut self, target: Target, seconds: u64, mut reason: String, at: Moment) {
        let end = (0..=REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        reason.truncate(end);
        self.bans.retain(|_, held| held.holds(at.now));
        if self.bans.len() >= MOST && !self.bans.contains_key(&target) {
            let soonest = self.bans.iter().min_by_key(|(_, held)| held.ends).map(|(target, _)| *target);
            soonest.and_then(|target| self.bans.remove(&target));
        }
        let seconds = seconds.min(LONGEST);
        let held = Held {
            ends: at.now + Duration::from_secs(seconds),
            until: at.clock.saturating_add(seconds),
            seconds,
            reason,
        };
        self.bans.insert(target, held);
        self.changed = true;
    }

    /// Lifts a ban; answers whether there was one.
    pub fn remove(&mut self, target: &Target) -> bool {
        let removed = self.bans.remove(target).is_some();
        self.changed |= removed;
        removed
    }

    /// Whether a key is banned now.
    pub fn holds_peer(&self, peer: &PeerId, now: Instant) -> bool {
        self.holds(&Target::Peer(*peer), now)
    }

    /// Whether an address is banned now.
    pub fn holds_ip(&self, ip: IpAddr, now: Instant) -> bool {
        self.holds(&Target::Host(address::host(ip)), now)
    }

    fn holds(&self, target: &Target, now: Instant) -> bool {
        self.bans.get(target).is_some_and(|held| held.holds(now))
    }

    /// Those in force, in the order of their ends.
    pub fn list(&self, at: Moment) -> Vec<(Target, Ban)> {
        let mut list: Vec<_> = self.bans.iter().filter(|(_, held)| held.holds(at.now)).collect();
        list.sort_by_key(|(target, held)| (held.ends, **target));
        let ban = |held: &Held| Ban { until: held.until(at), reason: held.reason.clone() };
        list.into_iter().map(|(target, held)| (*target, ban(held))).collect()
    }

    /// Writes them down if they changed.
    pub fn save(&mut self, at: Moment) {
        let Some(file) = self.file.as_ref().filter(|_| std::mem::take(&mut self.changed)) else {
            return;
        };
        let saved = |(target, held): (&Target, &Held)| SavedBan {
            target: target.to_string(),
            until: held.until(at),
            seconds: held.seconds,
            reason: held.reason.clone(),
        };
        let list: Vec<SavedBan> = self.bans.iter().map(saved).collect();
        if let Err(error) = files::write(file, &list) {
            tracing::warn!("cannot save bans to {}: {error}", file.display());
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn host(number: u32) -> Target {
        Target::Host(IpAddr::from(number.to_be_bytes()))
    }

    /// So many seconds after a start, by a clock that is right.
    fn after(start: Instant, seconds: u64) -> Moment {
        Moment { now: start + Duration::from_secs(seconds), clock: 1_000 + seconds }
    }

    #[test]
    fn a_ban_ends() {
        let (mut bans, start) = (Bans::default(), Instant::now());
        bans.add(host(7), 50, "why".into(), after(start, 50));
        assert!(bans.holds(&host(7), after(start, 99).now));
        assert!(!bans.holds(&host(7), after(start, 100).now));
        assert_eq!(bans.list(after(start, 99)), [(host(7), Ban { until: 1_100, reason: "why".into() })]);
        assert_eq!(bans.list(after(start, 100)), []);
    }

    #[test]
    fn a_clock_that_jumps_neither_lifts_nor_lengthens_a_ban() {
        let (mut bans, start) = (Bans::default(), Instant::now());
        bans.add(host(7), 100, "why".into(), after(start, 0));
        for clock in [0, 1_000_000_000] {
            bans.add(host(8), 1, String::new(), Moment { clock, ..after(start, 50) });
            assert!(bans.holds(&host(7), after(start, 99).now) && !bans.holds(&host(7), after(start, 100).now));
            let list = bans.list(Moment { clock, ..after(start, 60) });
            assert_eq!(list, [(host(7), Ban { until: clock + 40, reason: "why".into() })], "shown by the new clock");
        }
    }

    #[test]
    fn bans_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bans.json");
        let peer = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
        let start = Instant::now();
        let at = after(start, 0);
        let mut bans = Bans::load(Some(file.clone()), at);
        bans.add(Target::Peer(peer), 100, "é".repeat(REASON), at);
        bans.add(host(1), 200, String::new(), at);
        bans.remove(&host(1));
        bans.save(at);
        let again = Bans::load(Some(file.clone()), at);
        assert_eq!(again.list(at), bans.list(at));
        assert_eq!(again.list(at)[0].1.reason, "é".repeat(REASON / 2));
        let early = Bans::load(Some(file.clone()), Moment { clock: 0, ..at });
        assert_eq!(early.list(after(start, 100)), [], "a clock that was set back does not make it longer");
        std::fs::write(&file, "not json").unwrap();
        assert_eq!(Bans::load(Some(file), at).list(at), []);
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_longest() {
        let (mut bans, at) = (Bans::default(), Moment::now());
        let most = u32::try_from(MOST).unwrap();
        for number in 0..most + 10 {
            bans.add(host(number), 1_000 + u64::from(number), String::new(), at);
        }
        assert_eq!(bans.list(at).len(), MOST);
        let holds = |number| bans.holds(&host(number), at.now);
        assert!(!holds(9) && holds(10) && holds(most + 9));
    }

    #[test]
    fn a_ban_of_an_ipv6_address_holds_for_its_network() {
        let (mut bans, at) = (Bans::default(), Moment::now());
        bans.add("2001:db8:1:2::5".parse().unwrap(), 100, String::new(), at);
        assert!(bans.holds_ip("2001:db8:1:2:ffff::1".parse().unwrap(), at.now));
        assert!(!bans.holds_ip("2001:db8:1:3::5".parse().unwrap(), at.now));
        assert_eq!("nonsense".parse::<Target>(), Err(()));
    }

    #[test]
    fn a_ban_of_an_ipv4_address_holds_for_its_tunnels() {
        let (mut bans, at) = (Bans::default(), Moment::now());
        bans.add("9.8.7.6".parse().unwrap(), 100, String::new(), at);
        for tunnel in ["::ffff:9.8.7.6", "2002:908:706::1", "2002:908:706:5::1", "64:ff9b::908:706"] {
            let ip: IpAddr = tunnel.parse().unwrap();
            assert!(bans.holds_ip(ip.to_canonical(), at.now), "{tunnel}");
        }
    }
}
