//! The command line of `cairn-node`.

use clap::{Args, CommandFactory, Parser, Subcommand};
use std::path::PathBuf;

use crate::{
    config::{LogSettings, Settings},
    version::VERSION,
};

const EXAMPLES: &str = "\
Examples:
  cairn-node --chain local --mine   mine a private chain on this machine
  cairn-node --dev                  a throw-away chain with funded accounts
  cairn-node status                 ask the running node";

/// Runs and looks after a Cairn node.
#[derive(Debug, Parser)]
#[command(
    name = "cairn-node",
    version = VERSION,
    about = "A proof-of-work node: one chain of coins and accounts",
    long_about = "A proof-of-work node: one chain of coins and accounts.\n\nWithout a command it runs the node. Flags may also \
                  stand in a TOML file (--config); flags win.",
    after_help = EXAMPLES,
    subcommand_precedence_over_arg = true,
    args_conflicts_with_subcommands = true
)]
pub struct Cli {
    /// What to do; `run` if left out.
    #[command(subcommand)]
    pub command: Option<Command>,
    /// Flags of `run`.
    #[command(flatten)]
    pub run: RunFlags,
}

/// The settings, and where more of them stand.
#[derive(Clone, Debug, Default, Args)]
pub struct RunFlags {
    /// Reads settings from a TOML file; its keys are named as the flags (`http.port = 8545`)
    #[arg(long, value_name = "FILE", help_heading = "Node")]
    pub config: Option<PathBuf>,
    /// The settings themselves.
    #[command(flatten)]
    pub settings: Settings,
}

/// The settings of commands that work on a node's data while it does not run.
#[derive(Clone, Debug, Args)]
pub struct DataFlags {
    /// Reads settings from a TOML file, as the node does
    #[arg(long, value_name = "FILE")]
    pub config: Option<PathBuf>,
    /// Which chain: main, test, local, devnet, or a TOML file with a chain spec [default: main]
    #[arg(long, value_name = "NAME|FILE", env = "CAIRN_CHAIN")]
    pub chain: Option<String>,
    /// Where the node keeps its data [default: ~/.cairn/CHAIN]
    #[arg(long, value_name = "DIR")]
    pub datadir: Option<PathBuf>,
    /// Memory for the database's caches, in MiB [default: 256]
    #[arg(long, value_name = "MiB")]
    pub cache: Option<u32>,
    /// Keeps no indexes, as the node that runs with --no-index
    #[arg(long)]
    pub no_index: bool,
    /// Keeps the bodies of the last BLOCKS blocks only, as the node that runs with --prune
    #[arg(long, value_name = "BLOCKS")]
    pub prune: Option<u32>,
    /// The log.
    #[command(flatten)]
    pub log: LogSettings,
}

impl From<DataFlags> for RunFlags {
    fn from(flags: DataFlags) -> Self {
        let DataFlags { config, chain, datadir, cache, no_index, prune, log } = flags;
        Self { config, settings: Settings { chain, datadir, cache, no_index, prune, log, ..Settings::default() } }
    }
}

