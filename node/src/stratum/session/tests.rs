use super::*;
use crate::stratum::job::tests::work;
use chain_core::{U256, transaction::coin::KeyBytes};

/// Bits of a block that every second hash solves, and of one that no test finds.
const EASY: u32 = 0x207f_ffff;
const HARD: u32 = 0x1b00_ffff;

fn now(second: u64) -> Now {
    Now { steady: Duration::from_secs(second), unix: 1_700_000_000 + second }
}

fn address(byte: u8) -> String {
    address::encode("lcrn", &Lock::Key(KeyBytes([byte; 32])))
}

/// A session and its statistics.
struct Miner {
    session: Session,
    workers: Arc<Workers>,
    second: u64,
}

impl Miner {
    fn new() -> Self {
        let workers = Arc::new(Workers::load(None, 0));
        let session = Session::new([0, 0, 0, 42], "lcrn".into(), workers.clone(), now(0));
        Self { session, workers, second: 0 }
    }

    /// One that has this work, at a difficulty that every hash meets.
    fn ready(work: Arc<Work>) -> Self {
        let mut miner = Self::new();
        miner.session.offer(work, now(0));
        miner.say("mining.suggest_difficulty", json!([1e-10]));
        miner.say("mining.subscribe", json!(["test/1"]));
        miner.say("mining.authorize", json!([format!("{}.rig", address(1)), "x"]));
        miner
    }

    fn raw(&mut self, line: &[u8]) -> Reaction {
        self.session.handle(line, now(self.second))
    }

    fn react(&mut self, method: &str, params: Value) -> Reaction {
        self.raw(json!({"id": 4, "method": method, "params": params}).to_string().as_bytes())
    }

    fn say(&mut self, method: &str, params: Value) -> Vec<Value> {
        lines(&self.react(method, params))
    }

    fn offer(&mut self, work: Arc<Work>) -> Vec<Value> {
        lines(&self.session.offer(work, now(self.second)))
    }

    /// Hands in a share of a job; returns the error.
    fn submit(&mut self, job: &str, extranonce2: &str, ntime: &str, nonce: &str) -> Value {
        let user = format!("{}.rig", address(1));
        self.say("mining.submit", json!([user, job, extranonce2, ntime, nonce]))[0]["error"].clone()
    }
}

fn lines(reaction: &Reaction) -> Vec<Value> {
    assert!(reaction.lines.is_empty() || reaction.lines.ends_with('\n'));
    reaction.lines.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
}

fn methods(lines: &[Value]) -> Vec<&str> {
    lines.iter().map(|line| line["method"].as_str().unwrap_or("answer")).collect()
}

const TIME: &str = "65000001";

#[test]
fn a_bitaxe_is_served_in_its_order() {
    let mut miner = Miner::new();
    miner.session.offer(work(1, 0, 1, HARD), now(0));
    let configured = miner.say("mining.configure", json!([["version-rolling"], {"version-rolling.mask": "ffffffff"}]));
    assert_eq!(configured[0]["result"], json!({"version-rolling": true, "version-rolling.mask": "1fffffe0"}));
    let subscribed = miner.say("mining.subscribe", json!(["bitaxe/BM1370/v2.6"]));
    let name = "0000002a";
    let subscriptions = json!([[["mining.set_difficulty", name], ["mining.notify", name]], name, 4]);
    assert_eq!((subscribed.len(), &subscribed[0]["result"]), (1, &subscriptions));
    let authorized = miner.say("mining.authorize", json!([address(1), "x"]));
    assert_eq!(methods(&authorized), ["answer", "mining.set_difficulty", "mining.notify"]);
    assert_eq!((&authorized[0]["result"], &authorized[0]["id"]), (&json!(true), &json!(4)));
    assert_eq!((&authorized[1]["params"], &authorized[2]["params"][8]), (&json!([0.01]), &json!(true)));
    let suggested = miner.say("mining.suggest_difficulty", json!([1000]));
    // The firmware keeps a job's difficulty, and ignores a number that it knows.
    assert_eq!(methods(&suggested), ["answer", "mining.set_difficulty", "mining.notify"]);
    assert_eq!(suggested[1]["params"], json!([1000.0]));
    let jobs = [&authorized[2]["params"], &suggested[2]["params"]];
    assert_eq!(jobs.map(|job| (&job[0], &job[8])), [(&json!("1"), &json!(true)), (&json!("2"), &json!(false))]);
    assert_eq!(jobs[0].as_array().unwrap()[1..8], jobs[1].as_array().unwrap()[1..8]);
    assert_eq!(methods(&miner.say("mining.suggest_difficulty", json!([1000]))), ["answer"]);
    assert_eq!(miner.offer(work(2, 0, 1, HARD))[0]["params"][0], "3");
    assert_eq!(miner.workers.list(0)[0]["agent"], "bitaxe/BM1370/v2.6");
}

