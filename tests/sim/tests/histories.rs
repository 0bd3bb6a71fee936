//! A fixed range of seeds, and that each stands for one history.

use cairn_sim::{Kind, ModelName, Overrides, cores, history, run};

/// Runs seeds and fails with those that break something.
fn all_hold(seeds: std::ops::Range<u64>, overrides: &Overrides) {
    let report = run(seeds, overrides, cores(), |_, _| {});
    let failed: Vec<String> =
        report.failed.iter().map(|(seed, violation)| format!("seed {seed}: {violation:?}, {overrides:?}")).collect();
    let how = "replay: make sim SEED=N, with ARGS=\"--model M --attack A\" if they are given";
    assert!(failed.is_empty(), "{}\n{how}", failed.join("\n"));
}

#[test]
fn a_seed_stands_for_one_history() {
    for seed in 1..6 {
        let run = || history(seed, &Overrides::default(), false);
        let (one, other) = (run(), run());
        assert_eq!((one.digest, one.ended), (other.digest, other.ended), "seed {seed}");
    }
    let small = Overrides { blocks: Some(5), ..Overrides::default() };
    assert_ne!(history(0, &small, false).digest, history(1, &small, false).digest);
}

#[test]
fn invariants_hold_whatever_the_seed_picks() {
    all_hold(0..24, &Overrides::default());
}

#[test]
fn invariants_hold_under_every_attack() {
    for kind in Kind::ALL {
        all_hold(101..103, &Overrides { attack: Some(Some(kind)), ..Overrides::default() });
    }
}

#[test]
fn invariants_hold_in_every_model() {
    for model in [ModelName::Synchronous, ModelName::PartiallySynchronous, ModelName::Asynchronous] {
        all_hold(201..205, &Overrides { model: Some(model), attack: Some(None), ..Overrides::default() });
    }
}

#[test]
fn final_blocks_stay_whatever_members_and_miners_do() {
    let of = |members, attack| Overrides { members: Some(members), attack, ..Overrides::default() };
    all_hold(301..309, &of(4, None));
    for kind in Kind::MEMBERS {
        all_hold(401..403, &of(4, Some(Some(kind))));
    }
    all_hold(501..503, &of(7, None));
}
