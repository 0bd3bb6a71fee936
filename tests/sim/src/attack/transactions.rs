//! Attackers of the pools: they keep transactions back, sign them wrongly, replace them without end, or make them mean another
//! thing on each branch.

use cairn_lab::random::Random;
use cairn_node::{
    engine::{InboundId, PeerEvent, PeerId},
    store::BlockRef,
    wire::{Request, Response, ShortId},
};
use chain_core::{
    Address, Bytes, U256,
    block::Block,
    execute::{withdraw_calldata, withdrawal_outpoint},
    hash::{BlockHash, TxId},
    state::StateView,
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Signature, Witness},
    },
    units::Amount,
};
use std::collections::BTreeMap;

use super::Strategy;
use crate::{
    chain::{CHEATING, WITHDRAWER, withdrawn},
    traffic::pay_coin,
    world::Context,
};

const GWEI: u64 = 1_000_000_000;

/// Orphans that a censor keeps to hand out.
const ORPHANS: usize = 64;
/// Transactions that it says to have in its pool and does not.
const FALSE_IDS: usize = 2_000;

/// Names every transaction that it hears of to everybody at once and never delivers it, says to have thousands more, and floods orphans of transactions that
/// do not exist. One that spends from a real transaction would get it banned for a wrong signature as soon as the parent comes.
#[derive(Default)]
pub(super) struct Censor {
    orphans: BTreeMap<TxId, Transaction>,
}

/// Spends from a transaction that nobody has.
fn orphan(parent: TxId, random: &mut Random) -> Transaction {
    Transaction::Coin(CoinTransaction {
        inputs: vec![OutPoint { txid: parent, index: 0 }],
        outputs: vec![Output {
            amount: Amount::from_grains(random.between(10_000, 1 << 40)),
            lock: Lock::Key(KeyBytes(random.bytes())),
        }],
        witnesses: vec![Witness::Key(Signature::from([7; 64]))],
    })
}

impl Censor {
    fn announce(context: &mut Context<'_>, except: Option<PeerId>, names: &[TxId]) {
        for peer in context.peers().into_iter().filter(|peer| Some(*peer) != except) {
            context.ask(peer, Request::Announce(names.to_vec()));
        }
    }

    fn answer(&self, context: &mut Context<'_>, peer: PeerId, id: InboundId, names: &[TxId]) {
        let encoded: Vec<Bytes> =
            names.iter().filter_map(|txid| self.orphans.get(txid)).map(|tx| Bytes::from(tx.encode())).collect();
        // Otherwise it says nothing, so that nobody else is asked for as long as possible.
        if !encoded.is_empty() {
            context.respond(peer, id, Response::Transactions(encoded));
        }
    }
}

impl Strategy for Censor {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        match event {
            PeerEvent::Request(id, Request::Announce(names)) => {
                context.respond(peer, id, Response::Ack);
                Self::announce(context, Some(peer), &names);
                None
            }
            PeerEvent::Request(id, Request::Transactions(names)) => {
                self.answer(context, peer, id, &names);
                None
            }
            // Names that it does not have, to be asked for them for as long as possible.
            PeerEvent::Request(id, Request::Pool { .. }) if context.random().chance(0.5) => {
                let random = context.random();
                let false_ids =
                    (0..FALSE_IDS).map(|_| random.bytes()).map(|bytes| ShortId(std::array::from_fn(|at| bytes[at])));
                let false_ids = false_ids.collect();
                context.respond(peer, id, Response::ShortIds(false_ids));
                None
            }
            event => Some(event),
        }
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        let mut names: Vec<TxId> = (0..context.random().below(8)).map(|_| TxId(context.random().bytes())).collect();
        for parent in names.clone() {
            let child = orphan(parent, context.random());
            names.push(child.txid());
            if self.orphans.len() >= ORPHANS {
                self.orphans.pop_first();
            }
            self.orphans.insert(child.txid(), child);
        }
        Self::announce(context, None, &names);
        let pause = context.random().between(500, 5_000);
        context.wake_after(pause);
    }
}

/// Hands out transactions with wrong signatures under right names.
pub(super) struct BadSigner;

/// A copy that anybody can see to be wrong. An account transaction's name commits to its signature: there is none of it.
fn badly_signed(transaction: &Transaction) -> Option<Transaction> {
    let Transaction::Coin(tx) = transaction else { return None };
    let witnesses = tx.witnesses.iter().map(|_| Witness::Key(Signature::from([9; 64]))).collect();
    Some(Transaction::Coin(CoinTransaction { witnesses, ..tx.clone() }))
}

impl Strategy for BadSigner {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let PeerEvent::Request(id, Request::Transactions(names)) = &event else { return Some(event) };
        let engine = context.engine()?;
        let pooled = names.iter().filter_map(|txid| engine.mempool().transaction(txid));
        let encoded: Vec<Bytes> = pooled.filter_map(|tx| badly_signed(tx)).map(|tx| tx.encode().into()).collect();
        if encoded.is_empty() {
            return Some(event);
        }
        context.respond(peer, *id, Response::Transactions(encoded));
        None
    }
}

/// Fields of a call by the cheating user.
fn fields(context: &Context<'_>, nonce: u64, to: Address, tip: u64) -> Fields {
    Fields {
        tx_type: 2,
        chain_id: context.chain().spec.chain_id,
        nonce,
        fees: Fees::Dynamic { max_fee: U256::from(20 * GWEI + tip), max_priority_fee: U256::from(tip) },
        gas_limit: 100_000,
        to: Some(to),
        value: U256::ZERO,
        input: Bytes::new(),
        access_list: Vec::new(),
        authorizations: Vec::new(),
    }
}

