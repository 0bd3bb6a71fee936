//! The expensive checks, on all cores and once: signatures of coins, senders of account transactions.
//!
//! A verdict is remembered under everything that it depends on. For a signature that is key, message and signature, hashed
//! with a secret key, so that no attacker can aim at collisions; for a sender, the hash of the whole transaction. Neither
//! depends on height, coins or rules, so that a remembered verdict is right in every context. Only good ones are kept.

use chain_core::{
    Address,
    block::check::{AccountRules, check_account_transaction, check_and_hash_transaction},
    error::RuleError,
    hash::BlockHash,
    spec::ChainSpec,
    transaction::{Transaction, account::AccountTransaction, sighash::SignatureCheck, spend::spend_checks},
    units::Height,
};
use rayon::prelude::*;
use std::sync::Arc;

use crate::mempool::{Prepared, Staged};

/// Entries in one bucket of a cache.
const WAYS: usize = 4;

/// Curve operations that take no longer than it costs to wake other threads for them.
const FEW: usize = 2;

/// The same of transactions that are only hashed and looked at.
const FEW_HASHED: usize = 48;

/// How the expensive checks are done.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct VerifyConfig {
    /// Keys the cache: random in a node, fixed in a simulation.
    pub secret: [u8; 32],
    /// Signatures to remember, 16 bytes each.
    pub signatures: usize,
    /// Senders to remember, 52 bytes each.
    pub senders: usize,
    /// Whether to use all cores.
    pub parallel: bool,
}

impl Default for VerifyConfig {
    fn default() -> Self {
        Self { secret: [0; 32], signatures: 1 << 20, senders: 1 << 18, parallel: true }
    }
}

/// Verifies and remembers.
#[derive(Debug)]
pub struct Verifier {
    config: VerifyConfig,
    signatures: Cache<u128>,
    senders: Cache<([u8; 32], Address)>,
}

/// What is remembered of one verified signature.
type Tag = u128;

/// Whether a transaction may spend what it spends, and what to remember of it.
#[derive(Debug)]
pub struct SpendVerdict(Result<Vec<Tag>, RuleError>);

impl Verifier {
    /// A verifier that remembers nothing yet.
    pub fn new(config: VerifyConfig) -> Self {
        let (signatures, senders) = (Cache::new(config.signatures), Cache::new(config.senders));
        Self { config, signatures, senders }
    }

    /// Verifies signatures; the verdicts are in their order.
    pub fn verify(&mut self, checks: &[SignatureCheck]) -> Vec<bool> {
        let tags: Vec<Tag> = checks.iter().map(|check| self.tag(check)).collect();
        let mut verdicts: Vec<bool> = tags.iter().map(|tag| self.signatures.contains(tag)).collect();
        let unknown: Vec<usize> = (0..checks.len()).filter(|index| !verdicts[*index]).collect();
        let fresh = self.map(&unknown, |index| checks[*index].verify());
        for (index, good) in unknown.into_iter().zip(fresh) {
            verdicts[index] = good;
            if good {
                self.signatures.insert(tags[index]);
            }
        }
        verdicts
    }

    /// Recovers the senders of a block's account transactions, in their order.
    ///
    /// # Errors
    /// ACC-3 for the first that has none.
    pub fn recover(
        &mut self,
        spec: &ChainSpec,
        transactions: &[&AccountTransaction],
    ) -> Result<Vec<Address>, RuleError> {
        let found = self.map(transactions, |tx| self.sender(spec, tx));
        let senders = found.into_iter().collect::<Result<Vec<_>, _>>()?;
        for (tx, sender) in transactions.iter().zip(&senders) {
            self.remember_sender(tx, *sender);
        }
        Ok(senders)
    }

    /// Checks transactions alone and recovers their senders: all that needs no state.
    pub fn prepare(
        &mut self,
        spec: &ChainSpec,
        transactions: Vec<Arc<Transaction>>,
    ) -> Vec<Result<Prepared, RuleError>> {
        let dear = transactions.iter().filter(|transaction| matches!(***transaction, Transaction::Account(_))).count();
        let few = if dear > FEW { FEW } else { FEW_HASHED };
        let prepared = self.map_from(few, &transactions, |transaction| self.prepare_one(spec, transaction));
        for (transaction, prepared) in transactions.iter().zip(&prepared) {
            if let (Transaction::Account(tx), Ok(Prepared { sender: Some(sender), .. })) = (&**transaction, prepared) {
                self.remember_sender(tx, *sender);
            }
        }
        prepared
    }

    fn prepare_one(&self, spec: &ChainSpec, transaction: &Arc<Transaction>) -> Result<Prepared, RuleError> {
        let (meta, leaf) = check_and_hash_transaction(transaction)?;
        let sender = match &**transaction {
            Transaction::Account(tx) => {
                check_account_transaction(&AccountRules::of(spec), tx.fields())?;
                Some(self.sender(spec, tx)?)
            }
            _ => None,
        };
        Ok(Prepared { transaction: transaction.clone(), txid: meta.txid, leaf, size: meta.size as usize, sender })
    }

