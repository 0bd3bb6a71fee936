//! The command line of `cairn-miner`.

use cairn_client::suggest_flag;
use clap::{Command, CommandFactory, FromArgMatches, Parser};
use std::{ffi::OsString, path::PathBuf};

/// Mine for a Cairn node: fetch templates, search on all cores, submit blocks.
///
/// Stops with Ctrl-C (exit code 0), or when the node refuses to give templates (exit code 1). While no node answers, it
/// retries.
#[derive(Parser)]
#[command(name = "cairn-miner", version = cairn_client::VERSION)]
pub struct Arguments {
    /// The node's JSON-RPC.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545", env = "CAIRN_RPC")]
    pub rpc: String,
    /// File with the node's secret: its cookie, or the token of its --http.mining-token [default: found for a node of this
    /// user on this machine].
    #[arg(long, value_name = "FILE", env = "CAIRN_COOKIE")]
    pub cookie: Option<PathBuf>,
    /// Payout address for coins; `cairn-wallet address` shows yours [default: the node's own payout address].
    #[arg(long, value_name = "ADDRESS", env = "CAIRN_MINER_ADDRESS")]
    pub address: Option<String>,
    /// Account for the tips of account transactions.
    #[arg(long, value_name = "0x...")]
    pub account: Option<String>,
    /// Number of threads [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Stop after N accepted blocks.
    #[arg(long, value_name = "N")]
    pub blocks: Option<u64>,
    /// Print one JSON object per line instead of text.
    #[arg(long)]
    pub json: bool,
}

/// Parses the arguments of this process.
///
/// # Errors
/// For invalid arguments, and for `--help` and `--version`.
pub fn arguments() -> Result<Arguments, clap::Error> {
    let arguments: Vec<OsString> = std::env::args_os().collect();
    let matches = command().try_get_matches_from(&arguments);
    Arguments::from_arg_matches(&matches.map_err(|error| suggest_flag(error, command(), &arguments))?)
}

/// The command line, for man pages and completions as well. As in a shell, an empty variable counts as unset.
pub fn command() -> Command {
    let empty = |name: &str| std::env::var_os(name).is_some_and(|value| value.is_empty());
    [("rpc", "CAIRN_RPC"), ("cookie", "CAIRN_COOKIE"), ("address", "CAIRN_MINER_ADDRESS")]
        .into_iter()
        .filter(|(_, variable)| empty(variable))
        .fold(Arguments::command(), |command, (flag, _)| command.mut_arg(flag, |flag| flag.env(None::<&str>)))
}
