//! One miner's connection: lines in, lines out, without socket or clock.
//!
//! A miner subscribes and authorizes, in either order, and then gets jobs that pay its address. All that a connection holds is
//! bounded: its jobs, the shares that were counted, and its workers.

mod submit;

use chain_core::{address, block::Block, transaction::coin::Lock, units::Height};
use serde_json::{Value, json};
use std::{collections::VecDeque, sync::Arc, time::Duration};

use super::{
    job::{EXTRANONCE1, EXTRANONCE2, Job, Work},
    message::{self, Request},
    reject::Reject,
    share::{Counted, word},
    target,
    vardiff::Vardiff,
    workers::{WorkerName, Workers},
};
use crate::version::VERSION;

/// Jobs on the current tip whose shares count: two minutes at the pace of better fees.
const JOBS: usize = 26;
/// Workers of one connection, as a proxy has them.
const WORKERS: usize = 16;
/// Bytes of a worker's name, and what is kept of a program's.
const NAME: usize = 64;
/// Bits of the version that miners may roll: those of BIP 320 (`1fffe000`) and the eight below them.
const VERSION_MASK: u32 = 0x1fff_ffe0;
/// What a miner begins with that suggests nothing: a core finds a share in half a minute, a Bitaxe is judged at once.
const FIRST_DIFFICULTY: f64 = 0.01;
/// The line is not silent for longer: minerd leaves after 120 s.
const SILENCE: Duration = Duration::from_secs(50);
/// Until then a miner has subscribed and authorized.
const BEGIN: Duration = Duration::from_secs(30);
/// A miner that says nothing for so long is gone: easier work would have made it find shares.
const IDLE: Duration = Duration::from_secs(900);

/// When something happens.
#[derive(Clone, Copy, Debug)]
pub struct Now {
    /// Since the node's start.
    pub steady: Duration,
    /// Seconds since 1970.
    pub unix: u64,
}

/// What a session wants done.
#[derive(Debug, Default)]
pub struct Reaction {
    /// Lines to send.
    pub lines: String,
    /// Whether to end the connection then.
    pub close: bool,
    /// A block to hand in.
    pub solved: Option<Solved>,
    /// Why the miner may not mine, for its node's log.
    pub unauthorized: Option<String>,
}

/// A block that a miner found.
#[derive(Debug)]
pub struct Solved {
    /// The block.
    pub block: Block,
    /// Its height.
    pub height: Height,
    /// Who found it.
    pub worker: WorkerName,
}

/// A miner's connection.
#[derive(Debug)]
pub struct Session {
    extranonce1: [u8; EXTRANONCE1],
    hrp: Arc<str>,
    workers: Arc<Workers>,
    began: Duration,
    heard: Duration,
    said: Duration,
    agent: String,
    subscribed: bool,
    /// Whom its jobs pay: the address of the first worker.
    payout: Option<Lock>,
    names: Vec<(String, WorkerName)>,
    mask: u32,
    vardiff: Vardiff,
    /// The difficulty that the miner was sent last.
    told: f64,
    /// What there is to do, for a miner that begins.
    work: Option<Arc<Work>>,
    /// Jobs on one tip, newest last, with the difficulty that they were sent with.
    jobs: VecDeque<(Job, f64)>,
    /// Of the first job that it was sent.
    first_job: Option<u64>,
    counted: Counted,
}

impl Session {
    /// A new connection. No other has its extranonce.
    pub fn new(extranonce1: [u8; EXTRANONCE1], hrp: Arc<str>, workers: Arc<Workers>, now: Now) -> Self {
        Self {
            extranonce1,
            hrp,
            workers,
            began: now.steady,
            heard: now.steady,
            said: now.steady,
            agent: String::new(),
            subscribed: false,
            payout: None,
            names: Vec::new(),
            mask: 0,
            vardiff: Vardiff::new(FIRST_DIFFICULTY, now.steady),
            told: 0.0,
            work: None,
            jobs: VecDeque::new(),
            first_job: None,
            counted: Counted::default(),
        }
    }

    /// A line of the miner.
    pub fn handle(&mut self, line: &[u8], now: Now) -> Reaction {
        self.heard = now.steady;
        let mut reaction = Reaction::default();
        if line.iter().all(u8::is_ascii_whitespace) {
            return reaction;
        }
        match message::parse(line) {
            Ok(Some(request)) => self.answer(&request, &mut reaction, now),
            // A miner's answer to what it was told.
            Ok(None) => {}
            Err(error) => {
                // What follows would be no better: this is no miner.
                reaction.lines = message::refusal(&Value::Null, 20, &error.to_string());
                reaction.close = true;
            }
        }
        self.note_said(&reaction, now);
        reaction
    }

