//! `mine`.

use serde_json::json;

use super::{
    args::Mine,
    context::Context,
    screen::{self, Report},
};
use crate::error::WalletError;

/// Sets the node's payout addresses and starts mining; or stops it.
pub fn execute(context: &Context, args: &Mine) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, info) = context.node(&wallet.network)?;
    if args.stop {
        node.stop_mining()?;
        return Ok(Report::new("The node has stopped mining.", json!({ "mining": false })));
    }
    let address = wallet.network.address(&wallet.receive_lock()?);
    // As `deposit` and `transfer` do unless told otherwise.
    let account = wallet.keys.account(0)?.to_string();
    node.mine_for(&address, &account, args.threads)?;
    let text =
        format!("{} {address}\nTips of account transactions go to {account}.", screen::green("The node mines for"));
    let report = Report::new(text, json!({ "mining": true, "address": address, "account": account }));
    Ok(report.hint(format!(
        "A block comes about every {} s, and its coins can be spent {} blocks later: see `cairn-wallet balance`.",
        info.target_interval, info.coinbase_maturity
    )))
}
