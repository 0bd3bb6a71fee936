//! What goes wrong among members of finality, beside what goes wrong with any node.

use cairn_lab::random::Random;

use super::{Fault, Plan};
use crate::{attack::Kind, chain::WINDOW};

/// Milliseconds that a member is alone at least: time for many views.
const ALONE: u64 = 120_000;

/// How often the window is so small that a partition can outlast it.
const OFTEN_SMALL: f64 = 0.4;

/// The most blocks that a certificate may disconnect.
pub(super) fn draw_window(members: u8, asked: Option<u32>, random: &mut Random) -> u32 {
    let (is_small, small) = (random.chance(OFTEN_SMALL), random.between(2, 10) as u32);
    asked.unwrap_or(if is_small && members > 0 { small } else { WINDOW })
}

/// Up to as many members as may be faulty break the rules. One alone mines in secret, for hash rate that is split makes two weak
/// branches; those with it vote for any branch.
pub(super) fn draw_faulty_members(members: u8, asked: Option<Option<Kind>>, random: &mut Random) -> Vec<Kind> {
    let kind = asked.unwrap_or_else(|| random.chance(0.7).then(|| *random.pick(&Kind::MEMBERS)));
    let count = 1 + random.index(most_faulty(members).max(1));
    let mut faulty = kind.map_or(Vec::new(), |kind| vec![kind; count]);
    let helpers = faulty.iter_mut().skip(1).filter(|kind| kind.mines_in_secret());
    helpers.for_each(|kind| *kind = Kind::TwoFaced);
    faulty
}

/// f of 3f + 1.
fn most_faulty(members: u8) -> usize {
    usize::from(members.saturating_sub(1) / 3)
}

impl Plan {
    /// Draws it, in the order of time.
    pub(super) fn draw_faults_of_members(&mut self, length: u64, random: &mut Random) {
        if self.members == 0 {
            return;
        }
        let faults = match random.below(6) {
            0 => self.draw_outage(length, random),
            1 => self.draw_turns(length, random),
            2 => self.draw_alone(length, random),
            3 => self.draw_alternation(length, random),
            _ => Vec::new(),
        };
        self.faults.extend(faults);
        self.faults.extend(self.draw_crashes_at_votes(length, random));
        self.faults.sort_by_key(|(at, _)| *at);
        self.let_others_mine();
    }

    fn first_member(&self) -> usize {
        self.nodes - usize::from(self.members)
    }

    /// Members that keep the rules, in any order.
    fn honest_members(&self, random: &mut Random) -> Vec<usize> {
        let mut members: Vec<usize> = (self.first_member()..self.honest()).collect();
        random.shuffle(&mut members);
        members
    }

    /// As many members as may fail beside those who break the rules, for good: the others must finalize without them. Never the
    /// first node.
    fn draw_gone(&self, members: &[usize], random: &mut Random) -> Vec<usize> {
        let spare = most_faulty(self.members).saturating_sub(self.attackers.len());
        if random.chance(0.5) {
            return Vec::new();
        }
        members.iter().copied().filter(|node| *node > 0).take(spare).collect()
    }

    /// As many members as may be faulty are down from some time on.
    fn draw_outage(&self, length: u64, random: &mut Random) -> Vec<(u64, Fault)> {
        let members = self.honest_members(random);
        let gone = self.draw_gone(&members, random);
        let down = |node: &usize| match gone.contains(node) {
            true => Fault::Gone { node: *node },
            false => Fault::Crash { node: *node, power: true, down: length },
        };
        members.iter().take(most_faulty(self.members)).map(|node| (random.below(length), down(node))).collect()
    }

    /// Members are down one after the other, as many at once as may be faulty, each for long and never together with the next: what
    /// one has missed another has heard.
    fn draw_turns(&self, length: u64, random: &mut Random) -> Vec<(u64, Fault)> {
        let (members, mut faults) = (self.honest_members(random), Vec::new());
        let (mut at, down) = (random.below(length / 4), random.between(length / 8, length / 3));
        for group in members.chunks(most_faulty(self.members).max(1)) {
            let power = random.chance(0.5);
            faults.extend(group.iter().map(|node| (at, Fault::Crash { node: *node, power, down })));
            at += down + random.below(10_000);
        }
        faults
    }

    /// One member is alone for minutes, with those who break the rules at most; then the others come back one by one, some of them never.
    fn draw_alone(&self, length: u64, random: &mut Random) -> Vec<(u64, Fault)> {
        let members = self.honest_members(random);
        let Some((_, others)) = members.split_first() else { return Vec::new() };
        let gone = self.draw_gone(others, random);
        let (at, long) = (random.below(length / 4), random.between(length / 3, length / 2).max(ALONE));
        let mut down = |node: usize| match gone.contains(&node) {
            true => Fault::Gone { node },
            false => Fault::Crash { node, power: random.chance(0.5), down: long + random.below(60_000) },
        };
        others.iter().map(|node| (at, down(*node))).collect()
    }

