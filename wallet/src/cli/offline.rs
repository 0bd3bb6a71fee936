//! `build`, `sign`, `show`, `combine`, `broadcast`.

use std::path::Path;

use chain_core::units::Amount;
use serde_json::json;

use super::{
    again::paid_already,
    args::{BroadcastArgs, Build, Combine, SignArgs, Wait},
    context::Context,
    files::{refuse_existing, write},
    screen::{self, Report},
    send,
    session::{Bump, Online, Session, dry_run, mark_change},
    summary,
};
use crate::{
    draft::{Body, Draft, DraftError, OutputLine},
    error::{WalletError, usage},
    fees,
    money::saturating_sum,
    own::{KeyTable, Owner},
    payment::PaymentError,
};

/// Reads a file, and names it in what is wrong with it.
pub fn read(path: &Path) -> Result<Draft, WalletError> {
    Draft::read(path).map_err(named(path))
}

fn named(path: &Path) -> impl Fn(DraftError) -> WalletError {
    let file = path.display().to_string();
    move |error| WalletError::Draft { file: file.clone(), error }
}

/// Builds a transaction into a file or to standard output.
pub fn build(context: &Context, args: &Build) -> Result<Report, WalletError> {
    if let Some(name) = args.what.label() {
        return Err(usage!(
            "a file has no room for --label {name}: name the transaction once it is sent, by `cairn-wallet label TXID NAME`"
        ));
    }
    let wallet = context.wallet()?;
    let (node, info) = context.node(&wallet.network)?;
    let online = Online { wallet: &wallet, node: &node, info: &info };
    let (draft, _) = send::build(online, &args.what)?;
    let (text, _) = summary::describe(&draft, &wallet, &wallet.key_table()?)?;
    if let Some(WalletError::PaidAlready { txid, seconds, became }) = paid_already(&wallet, &node, &draft)? {
        screen::warn(&format!(
            "the same was paid {seconds} s ago in {txid}, {became}: `broadcast` refuses this without --again"
        ));
    }
    let next = |file: &str| match wallet.sealed {
        Some(_) => format!("Sign it with `cairn-wallet sign {file}`."),
        // Those have the mnemonic in a wallet of another name.
        None => format!("Give it to the signers: `cairn-wallet sign {file}`."),
    };
    written(&draft, (args.out.as_deref(), args.force), &text, next)
}

/// Writes a draft where it was asked for, and says what to do with it.
fn written(
    draft: &Draft,
    (out, force): (Option<&Path>, bool),
    text: &str,
    next: impl FnOnce(&str) -> String,
) -> Result<Report, WalletError> {
    let json = json!(draft);
    let Some(path) = out else {
        return Ok(Report::new(draft.to_json(), json));
    };
    write(path, draft.to_json().as_bytes(), force)?;
    let text = format!("{text}{} {}", screen::green("Written to"), path.display());
    Ok(Report::new(text, json).hint(next(&screen::typed_file(path))))
}

/// Refuses what only a mistake or a thief writes into a file: its author chose all of it.
fn check_claims(draft: &Draft, own: &KeyTable, allow_high_fee: bool, file: &Path) -> Result<(), WalletError> {
    if let Body::Coin(coin) = &draft.transaction {
        coin.check_change(&draft.network, own).map_err(named(file))?;
    }
    check_fee(draft, own, allow_high_fee)
}

fn check_fee(draft: &Draft, own: &KeyTable, allow_high_fee: bool) -> Result<(), WalletError> {
    let verdict = match &draft.transaction {
        Body::Coin(coin) => {
            let foreign = |line: &&OutputLine| {
                draft.network.destination(&line.to).is_ok_and(|lock| own.owner(&lock) == Owner::Foreign)
            };
            // Where all stays in the wallet, the whole is what the fee is for.
            let sent = match saturating_sum(coin.outputs.iter().filter(foreign).map(|line| line.amount)) {
                Amount::ZERO => saturating_sum(coin.outputs.iter().map(|line| line.amount)),
                sent => sent,
            };
            fees::check(coin.fee, sent)
        }
        Body::Account(account) => fees::check_wei(account.max_fee(), account.worth()),
    };
    match verdict {
        Err(error) if !allow_high_fee => Err(PaymentError::HighFee(error).into()),
        _ => Ok(()),
    }
}

