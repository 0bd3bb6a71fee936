use std::{
    io::{BufRead, BufReader, Read, Write},
    net::{TcpListener, TcpStream},
    sync::{
        Arc, Mutex,
        atomic::{AtomicUsize, Ordering},
    },
};

use chain_core::{U256, block::header::Header, hash::sha256d};
use serde_json::{Value, json};

use super::*;
use crate::fastest;

/// The response to a method and its parameters: a result, an error object, or text that is not JSON.
enum Reply {
    Result(Value),
    Error(i64, &'static str, &'static str),
    Garbage,
}

/// Starts a fake node that speaks enough HTTP, and returns its URL.
fn fake_node(answer: impl Fn(&str, &Value) -> Reply + Send + Sync + 'static) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let answer = Arc::new(answer);
    thread::spawn(move || {
        for stream in listener.incoming() {
            let answer = answer.clone();
            thread::spawn(move || serve(stream.unwrap(), &*answer));
        }
    });
    url
}

fn serve(mut stream: TcpStream, answer: &dyn Fn(&str, &Value) -> Reply) {
    let mut reader = BufReader::new(stream.try_clone().unwrap());
    let mut length = 0;
    loop {
        let mut line = String::new();
        reader.read_line(&mut line).unwrap();
        if let Some(value) = line.to_ascii_lowercase().strip_prefix("content-length:") {
            length = value.trim().parse().unwrap();
        }
        if line.trim().is_empty() {
            break;
        }
    }
    let mut body = vec![0; length];
    reader.read_exact(&mut body).unwrap();
    let request: Value = serde_json::from_slice(&body).unwrap();
    let body = match answer(request["method"].as_str().unwrap(), &request["params"]) {
        Reply::Result(result) => json!({ "jsonrpc": "2.0", "id": 1, "result": result }).to_string(),
        Reply::Error(code, message, reason) => {
            let error = json!({ "code": code, "message": message, "data": { "reason": reason } });
            json!({ "jsonrpc": "2.0", "id": 1, "error": error }).to_string()
        }
        Reply::Garbage => "<html>".into(),
    };
    // Who asked may be gone.
    let _ = write!(stream, "HTTP/1.1 200 OK\r\nContent-Length: {}\r\nConnection: close\r\n\r\n{body}", body.len());
}

fn template(id: usize, target: U256) -> Reply {
    Reply::Result(json!({
        "id": id.to_string(), "longpollId": id.to_string(), "height": id,
        "target": hex::encode(target.to_be_bytes::<32>()), "header": "00".repeat(80),
        "coinbase": "00".repeat(100), "extranonceOffset": 92, "extranonceSize": 8, "merkleBranch": ["03".repeat(32)],
    }))
}

fn options(blocks: Option<u64>) -> Options {
    let request = Request { address: Some("lcrn1me".into()), account: None };
    Options { request, threads: Threads::new(2), blocks }
}

/// Mines at a URL; returns the result and the events.
fn mine_at(
    url: &str,
    options: &Options,
    events: (Sender<Event>, Receiver<Event>),
) -> (Result<Totals, NodeError>, Vec<Value>) {
    let written = Written::default();
    let node = Node::new(url, None).unwrap();
    let outcome = run(&node, options, fastest(), events, &mut Reporter::to(Box::new(written.clone()), true));
    (outcome, written.notes())
}

#[derive(Clone, Default)]
struct Written(Arc<Mutex<Vec<u8>>>);

impl Written {
    fn notes(&self) -> Vec<Value> {
        let text = String::from_utf8(self.0.lock().unwrap().clone()).unwrap();
        text.lines().map(|line| serde_json::from_str(line).unwrap()).collect()
    }

    /// Waits for an event, at most for a while.
    fn tells(&self, told: impl Fn(&Value) -> bool) -> bool {
        (0..5_000).any(|_| {
            thread::sleep(Duration::from_millis(1));
            self.notes().iter().any(&told)
        })
    }
}

impl Write for Written {
    fn write(&mut self, bytes: &[u8]) -> std::io::Result<usize> {
        self.0.lock().unwrap().write(bytes)
    }

    fn flush(&mut self) -> std::io::Result<()> {
        Ok(())
    }
}

