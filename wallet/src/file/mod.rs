//! The wallet's file: JSON with the sealed mnemonic, the public keys, and what is not derived from them.
//!
//! A checksum tells a damaged file from a wrong password. Public keys are in the clear, so that balances and addresses
//! need no password; each time the mnemonic is opened they are compared with it.

mod disk;
mod error;
mod sent;

use std::collections::{BTreeMap, BTreeSet};

use alloy_primitives::Address;
use bip39::Mnemonic;
use chain_core::{
    hash::{BlockHash, TxId, sha256},
    transaction::{
        coin::{KeyBytes, Lock, OutPoint},
        policy::Policy,
    },
};
use secp256k1::SecretKey;
use serde::{Deserialize, Serialize};
use zeroize::Zeroizing;

pub(crate) use self::sent::is_change;
pub use self::{
    disk::{WalletLock, holds_wallet, is_special, write_out},
    error::{FileError, UnlockError},
    sent::{Sent, SentState},
};
use crate::{
    draft::{self, Draft, Preamble},
    input::{bounded, fault, from_json},
    keys::{Branch, IMPORTED, KeyError, PublicKeys, Signer, no_account},
    keystore::account_of,
    network::Network,
    own::{KeyTable, NamedPolicy, Used, policy_keys},
    vault::{Cost, Sealed, VaultError},
};

/// First field of the file.
const FORMAT: &str = "cairn-wallet";

/// The version that this program writes, and the newest that it reads. Version 1 kept whole files of what was sent.
const VERSION: u32 = 2;

/// Bytes that sent transactions may take in the file: some 80 sweeps of a thousand coins, or 20,000 payments, that wait for
/// their blocks. What is buried is dropped long before. Well below what is read, so that no file is written that is refused.
const SENT_BYTES: usize = 24 << 20;

/// Keys beyond those handed out among which those of a policy are looked for: a fraction of a second.
const POLICY_KEYS: u32 = 3_000;

/// Seconds for which what is buried is remembered all the same: that it is buried is a node's word, and the same payment made once
/// more is found by what is remembered. What fills half the room is forgotten earlier.
const REMEMBERED: u64 = 24 * 3_600;

/// Keys of one kind that a wallet may use: what a scan finds at most, and some that are handed out later. Every command derives
/// them all, so a forged file could keep this program busy forever.
const MAX_USED: u32 = 210_000;

/// Seconds after which a transaction may be forgotten to make room: twice as long as nodes keep it.
const FORGOTTEN_AFTER: u64 = 28 * 24 * 3_600;

/// The contents of a wallet file.
#[derive(Clone, Debug, PartialEq, Serialize, Deserialize)]
#[serde(rename_all = "camelCase", deny_unknown_fields)]
pub struct Wallet {
    /// The chain it is for.
    pub network: Network,
    /// The mnemonic's entropy; a wallet that only watches has none.
    pub sealed: Option<Sealed>,
    /// Extended public keys: of coins, of accounts.
    pub keys: PublicKeys,
    /// How many keys of each branch have been used.
    pub used: Used,
    /// Policies that this wallet takes part in.
    pub policies: Vec<NamedPolicy>,
    /// What was sent, oldest first.
    pub sent: Vec<Sent>,
    /// Accounts whose keys do not come from the mnemonic; the keys are sealed with it, in this order.
    #[serde(default, skip_serializing_if = "Vec::is_empty")]
    pub imported: Vec<Address>,
    /// Coins that are not spent.
    #[serde(default, skip_serializing_if = "BTreeSet::is_empty")]
    pub frozen: BTreeSet<String>,
    /// What the user calls addresses, keys and transactions.
    #[serde(default, skip_serializing_if = "BTreeMap::is_empty")]
    pub labels: BTreeMap<String, String>,
}

#[derive(Serialize, Deserialize)]
#[serde(rename_all = "camelCase")]
struct Envelope {
    format: String,
    version: u32,
    wallet: Wallet,
    checksum: String,
}

