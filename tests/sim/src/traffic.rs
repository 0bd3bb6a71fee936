//! Users who pay each other, in coins and from accounts, across both and against themselves.

use cairn_lab::random::Random;
use cairn_node::engine::Engine;
use chain_core::{
    Address, Bytes, U256,
    execute::{GATEWAY, withdraw_calldata, withdrawal_outpoint},
    hash::BlockHash,
    state::StateView,
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, CoinTransaction, Lock, OutPoint, Output, Signature, Witness},
        sighash::sighash,
    },
    units::Amount,
};
use std::sync::Arc;

use crate::chain::{COIN, COINS, COUNTER, Chain, PAYING, PROMISING, User};

/// Wei in a gwei.
const GWEI: u64 = 1_000_000_000;

/// Fee of a coin transaction: enough at the least base fee, with some tip.
const FEE: u64 = 10_000;

/// Coins remembered; older ones are forgotten.
const REMEMBERED: usize = 256;

/// What users know.
#[derive(Debug)]
pub struct Traffic {
    chain: Arc<Chain>,
    /// Coins that may be there, and whose they are.
    coins: Vec<(OutPoint, usize)>,
}

/// What a user wants done: one transaction, or two of which only one can be valid.
#[derive(Clone, Debug)]
pub struct Payment {
    /// The transaction.
    pub transaction: Transaction,
    /// One that contradicts it, for another node.
    pub rival: Option<Transaction>,
}

impl Traffic {
    /// Users who know of the coins that genesis gave them.
    pub fn new(chain: &Arc<Chain>) -> Self {
        let coins = (0..PAYING * COINS).map(|at| (first_coin(chain, at / COINS, at % COINS).0, at / COINS));
        Self { chain: chain.clone(), coins: coins.collect() }
    }

    /// What some user does next, as it sees the chain through this engine.
    pub fn next(&mut self, engine: &Engine, random: &mut Random, rivals: bool) -> Option<Payment> {
        let from = random.index(PAYING);
        let rival = rivals && random.chance(0.1);
        match random.below(10) {
            0..6 => self.spend(engine, random, rival),
            kind => self.call(engine, random, from, kind, rival),
        }
    }

    /// A coin of somebody that this engine would let him spend.
    fn spendable(&mut self, engine: &Engine, random: &mut Random) -> Option<(OutPoint, Coin, usize)> {
        let height = engine.store().tip().height + 1;
        for _ in 0..8 {
            let index = random.index(self.coins.len());
            let (outpoint, owner) = *self.coins.get(index)?;
            if engine.mempool().spender(&outpoint).is_some() {
                continue;
            }
            let mature = |coin: &Coin| !coin.coinbase || coin.height + self.chain.spec.coinbase_maturity <= height;
            match engine.store().view().coin(&outpoint) {
                Ok(Some(coin)) if mature(&coin) => return Some((outpoint, coin, owner)),
                // Spent elsewhere, or not there yet.
                _ if random.chance(0.2) => _ = self.coins.swap_remove(index),
                _ => {}
            }
        }
        None
    }

    fn spend(&mut self, engine: &Engine, random: &mut Random, rival: bool) -> Option<Payment> {
        let (outpoint, coin, owner) = self.spendable(engine, random)?;
        let to = random.index(PAYING);
        let amount = coin.output.amount.grains().checked_sub(FEE).filter(|left| *left > 2 * FEE)?;
        let chain = self.chain.clone();
        let user = |index: usize| &chain.users[index];
        let deposit = random.chance(0.15);
        let target = if deposit { Lock::Account(user(to).address) } else { user(to).lock };
        let half = amount / 2;
        let outputs = vec![
            Output { amount: Amount::from_grains(half), lock: target },
            Output { amount: Amount::from_grains(amount - half), lock: user(owner).lock },
        ];
        let tx = pay_coin(&chain.hash, user(owner), outpoint, coin, outputs);
        let txid = tx.txid();
        if !deposit {
            self.note(OutPoint { txid, index: 0 }, to);
        }
        self.note(OutPoint { txid, index: 1 }, owner);
        let rival = rival.then(|| {
            let outputs = vec![Output { amount: Amount::from_grains(amount), lock: user(owner).lock }];
            Transaction::Coin(pay_coin(&chain.hash, user(owner), outpoint, coin, outputs))
        });
        Some(Payment { transaction: Transaction::Coin(tx), rival })
    }

