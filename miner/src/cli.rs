//! The command line of `cairn-miner`.

use clap::{Command, CommandFactory, FromArgMatches, Parser};
use std::path::PathBuf;

/// Mines for a Cairn node: asks it for a block to find, searches on all cores, hands in what it finds.
///
/// Ends with Ctrl-C (exit code 0), or when the node refuses to give work (exit code 1). While no node answers it waits.
#[derive(Parser)]
#[command(name = "cairn-miner", version)]
pub struct Arguments {
    /// The node's JSON-RPC.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545", env = "CAIRN_RPC")]
    pub rpc: String,
    /// File with the node's secret: its cookie, or the token of its --http.mining-token [default: found for a node of this
    /// user on this machine].
    #[arg(long, value_name = "FILE", env = "CAIRN_COOKIE")]
    pub cookie: Option<PathBuf>,
    /// Coin address that is paid; `cairn-wallet address` shows yours. Without, whom the node pays by itself.
    #[arg(long, value_name = "ADDRESS", env = "CAIRN_MINER_ADDRESS")]
    pub address: Option<String>,
    /// Account that gets the tips of account transactions.
    #[arg(long, value_name = "0x...")]
    pub account: Option<String>,
    /// Threads that search [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// End after so many accepted blocks.
    #[arg(long, value_name = "N")]
    pub blocks: Option<u64>,
    /// Write one JSON object a line instead of text.
    #[arg(long)]
    pub json: bool,
}

/// What this process was started with.
///
/// # Errors
/// Where that makes no sense, or where help or the version is asked for.
pub fn arguments() -> Result<Arguments, clap::Error> {
    Arguments::from_arg_matches(&command().try_get_matches()?)
}

/// The command line itself, for man pages and completions as well. As in a shell, a variable that is empty is not set.
pub fn command() -> Command {
    let empty = |name: &str| std::env::var_os(name).is_some_and(|value| value.is_empty());
    [("rpc", "CAIRN_RPC"), ("cookie", "CAIRN_COOKIE"), ("address", "CAIRN_MINER_ADDRESS")]
        .into_iter()
        .filter(|(_, variable)| empty(variable))
        .fold(Arguments::command(), |command, (flag, _)| command.mut_arg(flag, |flag| flag.env(None::<&str>)))
}
