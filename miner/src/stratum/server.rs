//! Servers and connections to them.

use std::{
    fmt,
    io::{self, BufRead, BufReader, Read, Write},
    net::{TcpStream, ToSocketAddrs},
    str::FromStr,
    sync::mpsc::{Receiver, Sender, channel},
    thread,
    time::{Duration, Instant},
};

use cairn_client::plain;
use serde_json::json;

use super::message::{self, AGENT, MAX_LINE, Message};
use crate::miner;

/// How long to wait for one address of a server.
const CONNECT: Duration = Duration::from_secs(5);
/// A server that sends nothing for so long is gone: others send a job at least every minute.
const SILENCE: Duration = Duration::from_secs(180);
/// A server that does not read for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// A server is back that takes a subscription within this time.
const PROBE: Duration = Duration::from_secs(10);

/// Host and port of a server.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Server {
    /// Name or address, without brackets.
    pub host: String,
    /// The port.
    pub port: u16,
}

/// A text that is not the URL of a server.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum ParseServerError {
    /// It asks for TLS.
    #[error(
        "'{0}': TLS is not supported; use stratum+tcp://, through a tunnel such as stunnel if the server has TLS alone"
    )]
    Tls(String),
    /// Anything else.
    #[error("'{0}' is not the address of a stratum server; write it like stratum+tcp://127.0.0.1:3333")]
    Malformed(String),
}

impl FromStr for Server {
    type Err = ParseServerError;

    fn from_str(text: &str) -> Result<Self, ParseServerError> {
        let malformed = || ParseServerError::Malformed(plain(text));
        let (scheme, rest) = text.split_once("://").ok_or_else(malformed)?;
        match scheme {
            "stratum+tcp" | "stratum" | "tcp" => {}
            "stratum+ssl" | "stratum+tls" | "stratums" | "ssl" | "tls" => {
                return Err(ParseServerError::Tls(plain(text)));
            }
            _ => return Err(malformed()),
        }
        let (host, port) = rest.strip_suffix('/').unwrap_or(rest).rsplit_once(':').ok_or_else(malformed)?;
        let host = host.strip_prefix('[').and_then(|host| host.strip_suffix(']')).unwrap_or(host);
        let is_odd = |letter: char| letter.is_whitespace() || letter.is_control() || "/@?#[]".contains(letter);
        let port = port.parse().ok().filter(|port| *port != 0);
        match port {
            Some(port) if !host.is_empty() && !host.contains(is_odd) => Ok(Self { host: host.to_owned(), port }),
            _ => Err(malformed()),
        }
    }
}

impl fmt::Display for Server {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        let (open, close) = if self.host.contains(':') { ("[", "]") } else { ("", "") };
        write!(f, "stratum+tcp://{open}{}{close}:{}", self.host, self.port)
    }
}

/// The writing half of a connection. Its reader waits after each line until that was handled, so that a server cannot fill
/// the memory.
#[derive(Debug)]
pub struct Connection {
    stream: TcpStream,
    handled: Sender<()>,
}

impl Connection {
    /// A connection; its reader waits for the receiver after each message.
    pub fn new(stream: TcpStream) -> (Self, Receiver<()>) {
        let (handled, go_on) = channel();
        (Self { stream, handled }, go_on)
    }

