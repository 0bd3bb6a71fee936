//! Any bytes as a block of all three kinds of transactions: decoded, checked, built, executed and undone.

use alloy_primitives::{Address, Bytes, U256};
use chain_core::{
    block::{
        Block,
        check::{check_block, check_hashed_block, decode_block},
        header::Header,
        merkle,
    },
    codec,
    error::ExecuteError,
    execute::{BlockBuilder, BlockContext, GATEWAY, execute_block, undo_block, withdraw_calldata},
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::{Account, MemoryState},
    transaction::{
        Transaction,
        account::{AccountTransaction, Fees, Fields},
        coin::{Coin, CoinTransaction, Lock, OutPoint, Output, Witness},
        coinbase::Coinbase,
        policy::{Policy, Proof, ProofItem},
    },
    units::Amount,
};
use std::sync::LazyLock;

use super::{
    generate,
    rng::Rng,
    transaction::{CHAIN_ID, key, sender},
};

const GENESIS: BlockHash = BlockHash([3; 32]);
const PARENT: BlockHash = BlockHash([4; 32]);
const HEIGHT: u32 = 1_000;
const BASE_FEE: u64 = 1_000_000_000;
const BITS: u32 = 0x207f_ffff;
const COINS: u32 = 8;
const COIN: u64 = 100_000_000;
/// Senders with a balance.
const SENDERS: u8 = 3;
/// A contract with code out of a generated program.
const CONTRACT: Address = Address::repeat_byte(0xc0);

/// A policy that holds without a signature, so that damaged transactions may still be valid.
fn open() -> Policy {
    Policy::or([Policy::after(1), Policy::older(1)])
}

fn coin(number: u32) -> (OutPoint, Coin) {
    let output = Output { amount: Amount::from_grains(COIN), lock: open().lock() };
    (OutPoint { txid: TxId([7; 32]), index: number }, Coin { output, height: 10, coinbase: number == 0 })
}

fn spec() -> ChainSpec {
    ChainSpec { chain_id: CHAIN_ID, ..ChainSpec::dev() }
}

/// What the block meets.
fn state() -> &'static MemoryState {
    static STATE: LazyLock<MemoryState> = LazyLock::new(|| {
        let mut state = MemoryState::default();
        (0..COINS).map(coin).for_each(|(outpoint, coin)| state.insert_coin(outpoint, coin));
        for number in 0..SENDERS {
            let account = Account { balance: Amount::from_grains(10 * COIN).to_wei(), ..Account::default() };
            state.insert_account(sender(number), account, Bytes::new(), &[]);
        }
        let gateway = Account { nonce: 1, ..Account::default() };
        state.insert_account(GATEWAY, gateway, Bytes::from_static(&[0xfe]), &[]);
        let contract = Account { nonce: 1, balance: U256::from(1_000), ..Account::default() };
        state.insert_account(CONTRACT, contract, code(1), &[(U256::ONE, U256::from(7))]);
        state
    });
    &STATE
}

/// Code of a generated program.
fn code(seed: u64) -> Bytes {
    let world = generate(seed).world.0.into_values();
    world.map(|holding| holding.code).find(|code| !code.is_empty()).unwrap_or_default()
}

/// Any bytes as a block. As it stands it is executed or refused. What of its transactions may stand is built into a block, which
/// decodes, is sound and does when executed what it did when built; undone, all is as before.
///
/// # Panics
/// If one of these does not hold.
pub fn blocks(bytes: &[u8]) {
    let Ok(hashed) = decode_block(bytes) else { return };
    assert_eq!(codec::encode(hashed.block()), bytes);
    let transactions = hashed.block().transactions.clone();
    if let Ok(checked) = check_hashed_block(&spec(), hashed) {
        let senders: Vec<_> = checked.recoveries().iter().filter_map(|tx| tx.recover_sender().ok()).collect();
        if let Ok(context) = BlockContext::new(GENESIS, HEIGHT, BASE_FEE, &checked.block().header) {
            match execute_block(&spec(), &context, state(), checked, &senders) {
                Ok(_) | Err(ExecuteError::Rule(_)) => {}
                Err(ExecuteError::View(error)) => panic!("{error}"),
            }
        }
    }
    round_trip(transactions);
}

fn header(merkle_root: [u8; 32]) -> Header {
    Header { version: 1, prev: PARENT, merkle_root, time: 1_800_000_000, bits: BITS, nonce: 0 }
}

