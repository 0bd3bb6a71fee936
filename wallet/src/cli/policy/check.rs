//! Policies that are likely mistakes: timelocks of decades, spending paths without a key, keys that count twice.

use std::collections::BTreeSet;

use chain_core::{
    hash::sha256,
    transaction::{
        coin::{KeyBytes, Signature},
        policy::{AtHand, Policy, PolicyNode},
    },
    units::Height,
};

use crate::{
    cli::{context::Context, screen},
    coins::OwnCoin,
    draft::{Hex32, estimate},
    error::{WalletError, usage},
    file::Wallet,
    node::{ChainInfo, NodeError},
    own::{KeyTable, policy_keys},
};

/// Longest time that is believed to be meant: ten years.
const LONGEST: u64 = 10 * 365 * 24 * 3_600;

/// Blocks that a claim may have to wait until one takes it.
const CLAIM_BLOCKS: u32 = 6;

/// Refuses a policy that can only be a mistake, unless it is meant, and says when its times come. `info` is the node's, where
/// one answers; without it a block is taken to come every second, so that only dates taken for heights are found.
pub(super) fn check(policy: &Policy, info: Option<&ChainInfo>, meant: bool) -> Result<Vec<String>, WalletError> {
    let mut problems = Vec::new();
    if let Some(key) = counts_twice(policy) {
        problems.push(format!("the key {} counts twice, so that its owner signs for two", hex::encode(key.0)));
    }
    if policy.prove(&NoKey).is_some() {
        problems.push("it can be satisfied without any signature, so anyone can take what is paid to it".into());
    }
    let interval = info.map_or(1, |info| u64::from(info.target_interval.max(1)));
    let tip = info.map_or(0, |info| info.height);
    let mut lines = Vec::new();
    for node in policy.0.iter() {
        match node {
            PolicyNode::After(height) => {
                let blocks = height.saturating_sub(tip);
                let wait = span(u64::from(blocks) * interval);
                if u64::from(blocks) * interval > LONGEST {
                    problems.push(format!(
                        "after({height}) is {blocks} blocks away, {wait}: --after takes the height of a block, not a date"
                    ));
                }
                lines.extend(info.map(|_| match blocks {
                    0 => format!("after({height}) is past: the tip has height {tip}, so it holds at once"),
                    _ => format!("after({height}) holds in {blocks} blocks, {wait}; the tip has height {tip}"),
                }));
            }
            PolicyNode::Older(blocks) => {
                let wait = span(u64::from(blocks) * interval);
                if u64::from(blocks) * interval > LONGEST {
                    problems.push(format!("older({blocks}) takes {wait} from the payment on"));
                }
                lines.extend(info.map(|_| match blocks {
                    0 => "older(0) holds at once".to_owned(),
                    _ => format!("older({blocks}) holds {blocks} blocks after the payment, {wait}"),
                }));
            }
            _ => {}
        }
    }
    match problems.first() {
        Some(problem) if !meant => Err(usage!("{problem}; add --yes-really if that is what you want")),
        _ => Ok(lines),
    }
}

/// Refuses an HTLC whose refund is open at once.
pub(super) fn check_refund(time: &Policy, info: Option<&ChainInfo>, meant: bool) -> Result<(), WalletError> {
    let past = match time.0.iter().next() {
        Some(PolicyNode::After(height)) => info.is_some_and(|info| height <= info.height.saturating_add(1)),
        Some(PolicyNode::Older(blocks)) => blocks <= 1,
        _ => false,
    };
    if past && !meant {
        return Err(usage!(
            "the sender could spend it at once: {time} holds already; add --yes-really if that is what you want"
        ));
    }
    Ok(())
}

/// Refuses secrets that the policy does not ask for: without the right one its other ways are tried, and those are not meant.
pub(super) fn check_preimages(policy: &Policy, preimages: &[Hex32]) -> Result<(), WalletError> {
    let asks = |hash: [u8; 32]| policy.0.iter().any(|node| matches!(node, PolicyNode::Sha256(asked) if asked == hash));
    match preimages.iter().find(|preimage| !asks(sha256(&preimage.0))) {
        None => Ok(()),
        Some(Hex32(wrong)) => Err(usage!(
            "the preimage {} is not one that the policy asks for: its hash is {}",
            hex::encode(wrong),
            hex::encode(sha256(wrong))
        )),
    }
}