    fn answer(&mut self, request: &Request, reaction: &mut Reaction, now: Now) {
        let Request { id, method, params } = request;
        let was_ready = self.is_ready();
        let result = match method.as_str() {
            "mining.subscribe" => Ok(self.subscribe(params)),
            "mining.authorize" => self.authorize(params, now),
            "mining.configure" => Ok(self.configure(params)),
            "mining.suggest_difficulty" => self.suggest(params, now, number),
            "mining.suggest_target" => self.suggest(params, now, difficulty_of_target),
            "mining.submit" => {
                reaction.lines = match self.submit(params, now) {
                    Ok((solved, difficulty)) => {
                        reaction.solved = solved;
                        message::answer(id, &true.into()) + &difficulty
                    }
                    Err(refusal) => refusal.line(id),
                };
                return;
            }
            "mining.extranonce.subscribe" => Ok(true.into()),
            "mining.ping" => Ok("pong".into()),
            "mining.get_version" | "client.get_version" => Ok(format!("cairn/{VERSION}").into()),
            _ => {
                let shown: String = method.chars().take(NAME).collect();
                Err((20, format!("the method {shown} does not exist")))
            }
        };
        reaction.lines = match &result {
            Ok(result) => message::answer(id, result),
            Err((code, text)) => message::refusal(id, *code, text),
        };
        if method == "mining.authorize" {
            reaction.unauthorized = result.err().map(|(_, text)| text);
        }
        if self.is_ready() && !was_ready {
            reaction.lines += &self.begin();
        } else if method.starts_with("mining.suggest_") && self.subscribed {
            reaction.lines += &self.follow_suggestion();
        }
    }

    fn is_ready(&self) -> bool {
        self.subscribed && self.payout.is_some()
    }

    /// Subscriptions, the part of the extranonce that is this connection's, and the size of the miner's.
    fn subscribe(&mut self, params: &Value) -> Value {
        let agent = params.get(0).and_then(Value::as_str).unwrap_or_default();
        self.agent = agent.chars().filter(|c| c.is_ascii_graphic() || *c == ' ').take(NAME).collect();
        self.subscribed = true;
        let name = self.name();
        json!([[["mining.set_difficulty", name], ["mining.notify", name]], name, EXTRANONCE2])
    }

    /// What the connection is called.
    fn name(&self) -> String {
        hex::encode(self.extranonce1)
    }

    /// The user name is the address to pay, and after a point the worker's name.
    fn authorize(&mut self, params: &Value, now: Now) -> Result<Value, (u32, String)> {
        let refused = |reason: String| Err((Reject::Unauthorized.code(), format!("Unauthorized worker: {reason}")));
        let Some(user) = params.get(0).and_then(Value::as_str) else {
            return refused(format!("the user name is to be an address of this chain ({}1...)", self.hrp));
        };
        if self.names.iter().any(|(known, _)| known == user) {
            return Ok(true.into());
        }
        let (address, name) = user.split_once('.').unwrap_or((user, ""));
        let lock = match address::parse_coin_address(&self.hrp, address) {
            Ok(lock) => lock,
            Err(error) => {
                let shown: String = address.chars().take(NAME).collect();
                return refused(format!(
                    "the user name is to be an address of this chain ({}1...), and .worker after it if you like; {shown:?}: {error}",
                    self.hrp
                ));
            }
        };
        if name.len() > NAME || name.chars().any(|c| !c.is_ascii_graphic()) {
            return refused(format!("a worker's name has at most {NAME} letters, digits and signs"));
        }
        if self.payout.is_some_and(|payout| payout != lock) {
            return refused(
                "this connection pays another address already: open a connection for each address".to_owned(),
            );
        }
        if self.names.len() >= WORKERS {
            return refused(format!("a connection has at most {WORKERS} workers: open another"));
        }
        let worker = WorkerName { address: address::encode(&self.hrp, &lock), name: name.to_owned() };
        self.workers.connected(&worker, &self.agent, &self.name(), now.unix);
        self.workers.set_difficulty(&worker, self.told);
        self.payout = Some(lock);
        self.names.push((user.to_owned(), worker));
        Ok(true.into())
    }

    /// BIP 310: of its extensions the rolling of the version.
    fn configure(&mut self, params: &Value) -> Value {
        let options = params.get(1).unwrap_or(&Value::Null);
        let asked = params.get(0).and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default();
        let mut result = serde_json::Map::new();
        // Those that miners know; a list of thousands is answered by as much as it has.
        for extension in asked.iter().filter_map(Value::as_str) {
            result.insert(extension.to_owned(), (extension == "subscribe-extranonce").into());
        }
        if result.contains_key("version-rolling") {
            let wanted = options.get("version-rolling.mask").and_then(Value::as_str);
            let mask = wanted.map_or(Some(VERSION_MASK), word).unwrap_or_default() & VERSION_MASK;
            let least = options.get("version-rolling.min-bit-count").and_then(Value::as_u64).unwrap_or_default();
            let rolls = mask != 0 && u64::from(mask.count_ones()) >= least;
            self.mask = if rolls { mask } else { 0 };
            result.insert("version-rolling".to_owned(), rolls.into());
            if rolls {
                result.insert("version-rolling.mask".to_owned(), format!("{mask:08x}").into());
            }
        }
        result.into()
    }

