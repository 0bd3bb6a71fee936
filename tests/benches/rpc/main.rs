//! Requests a second beside anvil: the same client, the same chain, in turn.
//!
//! Run: `make bench ARGS=rpc`. `CAIRN_ANVIL` names anvil, and `CAIRN_CONTRACTS` the compiled contracts; `scripts/bench.sh`
//! finds both. `blocks=N` makes another number of blocks, each of which has 100 logs (1,000). Anvil needs minutes and gigabytes
//! for a few thousand of them; logs are read once more with ten times as many blocks on this side alone. How much a short read
//! can gain is bounded: a server that is nothing but the HTTP library of both is asked, too.

#![allow(missing_docs, clippy::expect_used, reason = "a benchmark has no users and may panic")]

mod bare;
mod client;
mod server;

use std::time::{Duration, Instant};

use alloy_primitives::{Address, B256, U256};
use chain_core::transaction::account::{AccountTransaction, Fees, Fields};
use client::{Measured, measure};
use secp256k1::SecretKey;
use serde_json::{Value, json};
use server::{EMITTER_LOGS, Server};

/// Requests at a time.
const LANES: [usize; 2] = [1, 32];
/// Rounds of each server, in turn.
const ROUNDS: usize = 7;
/// How long one round of reads lasts.
const ROUND: Duration = Duration::from_millis(700);
/// Transactions of one lane in a round.
const SENT: u64 = 30;

fn main() {
    let given = std::env::args().find_map(|argument| argument.strip_prefix("blocks=").map(str::to_owned));
    let blocks = given.map_or(1_000, |text| cairn_tests::argument("blocks", &text, 1..=10_000_000)) as u64;
    let mut servers = [Server::cairn(&[]), Server::anvil()];
    for server in &mut servers {
        server.fill(blocks);
    }
    println!("{blocks} blocks with {} logs; {ROUNDS} rounds of each, medians", blocks * EMITTER_LOGS);
    println!("{:<42} {:>9} {:>9} {:>6} {:>10} {:>10}", "at a time", "cairn/s", "anvil/s", "ratio", "p99 ms", "anvil's");
    for (name, request) in reads() {
        for lanes in LANES {
            compare(&format!("{name} x {lanes}"), [0, 1].map(|at| asks(&servers[at], lanes, request(&servers[at]))));
        }
    }
    for lanes in LANES {
        let send = |server| -> Round<'_> { Box::new(move || Server::send(server, lanes, SENT)) };
        compare(&format!("eth_sendRawTransaction x {lanes}"), servers.each_ref().map(send));
    }
    let port = bare::serve();
    for lanes in LANES {
        let bare: Round<'_> = Box::new(move || measure(port, lanes, ROUND, &|_, _| Some(chain_id().to_string())));
        compare(&format!("hyper alone; anvil: eth_chainId x {lanes}"), [bare, asks(&servers[1], lanes, chain_id())]);
    }
    let [_, anvil] = servers;
    more_logs(anvil, 10 * blocks);
    blocks_under_load();
}

/// Logs of so many blocks, beside anvil with those that it has.
fn more_logs(anvil: Server, blocks: u64) {
    let mut cairn = Server::cairn(&[]);
    cairn.fill(blocks);
    for lanes in LANES {
        let name = format!("eth_getLogs, {} logs here x {lanes}", blocks * EMITTER_LOGS);
        compare(&name, [&cairn, &anvil].map(|server| asks(server, lanes, logs(server))));
    }
}

fn chain_id() -> Value {
    call("eth_chainId", json!([]))
}

fn balance(_: &Server) -> Value {
    call("eth_getBalance", json!([server::account(0), "latest"]))
}

/// One in a hundred blocks has a log of it.
fn logs(server: &Server) -> Value {
    let topic = B256::from(U256::from(7));
    let filter =
        json!({"fromBlock": "0x0", "toBlock": "latest", "address": server.emitter, "topics": [server::topic(), topic]});
    call("eth_getLogs", json!([filter]))
}

