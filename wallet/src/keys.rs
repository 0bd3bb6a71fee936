//! Keys from a mnemonic (BIP 39, BIP 32).
//!
//! | path | what |
//! | --- | --- |
//! | `m/4411982'/0'/0/i` | coins: addresses to be paid at |
//! | `m/4411982'/0'/1/i` | coins: change |
//! | `m/4411982'/0'/2/i` | coins: keys for policies |
//! | `m/44'/60'/0'/0/i` | accounts, as every Ethereum wallet derives them |
//!
//! 4411982 is `CRN` in ASCII: a purpose (BIP 43) of Cairn's own, since these keys are those of no Bitcoin standard. The
//! x-only key of a path is used as it is (BIP 340), without the tweak of BIP 341 and 86, since there is no script to commit
//! to: see docs/adr/0015-wallet-paths.md.
//!
//! Memory is not erased: BIP 32 nodes have no destructor, and a process lives for one command. It makes no core dump.

use std::{fmt, str::FromStr};

use alloy_primitives::{Address, keccak256};
use bip32::{ChildNumber, ExtendedPrivateKey, ExtendedPublicKey, Prefix};
use bip39::{Language, Mnemonic};
use chain_core::{
    error::RuleError,
    transaction::{
        account::{AccountTransaction, Fields},
        coin::{KeyBytes, Lock, Signature},
    },
};
use secp256k1::{Keypair, PublicKey, SecretKey};
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

use crate::{
    input::invisible,
    vault::{self, VaultError},
};

/// Numbers of accounts from here on are those of imported ones: BIP 32 derives none.
pub const IMPORTED: u32 = 1 << 31;

/// The purpose (BIP 43) of Cairn's coin keys: `CRN` in ASCII.
pub const PURPOSE: u32 = 0x0043_524e;

type PrivateNode = ExtendedPrivateKey<SecretKey>;
type PublicNode = ExtendedPublicKey<PublicKey>;

/// Why keys cannot be made.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
pub enum KeyError {
    /// A passphrase that other programs may read in another way.
    #[error("a passphrase has at most 255 printable ASCII characters")]
    Passphrase,
    #[error("a mnemonic has 12, 15, 18, 21 or 24 words, not {0}")]
    WordCount(usize),
    #[error("word {position}, '{word}', is not in the BIP 39 list{}", suggestion(.close))]
    UnknownWord { position: usize, word: String, close: Option<&'static str> },
    /// A word with a letter that no screen shows, as copied text may have.
    #[error("word {position} has an invisible character ({:?}): type the word again", .letter)]
    Invisible { position: usize, letter: char },
    #[error("the words are all known but do not belong together (checksum): is one wrong, or are two swapped?")]
    Checksum,
    /// An index from which BIP 32 derives no key, or no extended key.
    #[error("no key can be derived: {0}")]
    Derivation(String),
    #[error(transparent)]
    Vault(#[from] VaultError),
}

fn suggestion(close: &Option<&'static str>) -> String {
    close.map(|word| format!("; did you mean '{word}'?")).unwrap_or_default()
}

fn derivation(error: bip32::Error) -> KeyError {
    KeyError::Derivation(error.to_string())
}

/// What a coin key is for: the fourth level of its path.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash, Serialize, Deserialize)]
pub enum Branch {
    /// Addresses given to others.
    Receive,
    Change,
    Policy,
}

impl Branch {
    fn number(self) -> u32 {
        match self {
            Self::Receive => 0,
            Self::Change => 1,
            Self::Policy => 2,
        }
    }
}

/// The place of a key in the tree. Shown and read as a path: `m/4411982'/0'/0/7`.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub enum KeyPath {
    /// A key of coins.
    Coin(Branch, u32),
    Account(u32),
}

impl fmt::Display for KeyPath {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Coin(branch, index) => write!(f, "m/{PURPOSE}'/0'/{}/{index}", branch.number()),
            Self::Account(index) => write!(f, "m/44'/60'/0'/0/{index}"),
        }
    }
}

impl FromStr for KeyPath {
    type Err = String;

