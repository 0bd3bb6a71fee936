//! Arguments of commands that build, sign and send apart.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{CallArgs, DeployArgs, DepositArgs, SendArgs, TransferArgs, WithdrawArgs};

/// `build`.
#[derive(Debug, Args)]
pub struct Build {
    /// Where to write the file [default: standard output].
    #[arg(long, global = true, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, global = true)]
    pub force: bool,
    /// What to build.
    #[command(subcommand)]
    pub what: BuildCommand,
}

/// What to build.
#[derive(Debug, Subcommand)]
pub enum BuildCommand {
    /// Pay in coins.
    Send(SendArgs),
    /// Pay from an account.
    Transfer(TransferArgs),
    /// Deposit coins into an account.
    Deposit(DepositArgs),
    /// Withdraw from an account into coins.
    Withdraw(WithdrawArgs),
    /// Deploy a contract.
    Deploy(DeployArgs),
    /// Call a contract.
    Call(CallArgs),
}

impl BuildCommand {
    /// What the transaction will be called in `history`.
    pub fn label(&self) -> Option<&str> {
        match self {
            Self::Send(args) => args.label.as_deref(),
            Self::Transfer(args) => args.label.as_deref(),
            _ => None,
        }
    }
}

/// `broadcast`.
#[derive(Debug, Args)]
pub struct BroadcastArgs {
    /// The file.
    pub file: PathBuf,
    /// Allow fees that look like mistakes.
    #[arg(long)]
    pub allow_high_fee: bool,
}

/// `sign`.
#[derive(Debug, Args)]
pub struct SignArgs {
    /// The file.
    pub file: PathBuf,
    /// Allow fees that look like mistakes.
    #[arg(long)]
    pub allow_high_fee: bool,
    /// Where to write the result [default: the same file].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file of --out if it exists.
    #[arg(long, requires = "out")]
    pub force: bool,
}

/// `combine`.
#[derive(Debug, Args)]
pub struct Combine {
    /// The copies.
    #[arg(required = true, num_args = 2..)]
    pub files: Vec<PathBuf>,
    /// Where to write the result [default: standard output].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long, requires = "out")]
    pub force: bool,
}
