//! What is said of the workers: to JSON-RPC, and to widgets that read the feeds of public-pool.

use cairn_client::civil;
use serde_json::{Value, json};
use std::{collections::BTreeMap, ops::Add};

use super::{Worker, WorkerName, Workers};
use crate::stratum::reject::Reject;

/// Best shares in the feed.
const HIGH_SCORES: usize = 10;

impl Workers {
    /// Every worker, for `miner_getWorkers`.
    pub fn list(&self, now: u64) -> Value {
        let state = self.state.lock();
        state.workers.iter().map(|(name, worker)| describe(name, worker, now)).collect()
    }

    /// Connected workers, and their hash rate.
    pub fn at_work(&self, now: u64) -> (usize, f64) {
        let state = self.state.lock();
        let connected = || state.workers.values().filter(|worker| worker.now.sessions > 0);
        (connected().count(), connected().map(|worker| worker.hashrate(now)).fold(0.0, f64::add))
    }

    /// Their sums, for `miner_getStats`.
    pub fn sums(&self, now: u64) -> Value {
        let state = self.state.lock();
        let workers = || state.workers.values();
        let accepted: u64 = workers().map(|worker| worker.accepted).sum();
        let mut rejected = [0; Reject::COUNTED.len()];
        for worker in workers() {
            for (sum, count) in rejected.iter_mut().zip(worker.rejected) {
                *sum += count;
            }
        }
        json!({
            "workers": workers().filter(|worker| worker.now.sessions > 0).count(),
            "sessions": workers().map(|worker| worker.now.sessions).sum::<u32>(),
            "hashrate": workers().map(|worker| worker.hashrate(now)).fold(0.0, f64::add),
            "accepted": accepted,
            "rejected": reasons(&rejected),
            "staleRate": stale_rate(accepted, &rejected),
            "bestShare": workers().map(|worker| worker.best).fold(0.0, f64::max),
            "blocks": workers().map(|worker| worker.blocks).sum::<u64>(),
            "lastBlocks": state.blocks.iter().rev().map(|found| json!({
                "height": found.height,
                "hash": found.hash,
                "address": found.worker.address,
                "worker": found.worker.name,
                "time": found.time,
            })).collect::<Vec<_>>(),
            "since": self.started,
        })
    }

    /// The feed of a path of HTTP, shaped as public-pool's; `None` if there is none.
    pub fn feed(&self, path: &str, now: u64) -> Option<Value> {
        match path.strip_prefix("/api/")? {
            "info" => Some(self.info(now)),
            other => Some(self.client(other.strip_prefix("client/")?, now)),
        }
    }

    fn info(&self, now: u64) -> Value {
        let state = self.state.lock();
        let mut agents: BTreeMap<&str, (u32, f64, f64)> = BTreeMap::new();
        for worker in state.workers.values().filter(|worker| worker.now.sessions > 0) {
            let (count, best, rate) = agents.entry(&worker.agent).or_default();
            *count += worker.now.sessions;
            *best = best.max(worker.now.best);
            *rate += worker.hashrate(now);
        }
        let agent = |(agent, (count, best, rate)): (&&str, &(u32, f64, f64))| {
            let (count, rate) = (count.to_string(), rate.to_string());
            json!({"userAgent": agent, "count": count, "bestDifficulty": best, "totalHashRate": rate})
        };
        let mut best: Vec<_> = state.workers.values().filter(|worker| worker.best > 0.0).collect();
        best.sort_by(|one, other| other.best.total_cmp(&one.best));
        let score = |worker: &&Worker| {
            let (at, best, agent) = (utc(worker.last_seen), worker.best, &worker.agent);
            json!({"updatedAt": at, "bestDifficulty": best, "bestDifficultyUserAgent": agent})
        };
        json!({
            "blockData": state.blocks.iter().rev().map(|found| json!({
                "height": found.height,
                "minerAddress": found.worker.address,
                "worker": found.worker.name,
                "sessionId": found.session,
            })).collect::<Vec<_>>(),
            "userAgents": agents.iter().map(agent).collect::<Vec<_>>(),
            "highScores": best.iter().take(HIGH_SCORES).map(score).collect::<Vec<_>>(),
            "uptime": utc(self.started),
        })
    }

    fn client(&self, address: &str, now: u64) -> Value {
        let state = self.state.lock();
        // QR codes have addresses in capital letters.
        let of = || state.workers.iter().filter(|(name, _)| name.address.eq_ignore_ascii_case(address));
        let connected = of().filter(|(_, worker)| worker.now.sessions > 0);
        let workers: Vec<_> = connected
            .map(|(name, worker)| {
                json!({
                    "sessionId": worker.now.session,
                    "name": name.name,
                    "bestDifficulty": show(worker.now.best),
                    "hashRate": worker.hashrate(now),
                    "startTime": utc(worker.now.since),
                    "lastSeen": utc(worker.last_seen),
                })
            })
            .collect();
        json!({
            "bestDifficulty": of().map(|(_, worker)| worker.best).fold(0.0, f64::max),
            "workersCount": workers.len(),
            "workers": workers,
        })
    }
}

impl Worker {
    fn hashrate(&self, now: u64) -> f64 {
        if self.now.sessions > 0 { self.now.rate.hashes(now) } else { 0.0 }
    }
}

fn describe(name: &WorkerName, worker: &Worker, now: u64) -> Value {
    json!({
        "address": name.address,
        "worker": name.name,
        "agent": worker.agent,
        "sessions": worker.now.sessions,
        "difficulty": worker.now.difficulty,
        "hashrate": worker.hashrate(now),
        "bestShare": worker.best,
        "bestShareOfSession": worker.now.best,
        "accepted": worker.accepted,
        "rejected": reasons(&worker.rejected),
        "staleRate": stale_rate(worker.accepted, &worker.rejected),
        "blocks": worker.blocks,
        "firstSeen": worker.first_seen,
        "lastSeen": worker.last_seen,
    })
}

fn reasons(rejected: &[u64]) -> Value {
    Reject::COUNTED.iter().zip(rejected).map(|((_, name), count)| ((*name).to_owned(), json!(count))).collect()
}

/// Which part of the shares came for work that was gone.
fn stale_rate(accepted: u64, rejected: &[u64]) -> f64 {
    let stale = Reject::COUNTED.iter().zip(rejected).find(|((reason, _), _)| *reason == Reject::Stale);
    let stale = stale.map_or(0, |(_, count)| *count);
    let all = accepted + rejected.iter().sum::<u64>();
    if all == 0 { 0.0 } else { stale as f64 / all as f64 }
}

/// A difficulty with two decimals, and as many more as small ones need.
pub(super) fn show(difficulty: f64) -> String {
    let decimals = if difficulty > 0.0 { (2.0 - difficulty.log10().floor()).clamp(2.0, 20.0) as usize } else { 2 };
    format!("{difficulty:.decimals$}")
}

/// Seconds since 1970 as JavaScript writes a time.
fn utc(seconds: u64) -> String {
    let (days, rest) = (seconds / 86_400, seconds % 86_400);
    let (year, month, day) = civil(days);
    format!("{year:04}-{month:02}-{day:02}T{:02}:{:02}:{:02}.000Z", rest / 3_600, rest / 60 % 60, rest % 60)
}
