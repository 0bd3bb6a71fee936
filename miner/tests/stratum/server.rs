//! A stratum v1 server, written from the protocol's description alone: it shares no code with the client.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    time::Duration,
};

use serde_json::{Value, json};
use sha2::{Digest, Sha256};

/// Which version bits a miner may change.
pub const MASK: u32 = 0x1fff_e000;

pub fn sha256d(bytes: &[u8]) -> [u8; 32] {
    Sha256::digest(Sha256::digest(bytes)).into()
}

/// A listener and its URL.
pub fn listen() -> (TcpListener, String) {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("stratum+tcp://{}", listener.local_addr().unwrap());
    (listener, url)
}

/// A job and what its miner may change.
#[derive(Clone)]
pub struct Job {
    pub id: &'static str,
    /// As in a header.
    pub prev: [u8; 32],
    pub coinbase1: Vec<u8>,
    pub coinbase2: Vec<u8>,
    pub branch: Vec<[u8; 32]>,
    pub version: u32,
    pub bits: u32,
    pub time: u32,
    pub extranonce1: Vec<u8>,
    pub extranonce2_size: usize,
    /// The largest hash of a share, big-endian.
    pub target: [u8; 32],
}

impl Job {
    /// A job at height 300,000 whose share takes some 4,000 hashes, each share a block.
    pub fn easy(id: &'static str) -> Self {
        let script = [3, 0xe0, 0x93, 0x04, b'c'];
        let head = [&[2, 0, 0, 0, 1][..], &[0; 32], &[0xff; 4], &[script.len() as u8 + 8], &script].concat();
        let mut target = [0; 32];
        // 0xffff x 2^208 x 2^20
        (target[1], target[2], target[3]) = (0x0f, 0xff, 0xf0);
        Self {
            id,
            prev: std::array::from_fn(|index| index as u8),
            coinbase1: head,
            coinbase2: [&[0xff; 4][..], &[1], &[0; 8], &[1, 0x51], &[0; 4]].concat(),
            branch: vec![[0xaa; 32], [0xbb; 32]],
            version: 0x2000_0000,
            bits: 0x207f_ffff,
            time: 0x6500_0001,
            extranonce1: vec![0xde, 0xad, 0xbe, 0xef],
            extranonce2_size: 4,
            target,
        }
    }

    fn notify(&self, clean: bool) -> Value {
        let words: Vec<u8> = self.prev.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        let branch: Vec<_> = self.branch.iter().map(hex::encode).collect();
        json!({ "id": null, "method": "mining.notify", "params": [
            self.id, hex::encode(words), hex::encode(&self.coinbase1), hex::encode(&self.coinbase2), branch,
            format!("{:08x}", self.version), format!("{:08x}", self.bits), format!("{:08x}", self.time), clean,
        ]})
    }

    /// Rebuilds the header of a share; why it is no share, if so.
    pub fn check(&self, params: &[Value], mask: u32) -> Result<[u8; 80], String> {
        let texts: Vec<&str> = params.iter().map(|param| param.as_str().unwrap()).collect();
        let &[_, job, two, time, nonce, ref version @ ..] = texts.as_slice() else {
            return Err(format!("{} parameters", texts.len()));
        };
        let bits = match version {
            [] => 0,
            [bits] if bits.len() == 8 => u32::from_str_radix(bits, 16).unwrap(),
            other => return Err(format!("version bits {other:?}")),
        };
        let two = hex::decode(two).unwrap();
        if job != self.id || two.len() != self.extranonce2_size || time.len() != 8 || nonce.len() != 8 {
            return Err(format!("{job} {two:?} {time} {nonce}"));
        }
        let time = u32::from_str_radix(time, 16).unwrap();
        if time < self.time || time > self.time + 7_200 || bits & !mask != 0 {
            return Err(format!("time {time} bits {bits:08x}"));
        }
        let coinbase = [&self.coinbase1[..], &self.extranonce1, &two, &self.coinbase2].concat();
        let mut root = sha256d(&coinbase);
        for sibling in &self.branch {
            root = sha256d(&[root, *sibling].concat());
        }
        let mut header = [0; 80];
        header[..4].copy_from_slice(&((self.version & !mask) | bits).to_le_bytes());
        header[4..36].copy_from_slice(&self.prev);
        header[36..68].copy_from_slice(&root);
        header[68..72].copy_from_slice(&time.to_le_bytes());
        header[72..76].copy_from_slice(&self.bits.to_le_bytes());
        header[76..].copy_from_slice(&u32::from_str_radix(nonce, 16).unwrap().to_le_bytes());
        let mut hash = sha256d(&header);
        hash.reverse();
        if hash <= self.target { Ok(header) } else { Err(format!("hash {}", hex::encode(hash))) }
    }
}

