//! Arguments of `deploy`, `call` and `view`.

use std::path::PathBuf;

use clap::Args;

use super::FeeArgs;

const VALUES: &str = "\
Values are written as 42, -7, 0x2a, 1.5e18, true, 0xc0ffee (bytes), 0xf39F… (address), text or \"quoted text\", [1, 2] (array) and
(1, \"a\") (tuple, struct). An overloaded function is named with its types: 'mint(address,uint256)'.";

/// Help of `deploy`.
const DEPLOY_HELP: &str = "\
Examples:
  cairn-wallet deploy out/Token_sol_Token.bin 1000e18 --wait      solc --bin --abi: the .abi beside it gives the types
  cairn-wallet deploy out/Token.sol/Token.json 1000e18            forge, hardhat, solc --standard-json or --combined-json
  cairn-wallet deploy 0x6080… --constructor 'constructor(uint256)' 1000e18";

/// Help of `call`.
const CALL_HELP: &str = "\
Examples:
  cairn-wallet call 0xC0de… 'transfer(address,uint256)' 0xf39F… 1.5e18 --wait
  cairn-wallet call 0xC0de… mint --abi out/Token.json --value 0.1
  cairn-wallet call 0xC0de… 0xd0e30db0 --value 1crn              bare calldata";

/// Help of `view`.
const VIEW_HELP: &str = "\
Examples:
  cairn-wallet view 0xC0de… 'balanceOf(address) returns (uint256)' 0xf39F…
  cairn-wallet view 0xC0de… name --abi out/Token_sol_Token.abi";

/// How a transaction that runs code is sent.
#[derive(Clone, Debug, Args)]
pub struct RunArgs {
    /// Amount to send with it.
    #[arg(long, value_name = "AMOUNT", default_value = "0")]
    pub value: String,
    /// The account that sends: its number or address.
    #[arg(long, default_value = "0", value_name = "ACCOUNT")]
    pub from: String,
    /// Gas limit; also sends what would fail [default: the node's estimate and a fifth more].
    #[arg(long, value_name = "GAS", value_parser = clap::value_parser!(u64).range(21_000..))]
    pub gas_limit: Option<u64>,
    /// Nonce of the transaction [default: the account's next].
    #[arg(long, value_name = "N")]
    pub nonce: Option<u64>,
    /// What it may cost.
    #[command(flatten)]
    pub fees: FeeArgs,
}

/// `deploy`.
#[derive(Debug, Args)]
#[command(after_help = format!("{DEPLOY_HELP}\n\n{VALUES}"))]
pub struct DeployArgs {
    /// The bytecode: a compiler's file, or hex after 0x.
    #[arg(value_name = "FILE|0x…")]
    pub code: String,
    /// Arguments of the constructor.
    #[arg(allow_negative_numbers = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// Name of the contract if the file has several.
    #[arg(long, value_name = "NAME")]
    pub contract: Option<String>,
    /// Types of the constructor if there is no ABI: "constructor(uint256,address)".
    #[arg(long, value_name = "SIGNATURE")]
    pub constructor: Option<String>,
    /// How it is sent.
    #[command(flatten)]
    pub run: RunArgs,
}

/// A function of a contract, and what it is called with.
#[derive(Debug, Args)]
pub struct Target {
    /// The contract.
    #[arg(value_name = "CONTRACT")]
    pub address: String,
    /// The function: a name of the ABI, "name(types) returns (types)", or calldata in hex after 0x.
    pub function: String,
    /// Arguments of the function.
    #[arg(allow_negative_numbers = true, value_name = "ARGUMENT")]
    pub arguments: Vec<String>,
    /// The ABI: as JSON, or in a compiler's file. It also names events and errors.
    #[arg(long, value_name = "FILE")]
    pub abi: Option<PathBuf>,
    /// Name of the contract if the file has several.
    #[arg(long, value_name = "NAME", requires = "abi")]
    pub contract: Option<String>,
}

/// `call`.
#[derive(Debug, Args)]
#[command(after_help = format!("{CALL_HELP}\n\n{VALUES}"))]
pub struct CallArgs {
    /// What is called.
    #[command(flatten)]
    pub target: Target,
    /// How it is sent.
    #[command(flatten)]
    pub run: RunArgs,
}

/// `view`.
#[derive(Debug, Args)]
#[command(after_help = format!("{VIEW_HELP}\n\n{VALUES}"))]
pub struct ViewArgs {
    /// What is asked.
    #[command(flatten)]
    pub target: Target,
    /// The account that calls: its number or address [default: the wallet's first, if there is a wallet].
    #[arg(long, value_name = "ACCOUNT")]
    pub from: Option<String>,
}
