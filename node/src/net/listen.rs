//! Where the node listens.

use futures::StreamExt;
use libp2p::{Multiaddr, Swarm, TransportError, multiaddr::Protocol, swarm::SwarmEvent};
use socket2::{Domain, Socket, Type};
use std::{
    cmp::Reverse,
    collections::HashSet,
    io::{self, ErrorKind},
    net::{IpAddr, SocketAddr},
    time::Duration,
};

use super::{
    address,
    behaviour::{Behaviour, BehaviourEvent},
    config::NetConfig,
    error::NetError,
};

/// How long the start waits for the addresses to be known.
const PATIENCE: Duration = Duration::from_secs(2);

/// What happened before all addresses were known: peers may have connected already.
pub type Early = Vec<SwarmEvent<BehaviourEvent>>;

/// Listens on TCP, and with QUIC on the same port of UDP; returns when all addresses are known.
///
/// # Errors
/// [`NetError`].
pub async fn listen(swarm: &mut Swarm<Behaviour>, config: &NetConfig) -> Result<Early, NetError> {
    // All of them before any, since libp2p does not say why it cannot have one.
    config.listen.iter().try_for_each(|ip| may_listen(*ip, config.port))?;
    let (mut unknown, mut early) = (HashSet::new(), Vec::new());
    for ip in &config.listen {
        let tcp = Multiaddr::from(*ip).with(Protocol::Tcp(config.port));
        let quic = Multiaddr::from(*ip).with(Protocol::Udp(config.port)).with(Protocol::QuicV1);
        for address in [tcp, quic] {
            let refused = |error: TransportError<io::Error>| NetError::Listen {
                address: SocketAddr::new(*ip, config.port),
                reason: error.to_string(),
            };
            unknown.insert(swarm.listen_on(address).map_err(refused)?);
        }
    }
    let deadline = tokio::time::sleep(PATIENCE);
    tokio::pin!(deadline);
    while !unknown.is_empty() {
        let event = tokio::select! {
            event = swarm.select_next_some() => event,
            () = &mut deadline => break,
        };
        match event {
            SwarmEvent::NewListenAddr { listener_id, .. } => _ = unknown.remove(&listener_id),
            event => early.push(event),
        }
    }
    Ok(early)
}

/// The port that the node listens on.
pub fn tcp_port(swarm: &Swarm<Behaviour>) -> Option<u16> {
    let port = |part| if let Protocol::Tcp(port) = part { Some(port) } else { None };
    swarm.listeners().find_map(|address| address.iter().find_map(port))
}

/// Addresses for others, the most useful first.
pub fn addresses(swarm: &Swarm<Behaviour>) -> Vec<Multiaddr> {
    let mut heard: Vec<&Multiaddr> = swarm.listeners().collect();
    heard
        .sort_by_key(|address| (Reverse(address::ip(address).map(address::reach)), address.len(), address.to_string()));
    let all = swarm.external_addresses().chain(heard);
    all.filter_map(|address| address.clone().with_p2p(*swarm.local_peer_id()).ok()).collect()
}

fn may_listen(ip: IpAddr, port: u16) -> Result<(), NetError> {
    let address = SocketAddr::new(ip, port);
    let tried = try_bind(address, Type::STREAM).and_then(|()| try_bind(address, Type::DGRAM));
    tried.map_err(|error| match error.kind() {
        ErrorKind::AddrInUse => NetError::PortInUse(address, next_free(ip, port)),
        _ => NetError::Listen { address, reason: error.to_string() },
    })
}

/// Binds a socket as libp2p will, and gives it up. One for IPv6 is for that alone, so that IPv4 beside it is no conflict.
fn try_bind(address: SocketAddr, kind: Type) -> io::Result<()> {
    let socket = Socket::new(Domain::for_address(address), kind, None)?;
    if address.is_ipv6() {
        socket.set_only_v6(true)?;
    }
    if kind == Type::STREAM {
        // Connections of an earlier run that still die are no other program.
        socket.set_reuse_address(true)?;
    }
    socket.bind(&address.into())?;
    if kind == Type::STREAM { socket.listen(1) } else { Ok(()) }
}

/// The next port that nobody listens on, to name in an error.
fn next_free(ip: IpAddr, port: u16) -> u16 {
    let free = |port: &u16| may_bind(ip, *port);
    (port.saturating_add(1)..=port.saturating_add(100)).find(free).unwrap_or(0)
}

