//! The message of a coin transaction's signatures, and their verification.

use secp256k1::{XOnlyPublicKey, schnorr};
use sha2::Digest;

use crate::{
    codec,
    hash::{BlockHash, sha256, tagged_hasher},
    transaction::coin::{Coin, CoinTransaction, KeyBytes, Output, Signature},
};

/// The signed message of each input, by input index. The common part is hashed once, so that signing or checking a
/// transaction is linear in its size.
///
/// `spent` are the coins of `tx.inputs`, in order; their heights do not matter.
pub fn sighash(genesis: &BlockHash, tx: &CoinTransaction, spent: &[Coin]) -> impl Fn(u32) -> [u8; 32] + use<> {
    // SIG-1
    let spent: Vec<Output> = spent.iter().map(|coin| coin.output).collect();
    let common = sha256(&codec::encode(&(&tx.inputs, spent, &tx.outputs)));
    let shared = tagged_hasher("Cairn/sighash").chain_update(genesis.0).chain_update(common);
    move |input| shared.clone().chain_update(input.to_le_bytes()).finalize().into()
}

/// A signature to verify: expensive, and independent of all others. The result depends on its fields alone.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash)]
pub struct SignatureCheck {
    /// The key of the signer.
    pub key: KeyBytes,
    /// The signed message.
    pub message: [u8; 32],
    /// The signature.
    pub signature: Signature,
}

impl SignatureCheck {
    /// Whether the signature verifies (BIP 340). None does for a key that is not a point of the curve.
    pub fn verify(&self) -> bool {
        // COIN-12
        XOnlyPublicKey::from_byte_array(self.key.0).is_ok_and(|key| {
            let signature = schnorr::Signature::from_byte_array(self.signature.0);
            schnorr::verify(&signature, &self.message, &key).is_ok()
        })
    }
}

#[cfg(test)]
mod tests {
    use proptest::prelude::*;
    use secp256k1::{Keypair, SecretKey};

    use super::*;
    use crate::{testing, units::Amount};

    fn spend(inputs: usize) -> impl Strategy<Value = (CoinTransaction, Vec<Coin>)> {
        let inputs = prop::collection::vec((testing::outpoint(), testing::coin(), testing::witness()), inputs);
        (inputs, prop::collection::vec(testing::output(), 1..4)).prop_map(|(inputs, outputs)| {
            let mut spent = Vec::new();
            let mut tx = CoinTransaction { inputs: Vec::new(), outputs, witnesses: Vec::new() };
            for (outpoint, coin, witness) in inputs {
                tx.inputs.push(outpoint);
                tx.witnesses.push(witness);
                spent.push(coin);
            }
            (tx, spent)
        })
    }

    proptest! {
        // SIG-1
        #[test]
        fn message_is_as_the_specification_writes_it(spend in spend(3), genesis: [u8; 32], input in 0..3_u32) {
            let (tx, spent) = spend;
            let spent_outputs: Vec<Output> = spent.iter().map(|coin| coin.output).collect();
            let parts = [codec::encode(&tx.inputs), codec::encode(&spent_outputs), codec::encode(&tx.outputs)];
            let tag = sha256(b"Cairn/sighash");
            let common = sha256(&parts.concat());
            let expected = sha256(&[&tag[..], &tag, &genesis, &common, &input.to_le_bytes()].concat());
            prop_assert_eq!(sighash(&BlockHash(genesis), &tx, &spent)(input), expected);
        }

        #[test]
        fn message_depends_on_everything_but_witnesses_and_heights(spend in spend(2), genesis: [u8; 32]) {
            let (tx, spent) = spend;
            let genesis = BlockHash(genesis);
            let message = sighash(&genesis, &tx, &spent)(0);
            prop_assert_ne!(sighash(&genesis, &tx, &spent)(1), message);
            let mut other_genesis = genesis;
            other_genesis.0[0] ^= 1;
            prop_assert_ne!(sighash(&other_genesis, &tx, &spent)(0), message);

            let with = |change: &dyn Fn(&mut CoinTransaction, &mut Vec<Coin>)| {
                let (mut tx, mut spent) = (tx.clone(), spent.clone());
                change(&mut tx, &mut spent);
                sighash(&genesis, &tx, &spent)(0)
            };
            prop_assert_ne!(with(&|tx, _| tx.inputs[1].index ^= 1), message);
            prop_assert_ne!(with(&|tx, _| tx.inputs.swap(0, 1)), message);
            prop_assert_ne!(with(&|tx, _| tx.outputs[0].amount = Amount::from_grains(tx.outputs[0].amount.grains() ^ 1)), message);
            prop_assert_ne!(with(&|tx, _| tx.outputs.push(tx.outputs[0])), message);
            prop_assert_ne!(with(&|_, spent| spent[1].output.amount = Amount::from_grains(spent[1].output.amount.grains() ^ 1)), message);
            prop_assert_ne!(with(&|_, spent| spent[1].output.lock = crate::transaction::coin::Lock::Policy([1; 32])), message);
            prop_assert_eq!(with(&|_, spent| spent[1].height ^= 1), message);
            prop_assert_eq!(with(&|tx, _| tx.witnesses.clear()), message);
        }
    }

    fn signed() -> SignatureCheck {
        let pair = Keypair::from_secret_key(&SecretKey::from_secret_bytes([5; 32]).unwrap());
        let message = [9; 32];
        let signature = schnorr::sign_no_aux_rand(&message, &pair).to_byte_array().into();
        SignatureCheck { key: KeyBytes::of(&pair), message, signature }
    }

    // COIN-12
    #[test]
    fn any_flipped_bit_spoils_the_signature() {
        let check = signed();
        assert!(check.verify());
        for bit in 0..512 {
            let mut signature = check.signature;
            signature.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!SignatureCheck { signature, ..check }.verify(), "bit {bit}");
        }
        for bit in 0..256 {
            let (mut message, mut key) = (check.message, check.key);
            message[bit / 8] ^= 1 << (bit % 8);
            key.0[bit / 8] ^= 1 << (bit % 8);
            assert!(!SignatureCheck { message, ..check }.verify(), "bit {bit} of the message");
            assert!(!SignatureCheck { key, ..check }.verify(), "bit {bit} of the key");
        }
    }

    // COIN-12: s and n - s do not both verify, so that no third party can derive a second signature from the first.
    #[test]
    fn the_negated_s_does_not_verify() {
        let check = signed();
        let order = hex::decode("fffffffffffffffffffffffffffffffebaaedce6af48a03bbfd25e8cd0364141").unwrap();
        let order = alloy_primitives::U256::from_be_slice(&order);
        let s = alloy_primitives::U256::from_be_slice(&check.signature.0[32..]);
        let mut signature = check.signature;
        signature.0[32..].copy_from_slice(&(order - s).to_be_bytes::<32>());
        assert!(!SignatureCheck { signature, ..check }.verify());
        // Nor does s + n, where it fits in 32 bytes at all.
        signature.0[32..].copy_from_slice(&s.wrapping_add(order).to_be_bytes::<32>());
        assert!(!SignatureCheck { signature, ..check }.verify());
    }
}
