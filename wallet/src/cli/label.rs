//! `label`: what the user calls addresses, keys and transactions. Only this wallet's file knows it.

use serde_json::json;

use super::{
    args::Label,
    context::Context,
    parse::{self, hex32, read_txid},
    screen::{self, Align, Report},
};
use crate::{
    error::{WalletError, usage},
    file::Wallet,
};

/// Labels of one wallet; its file is read by every command.
const MOST: usize = 10_000;

/// Sets, removes or lists labels.
pub fn execute(context: &Context, args: &Label) -> Result<Report, WalletError> {
    let Some(of) = &args.of else { return Ok(list(&context.wallet()?)) };
    let (lock, mut wallet) = context.wallet_to_change()?;
    let of = canonical(&wallet, of)?;
    match &args.name {
        Some(name) => {
            set(&mut wallet, &of, name)?;
            lock.write(&wallet)?;
        }
        None if args.remove => {
            if wallet.labels.remove(&of).is_none() {
                return Err(usage!("{of} has no label"));
            }
            lock.write(&wallet)?;
        }
        None => {}
    }
    let name = wallet.label(&of).map(str::to_owned);
    let report = Report::new(name.clone().unwrap_or_default(), json!({ "of": of, "label": name }));
    Ok(match name {
        None if !args.remove => report.hint(format!("It has no label yet: `cairn-wallet label {of} NAME` makes one.")),
        _ => report,
    })
}

/// Gives something a label.
///
/// # Errors
/// [`WalletError::Usage`] if it cannot be one, or there are too many.
pub fn set(wallet: &mut Wallet, of: &str, name: &str) -> Result<(), WalletError> {
    let name = parse::label(name)?;
    if wallet.labels.len() >= MOST && wallet.label(of).is_none() {
        return Err(usage!("there are {MOST} labels already: remove one first"));
    }
    wallet.labels.insert(of.to_owned(), name);
    Ok(())
}

/// The one way in which the file writes an address, a key or a transaction id.
fn canonical(wallet: &Wallet, text: &str) -> Result<String, WalletError> {
    let text = text.trim();
    if hex32(text).is_some() {
        return Ok(read_txid(text)?.to_string());
    }
    Ok(wallet.network.address(&wallet.network.destination(text)?))
}

fn list(wallet: &Wallet) -> Report {
    if wallet.labels.is_empty() {
        return Report::new("", json!([]))
            .hint("There are no labels yet: `cairn-wallet label ADDRESS NAME` makes one.");
    }
    let rows: Vec<Vec<String>> = wallet.labels.iter().map(|(of, name)| vec![of.clone(), name.clone()]).collect();
    let json = wallet.labels.iter().map(|(of, name)| json!({ "of": of, "label": name })).collect::<Vec<_>>();
    Report::new(screen::table(&[Align::Left, Align::Left], &rows), json!(json))
}
