//! Multiaddresses: what of them matters to a node.

use libp2p::{Multiaddr, PeerId, multiaddr::Protocol};
use std::net::{IpAddr, Ipv4Addr, Ipv6Addr, SocketAddr};

/// How far an address reaches. An address is told on only as far as it reaches.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord)]
pub enum Reach {
    /// This machine.
    Machine,
    /// A private or local network.
    Local,
    /// Everywhere.
    Global,
}

/// Reads an address that a person wrote: a multiaddress, or an IP or host name with a port of TCP.
pub fn parse(text: &str) -> Option<Multiaddr> {
    let address = match (text.parse::<SocketAddr>(), text.rsplit_once(':')) {
        (Ok(socket), _) => Multiaddr::from(socket.ip()).with(Protocol::Tcp(socket.port())),
        (_, Some((host, port))) if is_host_name(host) => {
            Multiaddr::empty().with(Protocol::Dns(host.into())).with(Protocol::Tcp(port.parse().ok()?))
        }
        _ => text.parse().ok()?,
    };
    can_dial(&split(address.clone()).0).then_some(address)
}

/// Whether this can be looked up: labels of letters, digits and hyphens (RFC 1123), of which the last is no number.
fn is_host_name(text: &str) -> bool {
    let label = |label: &str| {
        (1..=63).contains(&label.len())
            && !label.starts_with('-')
            && !label.ends_with('-')
            && label.bytes().all(|byte| byte.is_ascii_alphanumeric() || byte == b'-')
    };
    let last = text.rsplit('.').next().unwrap_or_default();
    text.len() <= 253 && text.split('.').all(label) && !last.bytes().all(|byte| byte.is_ascii_digit())
}

/// The IP of an address, if it begins with one.
pub fn ip(address: &Multiaddr) -> Option<IpAddr> {
    match address.iter().next()? {
        Protocol::Ip4(ip) => Some(ip.into()),
        Protocol::Ip6(ip) => Some(ip.to_canonical()),
        _ => None,
    }
}

/// An address without the peer at its end, and that peer.
pub fn split(mut address: Multiaddr) -> (Multiaddr, Option<PeerId>) {
    match address.iter().last() {
        Some(Protocol::P2p(peer)) => {
            address.pop();
            (address, Some(peer))
        }
        _ => (address, None),
    }
}

/// The IPv4 address that an IPv6 one stands for: mapped, translated (NAT64, RFC 6052 and 6145), or a tunnel (6to4, Teredo). Its
/// owner has a whole network of such, so that they count as the one address.
fn inner(ip: IpAddr) -> IpAddr {
    let IpAddr::V6(v6) = ip else {
        return ip;
    };
    let v4 = |high: u16, low: u16| Ipv4Addr::from(u32::from(high) << 16 | u32::from(low)).into();
    match v6.segments() {
        [0x2002, high, low, ..] => v4(high, low),
        [0x2001, 0, .., high, low] => v4(!high, !low),
        [0x64, 0xff9b, 0, 0, 0, 0, high, low] | [0, 0, 0, 0, 0xffff, 0, high, low] => v4(high, low),
        _ => ip.to_canonical(),
    }
}

/// How far an IP reaches.
pub fn reach(ip: IpAddr) -> Reach {
    match inner(ip) {
        ip if ip.is_loopback() => Reach::Machine,
        IpAddr::V4(ip) if local_v4(ip) => Reach::Local,
        IpAddr::V6(ip) if local_v6(ip) => Reach::Local,
        _ => Reach::Global,
    }
}

fn local_v4(ip: Ipv4Addr) -> bool {
    let [first, second, ..] = ip.octets();
    let shared = first == 100 && (64..128).contains(&second);
    ip.is_private() || ip.is_link_local() || ip.is_unspecified() || ip.is_documentation() || shared || first >= 224
}

fn local_v6(ip: Ipv6Addr) -> bool {
    ip.is_unique_local() || ip.is_unicast_link_local() || ip.is_unspecified() || ip.is_multicast()
}

/// Where several nodes of one owner run beside each other.
pub fn is_this_machine(ip: IpAddr) -> bool {
    ip == IpAddr::from([127, 0, 0, 1]) || ip == IpAddr::from(Ipv6Addr::LOCALHOST)
}

/// Whether many peers that have nothing to do with each other may come from an address: a router, the bridge of a container or a
/// forwarded port shows its own private address for all of them.
pub fn is_shared(ip: IpAddr) -> bool {
    is_this_machine(ip) || reach(ip) == Reach::Local
}

/// What one owner of addresses surely holds: an IPv4 address, or 64 bits of IPv6.
pub fn host(ip: IpAddr) -> IpAddr {
    masked(ip, 32, 64)
}

/// What one owner may well hold: as large a network as one provider gives to one customer.
pub fn group(ip: IpAddr) -> IpAddr {
    masked(ip, 16, 32)
}

fn masked(ip: IpAddr, bits_v4: u32, bits_v6: u32) -> IpAddr {
    match inner(ip) {
        IpAddr::V4(ip) => Ipv4Addr::from(ip.to_bits() & (u32::MAX << (32 - bits_v4))).into(),
        IpAddr::V6(ip) => Ipv6Addr::from(ip.to_bits() & (u128::MAX << (128 - bits_v6))).into(),
    }
}

