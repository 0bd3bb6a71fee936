//! `cairn-wallet`: arguments in, a report and an exit code out.

mod address;
mod args;
mod backup;
mod balance;
mod bump;
mod coins;
mod context;
mod contract;
mod dates;
mod explain;
mod history;
mod label;
mod locks;
mod mine;
mod mnemonic;
mod offline;
mod passwords;
mod policies;
mod policy;
mod resend;
mod screen;
mod secrets;
mod send;
mod spend;
mod summary;
mod told;
mod tx;
mod waiting;

use std::{
    env,
    ffi::OsString,
    panic,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use clap::{CommandFactory, FromArgMatches, error::ErrorKind};
use serde_json::json;

use self::{
    args::{Cli, Command},
    context::Context,
    screen::Report,
};
use crate::{error::WalletError, input::bounded};

/// All commands and flags, for parsing, shell completion and manual pages.
pub fn command() -> clap::Command {
    let variables =
        [("rpc", "CAIRN_RPC"), ("cookie", "CAIRN_COOKIE"), ("wallet", "CAIRN_WALLET"), ("chain", "CAIRN_CHAIN")];
    // As in a shell, a variable that is empty is not set.
    let empty = |name: &str| env::var_os(name).is_some_and(|value| value.is_empty());
    variables
        .into_iter()
        .filter(|(_, variable)| empty(variable))
        .fold(Cli::command(), |command, (flag, _)| command.mut_arg(flag, |flag| flag.env(None::<&str>)))
}

/// Where the program panicked.
static PANIC: Mutex<String> = Mutex::new(String::new());

/// Runs the program. A panic ends as any other error does: scripts get one JSON object and an exit code.
pub fn main() -> ExitCode {
    crate::vault::no_core_dump();
    panic::set_hook(Box::new(|info| {
        *PANIC.lock().unwrap_or_else(PoisonError::into_inner) = info.to_string();
    }));
    guarded(command_line)
}

fn guarded(run: fn() -> ExitCode) -> ExitCode {
    panic::catch_unwind(run).unwrap_or_else(|_| {
        let text = bounded(&PANIC.lock().unwrap_or_else(PoisonError::into_inner));
        let error = WalletError::Bug(text);
        fail(&error, error.hint("", ""))
    })
}

fn command_line() -> ExitCode {
    let arguments: Vec<OsString> = env::args_os().collect();
    let mut flags = arguments.iter().take_while(|argument| *argument != "--");
    screen::set_json(flags.any(|argument| argument == "--json"));
    let parsed = command().try_get_matches_from(&arguments).and_then(|matches| Cli::from_arg_matches(&matches));
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return bad_usage(&error),
    };
    let context = Context { global: cli.global };
    screen::set_json(context.global.json);
    match run(&context, cli.command).and_then(shown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, error.hint(&context.global.rpc, &context.likely_chain())),
    }
}

/// Prints a result. What was sent stays sent if that fails, so the transaction is named then.
fn shown(report: Report) -> Result<(), WalletError> {
    let txid = report.told.as_ref().and_then(|told| told.txids.first());
    report.print().map_err(|error| match txid {
        Some(txid) => WalletError::NotShown { txid: *txid, error },
        None => context::failed("write the result to standard output")(error),
    })?;
    if let Some(told) = &report.told {
        told.note();
    }
    screen::print_warnings();
    Ok(())
}

/// Help, the version, or what is wrong with the flags: clap's text, or for programs one JSON object as for any error.
fn bad_usage(error: &clap::Error) -> ExitCode {
    let wanted = matches!(error.kind(), ErrorKind::DisplayHelp | ErrorKind::DisplayVersion);
    if wanted {
        return match error.print() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                fail(&context::failed("write to standard output")(error), None)
            }
            _ => ExitCode::SUCCESS,
        };
    }
    if !screen::is_json() {
        // Not in clap's colours: it shows arguments as they are.
        screen::complain(error.render().to_string().trim_end());
        return ExitCode::from(2);
    }
    let text = error.render().to_string();
    let mut parts = text.split("\n\n").map(|part| part.split_whitespace().collect::<Vec<_>>().join(" "));
    let message = match error.kind() {
        ErrorKind::DisplayHelpOnMissingArgumentOrSubcommand | ErrorKind::MissingSubcommand => {
            "no command is given".into()
        }
        _ => parts.next().unwrap_or_default().trim_start_matches("error: ").to_owned(),
    };
    let hint = parts.find_map(|part| Some(part.strip_prefix("tip: ")?.to_owned()));
    fail(&WalletError::Usage(message), hint.or_else(|| Some("see `cairn-wallet --help`".into())))
}

