//! A node, a wallet with money on both sides, and compiled contracts.

use std::{path::PathBuf, thread};

use cairn_tests::{Node, NodeOptions, Outcome, Wallet, compiled_contracts, spec};
use chain_core::{address, codec, spec::ChainSpec};
use serde_json::{Value, json};

/// Blocks after which a mined coin can be spent here.
const MATURITY: u32 = 2;

/// What the tests of contracts work with.
pub struct Lab {
    pub node: Node,
    pub wallet: Wallet,
    /// The wallet's coin address.
    pub coins: String,
    /// Its account.
    pub account: String,
    file: PathBuf,
}

/// The chain of these tests.
pub fn options() -> NodeOptions {
    NodeOptions { spec: ChainSpec { coinbase_maturity: MATURITY, ..spec() }, ..NodeOptions::default() }
}

impl Lab {
    /// Starts a node with a rich wallet; `None`, with a word about it, if nothing is compiled.
    pub fn start() -> Option<Self> {
        let Some(file) = compiled_contracts() else {
            cairn_vectors::skip(cairn_vectors::Needs::Contracts);
            return None;
        };
        let node = Node::with(options());
        let wallet = Wallet::create(&node);
        let (coins, account) = wallet.addresses();
        let lab = Self { node, wallet, coins, account, file };
        lab.mine(5 + MATURITY);
        lab.wallet.ok(&["deposit", "20"]);
        lab.mine(1);
        Some(lab)
    }

    /// Mines blocks for the wallet.
    pub fn mine(&self, blocks: u32) {
        self.node.mine(blocks, &self.coins, &self.account);
    }

    /// What waits for a block.
    pub fn pending(&self) -> u64 {
        self.node.rpc.call("chain_getInfo", json!([]))["mempool"]["transactions"].as_u64().expect("a number")
    }

    /// Runs a command of the wallet that waits, and mines what it sends.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        thread::scope(|scope| {
            let command = scope.spawn(|| self.wallet.run(&[arguments, &["--wait"]].concat()));
            while !command.is_finished() {
                if self.pending() > 0 {
                    self.mine(1);
                }
                Node::pause(20);
            }
            command.join().expect("running a command does not panic")
        })
    }

    /// Deploys a contract, and answers with its address.
    pub fn deploy(&self, contract: &str, arguments: &[&str]) -> String {
        let file = self.file();
        let answer = self.run(&[&["deploy", &file, "--contract", contract], arguments].concat()).json();
        assert!(answer["height"].is_u64(), "it is mined: {answer}");
        text(&answer["contract"])
    }

    /// The compiler's answer.
    pub fn file(&self) -> String {
        self.file.to_str().expect("a test's path is text").to_owned()
    }

    /// Runs `call` or `view` with the ABI of a contract.
    fn typed(&self, command: &str, contract: &str, arguments: &[&str]) -> Outcome {
        let file = self.file();
        let arguments = [&[command], arguments, &["--abi", &file, "--contract", contract]].concat();
        if command == "call" { self.run(&arguments) } else { self.wallet.run(&arguments) }
    }

    /// Calls a function, and answers with what the wallet tells about the mined transaction.
    pub fn call(&self, contract: &str, arguments: &[&str]) -> Value {
        self.typed("call", contract, arguments).json()
    }

    /// Asks a contract; the values in the order of its results.
    pub fn view(&self, contract: &str, arguments: &[&str]) -> Vec<Value> {
        let answer = self.typed("view", contract, arguments).json();
        let results = answer["results"].as_array().unwrap_or_else(|| panic!("no results in {answer}"));
        results.iter().map(|result| result["value"].clone()).collect()
    }

    /// Asks for one number.
    pub fn number(&self, contract: &str, arguments: &[&str]) -> u128 {
        text(&self.view(contract, arguments)[0]).parse().expect("a number")
    }

    /// A call or question that must fail; what the wallet says about it.
    pub fn refused(&self, command: &str, contract: &str, arguments: &[&str]) -> String {
        let outcome = self.typed(command, contract, arguments);
        assert_eq!(outcome.code, 9, "{outcome:?}");
        complaint(&outcome)
    }

    /// The wallet's second account, with some money.
    pub fn second_account(&self) -> String {
        let account = text(&self.wallet.ok(&["address", "account", "--new"])["account"]);
        self.run(&["transfer", &format!("{account}=1")]).json();
        account
    }

    /// Balance of an account in wei.
    pub fn wei(&self, account: &str) -> u128 {
        let balance = text(&self.node.rpc.call("eth_getBalance", json!([account, "latest"])));
        u128::from_str_radix(balance.trim_start_matches("0x"), 16).expect("a quantity")
    }
}

/// A text of some JSON.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_else(|| panic!("{value} is not text")).to_owned()
}

/// The message of a command that failed.
pub fn complaint(outcome: &Outcome) -> String {
    let start = outcome.stderr.find('{').unwrap_or_else(|| panic!("no complaint: {outcome:?}"));
    let json: Value = serde_json::from_str(&outcome.stderr[start..]).expect("errors are JSON");
    text(&json["error"]["message"])
}

/// Events of a mined call, as `Name(value,value)`.
pub fn events(answer: &Value) -> Vec<String> {
    let show = |log: &Value| {
        let values = log["arguments"].as_array().unwrap_or_else(|| panic!("{log} is not decoded"));
        let values: Vec<String> = values.iter().map(|argument| text(&argument["value"])).collect();
        format!("{}({})", text(&log["event"]), values.join(","))
    };
    answer["logs"].as_array().expect("a mined call has logs").iter().map(show).collect()
}

/// The bytes that the gateway takes for a coin address.
pub fn lock_bytes(coin_address: &str) -> String {
    let lock = address::parse_coin_address(&spec().hrp, coin_address).expect("a wallet's address");
    format!("0x{}", hex::encode(codec::encode(&lock)))
}