    fn from_str(text: &str) -> Result<Self, String> {
        let unknown = || format!("'{text}' is not a path of this wallet's keys");
        let index = |digits: &str| digits.parse().ok().filter(|index| *index < 1 << 31).ok_or_else(unknown);
        if let Some(rest) = text.strip_prefix("m/44'/60'/0'/0/") {
            return Ok(Self::Account(index(rest)?));
        }
        let rest = text.strip_prefix(&format!("m/{PURPOSE}'/0'/")).ok_or_else(unknown)?;
        let branch = [Branch::Receive, Branch::Change, Branch::Policy]
            .into_iter()
            .find_map(|branch| Some((branch, rest.strip_prefix(&format!("{}/", branch.number()))?)));
        let (branch, rest) = branch.ok_or_else(unknown)?;
        Ok(Self::Coin(branch, index(rest)?))
    }
}

impl Serialize for KeyPath {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_str(self)
    }
}

impl<'de> Deserialize<'de> for KeyPath {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        String::deserialize(deserializer)?.parse().map_err(serde::de::Error::custom)
    }
}

/// Makes a mnemonic of 12 or 24 words from the system's randomness.
///
/// # Errors
/// [`KeyError`] if there is none, or the number of words is another.
pub fn generate(words: usize) -> Result<Mnemonic, KeyError> {
    let entropy = Zeroizing::new(vault::random::<32>()?);
    let bytes = match words {
        12 => 16,
        24 => 32,
        _ => return Err(KeyError::WordCount(words)),
    };
    Mnemonic::from_entropy(&entropy[..bytes]).map_err(|_| KeyError::WordCount(words))
}

/// Reads an English mnemonic, whatever its spacing and case.
///
/// # Errors
/// [`KeyError`] that names the wrong word where there is one.
pub fn parse_mnemonic(text: &str) -> Result<Mnemonic, KeyError> {
    let text = Zeroizing::new(text.to_lowercase());
    let words: Vec<&str> = text.split_whitespace().collect();
    let hidden = |(index, word): (usize, &&str)| Some((index + 1, invisible(word)?));
    if let Some((position, letter)) = words.iter().enumerate().find_map(hidden) {
        return Err(KeyError::Invisible { position, letter });
    }
    let joined = Zeroizing::new(words.join(" "));
    Mnemonic::parse_in(Language::English, joined.as_str()).map_err(|error| match error {
        bip39::Error::UnknownWord(index) => {
            let word = words.get(index).copied().unwrap_or_default();
            KeyError::UnknownWord { position: index + 1, word: word.into(), close: closest(word) }
        }
        bip39::Error::InvalidChecksum => KeyError::Checksum,
        _ => KeyError::WordCount(words.len()),
    })
}

/// The word of the list that begins as this one does: the first four letters are unique.
fn closest(word: &str) -> Option<&'static str> {
    let list = Language::English.word_list();
    let begins = |letters: usize| {
        let start: String = word.chars().take(letters).collect();
        let long_enough = start.chars().count() == letters;
        list.iter().find(|known| long_enough && known.starts_with(&start))
    };
    begins(4).or_else(|| begins(3)).copied()
}

/// Public keys of the tree: enough to make every address, not to sign.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct PublicKeys {
    coins: PublicNode,
    accounts: PublicNode,
}

impl PublicKeys {
    /// The x-only key at a path of coins.
    ///
    /// # Errors
    /// [`KeyError`] for an index of 2^31 or more.
    pub fn coin_key(&self, branch: Branch, index: u32) -> Result<KeyBytes, KeyError> {
        let key = child(&self.coins, [branch.number(), index])?;
        Ok(KeyBytes(key.public_key().x_only_public_key().0.to_byte_array()))
    }

    /// The lock of an address of coins.
    pub fn lock(&self, branch: Branch, index: u32) -> Result<Lock, KeyError> {
        self.coin_key(branch, index).map(Lock::Key)
    }

    /// The address of an account.
    pub fn account(&self, index: u32) -> Result<Address, KeyError> {
        let point = child(&self.accounts, [0, index])?.public_key().serialize_uncompressed();
        Ok(Address::from_slice(&keccak256(&point[1..])[12..]))
    }
}