    fn call(&mut self, engine: &Engine, random: &mut Random, from: usize, kind: u64, rival: bool) -> Option<Payment> {
        let user = &self.chain.users[from];
        let account = engine.store().view().account(&user.address).ok()??;
        let nonce = engine.mempool().pending_nonce(&user.address).unwrap_or(account.nonce).max(account.nonce);
        let to = random.index(PAYING);
        let withdrawn = (kind == 6).then(|| Output {
            amount: Amount::from_grains(random.between(100_000, 10_000_000)),
            lock: self.chain.users[to].lock,
        });
        let fields = match (kind, &withdrawn) {
            (_, Some(output)) => {
                self.fields(nonce, GATEWAY, output.amount.to_wei(), withdraw_calldata(&output.lock), 100_000)
            }
            (7, _) => {
                let slot = U256::from(random.below(5)).to_be_bytes::<32>();
                self.fields(nonce, COUNTER, U256::ZERO, Bytes::copy_from_slice(&slot), 100_000)
            }
            _ => {
                let value = U256::from(random.between(1, GWEI));
                self.fields(nonce, self.chain.users[to].address, value, Bytes::new(), 21_000)
            }
        };
        let sign = |fields| AccountTransaction::sign(fields, &user.secret).ok().map(Transaction::Account);
        let rival = match rival {
            true => sign(self.fields(nonce, user.address, U256::ONE, Bytes::new(), 21_000)),
            false => None,
        };
        let transaction = sign(fields)?;
        if let Some(output) = withdrawn {
            self.note(withdrawal_outpoint(transaction.txid(), 0, &output), to);
        }
        Some(Payment { transaction, rival })
    }

    /// Transactions that contradict nothing, with whichever nothing competes: if one is taken, it must be mined.
    pub fn promises(&self) -> Vec<Transaction> {
        let user = &self.chain.users[PROMISING];
        let coins = (0..COINS).map(|number| {
            let (outpoint, coin) = first_coin(&self.chain, PROMISING, number);
            let outputs = vec![Output { amount: Amount::from_grains(COIN.grains() - FEE), lock: user.lock }];
            Transaction::Coin(pay_coin(&self.chain.hash, user, outpoint, coin, outputs))
        });
        let calls = (0..COINS as u64).filter_map(|nonce| {
            let fields = self.fields(nonce, COUNTER, U256::ZERO, Bytes::copy_from_slice(&[0; 32]), 100_000);
            AccountTransaction::sign(fields, &user.secret).ok().map(Transaction::Account)
        });
        coins.chain(calls).collect()
    }

    /// A user has heard of a coin.
    pub fn note(&mut self, outpoint: OutPoint, owner: usize) {
        if owner >= PAYING {
            return;
        }
        if self.coins.len() >= REMEMBERED {
            self.coins.remove(0);
        }
        self.coins.push((outpoint, owner));
    }

    fn fields(&self, nonce: u64, to: Address, value: U256, input: Bytes, gas_limit: u64) -> Fields {
        Fields {
            tx_type: 2,
            chain_id: self.chain.spec.chain_id,
            nonce,
            fees: Fees::Dynamic { max_fee: U256::from(20 * GWEI), max_priority_fee: U256::from(2 * GWEI) },
            gas_limit,
            to: Some(to),
            value,
            input,
            access_list: Vec::new(),
            authorizations: Vec::new(),
        }
    }
}

/// Spends a coin of a user.
pub fn pay_coin(
    genesis: &BlockHash,
    owner: &User,
    outpoint: OutPoint,
    coin: Coin,
    outputs: Vec<Output>,
) -> CoinTransaction {
    let mut tx = CoinTransaction { inputs: vec![outpoint], outputs, witnesses: Vec::new() };
    let message = sighash(genesis, &tx, &[coin]);
    let signature = owner.pair.sign_schnorr_no_aux_rand(&message(0)).to_byte_array();
    tx.witnesses = vec![Witness::Key(Signature::from(signature))];
    tx
}

/// The coin that genesis gave to a user.
pub fn first_coin(chain: &Chain, user: usize, number: usize) -> (OutPoint, Coin) {
    // Output 0 of a coinbase is no coin (CB-10).
    let index = 1 + (user * COINS + number) as u32;
    let outpoint = OutPoint { txid: chain.genesis.transactions[0].txid(), index };
    let output = Output { amount: COIN, lock: chain.users[user].lock };
    (outpoint, Coin { output, height: 0, coinbase: false })
}