    /// Verifies that staged coin transactions may spend what they spend, in a block of this height. The verdicts go to
    /// [`Verifier::settle`].
    pub fn check_spends(&self, genesis: &BlockHash, height: Height, staged: &[(usize, Staged)]) -> Vec<SpendVerdict> {
        self.map(staged, |(_, staged)| SpendVerdict(self.verify_spend(genesis, height, staged)))
    }

    /// Remembers good verdicts and returns all as results.
    pub fn settle(&mut self, verdicts: Vec<SpendVerdict>) -> Vec<Result<(), RuleError>> {
        let mut settle = |verdict: SpendVerdict| {
            verdict.0?.into_iter().for_each(|tag| self.signatures.insert(tag));
            Ok(())
        };
        verdicts.into_iter().map(&mut settle).collect()
    }

    /// Does the expensive work on so many items and something else at once, if there are enough.
    pub fn alongside<A: Send, B: Send>(
        &self,
        items: usize,
        dear: impl FnOnce(&Self) -> A + Send,
        other: impl FnOnce() -> B + Send,
    ) -> (A, B) {
        if self.config.parallel && items > FEW { rayon::join(|| dear(self), other) } else { (dear(self), other()) }
    }

    /// Returns the verdicts to remember.
    fn verify_spend(&self, genesis: &BlockHash, height: Height, staged: &Staged) -> Result<Vec<Tag>, RuleError> {
        let Some((tx, spent)) = staged.spend() else { return Ok(Vec::new()) };
        let mut tags = Vec::new();
        for check in spend_checks(genesis, tx, spent, height)? {
            let tag = self.tag(&check);
            if self.signatures.contains(&tag) {
                continue;
            }
            // COIN-12
            if !check.verify() {
                return Err(RuleError::BadCoinSignature { transaction: None });
            }
            tags.push(tag);
        }
        Ok(tags)
    }

    fn sender(&self, spec: &ChainSpec, tx: &AccountTransaction) -> Result<Address, RuleError> {
        match self.senders.find(|(hash, _)| *hash == tx.hash().0, first_word(&tx.hash().0)) {
            Some((_, sender)) => Ok(sender),
            None => spec.sender_of(tx),
        }
    }

    fn remember_sender(&mut self, tx: &AccountTransaction, sender: Address) {
        let entry = (tx.hash().0, sender);
        if !self.senders.contains(&entry) {
            self.senders.insert(entry);
        }
    }

    fn tag(&self, check: &SignatureCheck) -> Tag {
        let mut bytes = [0; 128];
        bytes[..32].copy_from_slice(&check.key.0);
        bytes[32..64].copy_from_slice(&check.message);
        bytes[64..].copy_from_slice(&check.signature.0);
        let hash = blake3::keyed_hash(&self.config.secret, &bytes);
        let (head, _) = hash.as_bytes().split_at(16);
        Tag::from_le_bytes(std::array::from_fn(|index| head[index]))
    }

    fn map<T: Sync, R: Send>(&self, items: &[T], work: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
        self.map_from(FEW, items, work)
    }

    /// As [`Self::map`], on one core if there are no more than `few` items.
    fn map_from<T: Sync, R: Send>(&self, few: usize, items: &[T], work: impl Fn(&T) -> R + Send + Sync) -> Vec<R> {
        if self.config.parallel && items.len() > few {
            items.par_iter().with_max_len(16).map(work).collect()
        } else {
            items.iter().map(work).collect()
        }
    }
}

/// What may be remembered: something that says in which bucket to look, and that is not the default.
trait Remembered: Copy + Default + PartialEq {
    fn place(&self) -> u64;
}

impl Remembered for Tag {
    fn place(&self) -> u64 {
        *self as u64
    }
}

impl Remembered for ([u8; 32], Address) {
    fn place(&self) -> u64 {
        first_word(&self.0)
    }
}

fn first_word(bytes: &[u8; 32]) -> u64 {
    u64::from_le_bytes(std::array::from_fn(|index| bytes[index]))
}

/// A set of fixed size: buckets of a few entries, of which the oldest gives way.
#[derive(Debug)]
struct Cache<T> {
    buckets: Vec<[T; WAYS]>,
}

impl<T: Remembered> Cache<T> {
    fn new(entries: usize) -> Self {
        Self { buckets: vec![[T::default(); WAYS]; (entries / WAYS).max(1)] }
    }

    fn bucket(&self, place: u64) -> usize {
        (place % self.buckets.len() as u64) as usize
    }

    fn find(&self, same: impl Fn(&T) -> bool, place: u64) -> Option<T> {
        self.buckets[self.bucket(place)].iter().copied().find(|entry| *entry != T::default() && same(entry))
    }

    fn contains(&self, entry: &T) -> bool {
        self.find(|other| other == entry, entry.place()).is_some()
    }

