//! `backup`.

use std::fs;

use serde_json::json;

use super::{
    args::Backup,
    context::Context,
    files::{self, failed},
    screen::{self, Report},
};
use crate::{
    error::WalletError,
    file::{Wallet, write_out},
};

/// Writes all that the wallet knows into a file: the sealed mnemonic and imported keys, policies, labels, what was sent.
pub fn write(context: &Context, args: &Backup) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    refuse_existing(context, args, &wallet)?;
    write_out(&args.file, &wallet.to_bytes()).map_err(failed(format!("write {}", args.file.display())))?;
    let file = args.file.display().to_string();
    let json = json!({
        "file": file, "network": wallet.network.name, "policies": wallet.policies.len(),
        "imported": wallet.imported.len(), "labels": wallet.labels.len(),
    });
    Ok(Report::new(format!("{} {file}", screen::green("Written to")), json).hint(
        "It needs the password of now. `cairn-wallet restore --backup FILE` brings it back; make a new one after each \
         new policy, label or imported account.",
    ))
}

/// Refuses to replace a file, unless that is meant. Of wallets only an earlier backup of this one may be replaced, from which
/// nothing is lost that the new one does not hold.
fn refuse_existing(context: &Context, args: &Backup, wallet: &Wallet) -> Result<(), WalletError> {
    let in_use = fs::canonicalize(context.wallet_path()?).ok();
    let earlier = Wallet::read(&args.file).is_ok_and(|old| {
        old.keys == wallet.keys
            && (old.sealed.is_none() || wallet.sealed.is_some())
            && old.imported.iter().all(|account| wallet.imported.contains(account))
            && old.policies.iter().all(|one| wallet.policies.iter().any(|kept| kept.policy == one.policy))
    });
    match earlier && fs::canonicalize(&args.file).ok() != in_use {
        true if !args.force => Err(WalletError::InTheWay(args.file.clone())),
        true => Ok(()),
        false => files::refuse_existing(&args.file, args.force),
    }
}
