//! Commands and flags.

mod coins;
mod contract;
mod keys;
mod offline;
mod policy;

use std::path::PathBuf;

use clap::{Args, Parser, Subcommand, ValueEnum};

pub use self::{
    coins::{CoinIds, History, Label, Mine, Resend},
    contract::{CallArgs, DeployArgs, RunArgs, Target, ViewArgs},
    keys::{Backup, ExportKey, ImportKey, SignMessage, SignTypedData, Text, VerifyMessage},
    offline::{BroadcastArgs, Build, BuildCommand, Combine, SignArgs},
    policy::{
        PolicyCommand, PolicyCreate, PolicyFund, PolicyHtlc, PolicyImport, PolicyMultisig, PolicyRemove, PolicyRename,
        PolicySpend, PolicyTimelock, Time,
    },
};

use crate::own::GAP;

const EXAMPLES: &str = "\
Examples:
  cairn-wallet create                                create a wallet for the chain of the local node
  cairn-wallet address                               show receive addresses
  cairn-wallet mine                                  have the node mine for you
  cairn-wallet balance
  cairn-wallet send lcrn1q…=1.5 lcrn1p…=0.25 --wait  pay two people in coins, wait for the block
  cairn-wallet deposit 2                             2 CRN of coins into your account
  cairn-wallet transfer 0x70997970C51812dc3A010C7d01b50e0d17dc79C8 0.5
  cairn-wallet withdraw 1                            1 CRN of your account back into coins
  cairn-wallet deploy out/Token.json 1000e18 --wait  deploy a contract from a compiler's output
  cairn-wallet call 0xC0de… 'transfer(address,uint256)' 0x7099… 1.5e18
  cairn-wallet view 0xC0de… 'balanceOf(address) returns (uint256)' 0x7099…
  cairn-wallet build --out pay.json send lcrn1q…=1   build a file to sign on an offline machine

Amounts are in CRN (1.5, 1.5crn) or in 150000000grains; accounts also take gwei and wei.";

const EXIT_CODES: &str = "\
Exit codes:
  0  done                                   6  another chain: node, file or address
  1  the system refuses (disk, terminal)    7  not enough funds
  2  flags, amounts or addresses are wrong  8  refused as harmful: fee, dust, incomplete signatures
  3  wallet file missing, damaged, in use   9  unknown to the node, refused by it, or failed
  4  wrong password                        10  cancelled
  5  no node answers as it should         11  sent, but the outcome is unknown: run `resend`
                                         101  a bug of this program: please report it
With --json, errors are printed to standard error as {\"error\": {\"code\", \"kind\", \"message\", \"hint\"}}.

Keys come from one BIP 39 mnemonic: coins m/4411982'/0'/{0 receive, 1 change, 2 policies}/i (BIP 340), accounts
m/44'/60'/0'/0/i. The file holds the mnemonic encrypted with your password (Argon2id, XChaCha20-Poly1305).";

/// The wallet of Cairn: coins and accounts from one mnemonic.
#[derive(Debug, Parser)]
#[command(name = "cairn-wallet", version = cairn_client::VERSION, max_term_width = 120, after_help = EXAMPLES,
    after_long_help = format!("{EXAMPLES}\n\n{EXIT_CODES}"), subcommand_required = true, arg_required_else_help = true)]
pub struct Cli {
    /// Flags of every command.
    #[command(flatten)]
    pub global: Global,
    /// What to do.
    #[command(subcommand)]
    pub command: Command,
}

