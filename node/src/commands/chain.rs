//! `cairn-node chain`: what chains look like.

use chain_core::{spec::ChainSpec, units::Amount};
use serde_json::json;

use super::CommandError;
use crate::{cli::ChainCommand, config::load_spec};

/// Shows a chain or prints its spec.
pub fn execute(command: ChainCommand) -> Result<(), CommandError> {
    match command {
        ChainCommand::DumpSpec { chain } => print!("{}", load_spec(&chain)?.to_toml()),
        ChainCommand::Show { chain, json } => show(&load_spec(&chain)?, json),
    }
    Ok(())
}

fn show(spec: &ChainSpec, json: bool) {
    let genesis = spec.genesis_hash();
    let allocated = Amount::sum(spec.alloc_coins.iter().map(|output| output.amount)).unwrap_or_default();
    if json {
        let shown = json!({
            "chain": spec.name, "chainId": spec.chain_id, "hrp": spec.hrp, "genesis": genesis.to_string(),
            "targetInterval": spec.target_interval, "coinbaseMaturity": spec.coinbase_maturity,
            "gasLimit": spec.gas_limit, "subsidy": spec.subsidy.0, "halvingInterval": spec.halving_interval,
            "tailSubsidy": spec.tail_subsidy.0, "allocatedCoins": allocated.0,
            "allocatedAccounts": spec.alloc_accounts.len(),
        });
        println!("{shown:#}");
        return;
    }
    println!("chain      {}", spec.name);
    println!("chain id   {}", spec.chain_id);
    println!("addresses  {}1...", spec.hrp);
    println!("genesis    {genesis}");
    println!("blocks     every {} s, at most {} gas", spec.target_interval, spec.gas_limit);
    println!(
        "subsidy    {} CRN, halved every {} blocks, never under {} CRN",
        spec.subsidy, spec.halving_interval, spec.tail_subsidy
    );
    println!("maturity   {} blocks", spec.coinbase_maturity);
    println!("allocated  {allocated} CRN in coins, {} accounts", spec.alloc_accounts.len());
}
