//! Signed messages: by an account as every Ethereum wallet signs them (EIP-191), by a key of coins under a tag of its own.

use alloy_primitives::{Address, keccak256};
use chain_core::{
    hash::tagged_hasher,
    transaction::{
        account::address_of,
        coin::{KeyBytes, Lock, Signature},
        sighash::SignatureCheck,
    },
};
use secp256k1::{
    Message, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use sha2::Digest;

/// The tag (BIP 340) of messages: no signature of one is the signature of a transaction.
const TAG: &str = "Cairn/message";

/// Why a signature does not show what it should.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum MessageError {
    #[error("a signature by {0} has {1} hexadecimal digits")]
    Malformed(&'static str, usize),
    #[error("the signature is not by {0} over this message")]
    Wrong(String),
    #[error("{0} is the address of a policy: only keys and accounts sign messages")]
    Policy(String),
}

/// What an account signs (EIP-191, version 0x45).
pub fn account_digest(message: &[u8]) -> [u8; 32] {
    let head = format!("\u{19}Ethereum Signed Message:\n{}", message.len());
    keccak256([head.as_bytes(), message].concat()).0
}

/// What a key of coins signs.
pub fn coin_digest(message: &[u8]) -> [u8; 32] {
    tagged_hasher(TAG).chain_update(message).finalize().into()
}

/// Signs a message as an account.
pub fn sign_account(key: &SecretKey, message: &[u8]) -> [u8; 65] {
    sign_hash(key, account_digest(message))
}

/// Signs a hash as an account: `r || s || v` with v of 27 or 28.
pub fn sign_hash(key: &SecretKey, hash: [u8; 32]) -> [u8; 65] {
    let hash = Message::from_digest(hash);
    let (parity, bytes) = RecoverableSignature::sign_ecdsa_recoverable(hash, key).serialize_compact();
    let mut signature = [0; 65];
    signature[..64].copy_from_slice(&bytes);
    signature[64] = 27 + u8::from(parity == RecoveryId::One);
    signature
}

/// Checks a signature against the address that should have made it.
///
/// # Errors
/// [`MessageError`] unless it did.
pub fn verify(address: &str, lock: &Lock, message: &[u8], signature: &str) -> Result<(), MessageError> {
    let bytes = hex::decode(signature.trim().trim_start_matches("0x")).ok();
    let right = match lock {
        Lock::Account(account) => {
            let bytes: Option<[u8; 65]> = bytes.and_then(|bytes| bytes.try_into().ok());
            let bytes = bytes.ok_or(MessageError::Malformed("an account", 130))?;
            signer(&bytes, message) == Some(*account)
        }
        Lock::Key(key) => {
            let bytes: Option<[u8; 64]> = bytes.and_then(|bytes| bytes.try_into().ok());
            let bytes = bytes.ok_or(MessageError::Malformed("a key of coins", 128))?;
            verify_coin(key, message, bytes.into())
        }
        Lock::Policy(_) => return Err(MessageError::Policy(address.into())),
    };
    if right { Ok(()) } else { Err(MessageError::Wrong(address.into())) }
}

/// The account that signed. `v` is 27 or 28, or 0 or 1 as some tools write it.
fn signer(signature: &[u8; 65], message: &[u8]) -> Option<Address> {
    let parity = match signature[64] {
        0 | 27 => RecoveryId::Zero,
        1 | 28 => RecoveryId::One,
        _ => return None,
    };
    let signature = RecoverableSignature::from_compact(&signature[..64], parity).ok()?;
    let key = signature.recover_ecdsa(Message::from_digest(account_digest(message))).ok()?;
    Some(address_of(&key))
}

fn verify_coin(key: &KeyBytes, message: &[u8], signature: Signature) -> bool {
    SignatureCheck { key: *key, message: coin_digest(message), signature }.verify()
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::keys::{self, Branch, Signer};

    fn signer() -> Signer {
        Signer::new(&keys::parse_mnemonic("test test test test test test test test test test test junk").unwrap())
            .unwrap()
    }

    #[test]
    fn accounts_sign_as_other_wallets_do() {
        // Made by a program of another kind from the EIP, RFC 6979 and the curve.
        let key = signer().account_key(0).unwrap();
        assert_eq!(
            hex::encode(account_digest(b"hello")),
            "50b2c43fd39106bafbba0da34fc430e1f91e3c96ea2acee2bc34119f92b37750"
        );
        assert_eq!(
            hex::encode(sign_account(&key, b"hello")),
            "f16ea9a3478698f695fd1401bfe27e9e4a7e8e3da94aa72b021125e31fa899cc573c48ea3fe1d4ab61a9db10c19032026e3ed2dbccba5a178235ac27f94504311c"
        );
    }

    #[test]
    fn a_signature_fits_one_address_and_one_message() {
        let signer = signer();
        let account = Lock::Account(signer.public().account(0).unwrap());
        let by_account = hex::encode(sign_account(&signer.account_key(0).unwrap(), b"hello"));
        let coin = signer.public().lock(Branch::Receive, 3).unwrap();
        let by_coin = signer.sign_coin(Branch::Receive, 3, &coin_digest(b"hello")).unwrap();
        let by_coin = hex::encode(by_coin.0);
        for (lock, signature) in [(account, &by_account), (coin, &by_coin)] {
            assert_eq!(verify("a", &lock, b"hello", signature), Ok(()));
            assert_eq!(verify("a", &lock, b"hello", &format!("0x{signature}\n")), Ok(()));
            assert_eq!(verify("a", &lock, b"hello!", signature), Err(MessageError::Wrong("a".into())));
            assert!(matches!(verify("a", &lock, b"hello", &signature[2..]), Err(MessageError::Malformed(..))));
            assert!(matches!(verify("a", &lock, b"hello", "zz"), Err(MessageError::Malformed(..))));
        }
        let other = signer.public().lock(Branch::Receive, 4).unwrap();
        assert!(verify("b", &other, b"hello", &by_coin).is_err());
        assert!(verify("b", &Lock::Account(Address::ZERO), b"hello", &by_account).is_err());
        assert_eq!(verify("p", &Lock::Policy([0; 32]), b"", ""), Err(MessageError::Policy("p".into())));
    }

    #[test]
    fn no_message_is_a_transaction() {
        // Another tag, so that what signs messages for strangers spends nothing.
        let plain = chain_core::hash::tagged_hasher("Cairn/sighash").chain_update(b"hello").finalize();
        assert_ne!(coin_digest(b"hello"), <[u8; 32]>::from(plain));
    }
}
