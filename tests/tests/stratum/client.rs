//! A miner written from the description of stratum v1 alone: it shares no code with the node, not even a hash function.

use serde_json::{Value, json};
use sha2::{Digest, Sha256};
use std::{
    io::{BufRead, BufReader, Write},
    net::TcpStream,
    time::Duration,
};

/// A difficulty whose shares take some thousand hashes.
const EASY: f64 = 1e-6;

/// What `mining.notify` says.
#[derive(Clone, Debug)]
pub struct Job {
    pub id: String,
    previous: Vec<u8>,
    first: Vec<u8>,
    second: Vec<u8>,
    branch: Vec<Vec<u8>>,
    version: u32,
    bits: u32,
    pub time: u32,
    pub clean: bool,
}

/// What the miner found.
pub struct Found {
    pub extranonce2: String,
    pub nonce: String,
    pub version_bits: String,
    pub is_block: bool,
}

/// A connection to a pool.
pub struct Miner {
    reader: BufReader<TcpStream>,
    writer: TcpStream,
    extranonce1: Vec<u8>,
    extranonce2_size: usize,
    pub difficulty: f64,
    pub job: Option<Job>,
    /// Texts that the pool showed.
    pub shown: Vec<String>,
    /// Methods of all that came, answers as `answer`.
    pub heard: Vec<String>,
    mask: u32,
    counter: u32,
}

fn bytes(value: &Value) -> Vec<u8> {
    hex::decode(value.as_str().expect("a text")).expect("hex digits")
}

fn number(value: &Value) -> u32 {
    let text = value.as_str().expect("a text");
    assert_eq!(text.len(), 8, "{text}");
    u32::from_str_radix(text, 16).expect("hex digits")
}

fn sha256d(bytes: &[u8]) -> Vec<u8> {
    Sha256::digest(Sha256::digest(bytes)).to_vec()
}

impl Job {
    fn read(params: &Value) -> Self {
        Self {
            id: params[0].as_str().expect("a job has a name").to_owned(),
            previous: bytes(&params[1]),
            first: bytes(&params[2]),
            second: bytes(&params[3]),
            branch: params[4].as_array().expect("a branch is a list").iter().map(bytes).collect(),
            version: number(&params[5]),
            bits: number(&params[6]),
            time: number(&params[7]),
            clean: params[8].as_bool().expect("clean is true or false"),
        }
    }

    /// What the script of the coinbase says of the height, read at the places where the firmware of a Bitaxe reads it.
    pub fn height(&self) -> u32 {
        let (script, push) = (usize::from(self.first[41]), usize::from(self.first[42]));
        assert!(script < 101 && push < 5, "{script} {push}");
        self.first[43..43 + push].iter().rev().fold(0, |height, byte| height << 8 | u32::from(*byte))
    }

    fn header(&self, extranonce: &[u8], version: u32, nonce: u32) -> Vec<u8> {
        let coinbase = [self.first.as_slice(), extranonce, &self.second].concat();
        let root = self.branch.iter().fold(sha256d(&coinbase), |root, node| sha256d(&[root.as_slice(), node].concat()));
        // The hash of the parent comes as eight words, each with its bytes reversed.
        let parent: Vec<u8> = self.previous.chunks(4).flat_map(|word| word.iter().rev().copied()).collect();
        let numbers = [self.time, self.bits, nonce].map(u32::to_le_bytes).concat();
        [version.to_le_bytes().as_slice(), &parent, &root, &numbers].concat()
    }

    /// The target of the block, most significant byte first.
    fn target(&self) -> Vec<u8> {
        let (size, mantissa) = ((self.bits >> 24) as usize, (self.bits & 0x00ff_ffff).to_be_bytes());
        let mut target = vec![0; 32];
        for (index, byte) in mantissa[1..].iter().enumerate() {
            target[32 - size + index] = *byte;
        }
        target
    }
}

/// The difficulty of a hash, most significant byte first.
fn difficulty(hash: &[u8]) -> f64 {
    let value = hash.iter().fold(0.0, |value, byte| value * 256.0 + f64::from(*byte));
    65_535.0 * 2_f64.powi(208) / value
}

impl Miner {
    /// Connects; nothing is said yet.
    pub fn connect(port: u16) -> Self {
        let writer = TcpStream::connect(("127.0.0.1", port)).expect("the pool listens");
        writer.set_read_timeout(Some(Duration::from_secs(90))).expect("a timeout can be set");
        Self {
            reader: BufReader::new(writer.try_clone().expect("a socket can be shared")),
            writer,
            extranonce1: Vec::new(),
            extranonce2_size: 0,
            difficulty: 0.0,
            job: None,
            shown: Vec::new(),
            heard: Vec::new(),
            mask: 0,
            counter: 0,
        }
    }

