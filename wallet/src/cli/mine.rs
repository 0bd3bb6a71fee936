//! `mine`.

use serde_json::json;

use super::{args::Mine, context::Context, screen::Report};
use crate::{error::WalletError, keys::Branch};

/// Tells the node whom to pay for its blocks, and to mine; or to stop.
pub fn execute(context: &Context, args: &Mine) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let (node, _) = context.node(&wallet.network)?;
    if args.stop {
        node.stop_mining()?;
        return Ok(Report::new("The node has stopped mining.\n", json!({ "mining": false })));
    }
    let lock = wallet.keys.lock(Branch::Receive, wallet.used.receive.saturating_sub(1))?;
    let address = wallet.network.address(&lock);
    let account = wallet.keys.account(wallet.used.accounts.saturating_sub(1))?.to_string();
    node.mine_for(&address, &account, args.threads)?;
    let text = format!("The node mines for {address}\nand gives tips of account transactions to {account}.\n");
    Ok(Report::new(text, json!({ "mining": true, "address": address, "account": account })))
}
