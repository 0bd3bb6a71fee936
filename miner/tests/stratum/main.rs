//! `cairn-miner` and a stratum server on loopback.
#![allow(clippy::unwrap_used, reason = "tests")]

mod server;
mod tls;

use std::{
    collections::HashSet,
    io::ErrorKind,
    net::TcpListener,
    process::{Child, Command, Output, Stdio},
    thread,
    time::{Duration, Instant},
};

use serde_json::{Value, json};
use server::{Connection, Job, MASK, listen, sha256d};

/// Difficulty of [`Job::easy`].
const EASY: f64 = 1.0 / 1_048_576.0;

/// Starts a miner for servers.
fn mine(urls: &[&str], more: &[&str]) -> Child {
    command(urls, more).spawn().unwrap()
}

/// The same, not yet started.
fn command(urls: &[&str], more: &[&str]) -> Command {
    let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-miner"));
    command.args(["--json", "--threads", "1", "--user", "crn1me", "--worker", "rig"]).args(more);
    urls.iter().for_each(|url| _ = command.args(["--stratum", url]));
    command.env_clear().stdin(Stdio::null()).stdout(Stdio::piped()).stderr(Stdio::piped());
    command
}

/// Waits for the end of a miner; its notes.
fn notes(miner: Child) -> (Output, Vec<Value>) {
    let output = miner.wait_with_output().unwrap();
    let text = String::from_utf8(output.stdout.clone()).unwrap();
    let notes = text.lines().map(|line| serde_json::from_str(line).unwrap()).collect();
    (output, notes)
}

fn of<'a>(notes: &'a [Value], event: &str) -> Vec<&'a Value> {
    notes.iter().filter(|note| note["event"] == event).collect()
}

/// Gives one miner an easy job, and accepts so many shares, each of which it checks byte by byte.
fn serve(connection: &mut Connection, job: &Job, shares: usize) {
    connection.welcome(job);
    connection.set_difficulty(EASY);
    connection.notify(job, true);
    for _ in 0..shares {
        let share = connection.share();
        job.check(share["params"].as_array().unwrap(), MASK).unwrap();
        connection.answer(&share, &json!(true));
    }
}

/// The same until the miner goes.
fn serve_all(connection: &mut Connection, job: &Job) {
    serve(connection, job, 1);
    while let Some(request) = connection.receive() {
        // The miner may have ended.
        connection.write(format!("{}\n", json!({ "id": request["id"], "result": true, "error": null })).as_bytes());
    }
}

#[test]
fn shares_are_right_byte_by_byte() {
    let (listener, url) = listen();
    let miner = mine(&[&url], &["--blocks", "3"]);
    let job = Job::easy("6a");
    let mut connection = Connection::accept(&listener);
    let asked = connection.welcome(&job);
    let settings = json!({ "version-rolling.mask": "1fffffe0", "version-rolling.min-bit-count": 2 });
    assert_eq!(asked[0], json!(["mining.configure", [["version-rolling"], settings]]));
    assert_eq!(asked[1][0], "mining.subscribe");
    assert!(asked[1][1][0].as_str().unwrap().starts_with("cairn-miner/"));
    assert_eq!(asked[2], json!(["mining.authorize", ["crn1me.rig", "x"]]));
    connection.set_difficulty(EASY);
    connection.notify(&job, true);
    let mut hashes = Vec::new();
    for _ in 0..3 {
        let share = connection.share();
        assert_eq!(share["params"][0], "crn1me.rig");
        let header = job.check(share["params"].as_array().unwrap(), MASK).unwrap();
        let mut hash = sha256d(&header);
        hash.reverse();
        hashes.push(hex::encode(hash));
        connection.answer(&share, &json!(true));
    }
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let shares = of(&notes, "share");
    assert!(
        shares.iter().all(|share| share["accepted"] == true && share["block"] == true && share["height"] == 300_000)
    );
    assert_eq!(shares.iter().map(|share| share["hash"].as_str().unwrap()).collect::<Vec<_>>(), hashes);
    hashes.sort();
    hashes.dedup();
    assert_eq!(hashes.len(), 3, "no share is sent twice");
    assert_eq!(of(&notes, "ended")[0]["blocks"], 3);
}

