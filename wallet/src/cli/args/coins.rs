//! Arguments of commands about coins, names, mining and single transactions.

use clap::Args;

/// `freeze` and `unfreeze`.
#[derive(Debug, Args)]
pub struct CoinIds {
    /// Coins, as `cairn-wallet coins` lists them.
    #[arg(required = true, value_name = "TXID:N")]
    pub coins: Vec<String>,
}

/// `label`.
#[derive(Debug, Args)]
pub struct Label {
    /// An address, the key of a cosigner, or a transaction id; lists all labels if none is given.
    #[arg(value_name = "ADDRESS|KEY|TXID")]
    pub of: Option<String>,
    /// The label.
    #[arg(requires = "of")]
    pub name: Option<String>,
    /// Remove the label.
    #[arg(long, requires = "of", conflicts_with = "name")]
    pub remove: bool,
}

/// `mine`.
#[derive(Debug, Args)]
pub struct Mine {
    /// Mining threads [default: as many as the node was started with].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1024))]
    pub threads: Option<u32>,
    /// Stop mining instead.
    #[arg(long, conflicts_with = "threads")]
    pub stop: bool,
}

/// `history`.
#[derive(Debug, Args)]
pub struct History {
    /// Show at most N entries.
    #[arg(long, short = 'n', default_value_t = 20, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub limit: u32,
    /// Skip the N newest entries.
    #[arg(long, default_value_t = 0, value_name = "N", value_parser = clap::value_parser!(u32).range(0..=1_000_000))]
    pub skip: u32,
    /// Leave out block rewards and tips.
    #[arg(long)]
    pub no_mined: bool,
    /// Show entries from this day on (UTC), as in 2026-11-28, or from this second since 1970.
    #[arg(long, value_name = "DATE", value_parser = crate::cli::dates::parse)]
    pub since: Option<u64>,
    /// Show entries before this day or second.
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
    /// chain began anew (`--dev`, or its data was deleted).
    #[arg(long)]
    pub began_anew: bool,
}
