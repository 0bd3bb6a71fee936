//! `address`.

use serde_json::json;

use super::{
    args::{AddressArgs, Side},
    context::Context,
    screen::{self, Align, Report},
};
use crate::{
    error::WalletError,
    file::Wallet,
    funds::{self, GAP},
    keys::{Branch, KeyError, KeyPath},
};

/// Shows addresses, or makes a new one.
pub fn execute(context: &Context, args: &AddressArgs) -> Result<Report, WalletError> {
    if args.list {
        return list(&context.wallet()?, args.side);
    }
    if !args.new {
        return shown(&context.wallet()?, args.side);
    }
    let (lock, mut wallet) = context.wallet_to_change()?;
    let side = args.side.unwrap_or(Side::Coin);
    let count = match side {
        Side::Coin => &mut wallet.used.receive,
        Side::Account => &mut wallet.used.accounts,
    };
    *count = count
        .checked_add(1)
        .filter(|count| *count < 1 << 31)
        .ok_or_else(|| KeyError::Derivation("all addresses are used up".into()))?;
    lock.write(&wallet)?;
    let mut report = shown(&wallet, Some(side))?;
    if side == Side::Coin && wallet.used.receive > GAP {
        report.text += &screen::dim(&format!(
            "A wallet that is restored looks {GAP} unused addresses ahead: if you give out many, restore with a larger --gap.\n"
        ));
    }
    Ok(report)
}

/// The newest address of one or both sides.
fn shown(wallet: &Wallet, side: Option<Side>) -> Result<Report, WalletError> {
    let (mut text, mut json) = (String::new(), json!({}));
    if side != Some(Side::Account) {
        let index = wallet.used.receive.saturating_sub(1);
        let address = wallet.network.address(&wallet.keys.lock(Branch::Receive, index)?);
        text += &format!("{address}\n");
        json["address"] = json!(address);
        json["path"] = json!(KeyPath::Coin(Branch::Receive, index));
    }
    if side != Some(Side::Coin) {
        let index = wallet.used.accounts.saturating_sub(1);
        let account = wallet.keys.account(index)?.to_string();
        text += &format!("{account}\n");
        json["account"] = json!(account);
        json["accountPath"] = json!(KeyPath::Account(index));
    }
    if side.is_none() {
        let label = |text: &str| screen::dim(text);
        text = text.replacen('\n', &format!("  {}\n", label("coins")), 1);
        text = format!("{}  {}\n", text.trim_end(), label("account"));
    }
    Ok(Report::new(text, json))
}

fn list(wallet: &Wallet, side: Option<Side>) -> Result<Report, WalletError> {
    let (mut rows, mut json) = (Vec::new(), Vec::new());
    let mut add = |address: String, path: KeyPath| {
        json.push(json!({ "address": address, "path": path }));
        rows.push(vec![address, path.to_string()]);
    };
    if side != Some(Side::Account) {
        for own in funds::branch_addresses(wallet, Branch::Receive, 0..wallet.used.receive)? {
            add(own.address, KeyPath::Coin(Branch::Receive, own.index));
        }
    }
    if side != Some(Side::Coin) {
        for index in 0..wallet.used.accounts {
            add(wallet.keys.account(index)?.to_string(), KeyPath::Account(index));
        }
    }
    Ok(Report::new(screen::table(&[Align::Left, Align::Left], &rows), json!(json)))
}