#[test]
fn follows_what_the_server_changes() {
    let (listener, url) = listen();
    let mut miner = mine(&[&url], &[]);
    let first = Job::easy("1");
    let mut connection = Connection::accept(&listener);
    serve(&mut connection, &first, 1);
    // A redirection elsewhere, a text and questions do not end the session.
    connection.send(&json!({ "id": null, "method": "client.reconnect", "params": ["evil.example", 1, 0] }));
    connection.send(&json!({ "id": null, "method": "client.show_message", "params": ["be\u{1b}[31mware"] }));
    connection.send(&json!({ "id": 77, "method": "client.get_version", "params": [] }));
    connection.send(&json!({ "id": 78, "method": "mining.ping", "params": [] }));
    connection.send(&json!({ "id": 79, "method": "mining.sing", "params": [] }));
    let mut answers = Vec::new();
    while answers.len() < 3 {
        let line = connection.receive().unwrap();
        match line["method"].as_str() {
            None => answers.push(line),
            Some(_) => connection.refuse(&line, 23, "Difficulty too low"),
        }
    }
    assert!(answers[0]["id"] == 77 && answers[0]["result"].as_str().unwrap().starts_with("cairn-miner/"));
    assert_eq!((&answers[1]["id"], &answers[1]["result"]), (&json!(78), &json!("pong")));
    assert_eq!((&answers[2]["id"], &answers[2]["error"][1]), (&json!(79), &json!("unknown method")));
    // Another extranonce and no version bits, from the next job on; other jobs are worth nothing.
    let mut second = Job { extranonce1: vec![7; 8], extranonce2_size: 2, branch: Vec::new(), ..Job::easy("2") };
    connection.send(&json!({ "id": null, "method": "mining.set_extranonce", "params": ["07".repeat(8), 2] }));
    connection.send(&json!({ "id": null, "method": "mining.set_version_mask", "params": ["00000000"] }));
    connection.notify(&second, true);
    let mut share = connection.share();
    while share["params"][1] == "1" {
        connection.refuse(&share, 21, "Job not found");
        share = connection.share();
    }
    assert_eq!(share["params"].as_array().unwrap().len(), 5, "no version bits");
    second.check(share["params"].as_array().unwrap(), 0).unwrap();
    connection.answer(&share, &json!(true));
    // A higher difficulty holds at once for the same job: after what is on its way, each share has it.
    connection.set_difficulty(EASY * 16.0);
    thread::sleep(Duration::from_millis(300));
    (second.target[1], second.target[2], second.target[3]) = (0x00, 0xff, 0xff);
    let hard = |share: &Value| second.check(share["params"].as_array().unwrap(), 0).is_ok();
    let mut last = 0;
    for sent in 0..10_000 {
        let share = connection.share();
        connection.answer(&share, &json!(true));
        last = if hard(&share) { last + 1 } else { 0 };
        if last == 8 {
            break;
        }
        assert!(sent < 9_000);
    }
    miner.kill().unwrap();
    let (_, notes) = notes(miner);
    let texts: Vec<_> = of(&notes, "message").iter().map(|note| note["text"].clone()).collect();
    assert_eq!(
        texts,
        [json!("it asks to connect to evil.example:1 instead, which is not followed"), json!("be[31mware")]
    );
}

