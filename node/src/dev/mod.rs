//! The accounts of `--dev` and of a devnet: those of the mnemonic that Ethereum's tools use for tests, so that every one of
//! them knows the keys. Worth nothing anywhere else.

use alloy_primitives::{Address, B256, keccak256};
use chain_core::{
    error::RuleError,
    spec::ChainSpec,
    transaction::account::{AccountTransaction, Fields, address_of},
};
use parking_lot::Mutex;
use secp256k1::{
    Message, PublicKey, SecretKey,
    ecdsa::{RecoverableSignature, RecoveryId},
};
use std::{collections::BTreeSet, sync::LazyLock};

/// Accounts that are impersonated at most.
const MOST_IMPERSONATED: usize = 10_000;

/// `m/44'/60'/0'/0/0` to `/9` of this mnemonic are funded on the chains `dev` and `devnet`.
pub const MNEMONIC: &str = "test test test test test test test test test test test junk";

/// Their keys.
const KEYS: [&str; 10] = [
    "0xac0974bec39a17e36ba4a6b4d238ff944bacb478cbed5efcae784d7bf4f2ff80",
    "0x59c6995e998f97a5a0044966f0945389dc9e86dae88c7a8412f4603b6b78690d",
    "0x5de4111afa1a4b94908f83103eb1f1706367c2e68ca870fc3fb9a804cdab365a",
    "0x7c852118294e51e653712a81e05800f419141751be58f605c371e15141b007a6",
    "0x47e179ec197488593b187f80a00eb0da91f1b9d0b13f8733639f19c30a34926a",
    "0x8b3a350cf5c34c9194ca85829a2df0ec3153be0318b5e2d3348e872092edffba",
    "0x92db14e403b83dfe3df233f83dfa3a0d7096f21ca9b0d6d6b8d88b2b4ec1564e",
    "0x4bbbf85ce3377467afe5d46f804f221813b2bb87f24d81f60f1fcdbf7cbf4356",
    "0xdbda1821b80551c9d65939329250298aa3472ba22feea921c0cf5d620ea67b97",
    "0x2a871d0798f97d79848a013d4936a73bf4cc922c825d33c1cf7073dff6d409c6",
];

/// A funded account of these chains.
pub struct DevAccount {
    /// Its address.
    pub address: Address,
    /// Its key, public to everybody.
    pub private_key: &'static str,
    secret: SecretKey,
}

/// The funded accounts.
pub static ACCOUNTS: LazyLock<[DevAccount; 10]> = LazyLock::new(|| {
    KEYS.map(|private_key| {
        let key: B256 = private_key.parse().expect("32 bytes in hex");
        let secret = SecretKey::from_secret_bytes(key.0).expect("a key of the curve");
        DevAccount { address: address_of(&PublicKey::from_secret_key(&secret)), private_key, secret }
    })
});

/// Whether a chain gives these accounts money.
pub fn is_funded(spec: &ChainSpec) -> bool {
    let funds = |account: &DevAccount| spec.alloc_accounts.iter().any(|funded| funded.address == account.address);
    ACCOUNTS.iter().all(funds)
}

/// The hash that is signed for a message (EIP-191).
pub fn message_hash(message: &[u8]) -> B256 {
    keccak256([format!("\x19Ethereum Signed Message:\n{}", message.len()).as_bytes(), message].concat())
}

/// The accounts that the node signs for: none but on a development chain, and in a devnet whose chain funds them.
#[derive(Debug, Default)]
pub struct Accounts {
    signs: bool,
    impersonates: bool,
    impersonated: Mutex<Impersonated>,
}

#[derive(Debug, Default)]
struct Impersonated {
    all: bool,
    some: BTreeSet<Address>,
}

impl Accounts {
    /// Those of a chain, for a node that is part of a devnet, or is not.
    pub fn new(spec: &ChainSpec, in_devnet: bool) -> Self {
        let signs = spec.is_dev() || (in_devnet && is_funded(spec));
        Self { signs, impersonates: spec.is_dev(), impersonated: Mutex::default() }
    }

    /// Addresses of the funded accounts.
    pub fn list(&self) -> impl Iterator<Item = Address> {
        ACCOUNTS.iter().filter(|_| self.signs).map(|account| account.address)
    }

    fn key(&self, address: &Address) -> Option<SecretKey> {
        let account = ACCOUNTS.iter().find(|account| account.address == *address);
        account.filter(|_| self.signs).map(|account| account.secret)
    }

    /// Sends without a key for an account from now on, or no longer; `false` if there are too many.
    pub fn impersonate(&self, address: Address, on: bool) -> bool {
        let mut impersonated = self.impersonated.lock();
        if !on {
            impersonated.some.remove(&address);
            return true;
        }
        if impersonated.some.len() >= MOST_IMPERSONATED {
            return false;
        }
        impersonated.some.insert(address);
        true
    }

