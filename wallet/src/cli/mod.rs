//! `cairn-wallet`: arguments in, a report and an exit code out.

mod address;
mod again;
mod args;
mod backup;
mod balance;
mod bump;
mod coins;
mod context;
mod contract;
mod dates;
mod explain;
mod files;
mod history;
mod label;
mod mine;
mod offline;
mod parse;
mod passwords;
mod policy;
mod reported;
mod resend;
mod screen;
mod secrets;
mod send;
mod session;
mod summary;
mod tx;
mod typed_data;
mod verdict;
mod waiting;
mod wallet;

use std::{
    env,
    ffi::OsString,
    panic,
    process::ExitCode,
    sync::{Mutex, PoisonError},
};

use cairn_client::{suggest_flag, without_empty};
use clap::{ArgMatches, CommandFactory, FromArgMatches, error::ErrorKind, parser::ValueSource};
use serde_json::json;

use self::{
    args::{BuildCommand, Cli, Command, Sending},
    context::Context,
    files::failed,
    screen::Report,
};
use crate::{error::WalletError, input::bounded};

/// All commands and flags, for parsing, shell completion and manual pages.
pub fn command() -> clap::Command {
    let variables =
        [("rpc", "CAIRN_RPC"), ("cookie", "CAIRN_COOKIE"), ("wallet", "CAIRN_WALLET"), ("chain", "CAIRN_CHAIN")];
    without_empty(Cli::command(), &variables)
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
    let parsed = command().try_get_matches_from(&arguments).and_then(|matches| {
        screen::set_flags(&given(&matches));
        Cli::from_arg_matches(&matches)
    });
    let cli = match parsed {
        Ok(cli) => cli,
        Err(error) => return bad_usage(&suggest_flag(error, command(), &arguments)),
    };
    let context = Context::new(cli.global);
    screen::set_json(context.global.json);
    match run(&context, cli.command).and_then(shown) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => fail(&error, error.hint(&context.global.rpc, &context.likely_chain())),
    }
}

/// The flags on the command line that say which wallet and which node are meant.
fn given(matches: &ArgMatches) -> Vec<(&'static str, String)> {
    let typed = |name: &&str| matches.value_source(name) == Some(ValueSource::CommandLine);
    let value = |name: &'static str| {
        let mut raw = matches.get_raw(name)?;
        Some((name, raw.next()?.to_string_lossy().into_owned()))
    };
    ["chain", "wallet", "rpc"].into_iter().filter(typed).filter_map(value).collect()
}

/// Prints a result. What was sent stays sent if that fails, so the transaction is named then.
fn shown(report: Report) -> Result<(), WalletError> {
    let txid = report.sent.as_ref().and_then(|sent| sent.txids.first());
    report.print().map_err(|error| match txid {
        Some(txid) => WalletError::NotShown { txid: *txid, error },
        None => failed("write the result to standard output")(error),
    })?;
    if let Some(sent) = &report.sent
        && let Err(error) = sent.mark_accepted()
    {
        let txids: Vec<String> = sent.txids.iter().map(ToString::to_string).collect();
        screen::warn(&format!(
            "{} was sent, but the wallet's file does not say so yet: {error}; see `cairn-wallet resend`",
            txids.join(", ")
        ));
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
                fail(&failed("write to standard output")(error), None)
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
        Command::Create(args) => wallet::create(context, &args),
        Command::Restore(args) => wallet::restore(context, &args),
        Command::Address(args) => address::execute(context, &args),
        Command::Mine(args) => mine::execute(context, &args),
        Command::Balance => balance::execute(context),
        Command::Send(Sending { args, wait }) => send::execute(context, &BuildCommand::Send(args), wait),
        Command::Transfer(Sending { args, wait }) => send::execute(context, &BuildCommand::Transfer(args), wait),
        Command::Deposit(Sending { args, wait }) => send::execute(context, &BuildCommand::Deposit(args), wait),
        Command::Withdraw(Sending { args, wait }) => send::execute(context, &BuildCommand::Withdraw(args), wait),
        Command::Deploy(Sending { args, wait }) => send::execute(context, &BuildCommand::Deploy(args), wait),
        Command::Call(Sending { args, wait }) => send::execute(context, &BuildCommand::Call(args), wait),
        Command::View(args) => contract::view(context, &args),
        Command::History(args) => history::execute(context, &args),
        Command::Bump(Sending { args, wait }) => bump::execute(context, &args, wait),
        Command::Cancel(Sending { args, wait }) => bump::cancel(context, &args, wait),
        Command::Coins { all } => coins::list(context, all),
        Command::Freeze(args) => coins::freeze(context, &args, true),
        Command::Unfreeze(args) => coins::freeze(context, &args, false),
        Command::Tx { txid } => tx::show(context, &txid),
        Command::Fees => tx::fees(context),
        Command::Label(args) => label::execute(context, &args),
        Command::Resend(args) => resend::execute(context, &args),
        Command::Policy(command) => policy::execute(context, command),
        Command::Build(args) => offline::build(context, &args),
        Command::Sign(args) => offline::sign(context, &args),
        Command::Show { file } => offline::show(context, &file),
        Command::Combine(args) => offline::combine(context, &args),
        Command::Broadcast(Sending { args, wait }) => offline::broadcast(context, &args, wait),
        Command::ExportKey(args) => secrets::export(context, &args),
        Command::ImportKey(args) => secrets::import(context, &args),
        Command::SignMessage(args) => secrets::sign(context, &args),
        Command::SignTypedData(args) => typed_data::sign(context, &args),
        Command::VerifyMessage(args) => secrets::verify(&args),
        Command::Backup(args) => backup::write(context, &args),
        Command::Rescan { gap } => wallet::rescan(context, gap),
        Command::ShowMnemonic => wallet::show(context),
        Command::ChangePassword { new_password_file } => wallet::change_password(context, new_password_file.as_deref()),
        Command::PublicKeys => wallet::public_keys(context),
        Command::Watch { file } => wallet::watch(context, &file),
    }
}

fn fail(error: &WalletError, hint: Option<String>) -> ExitCode {
    let (code, kind) = error.code();
    if screen::is_json() {
        let (message, hint) = (screen::typed(&error.to_string()), hint.map(|hint| screen::typed(&hint)));
        let mut fields = json!({ "code": code, "kind": kind, "message": message, "hint": hint });
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
    use crate::file::FileError;

    #[test]
    fn a_disk_that_takes_nothing_is_not_a_damaged_file() {
        let code = |action| {
            let error = std::io::Error::from(std::io::ErrorKind::StorageFull);
            WalletError::File(FileError::Io { action, path: "w.json".into(), error }).code()
        };
        assert_eq!([code("write"), code("make"), code("make the folder")], [(1, "system"); 3]);
        assert_eq!([code("read"), code("open")], [(3, "file"); 2]);
    }

    #[test]
    fn a_panic_ends_with_an_exit_code_of_its_own() {
        assert_eq!(format!("{:?}", guarded(|| panic!("a test"))), format!("{:?}", ExitCode::from(101)));
        assert_eq!(format!("{:?}", guarded(|| ExitCode::SUCCESS)), format!("{:?}", ExitCode::SUCCESS));
        assert_eq!(WalletError::Bug("x".into()).code(), (101, "bug"));
    }
}
