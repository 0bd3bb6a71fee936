//! `build`, `sign`, `show`, `combine`, `broadcast`.

use std::path::Path;

use chain_core::{transaction::coin::Lock, units::Amount};
use serde_json::json;

use super::{
    args::{BroadcastArgs, Build, BuildCommand, Combine, FileIn, SendArgs, SignArgs, TransferArgs, Wait},
    context::{Context, failed},
    screen::{self, Report},
    send,
    spend::{self, Bump, Session, paid_already},
    summary,
};
use crate::{
    build::BuildError,
    error::WalletError,
    fees,
    file::{Wallet, holds_wallet, is_special, write_out},
    funds,
    keys::Branch,
    node::NodeError,
    request::{Body, KeyTable, OutputLine, OwnKeys, Owner, Request, RequestError},
};

/// Reads a file, and names it in what is wrong with it.
pub fn read(path: &Path) -> Result<Request, WalletError> {
    Request::read(path).map_err(named(path))
}

fn named(path: &Path) -> impl Fn(RequestError) -> WalletError {
    let file = path.display().to_string();
    move |error| WalletError::Request { file: file.clone(), error }
}

/// Refuses to replace a file, unless that is meant, and a wallet in any case. A terminal or a pipe is written into.
///
/// # Errors
/// [`WalletError::InTheWay`]: it may hold what somebody signed. [`WalletError::HoldsWallet`].
pub fn refuse_existing(path: &Path, replace: bool) -> Result<(), WalletError> {
    match path.exists() && !is_special(path) {
        true if holds_wallet(path) => Err(WalletError::HoldsWallet(path.into())),
        true if !replace => Err(WalletError::InTheWay(path.into())),
        _ => Ok(()),
    }
}

/// Writes a request beside the file, then over it, so that no crash leaves half of it. Only the owner can read it: it may hold
/// the secret of an HTLC.
///
/// # Errors
/// [`WalletError::InTheWay`] if the file exists and may not be replaced.
pub fn write(path: &Path, request: &Request, replace: bool) -> Result<(), WalletError> {
    write_private(path, request.to_json().as_bytes(), replace)
}

/// Writes what only its owner may read.
///
/// # Errors
/// As for [`write()`].
pub fn write_private(path: &Path, bytes: &[u8], replace: bool) -> Result<(), WalletError> {
    refuse_existing(path, replace)?;
    write_out(path, bytes).map_err(failed(format!("write {}", path.display())))
}

/// Builds a transaction into a file or to standard output.
pub fn build(context: &Context, args: &Build) -> Result<Report, WalletError> {
    if let BuildCommand::Send(SendArgs { label: Some(name), .. })
    | BuildCommand::Transfer(TransferArgs { label: Some(name), .. }) = &args.what
    {
        return Err(WalletError::Usage(format!(
            "a file has no room for --label {name}: name the transaction once it is sent, by `cairn-wallet label TXID NAME`"
        )));
    }
    let wallet = context.wallet()?;
    let (node, info) = context.node(&wallet.network)?;
    let request = send::build(&wallet, &node, &info, &args.what)?;
    let (text, _) = summary::describe(&request, &wallet, &OwnKeys::new(&wallet).table()?)?;
    if let Some(WalletError::PaidAlready { txid, seconds, became }) = paid_already(&wallet, &node, &request)? {
        screen::warn(&format!(
            "the same was paid {seconds} s ago in {txid}, {became}: `broadcast` refuses this without --again"
        ));
    }
    written(&request, (args.out.as_deref(), args.force), &text, "Sign it with `cairn-wallet sign`.")
}

/// Writes a request where it was asked for, and says what to do with it.
fn written(
    request: &Request,
    (out, force): (Option<&Path>, bool),
    text: &str,
    next: &str,
) -> Result<Report, WalletError> {
    let json = json!(request);
    let Some(path) = out else {
        return Ok(Report::new(request.to_json(), json));
    };
    write(path, request, force)?;
    let text = format!("{text}{} {}", screen::green("Written to"), path.display());
    Ok(Report::new(text, json).hint(next))
}

/// Refuses what only a mistake or a thief writes into a file: who built it has chosen all of it.
fn check_claims(request: &Request, own: &KeyTable, allow_high_fee: bool, file: &Path) -> Result<(), WalletError> {
    if let Body::Coin(coin) = &request.transaction {
        coin.check_change(&request.network, own).map_err(named(file))?;
    }
    check_fee(request, own, allow_high_fee)
}

fn check_fee(request: &Request, own: &KeyTable, allow_high_fee: bool) -> Result<(), WalletError> {
    let verdict = match &request.transaction {
        Body::Coin(coin) => {
            let foreign = |line: &&OutputLine| {
                request.network.destination(&line.to).is_ok_and(|lock| own.owner(&lock) == Owner::Foreign)
            };
            let sum = |lines: &mut dyn Iterator<Item = &OutputLine>| {
                Amount(lines.fold(0, |sum: u64, line| sum.saturating_add(line.amount.0)))
            };
            // Where all stays in the wallet, the whole is what the fee is for.
            let sent = match sum(&mut coin.outputs.iter().filter(foreign)) {
                Amount::ZERO => sum(&mut coin.outputs.iter()),
                sent => sent,
            };
            fees::check(coin.fee, sent)
        }
        Body::Account(account) => fees::check_wei(account.max_fee(), account.worth()),
    };
    match verdict {
        Err(error) if !allow_high_fee => Err(BuildError::HighFee(error).into()),
        _ => Ok(()),
    }
}