/// Flags of every command.
#[derive(Clone, Debug, Args)]
#[command(next_help_heading = "Options of every command")]
pub struct Global {
    /// JSON-RPC URL of the node.
    #[arg(long, global = true, value_name = "URL", env = "CAIRN_RPC", default_value = "http://127.0.0.1:8545")]
    pub rpc: String,
    /// Cookie file of the node, for `mine` [default: that of this user's local node].
    #[arg(long, global = true, value_name = "FILE", env = "CAIRN_COOKIE")]
    pub cookie: Option<PathBuf>,
    /// The wallet's file [default: ~/.cairn/wallet/CHAIN.json].
    #[arg(long, global = true, value_name = "FILE", env = "CAIRN_WALLET")]
    pub wallet: Option<PathBuf>,
    /// The chain: main, test, local, devnet, dev, or the TOML file of its spec [default: the wallet's, or the node's].
    #[arg(long, global = true, value_name = "NAME|FILE", env = "CAIRN_CHAIN")]
    pub chain: Option<String>,
    /// Timeout of a request to the node, in seconds [default: 30, and 10 for the first, which asks who answers].
    #[arg(long, global = true, value_name = "SECONDS", value_parser = clap::value_parser!(u16).range(1..=3600))]
    pub timeout: Option<u16>,
    /// Print JSON for programs: coins in grains, accounts in wei.
    #[arg(long, global = true)]
    pub json: bool,
    /// Answer yes to every question.
    #[arg(long, short, global = true)]
    pub yes: bool,
    /// Take the password from the first line of a file (or from the environment: CAIRN_WALLET_PASSWORD).
    #[arg(long, global = true, value_name = "FILE")]
    pub password_file: Option<PathBuf>,
}

/// What to do.
#[derive(Debug, Subcommand)]
pub enum Command {
    /// Create a wallet: a new mnemonic, shown once.
    Create(Create),
    /// Restore a wallet from its mnemonic, and scan for its coins and accounts.
    Restore(Restore),
    /// Show receive addresses, of coins and of accounts.
    Address(AddressArgs),
    /// Start mining on the node, with this wallet's addresses as payout.
    Mine(Mine),
    /// Show the balance of coins and of accounts.
    Balance,
    /// Pay in coins.
    Send(Sending<SendArgs>),
    /// Pay from an account.
    Transfer(Sending<TransferArgs>),
    /// Deposit coins into an account.
    Deposit(Sending<DepositArgs>),
    /// Withdraw from an account into coins.
    Withdraw(Sending<WithdrawArgs>),
    /// Deploy a contract.
    Deploy(Sending<DeployArgs>),
    /// Send a transaction that calls a contract.
    Call(Sending<CallArgs>),
    /// Call a contract without a transaction (`eth_call`).
    View(ViewArgs),
    /// List transactions, newest first.
    History(History),
    /// Raise the fee of a pending transaction (replace by fee).
    Bump(Sending<BumpArgs>),
    /// Cancel a pending transaction: replace it by one with a higher fee that pays only this wallet.
    Cancel(Sending<CancelArgs>),
    /// List unspent coins.
    Coins {
        /// Include coins that pending transactions spend.
        #[arg(long)]
        all: bool,
    },
    /// Freeze coins: they are not spent until `unfreeze`.
    Freeze(CoinIds),
    /// Unfreeze coins.
    Unfreeze(CoinIds),
    /// Show one transaction.
    Tx {
        /// The transaction.
        txid: String,
    },
    /// Estimate fees.
    Fees,
    /// Label an address, a key or a transaction; list the labels.
    Label(Label),
    /// Rebroadcast transactions that the node no longer knows.
    Resend(Resend),
    /// Manage policies: multisig, HTLC and timelock addresses.
    #[command(subcommand)]
    Policy(PolicyCommand),
    /// Build an unsigned transaction into a file. Needs no password.
    Build(Build),
    /// Sign a file that `build` made. Needs no node.
    Sign(SignArgs),
    /// Show the transaction in a file that `build` made. Needs no node.
    Show {
        /// The file.
        file: PathBuf,
    },
    /// Combine the signatures of several copies of one file.
    Combine(Combine),
    /// Broadcast a signed file.
    Broadcast(Sending<BroadcastArgs>),
    /// Export the key of one account as a keystore file (geth, MetaMask, cast).
    ExportKey(ExportKey),
    /// Import the key of an account from a keystore file or from hex.
    ImportKey(ImportKey),
    /// Sign a message with the key of an account or of a coin address.
    SignMessage(SignMessage),
    /// Sign typed data (EIP-712) for this chain with the key of an account, as applications ask for it.
    SignTypedData(SignTypedData),
    /// Verify a signed message. Needs no wallet and no node.
    VerifyMessage(VerifyMessage),
    /// Back up the whole wallet: keys, policies, labels. The file is encrypted with the password.
    Backup(Backup),
    /// Scan again for used addresses and accounts.
    Rescan {
        /// Stop the scan after N unused addresses in a row.
        #[arg(long, default_value_t = GAP, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
        gap: u32,
    },
    /// Show the mnemonic. Anyone who sees it can take your money.
    ShowMnemonic,
    /// Change the password.
    ChangePassword {
        /// Take the new password from the first line of a file instead of asking for it.
        #[arg(long, value_name = "FILE")]
        new_password_file: Option<PathBuf>,
    },
    /// Export the public keys, for a watch-only wallet.
    PublicKeys,
    /// Create a watch-only wallet from the output of `public-keys`.
    Watch {
        /// The file.
        file: PathBuf,
    },
}

