//! Servers and connections to them.

use std::{
    convert::Infallible,
    fmt,
    io::{self, BufRead, BufReader, ErrorKind, Read},
    net::{TcpStream, ToSocketAddrs},
    str::FromStr,
    sync::{
        Arc,
        mpsc::{Receiver, Sender, channel},
    },
    thread,
    time::{Duration, Instant},
};

use cairn_client::plain;

use super::{
    message::{self, MAX_LINE, Message},
    stream::{self, Reader, Stream},
    tls::{self, Trust},
};
use crate::miner;

/// How long to wait for one address of a server.
const CONNECT: Duration = Duration::from_secs(5);
/// A server whose TLS handshake takes longer is left.
const HANDSHAKE: Duration = Duration::from_secs(10);
/// A server that sends nothing for so long is gone: others send a job at least every minute.
const SILENCE: Duration = Duration::from_secs(180);
/// Addresses of a name that are tried: each may take [`CONNECT`].
const MAX_ADDRESSES: usize = 8;
/// Empty lines between two others.
const MAX_EMPTY: usize = 1_000;
/// How a server with TLS answers a line: type and version of a record. Many close the connection without it.
const TLS_ALERT: [u8; 2] = [21, 3];
/// What to do about a port that has no line for its client.
const IF_TLS: &str = "; if this port has TLS, write stratum+ssl://";

/// Where a server is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
    /// Whether it has TLS.
    pub tls: bool,
}

/// A text that is not the URL of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error(
    "'{0}' is not the address of a stratum server; write it like stratum+tcp://127.0.0.1:3333, or stratum+ssl:// with TLS"
)]
pub struct ParseServerError(String);

impl FromStr for Server {
    type Err = ParseServerError;

    fn from_str(text: &str) -> Result<Self, ParseServerError> {
        let malformed = || ParseServerError(plain(text));
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        let has_tls = match scheme {
            "stratum+tcp" | "stratum" | "tcp" => false,
            "stratum+ssl" | "stratum+tls" | "stratums" | "ssl" | "tls" => true,
            _ => return Err(malformed()),
        };
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':').ok_or_else(malformed)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || "/@?#[]".contains(letter);
        let port = port.parse().ok().filter(|port| *port != 0);
        match port {
            Some(port) if !host.is_empty() && !host.contains(is_odd) && (!has_tls || tls::is_name(host)) => {
                Ok(Self { host: host.to_owned(), port, tls: has_tls })
            }
            _ => Err(malformed()),
        }
    }
}

impl Server {
    /// Whether it is meant by a host and a port, of which one that is not named is its own.
    pub fn is(&self, host: Option<&str>, port: Option<u16>) -> bool {
        host.is_none_or(|host| host.eq_ignore_ascii_case(&self.host)) && port.is_none_or(|port| port == self.port)
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        let scheme = if self.tls { "stratum+ssl" } else { "stratum+tcp" };
        write!(f, "{scheme}://{open}{}{close}:{}", self.host, self.port)
    }
}

/// The writing half of a connection. Its reader waits after each line until that was handled, so that a server cannot fill
/// the memory.
#[derive(Debug)]
pub struct Connection {
    stream: Arc<Stream>,
    handled: Sender<()>,
}

impl Connection {
    /// A connection; its reader waits for the receiver after each message.
    pub fn new(stream: Arc<Stream>) -> (Self, Receiver<()>) {
        let (handled, go_on) = channel();
        (Self { stream, handled }, go_on)
    }

    /// Sends a request or a response.
    ///
    /// # Errors
    /// If the connection is broken, or the server does not read.
    pub fn send(&self, line: &str) -> io::Result<()> {
        self.stream.send(line.as_bytes())
    }

    /// Lets the reader go on.
    pub fn handled(&self) {
        // The reader may have ended.
        let _ = self.handled.send(());
    }
}

impl Drop for Connection {
    fn drop(&mut self) {
        // The reader ends with it.
        self.stream.close();
    }
}

/// The events of the mining thread.
#[derive(Debug)]
pub enum Event {
    /// Stop.
    Stop,
    /// The connection with this number is open.
    Connected(u64, Connection),
    /// It has a message.
    Message(u64, Message),
    /// It could not be opened, or ended.
    Closed(u64, String),
    /// The preferred server takes miners again.
    Back,
    /// An event of the miner.
    Miner(miner::Event),
}

/// Connects on a thread of its own, and reads there. Each event has the number.
///
/// # Errors
/// If the system starts no more threads.
pub fn open(server: &Server, trust: Option<&Trust>, number: u64, events: &Sender<Event>) -> io::Result<()> {
    let (server, trust, events) = (server.clone(), trust.cloned(), events.clone());
    let thread = thread::Builder::new().name("stratum".into());
    thread.spawn(move || {
        let Err(error) = converse(&server, trust.as_ref(), number, &events);
        // The receiver may be gone.
        let _ = events.send(Event::Closed(number, plain(&error.to_string())));
    })?;
    Ok(())
}

