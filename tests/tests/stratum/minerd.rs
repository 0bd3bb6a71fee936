//! pooler's minerd on a real node: a miner that was not written for this chain. `MINERD` names the program if it is not in `PATH`.

use cairn_tests::{Node, NodeOptions, Port, TestKey, mined_spec, wait_for};
use cairn_vectors::{Needs, skip};
use chain_core::spec::ChainSpec;
use serde_json::json;
use std::{
    fs::File,
    path::Path,
    process::{Child, Command, Stdio},
};

use super::paid;

/// A running minerd, which is killed when it is dropped.
struct Minerd(Child);

impl Minerd {
    /// Starts it, if it is installed; what it says goes to a file.
    fn start(arguments: &[&str], log: &Path) -> Option<Self> {
        let program = std::env::var_os("MINERD").unwrap_or_else(|| "minerd".into());
        let said = File::create(log).expect("a file");
        let mut command = Command::new(program);
        command.args(["-t", "1", "-a", "sha256d"]).args(arguments);
        command.stdin(Stdio::null()).stdout(Stdio::null()).stderr(said);
        match command.spawn() {
            Ok(child) => Some(Self(child)),
            Err(_) => {
                skip(Needs::Minerd);
                None
            }
        }
    }
}

impl Drop for Minerd {
    fn drop(&mut self) {
        // It may have ended by itself, which the test sees.
        let _ = self.0.kill();
        let _ = self.0.wait();
    }
}

/// Blocks of some four million hashes, which take minerd about a second each.
fn spec() -> ChainSpec {
    ChainSpec { genesis_bits: 0x1e03_ffff, half_life: 10_000_000, ..mined_spec() }
}

fn wait_for_height(node: &Node, height: u64, log: &Path) {
    wait_for("blocks of minerd", 180, || {
        let said = std::fs::read_to_string(log).unwrap_or_default();
        for trouble in ["failed", "booooo", "interrupted"] {
            assert!(!said.contains(trouble), "{said}");
        }
        (node.height() >= height).then_some(())
    });
}

#[test]
fn minerd_mines_by_stratum() {
    let port = Port::take();
    let flags = vec!["--stratum.port".to_owned(), port.number().to_string()];
    let node = Node::with(NodeOptions { spec: spec(), flags, file_limit: None });
    let (key, log) = (TestKey::new(1, "ecrn"), node.datadir().join("minerd.log"));
    let (url, user) = (format!("stratum+tcp://127.0.0.1:{}", port.number()), format!("{}.laptop", key.address()));
    let Some(_minerd) = Minerd::start(&["-o", &url, "-u", &user, "-p", "x"], &log) else { return };
    wait_for_height(&node, 3, &log);
    (1..=3).for_each(|height| assert_eq!(paid(&node, height), [key.lock()]));
    let workers = node.rpc.call("miner_getWorkers", json!([]));
    let worker = &workers[0];
    assert_eq!(worker["worker"], "laptop");
    assert!(worker["blocks"].as_u64() >= Some(3) && worker["accepted"].as_u64() >= worker["blocks"].as_u64());
    let refused = worker["rejected"].as_object().expect("reasons");
    assert!(refused.iter().all(|(reason, count)| reason == "stale" || *count == 0), "{worker}");
}

#[test]
fn minerd_mines_by_getblocktemplate() {
    let key = TestKey::new(1, "ecrn");
    let flags = vec!["--miner.address".to_owned(), key.address()];
    let node = Node::with(NodeOptions { spec: spec(), flags, file_limit: None });
    let log = node.datadir().join("minerd.log");
    let Some(_minerd) = Minerd::start(&["-o", &node.rpc.url], &log) else { return };
    wait_for_height(&node, 3, &log);
    (1..=3).for_each(|height| assert_eq!(paid(&node, height), [key.lock()]));
    let found = node.rpc.call("miner_status", json!([]))["found"]["getblocktemplate"].as_u64();
    assert!(found >= Some(3));
}
