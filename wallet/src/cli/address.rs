//! `address`.

use qrcode::{QrCode, render::unicode};
use serde_json::json;

use super::{
    args::{AddressArgs, Side},
    context::Context,
    label,
    screen::{self, Align, Report},
};
use crate::{
    coins,
    error::{WalletError, usage},
    file::{FileError, Wallet},
    keys::{Branch, KeyError, KeyPath},
    node::Node,
    own::GAP,
};

/// Most terminals are dark: what is drawn there is light.
const DARK: unicode::Dense1x2 = unicode::Dense1x2::Light;
const LIGHT: unicode::Dense1x2 = unicode::Dense1x2::Dark;

/// Shows addresses, or makes a new one.
pub fn execute(context: &Context, args: &AddressArgs) -> Result<Report, WalletError> {
    if args.list {
        return list(&context.wallet()?, args.side);
    }
    if !args.new {
        let wallet = unpaid(context, context.wallet()?, args.side)?;
        return drawn(far_ahead(&wallet, shown(&wallet, args.side)?, args.side), args.qr);
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
    if let Some(name) = &args.label {
        let of = match side {
            Side::Coin => wallet.network.address(&wallet.keys.lock(Branch::Receive, wallet.used.receive - 1)?),
            Side::Account => wallet.keys.account(wallet.used.accounts - 1)?.to_string(),
        };
        label::set(&mut wallet, &of, name)?;
    }
    lock.write(&wallet)?;
    drawn(far_ahead(&wallet, shown(&wallet, Some(side))?, Some(side)), args.qr)
}

/// Says so where a restore might not look as far as the address that is shown.
fn far_ahead(wallet: &Wallet, report: Report, side: Option<Side>) -> Report {
    if side == Some(Side::Account) || wallet.used.receive <= GAP {
        return report;
    }
    let hint = "A wallet that is restored looks {GAP} unused addresses ahead: if you give out many, restore with a larger --gap.";
    report.hint(hint.replace("{GAP}", &GAP.to_string()))
}

/// The wallet with a newest coin address that no one has paid, as far as a node says; without one it stays as it is. Accounts
/// are for being paid often.
fn unpaid(context: &Context, wallet: Wallet, side: Option<Side>) -> Result<Wallet, WalletError> {
    if side == Some(Side::Account) {
        return Ok(wallet);
    }
    let Ok((node, _)) = context.node(&wallet.network) else { return Ok(wallet) };
    let mut moved = wallet.clone();
    if !move_on(&node, &mut moved).unwrap_or(false) {
        return Ok(wallet);
    }
    match context.wallet_to_change() {
        // Another process was quicker.
        Ok((_, current)) if current.used != wallet.used => Ok(current),
        Ok((lock, mut current)) => {
            current.used = moved.used;
            lock.write(&current)?;
            Ok(current)
        }
        Err(WalletError::File(FileError::Locked(_))) => Ok(wallet),
        Err(error) => {
            screen::warn(&format!("this address was paid already, and the next one cannot be noted: {error}"));
            Ok(wallet)
        }
    }
}

/// Hands out the next coin address if the newest one was paid; returns whether it did. One at a time: a node that calls every
/// address paid must not drive them far beyond what a restore looks at.
pub fn move_on(node: &Node, wallet: &mut Wallet) -> Result<bool, WalletError> {
    let newest = wallet.network.address(&wallet.receive_lock()?);
    let paid = coins::is_paid(node, &newest)?;
    if paid {
        wallet.used.mark(Branch::Receive, wallet.used.receive);
    }
    Ok(paid)
}

/// Adds QR codes of what is shown, from half a letter a dot.
fn drawn(mut report: Report, qr: bool) -> Result<Report, WalletError> {
    for field in ["address", "account"].into_iter().filter(|_| qr) {
        let Some(address) = report.json[field].as_str() else { continue };
        // Capitals take less room, and bech32 allows them; in an account they are its checksum.
        let text = if field == "address" { address.to_uppercase() } else { address.to_owned() };
        let code = QrCode::new(text).map_err(|error| usage!("no QR code: {error}"))?;
        let drawn = code.render::<unicode::Dense1x2>().dark_color(DARK).light_color(LIGHT).build();
        report.text = format!("{}\n{drawn}\n", report.text.trim_end());
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
    let mut add = |address: String, path: Option<KeyPath>| {
        let name = wallet.label(&address).map(str::to_owned);
        json.push(json!({ "address": address, "path": path, "label": name }));
        let place = path.map_or("imported".into(), |path| path.to_string());
        rows.push(vec![address, place, name.unwrap_or_default()]);
    };
    if side != Some(Side::Account) {
        for own in coins::branch_addresses(wallet, Branch::Receive, 0..wallet.used.receive)? {
            add(own.address, Some(KeyPath::Coin(Branch::Receive, own.index)));
        }
    }
    if side != Some(Side::Coin) {
        for index in 0..wallet.used.accounts {
            add(wallet.keys.account(index)?.to_string(), Some(KeyPath::Account(index)));
        }
        for (account, _) in wallet.imported() {
            add(account.to_string(), None);
        }
    }
    Ok(Report::new(screen::table(&[Align::Left, Align::Left, Align::Left], &rows), json!(json)))
}
