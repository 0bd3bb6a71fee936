//! A pool, a state and a clock, and what must hold of the pool at any time.

use chain_core::{
    Address, Bytes, U256,
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::{Account, MemoryState},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
    },
    units::{Amount, Height},
};
use secp256k1::SecretKey;
use std::{collections::BTreeSet, sync::Arc};

use crate::mempool::{
    ChainPoint, Id, InFlight, Mempool, MempoolConfig, MempoolEntry, MempoolError, Prepared, RemovalReason, SubmitError,
    coins::Sums, rate::Rate,
};

pub(super) const GWEI: u64 = 1_000_000_000;
/// Grains in each confirmed coin.
pub(super) const COIN: u64 = 1_000_000_000;

/// A pool on a chain that stands still unless moved.
pub(super) struct Lab {
    pub(super) pool: Mempool,
    pub(super) state: MemoryState,
    pub(super) spec: ChainSpec,
    pub(super) height: Height,
    pub(super) base_fee: u64,
    pub(super) now: u32,
}

impl Lab {
    pub(super) fn new() -> Self {
        Self::with(MempoolConfig::default())
    }

    pub(super) fn with(config: MempoolConfig) -> Self {
        let mut state = MemoryState::default();
        for index in 0..200 {
            let coin = Coin { output: output(COIN), height: 1, coinbase: false };
            state.insert_coin(confirmed(index).0, coin);
        }
        for number in 1..=250 {
            let account = Account { balance: crn(100), ..Account::default() };
            state.insert_account(sender(number), account, Bytes::new(), &[]);
        }
        let spec = ChainSpec::local();
        Self { pool: Mempool::new(config, GWEI), state, spec, height: 1_000, base_fee: GWEI, now: 1_800_000_000 }
    }

    pub(super) fn submit(&mut self, tx: impl Into<Prepared>) -> Result<TxId, SubmitError> {
        let prepared = tx.into();
        let txid = prepared.txid;
        let point = ChainPoint {
            spec: &self.spec,
            genesis: BlockHash::default(),
            height: self.height,
            base_fee: self.base_fee,
            view: &self.state,
            time: self.now,
            steady: self.now,
        };
        let staged = self.pool.stage(&point, &InFlight::default(), prepared)?;
        self.pool.admit(&point, staged)?;
        self.pool.assert_consistent();
        Ok(txid)
    }

    /// Why the pool refuses a transaction by its policy.
    pub(super) fn refused(&mut self, tx: impl Into<Prepared>) -> MempoolError {
        match self.submit(tx) {
            Err(SubmitError::Mempool(error)) => error,
            other => panic!("not refused by policy but {other:?}"),
        }
    }

    pub(super) fn set_base_fee(&mut self, base_fee: u64) {
        self.base_fee = base_fee;
        self.pool.set_base_fee(base_fee);
        self.pool.assert_consistent();
    }

    /// A block changes an account.
    pub(super) fn set_account(&mut self, number: u8, nonce: u64, balance: U256) {
        let account = Account { nonce, balance, ..Account::default() };
        self.state.insert_account(sender(number), account, Bytes::new(), &[]);
        let (used, sorted) = self.pool.accounts.update_sender(&sender(number), account.into());
        used.iter().for_each(|entry| self.pool.forget_account(entry, RemovalReason::Mined));
        self.pool.note_sorted(sorted);
        self.pool.lower_floor();
        self.pool.assert_consistent();
    }

    /// An account delegates to some code.
    pub(super) fn delegate(&mut self, number: u8) {
        let code = Bytes::from([&[0xef, 0x01, 0x00][..], &[7; 20]].concat());
        let account = Account { balance: crn(100), ..Account::default() };
        self.state.insert_account(sender(number), account, code, &[]);
    }

    pub(super) fn get(&self, tx: impl Into<Prepared>) -> Option<MempoolEntry> {
        self.pool.get(&tx.into().txid)
    }

    /// What a template would take, in order, if it had room for all.
    pub(super) fn selected(&self) -> Vec<TxId> {
        let mut selection = self.pool.select();
        let mut order = Vec::new();
        while let Some(package) = selection.next_package() {
            let candidates = selection.candidates(&package);
            order.extend(candidates.iter().map(|(txid, ..)| *txid));
            selection.settle(&package, candidates.len());
        }
        order
    }
}