/// A command that sends a transaction.
#[derive(Debug, Args)]
pub struct Sending<A: Args> {
    /// What is sent.
    #[command(flatten)]
    pub args: A,
    /// What is done with it.
    #[command(flatten)]
    pub wait: Wait,
}

/// What is done once a transaction is built.
#[derive(Clone, Copy, Debug, Args)]
pub struct Wait {
    /// Wait until it is mined.
    #[arg(long)]
    pub wait: bool,
    /// Pay again although the same payment was made before and may still be mined.
    #[arg(long)]
    pub again: bool,
    /// Wait for N confirmations.
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=1_000_000))]
    pub confirmations: Option<u32>,
    /// Dry run: show the transaction and its fee without signing or sending it.
    #[arg(long, conflicts_with_all = ["wait", "confirmations"])]
    pub dry_run: bool,
}

impl Wait {
    /// Blocks that are waited for, if any.
    pub fn blocks(self) -> Option<u64> {
        self.confirmations.or(self.wait.then_some(1)).map(u64::from)
    }
}

/// `create`.
#[derive(Debug, Args)]
pub struct Create {
    /// Words of the mnemonic: 12 or 24.
    #[arg(long, default_value = "12", value_parser = ["12", "24"])]
    pub words: String,
    /// What belongs to the words.
    #[command(flatten)]
    pub passphrase: Passphrase,
}

/// A BIP 39 passphrase: with another one the same words are another wallet.
#[derive(Debug, Args)]
pub struct Passphrase {
    /// Ask for a BIP 39 passphrase. It is a part of the keys: without it the words restore another, empty wallet.
    #[arg(long)]
    pub passphrase: bool,
    /// Take the BIP 39 passphrase from the first line of a file.
    #[arg(long, value_name = "FILE", conflicts_with = "passphrase")]
    pub passphrase_file: Option<PathBuf>,
}

/// `restore`.
#[derive(Debug, Args)]
pub struct Restore {
    /// Read the mnemonic from a file (`-`: standard input) instead of asking for it.
    #[arg(long, value_name = "FILE")]
    pub mnemonic_file: Option<PathBuf>,
    /// Restore a whole wallet from a file that `backup` wrote, policies and labels included.
    #[arg(long, value_name = "FILE", conflicts_with_all = ["mnemonic_file", "passphrase", "passphrase_file"])]
    pub backup: Option<PathBuf>,
    /// What belongs to the words.
    #[command(flatten)]
    pub passphrase: Passphrase,
    /// Stop the scan after N unused addresses in a row.
    #[arg(long, default_value_t = GAP, value_name = "N", value_parser = clap::value_parser!(u32).range(1..=10_000))]
    pub gap: u32,
    /// Do not scan for used addresses.
    #[arg(long)]
    pub no_scan: bool,
}

/// The two sides of the ledger.
#[derive(Clone, Copy, Debug, PartialEq, Eq, ValueEnum)]
pub enum Side {
    /// A coin address.
    Coin,
    /// An account.
    Account,
}