fn sign(context: &Context<'_>, fields: Fields) -> Option<Transaction> {
    let secret = &context.chain().users[CHEATING].secret;
    AccountTransaction::sign(fields, secret).ok().map(Transaction::Account)
}

/// The cheating user's next nonce on the chain.
fn nonce(context: &mut Context<'_>) -> Option<u64> {
    let address = context.chain().users[CHEATING].address;
    Some(context.engine()?.store().view().account(&address).ok()??.nonce)
}

/// Replaces one transaction again and again, so that what its node announces is gone when it is asked for; and leaves gaps
/// of nonces behind it.
#[derive(Default)]
pub(super) struct Churner {
    nonce: u64,
    tip: u64,
}

impl Strategy for Churner {
    fn timer(&mut self, context: &mut Context<'_>) {
        if let Some(next) = nonce(context) {
            if next != self.nonce || self.tip == 0 {
                (self.nonce, self.tip) = (next, GWEI);
            }
            let to = Address::repeat_byte(0x55);
            let gap = context.random().between(2, 60);
            for (nonce, tip) in [(next, self.tip), (next + gap, self.tip)] {
                let fields = fields(context, nonce, to, tip);
                if let Some(transaction) = sign(context, fields) {
                    context.pay(transaction);
                }
            }
            // Up to some thousand gwei: then it waits for the next block.
            if self.tip < 5_000 * GWEI {
                self.tip += self.tip / 9 + 1;
            }
        }
        let pause = context.random().between(40, 400);
        context.wake_after(pause);
    }
}

/// How far ahead a gapper's nonces are: as far as a pool takes them.
const GAPS: (u64, u64) = (2, 64);

/// Has everybody take transactions behind gaps of nonces, then others in their places that pay more, again and again: they cost
/// nothing, for they are never mined.
#[derive(Default)]
pub(super) struct Gapper {
    gap: u64,
    tip: u64,
}

impl Strategy for Gapper {
    fn timer(&mut self, context: &mut Context<'_>) {
        if let Some(next) = nonce(context) {
            self.gap += 1;
            if !(GAPS.0..=GAPS.1).contains(&self.gap) {
                self.gap = GAPS.0;
                self.tip = (self.tip + self.tip / 4).clamp(20 * GWEI, 20_000 * GWEI);
            }
            let fields = fields(context, next + self.gap, Address::repeat_byte(0x77), self.tip);
            if let Some(transaction) = sign(context, fields) {
                // No honest node names one that waits.
                let name = Request::Announce(vec![transaction.txid()]);
                context.peers().into_iter().for_each(|peer| context.ask(peer, name.clone()));
                context.pay(transaction);
            }
        }
        let pause = context.random().between(40, 400);
        context.wake_after(pause);
    }
}

/// Withdraws coins whose amount depends on who mines the block, and spends each as soon as a block holds it: on every branch
/// another coin.
#[derive(Default)]
pub(super) struct ForkSpender {
    calls: Vec<TxId>,
}

impl ForkSpender {
    fn spend(context: &Context<'_>, txid: TxId, block: &Block) -> Option<Transaction> {
        let chain = context.chain();
        let user = &chain.users[CHEATING];
        let coinbase = block.coinbase()?;
        let output = Output { amount: withdrawn(&coinbase.beneficiary), lock: user.lock };
        let coin = Coin { output, height: coinbase.height, coinbase: false };
        let outpoint = withdrawal_outpoint(txid, 0, &output);
        let amount = Amount::from_grains(output.amount.grains().checked_sub(10_000)?);
        let outputs = vec![Output { amount, lock: user.lock }];
        Some(Transaction::Coin(pay_coin(&chain.hash, user, outpoint, coin, outputs)))
    }
}

impl Strategy for ForkSpender {
    fn timer(&mut self, context: &mut Context<'_>) {
        let address = context.chain().users[CHEATING].address;
        if let Some(next) = nonce(context) {
            let pending = context.engine().and_then(|engine| engine.mempool().pending_nonce(&address));
            let lock = context.chain().users[CHEATING].lock;
            let call = Fields {
                input: withdraw_calldata(&lock),
                gas_limit: 200_000,
                ..fields(context, pending.unwrap_or(next).max(next), WITHDRAWER, 2 * GWEI)
            };
            if let Some(call) = sign(context, call) {
                self.calls.push(call.txid());
                context.pay(call);
            }
        }
        let pause = context.random().between(2_000, 10_000);
        context.wake_after(pause);
    }

    fn new_tip(&mut self, context: &mut Context<'_>, connected: &[BlockHash]) {
        for hash in connected {
            let Some(engine) = context.engine() else { return };
            let Some(height) = engine.chain().tree().get(hash).map(|header| header.height) else { continue };
            let body = engine.store().body(BlockRef { height, hash: *hash });
            let Some(block) = body.ok().flatten() else { continue };
            let made: Vec<TxId> = block.transactions.iter().map(Transaction::txid).collect();
            for txid in made.into_iter().filter(|txid| self.calls.contains(txid)) {
                if let Some(spend) = Self::spend(context, txid, &block) {
                    context.pay(spend);
                }
            }
        }
    }
}

/// Comes and goes under ever new identities, and asks expensive questions as soon as it is introduced.
pub(super) struct Sybil;

impl Strategy for Sybil {
    fn timer(&mut self, context: &mut Context<'_>) {
        for peer in context.peers() {
            let random = context.random();
            let names = (0..random.below(200)).map(|_| TxId(random.bytes())).collect();
            let (salt, leaves) = (random.word(), random.chance(0.5));
            context.ask(peer, Request::Announce(names));
            context.ask(peer, Request::Pool { salt });
            if leaves {
                context.hang_up(peer);
            }
        }
        let pause = context.random().between(500, 3_000);
        context.wake_after(pause);
    }
}
