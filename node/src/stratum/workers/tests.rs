use super::*;
use serde_json::{Value, json};

fn name(number: usize) -> WorkerName {
    WorkerName { address: "lcrn1x".to_owned(), name: format!("rig{number}") }
}

/// One worker that had three shares, one refused, and found a block.
fn worked(workers: &Workers) {
    workers.connected(&name(1), "bitaxe/BM1370", "0000002a", 1_000);
    workers.set_difficulty(&name(1), 2.0);
    workers.accepted(&name(1), 2.0, 5.5, 1_060);
    workers.accepted(&name(1), 2.0, 3.0, 1_066);
    workers.accepted(&name(1), 2.0, 2.0, 1_072);
    workers.rejected(&name(1), Reject::Stale, 1_080);
    workers.found(&name(1), 7, "00ff".to_owned(), 1_080);
}

#[test]
fn a_worker_is_counted() {
    let workers = Workers::load(None, 900);
    worked(&workers);
    let list = workers.list(1_080);
    let worker = &list[0];
    assert_eq!(worker["difficulty"], 2.0);
    assert_eq!((worker["bestShare"].as_f64(), worker["bestShareOfSession"].as_f64()), (Some(5.5), Some(5.5)));
    assert_eq!((&worker["accepted"], &worker["rejected"]["stale"]), (&json!(3), &json!(1)));
    assert_eq!(worker["staleRate"], 0.25);
    assert_eq!((&worker["blocks"], &worker["lastSeen"], &worker["sessions"]), (&json!(1), &json!(1_080), &json!(1)));
    assert!(worker["hashrate"].as_f64().unwrap() > 0.0);
    let sums = workers.sums(1_080);
    assert_eq!(
        (&sums["workers"], &sums["lastBlocks"][0]["height"], &sums["since"]),
        (&json!(1), &json!(7), &json!(900))
    );
    workers.disconnected(&name(1));
    assert_eq!(workers.list(1_090)[0]["sessions"], 0);
    assert_eq!(workers.list(1_090)[0]["hashrate"], 0.0);
}

#[test]
fn feeds_have_the_shape_of_public_pool() {
    let workers = Workers::load(None, 0);
    worked(&workers);
    let info = workers.feed("/api/info", 1_080).unwrap();
    let block = json!([{"height": 7, "minerAddress": "lcrn1x", "worker": "rig1", "sessionId": "0000002a"}]);
    assert_eq!(info["blockData"], block);
    assert_eq!(
        (&info["userAgents"][0]["userAgent"], &info["userAgents"][0]["count"]),
        (&json!("bitaxe/BM1370"), &json!("1"))
    );
    assert_eq!(info["highScores"][0]["bestDifficulty"], 5.5);
    assert_eq!(info["uptime"], "1970-01-01T00:00:00.000Z");
    let client = workers.feed("/api/client/lcrn1x", 1_080).unwrap();
    assert_eq!((&client["bestDifficulty"], &client["workersCount"]), (&json!(5.5), &json!(1)));
    let worker = &client["workers"][0];
    assert_eq!(
        (&worker["sessionId"], &worker["name"], &worker["bestDifficulty"]),
        (&json!("0000002a"), &json!("rig1"), &json!("5.50"))
    );
    assert_eq!(worker["lastSeen"], "1970-01-01T00:18:00.000Z");
    assert_eq!(workers.feed("/api/client/LCRN1X", 1_080).unwrap(), client, "as QR codes have addresses");
    assert_eq!([0.0, 0.00349, 1e-10, 12.345].map(super::feed::show), ["0.00", "0.00349", "0.000000000100", "12.35"]);
    assert_eq!(workers.feed("/api/client/other", 0).unwrap()["workersCount"], 0);
    for unknown in ["/", "/api", "/api/", "/api/pool", "/info"] {
        assert_eq!(workers.feed(unknown, 0), None, "{unknown}");
    }
}

#[test]
fn what_was_counted_is_there_after_a_restart() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workers.json");
    let workers = Workers::load(Some(file.clone()), 0);
    workers.save().unwrap();
    assert!(!file.exists(), "nothing was counted");
    worked(&workers);
    workers.save().unwrap();
    let again = Workers::load(Some(file.clone()), 2_000);
    let kept = |list: &Value| ["accepted", "rejected", "bestShare", "blocks", "agent"].map(|key| list[0][key].clone());
    assert_eq!(kept(&again.list(2_000)), kept(&workers.list(2_000)));
    assert_eq!(
        (&again.list(2_000)[0]["sessions"], &again.list(2_000)[0]["bestShareOfSession"]),
        (&json!(0), &json!(0.0))
    );
    assert_eq!(again.sums(2_000)["lastBlocks"], workers.sums(2_000)["lastBlocks"]);
    // Of a version that knows other reasons.
    let text = std::fs::read_to_string(&file).unwrap();
    std::fs::write(&file, text.replace("\"duplicate\"", "\"unlucky\"")).unwrap();
    assert_eq!(kept(&Workers::load(Some(file.clone()), 0).list(2_000)), kept(&workers.list(2_000)));
    std::fs::write(&file, "{\"workers\":[[").unwrap();
    assert_eq!(Workers::load(Some(file), 0).list(0), json!([]));
}

