use alloy_primitives::U256;
use chain_core::{
    execute::{GATEWAY, withdraw_calldata},
    hash::{BlockHash, TxId, sha256},
    transaction::{
        coin::{Coin, KeyBytes, Lock, Witness},
        policy::Policy,
    },
    units::Amount,
};
use proptest::prelude::*;

use super::*;
use crate::{
    file::Wallet,
    keys::{Branch, KeyPath},
    vault::Cost,
};

const CHEAP: Cost = Cost { memory_kib: 64, passes: 1, lanes: 1 };

fn network() -> Network {
    Network { name: "local".into(), chain_id: 133_702, hrp: "lcrn".into(), genesis: BlockHash([3; 32]) }
}

/// A wallet and its secret keys.
struct Person {
    wallet: Wallet,
    signer: Signer,
}

impl Person {
    fn new(number: u8) -> Self {
        let mnemonic = bip39::Mnemonic::from_entropy(&[number; 16]).unwrap();
        let mut wallet = Wallet::of(network(), &mnemonic, &Signer::new(&mnemonic).unwrap(), "pass", CHEAP).unwrap();
        wallet.used.policy = 1;
        Self { signer: wallet.open("pass").unwrap().1, wallet }
    }

    fn key(&self, branch: Branch) -> KeyBytes {
        self.wallet.keys.coin_key(branch, 0).unwrap()
    }

    fn address(&self, branch: Branch) -> String {
        network().address(&Lock::Key(self.key(branch)))
    }

    fn sign(&self, draft: &mut Draft) -> Result<usize, DraftError> {
        let own = self.wallet.key_table()?;
        draft.sign(&network(), &self.signer, &own)
    }
}

fn input(address: &str, amount: u64) -> Input {
    Input {
        txid: TxId([5; 32]),
        index: 1,
        amount: Amount::from_grains(amount),
        address: address.into(),
        height: Some(100),
        key: None,
        policy: None,
        preimages: Vec::new(),
        signatures: Vec::new(),
    }
}

fn policy_input(policy: &Policy, amount: u64) -> Input {
    Input { policy: Some(policy.clone()), ..input(&network().address(&policy.lock()), amount) }
}

fn output(to: &str, amount: u64) -> OutputLine {
    OutputLine { to: to.into(), amount: Amount::from_grains(amount), change: None, rest: false }
}

fn draft(inputs: Vec<Input>, outputs: Vec<OutputLine>) -> Draft {
    let sum = |amounts: &mut dyn Iterator<Item = Amount>| amounts.map(|amount| amount.grains()).sum::<u64>();
    let fee = sum(&mut inputs.iter().map(|input| input.amount)) - sum(&mut outputs.iter().map(|line| line.amount));
    let coin = CoinDraft { inputs, outputs, fee: Amount::from_grains(fee) };
    Draft::new(network(), 200, 1_000_000_000, Body::Coin(coin))
}

/// From the first person's coin to the second person.
fn payment() -> (Person, Draft) {
    let (one, two) = (Person::new(1), Person::new(2));
    let draft = draft(
        vec![input(&one.address(Branch::Receive), 500_000_000)],
        vec![output(&two.address(Branch::Receive), 499_990_000)],
    );
    (one, draft)
}

fn coin(draft: &mut Draft) -> &mut CoinDraft {
    match &mut draft.transaction {
        Body::Coin(coin) => coin,
        Body::Account(_) => panic!("not of coins"),
    }
}

fn reread(draft: &Draft) -> Result<Draft, DraftError> {
    Draft::from_bytes(draft.to_json().as_bytes())
}

#[test]
fn a_payment_is_signed_offline_and_verifies_as_the_chain_verifies() {
    let (one, mut draft) = payment();
    assert_eq!(
        draft.finish(201).unwrap_err(),
        DraftError::Incomplete(format!("input 0 ({}) is not signed", one.address(Branch::Receive)))
    );
    assert_eq!(one.sign(&mut draft), Ok(1));
    assert_eq!(one.sign(&mut draft), Ok(0), "signing again adds nothing");
    let read = reread(&draft).unwrap();
    assert_eq!(read, draft);
    let Transaction::Coin(tx) = read.finish(201).unwrap() else { panic!("not of coins") };
    assert_eq!(Some(tx.txid()), draft.txid());
    assert!(matches!(tx.witnesses[..], [Witness::Key(_)]));
    let lock = Lock::Key(one.key(Branch::Receive));
    let spent = [Coin {
        output: chain_core::transaction::coin::Output { amount: Amount::from_grains(500_000_000), lock },
        height: 100,
        coinbase: false,
    }];
    let checks = chain_core::transaction::spend::spend_checks(&network().genesis, &tx, &spent, 201).unwrap();
    assert!(checks.len() == 1 && checks[0].verify());
}

