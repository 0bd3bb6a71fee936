//! Nothing in a file changes what is labelled as one's own, what leaves the wallet, or which chain is signed for: every field
//! of transaction files is changed in turn, in every way that its type allows.

use std::collections::BTreeSet;

use chain_core::{
    execute::{GATEWAY, withdraw_calldata},
    hash::TxId,
    spec::ChainSpec,
    transaction::{
        Transaction,
        coin::{Coin, KeyBytes, Output},
        policy::Policy,
        spend::spend_checks,
    },
};

use super::*;
use crate::{
    file::Wallet,
    keys::{KeyPath, Signer, parse_mnemonic},
    network::Network,
    own::NamedPolicy,
    vault::Cost,
};

const WORDS: &str = "test test test test test test test test test test test junk";

/// Every place in a JSON value: the leaves, the objects and the lists.
fn places(value: &Value, path: &str, found: &mut Vec<String>) {
    found.push(path.to_owned());
    match value {
        Value::Object(fields) => {
            fields.iter().for_each(|(name, inner)| places(inner, &format!("{path}/{name}"), found));
        }
        Value::Array(items) => {
            items.iter().enumerate().for_each(|(index, inner)| places(inner, &format!("{path}/{index}"), found));
        }
        _ => {}
    }
}

/// All strings and numbers of a value, each once: what one field holds is tried in every other.
fn leaves(value: &Value, found: &mut Vec<Value>) {
    match value {
        Value::Object(fields) => fields.values().for_each(|inner| leaves(inner, found)),
        Value::Array(items) => items.iter().for_each(|inner| leaves(inner, found)),
        leaf if !found.contains(leaf) => found.push(leaf.clone()),
        _ => {}
    }
}

/// A value with one place changed, for every place and many changes.
fn mutations(value: &Value, strange: &[Value]) -> Vec<(String, Value)> {
    let mut all = Vec::new();
    let mut paths = Vec::new();
    places(value, "", &mut paths);
    let mut others = strange.to_vec();
    leaves(value, &mut others);
    others.extend([json!(null), json!(true), json!(0), json!(u64::MAX), json!(""), json!([]), json!({})]);
    for path in paths.iter().skip(1) {
        for other in &others {
            let mut changed = value.clone();
            *changed.pointer_mut(path).unwrap() = other.clone();
            all.push((format!("{path} = {other}"), changed));
        }
        let (parent, name) = path.rsplit_once('/').unwrap();
        let mut changed = value.clone();
        match changed.pointer_mut(parent).unwrap() {
            Value::Object(fields) => drop(fields.remove(name)),
            Value::Array(items) => {
                // An item once more.
                let item = items[name.parse::<usize>().unwrap()].clone();
                items.push(item);
            }
            _ => {}
        }
        all.push((format!("{path} removed or doubled"), changed));
    }
    all
}

/// What belongs to the wallet, worked out from its mnemonic alone.
struct Owned {
    network: Network,
    addresses: BTreeSet<String>,
    policy: String,
}

impl Owned {
    fn owns(&self, address: &str) -> bool {
        // Accounts are written in several ways.
        let spelled = self.network.account(address).map_or(address.to_owned(), |account| account.to_string());
        self.addresses.contains(&spelled)
    }
}

fn grains(text: &Value) -> i128 {
    crate::money::parse_grains(text.as_str().unwrap()).unwrap().grains().into()
}

