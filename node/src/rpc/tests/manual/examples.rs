//! Each example runs on a node, and returns what the manual shows, or more.

use serde_json::{Value, json};
use std::{collections::BTreeMap, sync::Arc};

use super::{
    super::{COIN, account, encoded, programs, raw, socket::Socket},
    PLACEHOLDERS, SECTIONS,
    parse::{Entry, Part, Signature},
    parts,
};
use crate::{
    dev::ACCOUNTS,
    devnet,
    net::{self, NetConfig},
    rpc::{
        Context,
        access::Scope,
        testing::{TestNode, dev_coin_key, listen, lock, methods_for, transfer},
    },
};

/// A chain with something of all that examples name.
pub struct World {
    pub node: TestNode,
    socket: Socket,
    folder: Option<tempfile::TempDir>,
    values: BTreeMap<&'static str, Value>,
}

impl World {
    pub fn new() -> Self {
        let mut chain = programs::Chain::new();
        let key = dev_coin_key();
        let (address, spend) = (chain.node.address(&key), |node: &TestNode| {
            let (coin, _) = node.coin_of(&node.address(&key));
            node.spend(&key, coin, &[(lock(&key), COIN - 50_000)])
        });
        let coin = spend(&chain.node);
        chain.node.call("coin_sendRawTransaction", json!([encoded(&coin)]));
        let contract = chain.deploy(programs::WRITER);
        let called = chain.send(Some(contract), Vec::new().into());
        let node = chain.node;
        let waits = spend(&node);
        node.call("coin_sendRawTransaction", json!([encoded(&waits)]));
        node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[4].private_key, 0, account(5), 1))]));
        let block = node.call("chain_getBlockHash", json!([2]));
        let socket = Socket::open(listen(&node));
        let values = BTreeMap::from([
            ("$hash", format!("0x{}", block.as_str().unwrap()).into()),
            ("$block", block),
            ("$tx", called),
            ("$txid", coin.txid().to_string().into()),
            ("$raw", raw(&transfer(ACCOUNTS[0].private_key, 2, account(1), 1)).into()),
            ("$raw2", raw(&transfer(ACCOUNTS[2].private_key, 0, account(1), 1)).into()),
            ("$rawCoin", encoded(&waits).into()),
            ("$encodedBlock", node.call("chain_getBlock", json!([1, 0]))),
            ("$contract", json!(contract)),
            ("$address", address.into()),
            ("$filter", node.call("eth_newFilter", json!([{}]))),
        ]);
        let mut world = Self { node, socket, folder: None, values };
        world.solve();
        world
    }

    /// Gives `miner_submit` something to submit.
    fn solve(&mut self) {
        let template = self.node.call("miner_getTemplate", json!([{ "address": self.values["$address"] }]));
        let (header, coinbase) = super::super::mining::solution(&template);
        self.values.extend([("$template", template["id"].clone()), ("$header", header), ("$coinbase", coinbase)]);
    }

    /// An example's parameters for this chain.
    pub fn filled(&self, value: &Value) -> Value {
        match value {
            Value::String(text) if text.starts_with('$') => {
                assert!(PLACEHOLDERS.iter().any(|(name, _)| name == text), "{text}");
                self.values.get(text.as_str()).unwrap_or(value).clone()
            }
            Value::Array(items) => items.iter().map(|item| self.filled(item)).collect(),
            Value::Object(fields) => fields.iter().map(|(key, value)| (key.clone(), self.filled(value))).collect(),
            other => other.clone(),
        }
    }

    /// Runs an example.
    pub fn run(&mut self, entry: &Entry, method: &Signature) {
        let name = method.name.as_str();
        if name.contains("ubscribe") {
            return self.run_on_socket(entry, method);
        }
        let params = self.filled(&json!(entry.example));
        match self.node.try_call(name, params) {
            Ok(result) => {
                assert!(!entry.fails, "{name} returns {result}");
                if let Some(shown) = &entry.result {
                    has(name, &serde_json::from_str(shown).unwrap_or_else(|error| panic!("{name}: {error}")), &result);
                }
            }
            Err((code, message)) => assert!(entry.fails && entry.errors.contains(&code), "{name}: {code} {message}"),
        }
    }

    fn run_on_socket(&mut self, entry: &Entry, method: &Signature) {
        if let Some(opens) = method.name.strip_suffix("_unsubscribe") {
            let params = json!([self.values["$address"]]);
            let opened = match opens {
                "eth" => self.socket.call("eth_subscribe", json!(["newHeads"])),
                "chain" => self.socket.call("chain_subscribeReorgs", json!([])),
                _ => self.socket.call("coin_subscribe", params),
            };
            self.values.insert("$subscription", opened);
        }
        let params = self.filled(&json!(entry.example));
        let result = self.socket.call(&method.name, params);
        has(&method.name, &serde_json::from_str(entry.result.as_ref().unwrap()).unwrap(), &result);
    }

    /// Is part of a devnet that accepts every order.
    fn join_devnet(&mut self) {
        let folder = self.folder.get_or_insert_with(|| tempfile::tempdir().unwrap());
        let socket = folder.path().join("socket");
        let row = json!({ "node": 0, "rpc": "", "up": true, "mining": true, "side": 0, "height": 1, "tip": "", "peers": 1, "mempool": 0 });
        let status = json!({ "nodes": [row], "busy": null, "note": null, "last": { "order": "heal", "error": null } });
        devnet::serve(&socket, move |line| Ok(if line.is_empty() { status.clone() } else { true.into() })).unwrap();
        let mut context = super::super::like(&self.node.context);
        context.node.devnet = Some(socket);
        let context = Arc::new(context);
        self.node.methods = methods_for(&context, Scope::Full);
        self.node.context = context;
    }

    /// Has a network of its own that nobody joins.
    fn join(&mut self) {
        let config = NetConfig {
            listen: vec![[127, 0, 0, 1].into()],
            port: 0,
            bootnodes: Vec::new(),
            connect: Vec::new(),
            discover: false,
            external: Vec::new(),
            max_peers: 8,
            clock_bound: 60,
            nat: false,
            folder: None,
        };
        let network = self.node.wait(net::start(config, self.node.context.engine.clone())).unwrap();
        let context = Arc::new(Context { network: Some(network), ..super::super::like(&self.node.context) });
        self.node.methods = methods_for(&context, Scope::Full);
        self.node.context = context;
    }
}

