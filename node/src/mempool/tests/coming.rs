//! The pool laid out in blocks.

use super::lab::{GWEI, Lab, cheap_call, confirmed, fee_for, spend};
use crate::mempool::coming::MOST_COMING;

const MB: usize = 1 << 20;

fn gwei(tips: &[i128]) -> Vec<i128> {
    tips.iter().map(|tip| tip * i128::from(GWEI)).collect()
}

#[test]
fn blocks_to_come_hold_what_templates_would_take_best_first() {
    let mut lab = Lab::new();
    let sent: Vec<_> = (1..=5).map(|number| lab.submit(cheap_call(number, 0, number.into())).unwrap()).collect();
    lab.submit(cheap_call(9, 1, 50)).expect("one that waits for a nonce");
    let coming = lab.pool.coming(50_000, MB, 3);
    let counts: Vec<_> = coming.blocks.iter().map(|block| (block.transactions, block.coins, block.gas)).collect();
    assert_eq!(counts, [(2, 0, 42_000), (2, 0, 42_000), (1, 0, 21_000)]);
    let tips: Vec<_> = coming.blocks.iter().map(|block| block.tips_per_gas.clone()).collect();
    assert_eq!(tips, [gwei(&[4, 5]), gwei(&[2, 3]), gwei(&[1])]);
    assert_eq!(coming.blocks[0].tips, 9 * 21_000 * u128::from(GWEI));
    assert_eq!(coming.left, 1);
    let named: Vec<_> = coming.first.iter().map(|one| (one.txid, one.coin)).collect();
    assert_eq!(named, [(sent[4], false), (sent[3], false)], "those of the next block alone");
}

#[test]
fn a_sender_s_later_nonces_come_behind_and_coins_count_as_such() {
    let mut lab = Lab::new();
    lab.submit(cheap_call(1, 0, 1)).unwrap();
    lab.submit(cheap_call(1, 1, 90)).unwrap();
    let coin = lab.submit(&spend(&[confirmed(1)], 1, fee_for(1, 1, 300))).unwrap();
    let coming = lab.pool.coming(60_000_000, MB, 9);
    assert_eq!((coming.blocks[0].transactions, coming.blocks[0].coins), (3, 1));
    assert!(coming.first[0].coin && coming.first[0].txid == coin);
    assert_eq!(coming.first[2].tip_per_gas, 90 * i128::from(GWEI));
}

#[test]
fn an_empty_pool_fills_no_block_and_a_large_one_eight() {
    assert!(Lab::new().pool.coming(60_000_000, MB, 9).blocks.is_empty());
    let mut lab = Lab::new();
    for number in 1..=30 {
        lab.submit(cheap_call(number, 0, 2)).unwrap();
    }
    let coming = lab.pool.coming(50_000, MB, 0);
    assert_eq!((coming.blocks.len(), coming.left, coming.first.len()), (MOST_COMING, 30 - 2 * MOST_COMING, 0));
    // Blocks are bounded by bytes too.
    let size = lab.pool.best(usize::MAX)[0].size;
    assert_eq!(lab.pool.coming(60_000_000, size, 0).blocks[0].transactions, 1);
}
