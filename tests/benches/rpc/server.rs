//! The two servers, with the same chain in each.

use std::{
    path::Path,
    process::{Child, Command, Stdio},
    sync::atomic::{AtomicU64, Ordering},
    time::Duration,
};

use alloy_primitives::{Address, B256, U256, keccak256};
use cairn_tests::{Port, Rpc, binary, compiled_contracts, wait_for};
use secp256k1::{PublicKey, SecretKey};
use serde_json::{Value, json};

use crate::{
    client::{Measured, measure},
    transfer,
};

/// Accounts that send, one a lane.
const SENDERS: u8 = 32;
/// Transactions of the block that is read in full.
const FULL: u64 = 300;
/// Logs of one call of the emitter: its topics are a constant, and the argument + 0, 1, 2, ... 99.
pub const EMITTER_LOGS: u64 = 100;
const EMITTER: &str = "60178060095f395ff3 6000 5b 805f3501 6042 5f5f a2 600101 80606411 600257 00";

pub struct Server {
    pub port: u16,
    pub token: String,
    pub emitter: String,
    /// Number of the block that is read in full.
    pub full: String,
    rpc: Rpc,
    chain_id: u64,
    /// Transactions that each sender sent.
    sent: AtomicU64,
    child: Child,
    _folder: tempfile::TempDir,
    _port: Port,
}

impl Server {
    pub fn cairn(flags: &[&str]) -> Self {
        Self::start(&binary("cairn-node"), |port| {
            let own = ["--dev", "--no-discovery", "--port", "0", "--http.port", port];
            own.iter().chain(flags).map(|flag| (*flag).to_owned()).collect()
        })
    }

    pub fn height(&self) -> u64 {
        number(&self.rpc.call("eth_blockNumber", json!([])))
    }

    fn pending(&self) -> u64 {
        number(&self.rpc.call("txpool_status", json!([]))["pending"])
    }

    pub fn anvil() -> Self {
        let anvil = std::env::var_os("CAIRN_ANVIL").expect("CAIRN_ANVIL names anvil");
        Self::start(Path::new(&anvil), |port| ["--silent", "--port", port].map(str::to_owned).to_vec())
    }

    fn start(program: &Path, arguments: impl FnOnce(&str) -> Vec<String>) -> Self {
        let (folder, port) = (tempfile::tempdir().expect("a temporary directory"), Port::take());
        let child = Command::new(program)
            .args(arguments(&port.number().to_string()))
            .env("HOME", folder.path())
            .current_dir(folder.path())
            .stdin(Stdio::null())
            .stdout(Stdio::null())
            .stderr(Stdio::null())
            .spawn()
            .unwrap_or_else(|error| panic!("{}: {error}", program.display()));
        let rpc = Rpc::new(format!("http://127.0.0.1:{}", port.number()), folder.path());
        let id = wait_for("the server", 60, || rpc.try_call("eth_chainId", json!([])).ok());
        Self {
            port: port.number(),
            token: String::new(),
            emitter: String::new(),
            full: String::new(),
            chain_id: number(&id),
            rpc,
            sent: AtomicU64::new(0),
            child,
            _folder: folder,
            _port: port,
        }
    }

