//! Policies in words.

use chain_core::{
    transaction::{
        coin::KeyBytes,
        policy::{Policy, PolicyNode},
    },
    units::Height,
};

use super::screen;
use crate::{file::Wallet, own::KeyTable};

/// Who a key belongs to, as far as this wallet knows.
pub fn whose(wallet: &Wallet, own: &KeyTable, key: &KeyBytes) -> String {
    let hex = hex::encode(key.0);
    match wallet.label(&hex) {
        Some(name) => format!("{name} ({})", screen::short(&hex)),
        None if own.has(key) => format!("{hex} (yours)"),
        None => hex,
    }
}

/// What a key's owner is called, in few letters.
pub fn name(wallet: &Wallet, own: &KeyTable, key: &KeyBytes) -> String {
    let hex = hex::encode(key.0);
    match wallet.label(&hex) {
        Some(name) => name.to_owned(),
        None if own.has(key) => "you".into(),
        None => screen::short(&hex),
    }
}

/// What a policy asks for, a line for each part; `next` is the height of the next block.
pub fn explain(wallet: &Wallet, policy: &Policy, own: &KeyTable, next: Height) -> String {
    let mut text = String::new();
    // Parts that are still to come, of each part around the present one.
    let mut open: Vec<u8> = Vec::new();
    for node in policy.0.iter() {
        let (line, parts) = match node {
            PolicyNode::Key(key) => (format!("a signature by {}", whose(wallet, own, &key)), 0),
            PolicyNode::After(height) => (after(height, next), 0),
            PolicyNode::Older(blocks) => (format!("{} since it was paid", screen::counted(blocks, "block")), 0),
            PolicyNode::Sha256(hash) => (format!("the secret of {}", hex::encode(hash)), 0),
            PolicyNode::And(parts) => ("all of".to_owned(), parts),
            PolicyNode::Or(parts) => ("one of".to_owned(), parts),
            PolicyNode::Threshold(needed, parts) => (format!("{needed} of these {parts}"), parts),
        };
        text += &format!("{}{line}\n", "  ".repeat(open.len() + 1));
        if let Some(rest) = open.last_mut() {
            *rest = rest.saturating_sub(1);
        }
        if parts > 0 {
            open.push(parts);
        }
        while open.last() == Some(&0) {
            open.pop();
        }
    }
    text
}

/// A height, and how far it is away.
pub fn after(height: Height, next: Height) -> String {
    match height.checked_sub(next) {
        None | Some(0) => format!("from height {height} on, which is reached"),
        Some(blocks) => format!("from height {height} on, {} from now", screen::counted(blocks, "block")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        keys::{self, Branch, Signer},
        network::Network,
    };

    #[test]
    fn a_policy_is_told_part_by_part() {
        let words = "test test test test test test test test test test test junk";
        let signer = Signer::new(&keys::parse_mnemonic(words).unwrap()).unwrap();
        let network = Network::from(&chain_core::spec::ChainSpec::local());
        let mut wallet = Wallet::watch(network, signer.public().clone());
        let mine = signer.public().coin_key(Branch::Policy, 0).unwrap();
        let (bob, carol) = (KeyBytes([0xbb; 32]), KeyBytes([0xcc; 32]));
        wallet.labels.insert(hex::encode(bob.0), "bob".into());
        let own = wallet.key_table().unwrap();
        let keys = [mine, bob, carol].map(Policy::key);
        let late = Policy::and([Policy::key(bob), Policy::after(319)]);
        let policy = Policy::or([Policy::threshold(2, keys), late]);
        let expected = format!(
            "  one of\n    2 of these 3\n      a signature by {} (yours)\n      a signature by bob (bbbbbbbbbb…bbbbbb)\n      \
             a signature by {}\n    all of\n      a signature by bob (bbbbbbbbbb…bbbbbb)\n      from height 319 on, 6 \
             blocks from now\n",
            hex::encode(mine.0),
            "cc".repeat(32),
        );
        assert_eq!(explain(&wallet, &policy, &own, 313), expected);
        assert_eq!(after(319, 318), "from height 319 on, 1 block from now");
        assert_eq!(after(319, 319), "from height 319 on, which is reached");
    }
}
