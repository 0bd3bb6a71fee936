//! `backup`, and `restore --backup`.

use std::path::Path;

use serde_json::json;

use super::{
    args::Backup,
    context::Context,
    mnemonic, offline,
    screen::{self, Report},
};
use crate::{
    error::WalletError,
    file::{FileError, Wallet, WalletLock},
};

/// Writes all that the wallet knows into a file: the sealed mnemonic and imported keys, policies, labels, what was sent.
pub fn write(context: &Context, args: &Backup) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    offline::write_private(&args.file, &wallet.to_bytes(), args.force)?;
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

/// Brings a wallet back from a backup.
pub fn restore(context: &Context, file: &Path, gap: Option<u32>) -> Result<Report, WalletError> {
    let mut wallet = Wallet::read(file)?;
    if wallet.sealed.is_some() {
        // Makes sure that it can be opened, and that nobody changed its keys.
        context.unlock(&wallet)?;
    }
    let path = context.place_of(&wallet.network)?;
    if path.exists() {
        return Err(FileError::Exists(path).into());
    }
    let lock = WalletLock::take(&path)?;
    lock.create(&wallet)?;
    let mut report = mnemonic::made(&path, &wallet, "Wallet restored")?;
    if let Some(gap) = gap {
        report.text += &mnemonic::find_used(context, &lock, &mut wallet, gap)?;
    }
    report.json["used"] = json!(wallet.used);
    report.json["policies"] = json!(wallet.policies.len());
    Ok(report)
}