/// As two extended public keys in text.
impl Serialize for PublicKeys {
    fn serialize<S: serde::Serializer>(&self, serializer: S) -> Result<S::Ok, S::Error> {
        (self.coins.to_string(Prefix::XPUB), self.accounts.to_string(Prefix::XPUB)).serialize(serializer)
    }
}

impl<'de> Deserialize<'de> for PublicKeys {
    fn deserialize<D: serde::Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        let (coins, accounts) = <(String, String)>::deserialize(deserializer)?;
        let node = |text: String| text.parse::<PublicNode>().map_err(serde::de::Error::custom);
        Ok(Self { coins: node(coins)?, accounts: node(accounts)? })
    }
}

fn child(node: &PublicNode, path: [u32; 2]) -> Result<PublicNode, KeyError> {
    path.into_iter().try_fold(node.clone(), |node, index| {
        let number = ChildNumber::new(index, false).map_err(derivation)?;
        node.derive_child(number).map_err(derivation)
    })
}

/// Letters of a passphrase: its length takes a byte in the file.
const LONGEST: usize = 255;

/// The secret tree of a mnemonic. Only this signs.
pub struct Signer {
    coins: PrivateNode,
    accounts: PrivateNode,
    public: PublicKeys,
    imported: Vec<SecretKey>,
    passphrase: Zeroizing<String>,
}

impl Signer {
    /// Derives the tree of a mnemonic without a passphrase.
    ///
    /// # Errors
    /// [`KeyError`] with a probability below 2^-127.
    pub fn new(mnemonic: &Mnemonic) -> Result<Self, KeyError> {
        Self::with_passphrase(mnemonic, "")
    }

    /// Derives the tree of a mnemonic and its BIP 39 passphrase.
    ///
    /// # Errors
    /// [`KeyError::Passphrase`]; [`KeyError`] with a probability below 2^-127.
    pub fn with_passphrase(mnemonic: &Mnemonic, passphrase: &str) -> Result<Self, KeyError> {
        // Beyond ASCII the standard asks for a normal form; a program that skips it would find other keys.
        if !passphrase.chars().all(|letter| letter == ' ' || letter.is_ascii_graphic()) || passphrase.len() > LONGEST {
            return Err(KeyError::Passphrase);
        }
        let seed = Zeroizing::new(mnemonic.to_seed_normalized(passphrase));
        let coins = secret_node(&seed, &format!("m/{PURPOSE}'/0'"))?;
        let accounts = secret_node(&seed, "m/44'/60'/0'")?;
        let public = PublicKeys { coins: coins.public_key(), accounts: accounts.public_key() };
        Ok(Self { coins, accounts, public, imported: Vec::new(), passphrase: Zeroizing::new(passphrase.to_owned()) })
    }

    /// Adds keys of accounts that are not of the mnemonic.
    pub fn with(self, imported: Vec<SecretKey>) -> Self {
        Self { imported, ..self }
    }

    /// Keys of accounts that are not of the mnemonic.
    pub fn imported(&self) -> &[SecretKey] {
        &self.imported
    }

    /// The passphrase that belongs to the mnemonic; empty if there is none.
    pub fn passphrase(&self) -> &str {
        &self.passphrase
    }

    /// The public side of the tree.
    pub fn public(&self) -> &PublicKeys {
        &self.public
    }

    /// Signs a message with the key at a path of coins (BIP 340, with auxiliary randomness).
    ///
    /// # Errors
    /// [`KeyError`] for an index of 2^31 or more, or without randomness.
    pub fn sign_coin(&self, branch: Branch, index: u32, message: &[u8; 32]) -> Result<Signature, KeyError> {
        let node = secret_child(&self.coins, [branch.number(), index])?;
        let keypair = Keypair::from_secret_key(node.private_key());
        let aux = vault::random::<32>()?;
        let signature = secp256k1::schnorr::sign_with_aux_rand(message, &keypair, &aux);
        Ok(Signature::from(signature.to_byte_array()))
    }

    /// Signs an account transaction.
    ///
    /// # Errors
    /// [`RuleError`] if the fields are no well-formed transaction; [`KeyError`] as above.
    pub fn sign_account(&self, index: u32, fields: Fields) -> Result<Result<AccountTransaction, RuleError>, KeyError> {
        Ok(AccountTransaction::sign(fields, &self.account_key(index)?))
    }