/// A node on whose chain a block takes about `2^bits` hashes; `height` counts what it accepted.
fn working_node(bits: usize, height: Arc<AtomicUsize>) -> impl Fn(&str, &Value) -> Reply {
    let target = U256::MAX >> bits;
    move |method, params| match method {
        "miner_getTemplate" => {
            assert_eq!(params[0]["address"], "lcrn1me");
            while params[0]["longpollId"] == json!(height.load(Ordering::SeqCst).to_string()) {
                thread::sleep(Duration::from_millis(1));
            }
            template(height.load(Ordering::SeqCst), target)
        }
        "miner_submit" => {
            let [id, header, coinbase] = [0, 1, 2].map(|at: usize| params[at].as_str().unwrap().to_owned());
            let header = Header::from_bytes(&hex::decode(header).unwrap().try_into().unwrap());
            let root = sha256d(&[sha256d(&hex::decode(coinbase).unwrap()), [3; 32]].concat());
            assert!(U256::from_le_bytes(header.hash().0) <= target);
            assert_eq!(header.merkle_root, root);
            if id != height.load(Ordering::SeqCst).to_string() {
                return Reply::Error(-32003, "template is unknown", "stale");
            }
            height.fetch_add(1, Ordering::SeqCst);
            Reply::Result(json!({ "hash": header.hash().to_string(), "status": "connected" }))
        }
        other => panic!("{other}"),
    }
}

#[test]
fn mines_blocks_for_a_node_until_there_are_enough() {
    let height = Arc::new(AtomicUsize::new(1));
    let url = fake_node(working_node(10, height.clone()));
    let (outcome, notes) = mine_at(&url, &options(Some(3)), channel());
    let totals = outcome.unwrap();
    assert_eq!((totals.accepted, totals.stale, totals.lost), (3, 0, 0));
    assert!(totals.found >= 3, "{totals:?}");
    assert_eq!(height.load(Ordering::SeqCst), 4);
    let blocks: Vec<_> = notes.iter().filter(|note| note["event"] == "block").collect();
    assert_eq!(blocks.len(), 3);
    assert!(blocks.iter().all(|note| note["status"] == "connected"));
    assert_eq!(notes[0], json!({ "event": "started", "rpc": url, "threads": 2, "kernel": notes[0]["kernel"] }));
    assert!(totals.hashes > 0);
    assert_eq!(notes.last().unwrap()["hashes"], totals.hashes);
}

#[test]
fn drops_a_search_when_the_node_has_better_work() {
    let height = Arc::new(AtomicUsize::new(2));
    let working = working_node(4, height);
    let url = fake_node(move |method, params| match &params[0]["longpollId"] {
        // The first template cannot be solved.
        Value::Null if method == "miner_getTemplate" => template(1, U256::ZERO),
        _ => working(method, params),
    });
    let (outcome, notes) = mine_at(&url, &options(Some(1)), channel());
    assert_eq!(outcome.unwrap().accepted, 1);
    let heights: Vec<_> = notes.iter().filter(|note| note["event"] == "work").map(|note| &note["height"]).collect();
    assert_eq!(heights[..2], [&json!(1), &json!(2)]);
}

#[test]
fn takes_newer_work_while_a_block_is_handed_in() {
    let written = Written::default();
    let (told, taken) = (written.clone(), Arc::new(AtomicUsize::new(0)));
    let (newer, submitting) = (taken.clone(), AtomicUsize::new(0));
    let url = fake_node(move |method, params| match (method, &params[0]["longpollId"]) {
        ("miner_submit", _) => {
            submitting.store(1, Ordering::SeqCst);
            // The node does not answer before the miner has continued.
            let goes_on = told.tells(|note| note["event"] == "work" && note["height"] == 2);
            newer.store(usize::from(goes_on), Ordering::SeqCst);
            Reply::Result(json!({ "hash": "00", "status": "connected" }))
        }
        // Work that is solved at once, then work that is never solved, then nothing better.
        (_, Value::Null) => template(1, U256::MAX >> 4),
        (_, id) if *id == "1" => {
            while submitting.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            template(2, U256::ZERO)
        }
        _ => {
            thread::sleep(Duration::from_secs(30));
            template(2, U256::ZERO)
        }
    });
    let node = Node::new(&url, None).unwrap();
    let mut reporter = Reporter::to(Box::new(written.clone()), true);
    let (sender, receiver) = channel();
    let stop = sender.clone();
    let watched = written.clone();
    thread::spawn(move || {
        watched.tells(|note| note["event"] == "block");
        stop.send(Event::Stop).unwrap();
    });
    let totals = run(&node, &options(Some(1)), fastest(), (sender, receiver), &mut reporter).unwrap();
    assert_eq!(totals.accepted, 1);
    assert_eq!(taken.load(Ordering::SeqCst), 1, "the submission held up the newer work");
}