/// A socket, or TLS on one.
pub trait Transport: Read + Write {}

impl<T: Read + Write> Transport for T {}

/// One connection.
pub struct Connection {
    lines: BufReader<Box<dyn Transport>>,
}

/// The next connection.
pub fn accept(listener: &TcpListener) -> TcpStream {
    let (stream, _) = listener.accept().unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(60))).unwrap();
    stream
}

impl Connection {
    pub fn accept(listener: &TcpListener) -> Self {
        Self::new(accept(listener))
    }

    pub fn new(transport: impl Transport + 'static) -> Self {
        Self { lines: BufReader::new(Box::new(transport)) }
    }

    /// Sends bytes; whether the client still reads.
    pub fn write(&mut self, bytes: &[u8]) -> bool {
        self.lines.get_mut().write_all(bytes).is_ok()
    }

    pub fn send(&mut self, value: &Value) {
        assert!(self.write(format!("{value}\n").as_bytes()));
    }

    /// The next request; `None` when the client has gone.
    pub fn receive(&mut self) -> Option<Value> {
        let mut line = String::new();
        let read = self.lines.read_line(&mut line).unwrap_or_default();
        (read > 0).then(|| serde_json::from_str(&line).unwrap())
    }

    pub fn answer(&mut self, request: &Value, result: &Value) {
        self.send(&json!({ "id": request["id"], "result": result, "error": null }));
    }

    pub fn refuse(&mut self, request: &Value, code: i64, text: &str) {
        self.send(&json!({ "id": request["id"], "result": null, "error": [code, text, null] }));
    }

    /// Answers a client until it is authorized; what it asked, without ids.
    pub fn welcome(&mut self, job: &Job) -> Vec<Value> {
        let mut asked = Vec::new();
        loop {
            let request = self.receive().unwrap();
            asked.push(json!([request["method"], request["params"]]));
            match request["method"].as_str().unwrap() {
                "mining.configure" => {
                    let mask = format!("{MASK:08x}");
                    self.answer(&request, &json!({ "version-rolling": true, "version-rolling.mask": mask }));
                }
                "mining.subscribe" => {
                    let one = hex::encode(&job.extranonce1);
                    let subscriptions = json!([["mining.set_difficulty", "1"], ["mining.notify", "1"]]);
                    self.answer(&request, &json!([subscriptions, one, job.extranonce2_size]));
                }
                "mining.authorize" => {
                    self.answer(&request, &json!(true));
                    return asked;
                }
                other => panic!("{other}"),
            }
        }
    }

    pub fn set_difficulty(&mut self, difficulty: f64) {
        self.send(&json!({ "id": null, "method": "mining.set_difficulty", "params": [difficulty] }));
    }

    pub fn notify(&mut self, job: &Job, clean: bool) {
        self.send(&job.notify(clean));
    }

    /// The next share; others are answered by the way.
    pub fn share(&mut self) -> Value {
        loop {
            let request = self.receive().expect("the client stays");
            match request["method"].as_str() {
                Some("mining.submit") => return request,
                Some("mining.extranonce.subscribe") => self.answer(&request, &json!(true)),
                _ => panic!("{request}"),
            }
        }
    }
}
