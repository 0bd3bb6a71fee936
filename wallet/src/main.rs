//! The command line wallet.

use std::process::ExitCode;

fn main() -> ExitCode {
    cairn_wallet::cli::main()
}
