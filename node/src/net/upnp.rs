//! Asks the router of a home network to let peers in (UPnP's Internet Gateway Device). Blocking, on a thread of its own, and
//! only with `--nat`. What a router answers is bounded, and believed only of itself.

use std::{
    io,
    net::{IpAddr, Ipv4Addr, SocketAddr, UdpSocket},
    time::{Duration, Instant},
};

/// Where gateways listen.
pub const GATEWAYS: SocketAddr = SocketAddr::new(IpAddr::V4(Ipv4Addr::new(239, 255, 255, 250)), 1900);
/// How long a forwarded port stays so; it is asked for again in half the time.
pub const LEASE: Duration = Duration::from_secs(3_600);
/// How long a gateway may take to answer.
const PATIENCE: Duration = Duration::from_secs(3);
/// Most bytes of an answer.
const MOST: u64 = 64 << 10;
/// Services that forward ports, the usual one first.
const SERVICES: [&str; 3] = [
    "urn:schemas-upnp-org:service:WANIPConnection:1",
    "urn:schemas-upnp-org:service:WANIPConnection:2",
    "urn:schemas-upnp-org:service:WANPPPConnection:1",
];

/// A router that forwards ports.
struct Gateway {
    control: String,
    service: &'static str,
    /// This node's address as the router sees it.
    local: IpAddr,
}

/// Forwards a port, TCP and UDP, to this machine; returns the router's external address.
///
/// # Errors
/// If there is no such router, or it refuses.
pub fn forward(gateways: SocketAddr, port: u16) -> io::Result<IpAddr> {
    let gateway = find(gateways)?;
    for protocol in ["TCP", "UDP"] {
        let arguments = format!(
            "<NewRemoteHost></NewRemoteHost><NewExternalPort>{port}</NewExternalPort><NewProtocol>{protocol}</NewProtocol>\
             <NewInternalPort>{port}</NewInternalPort><NewInternalClient>{}</NewInternalClient><NewEnabled>1</NewEnabled>\
             <NewPortMappingDescription>cairn</NewPortMappingDescription><NewLeaseDuration>{}</NewLeaseDuration>",
            gateway.local,
            LEASE.as_secs()
        );
        gateway.call("AddPortMapping", &arguments)?;
    }
    let answer = gateway.call("GetExternalIPAddress", "")?;
    let ip =
        between(&answer, "<NewExternalIPAddress>", "</NewExternalIPAddress>").and_then(|text| text.trim().parse().ok());
    ip.ok_or_else(|| odd("the router does not know its own address"))
}

fn odd(reason: &str) -> io::Error {
    io::Error::new(io::ErrorKind::InvalidData, reason)
}

fn between<'a>(text: &'a str, start: &str, end: &str) -> Option<&'a str> {
    let rest = &text[text.find(start)? + start.len()..];
    rest.find(end).map(|at| &rest[..at])
}

/// Asks all who listen, and takes the first who answers.
fn find(gateways: SocketAddr) -> io::Result<Gateway> {
    let socket = UdpSocket::bind("0.0.0.0:0")?;
    let question = format!(
        "M-SEARCH * HTTP/1.1\r\nHOST: {gateways}\r\nMAN: \"ssdp:discover\"\r\nMX: 2\r\n\
         ST: urn:schemas-upnp-org:device:InternetGatewayDevice:1\r\n\r\n"
    );
    socket.send_to(question.as_bytes(), gateways)?;
    let end = Instant::now() + PATIENCE;
    let mut bytes = [0; 2_048];
    loop {
        let left = end.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::Error::new(io::ErrorKind::TimedOut, "no router answers"));
        }
        socket.set_read_timeout(Some(left))?;
        let (length, from) = socket.recv_from(&mut bytes)?;
        let answer = String::from_utf8_lossy(&bytes[..length]);
        let header = |line: &str| {
            line.split_once(':')
                .filter(|(name, _)| name.eq_ignore_ascii_case("location"))
                .map(|(_, url)| url.trim().to_owned())
        };
        // A description elsewhere is not the router's own.
        let Some(url) =
            answer.lines().find_map(header).filter(|url| host(url).is_some_and(|host| host.ip() == from.ip()))
        else {
            continue;
        };
        return describe(&url);
    }
}

/// Host and port of an HTTP URL.
fn host(url: &str) -> Option<SocketAddr> {
    let rest = url.strip_prefix("http://")?;
    let authority = rest.split('/').next()?;
    authority.parse().ok().or_else(|| Some(SocketAddr::new(authority.parse().ok()?, 80)))
}

