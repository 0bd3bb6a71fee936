//! `cairn-node devnet` as a user drives it: lines typed, lines read, signals.

#![expect(clippy::unwrap_used, reason = "a test that cannot go on fails")]

use chain_core::{address, spec::ChainSpec, transaction::coin::Lock};
use serde_json::Value;
use std::{
    io::{BufRead, BufReader, Lines, Read, Write},
    net::{TcpListener, TcpStream},
    process::{Child, ChildStdout, Command, Stdio},
    time::{Duration, Instant},
};
use tempfile::TempDir;

fn node(arguments: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-node"));
    command.args(arguments).env_remove("CAIRN_RPC").env_remove("CAIRN_CHAIN");
    command
}

fn success(arguments: &[&str]) -> String {
    let output = node(arguments).stdin(Stdio::null()).output().expect("the binary runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8(output.stdout).unwrap()
}

fn send(process: u32, signal: i32) {
    // SAFETY: `kill` has no memory effects, and the process is not yet waited for.
    unsafe { libc::kill(process as i32, signal) };
}

/// A devnet whose lines are read one by one, ended when dropped.
struct Devnet {
    child: Child,
    lines: Lines<BufReader<ChildStdout>>,
    /// Where it puts the folder of its nodes, which stays if it is killed.
    place: TempDir,
}

impl Devnet {
    fn start(chain: &str, nodes: &str) -> Self {
        Self::with(chain, nodes, &[])
    }

    fn with(chain: &str, nodes: &str, more: &[&str]) -> Self {
        let port = TcpListener::bind("127.0.0.1:0").unwrap().local_addr().unwrap().port();
        // It takes the first free ports from here on.
        let (rpc, peers) = ((port / 2).to_string(), (port / 2 + 200).to_string());
        let flags = ["devnet", "--nodes", nodes, "--miners", "0", "--rpc-port", &rpc, "--port", &peers];
        let place = tempfile::tempdir().unwrap();
        let mut child = node(&flags)
            .env("TMPDIR", place.path())
            .args(["--chain", chain])
            .args(more)
            .stdin(Stdio::piped())
            .stdout(Stdio::piped())
            .spawn()
            .unwrap();
        let lines = BufReader::new(child.stdout.take().unwrap()).lines();
        Self { child, lines, place }
    }

    fn type_in(&mut self, line: &str) {
        writeln!(self.child.stdin.as_mut().unwrap(), "{line}").unwrap();
    }

    fn signal(&self, signal: i32) {
        send(self.child.id(), signal);
    }

    /// Whether it has left nothing behind.
    fn is_gone(&self) -> bool {
        self.place.path().read_dir().unwrap().next().is_none()
    }

    /// The next line that holds a text.
    fn wait_for(&mut self, text: &str) -> String {
        let found = self.lines.by_ref().map_while(Result::ok).find(|line| line.contains(text));
        found.unwrap_or_else(|| panic!("the devnet ended before it said {text:?}"))
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // Its nodes end with it.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_devnet_that_reorganises_says_how_far_it_is_and_stops_on_a_signal() {
    let mut devnet = Devnet::start("local", "2");
    devnet.type_in("reorg 1000");
    devnet.wait_for("the others mine 1000 blocks");
    devnet.wait_for("of 1000");
    devnet.signal(libc::SIGINT);
    devnet.wait_for("stopping all nodes");
    assert_eq!(devnet.child.wait().unwrap().code(), Some(0));
    assert!(devnet.is_gone());
}

/// Gives an order as the page of a node does.
fn order_from_the_page(url: &str, order: &str) -> String {
    let address = url.strip_prefix("http://").unwrap();
    let body = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"devnet_order","params":["{order}"]}}"#);
    let head = format!("POST / HTTP/1.1\r\nHost: {address}\r\nConnection: close\r\nContent-Type: application/json\r\n");
    let mut stream = TcpStream::connect(address).unwrap();
    write!(stream, "{head}Content-Length: {}\r\n\r\n{body}", body.len()).unwrap();
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    answer
}

