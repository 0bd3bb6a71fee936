//! Whatever is changed in an answer of a node or in a file: what the wallet signs pays whom it was told to pay, what it shows
//! as its own is its own, what it says leaves it is what leaves it, and the signatures are good on no other chain. The mock
//! node takes only what is valid with the true coins, so all of this is judged on the transactions that it took.
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::fs;

use alloy_primitives::U256;
use cairn_wallet::{
    file::Wallet,
    own::{KeyTable, Owner},
};
use chain_core::transaction::{
    Transaction,
    account::AccountTransaction,
    coin::{CoinTransaction, Lock},
};
use serde_json::{Value, json};
use support::{ACCOUNT, Home, MockNode, make_quick, places, rich, text};

const TO: &str = "0x70997970C51812dc3A010C7d01b50e0d17dc79C8";

/// Grains that a fee never exceeds here: what the wallet takes for a mistake is more.
const MOST: u64 = 15_000_000;

/// What a command was told to do.
#[derive(Clone, Copy)]
enum Told<'a> {
    /// Pay grains to one address.
    Coins { to: &'a str, grains: u64 },
    /// Pay nobody: all comes back.
    Nobody,
    /// Send wei from the first account.
    Account { to: &'a str, wei: u64 },
    /// Whatever it says that it does.
    AsShown,
}

/// A wallet, what it may spend, and how all of it was before a lie.
struct Bench {
    node: MockNode,
    home: Home,
    friend: String,
    stranger: String,
    file: Vec<u8>,
    before: (Vec<support::MockCoin>, Vec<Transaction>, u64),
}

impl Bench {
    fn new(prepare: impl FnOnce(&MockNode, &Home, &str)) -> Self {
        let (node, home, friend) = rich();
        let stranger = Home::numbered(&node, 9).address();
        make_quick(&home);
        prepare(&node, &home, &friend);
        let state = node.state();
        let before = (state.coins.clone(), state.sent.clone(), state.nonce);
        drop(state);
        let file = fs::read(home.file()).unwrap();
        Self { node, home, friend, stranger, file, before }
    }

    /// As it was before the last command.
    fn reset(&self) {
        let mut state = self.node.state();
        (state.coins, state.sent, state.nonce) = self.before.clone();
        state.instead = None;
        fs::write(self.home.file(), &self.file).unwrap();
    }

    /// Judges what a command said and what the node took of it; answers whether something was taken.
    fn judge(&self, what: &str, said: &support::Answer, told: Told<'_>) -> bool {
        assert!(said.code >= 0 && !said.err.contains("panicked"), "{what}: {}", said.err);
        let wallet = Wallet::read(&self.home.file()).unwrap();
        let own = wallet.key_table().unwrap();
        let taken = self.node.state().sent[self.before.1.len()..].to_vec();
        assert!(taken.len() <= 1, "{what}: {} transactions", taken.len());
        let Some(transaction) = taken.first() else { return false };
        let shown = (said.code == 0).then(|| serde_json::from_str::<Value>(&said.out).unwrap());
        match transaction {
            Transaction::Coin(tx) => self.judge_coins(what, tx, &own, shown.as_ref(), told),
            Transaction::Account(tx) => self.judge_account(what, tx, &own, shown.as_ref(), told),
            Transaction::Coinbase(_) => panic!("{what}: a coinbase"),
        }
        true
    }

    fn judge_coins(&self, what: &str, tx: &CoinTransaction, own: &KeyTable, shown: Option<&Value>, told: Told<'_>) {
        let network = self.node.state().network.clone();
        let purse = |lock: &Lock| matches!(own.owner(lock), Owner::Key(_) | Owner::Account);
        let (mut taken, mut from) = (0, 0);
        for input in &tx.inputs {
            let state = self.node.state();
            let coin = state.coins.iter().find(|coin| coin.outpoint == *input).unwrap();
            let lock = network.coin_address(&coin.address).unwrap();
            assert_ne!(own.owner(&lock), Owner::Foreign, "{what}: {}", coin.address);
            taken += coin.amount;
            from += if purse(&lock) { coin.amount } else { 0 };
        }
        let (mut paid, mut back) = (Vec::new(), 0);
        for output in &tx.outputs {
            back += if purse(&output.lock) { output.amount.grains() } else { 0 };
            if !matches!(own.owner(&output.lock), Owner::Key(_) | Owner::Policy(_)) {
                paid.push((network.address(&output.lock), output.amount.grains()));
            }
        }
        let fee = taken - tx.outputs.iter().map(|output| output.amount.grains()).sum::<u64>();
        assert!(fee <= MOST, "{what}: a fee of {fee}");
        match told {
            Told::Coins { to, grains } => assert_eq!(paid, [(to.to_owned(), grains)], "{what}"),
            Told::Nobody => assert_eq!(paid, [], "{what}"),
            Told::AsShown => {}
            Told::Account { .. } => panic!("{what}: coins were spent"),
        }
        let Some(shown) = shown else { return };
        assert_eq!(shown["fee"].as_u64(), Some(fee), "{what}: {shown}");
        assert_eq!(shown["leaves"].as_i64(), Some(from as i64 - back as i64), "{what}: {shown}");
        let lines = shown["outputs"].as_array().unwrap();
        assert_eq!(lines.len(), tx.outputs.len(), "{what}");
        for (line, output) in lines.iter().zip(&tx.outputs) {
            let row = (line["to"].as_str().unwrap().to_owned(), line["amount"].as_u64());
            assert_eq!(row, (network.address(&output.lock), Some(output.amount.grains())), "{what}");
            assert_eq!(line["own"], own.owns(&output.lock), "{what}: {line}");
        }
        assert!(shown["inputs"].as_array().unwrap().iter().all(|input| input["own"] == true), "{what}: {shown}");
    }

    fn judge_account(
        &self,
        what: &str,
        tx: &AccountTransaction,
        own: &KeyTable,
        shown: Option<&Value>,
        told: Told<'_>,
    ) {
        let fields = tx.fields();
        assert_eq!(fields.chain_id, self.node.state().network.chain_id, "{what}");
        let from = tx.recover_sender().unwrap();
        assert!(own.account(&from, None).is_some(), "{what}: {from}");
        let to = fields.to.map(|to| to.to_string()).unwrap_or_default();
        if let Told::Account { to: asked, wei } = told {
            assert_eq!(
                (from.to_string().as_str(), to.as_str(), fields.value),
                (ACCOUNT, asked, U256::from(wei)),
                "{what}"
            );
            assert!(fields.input.is_empty(), "{what}");
        } else {
            assert!(matches!(told, Told::AsShown), "{what}: an account paid");
        }
        let fee = fields.fees.fee_cap() * U256::from(fields.gas_limit);
        assert!(fee <= U256::from(200_000_000_000_000_000_u64), "{what}: a fee of {fee} wei");
        let Some(shown) = shown else { return };
        assert_eq!((&shown["to"], &shown["own"]), (&json!(to), &json!(true)), "{what}");
        assert_eq!(shown["valueWei"], fields.value.to_string(), "{what}");
        assert_eq!(shown["leavesWei"], (fields.value + fee).to_string(), "{what}");
        assert_eq!((&shown["from"], &shown["chainId"]), (&json!(from.to_string()), &json!(fields.chain_id)), "{what}");
    }

    fn strange(&self) -> [Value; 4] {
        [json!(0), json!(u64::MAX), json!(self.stranger), json!("ee".repeat(32))]
    }

    /// Runs a command with every field of every answer changed in turn.
    fn lie(&self, command: &[&str], told: Told<'_>) {
        let run = || self.home.run(&[command, &["--yes", "--json"]].concat());
        self.node.state().answers.clear();
        assert!(self.judge("the truth", &run(), told), "{command:?}");
        let answers = self.node.state().answers.clone();
        let (mut taken, mut tried) = (0, 0);
        for (method, answer) in answers {
            let mut paths = Vec::new();
            places(&answer, "", &mut paths);
            for (path, other) in
                paths.iter().flat_map(|path| self.strange().into_iter().map(move |other| (path, other)))
            {
                self.reset();
                let mut changed = answer.clone();
                *changed.pointer_mut(path).unwrap() = other.clone();
                self.node.state().instead = Some((method.clone(), changed));
                let said = run();
                tried += 1;
                taken += usize::from(self.judge(&format!("{command:?}: {method}{path} = {other}"), &said, told));
            }
        }
        assert!(taken > 10 && tried > taken, "{command:?}: {taken} of {tried} were signed");
    }

    /// Files with one field changed each, or with a flag that no field had: what they change, and the whole.
    fn forged(&self, good: &Value) -> Vec<(String, Value)> {
        let mut paths = Vec::new();
        places(good, "", &mut paths);
        let hints = [json!("m/4411982'/0'/1/0"), json!("m/44'/60'/0'/0/1"), json!(ACCOUNT), json!(self.friend)];
        let mut forged = Vec::new();
        for (path, other) in paths
            .iter()
            .flat_map(|path| self.strange().into_iter().chain(hints.clone()).map(move |other| (path, other)))
        {
            let mut changed = good.clone();
            *changed.pointer_mut(path).unwrap() = other.clone();
            forged.push((format!("{path} = {other}"), changed));
        }
        for path in paths.iter().filter(|path| path.starts_with("/transaction/coin/outputs/")) {
            for (flag, value) in [("rest", json!(true)), ("change", hints[0].clone())] {
                let mut changed = good.clone();
                let Some(line) = changed.pointer_mut(path).unwrap().as_object_mut() else { continue };
                line.insert(flag.into(), value);
                forged.push((format!("{path} with {flag}"), changed));
            }
        }
        forged
    }

    /// Signs and broadcasts a file with every field changed in turn, and bumps what the node took.
    fn forge(&self, name: &str) {
        let good: Value = serde_json::from_str(&text(&self.home.path(name))).unwrap();
        let (mut signed, mut taken) = (0, 0);
        for (place, changed) in self.forged(&good) {
            self.reset();
            fs::write(self.home.path("bad"), changed.to_string()).unwrap();
            let what = format!("{name}{place}");
            let said = self.home.run(&["sign", "bad", "--yes", "--json"]);
            assert!(said.code >= 0 && !said.err.contains("panicked"), "{what}: {}", said.err);
            if said.code == 0 {
                signed += 1;
                let said = self.home.run(&["broadcast", "bad", "--yes", "--json"]);
                if self.judge(&what, &said, Told::AsShown) {
                    taken += 1;
                    self.bump(&what);
                }
            }
        }
        assert!(taken > 2, "{name}: {signed} were signed, {taken} taken");
    }

    /// Raises the fee of what was sent last: others are paid the same by it.
    fn bump(&self, what: &str) {
        let wallet = Wallet::read(&self.home.file()).unwrap();
        let own = wallet.key_table().unwrap();
        let paid = |sent: &Transaction| match sent {
            Transaction::Coin(tx) => {
                let others = tx.outputs.iter().filter(|output| own.owner(&output.lock) == Owner::Foreign);
                others.map(|output| (output.lock, U256::from(output.amount.grains()))).collect::<Vec<_>>()
            }
            Transaction::Account(tx) => vec![(Lock::Account(tx.fields().to.unwrap()), tx.fields().value)],
            Transaction::Coinbase(_) => panic!("{what}: a coinbase"),
        };
        let bumped = self.home.run(&["bump", &last(&self.node), "--fee-rate", "20", "--yes", "--json"]);
        assert!(bumped.code >= 0 && !bumped.err.contains("panicked"), "{what}: {}", bumped.err);
        let sent = self.node.state().sent.clone();
        if let [.., first, second] = &sent[self.before.1.len()..] {
            assert_eq!(paid(first), paid(second), "{what}: bumped");
        }
    }
}

fn last(node: &MockNode) -> String {
    node.state().sent.last().unwrap().txid().to_string()
}

#[test]
fn no_answer_of_a_node_changes_whom_a_payment_pays() {
    let bench = Bench::new(|_, _, _| {});
    let payment = format!("{}=1.5", bench.friend);
    bench.lie(&["send", &payment], Told::Coins { to: &bench.friend, grains: 150_000_000 });
    bench.reset();
    bench.lie(&["transfer", TO, "0.5"], Told::Account { to: TO, wei: 500_000_000_000_000_000 });
}

#[test]
fn no_answer_of_a_node_changes_whom_a_replacement_pays() {
    let bench = Bench::new(|_, home, friend| drop(home.json(&["send", &format!("{friend}=1.5")])));
    let told = Told::Coins { to: &bench.friend, grains: 150_000_000 };
    bench.lie(&["bump", &last(&bench.node), "--fee-rate", "3"], told);
    let bench = Bench::new(|_, home, _| drop(home.json(&["transfer", TO, "0.5"])));
    let told = Told::Account { to: TO, wei: 500_000_000_000_000_000 };
    bench.lie(&["bump", &last(&bench.node), "--fee-rate", "3"], told);
}

#[test]
fn no_answer_of_a_node_changes_that_a_cancellation_pays_nobody() {
    let bench = Bench::new(|_, home, friend| drop(home.json(&["send", &format!("{friend}=1.5")])));
    bench.lie(&["cancel", &last(&bench.node)], Told::Nobody);
    let bench = Bench::new(|_, home, _| drop(home.json(&["transfer", TO, "0.5"])));
    bench.lie(&["cancel", &last(&bench.node)], Told::Account { to: ACCOUNT, wei: 0 });
}

#[test]
fn no_field_of_a_file_makes_the_wallet_show_other_than_it_signs() {
    let bench = Bench::new(|_, home, friend| {
        home.run(&["build", "--out", "coin.json", "send", &format!("{friend}=1.5")]);
        home.run(&["build", "--out", "account.json", "transfer", TO, "0.5"]);
    });
    bench.forge("coin.json");
    bench.forge("account.json");
}

#[test]
fn no_field_of_the_file_of_a_policy_makes_the_wallet_show_other_than_it_signs() {
    let bench = Bench::new(|node, home, friend| {
        let other = Home::numbered(node, 2);
        let keys = [home, &other].map(|home| home.json(&["policy", "key"])["key"].as_str().unwrap().to_owned());
        let both = ["policy", "multisig", "2", &keys[0], &keys[1], "--name", "both"];
        let address = home.json(&both)["address"].as_str().unwrap().to_owned();
        other.json(&both);
        node.pay(&address, 300_000_000);
        other.json(&["policy", "spend", "both", &format!("{friend}=1"), "--out", "half.json"]);
        fs::copy(other.path("half.json"), home.path("half.json")).unwrap();
    });
    bench.forge("half.json");
}