    /// The secret key of an account, by its number in the wallet.
    ///
    /// # Errors
    /// [`KeyError`] if there is none.
    pub fn account_key(&self, index: u32) -> Result<SecretKey, KeyError> {
        if let Some(place) = index.checked_sub(IMPORTED) {
            let key = self.imported.get(place as usize).copied();
            return key.ok_or_else(|| no_account(index));
        }
        Ok(*secret_child(&self.accounts, [0, index])?.private_key())
    }
}

/// The error of a number that no account has.
pub(crate) fn no_account(index: u32) -> KeyError {
    KeyError::Derivation(format!("there is no account {index}"))
}

fn secret_child(node: &PrivateNode, path: [u32; 2]) -> Result<PrivateNode, KeyError> {
    path.into_iter().try_fold(node.clone(), |node, index| {
        let number = ChildNumber::new(index, false).map_err(derivation)?;
        node.derive_child(number).map_err(derivation)
    })
}

fn secret_node(seed: &Zeroizing<[u8; 64]>, path: &str) -> Result<PrivateNode, KeyError> {
    let path = path.parse().map_err(derivation)?;
    PrivateNode::derive_from_path(&**seed, &path).map_err(derivation)
}

#[cfg(test)]
mod tests {
    use super::*;

    const JUNK: &str = "test test test test test test test test test test test junk";

    fn signer(words: &str) -> Signer {
        Signer::new(&parse_mnemonic(words).unwrap()).unwrap()
    }

    #[test]
    fn accounts_are_those_of_every_ethereum_wallet() {
        let known = ["0xf39Fd6e51aad88F6F4ce6aB8827279cffFb92266", "0x70997970C51812dc3A010C7d01b50e0d17dc79C8"];
        for (index, address) in known.iter().enumerate() {
            assert_eq!(signer(JUNK).public().account(index as u32).unwrap().to_string(), *address);
        }
    }

    #[test]
    fn seeds_and_roots_match_the_published_vectors() {
        let Some(text) = cairn_vectors::read("bip39.json") else { return };
        let vectors: serde_json::Value = serde_json::from_slice(&text).unwrap();
        let rows = vectors["english"].as_array().unwrap();
        assert!(rows.len() >= 24);
        for row in rows {
            let column = |index: usize| row[index].as_str().unwrap();
            let mnemonic = parse_mnemonic(column(1)).unwrap();
            assert_eq!(hex::encode(mnemonic.to_entropy()), column(0));
            assert_eq!(hex::encode(mnemonic.to_seed_normalized("TREZOR")), column(2));
            let root = PrivateNode::new(&mnemonic.to_seed_normalized("TREZOR")).unwrap();
            assert_eq!(*root.to_string(Prefix::XPRV), *column(3));
        }
    }

    #[test]
    fn a_passphrase_makes_other_keys_of_the_same_words() {
        let words = parse_mnemonic(JUNK).unwrap();
        let seed = Zeroizing::new(words.to_seed_normalized("TREZOR"));
        let node = secret_node(&seed, "m/44'/60'/0'/0/0").unwrap();
        let signer = Signer::with_passphrase(&words, "TREZOR").unwrap();
        assert_eq!(signer.account_key(0).unwrap(), *node.private_key());
        assert_ne!(*signer.public(), *Signer::new(&words).unwrap().public());
        for bad in ["é", "a\tb", "\u{200b}", &"x".repeat(256)] {
            assert_eq!(Signer::with_passphrase(&words, bad).err(), Some(KeyError::Passphrase), "{bad}");
        }
    }

    #[test]
    fn public_and_secret_derivation_agree_and_signatures_verify() {
        let signer = signer(JUNK);
        for (branch, index) in [(Branch::Receive, 0), (Branch::Change, 5), (Branch::Policy, 1_000_000)] {
            let key = signer.public().coin_key(branch, index).unwrap();
            let message = [7; 32];
            let signature = signer.sign_coin(branch, index, &message).unwrap();
            let key = secp256k1::XOnlyPublicKey::from_byte_array(key.0).unwrap();
            let signature = secp256k1::schnorr::Signature::from_byte_array(signature.0);
            assert!(signature.verify(&message, &key).is_ok());
        }
        assert!(signer.public().coin_key(Branch::Receive, 1 << 31).is_err());
    }

