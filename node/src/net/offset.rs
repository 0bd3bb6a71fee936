//! How far this machine's clock is from the clocks of its peers. It is only warned of: a clock that peers could set would
//! be worse than a wrong one.

use std::time::{Duration, Instant};

/// How often a wrong clock is named in the log.
const AGAIN: Duration = Duration::from_secs(600);

/// Seconds that the peers are ahead of this machine, given whether this node dialled each and how far each is ahead: their
/// median. Peers that this node chose outvote those that dialled it, of which one attacker may be many.
pub fn median(offsets: impl Iterator<Item = (bool, i64)>) -> Option<i64> {
    let (dialled, others): (Vec<_>, Vec<_>) = offsets.partition(|(outbound, _)| *outbound);
    let mut offsets: Vec<i64> =
        if dialled.is_empty() { others } else { dialled }.into_iter().map(|(_, offset)| offset).collect();
    offsets.sort_unstable();
    offsets.get(offsets.len().checked_sub(1)? / 2).copied()
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

    /// What to log of this offset now, if anything.
    pub fn judge(&mut self, offset: Option<i64>, now: Instant) -> Option<String> {
        let offset = offset?;
        if offset.unsigned_abs() <= self.bound {
            return self.warned.take().map(|_| "this machine's clock agrees with its peers again".to_owned());
        }
        if self.warned.is_some_and(|at| now.saturating_duration_since(at) < AGAIN) {
            return None;
        }
        self.warned = Some(now);
        let (seconds, side) = (offset.unsigned_abs(), if offset > 0 { "behind" } else { "ahead of" });
        Some(format!(
            "this machine's clock is {seconds} s {side} its peers: check the date and time here; a node with a wrong clock \
             refuses good blocks, or mines blocks that others refuse"
        ))
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn peers_that_this_node_dialled_outvote_the_others() {
        assert_eq!(median([].into_iter()), None);
        assert_eq!(median([(false, 9), (false, -2), (false, 5)].into_iter()), Some(5));
        let crowd = (0..40).map(|_| (false, 86_400));
        assert_eq!(median(crowd.chain([(true, 1), (true, -1), (true, 7_200)])), Some(1));
    }

    #[test]
    fn a_wrong_clock_is_named_on_both_sides_and_not_again_at_once() {
        let (start, mut slow, mut fast) = (Instant::now(), ClockWatch::new(60), ClockWatch::new(60));
        assert_eq!(slow.judge(None, start), None);
        assert_eq!(slow.judge(Some(60), start), None);
        let line = slow.judge(Some(7_200), start).unwrap();
        assert!(line.starts_with("this machine's clock is 7200 s behind its peers: check the date"), "{line}");
        let line = fast.judge(Some(-7_200), start).unwrap();
        assert!(line.starts_with("this machine's clock is 7200 s ahead of its peers"), "{line}");
        assert_eq!(slow.judge(Some(7_200), start + Duration::from_secs(599)), None);
        assert!(slow.judge(Some(7_200), start + AGAIN).is_some());
        let line = slow.judge(Some(0), start + AGAIN).unwrap();
        assert_eq!(line, "this machine's clock agrees with its peers again");
        assert_eq!(slow.judge(Some(0), start + AGAIN), None);
    }
}