/// Reads what a router can do.
fn describe(url: &str) -> io::Result<Gateway> {
    let address = host(url).ok_or_else(|| odd("the router's description is nowhere"))?;
    let mut answer = agent().get(url).call().map_err(io::Error::other)?;
    let text = answer.body_mut().with_config().limit(MOST).read_to_string().map_err(io::Error::other)?;
    let found = SERVICES.iter().find_map(|service| {
        let rest = &text[text.find(&format!("<serviceType>{service}</serviceType>"))?..];
        let path = between(rest.split("</service>").next()?, "<controlURL>", "</controlURL>")?.trim();
        Some((*service, path.to_owned()))
    });
    let (service, path) = found.ok_or_else(|| odd("the router forwards no ports"))?;
    let path = path.strip_prefix(&format!("http://{address}")).unwrap_or(&path);
    let control = format!("http://{address}/{}", path.trim_start_matches('/'));
    let probe = UdpSocket::bind("0.0.0.0:0")?;
    probe.connect(address)?;
    Ok(Gateway { control, service, local: probe.local_addr()?.ip() })
}

fn agent() -> ureq::Agent {
    ureq::Agent::config_builder().timeout_global(Some(PATIENCE)).max_redirects(0).build().into()
}

impl Gateway {
    fn call(&self, action: &str, arguments: &str) -> io::Result<String> {
        let service = self.service;
        let body = format!(
            "<?xml version=\"1.0\"?><s:Envelope xmlns:s=\"http://schemas.xmlsoap.org/soap/envelope/\" \
             s:encodingStyle=\"http://schemas.xmlsoap.org/soap/encoding/\"><s:Body><u:{action} xmlns:u=\"{service}\">{arguments}\
             </u:{action}></s:Body></s:Envelope>"
        );
        let request = agent()
            .post(&self.control)
            .header("Content-Type", "text/xml; charset=\"utf-8\"")
            .header("SOAPAction", format!("\"{service}#{action}\""));
        let mut answer = request.send(body).map_err(|error| io::Error::other(format!("{action}: {error}")))?;
        answer.body_mut().with_config().limit(MOST).read_to_string().map_err(io::Error::other)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        io::{BufRead, BufReader, Read, Write},
        net::TcpListener,
    };

    /// A router that answers one search, one description, and then calls; the requests come out.
    fn router(
        location: impl Fn(SocketAddr) -> String,
        calls: usize,
    ) -> (SocketAddr, std::thread::JoinHandle<Vec<String>>) {
        let search = UdpSocket::bind("127.0.0.1:0").unwrap();
        let http = TcpListener::bind("127.0.0.1:0").unwrap();
        let (search_at, http_at) = (search.local_addr().unwrap(), http.local_addr().unwrap());
        let location = location(http_at);
        let thread = std::thread::spawn(move || {
            let (_, from) = search.recv_from(&mut [0; 2_048]).unwrap();
            search.send_to(format!("HTTP/1.1 200 OK\r\nLocation: {location}\r\n\r\n").as_bytes(), from).unwrap();
            (0..calls).map(|_| answer(&http)).collect()
        });
        (search_at, thread)
    }

    fn answer(http: &TcpListener) -> String {
        let mut stream = BufReader::new(http.accept().unwrap().0);
        let (mut head, mut length) = (String::new(), 0);
        while !head.ends_with("\r\n\r\n") {
            let start = head.len();
            stream.read_line(&mut head).unwrap();
            let line = head[start..].to_ascii_lowercase();
            length = line.strip_prefix("content-length:").map_or(length, |text| text.trim().parse().unwrap());
        }
        let mut body = vec![0; length];
        stream.read_exact(&mut body).unwrap();
        let text = format!("{head}{}", String::from_utf8(body).unwrap());
        let reply = match text.starts_with("GET") {
            true => format!(
                "<service><serviceType>{}</serviceType><controlURL>/control</controlURL></service>",
                SERVICES[1]
            ),
            false => "<NewExternalIPAddress>203.0.113.9</NewExternalIPAddress>".to_owned(),
        };
        let head = format!("HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n", reply.len());
        stream.get_mut().write_all(format!("{head}{reply}").as_bytes()).unwrap();
        text
    }

    #[test]
    fn a_router_is_found_and_forwards_both_protocols() {
        let (gateways, thread) = router(|http| format!("http://{http}/root.xml"), 4);
        assert_eq!(forward(gateways, 30_303).unwrap(), "203.0.113.9".parse::<IpAddr>().unwrap());
        let requests = thread.join().unwrap();
        assert!(requests[0].starts_with("GET /root.xml"));
        assert!(requests[1].contains("<NewProtocol>TCP</NewProtocol>") && requests[1].starts_with("POST /control"));
        assert!(requests[2].contains("<NewInternalClient>127.0.0.1</NewInternalClient>"));
        assert!(requests[3].contains("GetExternalIPAddress"));
    }

    #[test]
    fn a_description_elsewhere_is_not_fetched() {
        let (gateways, thread) = router(|_| "http://127.0.0.2:80/root.xml".to_owned(), 0);
        assert_eq!(forward(gateways, 30_303).unwrap_err().kind(), io::ErrorKind::WouldBlock);
        thread.join().unwrap();
    }
}
