//! `policy`: addresses of several keys, times and secrets.

use chain_core::{
    hash::sha256,
    transaction::{
        coin::{KeyBytes, Lock},
        policy::{Policy, PolicyNode},
    },
};
use serde_json::json;

use super::{
    args::{
        PolicyCommand, PolicyCreate, PolicyFund, PolicyHtlc, PolicyMultisig, PolicyName, PolicySpend, PolicyTimelock,
        Time, Wait,
    },
    context::Context,
    explain::explain,
    locks, policies,
    screen::{self, Align, Report},
    send,
    spend::{self, Bump, Session, grains},
};
use crate::{
    build::{CoinOrder, PolicyOrder, policy_request},
    error::WalletError,
    file::{NamedPolicy, Wallet},
    funds,
    keys::Branch,
    node::{ChainInfo, NodeError},
    request::{OwnKeys, policy_keys},
    vault,
};

/// Runs one of the policy commands.
pub fn execute(context: &Context, command: PolicyCommand) -> Result<Report, WalletError> {
    match command {
        PolicyCommand::Key => key(context),
        PolicyCommand::Secret => secret(),
        PolicyCommand::Create(args) => create(context, &args),
        PolicyCommand::Multisig(args) => multisig(context, args),
        PolicyCommand::Htlc(args) => htlc(context, args),
        PolicyCommand::Timelock(args) => timelock(context, args),
        PolicyCommand::List => list(&context.wallet()?),
        PolicyCommand::Show(args) => show(context, &args),
        PolicyCommand::Rename(args) => policies::rename(context, &args),
        PolicyCommand::Remove(args) => policies::remove(context, &args),
        PolicyCommand::Export(args) => policies::export(context, &args),
        PolicyCommand::Import(args) => policies::import(context, &args),
        PolicyCommand::Fund { args, wait } => fund(context, &args, wait),
        PolicyCommand::Spend { args, wait } => spend(context, &args, wait),
    }
}

fn key(context: &Context) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let key = fresh_key(&mut wallet)?;
    lock.write(&wallet)?;
    let key = hex::encode(key.0);
    Ok(Report::new(&key, json!({ "key": key })))
}

fn fresh_key(wallet: &mut Wallet) -> Result<KeyBytes, WalletError> {
    let index = wallet.used.policy;
    let key = wallet.keys.coin_key(Branch::Policy, index)?;
    funds::mark_used(wallet, Branch::Policy, index);
    Ok(key)
}

fn secret() -> Result<Report, WalletError> {
    let secret = vault::random::<32>()?;
    let (secret, hash) = (hex::encode(secret), hex::encode(sha256(&secret)));
    let text = format!("secret  {secret}\nhash    {hash}");
    Ok(Report::new(text, json!({ "secret": secret, "hash": hash })).hint(
        "Write the secret down and keep it to yourself until you spend: the wallet does not keep it. Give the others the hash.",
    ))
}

/// A key as users name it: hex, a coin address under a key, or `me`.
fn read_key(wallet: &mut Wallet, text: &str) -> Result<KeyBytes, WalletError> {
    let text = text.trim();
    if text == "me" {
        return fresh_key(wallet);
    }
    let digits = text.strip_prefix("0x").unwrap_or(text);
    let key = if digits.len() == 64 && digits.bytes().all(|byte| byte.is_ascii_hexdigit()) {
        let bytes = hex::decode(digits).ok().and_then(|bytes| bytes.try_into().ok());
        KeyBytes(bytes.ok_or_else(|| WalletError::Usage(format!("'{text}' is not a key")))?)
    } else {
        match wallet.network.coin_address(text)? {
            Lock::Key(key) => key,
            _ => return Err(WalletError::Usage(format!("{text} is not the address of a key"))),
        }
    };
    check_key(&key)?;
    Ok(key)
}

/// Refuses a key that nobody can sign with.
fn check_key(key: &KeyBytes) -> Result<(), WalletError> {
    secp256k1::XOnlyPublicKey::from_byte_array(key.0).map(drop).map_err(|_| {
        WalletError::Usage(format!(
            "{} is not the x-only key of a point: nobody could sign with it",
            hex::encode(key.0)
        ))
    })
}

fn create(context: &Context, args: &PolicyCreate) -> Result<Report, WalletError> {
    keep(context, args.name.clone(), args.yes_really, |wallet| {
        let text = name_keys(wallet, &args.policy)?;
        let policy: Policy =
            text.parse().map_err(|error| WalletError::Usage(format!("'{text}' is not a policy: {error}")))?;
        Ok(policy)
    })
}

/// Puts hex in the place of `me` and addresses.
fn name_keys(wallet: &mut Wallet, text: &str) -> Result<String, WalletError> {
    let mut named = String::new();
    let mut word = String::new();
    for letter in text.chars().filter(|letter| !letter.is_whitespace()).chain(['\0']) {
        if letter.is_ascii_alphanumeric() {
            word.push(letter);
            continue;
        }
        let is_address = word.starts_with(&format!("{}1", wallet.network.hrp));
        if word == "me" || is_address {
            let key = read_key(wallet, &word)?;
            word = hex::encode(key.0);
        }
        named += &std::mem::take(&mut word);
        if letter != '\0' {
            named.push(letter);
        }
    }
    Ok(named)
}

