//! Who gets in, and who does not.

use super::*;

fn gate() -> Gate {
    Gate::new(Limits { inbound: 6, per_host: 2, per_group: 3 }, Bans::default(), Knocks::default())
}

impl Gate {
    fn open(&mut self, peer: PeerId, ip: &str, inbound: bool) -> Result<(), Denied> {
        let (ip, now) = (Some(ip.parse().unwrap()), Instant::now());
        if inbound {
            self.may_knock(ip, false, now)?;
        }
        let room = self.may_enter(&peer, ip, inbound, now)?;
        room.into_iter().for_each(|evicted| self.evict(evicted));
        self.entered(ConnectionId::new_unchecked(self.open.len()), peer, ip, inbound, now);
        Ok(())
    }

    fn enter(&mut self, ip: &str) -> Result<(), Denied> {
        self.open(PeerId::random(), ip, true)
    }

    fn knock(&mut self, number: usize, ip: &str, quic: bool) -> Result<Option<ConnectionId>, Denied> {
        let (ip, now) = (Some(ip.parse().unwrap()), Instant::now() + Duration::from_millis(number as u64));
        let oldest = self.may_knock(ip, quic, now)?;
        oldest.inspect(|oldest| _ = self.pending.remove(oldest));
        let knock = Knock { ip, quic, from: Multiaddr::empty(), since: now };
        self.pending.insert(ConnectionId::new_unchecked(number), knock);
        Ok(oldest)
    }
}

#[test]
fn a_host_a_network_and_the_whole_have_limits() {
    let mut gate = gate();
    assert_eq!(gate.enter("8.8.8.8"), Ok(()));
    assert_eq!(gate.enter("8.8.8.8"), Ok(()));
    assert_eq!(gate.enter("8.8.8.8"), Err(Denied::Host));
    assert_eq!(gate.enter("8.8.4.4"), Ok(()));
    assert_eq!(gate.enter("8.8.1.1"), Err(Denied::Group));
    assert_eq!(gate.enter("2002:808:101::1"), Err(Denied::Group), "nor through a tunnel");
    assert_eq!(gate.open(PeerId::random(), "8.8.8.8", false), Ok(()), "what this node dials is not limited here");
    for ip in ["9.1.1.1", "9.1.1.2", "9.1.1.3"] {
        assert_eq!(gate.enter(ip), Ok(()));
    }
    assert_eq!((gate.inbound().count(), gate.evicted.len()), (6, 0));
    assert_eq!(gate.enter("11.1.1.1"), Ok(()), "somebody makes room");
    assert_eq!((gate.inbound().count(), gate.evicted.len()), (6, 1));
    let friend = PeerId::random();
    gate.trusted.insert(friend);
    assert_eq!(gate.open(friend, "12.1.1.1", true), Ok(()), "no limit holds for those that the operator named");
    assert_eq!((gate.inbound().count(), gate.evicted.len()), (7, 1));
}

// An attacker with many networks has all places, and an honest node comes.
#[test]
fn full_places_open_for_others_and_the_trusted_stay() {
    let mut gate = Gate::new(Limits { inbound: 42, per_host: 4, per_group: 10 }, Bans::default(), Knocks::default());
    let friend = PeerId::random();
    gate.trusted.insert(friend);
    gate.open(friend, "7.7.7.7", true).unwrap();
    for number in 0..41 {
        gate.enter(&format!("{}.1.1.{}", 20 + number / 10, number % 10)).unwrap();
    }
    assert_eq!(gate.evicted, []);
    for number in 0..1_000 {
        assert_eq!(gate.enter(&format!("{}.{}.1.1", 100 + number / 250, number % 250)), Ok(()));
    }
    assert_eq!(gate.inbound().count(), 42);
    assert!(!gate.evicted.contains(&friend));
}

#[test]
fn this_machine_and_private_networks_are_exempt_as_far_as_it_makes_sense() {
    let mut gate = gate();
    for _ in 0..3 {
        assert_eq!(gate.enter("127.0.0.1"), Ok(()));
    }
    assert_eq!(gate.enter("192.168.1.1"), Ok(()));
    assert_eq!(gate.enter("192.168.1.1"), Ok(()));
    assert_eq!(gate.enter("192.168.1.1"), Err(Denied::Host));
    assert_eq!(gate.enter("192.168.1.2"), Ok(()));
    assert_eq!(gate.enter("127.0.0.1"), Ok(()));
    assert_eq!(gate.inbound().count(), 6, "the whole is limited for all");
}