/// The parts of what is sealed: entropy, 32 bytes for each imported account, the passphrase.
fn split(secret: &[u8]) -> Option<(&[u8], Vec<SecretKey>, &str)> {
    // Entropy alone has a multiple of four bytes. With imported accounts its length follows; with a passphrase that,
    // filled up to a multiple of four bytes, and both lengths.
    let (rest, passphrase, length) = match secret.len() % 4 {
        0 => return Some((secret, Vec::new(), "")),
        1 => {
            let (length, rest) = secret.split_last()?;
            (rest, "", length)
        }
        _ => {
            let (rest, [letters, length]) = secret.split_last_chunk()?;
            let letters = usize::from(*letters);
            let (rest, filled) = rest.split_at_checked(rest.len().checked_sub(letters.next_multiple_of(4))?)?;
            (rest, std::str::from_utf8(filled.get(..letters)?).ok()?, length)
        }
    };
    let (entropy, keys) = rest.split_at_checked(usize::from(*length))?;
    let (keys, surplus) = keys.as_chunks::<32>();
    let keys = keys.iter().map(|key| SecretKey::from_secret_bytes(*key).ok()).collect::<Option<Vec<_>>>()?;
    surplus.is_empty().then_some((entropy, keys, passphrase))
}

/// What [`split`] takes apart.
fn joined(mnemonic: &Mnemonic, imported: &[SecretKey], passphrase: &str) -> Zeroizing<Vec<u8>> {
    let mut secret = Zeroizing::new(mnemonic.to_entropy());
    let length = u8::try_from(secret.len()).unwrap_or_default();
    for key in imported {
        secret.extend(key.to_secret_bytes());
    }
    if !passphrase.is_empty() {
        secret.extend(passphrase.as_bytes());
        let filled = secret.len().next_multiple_of(4);
        secret.resize(filled, 0);
        secret.extend([u8::try_from(passphrase.len()).unwrap_or_default(), length]);
    } else if !imported.is_empty() {
        secret.push(length);
    }
    secret
}

fn checksum(wallet: &Wallet) -> String {
    hex::encode(sha256(&serde_json::to_vec(wallet).expect("a wallet is plain data with text keys")))
}

impl Wallet {
    /// A wallet for the keys of a mnemonic and its passphrase that has used nothing yet but its first address and account.
    ///
    /// # Errors
    /// [`UnlockError`] if sealing fails.
    pub fn of(
        network: Network,
        mnemonic: &Mnemonic,
        signer: &Signer,
        password: &str,
        cost: Cost,
    ) -> Result<Self, UnlockError> {
        let mut wallet = Self::watch(network, signer.public().clone());
        wallet.seal(mnemonic, signer, password, cost)?;
        Ok(wallet)
    }

    /// A wallet that knows public keys only.
    pub fn watch(network: Network, keys: PublicKeys) -> Self {
        let used = Used { receive: 1, change: 0, policy: 0, accounts: 1 };
        Self {
            network,
            sealed: None,
            keys,
            used,
            policies: Vec::new(),
            sent: Vec::new(),
            imported: Vec::new(),
            frozen: BTreeSet::new(),
            labels: BTreeMap::new(),
        }
    }

    /// Encrypts the mnemonic anew, with the passphrase and the keys of imported accounts that the signer has beside it.
    pub fn seal(&mut self, mnemonic: &Mnemonic, signer: &Signer, password: &str, cost: Cost) -> Result<(), VaultError> {
        let secret = joined(mnemonic, signer.imported(), signer.passphrase());
        self.sealed = Some(Sealed::seal(&secret, password, cost)?);
        self.imported = signer.imported().iter().map(account_of).collect();
        Ok(())
    }

