//! `build`, `sign`, `show`, `combine`, `broadcast`.

use std::{fs, path::Path};

use serde_json::json;

use super::{
    args::{Build, Combine, FileIn, FileInOut, Wait},
    context::{Context, failed},
    screen::{self, Report},
    send,
    spend::Session,
    summary,
};
use crate::{
    error::WalletError,
    request::{OwnKeys, Request, RequestError},
};

/// Reads a file, and names it in what is wrong with it.
pub fn read(path: &Path) -> Result<Request, WalletError> {
    Request::read(path).map_err(named(path))
}

fn named(path: &Path) -> impl Fn(RequestError) -> WalletError {
    let file = path.display().to_string();
    move |error| WalletError::Request { file: file.clone(), error }
}

/// Writes a request beside the file, then over it, so that no crash leaves half of it.
pub fn write(path: &Path, request: &Request) -> Result<(), WalletError> {
    let mut name = path.as_os_str().to_owned();
    name.push(".new");
    let new = Path::new(&name);
    fs::write(new, request.to_json())
        .and_then(|()| fs::rename(new, path))
        .map_err(failed(format!("write {}", path.display())))
}

/// Builds a transaction into a file or to standard output.
pub fn build(context: &Context, args: &Build) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let (node, info) = context.node(&wallet.network)?;
    let request = send::build(&mut wallet, &node, &info, &args.what)?;
    // The key of the change is taken, whether this is ever sent or not.
    lock.write(&wallet)?;
    let (text, _) = summary::describe(&request, &OwnKeys::new(&wallet).table()?)?;
    written(&request, args.out.as_deref(), &text, "sign it with `cairn-wallet sign`")
}

/// Writes a request where it was asked for, and says what to do with it.
fn written(request: &Request, out: Option<&Path>, text: &str, next: &str) -> Result<Report, WalletError> {
    let json = json!(request);
    let Some(path) = out else {
        return Ok(Report::new(request.to_json(), json));
    };
    write(path, request)?;
    let text = format!("{text}{} {}: {next}\n", screen::green("Written to"), path.display());
    Ok(Report::new(text, json))
}

/// Signs a file. Needs no node.
pub fn sign(context: &Context, args: &FileInOut) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let mut request = read(&args.file)?;
    let wrong = named(&args.file);
    request.expect_network(&wallet.network).map_err(&wrong)?;
    let own = OwnKeys::new(&wallet).table()?;
    let (text, _) = summary::describe(&request, &own)?;
    context.confirm(&text, "Sign?")?;
    let signer = context.unlock(&wallet)?;
    let new = request.sign(&wallet.network, &signer, &own).map_err(&wrong)?;
    let complete = request.finish(request.height.saturating_add(1));
    if new == 0 && complete.is_err() {
        return Err(wrong(RequestError::Incomplete("this wallet has no key that it still needs".into())));
    }
    let out = args.out.as_deref().unwrap_or(&args.file);
    write(out, &request)?;
    let next = match &complete {
        Ok(_) => "it is complete: hand it in with `cairn-wallet broadcast`".to_owned(),
        Err(error) => format!("{error}; join it with other signers' copies by `cairn-wallet combine`"),
    };
    let text = format!("{} {}: {next}\n", screen::green("Signed, written to"), out.display());
    let json = json!({ "file": out.display().to_string(), "newSignatures": new, "complete": complete.is_ok(),
        "txid": request.txid().map(|txid| txid.to_string()) });
    Ok(Report::new(text, json))
}

/// Shows what a file would do.
pub fn show(context: &Context, args: &FileIn) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let request = read(&args.file)?;
    request.expect_network(&wallet.network).map_err(named(&args.file))?;
    let (mut text, mut json) = summary::describe(&request, &OwnKeys::new(&wallet).table()?)?;
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
    let (text, _) = summary::describe(&request, &OwnKeys::new(&wallet).table()?)?;
    let next = match request.finish(request.height.saturating_add(1)) {
        Ok(_) => "it is complete: hand it in with `cairn-wallet broadcast`".to_owned(),
        Err(error) => error.to_string(),
    };
    written(&request, args.out.as_deref(), &text, &next)
}

/// Hands in a signed file.
pub fn broadcast(context: &Context, args: &FileIn, wait: Wait) -> Result<Report, WalletError> {
    let request = read(&args.file)?;
    let wrong = named(&args.file);
    let session = Session::open(context)?;
    request.expect_network(&session.wallet.network).map_err(&wrong)?;
    let transaction = request.finish(session.next()).map_err(&wrong)?;
    let (text, json) = summary::describe(&request, &OwnKeys::new(&session.wallet).table()?)?;
    context.confirm(&text, "Send?")?;
    session.send(request, &transaction, None, json, wait)
}