/// Judges what `show` says of a file that the wallet accepts.
fn judge(owned: &Owned, what: &str, file: &Value, shown: &Value) {
    if shown["kind"] == "account" {
        let account = &file["transaction"]["account"];
        assert_eq!(shown["own"], owned.owns(account["from"].as_str().unwrap()), "{what}");
        assert_eq!(shown["chainId"], owned.network.chain_id, "{what}");
        let number = |field: &str| -> U256 {
            let value = &account[field];
            value.as_str().map_or_else(|| U256::from(value.as_u64().unwrap()), |text| text.parse().unwrap())
        };
        let price = number("maxFeePerGasWei").saturating_mul(number("gasLimit"));
        let most = number("valueWei").saturating_add(price);
        assert_eq!(shown["leavesWei"], most.to_string(), "{what}");
        return;
    }
    let coin = &file["transaction"]["coin"];
    let (mut leaves, mut leaves_policy) = (0i128, 0i128);
    for (input, said) in coin["inputs"].as_array().unwrap().iter().zip(shown["inputs"].as_array().unwrap()) {
        let address = input["address"].as_str().unwrap();
        let (own, policy) = (owned.owns(address), address == owned.policy);
        assert_eq!(said["own"], own || policy, "{what}");
        leaves += if own { grains(&input["amount"]) } else { 0 };
        leaves_policy += if policy { grains(&input["amount"]) } else { 0 };
    }
    for (line, said) in coin["outputs"].as_array().unwrap().iter().zip(shown["outputs"].as_array().unwrap()) {
        let to = line["to"].as_str().unwrap();
        assert_eq!(said["own"], owned.owns(to), "{what}");
        assert_eq!(said["policy"], if to == owned.policy { json!("safe") } else { json!(null) }, "{what}");
        leaves -= if owned.owns(to) { grains(&line["amount"]) } else { 0 };
        leaves_policy -= if to == owned.policy { grains(&line["amount"]) } else { 0 };
    }
    assert_eq!(shown["leaves"].as_i64().map(i128::from), Some(leaves), "{what}");
    let policies: i128 =
        shown["policies"].as_array().unwrap().iter().map(|flow| i128::from(flow["leaves"].as_i64().unwrap())).sum();
    assert_eq!(policies, leaves_policy, "{what}");
}

/// What is signed is for the wallet's chain, and spends what the file names.
fn judge_signed(owned: &Owned, what: &str, draft: &Draft, transaction: &Transaction) {
    match transaction {
        Transaction::Account(tx) => assert_eq!(tx.fields().chain_id, owned.network.chain_id, "{what}"),
        Transaction::Coin(tx) => {
            let Body::Coin(coin) = &draft.transaction else { panic!("{what}") };
            let spent: Vec<Coin> = coin
                .inputs
                .iter()
                .map(|input| {
                    let output =
                        Output { amount: input.amount, lock: owned.network.coin_address(&input.address).unwrap() };
                    Coin { output, height: input.height.unwrap_or(100), coinbase: false }
                })
                .collect();
            let checks = spend_checks(&owned.network.genesis, tx, &spent, 5_000_000).unwrap();
            assert!(checks.iter().all(|check| check.verify()), "{what}");
        }
        Transaction::Coinbase(_) => panic!("{what}"),
    }
}

fn stranger(number: u8) -> Lock {
    Lock::Key(KeyBytes([number; 32]))
}

struct Lab {
    wallet: Wallet,
    signer: Signer,
    owned: Owned,
}

impl Lab {
    /// A wallet that keeps one policy.
    fn new() -> Self {
        let network = Network::from(&ChainSpec::local());
        let mnemonic = parse_mnemonic(WORDS).unwrap();
        let cheap = Cost { memory_kib: 64, passes: 1, lanes: 1 };
        let mut wallet =
            Wallet::of(network.clone(), &mnemonic, &Signer::new(&mnemonic).unwrap(), "pass", cheap).unwrap();
        let signer = wallet.open("pass").unwrap().1;
        let key = signer.public().coin_key(Branch::Policy, 0).unwrap();
        let policy = Policy::or([Policy::key(key), Policy::and([Policy::key(KeyBytes([8; 32])), Policy::older(9)])]);
        wallet.used.policy = 1;
        wallet.policies.push(NamedPolicy { name: "safe".into(), policy: policy.clone() });
        let mut addresses = BTreeSet::new();
        let gap = crate::own::GAP;
        for (branch, count) in [(Branch::Receive, 1 + gap), (Branch::Change, gap), (Branch::Policy, 1 + gap)] {
            addresses.extend((0..count).map(|index| network.address(&signer.public().lock(branch, index).unwrap())));
        }
        addresses.extend((0..1 + gap).map(|index| signer.public().account(index).unwrap().to_string()));
        let policy = network.address(&policy.lock());
        Self { wallet, signer, owned: Owned { network, addresses, policy } }
    }

    fn address(&self, branch: Branch, index: u32) -> String {
        self.owned.network.address(&self.wallet.keys.lock(branch, index).unwrap())
    }

    fn input(&self, number: u8, address: &str, amount: u64) -> Input {
        Input {
            txid: TxId([number; 32]),
            index: 1,
            amount: Amount::from_grains(amount),
            address: address.into(),
            height: Some(40),
            key: None,
            policy: None,
            preimages: Vec::new(),
            signatures: Vec::new(),
        }
    }