#[test]
fn a_server_that_goes_is_left_for_the_next() {
    let ((first, one), (second, two)) = (listen(), listen());
    let miner = mine(&[&one, &two], &["--blocks", "3"]);
    let mut connection = Connection::accept(&first);
    serve(&mut connection, &Job::easy("1"), 1);
    drop(connection);
    let gone = Instant::now();
    let mut connection = Connection::accept(&second);
    // A loaded machine is slow; a wait would be seen in the note below.
    assert!(gone.elapsed() < Duration::from_secs(20));
    serve_all(&mut connection, &Job { extranonce1: vec![9], ..Job::easy("1") });
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let waiting = of(&notes, "waiting");
    assert_eq!((waiting.len(), &waiting[0]["stratum"], &waiting[0]["retrySeconds"]), (1, &json!(one), &json!(0.0)));
    let connected: Vec<_> = of(&notes, "connected").iter().map(|note| note["stratum"].clone()).collect();
    assert_eq!(connected, [json!(one), json!(two)]);
}

#[test]
fn the_preferred_server_is_mined_for_again_when_it_is_back() {
    let ((first, one), (second, two)) = (listen(), listen());
    let address = first.local_addr().unwrap();
    drop(first);
    let miner = mine(&[&one, &two], &["--blocks", "2", "--return-after", "1"]);
    let mut connection = Connection::accept(&second);
    serve(&mut connection, &Job::easy("1"), 1);
    // It finds nothing more, which nobody here would read.
    connection.set_difficulty(1e9);
    let first = TcpListener::bind(address).unwrap();
    // Whether it is back is tried by connections of their own, one at a time: not if it only accepts them, or refuses.
    let silent = first.accept().unwrap();
    thread::sleep(Duration::from_secs(4));
    first.set_nonblocking(true).unwrap();
    assert_eq!(first.accept().unwrap_err().kind(), ErrorKind::WouldBlock, "tries pile up at a silent server");
    first.set_nonblocking(false).unwrap();
    drop(silent);
    let mut probe = Connection::accept(&first);
    assert!(probe.write(b"HTTP/1.1 503 Service Unavailable\r\n\r\n"));
    refuse(&mut Connection::accept(&first));
    // Nor if it takes the worker and has no job.
    let mut idle = Connection::accept(&first);
    idle.welcome(&Job::easy("1"));
    thread::sleep(Duration::from_secs(6));
    drop(idle);
    let mut probe = Connection::accept(&first);
    serve(&mut probe, &Job::easy("1"), 0);
    // It goes at once: the other one, which gave work for a while, has not failed.
    drop(Connection::accept(&first));
    serve_all(&mut Connection::accept(&second), &Job::easy("1"));
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let waiting = of(&notes, "waiting");
    assert_eq!((waiting.len(), &waiting[1]["reason"]), (3, &json!(format!("{one} is back"))), "{waiting:?}");
    assert_eq!(waiting[2]["retrySeconds"], json!(0.0));
}