#[test]
fn a_newer_block_does_not_wait_for_the_tries_of_an_older_one() {
    let (first, second) = (AtomicUsize::new(0), AtomicUsize::new(0));
    let url = fake_node(move |method, params| match (method, params[0].as_str()) {
        ("miner_submit", Some("2")) => {
            second.store(1, Ordering::SeqCst);
            Reply::Result(json!({ "hash": "00", "status": "connected" }))
        }
        // The older block is taken only once the newer one was.
        ("miner_submit", _) if second.load(Ordering::SeqCst) == 0 => {
            first.store(1, Ordering::SeqCst);
            Reply::Error(-32000, "the node is shutting down", "")
        }
        ("miner_submit", _) => Reply::Result(json!({ "hash": "00", "status": "connected" })),
        _ if params[0]["longpollId"] == Value::Null => template(1, U256::MAX >> 4),
        _ => {
            while first.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            template(2, U256::MAX >> 4)
        }
    });
    let (outcome, _) = mine_at(&url, &options(Some(2)), channel());
    let totals = outcome.unwrap();
    assert_eq!((totals.accepted, totals.lost), (2, 0));
}

#[test]
fn a_newer_block_does_not_wait_until_an_older_one_is_tried_again() {
    let url = fake_node(|_, params| match params[0].as_str() {
        Some("2") => Reply::Result(json!({ "hash": "00", "status": "connected" })),
        _ => Reply::Error(-32000, "the node is shutting down", ""),
    });
    let node = Node::new(&url, None).unwrap();
    let ((solutions, queue), (sender, events)) = (channel(), channel());
    thread::spawn(move || hand_in(&node, &queue, &sender));
    solutions.send(solution("1")).unwrap();
    let delay = loop {
        match events.recv().unwrap() {
            Event::Delayed(_, delay) if delay >= Duration::from_secs(4) => break delay,
            Event::Delayed(..) => {}
            other => panic!("{other:?}"),
        }
    };
    let began = Instant::now();
    solutions.send(solution("2")).unwrap();
    let Event::HandedIn(newer, Ok(_)) = events.recv().unwrap() else { panic!("the newer block was not taken") };
    assert_eq!(newer.work.id, "2");
    assert!(began.elapsed() < delay / 2, "{:?}", began.elapsed());
}

fn solution(id: &str) -> Solution {
    let work = Work {
        id: id.to_owned(),
        height: 1,
        header: Header::from_bytes(&[0; 80]),
        target: U256::MAX,
        coinbase: Vec::new(),
        extranonce: 0..0,
        merkle_branch: Vec::new(),
        version_mask: 0,
        time_slack: 0,
        max_solutions: 1,
    };
    Solution { header: work.header, coinbase: Vec::new(), work: Arc::new(work) }
}

#[test]
fn waits_for_a_node_that_is_not_there_yet() {
    let calls = AtomicUsize::new(0);
    let working = working_node(4, Arc::new(AtomicUsize::new(5)));
    let url = fake_node(move |method, params| match calls.fetch_add(1, Ordering::SeqCst) {
        0 => Reply::Garbage,
        1 => Reply::Error(-32000, "the node is shutting down", ""),
        _ => working(method, params),
    });
    let (outcome, notes) = mine_at(&url, &options(Some(1)), channel());
    assert_eq!(outcome.unwrap().accepted, 1);
    let waits: Vec<_> = notes.iter().filter(|note| note["event"] == "waiting").collect();
    let hint = "name the node's RPC with --rpc URL; its port is 8545 unless changed";
    assert_eq!(
        waits[0]["reason"],
        format!("what answers at {url} is not a Cairn node (HTTP status 200, and no JSON): {hint}")
    );
    assert_eq!(waits[1]["reason"], "the node refuses: the node is shutting down");
    assert_eq!([&waits[0]["retrySeconds"], &waits[1]["retrySeconds"]], [0.5, 1.0]);
}

#[test]
fn ends_when_told_to_though_no_node_answers() {
    // No process listens on a port that was just closed.
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    drop(listener);
    let (sender, receiver) = channel();
    let stop = sender.clone();
    thread::spawn(move || {
        thread::sleep(Duration::from_millis(50));
        stop.send(Event::Stop).unwrap();
    });
    let (outcome, _) = mine_at(&url, &options(None), (sender, receiver));
    assert_eq!(outcome.unwrap(), Totals::default());
    let error = Node::new(&url, None).unwrap().template(&Request::default(), None).unwrap_err();
    assert!(matches!(error, NodeError::Unreachable { .. }), "{error}");
    assert!(error.to_string().contains("): start one, such as `cairn-node --chain local`, or name another"));
}

#[test]
fn ends_when_the_node_refuses_the_address() {
    let url = fake_node(|_, _| Reply::Error(-32602, "request.address: the checksum is\u{1b} wrong", ""));
    let (outcome, _) = mine_at(&url, &options(None), channel());
    let words = "the node refuses --address lcrn1me: the checksum is wrong; `cairn-wallet address` shows yours";
    assert_eq!(outcome.unwrap_err().to_string(), words);
    let request = Request { address: Some("lcrn1\u{1b}[31m\nme".into()), account: None };
    let odd = Options { request, ..options(None) };
    let (outcome, _) = mine_at(&url, &odd, channel());
    assert!(outcome.unwrap_err().to_string().starts_with("the node refuses --address lcrn1[31m me: the checksum"));
    let url = fake_node(|_, _| Reply::Error(-32601, "Method not found", ""));
    let (outcome, _) = mine_at(&url, &options(None), channel());
    let words = "the node refuses: it does not know miner_getTemplate; is it a Cairn node? --rpc URL names another";
    assert_eq!(outcome.unwrap_err().to_string(), words);
}