    fn insert(&mut self, entry: T) {
        let index = self.bucket(entry.place());
        let bucket = &mut self.buckets[index];
        bucket.rotate_right(1);
        bucket[0] = entry;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::engine::tests::kit::{FEE, Kit, made, pay};
    use chain_core::{
        transaction::{
            coin::{KeyBytes, Signature},
            sighash::SignatureCheck,
        },
        units::Amount,
    };
    use secp256k1::{Keypair, SecretKey};

    fn small() -> Verifier {
        Verifier::new(VerifyConfig { signatures: 64, senders: 64, parallel: false, secret: [5; 32] })
    }

    fn check(message: u8) -> SignatureCheck {
        let pair = Keypair::from_secret_key(&SecretKey::from_secret_bytes([3; 32]).unwrap());
        let message = [message; 32];
        let signature = Signature::from(pair.sign_schnorr_no_aux_rand(&message).to_byte_array());
        SignatureCheck { key: KeyBytes::of(&pair), message, signature }
    }

    // COIN-12
    #[test]
    fn a_remembered_verdict_is_of_no_use_to_another_key_message_or_signature() {
        let mut verifier = small();
        let good = check(1);
        assert_eq!(verifier.verify(&[good]), [true]);
        assert!(verifier.signatures.contains(&verifier.tag(&good)));
        let other_key = SignatureCheck { key: KeyBytes([9; 32]), ..good };
        let other_message = SignatureCheck { message: [2; 32], ..good };
        let other_signature = SignatureCheck { signature: check(2).signature, ..good };
        assert_eq!(verifier.verify(&[other_key, good, other_message, other_signature]), [false, true, false, false]);
        assert_eq!(verifier.verify(&[other_key, other_message, other_signature]), [false; 3], "refusals are not kept");
    }

    #[test]
    fn each_process_keys_its_memory_anew() {
        let mut other = small();
        other.config.secret = [6; 32];
        assert_ne!(small().tag(&check(1)), other.tag(&check(1)));
    }

    #[test]
    fn memory_is_bounded_and_the_oldest_give_way() {
        let mut verifier = Verifier::new(VerifyConfig { signatures: 4, senders: 4, parallel: false, secret: [5; 32] });
        let checks: Vec<SignatureCheck> = (0..6).map(check).collect();
        assert!(verifier.verify(&checks).iter().all(|good| *good));
        let remembered = |verifier: &Verifier| -> Vec<bool> {
            checks.iter().map(|check| verifier.signatures.contains(&verifier.tag(check))).collect()
        };
        assert_eq!(remembered(&verifier), [false, false, true, true, true, true]);
        verifier.verify(&checks[..1]);
        assert_eq!(remembered(&verifier), [true, false, false, true, true, true]);
    }

    // ACC-3
    #[test]
    fn senders_are_remembered_by_the_whole_transaction() {
        let kit = Kit::new();
        let mut verifier = small();
        let (one, two) = (kit.transfer(1, 0, 2), kit.transfer(2, 0, 2));
        let senders = verifier.recover(&kit.spec, &[&one, &two, &one]).unwrap();
        assert_eq!(senders, [1, 2, 1].map(crate::engine::tests::kit::address));
        assert!(verifier.senders.contains(&(one.hash().0, senders[0])));
        assert_eq!(verifier.recover(&kit.spec, &[&two]).unwrap(), senders[1..2]);
        assert_eq!(verifier.recover(&kit.spec, &[&kit.transfer(1, 1, 2)]).unwrap(), senders[..1]);
    }

    // COIN-12: the pool's verdict on a child says nothing when the child spends another coin of the same name elsewhere.
    #[test]
    fn a_verdict_of_the_pool_does_not_pass_another_coin() {
        let mut kit = Kit::new();
        let parent = kit.send(0, FEE);
        let (outpoint, coin) = made(&parent, 0);
        let mut richer = coin;
        richer.output.amount = Amount::from_grains(richer.output.amount.grains() + 1);
        let forged = kit.spend(2, &[(outpoint, richer)], &[pay(50_000, 3)]);
        kit.submit(&parent).unwrap();
        // Signed over an amount that the coin does not have.
        assert!(kit.submit(&forged).is_err());
        let honest = kit.spend(2, &[(outpoint, coin)], &[pay(50_000, 3)]);
        kit.submit(&honest).unwrap();
        assert!(kit.submit(&forged).is_err());
    }

    #[test]
    fn all_cores_and_one_agree() {
        let mut parallel = Verifier::new(VerifyConfig { parallel: true, signatures: 64, senders: 64, secret: [1; 32] });
        let mut checks: Vec<SignatureCheck> = (0..40).map(check).collect();
        checks[7].message = [99; 32];
        let verdicts = small().verify(&checks);
        assert_eq!(parallel.verify(&checks), verdicts);
        assert_eq!(parallel.verify(&checks), verdicts);
        assert_eq!(verdicts.iter().filter(|good| !**good).count(), 1);
    }
}
