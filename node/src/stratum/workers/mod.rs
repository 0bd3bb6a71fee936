//! Who mines here, and how well: counted for each worker, and kept over a restart.

mod feed;
mod rate;

use parking_lot::Mutex;
use serde::{Deserialize, Serialize};
use std::{
    collections::{BTreeMap, VecDeque},
    io,
    path::{Path, PathBuf},
};

use super::reject::Reject;
use crate::{files, metrics};
use rate::Rate;

/// Workers that are remembered. Names are free to choose, so those that left longest ago make room.
const MOST: usize = 1_024;
/// Blocks found here that are remembered.
const BLOCKS: usize = 100;
/// Bytes of the file: far more than so many workers take.
const MOST_BYTES: u64 = 4 << 20;
/// The most that a number of the file counts. The sums of all workers stay exact in JSON.
const MOST_COUNTED: u64 = 1 << 40;
/// Why shares are refused, in number.
const REASONS: usize = Reject::COUNTED.len();

/// A worker: an address of this chain, and what its owner calls the machine.
#[derive(Clone, Debug, PartialEq, Eq, PartialOrd, Ord, Serialize, Deserialize)]
pub struct WorkerName {
    /// Who is paid.
    pub address: String,
    /// After the point of the user name; may be empty.
    pub name: String,
}

/// What is counted for a worker.
#[derive(Clone, Debug, Default, Serialize, Deserialize)]
struct Worker {
    agent: String,
    first_seen: u64,
    last_seen: u64,
    accepted: u64,
    #[serde(with = "reasons")]
    rejected: [u64; REASONS],
    best: f64,
    blocks: u64,
    #[serde(skip)]
    now: Connected,
}

/// As long as it is connected.
#[derive(Clone, Debug, Default)]
struct Connected {
    /// Connections.
    sessions: u32,
    /// The newest one's name.
    session: String,
    since: u64,
    difficulty: f64,
    best: f64,
    rate: Rate,
}

/// A block that was found here.
#[derive(Clone, Debug, Serialize, Deserialize)]
struct Found {
    height: u32,
    hash: String,
    worker: WorkerName,
    session: String,
    time: u64,
}

#[derive(Debug, Default, Serialize, Deserialize)]
struct State {
    /// Names have two parts, and JSON's maps keys of one.
    #[serde(with = "pairs")]
    workers: BTreeMap<WorkerName, Worker>,
    blocks: VecDeque<Found>,
    #[serde(skip)]
    changed: bool,
}

/// All workers.
#[derive(Debug, Default)]
pub struct Workers {
    state: Mutex<State>,
    file: Option<PathBuf>,
    started: u64,
}

impl Workers {
    /// What an earlier run left in the file. Numbers are not worth a node that does not start: a damaged file is logged, and
    /// replaced.
    pub fn load(file: Option<PathBuf>, now: u64) -> Self {
        let state = file.as_deref().map_or_else(State::default, |file| {
            read(file).unwrap_or_else(|error| {
                tracing::warn!("{}: {error}; the statistics of miners were reset", file.display());
                State::default()
            })
        });
        Self { state: Mutex::new(state), file, started: now }
    }

    /// Writes the file, if anything changed.
    ///
    /// # Errors
    /// If the disk refuses.
    pub fn save(&self) -> io::Result<()> {
        let Some(file) = &self.file else { return Ok(()) };
        let bytes = {
            let mut state = self.state.lock();
            if !std::mem::take(&mut state.changed) {
                return Ok(());
            }
            serde_json::to_vec(&*state)?
        };
        files::replace(file, &bytes).inspect_err(|_| self.state.lock().changed = true)
    }

    /// A connection authorized a worker.
    pub(super) fn connected(&self, name: &WorkerName, agent: &str, session: &str, now: u64) {
        let mut state = self.state.lock();
        if !state.make_room(name, false) {
            // Until its first share it mines uncounted.
            return;
        }
        state.changed = true;
        let worker = state.workers.entry(name.clone()).or_default();
        if worker.first_seen == 0 {
            worker.first_seen = now;
        }
        agent.clone_into(&mut worker.agent);
        worker.last_seen = now;
        if worker.now.sessions == 0 {
            worker.now = Connected { since: now, rate: Rate::new(now), ..Connected::default() };
        }
        worker.now.sessions += 1;
        session.clone_into(&mut worker.now.session);
    }

    /// It ended.
    pub(super) fn disconnected(&self, name: &WorkerName) {
        self.of(name, |worker| worker.now.sessions = worker.now.sessions.saturating_sub(1));
    }

    /// A worker has another difficulty.
    pub(super) fn set_difficulty(&self, name: &WorkerName, difficulty: f64) {
        self.of(name, |worker| worker.now.difficulty = difficulty);
    }

    /// A share that counts with the difficulty that was asked for; its hash has another.
    pub(super) fn accepted(&self, name: &WorkerName, asked: f64, difficulty: f64, now: u64) {
        if let Some(metrics) = metrics::on() {
            metrics.stratum.accepted();
        }
        if self.state.lock().enter(name, now) {
            self.set_difficulty(name, asked);
        }
        self.of(name, |worker| {
            worker.accepted += 1;
            worker.last_seen = now;
            worker.best = worker.best.max(difficulty);
            worker.now.best = worker.now.best.max(difficulty);
            worker.now.rate.add(asked, now);
            // Another connection of this name may have found no room as this one did, and have ended.
            worker.now.sessions = worker.now.sessions.max(1);
        });
    }

