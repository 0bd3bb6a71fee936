//! Histories that are watched step by step, with the parameters of experiments.

use cairn_sim::{Kind, Plan, Rules, World};
use chain_core::U256;

const INTERVAL: u64 = 600_000;

#[test]
fn a_fixed_difficulty_stays_whatever_the_hash_rate_is() {
    let mut world = World::new(Plan::quiet(1, Rules::fixed(600), vec![1.0, 0.0], 0), false);
    assert_eq!(world.play(50 * INTERVAL), Ok(()));
    world.set_hash_rate(4.0);
    assert_eq!(world.play(50 * INTERVAL), Ok(()));
    let info = world.engine(1).unwrap().chain_info();
    assert!((200..300).contains(&info.height), "{}", info.height);
    // 2 hashes a block, also the first.
    assert_eq!(info.work, U256::from(2 * (info.height + 1)));
    assert_eq!((world.apart(), world.finds().len()), (0, info.height as usize));
    assert_eq!(world.close().stats.chain, u64::from(info.height));
}

#[test]
fn difficulty_follows_the_hash_rate_where_it_is_not_fixed() {
    let rules = Rules { interval: 30, half_life: Some(10), bits: 0x2001_ffff, ..Rules::default() };
    let mut world = World::new(Plan::quiet(1, rules, vec![1.0, 0.0], 0), false);
    world.set_hash_rate(4.0);
    assert_eq!(world.play(200 * 30_000), Ok(()));
    let height = world.engine(1).unwrap().chain_info().height;
    // Two half-lives ahead, by about as much as chance.
    assert!((205..240).contains(&height), "{height}");
}

/// Honest blocks on one of two blocks of the same height, of which the attacker found one; and those on the attacker's.
fn races(gamma: f64) -> (usize, usize) {
    let mut plan = Plan::quiet(1, Rules::fixed(600), vec![0.4, 0.3, 0.3], 1);
    (plan.attackers, plan.gamma) = (vec![Kind::SelfishMiner], Some(gamma));
    let mut world = World::new(plan, false);
    assert_eq!(world.play(300 * INTERVAL), Ok(()));
    let finds = world.finds();
    let find = |hash| finds.iter().find(|(own, _)| *own == hash).map(|(_, find)| *find);
    let attacks = |parent| finds.iter().any(|(_, find)| find.parent == parent && find.miner == 2);
    let honest = |parent| finds.iter().any(|(_, find)| find.parent == parent && find.miner < 2);
    let on = finds.iter().filter(|(_, find)| find.miner < 2).filter_map(|(_, own)| find(own.parent));
    let raced: Vec<_> = on.filter(|parent| attacks(parent.parent) && honest(parent.parent)).collect();
    (raced.len(), raced.iter().filter(|parent| parent.miner == 2).count())
}

#[test]
fn gamma_says_which_of_two_blocks_nodes_choose() {
    let (all, chose) = races(0.0);
    assert!(all > 20 && chose == 0, "{chose} of {all}");
    // The finder of the honest block stays with it: that is half of the honest hash rate.
    let (all, chose) = races(1.0);
    assert!(all > 20 && chose * 10 > all * 3 && chose * 10 < all * 7, "{chose} of {all}");
    // One of two nodes is near the attacker.
    let (all, chose) = races(0.5);
    assert!(all > 20 && chose * 10 > all && chose * 10 < all * 4, "{chose} of {all}");
}