    /// A difficulty to begin with: a value, or an array of it.
    fn suggest(
        &mut self,
        params: &Value,
        now: Now,
        read: impl Fn(&Value) -> Option<f64>,
    ) -> Result<Value, (u32, String)> {
        let value = params.get(0).unwrap_or(params);
        match read(value).filter(|difficulty| difficulty.is_finite() && *difficulty > 0.0) {
            Some(difficulty) => {
                self.vardiff = Vardiff::new(difficulty, now.steady);
                Ok(true.into())
            }
            None => Err((20, "expected a difficulty above 0, or a target of 64 hex digits that is not 0".to_owned())),
        }
    }

    /// Says the difficulty that was suggested, and the job anew, under another number: ESP-Miner, which suggests after it has got
    /// a job, keeps a job's difficulty and ignores a number that it knows.
    fn follow_suggestion(&mut self) -> String {
        let difficulty = self.set_difficulty();
        match self.work.clone() {
            Some(work) if !difficulty.is_empty() && self.is_ready() => difficulty + &self.send(work),
            _ => difficulty,
        }
    }

    /// The first lines for a miner that is ready.
    fn begin(&mut self) -> String {
        match self.work.clone() {
            Some(work) => self.send(work),
            None => self.set_difficulty(),
        }
    }

    /// There is better work: lines of a miner that is ready.
    pub fn offer(&mut self, work: Arc<Work>, now: Now) -> Reaction {
        self.work = Some(work.clone());
        let lines = if self.is_ready() { self.send(work) } else { String::new() };
        let reaction = Reaction { lines, ..Reaction::default() };
        self.note_said(&reaction, now);
        reaction
    }

    fn send(&mut self, work: Arc<Work>) -> String {
        let Some(payout) = self.payout else { return String::new() };
        let difficulty = self.set_difficulty();
        let last = self.jobs.back().map(|(job, _)| (job.number(), job.work().parent()));
        let clean = last.is_none_or(|(_, tip)| tip != work.parent());
        let number = work.number().max(last.map_or(0, |(number, _)| number + 1));
        let Some(job) = Job::new(number, work, payout) else { return difficulty };
        if clean {
            self.jobs.clear();
            self.counted.clear();
        }
        self.first_job.get_or_insert(job.number());
        let lines = difficulty + &message::notification("mining.notify", &job.notify(clean));
        self.jobs.push_back((job, self.told));
        if self.jobs.len() > JOBS {
            self.jobs.pop_front();
        }
        lines
    }

    /// Says the difficulty, if it is another. It is at most the block's own: each block is a share.
    fn set_difficulty(&mut self) -> String {
        let most = self.work.as_ref().map_or(target::MOST, |work| work.difficulty());
        let difficulty = target::rounded(self.vardiff.difficulty().min(most));
        if difficulty.to_bits() == self.told.to_bits() {
            return String::new();
        }
        self.told = difficulty;
        self.names.iter().for_each(|(_, worker)| self.workers.set_difficulty(worker, difficulty));
        self.difficulty_line()
    }

    fn difficulty_line(&self) -> String {
        message::notification("mining.set_difficulty", &json!([self.told]))
    }

    /// What is due by the clock: another difficulty, a line against silence, the end.
    pub fn tick(&mut self, now: Now) -> Reaction {
        let mut reaction = Reaction::default();
        let silent = now.steady.saturating_sub(self.heard);
        if silent >= IDLE || !self.is_ready() && now.steady.saturating_sub(self.began) >= BEGIN {
            reaction.close = true;
        } else if self.is_ready() {
            if self.vardiff.retarget(now.steady) {
                reaction.lines = self.set_difficulty();
            }
            // A node without work says something that every miner understands.
            if reaction.lines.is_empty() && now.steady.saturating_sub(self.said) >= SILENCE {
                reaction.lines = self.difficulty_line();
            }
        }
        self.note_said(&reaction, now);
        reaction
    }

    /// A text for the people who look at the miner.
    pub fn show(text: &str) -> String {
        message::notification("client.show_message", &json!([text]))
    }

    fn note_said(&mut self, reaction: &Reaction, now: Now) {
        if !reaction.lines.is_empty() {
            self.said = now.steady;
        }
    }
}

impl Drop for Session {
    fn drop(&mut self) {
        self.names.iter().for_each(|(_, worker)| self.workers.disconnected(worker));
    }
}

/// A number, or its text.
fn number(value: &Value) -> Option<f64> {
    value.as_f64().or_else(|| value.as_str()?.parse().ok())
}

/// The difficulty of a target in hex, most significant byte first.
fn difficulty_of_target(value: &Value) -> Option<f64> {
    let bytes: [u8; 32] = hex::decode(value.as_str()?).ok()?.try_into().ok()?;
    let number = chain_core::U256::from_be_bytes(bytes);
    (!number.is_zero()).then(|| target::difficulty(number))
}

#[cfg(test)]
mod tests;
