//! `cairn-node`: see `cairn-node --help`.

use cairn_node::{cli::Cli, commands};
use clap::{Parser, error::ErrorKind};
use std::process::ExitCode;

fn main() -> ExitCode {
    let cli = Cli::try_parse().unwrap_or_else(|error| {
        if error.kind() == ErrorKind::ArgumentConflict {
            eprintln!("tip: flags stand behind the command, as in `cairn-node reindex --chain local`\n");
        }
        error.exit()
    });
    match commands::execute(cli) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            eprintln!("error: {error}");
            ExitCode::FAILURE
        }
    }
}
