//! Who may be connected: a bound in all, a share for each address, places that are kept for this machine.
//!
//! A hundred connections that say nothing must not keep everybody else away: when there is no place, the one that has been
//! idle longest goes.

use parking_lot::Mutex;
use std::{collections::HashMap, net::IpAddr, sync::Arc, time::Duration};

use super::session::Session;

/// Connections of one address that is not of this machine.
const OF_ONE: usize = 20;
/// A connection may be idle for so long before it makes room for another.
const GRACE: Duration = Duration::from_secs(5);

/// The connections of a server.
pub struct Places {
    most: usize,
    /// Of them, how many are for this machine alone.
    kept: usize,
    sessions: Mutex<Sessions>,
}

#[derive(Default)]
struct Sessions {
    next: u64,
    open: HashMap<u64, Arc<Session>>,
}

/// A connection's place, given back when it is dropped.
pub struct Seat {
    number: u64,
    places: Arc<Places>,
}

impl Places {
    /// So many places.
    pub fn new(most: u32) -> Arc<Self> {
        let most = most as usize;
        // A tenth, so that status and stop work while strangers hold the rest.
        Arc::new(Self { most, kept: most / 10, sessions: Mutex::default() })
    }

    /// Gives a session a place, if need be that of the one that is idle longest.
    pub fn seat(self: &Arc<Self>, session: &Arc<Session>) -> Option<Seat> {
        let mut sessions = self.sessions.lock();
        let local = session.ip.is_loopback();
        let of_address = sessions.open.values().filter(|other| other.network == session.network).count();
        let full = sessions.open.len() >= if local { self.most } else { self.most - self.kept };
        let room = if !local && of_address >= OF_ONE {
            sessions.evict(|other| other.network == session.network)
        } else if full {
            // Strangers do not push out this machine's.
            let may_go = |other: &Session| local || !other.ip.is_loopback();
            sessions.evict(may_go) || sessions.evict_busiest(of_address, may_go)
        } else {
            true
        };
        if !room {
            return None;
        }
        sessions.next += 1;
        let number = sessions.next;
        sessions.open.insert(number, session.clone());
        Some(Seat { number, places: self.clone() })
    }
}

impl Sessions {
    /// Closes the session that has been idle longest, of the address with most of them; whether there was one.
    fn evict(&mut self, may_go: impl Fn(&Session) -> bool) -> bool {
        let mut of: HashMap<IpAddr, usize> = HashMap::new();
        self.open.values().for_each(|session| *of.entry(session.network).or_default() += 1);
        let candidates = self.open.iter().filter(|(_, session)| may_go(session));
        let idle = candidates.filter_map(|(number, session)| Some((*number, of[&session.network], session.idle()?)));
        let chosen = idle.filter(|(.., idle)| *idle >= GRACE).max_by_key(|(_, of_address, idle)| (*of_address, *idle));
        self.close(chosen.map(|(number, ..)| number))
    }

    /// Closes a session of the address that has most: a request now and then would keep all places for ever, and so would long
    /// ones. The session that has been idle longest goes, if that address has more than a share, or more than the newcomer's
    /// `own` will be with this one; if all of them are being answered, the newest, if it has more than the newcomer's.
    fn evict_busiest(&mut self, own: usize, may_go: impl Fn(&Session) -> bool) -> bool {
        let mut of: HashMap<IpAddr, Vec<(Option<Duration>, u64)>> = HashMap::new();
        for (number, session) in self.open.iter().filter(|(_, session)| may_go(session)) {
            of.entry(session.network).or_default().push((session.idle(), *number));
        }
        let busiest = of.into_values().max_by_key(Vec::len).unwrap_or_default();
        let may_have = |idle: Option<Duration>| if idle.is_some() { OF_ONE.min(own + 1) } else { own + 1 };
        let first = busiest.iter().max().filter(|(idle, _)| busiest.len() > may_have(*idle));
        self.close(first.map(|(_, number)| *number))
    }

