//! System models: what is promised of the time that messages take (section 1 of the notes; Dwork, Lynch and Stockmeyer,
//! 1988), and what a network does to messages within that promise. The lab runs protocols and `tests/sim` whole nodes over
//! the same models, latencies and faults.

use crate::random::Random;

/// What is promised of delays. Times are in the ticks of whoever runs: milliseconds in `tests/sim`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Model {
    /// Every message arrives within `delta`.
    Synchronous {
        /// The bound.
        delta: u64,
    },
    /// From some moment on, which nobody knows, every message arrives within `delta`; before, whenever the adversary likes,
    /// but then at the latest within `delta` of that moment.
    PartiallySynchronous {
        /// The moment, from the start: the global stabilisation time.
        gst: u64,
        /// The bound.
        delta: u64,
    },
    /// Every message arrives some time; the adversary says when.
    Asynchronous {
        /// The bound once the adversary has gone, at the end of a simulated history.
        delta: u64,
        /// The longest delay that the adversary chooses.
        longest: u64,
    },
}

impl Model {
    /// Its name on the command line.
    pub fn name(&self) -> &'static str {
        match self {
            Self::Synchronous { .. } => "synchronous",
            Self::PartiallySynchronous { .. } => "partially-synchronous",
            Self::Asynchronous { .. } => "asynchronous",
        }
    }

    /// The bound that holds in the end: Δ.
    pub fn delta(&self) -> u64 {
        match self {
            Self::Synchronous { delta }
            | Self::PartiallySynchronous { delta, .. }
            | Self::Asynchronous { delta, .. } => *delta,
        }
    }

    /// Turns a latency into the delay of a message sent now. `adversary` says how long the adversary would hold it: a
    /// number from 0 up to 1 if it would.
    pub fn delay(&self, now: u64, latency: u64, adversary: Option<f64>) -> u64 {
        let held = |longest: u64| adversary.map_or(latency, |part| latency.max((part * longest as f64) as u64));
        match *self {
            Self::Synchronous { delta } => latency.min(delta),
            Self::PartiallySynchronous { gst, delta } if now >= gst => latency.min(delta),
            Self::PartiallySynchronous { gst, delta } => held(gst - now).min(gst - now + delta),
            Self::Asynchronous { longest, .. } => held(longest),
        }
    }
}

/// How latencies are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub enum Latency {
    /// All alike.
    Constant(u64),
    /// Anything between.
    Uniform(u64, u64),
    /// A base that differs from link to link, and a long tail: log-normal.
    LogNormal {
        /// Half of the messages take longer.
        median: u64,
        /// Standard deviation of the logarithm.
        sigma: f64,
    },
}

impl Latency {
    /// Ticks that a message takes over a link whose latencies are `factor` times the usual.
    pub fn draw(&self, factor: f64, random: &mut Random) -> u64 {
        let usual = match *self {
            Self::Constant(latency) => latency as f64,
            Self::Uniform(least, most) => random.between(least, most) as f64,
            Self::LogNormal { median, sigma } => median as f64 * (random.normal() * sigma).exp(),
        };
        (usual * factor).clamp(1.0, 600_000.0) as u64
    }
}

/// What goes wrong with messages, as probabilities.
#[derive(Clone, Copy, Debug, Default, PartialEq)]
pub struct MessageFaults {
    /// That the adversary holds a message, where the model allows it.
    pub held: f64,
    /// That a message is lost.
    pub loss: f64,
    /// That a message arrives twice.
    pub duplication: f64,
    /// That a message may overtake those sent before it over the same link.
    pub reordering: f64,
}

/// What becomes of one message.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Fate {
    /// It never arrives.
    pub lost: bool,
    /// It may overtake those before it.
    pub overtakes: bool,
    /// How long the adversary holds it, if it does: for [`Model::delay`].
    pub held: Option<f64>,
}

impl MessageFaults {
    /// Draws what becomes of a message. Duplicates are drawn apart, where a message can arrive twice.
    pub fn fate(&self, random: &mut Random) -> Fate {
        let (lost, overtakes) = (random.chance(self.loss), random.chance(self.reordering));
        let held = random.chance(self.held).then(|| random.unit());
        Fate { lost, overtakes, held }
    }
}

/// A network that fell apart: the group of each process. Nothing passes from group to group.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Partition(pub Vec<u8>);

impl Partition {
    /// Whether messages pass between two processes.
    pub fn joins(&self, one: usize, other: usize) -> bool {
        self.0[one] == self.0[other]
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_synchronous_network_keeps_its_bound() {
        let model = Model::Synchronous { delta: 500 };
        assert_eq!((model.delay(0, 200, Some(0.9)), model.delay(0, 9_000, Some(0.9))), (200, 500));
    }

    #[test]
    fn a_partially_synchronous_network_keeps_its_bound_from_the_stabilisation_on() {
        let model = Model::PartiallySynchronous { gst: 60_000, delta: 500 };
        assert_eq!(model.delay(60_000, 9_000, Some(0.9)), 500);
        for now in [0, 30_000, 59_999] {
            for part in [0.0, 0.5, 1.0] {
                assert!(now + model.delay(now, 200, Some(part)) <= 60_500);
            }
        }
    }

    #[test]
    fn the_adversary_of_an_asynchronous_network_holds_messages_for_a_finite_time() {
        let model = Model::Asynchronous { delta: 500, longest: 40_000 };
        assert_eq!((model.delay(0, 200, None), model.delay(0, 200, Some(0.5))), (200, 20_000));
    }
}
