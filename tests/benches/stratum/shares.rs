//! Judging one share in process: from the miner's line to the line of the answer, without socket and wake-up.

use cairn_node::{
    engine::{LongPollId, Template},
    stratum::{Now, Session, Work, Workers},
};
use chain_core::{
    address,
    block::merkle,
    spec::ChainSpec,
    transaction::{
        Transaction,
        coin::{KeyBytes, Lock, Output},
    },
    units::Amount,
    work::pow,
};
use serde_json::{Value, json};
use std::{
    sync::Arc,
    time::{Duration, Instant},
};

/// Microseconds that are aimed at.
const MOST: f64 = 10.0;
/// Sessions, each with a worker of its own. In a round each hands in a share.
const SESSIONS: u32 = 1_000;
const ROUNDS: u32 = 101;
/// A block that no hash here solves.
const BITS: u32 = 0x1b00_ffff;
/// A difficulty that every hash meets.
const DIFFICULTY: f64 = 1e-10;
/// At this pace the difficulty stays.
const APART: Duration = Duration::from_secs(6);

/// Prints what a share costs where a block has so many transactions.
pub fn measure() {
    for transactions in [1, 1_000] {
        let [share, copy] = [false, true].map(|again| median(transactions, again));
        println!(
            "a share of a block of {transactions} transactions is judged in {share:.2} us, {:.2} of {MOST:.0} us; a copy of one that was \
             counted in {copy:.2} us",
            share / MOST
        );
    }
}

/// Microseconds a share: median of the rounds. With `again`, the shares of all rounds are those of the first.
fn median(transactions: usize, again: bool) -> f64 {
    let spec = ChainSpec::dev();
    let (work, workers) = (work(&spec, transactions), Arc::new(Workers::load(None, 0)));
    let mut miners: Vec<Miner> = (0..SESSIONS).map(|number| Miner::new(number, &spec, &work, &workers)).collect();
    let mut round = |number: u32| {
        let nonce = if again { 0 } else { number };
        let shares: Vec<String> = miners.iter().map(|miner| miner.share(nonce)).collect();
        let now = Now { steady: APART * number, unix: 0 };
        let started = Instant::now();
        let taken: usize =
            miners.iter_mut().zip(&shares).map(|(miner, share)| usize::from(miner.hand_in(share, now))).sum();
        let took = started.elapsed();
        assert_eq!(taken, if again && number > 0 { 0 } else { miners.len() });
        took.as_secs_f64() * 1e6 / shares.len() as f64
    };
    round(0);
    let mut rounds: Vec<f64> = (1..=ROUNDS).map(round).collect();
    rounds.sort_by(f64::total_cmp);
    rounds[rounds.len() / 2]
}

struct Miner {
    session: Session,
    user: String,
    ntime: String,
}

impl Miner {
    /// A session that has subscribed, and has work.
    fn new(number: u32, spec: &ChainSpec, work: &Arc<Work>, workers: &Arc<Workers>) -> Self {
        let user = format!("{}.rig{number}", address::encode(&spec.hrp, &Lock::Key(KeyBytes([1; 32]))));
        let now = Now { steady: Duration::ZERO, unix: 0 };
        let mut session = Session::new(number.to_be_bytes(), spec.hrp.as_str().into(), workers.clone(), now);
        session.offer(work.clone(), now);
        let rolling = json!([["version-rolling"], {"version-rolling.mask": "ffffffff"}]);
        for (method, params) in [
            ("mining.configure", rolling),
            ("mining.suggest_difficulty", json!([DIFFICULTY])),
            ("mining.subscribe", json!(["bench/1"])),
            ("mining.authorize", json!([user, "x"])),
        ] {
            session.handle(line(method, &params).as_bytes(), now);
        }
        Self { session, user, ntime: format!("{:08x}", work.template().block.header.time) }
    }

    fn share(&self, nonce: u32) -> String {
        let Self { user, ntime, .. } = self;
        line("mining.submit", &json!([user, "1", "00000001", ntime, format!("{nonce:08x}"), "00c00000"]))
    }

    /// Whether the share counts.
    fn hand_in(&mut self, share: &str, now: Now) -> bool {
        self.session.handle(share.as_bytes(), now).lines.contains("\"result\":true")
    }
}

fn line(method: &str, params: &Value) -> String {
    json!({"id": 4, "method": method, "params": params}).to_string()
}

/// Work of a block with so many transactions.
fn work(spec: &ChainSpec, transactions: usize) -> Arc<Work> {
    let mut block = spec.genesis_block().0;
    let Some(Transaction::Coinbase(coinbase)) = block.transactions.first_mut() else { panic!("a coinbase") };
    coinbase.extra = [&[7; 8][..], &Work::extra()].concat();
    coinbase.outputs = vec![Output { amount: Amount::from_grains(5), lock: Lock::Key(KeyBytes([1; 32])) }];
    let coinbase = block.transactions[0].clone();
    block.transactions.resize(transactions, coinbase);
    let leaves: Vec<_> = block.transactions.iter().map(merkle::leaf).collect();
    block.header.bits = BITS;
    let template = Template {
        longpoll: LongPollId { parent: block.header.prev, version: 0 },
        merkle_branch: merkle::branch(&leaves, 0),
        block,
        target: pow::target(BITS).expect("these bits are a target"),
        height: 1,
        coin_tips: Amount::from_grains(0),
        gas_used: 0,
    };
    Arc::new(Work::new(1, template))
}