/// Signs a file. Needs no node.
pub fn sign(context: &Context, args: &SignArgs) -> Result<Report, WalletError> {
    // Before the lock is taken: standard input may have no end.
    let mut draft = read(&args.file)?;
    let out = match &args.out {
        Some(out) => out,
        None if args.file == Path::new("-") => {
            return Err(usage!("say with --out where the signed transaction goes"));
        }
        None => &args.file,
    };
    let replace = args.force || *out == args.file;
    refuse_existing(out, replace)?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    let wrong = named(&args.file);
    draft.expect_network(&wallet.network).map_err(&wrong)?;
    let opened = wallet.clone();
    wallet.find_policy_keys(&draft.policies())?;
    let own = wallet.key_table()?;
    check_claims(&draft, &own, args.allow_high_fee, &args.file)?;
    let (text, _) = summary::describe(&draft, &wallet, &own)?;
    let signer = context.consent((&lock, &opened), &text, "Sign?", |context| context.unlock(&wallet))?;
    // What was agreed to is the wallet's from now on: a machine without a network learns of its change by signing.
    mark_change(&mut wallet, &draft, true)?;
    if wallet.used != opened.used {
        lock.write(&wallet)?;
    }
    let new = draft.sign(&wallet.network, &signer, &own).map_err(&wrong)?;
    let complete = draft.finish(draft.height.saturating_add(1));
    if new == 0 && complete.is_err() {
        return Err(wrong(DraftError::Incomplete("this wallet has no key that it still needs".into())));
    }
    write(out, draft.to_json().as_bytes(), replace)?;
    let next = match &complete {
        Ok(_) => format!("It is complete: broadcast it with `cairn-wallet broadcast {}`.", screen::typed_file(out)),
        Err(error) => format!(
            "{error}. Combine it with the other signers' copies: `cairn-wallet combine {} OTHER --out NEW`.",
            screen::typed_file(out)
        ),
    };
    let text = format!("{} {}", screen::green("Signed, written to"), out.display());
    let json = json!({ "file": out.display().to_string(), "newSignatures": new, "complete": complete.is_ok(),
        "txid": draft.txid().map(|txid| txid.to_string()) });
    Ok(Report::new(text, json).hint(next))
}

/// Shows what a file would do.
pub fn show(context: &Context, file: &Path) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let draft = read(file)?;
    draft.expect_network(&wallet.network).map_err(named(file))?;
    let (mut text, mut json) = summary::describe(&draft, &wallet, &wallet.key_table()?)?;
    let complete = draft.finish(draft.height.saturating_add(1));
    text += &match &complete {
        Ok(_) => format!("  {}\n", screen::green("complete: it can be broadcast")),
        Err(error) => format!("  {}\n", screen::yellow(&error.to_string())),
    };
    json["complete"] = json!(complete.is_ok());
    json["txid"] = json!(draft.txid().map(|txid| txid.to_string()));
    Ok(Report::new(text, json))
}

/// Joins copies of one file.
pub fn combine(context: &Context, args: &Combine) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let mut files = args.files.iter();
    let first = files.next().ok_or_else(|| usage!("there is nothing to combine"))?;
    let mut draft = read(first)?;
    draft.expect_network(&wallet.network).map_err(named(first))?;
    for file in files {
        draft.combine(read(file)?).map_err(named(file))?;
    }
    let (text, _) = summary::describe(&draft, &wallet, &wallet.key_table()?)?;
    let next = |file: &str| match draft.finish(draft.height.saturating_add(1)) {
        Ok(_) => format!("It is complete: broadcast it with `cairn-wallet broadcast {file}`."),
        Err(error) => error.to_string(),
    };
    written(&draft, (args.out.as_deref(), args.force), &text, next)
}

/// Broadcasts a signed file.
pub fn broadcast(context: &Context, args: &BroadcastArgs, wait: Wait) -> Result<Report, WalletError> {
    let draft = read(&args.file)?;
    let wrong = named(&args.file);
    let session = Session::open(context)?;
    draft.expect_network(&session.wallet.network).map_err(&wrong)?;
    let transaction = draft.finish(session.next()).map_err(&wrong)?;
    let status = session.node.found(&transaction.txid())?;
    let bump = Bump { known: status.is_some(), ..Bump::default() };
    if let Some(status) = status.filter(|status| status.confirmations > 0) {
        let (txid, height) = (transaction.txid(), status.height.unwrap_or_default());
        return Err(WalletError::Rejected(format!("{txid} is mined already, in block {height}")));
    }
    let own = session.wallet.key_table()?;
    check_claims(&draft, &own, args.allow_high_fee, &args.file)?;
    // Also where the node says that it has it already: that is its word. What this wallet sent before adds nothing, unless it
    // was replaced.
    let txid = transaction.txid();
    let is_new = session.wallet.live().all(|sent| sent.txid != txid);
    let again = if is_new { session.check_again(&draft, wait)? } else { None };
    let (mut text, json) = session.described(&draft, &bump, &own)?;
    if let Some(warning) = again {
        text += &format!("{}\n", screen::yellow(&warning));
    }
    if wait.dry_run {
        return Ok(dry_run(text, json));
    }
    session.ask(&text, "Send?", |_| Ok(()))?;
    session.send(draft, &transaction, bump, json, wait)
}
