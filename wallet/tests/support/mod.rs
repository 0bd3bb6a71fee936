//! A node that answers from memory, and a wallet in a folder of its own.
#![allow(dead_code, clippy::unwrap_used, reason = "each test uses a part of it")]

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    os::unix::process::CommandExt,
    path::{Path, PathBuf},
    process::{Command, Output, Stdio},
    sync::{Arc, Mutex, MutexGuard},
    thread,
};

use cairn_wallet::network::Network;
use chain_core::{
    check::{check_transaction, spend_checks},
    codec,
    coin::{Coin, OutPoint, Output as CoinOutput},
    hash::TxId,
    spec::ChainSpec,
    transaction::Transaction,
    units::Amount,
};
use serde_json::{Value, json};

pub const PASSWORD: &str = "correct horse";

/// The words of the first wallet in most tests.
pub const WORDS: &str = "test test test test test test test test test test test junk";

/// The first account of [`WORDS`].
pub const ACCOUNT: &str = "0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266";

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
    /// Calls every address used.
    pub all_used: bool,
    /// Says this of the nonce after the mempool, whatever waits.
    pub lies_about_nonce: Option<u64>,
    /// Sent instead of any JSON-RPC answer.
    pub raw_answer: Option<(u16, String)>,
    pub calls: Vec<String>,
    /// What was answered to each method last.
    pub answers: std::collections::BTreeMap<String, Value>,
    /// Answers this to calls of a method.
    pub instead: Option<(String, Value)>,
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
            all_used: false,
            lies_about_nonce: None,
            raw_answer: None,
            calls: Vec::new(),
            answers: std::collections::BTreeMap::new(),
            instead: None,
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
        let (status, text) = state.raw_answer.clone().unwrap_or_else(|| {
            let answer = match &request {
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

fn answer(state: &mut State, call: &Value) -> Value {
    let method = call["method"].as_str().unwrap_or_default().to_owned();
    state.calls.push(method.clone());
    let answered = match &state.instead {
        Some((other, answer)) if *other == method => Ok(answer.clone()),
        _ => result(state, &method, &call["params"]),
    };
    if let Ok(result) = &answered {
        state.answers.insert(method, result.clone());
    }
    match answered {
        Ok(result) => json!({ "jsonrpc": "2.0", "id": call["id"], "result": result }),
        Err(error) => json!({ "jsonrpc": "2.0", "id": call["id"], "error": error }),
    }
}

fn result(state: &mut State, method: &str, params: &Value) -> Result<Value, Value> {
    let asked: Vec<String> = match &params[0] {
        Value::Array(list) => list.iter().filter_map(|text| text.as_str().map(str::to_owned)).collect(),
        Value::String(text) => vec![text.clone()],
        _ => Vec::new(),
    };
    let network = &state.network;
    Ok(match method {
        "chain_getInfo" => json!({
            "chain": network.name, "chainId": network.chain_id, "hrp": network.hrp,
            "genesis": network.genesis.to_string(), "height": state.height, "headers": state.height,
            "baseFee": state.base_fee, "syncing": state.syncing, "coinbaseMaturity": 10, "targetInterval": 5,
            "time": 1_760_000_000, "more": "than the wallet knows",
        }),
        "coin_estimateFee" => json!({
            "baseFee": state.base_fee, "nextBaseFeeMax": state.base_fee / 8 * 9,
            "tipPerGas": { "slow": 0, "normal": 1_000_000, "fast": 100_000_000 }, "minReplacementPercent": 10,
        }),
        "coin_getCoins" => {
            let coins = state.coins.iter().filter(|coin| asked.contains(&coin.address)).map(coin_json);
            json!({ "height": state.height, "coins": coins.collect::<Vec<_>>(), "next": null })
        }
        "coin_getBalance" => balance(state, &asked),
        "coin_getHistory" => history(state, &asked),
        "chain_getAccountHistory" => json!({ "entries": state.account_history, "next": null }),
        "chain_getBlockHash" => json!(chain_core::hash::BlockHash(state.first_block).to_string()),
        "coin_sendRawTransaction" => send(state, params)?,
        "coin_getTransaction" => {
            let known = state.sent.iter().any(|sent| asked.contains(&sent.txid().to_string()));
            let mined = state.mined.then_some(state.height + 1);
            match known {
                true => details(state, &asked[0], mined),
                false => Value::Null,
            }
        }
        "miner_setAddress" => {
            state.miner = asked.first().cloned();
            json!(true)
        }
        "miner_start" => {
            state.mining = true;
            json!(true)
        }
        "miner_stop" => {
            state.mining = false;
            json!(true)
        }
        "eth_getBalance" => {
            let own = state.balances.iter().find(|(account, _)| asked.contains(account));
            let wei = own.map_or(&state.balance_wei, |(_, wei)| wei);
            json!(format!("0x{:x}", wei.parse::<u128>().unwrap()))
        }
        "eth_getTransactionCount" => json!(format!("0x{:x}", nonce(state, params[1] == "pending"))),
        "eth_estimateGas" => {
            let input = params[0]["input"].as_str().unwrap_or_default();
            json!(if input.len() > 2 { "0x9000" } else { "0x5208" })
        }
        _ => return Err(json!({ "code": -32601, "message": format!("no method {method}") })),
    })
}

/// The next nonce: of what is mined, or after what waits as well.
fn nonce(state: &State, pending: bool) -> u64 {
    if let (true, Some(nonce)) = (pending, state.lies_about_nonce) {
        return nonce;
    }
    let waits = |nonce: u64| {
        let of = |sent: &Transaction| matches!(sent, Transaction::Account(tx) if tx.fields().nonce == nonce);
        pending && state.sent.iter().any(of)
    };
    (state.nonce..).find(|nonce| !waits(*nonce)).unwrap()
}

/// What the node says of a transaction that it has taken.
fn details(state: &State, txid: &str, mined: Option<u32>) -> Value {
    let mut answer = json!({
        "height": mined, "confirmations": if state.mined { state.confirmations } else { 0 },
        "success": !state.reverted, "fee": null, "gas": 21_000,
    });
    let found = state.sent.iter().find(|sent| sent.txid().to_string() == txid);
    if let Some(Transaction::Coin(tx)) = found {
        let spent = |outpoint: &OutPoint| {
            state.coins.iter().find(|coin| coin.outpoint == *outpoint).map_or(0, |coin| coin.amount)
        };
        let paid: u64 = tx.outputs.iter().map(|output| output.amount.0).sum();
        let outputs = tx
            .outputs
            .iter()
            .map(|output| json!({ "amount": output.amount, "address": state.network.address(&output.lock) }));
        answer["gas"] = json!(tx.gas(tx.size()));
        answer["fee"] = json!(tx.inputs.iter().map(spent).sum::<u64>().saturating_sub(paid));
        answer["outputs"] = outputs.collect();
    }
    answer
}

fn coin_json(coin: &MockCoin) -> Value {
    json!({
        "txid": coin.outpoint.txid.to_string(), "index": coin.outpoint.index, "amount": coin.amount,
        "address": coin.address, "height": coin.height, "coinbase": !coin.mature, "mature": coin.mature,
        "confirmations": 1, "spentBy": coin.spent_by.map(|txid| txid.to_string()),
    })
}

fn balance(state: &State, asked: &[String]) -> Value {
    let sum = |wanted: &dyn Fn(&MockCoin) -> bool| {
        let coins = state.coins.iter().filter(|coin| asked.contains(&coin.address) && wanted(coin));
        coins.map(|coin| coin.amount).sum::<u64>()
    };
    let mined = |coin: &MockCoin| coin.height.is_some();
    json!({
        "confirmed": sum(&|coin| mined(coin) && coin.mature), "immature": sum(&|coin| !coin.mature),
        "pendingIn": sum(&|coin| !mined(coin) && coin.spent_by.is_none()),
        "pendingOut": sum(&|coin| mined(coin) && coin.spent_by.is_some()),
        "spendable": 0, "coins": state.coins.len(),
    })
}

fn history(state: &State, asked: &[String]) -> Value {
    if state.all_used {
        let txid = TxId([3; 32]).to_string();
        let entry = json!({ "txid": txid, "height": 1, "time": 1, "confirmations": 9, "kind": "coin", "received": 1, "sent": 0 });
        return json!({ "entries": [entry], "next": null });
    }
    let coins = state.coins.iter().filter(|coin| asked.contains(&coin.address));
    let entries = coins.map(|coin| {
        json!({
            "txid": coin.outpoint.txid.to_string(), "height": coin.height, "blockHash": null, "time": 1_760_000_000,
            "confirmations": 9, "kind": "coinbase", "received": coin.amount, "sent": 0,
        })
    });
    json!({ "entries": entries.collect::<Vec<_>>(), "next": null })
}

/// Takes a transaction as a node would: well-formed, coins known, signatures good. Its outputs become coins.
fn send(state: &mut State, params: &Value) -> Result<Value, Value> {
    if let Some(error) = &state.refuse {
        return Err(error.clone());
    }
    let refused = |message: String| json!({ "code": -32003, "message": message, "data": { "reason": "invalid" } });
    let bytes = hex::decode(params[0].as_str().unwrap()).unwrap();
    let transaction: Transaction = codec::decode(&bytes).map_err(|error| refused(error.to_string()))?;
    check_transaction(&transaction).map_err(|error| refused(error.to_string()))?;
    let txid = transaction.txid();
    if let Transaction::Coin(tx) = &transaction {
        let mut spent = Vec::new();
        for input in &tx.inputs {
            let coin = state.coins.iter_mut().find(|coin| coin.outpoint == *input);
            let coin = coin.ok_or_else(|| refused(format!("unknown coin {}:{}", input.txid, input.index)))?;
            coin.spent_by = Some(txid);
            let lock = state.network.coin_address(&coin.address).unwrap();
            let output = CoinOutput { amount: Amount(coin.amount), lock };
            spent.push(Coin { output, height: coin.height.unwrap_or(state.height), coinbase: false });
        }
        let checks = spend_checks(&state.network.genesis, tx, &spent, state.height + 1);
        let checks = checks.map_err(|error| refused(error.to_string()))?;
        if !checks.iter().all(|check| check.verify()) {
            return Err(refused("a signature is wrong".into()));
        }
        for (output, index) in tx.outputs.iter().zip(0..) {
            state.coins.push(MockCoin {
                outpoint: OutPoint { txid, index },
                address: state.network.address(&output.lock),
                amount: output.amount.0,
                height: None,
                mature: true,
                spent_by: None,
            });
        }
    }
    if let (Transaction::Account(tx), true) = (&transaction, state.mined) {
        state.nonce = state.nonce.max(tx.fields().nonce + 1);
    }
    state.sent.push(transaction);
    Ok(json!(txid.to_string()))
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

/// A port where nobody listens.
pub fn nobody() -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    format!("http://{}", listener.local_addr().unwrap())
}

pub fn text(path: &Path) -> String {
    std::fs::read_to_string(path).unwrap()
}