fn multisig(context: &Context, args: PolicyMultisig) -> Result<Report, WalletError> {
    keep(context, args.name, false, |wallet| {
        let mut keys = Vec::new();
        for text in &args.keys {
            let key = read_key(wallet, text)?;
            if keys.contains(&key) {
                return Err(WalletError::Usage(format!("the key {} is named twice", hex::encode(key.0))));
            }
            keys.push(key);
        }
        if keys.len() > 100 || usize::from(args.needed) > keys.len() || args.needed == 0 {
            return Err(WalletError::Usage(format!("{} of {} keys is impossible", args.needed, keys.len())));
        }
        Ok(Policy::threshold(args.needed, keys.into_iter().map(Policy::key)))
    })
}

fn time(time: &Time) -> Policy {
    match (time.after, time.older) {
        (Some(height), _) => Policy::after(height),
        (None, blocks) => Policy::older(blocks.unwrap_or(0)),
    }
}

fn read_hash(text: &str, what: &str) -> Result<[u8; 32], WalletError> {
    let digits = text.trim();
    let bytes = hex::decode(digits.strip_prefix("0x").unwrap_or(digits)).ok().and_then(|bytes| bytes.try_into().ok());
    bytes.ok_or_else(|| WalletError::Usage(format!("the {what} '{text}' is not 64 hexadecimal digits")))
}

fn htlc(context: &Context, args: PolicyHtlc) -> Result<Report, WalletError> {
    keep(context, args.name, args.time.yes_really, |wallet| {
        let hash = read_hash(&args.hash, "hash")?;
        let receiver = read_key(wallet, &args.receiver)?;
        let sender = read_key(wallet, &args.sender)?;
        let refund = time(&args.time);
        locks::check_refund(&refund, tip(context, wallet, &refund)?.as_ref(), args.time.yes_really)?;
        Ok(Policy::htlc(hash, receiver, sender, time(&args.time)))
    })
}

fn timelock(context: &Context, args: PolicyTimelock) -> Result<Report, WalletError> {
    keep(context, args.name, args.time.yes_really, |wallet| {
        let key = read_key(wallet, &args.key)?;
        Ok(Policy::and([Policy::key(key), time(&args.time)]))
    })
}

/// Keeps a new policy under its name.
fn keep(
    context: &Context,
    name: Option<String>,
    yes_really: bool,
    make: impl FnOnce(&mut Wallet) -> Result<Policy, WalletError>,
) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let policy = make(&mut wallet)?;
    policy.check().map_err(|error| WalletError::Usage(format!("invalid policy: {error}")))?;
    let times = judged(context, &mut wallet, &policy, yes_really)?;
    if let Some(old) = wallet.policies.iter().find(|named| named.policy == policy) {
        return Err(WalletError::Usage(format!("that policy is known already, as '{}'", old.name)));
    }
    let name = name.unwrap_or_else(|| {
        (1..).map(|number| format!("policy{number}")).find(|name| find(&wallet, name).is_none()).unwrap_or_default()
    });
    check_name(&wallet, &name)?;
    let named = NamedPolicy { name, policy };
    wallet.policies.push(named.clone());
    lock.write(&wallet)?;
    let own = OwnKeys::new(&wallet).table()?;
    let mut text = described(&wallet, &named);
    text += &times.iter().map(|line| format!("  {line}\n")).collect::<String>();
    if !policy_keys(&named.policy).iter().any(|key| own.coin(key, None).is_some()) {
        screen::warn("none of its keys is of this wallet");
    }
    Ok(Report::new(text, as_json(&wallet, &named))
        .hint("The others need this line to spend: keep it safe, the address alone does not suffice."))
}

/// Refuses a sound policy whose coins would be lost or belong to others, and finds the wallet's keys in it; answers what its
/// times mean.
///
/// # Errors
/// [`WalletError::Usage`].
pub fn judged(
    context: &Context,
    wallet: &mut Wallet,
    policy: &Policy,
    yes_really: bool,
) -> Result<Vec<String>, WalletError> {
    policy_keys(policy).iter().try_for_each(check_key)?;
    let info = tip(context, wallet, policy)?;
    if info.is_none() && has_times(policy) {
        screen::warn("no node answers, so the policy's times were not compared with the tip of the chain");
    }
    let times = locks::check(policy, info.as_ref(), yes_really)?;
    // After a restore the wallet does not know how many keys it gave to policies.
    wallet.find_policy_keys(&[policy])?;
    Ok(times)
}

/// Refuses a name that no policy can have, or that one has already.
///
/// # Errors
/// [`WalletError::Usage`].
pub fn check_name(wallet: &Wallet, name: &str) -> Result<(), WalletError> {
    let plain = |letter: char| letter.is_alphanumeric() || matches!(letter, '-' | '_' | '.');
    if name.is_empty() || name.chars().count() > 40 || !name.chars().all(plain) {
        return Err(WalletError::Usage("a name has 1 to 40 letters, digits, dashes, dots or underscores".into()));
    }
    if find(wallet, name).is_some() {
        return Err(WalletError::Usage(format!("there is a policy '{name}' already")));
    }
    Ok(())
}