fn may_bind(ip: IpAddr, port: u16) -> bool {
    try_bind(SocketAddr::new(ip, port), Type::STREAM).is_ok()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::net::{
        bans::Bans,
        gate::{Evicted, Gate, Limits},
        knocks::Knocks,
        names::Names,
        transport,
    };
    use chain_core::hash::BlockHash;
    use libp2p::{PeerId, identity::Keypair, swarm};
    use std::{
        net::{Ipv4Addr, Ipv6Addr, TcpListener, UdpSocket},
        sync::Arc,
    };

    const ANY_V4: IpAddr = IpAddr::V4(Ipv4Addr::UNSPECIFIED);
    const ANY_V6: IpAddr = IpAddr::V6(Ipv6Addr::UNSPECIFIED);

    #[test]
    fn ipv6_is_no_conflict_beside_ipv4_of_the_same_port() {
        let tcp = TcpListener::bind((ANY_V4, 0)).unwrap();
        let port = tcp.local_addr().unwrap().port();
        let _udp = UdpSocket::bind((ANY_V4, port)).unwrap();
        if Socket::new(Domain::IPV6, Type::STREAM, None).is_ok() {
            may_listen(ANY_V6, port).unwrap();
        }
        assert!(matches!(may_listen(ANY_V4, port), Err(NetError::PortInUse(..))));
    }

    #[test]
    fn a_port_of_udp_that_is_taken_is_in_use_too() {
        let udp = UdpSocket::bind(("127.0.0.1", 0)).unwrap();
        let port = udp.local_addr().unwrap().port();
        match may_listen(Ipv4Addr::LOCALHOST.into(), port) {
            Err(NetError::PortInUse(address, next)) => assert!(address.port() == port && next != port),
            other => panic!("{other:?}"),
        }
    }
    fn swarm(config: &NetConfig) -> Swarm<Behaviour> {
        let key = Keypair::generate_ed25519();
        let limits = Limits { inbound: 1, per_host: 1, per_group: 1 };
        let gate = Gate::new(limits, Bans::default(), Knocks::default());
        let behaviour = Behaviour::new(&key, config, &Names::new(&BlockHash([1; 32])), gate).unwrap();
        let transport = transport::build(&key, Arc::default(), Knocks::default()).unwrap();
        Swarm::new(transport, behaviour, key.public().to_peer_id(), swarm::Config::with_tokio_executor())
    }

    fn config(listen: Vec<IpAddr>, port: u16) -> NetConfig {
        NetConfig {
            listen,
            port,
            bootnodes: Vec::new(),
            connect: Vec::new(),
            discover: false,
            external: Vec::new(),
            max_peers: 1,
            clock_bound: 1,
            nat: false,
            folder: None,
        }
    }

    #[tokio::test]
    async fn ipv4_and_ipv6_are_listened_on_in_both_orders() {
        if Socket::new(Domain::IPV6, Type::STREAM, None).is_err() {
            return;
        }
        for ips in [[ANY_V4, ANY_V6], [ANY_V6, ANY_V4]] {
            let port = TcpListener::bind((ANY_V4, 0)).unwrap().local_addr().unwrap().port();
            let config = config(ips.to_vec(), port);
            let mut swarm = swarm(&config);
            listen(&mut swarm, &config).await.unwrap();
            for (ip, transport) in [("/ip4/", "/tcp/"), ("/ip4/", "/udp/"), ("/ip6/", "/tcp/"), ("/ip6/", "/udp/")] {
                let mut heard = swarm.listeners().map(ToString::to_string);
                let fits = |address: String| address.starts_with(ip) && address.contains(transport);
                assert!(heard.any(fits), "{ips:?}: {ip} {transport}");
            }
        }
    }

    #[tokio::test]
    async fn what_happens_while_the_node_starts_is_kept() {
        let config = config(vec![Ipv4Addr::LOCALHOST.into()], 0);
        let mut swarm = swarm(&config);
        let peer = PeerId::random();
        swarm.behaviour_mut().gate.evict(peer);
        let early = listen(&mut swarm, &config).await.unwrap();
        assert_eq!(swarm.listeners().count(), 2, "TCP and QUIC");
        let [SwarmEvent::Behaviour(BehaviourEvent::Gate(evicted))] = &early[..] else {
            panic!("{early:?}");
        };
        assert_eq!(*evicted, Evicted(peer));
    }
}