#[test]
fn the_file_can_be_read_by_people() {
    let (one, mut draft) = payment();
    one.sign(&mut draft).unwrap();
    let text = draft.to_json();
    for part in [
        "\"5.00000000\"",
        "\"4.99990000\"",
        "\"0.00010000\"",
        "\"local\"",
        &one.address(Branch::Receive),
        "\"signatures\"",
    ] {
        assert!(text.contains(part), "{part} in {text}");
    }
}

#[test]
fn whatever_is_altered_after_signing_is_found_out() {
    let (one, mut draft) = payment();
    one.sign(&mut draft).unwrap();
    let altered = |alter: &dyn Fn(&mut CoinDraft)| {
        let mut bad = draft.clone();
        alter(coin(&mut bad));
        bad.finish(201).unwrap_err()
    };
    let thief = Person::new(9).address(Branch::Receive);
    let unverified = format!("the signature by key {} does not verify", hex::encode(one.key(Branch::Receive).0));
    let unverified = DraftError::Contradiction(unverified);
    assert_eq!(altered(&|coin| coin.outputs[0].to = thief.clone()), unverified);
    assert_eq!(altered(&|coin| coin.inputs[0].index = 7), unverified);
    assert_eq!(
        altered(&|coin| {
            coin.inputs[0].amount = Amount::from_grains(600_000_000);
            coin.fee = Amount::from_grains(100_010_000);
        }),
        unverified
    );
    assert_eq!(
        altered(&|coin| coin.fee = Amount::from_grains(1)),
        DraftError::Contradiction("inputs of 5.00000000 less outputs of 4.99990000 are not a fee of 0.00000001".into())
    );
    assert!(matches!(altered(&|coin| coin.inputs[0].address = thief.clone()), DraftError::Incomplete(_)));
    assert!(matches!(altered(&|coin| coin.inputs.clear()), DraftError::Rule(_)));
    assert!(matches!(altered(&|coin| coin.inputs.push(coin.inputs[0].clone())), DraftError::Rule(_)));
}

#[test]
fn refuses_to_sign_for_another_chain() {
    let (one, mut draft) = payment();
    draft.network.genesis = BlockHash([4; 32]);
    let error = DraftError::Network { got: Box::new(draft.network.clone()), expected: Box::new(network()) };
    assert_eq!(one.sign(&mut draft), Err(error));
}

#[test]
fn signs_nothing_without_its_keys_and_follows_only_true_hints() {
    let (one, mut draft) = payment();
    assert_eq!(Person::new(3).sign(&mut draft), Ok(0));
    // A key far beyond the table is found by its hint.
    let far = one.wallet.keys.lock(Branch::Receive, 5_000).unwrap();
    coin(&mut draft).inputs[0].address = network().address(&far);
    assert_eq!(one.sign(&mut draft), Ok(0));
    coin(&mut draft).inputs[0].key = Some(KeyPath::Coin(Branch::Receive, 4_999));
    assert_eq!(one.sign(&mut draft), Ok(0));
    coin(&mut draft).inputs[0].key = Some(KeyPath::Coin(Branch::Receive, 5_000));
    assert_eq!(one.sign(&mut draft), Ok(1));
    assert!(draft.finish(201).is_ok());
}

#[test]
fn two_of_three_sign_apart_and_are_joined() {
    let people = [Person::new(1), Person::new(2), Person::new(3)];
    let policy = Policy::threshold(2, people.iter().map(|person| Policy::key(person.key(Branch::Policy))));
    let to = people[0].address(Branch::Receive);
    let blank = draft(vec![policy_input(&policy, 700_000)], vec![output(&to, 600_000)]);
    let signed: Vec<Draft> = people
        .iter()
        .map(|person| {
            let mut copy = reread(&blank).unwrap();
            assert_eq!(person.sign(&mut copy), Ok(1));
            copy
        })
        .collect();
    let lacks = "input 0 has 1 of 3 signatures, which does not satisfy its policy: one more signature is enough";
    assert_eq!(signed[0].finish(201).unwrap_err(), DraftError::Incomplete(lacks.into()));
    for (one, two) in [(0, 1), (0, 2), (1, 2)] {
        let mut joined = signed[one].clone();
        joined.combine(signed[two].clone()).unwrap();
        joined.combine(signed[two].clone()).unwrap();
        assert!(joined.finish(201).is_ok());
    }
    let mut all = signed[0].clone();
    all.combine(signed[1].clone()).unwrap();
    all.combine(signed[2].clone()).unwrap();
    let Transaction::Coin(tx) = all.finish(201).unwrap() else { panic!("not of coins") };
    assert_eq!(tx.witnesses[0].signatures(), 2, "a third signature is left out");
}

