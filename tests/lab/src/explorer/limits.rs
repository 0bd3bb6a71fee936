//! What the explorer lets happen.

/// In which order messages arrive.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Order {
    /// In any order: each message may be the next.
    Any,
    /// Between two processes in the order in which they were sent, as over TCP.
    Fifo,
}

/// When timers expire.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Timing {
    /// At any time: there is no bound on delays, so a timeout says nothing.
    Asynchronous,
    /// All at once, when no message is in flight: delays have a bound, and a timer is a round's end.
    Synchronous,
}

/// The bounds of an exploration.
#[derive(Clone, Copy, Debug)]
pub struct Limits {
    /// How many messages may be lost.
    pub losses: u8,
    /// How many messages may arrive once more.
    pub duplicates: u8,
    /// Whether messages stay in the network for ever, so that each may arrive any number of times.
    pub endless_duplicates: bool,
    /// How many processes may crash.
    pub crashes: u8,
    /// Bit `i` is set if process `i` may be one of them.
    pub may_crash: u32,
    /// Whether of the messages of a crashed process any may be lost: it crashed in the midst of sending.
    pub torn_crashes: bool,
    /// In which order messages arrive.
    pub order: Order,
    /// When timers expire.
    pub timing: Timing,
    /// Whether a state is a violation from which no state that is done can be reached.
    pub progress: bool,
    /// After how many states the search gives up.
    pub states: usize,
    /// After how many steps the search gives up.
    pub depth: u32,
}

impl Default for Limits {
    fn default() -> Self {
        Self { states: 5_000_000, ..Self::NONE }
    }
}

impl Limits {
    /// No faults, any order, and no end before the last state.
    pub const NONE: Self = Self {
        losses: 0,
        duplicates: 0,
        endless_duplicates: false,
        crashes: 0,
        may_crash: u32::MAX,
        torn_crashes: false,
        order: Order::Any,
        timing: Timing::Asynchronous,
        progress: false,
        states: usize::MAX,
        depth: u32::MAX,
    };

    /// Whether a message that changes nothing is left where it is: a state less, and for safety the same. In order, or
    /// where messages hold up timers, it has to be taken out of the way; and one that came too early must not come again
    /// and save whoever waits for it.
    pub(super) fn leaves_ignored(&self) -> bool {
        self.order == Order::Any && self.timing == Timing::Asynchronous && !self.progress
    }
}
