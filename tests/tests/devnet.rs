//! `cairn-node devnet --members`: a chain with finality from one command, cut, killed and healed by its orders.

use cairn_tests::{Rpc, binary, chain_file, mined_spec, wait_for};
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader, Write},
    process::{Child, ChildStdin, Command, Stdio},
    sync::mpsc::{self, Receiver},
    time::Duration,
};

/// First ports of nodes' RPCs and of nodes for each other, below those that other tests take; other processes begin elsewhere.
fn ports() -> [String; 2] {
    let first = 12_000 + std::process::id() % 200 * 16;
    [first, first + 4_000].map(|port| port.to_string())
}

/// A running devnet, which ends with the test.
struct Devnet {
    child: Child,
    orders: ChildStdin,
    events: Receiver<Value>,
    /// To ask each node.
    nodes: Vec<Rpc>,
    _folder: tempfile::TempDir,
}

impl Devnet {
    fn start(flags: &[&str]) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let mut command = Command::new(binary("cairn-node"));
        let [rpc, peers] = ports();
        command.args(["devnet", "--json", "--rpc-port", &rpc, "--port", &peers, "--chain"]);
        command.arg(chain_file(folder.path(), &mined_spec())).args(flags).env("TMPDIR", folder.path());
        let mut child = command.stdin(Stdio::piped()).stdout(Stdio::piped()).spawn().expect("cairn-node runs");
        let (sender, events) = mpsc::channel();
        let lines = BufReader::new(child.stdout.take().expect("it is a pipe")).lines();
        std::thread::spawn(move || {
            let events = lines.map_while(Result::ok).map(|line| serde_json::from_str(&line).expect("JSON"));
            // The test may be over.
            events.for_each(|event| _ = sender.send(event));
        });
        let orders = child.stdin.take().expect("it is a pipe");
        let mut devnet = Self { child, orders, events, nodes: Vec::new(), _folder: folder };
        let status = devnet.next("status");
        let url = |node: &Value| node["rpc"].as_str().expect("a text").to_owned();
        let urls: Vec<String> = status["nodes"].as_array().expect("a list").iter().map(url).collect();
        devnet.nodes = urls.into_iter().map(|url| Rpc::new(url, devnet._folder.path())).collect();
        devnet
    }

    /// The next event of a kind.
    fn next(&self, kind: &str) -> Value {
        loop {
            let event = self.events.recv_timeout(Duration::from_secs(120)).expect("the devnet goes on");
            assert_ne!(event["event"], "error", "{event}");
            if event["event"] == kind {
                return event;
            }
        }
    }

    /// Gives an order and waits until it is carried out.
    fn order(&mut self, order: &str) {
        writeln!(self.orders, "{order}").expect("the devnet reads");
        assert_eq!(self.next("done")["command"], order);
    }

    fn final_height(&self, node: usize) -> u64 {
        let told = self.nodes[node].call("chain_getFinality", json!([]));
        told["finalized"]["height"].as_u64().expect("a number")
    }

    fn wait_for_final(&self, nodes: &[usize], height: u64) {
        let all = || nodes.iter().all(|node| self.final_height(*node) >= height).then_some(());
        wait_for(&format!("height {height} to be final"), 120, all);
    }
}

impl Drop for Devnet {
    fn drop(&mut self) {
        // It removes its nodes when its orders end, or they notice that it has gone.
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

#[test]
fn a_devnet_with_members_finalizes_stands_still_while_it_is_cut_and_goes_on() {
    let mut devnet = Devnet::start(&["--nodes", "4", "--members", "4", "--miners", "2"]);
    devnet.wait_for_final(&[0, 1, 2, 3], 5);
    // Three of four members are enough.
    devnet.order("kill 1");
    let height = devnet.final_height(0);
    devnet.wait_for_final(&[0, 2, 3], height + 5);
    devnet.order("restart 1");
    let height = devnet.final_height(0);
    devnet.wait_for_final(&[0, 1, 2, 3], height);
    // Two are not.
    devnet.order("partition 0,1 | 2,3");
    let height = devnet.final_height(0);
    devnet.order("mine 12");
    let heights = [0, 2].map(|node| devnet.final_height(node));
    assert!(heights.iter().all(|found| *found <= height + 5), "{heights:?} after {height}");
    let told = devnet.nodes[0].call("chain_getFinality", json!([]));
    assert_eq!((told["members"].as_array().map(Vec::len), &told["alarm"]), (Some(4), &Value::Null));
    devnet.order("heal");
    devnet.wait_for_final(&[0, 1, 2, 3], height + 10);
    for node in &devnet.nodes {
        let told = node.call("chain_getFinality", json!([]));
        assert_eq!((&told["evidence"], &told["alarm"]), (&json!([]), &Value::Null));
    }
    writeln!(devnet.orders, "quit").expect("the devnet reads");
    let ended = devnet.child.wait().expect("it can be waited for");
    assert!(ended.success(), "{ended}");
    assert!(devnet.nodes[0].try_call("chain_getInfo", json!([])).is_err(), "the nodes end with it");
}

#[test]
fn members_that_no_chain_can_have_are_refused_before_anything_starts() {
    let refused = Command::new(binary("cairn-node")).args(["devnet", "--nodes", "4", "--members", "3"]).output();
    let refused = refused.expect("cairn-node runs");
    let said = String::from_utf8_lossy(&refused.stderr).into_owned();
    assert!(!refused.status.success() && said.contains("--members 3: expected 1, 4, 7"), "{said}");
}
