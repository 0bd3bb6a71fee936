//! The miner of this process: whom it pays, and whether it runs.

mod blocks;
mod demand;
mod found;
mod saved;
mod search;

pub use blocks::First;
pub use found::{Finder, Found, FoundBlocks};
pub use saved::{Saved, SavedError};

use cairn_miner::Miner;
use chain_core::{
    Address, address,
    hash::BlockHash,
    spec::ChainSpec,
    transaction::coin::{KeyBytes, Lock},
};
use parking_lot::Mutex;
use std::{collections::VecDeque, fmt, io, path::PathBuf, sync::Arc, time::Duration};
use tokio::sync::Notify;

use crate::{engine::TemplateRequest, engine_thread::EngineHandle};
use demand::Demand;

/// Mines on the threads of this process, or on demand. [`Mining::drive`] does the work.
pub struct Mining {
    engine: EngineHandle,
    hrp: String,
    file: Option<PathBuf>,
    state: Mutex<State>,
    changed: Notify,
    demand: Mutex<Demand>,
    automine_changed: Notify,
    interval_changed: Notify,
    /// Who mines what came in.
    turn: tokio::sync::Mutex<()>,
    /// Between two blocks that are found here: a chain of trivial difficulty would have thousands a second.
    pace: Duration,
    /// Blocks that were found here, newest last, for the log.
    mined: Mutex<VecDeque<BlockHash>>,
}

/// Found blocks that are remembered until the log has reported them.
const REMEMBERED: usize = 64;

struct State {
    payout: Option<Lock>,
    beneficiary: Address,
    switch: Switch,
    threads: usize,
    found: FoundBlocks,
    miner: Option<Arc<Miner>>,
    waiting: Option<Waiting>,
}

impl State {
    fn is_on(&self) -> bool {
        self.switch == Switch::On
    }
}

/// Whether the miner runs.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
enum Switch {
    Off,
    /// The command line asks for it, once the node has tried to sync.
    Later,
    On,
}

/// What a miner that is switched on waits for before it searches.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Waiting {
    /// The blocks of others: one on an old tip would be lost.
    Sync,
    /// The clock, which is behind the newest block.
    Clock {
        /// By how many seconds.
        ahead: u64,
    },
}

impl fmt::Display for Waiting {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Sync => f.write_str("the node is syncing"),
            Self::Clock { ahead } => write!(f, "the clock is {ahead} s behind the newest block"),
        }
    }
}

/// What the miner does.
#[derive(Clone, Copy, Debug, PartialEq)]
pub struct MiningStatus {
    /// Whether it runs.
    pub mining: bool,
    /// Threads that it uses, or would.
    pub threads: usize,
    /// Hashes a second.
    pub hashrate: f64,
    /// Blocks found since the start.
    pub blocks: u64,
    /// Who gets tips of account transactions.
    pub beneficiary: Address,
    /// Why it searches nothing although it runs.
    pub waiting: Option<Waiting>,
    /// Whether each transaction that comes in is mined at once.
    pub automine: bool,
}

impl Mining {
    /// The payout while no address is set: not a point of the curve, so that its coins are unspendable.
    pub const NOBODY: Lock = Lock::Key(KeyBytes([0; 32]));

    /// A miner that stands still. What is said to it over RPC is saved in `file`.
    pub fn new(
        engine: EngineHandle,
        spec: &ChainSpec,
        file: Option<PathBuf>,
        payout: Option<Lock>,
        beneficiary: Option<Address>,
        threads: usize,
    ) -> Self {
        let state = State {
            payout,
            beneficiary: beneficiary.unwrap_or_default(),
            switch: Switch::Off,
            threads,
            found: FoundBlocks::default(),
            miner: None,
            waiting: None,
        };
        Self {
            engine,
            hrp: spec.hrp.clone(),
            file,
            state: Mutex::new(state),
            changed: Notify::new(),
            demand: Mutex::default(),
            automine_changed: Notify::new(),
            interval_changed: Notify::new(),
            turn: tokio::sync::Mutex::default(),
            pace: Duration::from_secs(if spec.is_dev() { spec.target_interval.into() } else { 0 }),
            mined: Mutex::default(),
        }
    }

