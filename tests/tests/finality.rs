//! Finality on real processes: four members, one of which is killed.

use cairn_tests::{Node, TestKey, agree, binary, connect_all, cut, heal, members, wait_for};
use serde_json::{Value, json};
use std::{collections::BTreeMap, path::Path, process::Command, thread::sleep, time::Duration};

const NOBODY: &str = "0x0000000000000000000000000000000000000000";

/// Runs `cairn-node member`; its output as JSON, or what it printed to standard error.
fn member(arguments: &[&str], datadir: &Path) -> Result<Value, String> {
    let mut command = Command::new(binary("cairn-node"));
    command.arg("member").args(arguments).arg("--json").arg("--datadir").arg(datadir);
    let output = command.output().expect("cairn-node runs");
    match output.status.success() {
        true => Ok(serde_json::from_slice(&output.stdout).expect("JSON")),
        false => Err(String::from_utf8_lossy(&output.stderr).into_owned()),
    }
}

fn mine(node: &Node, blocks: u32) {
    node.mine(blocks, &TestKey::new(1, "ecrn").address(), NOBODY);
}

fn finality(node: &Node) -> Value {
    node.rpc.call("chain_getFinality", json!([]))
}

fn final_height(node: &Node) -> u64 {
    finality(node)["finalized"]["height"].as_u64().expect("a number")
}

fn wait_for_final(nodes: &[Node], height: u64) {
    let all = || nodes.iter().all(|node| final_height(node) == height).then_some(());
    wait_for(&format!("height {height} to be final"), 90, all);
}

#[test]
fn four_members_finalize_and_go_on_when_one_is_killed() {
    let mut nodes = members(1_000, &[], &[]);
    connect_all(&nodes);
    mine(&nodes[0], 8);
    wait_for_final(&nodes, 5);
    let told = finality(&nodes[3]);
    assert_eq!(told["member"], 3);
    assert_eq!(told["members"].as_array().map(Vec::len), Some(4));
    assert_eq!(told["certificate"]["signatures"].as_array().map(Vec::len), Some(3));
    let block = nodes[0].rpc.call("eth_getBlockByNumber", json!(["finalized", false]));
    assert_eq!(block["number"], "0x5");
    // Three of four are enough, under any leader.
    nodes[2].kill();
    let mut killed = nodes.remove(2);
    mine(&nodes[0], 10);
    wait_for_final(&nodes, 15);
    killed.restart();
    nodes.push(killed);
    for index in 0..3 {
        nodes[3].connect(&nodes[index]);
    }
    wait_for_final(&nodes, 15);
    mine(&nodes[3], 5);
    wait_for_final(&nodes, 20);
    // All at once, and again.
    for node in &mut nodes {
        node.kill();
    }
    for node in &mut nodes {
        node.restart();
    }
    nodes.iter().for_each(|node| assert_eq!(final_height(node), 20));
    connect_all(&nodes);
    mine(&nodes[1], 5);
    wait_for_final(&nodes, 25);
    for node in &nodes {
        let told = finality(node);
        assert_eq!((&told["evidence"], &told["alarm"]), (&json!([]), &Value::Null));
        assert_eq!(node.rpc.call("admin_bans", json!([])), json!([]), "honest nodes ban nobody");
    }
}

// FIN-3
#[test]
fn members_that_are_killed_while_they_vote_never_finalize_two_blocks() {
    let mut nodes = members(1_000, &[], &[]);
    connect_all(&nodes);
    let mut known: BTreeMap<u64, Value> = BTreeMap::new();
    for round in 0..12 {
        mine(&nodes[0], 5);
        // At once, and later and later into the votes for the checkpoint below.
        sleep(Duration::from_millis(round * 25));
        // The miner is never killed; two at a time leave too few to go on.
        let (one, two) = (1 + round as usize % 3, 1 + (round as usize + 1) % 3);
        let killed = if round % 4 == 3 { vec![one, two] } else { vec![one] };
        killed.iter().for_each(|index| nodes[*index].kill());
        killed.iter().for_each(|index| nodes[*index].restart());
        for index in killed {
            (0..4).filter(|other| *other != index).for_each(|other| nodes[index].connect(&nodes[other]));
        }
        for node in &nodes {
            let told = finality(node)["finalized"].clone();
            let height = told["height"].as_u64().expect("a number");
            let first = known.entry(height).or_insert_with(|| told.clone());
            assert_eq!(*first, told, "round {round}");
        }
    }
    mine(&nodes[0], 2);
    wait_for_final(&nodes, 60);
    assert!(known.len() > 3, "{known:?}");
    for node in &nodes {
        let told = finality(node);
        assert_eq!((&told["evidence"], &told["alarm"]), (&json!([]), &Value::Null));
        for finalized in known.values() {
            assert_eq!(node.rpc.call("chain_getBlockHash", json!([finalized["height"]])), finalized["hash"]);
        }
    }
}

