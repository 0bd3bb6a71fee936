//! A node that answers from memory, and a wallet in a folder of its own.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it")]

mod answers;

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use cairn_wallet::{file::WalletLock, network::Network, vault::Cost};
use chain_core::{
    hash::TxId,
    spec::ChainSpec,
    transaction::{Transaction, coin::OutPoint},
};
use serde_json::{Value, json};

use self::answers::answer;

pub const PASSWORD: &str = "correct horse";

/// The words of the first wallet in most tests.
pub const WORDS: &str = "test test test test test test test test test test test junk";

/// The first account of [`WORDS`].
pub const ACCOUNT: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

/// The keystore of an account that no mnemonic here makes, under [`PASSWORD`], made by a program of another kind.
pub const KEYSTORE: &str = r#"{"version": 3, "id": "00000000-0000-4000-8000-000000000000",
  "address": "29cf75ee7a1452b1eeffc2915966a0bfac827427", "crypto": {"cipher": "aes-128-ctr",
  "cipherparams": {"iv": "0ab306823035661bb8dba21cc2535231"},
  "ciphertext": "6d14fda998fd1e9f6a7c2acf1049b3ef77e523e01d038e34a8f57c7ca137c025", "kdf": "scrypt",
  "kdfparams": {"dklen": 32, "n": 4096, "r": 8, "p": 1,
  "salt": "63479ad69a090b258277ec8fba6f99419a2ffb248981510657c944ccd1148e97"},
  "mac": "c30922ce6496e0a78963af3f16db218d37601f66029f433689a4ee3448a032f1"}}"#;

/// A coin that the mock knows.
#[derive(Clone)]
pub struct MockCoin {
    pub outpoint: OutPoint,
    pub address: String,
    pub amount: u64,
    pub height: Option<u32>,
    pub mature: bool,
    pub spent_by: Option<TxId>,
}

/// What the mock node believes.
pub struct State {
    pub network: Network,
    pub height: u32,
    pub syncing: bool,
    pub base_fee: u64,
    pub coins: Vec<MockCoin>,
    pub balance_wei: String,
    pub nonce: u64,
    pub sent: Vec<Transaction>,
    pub refuse: Option<Value>,
    pub mined: bool,
    /// Whom the node mines for, once it was told.
    pub miner: Option<String>,
    pub mining: bool,
    pub reverted: bool,
    /// Blocks on top of what is mined, the block itself included.
    pub confirmations: u64,
    /// Hash of block 1: another one is another chain.
    pub first_block: [u8; 32],
    /// The node takes a transaction, and its answer never arrives.
    pub lose_answers: bool,
    /// Entries of the history of every account.
    pub account_history: Value,
    /// Balances of accounts that have another than all others.
    pub balances: Vec<(String, String)>,
    /// Answers calls of a method by this error.
    pub forbids: Option<(String, Value)>,
    /// Keeps no index of transactions.
    pub no_index: bool,
    /// Calls every address used.
    pub all_used: bool,
    /// Says this of the nonce after the mempool, whatever waits.
    pub lies_about_nonce: Option<u64>,
    /// Names another sender of transactions, and another contract in receipts.
    pub lies_about_contracts: bool,
    /// Sent instead of any JSON-RPC answer.
    pub raw_answer: Option<(u16, String)>,
    pub calls: Vec<String>,
    /// What was answered to each method last.
    pub answers: std::collections::BTreeMap<String, Value>,
    /// Answers this to calls of a method.
    pub instead: Option<(String, Value)>,
    /// Payments in the history: address, transaction, grains, height.
    pub received: Vec<(String, TxId, u64, u32)>,
    /// HTTP requests so far.
    pub requests: u32,
    /// Calls in one batch that it takes.
    pub max_batch: usize,
}

impl State {
    /// Gives an address a coin that was mined at height 50.
    pub fn pay(&mut self, address: &str, amount: u64) -> OutPoint {
        let index = self.coins.len() as u32;
        let outpoint = OutPoint { txid: TxId([7; 32]), index };
        let coin =
            MockCoin { outpoint, address: address.into(), amount, height: Some(50), mature: true, spent_by: None };
        self.coins.push(coin);
        outpoint
    }
}

/// A node on a port of its own. Its thread ends with the process.
pub struct MockNode {
    pub url: String,
    state: Arc<Mutex<State>>,
}

