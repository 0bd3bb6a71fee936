//! The bytes to and from a server, with or without TLS. One thread reads and another one writes.

use std::{
    io::{self, BufRead, BufReader, ErrorKind, Read, Write},
    net::{Shutdown, TcpStream},
    sync::{Arc, Mutex, MutexGuard, PoisonError},
    time::{Duration, Instant},
};

use rustls::ClientConnection;

use super::tls;

/// A server that does not read for so long is gone.
const WRITE: Duration = Duration::from_secs(10);
/// The same for the few bytes that TLS itself has to say. The writer may have to wait for them.
const REPLY: Duration = Duration::from_secs(1);

/// What the reader and the writer share.
#[derive(Debug)]
pub struct Stream {
    socket: TcpStream,
    /// Ciphertext leaves under the lock, for a record in another order is an error. Nobody waits for the server's bytes under
    /// it.
    session: Option<Mutex<ClientConnection>>,
}

impl Stream {
    /// A stream; with a TLS session, whose handshake has yet to come.
    pub fn new(socket: TcpStream, session: Option<ClientConnection>) -> io::Result<Self> {
        socket.set_nodelay(true)?;
        let session = session.map(|mut session| {
            // A line is bounded, and leaves before the next one comes.
            session.set_buffer_limit(None);
            Mutex::new(session)
        });
        Ok(Self { socket, session })
    }

    /// Sends bytes.
    ///
    /// # Errors
    /// If the connection is broken, or the server does not read.
    pub fn send(&self, bytes: &[u8]) -> io::Result<()> {
        let mut socket = self.outgoing(WRITE);
        let Some(session) = &self.session else { return socket.write_all(bytes) };
        let mut session = lock(session);
        session.writer().write_all(bytes)?;
        flush(&mut session, &mut socket)
    }

    /// Ends the connection in both directions, which wakes its reader.
    pub fn close(&self) {
        // The server is told that this is the end, if that fits into the socket: it must not make its client wait.
        if let Some(session) = &self.session {
            let mut session = lock(session);
            session.send_close_notify();
            let _ = self.socket.set_nonblocking(true);
            let _ = flush(&mut session, &mut self.outgoing(REPLY));
        }
        let _ = self.socket.shutdown(Shutdown::Both);
    }

    fn outgoing(&self, limit: Duration) -> Outgoing<'_> {
        Outgoing { socket: &self.socket, deadline: Instant::now() + limit }
    }

    /// Decrypts some of the bytes: how many, of which none are after the server's last record.
    fn decrypt(&self, session: &Mutex<ClientConnection>, mut bytes: &[u8]) -> io::Result<usize> {
        let mut session = lock(session);
        let taken = session.read_tls(&mut bytes)?;
        let outcome = session.process_new_packets();
        // The server may want new keys, or be told what is wrong.
        let flushed = flush(&mut session, &mut self.outgoing(REPLY));
        outcome.map_err(|error| io::Error::other(tls::explain(&error)))?;
        flushed.map(|()| taken)
    }
}

/// The session is as usable after a panic as before it.
fn lock(session: &Mutex<ClientConnection>) -> MutexGuard<'_, ClientConnection> {
    session.lock().unwrap_or_else(PoisonError::into_inner)
}

/// Sends what the session has encrypted.
fn flush(session: &mut ClientConnection, socket: &mut Outgoing<'_>) -> io::Result<()> {
    while session.wants_write() {
        match session.write_tls(socket) {
            Ok(0) => return Err(ErrorKind::WriteZero.into()),
            Err(error) if error.kind() != ErrorKind::Interrupted => return Err(error),
            _ => {}
        }
    }
    Ok(())
}

/// Writes up to a point in time, however slowly the server reads.
struct Outgoing<'a> {
    socket: &'a TcpStream,
    deadline: Instant,
}

impl Write for Outgoing<'_> {
    fn write(&mut self, bytes: &[u8]) -> io::Result<usize> {
        let slow = || io::Error::new(ErrorKind::TimedOut, "it does not read what is sent");
        self.socket.set_write_timeout(Some(left(self.deadline).ok_or_else(slow)?))?;
        self.socket.write(bytes).map_err(|error| if is_timeout(&error) { slow() } else { error })
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

/// Receives up to a point in time, however slowly the bytes come.
struct Incoming {
    stream: Arc<Stream>,
    deadline: Instant,
}

impl Read for Incoming {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        loop {
            self.stream.socket.set_read_timeout(Some(left(self.deadline).ok_or(ErrorKind::TimedOut)?))?;
            match (&self.stream.socket).read(buffer) {
                // By a signal.
                Err(error) if error.kind() == ErrorKind::Interrupted => {}
                done => return done,
            }
        }
    }
}

/// The time until then. A timeout of zero would be none.
fn left(deadline: Instant) -> Option<Duration> {
    Some(deadline.saturating_duration_since(Instant::now())).filter(|left| !left.is_zero())
}

