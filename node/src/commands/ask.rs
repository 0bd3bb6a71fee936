//! Commands that ask a running node over its RPC.

use serde_json::{Value, json};
use std::io::{ErrorKind, Write};

use super::lines::{self, text};
use crate::{cli::Ask, error::CommandError, program};

/// `cairn-node mine-to`
pub fn mine_to(ask: &Ask, address: &str, account: Option<&str>) -> Result<(), CommandError> {
    ask.call("miner_setAddress", json!([address, account]))?;
    let status = ask.call("miner_status", json!([]))?;
    if ask.json {
        show(&status)
    } else if status["mining"] == true {
        print(format_args!("blocks of this node pay to {address} from now on\n"))
    } else {
        print(format_args!("blocks of this node will pay to {address}; it does not mine now (start it with --mine)\n"))
    }
}

/// `cairn-node accept-certificate`
pub fn accept_certificate(ask: &Ask, block: &str) -> Result<(), CommandError> {
    let accepted = ask.call("admin_acceptCertificate", json!([block]))?;
    match ask.json {
        true => show(&accepted),
        false => print(format_args!(
            "block {} at height {} is final: the node follows its branch\n",
            text(&accepted["hash"]),
            accepted["height"]
        )),
    }
}

/// `cairn-node stop`
pub fn stop(ask: &Ask) -> Result<(), CommandError> {
    let answer = ask.call("admin_stop", json!([]))?;
    match ask.json {
        true => show(&answer),
        false => print(format_args!("the node at {} is stopping\n", ask.node.rpc)),
    }
}

/// `cairn-node peers`
pub fn peers(ask: &Ask) -> Result<(), CommandError> {
    let peers = ask.call("admin_peers", json!([]))?;
    if ask.json {
        return show(&peers);
    }
    let peers = peers.as_array().map(Vec::as_slice).unwrap_or_default();
    if peers.is_empty() {
        return print(format!(
            "no peers: name one with --connect ADDRESS, or see `{} status`\n",
            program::named("cairn-node")
        ));
    }
    let mut lines = format!("{:<9} {:>9} {:>9}  {:<44} agent\n", "direction", "height", "ping", "address");
    for peer in peers {
        let ping = peer["pingMs"].as_f64().map_or("-".to_owned(), |ping| format!("{ping:.1} ms"));
        let height = peer["height"].as_u64().map_or("-".to_owned(), |height| height.to_string());
        let [direction, address, agent] = ["direction", "address", "agent"].map(|name| text(&peer[name]));
        lines += &format!("{direction:<9} {height:>9} {ping:>9}  {address:<44} {agent}\n");
    }
    print(lines)
}

/// `cairn-node block`
pub fn block(ask: &Ask, block: Option<&str>) -> Result<(), CommandError> {
    let named = match block {
        Some(block) => json!(block),
        None => ask.call("chain_getInfo", json!([]))?["bestHash"].take(),
    };
    // In full for people, who want to know who is paid.
    let verbosity = if ask.json { 1 } else { 2 };
    let block = ask.call("chain_getBlock", json!([named, verbosity]))?;
    if ask.json { show(&block) } else { print(lines::block(&block)) }
}

/// `cairn-node tx`
pub fn tx(ask: &Ask, id: &str) -> Result<(), CommandError> {
    let found = ask.call("coin_getTransaction", json!([id]))?;
    if found.is_null() {
        return Err(CommandError::Stopped(format!(
            "transaction {id} is unknown to the node at {}: neither on its chain nor waiting",
            ask.node.rpc
        )));
    }
    if ask.json {
        return show(&found);
    }
    let receipt = match found["kind"] == "account" && !found["blockHash"].is_null() {
        // A node without Ethereum's namespace has none.
        true => {
            ask.call("eth_getTransactionReceipt", json!([format!("0x{}", text(&found["txid"]))])).unwrap_or_default()
        }
        false => Value::Null,
    };
    print(lines::transaction(&found, &receipt))
}

/// Prints JSON.
pub(super) fn show(value: &Value) -> Result<(), CommandError> {
    print(format_args!("{value:#}\n"))
}

/// Prints what was asked for. A reader who has enough (`| head`) is no failure, a full disk is.
pub(super) fn print(text: impl std::fmt::Display) -> Result<(), CommandError> {
    let mut out = std::io::stdout().lock();
    match write!(out, "{text}").and_then(|()| out.flush()) {
        Err(error) if error.kind() != ErrorKind::BrokenPipe => Err(CommandError::io("write the answer")(error)),
        _ => Ok(()),
    }
}
