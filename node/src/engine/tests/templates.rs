//! Templates: always valid, best packages first.

use chain_core::{
    Address, U256,
    hash::{TxId, keccak256},
    transaction::{
        Transaction,
        account::{AccountTransaction, Authorization},
        coin::{Lock, Output},
    },
    units::Amount,
};
use proptest::prelude::*;
use secp256k1::{
    Message,
    ecdsa::{RecoverableSignature, RecoveryId},
};

use super::kit::{FEE, GWEI, Kit, made, pay, secret, solved, spec, transfer_fields};
use crate::{
    engine::{
        BlockOutcome, BlockPlan, BlockTime, Content, Engine, EngineConfig, Event, NodeEvent, TemplateError,
        TemplateRequest, Time, tag,
    },
    mempool::MempoolConfig,
    store::{Store, StoreConfig},
};

#[test]
fn a_template_is_the_same_until_something_changes() {
    let mut kit = Kit::new();
    let first = kit.template();
    assert_eq!(kit.template().block, first.block);
    kit.submit(&kit.send(0, FEE)).unwrap();
    kit.now.0 += 500;
    let second = kit.template();
    assert_eq!(second.block.transactions.len(), 2);
    assert_eq!(second.longpoll, first.longpoll, "fees alone are announced later");
    kit.wait(6);
    assert!(kit.events.iter().any(|event| matches!(event, NodeEvent::TemplateStale)));
    let third = kit.template();
    assert_ne!(third.longpoll, first.longpoll);
    kit.mine();
    assert_eq!(kit.template().longpoll.parent, kit.tip());
}

// A long poll with an id of before would return at once, again and again.
#[test]
fn a_full_template_that_is_kept_has_the_long_poll_of_now() {
    let mut kit = Kit::new();
    [kit.send(0, FEE), kit.send(1, FEE)].iter().for_each(|tx| _ = kit.submit(tx).unwrap());
    // What came is announced, and time passes until the next is announced at once.
    kit.wait(6);
    kit.wait(6);
    let request = TemplateRequest { full: true, ..kit.request() };
    let first = kit.engine.template(&request).unwrap();
    assert_eq!(first.block.transactions.len(), 2, "of three");
    // It waits for the nonces before it: the pool grows, and the best block stays.
    kit.submit(&kit.transfer(1, 5, 3)).unwrap();
    kit.wait(0);
    let second = kit.engine.template(&request).unwrap();
    assert_eq!(second.block, first.block);
    assert_eq!(second.longpoll, kit.template().longpoll);
    assert_ne!(second.longpoll, first.longpoll);
}

#[test]
fn two_miners_share_one_execution() {
    let mut kit = Kit::new();
    kit.submit(&kit.send(0, FEE)).unwrap();
    kit.submit(&kit.transfer(1, 0, 3)).unwrap();
    let first = kit.template();
    kit.now.0 += 1_000;
    kit.engine.set_time(kit.now);
    let request = TemplateRequest { extra: vec![7; 20], ..kit.request() };
    let second = kit.engine.template(&request).unwrap();
    // An execution a second later would have another time.
    assert_eq!(second.block.header.time, first.block.header.time);
    assert_ne!(second.block.header.merkle_root, first.block.header.merkle_root);
    assert_eq!(second.block.transactions[1..], first.block.transactions[1..]);
    let other = TemplateRequest { beneficiary: Address::ZERO, ..request };
    assert_eq!(kit.engine.template(&other).unwrap().block.header.time, first.block.header.time + 1);
    // What was patched is a block as good as what was executed.
    let block = solved(&kit.spec, second.block);
    assert_eq!(kit.take(block).unwrap(), BlockOutcome::Connected { disconnected: 0 });
}

#[test]
fn a_template_of_little_gas_takes_in_a_new_transaction_at_once() {
    let mut kit = Kit::new();
    assert_eq!(kit.template().block.transactions.len(), 1);
    kit.submit(&kit.send(0, FEE)).unwrap();
    assert_eq!(kit.template().block.transactions.len(), 2);
}