#[test]
fn the_banned_stay_out_under_their_key_and_from_their_host() {
    let mut gate = gate();
    let (peer, ip) = (PeerId::random(), "9.9.9.9".parse().unwrap());
    gate.ban(peer, Some(ip), 100, "why");
    assert_eq!(gate.enter("9.9.9.9"), Err(Denied::Banned));
    assert_eq!(gate.open(peer, "1.1.1.1", false), Err(Denied::Banned));
    for shared in ["127.0.0.1", "172.17.0.1", "192.168.1.1", "fd00::1"] {
        gate.ban(peer, Some(shared.parse().unwrap()), 100, "why");
        assert_eq!(gate.open(peer, shared, true), Err(Denied::Banned));
        assert_eq!(gate.enter(shared), Ok(()), "who else comes from {shared} is not to blame");
    }
}

#[test]
fn attackers_on_the_host_or_network_of_a_named_node_do_not_keep_it_out() {
    let (mut gate, friend, ip) = (gate(), PeerId::random(), "8.8.8.8".parse().unwrap());
    gate.trusted.insert(friend);
    gate.trusted_hosts.insert(ip);
    for _ in 0..2 {
        gate.enter("8.8.8.8").unwrap();
    }
    gate.enter("8.8.4.4").unwrap();
    let bad = PeerId::random();
    gate.ban(bad, Some(ip), 100, "why");
    assert_eq!(gate.open(bad, "8.8.8.8", true), Err(Denied::Banned));
    assert_eq!(gate.enter("8.8.8.8"), Err(Denied::Host), "others there have no more room than elsewhere");
    assert_eq!(gate.open(friend, "8.8.8.8", true), Ok(()));
}

#[test]
fn a_host_that_connects_under_ever_new_keys_has_to_wait() {
    let mut gate =
        Gate::new(Limits { inbound: 500, per_host: 500, per_group: 500 }, Bans::default(), Knocks::default());
    for (ip, limited) in [("9.9.9.9", true), ("192.168.1.1", true), ("127.0.0.66", true), ("127.0.0.1", false)] {
        let came = (0..100).take_while(|_| gate.enter(ip).is_ok()).count();
        assert_eq!(came, if limited { 32 } else { 100 }, "{ip}");
        let next = if limited { Err(Denied::Often) } else { Ok(()) };
        assert_eq!(gate.enter(ip), next, "{ip}");
    }
}

#[test]
fn one_peer_has_few_connections() {
    let mut gate = gate();
    let peer = PeerId::random();
    assert_eq!(gate.open(peer, "127.0.0.1", true), Ok(()));
    assert_eq!(gate.open(peer, "127.0.0.1", false), Ok(()));
    assert_eq!(gate.open(peer, "127.0.0.1", true), Err(Denied::Peer));
    (0..2).for_each(|id| gate.left(ConnectionId::new_unchecked(id)));
    assert!(gate.open.is_empty() && gate.deserts.is_empty(), "nothing stays of who left");
}

#[test]
fn few_of_one_host_or_network_shake_hands_at_a_time() {
    let mut gate =
        Gate::new(Limits { inbound: 500, per_host: 500, per_group: 500 }, Bans::default(), Knocks::default());
    for number in 0..PENDING_PER_HOST {
        assert_eq!(gate.knock(number, "8.8.8.8", false), Ok(None));
    }
    assert_eq!(gate.knock(100, "8.8.8.8", false), Err(Denied::Host));
    for number in PENDING_PER_HOST..PENDING_PER_GROUP {
        assert_eq!(gate.knock(number, &format!("8.8.1.{number}"), false), Ok(None));
    }
    assert_eq!(gate.knock(100, "8.8.2.1", false), Err(Denied::Group));
}

#[test]
fn the_oldest_handshake_makes_room_among_its_like() {
    let mut gate =
        Gate::new(Limits { inbound: 500, per_host: 500, per_group: 500 }, Bans::default(), Knocks::default());
    // Forged: each from another network, over QUIC.
    for number in 0..PENDING {
        assert_eq!(gate.knock(number, &format!("11.{number}.1.1"), true), Ok(None));
    }
    assert_eq!(gate.knock(200, "9.9.9.9", false), Ok(None), "TCP has places of its own");
    assert_eq!(gate.knock(201, "9.9.9.9", true), Ok(Some(ConnectionId::new_unchecked(0))));
    assert_eq!(gate.knock(202, "9.9.9.9", true), Ok(Some(ConnectionId::new_unchecked(1))));
    assert_eq!(gate.pending.len(), PENDING + 1);
}