impl MockNode {
    pub fn start() -> Self {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        let state = Arc::new(Mutex::new(State {
            network: Network::from(&ChainSpec::local()),
            height: 120,
            syncing: false,
            base_fee: 1_000_000_000,
            coins: Vec::new(),
            balance_wei: "0".into(),
            nonce: 0,
            sent: Vec::new(),
            refuse: None,
            mined: true,
            miner: None,
            mining: false,
            reverted: false,
            confirmations: 1,
            first_block: [1; 32],
            lose_answers: false,
            account_history: json!([]),
            balances: Vec::new(),
            forbids: None,
            no_index: false,
            all_used: false,
            lies_about_nonce: None,
            lies_about_contracts: false,
            raw_answer: None,
            calls: Vec::new(),
            answers: std::collections::BTreeMap::new(),
            instead: None,
            received: Vec::new(),
            requests: 0,
            max_batch: 100,
        }));
        let shared = state.clone();
        thread::spawn(move || {
            for stream in listener.incoming().flatten() {
                let shared = shared.clone();
                thread::spawn(move || serve(stream, &shared));
            }
        });
        Self { url, state }
    }

    pub fn state(&self) -> MutexGuard<'_, State> {
        self.state.lock().unwrap()
    }

    /// As [`State::pay`]; an argument that asks the node does not wait for it.
    pub fn pay(&self, address: &str, amount: u64) -> OutPoint {
        self.state().pay(address, amount)
    }
}

fn serve(mut stream: TcpStream, state: &Mutex<State>) -> Option<()> {
    let mut reader = BufReader::new(stream.try_clone().ok()?);
    loop {
        let mut length = 0;
        loop {
            let mut line = String::new();
            if reader.read_line(&mut line).ok()? == 0 {
                return None;
            }
            if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
                length = value.trim().parse().ok()?;
            }
            if line == "\r\n" {
                break;
            }
        }
        let mut body = vec![0; length];
        reader.read_exact(&mut body).ok()?;
        let request: Value = serde_json::from_slice(&body).ok()?;
        let mut state = state.lock().unwrap();
        let loses = state.lose_answers && request["method"] == "coin_sendRawTransaction";
        state.requests += 1;
        let (status, text) = state.raw_answer.clone().unwrap_or_else(|| {
            let answer = match &request {
                Value::Array(calls) if calls.len() > state.max_batch => json!({
                    "jsonrpc": "2.0", "id": null,
                    "error": { "code": -32010, "message": "The batch request was too large" },
                }),
                Value::Array(calls) => Value::Array(calls.iter().map(|call| answer(&mut state, call)).collect()),
                call => answer(&mut state, call),
            };
            (200, answer.to_string())
        });
        if loses {
            return None;
        }
        let head =
            format!("HTTP/1.1 {status} X\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n", text.len());
        stream.write_all(format!("{head}{text}").as_bytes()).ok()?;
    }
}

/// A folder with a wallet in it.
pub struct Home {
    folder: tempfile::TempDir,
    pub rpc: String,
}

/// What a command answered.
pub struct Answer {
    pub code: i32,
    pub out: String,
    pub err: String,
}

impl Answer {
    /// The JSON on standard output of a command that succeeded.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "{}", self.err);
        serde_json::from_str(&self.out).unwrap_or_else(|error| panic!("{error} in {}", self.out))
    }

    /// Asserts the exit code, and that the error says this.
    #[track_caller]
    pub fn fails(&self, code: i32, says: &str) {
        assert_eq!(self.code, code, "{}{}", self.out, self.err);
        assert!(self.err.contains(says), "expected '{says}' in: {}", self.err);
        assert_eq!(self.out, "");
    }
}

/// A wallet with two coins of 5 CRN and 9 CRN in each account, on a node that mines nothing, and a friend's address.
pub fn rich() -> (MockNode, Home, String) {
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let friend = Home::numbered(&node, 2).address();
    for _ in 0..2 {
        node.pay(&home.address(), 500_000_000);
    }
    node.state().balance_wei = "9000000000000000000".into();
    node.state().mined = false;
    (node, home, friend)
}

impl Home {
    /// Nothing yet; the node is at this URL.
    pub fn empty(rpc: &str) -> Self {
        Self { folder: tempfile::tempdir().unwrap(), rpc: rpc.into() }
    }

    /// The wallet of these words.
    pub fn with(node: &MockNode, words: &str) -> Self {
        let home = Self::empty(&node.url);
        home.restore(words, &["--no-scan"]).json();
        home
    }

    /// The wallet of a number.
    pub fn numbered(node: &MockNode, number: u8) -> Self {
        Self::with(node, &bip39::Mnemonic::from_entropy(&[number; 16]).unwrap().to_string())
    }

    pub fn path(&self, name: &str) -> PathBuf {
        self.folder.path().join(name)
    }

