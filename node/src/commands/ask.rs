//! Commands that ask a running node over its RPC.

use serde_json::{Value, json};
use std::time::Duration;

use super::CommandError;
use crate::cli::Ask;

fn call(ask: &Ask, method: &'static str, params: Value) -> Result<Value, CommandError> {
    let no_answer = |error: ureq::Error| CommandError::NoAnswer { url: ask.rpc.clone(), reason: error.to_string() };
    let config =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut response = agent.post(&ask.rpc).send_json(&request).map_err(no_answer)?;
    let mut answer: Value = response.body_mut().read_json().map_err(no_answer)?;
    match answer.get("error") {
        Some(error) => {
            let message = error["message"].as_str().unwrap_or("an error without a message").to_owned();
            Err(CommandError::Refused { method, message })
        }
        None => Ok(answer["result"].take()),
    }
}

/// `cairn-node status`
pub fn status(ask: &Ask) -> Result<(), CommandError> {
    let info = call(ask, "chain_getInfo", json!([]))?;
    // The miner may not be served to everybody; the rest is worth showing all the same.
    let miner = call(ask, "miner_status", json!([])).unwrap_or(Value::Null);
    if ask.json {
        println!("{:#}", json!({ "chain": info, "miner": miner }));
        return Ok(());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    println!("chain     {} (id {})", text(&info["chain"]), info["chainId"]);
    println!(
        "height    {}{}",
        info["height"],
        if info["syncing"] == true { format!(", syncing to {}", info["headers"]) } else { String::new() }
    );
    println!("tip       {}", text(&info["bestHash"]));
    println!("base fee  {} wei a gas", info["baseFee"]);
    println!("mempool   {} transactions, {} bytes", info["mempool"]["transactions"], info["mempool"]["bytes"]);
    if miner["mining"] == true {
        let rate = miner["hashrate"].as_f64().unwrap_or_default();
        println!(
            "mining    {} threads, {:.2} MH/s, {} blocks since the start",
            miner["threads"],
            rate / 1e6,
            miner["blocks"]
        );
        println!("pays to   {}", miner["address"].as_str().unwrap_or("nobody; see `cairn-node mine-to --help`"));
    }
    Ok(())
}

/// `cairn-node mine-to`
pub fn mine_to(ask: &Ask, address: &str, account: Option<&str>) -> Result<(), CommandError> {
    call(ask, "miner_setAddress", json!([address, account]))?;
    let status = call(ask, "miner_status", json!([]))?;
    if ask.json {
        println!("{status:#}");
    } else if status["mining"] == true {
        println!("blocks of this node pay to {address} from now on");
    } else {
        println!("blocks of this node will pay to {address}; it does not mine now (start it with --mine)");
    }
    Ok(())
}
