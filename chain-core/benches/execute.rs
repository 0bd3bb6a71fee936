//! What executing costs beside signatures: blocks of 1,000 coin transactions, and plain transfers.
//!
//! Run: `cargo bench -p chain-core --bench execute --features testing`.

use chain_core::{
    Address, B256, Bytes, U256,
    block::{Block, CheckedBlock, check::check_block, header::Header, merkle},
    execute::{
        BlockBuilder, BlockContext, Environment, Revision, execute_block, transition, undo_block, withdraw_calldata,
    },
    gas::MAX_TRANSACTION_GAS,
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::{Account, MemoryState, Overlay, lthash::LtHash},
    transaction::{
        Transaction,
        account::{Fees, Fields},
        coin::{Coin, CoinTransaction, KeyBytes, Lock, OutPoint, Output, Witness},
    },
    units::Amount,
};
use std::time::{Duration, Instant};

const TRANSACTIONS: u32 = 1_000;
const ROUNDS: usize = 31;

fn main() {
    coins();
    transfers("plain transfer", Bytes::new(), Address::repeat_byte(7), U256::ONE);
    let gateway = chain_core::execute::GATEWAY;
    let calldata = withdraw_calldata(&Lock::Key(KeyBytes([1; 32])));
    transfers("withdrawal", calldata, gateway, Amount::from_grains(1).to_wei());
}

fn context() -> BlockContext {
    BlockContext::new(BlockHash([1; 32]), 1_000, 1_000_000_000, &header([0; 32])).expect("the bits are sound")
}

fn header(merkle_root: [u8; 32]) -> Header {
    Header { version: 0, prev: BlockHash([2; 32]), merkle_root, time: 1_800_000_000, bits: 0x207f_ffff, nonce: 0 }
}

fn coins() {
    let (spec, context) = (ChainSpec::local(), context());
    let mut state = MemoryState::default();
    let lock = |number: u32| {
        let mut key = [3; 32];
        key[..4].copy_from_slice(&number.to_be_bytes());
        Lock::Key(KeyBytes(key))
    };
    let mut next = 0_u32;
    let mut coin = || {
        next += 1;
        let mut txid = [5; 32];
        txid[..4].copy_from_slice(&next.wrapping_mul(0x9e37_79b1_u32).to_be_bytes());
        let coin = Coin {
            output: Output { amount: Amount::from_grains(1_000_000), lock: lock(next) },
            height: 1,
            coinbase: false,
        };
        state.insert_coin(OutPoint { txid: TxId(txid), index: next }, coin);
        OutPoint { txid: TxId(txid), index: next }
    };
    let transactions: Vec<Transaction> = (0..TRANSACTIONS)
        .map(|number| {
            let inputs: Vec<OutPoint> = (0..1 + number % 2).map(|_| coin()).collect();
            let witnesses = inputs.iter().map(|_| Witness::Key([9; 64].into())).collect();
            let outputs = (0..2).map(|n| Output { amount: Amount::from_grains(400_000), lock: lock(n) }).collect();
            Transaction::Coin(CoinTransaction { inputs, outputs, witnesses })
        })
        .collect();

    let build = || {
        let mut builder = BlockBuilder::new(&spec, context.clone(), &state, Address::ZERO).expect("memory can be read");
        transactions.iter().for_each(|transaction| {
            builder.push(transaction, None).expect("the coins are there");
        });
        builder.finish(lock(0), Vec::new()).expect("memory can be read")
    };
    report("build a block of 1,000 coin transactions, 1,500 inputs, 2,000 outputs", measure(|| timed(build).1));
    let (transactions, effects) = build();
    let block = check(&spec, transactions);
    let run = || {
        let block = block.clone();
        timed(|| execute_block(&spec, &context, &state, block, &[]).expect("the block is valid")).1
    };
    report("execute it, signatures not verified (aim 4 ms)", measure(run));
    report("of which the digest of its 3,500 coins", measure(|| timed(|| digest(&effects.created)).1 * 7 / 4));

    state.apply(&effects);
    let undo = effects.undo();
    report("take it back", measure(|| timed(|| undo_block(&state, &undo).expect("memory can be read")).1));
}

