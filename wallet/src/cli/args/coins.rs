//! Arguments of commands about coins, names, mining and single transactions.

use clap::Args;

/// `coins`.
#[derive(Debug, Args)]
pub struct Coins {
    /// Include coins that pending transactions spend.
    #[arg(long)]
    pub all: bool,
}

/// `freeze` and `unfreeze`.
#[derive(Debug, Args)]
pub struct CoinNames {
    /// The coins, as `cairn-wallet coins` names them.
    #[arg(required = true, value_name = "TXID:N")]
    pub coins: Vec<String>,
}

/// `label`.
#[derive(Debug, Args)]
pub struct Label {
    /// An address, the key of a cosigner, or a transaction id; without it all labels are listed.
    #[arg(value_name = "ADDRESS|KEY|TXID")]
    pub of: Option<String>,
    /// Its label.
    #[arg(requires = "of")]
    pub name: Option<String>,
    /// Remove its label.
    #[arg(long, requires = "of", conflicts_with = "name")]
    pub remove: bool,
}

/// `tx` and the like.
#[derive(Debug, Args)]
pub struct Txid {
    /// The transaction.
    pub txid: String,
}

/// `mine`.
#[derive(Debug, Args)]
pub struct Mine {
    /// Threads that the node mines on; unless said, what it was started with.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Stop mining instead.
    #[arg(long, conflicts_with = "threads")]
    pub stop: bool,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    /// How many entries.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// Leave out so many of the newest.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub skip: u32,
    /// Leave out what was mined, and the tips of blocks.
    #[arg(long)]
    pub no_mined: bool,
    /// Only from this day on (UTC), as in 2026-11-28, or from this second since 1970.
    #[arg(long, value_name = "DATE", value_parser = crate::cli::dates::parse)]
    pub since: Option<u64>,
    /// Only before this day, or this second.
    #[arg(long, value_name = "DATE", value_parser = crate::cli::dates::parse)]
    pub until: Option<u64>,
}

/// `resend`.
#[derive(Clone, Copy, Debug, Args)]
pub struct Resend {
    /// Rebroadcast also what was sent while the node named another block 1.
    #[arg(long, conflicts_with = "began_anew")]
    pub other_chain: bool,
    /// Forget what was sent while the node named another block 1 and what the node does not know: only if you know that the
    /// chain began anew (`--dev`).
    #[arg(long)]
    pub began_anew: bool,
}
