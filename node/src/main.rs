//! `cairn-node`: see `cairn-node --help`.

use cairn_client::{plain, suggest_flag};
use cairn_node::{cli::Cli, commands, logging, program};
use clap::{CommandFactory, Parser, error::ErrorKind};
use serde_json::json;
use std::{ffi::OsString, process::ExitCode};

fn main() -> ExitCode {
    cairn_node::files::own_umask();
    let arguments = reordered(std::env::args_os().collect());
    if let Some(program) = arguments.first() {
        program::started_as(&program.to_string_lossy());
    }
    let output = if arguments.iter().any(|argument| argument == "--json") {
        Output::Json
    } else if logs_json(&arguments) {
        Output::Log
    } else {
        Output::Text
    };
    let parsed = Cli::try_parse_from(&arguments);
    match parsed.map_err(|error| suggest_flag(error, Cli::command(), &arguments)) {
        Ok(cli) => match commands::execute(cli) {
            Ok(()) => end(0),
            Err(error) => {
                let output = if output == Output::Text && logging::is_json() { Output::Log } else { output };
                fail(output, error.exit_code(), &error.to_string());
                end(error.exit_code())
            }
        },
        // Help and the version are no failures, and go to the standard output.
        Err(error) if output != Output::Text && error.use_stderr() => {
            // Without the usage, in one line.
            let text = error.to_string();
            let what = text.split("\n\n").next().unwrap_or_default().split_whitespace().collect::<Vec<_>>().join(" ");
            fail(output, 2, what.strip_prefix("error: ").unwrap_or(&what))
        }
        Err(error) if !error.use_stderr() => match error.print() {
            Err(error) if error.kind() != std::io::ErrorKind::BrokenPipe => {
                fail(output, 1, &format!("cannot write to standard output: {error}"))
            }
            _ => ExitCode::SUCCESS,
        },
        Err(error) => {
            if let Some(tip) = tip(&error) {
                logging::say(&format!("{tip}\n"));
            }
            error.exit()
        }
    }
}

/// What was probably meant, where clap takes a word for a command.
fn tip(error: &clap::Error) -> Option<String> {
    let text = error.to_string();
    let names = |command: &str| text.contains(&format!("the subcommand '{command}"));
    if error.kind() != ErrorKind::ArgumentConflict || !names("") {
        return None;
    }
    Some(match names("true'") || names("false'") {
        true => "tip: a value stands behind an equals sign, as in `--mine=false`".into(),
        false => format!(
            "tip: flags stand behind the command, as in `{} reindex --chain local`",
            program::named("cairn-node")
        ),
    })
}

/// `--json` may stand before the command, as it may for the wallet; all other flags belong to one command.
fn reordered(mut arguments: Vec<OsString>) -> Vec<OsString> {
    let starts_with_json = arguments.get(1).is_some_and(|argument| argument == "--json");
    let command_follows = arguments.get(2).is_some_and(|argument| !argument.to_string_lossy().starts_with('-'));
    if starts_with_json && command_follows {
        arguments.swap(1, 2);
    }
    arguments
}

/// How the standard error is read.
#[derive(Clone, Copy, PartialEq, Eq)]
enum Output {
    Text,
    /// `--json`
    Json,
    /// `--log.format json`
    Log,
}

/// Whether the arguments ask for it; a file of settings may, too, which shows when it was read.
fn logs_json(arguments: &[OsString]) -> bool {
    arguments.iter().any(|argument| argument == "--log.format=json")
        || arguments.windows(2).any(|pair| pair[0] == "--log.format" && pair[1] == "json")
}

fn fail(output: Output, code: u8, message: &str) -> ExitCode {
    // It may have the text of a file or of another program.
    let message = plain(message);
    match output {
        Output::Json => logging::say(&json!({ "error": { "code": code, "message": message } }).to_string()),
        Output::Log => logging::fail_as_json(&message),
        Output::Text => logging::say(&format!("error: {message}")),
    }
    ExitCode::from(code)
}

/// Ends the process.
fn end(code: u8) -> ! {
    logging::flush();
    // SAFETY: ends the process and returns to nobody. `exit` would run C++ destructors under a call that may still read the
    // database.
    unsafe { libc::_exit(code.into()) }
}
