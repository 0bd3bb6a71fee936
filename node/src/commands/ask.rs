//! Commands that ask a running node over its RPC.

use serde_json::{Value, json};
use std::time::Duration;

use super::{CommandError, say};
use crate::cli::Ask;

/// Asks a node.
///
/// # Errors
/// [`CommandError`] if it does not answer, or refuses.
pub(super) fn call(url: &str, method: &'static str, params: Value) -> Result<Value, CommandError> {
    let no_answer = |error: ureq::Error| CommandError::NoAnswer { url: url.to_owned(), reason: error.to_string() };
    let config =
        ureq::Agent::config_builder().timeout_global(Some(Duration::from_secs(10))).http_status_as_error(false);
    let agent: ureq::Agent = config.build().into();
    let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
    let mut response = agent.post(url).send_json(&request).map_err(no_answer)?;
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
    let info = call(&ask.rpc, "chain_getInfo", json!([]))?;
    // The miner may not be served to everybody; the rest is worth showing all the same.
    let miner = call(&ask.rpc, "miner_status", json!([])).unwrap_or(Value::Null);
    if ask.json {
        say(format_args!("{:#}\n", json!({ "chain": info, "miner": miner })));
        return Ok(());
    }
    let text = |value: &Value| value.as_str().map_or_else(|| value.to_string(), str::to_owned);
    say(format_args!("chain     {} (id {})\n", text(&info["chain"]), info["chainId"]));
    say(format_args!(
        "height    {}{}\n",
        info["height"],
        if info["syncing"] == true { format!(", syncing to {}", info["headers"]) } else { String::new() }
    ));
    say(format_args!("tip       {}\n", text(&info["bestHash"])));
    say(format_args!("base fee  {} wei a gas\n", info["baseFee"]));
    say(format_args!(
        "mempool   {} transactions, {} bytes\n",
        info["mempool"]["transactions"], info["mempool"]["bytes"]
    ));
    if miner["mining"] == true {
        let rate = miner["hashrate"].as_f64().unwrap_or_default();
        say(format_args!(
            "mining    {:.2} MH/s on {} {}, {} blocks since the start\n",
            rate / 1e6,
            miner["threads"],
            if miner["threads"] == 1 { "thread" } else { "threads" },
            miner["blocks"]
        ));
        say(format_args!(
            "pays to   {}\n",
            miner["address"].as_str().unwrap_or("nobody; see `cairn-node mine-to --help`")
        ));
    }
    Ok(())
}

/// `cairn-node mine-to`
pub fn mine_to(ask: &Ask, address: &str, account: Option<&str>) -> Result<(), CommandError> {
    call(&ask.rpc, "miner_setAddress", json!([address, account]))?;
    let status = call(&ask.rpc, "miner_status", json!([]))?;
    if ask.json {
        say(format_args!("{status:#}\n"));
    } else if status["mining"] == true {
        say(format_args!("blocks of this node pay to {address} from now on\n"));
    } else {
        say(format_args!("blocks of this node will pay to {address}; it does not mine now (start it with --mine)\n"));
    }
    Ok(())
}