    /// Who is paid the coins, if that was said.
    pub fn payout(&self) -> Option<Lock> {
        self.state.lock().payout
    }

    /// Who is paid the coins, or an address that nobody has the key of.
    pub fn payout_or_nobody(&self) -> Lock {
        self.payout().unwrap_or(Self::NOBODY)
    }

    /// Pays somebody else from now on, also after a restart.
    ///
    /// # Errors
    /// If it cannot be saved; it holds for this run all the same.
    pub fn set_payout(&self, lock: Lock, account: Option<Address>) -> io::Result<()> {
        let mut state = self.state.lock();
        state.payout = Some(lock);
        state.beneficiary = account.unwrap_or(state.beneficiary);
        let saved = Saved { lock, account: state.beneficiary };
        tracing::info!(tips_to = %state.beneficiary, "blocks pay to {} from now on", address::encode(&self.hrp, &lock));
        drop(state);
        self.changed.notify_one();
        match &self.file {
            Some(file) => saved.save(file, &self.hrp),
            None => Ok(()),
        }
    }

    /// Pays tips to another account, for this run.
    pub fn set_beneficiary(&self, account: Address) {
        self.state.lock().beneficiary = account;
        self.changed.notify_one();
    }

    /// What to ask a template with; `extra` goes to the end of the coinbase's.
    fn request(&self, extra: Vec<u8>) -> TemplateRequest {
        let state = self.state.lock();
        let payout = state.payout.unwrap_or(Self::NOBODY);
        TemplateRequest { payout, beneficiary: state.beneficiary, extra, full: false }
    }

    /// What the miner does now.
    pub fn status(&self) -> MiningStatus {
        let automine = self.demand.lock().automine;
        let state = self.state.lock();
        MiningStatus {
            mining: state.is_on(),
            threads: state.threads,
            hashrate: state.miner.as_ref().map_or(0.0, |miner| miner.hash_rate()),
            blocks: state.found.count(Finder::Own),
            beneficiary: state.beneficiary,
            waiting: state.waiting,
            automine,
        }
    }

    /// Remembers a block that was found here, before it is handed in.
    pub fn note_mined(&self, hash: BlockHash) {
        let mut mined = self.mined.lock();
        mined.push_back(hash);
        if mined.len() > REMEMBERED {
            mined.pop_front();
        }
    }

    /// A block that was found here is the tip now.
    pub fn note_found(&self, found: Found) {
        self.state.lock().found.add(found);
    }

    /// Blocks that were found here since the start, other than by stratum.
    pub fn found(&self) -> FoundBlocks {
        self.state.lock().found.clone()
    }

    /// Whether a block was found here, by this process or a miner with one of its templates.
    pub fn has_mined(&self, hash: &BlockHash) -> bool {
        self.mined.lock().contains(hash)
    }

    /// Transactions that a block could take.
    pub fn pending(&self) -> usize {
        self.engine.mempool_stats().pending
    }

    /// Starts mining, on so many threads if it is said.
    pub fn start(&self, threads: Option<usize>) {
        let mut state = self.state.lock();
        state.threads = threads.unwrap_or(state.threads);
        state.switch = Switch::On;
        drop(state);
        self.changed.notify_one();
    }

    /// Has [`Self::start_now`] start mining, unless it is started or stopped before.
    pub fn start_later(&self) {
        self.state.lock().switch = Switch::Later;
    }

    /// Starts mining if that is still wanted since [`Self::start_later`]; returns whether it is.
    pub fn start_now(&self) -> bool {
        let mut state = self.state.lock();
        let is_wanted = state.switch == Switch::Later;
        if is_wanted {
            state.switch = Switch::On;
            self.changed.notify_one();
        }
        is_wanted
    }

    /// Stops mining.
    pub fn stop(&self) {
        self.state.lock().switch = Switch::Off;
        self.changed.notify_one();
    }
}