#[test]
fn quit_and_signals_end_an_order_of_the_page_at_once() {
    for quits in [true, false] {
        let mut devnet = Devnet::start("local", "2");
        devnet.wait_for("heights 0");
        devnet.type_in("status");
        let url = devnet.wait_for("http://").split_whitespace().last().unwrap().to_owned();
        let answer = order_from_the_page(&url, "mine 1000");
        assert!(answer.contains(r#""result":true"#), "{answer}");
        devnet.wait_for("from the page: mine 1000");
        let start = Instant::now();
        if quits {
            devnet.type_in("quit")
        } else {
            devnet.signal(libc::SIGINT)
        }
        let mut until = Vec::new();
        while until.last().is_none_or(|line: &String| !line.contains("stopping all nodes")) {
            until.push(devnet.wait_for(""));
        }
        assert!(!until.iter().any(|line| line == "done"), "{until:?}");
        assert!(start.elapsed() < Duration::from_secs(5), "{:?}", start.elapsed());
        assert_eq!(devnet.child.wait().unwrap().code(), Some(0));
        assert!(devnet.is_gone());
    }
}

#[test]
fn quit_of_a_script_waits_for_what_stands_before_it() {
    let mut devnet = Devnet::start("local", "1");
    devnet.type_in("mine 3\nquit");
    devnet.wait_for("done");
    devnet.wait_for("stopping all nodes");
    assert_eq!(devnet.child.wait().unwrap().code(), Some(0));
}

#[test]
fn a_second_signal_ends_a_devnet_whose_nodes_do_not_end() {
    let mut devnet = Devnet::start("local", "2");
    devnet.wait_for("heights 0");
    devnet.type_in("status");
    let url = devnet.wait_for("http://").split_whitespace().last().unwrap().to_owned();
    let status: Value = serde_json::from_str(&success(&["status", "--json", "--rpc", &url])).unwrap();
    let node = u32::try_from(status["node"]["process"].as_u64().unwrap()).unwrap();
    // It hears SIGTERM only when it goes on.
    send(node, libc::SIGSTOP);
    devnet.signal(libc::SIGTERM);
    devnet.wait_for("stopping all nodes");
    devnet.signal(libc::SIGINT);
    assert_eq!(devnet.child.wait().unwrap().code(), Some(130));
    send(node, libc::SIGKILL);
}

#[test]
fn a_devnet_ends_on_any_signal_that_asks_it_to() {
    for signal in [libc::SIGTERM, libc::SIGHUP] {
        let mut devnet = Devnet::start("local", "1");
        devnet.wait_for("heights 0");
        devnet.signal(signal);
        devnet.wait_for("stopping all nodes");
        assert_eq!(devnet.child.wait().unwrap().code(), Some(0));
        assert!(devnet.is_gone());
    }
}

#[test]
fn a_node_of_a_devnet_pays_the_same_address_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let chain = folder.path().join("chain.toml");
    let spec = ChainSpec { name: "cut".into(), hrp: "ecrn".into(), chain_id: 1_337_009, ..ChainSpec::local() };
    std::fs::write(&chain, spec.to_toml()).unwrap();
    let mut devnet = Devnet::start(chain.to_str().unwrap(), "1");
    devnet.wait_for("heights 0");
    devnet.type_in("status");
    let url = devnet.wait_for("http://").split_whitespace().last().unwrap().to_owned();
    let address = address::encode("ecrn", &Lock::Policy([3; 32]));
    let paid = || -> Value {
        let status: Value = serde_json::from_str(&success(&["status", "--json", "--rpc", &url])).unwrap();
        status["miner"]["address"].clone()
    };
    assert_ne!(paid(), address.as_str());
    success(&["mine-to", &address, "--rpc", &url]);
    assert_eq!(paid(), address.as_str());
    devnet.type_in("kill 0");
    devnet.wait_for("done");
    devnet.type_in("restart 0");
    devnet.wait_for("done");
    assert_eq!(paid(), address.as_str());
}

#[test]
fn a_program_drives_a_devnet_by_lines_of_json() {
    let mut devnet = Devnet::with("local", "2", &["--json"]);
    let read = |line: String| serde_json::from_str::<Value>(&line).unwrap_or_else(|_| panic!("no JSON: {line}"));
    let status = read(devnet.wait_for("\"event\":\"status\""));
    let nodes = status["nodes"].as_array().unwrap();
    assert_eq!(nodes.len(), 2, "{status}");
    assert!(nodes[0]["up"] == true && nodes[0]["rpc"].as_str().unwrap().starts_with("http://127.0.0.1:"), "{status}");
    devnet.type_in("partition 0 | 1");
    assert_eq!(read(devnet.wait_for("\"done\""))["command"], "partition 0 | 1");
    devnet.type_in("kill 7");
    let error = read(devnet.wait_for("\"error\""));
    assert_eq!(
        (&error["command"], &error["message"]),
        (&"kill 7".into(), &"\"7\": expected a node from 0 to 1".into())
    );
    devnet.type_in("kill 1");
    assert_eq!(read(devnet.wait_for("\"done\""))["command"], "kill 1");
    devnet.type_in("quit");
    read(devnet.wait_for("stopping all nodes"));
    assert_eq!(devnet.child.wait().unwrap().code(), Some(0));
}
