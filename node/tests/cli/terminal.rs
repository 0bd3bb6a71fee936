//! What a node prints on a terminal.

use serde_json::json;
use std::{
    io::{BufRead, BufReader},
    process::{Command, Stdio},
};

use crate::{HOME, authorization, typed};

/// What a node prints on a terminal, made by `script`, until `admin_stop`.
fn on_a_terminal(variables: &[(&str, &str)]) -> String {
    let command = format!("exec {} --dev --http.port 0", typed("cairn-node"));
    let mut script = Command::new("script");
    script.args(["-qec", &command, "/dev/null"]).env_remove("NO_COLOR").env("TERM", "xterm").env("HOME", HOME);
    script.envs(variables.iter().copied()).stdin(Stdio::null()).stdout(Stdio::piped());
    let mut child = script.spawn().expect("util-linux has script");
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        if line.contains("  RPC ") {
            let url = line.split_whitespace().nth(1).unwrap();
            let request = json!({ "jsonrpc": "2.0", "id": 1, "method": "admin_stop", "params": [] });
            ureq::post(url).header("authorization", authorization(url)).send_json(&request).unwrap();
        }
        said += &line;
    }
    child.wait().unwrap();
    said
}

#[test]
fn colours_are_left_out_where_the_user_or_the_terminal_says_so() {
    let colours = on_a_terminal(&[]);
    assert!(colours.contains("stopping") && colours.contains("\u{1b}["), "{colours:?}");
    for variable in [("NO_COLOR", "1"), ("TERM", "dumb")] {
        let plain = on_a_terminal(&[variable]);
        assert!(plain.contains("stopping") && !plain.contains("\u{1b}["), "{plain:?}");
    }
}
