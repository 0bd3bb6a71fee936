//! Who is kept out, until when and why. Bounded, and kept over restarts.

use libp2p::PeerId;
use serde::{Deserialize, Serialize};
use std::{collections::HashMap, fmt, net::IpAddr, path::PathBuf, str::FromStr};

use super::{address, files};

/// Most bans; beyond, the one that ends first is lifted.
const MOST: usize = 4_096;
/// Longest reason that is kept.
const REASON: usize = 200;

/// Who is banned.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, PartialOrd, Ord)]
pub enum Target {
    /// Whoever has this key.
    Peer(PeerId),
    /// Whoever comes from this address; for IPv6 its first 64 bits.
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

#[derive(Serialize, Deserialize)]
struct Saved {
    target: String,
    until: u64,
    reason: String,
}

/// All bans.
#[derive(Debug, Default)]
pub struct Bans {
    bans: HashMap<Target, Ban>,
    file: Option<PathBuf>,
    changed: bool,
}

impl Bans {
    /// Those of an earlier run, kept in a file from now on.
    pub fn load(file: Option<PathBuf>) -> Self {
        let saved: Vec<Saved> = file.as_deref().map(files::read).unwrap_or_default();
        let entry = |saved: Saved| {
            let target = saved.target.parse().ok()?;
            Some((target, Ban { until: saved.until, reason: saved.reason }))
        };
        Self { bans: saved.into_iter().take(MOST).filter_map(entry).collect(), file, changed: false }
    }

    /// Bans somebody until a time, or changes how long.
    pub fn add(&mut self, target: Target, until: u64, mut reason: String, now: u64) {
        let end = (0..=REASON).rev().find(|end| reason.is_char_boundary(*end)).unwrap_or_default();
        reason.truncate(end);
        self.bans.retain(|_, ban| ban.until > now);
        if self.bans.len() >= MOST && !self.bans.contains_key(&target) {
            let soonest = self.bans.iter().min_by_key(|(_, ban)| ban.until).map(|(target, _)| *target);
            soonest.and_then(|target| self.bans.remove(&target));
        }
        self.bans.insert(target, Ban { until, reason });
        self.changed = true;
    }

    /// Lifts a ban; answers whether there was one.
    pub fn remove(&mut self, target: &Target) -> bool {
        let removed = self.bans.remove(target).is_some();
        self.changed |= removed;
        removed
    }

    /// Whether a key is banned now.
    pub fn holds_peer(&self, peer: &PeerId, now: u64) -> bool {
        self.holds(&Target::Peer(*peer), now)
    }

    /// Whether an address is banned now.
    pub fn holds_ip(&self, ip: IpAddr, now: u64) -> bool {
        self.holds(&Target::Host(address::host(ip)), now)
    }

    fn holds(&self, target: &Target, now: u64) -> bool {
        self.bans.get(target).is_some_and(|ban| ban.until > now)
    }

    /// Those in force, in the order of their ends.
    pub fn list(&self, now: u64) -> Vec<(Target, Ban)> {
        let mut list: Vec<_> = self.bans.iter().filter(|(_, ban)| ban.until > now).collect();
        list.sort_by_key(|(target, ban)| (ban.until, **target));
        list.into_iter().map(|(target, ban)| (*target, ban.clone())).collect()
    }

    /// Writes them down if they changed.
    pub fn save(&mut self) {
        let Some(file) = self.file.as_ref().filter(|_| std::mem::take(&mut self.changed)) else {
            return;
        };
        let saved = |(target, ban): (&Target, &Ban)| Saved {
            target: target.to_string(),
            until: ban.until,
            reason: ban.reason.clone(),
        };
        let list: Vec<Saved> = self.bans.iter().map(saved).collect();
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

    #[test]
    fn a_ban_ends() {
        let mut bans = Bans::default();
        bans.add(host(7), 100, "why".into(), 50);
        assert!(bans.holds(&host(7), 99));
        assert!(!bans.holds(&host(7), 100));
        assert_eq!(bans.list(99), [(host(7), Ban { until: 100, reason: "why".into() })]);
        assert_eq!(bans.list(100), []);
    }

    #[test]
    fn bans_outlive_a_restart() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("bans.json");
        let peer = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
        let mut bans = Bans::load(Some(file.clone()));
        bans.add(Target::Peer(peer), 100, "é".repeat(REASON), 0);
        bans.add(host(1), 200, String::new(), 0);
        bans.remove(&host(1));
        bans.save();
        let again = Bans::load(Some(file.clone()));
        assert_eq!(again.list(0), bans.list(0));
        assert_eq!(again.list(0)[0].1.reason, "é".repeat(REASON / 2));
        std::fs::write(&file, "not json").unwrap();
        assert_eq!(Bans::load(Some(file)).list(0), []);
    }

    #[test]
    fn the_list_is_bounded_and_keeps_the_longest() {
        let mut bans = Bans::default();
        let most = u32::try_from(MOST).unwrap();
        for number in 0..most + 10 {
            bans.add(host(number), 1_000 + u64::from(number), String::new(), 0);
        }
        assert_eq!(bans.list(0).len(), MOST);
        assert!(!bans.holds(&host(9), 0) && bans.holds(&host(10), 0) && bans.holds(&host(most + 9), 0));
    }

    #[test]
    fn a_ban_of_an_ipv6_address_holds_for_its_network() {
        let mut bans = Bans::default();
        bans.add("2001:db8:1:2::5".parse().unwrap(), 100, String::new(), 0);
        assert!(bans.holds_ip("2001:db8:1:2:ffff::1".parse().unwrap(), 0));
        assert!(!bans.holds_ip("2001:db8:1:3::5".parse().unwrap(), 0));
        assert_eq!("nonsense".parse::<Target>(), Err(()));
    }
}