#[test]
fn a_template_of_much_gas_is_shared_for_half_a_second_though_the_pool_grows() {
    let mut kit = Kit::new();
    // 60 transfers of 21,000 gas are beyond what is executed again at once.
    for nonce in 0..60 {
        kit.submit(&kit.transfer(1, nonce, 3)).unwrap();
    }
    assert_eq!(kit.template().block.transactions.len(), 61);
    kit.submit(&kit.send(0, FEE)).unwrap();
    kit.now.0 += 499;
    assert_eq!(kit.template().block.transactions.len(), 61);
    kit.now.0 += 1;
    assert_eq!(kit.template().block.transactions.len(), 62);
}

#[test]
fn the_templates_of_two_processes_differ_though_all_is_alike() {
    let mut kit = Kit::new();
    let open = |tag| {
        let store = Store::in_memory(&kit.spec, &StoreConfig::default()).unwrap();
        let config = EngineConfig { tag, ..EngineConfig::default() };
        let mut engine = Engine::open(store, kit.spec.clone(), config).unwrap();
        engine.set_time(kit.now);
        engine.template(&kit.request()).unwrap().block
    };
    let [one, two] = [1, 1 << 47 | 1].map(tag).map(&open);
    let Transaction::Coinbase(coinbase) = &one.transactions[0] else { panic!() };
    assert_eq!(coinbase.extra, [b"BAAAAAAA", &[kit.name][..]].concat());
    assert_ne!(one.header.merkle_root, two.header.merkle_root);
    assert_eq!(open(tag(1)), one);
    assert_eq!(kit.take(solved(&kit.spec, one)).unwrap(), BlockOutcome::Connected { disconnected: 0 });
}

//     G -- 1 -- 2 ... 64      stored at once, connected in slices
#[test]
fn a_template_is_on_the_tip_though_many_blocks_are_still_to_be_connected() {
    let mut kit = Kit::new();
    let blocks = kit.twin().mine_many(64);
    kit.now.0 += 100_000;
    for block in blocks[1..].iter().rev() {
        assert_eq!(kit.take(block.clone()).unwrap(), BlockOutcome::Orphan);
    }
    assert_eq!(kit.template().height, 1);
    kit.engine.handle(Event::Block(1, blocks[0].clone()), kit.now);
    let tip = kit.height();
    assert!(tip > 0 && tip < 64, "{tip}");
    assert_eq!((kit.template().height, kit.template().longpoll.parent), (tip + 1, kit.tip()));
    kit.settle_all();
    assert_eq!(kit.template().height, 65);
}

// HDR-5
#[test]
fn a_clock_behind_the_tip_gives_no_template_but_the_reason() {
    let mut kit = Kit::new();
    kit.now.0 += 100_000;
    kit.mine();
    assert_eq!(kit.template().height, 2);
    let (right, limit) = (kit.now, u64::from(kit.spec.max_future));
    kit.now.0 -= (limit + 30) * 1_000;
    kit.engine.set_time(kit.now);
    let refused = kit.engine.template(&kit.request()).unwrap_err();
    assert!(matches!(refused, TemplateError::ClockBehind { ahead: 150, wait: 30 }), "{refused:?}");
    let (refused, actions) = kit.engine.mine_block(plan(kit.request(), 0));
    assert!(matches!(refused, Err(TemplateError::ClockBehind { .. })) && actions.is_empty(), "{refused:?}");
    kit.now.0 += 30_000;
    let template = kit.template();
    assert_eq!(u64::from(template.block.header.time), right.seconds(), "HDR-4: at least the parent's");
    // A template of before the clock was set back would be a block of the future.
    kit.now = right.after(limit * 1_000);
    kit.template();
    kit.now = Time(right.0 - 10_000);
    assert_eq!(u64::from(kit.template().block.header.time), right.seconds());
}

#[test]
fn a_template_tells_what_it_pays() {
    let mut kit = Kit::new();
    let tx = kit.send(0, FEE);
    kit.submit(&tx).unwrap();
    kit.submit(&kit.transfer(1, 0, 3)).unwrap();
    let template = kit.template();
    let gas = tx.gas(tx.size());
    let burned = (gas * GWEI).div_ceil(10_000_000_000);
    assert_eq!(template.coin_tips, Amount::from_grains(FEE - burned));
    assert_eq!(template.gas_used, 8_000 + gas + 21_000);
    assert_eq!((template.height, template.block.header.nonce), (1, 0));
}