/// Signs a file. Needs no node.
pub fn sign(context: &Context, args: &SignArgs) -> Result<Report, WalletError> {
    // Before the lock is taken: standard input may have no end.
    let mut request = read(&args.file)?;
    let out = match &args.out {
        Some(out) => out,
        None if args.file == Path::new("-") => {
            return Err(WalletError::Usage("say with --out where the signed transaction goes".into()));
        }
        None => &args.file,
    };
    let replace = args.force || *out == args.file;
    refuse_existing(out, replace)?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    let wrong = named(&args.file);
    request.expect_network(&wallet.network).map_err(&wrong)?;
    let opened = wallet.clone();
    wallet.find_policy_keys(&request.policies())?;
    let own = OwnKeys::new(&wallet).table()?;
    check_claims(&request, &own, args.allow_high_fee, &args.file)?;
    let (text, _) = summary::describe(&request, &wallet, &own)?;
    let signer = context.consent((&lock, &opened), &text, "Sign?", |context| context.unlock(&wallet))?;
    // What was agreed to is the wallet's from now on: a machine without a network learns of its change by signing.
    mark_signed(&mut wallet, &request, &own)?;
    if wallet.used != opened.used {
        lock.write(&wallet)?;
    }
    let new = request.sign(&wallet.network, &signer, &own).map_err(&wrong)?;
    let complete = request.finish(request.height.saturating_add(1));
    if new == 0 && complete.is_err() {
        return Err(wrong(RequestError::Incomplete("this wallet has no key that it still needs".into())));
    }
    write(out, &request, replace)?;
    let next = match &complete {
        Ok(_) => format!("It is complete: broadcast it with `cairn-wallet broadcast {}`.", out.display()),
        Err(error) => format!("{error}. Combine it with the other signers' copies by `cairn-wallet combine`."),
    };
    let text = format!("{} {}", screen::green("Signed, written to"), out.display());
    let json = json!({ "file": out.display().to_string(), "newSignatures": new, "complete": complete.is_ok(),
        "txid": request.txid().map(|txid| txid.to_string()) });
    Ok(Report::new(text, json).hint(next))
}

/// Keys beyond those used so far of which a signed file can make the wallet aware.
const LEARNED: u32 = 1_000;

/// Notes the change of a transaction that is signed.
fn mark_signed(wallet: &mut Wallet, request: &Request, own: &KeyTable) -> Result<(), WalletError> {
    let Body::Coin(coin) = &request.transaction else { return Ok(()) };
    for line in &coin.outputs {
        if let Lock::Key(key) = request.network.destination(&line.to)?
            && let Some((branch @ Branch::Change, index)) = own.coin(&key, line.change)
            && index < wallet.used.change.saturating_add(LEARNED)
        {
            funds::mark_used(wallet, branch, index);
        }
    }
    Ok(())
}

/// Shows what a file would do.
pub fn show(context: &Context, args: &FileIn) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let request = read(&args.file)?;
    request.expect_network(&wallet.network).map_err(named(&args.file))?;
    let (mut text, mut json) = summary::describe(&request, &wallet, &OwnKeys::new(&wallet).table()?)?;
    let complete = request.finish(request.height.saturating_add(1));
    text += &match &complete {
        Ok(_) => format!("  {}\n", screen::green("complete: it can be broadcast")),
        Err(error) => format!("  {}\n", screen::yellow(&error.to_string())),
    };
    json["complete"] = json!(complete.is_ok());
    json["txid"] = json!(request.txid().map(|txid| txid.to_string()));
    Ok(Report::new(text, json))
}

/// Joins copies of one file.
pub fn combine(context: &Context, args: &Combine) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let mut files = args.files.iter();
    let first = files.next().ok_or_else(|| WalletError::Usage("there is nothing to combine".into()))?;
    let mut request = read(first)?;
    request.expect_network(&wallet.network).map_err(named(first))?;
    for file in files {
        request.combine(read(file)?).map_err(named(file))?;
    }
    let (text, _) = summary::describe(&request, &wallet, &OwnKeys::new(&wallet).table()?)?;
    let next = match request.finish(request.height.saturating_add(1)) {
        Ok(_) => "It is complete: broadcast it with `cairn-wallet broadcast FILE`.".to_owned(),
        Err(error) => error.to_string(),
    };
    written(&request, (args.out.as_deref(), args.force), &text, &next)
}

/// Hands in a signed file.
pub fn broadcast(context: &Context, args: &BroadcastArgs, wait: Wait) -> Result<Report, WalletError> {
    let request = read(&args.file)?;
    let wrong = named(&args.file);
    let session = Session::open(context)?;
    request.expect_network(&session.wallet.network).map_err(&wrong)?;
    let transaction = request.finish(session.next()).map_err(&wrong)?;
    let status = match session.node.transaction(&transaction.txid()) {
        // Without an index it cannot tell.
        Err(NodeError::Refused { code: -32002, .. }) => None,
        status => status?,
    };
    let bump = Bump { known: status.is_some(), ..Bump::default() };
    if let Some(status) = status.filter(|status| status.confirmations > 0) {
        let (txid, height) = (transaction.txid(), status.height.unwrap_or_default());
        return Err(WalletError::Rejected(format!("{txid} is mined already, in block {height}")));
    }
    let own = OwnKeys::new(&session.wallet).table()?;
    check_claims(&request, &own, args.allow_high_fee, &args.file)?;
    // What the node has already is handed in by nobody a second time.
    let again = if bump.known { None } else { session.check_again(&request, wait)? };
    let (mut text, json) = session.described(&request, &bump, &own)?;
    if let Some(warning) = again {
        text += &format!("{}\n", screen::yellow(&warning));
    }
    if wait.dry_run {
        return Ok(spend::dry_run(text, json));
    }
    session.ask(&text, "Send?", |_| Ok(()))?;
    session.send(request, &transaction, bump, json, wait)
}