fn has_times(policy: &Policy) -> bool {
    policy.0.iter().any(|node| matches!(node, PolicyNode::After(_) | PolicyNode::Older(_)))
}

/// What the node says of the tip, if the policy names a time; without a node the height of the tip is not known.
fn tip(context: &Context, wallet: &Wallet, policy: &Policy) -> Result<Option<ChainInfo>, WalletError> {
    if !has_times(policy) {
        return Ok(None);
    }
    match context.node(&wallet.network) {
        Ok((_, info)) => Ok(Some(info)),
        Err(WalletError::Node(NodeError::Unreachable { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

fn described(wallet: &Wallet, named: &NamedPolicy) -> String {
    format!("{}  {}\n{}\n", screen::bold(&named.name), wallet.network.address(&named.policy.lock()), named.policy)
}

/// A policy for programs.
pub fn as_json(wallet: &Wallet, named: &NamedPolicy) -> serde_json::Value {
    json!({
        "name": named.name, "address": wallet.network.address(&named.policy.lock()),
        "policy": named.policy.to_string(),
    })
}

fn find<'a>(wallet: &'a Wallet, name: &str) -> Option<&'a NamedPolicy> {
    let address = |named: &NamedPolicy| wallet.network.address(&named.policy.lock());
    wallet.policies.iter().find(|named| named.name == name || address(named) == name)
}

/// The policy of a name or an address.
///
/// # Errors
/// [`WalletError::Usage`] if there is none.
pub fn found(wallet: &Wallet, name: &str) -> Result<NamedPolicy, WalletError> {
    find(wallet, name)
        .cloned()
        .ok_or_else(|| WalletError::Usage(format!("there is no policy '{name}'; see `cairn-wallet policy list`")))
}

fn list(wallet: &Wallet) -> Result<Report, WalletError> {
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

fn show(context: &Context, args: &PolicyName) -> Result<Report, WalletError> {
    let wallet = context.wallet()?;
    let named = found(&wallet, &args.name)?;
    let own = OwnKeys::new(&wallet).table()?;
    let mut json = as_json(&wallet, &named);
    let (node, info) = context.node(&wallet.network)?;
    let mut text = described(&wallet, &named);
    text += &explain(&wallet, &named.policy, &own, info.height.saturating_add(1));
    let funds = funds::load_policy(&node, &wallet, &named.policy, node.block_hash(1)?)?;
    let sums = funds.sums();
    text += &format!("{} {} CRN", screen::bold("Coins"), sums.spendable);
    if sums.pending > chain_core::units::Amount::ZERO {
        text += &format!(", {} not mined yet", sums.pending);
    }
    text += &format!(" (the tip has height {})\n", info.height);
    let rows: Vec<Vec<String>> = funds
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

fn fund(context: &Context, args: &PolicyFund, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let named = found(&session.wallet, &args.name)?;
    let times = locks::check(&named.policy, Some(&session.info), args.yes_really)?;
    times.iter().for_each(|line| screen::warn(line));
    let order = CoinOrder::Pay(vec![(named.policy.lock(), grains(&args.amount)?)]);
    let request = send::pay_coins(&session.wallet, &session.node, &session.info, &order, &[], &args.fees)?;
    session.finish(request, wait)
}

fn spend(context: &Context, args: &PolicySpend, wait: Wait) -> Result<Report, WalletError> {
    let session = Session::open(context)?;
    let named = found(&session.wallet, &args.name)?;
    let preimages = args.preimage.iter().map(|text| read_hash(text, "preimage")).collect::<Result<Vec<_>, _>>()?;
    locks::check_preimages(&named.policy, &preimages)?;
    let order = match &args.payments[..] {
        [] => {
            let index = session.wallet.used.receive.saturating_sub(1);
            CoinOrder::All(session.wallet.keys.lock(Branch::Receive, index)?)
        }
        payments => send::coin_order(&session.wallet, payments, payments.len() == 1 && !payments[0].contains('='))?,
    };
    let terms = spend::terms(&session.node, &session.info, &args.fees)?;
    let funds = funds::load_policy(&session.node, &session.wallet, &named.policy, terms.first_block)?;
    let own = OwnKeys::new(&session.wallet).table()?;
    if !preimages.is_empty() {
        locks::check_claim(&named.policy, &own, &funds.spendable, terms.next(), args.yes_really)?;
    }
    let order = PolicyOrder { policy: named.policy.clone(), order, preimages };
    let request = policy_request(&session.wallet, &own, &funds, &terms, &order)?;
    let out = args.out.clone().unwrap_or_else(|| format!("{}-spend.json", named.name).into());
    let warning = session.check_again(&request, wait)?;
    session.finish_with(request, Bump { warning, file: Some((out, args.force)), ..Bump::default() }, wait)
}
