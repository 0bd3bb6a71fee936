use secp256k1::{Keypair, SecretKey, schnorr};

use super::*;
use crate::{
    codec,
    hash::{HASHED, TxId, sha256},
    transaction::{
        coin::{OutPoint, Output},
        policy::ProofItem,
    },
    units::Amount,
};

const GENESIS: BlockHash = BlockHash([3; 32]);

fn pair(number: u8) -> Keypair {
    Keypair::from_secret_key(&SecretKey::from_secret_bytes([number; 32]).unwrap())
}

fn key(number: u8) -> KeyBytes {
    KeyBytes::of(&pair(number))
}

fn sign(number: u8, message: &[u8; 32]) -> Signature {
    schnorr::sign_no_aux_rand(message, &pair(number)).to_byte_array().into()
}

fn coin(lock: Lock) -> Coin {
    Coin { output: Output { amount: Amount::from_grains(1_000), lock }, height: 90, coinbase: false }
}

/// Spends one coin under each of the locks; witnesses are still missing.
fn spend(locks: &[Lock]) -> (CoinTransaction, Vec<Coin>) {
    let outpoint = |index| OutPoint { txid: TxId([1; 32]), index };
    let outputs = vec![Output { amount: Amount::from_grains(900), lock: Lock::Key(key(9)) }];
    let inputs = (0..locks.len() as u32).map(outpoint).collect();
    (CoinTransaction { inputs, outputs, witnesses: vec![] }, locks.iter().copied().map(coin).collect())
}

fn checks(tx: &CoinTransaction, spent: &[Coin]) -> Result<Vec<SignatureCheck>, RuleError> {
    spend_checks(&GENESIS, tx, spent, 100)
}

// COIN-12
#[test]
fn lists_a_signature_for_each_key() {
    let (mut tx, spent) = spend(&[Lock::Key(key(1)), Lock::Key(key(2))]);
    let message = sighash(&GENESIS, &tx, &spent);
    tx.witnesses = vec![Witness::Key(sign(1, &message(0))), Witness::Key(sign(2, &message(1)))];
    let list = checks(&tx, &spent).unwrap();
    assert_eq!(list.iter().map(|check| check.key).collect::<Vec<_>>(), [key(1), key(2)]);
    assert!(list.iter().all(SignatureCheck::verify));
    // Signatures of one input are worth nothing at another, even of the same key.
    tx.witnesses.swap(0, 1);
    assert!(!checks(&tx, &spent).unwrap().iter().any(SignatureCheck::verify));
}

// COIN-12, SIG-1
#[test]
fn a_signature_is_worth_nothing_on_another_chain() {
    let (mut tx, spent) = spend(&[Lock::Key(key(1))]);
    tx.witnesses = vec![Witness::Key(sign(1, &sighash(&GENESIS, &tx, &spent)(0)))];
    assert!(checks(&tx, &spent).unwrap()[0].verify());
    assert!(!spend_checks(&BlockHash([4; 32]), &tx, &spent, 100).unwrap()[0].verify());
}

// COIN-11
#[test]
fn refuses_a_witness_of_another_kind() {
    let policy = Policy::older(1);
    let by_key = Witness::Key([0; 64].into());
    let by_policy = Witness::Policy(policy.clone(), Proof(vec![ProofItem::Reached].into()));
    let cases = [
        (Lock::Key(key(1)), &by_key, true),
        (Lock::Key(key(1)), &by_policy, false),
        (policy.lock(), &by_policy, true),
        (policy.lock(), &by_key, false),
        // No such coin is ever created.
        (Lock::Account([1; 20].into()), &by_key, false),
        (Lock::Account([1; 20].into()), &by_policy, false),
    ];
    for (lock, witness, fits) in cases {
        let (mut tx, spent) = spend(&[Lock::Key(key(1)), lock]);
        tx.witnesses = vec![by_key.clone(), witness.clone()];
        let result = checks(&tx, &spent).map(|_| ());
        assert_eq!(
            result,
            if fits { Ok(()) } else { Err(RuleError::WitnessKind { input: 1 }) },
            "{lock:?} {witness:?}"
        );
    }
}

