use serde_json::{Value, json};
use std::{
    collections::BTreeMap,
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    sync::Arc,
    time::Duration,
};
use tokio::net::TcpListener;

use super::{
    Monitor,
    collect::{collect, record},
    serve, verdict,
};
use crate::{
    metrics::{self, Recorder, TABLE},
    rpc::testing::TestNode,
    store::Usage,
};

/// Names and kinds of a scrape.
fn kinds(text: &str) -> BTreeMap<String, String> {
    let kind = |line: &str| {
        let (name, kind) = line.strip_prefix("# TYPE ")?.split_once(' ')?;
        Some((name.to_owned(), kind.to_owned()))
    };
    text.lines().filter_map(kind).collect()
}

#[test]
fn a_scrape_has_every_metric_of_the_table_and_no_other() {
    let node = TestNode::fresh();
    let text = node.wait(collect(&node.context, metrics::start()));
    let found = kinds(&text);
    // A chain in memory has no disk.
    let expected = TABLE.iter().filter(|metric| metric.name != "cairn_store_disk_free_bytes");
    let kind = |metric: &metrics::Metric| format!("{:?}", metric.kind).split('(').next().unwrap().to_lowercase();
    let expected: BTreeMap<_, _> = expected.map(|metric| (metric.name.to_owned(), kind(metric))).collect();
    assert_eq!(found, expected);
    assert!(text.lines().any(|line| line == "cairn_chain_height 0"), "{text}");
    assert!(text.len() < 100_000, "a scrape has {} bytes", text.len());
}

/// What a database is in the middle of, and what fails in it, is for no test to decide: here is that each is shown.
#[test]
fn each_number_of_the_store_is_shown_under_its_name() {
    let recorder = Recorder::new();
    let quiet = Usage::default();
    let busy =
        Usage { pending_compaction: 11, compactions: 2, flushes: 3, stopped: true, errors: 5, ..Usage::default() };
    for (usage, expected) in [(quiet, [0, 0, 0, 0, 0]), (busy, [11, 2, 3, 1, 5])] {
        record(&usage, &recorder);
        let names = [
            "cairn_store_pending_compaction_bytes",
            "cairn_store_running_compactions",
            "cairn_store_running_flushes",
            "cairn_store_writes_stopped",
            "cairn_store_background_errors_total",
        ];
        let text = recorder.render();
        for (name, value) in names.iter().zip(expected) {
            assert!(text.lines().any(|line| line == format!("{name} {value}")), "{name} {value}: {text}");
        }
    }
}

#[test]
fn a_scrape_is_gathered_once_for_all_who_ask_at_a_time() {
    let node = TestNode::fresh();
    let monitor = Monitor::new(node.context.clone());
    let (one, two) = node.wait(async { tokio::join!(monitor.scrape(), monitor.scrape()) });
    assert!(Arc::ptr_eq(&one, &two));
}

#[test]
fn a_node_without_a_network_is_alive_and_ready() {
    let node = TestNode::fresh();
    let monitor = Monitor::new(node.context.clone());
    assert_eq!(node.wait(monitor.unhealthy()), None);
    assert_eq!(node.wait(monitor.unready()), None);
}

#[test]
fn what_is_wrong_is_said_as_json() {
    assert_eq!(verdict(None, "ready", "not ready"), (true, json!({ "status": "ready" })));
    let ill = json!({ "status": "not ready", "reason": "no peers" });
    assert_eq!(verdict(Some("no peers".to_owned()), "ready", "not ready"), (false, ill));
}

fn listen(node: &TestNode) -> SocketAddr {
    let monitor = Monitor::new(node.context.clone());
    node.wait(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        tokio::spawn(serve(listener, monitor));
        address
    })
}

/// What comes back for these bytes, until the server closes.
fn say(address: SocketAddr, bytes: &str) -> String {
    let mut socket = TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    socket.write_all(bytes.as_bytes()).unwrap();
    let mut answer = Vec::new();
    // It may be reset when more was sent than was read.
    let _ = socket.read_to_end(&mut answer);
    String::from_utf8_lossy(&answer).into_owned()
}

fn get(address: SocketAddr, path: &str) -> String {
    say(address, &format!("GET {path} HTTP/1.1\r\nHost: x\r\n\r\n"))
}

#[test]
fn each_path_has_its_answer_and_the_connection_ends() {
    let node = TestNode::fresh();
    let address = listen(&node);
    let scrape = get(address, "/metrics");
    assert!(scrape.starts_with("HTTP/1.1 200 OK\r\n") && scrape.contains("\ncairn_chain_height 0\n"), "{scrape}");
    assert!(scrape.contains("content-type: text/plain; version=0.0.4; charset=utf-8\r\n"), "{scrape}");
    for (path, said) in [("/health", json!({ "status": "alive" })), ("/ready", json!({ "status": "ready" }))] {
        let answer = get(address, path);
        let (head, body) = answer.split_once("\r\n\r\n").unwrap();
        assert!(head.starts_with("HTTP/1.1 200 OK\r\n") && head.contains("application/json"), "{answer}");
        assert_eq!(serde_json::from_str::<Value>(body).unwrap(), said);
    }
    assert!(get(address, "/").starts_with("HTTP/1.1 404 Not Found\r\n"));
    assert!(get(address, "/metrics/").contains("there are /metrics, /health and /ready\n"));
    let post = say(address, "POST /metrics HTTP/1.1\r\nHost: x\r\nContent-Length: 0\r\n\r\n");
    assert!(post.starts_with("HTTP/1.1 405 Method Not Allowed\r\n"), "{post}");
}

#[test]
fn what_is_no_request_is_cut_off_and_those_who_wait_have_their_turn() {
    let node = TestNode::fresh();
    let address = listen(&node);
    let long = format!("GET /metrics HTTP/1.1\r\nHost: {}\r\n\r\n", "x".repeat(1 << 20));
    assert!(!say(address, &long).contains("200 OK"));
    assert!(say(address, "\u{1b}[2J\r\n\r\n").starts_with("HTTP/1.1 400"));
    // More than there are places say nothing; a scrape behind them is served when they were cut off.
    let silent: Vec<_> = (0..20).map(|_| TcpStream::connect(address).unwrap()).collect();
    assert!(get(address, "/metrics").contains("\ncairn_chain_height 0\n"));
    drop(silent);
}