    /// Sends a request or a response.
    ///
    /// # Errors
    /// If the connection is broken, or the server does not read.
    pub fn send(&mut self, line: &str) -> io::Result<()> {
        self.stream.write_all(line.as_bytes())
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
        let _ = self.stream.shutdown(std::net::Shutdown::Both);
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
pub fn open(server: &Server, number: u64, events: &Sender<Event>) -> io::Result<()> {
    let (server, events) = (server.clone(), events.clone());
    let thread = thread::Builder::new().name("stratum".into());
    thread.spawn(move || {
        let reason =
            converse(&server, number, &events).map_or_else(|error| plain(&error.to_string()), |never| match never {});
        // The receiver may be gone.
        let _ = events.send(Event::Closed(number, reason));
    })?;
    Ok(())
}

/// Tries on a thread of its own whether a server takes miners; says so only if it does.
pub fn probe(server: &Server, events: &Sender<Event>) {
    let (server, events) = (server.clone(), events.clone());
    let thread = thread::Builder::new().name("probe".into());
    // Without a thread there is another try later, and the receiver may be gone.
    let _ = thread.spawn(move || subscribe(&server).is_ok().then(|| events.send(Event::Back)));
}

/// Subscribes as a miner does. That a port accepts connections shows little: a proxy does so whose pool is down.
fn subscribe(server: &Server) -> Result<(), String> {
    const ID: u64 = 1;
    let read = |mut stream: TcpStream| {
        stream.set_write_timeout(Some(WRITE))?;
        stream.write_all(message::request(ID, "mining.subscribe", &json!([AGENT])).as_bytes())?;
        Ok(BufReader::new(Until { stream, deadline: Instant::now() + PROBE }))
    };
    let mut lines = connect(server).and_then(read).map_err(|error| error.to_string())?;
    loop {
        match message::parse(&line(&mut lines).map_err(|error| error.to_string())?)? {
            Message::Response(ID, Ok(result)) => return message::extranonce(&result[1], &result[2]).map(drop),
            Message::Response(ID, Err(refusal)) => return Err(refusal.text),
            // Jobs and difficulties may come first.
            _ => {}
        }
    }
}

/// Reads up to a point in time, however slowly the bytes come.
struct Until {
    stream: TcpStream,
    deadline: Instant,
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() {
            return Err(io::ErrorKind::TimedOut.into());
        }
        self.stream.set_read_timeout(Some(left))?;
        self.stream.read(buffer)
    }
}

enum Never {}

fn converse(server: &Server, number: u64, events: &Sender<Event>) -> io::Result<Never> {
    let stream = connect(server)?;
    stream.set_nodelay(true)?;
    stream.set_read_timeout(Some(SILENCE))?;
    stream.set_write_timeout(Some(WRITE))?;
    let mut lines = BufReader::new(stream.try_clone()?);
    let gone = || io::Error::other("the session has ended");
    let (connection, go_on) = Connection::new(stream);
    events.send(Event::Connected(number, connection)).map_err(|_| gone())?;
    loop {
        let message =
            message::parse(&line(&mut lines)?).map_err(|reason| io::Error::other(format!("it sends {reason}")))?;
        events.send(Event::Message(number, message)).map_err(|_| gone())?;
        wait(&go_on).ok_or_else(gone)?;
    }
}

fn wait(go_on: &Receiver<()>) -> Option<()> {
    go_on.recv().ok()
}

fn connect(server: &Server) -> io::Result<TcpStream> {
    let mut last = io::Error::other("the name has no address");
    for address in (server.host.as_str(), server.port).to_socket_addrs()? {
        match TcpStream::connect_timeout(&address, CONNECT) {
            Ok(stream) => return Ok(stream),
            Err(error) => last = error,
        }
    }
    Err(last)
}

/// The next line that is not empty.
fn line(reader: &mut impl BufRead) -> io::Result<Vec<u8>> {
    loop {
        let mut line = Vec::new();
        let read = Read::by_ref(reader).take(MAX_LINE as u64 + 1).read_until(b'\n', &mut line);
        read.map_err(|error| match error.kind() {
            io::ErrorKind::WouldBlock | io::ErrorKind::TimedOut => {
                io::Error::other(format!("it has sent nothing for {} s", SILENCE.as_secs()))
            }
            _ => error,
        })?;
        if line.len() > MAX_LINE {
            return Err(io::Error::other(format!("it sends a line of more than {MAX_LINE} bytes")));
        }
        if !line.ends_with(b"\n") {
            return Err(io::Error::other("it closed the connection"));
        }
        if !line.trim_ascii().is_empty() {
            return Ok(line);
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_urls_of_servers() {
        let server = |host: &str, port| Ok(Server { host: host.into(), port });
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
            assert_eq!(odd.parse::<Server>(), Err(ParseServerError::Malformed(odd.into())));
        }
        let tls = "stratum+ssl://pool.example:443".parse::<Server>().unwrap_err().to_string();
        assert!(tls.contains("TLS is not supported"), "{tls}");
    }

    #[test]
    fn lines_are_bounded() {
        let read = |bytes: &[u8]| line(&mut BufReader::new(bytes)).map_err(|error| error.to_string());
        assert_eq!(read(b"\n \r\n{}\n"), Ok(b"{}\n".to_vec()));
        assert_eq!(read(b""), Err("it closed the connection".into()));
        assert_eq!(read(b"half"), Err("it closed the connection".into()));
        let long = vec![b'x'; 1 << 20];
        assert_eq!(read(&long), Err("it sends a line of more than 262144 bytes".into()));
        let longest = [&long[..MAX_LINE - 1], b"\n"].concat();
        assert_eq!(read(&longest).map(|line| line.len()), Ok(MAX_LINE));
    }
}