    /// Files that spend an own coin; that and one of the policy and one of a stranger; from an account; and back to coins.
    fn files(&self) -> Vec<Value> {
        let own = Input {
            key: Some(KeyPath::Coin(Branch::Receive, 0)),
            ..self.input(1, &self.address(Branch::Receive, 0), 500_000_000)
        };
        let of_policy = Input {
            policy: Some(self.wallet.policies[0].policy.clone()),
            ..self.input(2, &self.owned.policy, 300_000_000)
        };
        let theirs = self.input(3, &self.owned.network.address(&stranger(5)), 70_000_000);
        let line = |to: String, amount: u64, change| OutputLine {
            to,
            amount: Amount::from_grains(amount),
            change,
            rest: false,
        };
        let change = line(self.address(Branch::Change, 0), 399_000_000, Some(KeyPath::Coin(Branch::Change, 0)));
        let pay = line(self.owned.network.address(&stranger(4)), 100_000_000, None);
        let coin = |inputs, outputs, fee| {
            let body = Body::Coin(CoinDraft { inputs, outputs, fee: Amount::from_grains(fee) });
            json!(Draft::new(self.owned.network.clone(), 100, 1_000_000_000, body))
        };
        let mixed = vec![
            pay.clone(),
            change.clone(),
            line(self.owned.policy.clone(), 200_000_000, None),
            line(self.wallet.keys.account(0).unwrap().to_string(), 90_000_000, None),
        ];
        let account = AccountDraft {
            from: self.wallet.keys.account(0).unwrap().to_string(),
            key: Some(KeyPath::Account(0)),
            nonce: 3,
            to: Some("0x000000000000000000000000000000000000dEaD".into()),
            value_wei: U256::from(10u64).pow(U256::from(18)),
            gas_limit: 21_000,
            max_fee_per_gas_wei: U256::from(2_000_000_000u64),
            max_priority_fee_per_gas_wei: U256::from(1_000u64),
            input: Vec::new(),
            withdraw_to: None,
            function: None,
            signed: Vec::new(),
        };
        let own_lock = self.wallet.keys.lock(Branch::Receive, 0).unwrap();
        let withdrawal = AccountDraft {
            to: Some(GATEWAY.to_string()),
            input: withdraw_calldata(&own_lock).to_vec(),
            withdraw_to: Some(self.address(Branch::Receive, 0)),
            ..account.clone()
        };
        let of_account = |account: AccountDraft| {
            json!(Draft::new(self.owned.network.clone(), 100, 1_000_000_000, Body::Account(account.into())))
        };
        vec![
            coin(vec![own.clone()], vec![pay, change], 1_000_000),
            coin(vec![own, of_policy, theirs], mixed, 81_000_000),
            of_account(account),
            of_account(withdrawal),
        ]
    }

    /// What fields are changed to, beside what other fields hold.
    fn strange(&self) -> Vec<Value> {
        let far = KeyPath::Coin(Branch::Change, 2_000_000_000);
        let texts = [
            self.address(Branch::Receive, 7),
            self.owned.network.address(&self.wallet.keys.lock(Branch::Change, 2_000_000_000).unwrap()),
            self.owned.network.address(&stranger(6)),
            self.wallet.keys.account(9).unwrap().to_string(),
            far.to_string(),
            "m/44'/60'/0'/0/7".into(),
            "99.00000000".into(),
            "0.00000001".into(),
            "main".into(),
            "crn".into(),
            "ee".repeat(32),
        ];
        texts.map(Value::from).into()
    }
}

#[test]
fn no_field_of_a_file_changes_what_is_own_what_leaves_or_which_chain_is_signed_for() {
    let lab = Lab::new();
    let own = lab.wallet.key_table().unwrap();
    let (mut judged, mut signed) = (0, 0);
    for file in lab.files() {
        for (what, changed) in mutations(&file, &lab.strange()) {
            let Ok(mut draft) = Draft::from_bytes(changed.to_string().as_bytes()) else { continue };
            if draft.expect_network(&lab.owned.network).is_err() {
                assert!(draft.sign(&lab.owned.network, &lab.signer, &own).is_err(), "{what}");
                continue;
            }
            let (_, shown) = describe(&draft, &lab.wallet, &own).unwrap();
            judge(&lab.owned, &what, &changed, &shown);
            judged += 1;
            if draft.sign(&lab.owned.network, &lab.signer, &own).is_ok()
                && let Ok(transaction) = draft.finish(5_000_000)
            {
                judge_signed(&lab.owned, &what, &draft, &transaction);
                signed += 1;
            }
        }
    }
    assert!(judged > 300 && signed > 100, "{judged} files were shown, {signed} signed");
}
