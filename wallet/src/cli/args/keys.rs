//! Arguments of commands about keys, messages and backups.

use std::path::PathBuf;

use clap::Args;

const MESSAGE_HELP: &str = "\
Examples:
  cairn-wallet sign-message 'I am alice'                       by account 0 (EIP-191, as `cast wallet sign`)
  cairn-wallet sign-message --by lcrn1q… 'I am alice'          by the key of a coin address (BIP 340)
  cairn-wallet verify-message 0xf39F… 0x5f1c… 'I am alice'";

/// `export-key`.
#[derive(Debug, Args)]
pub struct ExportKey {
    /// The account: its number or address.
    #[arg(value_name = "ACCOUNT")]
    pub account: String,
    /// The file [default: UTC--TIME--ADDRESS, as geth names it].
    #[arg(long, value_name = "FILE")]
    pub out: Option<PathBuf>,
    /// Print the bare key in hex instead. Anyone who sees it owns the account.
    #[arg(long, conflicts_with_all = ["out", "keystore_password_file", "force"])]
    pub hex: bool,
    /// Take the password of the new keystore from the first line of a file (or from the environment:
    /// CAIRN_KEYSTORE_PASSWORD).
    #[arg(long, value_name = "FILE")]
    pub keystore_password_file: Option<PathBuf>,
    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
}

/// `import-key`.
#[derive(Debug, Args)]
pub struct ImportKey {
    /// A keystore (version 3: geth, MetaMask, cast), or a file with 64 hexadecimal digits (`-`: standard input).
    pub file: PathBuf,
    /// Take the password of the keystore from the first line of a file (or from the environment:
    /// CAIRN_KEYSTORE_PASSWORD).
    #[arg(long, value_name = "FILE")]
    pub keystore_password_file: Option<PathBuf>,
    /// Label of the account.
    #[arg(long, value_name = "NAME")]
    pub label: Option<String>,
}

/// What is signed.
#[derive(Debug, Args)]
#[group(required = true, multiple = false)]
pub struct Text {
    /// The message.
    pub message: Option<String>,
    /// Take the bytes of a file (`-`: standard input) as the message.
    #[arg(long, value_name = "FILE")]
    pub file: Option<PathBuf>,
}

/// `sign-message`.
#[derive(Debug, Args)]
#[command(after_help = MESSAGE_HELP)]
pub struct SignMessage {
    /// What is signed.
    #[command(flatten)]
    pub text: Text,
    /// Signer: an account by number or address, or a coin address of yours.
    #[arg(long, value_name = "ADDRESS", default_value = "0")]
    pub by: String,
}

/// `sign-typed-data`.
#[derive(Debug, Args)]
pub struct SignTypedData {
    /// A JSON file with `types`, `primaryType`, `domain` and `message` (`-`: standard input).
    pub file: PathBuf,
    /// Signer: an account by number or address.
    #[arg(long, value_name = "ACCOUNT", default_value = "0")]
    pub by: String,
}

/// `verify-message`.
#[derive(Debug, Args)]
#[command(after_help = MESSAGE_HELP,
    override_usage = "cairn-wallet verify-message [OPTIONS] <ADDRESS> <SIGNATURE> <MESSAGE|--file <FILE>>")]
pub struct VerifyMessage {
    /// Expected signer: an account or a coin address.
    pub address: String,
    /// The signature, in hex.
    pub signature: String,
    /// The message.
    #[command(flatten)]
    pub text: Text,
}

/// `backup`.
#[derive(Debug, Args)]
pub struct Backup {
    /// File to write.
    pub file: PathBuf,
    /// Replace the file if it exists.
    #[arg(long)]
    pub force: bool,
}
