//! The precompiled contracts beside revm's: price, output, and what they refuse.

#![allow(clippy::unwrap_used, reason = "a test may panic")]

use alloy_primitives::{Address, Bytes};
use cairn_vm_tests::{
    fuzz::{inputs, rng::Rng},
    pool,
};
use chain_core::{execute::Revision, vm::precompiles};
use revm::precompile::{PrecompileSpecId, Precompiles};

/// Gas used and output; `None` if all gas is gone.
type Answer = Option<(u64, Bytes)>;

fn ours(revision: Revision, address: &Address, input: &[u8], gas: u64) -> Option<Answer> {
    precompiles::run(revision, address, input, gas).map(Result::ok)
}

fn theirs(revision: Revision, address: &Address, input: &[u8], gas: u64) -> Option<Answer> {
    let id = match revision {
        Revision::Cancun => PrecompileSpecId::CANCUN,
        Revision::Osaka => PrecompileSpecId::OSAKA,
    };
    let blobs = Address::left_padding_from(&[0x0a]);
    let precompile = Precompiles::new(id).get(address).filter(|_| *address != blobs)?;
    let output = precompile.execute(input, gas, 0).unwrap();
    Some(output.status.is_success().then_some((output.gas_used, output.bytes)))
}

fn compare(seed: u64) -> Option<bool> {
    let rng = &mut Rng::new(seed);
    let revision = *rng.pick(&[Revision::Cancun, Revision::Osaka, Revision::Osaka]);
    let number = inputs::number(rng);
    let input = inputs::input(rng, number);
    let gas = if rng.percent(15) { rng.below(200_000) as u64 } else { 30_000_000 };
    let address = Address::left_padding_from(&number.to_be_bytes());
    let (ours, theirs) = (ours(revision, &address, &input, gas), theirs(revision, &address, &input, gas));
    assert_eq!(ours, theirs, "seed {seed}: {number:#x} in {revision:?} with {gas} gas on {}", Bytes::from(input));
    ours.map(|answer| answer.is_some())
}

#[test]
fn cairn_and_revm_agree_on_precompiled_contracts() {
    let seeds: Vec<u64> = (0..20_000).collect();
    let answers = pool::map(pool::cores(), &seeds, |seed| compare(*seed));
    let accepted = answers.iter().filter(|answer| **answer == Some(true)).count();
    let refused = answers.iter().filter(|answer| **answer == Some(false)).count();
    println!("{accepted} accepted, {refused} refused, {} not precompiled", answers.len() - accepted - refused);
    assert!(accepted > 10_000 && refused > 1_000, "{accepted} accepted, {refused} refused");
}
