//! Arguments of `policy`.

use std::path::PathBuf;

use clap::{Args, Subcommand};

use super::{FeeArgs, Sending};

const POLICY_HELP: &str = "\
A policy is written as in
  threshold(2,key(K1),key(K2),key(K3))
  or(and(key(K1),sha256(HASH)),and(key(K2),after(HEIGHT)))
  and(key(K),older(BLOCKS))
where K is a key in hex, a coin address under a key, or `me` for a fresh key of this wallet.";

/// `policy`.
#[derive(Debug, Subcommand)]
pub enum PolicyCommand {
    /// Create a key of this wallet, to share with the other signers.
    Key,
    /// Create a random secret and its SHA-256, for an HTLC.
    Secret,
    /// Create an address from the text of a policy.
    #[command(after_help = POLICY_HELP)]
    Create(PolicyCreate),
    /// Create a multisig address: K of N keys spend.
    Multisig(PolicyMultisig),
    /// Create an HTLC address: the receiver spends with a secret, the sender after a timeout.
    Htlc(PolicyHtlc),
    /// Create a timelock address: one key spends after a height.
    Timelock(PolicyTimelock),
    /// List this wallet's policies.
    List,
    /// Show a policy, its address and its coins.
    Show {
        /// Name or address of the policy.
        name: String,
    },
    /// Rename a policy.
    Rename(PolicyRename),
    /// Remove a policy from this wallet. Its coins stay where they are; its text brings it back.
    Remove(PolicyRemove),
    /// Export policies as JSON, as a backup or for the other signers.
    Export {
        /// Names or addresses of policies [default: all].
        names: Vec<String>,
    },
    /// Import policies that `policy export` printed.
    Import(PolicyImport),
    /// Pay to a policy in coins.
    Fund(Sending<PolicyFund>),
    /// Spend from a policy: signs, and writes a file for the other signers if more signatures are needed.
    Spend(Sending<PolicySpend>),
}

/// `policy create`.
#[derive(Debug, Args)]
pub struct PolicyCreate {
    /// Text of the policy.
    pub policy: String,
    /// Accept absurd timelocks, and spending paths without a key.
    #[arg(long)]
    pub yes_really: bool,
    /// Name of the policy.
    #[arg(long)]
    pub name: Option<String>,
}

/// `policy multisig`.
#[derive(Debug, Args)]
pub struct PolicyMultisig {
    /// Number of signatures needed.
    #[arg(value_name = "K", value_parser = needed)]
    pub needed: u8,
    /// Keys of the signers.
    #[arg(required = true, value_name = "KEY")]
    pub keys: Vec<String>,
    /// Name of the policy.
    #[arg(long)]
    pub name: Option<String>,
}

/// Reads how many must sign.
fn needed(text: &str) -> Result<u8, String> {
    text.parse().map_err(|_| "write how many must sign first, as in `2 KEY KEY KEY`".into())
}

/// Reads the number of a block; says what is meant where a date was given.
fn height(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| {
        "write the height of a block, as in 250000, not a date: timelocks count blocks (`cairn-node status` shows the \
         height now)"
            .into()
    })
}

/// Reads a number of blocks.
fn blocks(text: &str) -> Result<u32, String> {
    text.parse().map_err(|_| "write a number of blocks, as in 1000: timelocks count blocks, not days".into())
}

/// A time.
#[derive(Debug, Args)]
pub struct Time {
    /// Spendable from this height on (not a date).
    #[arg(long, value_name = "HEIGHT", required_unless_present = "older", conflicts_with = "older", value_parser = height)]
    pub after: Option<u32>,
    /// Spendable this many blocks after the coin was mined.
    #[arg(long, value_name = "BLOCKS", value_parser = blocks)]
    pub older: Option<u32>,
    /// Accept absurd timelocks.
    #[arg(long)]
    pub yes_really: bool,
}

/// `policy htlc`.
#[derive(Debug, Args)]
pub struct PolicyHtlc {
    /// SHA-256 of the secret.
    #[arg(long)]
    pub hash: String,
    /// Key of the receiver, who spends with the secret.
    #[arg(long, value_name = "KEY")]
    pub receiver: String,
    /// Key of the sender, who is refunded after the timeout.
    #[arg(long, value_name = "KEY")]
    pub sender: String,
    /// The timeout.
    #[command(flatten)]
    pub time: Time,
    /// Name of the policy.
    #[arg(long)]
    pub name: Option<String>,
}

/// `policy timelock`.
#[derive(Debug, Args)]
pub struct PolicyTimelock {
    /// Key that spends.
    #[arg(long, value_name = "KEY", default_value = "me")]
    pub key: String,
    /// When.
    #[command(flatten)]
    pub time: Time,
    /// Name of the policy.
    #[arg(long)]
    pub name: Option<String>,
}

/// `policy rename`.
#[derive(Debug, Args)]
pub struct PolicyRename {
    /// Name or address of the policy.
    pub name: String,
    /// New name.
    pub new: String,
}

/// `policy remove`.
#[derive(Debug, Args)]
pub struct PolicyRemove {
    /// Name or address of the policy.
    pub name: String,
    /// Remove it even if it holds coins, or no node answers.
    #[arg(long)]
    pub force: bool,
}

/// `policy import`.
#[derive(Debug, Args)]
pub struct PolicyImport {
    /// The file (`-`: standard input).
    pub file: PathBuf,
    /// Accept absurd timelocks, and spending paths without a key.
    #[arg(long)]
    pub yes_really: bool,
}

/// `policy fund`.
#[derive(Debug, Args)]
pub struct PolicyFund {
    /// Name or address of the policy.
    pub name: String,
    /// Amount.
    pub amount: String,
    /// Accept absurd timelocks, and spending paths without a key.
    #[arg(long)]
    pub yes_really: bool,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `policy spend`.
#[derive(Debug, Args)]
pub struct PolicySpend {
    /// Name or address of the policy.
    pub name: String,
    /// Payments: ADDRESS=AMOUNT, the rest returns to the policy; or one bare ADDRESS that receives everything
    /// [default: an address of yours].
    #[arg(value_name = "ADDRESS[=AMOUNT]")]
    pub payments: Vec<String>,
    /// A secret that the policy asks for, in hex.
    #[arg(long, value_name = "HEX")]
    pub preimage: Vec<String>,
    /// Show the secret although others can take the coin without it, now or soon.
    #[arg(long)]
    pub yes_really: bool,
    /// Write the file for the other signers here [default: NAME-spend.json].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}