    /// Sends without a key for every account from now on, or no longer.
    pub fn impersonate_all(&self, on: bool) {
        self.impersonated.lock().all = on;
    }

    /// A transaction of an account: signed, or without a signature (DEV-2) if it is impersonated. `None` for others.
    pub fn transaction(&self, from: &Address, fields: Fields) -> Option<Result<AccountTransaction, RuleError>> {
        if let Some(key) = self.key(from) {
            return Some(AccountTransaction::sign(fields, &key));
        }
        let may_send = {
            let impersonated = self.impersonated.lock();
            impersonated.all || impersonated.some.contains(from)
        };
        if may_send { self.unsigned(from, fields) } else { None }
    }

    /// A transaction of any account without a signature (DEV-2); `None` where there are none.
    pub fn unsigned(&self, from: &Address, fields: Fields) -> Option<Result<AccountTransaction, RuleError>> {
        self.impersonates.then(|| AccountTransaction::naming(fields, *from))
    }

    /// Signs a hash: `r`, `s` and 27 or 28. `None` if the key is not known.
    pub fn sign(&self, by: &Address, hash: B256) -> Option<[u8; 65]> {
        let key = self.key(by)?;
        let signature = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(hash.0), &key);
        let (parity, compact) = signature.serialize_compact();
        let mut bytes = [27; 65];
        bytes[..64].copy_from_slice(&compact);
        bytes[64] += u8::from(parity == RecoveryId::One);
        Some(bytes)
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use chain_core::transaction::account::AccountTransaction;

    #[test]
    fn every_funded_account_has_its_key_here() {
        let mut known: Vec<_> = ACCOUNTS.iter().map(|account| account.address).collect();
        known.sort();
        for spec in [ChainSpec::dev(), ChainSpec::devnet()] {
            let accounts = spec.alloc_accounts;
            let funded: Vec<_> =
                accounts.iter().filter(|account| account.code.is_empty()).map(|account| account.address).collect();
            assert_eq!(known, funded);
        }
    }

    #[test]
    fn only_a_development_chain_signs_and_impersonates() {
        let fields = crate::rpc::testing::transfer(ACCOUNTS[0].private_key, 0, Address::ZERO, 1).fields().clone();
        let [own, other] = [ACCOUNTS[1].address, Address::repeat_byte(7)];
        let (dev, public) = (Accounts::new(&ChainSpec::dev(), false), Accounts::new(&ChainSpec::main(), false));
        let sender = |accounts: &Accounts, from| accounts.transaction(&from, fields.clone()).map(Result::unwrap);
        assert_eq!(sender(&dev, own).unwrap().recover_sender().unwrap(), own);
        assert!(sender(&dev, other).is_none());
        for accounts in [&dev, &public] {
            assert!(accounts.impersonate(other, true));
        }
        assert_eq!(sender(&dev, other).unwrap().named_sender(), Some(other));
        dev.impersonate(other, false);
        assert!(sender(&dev, other).is_none());
        dev.impersonate_all(true);
        assert_eq!(sender(&dev, other).unwrap().named_sender(), Some(other));
        public.impersonate_all(true);
        assert!(sender(&public, own).is_none() && sender(&public, other).is_none());
        assert_eq!((public.sign(&own, B256::ZERO), public.list().count()), (None, 0));
        assert_eq!(dev.list().count(), 10);
    }

    #[test]
    fn a_devnet_signs_for_the_accounts_that_its_chain_funds_and_impersonates_none() {
        let fields = crate::rpc::testing::transfer(ACCOUNTS[0].private_key, 0, Address::ZERO, 1).fields().clone();
        let other = Address::repeat_byte(7);
        let devnet = Accounts::new(&ChainSpec::devnet(), true);
        let sent = devnet.transaction(&ACCOUNTS[1].address, fields.clone()).unwrap().unwrap();
        assert_eq!((devnet.list().count(), sent.recover_sender().unwrap()), (10, ACCOUNTS[1].address));
        devnet.impersonate_all(true);
        assert!(devnet.impersonate(other, true) && devnet.transaction(&other, fields).is_none());
        // A node of that chain alone, and devnets of real chains.
        let silent = |spec: &ChainSpec, in_devnet| Accounts::new(spec, in_devnet).list().count();
        assert_eq!(silent(&ChainSpec::devnet(), false), 0);
        assert_eq!([ChainSpec::main(), ChainSpec::test(), ChainSpec::local()].map(|spec| silent(&spec, true)), [0; 3]);
    }

    #[test]
    fn every_key_signs_for_its_account() {
        for account in ACCOUNTS.iter() {
            let transaction = crate::rpc::testing::transfer(account.private_key, 0, Address::ZERO, 1);
            assert_eq!(AccountTransaction::recover_sender(&transaction).unwrap(), account.address);
        }
    }
}