    /// A share was refused.
    pub(super) fn rejected(&self, name: &WorkerName, reason: Reject, now: u64) {
        let Some(index) = Reject::COUNTED.iter().position(|(counted, _)| *counted == reason) else { return };
        if let Some(metrics) = metrics::on() {
            metrics.stratum.rejected(Reject::COUNTED[index].1);
        }
        self.of(name, |worker| {
            worker.rejected[index] += 1;
            worker.last_seen = now;
        });
    }

    /// A worker found a block that is now the tip.
    pub(super) fn found(&self, name: &WorkerName, height: u32, hash: String, now: u64) {
        if let Some(metrics) = metrics::on() {
            metrics.stratum.block();
        }
        let mut state = self.state.lock();
        state.changed = true;
        let mut session = String::new();
        if let Some(worker) = state.workers.get_mut(name) {
            worker.blocks += 1;
            session.clone_from(&worker.now.session);
        }
        state.blocks.push_back(Found { height, hash, worker: name.clone(), session, time: now });
        if state.blocks.len() > BLOCKS {
            state.blocks.pop_front();
        }
    }

    fn of(&self, name: &WorkerName, change: impl FnOnce(&mut Worker)) {
        let mut state = self.state.lock();
        state.changed = true;
        if let Some(worker) = state.workers.get_mut(name) {
            change(worker);
        }
    }
}

impl State {
    /// Makes room for a worker; whether there is. Names cost nothing, so one that `works` takes the place of any that never
    /// did or that left, and another only of those that never did and left. Of these goes the one with fewest blocks, and the
    /// one that was seen longest ago.
    fn make_room(&mut self, name: &WorkerName, works: bool) -> bool {
        if self.workers.len() < MOST || self.workers.contains_key(name) {
            return true;
        }
        let gives_way = |worker: &Worker| match (worker.accepted == 0, worker.now.sessions == 0) {
            (idle, left) if works => idle || left,
            (idle, left) => idle && left,
        };
        let all = self.workers.iter().filter(|(_, worker)| gives_way(worker));
        let least = all.min_by_key(|(_, worker)| (worker.accepted > 0, worker.blocks, worker.last_seen));
        let Some(name) = least.map(|(name, _)| name.clone()) else { return false };
        self.workers.remove(&name).is_some()
    }

    /// Begins to count a connected worker that found no room until now; whether it does.
    fn enter(&mut self, name: &WorkerName, now: u64) -> bool {
        if self.workers.contains_key(name) || !self.make_room(name, true) {
            return false;
        }
        let connected = Connected { sessions: 1, since: now, rate: Rate::new(now), ..Connected::default() };
        self.workers.insert(name.clone(), Worker { first_seen: now, now: connected, ..Worker::default() });
        true
    }

    /// What a file may say without harm: sums of the numbers stay within 64 bits, and times within what a calendar has.
    fn bounded(mut self) -> Self {
        while self.workers.len() > MOST {
            self.workers.pop_last();
        }
        // The newest are the last.
        self.blocks.drain(..self.blocks.len().saturating_sub(BLOCKS));
        for worker in self.workers.values_mut() {
            let numbers = [&mut worker.accepted, &mut worker.blocks].into_iter().chain(&mut worker.rejected);
            for number in numbers {
                *number = (*number).min(MOST_COUNTED);
            }
            for time in [&mut worker.first_seen, &mut worker.last_seen] {
                *time = (*time).min(u64::from(u32::MAX));
            }
        }
        for found in &mut self.blocks {
            found.time = found.time.min(u64::from(u32::MAX));
        }
        self
    }
}

fn read(file: &Path) -> io::Result<State> {
    match files::read(file, MOST_BYTES)? {
        Some(bytes) => Ok(serde_json::from_slice::<State>(&bytes)?.bounded()),
        None => Ok(State::default()),
    }
}

/// A map as a list of pairs.
mod pairs {
    use serde::{Deserialize, Deserializer, Serialize, Serializer};
    use std::collections::BTreeMap;

    use super::{Worker, WorkerName};

    pub fn serialize<S: Serializer>(map: &BTreeMap<WorkerName, Worker>, serializer: S) -> Result<S::Ok, S::Error> {
        map.iter().collect::<Vec<_>>().serialize(serializer)
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<BTreeMap<WorkerName, Worker>, D::Error> {
        Ok(Vec::deserialize(deserializer)?.into_iter().collect())
    }
}

/// Refused shares by reason, so that a version with other reasons reads the file.
mod reasons {
    use serde::{Deserialize, Deserializer, Serializer};
    use std::collections::BTreeMap;

    use super::{REASONS, Reject};

    pub fn serialize<S: Serializer>(counts: &[u64; REASONS], serializer: S) -> Result<S::Ok, S::Error> {
        serializer.collect_map(Reject::COUNTED.iter().map(|(_, name)| name).zip(counts))
    }

    pub fn deserialize<'de, D: Deserializer<'de>>(deserializer: D) -> Result<[u64; REASONS], D::Error> {
        let counts = BTreeMap::<String, u64>::deserialize(deserializer)?;
        Ok(Reject::COUNTED.map(|(_, name)| counts.get(name).copied().unwrap_or_default()))
    }
}

#[cfg(test)]
mod tests;