    fn close(&mut self, number: Option<u64>) -> bool {
        let session = number.and_then(|number| self.open.remove(&number));
        session.inspect(|session| session.close()).is_some()
    }
}

impl Drop for Seat {
    fn drop(&mut self) {
        self.places.sessions.lock().open.remove(&self.number);
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn session(ip: &str) -> Arc<Session> {
        Session::new(ip.parse().unwrap(), 100, &Arc::default())
    }

    #[test]
    fn all_addresses_of_a_network_of_ipv6_share_its_places() {
        let places = Places::new(100);
        let seat = |host: usize| places.seat(&session(&format!("2001:db8:0:7::{host:x}")));
        let _seats: Vec<_> = (0..OF_ONE).map(|host| seat(host).unwrap()).collect();
        assert!(seat(OF_ONE).is_none());
        assert!(places.seat(&session("2001:db8:0:8::1")).is_some());
    }

    #[test]
    fn connections_that_ask_now_and_then_do_not_hold_every_place() {
        let places = Places::new(100);
        let sessions: Vec<_> = (0..100).map(|_| session("127.0.0.1")).collect();
        let seats: Vec<_> = sessions.iter().map(|session| places.seat(session).unwrap()).collect();
        // All of them asked less than GRACE ago; one is being answered.
        let _answered = sessions[0].begin(10).unwrap();
        let newcomer = session("127.0.0.1");
        let seat = places.seat(&newcomer);
        assert!(seat.is_some(), "the one that is idle longest made room");
        let busy: Vec<_> = sessions.iter().chain([&newcomer]).filter_map(|session| session.begin(10)).collect();
        assert!(places.seat(&session("127.0.0.1")).is_none(), "nobody who is being answered is cut off");
        drop((seats, seat, busy));
    }

    #[test]
    fn a_few_addresses_that_ask_now_and_then_do_not_keep_out_another() {
        let places = Places::new(100);
        let seat = |number: usize| places.seat(&session(&format!("192.0.2.{number}")));
        let seats: Vec<_> = (0..90).map(|number| seat(number % 5).unwrap()).collect();
        let more: Vec<_> = (0..15).map(|_| seat(9).expect("a place of the address that has most")).collect();
        assert!(seat(9).is_none(), "it has as many as they");
        drop((seats, more));
    }

    #[test]
    fn a_few_addresses_with_long_calls_do_not_keep_out_another() {
        let places = Places::new(100);
        let sessions: Vec<_> = (0..90).map(|number| session(&format!("192.0.2.{}", number % 5))).collect();
        let seats: Vec<_> = sessions.iter().map(|session| places.seat(session).unwrap()).collect();
        let calls: Vec<_> = sessions.iter().map(|session| session.begin(10).unwrap()).collect();
        let more: Vec<_> = (0..15).map(|_| places.seat(&session("192.0.2.9")).expect("a place")).collect();
        assert!(places.seat(&session("192.0.2.9")).is_none(), "it has as many as they");
        drop((seats, calls, more));
    }

    #[test]
    fn one_address_has_a_share_and_this_machine_the_last_places() {
        let places = Places::new(100);
        let seat = |ip: &str| places.seat(&session(ip));
        let mut seats: Vec<_> = (0..OF_ONE).map(|_| seat("192.0.2.1").unwrap()).collect();
        assert!(seat("192.0.2.1").is_none());
        seats.truncate(1);
        seats.extend((0..89).map(|number| seat(&format!("192.0.2.{}", 2 + number)).unwrap()));
        assert!(seat("192.0.2.99").is_none(), "ten are kept");
        seats.extend((0..10).map(|_| seat("127.0.0.1").unwrap()));
        assert!(seat("127.0.0.1").is_none());
        seats.pop();
        assert!(seat("127.0.0.1").is_some());
    }

    #[test]
    fn mapped_addresses_count_as_what_they_are() {
        assert_eq!(session("::ffff:127.0.0.1").ip, session("127.0.0.1").ip);
    }
}