fn converse(server: &Server, trust: Option<&Trust>, number: u64, events: &Sender<Event>) -> io::Result<Infallible> {
    let reader = connect(server, trust)?;
    let gone = || io::Error::other("the session has ended");
    let (connection, go_on) = Connection::new(Arc::clone(reader.stream()));
    let mut lines = BufReader::new(reader);
    events.send(Event::Connected(number, connection)).map_err(|_| gone())?;
    let mut hint = if server.tls { "" } else { IF_TLS };
    loop {
        lines.get_mut().until(Instant::now() + SILENCE);
        let line = line(&mut lines).map_err(|error| match error.kind() {
            ErrorKind::UnexpectedEof | ErrorKind::ConnectionReset => io::Error::other(format!("{error}{hint}")),
            _ => error,
        })?;
        hint = "";
        let message = message::parse(&line).map_err(|reason| io::Error::other(format!("it sends {reason}")))?;
        events.send(Event::Message(number, message)).map_err(|_| gone())?;
        go_on.recv().map_err(|_| gone())?;
    }
}

/// Connects, up to the end of the TLS handshake if the server has TLS.
///
/// # Errors
/// If the connection fails.
pub fn connect(server: &Server, trust: Option<&Trust>) -> io::Result<Reader> {
    let session = match (server.tls, trust) {
        (false, _) => None,
        (true, Some(trust)) => Some(trust.session(&server.host)?),
        (true, None) => return Err(io::Error::other("no authority is trusted for its TLS")),
    };
    Reader::new(Stream::new(reach(server)?, session)?, HANDSHAKE)
}

fn reach(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in (server.host.as_str(), server.port).to_socket_addrs()?.take(MAX_ADDRESSES) {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The next line that is not empty, after a few that are.
///
/// # Errors
/// If the connection ends, or its line or its silence is too long.
pub fn line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    for _ in 0..MAX_EMPTY {
        let mut line = Vec::new();
        let read = Read::by_ref(reader).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        read.map_err(|error| match stream::is_timeout(&error) {
            true => io::Error::other(format!("it has sent nothing for {} s", SILENCE.as_secs())),
            false => error,
        })?;
        if line.starts_with(&TLS_ALERT) {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "its answer is TLS"));
        }
        if line.len() > MAX_LINE {
            return Err(io::Error::other(format!("it sends a line of more than {MAX_LINE} bytes")));
        }
        if !line.ends_with(b"\n") {
            return Err(io::Error::new(ErrorKind::UnexpectedEof, "it closed the connection"));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(line);
        }
    }
    Err(io::Error::other("it sends one empty line after another"))
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_of_servers() {
        let server = |host: &str, port| Ok(Server { host: host.into(), port, tls: false });
        assert_eq!("stratum+tcp://127.0.0.1:3333".parse(), server("127.0.0.1", 3_333));
        assert_eq!("stratum+tcp://pool.example:1/".parse(), server("pool.example", 1));
        assert_eq!("tcp://[::1]:3333".parse(), server("::1", 3_333));
        let [plain, v6] =
            ["stratum://pool.example:3333", "stratum+tcp://[::1]:3333"].map(|url| url.parse::<Server>().unwrap());
        assert_eq!(
            [plain.to_string(), v6.to_string()],
            ["stratum+tcp://pool.example:3333", "stratum+tcp://[::1]:3333"]
        );
        for odd in [
            "",
            "127.0.0.1:3333",
            "http://127.0.0.1:3333",
            "stratum+tcp://",
            "stratum+tcp://:3333",
            "stratum+tcp://pool",
            "stratum+tcp://pool:0",
            "stratum+tcp://pool:65536",
            "stratum+tcp://a b:1",
            "stratum+tcp://user@pool:1",
            "stratum+tcp://pool/x:1",
        ] {
            assert_eq!(odd.parse::<Server>(), Err(ParseServerError(odd.into())));
        }
        for scheme in ["stratum+ssl", "stratum+tls", "stratums", "ssl", "tls"] {
            let server: Server = format!("{scheme}://pool.example:443").parse().unwrap();
            assert_eq!((server.tls, server.to_string()), (true, "stratum+ssl://pool.example:443".into()));
        }
        assert_eq!(
            "ssl://[::1]:3333".parse::<Server>().map(|server| server.to_string()),
            Ok("stratum+ssl://[::1]:3333".into())
        );
        // No certificate could have the name.
        assert_eq!("ssl://a..b:1".parse::<Server>(), Err(ParseServerError("ssl://a..b:1".into())));
    }

    #[test]
    fn lines_are_bounded() {
        let read = |bytes: &[u8]| line(&mut BufReader::new(bytes)).map_err(|error| error.to_string());
        assert_eq!(read(b"\n \r\n{}\n"), Ok(b"{}\n".to_vec()));
        assert_eq!(read(b""), Err("it closed the connection".into()));
        assert_eq!(read(&[b'\n'; 2_000]), Err("it sends one empty line after another".into()));
        assert_eq!(read(b"half"), Err("it closed the connection".into()));
        // An alert, and one that has the byte of a line's end.
        for alert in [&[21, 3, 3, 0, 2, 2, 70][..], &[21, 3, 1, 0, 2, 2, b'\n']] {
            assert_eq!(read(alert), Err("its answer is TLS".into()));
        }
        let long = vec![b'x'; 1 << 20];
        assert_eq!(read(&long), Err("it sends a line of more than 262144 bytes".into()));
        let longest = [&long[..MAX_LINE - 1], b"\n"].concat();
        assert_eq!(read(&longest).map(|line| line.len()), Ok(MAX_LINE));
    }
}
