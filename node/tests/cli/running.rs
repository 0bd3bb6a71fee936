//! A node that runs, and what steers it.

use cairn_client::Cookie;
use serde_json::{Value, json};
use std::{
    io::{BufRead, BufReader},
    path::Path,
    process::{Child, Stdio},
    time::{Duration, Instant},
};

use super::{HOME, node};

/// A running node, killed when dropped.
pub struct Running {
    pub child: Child,
    pub url: String,
}

impl Running {
    pub fn start(arguments: &[&str]) -> Self {
        Self::logging_to(Stdio::inherit(), arguments)
    }

    pub fn logging_to(log: Stdio, arguments: &[&str]) -> Self {
        let apart = ["--http.port", "0", "--port", "0", "--listen", "127.0.0.1", "--no-discovery"];
        let mut node = node(arguments);
        let mut child = node.args(apart).stdout(Stdio::piped()).stderr(log).spawn().expect("it starts");
        let mut lines = BufReader::new(child.stdout.take().unwrap()).lines();
        let line =
            lines.find(|line| line.as_ref().unwrap().contains("  RPC ")).expect("a banner with the RPC").unwrap();
        let url = line.split_whitespace().nth(1).unwrap().to_owned();
        Self { child, url }
    }

    pub fn call(&self, method: &str, params: Value) -> Value {
        let request = json!({ "jsonrpc": "2.0", "id": 1, "method": method, "params": params });
        let post = ureq::post(&self.url).header("authorization", authorization(&self.url));
        let mut answer: Value = post.send_json(&request).unwrap().body_mut().read_json().unwrap();
        assert!(answer.get("error").is_none(), "{method}: {answer}");
        answer["result"].take()
    }

    pub fn height(&self) -> u64 {
        self.call("chain_getInfo", json!([]))["height"].as_u64().unwrap()
    }

    pub fn wait_for_height(&self, height: u64) {
        let deadline = Instant::now() + Duration::from_secs(120);
        while self.height() < height {
            assert!(Instant::now() < deadline, "height {height} is not reached");
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    pub fn signal(&mut self, signal: i32) -> Option<i32> {
        // SAFETY: `kill` has no memory effects, and the child is not yet waited for.
        unsafe { libc::kill(self.child.id() as i32, signal) };
        self.child.wait().unwrap().code()
    }
}

impl Drop for Running {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

/// What a client sends to steer the node at `url`.
pub fn authorization(url: &str) -> String {
    let port = url.rsplit(':').next().unwrap();
    let cookie = Path::new(HOME).join(".cairn/cookies").join(port);
    Cookie::find(url, Some(&cookie)).header().unwrap().expect("a running node has a cookie")
}

/// The answer of `admin_stop`, and those to what was asked with it and takes its time: the node has begun to stop before the
/// last of them is there.
#[test]
fn a_node_that_stops_delivers_the_answers_in_flight() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut node = Running::start(&["--dev", "--log.file", log.to_str().unwrap()]);
    let (url, authorization) = (node.url.clone(), authorization(&node.url));
    let post = |body: Value| -> Value {
        let post = ureq::post(&url).header("authorization", &authorization);
        post.send_json(&body).expect("the answer comes").body_mut().read_json().expect("the answer is whole")
    };
    // JUMPDEST, PUSH1 0, JUMP: until the gas is used up.
    let code = json!([{ "data": "0x5b600056", "gas": "0x1e8480" }, "latest"]);
    let slow = json!({ "jsonrpc": "2.0", "id": 2, "method": "eth_call", "params": code });
    let began = Instant::now();
    assert!(post(slow.clone())["error"]["message"].as_str().unwrap().contains("out of gas"));
    // As many as take half a second; the node waits five for answers.
    let calls = Duration::from_millis(500).as_nanos() / began.elapsed().as_nanos();
    let calls = usize::try_from(calls).unwrap().clamp(10, 900);
    let mut batch = vec![json!({ "jsonrpc": "2.0", "id": 1, "method": "admin_stop", "params": [] })];
    batch.extend(vec![slow; calls]);
    std::thread::scope(|scope| {
        let answers = scope.spawn(|| post(batch.into()));
        let deadline = Instant::now() + Duration::from_secs(60);
        while !std::fs::read_to_string(&log).unwrap().contains("admin_stop: stopping") {
            assert!(Instant::now() < deadline, "the node does not stop");
            std::thread::sleep(Duration::from_millis(1));
        }
        assert!(!answers.is_finished(), "{calls} calls were answered before the node began to stop");
        let answers = answers.join().unwrap();
        assert_eq!(answers.as_array().unwrap().len(), 1 + calls, "{answers}");
        assert_eq!(answers[0]["result"], true, "{answers}");
    });
    assert_eq!(node.child.wait().unwrap().code(), Some(0));
}
