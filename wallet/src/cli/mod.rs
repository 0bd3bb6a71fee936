//! `cairn-wallet`: arguments in, a report and an exit code out.

mod address;
mod args;
mod balance;
mod bump;
mod context;
mod contract;
mod history;
mod locks;
mod mine;
mod mnemonic;
mod offline;
mod policy;
mod resend;
mod screen;
mod send;
mod spend;
mod summary;

use std::process::ExitCode;

use clap::{CommandFactory, Parser};
use serde_json::json;

use self::{
    args::{Cli, Command},
    context::Context,
    screen::Report,
};
use crate::error::WalletError;

/// Runs the program.
pub fn main() -> ExitCode {
    let cli = Cli::parse();
    let context = Context { global: cli.global };
    match run(&context, cli.command) {
        Ok(report) => {
            report.print(context.global.json);
            ExitCode::SUCCESS
        }
        Err(error) => fail(&context, &error),
    }
}

/// The command line itself, for man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
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
        Command::Resend => resend::execute(context),
        Command::Policy(command) => policy::execute(context, command),
        Command::Build(args) => offline::build(context, &args),
        Command::Sign(args) => offline::sign(context, &args),
        Command::Show(args) => offline::show(context, &args),
        Command::Combine(args) => offline::combine(context, &args),
        Command::Broadcast { args, wait } => offline::broadcast(context, &args, wait),
        Command::Rescan(args) => mnemonic::rescan(context, args.gap),
        Command::ShowMnemonic => mnemonic::show(context),
        Command::ChangePassword(args) => mnemonic::change_password(context, &args),
        Command::PublicKeys => mnemonic::public_keys(context),
        Command::Watch(args) => mnemonic::watch(context, &args.file),
    }
}

fn fail(context: &Context, error: &WalletError) -> ExitCode {
    let (code, kind) = error.code();
    let hint = error.hint(&context.global.rpc).map(|hint| screen::typed(&hint));
    if context.global.json {
        let mut fields = json!({ "code": code, "kind": kind, "message": error.to_string(), "hint": hint });
        if let Some(txid) = error.txid() {
            fields["txid"] = json!(txid.to_string());
        }
        screen::note(&format!("{:#}", json!({ "error": fields })));
    } else {
        screen::note(&format!("{} {error}", screen::red("error:")));
        if let Some(hint) = hint {
            screen::note(&format!("{} {hint}", screen::dim("what to do:")));
        }
    }
    ExitCode::from(code)
}