// CB-2, CB-4
#[test]
fn a_request_that_no_block_can_keep_is_refused() {
    let mut kit = Kit::new();
    let mut request = kit.request();
    kit.engine.set_time(kit.now);
    // 8 of the 98 bytes at height 1 are the node's tag.
    request.extra = vec![0; 91];
    assert!(matches!(kit.engine.template(&request), Err(TemplateError::Rule(_))));
    kit.template();
    assert!(matches!(kit.engine.template(&request), Err(TemplateError::Rule(_))), "also where one is kept");
    request.extra = vec![0; 90];
    kit.engine.template(&request).unwrap();
    request.payout = Lock::Account(Address::ZERO);
    assert!(matches!(kit.engine.template(&request), Err(TemplateError::Rule(_))));
}

#[test]
fn mining_on_demand_makes_blocks_at_once() {
    let mut kit = Kit::new();
    kit.submit(&kit.send(0, FEE)).unwrap();
    let request = kit.request();
    kit.engine.set_time(kit.now);
    let ahead = kit.genesis.header.time + 100;
    let (hash, actions) = kit.engine.mine_block(plan(request.clone(), ahead));
    assert_eq!(hash.unwrap(), kit.tip());
    assert!(!actions.is_empty());
    assert_eq!(kit.block_at(1).header.time, ahead);
    assert_eq!(kit.block_at(1).transactions.len(), 2);
    let hard =
        Kit::with(chain_core::spec::ChainSpec { genesis_bits: 0x1b00_ffff, ..spec(1) }, MempoolConfig::default());
    let mut hard = hard;
    hard.engine.set_time(hard.now);
    assert!(matches!(hard.engine.mine_block(plan(request, 0)).0, Err(TemplateError::TooHard)));
}

fn plan(request: TemplateRequest, least: u32) -> BlockPlan {
    BlockPlan { request, time: BlockTime::NotBefore(least), base_fee: None, content: Content::Pool }
}

/// A transaction that uses up the first nonce of another account, which has authorized it to (EIP-7702).
fn overtaking(by: u8, authority: u8) -> AccountTransaction {
    let delegate = Address::with_last_byte(1);
    // Any chain, the address, nonce 0.
    let message = keccak256([&[0x05, 0xd7, 0x80, 0x94][..], delegate.as_slice(), &[0x80]].concat());
    let signature = RecoverableSignature::sign_ecdsa_recoverable(Message::from_digest(message.0), &secret(authority));
    let (parity, bytes) = signature.serialize_compact();
    let mut fields = transfer_fields(0, 5);
    (fields.tx_type, fields.gas_limit) = (4, 100_000);
    fields.authorizations = vec![Authorization {
        chain_id: U256::ZERO,
        address: delegate,
        nonce: 0,
        y_parity: u8::from(parity == RecoveryId::One),
        r: U256::from_be_slice(&bytes[..32]),
        s: U256::from_be_slice(&bytes[32..]),
    }];
    AccountTransaction::sign(fields, &secret(by)).unwrap()
}

#[test]
fn what_cannot_stand_in_the_next_block_leaves_the_pool() {
    let mut kit = Kit::new();
    // Only running the other tells that the first cannot follow it.
    let (first, next, other) = (kit.transfer(1, 0, 2), kit.transfer(1, 1, 2), overtaking(2, 1));
    for tx in [&first, &next, &other] {
        kit.submit(tx).unwrap();
    }
    kit.mine();
    let mined = &kit.block_at(1).transactions;
    assert!(
        mined.contains(&Transaction::Account(other.clone())) && !mined.contains(&Transaction::Account(first.clone()))
    );
    assert!(!kit.is_pooled(&first) && !kit.is_pooled(&other));
    let gone = TxId(first.hash().0);
    assert!(kit.events.iter().any(|event| matches!(event, NodeEvent::TransactionRemoved(txid, _) if *txid == gone)));
}