#[test]
fn a_miner_that_authorizes_first_gets_work_when_it_has_subscribed() {
    let mut miner = Miner::new();
    assert_eq!(methods(&miner.say("mining.authorize", json!([address(1), ""]))), ["answer"]);
    assert!(miner.offer(work(1, 0, 1, HARD)).is_empty());
    let begun = miner.say("mining.subscribe", json!([]));
    assert_eq!(methods(&begun), ["answer", "mining.set_difficulty", "mining.notify"]);
    // Again, as some do: no second start.
    assert_eq!(methods(&miner.say("mining.subscribe", json!(null))), ["answer"]);
}

#[test]
fn a_user_name_is_an_address_of_this_chain() {
    let mut miner = Miner::new();
    for (user, reason) in [
        (json!("bc1qxyz.rig"), "the user name is to be an address of this chain (lcrn1...)"),
        (json!("0x00000000000000000000000000000000000000aa"), "an address of this chain"),
        (json!(5), "the user name is to be"),
        (json!(format!("{}.a b", address(1))), "a worker's name has at most 64"),
        (json!(format!("{}.{}", address(1), "x".repeat(65))), "a worker's name has at most 64"),
    ] {
        let reaction = miner.react("mining.authorize", json!([user, "x"]));
        let refused = &lines(&reaction)[0]["error"];
        let text = refused[1].as_str().unwrap();
        assert_eq!(reaction.unauthorized.as_deref(), Some(text), "for the node's log");
        assert!(refused[0] == 24 && text.starts_with("Unauthorized worker: ") && text.contains(reason), "{refused}");
    }
    assert_eq!(miner.say("mining.authorize", json!([address(1)]))[0]["result"], true);
    let other = &miner.say("mining.authorize", json!([address(2)]))[0]["error"];
    assert!(other[1].as_str().unwrap().contains("pays another address already"), "{other}");
    for number in 1..WORKERS {
        assert_eq!(miner.say("mining.authorize", json!([format!("{}.{number}", address(1))]))[0]["result"], true);
    }
    assert_eq!(miner.say("mining.authorize", json!([format!("{}.more", address(1))]))[0]["error"][0], 24);
    assert_eq!(miner.workers.list(0).as_array().unwrap().len(), WORKERS);
    drop(miner.session);
    assert_eq!(miner.workers.sums(0)["sessions"], 0);
}

#[test]
fn a_share_counts_and_a_block_is_handed_in() {
    let mut miner = Miner::ready(work(1, 0, 3, EASY));
    let user = format!("{}.rig", address(1));
    let (mut blocks, mut shares) = (0, 0);
    for nonce in 0..40 {
        let share = json!([user, "1", "00000001", TIME, format!("{nonce:08x}")]);
        let reaction = miner.react("mining.submit", share);
        shares += u64::from(lines(&reaction)[0]["result"] == true);
        if let Some(solved) = reaction.solved {
            blocks += 1;
            let header = solved.block.header;
            assert!(U256::from_le_bytes(header.hash().0) <= chain_core::work::pow::target(EASY).unwrap());
            assert_eq!((header.nonce, solved.height, solved.worker.name.as_str()), (nonce, 1, "rig"));
        }
    }
    assert!(blocks > 5 && shares >= blocks, "{blocks} of {shares}");
    assert_eq!(miner.workers.list(0)[0]["accepted"], shares);
    assert!(miner.workers.list(0)[0]["bestShare"].as_f64().unwrap() > 0.0);
}