    /// Decrypts the mnemonic and derives the secret keys, and makes sure that the file's public keys are theirs.
    ///
    /// # Errors
    /// [`UnlockError`], above all for a wrong password.
    pub fn open(&self, password: &str) -> Result<(Mnemonic, Signer), UnlockError> {
        let secret = self.sealed.as_ref().ok_or(UnlockError::WatchOnly)?.open(password)?;
        let (entropy, imported, passphrase) = split(&secret).ok_or(UnlockError::NoMnemonic)?;
        let mnemonic = Mnemonic::from_entropy(entropy).map_err(|_| UnlockError::NoMnemonic)?;
        let signer = Signer::with_passphrase(&mnemonic, passphrase)?.with(imported);
        let own = signer.imported().iter().map(account_of).eq(self.imported.iter().copied());
        if own && *signer.public() == self.keys { Ok((mnemonic, signer)) } else { Err(UnlockError::ForeignKeys) }
    }

    /// The account of a number, as [`KeyTable`] and the signer count them.
    ///
    /// # Errors
    /// [`KeyError`] if there is none.
    pub fn account(&self, index: u32) -> Result<Address, KeyError> {
        match index.checked_sub(IMPORTED) {
            None => self.keys.account(index),
            Some(place) => self.imported.get(place as usize).copied().ok_or_else(|| no_account(index)),
        }
    }

    /// The lock of the newest address to be paid at.
    pub fn receive_lock(&self) -> Result<Lock, KeyError> {
        self.keys.lock(Branch::Receive, self.used.receive.saturating_sub(1))
    }

    /// Imported accounts with their numbers.
    pub fn imported(&self) -> impl Iterator<Item = (Address, u32)> {
        self.imported.iter().copied().zip(IMPORTED..)
    }

    /// The accounts that were handed out, by number, and those that were imported, each once: an account may have been imported
    /// before it was handed out.
    pub fn accounts(&self) -> Result<Vec<Address>, KeyError> {
        let mut all: Vec<Address> =
            (0..self.used.accounts).map(|index| self.keys.account(index)).collect::<Result<_, _>>()?;
        let imported: Vec<Address> = self.imported.iter().filter(|account| !all.contains(account)).copied().collect();
        all.extend(imported);
        Ok(all)
    }

    /// The wallet's own keys, accounts and policies, those of the gap included.
    pub fn key_table(&self) -> Result<KeyTable, KeyError> {
        KeyTable::new(&self.keys, self.used, &self.imported, &self.policies)
    }

    /// What the user calls an address, a key or a transaction.
    pub fn label(&self, of: &str) -> Option<&str> {
        self.labels.get(of).map(String::as_str)
    }

    /// Stores a transaction that is sent. If there is no room, drops first those so old that no node keeps them.
    ///
    /// # Errors
    /// [`FileError::Full`] if that does not suffice; nothing is changed then.
    pub fn remember(&mut self, sent: Sent) -> Result<(), FileError> {
        let others = self.sent.iter().filter(|old| old.txid != sent.txid);
        let mut total = others.clone().map(Sent::weight).sum::<usize>() + sent.weight();
        let mut over = Vec::new();
        for old in others.filter(|old| old.time.saturating_add(FORGOTTEN_AFTER) < sent.time) {
            if total > SENT_BYTES {
                total -= old.weight();
                over.push(old.txid);
            }
        }
        if total > SENT_BYTES {
            return Err(FileError::Full { count: self.sent.len() });
        }
        self.sent.retain(|old| !over.contains(&old.txid));
        // What is sent again stays before what spends it.
        match self.sent.iter_mut().find(|old| old.txid == sent.txid) {
            Some(old) => *old = sent,
            None => self.sent.push(sent),
        }
        Ok(())
    }

    /// Looks for keys of this wallet in policies far beyond those that were handed out, and notes the highest as used: after a
    /// restore nothing else says which were.
    pub fn find_policy_keys(&mut self, policies: &[&Policy]) -> Result<(), KeyError> {
        let wanted: BTreeSet<KeyBytes> = policies.iter().flat_map(|policy| policy_keys(policy)).collect();
        if wanted.is_empty() {
            return Ok(());
        }
        for index in (0..self.used.policy.saturating_add(POLICY_KEYS)).rev() {
            if wanted.contains(&self.keys.coin_key(Branch::Policy, index)?) {
                self.used.policy = self.used.policy.max(index + 1);
                break;
            }
        }
        Ok(())
    }