#[test]
fn names_are_bounded_and_those_that_left_longest_ago_make_room() {
    let workers = Workers::load(None, 0);
    for number in 0..MOST {
        workers.connected(&name(number), "", "", number as u64);
    }
    workers.connected(&name(MOST), "", "", 5_000);
    assert_eq!(workers.state.lock().workers.len(), MOST, "nobody left");
    workers.rejected(&name(MOST), Reject::Stale, 5_000);
    workers.disconnected(&name(2));
    workers.disconnected(&name(1));
    workers.connected(&name(MOST), "", "", 5_000);
    let state = workers.state.lock();
    assert!(state.workers.len() == MOST && !state.workers.contains_key(&name(1)));
    assert!(state.workers.contains_key(&name(2)) && state.workers.contains_key(&name(MOST)));
}

#[test]
fn names_that_cost_nothing_displace_no_worker_that_works() {
    let workers = Workers::load(None, 0);
    worked(&workers);
    workers.disconnected(&name(1));
    for number in 2..2 * MOST {
        workers.connected(&name(number), "", "", 2_000);
    }
    assert!(workers.state.lock().workers.contains_key(&name(1)), "it left, but it had found a block");
    // And one that finds no room is counted from its first share on.
    let late = name(3 * MOST);
    workers.connected(&late, "", "", 3_000);
    assert!(!workers.state.lock().workers.contains_key(&late));
    workers.accepted(&late, 2.0, 3.0, 3_001);
    let state = workers.state.lock();
    let counted = &state.workers[&late];
    assert_eq!((counted.accepted, counted.now.sessions, counted.now.difficulty), (1, 1, 2.0));
    assert!(state.workers.len() == MOST && state.workers.contains_key(&name(1)));
}

#[test]
fn a_file_of_the_largest_numbers_does_no_harm() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("workers.json");
    let (most, rejected) = (u64::MAX, json!({"stale": u64::MAX, "duplicate": u64::MAX}));
    let worker = |number| {
        json!([name(number), {"agent": "", "first_seen": most, "last_seen": most, "accepted": most, "rejected": rejected,
            "best": 1.0, "blocks": most}])
    };
    let found = json!({"height": u32::MAX, "hash": "", "worker": name(1), "session": "", "time": most});
    let state = json!({"workers": (0..MOST + 5).map(worker).collect::<Vec<_>>(), "blocks": vec![found; BLOCKS + 5]});
    std::fs::write(&file, state.to_string()).unwrap();
    let workers = Workers::load(Some(file), 0);
    workers.connected(&name(1), "", "", 1);
    workers.accepted(&name(1), 1.0, 1.0, 1);
    workers.rejected(&name(1), Reject::Stale, 1);
    workers.found(&name(1), 1, String::new(), 1);
    assert_eq!(workers.list(1).as_array().unwrap().len(), MOST);
    assert!(workers.sums(1)["accepted"].as_u64().unwrap() > MOST_COUNTED);
    assert!(workers.feed("/api/info", 1).is_some() && workers.feed("/api/client/lcrn1x", 1).is_some());
}

#[test]
fn a_worker_of_two_connections_that_found_no_room_is_there_while_one_of_them_mines() {
    let workers = Workers::load(None, 0);
    (0..MOST).for_each(|number| workers.connected(&name(number), "", "", 1));
    let late = name(MOST);
    workers.connected(&late, "", "", 2);
    workers.connected(&late, "", "", 3);
    let sessions = |now| {
        let list = workers.list(now);
        list.as_array().unwrap().iter().find(|one| one["worker"] == late.name).map(|one| one["sessions"].clone())
    };
    workers.accepted(&late, 1.0, 1.0, 4);
    workers.disconnected(&late);
    workers.accepted(&late, 1.0, 1.0, 5);
    assert_eq!(sessions(5), Some(json!(1)));
}

#[test]
fn of_a_file_with_too_many_blocks_the_newest_are_kept() {
    let workers = Workers::load(None, 0);
    (0..2).for_each(|height| workers.found(&name(1), height, String::new(), 0));
    let mut state = std::mem::take(&mut *workers.state.lock());
    let first = state.blocks[0].clone();
    (0..BLOCKS).for_each(|_| state.blocks.push_front(first.clone()));
    let blocks = state.bounded().blocks;
    assert_eq!((blocks.len(), blocks.back().map(|found| found.height)), (BLOCKS, Some(1)));
}
