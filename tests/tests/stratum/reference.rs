//! What the node says, read by the Stratum V2 project's own reader of version 1.

use cairn_tests::TestKey;
use serde_json::json;
use sv1_api::{
    Message,
    server_to_client::{Configure, Notify, SetDifficulty, Subscribe},
};

use super::{client::Miner, node};

#[test]
fn the_reader_of_the_stratum_v2_project_reads_each_line() {
    let (node, port) = node();
    let mut miner = Miner::connect(port.number());
    let user = TestKey::new(1, "ecrn").address();
    for (id, method, params) in [
        (1, "mining.configure", json!([["version-rolling"], {"version-rolling.mask": "1fffe000"}])),
        (2, "mining.subscribe", json!(["reference/1"])),
        (3, "mining.authorize", json!([user, "x"])),
        (4, "mining.submit", json!([user, "ffff", "00000000", "00000000", "00000000"])),
    ] {
        miner.send(format!("{}\n", json!({"id": id, "method": method, "params": params})).as_bytes());
    }
    let (mut answers, mut job, mut difficulty, mut refused) = (Vec::new(), None, None, None);
    while job.is_none() || refused.is_none() {
        let line = miner.line().expect("the node keeps the connection");
        match serde_json::from_value(line.clone()).unwrap_or_else(|error| panic!("{line}: {error}")) {
            Message::OkResponse(response) => answers.push(response),
            Message::ErrorResponse(response) => refused = response.error,
            Message::Notification(told) if told.method == "mining.notify" => job = Notify::try_from(told).ok(),
            Message::Notification(told) => difficulty = SetDifficulty::try_from(told).ok(),
            Message::StandardRequest(request) => panic!("the node asks {request}"),
        }
    }
    assert_eq!(answers.iter().map(|answer| answer.id).collect::<Vec<_>>(), [1, 2, 3]);
    let configured = Configure::try_from(&answers[0]).expect("an answer to mining.configure");
    assert_eq!(configured.version_rolling_mask().map(|mask| mask.0), Some(0x1fff_e000));
    let subscribed = Subscribe::try_from(&answers[1]).expect("an answer to mining.subscribe");
    assert_eq!((subscribed.extra_nonce2_size, subscribed.subscriptions.len()), (4, 2));
    assert!(difficulty.is_some_and(|difficulty| difficulty.value > 0.0 && difficulty.value < 1.0));
    assert_eq!(refused.map(|error| (error.code, error.message)), Some((21, "Job not found".to_owned())));
    let job = job.expect("a job");
    let mut parent = Vec::from(job.prev_hash);
    parent.reverse();
    assert_eq!(node.tip(), hex::encode(parent));
    assert_eq!((job.bits.0, job.version.0 >> 29, job.clean_jobs), (0x1f00_ffff, 1, true));
}
