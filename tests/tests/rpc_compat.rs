//! Ethereum's cases of the JSON-RPC (execution-apis) against a real node.

use cairn_tests::binary;
use std::process::Command;

/// Cases that must pass, of 157.
const LEAST: u32 = 130;

#[test]
fn the_cases_of_execution_apis_pass() {
    if cairn_vectors::read("execution-apis.tar.zst").is_none() {
        return;
    }
    let output = Command::new(binary("rpc-compat")).arg(cairn_vectors::folder()).output();
    let output = String::from_utf8(output.expect("the runner can be run").stdout).expect("it prints text");
    let passed = output.lines().next_back().and_then(|line| line.split_once(" passed")?.0.parse::<u32>().ok());
    assert!(passed.is_some_and(|passed| passed >= LEAST), "{output}");
}
