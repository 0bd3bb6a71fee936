//! How often a host may connect. Each connection costs a handshake and brings a new key, so that an attacker would connect again and
//! again to be somebody new each time.

use std::{
    collections::HashMap,
    net::IpAddr,
    time::{Duration, Instant},
};

use super::address;
use crate::throttle::Bucket;

/// Connections that a host may open at once, and after how long it may open one more. Four nodes behind one address that lose their
/// connections try again six times each in the first minute, and then once a minute.
const AT_ONCE: u32 = 32;
const AGAIN: Duration = Duration::from_secs(4);
/// Most hosts that are remembered. Beyond, the one with the most left is forgotten: one with more hosts than this need not wait for
/// any of them.
const MOST: usize = 4_096;

/// Hosts that connected lately.
#[derive(Debug, Default)]
pub struct Arrivals(HashMap<IpAddr, Bucket>);

impl Arrivals {
    /// Whether a host may connect now.
    pub fn may_come(&self, ip: IpAddr, now: Instant) -> bool {
        self.0.get(&address::host(ip)).is_none_or(|host| host.left(now) > 0)
    }

    /// A host connected. Only then is its address known to be its own: the first packet of QUIC may be forged, and would use up
    /// what others have left.
    pub fn came(&mut self, ip: IpAddr, now: Instant) {
        let ip = address::host(ip);
        if self.0.len() >= MOST && !self.0.contains_key(&ip) {
            self.0.retain(|_, host| host.left(now) < AT_ONCE);
            let fullest = self.0.iter().max_by_key(|(_, host)| host.left(now)).map(|(ip, _)| *ip);
            fullest.filter(|_| self.0.len() >= MOST).and_then(|ip| self.0.remove(&ip));
        }
        self.0.entry(ip).or_insert_with(|| Bucket::new(AT_ONCE, AGAIN, now)).take(now);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn ip(number: u32) -> IpAddr {
        IpAddr::from((0x0900_0000 + number).to_be_bytes())
    }

    #[test]
    fn a_host_that_connects_again_and_again_has_to_wait() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        let come = |arrivals: &mut Arrivals, now| {
            let may = arrivals.may_come(ip(1), now);
            if may {
                arrivals.came(ip(1), now);
            }
            may
        };
        // 17 a second for a minute.
        let tries = (0..60 * 17).map(|number| start + Duration::from_millis(number * 1_000 / 17));
        let came = tries.filter(|now| come(&mut arrivals, *now)).count();
        assert_eq!(came, 32 + 14);
        assert!(arrivals.may_come(ip(2), start), "others do not");
        assert!(arrivals.may_come(ip(1), start + Duration::from_secs(64)));
    }

    #[test]
    fn honest_nodes_behind_one_address_may_lose_their_connections() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        for wait in [0, 1, 3, 7, 15, 31, 63, 123, 183] {
            for _ in 0..4 {
                assert!(arrivals.may_come(ip(1), start + Duration::from_secs(wait)), "after {wait} s");
                arrivals.came(ip(1), start + Duration::from_secs(wait));
            }
        }
    }

    #[test]
    fn hosts_that_are_remembered_are_few_and_those_that_came_most_stay() {
        let (mut arrivals, start) = (Arrivals::default(), Instant::now());
        (0..AT_ONCE).for_each(|_| arrivals.came(ip(0), start));
        for number in 1..10_000 {
            arrivals.came(ip(number), start);
            assert!(arrivals.0.len() <= MOST);
        }
        assert!(!arrivals.may_come(ip(0), start));
    }
}