/// Refuses to show a secret for a coin that others can take without it, now or before a block is sure to hold the claim: they
/// would have both.
pub(super) fn check_claim(
    policy: &Policy,
    own: &KeyTable,
    coins: &[OwnCoin],
    next: Height,
    meant: bool,
) -> Result<(), WalletError> {
    let foreign = |key: &KeyBytes| !own.has(key);
    let open = |coin: &OwnCoin, blocks: u32| {
        let height = next.saturating_add(blocks);
        let age = height.saturating_sub(coin.height.unwrap_or(next));
        estimate(policy, &foreign, &[], height, age).is_some_and(|found| found.alone)
    };
    let first = (0..=CLAIM_BLOCKS).find(|blocks| coins.iter().any(|coin| open(coin, *blocks)));
    let Some(blocks) = first.filter(|_| !meant) else { return Ok(()) };
    let when = match blocks {
        0 => "already".to_owned(),
        blocks => format!("in {}", screen::counted(blocks, "block")),
    };
    Err(usage!(
        "others can take this coin {when} without the secret: a claim shows it to them, and they may be mined first, so that \
         they have both; add --yes-really to claim all the same"
    ))
}

/// Refuses a sound policy whose coins would be lost or belong to others, and finds the wallet's keys in it; returns what its
/// timelocks mean.
pub(super) fn judged(
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
    let times = check(policy, info.as_ref(), yes_really)?;
    // After a restore the wallet does not know how many keys it gave to policies.
    wallet.find_policy_keys(&[policy])?;
    Ok(times)
}

/// Refuses a key that no one can sign with.
pub(super) fn check_key(key: &KeyBytes) -> Result<(), WalletError> {
    secp256k1::XOnlyPublicKey::from_byte_array(key.0)
        .map(drop)
        .map_err(|_| usage!("{} is not the x-only key of a point: no one could sign with it", hex::encode(key.0)))
}

fn has_times(policy: &Policy) -> bool {
    policy.0.iter().any(|node| matches!(node, PolicyNode::After(_) | PolicyNode::Older(_)))
}

/// What the node says of the tip, if the policy names a time; without a node the height of the tip is not known.
pub(super) fn tip(context: &Context, wallet: &Wallet, policy: &Policy) -> Result<Option<ChainInfo>, WalletError> {
    if !has_times(policy) {
        return Ok(None);
    }
    match context.node(&wallet.network) {
        Ok((_, info)) => Ok(Some(info)),
        Err(WalletError::Node(NodeError::Unreachable { .. })) => Ok(None),
        Err(error) => Err(error),
    }
}

/// Seconds in words: `about 3 hours`.
fn span(seconds: u64) -> String {
    let (count, unit) = match seconds {
        0..120 => (seconds, "second"),
        120..7_200 => (seconds / 60, "minute"),
        7_200..172_800 => (seconds / 3_600, "hour"),
        172_800..63_072_000 => (seconds / 86_400, "day"),
        _ => (seconds / 31_536_000, "year"),
    };
    format!("about {count} {unit}{}", if count == 1 { "" } else { "s" })
}

/// Everything but signatures: any secret, any time.
struct NoKey;

impl AtHand for NoKey {
    fn signature(&self, _: &KeyBytes) -> Option<Signature> {
        None
    }

    fn preimage(&self, _: &[u8; 32]) -> Option<[u8; 32]> {
        Some([0; 32])
    }

    fn height(&self) -> Height {
        Height::MAX
    }

    fn age(&self) -> u32 {
        u32::MAX
    }
}

/// A key that stands in two branches which count for one and the same *and* or *threshold*.
fn counts_twice(policy: &Policy) -> Option<KeyBytes> {
    let mut twice = None;
    keys_of(&mut policy.0.iter(), &mut twice);
    twice
}

/// The keys of the next subtree. Recursive: the policy has been checked and is at most 16 deep.
fn keys_of(nodes: &mut dyn Iterator<Item = PolicyNode>, twice: &mut Option<KeyBytes>) -> BTreeSet<KeyBytes> {
    let (needed, count) = match nodes.next() {
        Some(PolicyNode::Key(key)) => return BTreeSet::from([key]),
        Some(PolicyNode::And(n)) => (n, n),
        Some(PolicyNode::Or(n)) => (1, n),
        Some(PolicyNode::Threshold(k, n)) => (k, n),
        _ => return BTreeSet::new(),
    };
    let mut all = BTreeSet::new();
    for _ in 0..count {
        let keys = keys_of(nodes, twice);
        if needed > 1 {
            *twice = twice.or(keys.intersection(&all).next().copied());
        }
        all.extend(keys);
    }
    all
}

#[cfg(test)]
mod tests {
    use chain_core::hash::sha256;

