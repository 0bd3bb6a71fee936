//! That a seed stands for one history.

use cairn_sim::{Overrides, history};

#[test]
fn a_seed_stands_for_one_history() {
    let small = Overrides { blocks: Some(40), ..Overrides::default() };
    for seed in 0..6 {
        let (one, other) = (history(seed, &small, false), history(seed, &small, false));
        assert_eq!((one.digest, one.ended), (other.digest, other.ended), "seed {seed}");
    }
    assert_ne!(history(0, &small, false).digest, history(1, &small, false).digest);
}
