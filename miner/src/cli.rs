//! The command line of `cairn-miner`.

use cairn_client::{suggest_flag, without_empty};
use clap::{Args, Command, CommandFactory, FromArgMatches, Parser, Subcommand, ValueEnum};
use std::{collections::BTreeSet, ffi::OsString, path::PathBuf};

use crate::stratum::{Server, Trust, Worker};

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
    /// A server instead of the node's JSON-RPC.
    #[command(flatten)]
    pub pool: Pool,
    /// Number of threads [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    pub threads: Option<u16>,
    /// Percentage of the time to search, 1 to 100: less leaves the cores cooler.
    #[arg(long, value_name = "PERCENT", default_value_t = 100, value_parser = clap::value_parser!(u8).range(1..=100))]
    pub intensity: u8,
    /// Cores for the threads, in turn, such as 0-3,6 [default: the system's choice].
    #[arg(long, value_name = "CORES", value_parser = cores)]
    pub affinity: Option<Cores>,
    /// Priority of the threads: low ones yield to other programs.
    #[arg(long, value_name = "PRIORITY", default_value = "low")]
    pub priority: Priority,
    /// Stop after N accepted blocks.
    #[arg(long, value_name = "N")]
    pub blocks: Option<u64>,
    /// Print one JSON object per line instead of text.
    #[arg(long, global = true)]
    pub json: bool,
    /// What to do instead of mining.
    #[command(subcommand)]
    pub action: Option<Action>,
}

/// A server instead of a node's JSON-RPC.
#[derive(Args)]
pub struct Pool {
    /// Mine for a stratum v1 server, such as stratum+tcp://127.0.0.1:3333, or stratum+ssl://pool.example:443 with TLS,
    /// instead of --rpc. Repeat it for servers to fall back on.
    #[arg(long, value_name = "URL", conflicts_with = "account")]
    pub stratum: Vec<Server>,
    /// Trust the certificate authorities of this PEM file as well as the system's: for a pool whose certificate the system
    /// does not know.
    #[arg(long, value_name = "FILE", requires = "stratum")]
    pub tls_ca: Option<PathBuf>,
    /// User name at the stratum server [default: --address, which a node's stratum server pays].
    #[arg(long, value_name = "USER", requires = "stratum")]
    pub user: Option<String>,
    /// Name of this machine at the stratum server, which follows the user and a dot.
    #[arg(long, value_name = "NAME", requires = "stratum")]
    pub worker: Option<String>,
    /// Password at the stratum server [default: x].
    #[arg(long, value_name = "PASSWORD", requires = "stratum")]
    pub password: Option<String>,
    /// While a later server is mined for, try the first one every SECONDS, and return to it.
    #[arg(long, value_name = "SECONDS", default_value_t = 300, value_parser = clap::value_parser!(u64).range(1..=86_400), requires = "stratum")]
    pub return_after: u64,
}

impl Pool {
    /// Who mines; the address is the default user.
    ///
    /// # Errors
    /// If there is no user.
    pub fn worker(&self, address: Option<&str>) -> Result<Worker, String> {
        let user = self.user.as_deref().or(address).filter(|user| !user.is_empty());
        let user = user.ok_or("a stratum server needs a user: add --address ADDRESS, or --user USER for a pool")?;
        let user = match &self.worker {
            Some(worker) => format!("{user}.{worker}"),
            None => user.to_owned(),
        };
        Ok(Worker { user, password: self.password.clone().unwrap_or_else(|| "x".into()) })
    }

    /// The authorities that servers with TLS are trusted by; `None` if there is no such server.
    ///
    /// # Errors
    /// If no certificates can be loaded, or no server needs those that are named.
    pub fn trust(&self) -> Result<Option<Trust>, String> {
        match (&self.tls_ca, self.stratum.iter().any(|server| server.tls)) {
            (_, true) => Trust::load(self.tls_ca.as_deref()).map(Some).map_err(|error| error.to_string()),
            (None, false) => Ok(None),
            (Some(_), false) => Err("--tls-ca is for servers with TLS: write --stratum stratum+ssl://...".into()),
        }
    }
}

/// What to do instead of mining.
#[derive(Subcommand)]
pub enum Action {
    /// Measure each hash kernel on one core, and say which one a search would use.
    Bench {
        /// Samples of each kernel.
        #[arg(long, value_name = "N", default_value_t = 501, value_parser = clap::value_parser!(u16).range(1..))]
        samples: u16,
        /// Compare all kernels over N hashes instead of measuring them.
        #[arg(long, value_name = "N")]
        verify: Option<u64>,
    },
}

/// Priority of the mining threads.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Priority {
    /// Below other programs.
    Low,
    /// That of this process.
    Normal,
}

/// Numbers of cores, each once.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cores(pub Vec<usize>);

/// More than any system numbers.
const MAX_CORE: usize = 4_095;

/// Reads a list of cores and ranges, as `taskset -c` does.
fn cores(text: &str) -> Result<Cores, String> {
    let number = |text: &str| {
        let core = text.trim().parse::<usize>().ok().filter(|core| *core <= MAX_CORE);
        core.ok_or(format!("'{text}' is not the number of a core; write a list such as 0-3,6"))
    };
    let mut cores = BTreeSet::new();
    for range in text.split(',') {
        let (first, last) = range.split_once('-').unwrap_or((range, range));
        let (first, last) = (number(first)?, number(last)?);
        if first > last {
            return Err(format!("'{range}' ends before it begins; write {last}-{first}"));
        }
        cores.extend(first..=last);
    }
    Ok(Cores(cores.into_iter().collect()))
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

/// The command line, for man pages and completions as well.
pub fn command() -> Command {
    let variables = [("rpc", "CAIRN_RPC"), ("cookie", "CAIRN_COOKIE"), ("address", "CAIRN_MINER_ADDRESS")];
    without_empty(Arguments::command(), &variables)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn reads_lists_of_cores() {
        assert_eq!(cores("0-3,6, 2"), Ok(Cores(vec![0, 1, 2, 3, 6])));
        assert_eq!(cores("7"), Ok(Cores(vec![7])));
        let not = |text: &str| Err(format!("'{text}' is not the number of a core; write a list such as 0-3,6"));
        assert_eq!([cores(""), cores("0,"), cores("-1"), cores("4096")], [not(""), not(""), not(""), not("4096")]);
        assert_eq!(cores("x-2"), not("x"));
        assert_eq!(cores("3-1"), Err("'3-1' ends before it begins; write 1-3".into()));
    }
}
