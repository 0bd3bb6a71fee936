//! The circumstances of a run: a system model with its latencies, what goes wrong with messages, and who fails.

use crate::{
    network::{Latency, MessageFaults, Model, Partition},
    process::{Id, everyone},
    random::Random,
};
use std::{collections::BTreeMap, fmt};

/// Ticks of the greatest delay of a message, where there is one: Δ.
pub const DELTA: u64 = 100;

/// A system model and how its latencies are spread.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct Network {
    name: &'static str,
    /// What is promised of delays.
    pub model: Model,
    /// How latencies are spread.
    pub latency: Latency,
}

impl Network {
    /// Every message takes exactly Δ. Message delays are counted in it.
    pub const LOCKSTEP: Self =
        Self { name: "lockstep", model: Model::Synchronous { delta: DELTA }, latency: Latency::Constant(DELTA) };
    /// Every message takes at most Δ.
    pub const SYNCHRONOUS: Self =
        Self { name: "synchronous", model: Model::Synchronous { delta: DELTA }, latency: Latency::Uniform(1, DELTA) };
    /// Every message arrives; nothing is promised of when.
    pub const ASYNCHRONOUS: Self = Self {
        name: "asynchronous",
        model: Model::Asynchronous { delta: DELTA, longest: 60 * DELTA },
        latency: Latency::LogNormal { median: DELTA, sigma: 1.0 },
    };

    /// Asynchronous before the global stabilisation time, which no process knows, and synchronous from then on.
    pub const fn partially_synchronous(gst: u64) -> Self {
        let model = Model::PartiallySynchronous { gst, delta: DELTA };
        Self { name: "partially-synchronous", model, latency: Latency::LogNormal { median: DELTA / 2, sigma: 1.0 } }
    }

    /// By the name that the command line uses.
    pub fn named(name: &str) -> Option<Self> {
        let known = [Self::LOCKSTEP, Self::SYNCHRONOUS, Self::ASYNCHRONOUS, Self::partially_synchronous(20 * DELTA)];
        known.into_iter().find(|network| network.name == name)
    }
}

impl fmt::Display for Network {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        f.write_str(self.name)
    }
}

/// A process that stops: at its first step at or after a time, in the midst of sending.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Crash {
    /// Who.
    pub who: Id,
    /// When, in ticks.
    pub at: u64,
    /// How many of its last step's messages still leave.
    pub sends: usize,
}

/// What a traitor sends instead of a message that its code wants sent: nothing, another, several.
pub type Strategy<M> = Box<dyn FnMut(Id, &M) -> Vec<M>>;

/// The circumstances of a run.
pub struct Setting<M> {
    /// What is promised of delays.
    pub network: Network,
    /// What goes wrong with messages.
    pub faults: MessageFaults,
    /// The network in parts, and when it comes together.
    pub partition: Option<(Partition, u64)>,
    /// What else is left to chance is drawn from this.
    pub seed: u64,
    /// Who crashes.
    pub crashes: Vec<Crash>,
    /// Byzantine processes and what they do to their messages.
    pub traitors: BTreeMap<Id, Strategy<M>>,
    /// After how many ticks the run ends.
    pub until: u64,
    /// Whether a chart is drawn.
    pub draws: bool,
}

impl<M> Setting<M> {
    /// No faults, but messages may overtake each other, and where the model allows it one in eight is held back.
    pub fn new(network: Network, seed: u64) -> Self {
        Self {
            network,
            faults: MessageFaults { held: 0.125, reordering: 1.0, ..MessageFaults::default() },
            partition: None,
            seed,
            crashes: Vec::new(),
            traitors: BTreeMap::new(),
            until: 1_000 * DELTA,
            draws: false,
        }
    }

    /// With channels that are first in, first out.
    pub fn in_order(mut self) -> Self {
        self.faults.reordering = 0.0;
        self
    }

    /// With a chart.
    pub fn drawn(mut self) -> Self {
        self.draws = true;
        self
    }

    /// With some processes that crash at a random time: early, for many runs are short.
    pub fn crash(mut self, count: usize, among: usize) -> Self {
        let mut random = Random::new(self.seed).fork(1);
        let mut all: Vec<Id> = everyone(among).collect();
        random.shuffle(&mut all);
        let crash = |who| Crash { who, at: random.below(2 * DELTA), sends: random.index(among + 1) };
        self.crashes = all.into_iter().take(count).map(crash).collect();
        self
    }
}