#[test]
fn parts_of_different_transactions_are_not_joined() {
    let (_, one) = payment();
    let changed = |alter: &dyn Fn(&mut CoinDraft)| {
        let mut other = one.clone();
        alter(coin(&mut other));
        one.clone().combine(other)
    };
    assert_eq!(changed(&|_| ()), Ok(()));
    assert_eq!(
        changed(&|coin| coin.outputs[0].amount = Amount::from_grains(1)),
        Err(DraftError::NotParts("the outputs"))
    );
    assert_eq!(changed(&|coin| coin.inputs[0].index = 9), Err(DraftError::NotParts("the inputs")));
    let mut other = one.clone();
    other.network.chain_id = 1;
    assert_eq!(one.clone().combine(other), Err(DraftError::NotParts("the chains")));
    assert_eq!(one.clone().combine(transfer().1), Err(DraftError::NotParts("the kinds")));
}

#[test]
fn an_htlc_opens_by_its_secret_or_by_its_time() {
    let (receiver, sender) = (Person::new(1), Person::new(2));
    let secret = [8; 32];
    let policy =
        Policy::htlc(sha256(&secret), receiver.key(Branch::Policy), sender.key(Branch::Policy), Policy::after(300));
    let claim =
        |to: &Person| draft(vec![policy_input(&policy, 700_000)], vec![output(&to.address(Branch::Receive), 600_000)]);
    // The receiver needs the secret,
    let mut draft = claim(&receiver);
    receiver.sign(&mut draft).unwrap();
    let lacks = "input 0 has 1 of 2 signatures, 0 preimages, height 201, which does not satisfy its policy";
    assert_eq!(draft.finish(201).unwrap_err(), DraftError::Incomplete(lacks.into()));
    coin(&mut draft).inputs[0].preimages = vec![Hex32([7; 32])];
    assert!(matches!(draft.finish(201), Err(DraftError::Incomplete(_))));
    coin(&mut draft).inputs[0].preimages.push(Hex32(secret));
    assert!(reread(&draft).unwrap().finish(201).is_ok());
    // the sender the time.
    let mut draft = claim(&sender);
    sender.sign(&mut draft).unwrap();
    assert!(matches!(draft.finish(299), Err(DraftError::Incomplete(_))));
    assert!(draft.finish(300).is_ok());
}

#[test]
fn ages_count_from_the_block_that_made_the_coin() {
    let one = Person::new(1);
    let policy = Policy::and([Policy::key(one.key(Branch::Policy)), Policy::older(10)]);
    let mut draft = draft(vec![policy_input(&policy, 700_000)], vec![output(&one.address(Branch::Receive), 600_000)]);
    one.sign(&mut draft).unwrap();
    assert!(draft.finish(109).is_err());
    assert!(draft.finish(110).is_ok());
    coin(&mut draft).inputs[0].height = None;
    assert!(draft.finish(500).is_err(), "what is not mined has no age");
}

#[test]
fn a_policy_must_be_the_one_of_its_address() {
    let one = Person::new(1);
    let policy = Policy::key(one.key(Branch::Policy));
    let to = one.address(Branch::Receive);
    let contradiction = |draft: &Draft| match reread(draft) {
        Err(DraftError::Contradiction(what)) => what,
        other => panic!("{other:?}"),
    };
    let mut bad = draft(vec![policy_input(&policy, 700_000)], vec![output(&to, 600_000)]);
    coin(&mut bad).inputs[0].policy = Some(Policy::after(5));
    assert_eq!(contradiction(&bad), "the policy of input 0 is not that of its address");
    coin(&mut bad).inputs[0].policy = None;
    assert_eq!(contradiction(&bad), "input 0 has a policy address, but its policy is not given");
    let mut bad = draft(vec![input(&to, 700_000)], vec![output(&to, 600_000)]);
    coin(&mut bad).inputs[0].policy = Some(policy);
    assert_eq!(contradiction(&bad), "input 0 has a policy, but not a policy address");
}

