//! A fixed range of seeds, and that each stands for one history.

use cairn_sim::{Kind, ModelName, Overrides, history, run};

/// Runs seeds and fails with those that break something.
fn all_hold(seeds: std::ops::Range<u64>, overrides: &Overrides) {
    let jobs = std::thread::available_parallelism().map_or(1, usize::from);
    let report = run(seeds, overrides, jobs, |_, _| {});
    let failed: Vec<String> =
        report.failed.iter().map(|(seed, violation)| format!("seed {seed}: {violation:?}, {overrides:?}")).collect();
    assert!(failed.is_empty(), "{}\nreplay: make sim ARGS='--seed N --log'", failed.join("\n"));
}

#[test]
fn a_seed_stands_for_one_history() {
    let small = Overrides { blocks: Some(40), ..Overrides::default() };
    for seed in 0..6 {
        let (one, other) = (history(seed, &small, false), history(seed, &small, false));
        assert_eq!((one.digest, one.ended), (other.digest, other.ended), "seed {seed}");
    }
    assert_ne!(history(0, &small, false).digest, history(1, &small, false).digest);
}

#[test]
fn invariants_hold_whatever_the_seed_picks() {
    all_hold(0..12, &Overrides::default());
}

#[test]
fn invariants_hold_under_every_attack() {
    for kind in Kind::ALL {
        all_hold(100..102, &Overrides { blocks: Some(60), attack: Some(Some(kind)), ..Overrides::default() });
    }
}

#[test]
fn invariants_hold_in_every_model() {
    for model in [ModelName::Synchronous, ModelName::PartiallySynchronous, ModelName::Asynchronous] {
        let overrides = Overrides { blocks: Some(60), model: Some(model), attack: Some(None), ..Overrides::default() };
        all_hold(200..204, &overrides);
    }
}
