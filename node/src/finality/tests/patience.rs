//! How long members wait, up to the largest group: what dead leaders in a row cost.

use super::net::{A, GENESIS, key, spec};
use crate::{
    engine::{PeerId, Time},
    finality::{Finality, News, Promise, Stored},
};

/// Members of whom some run, without delays. Signatures are not verified: there would be millions.
struct Group {
    members: Vec<Finality>,
    now: Time,
}

impl Group {
    fn new(count: u8, dead: impl Fn(u8) -> bool) -> Self {
        let open = |member| Finality::new(&spec(count), GENESIS, Some(key(member)), Stored::default()).unwrap();
        Self { members: (0..count).filter(|member| !dead(*member)).map(open).collect(), now: Time(1_000_000) }
    }

    /// Lets time pass until a checkpoint is final; how many seconds that took.
    fn finalize(&mut self) -> u64 {
        let start = self.now;
        loop {
            while self.exchange() {}
            if let Some(certificate) = self.members.iter_mut().find_map(Finality::take_decided) {
                self.members.iter_mut().for_each(|member| member.follow(certificate.clone(), None, self.now));
                return self.now.since(start) / 1_000;
            }
            let next = self.members.iter().filter_map(Finality::wake_at).min().expect("somebody waits");
            assert!(next > self.now, "what was due was not done");
            self.now = next;
        }
    }

    /// All vote, and all hear it at once; whether anything was said.
    fn exchange(&mut self) -> bool {
        let mut said = Vec::new();
        for member in &mut self.members {
            if let Some((promise, votes)) = member.step(Some(A), self.now) {
                member.say(promise, votes);
            }
            let own = member.take_news().into_iter().filter_map(|(from, news)| match news {
                News::Vote(vote) => from.is_none().then_some(vote),
                News::Certificate(_) | News::Evidence(_) => None,
            });
            said.extend(own);
        }
        for member in &mut self.members {
            for vote in &said {
                member.hear_vote(vote, &mut |checks| vec![true; checks.len()], Some(PeerId(1)), self.now).unwrap();
            }
        }
        !said.is_empty()
    }
}

#[test]
fn dead_leaders_in_a_row_cost_48_seconds_each_at_most() {
    for count in [4, 7, 31, 100] {
        let faulty = (count - 1) / 3;
        // Member 1 leads the first view of the first checkpoint, member 2 that of the second.
        let mut group = Group::new(count, |member| (1..=faulty).contains(&member));
        let doubled = |views: u8, first: u32| (0..u32::from(views)).map(|view| 3 << (first + view).min(4)).sum::<u64>();
        let (first, second) = (group.finalize(), group.finalize());
        // Its patience grows by what the checkpoint before needed.
        let expected = (doubled(faulty, 0), doubled(faulty - 1, u32::from(faulty).min(4)));
        assert_eq!((first, second), expected, "{count} members");
    }
}

#[test]
fn neither_views_nor_patience_overflow() {
    let promise = Promise { view: u64::from(u32::MAX) - 1, ..Promise::new(10) };
    let stored = Stored { promise: Some(promise), ..Stored::default() };
    let mut finality = Finality::new(&spec(100), GENESIS, Some(key(0)), stored).unwrap();
    finality.patience = u32::MAX;
    let now = Time(1_000_000);
    finality.step(Some(A), now);
    assert_eq!(finality.wake_at(), Some(now.after(48_000)));
}
