//! Programs, transactions and states made from seeds: Cairn and revm give the same answers. `cargo run --example
//! differential` runs more of them.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

mod oracle;

use cairn_vm_tests::pool;
use oracle::{Tally, explain};

#[test]
fn cairn_and_revm_agree_on_generated_programs() {
    let seeds: Vec<u64> = (0..4_000).collect();
    let tally =
        pool::map(pool::cores(), &seeds, |seed| Tally::of(*seed)).into_iter().fold(Tally::default(), Tally::add);
    println!("{tally:?}");
    assert_eq!(tally.differences, [0; 0], "{}", explain(tally.differences[0]));
    assert!(tally.ended.iter().all(|count| count * 100 > tally.cases), "all ends are reached: {:?}", tally.ended);
}