pub(super) fn crn(amount: u64) -> U256 {
    U256::from(amount) * U256::from(GWEI) * U256::from(GWEI)
}

fn output(grains: u64) -> Output {
    Output { amount: Amount::from_grains(grains), lock: Lock::Key(KeyBytes([1; 32])) }
}

/// A coin of the chain.
pub(super) fn confirmed(index: u8) -> (OutPoint, u64) {
    (OutPoint { txid: TxId([index; 32]), index: 0 }, COIN)
}

/// An output of a transaction.
pub(super) fn made(tx: &CoinTransaction, index: u32) -> (OutPoint, u64) {
    (OutPoint { txid: tx.txid(), index }, tx.outputs[index as usize].amount.grains())
}

/// Spends coins into so many outputs, for a fee.
pub(super) fn spend(inputs: &[(OutPoint, u64)], outputs: u64, fee: u64) -> CoinTransaction {
    let total: u64 = inputs.iter().map(|(_, grains)| grains).sum();
    let each = (total - fee) / outputs;
    let mut made = vec![output(each); outputs as usize];
    made[0].amount = Amount::from_grains(made[0].amount.grains() + total - fee - each * outputs);
    CoinTransaction {
        inputs: inputs.iter().map(|(outpoint, _)| *outpoint).collect(),
        outputs: made,
        witnesses: vec![Witness::Key(Signature::from([0; 64])); inputs.len()],
    }
}

/// The fee at which a transaction with so many inputs and outputs pays so much a gas, in hundredths of a gwei.
pub(super) fn fee_for(inputs: usize, outputs: u64, rate: u64) -> u64 {
    let inputs: Vec<_> = (0..inputs).map(|index| confirmed(index as u8)).collect();
    let mut fee = 1_000;
    // The size of amounts depends on the fee, a little.
    for _ in 0..5 {
        let tx = spend(&inputs, outputs, fee);
        fee = (tx.gas(tx.size()) * rate).div_ceil(1_000);
    }
    fee
}

pub(super) fn sender(number: u8) -> Address {
    Address::repeat_byte(number)
}

/// A transaction of a sender by number: 1 CRN, for caps in gwei.
pub(super) fn call(number: u8, nonce: u64, fee_cap: u64, tip_cap: u64) -> Prepared {
    let fields = Fields {
        tx_type: 2,
        chain_id: ChainSpec::local().chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from(fee_cap * GWEI), max_priority_fee: U256::from(tip_cap * GWEI) },
        gas_limit: 21_000,
        to: Some(Address::repeat_byte(0x77)),
        value: crn(1),
        input: Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    prepared(number, fields)
}

/// As [`call`], but it sends 1 wei: the gas is what it may cost.
pub(super) fn cheap_call(number: u8, nonce: u64, tip: u64) -> Prepared {
    let call = call(number, nonce, tip + 1, tip);
    let Transaction::Account(tx) = &*call.transaction else { unreachable!("calls are account transactions") };
    prepared(number, Fields { value: U256::ONE, ..tx.fields().clone() })
}

pub(super) fn prepared(number: u8, fields: Fields) -> Prepared {
    let key = SecretKey::from_secret_bytes([number; 32]).unwrap();
    let tx = AccountTransaction::sign(fields, &key).unwrap();
    let txid = TxId(tx.hash().0);
    let transaction = Arc::new(Transaction::Account(tx));
    let leaf = chain_core::block::merkle::leaf(&transaction);
    Prepared { txid, leaf, size: transaction.encode().len(), transaction, sender: Some(sender(number)) }
}

impl From<&CoinTransaction> for Prepared {
    fn from(tx: &CoinTransaction) -> Self {
        let transaction = Arc::new(Transaction::Coin(tx.clone()));
        let leaf = chain_core::block::merkle::leaf(&transaction);
        Self { txid: tx.txid(), leaf, size: tx.size(), transaction, sender: None }
    }
}

impl From<&Prepared> for Prepared {
    fn from(prepared: &Prepared) -> Self {
        prepared.clone()
    }
}