// POL-2
#[test]
fn refuses_another_policy_than_the_locked_one() {
    let (locked, other) = (Policy::older(1), Policy::older(0));
    let (mut tx, spent) = spend(&[locked.lock()]);
    tx.witnesses = vec![Witness::Policy(locked.clone(), Proof(vec![ProofItem::Reached].into()))];
    assert_eq!(checks(&tx, &spent), Ok(vec![]));
    tx.witnesses = vec![Witness::Policy(other.clone(), Proof(vec![ProofItem::Reached].into()))];
    assert_eq!(checks(&tx, &spent), Err(RuleError::PolicyHash { got: other.hash(), expected: locked.hash() }));
}

// POL-5
#[test]
fn age_counts_from_the_block_that_made_the_coin() {
    let policy = Policy::older(10);
    let (mut tx, spent) = spend(&[policy.lock()]);
    tx.witnesses = vec![Witness::Policy(policy, Proof(vec![ProofItem::Reached].into()))];
    assert_eq!(spend_checks(&GENESIS, &tx, &spent, 99), Err(RuleError::TooYoung { got: 9, expected: 10 }));
    assert_eq!(spend_checks(&GENESIS, &tx, &spent, 100), Ok(vec![]));
}

#[test]
fn two_of_three_and_a_contract_are_spent_by_real_signatures() {
    let multisig = Policy::threshold(2, [1, 2, 3].map(|number| Policy::key(key(number))));
    let htlc = Policy::htlc(sha256(&[7; 32]), key(4), key(5), Policy::after(200));
    let (mut tx, spent) = spend(&[multisig.lock(), htlc.lock(), Lock::Key(key(1))]);
    let message = sighash(&GENESIS, &tx, &spent);
    let signed = |number, input| ProofItem::Signature(Box::new(sign(number, &message(input))));
    let skip = || ProofItem::Skip;
    let claim = Proof(vec![signed(4, 1), ProofItem::Preimage(Box::new([7; 32])), skip(), skip()].into());
    tx.witnesses = vec![
        Witness::Policy(multisig, Proof(vec![signed(1, 0), skip(), signed(3, 0)].into())),
        Witness::Policy(htlc.clone(), claim),
        Witness::Key(sign(1, &message(2))),
    ];
    let list = checks(&tx, &spent).unwrap();
    assert_eq!(list.iter().map(|check| check.key).collect::<Vec<_>>(), [key(1), key(3), key(4), key(1)]);
    assert!(list.iter().all(SignatureCheck::verify));
    // The refund is signed but too early.
    tx.witnesses[1] = Witness::Policy(htlc, Proof(vec![skip(), skip(), signed(5, 1), ProofItem::Reached].into()));
    assert_eq!(checks(&tx, &spent), Err(RuleError::TooEarly { got: 100, expected: 200 }));
    assert!(spend_checks(&GENESIS, &tx, &spent, 200).unwrap().iter().all(SignatureCheck::verify));
}

#[test]
fn signatures_of_63_and_65_bytes_do_not_even_decode() {
    let witness = codec::encode(&Witness::Key([1; 64].into()));
    assert_eq!(codec::decode(&witness), Ok(Witness::Key([1; 64].into())));
    assert!(matches!(codec::decode::<Witness>(&witness[..64]), Err(codec::CodecError::Malformed(_))));
    let long = [&witness[..], &[1]].concat();
    assert_eq!(codec::decode::<Witness>(&long), Err(codec::CodecError::Trailing(1)));
}

// SIG-1: in a chain whose messages hash quadratically, this takes minutes.
#[test]
fn ten_times_the_inputs_hash_ten_times_the_bytes() {
    let hashed = |inputs: usize| {
        let locks = vec![Lock::Key(key(1)); inputs];
        let (mut tx, spent) = spend(&locks);
        tx.witnesses = vec![Witness::Key([0; 64].into()); locks.len()];
        let before = HASHED.get();
        assert_eq!(checks(&tx, &spent).unwrap().len(), inputs);
        HASHED.get() - before
    };
    let (few, many) = (hashed(2_000), hashed(20_000));
    assert!(few > 2_000 * 66, "each input and the output that it spends are hashed");
    assert!(many < 11 * few, "{few} bytes for 2,000 inputs, {many} for 20,000");
}