    /// The network falls apart in two ways in turn, without ever being whole: each side hears of the other only by those who
    /// change sides.
    fn draw_alternation(&self, length: u64, random: &mut Random) -> Vec<(u64, Fault)> {
        let mut split = || (0..self.nodes).map(|_| u8::from(random.chance(0.5))).collect::<Vec<u8>>();
        let splits = [split(), split()];
        let (start, period) = (random.below(length / 4), random.between(8_000, length / 6 + 10_000));
        let count = random.between(4, 10);
        let mut faults: Vec<_> = (0..count)
            .zip(splits.iter().cycle())
            .map(|(turn, split)| (start + turn * period, Fault::Partition(split.clone())))
            .collect();
        faults.push((start + count * period, Fault::Heal));
        faults
    }

    /// Processes end between a vote, which is on disk then, and its sending.
    fn draw_crashes_at_votes(&self, length: u64, random: &mut Random) -> Vec<(u64, Fault)> {
        let members = self.honest_members(random);
        if random.chance(0.5) {
            return Vec::new();
        }
        let count = random.between(1, 8);
        let draw = |_| {
            let node = *random.pick(&members);
            let (power, down) = (random.chance(0.7), random.between(100, 30_000));
            (random.below(length), Fault::CrashAtVote { node, power, down })
        };
        (0..count).map(draw).collect()
    }

    /// Blocks go on at their rate without those who never come back.
    fn let_others_mine(&mut self) {
        for (_, fault) in &self.faults {
            if let Fault::Gone { node } = fault {
                self.shares[0] += std::mem::take(&mut self.shares[*node]);
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::plan::Overrides;

    fn plans(members: u8) -> Vec<Plan> {
        (0..300).map(|seed| Plan::draw(seed, &Overrides { members: Some(members), ..Overrides::default() })).collect()
    }

    #[test]
    fn no_more_members_are_faulty_or_gone_than_may_be() {
        for (members, most) in [(4, 1), (7, 2)] {
            let plans = plans(members);
            for plan in &plans {
                let is_gone = |(_, fault): &&(u64, Fault)| matches!(fault, Fault::Gone { .. });
                let gone = plan.faults.iter().filter(is_gone).count();
                assert!(gone + plan.attackers.len() <= most, "seed {}: {gone} gone", plan.seed);
                assert!((plan.shares.iter().sum::<f64>() - 1.0).abs() < 1e-9, "seed {}", plan.seed);
            }
            assert!(plans.iter().any(|plan| plan.attackers.len() == most), "{members}: never so many");
        }
    }

    #[test]
    fn seeds_draw_all_that_members_may_be_up_to() {
        for members in [4, 7] {
            let plans = plans(members);
            for kind in Kind::MEMBERS {
                let is_it = |plan: &&Plan| plan.attackers.first() == Some(&kind);
                let count = plans.iter().filter(is_it).count();
                assert!(count >= 25, "{members} members: {count} histories of {kind:?}");
            }
        }
    }

    #[test]
    fn two_in_five_windows_are_shorter_than_a_partition() {
        let windows: Vec<u32> = plans(4).iter().map(|plan| plan.window).collect();
        let small = windows.iter().filter(|window| **window <= 10).count();
        assert!((90..150).contains(&small), "{small} of 300");
        assert!(windows.iter().all(|window| (2..=10).contains(window) || *window == WINDOW));
        assert_eq!(Plan::draw(1, &Overrides::default()).window, WINDOW);
    }

    #[test]
    fn a_branch_in_secret_has_the_majority_to_itself() {
        let mut helped = 0;
        for plan in plans(7).iter().filter(|plan| plan.attackers.first().is_some_and(|kind| kind.mines_in_secret())) {
            let shares = &plan.shares[plan.honest()..];
            assert!((shares[0] - 0.6).abs() < 1e-9, "seed {}: {shares:?}", plan.seed);
            assert!(plan.attackers[1..].iter().all(|kind| *kind == Kind::TwoFaced), "{:?}", plan.attackers);
            helped += usize::from(plan.attackers.len() > 1);
        }
        assert!(helped >= 10, "{helped}");
    }

    #[test]
    fn seeds_draw_whatever_members_may_suffer() {
        let plans = plans(4);
        let some = |is: fn(&Fault) -> bool, count: usize| {
            let has = |plan: &&Plan| plan.faults.iter().filter(|(_, fault)| is(fault)).count() >= count;
            plans.iter().filter(has).count()
        };
        let counts = [
            some(|fault| matches!(fault, Fault::Gone { .. }), 1),
            some(|fault| matches!(fault, Fault::CrashAtVote { .. }), 1),
            some(|fault| matches!(fault, Fault::Partition(_)), 4),
            some(|fault| matches!(fault, Fault::Crash { down, .. } if *down >= ALONE), 2),
        ];
        assert!(counts.iter().all(|count| *count >= 10), "{counts:?}");
    }
}