/// Four members: three finalize block 5 while the fourth, cut off, has the longer chain of its own. They meet again.
fn branched(window: u32) -> Vec<Node> {
    let nodes = members(window, &[], &[]);
    connect_all(&nodes);
    mine(&nodes[0], 3);
    agree(&nodes, 30);
    let (three, one) = (nodes.iter().take(3).collect::<Vec<_>>(), [&nodes[3]]);
    cut(&three, &one);
    mine(&nodes[0], 6);
    wait_for("three members to finalize", 60, || (final_height(&nodes[1]) == 5).then_some(()));
    mine(&nodes[3], 20);
    assert_eq!((nodes[3].height(), final_height(&nodes[3])), (23, 0));
    heal(&three, &one);
    nodes
}

#[test]
fn a_longer_branch_does_not_take_back_what_is_final() {
    let nodes = branched(1_000);
    assert_eq!(agree(&nodes, 60), 9, "the fourth gives its branch up");
    wait_for_final(&nodes, 5);
}

#[test]
fn a_certificate_beyond_the_window_is_followed_only_when_the_operator_says_so() {
    let nodes = branched(10);
    let refused = wait_for("a refusal", 60, || finality(&nodes[3])["refused"]["hash"].as_str().map(str::to_owned));
    assert_eq!((nodes[3].height(), final_height(&nodes[3])), (23, 0));
    let accept = |block: &str| {
        let mut command = Command::new(binary("cairn-node"));
        command.args(["accept-certificate", block, "--json", "--rpc", &nodes[3].rpc.url]);
        command.env("HOME", nodes[3].folder.path());
        command.output().expect("cairn-node runs")
    };
    let other = accept(&"0".repeat(64));
    assert!(String::from_utf8_lossy(&other.stderr).contains("no certificate for block 0000"), "{other:?}");
    let accepted = accept(&refused);
    assert!(accepted.status.success(), "{accepted:?}");
    assert_eq!(agree(&nodes, 60), 9);
    wait_for_final(&nodes, 5);
    assert_eq!(finality(&nodes[3])["alarm"], Value::Null);
}

/// Damages all logs of a node's database.
fn damage_logs(node: &Node) {
    for file in std::fs::read_dir(node.datadir().join("db")).expect("the database is a directory") {
        let path = file.expect("it can be listed").path();
        if path.extension().is_some_and(|extension| extension == "log") {
            let bytes = std::fs::read(&path).expect("it can be read");
            std::fs::write(&path, &bytes[..bytes.len() / 3]).expect("it can be written");
        }
    }
}

/// Runs a command of the node on its data.
fn on_data(node: &Node, arguments: &[&str]) -> std::process::Output {
    let mut command = Command::new(binary("cairn-node"));
    command.args(arguments).arg("--chain").arg(node.chain_file()).arg("--datadir").arg(node.datadir());
    command.output().expect("cairn-node runs")
}