    pub fn file(&self) -> PathBuf {
        self.path(".cairn/wallet/local.json")
    }

    pub fn restore(&self, words: &str, flags: &[&str]) -> Answer {
        let file = self.path("words");
        std::fs::write(&file, words).unwrap();
        let args =
            [&["restore", "--chain", "local", "--json", "--mnemonic-file", file.to_str().unwrap()], flags].concat();
        self.run(&args)
    }

    pub fn command(&self, args: &[&str]) -> Command {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-wallet"));
        // As if it were found in PATH: hints then hold the bare name.
        command.arg0("cairn-wallet");
        command
            .args(args)
            .env_clear()
            .env("HOME", self.folder.path())
            .env("CAIRN_RPC", &self.rpc)
            .env("CAIRN_WALLET_PASSWORD", PASSWORD)
            .current_dir(self.folder.path())
            .stdin(Stdio::null());
        command
    }

    pub fn run(&self, args: &[&str]) -> Answer {
        answered(self.command(args).output().unwrap())
    }

    /// Runs on a terminal where this is typed.
    pub fn typing(&self, args: &[&str], typed: &str) -> Answer {
        let (terminal, mut keyboard) = terminal();
        keyboard.write_all(typed.as_bytes()).unwrap();
        answered(self.command(args).stdin(terminal).output().unwrap())
    }

    /// Runs with `--json --yes`.
    pub fn json(&self, args: &[&str]) -> Value {
        self.run(&[args, &["--json", "--yes"]].concat()).json()
    }

    /// The current coin address.
    pub fn address(&self) -> String {
        self.json(&["address"])["address"].as_str().unwrap().to_owned()
    }
}

pub fn answered(output: Output) -> Answer {
    Answer {
        code: output.status.code().unwrap_or(-1),
        out: String::from_utf8(output.stdout).unwrap(),
        err: String::from_utf8(output.stderr).unwrap(),
    }
}

/// A terminal for a command's standard input, and what types on it.
pub fn terminal() -> (Stdio, std::fs::File) {
    use std::os::fd::{FromRawFd, OwnedFd};
    let (mut keyboard, mut terminal) = (0, 0);
    let null = std::ptr::null_mut();
    // SAFETY: the two numbers are written, the rest is not wanted.
    let opened = unsafe { libc::openpty(&mut keyboard, &mut terminal, null, null.cast(), null.cast()) };
    assert_eq!(opened, 0, "a terminal can be made");
    // SAFETY: both were just opened and belong to nobody else.
    let (keyboard, terminal) = unsafe { (OwnedFd::from_raw_fd(keyboard), OwnedFd::from_raw_fd(terminal)) };
    (terminal.into(), keyboard.into())
}

/// A port where nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}

/// Runs a command once as it is, then once for each change of each answer that it got; `check` is told which, and runs it.
pub fn with_changed_answers(
    node: &MockNode,
    home: &Home,
    command: &[&str],
    changes: impl Fn(&Value) -> Vec<(String, Value)>,
    check: impl Fn(&str),
) {
    node.state().answers.clear();
    home.run(command);
    let answers = node.state().answers.clone();
    for (method, answer) in answers {
        for (place, changed) in changes(&answer) {
            node.state().instead = Some((method.clone(), changed));
            check(&format!("{command:?}: {method}{place}"));
        }
    }
    node.state().instead = None;
}

/// All places of a JSON value, as pointers.
pub fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| places(inner, &format!("{path}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| places(inner, &format!("{path}/{index}"), found));
        }
        _ => {}
    }
}

/// Makes a wallet's password quick to try, for tests that try it often.
pub fn make_quick(home: &Home) {
    let lock = WalletLock::take(&home.file()).unwrap();
    let mut wallet = lock.read().unwrap();
    let (mnemonic, signer) = wallet.open(PASSWORD).unwrap();
    wallet.seal(&mnemonic, &signer, PASSWORD, Cost { memory_kib: 64, passes: 1, lanes: 1 }).unwrap();
    lock.write(&wallet).unwrap();
}

/// The identifier of what was sent.
pub fn txid(sent: &Value) -> &str {
    sent["txid"].as_str().unwrap()
}

/// The node says that it refuses, though it may pass the transaction on.
pub fn refuse(node: &MockNode, reason: &str) {
    node.state().refuse = Some(json!({ "code": -32003, "message": "no", "data": { "reason": reason } }));
}

/// The node restarts without its mempool.
pub fn forget(node: &MockNode) {
    let mut state = node.state();
    state.sent.clear();
    state.coins.retain(|coin| coin.height.is_some());
    state.coins.iter_mut().for_each(|coin| coin.spent_by = None);
}
