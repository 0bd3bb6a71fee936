//! How far this machine's clock is from the clocks of its peers. It is only warned of: a clock that peers could set would
//! be worse than a wrong one.

use std::time::{Duration, Instant};

/// How often a wrong clock is named in the log.
const AGAIN: Duration = Duration::from_secs(600);

/// Peers whose majority shows that it is this machine's clock that is wrong: of fewer, none outvotes both others.
const SEVERAL: usize = 3;

/// How this machine's clock compares with those of its peers.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Compared {
    /// Seconds that the peers are ahead: their median.
    pub ahead: i64,
    /// How many peers were counted.
    pub peers: usize,
    /// Where they are, if they are too few to say whose clock is wrong.
    of: String,
}

/// Compares the clocks, given of each peer whether this node dialled it, how many seconds it is ahead, and where it is. Peers
/// that this node chose outvote those that dialled it, of which one attacker may be many.
pub fn compare(offsets: impl Iterator<Item = (bool, i64, String)>) -> Option<Compared> {
    let (dialled, others): (Vec<_>, Vec<_>) = offsets.partition(|(outbound, ..)| *outbound);
    let mut counted = if dialled.is_empty() { others } else { dialled };
    counted.sort_unstable_by_key(|(_, ahead, _)| *ahead);
    let (_, ahead, _) = *counted.get(counted.len().checked_sub(1)? / 2)?;
    let of = match counted.len() {
        ..SEVERAL => counted.iter().map(|(_, _, place)| place.as_str()).collect::<Vec<_>>().join(" and "),
        _ => String::new(),
    };
    Some(Compared { ahead, peers: counted.len(), of })
}

/// Decides when the log names a wrong clock.
#[derive(Debug)]
pub struct ClockWatch {
    /// Seconds that it may differ.
    bound: u64,
    warned: Option<Instant>,
}

impl ClockWatch {
    /// Warns of more than so many seconds.
    pub fn new(bound: u64) -> Self {
        Self { bound, warned: None }
    }

    /// What to log of the clocks now, if anything.
    pub fn judge(&mut self, clocks: Option<&Compared>, now: Instant) -> Option<String> {
        let clocks = clocks?;
        let offset = clocks.ahead;
        if offset.unsigned_abs() <= self.bound {
            return self.warned.take().map(|_| "this machine's clock agrees with its peers again".to_owned());
        }
        if self.warned.is_some_and(|at| now.saturating_duration_since(at) < AGAIN) {
            return None;
        }
        self.warned = Some(now);
        let (seconds, side) = (offset.unsigned_abs(), if offset > 0 { "behind" } else { "ahead of" });
        let wrong = "a node with a wrong clock refuses good blocks, or mines blocks that others refuse";
        Some(match clocks.peers {
            ..SEVERAL => format!(
                "this machine's clock is {seconds} s {side} that of {}: one of them is wrong, and fewer than {SEVERAL} peers \
                 do not show which; check the date and time here; {wrong}",
                clocks.of
            ),
            _ => format!("this machine's clock is {seconds} s {side} its peers: check the date and time here; {wrong}"),
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn offset(offsets: &[(bool, i64)]) -> Option<(i64, usize)> {
        let named = offsets.iter().map(|(outbound, ahead)| (*outbound, *ahead, "/ip4/192.0.2.1".to_owned()));
        compare(named).map(|clocks| (clocks.ahead, clocks.peers))
    }

    fn several(ahead: i64) -> Compared {
        Compared { ahead, peers: SEVERAL, of: String::new() }
    }

    #[test]
    fn peers_that_this_node_dialled_outvote_the_others() {
        assert_eq!(offset(&[]), None);
        assert_eq!(offset(&[(false, 9), (false, -2), (false, 5)]), Some((5, 3)));
        let mut crowd = vec![(false, 86_400); 40];
        crowd.extend([(true, 1), (true, -1), (true, 7_200)]);
        assert_eq!(offset(&crowd), Some((1, 3)));
    }

    #[test]
    fn one_or_two_peers_are_named_for_their_clocks_may_be_the_wrong_ones() {
        let one = compare([(false, 7_200, "/ip4/192.0.2.1/tcp/4".to_owned())].into_iter()).unwrap();
        let line = ClockWatch::new(60).judge(Some(&one), Instant::now()).unwrap();
        let start = "this machine's clock is 7200 s behind that of /ip4/192.0.2.1/tcp/4: one of them is wrong, and fewer than 3 \
                     peers do not show which; check the date";
        assert!(line.starts_with(start), "{line}");
        let two = compare([(true, -90, "a".to_owned()), (true, -80, "b".to_owned())].into_iter()).unwrap();
        let line = ClockWatch::new(60).judge(Some(&two), Instant::now()).unwrap();
        assert!(
            line.starts_with("this machine's clock is 90 s ahead of that of a and b: one of them is wrong"),
            "{line}"
        );
    }

    #[test]
    fn a_wrong_clock_is_named_on_both_sides_and_not_again_at_once() {
        let (start, mut slow, mut fast) = (Instant::now(), ClockWatch::new(60), ClockWatch::new(60));
        assert_eq!(slow.judge(None, start), None);
        assert_eq!(slow.judge(Some(&several(60)), start), None);
        let line = slow.judge(Some(&several(7_200)), start).unwrap();
        assert!(line.starts_with("this machine's clock is 7200 s behind its peers: check the date"), "{line}");
        let line = fast.judge(Some(&several(-7_200)), start).unwrap();
        assert!(line.starts_with("this machine's clock is 7200 s ahead of its peers"), "{line}");
        assert_eq!(slow.judge(Some(&several(7_200)), start + Duration::from_secs(599)), None);
        assert!(slow.judge(Some(&several(7_200)), start + AGAIN).is_some());
        let line = slow.judge(Some(&several(0)), start + AGAIN).unwrap();
        assert_eq!(line, "this machine's clock agrees with its peers again");
        assert_eq!(slow.judge(Some(&several(0)), start + AGAIN), None);
    }
}