/// Whether a socket's time has passed: systems have two names for that.
pub fn is_timeout(error: &io::Error) -> bool {
    matches!(error.kind(), ErrorKind::WouldBlock | ErrorKind::TimedOut)
}

/// The reading half.
pub struct Reader {
    stream: Arc<Stream>,
    incoming: BufReader<Incoming>,
}

impl Reader {
    /// The reader of a stream, after the handshake if it has TLS, which may take so long.
    ///
    /// # Errors
    /// If the handshake fails: what the user may do about it.
    pub fn new(stream: Stream, limit: Duration) -> io::Result<Self> {
        let stream = Arc::new(stream);
        let incoming = Incoming { stream: Arc::clone(&stream), deadline: Instant::now() + limit };
        let mut reader = Self { stream, incoming: BufReader::new(incoming) };
        if let Err(error) = reader.handshake() {
            reader.stream.close();
            return Err(error);
        }
        Ok(reader)
    }

    /// The stream that it reads.
    pub fn stream(&self) -> &Arc<Stream> {
        &self.stream
    }

    /// Reads up to this point in time.
    pub fn until(&mut self, deadline: Instant) {
        self.incoming.get_mut().deadline = deadline;
    }

    fn handshake(&mut self) -> io::Result<()> {
        let stream = Arc::clone(&self.stream);
        let Some(session) = &stream.session else { return Ok(()) };
        flush(&mut lock(session), &mut stream.outgoing(REPLY)).map_err(failed)?;
        while lock(session).is_handshaking() {
            if self.receive(session).map_err(failed)? == 0 {
                return Err(failed(ErrorKind::UnexpectedEof.into()));
            }
        }
        Ok(())
    }

    /// Waits for bytes, and decrypts them: how many, or 0 at the end.
    fn receive(&mut self, session: &Mutex<ClientConnection>) -> io::Result<usize> {
        let bytes = self.incoming.fill_buf()?;
        if bytes.is_empty() {
            return Ok(0);
        }
        let taken = self.stream.decrypt(session, bytes)?;
        self.incoming.consume(taken);
        Ok(taken)
    }
}

impl Read for Reader {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        let stream = Arc::clone(&self.stream);
        let Some(session) = &stream.session else { return self.incoming.read(buffer) };
        loop {
            let decrypted = lock(session).reader().read(buffer);
            match decrypted {
                Err(error) if error.kind() == ErrorKind::WouldBlock => {}
                decrypted => return decrypted,
            }
            // Lines have an end of their own, so that one who cuts the connection gains nothing if the server need not say
            // that it closes it.
            if self.receive(session)? == 0 {
                return Ok(0);
            }
        }
    }
}

/// Why the handshake failed. A port without TLS waits for a line, or closes the connection at bytes that are no text.
fn failed(error: io::Error) -> io::Error {
    let what = match error.kind() {
        ErrorKind::WouldBlock | ErrorKind::TimedOut => "it takes too long for the TLS handshake",
        ErrorKind::UnexpectedEof
        | ErrorKind::ConnectionReset
        | ErrorKind::ConnectionAborted
        | ErrorKind::BrokenPipe => "it closed the connection in the TLS handshake",
        _ => return error,
    };
    io::Error::other(format!("{what}; {}", tls::IF_PLAIN))
}

#[cfg(test)]
mod tests {
    use std::{net::TcpListener, sync::mpsc::channel, thread};

    use rustls::{ServerConfig, ServerConnection, StreamOwned, crypto::aws_lc_rs, pki_types::PrivateKeyDer};

    use super::*;
    use crate::stratum::Trust;

    const LONG: Duration = Duration::from_secs(60);

    type Server = StreamOwned<ServerConnection, TcpStream>;

    fn pair() -> (TcpStream, TcpStream) {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let client = TcpStream::connect(listener.local_addr().unwrap()).unwrap();
        let (server, _) = listener.accept().unwrap();
        server.set_read_timeout(Some(LONG)).unwrap();
        (client, server)
    }

    /// A server and a client that trusts it.
    fn configs() -> (ServerConfig, ClientConnection) {
        let identity = rcgen::generate_simple_self_signed(["localhost".to_owned()]).unwrap();
        let file = tempfile::NamedTempFile::new().unwrap();
        std::fs::write(file.path(), identity.cert.pem()).unwrap();
        let client = Trust::load(Some(file.path())).unwrap().session("localhost").unwrap();
        let key = PrivateKeyDer::try_from(identity.key_pair.serialize_der()).unwrap();
        let server = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let server = server.with_safe_default_protocol_versions().unwrap().with_no_client_auth();
        (server.with_single_cert(vec![identity.cert.der().clone()], key).unwrap(), client)
    }