fn round_trip(transactions: Vec<Transaction>) {
    let (spec, before) = (spec(), state());
    let context = BlockContext::new(GENESIS, HEIGHT, BASE_FEE, &header([0; 32])).expect("the bits are sound");
    let mut builder =
        BlockBuilder::new(&spec, context.clone(), before, Address::repeat_byte(0xbe)).expect("memory can be read");
    let mut senders = Vec::new();
    for transaction in &transactions {
        let sender = match transaction {
            Transaction::Account(tx) => tx.recover_sender().ok(),
            _ => None,
        };
        if builder.push(transaction, sender).is_ok() {
            senders.extend(sender);
        }
    }
    let payout = Lock::Policy([9; 32]);
    let (transactions, built) = builder.finish(payout, vec![1]).expect("the payout is sound");
    let leaves: Vec<_> = transactions.iter().map(merkle::leaf).collect();
    let bytes = codec::encode(&Block { header: header(merkle::root(&leaves)), transactions });
    let hashed = decode_block(&bytes).expect("what was built decodes");
    let checked = check_hashed_block(&spec, hashed).map_err(|(_, rule)| rule).expect("what was built is sound");
    let again = check_block(&spec, checked.block().clone()).map_err(|(_, rule)| rule).expect("so is the object");
    assert_eq!((again.hash(), again.metas()), (checked.hash(), checked.metas()));
    let pending = execute_block(&spec, &context, before, checked, &senders).expect("what was built is valid");
    let verdicts = vec![true; pending.checks().len()];
    let executed = pending.confirm(&verdicts).expect("every verdict is given");
    let effects = executed.effects();
    assert_eq!(format!("{effects:?}"), format!("{built:?}"), "executing does what building did");

    let mut after = before.clone();
    after.apply(effects);
    assert_eq!(after.supply() + effects.burned, before.supply() + effects.minted, "money is kept");
    let reversal = undo_block(&after, &effects.undo()).expect("memory can be read");
    after.revert(&effects.undo(), &reversal);
    after.codes = before.codes.clone();
    assert!(after == *before, "undo is the inverse");
}

/// An encoded block with a few transactions that may stand in it, for others to damage.
pub fn seed(rng: &mut Rng) -> Vec<u8> {
    let coinbase = Coinbase {
        height: HEIGHT,
        beneficiary: Address::repeat_byte(0xbe),
        outputs: Vec::new(),
        state_root: Default::default(),
        receipts_root: Default::default(),
        coins_root: Default::default(),
        gas_used: 0,
        extra: Vec::new(),
    };
    let mut transactions = vec![Transaction::Coinbase(coinbase)];
    let mut nonces = [0; SENDERS as usize];
    for _ in 0..rng.below(8) {
        transactions.push(if rng.percent(50) { spend(rng) } else { call(rng, &mut nonces) });
    }
    let leaves: Vec<_> = transactions.iter().map(merkle::leaf).collect();
    codec::encode(&Block { header: header(merkle::root(&leaves)), transactions })
}

fn spend(rng: &mut Rng) -> Transaction {
    let count = 1 + rng.below(3);
    let inputs = (0..count).map(|_| coin(rng.below(COINS as usize) as u32).0).collect();
    let locks = [open().lock(), Lock::Account(sender(0)), Lock::Account(CONTRACT)];
    let output = |rng: &mut Rng| Output {
        amount: Amount::from_grains(1 + rng.below(COIN as usize / 2) as u64),
        lock: *rng.pick(&locks),
    };
    let outputs = (0..1 + rng.below(3)).map(|_| output(rng)).collect();
    let way = |rng: &mut Rng| {
        let mut items = vec![ProofItem::Reached, ProofItem::Skip];
        items.rotate_left(rng.below(2));
        Witness::Policy(open(), Proof(items.into()))
    };
    let witnesses = (0..count).map(|_| way(rng)).collect();
    Transaction::Coin(CoinTransaction { inputs, outputs, witnesses })
}

fn call(rng: &mut Rng, nonces: &mut [u64; SENDERS as usize]) -> Transaction {
    let from = rng.below(usize::from(SENDERS));
    let (to, value, input) = match rng.below(4) {
        0 => (Some(sender(rng.below(4) as u8)), U256::from(rng.below(1_000)), Bytes::new()),
        1 => {
            let grains = Amount::from_grains(rng.below(1_000) as u64).to_wei();
            (Some(GATEWAY), grains, withdraw_calldata(&open().lock()))
        }
        2 => (None, U256::from(rng.below(2)), code(rng.bits())),
        _ => {
            let len = rng.below(70);
            (Some(CONTRACT), U256::ZERO, rng.bytes(len).into())
        }
    };
    let fields = Fields {
        tx_type: 2,
        chain_id: CHAIN_ID,
        nonce: nonces[from],
        fees: Fees::Dynamic { max_fee: U256::from(2 * BASE_FEE), max_priority_fee: U256::from(BASE_FEE) },
        gas_limit: 500_000,
        to,
        value,
        input,
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    nonces[from] += 1;
    Transaction::Account(AccountTransaction::sign(fields, &key(from as u8)).expect("the fields are sound"))
}