/// Whether calls that burn 30 million gas each hold up the blocks of a node that mines one a second.
fn blocks_under_load() {
    const TIME: Duration = Duration::from_secs(20);
    let server = Server::cairn(&["--block-time", "1"]);
    // Blocks a second.
    let rate = |load: &dyn Fn()| {
        let (start, height) = (Instant::now(), server.height());
        load();
        (server.height() - height) as f64 / start.elapsed().as_secs_f64()
    };
    let idle = rate(&|| std::thread::sleep(TIME));
    // Loops as long as there is gas.
    let burn = json!([{"to": server::account(0), "gas": "0x1c9c380"}, "latest", {server::account(0).to_string(): {"code": "0x5b5a61100010600057" }}]);
    let body = call("eth_call", burn).to_string();
    let calls = std::cell::Cell::new(0.0);
    let loaded = rate(&|| calls.set(measure(server.port, 8, TIME, &|_, _| Some(body.clone())).rate));
    println!(
        "blocks a second, of one: {idle:.2} idle, {loaded:.2} under {:.1} calls of 30 Mgas a second from 8 clients; {:.2} x \
         (aim: 0.9)",
        calls.get(),
        loaded / idle
    );
}

fn call(method: &str, params: Value) -> Value {
    json!({"jsonrpc": "2.0", "id": 1, "method": method, "params": params})
}

type Request = Box<dyn Fn(&Server) -> Value>;

/// The calls that read.
fn reads() -> Vec<(&'static str, Request)> {
    // balanceOf(address)
    let balance_of = move |server: &Server| {
        let data = format!("0x70a08231{:0>64}", hex::encode(server::account(0)));
        call("eth_call", json!([{"to": server.token, "data": data}, "latest"]))
    };
    vec![
        ("eth_call (balanceOf)", Box::new(balance_of)),
        ("eth_getBalance", Box::new(balance)),
        ("eth_chainId", Box::new(|_| chain_id())),
        (
            "eth_getBlockByNumber (300 in full)",
            Box::new(move |server| call("eth_getBlockByNumber", json!([server.full, true]))),
        ),
        ("eth_getLogs", Box::new(logs)),
    ]
}

type Round<'a> = Box<dyn Fn() -> Measured + 'a>;

/// The same request again and again.
fn asks(server: &Server, lanes: usize, request: Value) -> Round<'_> {
    let body = request.to_string();
    Box::new(move || measure(server.port, lanes, ROUND, &|_, _| Some(body.clone())))
}

/// Runs rounds in turn and prints the medians.
fn compare(name: &str, of: [Round<'_>; 2]) {
    let mut measured = [Vec::new(), Vec::new()];
    for _ in 0..ROUNDS {
        for (round, rounds) in of.iter().zip(&mut measured) {
            rounds.push(round());
        }
    }
    let [cairn, anvil] = measured.map(|rounds| {
        let median = |value: fn(&Measured) -> f64| {
            let mut values: Vec<f64> = rounds.iter().map(value).collect();
            values.sort_by(f64::total_cmp);
            values[values.len() / 2]
        };
        (median(|round| round.rate), median(|round| round.p99.as_secs_f64() * 1e3))
    });
    println!(
        "{name:<42} {:>9.0} {:>9.0} {:>6.2} {:>10.2} {:>10.2}",
        cairn.0,
        anvil.0,
        cairn.0 / anvil.0,
        cairn.1,
        anvil.1
    );
}

/// A transfer of one wei, signed.
fn transfer(chain_id: u64, key: &SecretKey, nonce: u64) -> String {
    let fields = Fields {
        tx_type: 2,
        chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from(100_000_000_000_u64), max_priority_fee: U256::from(1_000_000_000) },
        gas_limit: 21_000,
        to: Some(Address::repeat_byte(0x55)),
        value: U256::ONE,
        input: Default::default(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    let signed = AccountTransaction::sign(fields, key).expect("the fields are those of a transfer");
    format!("0x{}", hex::encode(signed.raw()))
}