// FIN-3
#[test]
fn a_member_whose_database_is_damaged_or_lost_votes_on_and_one_without_its_record_does_not() {
    let mut nodes = members(1_000, &[], &[]);
    connect_all(&nodes);
    mine(&nodes[0], 8);
    wait_for_final(&nodes, 5);
    // From now on the fourth is needed.
    nodes[0].kill();
    let mut three = nodes.split_off(1);
    let rejoin = |three: &mut [Node]| {
        three[2].restart();
        three[2].connect(&three[0]);
        three[2].connect(&three[1]);
    };
    three[2].kill();
    damage_logs(&three[2]);
    rejoin(&mut three);
    mine(&three[0], 5);
    wait_for_final(&three, 10);
    // The database is gone, with the certificates.
    three[2].kill();
    std::fs::remove_dir_all(three[2].datadir().join("db")).expect("it can be removed");
    rejoin(&mut three);
    wait_for_final(&three, 10);
    mine(&three[0], 5);
    wait_for_final(&three, 15);

    assert!(three[2].stop());
    let votes = three[2].datadir().join("member.votes");
    std::fs::write(&votes, "").expect("it can be written");
    for command in ["run", "reindex"] {
        let refused = on_data(&three[2], &[command]);
        let said = String::from_utf8_lossy(&refused.stderr).into_owned();
        assert!(!refused.status.success() && said.contains("cannot be used: it is damaged"), "{said}");
        assert!(said.contains("member resume HEIGHT --chain ") && said.contains("at least 15 blocks above"), "{said}");
        assert!(said.contains("only if 3 of the other 3 members vote"), "{said}");
    }
    let shown = on_data(&three[2], &["member"]);
    assert!(String::from_utf8_lossy(&shown.stdout).contains("votes  not possible"), "{shown:?}");
    let odd = on_data(&three[2], &["member", "resume", "31"]);
    assert!(String::from_utf8_lossy(&odd.stderr).contains("a multiple of 5"), "{odd:?}");
    // The first member is down: a height ahead would never come. Nothing was signed of the next one.
    for height in ["30", "20"] {
        let resumed = on_data(&three[2], &["member", "resume", height]);
        let said = String::from_utf8_lossy(&resumed.stdout).into_owned();
        assert!(said.contains(&format!("from height {height} on")) && said.contains("3 of the other 3"), "{resumed:?}");
    }
    rejoin(&mut three);
    mine(&three[0], 5);
    wait_for_final(&three, 20);
    assert_eq!(finality(&three[2])["silentBelow"], Value::Null);
    for node in &three {
        let told = finality(node);
        assert_eq!((&told["evidence"], &told["alarm"]), (&json!([]), &Value::Null));
    }
    assert!(three[2].stop());
    let whole = on_data(&three[2], &["member", "resume", "40"]);
    assert!(String::from_utf8_lossy(&whole.stderr).contains("signed votes up to height 20"), "{whole:?}");
    // A link is not followed, and no height can help.
    std::fs::rename(&votes, votes.with_extension("old")).expect("it can be moved");
    std::os::unix::fs::symlink(votes.with_extension("old"), &votes).expect("a link can be made");
    let link = on_data(&three[2], &["run"]);
    let said = String::from_utf8_lossy(&link.stderr).into_owned();
    assert!(said.contains("cannot be used") && !said.contains("member resume"), "{said}");
}

// FIN-3
#[test]
fn members_that_all_lost_the_certificates_say_so_and_vote_again_once_their_votes_are_forgotten() {
    let mut nodes = members(1_000, &[], &[]);
    connect_all(&nodes);
    for (blocks, height) in [(8, 5), (5, 10)] {
        mine(&nodes[0], blocks);
        wait_for_final(&nodes, height);
    }
    for node in &mut nodes {
        node.kill();
        std::fs::remove_dir_all(node.datadir().join("db")).expect("it can be removed");
    }
    nodes.iter_mut().for_each(Node::restart);
    connect_all(&nodes);
    mine(&nodes[0], 8);
    agree(&nodes, 60);
    for node in &nodes {
        let told = finality(node);
        assert_eq!((&told["silentBelow"], &told["finalized"]["height"]), (&json!(10), &json!(0)), "{told}");
    }
    let status = Command::new(binary("cairn-node")).args(["status", "--rpc", &nodes[0].rpc.url]).output();
    let said = String::from_utf8_lossy(&status.expect("cairn-node runs").stdout).into_owned();
    assert!(said.contains("this node is member 0 of 4, silent below height 10"), "{said}");
    nodes.iter_mut().for_each(Node::kill);
    let whole = on_data(&nodes[0], &["member", "resume", "5"]);
    assert!(String::from_utf8_lossy(&whole.stderr).contains("--forget-votes"), "{whole:?}");
    for node in &nodes {
        let resumed = on_data(node, &["member", "resume", "5", "--forget-votes"]);
        assert!(String::from_utf8_lossy(&resumed.stdout).contains("from height 5 on"), "{resumed:?}");
    }
    nodes.iter_mut().for_each(Node::restart);
    connect_all(&nodes);
    wait_for_final(&nodes, 5);
}

#[test]
fn a_member_makes_one_key_and_shows_it() {
    let folder = tempfile::tempdir().expect("a temporary directory can be made");
    let datadir = folder.path().join("data");
    let missing = member(&[], &datadir).expect_err("there is no key");
    assert!(missing.contains("member.key does not exist"), "{missing}");
    let made = member(&["new"], &datadir).expect("a key is made");
    assert_eq!(made["key"].as_str().map(str::len), Some(64));
    assert_eq!(made["votes"], "none yet");
    assert_eq!(member(&[], &datadir), Ok(made));
    let again = member(&["new"], &datadir).expect_err("there is a key");
    assert!(again.contains("a member keeps its key"), "{again}");
    // A key that came without its record.
    std::fs::remove_file(datadir.join("member.votes")).expect("it is there");
    let shown = member(&[], &datadir).expect("the key is there");
    let votes = shown["votes"].as_str().expect("a text");
    assert!(votes.starts_with("not possible: ") && votes.ends_with("it does not exist"), "{votes}");
}