impl Mempool {
    /// Computes everything again from the transactions alone and compares.
    pub(crate) fn assert_consistent(&self) {
        let (mut memory, mut gas) = (0, 0u128);
        for (slot, entry) in self.coins.iter() {
            memory += entry.memory();
            gas += u128::from(entry.own.gas);
            assert_eq!(self.by_txid.get(&entry.txid), Some(&Id::Coin(slot)));
            for input in &entry.coin_transaction().inputs {
                assert_eq!(self.coins.spender(input), Some(slot));
                if let Some(parent) = self.by_txid.get(&input.txid) {
                    let Id::Coin(parent) = parent else { panic!("a spend of an unconfirmed withdrawal") };
                    assert!(self.coins.ancestry(&[slot]).contains(parent));
                    assert!(self.coins.descent(&[*parent]).contains(&slot));
                }
            }
            let sum = |slots: Vec<usize>| {
                slots.iter().fold(Sums::default(), |mut sums, slot| {
                    sums.add(&self.coins.get(*slot).own);
                    sums
                })
            };
            assert_eq!(*entry.with_ancestors(), sum(self.coins.ancestry(&[slot])));
            assert_eq!(*entry.with_descendants(), sum(self.coins.descent(&[slot])));
            assert!(entry.with_ancestors().count as usize <= self.config.chain_count);
            // One more is carved out.
            assert!(entry.with_descendants().count as usize <= self.config.chain_count + 1);
            let base = Rate::of_wei(U256::from(self.base_fee));
            let covered = |slot: &usize| self.coins.get(*slot).own.rate() >= base;
            assert_eq!(entry.can_be_mined(), self.coins.ancestry(&[slot]).iter().all(covered));
        }
        let ranked: BTreeSet<usize> = self.coins.ranked().map(|(_, _, slot)| *slot).collect();
        assert_eq!(ranked, self.coins.iter().map(|(slot, _)| slot).collect());
        for (rate, _, slot) in self.coins.ranked() {
            assert_eq!(*rate, self.coins.get(*slot).package_rate());
        }
        for (slot, entry) in self.accounts.iter() {
            memory += entry.memory;
            gas += u128::from(entry.gas_limit);
            assert_eq!(self.by_txid.get(&entry.txid), Some(&Id::Account(slot)));
            assert_eq!(self.accounts.queue(&entry.sender).unwrap().slots.get(&entry.nonce), Some(&slot));
        }
        self.assert_queues();
        assert_eq!((self.memory, self.gas), (memory, gas));
        assert_eq!(self.by_txid.len(), self.coins.len() + self.accounts.iter().count());
        assert!(self.memory <= self.config.max_bytes);
    }

    fn assert_queues(&self) {
        let mut pending = BTreeSet::new();
        let mut queued_memory = 0;
        for sender in self.accounts.senders() {
            let queue = self.accounts.queue(&sender).unwrap();
            let (mut next, mut left) = (queue.on_chain.nonce, queue.on_chain.balance);
            for (nonce, slot) in &queue.slots {
                let entry = self.accounts.get(*slot);
                if *nonce == next {
                    pending.insert(*slot);
                    (next, left) = (next + 1, left.checked_sub(entry.cost).expect("what is kept is paid for"));
                } else {
                    next = u64::MAX;
                    queued_memory += entry.memory;
                    assert!(entry.cost <= queue.on_chain.balance, "what is kept is paid for");
                }
            }
        }
        let by_tip_cap: Vec<usize> = self.accounts.by_tip_cap().collect();
        let by_fee_cap: Vec<usize> = self.accounts.by_fee_cap().collect();
        let flagged: BTreeSet<usize> =
            self.accounts.iter().filter(|(_, entry)| entry.pending).map(|(slot, _)| slot).collect();
        assert_eq!(flagged, pending);
        assert_eq!(self.accounts.queued_memory(), queued_memory);
        assert_eq!(by_tip_cap.iter().chain(&by_fee_cap).copied().collect::<BTreeSet<_>>(), pending);
        assert_eq!(by_tip_cap.len() + by_fee_cap.len(), self.accounts.pending());
        for ranking in [by_tip_cap, by_fee_cap] {
            let tips: Vec<_> = ranking.iter().map(|slot| self.accounts.get(*slot).tip(self.base_fee)).collect();
            assert!(tips.is_sorted());
        }
        let order: Vec<_> = self.ranked().map(|(tip, _)| tip).collect();
        assert!(order.is_sorted_by(|a, b| a >= b));
        assert!(Rate::default() <= self.floor.rate());
    }
}