    /// Sends bytes as they are.
    pub fn send(&mut self, bytes: &[u8]) {
        // A pool that has had enough may have closed the socket.
        self.writer.write_all(bytes).ok();
    }

    /// The next line, if the pool has not closed the connection.
    pub fn line(&mut self) -> Option<Value> {
        let mut line = String::new();
        match self.reader.read_line(&mut line) {
            Ok(0) | Err(_) => None,
            Ok(_) => Some(serde_json::from_str(&line).expect("a line is JSON")),
        }
    }

    /// Hears one line; returns it if it is an answer.
    pub fn hear(&mut self) -> Option<Value> {
        let line = self.line().expect("the pool keeps the connection");
        let Some(method) = line["method"].as_str() else {
            self.heard.push("answer".to_owned());
            return Some(line);
        };
        self.heard.push(method.to_owned());
        let params = &line["params"];
        match method {
            "mining.set_difficulty" => self.difficulty = params[0].as_f64().expect("a difficulty is a number"),
            "mining.notify" => self.job = Some(Job::read(params)),
            "client.show_message" => self.shown.push(params[0].as_str().expect("a text").to_owned()),
            other => panic!("the pool says {other}"),
        }
        None
    }

    /// Asks; returns result and error. Each request has the same number, as those of minerd have.
    pub fn ask(&mut self, method: &str, params: &Value) -> (Value, Value) {
        self.send(format!("{}\n", json!({"id": 4, "method": method, "params": params})).as_bytes());
        loop {
            if let Some(mut answer) = self.hear() {
                assert_eq!(answer["id"], 4);
                return (answer["result"].take(), answer["error"].take());
            }
        }
    }

    /// Begins in the order of a Bitaxe.
    pub fn begin(&mut self, user: &str) {
        self.begin_at(user, EASY);
    }

    /// The same, with shares of this difficulty.
    pub fn begin_at(&mut self, user: &str, difficulty: f64) {
        let rolling = json!([["version-rolling"], {"version-rolling.mask": "ffffffff"}]);
        let (rolls, _) = self.ask("mining.configure", &rolling);
        assert_eq!(rolls["version-rolling"], true);
        self.mask = number(&rolls["version-rolling.mask"]);
        let (subscribed, _) = self.ask("mining.subscribe", &json!(["test/1.0"]));
        self.extranonce1 = bytes(&subscribed[1]);
        self.extranonce2_size = usize::try_from(subscribed[2].as_u64().expect("a size")).expect("it is small");
        assert_eq!(self.ask("mining.authorize", &json!([user, "x"])), (json!(true), Value::Null));
        while self.job.is_none() {
            assert!(self.hear().is_none());
        }
        self.ask("mining.suggest_difficulty", &json!([difficulty]));
        while self.difficulty > difficulty {
            assert!(self.hear().is_none());
        }
    }

    /// Searches the job until a share is found, that of a block if that is asked for.
    pub fn search(&mut self, block: bool) -> Found {
        let job = self.job.clone().expect("the pool gave a job");
        let target = job.target();
        loop {
            self.counter += 1;
            let extranonce2 = [self.counter.to_be_bytes().to_vec(), vec![0; self.extranonce2_size]].concat();
            let extranonce2 = &extranonce2[..self.extranonce2_size];
            let extranonce = [self.extranonce1.as_slice(), extranonce2].concat();
            // Bit 13 is the lowest that these machines roll.
            let bits = self.counter << 13 & self.mask;
            for nonce in 0..1_u32 << 12 {
                let mut hash = sha256d(&job.header(&extranonce, job.version | bits, nonce));
                hash.reverse();
                let is_block = hash <= target;
                if is_block || !block && difficulty(&hash) >= self.difficulty {
                    return Found {
                        extranonce2: hex::encode(extranonce2),
                        nonce: format!("{nonce:08x}"),
                        version_bits: format!("{bits:08x}"),
                        is_block,
                    };
                }
            }
        }
    }

    /// Hands in what was found for the current job; the error, if it is refused.
    pub fn submit(&mut self, user: &str, found: &Found) -> Value {
        let job = self.job.clone().expect("the pool gave a job");
        let time = format!("{:08x}", job.time);
        let (result, error) =
            self.ask("mining.submit", &json!([user, job.id, found.extranonce2, time, found.nonce, found.version_bits]));
        assert_eq!(result == true, error.is_null());
        error
    }
}
