//! What a node prints when it is up.

use std::{
    io::{BufRead, BufReader},
    process::Stdio,
};

use super::{easy_chain, node};

/// What a node prints up to and with a line that holds a text.
fn banner(arguments: &[&str], until: &str) -> String {
    let apart = ["--http.port", "0", "--port", "0", "--listen", "127.0.0.1", "--no-discovery"];
    let mut child = node(arguments).args(apart).stdout(Stdio::piped()).stderr(Stdio::null()).spawn().unwrap();
    let mut said = String::new();
    for line in BufReader::new(child.stdout.take().unwrap()).lines().map_while(Result::ok) {
        said += &format!("{line}\n");
        if line.contains(until) {
            break;
        }
    }
    child.kill().unwrap();
    child.wait().unwrap();
    said
}

#[test]
fn a_node_says_how_another_on_this_machine_joins_it() {
    let folder = tempfile::tempdir().unwrap();
    let chain = easy_chain(folder.path());
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let said = banner(&["--chain", &chain, "--datadir", &data], "--connect ");
    let word = |after: &str| said.split(after).nth(1).unwrap().split_whitespace().next().unwrap().to_owned();
    let own = [
        word("  RPC ").rsplit(':').next().unwrap().to_owned(),
        word("/ip4/127.0.0.1/tcp/").split('/').next().unwrap().to_owned(),
    ];
    let other = [word("--http.port "), word(" --port ")];
    for port in &other {
        assert!(port.parse::<u16>().unwrap() > 0 && !own.contains(port), "{own:?}: {said}");
    }
    assert_ne!(other[0], other[1], "{said}");
    let hint = format!("    {} --chain {chain} --datadir DIR ", crate::typed("cairn-node"));
    assert!(said.contains(&hint), "{said}");
}

#[test]
fn a_node_that_looks_for_peers_before_it_mines_says_so() {
    let folder = tempfile::tempdir().unwrap();
    let data = folder.path().join("data").to_str().unwrap().to_owned();
    let address = chain_core::address::encode("tcrn", &chain_core::transaction::coin::Lock::Policy([3; 32]));
    let flags = ["--chain", "test", "--datadir", &data, "--mine", "--miner.threads", "1", "--miner.address", &address];
    let said = banner(&flags, "  mining ");
    let expected = "  mining    not yet: it looks for peers and their blocks first; then on 1 thread, pays to tcrn1";
    assert!(said.contains(expected), "{said}");
}