#[test]
fn rejections_have_the_texts_that_miners_know() {
    let mut miner = Miner::new();
    assert_eq!(miner.submit("1", "00000000", TIME, "00"), json!([25, "Not subscribed", null]));
    let mut miner = Miner::ready(work(5, 0, 1, HARD));
    let foreign = miner.say("mining.submit", json!(["nobody", "5", "00000000", TIME, "00"]));
    assert_eq!(foreign[0]["error"], json!([24, "Unauthorized worker", null]));
    assert_eq!(miner.submit("5", "00000000", TIME, "2a"), Value::Null);
    assert_eq!(miner.submit("5", "00000000", TIME, "0000002a"), json!([22, "Duplicate share", null]));
    for job in ["4", "6", "05", "x", ""] {
        assert_eq!(miner.submit(job, "00000000", TIME, "00"), json!([21, "Job not found", null]), "{job}");
    }
    for extranonce in ["", "00", "0000000000"] {
        assert_eq!(miner.submit("5", extranonce, TIME, "00"), json!([20, "Invalid nonce2 length", null]));
    }
    assert_eq!(miner.submit("5", "00000000", "65000002", "00"), json!([20, "Ntime out of range", null]));
    let user = format!("{}.rig", address(1));
    let mut rolled =
        |bits: &str| miner.say("mining.submit", json!([user, "5", "00000000", TIME, "07", bits]))[0]["error"].clone();
    assert_eq!(rolled("00002000"), json!([20, "Invalid version mask", null]), "rolling was not agreed on");
    assert_eq!(rolled("00000000"), Value::Null);
    miner.say("mining.configure", json!([["version-rolling"], {"version-rolling.mask": "00ffe000"}]));
    let mut rolled =
        |bits: &str| miner.say("mining.submit", json!([user, "5", "00000000", TIME, "08", bits]))[0]["error"].clone();
    assert_eq!(rolled("01000000"), json!([20, "Invalid version mask", null]));
    assert_eq!(rolled("00002000"), Value::Null);
    let counted = miner.workers.list(0)[0]["rejected"].clone();
    assert_eq!(
        [&counted["duplicate"], &counted["jobNotFound"], &counted["ntime"], &counted["extranonce2"]],
        [1, 5, 1, 3]
    );
}

#[test]
fn a_new_tip_makes_jobs_stale_and_better_fees_do_not() {
    let mut miner = Miner::ready(work(1, 0, 1, HARD));
    let fees = miner.offer(work(2, 0, 2, HARD));
    assert_eq!((methods(&fees), &fees[0]["params"][8]), (vec!["mining.notify"], &json!(false)));
    assert_eq!(miner.submit("1", "00000000", TIME, "00"), Value::Null);
    assert_eq!(miner.submit("2", "00000000", TIME, "00"), Value::Null);
    assert_eq!(miner.offer(work(3, 9, 1, HARD))[0]["params"][8], true);
    for old in ["1", "2"] {
        assert_eq!(miner.submit(old, "00000000", TIME, "01"), json!([21, "stale", null]));
    }
    assert_eq!(miner.submit("3", "00000000", TIME, "01"), Value::Null);
    // minerd searches on for a minute with a job that was replaced for better fees, and its block is a block.
    for number in 4..4 + 24 {
        miner.offer(work(number, 9, 1, HARD));
    }
    assert_eq!(miner.submit("3", "00000000", TIME, "03"), Value::Null);
    for number in 28..28 + JOBS as u64 {
        miner.offer(work(number, 9, 1, HARD));
    }
    assert_eq!(miner.session.jobs.len(), JOBS);
    assert_eq!(miner.submit("3", "00000000", TIME, "02"), json!([21, "stale", null]));
}

#[test]
fn shares_of_the_old_difficulty_still_count_after_a_change() {
    let mut miner = Miner::ready(work(1, 0, 1, HARD));
    assert_eq!(miner.submit("1", "00000000", TIME, "00"), Value::Null);
    // cpuminer-opt sends a text.
    let harder = miner.say("mining.suggest_difficulty", json!(["1000000000.000000"]));
    assert_eq!(methods(&harder), ["answer", "mining.set_difficulty", "mining.notify"]);
    assert_eq!(
        harder[1]["params"],
        json!([target::difficulty(chain_core::work::pow::target(HARD).unwrap())]),
        "the block's"
    );
    assert_eq!(miner.submit("1", "00000000", TIME, "01"), Value::Null, "the job was sent with the easy one");
    assert_eq!(miner.submit("2", "00000000", TIME, "02"), json!([23, "Difficulty too low", null]));
    miner.say("mining.suggest_target", json!(["ff".repeat(32)]));
    assert_eq!(miner.submit("2", "00000000", TIME, "02"), Value::Null, "easier work holds at once");
}

