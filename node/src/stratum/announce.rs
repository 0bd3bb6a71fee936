//! Announces stratum on the local network, if it is for more than this machine.

use socket2::{Domain, Protocol, Socket, Type};
use std::{
    convert::Infallible,
    hash::{BuildHasher, RandomState},
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, SocketAddrV4},
    time::Duration,
};
use tokio::{
    net::UdpSocket,
    time::{Instant, sleep, sleep_until},
};

use super::mdns::Service;

/// Where mDNS is spoken.
const GROUP: Ipv4Addr = Ipv4Addr::new(224, 0, 0, 251);
const PORT: u16 = 5_353;
/// Records are sent no more often, however many ask (RFC 6762, section 6).
const PACE: Duration = Duration::from_secs(1);
/// Largest packet that is read.
const PACKET: usize = 9_000;
/// How long to wait after a failure: the network of a laptop comes and goes.
const RETRY: Duration = Duration::from_secs(60);

/// Announces where miners connect until it is dropped. That nobody hears it is worth a line in the log, no more.
pub async fn announce(address: SocketAddr, chain: &str) {
    if address.ip().is_loopback() {
        return;
    }
    let (suffix, mut said) = (format!("{:04x}", RandomState::new().hash_one(()) & 0xffff), false);
    loop {
        let Err(error) = speak(address, chain, &suffix).await;
        if !std::mem::replace(&mut said, true) {
            tracing::info!("stratum is not announced by mDNS: {error}; trying again every minute");
        }
        sleep(RETRY).await;
    }
}

async fn speak(address: SocketAddr, chain: &str, suffix: &str) -> io::Result<Infallible> {
    let service = Service {
        instance: format!("Cairn-{}-{suffix}", chain.chars().filter(char::is_ascii).take(32).collect::<String>()),
        host: format!("cairn-{suffix}"),
        ip: own_ip(address.ip())?,
        port: address.port(),
        chain: chain.to_owned(),
    };
    let socket = join(service.ip)?;
    let (announcement, group) = (service.announcement(), SocketAddr::from((GROUP, PORT)));
    let mut said = Instant::now();
    // Twice in the beginning, a second apart.
    socket.send_to(&announcement, group).await?;
    sleep(PACE).await;
    socket.send_to(&announcement, group).await?;
    tracing::info!(host = %format!("{}.local", service.host), "stratum is announced by mDNS");
    let mut packet = vec![0; PACKET];
    loop {
        let read = socket.recv(&mut packet).await?;
        if service.is_asked(&packet[..read]) {
            sleep_until(said + PACE).await;
            said = Instant::now();
            socket.send_to(&announcement, group).await?;
        }
    }
}

/// The address to announce: the one that is listened on, or of all the one that packets to the group leave from.
fn own_ip(ip: IpAddr) -> io::Result<Ipv4Addr> {
    let IpAddr::V4(ip) = ip.to_canonical() else {
        return match ip.is_unspecified() {
            true => own_ip(Ipv4Addr::UNSPECIFIED.into()),
            false => Err(io::Error::new(io::ErrorKind::Unsupported, "it listens on IPv6 alone")),
        };
    };
    if !ip.is_unspecified() {
        return Ok(ip);
    }
    // Nothing is sent: the system only chooses a route.
    let probe = std::net::UdpSocket::bind((Ipv4Addr::UNSPECIFIED, 0))?;
    probe.connect((GROUP, PORT))?;
    match probe.local_addr()?.ip() {
        IpAddr::V4(ip) if !ip.is_unspecified() => Ok(ip),
        _ => Err(io::Error::new(io::ErrorKind::AddrNotAvailable, "this machine has no address of IPv4")),
    }
}

/// A socket that shares the port with the machine's other programs.
fn join(ip: Ipv4Addr) -> io::Result<UdpSocket> {
    let socket = Socket::new(Domain::IPV4, Type::DGRAM, Some(Protocol::UDP))?;
    socket.set_reuse_address(true)?;
    socket.set_reuse_port(true)?;
    socket.set_nonblocking(true)?;
    socket.bind(&SocketAddr::V4(SocketAddrV4::new(Ipv4Addr::UNSPECIFIED, PORT)).into())?;
    socket.join_multicast_v4(&GROUP, &ip)?;
    socket.set_multicast_if_v4(&ip)?;
    socket.set_multicast_ttl_v4(255)?;
    UdpSocket::from_std(socket.into())
}
