//! `cairn-node chain`: what chains look like.

use cairn_client::counted;
use chain_core::{spec::ChainSpec, units::Amount};
use serde_json::json;

use crate::{cli::ChainCommand, config::load_spec, error::CommandError, output::say};

/// Shows a chain or prints its spec.
pub fn execute(command: ChainCommand) -> Result<(), CommandError> {
    match command {
        ChainCommand::DumpSpec { chain } => say(load_spec(&chain)?.to_toml()),
        ChainCommand::Show { chain, named, json } => show(&load_spec(&named.unwrap_or(chain))?, json),
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
            "gasLimit": spec.gas_limit, "subsidy": spec.subsidy.grains(), "halvingInterval": spec.halving_interval,
            "tailSubsidy": spec.tail_subsidy.grains(), "allocatedCoins": allocated.grains(),
            "allocatedAccounts": spec.alloc_accounts.len(),
        });
        say(format_args!("{shown:#}\n"));
        return;
    }
    say(format_args!("chain      {}\n", spec.name));
    say(format_args!("chain id   {}\n", spec.chain_id));
    say(format_args!("addresses  {}1...\n", spec.hrp));
    say(format_args!("genesis    {genesis}\n"));
    say(format_args!("blocks     every {} s, at most {} gas\n", spec.target_interval, spec.gas_limit));
    say(format_args!(
        "subsidy    {} CRN, halved every {} blocks, never under {} CRN\n",
        spec.subsidy, spec.halving_interval, spec.tail_subsidy
    ));
    say(format_args!("maturity   {} blocks\n", spec.coinbase_maturity));
    say(format_args!("allocated  {allocated} CRN in coins, {}\n", counted(spec.alloc_accounts.len(), "account")));
}