#[test]
fn a_node_that_accepts_and_does_not_answer_is_reported() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let (sender, receiver) = channel();
    let (written, stop) = (Written::default(), sender.clone());
    let watched = written.clone();
    thread::spawn(move || {
        watched.tells(|note| note["event"] == "waiting");
        stop.send(Event::Stop).unwrap();
    });
    let mut reporter = Reporter::to(Box::new(written.clone()), true);
    run(&Node::new(&url, None).unwrap(), &options(None), fastest(), (sender, receiver), &mut reporter).unwrap();
    let notes = written.notes();
    let waiting = notes.iter().find(|note| note["event"] == "waiting").unwrap();
    let words =
        "did not answer within 3 s; what listens there is busy, or no node: wait, or name another with --rpc URL";
    assert_eq!(waiting["reason"], format!("the server at {url} {words}"));
}

#[test]
fn counts_blocks_that_come_too_late_and_goes_on() {
    let submitted = Arc::new(AtomicUsize::new(0));
    let lost = submitted.clone();
    let working = working_node(4, Arc::new(AtomicUsize::new(1)));
    let asked = AtomicUsize::new(0);
    let url = fake_node(move |method, params| match method {
        "miner_submit" if submitted.fetch_add(1, Ordering::SeqCst) == 0 => Reply::Error(-32003, "too old", "stale"),
        // A miner that lost a template gets it again at once.
        "miner_getTemplate" => {
            while asked.load(Ordering::SeqCst) == 1 && lost.load(Ordering::SeqCst) == 0 {
                thread::sleep(Duration::from_millis(1));
            }
            match asked.fetch_add(1, Ordering::SeqCst) {
                0 | 1 => template(1, U256::MAX >> 4),
                _ => working(method, params),
            }
        }
        _ => working(method, params),
    });
    let (outcome, notes) = mine_at(&url, &options(Some(1)), channel());
    let totals = outcome.unwrap();
    assert_eq!((totals.stale, totals.accepted), (1, 1));
    // The search goes on while a block is submitted, so that it may have found another.
    assert!(totals.found >= 2, "{totals:?}");
    assert!(notes.iter().any(|note| note["status"] == "stale"));
}

#[test]
fn refuses_what_is_no_url_of_a_node() {
    for url in ["", "127.0.0.1:8545", "https://127.0.0.1:8545", "http://", "ftp://x", "no url"] {
        assert_eq!(Node::new(url, None).unwrap_err(), NodeError::BadUrl(url.into()));
    }
    assert_eq!(Node::new("http://localhost:8545", None).unwrap().url(), "http://localhost:8545");
}

#[test]
fn ends_with_the_words_of_a_node_that_refuses_the_request() {
    let url = fake_node(|_, _| Reply::Error(-32602, "request.address: missing", ""));
    let options = Options { request: Request::default(), threads: Threads::new(1), blocks: None };
    let mut reporter = Reporter::to(Box::new(std::io::sink()), false);
    let error = run(&Node::new(&url, None).unwrap(), &options, fastest(), channel(), &mut reporter).unwrap_err();
    assert_eq!(error.to_string(), "the node refuses: request.address: missing");
}

#[test]
fn ends_if_what_it_says_cannot_be_written() {
    struct Full(std::io::ErrorKind);
    impl Write for Full {
        fn write(&mut self, _: &[u8]) -> std::io::Result<usize> {
            Err(self.0.into())
        }

        fn flush(&mut self) -> std::io::Result<()> {
            Ok(())
        }
    }
    let url = fake_node(|_, _| Reply::Error(-32601, "no", ""));
    let node = Node::new(&url, None).unwrap();
    let options = Options { request: Request::default(), threads: Threads::new(1), blocks: None };
    let outcome = |kind| {
        let mut reporter = Reporter::to(Box::new(Full(kind)), false);
        run(&node, &options, fastest(), channel(), &mut reporter).unwrap_err()
    };
    assert!(matches!(outcome(std::io::ErrorKind::StorageFull), NodeError::Output(_)));
    // A reader that closes its end is not an error: the miner goes on until the node refuses.
    assert!(matches!(outcome(std::io::ErrorKind::BrokenPipe), NodeError::Refused { .. }));
}
