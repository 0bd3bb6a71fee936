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
    time::Duration,
};

/// How long either side waits for the other.
const PATIENCE: Duration = Duration::from_secs(5);
/// Most bytes of a line, and of an answer about a hundred nodes. An order comes from the RPC, and could be as long as a request.
pub const MOST_LINE: usize = 1_000;
const MOST_ANSWER: u64 = 200_000;

/// Asks the devnet; its result, or its words on what is wrong.
///
/// # Errors
/// If the devnet cannot be reached or its answer cannot be read.
pub fn ask(socket: &Path, line: &str) -> io::Result<Result<Value, String>> {
    let mut stream = connect(UnixStream::connect(socket)?)?;
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
    std::thread::spawn(move || {
        for stream in listener.incoming().filter_map(Result::ok) {
            // The node tells its caller that it had no answer.
            let _ = connect(stream).and_then(|stream| reply(stream, &answer));
        }
    });
    Ok(())
}

fn connect(stream: UnixStream) -> io::Result<UnixStream> {
    stream.set_read_timeout(Some(PATIENCE))?;
    stream.set_write_timeout(Some(PATIENCE))?;
    Ok(stream)
}

fn reply(mut stream: UnixStream, answer: &impl Fn(&str) -> Result<Value, String>) -> io::Result<()> {
    let mut line = String::new();
    BufReader::new(&stream).take(MOST_LINE as u64 + 1).read_line(&mut line)?;
    let text = match answer(line.trim()) {
        Ok(result) => json!({ "result": result }),
        Err(message) => json!({ "error": message }),
    };
    stream.write_all(text.to_string().as_bytes())
}

#[cfg(test)]
mod tests {
    use super::*;

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
}
