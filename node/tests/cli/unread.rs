//! A standard error that nobody reads.

use serde_json::json;
use std::{
    io::{ErrorKind, PipeReader, PipeWriter, Write, pipe},
    os::fd::AsRawFd,
    time::{Duration, Instant},
};

use super::{
    easy_chain, node,
    running::{Running, authorization},
};

/// A pipe into which nothing more can be written until it is read.
fn full_pipe() -> (PipeReader, PipeWriter) {
    let (reader, writer) = pipe().unwrap();
    let block = |flags: i32| {
        // SAFETY: `fcntl` with these arguments has no memory effects.
        let done = unsafe { libc::fcntl(writer.as_raw_fd(), libc::F_SETFL, flags) };
        assert_eq!(done, 0);
    };
    block(libc::O_NONBLOCK);
    while (&writer).write(b"x").inspect_err(|error| assert_eq!(error.kind(), ErrorKind::WouldBlock)).is_ok() {}
    block(0);
    (reader, writer)
}

#[test]
fn a_node_whose_log_blocks_keeps_its_peers_and_its_chain_and_stops() {
    let (_unread, full) = full_pipe();
    let (folder, other) = (tempfile::tempdir().unwrap(), tempfile::tempdir().unwrap());
    let chain = easy_chain(folder.path());
    let log = other.path().join("log");
    let data = |folder: &tempfile::TempDir| folder.path().join("data").to_str().unwrap().to_owned();
    let mut node = Running::logging_to(
        full.into(),
        &["--chain", &chain, "--datadir", &data(&folder), "--log.level", "debug", "--log.file", log.to_str().unwrap()],
    );
    let address = node.call("admin_nodeInfo", json!([]))["addresses"][0].as_str().unwrap().to_owned();
    let miner = Running::start(&["--chain", &chain, "--datadir", &data(&other), "--connect", &address, "--mine"]);
    node.wait_for_height(20);
    assert_eq!(node.call("admin_peers", json!([])).as_array().unwrap().len(), 1);
    drop(miner);
    let began = Instant::now();
    assert_eq!(node.signal(libc::SIGTERM), Some(0));
    assert!(began.elapsed() < Duration::from_secs(30), "{:?}", began.elapsed());
    // The file shares nothing with the pipe.
    let lines = std::fs::read_to_string(&log).unwrap();
    assert!(lines.contains("SIGTERM: stopping") && lines.contains(" stopped "), "{lines}");
}

/// Its reader has gone.
fn broken_pipe() -> PipeWriter {
    pipe().unwrap().1
}

#[test]
fn a_command_that_nobody_hears_ends_with_its_exit_code() {
    for (arguments, code) in [
        (&["status", "--rpc", "http://127.0.0.1:1"][..], 1),
        (&["status", "--rpc", "http://127.0.0.1:1", "--json"], 1),
        (&["--chain", "moon"], 2),
        (&["--chain", "moon", "--log.format", "json"], 2),
        (&["--json", "--nosuch"], 2),
        (&["--http.port", "0", "--datadir", "/dev/null/x", "--log.format", "json", "--log.level", "off"], 1),
        (&["--http.port", "0", "--datadir", "/dev/null/x"], 1),
    ] {
        let output = node(arguments).stderr(broken_pipe()).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}

#[test]
fn a_second_signal_ends_a_node_at_once_whose_log_nobody_hears() {
    let folder = tempfile::tempdir().unwrap();
    let log = folder.path().join("log");
    let mut node = Running::logging_to(broken_pipe().into(), &["--dev", "--log.file", log.to_str().unwrap()]);
    // The node waits for the answers of calls that loop until they have no gas left.
    let burns = "0x00000000000000000000000000000000000000aa";
    let looping = json!([{ "to": burns, "gas": "0x1c9c380" }, "latest", { burns: { "code": "0x5b600056" } }]);
    let stop = json!({ "jsonrpc": "2.0", "id": 1, "method": "admin_stop", "params": [] });
    let call = |id: u32| json!({ "jsonrpc": "2.0", "id": id, "method": "eth_call", "params": looping });
    let batch: Vec<_> = std::iter::once(stop).chain((2..1_000).map(call)).collect();
    let post = ureq::post(&node.url).header("authorization", authorization(&node.url));
    let call = std::thread::spawn(move || post.send_json(&batch).is_ok());
    let deadline = Instant::now() + Duration::from_secs(60);
    while !std::fs::read_to_string(&log).unwrap().contains("admin_stop: stopping") {
        assert!(Instant::now() < deadline, "the node does not stop");
        std::thread::sleep(Duration::from_millis(1));
    }
    assert_eq!(node.signal(libc::SIGTERM), Some(130));
    assert!(!call.join().unwrap(), "the call was not answered");
}