#[test]
fn estimates_are_as_large_as_what_is_signed() {
    let people = [Person::new(1), Person::new(2)];
    let key = |index: usize| people[index].key(Branch::Policy);
    let (secret, own) = ([8; 32], key(0));
    let is_own = |key: &KeyBytes| *key == own;
    let both = Policy::and([Policy::key(key(0)), Policy::key(key(1))]);
    let expected = estimate(&both, &is_own, &[], 201, 5).unwrap();
    assert!(!expected.alone && expected.witness.signatures() == 2);
    let htlc = Policy::htlc(sha256(&secret), key(0), key(1), Policy::after(100));
    assert!(estimate(&htlc, &is_own, &[Hex32(secret)], 201, 5).unwrap().alone, "one's own way comes first");
    assert!(!estimate(&htlc, &is_own, &[], 201, 5).unwrap().alone);
    assert_eq!(estimate(&htlc, &is_own, &[], 99, 5), None);
    let mut draft = draft(vec![policy_input(&both, 700_000)], vec![output(&people[0].address(Branch::Receive), 1)]);
    people.iter().for_each(|person| drop(person.sign(&mut draft)));
    let Transaction::Coin(tx) = draft.finish(201).unwrap() else { panic!("not of coins") };
    let guessed = chain_core::transaction::coin::CoinTransaction { witnesses: vec![expected.witness], ..tx.clone() };
    assert_eq!(guessed.gas(guessed.size()), tx.gas(tx.size()));
}

fn account(alter: impl FnOnce(&mut AccountDraft)) -> (Person, Draft) {
    let one = Person::new(1);
    let mut account = AccountDraft {
        from: one.wallet.keys.account(0).unwrap().to_string(),
        key: None,
        nonce: 4,
        to: Some(one.wallet.keys.account(7).unwrap().to_string()),
        value_wei: U256::from(10u64).pow(U256::from(18)),
        gas_limit: 21_000,
        max_fee_per_gas_wei: U256::from(2_000_000_000u64),
        max_priority_fee_per_gas_wei: U256::from(1_000u64),
        input: Vec::new(),
        withdraw_to: None,
        function: None,
        signed: Vec::new(),
    };
    alter(&mut account);
    (one, Draft::new(network(), 200, 1_000_000_000, Body::Account(account.into())))
}

fn transfer() -> (Person, Draft) {
    account(|_| ())
}

#[test]
fn a_transfer_is_signed_and_sent_by_its_account() {
    let (one, mut draft) = transfer();
    assert!(matches!(draft.finish(201), Err(DraftError::Incomplete(_))));
    assert_eq!(Person::new(2).sign(&mut draft), Ok(0));
    assert_eq!(one.sign(&mut draft), Ok(1));
    let read = reread(&draft).unwrap();
    let Transaction::Account(tx) = read.finish(201).unwrap() else { panic!("not of accounts") };
    assert_eq!(tx.recover_sender().unwrap(), one.wallet.keys.account(0).unwrap());
    assert_eq!(tx.fields().chain_id, 133_702);
    assert_eq!(Some(TxId(tx.hash().0)), draft.txid());
    // What is altered afterwards no longer is what was signed.
    let Body::Account(account) = &mut draft.transaction else { panic!("not of accounts") };
    account.nonce = 5;
    assert_eq!(draft.finish(201).unwrap_err(), DraftError::Contradiction("what is signed is not what it says".into()));
}

#[test]
fn a_withdrawal_says_where_it_goes() {
    let address = Person::new(1).address(Branch::Receive);
    let lock = network().coin_address(&address).unwrap();
    let withdrawal = |alter: &dyn Fn(&mut AccountDraft)| {
        account(|account| {
            account.to = Some(GATEWAY.to_string());
            account.input = withdraw_calldata(&lock).to_vec();
            account.withdraw_to = Some(address.clone());
            alter(account);
        })
    };
    let (one, mut good) = withdrawal(&|_| ());
    one.sign(&mut good).unwrap();
    assert!(good.finish(201).is_ok());
    let contradiction = |alter: &dyn Fn(&mut AccountDraft)| match reread(&withdrawal(alter).1) {
        Err(DraftError::Contradiction(what)) => what,
        other => panic!("{other:?}"),
    };
    let other = Person::new(2).address(Branch::Receive);
    let elsewhere = "its data withdraws to another address than it says";
    assert_eq!(contradiction(&|account| account.withdraw_to = Some(other.clone())), elsewhere);
    assert_eq!(contradiction(&|account| account.withdraw_to = None), elsewhere);
    assert_eq!(contradiction(&|account| account.to = Some(account.from.clone())), elsewhere);
    let lost = "it pays the gateway but its data is not a withdrawal, so the value would be lost: `cairn-wallet withdraw` makes one";
    assert_eq!(contradiction(&|account| account.input.clear()), lost);
    assert_eq!(contradiction(&|account| account.input.push(0)), lost);
    assert_eq!(
        contradiction(&|account| account.value_wei += U256::from(1)),
        "a withdrawal takes a whole number of grains"
    );
}