/// Whether this node can dial an address of this shape: TCP, or QUIC.
pub fn can_dial(address: &Multiaddr) -> bool {
    let mut parts = address.iter();
    let first = matches!(
        parts.next(),
        Some(Protocol::Ip4(_) | Protocol::Ip6(_) | Protocol::Dns(_) | Protocol::Dns4(_) | Protocol::Dns6(_))
    );
    let rest = match (parts.next(), parts.next()) {
        (Some(Protocol::Tcp(port)), None) => port != 0,
        (Some(Protocol::Udp(port)), Some(Protocol::QuicV1)) => port != 0,
        _ => false,
    };
    first && rest && parts.next().is_none()
}

/// Whether an address that a peer advertised is worth keeping: one can dial it, it names no host that must be looked up,
/// and it reaches from that peer to here.
pub fn is_useful(address: &Multiaddr, told_by: IpAddr) -> bool {
    let ip = ip(address).filter(|ip| !ip.is_unspecified() && !ip.is_multicast());
    can_dial(address) && ip.is_some_and(|ip| reach(ip) >= reach(told_by))
}

#[cfg(test)]
mod tests {
    use super::*;

    fn address(text: &str) -> Multiaddr {
        text.parse().unwrap()
    }

    #[test]
    fn only_tcp_and_quic_are_dialled() {
        for good in
            ["/ip4/1.2.3.4/tcp/30303", "/ip6/::1/tcp/1", "/dns4/seed.example/tcp/30303", "/ip4/1.2.3.4/udp/5/quic-v1"]
        {
            assert!(can_dial(&address(good)), "{good}");
        }
        for bad in ["/ip4/1.2.3.4", "/ip4/1.2.3.4/tcp/0", "/ip4/1.2.3.4/udp/5", "/ip4/1.2.3.4/tcp/5/ws", "/unix/a"] {
            assert!(!can_dial(&address(bad)), "{bad}");
        }
    }

    #[test]
    fn people_write_multiaddresses_or_hosts_with_ports() {
        let peer = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
        let full = format!("/ip4/1.2.3.4/tcp/30303/p2p/{peer}");
        assert_eq!(parse(&full).unwrap().to_string(), full);
        assert_eq!(parse("1.2.3.4:30303"), Some(address("/ip4/1.2.3.4/tcp/30303")));
        assert_eq!(parse("[::1]:30303"), Some(address("/ip6/::1/tcp/30303")));
        assert_eq!(parse("localhost:30303"), Some(address("/dns/localhost/tcp/30303")));
        assert_eq!(parse("seed-1.example.org:5"), Some(address("/dns/seed-1.example.org/tcp/5")));
        for bad in [
            "",
            "1.2.3.4",
            "/ip4/1.2.3.4",
            "/ip4/1.2.3.4/tcp/0",
            "host",
            "host:",
            "host:0",
            "host:70000",
            ":5",
            "a b:5",
        ] {
            assert_eq!(parse(bad), None, "{bad}");
        }
        for bad in ["1.2.3:5", "1.2.3.400:5", "-a.b:5", "a..b:5", "a/b:5"] {
            assert_eq!(parse(bad), None, "{bad}");
        }
    }

    #[test]
    fn an_address_is_useful_only_where_it_reaches() {
        let [here, lan, far]: [IpAddr; 3] = ["127.0.0.1", "192.168.1.7", "8.8.8.8"].map(|ip| ip.parse().unwrap());
        let [machine, local, global] =
            ["/ip4/127.0.0.1/tcp/9", "/ip4/10.0.0.1/tcp/9", "/ip4/9.9.9.9/tcp/9"].map(address);
        assert!(is_useful(&machine, here) && is_useful(&local, here) && is_useful(&global, here));
        assert!(!is_useful(&machine, lan) && is_useful(&local, lan) && is_useful(&global, lan));
        assert!(!is_useful(&machine, far) && !is_useful(&local, far) && is_useful(&global, far));
        assert!(!is_useful(&address("/dns4/a.example/tcp/9"), here));
        assert!(!is_useful(&address("/ip4/0.0.0.0/tcp/9"), here));
    }

    #[test]
    fn hosts_and_groups_are_prefixes() {
        let ip = |text: &str| text.parse::<IpAddr>().unwrap();
        assert_eq!(host(ip("1.2.3.4")), ip("1.2.3.4"));
        assert_eq!(group(ip("1.2.3.4")), ip("1.2.0.0"));
        assert_eq!(host(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8:1:2::"));
        assert_eq!(group(ip("2001:db8:1:2:3:4:5:6")), ip("2001:db8::"));
        for tunnel in ["::ffff:9.8.7.6", "2002:908:706:1::5", "64:ff9b::908:706", "2001:0:1:2:3:4:f6f7:f8f9"] {
            assert_eq!((host(ip(tunnel)), group(ip(tunnel))), (ip("9.8.7.6"), ip("9.8.0.0")), "{tunnel}");
        }
        assert_eq!(
            reach(ip("64:ff9b::a00:1")),
            Reach::Local,
            "a private address does not become public by its wrapping"
        );
    }

    #[test]
    fn a_peer_is_split_off_the_end() {
        let peer = libp2p::identity::Keypair::generate_ed25519().public().to_peer_id();
        let bare = address("/ip4/1.2.3.4/tcp/5");
        assert_eq!(split(bare.clone()), (bare.clone(), None));
        assert_eq!(split(bare.clone().with(Protocol::P2p(peer))), (bare, Some(peer)));
    }
}