#[test]
fn shares_of_the_old_difficulty_do_not_lower_the_new_one() {
    let mut miner = Miner::ready(work(1, 0, 1, HARD));
    miner.say("mining.suggest_difficulty", json!(1e4));
    for nonce in 0..100 {
        miner.second = nonce / 2;
        assert_eq!(miner.submit("1", "00000000", TIME, &format!("{nonce:x}")), Value::Null);
    }
    assert!((miner.session.told - 1e4).abs() < f64::EPSILON, "{}", miner.session.told);
}

#[test]
fn suggestions_that_are_none_are_refused() {
    let mut miner = Miner::ready(work(1, 0, 1, HARD));
    let told = miner.session.told;
    for wrong in [json!([]), json!([0]), json!([-1]), json!(["x"]), json!({}), json!(null), json!([[1]])] {
        assert_eq!(miner.say("mining.suggest_difficulty", wrong.clone())[0]["error"][0], 20, "{wrong}");
    }
    for wrong in [json!(["00".repeat(32)]), json!(["ff"]), json!([5])] {
        assert_eq!(miner.say("mining.suggest_target", wrong.clone())[0]["error"][0], 20, "{wrong}");
    }
    assert!((miner.session.told - told).abs() < f64::EPSILON);
}

#[test]
fn a_difficulty_is_an_integer_or_has_three_digits() {
    let mut miner = Miner::ready(work(1, 0, 1, HARD));
    for (asked, told) in
        [(300.9, 300.0), (1.5, 1.0), (0.999_9, 0.999), (0.57, 0.57), (0.003_493_349, 0.003_49), (0.02, 0.02)]
    {
        miner.say("mining.suggest_difficulty", json!([asked]));
        assert_eq!(miner.session.told.to_string(), f64::to_string(&told));
    }
    // The block's own, of which each is a share.
    let mut miner = Miner::ready(work(1, 0, 1, 0x1d31_ffcf));
    miner.say("mining.suggest_difficulty", json!([1]));
    assert!(miner.session.told <= miner.session.work.as_ref().unwrap().difficulty());
    assert_eq!(miner.session.told.to_string(), "0.0199");
}

#[test]
fn small_requests_are_answered_and_unknown_ones_refused() {
    let mut miner = Miner::new();
    assert_eq!(miner.say("mining.ping", json!([]))[0]["result"], "pong");
    assert_eq!(miner.say("client.get_version", json!([]))[0]["result"], format!("cairn/{VERSION}"));
    assert_eq!(miner.say("mining.extranonce.subscribe", json!([]))[0]["result"], true);
    let unknown = miner.say(&"x".repeat(5_000), json!([]));
    assert_eq!(unknown[0]["error"], json!([20, format!("the method {} does not exist", "x".repeat(64)), null]));
    let configured = miner.say(
        "mining.configure",
        json!([["minimum-difficulty", "version-rolling"], {"version-rolling.mask": "0000001f"}]),
    );
    assert_eq!(configured[0]["result"], json!({"minimum-difficulty": false, "version-rolling": false}));
    assert_eq!(miner.say("mining.configure", json!("x"))[0]["result"], json!({}));
    let few = json!([["version-rolling"], {"version-rolling.mask": "00000020", "version-rolling.min-bit-count": 2}]);
    assert_eq!(miner.say("mining.configure", few)[0]["result"]["version-rolling"], false);
}

#[test]
fn lines_that_are_no_requests_end_the_session_and_blank_ones_do_not() {
    let mut miner = Miner::new();
    assert!(!miner.raw(b"\r").close);
    assert!(!miner.raw(b"{\"id\":1,\"result\":true,\"error\":null}").close);
    for line in [&b"GET / HTTP/1.1\r"[..], b"\x16\x03\x01", b"[1]", b"{\"id\":{},\"method\":\"x\"}", b"null"] {
        let reaction = miner.raw(line);
        assert!(reaction.close && lines(&reaction)[0]["error"][0] == 20, "{line:?}");
    }
}

#[test]
fn a_line_is_said_before_a_miner_loses_patience_and_silent_ones_are_let_go() {
    let mut miner = Miner::ready(work(1, 0, 1, HARD));
    let mut silent = 0;
    for second in (5..900).step_by(5) {
        let reaction = miner.session.tick(now(second));
        silent = if reaction.lines.is_empty() { silent + 5 } else { 0 };
        assert!(silent < 60 && !reaction.close, "at {second}");
    }
    assert!(miner.session.tick(now(900)).close);
    let mut stranger = Miner::new();
    stranger.say("mining.subscribe", json!([]));
    assert!(!stranger.session.tick(now(29)).close);
    assert!(stranger.session.tick(now(30)).close);
}