    use super::*;

    const A: KeyBytes = KeyBytes([0xa; 32]);
    const B: KeyBytes = KeyBytes([0xb; 32]);

    fn info(height: u32) -> ChainInfo {
        let json = serde_json::json!({
            "chain": "local", "chainId": 133_702, "hrp": "lcrn", "genesis": "00".repeat(32), "height": height,
            "headers": height, "baseFee": 1, "syncing": false, "coinbaseMaturity": 10, "targetInterval": 30, "time": 1_760_000_000,
        });
        serde_json::from_value(json).unwrap()
    }

    fn problem(policy: &Policy, info: Option<&ChainInfo>) -> String {
        assert!(check(policy, info, true).is_ok(), "what is meant is made");
        match check(policy, info, false) {
            Err(WalletError::Usage(text)) => text,
            other => panic!("{other:?}"),
        }
    }

    fn locked(time: Policy) -> Policy {
        Policy::and([Policy::key(A), time])
    }

    #[test]
    fn a_date_that_is_taken_for_a_height_is_refused_with_and_without_a_node() {
        let date = locked(Policy::after(1_760_000_000));
        let refused = "after(1760000000) is 1759999880 blocks away, about 1674 years: --after takes the height of a block, not a date; \
                       add --yes-really if that is what you want";
        assert_eq!(problem(&date, Some(&info(120))), refused);
        assert!(problem(&date, None).starts_with("after(1760000000) is 1760000000 blocks away, about 55 years"));
        let ages = problem(&locked(Policy::older(u32::MAX)), Some(&info(120)));
        assert!(ages.starts_with("older(4294967295) takes about 4085 years from the payment on"), "{ages}");
        // Ten years of 30 seconds are 10,512,000 blocks.
        assert!(check(&locked(Policy::after(10_512_120)), Some(&info(120)), false).is_ok());
        assert!(check(&locked(Policy::after(10_512_121)), Some(&info(120)), false).is_err());
    }

    #[test]
    fn says_when_times_come() {
        let lines = |policy: &Policy| check(policy, Some(&info(120)), false).unwrap();
        assert_eq!(
            lines(&locked(Policy::after(240))),
            ["after(240) holds in 120 blocks, about 60 minutes; the tip has height 120"]
        );
        assert_eq!(lines(&locked(Policy::after(7))), ["after(7) is past: the tip has height 120, so it holds at once"]);
        assert_eq!(lines(&locked(Policy::older(2))), ["older(2) holds 2 blocks after the payment, about 60 seconds"]);
        assert!(check(&locked(Policy::after(7)), None, false).unwrap().is_empty());
    }

    #[test]
    fn ways_that_need_no_key_are_refused() {
        let anybody = "it can be satisfied without any signature, so anyone can take what is paid to it; add --yes-really if \
                       that is what you want";
        let hash = Policy::sha256(sha256(&[1; 32]));
        for policy in [
            Policy::after(5),
            hash.clone(),
            Policy::or([Policy::key(A), Policy::older(5)]),
            Policy::threshold(2, [Policy::key(A), hash.clone(), Policy::after(9)]),
        ] {
            assert_eq!(problem(&policy, None), anybody, "{policy}");
        }
        assert!(check(&Policy::and([Policy::key(A), hash]), None, false).is_ok());
    }

    #[test]
    fn keys_that_count_twice_are_refused() {
        let twice = Policy::threshold(2, [Policy::key(A), Policy::key(B), Policy::key(A)]);
        assert!(problem(&twice, None).starts_with("the key 0a0a"));
        let deep = Policy::and([Policy::or([Policy::key(A), Policy::key(B)]), Policy::key(B)]);
        assert!(problem(&deep, None).starts_with("the key 0b0b"));
        // One way or the other: it signs once.
        let htlc = Policy::htlc([1; 32], A, A, Policy::after(300));
        assert!(check(&htlc, None, false).is_ok());
    }

    #[test]
    fn an_htlc_that_can_be_taken_back_at_once_is_refused() {
        let refused = |time: &Policy| check_refund(time, Some(&info(120)), false).is_err();
        assert!(refused(&Policy::after(121)) && refused(&Policy::older(0)) && refused(&Policy::older(1)));
        assert!(!refused(&Policy::after(122)) && !refused(&Policy::older(2)));
        assert!(check_refund(&Policy::after(1), Some(&info(120)), true).is_ok());
        assert!(check_refund(&Policy::after(1), None, false).is_ok(), "without a node the tip is not known");
    }
}
