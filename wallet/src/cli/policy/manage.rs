//! Policies that a wallet keeps: `policy list`, `show`, `rename`, `remove`, `export`, `import`.

use chain_core::units::Amount;
use serde::{Deserialize, Serialize};
use serde_json::json;

use super::check::judged;
use crate::{
    cli::{
        args::{PolicyImport, PolicyRemove, PolicyRename},
        context::Context,
        explain::explain,
        files::read_small,
        screen::{self, Align, Report},
    },
    coins,
    error::{WalletError, usage},
    file::Wallet,
    input::from_json,
    money::saturating_sum,
    node::NodeError,
    own::NamedPolicy,
};

/// Policies as they are kept outside a wallet.
#[derive(Serialize, Deserialize)]
#[serde(deny_unknown_fields)]
struct Exported {
    /// Name of the chain, for the reader.
    network: String,
    policies: Vec<NamedPolicy>,
}

pub(super) fn list(wallet: &Wallet) -> Result<Report, WalletError> {
    if wallet.policies.is_empty() {
        return Ok(Report::new("", json!([])).hint("There are no policies yet; see `cairn-wallet policy --help`."));
    }
    let rows: Vec<Vec<String>> = wallet
        .policies
        .iter()
        .map(|named| vec![named.name.clone(), wallet.network.address(&named.policy.lock())])
        .collect();
    let json = wallet.policies.iter().map(|named| as_json(wallet, named)).collect::<Vec<_>>();
    Ok(Report::new(screen::table(&[Align::Left, Align::Left], &rows), json!(json)))
}

pub(super) fn show(context: &Context, name: &str) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let named = found(&wallet, name)?;
    let own = wallet.key_table()?;
    let mut json = as_json(&wallet, &named);
    let (node, info) = context.node(&wallet.network)?;
    let mut text = described(&wallet, &named);
    text += &explain(&wallet, &named.policy, &own, info.height.saturating_add(1));
    let coins = coins::load_policy(&node, &wallet, &named.policy, node.block_hash(1)?)?;
    let sums = coins.sums();
    text += &format!("{} {} CRN", screen::bold("Coins"), sums.spendable);
    if sums.pending > chain_core::units::Amount::ZERO {
        text += &format!(", {} not mined yet", sums.pending);
    }
    text += &format!(" (the tip has height {})\n", info.height);
    let rows: Vec<Vec<String>> = coins
        .spendable
        .iter()
        .map(|coin| {
            let height = coin.height.map(|height| format!("of block {height}")).unwrap_or_default();
            vec![format!("{}:{}", coin.outpoint.txid, coin.outpoint.index), coin.output.amount.to_string(), height]
        })
        .collect();
    text += &screen::table(&[Align::Left, Align::Point, Align::Left], &rows);
    json["spendable"] = json!(sums.spendable);
    json["pending"] = json!(sums.pending);
    Ok(Report::new(text, json))
}

pub(super) fn find<'a>(wallet: &'a Wallet, name: &str) -> Option<&'a NamedPolicy> {
    let address = |named: &NamedPolicy| wallet.network.address(&named.policy.lock());
    wallet.policies.iter().find(|named| named.name == name || address(named) == name)
}

/// The policy of a name or an address.
///
/// # Errors
/// [`WalletError::Usage`] if there is none.
pub(super) fn found(wallet: &Wallet, name: &str) -> Result<NamedPolicy, WalletError> {
    find(wallet, name).cloned().ok_or_else(|| usage!("there is no policy '{name}'; see `cairn-wallet policy list`"))
}

/// Refuses a name that no policy can have, or that one has already.
pub(super) fn check_name(wallet: &Wallet, name: &str) -> Result<(), WalletError> {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.chars().count() > 40 || !name.chars().all(plain) {
        return Err(usage!("a name has 1 to 40 letters, digits, dashes, dots or underscores"));
    }
    if find(wallet, name).is_some() {
        return Err(usage!("there is a policy '{name}' already"));
    }
    Ok(())
}

pub(super) fn described(wallet: &Wallet, named: &NamedPolicy) -> String {
    format!("{}  {}\n{}\n", screen::bold(&named.name), wallet.network.address(&named.policy.lock()), named.policy)
}

/// A policy for programs.
pub(super) fn as_json(wallet: &Wallet, named: &NamedPolicy) -> serde_json::Value {
    json!({
        "name": named.name, "address": wallet.network.address(&named.policy.lock()),
        "policy": named.policy.to_string(),
    })
}

fn position(wallet: &Wallet, name: &str) -> Result<usize, WalletError> {
    let named = found(wallet, name)?;
    Ok(wallet.policies.iter().position(|other| *other == named).unwrap_or_default())
}

/// Gives a policy another name.
pub(super) fn rename(context: &Context, args: &PolicyRename) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let position = position(&wallet, &args.name)?;
    check_name(&wallet, &args.new)?;
    wallet.policies[position].name = args.new.clone();
    lock.write(&wallet)?;
    let json = as_json(&wallet, &wallet.policies[position]);
    Ok(Report::new(format!("It is called {} from now on.", args.new), json))
}

/// Forgets a policy, unless coins would be hard to find again.
pub(super) fn remove(context: &Context, args: &PolicyRemove) -> Result<Report, WalletError> {
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
    let holds = saturating_sum([balance.confirmed, balance.immature, balance.pending_in]);
    if holds == Amount::ZERO {
        return Ok(());
    }
    Err(usage!("'{}' holds {holds} CRN: spend them first, or add --force", named.name))
}

/// Prints policies for a backup, or for the others who take part.
pub(super) fn export(context: &Context, names: &[String]) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let policies = match names {
        [] => wallet.policies.clone(),
        names => names.iter().map(|name| found(&wallet, name)).collect::<Result<_, _>>()?,
    };
    let json = json!(Exported { network: wallet.network.name.clone(), policies });
    Ok(Report::new(format!("{json:#}"), json))
}

/// Imports what [`export`] printed. What is known already stays as it is.
pub(super) fn import(context: &Context, args: &PolicyImport) -> Result<Report, WalletError> {
    let file = args.file.display().to_string();
    let text = read_small(&args.file, "policies")?;
    let exported: Exported =
        from_json(text.as_bytes()).map_err(|error| usage!("{file} does not hold policies: {error}"))?;
    let (lock, mut wallet) = context.wallet_to_change()?;
    if exported.network != wallet.network.name {
        let what = format!("{file} is for {}, but this wallet is for {}", exported.network, wallet.network.name);
        return Err(WalletError::Usage(what));
    }
    let mut added = Vec::new();
    for named in exported.policies {
        named.policy.check().map_err(|error| usage!("'{}' is not sound: {error}", named.name))?;
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