/// What `cairn-node` can do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Runs the node (the default)
    Run(Box<RunFlags>),
    /// Rebuilds the whole state from the stored blocks, verifying everything
    Reindex {
        /// Go on although stored blocks are damaged or pruned: the node fetches them again from its peers
        #[arg(long)]
        force: bool,
        /// Which node's data.
        #[command(flatten)]
        data: DataFlags,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Writes the blocks of the active chain to a file
    Export {
        /// Where to write; `-` for the standard output
        file: PathBuf,
        /// First height
        #[arg(long, default_value_t = 1)]
        from: u32,
        /// Last height; the tip if left out
        #[arg(long)]
        to: Option<u32>,
        /// Replaces the file if it exists
        #[arg(long)]
        force: bool,
        /// Which node's data.
        #[command(flatten)]
        data: DataFlags,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Reads blocks from a file that `export` wrote, verifying them
    Import {
        /// Where to read; `-` for the standard input
        file: PathBuf,
        /// Which node's data.
        #[command(flatten)]
        data: DataFlags,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Runs several nodes of one chain on this machine: cut them apart, kill them, reorganise them
    Devnet(Devnet),
    /// Shows the key with which this node finalizes blocks, on a chain with finality
    Member(Member),
    /// Shows the chains that this node knows
    #[command(subcommand)]
    Chain(ChainCommand),
    /// Shows how a running node is: its tip, peers, miner and clock
    Status(Ask),
    /// Watches a running node in this terminal: its tip, mempool, miners, peers, and what happens
    Top(Top),
    /// Lists the peers of a running node
    Peers(Ask),
    /// Shows a block of a running node
    Block {
        /// Its height or hash; the tip if left out
        block: Option<String>,
        /// Which node.
        #[command(flatten)]
        ask: Ask,
    },
    /// Shows a transaction of a running node, mined or pending
    Tx {
        /// Its id, of 64 digits
        id: String,
        /// Which node.
        #[command(flatten)]
        ask: Ask,
    },
    /// Stops a running node
    Stop(Ask),
    /// Tells a running node whom to pay for its blocks
    MineTo {
        /// Address for the coins, such as lcrn1...
        address: String,
        /// Account for the tips of account transactions, 0x...
        #[arg(long)]
        account: Option<String>,
        /// Which node.
        #[command(flatten)]
        ask: Ask,
    },
    /// Follows a certificate that a running node refused, since it would disconnect more blocks than the chain allows
    AcceptCertificate {
        /// Hash of its block, as `status` shows it
        block: String,
        /// Which node.
        #[command(flatten)]
        ask: Ask,
    },
    /// Shows the version
    Version,
}

/// `cairn-node member`.
#[derive(Clone, Debug, Args)]
#[command(args_conflicts_with_subcommands = true)]
pub struct Member {
    /// What to do; shows the key if left out.
    #[command(subcommand)]
    pub command: Option<MemberCommand>,
    /// Which node.
    #[command(flatten)]
    pub flags: MemberFlags,
}

/// What `cairn-node member` can do.
#[derive(Clone, Debug, Subcommand)]
pub enum MemberCommand {
    /// Makes a new key, for the chain spec's list of members
    New(MemberFlags),
    /// Lets a member vote again whose file member.votes was lost, from a checkpoint on
    Resume {
        /// Height of the first checkpoint that it votes on
        #[arg(value_name = "HEIGHT")]
        height: u32,
        /// Forgets votes that were not lost: only if no node has the certificates any more, else the member may sign a second block and be
        /// named as faulty
        #[arg(long)]
        forget_votes: bool,
        /// Which node.
        #[command(flatten)]
        flags: MemberFlags,
    },
}

/// Which node's key.
#[derive(Clone, Debug, Args)]
pub struct MemberFlags {
    /// Which chain: main, test, local, devnet, or a TOML file with a chain spec [default: main]
    #[arg(long, value_name = "NAME|FILE", env = "CAIRN_CHAIN")]
    pub chain: Option<String>,
    /// Where the node keeps its data [default: ~/.cairn/CHAIN]
    #[arg(long, value_name = "DIR")]
    pub datadir: Option<PathBuf>,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// Flags of `cairn-node devnet`.
#[derive(Clone, Debug, Args)]
pub struct Devnet {
    /// How many nodes
    #[arg(long, value_name = "N", default_value_t = 4, value_parser = clap::value_parser!(u16).range(1..=100))]
    pub nodes: u16,
    /// How many of them mine, on a thread each
    #[arg(long, value_name = "M", default_value_t = 1)]
    pub miners: u16,
    /// devnet (local with funded accounts, whose keys everybody knows), main, test, local or a TOML file
    #[arg(long, value_name = "NAME|FILE", default_value = "devnet")]
    pub chain: String,
    /// How many of them finalize blocks: 1, 4, 7, ... The chain then is one of its own
    #[arg(long, value_name = "N", default_value_t = 0)]
    pub members: u16,
    /// First port of the nodes' RPCs; ports in use are left out
    #[arg(long, value_name = "PORT", default_value_t = 18_545)]
    pub rpc_port: u16,
    /// First port of the nodes for each other
    #[arg(long, value_name = "PORT", default_value_t = 31_303)]
    pub port: u16,
    /// Where the nodes keep their data, to be found again; a folder that is removed in the end if left out
    #[arg(long, value_name = "DIR")]
    pub datadir: Option<PathBuf>,
    /// Prints one JSON object a line: events, and how the nodes are when that changes
    #[arg(long)]
    pub json: bool,
}

/// What `cairn-node chain` can do.
#[derive(Debug, Subcommand)]
pub enum ChainCommand {
    /// Shows a chain's name, ids, genesis and money
    Show {
        /// main, test, local, devnet, dev or a TOML file
        #[arg(default_value = "main")]
        chain: String,
        /// The same, as every other command takes it
        #[arg(long = "chain", value_name = "CHAIN", hide = true, conflicts_with = "chain")]
        named: Option<String>,
        /// Prints JSON
        #[arg(long)]
        json: bool,
    },
    /// Prints a chain's spec as TOML, to start a private network from
    DumpSpec {
        /// main, test, local, devnet, dev or a TOML file
        #[arg(default_value = "main")]
        chain: String,
    },
}

/// How to reach a running node.
#[derive(Clone, Debug, Args)]
pub struct Reach {
    /// The node's RPC
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545", env = "CAIRN_RPC", value_parser = with_scheme)]
    pub rpc: String,
    /// File with the node's cookie [default: found for a node of this user on this machine]
    #[arg(long, value_name = "FILE", env = "CAIRN_COOKIE")]
    pub cookie: Option<PathBuf>,
}

/// Which running node to ask, and how to show the answer.
#[derive(Clone, Debug, Args)]
pub struct Ask {
    /// Which node.
    #[command(flatten)]
    pub node: Reach,
    /// Prints JSON
    #[arg(long)]
    pub json: bool,
}

/// `cairn-node top`.
#[derive(Clone, Debug, Args)]
pub struct Top {
    /// Which node.
    #[command(flatten)]
    pub node: Reach,
    /// Prints it once as text, and ends
    #[arg(long)]
    pub once: bool,
}

/// An address such as `127.0.0.1:8547` is taken for HTTP.
fn with_scheme(text: &str) -> Result<String, String> {
    match text.split_once("://") {
        None if text.is_empty() => Err("expected a URL such as http://127.0.0.1:8545".to_owned()),
        None => Ok(format!("http://{text}")),
        Some(("http", _)) => Ok(text.to_owned()),
        Some((scheme, _)) => Err(format!("{scheme} is not supported: expected a URL such as http://127.0.0.1:8545")),
    }
}

/// The command line itself, for man pages and completions.
pub fn command() -> clap::Command {
    Cli::command()
}