#[test]
fn a_server_that_refuses_again_after_it_was_back_does_not_end_the_run() {
    let ((first, one), (second, two)) = (listen(), listen());
    let miner = mine(&[&one, &two], &["--blocks", "1", "--return-after", "1"]);
    refuse(&mut Connection::accept(&first));
    // It has no job yet.
    let mut idle = Connection::accept(&second);
    idle.welcome(&Job::easy("1"));
    serve(&mut Connection::accept(&first), &Job::easy("1"), 0);
    refuse(&mut Connection::accept(&first));
    serve_all(&mut Connection::accept(&second), &Job::easy("1"));
    let (output, _) = notes(miner);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn a_server_that_wants_one_new_connection_after_another_is_left_for_the_next() {
    let ((first, one), (second, two)) = (listen(), listen());
    let port = first.local_addr().unwrap().port();
    let miner = mine(&[&one, &two], &["--blocks", "1"]);
    // Itself, by each of the names that it has.
    let ask = |to: Value| {
        let mut connection = Connection::accept(&first);
        serve(&mut connection, &Job::easy("1"), 0);
        connection.send(&json!({ "id": null, "method": "client.reconnect", "params": to }));
        connection
    };
    let _open = [json!([]), json!(["127.0.0.1", port, 0]), json!(["", 0])].map(ask);
    serve_all(&mut Connection::accept(&second), &Job::easy("1"));
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let reasons: Vec<_> = of(&notes, "waiting").iter().map(|note| note["reason"].clone()).collect();
    let asks = "it asks for a new connection";
    assert_eq!(reasons, [asks, asks, "it asks for one new connection after another"]);
}

#[test]
fn a_small_extranonce_is_enough_for_many_shares_of_a_job() {
    let (listener, url) = listen();
    // It says more of them than fits a pipe that nobody reads.
    let mut miner = command(&[&url], &[]).stdout(Stdio::null()).spawn().unwrap();
    let job = Job { extranonce2_size: 1, bits: 0x1d00_ffff, ..Job::easy("1") };
    let mut connection = Connection::accept(&listener);
    connection.welcome(&job);
    connection.set_difficulty(EASY);
    connection.notify(&job, true);
    let mut headers = HashSet::new();
    for _ in 0..600 {
        let share = connection.share();
        assert!(headers.insert(job.check(share["params"].as_array().unwrap(), MASK).unwrap()), "sent twice");
        connection.answer(&share, &json!(true));
    }
    miner.kill().unwrap();
    miner.wait().unwrap();
}

#[test]
fn the_status_says_what_it_says_for_a_node() {
    let (listener, url) = listen();
    let mut miner = mine(&[&url], &[]);
    let mut connection = Connection::accept(&listener);
    let bits = 0x1d00_ffff;
    connection.welcome(&Job::easy("1"));
    connection.set_difficulty(1.0);
    connection.notify(&Job { bits, ..Job::easy("1") }, true);
    thread::sleep(Duration::from_secs(4));
    miner.kill().unwrap();
    let (_, notes) = notes(miner);
    assert!(of(&notes, "started")[0]["kernel"].is_string());
    let status = *of(&notes, "status").last().unwrap();
    assert!(
        status["bestDifficulty"].as_f64().unwrap() > 0.0 && status["threadHashrates"].as_array().unwrap().len() == 1
    );
    let (rate, seconds) = (status["hashrate"].as_f64().unwrap(), status["blockSeconds"].as_f64().unwrap());
    assert!((rate * seconds / 2f64.powi(32) - 1.0).abs() < 0.01, "{status}");
    assert!(status.get("celsius").is_some());
}

#[test]
fn a_server_that_sends_nonsense_is_left_with_a_clear_reason() {
    let notify = |change: fn(&mut Value)| {
        let mut params = json!(["1", "00".repeat(32), "", "", [], "20000000", "1d00ffff", "00000000", true]);
        change(&mut params);
        format!("{}\n", json!({ "id": null, "method": "mining.notify", "params": params }))
    };
    let difficulty = |text: &str| format!("{{\"id\":null,\"method\":\"mining.set_difficulty\",\"params\":[{text}]}}\n");
    let lines = [
        ("x".repeat(1 << 20), "it sends a line of more than 262144 bytes"),
        ("\u{0}\u{1}\u{7f}\n".into(), "it sends no JSON object"),
        ("[".repeat(100_000) + "\n", "it sends no JSON object"),
        ("{\"id\":true}\n".into(), "it sends neither a method nor a response"),
        (notify(|params| params[2] = json!(7)), "it sends a coinbase that is not a string"),
        (notify(|params| params[4] = json!(vec!["00".repeat(32); 33])), "it sends a merkle branch that is not a list"),
        (notify(|params| params[1] = json!("00")), "it sends previous block: 1 bytes, expected 32"),
        (difficulty("0"), "it sends a difficulty that is not a positive number"),
        (difficulty("1e-300"), "it sends difficulty 1e-300, at which every hash is a share"),
        (difficulty("1e300"), "it sends difficulty 1e300, at which no hash is a share"),
    ];
    let servers: Vec<_> = lines.iter().map(|_| listen()).collect();
    let (good, last) = listen();
    let urls: Vec<&str> = servers.iter().map(|(_, url)| url.as_str()).chain([last.as_str()]).collect();
    let miner = mine(&urls, &["--blocks", "1"]);
    for ((listener, _), (line, _)) in servers.iter().zip(&lines) {
        let mut connection = Connection::accept(listener);
        connection.welcome(&Job::easy("1"));
        connection.write(line.as_bytes());
        // It goes; what it had sent before may still come.
        while connection.receive().is_some() {}
    }
    serve_all(&mut Connection::accept(&good), &Job::easy("1"));
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let reasons: Vec<_> =
        of(&notes, "waiting").iter().map(|note| note["reason"].as_str().unwrap().to_owned()).collect();
    assert_eq!(reasons.len(), lines.len(), "{reasons:?}");
    for (reason, (_, expected)) in reasons.iter().zip(&lines) {
        assert!(reason.starts_with(expected), "{reason}");
    }
}

/// Takes no worker.
fn refuse(connection: &mut Connection) {
    while let Some(request) = connection.receive() {
        match request["method"].as_str().unwrap() {
            // Many servers know no such thing.
            "mining.configure" => connection.refuse(&request, 20, "unknown method"),
            "mining.subscribe" => connection.answer(&request, &json!([[], "00", 4])),
            "mining.authorize" => connection.refuse(&request, 24, "Unauthorized worker"),
            _ => {}
        }
    }
}

#[test]
fn waits_for_a_server_that_is_away_while_another_refuses_the_worker() {
    // No process listens on a port that was just closed.
    let ((away, first), (second, two)) = (listen(), listen());
    drop(away);
    let miner = mine(&[&first, &two], &["--blocks", "1"]);
    (0..2).for_each(|_| refuse(&mut Connection::accept(&second)));
    serve_all(&mut Connection::accept(&second), &Job::easy("1"));
    let (output, _) = notes(miner);
    assert!(output.status.success(), "{output:?}");
}

#[test]
fn ends_if_every_server_refuses_the_worker() {
    let servers = [listen(), listen()];
    let miner = mine(&[&servers[0].1, &servers[1].1], &[]);
    servers.iter().for_each(|(listener, _)| refuse(&mut Connection::accept(listener)));
    let (output, _) = notes(miner);
    assert_eq!(output.status.code(), Some(1));
    let error: Value = serde_json::from_slice(&output.stderr).unwrap();
    let url = &servers[1].1;
    let expected =
        format!("{url}: it refuses the worker crn1me.rig: Unauthorized worker. Check --user, --address and --password");
    assert_eq!(error["error"]["message"], expected);
}

#[test]
fn waits_longer_each_time_for_a_server_that_is_not_there() {
    // No process listens on a port that was just closed.
    let (listener, url) = listen();
    drop(listener);
    let mut miner = mine(&[&url], &[]);
    thread::sleep(Duration::from_secs(5));
    miner.kill().unwrap();
    let (_, notes) = notes(miner);
    let waits: Vec<f64> = of(&notes, "waiting").iter().map(|note| note["retrySeconds"].as_f64().unwrap()).collect();
    assert!((2..=4).contains(&waits.len()), "{waits:?}");
    assert!((0.5..=1.0).contains(&waits[0]) && (1.0..=2.0).contains(&waits[1]), "{waits:?}");
}

#[test]
fn what_is_no_server_is_refused_with_what_to_write() {
    for (arguments, expected) in [
        (&["--stratum", "127.0.0.1:3333", "--user", "me"][..], "write it like stratum+tcp://127.0.0.1:3333"),
        (&["--stratum", "stratum+ssl://a..b:443", "--user", "me"], "or stratum+ssl:// with TLS"),
        (&["--stratum", "stratum+tcp://pool.example:3333"], "add --address ADDRESS, or --user USER"),
        (&["--user", "me"], "--stratum <URL>"),
    ] {
        let mut command = Command::new(env!("CARGO_BIN_EXE_cairn-miner"));
        let output = command.args(arguments).env_clear().stdin(Stdio::null()).output().unwrap();
        let text = String::from_utf8(output.stderr).unwrap();
        assert!(!output.status.success() && text.contains(expected), "{text}");
    }
}