/// Something that a hostile user may do to the pool.
#[derive(Clone, Debug)]
enum Act {
    /// Spends outputs of earlier transactions (or genesis coins) into several outputs.
    Spend {
        from: Vec<u8>,
        outputs: u8,
        fee: u16,
    },
    /// Deposits to an account.
    Deposit {
        from: u8,
        to: u8,
    },
    /// Sends an account transaction.
    Call {
        key: u8,
        nonce: u8,
        tip: u8,
        value: u8,
        gas: u32,
    },
    Mine,
}

fn acts() -> impl Strategy<Value = Vec<Act>> {
    let spend = (proptest::collection::vec(any::<u8>(), 1..4), 1..5u8, any::<u16>())
        .prop_map(|(from, outputs, fee)| Act::Spend { from, outputs, fee });
    let deposit = (any::<u8>(), 1..9u8).prop_map(|(from, to)| Act::Deposit { from, to });
    let call = (1..9u8, 0..6u8, 0..12u8, 0..100u8, 21_000..400_000u32)
        .prop_map(|(key, nonce, tip, value, gas)| Act::Call { key, nonce, tip, value, gas });
    let act = prop_oneof![8 => spend, 1 => deposit, 6 => call, 1 => Just(Act::Mine)];
    proptest::collection::vec(act, 1..120)
}

/// Runs the acts on a chain whose blocks hold little; every block mined must connect, which `Kit::mine` asserts.
fn run(acts: Vec<Act>) {
    let spec = chain_core::spec::ChainSpec { gas_limit: 400_000, ..spec(20) };
    let mempool = MempoolConfig { max_bytes: 60_000, ..MempoolConfig::default() };
    let mut kit = Kit::with(spec, mempool);
    let mut coins: Vec<_> = (0..20).map(|index| kit.coin(index)).collect();
    for act in acts {
        match act {
            Act::Spend { from, outputs, fee } => {
                let mut spent: Vec<_> = from.iter().map(|index| coins[usize::from(*index) % coins.len()]).collect();
                spent.sort_by_key(|(outpoint, _)| *outpoint);
                spent.dedup();
                let total: u64 = spent.iter().map(|(_, coin)| coin.output.amount.grains()).sum();
                let each = total.saturating_sub(u64::from(fee) * 4) / u64::from(outputs);
                let tx = kit.spend(1, &spent, &vec![pay(each.max(1), 1); usize::from(outputs)]);
                if kit.submit(&tx).is_ok() {
                    coins.extend((0..u32::from(outputs)).map(|index| made(&tx, index)));
                }
            }
            Act::Deposit { from, to } => {
                let (outpoint, coin) = coins[usize::from(from) % coins.len()];
                let amount = Amount::from_grains(coin.output.amount.grains().saturating_sub(FEE).max(1));
                let output = Output { amount, lock: Lock::Account(super::kit::address(to)) };
                let _ = kit.submit(&kit.spend(1, &[(outpoint, coin)], &[output]));
            }
            Act::Call { key, nonce, tip, value, gas } => {
                let mut fields = transfer_fields(u64::from(nonce), u64::from(tip));
                fields.value = super::kit::crn(u64::from(value));
                fields.gas_limit = u64::from(gas);
                fields.chain_id = kit.spec.chain_id;
                let _ = kit.submit(&AccountTransaction::sign(fields, &secret(key)).unwrap());
            }
            Act::Mine => drop(kit.mine()),
        }
        kit.engine.mempool().assert_consistent();
    }
    // What is left can be mined, block after block, until nothing that is ready stays.
    for _ in 0..40 {
        kit.mine();
        kit.engine.mempool().assert_consistent();
    }
    assert_eq!(kit.engine.mempool().stats().pending, 0, "{:?}", kit.engine.mempool().best(usize::MAX));
    assert!(kit.handle(Event::Tick).is_empty());
}

proptest! {
    #![proptest_config(ProptestConfig { cases: 48, failure_persistence: None, ..ProptestConfig::default() })]

    #[test]
    fn a_template_from_an_adversarial_pool_always_connects(acts in acts()) {
        run(acts);
    }
}
