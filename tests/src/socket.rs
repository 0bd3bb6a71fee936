// A WebSocket client that knows nothing of the server's crates. The node's own tests include this file, too.

use serde_json::{Value, json};
use std::{
    collections::VecDeque,
    io::{self, BufReader, Read, Write},
    net::{SocketAddr, TcpStream},
    time::Duration,
};

const WORKS: &str = "the connection works";

/// One session.
pub struct Socket {
    stream: BufReader<TcpStream>,
    /// Notifications that came before a response.
    waiting: VecDeque<Value>,
    next_id: u64,
}

impl Socket {
    /// Connects.
    ///
    /// # Panics
    /// If the node does not listen; so for all methods.
    pub fn open(address: SocketAddr) -> Self {
        let mut stream = TcpStream::connect(address).expect(WORKS);
        stream.set_read_timeout(Some(Duration::from_secs(20))).expect(WORKS);
        let handshake = "GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                         sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
        stream.write_all(handshake.as_bytes()).expect(WORKS);
        let (mut stream, mut head) = (BufReader::new(stream), Vec::new());
        while !head.ends_with(b"\r\n\r\n") {
            let mut byte = [0];
            stream.read_exact(&mut byte).expect(WORKS);
            head.push(byte[0]);
        }
        assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
        Self { stream, waiting: VecDeque::new(), next_id: 0 }
    }

    /// Sends a text, masked with zeros.
    pub fn send(&mut self, text: &str) {
        let length = text.len();
        let mut frame = match u16::try_from(length) {
            Ok(short @ 0..126) => vec![0x81, 0x80 | short as u8],
            Ok(medium) => [&[0x81, 0x80 | 126][..], &medium.to_be_bytes()].concat(),
            Err(_) => [&[0x81, 0x80 | 127][..], &(length as u64).to_be_bytes()].concat(),
        };
        frame.extend_from_slice(&[0; 4]);
        frame.extend_from_slice(text.as_bytes());
        self.stream.get_mut().write_all(&frame).expect(WORKS);
    }

    fn frame(&mut self) -> io::Result<(u8, Vec<u8>)> {
        let mut head = [0; 2];
        self.stream.read_exact(&mut head)?;
        let length = match head[1] {
            126 => {
                let mut length = [0; 2];
                self.stream.read_exact(&mut length)?;
                u64::from(u16::from_be_bytes(length))
            }
            127 => {
                let mut length = [0; 8];
                self.stream.read_exact(&mut length)?;
                u64::from_be_bytes(length)
            }
            short => short.into(),
        };
        let mut content = vec![0; usize::try_from(length).expect(WORKS)];
        self.stream.read_exact(&mut content)?;
        Ok((head[0] & 0x0f, content))
    }

    /// The next message; `None` once the connection is closed.
    pub fn receive(&mut self) -> Option<Value> {
        loop {
            match self.frame() {
                Ok((1, text)) => return Some(serde_json::from_slice(&text).expect(WORKS)),
                Ok((8, _)) => return None,
                Ok((9, _)) => self.stream.get_mut().write_all(&[0x8a, 0x80, 0, 0, 0, 0]).expect(WORKS),
                Ok(_) => {}
                Err(error) if error.kind() == io::ErrorKind::WouldBlock => panic!("nothing came for 20 s"),
                Err(_) => return None,
            }
        }
    }

    /// Sends a request; its whole response.
    pub fn ask(&mut self, method: &str, params: Value) -> Value {
        self.next_id += 1;
        let id = self.next_id;
        self.send(&json!({ "jsonrpc": "2.0", "id": id, "method": method, "params": params }).to_string());
        loop {
            let message = self.receive().expect("the connection is open");
            if message["id"] == id {
                return message;
            }
            self.waiting.push_back(message);
        }
    }

    /// Calls a method that must succeed.
    pub fn call(&mut self, method: &str, params: Value) -> Value {
        let mut answer = self.ask(method, params);
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    /// The next notification of a subscription: its result.
    pub fn notified(&mut self, subscription: &Value) -> Value {
        let mut message = self.waiting.pop_front().or_else(|| self.receive()).expect("the connection is open");
        assert_eq!(&message["params"]["subscription"], subscription, "{message}");
        message["params"]["result"].take()
    }

    /// Whether nothing is on its way: a request is answered, and no notification came before.
    pub fn is_quiet(&mut self) -> bool {
        self.call("web3_clientVersion", json!([]));
        self.waiting.is_empty()
    }
}