    /// A connection with TLS after the handshake; what the server then does is done on a thread.
    fn connect(serve: impl FnOnce(Server) + Send + 'static) -> (Reader, thread::JoinHandle<()>) {
        let (client, socket) = pair();
        let (config, session) = configs();
        let server = thread::spawn(move || {
            let mut session = ServerConnection::new(Arc::new(config)).unwrap();
            let mut socket = socket;
            while session.is_handshaking() {
                session.complete_io(&mut socket).unwrap();
            }
            serve(StreamOwned::new(session, socket));
        });
        let mut reader = Reader::new(Stream::new(client, Some(session)).unwrap(), LONG).unwrap();
        reader.until(Instant::now() + LONG);
        (reader, server)
    }

    #[test]
    fn both_halves_work_at_once_and_with_new_keys() {
        const LINES: usize = 2_000;
        let (reader, server) = connect(|mut stream| {
            let mut lines = BufReader::new(&mut stream);
            for number in 0..LINES {
                let mut line = String::new();
                lines.read_line(&mut line).unwrap();
                let stream = lines.get_mut();
                if number % 100 == 0 {
                    stream.conn.refresh_traffic_keys().unwrap();
                }
                stream.write_all(line.as_bytes()).unwrap();
            }
        });
        let writer = Arc::clone(reader.stream());
        let writing = thread::spawn(move || {
            for number in 0..LINES {
                writer.send(format!("{number} {}\n", "x".repeat(1_000)).as_bytes()).unwrap();
            }
        });
        let mut lines = BufReader::new(reader);
        for number in 0..LINES {
            let mut line = String::new();
            lines.read_line(&mut line).unwrap();
            assert!(line.starts_with(&format!("{number} x")) && line.len() > 1_000, "{line}");
        }
        writing.join().unwrap();
        server.join().unwrap();
    }

    #[test]
    fn a_line_longer_than_all_buffers_arrives() {
        let long = vec![b'x'; 1 << 20];
        let (mut reader, server) = connect(|mut stream| {
            let mut line = vec![0; 1 << 20];
            stream.read_exact(&mut line).unwrap();
            stream.write_all(&line).unwrap();
        });
        reader.stream().send(&long).unwrap();
        let mut back = vec![0; 1 << 20];
        reader.read_exact(&mut back).unwrap();
        assert!(back == long);
        server.join().unwrap();
    }

    #[test]
    fn the_end_is_told_and_wakes_the_reader() {
        let (mut reader, server) = connect(|mut stream| {
            // An end that is not told would be an error.
            assert_eq!(stream.read(&mut [0; 10]).unwrap(), 0);
        });
        let stream = Arc::clone(reader.stream());
        let (sender, read) = channel();
        let reading = thread::spawn(move || sender.send(reader.read(&mut [0; 10]).is_ok_and(|read| read > 0)));
        stream.close();
        assert!(!read.recv_timeout(LONG / 2).unwrap());
        reading.join().unwrap().unwrap();
        server.join().unwrap();
    }

    #[test]
    fn a_server_may_close_with_and_without_a_word() {
        for told in [true, false] {
            let (mut reader, server) = connect(move |mut stream| {
                stream.write_all(b"last").unwrap();
                if told {
                    stream.conn.send_close_notify();
                }
                stream.flush().unwrap();
            });
            let mut text = String::new();
            reader.read_to_string(&mut text).unwrap();
            assert_eq!(text, "last");
            server.join().unwrap();
        }
    }

    #[test]
    fn a_handshake_that_is_silent_or_slow_is_cut() {
        for slow in [false, true] {
            let (client, mut socket) = pair();
            let (_, session) = configs();
            let server = thread::spawn(move || {
                // A record of 4,096 bytes, as slow as its client can bear.
                for byte in [22, 3, 3, 16, 0, 2, 0, 15, 252].into_iter().chain(std::iter::repeat(0)) {
                    let gone = slow && socket.write_all(&[byte]).is_err();
                    thread::sleep(Duration::from_millis(20));
                    if gone || !slow {
                        break;
                    }
                }
                // It goes, after its hello.
                let _ = std::io::copy(&mut socket, &mut std::io::sink());
            });
            let stream = Stream::new(client, Some(session)).unwrap();
            let error = Reader::new(stream, Duration::from_millis(500)).err().unwrap().to_string();
            assert_eq!(error, "it takes too long for the TLS handshake; if this port has no TLS, write stratum+tcp://");
            server.join().unwrap();
        }
    }

    #[test]
    fn a_server_that_does_not_read_makes_the_writer_give_up() {
        let (client, _server) = pair();
        let stream = Stream::new(client, None).unwrap();
        let mut outgoing = Outgoing { socket: &stream.socket, deadline: Instant::now() + Duration::from_millis(300) };
        let error = outgoing.write_all(&vec![0; 64 << 20]).unwrap_err();
        assert_eq!(error.to_string(), "it does not read what is sent");
    }
}
