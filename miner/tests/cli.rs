//! `cairn-miner` as programs start it.
#![allow(clippy::unwrap_used, reason = "tests")]

use std::process::{Command, Output, Stdio};

use serde_json::{Value, json};

fn run(arguments: &[&str]) -> Output {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-miner"));
    command.args(arguments).env_clear().stdin(Stdio::null()).output().unwrap()
}

fn error(arguments: &[&str]) -> (Option<i32>, Value) {
    let output = run(arguments);
    assert!(output.stdout.is_empty());
    (output.status.code(), serde_json::from_slice(&output.stderr).unwrap())
}

#[test]
fn errors_are_json_where_json_is_asked_for() {
    let said = |code: i32, message: &str| (Some(code), json!({ "error": { "code": code, "message": message } }));
    assert_eq!(error(&["--json", "--nosuch"]), said(2, "unexpected argument '--nosuch' found"));
    let threads = "invalid value '0' for '--threads <N>': 0 is not in 1..=1024";
    assert_eq!(error(&["--threads", "0", "--json"]), said(2, threads));
    let (code, said) = error(&["--json", "--rpc", "https://elsewhere"]);
    assert_eq!((code, &said["error"]["code"]), (Some(1), &json!(1)));
    let text = run(&["--nosuch"]);
    assert_eq!(text.status.code(), Some(2));
    assert!(text.stderr.starts_with(b"error: unexpected argument '--nosuch' found"));
    let url = run(&["--rpc", "https://elsewhere"]);
    let says = "error: 'https://elsewhere' is not the address of a node; write it like http://127.0.0.1:8545\n";
    assert_eq!((url.status.code(), String::from_utf8(url.stderr).unwrap()), (Some(1), says.to_owned()));
    let version = run(&["--json", "--version"]);
    assert!(version.status.success());
    assert_eq!(version.stdout, format!("cairn-miner {}\n", cairn_client::VERSION).as_bytes());
}

#[test]
fn an_error_that_nobody_hears_has_its_exit_code() {
    for (arguments, code) in [(&["--rpc", "x"][..], 1), (&["--json", "--rpc", "x"], 1), (&["--json", "--nosuch"], 2)] {
        // Its reader has gone.
        let (_, log) = std::io::pipe().unwrap();
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-miner"));
        let output = command.args(arguments).env_clear().stdin(Stdio::null()).stderr(log).output().unwrap();
        assert_eq!(output.status.code(), Some(code), "{arguments:?}");
    }
}