/// `address`.
#[derive(Debug, Args)]
pub struct AddressArgs {
    /// Coin address or account [default: both].
    pub side: Option<Side>,
    /// Create a new address (of coins by default).
    #[arg(long)]
    pub new: bool,
    /// List all addresses.
    #[arg(long, conflicts_with = "new")]
    pub list: bool,
    /// Label of the new address.
    #[arg(long, value_name = "NAME", requires = "new")]
    pub label: Option<String>,
    /// Also draw it as a QR code.
    #[arg(long, conflicts_with = "list")]
    pub qr: bool,
}

/// What a transaction may cost.
#[derive(Clone, Debug, Args)]
pub struct FeeArgs {
    /// slow, normal, fast, or the tip in gwei per gas, on top of the base fee.
    #[arg(long, value_name = "RATE", default_value = "normal")]
    pub fee_rate: String,
    /// Allow fees that look like mistakes.
    #[arg(long)]
    pub allow_high_fee: bool,
}

/// `send`.
#[derive(Debug, Args)]
pub struct SendArgs {
    /// Payments: one or more ADDRESS=AMOUNT, or one ADDRESS AMOUNT; with --max one bare ADDRESS.
    #[arg(required = true, value_name = "ADDRESS=AMOUNT")]
    pub payments: Vec<String>,
    /// Send everything.
    #[arg(long)]
    pub max: bool,
    /// Spend only this coin; may be repeated.
    #[arg(long = "coin", value_name = "TXID:N")]
    pub coins: Vec<String>,
    /// Label of the payment in `history`.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `transfer`.
#[derive(Debug, Args)]
pub struct TransferArgs {
    /// Payment: ACCOUNT=AMOUNT or ACCOUNT AMOUNT; with --max a bare ACCOUNT.
    #[arg(required = true, num_args = 1..=2, value_name = "ACCOUNT=AMOUNT")]
    pub payment: Vec<String>,
    /// Account to pay from: its number or address.
    #[arg(long, default_value = "0", value_name = "ACCOUNT")]
    pub from: String,
    /// Send everything.
    #[arg(long)]
    pub max: bool,
    /// Label of the payment in `history`.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
    /// Nonce of the transaction [default: the account's next].
    #[arg(long, value_name = "N")]
    pub nonce: Option<u64>,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `deposit`.
#[derive(Debug, Args)]
pub struct DepositArgs {
    /// Amount.
    #[arg(required_unless_present = "max", conflicts_with = "max")]
    pub amount: Option<String>,
    /// Account to credit: one of yours by number, or any by address.
    #[arg(long, default_value = "0", value_name = "ACCOUNT")]
    pub to: String,
    /// Deposit all coins.
    #[arg(long)]
    pub max: bool,
    /// Spend only this coin; may be repeated.
    #[arg(long = "coin", value_name = "TXID:N")]
    pub coins: Vec<String>,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `withdraw`.
#[derive(Debug, Args)]
pub struct WithdrawArgs {
    /// Amount.
    #[arg(required_unless_present = "max", conflicts_with = "max")]
    pub amount: Option<String>,
    /// Coin address to pay [default: one of yours].
    #[arg(long, value_name = "ADDRESS")]
    pub to: Option<String>,
    /// Account to pay from: its number or address.
    #[arg(long, default_value = "0", value_name = "ACCOUNT")]
    pub from: String,
    /// Withdraw everything.
    #[arg(long)]
    pub max: bool,
    /// Nonce of the transaction [default: the account's next].
    #[arg(long, value_name = "N")]
    pub nonce: Option<u64>,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `bump` and `cancel`.
#[derive(Debug, Args)]
pub struct BumpArgs {
    /// The transaction.
    pub txid: String,
    /// Write the file for the other signers of a policy here [default: TXID-bump.json or TXID-cancel.json].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `cancel`.
#[derive(Debug, Args)]
pub struct CancelArgs {
    /// What is cancelled.
    #[command(flatten)]
    pub bump: BumpArgs,
    /// Cancel also what shows the secret of an HTLC, which anyone can have read by now.
    #[arg(long)]
    pub yes_really: bool,
}