fn run(context: &Context, command: Command) -> Result<Report, WalletError> {
    match command {
        Command::Create(args) => mnemonic::create(context, &args),
        Command::Restore(args) => mnemonic::restore(context, &args),
        Command::Address(args) => address::execute(context, &args),
        Command::Mine(args) => mine::execute(context, &args),
        Command::Balance => balance::execute(context),
        Command::Send { args, wait } => send::send(context, &args, wait),
        Command::Transfer { args, wait } => send::transfer(context, &args, wait),
        Command::Deposit { args, wait } => send::deposit(context, &args, wait),
        Command::Withdraw { args, wait } => send::withdraw(context, &args, wait),
        Command::Deploy { args, wait } => contract::deploy(context, &args, wait),
        Command::Call { args, wait } => contract::call(context, &args, wait),
        Command::View(args) => contract::view(context, &args),
        Command::History(args) => history::execute(context, &args),
        Command::Bump { args, wait } => bump::execute(context, &args, wait),
        Command::Cancel { args, wait } => bump::cancel(context, &args, wait),
        Command::Coins(args) => coins::list(context, &args),
        Command::Freeze(args) => coins::freeze(context, &args, true),
        Command::Unfreeze(args) => coins::freeze(context, &args, false),
        Command::Tx(args) => tx::show(context, &args),
        Command::Fees => tx::fees(context),
        Command::Label(args) => label::execute(context, &args),
        Command::Resend(args) => resend::execute(context, &args),
        Command::Policy(command) => policy::execute(context, command),
        Command::Build(args) => offline::build(context, &args),
        Command::Sign(args) => offline::sign(context, &args),
        Command::Show(args) => offline::show(context, &args),
        Command::Combine(args) => offline::combine(context, &args),
        Command::Broadcast { args, wait } => offline::broadcast(context, &args, wait),
        Command::ExportKey(args) => secrets::export(context, &args),
        Command::ImportKey(args) => secrets::import(context, &args),
        Command::SignMessage(args) => secrets::sign(context, &args),
        Command::VerifyMessage(args) => secrets::verify(&args),
        Command::Backup(args) => backup::write(context, &args),
        Command::Rescan(args) => mnemonic::rescan(context, args.gap),
        Command::ShowMnemonic => mnemonic::show(context),
        Command::ChangePassword(args) => mnemonic::change_password(context, &args),
        Command::PublicKeys => mnemonic::public_keys(context),
        Command::Watch(args) => mnemonic::watch(context, &args.file),
    }
}

fn fail(error: &WalletError, hint: Option<String>) -> ExitCode {
    let (code, kind) = error.code();
    if screen::is_json() {
        let mut fields = json!({ "code": code, "kind": kind, "message": error.to_string(), "hint": hint });
        if let Some(txid) = error.txid() {
            fields["txid"] = json!(txid.to_string());
        }
        let warnings = screen::take_warnings();
        if !warnings.is_empty() {
            fields["warnings"] = json!(warnings);
        }
        screen::complain_json(&json!({ "error": fields }));
    } else {
        screen::complain(&format!("{} {error}", screen::red("error:")));
        if let Some(hint) = hint {
            screen::complain(&format!("{} {hint}", screen::dim("what to do:")));
        }
    }
    ExitCode::from(code)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_panic_ends_with_an_exit_code_of_its_own() {
        assert_eq!(format!("{:?}", guarded(|| panic!("a test"))), format!("{:?}", ExitCode::from(101)));
        assert_eq!(format!("{:?}", guarded(|| ExitCode::SUCCESS)), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(WalletError::Bug("x".into()).code(), (101, "bug"));
    }
}