    /// Notes what the node made of a transaction. Refused ones that conflict with an accepted one are kept until that is buried:
    /// that it was accepted is a node's word, and what was refused may have been passed on.
    pub fn mark(&mut self, txid: &TxId, state: SentState) {
        for sent in self.sent.iter_mut().filter(|sent| sent.txid == *txid) {
            sent.state = state;
        }
    }

    /// Transactions that may be dropped once they are buried: only those that were reported to the user.
    pub fn forgettable(&self, now: u64) -> impl Iterator<Item = &Sent> {
        let crowded = 2 * self.sent.iter().map(Sent::weight).sum::<usize>() > SENT_BYTES;
        let old = move |sent: &&Sent| crowded || sent.time.saturating_add(REMEMBERED) < now;
        self.sent.iter().filter(|sent| sent.state != SentState::Unclear).filter(old)
    }

    /// Whether a transaction was refused and nothing that was sent took its place: what did keeps it from being mined once that
    /// is buried, and both are forgotten then.
    pub fn is_open(&self, sent: &Sent) -> bool {
        let refused = |sent: &Sent| sent.state == SentState::Refused;
        refused(sent) && self.conflicts(sent).all(refused)
    }

    /// Forgets what was refused and pays the same as what is sent now, for the user knows of it and pays once more. What
    /// cannot be mined beside that stays, and what something else has taken the place of: until that is buried.
    pub fn settle_refused(&mut self, draft: &Draft, sent: &Sent, own: &KeyTable) {
        let conflicts: Vec<TxId> = self.conflicts(sent).map(|other| other.txid).collect();
        let settled =
            |old: &&Sent| !conflicts.contains(&old.txid) && self.is_open(old) && old.pays_the_same(draft, own);
        let over: Vec<TxId> = self.sent.iter().filter(settled).map(|old| old.txid).collect();
        self.sent.retain(|old| !over.contains(&old.txid));
    }

    /// Drops a transaction that is buried, and all that conflict with it.
    pub fn forget_with_conflicts(&mut self, txid: &TxId) {
        let Some(sent) = self.sent.iter().find(|sent| sent.txid == *txid).cloned() else { return };
        let mut over: Vec<TxId> = self.conflicts(&sent).map(|other| other.txid).collect();
        over.extend(sent.drops.iter().chain(&sent.replaces));
        over.push(*txid);
        self.sent.retain(|other| !over.contains(&other.txid));
    }

    /// What was sent and not refused, and was not replaced or dropped with what was replaced.
    pub fn live(&self) -> impl Iterator<Item = &Sent> {
        let current = |sent: &&Sent| sent.state != SentState::Refused && self.replacements(&sent.txid).next().is_none();
        self.sent.iter().filter(current)
    }

    /// The same, of what was sent on the chain with this first block. A chain begun anew from the same spec has another one;
    /// what was sent at height 0, or is kept from older files, belongs to all. A node can lie about the first block, so this
    /// is nothing that keeps from paying twice.
    pub fn live_on(&self, first_block: Option<BlockHash>) -> impl Iterator<Item = &Sent> {
        self.live().filter(move |sent| sent.is_on(first_block))
    }

    /// Whether a transaction was signed that was to replace this one, or to drop it with what it replaces, whether or not it was
    /// mined: the user was told that the first would not be paid.
    pub fn was_to_be_replaced(&self, txid: &TxId) -> bool {
        self.sent.iter().any(|other| other.replaces == Some(*txid) || other.drops.contains(txid))
    }

    /// What was sent and not refused that replaces a transaction, or drops it with what it replaces.
    pub fn replacements(&self, txid: &TxId) -> impl Iterator<Item = &Sent> {
        let txid = *txid;
        self.sent.iter().filter(move |other| {
            other.state != SentState::Refused && (other.replaces == Some(txid) || other.drops.contains(&txid))
        })
    }

