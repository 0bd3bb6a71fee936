//! `policy rename`, `remove`, `export`, `import`.

use chain_core::units::Amount;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::{
    args::{PolicyExport, PolicyImport, PolicyRemove, PolicyRename},
    context::{Context, read_small},
    policy::{as_json, check_name, found, judged},
    screen::{self, Report},
};
use crate::{
    error::WalletError,
    file::{NamedPolicy, Wallet},
    input::from_json,
    node::NodeError,
};

/// Policies as they are kept outside a wallet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    /// Name of the chain, for the reader.
    network: String,
    policies: Vec<NamedPolicy>,
}

fn position(wallet: &Wallet, name: &str) -> Result<usize, WalletError> {
    let named = found(wallet, name)?;
    Ok(wallet.policies.iter().position(|other| *other == named).unwrap_or_default())
}

/// Gives a policy another name.
pub fn rename(context: &Context, args: &PolicyRename) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let position = position(&wallet, &args.name)?;
    check_name(&wallet, &args.new)?;
    wallet.policies[position].name = args.new.clone();
    lock.write(&wallet)?;
    let json = as_json(&wallet, &wallet.policies[position]);
    Ok(Report::new(format!("It is called {} from now on.", args.new), json))
}

/// Forgets a policy, unless coins would be hard to find again.
pub fn remove(context: &Context, args: &PolicyRemove) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let position = position(&wallet, &args.name)?;
    if !args.force {
        refuse_funded(context, &wallet, &wallet.policies[position])?;
    }
    let removed = wallet.policies.remove(position);
    lock.write(&wallet)?;
    let text = format!("{} {}\n{}", screen::green("Removed:"), removed.name, removed.policy);
    Ok(Report::new(text, as_json(&wallet, &removed)).hint("Keep the line if coins may still come to its address."))
}

fn refuse_funded(context: &Context, wallet: &Wallet, named: &NamedPolicy) -> Result<(), WalletError> {
    let (node, _) = match context.node(&wallet.network) {
        Err(WalletError::Node(error @ NodeError::Unreachable { .. })) => {
            let why = format!("whether '{}' holds coins is not known ({error}): add --force to remove it", named.name);
            return Err(WalletError::Usage(why));
        }
        other => other?,
    };
    let address = wallet.network.address(&named.policy.lock());
    let balance = node.coin_balance(std::slice::from_ref(&address))?;
    let holds = balance.confirmed.0.saturating_add(balance.immature.0).saturating_add(balance.pending_in.0);
    if holds == 0 {
        return Ok(());
    }
    let holds = Amount(holds);
    Err(WalletError::Usage(format!("'{}' holds {holds} CRN: spend them first, or add --force", named.name)))
}

/// Prints policies for a backup, or for the others who take part.
pub fn export(context: &Context, args: &PolicyExport) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let policies = match &args.names[..] {
        [] => wallet.policies.clone(),
        names => names.iter().map(|name| found(&wallet, name)).collect::<Result<_, _>>()?,
    };
    let json = json!(Exported { network: wallet.network.name.clone(), policies });
    Ok(Report::new(format!("{json:#}"), json))
}

/// Takes in what [`export`] printed. What is known already stays as it is.
pub fn import(context: &Context, args: &PolicyImport) -> Result<Report, WalletError> {
    let file = args.file.display().to_string();
    let text = read_small(&args.file, "policies")?;
    let exported: Exported = from_json(text.as_bytes())
        .map_err(|error| WalletError::Usage(format!("{file} does not hold policies: {error}")))?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    if exported.network != wallet.network.name {
        let what = format!("{file} is for {}, but this wallet is for {}", exported.network, wallet.network.name);
        return Err(WalletError::Usage(what));
    }
    let mut added = Vec::new();
    for named in exported.policies {
        named.policy.check().map_err(|error| WalletError::Usage(format!("'{}' is not sound: {error}", named.name)))?;
        if wallet.policies.iter().any(|known| known.policy == named.policy) {
            continue;
        }
        check_name(&wallet, &named.name)?;
        judged(context, &mut wallet, &named.policy, args.yes_really)?;
        added.push(as_json(&wallet, &named));
        wallet.policies.push(named);
    }
    lock.write(&wallet)?;
    let text = format!("{} {}", screen::green("Added:"), screen::counted(added.len() as u64, "policy"));
    Ok(Report::new(text, json!(added)))
}