    #[test]
    fn coin_keys_are_those_of_their_documented_path() {
        let signer = signer(JUNK);
        let seed = Zeroizing::new(parse_mnemonic(JUNK).unwrap().to_seed_normalized(""));
        for (branch, index) in [(Branch::Receive, 0), (Branch::Change, 1), (Branch::Policy, 7)] {
            let path = KeyPath::Coin(branch, index).to_string();
            assert_eq!(path, format!("m/4411982'/0'/{}/{index}", branch.number()));
            let node = secret_node(&seed, &path).unwrap();
            let key = node.public_key().public_key().x_only_public_key().0.to_byte_array();
            assert_eq!(signer.public().coin_key(branch, index).unwrap().0, key);
        }
        // The wallet of these words holds the coins of the dev chain.
        let dev = chain_core::spec::ChainSpec::dev();
        assert_eq!(signer.public().lock(Branch::Receive, 0).unwrap(), dev.alloc_coins[0].lock);
    }

    #[test]
    fn branches_and_indices_never_share_a_key() {
        let signer = signer(JUNK);
        let mut keys = std::collections::HashSet::new();
        for branch in [Branch::Receive, Branch::Change, Branch::Policy] {
            for index in 0..5 {
                assert!(keys.insert(signer.public().coin_key(branch, index).unwrap()));
            }
        }
    }

    #[test]
    fn makes_mnemonics_of_both_lengths_and_never_twice() {
        for words in [12, 24] {
            let (one, two) = (generate(words).unwrap(), generate(words).unwrap());
            assert_eq!(one.word_count(), words);
            assert!(one != two);
            assert_eq!(parse_mnemonic(&one.to_string()).unwrap(), one);
        }
        assert_eq!(generate(13).unwrap_err(), KeyError::WordCount(13));
    }

    #[test]
    fn says_what_is_wrong_with_a_mnemonic() {
        assert!(parse_mnemonic(&format!("  {}\n", JUNK.to_uppercase().replace(' ', "\t "))).is_ok());
        let hidden = parse_mnemonic(&JUNK.replace("junk", "junk\u{200b}")).unwrap_err();
        assert_eq!(hidden.to_string(), "word 12 has an invisible character ('\\u{200b}'): type the word again");
        assert_eq!(parse_mnemonic(""), Err(KeyError::WordCount(0)));
        assert_eq!(parse_mnemonic("test test"), Err(KeyError::WordCount(2)));
        assert_eq!(parse_mnemonic(&JUNK.replace("junk", "test")), Err(KeyError::Checksum));
        let error = parse_mnemonic(&JUNK.replace("junk", "junky")).unwrap_err();
        assert_eq!(error, KeyError::UnknownWord { position: 12, word: "junky".into(), close: Some("junk") });
        assert_eq!(error.to_string(), "word 12, 'junky', is not in the BIP 39 list; did you mean 'junk'?");
        assert!(matches!(parse_mnemonic(&JUNK.replace("junk", "ж")), Err(KeyError::UnknownWord { close: None, .. })));
    }

    #[test]
    fn paths_are_written_and_read_alike() {
        for path in [KeyPath::Coin(Branch::Receive, 0), KeyPath::Coin(Branch::Policy, 9), KeyPath::Account(3)] {
            assert_eq!(path.to_string().parse(), Ok(path));
        }
        for bad in ["", "m", "m/44'/60'/0'/0/x", "m/86'/0'/0'/0/0", "m/4411982'/0'/3/0", "m/4411982'/0'/0/2147483648"] {
            assert!(bad.parse::<KeyPath>().is_err(), "{bad}");
        }
    }

    #[test]
    fn public_keys_survive_as_text() {
        let public = signer(JUNK).public().clone();
        let text = serde_json::to_string(&public).unwrap();
        assert_eq!(serde_json::from_str::<PublicKeys>(&text).unwrap(), public);
    }
}