    /// Deploys the contracts and mines the blocks.
    pub fn fill(&mut self, blocks: u64) {
        let own = self.rpc.call("eth_accounts", json!([]))[0].clone();
        let send = |to: Option<&str>, data: String, value: U256| {
            let gas = if to.is_some() { 400_000 } else { 4_000_000 };
            let call = json!({"from": own, "to": to, "data": data, "value": format!("{value:#x}"), "gas": format!("{gas:#x}")});
            self.rpc.call("eth_sendTransaction", json!([call]))
        };
        let create = |code: String| {
            let hash = send(None, code, U256::ZERO);
            let receipt = wait_for("a receipt", 10, || {
                self.rpc
                    .try_call("eth_getTransactionReceipt", json!([hash]))
                    .ok()
                    .filter(|receipt| receipt["contractAddress"].is_string())
            });
            receipt["contractAddress"].as_str().expect("an address").to_owned()
        };
        self.token = create(token());
        let emitter = create(format!("0x{}", EMITTER.replace(' ', "")));
        for number in 0..SENDERS {
            send(Some(&format!("{:#x}", account(number))), "0x".into(), U256::from(10).pow(U256::from(18)));
        }
        for block in 0..blocks {
            let first = U256::from(block % 100 * EMITTER_LOGS);
            send(Some(&emitter), format!("{}", B256::from(first)), U256::ZERO);
        }
        // Anvil returns before it has mined.
        wait_for("the blocks", 600, || (self.height() >= blocks).then_some(()));
        wait_for("an empty pool", 600, || (self.pending() == 0).then_some(()));
        self.rpc.call("evm_setAutomine", json!([false]));
        for number in 0..FULL {
            let to = account((number % u64::from(SENDERS)) as u8);
            let call = json!({"from": own, "to": to, "value": "0x1", "gas": "0x5208"});
            self.rpc.call("eth_sendTransaction", json!([call]));
        }
        self.emitter = emitter;
        self.rpc.call("evm_mine", json!([]));
        let full = self.rpc.call("eth_getBlockByNumber", json!(["latest", false]));
        let count = full["transactions"].as_array().map_or(0, Vec::len) as u64;
        assert!(count >= FULL, "{count} transactions");
        self.full = full["number"].as_str().expect("a number").to_owned();
        let logs =
            json!([{"fromBlock": "0x0", "address": self.emitter, "topics": [topic(), B256::from(U256::from(7))]}]);
        let logs = self.rpc.call("eth_getLogs", logs).as_array().map_or(0, Vec::len) as u64;
        assert!(logs >= blocks / 100, "{logs} logs");
    }

    /// Each lane sends this many transactions of an account of its own; they are mined afterwards.
    pub fn send(&self, lanes: usize, each: u64) -> Measured {
        let first = self.sent.fetch_add(each, Ordering::Relaxed);
        let of = |lane: usize| {
            let key = key(u8::try_from(lane).expect("there are few lanes"));
            (first..first + each).map(|nonce| transfer(self.chain_id, &key, nonce)).collect::<Vec<_>>()
        };
        // All senders, so that each has the same nonce.
        let texts: Vec<Vec<String>> = (0..usize::from(SENDERS)).map(of).collect();
        let request = |raw: &String| {
            json!({"jsonrpc": "2.0", "id": 1, "method": "eth_sendRawTransaction", "params": [raw]}).to_string()
        };
        let measured =
            measure(self.port, lanes, Duration::MAX / 4, &|lane, number| texts[lane].get(number).map(request));
        for raw in texts.iter().skip(lanes).flatten() {
            self.rpc.call("eth_sendRawTransaction", json!([raw]));
        }
        self.rpc.call("evm_mine", json!([]));
        measured
    }
}

impl Drop for Server {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn number(value: &Value) -> u64 {
    let digits = value.as_str().and_then(|text| text.strip_prefix("0x")).expect("a quantity");
    u64::from_str_radix(digits, 16).expect("a number")
}

fn key(number: u8) -> SecretKey {
    SecretKey::from_secret_bytes([number + 1; 32]).expect("small numbers are keys")
}

/// Address of a sender.
pub fn account(number: u8) -> Address {
    let public = PublicKey::from_secret_key(&key(number)).serialize_uncompressed();
    Address::from_slice(&keccak256(&public[1..])[12..])
}

/// First topic of the emitter's logs.
pub fn topic() -> B256 {
    B256::from(U256::from(0x42))
}

/// Code that deploys the token, whose supply is the deployer's.
fn token() -> String {
    let file = compiled_contracts().expect("the contracts are compiled: run scripts/contracts.sh");
    let compiled: Value = serde_json::from_slice(&std::fs::read(file).expect("they can be read")).expect("JSON");
    let code = compiled["contracts"]["Token.sol"]["Token"]["evm"]["bytecode"]["object"].as_str().expect("a contract");
    // Two texts and the supply: offsets, then lengths and bytes.
    let words = [0x60, 0xa0, 1_000_000, 5, 0, 3, 0].map(|word: u64| format!("{word:064x}"));
    let mut arguments = words.concat();
    arguments.replace_range(4 * 64..5 * 64, &format!("{:0<64}", hex::encode("Token")));
    arguments.replace_range(6 * 64..7 * 64, &format!("{:0<64}", hex::encode("TOK")));
    format!("0x{code}{arguments}")
}