    /// The same, and what replaces those in turn.
    pub fn all_replacements(&self, txid: &TxId) -> Vec<&Sent> {
        let mut found: Vec<&Sent> = self.replacements(txid).collect();
        let mut next = 0;
        while let Some(one) = found.get(next) {
            let new: Vec<&Sent> = self.replacements(&one.txid).collect();
            for other in new {
                if !found.iter().any(|known| known.txid == other.txid) {
                    found.push(other);
                }
            }
            next += 1;
        }
        found
    }

    /// What else was sent that can never be mined together with a transaction: it spends one of the same coins, or is of the
    /// same account and nonce.
    pub fn conflicts(&self, sent: &Sent) -> impl Iterator<Item = &Sent> {
        let (txid, place) = (sent.txid, sent.account().map(|(from, nonce, _)| (from, nonce)));
        self.competing(sent.spends(), place).filter(move |other| other.txid != txid)
    }

    /// Whether a transaction can never be mined together with another: it conflicts with that, or with what that depends on.
    pub fn excludes(&self, one: &Sent, sent: &Sent) -> bool {
        let mut line = vec![sent];
        let mut next = 0;
        while let Some(of) = line.get(next).copied() {
            if self.conflicts(of).any(|other| other.txid == one.txid) {
                return true;
            }
            let spends = of.spends();
            let is_parent = |parent: &&Sent| spends.iter().any(|coin| coin.txid == parent.txid);
            for parent in self.sent.iter().filter(is_parent) {
                if !line.iter().any(|known| known.txid == parent.txid) {
                    line.push(parent);
                }
            }
            next += 1;
        }
        false
    }

    /// What was sent that spends one of these coins, or is of this account and nonce.
    pub fn competing(&self, spends: Vec<OutPoint>, place: Option<(Address, u64)>) -> impl Iterator<Item = &Sent> {
        self.sent.iter().filter(move |other| {
            let taken = || other.account().map(|(from, nonce, _)| (from, nonce));
            other.spends().iter().any(|outpoint| spends.contains(outpoint)) || place.is_some() && taken() == place
        })
    }

    /// Whether this wallet sent a transaction that a node may know.
    pub fn has_sent(&self, txid: &TxId) -> bool {
        self.sent.iter().any(|sent| sent.txid == *txid)
    }

    /// What is known of a transaction that was sent, unless it was refused.
    pub fn sent_before(&self, txid: &TxId) -> Option<&Sent> {
        self.sent.iter().find(|sent| sent.txid == *txid && sent.state != SentState::Refused)
    }

    /// What the file holds.
    pub fn to_bytes(&self) -> Vec<u8> {
        let envelope =
            Envelope { format: FORMAT.into(), version: VERSION, wallet: self.clone(), checksum: checksum(self) };
        let mut bytes = serde_json::to_vec_pretty(&envelope).expect("a wallet is plain data with text keys");
        bytes.push(b'\n');
        bytes
    }

    fn from_bytes(path: &std::path::Path, bytes: &[u8]) -> Result<Self, FileError> {
        let damaged = |what: String| FileError::Damaged { path: path.into(), what };
        if bytes.is_empty() {
            return Err(damaged("it is empty".into()));
        }
        let preamble: Preamble = serde_json::from_slice(bytes).map_err(|error| {
            damaged(if error.is_eof() {
                "it ends too early".into()
            } else {
                format!("it is not a wallet file: {}", fault(&error))
            })
        })?;
        if preamble.format == draft::FORMAT {
            return Err(FileError::Transaction(path.into()));
        }
        if preamble.format != FORMAT {
            return Err(damaged(format!("it is a '{}', not a '{FORMAT}'", bounded(&preamble.format))));
        }
        if preamble.version > VERSION {
            return Err(FileError::Newer { path: path.into(), got: preamble.version });
        }
        // A name with letters that no screen shows does not have the checksum: this program writes none.
        let envelope: Envelope = from_json(bytes).map_err(damaged)?;
        if checksum(&envelope.wallet) != envelope.checksum {
            return Err(damaged("its checksum does not match".into()));
        }
        let mut wallet = envelope.wallet;
        wallet.sent = wallet.sent.into_iter().filter_map(Sent::compact).collect();
        Ok(wallet)
    }
}

#[cfg(test)]
mod tests;
