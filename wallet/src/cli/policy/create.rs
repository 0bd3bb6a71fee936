//! Making policies: `policy key`, `secret`, `create`, `multisig`, `htlc`, `timelock`.

use chain_core::{
    address::AddressError,
    hash::sha256,
    transaction::{
        coin::{KeyBytes, Lock},
        policy::Policy,
    },
};
use serde_json::json;

use super::{
    check::{check_key, check_refund, judged, tip},
    manage::{as_json, check_name, described, find},
};
use crate::{
    cli::{
        args::{PolicyCreate, PolicyHtlc, PolicyMultisig, PolicyTimelock, Time},
        context::Context,
        parse::{hex32, read_hash},
        screen::{self, Report},
    },
    error::{WalletError, usage},
    file::Wallet,
    keys::Branch,
    own::{NamedPolicy, policy_keys},
    vault,
};

pub(super) fn key(context: &Context) -> Result<Report, WalletError> {
    let (lock, mut wallet) = context.wallet_to_change()?;
    let key = fresh_key(&mut wallet)?;
    lock.write(&wallet)?;
    let key = hex::encode(key.0);
    Ok(Report::new(&key, json!({ "key": key })))
}

fn fresh_key(wallet: &mut Wallet) -> Result<KeyBytes, WalletError> {
    let index = wallet.used.policy;
    let key = wallet.keys.coin_key(Branch::Policy, index)?;
    wallet.used.mark(Branch::Policy, index);
    Ok(key)
}

pub(super) fn secret() -> Result<Report, WalletError> {
    let secret = vault::random::<32>()?;
    let (secret, hash) = (hex::encode(secret), hex::encode(sha256(&secret)));
    let text = format!("secret  {secret}\nhash    {hash}");
    Ok(Report::new(text, json!({ "secret": secret, "hash": hash })).hint(
        "Write the secret down and keep it to yourself until you spend: the wallet does not keep it. Give the others the hash.",
    ))
}

/// A key as users name it: hex, a coin address under a key, or `me`.
fn policy_key(wallet: &mut Wallet, text: &str) -> Result<KeyBytes, WalletError> {
    let text = text.trim();
    if text == "me" {
        return fresh_key(wallet);
    }
    let key = match hex32(text) {
        Some(bytes) => KeyBytes(bytes),
        None => match wallet.network.coin_address(text) {
            Ok(Lock::Key(key)) => key,
            Ok(_) => return Err(usage!("{text} is the address of a policy, not of a key")),
            Err(bad) if matches!(bad.error, AddressError::NotCoin { .. } | AddressError::Kind { .. }) => {
                return Err(usage!(
                    "'{text}' is not a key: write `me` for a new key of this wallet, the 64 hexadecimal digits of a key, or the \
                     coin address ({}1...) of one",
                    wallet.network.hrp
                ));
            }
            Err(bad) => return Err(bad.into()),
        },
    };
    check_key(&key)?;
    Ok(key)
}

pub(super) fn create(context: &Context, args: &PolicyCreate) -> Result<Report, WalletError> {
    keep(context, args.name.clone(), args.yes_really, |wallet| {
        let text = name_keys(wallet, &args.policy)?;
        let policy: Policy = text.parse().map_err(|error| usage!("'{text}' is not a policy: {error}"))?;
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
            let key = policy_key(wallet, &word)?;
            word = hex::encode(key.0);
        }
        named += &std::mem::take(&mut word);
        if letter != '\0' {
            named.push(letter);
        }
    }
    Ok(named)
}

pub(super) fn multisig(context: &Context, args: PolicyMultisig) -> Result<Report, WalletError> {
    keep(context, args.name, false, |wallet| {
        let mut keys = Vec::new();
        for text in &args.keys {
            let key = policy_key(wallet, text)?;
            if keys.contains(&key) {
                return Err(usage!("the key {} is named twice", hex::encode(key.0)));
            }
            keys.push(key);
        }
        if keys.len() > 100 || usize::from(args.needed) > keys.len() || args.needed == 0 {
            return Err(usage!("{} of {} keys is impossible", args.needed, keys.len()));
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

pub(super) fn htlc(context: &Context, args: PolicyHtlc) -> Result<Report, WalletError> {
    keep(context, args.name, args.time.yes_really, |wallet| {
        let hash = read_hash(&args.hash, "hash")?;
        let receiver = policy_key(wallet, &args.receiver)?;
        let sender = policy_key(wallet, &args.sender)?;
        let refund = time(&args.time);
        check_refund(&refund, tip(context, wallet, &refund)?.as_ref(), args.time.yes_really)?;
        Ok(Policy::htlc(hash, receiver, sender, time(&args.time)))
    })
}

pub(super) fn timelock(context: &Context, args: PolicyTimelock) -> Result<Report, WalletError> {
    keep(context, args.name, args.time.yes_really, |wallet| {
        let key = policy_key(wallet, &args.key)?;
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
    policy.check().map_err(|error| usage!("invalid policy: {error}"))?;
    let times = judged(context, &mut wallet, &policy, yes_really)?;
    if let Some(old) = wallet.policies.iter().find(|named| named.policy == policy) {
        return Err(usage!("that policy is known already, as '{}'", old.name));
    }
    let name = name.unwrap_or_else(|| {
        (1..).map(|number| format!("policy{number}")).find(|name| find(&wallet, name).is_none()).unwrap_or_default()
    });
    check_name(&wallet, &name)?;
    let named = NamedPolicy { name, policy };
    wallet.policies.push(named.clone());
    lock.write(&wallet)?;
    let own = wallet.key_table()?;
    let mut text = described(&wallet, &named);
    text += &times.iter().map(|line| format!("  {line}\n")).collect::<String>();
    if !policy_keys(&named.policy).iter().any(|key| own.has(key)) {
        screen::warn("none of its keys is of this wallet");
    }
    Ok(Report::new(text, as_json(&wallet, &named))
        .hint("The others need this line to spend: keep it safe, the address alone does not suffice."))
}
