//! A share: is it one, does it count, is it a block?

use chain_core::U256;
use serde_json::Value;

use super::{Now, Session, Solved};
use crate::stratum::{
    message,
    reject::Reject,
    share::Share,
    target::{difficulty, target},
    workers::WorkerName,
};

/// Why a share does not count.
pub enum Refusal {
    /// Its parameters are none.
    Malformed(String),
    /// What miners know.
    Reject(Reject),
}

impl Refusal {
    /// The answer.
    pub fn line(&self, id: &Value) -> String {
        match self {
            Self::Malformed(text) => message::refusal(id, 20, text),
            Self::Reject(reject) => message::rejection(id, *reject),
        }
    }
}

impl From<Reject> for Refusal {
    fn from(reject: Reject) -> Self {
        Self::Reject(reject)
    }
}

impl Session {
    /// Counts a share; returns the block that it solves, and a line if the miner has another difficulty from now on.
    pub(super) fn submit(&mut self, params: &Value, now: Now) -> Result<(Option<Solved>, String), Refusal> {
        if !self.subscribed {
            return Err(Reject::NotSubscribed.into());
        }
        let share = Share::read(params).map_err(Refusal::Malformed)?;
        let known = self.names.iter().find(|(user, _)| *user == share.worker);
        let worker = known.map(|(_, worker)| worker.clone()).ok_or(Reject::Unauthorized)?;
        match self.judge(&share, &worker, now) {
            Ok(solved) => {
                let changed = self.vardiff.retarget(now.steady);
                Ok((solved, if changed { self.set_difficulty() } else { String::new() }))
            }
            Err(reject) => {
                self.workers.rejected(&worker, reject, now.unix);
                Err(reject.into())
            }
        }
    }

    /// From cheap to expensive: fields, then hashes.
    fn judge(&mut self, share: &Share, worker: &WorkerName, now: Now) -> Result<Option<Solved>, Reject> {
        let found = self.jobs.iter().find(|(job, _)| Some(job.number()) == share.job);
        let (job, sent_with) = found.ok_or_else(|| self.missing(share.job))?;
        if share.time != job.base().time {
            return Err(Reject::Time);
        }
        let version = share.rolled(job.base().version, self.mask)?;
        let [a, b, c, d] = self.extranonce1;
        let [e, f, g, h] = share.extranonce2.ok_or(Reject::Extranonce)?;
        let extranonce = [a, b, c, d, e, f, g, h];
        let header = job.header(extranonce, version, share.nonce);
        let hash = header.hash();
        let number = U256::from_le_bytes(hash.0);
        // A miner may work with the difficulty before the last, until its next job or until it has read the line.
        let asked = sent_with.min(self.told);
        let template = job.work().template();
        let solves = number <= template.target;
        if !solves && number > target(asked) {
            return Err(Reject::LowDifficulty);
        }
        if !self.counted.note(&hash.0) {
            return Err(Reject::Duplicate);
        }
        let solved = solves.then(|| Solved {
            block: job.block(extranonce, header),
            height: template.height,
            worker: worker.clone(),
        });
        // Shares that only meet the difficulty before the last are too easy to judge this one by.
        if number <= target(self.told) {
            self.vardiff.share(self.told);
        }
        self.workers.accepted(worker, asked, difficulty(number), now.unix);
        Ok(solved)
    }

    /// A job that this connection had is stale; any other is not known.
    fn missing(&self, job: Option<u64>) -> Reject {
        let last = self.jobs.back().map(|(job, _)| job.number());
        let was_sent =
            |job: u64| self.first_job.is_some_and(|first| first <= job) && last.is_some_and(|last| job < last);
        if job.is_some_and(was_sent) { Reject::Stale } else { Reject::JobNotFound }
    }
}