fn digest(coins: &[(OutPoint, Coin)]) -> LtHash {
    let mut digest = LtHash::default();
    coins.iter().for_each(|coin| digest.add(&chain_core::codec::encode(coin)));
    digest
}

fn check(spec: &ChainSpec, transactions: Vec<Transaction>) -> CheckedBlock {
    let leaves: Vec<[u8; 32]> = transactions.iter().map(merkle::leaf).collect();
    let merkle_root = merkle::root(&leaves);
    let header = header(merkle_root);
    check_block(spec, Block { header, transactions }).map_err(|(_, error)| error).expect("the block is sound")
}

/// Transactions by 1,000 senders in turn, on one overlay, as in a block.
fn transfers(name: &str, input: Bytes, to: Address, value: U256) {
    let mut state = MemoryState::default();
    let sender = |number: u32| Address::from_word(B256::from(U256::from(number + 1_000)));
    let rich = Account { balance: U256::from(u128::MAX), ..Account::default() };
    (0..TRANSACTIONS).for_each(|number| state.insert_account(sender(number), rich, Bytes::new(), &[]));
    let spec = ChainSpec::local();
    let environment = Environment {
        revision: Revision::Osaka,
        chain_id: spec.chain_id,
        number: 1,
        time: 1,
        gas_limit: spec.gas_limit,
        base_fee: 1_000_000_000,
        difficulty: U256::from(1),
        beneficiary: Address::repeat_byte(8),
        transaction_gas: MAX_TRANSACTION_GAS,
        gateway: true,
        trial: None,
    };
    let gwei = U256::from(2_000_000_000_u64);
    let fields = Fields {
        tx_type: 2,
        chain_id: spec.chain_id,
        nonce: 0,
        fees: Fees::Dynamic { max_fee: gwei, max_priority_fee: gwei },
        gas_limit: 60_000,
        to: Some(to),
        value,
        input,
        access_list: Vec::new(),
        authorizations: Vec::new(),
    };
    let run = |round: u64| {
        let mut overlay = Overlay::new(&state);
        let nonces = 0..10;
        let fields: Vec<Fields> = nonces.map(|nonce| Fields { nonce, ..fields.clone() }).collect();
        let mut spent = Duration::ZERO;
        for fields in &fields {
            let hash = B256::from(U256::from(round * 10 + fields.nonce));
            let ((), time) = timed(|| {
                for number in 0..TRANSACTIONS {
                    let sender = sender(number);
                    let outcome = transition(&environment, &mut overlay, hash, fields, sender, spec.gas_limit);
                    std::hint::black_box(outcome.expect("the sender can pay"));
                }
            });
            // The first transaction of each sender reads its account from the view.
            spent += if fields.nonce == 0 { Duration::ZERO } else { time };
        }
        spent / (9 * TRANSACTIONS)
    };
    let mut round = 0;
    let [median, least] = measure(|| {
        round += 1;
        run(round)
    });
    println!("{name}, without its signature: {} ns, at least {}", median.as_nanos(), least.as_nanos());
}

fn timed<T>(work: impl FnOnce() -> T) -> (T, Duration) {
    let start = Instant::now();
    let result = work();
    (result, start.elapsed())
}

/// The median and the least of some rounds: the least tells of a busy machine.
fn measure(mut measure: impl FnMut() -> Duration) -> [Duration; 2] {
    let mut times: Vec<Duration> = (0..ROUNDS).map(|_| measure()).collect();
    times.sort_unstable();
    [times[ROUNDS / 2], times[0]]
}

fn report(name: &str, [median, least]: [Duration; 2]) {
    println!("{name}: {:.2} ms, at least {:.2}", median.as_secs_f64() * 1e3, least.as_secs_f64() * 1e3);
}
