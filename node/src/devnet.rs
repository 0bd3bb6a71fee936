//! What a node of a devnet and the devnet that started it say to each other: a socket in the devnet's folder, which none but its user
//! can open.
//!
//! The node writes a line: an order, or an empty line to ask how the devnet is. The devnet answers with JSON, `{"result": …}` or
//! `{"error": "…"}`, and closes. Orders take long, so an answer says only that one was accepted.

use serde_json::{Value, json};
use std::{
    io::{self, BufRead, BufReader, Read, Write},
    os::unix::net::{UnixListener, UnixStream},
    path::Path,
    thread,
    time::{Duration, Instant},
};

/// How long a connection may take, however slowly the bytes come: the devnet answers one after the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// How long it waits after a connection that could not be accepted: one that ends makes room.
const PAUSE: Duration = Duration::from_millis(100);
/// Most bytes of a line, and of an answer about a hundred nodes. An order comes from the RPC, and could be as long as a request.
pub const MOST_LINE: usize = 1_000;
const MOST_ANSWER: u64 = 200_000;

/// Asks the devnet; its result, or its words on what is wrong.
///
/// # Errors
/// If the devnet cannot be reached or its answer cannot be read.
pub fn ask(socket: &Path, line: &str) -> io::Result<Result<Value, String>> {
    let mut stream = Until::new(UnixStream::connect(socket)?, PATIENCE);
    stream.write_all(format!("{line}\n").as_bytes())?;
    let mut text = String::new();
    stream.take(MOST_ANSWER).read_to_string(&mut text)?;
    let mut answer: Value = serde_json::from_str(&text)?;
    Ok(match answer["error"].as_str() {
        Some(message) => Err(message.to_owned()),
        None => Ok(answer["result"].take()),
    })
}

/// Answers the nodes, in a thread of its own that lasts as long as the process.
///
/// # Errors
/// If the socket cannot be made.
pub fn serve(socket: &Path, answer: impl Fn(&str) -> Result<Value, String> + Send + 'static) -> io::Result<()> {
    // A devnet that was killed may have left one.
    match std::fs::remove_file(socket) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        _ => {}
    }
    let listener = UnixListener::bind(socket)?;
    thread::spawn(move || answer_all(listener.incoming(), &answer, PATIENCE));
    Ok(())
}

/// Answers one connection after the other. One that fails is the node's to notice: it tells its caller that it had no answer.
fn answer_all(
    streams: impl Iterator<Item = io::Result<UnixStream>>,
    answer: &impl Fn(&str) -> Result<Value, String>,
    patience: Duration,
) {
    for stream in streams {
        match stream {
            Ok(stream) => _ = reply(Until::new(stream, patience), answer),
            // Out of file descriptors, most likely.
            Err(_) => thread::sleep(PAUSE),
        }
    }
}

fn reply(mut stream: Until, answer: &impl Fn(&str) -> Result<Value, String>) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&mut stream).take(MOST_LINE as u64 + 1).read_line(&mut line)?;
    let text = match answer(line.trim()) {
        Ok(result) => json!({ "result": result }),
        Err(message) => json!({ "error": message }),
    };
    stream.write_all(text.to_string().as_bytes())
}

/// Reads and writes up to a point in time.
struct Until {
    stream: UnixStream,
    deadline: Instant,
}

impl Until {
    fn new(stream: UnixStream, patience: Duration) -> Self {
        Self { stream, deadline: Instant::now() + patience }
    }

    fn left(&self) -> io::Result<Option<Duration>> {
        let left = self.deadline.saturating_duration_since(Instant::now());
        if left.is_zero() { Err(io::ErrorKind::TimedOut.into()) } else { Ok(Some(left)) }
    }
}

impl Read for Until {
    fn read(&mut self, buffer: &mut [u8]) -> io::Result<usize> {
        self.stream.set_read_timeout(self.left()?)?;
        self.stream.read(buffer)
    }
}

impl Write for Until {
    fn write(&mut self, buffer: &[u8]) -> io::Result<usize> {
        self.stream.set_write_timeout(self.left()?)?;
        self.stream.write(buffer)
    }

    fn flush(&mut self) -> io::Result<()> {
        self.stream.flush()
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::cell::Cell;

    #[test]
    fn an_order_is_answered_and_a_left_socket_is_no_obstacle() {
        let folder = tempfile::tempdir().unwrap();
        let socket = folder.path().join("socket");
        assert!(ask(&socket, "heal").is_err(), "nobody listens");
        for round in 0..2 {
            serve(&socket, move |line| match line {
                "" => Ok(json!({ "round": round })),
                line => Err(format!("unknown {line}")),
            })
            .unwrap();
            assert_eq!(ask(&socket, "").unwrap(), Ok(json!({ "round": round })));
            assert_eq!(ask(&socket, "heal").unwrap(), Err("unknown heal".to_owned()));
        }
    }

    #[test]
    fn a_client_that_drips_bytes_in_or_takes_none_keeps_nobody_waiting_for_long() {
        let patience = Duration::from_millis(300);
        let (served, mut client) = UnixStream::pair().unwrap();
        let dripping = thread::spawn(move || {
            while client.write_all(b"x").is_ok() {
                thread::sleep(Duration::from_millis(20));
            }
        });
        // The second reads none of an answer that is larger than a socket holds.
        let (deaf, mut other) = UnixStream::pair().unwrap();
        other.write_all(b"\n").unwrap();
        let start = Instant::now();
        answer_all([Ok(served), Ok(deaf)].into_iter(), &|_| Ok("x".repeat(4 << 20).into()), patience);
        let took = start.elapsed();
        assert!((2 * patience..Duration::from_secs(3)).contains(&took), "{took:?}");
        dripping.join().unwrap();
    }

    #[test]
    fn connections_that_cannot_be_accepted_are_waited_for() {
        let failures = 3;
        let streams = (0..failures).map(|_| Err(io::Error::from_raw_os_error(libc::EMFILE)));
        let (answered, start) = (Cell::new(false), Instant::now());
        let (served, mut client) = UnixStream::pair().unwrap();
        client.write_all(b"heal\n").unwrap();
        let answer = |_: &str| {
            answered.set(true);
            Ok(Value::Null)
        };
        answer_all(streams.chain([Ok(served)]), &answer, PATIENCE);
        assert!(answered.get() && start.elapsed() >= failures * PAUSE);
    }
}