#[test]
fn a_call_is_only_named_after_the_function_that_its_data_calls() {
    let to = network().account("0x70997970C51812dc3A010C7d01b50e0d17dc79C8").unwrap();
    let mut input = hex::decode("a9059cbb").unwrap();
    input.extend(to.into_word());
    input.extend(U256::from(5).to_be_bytes::<32>());
    let call = |function: &str| {
        account(|account| {
            account.input = input.clone();
            account.function = Some(function.into());
        })
    };
    let (one, mut draft) = call("transfer(address,uint256)");
    assert_eq!(one.sign(&mut draft), Ok(1));
    assert!(reread(&draft).unwrap().finish(201).is_ok());
    let lie = DraftError::Contradiction("its data is not a call of 'approve(address,uint256)'".into());
    assert_eq!(reread(&call("approve(address,uint256)").1), Err(lie));
}

#[test]
fn a_contract_is_made_from_code_by_an_account() {
    let made = |code: &[u8]| {
        account(|account| {
            account.to = None;
            account.input = code.to_vec();
            account.gas_limit = 100_000;
        })
    };
    let (one, mut draft) = made(&[0x60, 0x00]);
    assert_eq!(one.sign(&mut draft), Ok(1));
    let Transaction::Account(tx) = reread(&draft).unwrap().finish(201).unwrap() else { panic!("not of accounts") };
    assert_eq!(tx.fields().to, None);
    let Body::Account(account) = &draft.transaction else { panic!("not of accounts") };
    let from = one.wallet.keys.account(0).unwrap();
    assert_eq!(account.made_contract(&network()), Ok(Some(from.create(4))));
    let lost = DraftError::Contradiction("it makes a contract, but without code: the value would be lost".into());
    assert_eq!(reread(&made(&[]).1), Err(lost));
}

#[test]
fn refuses_files_that_are_no_requests() {
    let read = |text: &str| Draft::from_bytes(text.as_bytes()).unwrap_err();
    assert!(matches!(read(""), DraftError::Malformed(_)));
    assert!(matches!(read("{}"), DraftError::Malformed(_)));
    assert_eq!(
        read(r#"{"format":"cairn-transaction","version":2}"#),
        DraftError::Format { format: "cairn-transaction".into(), version: 2 }
    );
    let (_, draft) = payment();
    let text = draft.to_json();
    for (from, to) in [
        ("\"5.00000000\"", "\"5.000000001\""),
        ("\"5.00000000\"", "\"-5\""),
        ("\"5.00000000\"", "\"99999999999999999999\""),
        ("lcrn1", "tcrn1"),
        ("\"index\": 1", "\"index\": -1"),
        ("\"fee\"", "\"feee\""),
        ("\"outputs\": [", "\"outputs\": [{},"),
    ] {
        assert!(text.contains(from), "{from}");
        assert!(Draft::from_bytes(text.replacen(from, to, 1).as_bytes()).is_err(), "{from} -> {to}");
    }
}

proptest! {
    #![proptest_config(ProptestConfig::with_cases(300))]

    /// No flipped bit makes it panic, and none changes what was signed unnoticed.
    #[test]
    fn a_flipped_bit_never_changes_what_is_sent(position in any::<proptest::sample::Index>(), bit in 0u8..8) {
        static SIGNED: std::sync::OnceLock<Draft> = std::sync::OnceLock::new();
        let draft = SIGNED.get_or_init(|| {
            let (one, mut draft) = payment();
            one.sign(&mut draft).unwrap();
            draft
        });
        let mut bytes = draft.to_json().into_bytes();
        let position = position.index(bytes.len());
        bytes[position] ^= 1 << bit;
        if let Ok(read) = Draft::from_bytes(&bytes)
            && let Ok(transaction) = read.finish(201)
        {
            prop_assert_eq!(transaction, draft.finish(201).unwrap());
        }
    }

    #[test]
    fn no_bytes_make_it_panic(bytes in proptest::collection::vec(any::<u8>(), 0..200)) {
        let _ = Draft::from_bytes(&bytes);
    }

    #[test]
    fn withdrawals_read_back(lock_bytes in any::<[u8; 32]>(), policy in any::<bool>(), noise in proptest::collection::vec(any::<u8>(), 0..200)) {
        let lock = if policy { Lock::Policy(lock_bytes) } else { Lock::Key(KeyBytes(lock_bytes)) };
        prop_assert_eq!(super::account::withdraw_lock(&withdraw_calldata(&lock)), Some(lock));
        let _ = super::account::withdraw_lock(&noise);
    }
}