/// Whether a result has all that is shown, of the same types. `null` stands for anything.
fn has(at: &str, shown: &Value, result: &Value) {
    match (shown, result) {
        (Value::Null, _) | (_, Value::Null) => {}
        (Value::Array(shown), Value::Array(result)) => {
            if let (Some(shown), Some(result)) = (shown.first(), result.first()) {
                has(&format!("{at}[0]"), shown, result);
            }
        }
        (Value::Object(shown), Value::Object(result)) => {
            for (key, shown) in shown {
                let result = result.get(key).unwrap_or_else(|| panic!("{at}.{key} is not there: {result:?}"));
                has(&format!("{at}.{key}"), shown, result);
            }
        }
        _ => {
            let same = std::mem::discriminant(shown) == std::mem::discriminant(result);
            assert!(same, "{at}: {result}, not such as {shown}");
        }
    }
}

fn run_section(name: &str) {
    let mut world = World::new();
    world.node.context.runtime.spawn(world.node.context.mining.clone().drive());
    match name {
        "admin" => world.join(),
        "devnet" => world.join_devnet(),
        "eth" => {
            world.node.context.runtime.spawn(world.node.context.mining.clone().automine());
            world.node.call("dev_setAutomine", json!([true]));
        }
        _ => {}
    }
    for part in parts(name) {
        let Part::Entry(entry) = part else { continue };
        for method in &entry.methods {
            if name == "dev" {
                world = World::new();
                world.node.call("evm_snapshot", json!([]));
            }
            world.run(&entry, method);
        }
    }
}

#[test]
fn examples_of_ethereum_run() {
    ["eth", "subscriptions", "txpool"].into_iter().for_each(run_section);
}

#[test]
fn examples_of_traces_run() {
    ["debug", "trace", "ots"].into_iter().for_each(run_section);
}

#[test]
fn examples_of_the_chain_run() {
    ["chain", "coin", "miner", "admin"].into_iter().for_each(run_section);
}

#[test]
fn examples_of_development_run() {
    ["dev", "devnet"].into_iter().for_each(run_section);
    assert_eq!(SECTIONS.len(), 13, "each section has its examples run");
}
