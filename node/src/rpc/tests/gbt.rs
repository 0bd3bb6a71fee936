//! `getblocktemplate` and `submitblock` as Bitcoin's miners use them.

use chain_core::hash::sha256;
use jsonrpsee::server::Methods;
use serde_json::{Value, json};
use std::{
    io::{Read, Write},
    net::{SocketAddr, TcpStream},
    time::Instant,
};
use tokio::net::TcpListener;

use super::{account, minerd, raw};
use crate::{
    dev::ACCOUNTS,
    rpc::{
        HttpLimits,
        access::{Scope, Secrets},
        methods, serve,
        testing::{TestNode, dev_coin_key, methods_for, transfer},
    },
};

/// A node that pays an address.
fn node() -> TestNode {
    let node = TestNode::fresh();
    node.call("miner_setAddress", json!([node.address(&dev_coin_key())]));
    node
}

fn template(node: &TestNode) -> Value {
    node.call("getblocktemplate", json!([minerd::request(None)]))
}

fn send(node: &TestNode, nonce: u64) {
    node.call("eth_sendRawTransaction", json!([raw(&transfer(ACCOUNTS[5].private_key, nonce, account(0), 1))]));
}

// Bitcoin's tree duplicates an odd node and this chain's does not: the miner gets as many transactions as both agree on.
#[test]
fn minerd_mines_blocks_of_any_number_of_transactions() {
    for (pending, expected) in [(0, 0), (1, 1), (2, 1), (3, 3), (4, 3), (5, 3), (6, 3), (7, 7), (9, 7)] {
        let node = node();
        (0..pending).for_each(|nonce| send(&node, nonce));
        let work = template(&node);
        assert_eq!(work["transactions"].as_array().unwrap().len(), expected, "{pending} pending");
        let solved = minerd::solve(&work, if pending % 2 == 0 { b"" } else { b"of a miner" });
        assert_eq!(node.call("submitblock", solved.params()), Value::Null, "{pending} pending");
        assert_eq!(node.call("submitblock", solved.params()), "duplicate");
        let block = node.call("chain_getBlock", json!([1, 2]));
        assert_eq!(block["transactions"].as_array().unwrap().len(), expected + 1);
        assert_eq!(block["transactions"][0]["outputs"][0]["address"], node.address(&dev_coin_key()));
        // What was left out comes in the next block.
        let next = minerd::solve(&template(&node), b"");
        assert_eq!(node.call("submitblock", next.params()), Value::Null);
        assert_eq!(node.call("chain_getInfo", json!([]))["height"], 2);
    }
}

// Anybody may hand in blocks.
#[test]
fn only_a_block_of_a_template_from_here_counts_as_mined_here() {
    let node = node();
    let solved = minerd::solve(&template(&node), b"");
    let hash = solved.hash();
    let whole = json!([solved.params()[0]]);
    assert_eq!(node.call("submitblock", whole), Value::Null);
    assert!(!node.context.mining.has_mined(&hash));
    let solved = minerd::solve(&template(&node), b"");
    let hash = solved.hash();
    assert_eq!(node.call("submitblock", solved.params()), Value::Null);
    assert!(node.context.mining.has_mined(&hash));
    let status = node.call("miner_status", json!([]));
    assert_eq!(status["found"]["getblocktemplate"], 1);
    assert_eq!(status["lastBlocks"].as_array().map(Vec::len), Some(1));
    assert_eq!(status["lastBlocks"][0]["hash"], hash.to_string());
}

#[test]
fn a_template_says_what_bip_22_and_23_have() {
    let node = node();
    send(&node, 0);
    let work = template(&node);
    let info = node.call("chain_getInfo", json!([]));
    assert_eq!(work["height"], 1);
    assert_eq!(work["previousblockhash"], info["bestHash"]);
    assert_eq!((&work["bits"], work["target"].as_str().unwrap().len()), (&info["bits"], 64));
    assert_eq!([&work["mintime"], &work["maxtime"]], [&work["curtime"]; 2]);
    assert_eq!(work["noncerange"], "00000000ffffffff");
    assert_eq!(work["mutable"], json!(["coinbase/append", "version/force", "version/reduce", "submit/coinbase"]));
    assert_eq!(work["sizelimit"], info["maxBlockBytes"]);
    assert!(work["longpollid"].is_string() && work["workid"].is_string());
    assert_eq!(work["coinbasevalue"], Value::Null);
    assert_eq!(work["coinbasetxn"]["fee"], 0);
    assert_eq!(work["transactions"][0]["required"], true);
    // No two miners search the same headers.
    assert_ne!(template(&node)["coinbasetxn"]["data"], work["coinbasetxn"]["data"]);
    // An address in the request is paid instead of the node's.
    let other = node.address(&secp256k1::Keypair::from_secret_key(&crate::rpc::testing::secret(&"01".repeat(32))));
    let work = node.call("getblocktemplate", json!([{ "address": other }]));
    assert_eq!(node.call("submitblock", minerd::solve(&work, b"").params()), Value::Null);
    assert_eq!(node.call("chain_getBlock", json!([1, 2]))["transactions"][0]["outputs"][0]["address"], other);
}

#[test]
fn a_whole_block_needs_no_workid() {
    let node = node();
    (0..3).for_each(|nonce| send(&node, nonce));
    let mut work = template(&node);
    work["mutable"] = json!([]);
    let solved = minerd::solve(&work, b"");
    let block = hex::encode(solved.header) + &solved.rest;
    assert_eq!(node.call("submitblock", json!([block])), Value::Null);
    assert_eq!(node.call("chain_getInfo", json!([]))["height"], 1);
}

#[test]
fn a_block_that_is_refused_has_the_reason_of_bip_22() {
    let (node, elsewhere) = (node(), node());
    send(&node, 0);
    let submit = |solved: &minerd::Solved| node.call("submitblock", solved.params());
    let mut high = minerd::solve(&template(&node), b"");
    // About every second hash is above the target of a development chain.
    while !is_high(&high.header) {
        high.header[76] = high.header[76].checked_add(1).unwrap();
    }
    assert_eq!(submit(&high), "high-hash");
    let (mut wrong, other) = (minerd::solve(&template(&node), b""), minerd::solve(&template(&node), b""));
    wrong.header = other.header;
    assert_eq!(submit(&wrong), "bad-txnmrklroot");
    let mut old = minerd::solve(&template(&node), b"");
    old.workid = json!("9");
    assert_eq!(submit(&old), "unknown-work");
    // On a parent that is no longer the tip, and on one that is not known.
    let late = minerd::solve(&template(&node), b"");
    node.call("dev_mine", json!([1]));
    assert_eq!(submit(&late), "stale-prevblk");
    assert_eq!(submit(&late), "duplicate");
    elsewhere.call("dev_mine", json!([1]));
    let orphan = minerd::solve(&template(&elsewhere), b"");
    assert_eq!(submit(&orphan), "bad-prevblk");
}

/// Whether a header's hash is above every target: its highest bit is set.
fn is_high(header: &[u8; 80]) -> bool {
    sha256(&sha256(header))[31] >= 0x80
}

#[test]
fn what_cannot_be_decoded_is_an_error_as_bitcoin_cores() {
    let node = node();
    let solved = minerd::solve(&template(&node), b"");
    let header = hex::encode(solved.header);
    for odd in ["", "00", "zz", &header, &(header.clone() + "00"), &(header.clone() + "01"), &(header.clone() + "ff")] {
        let (code, message) = node.try_call("submitblock", json!([odd])).unwrap_err();
        assert_eq!((code, message.starts_with("Block decode failed: ")), (-22, true), "{odd}: {message}");
    }
    for surplus in ["00", "0000000000000000"] {
        let text = header.clone() + &solved.rest + surplus;
        assert_eq!(node.try_call("submitblock", json!([text])).unwrap_err().0, -22);
    }
    let many = header + "fe00000100" + &solved.rest[2..];
    assert_eq!(node.call("submitblock", json!([many])), "unknown-work");
}

#[test]
fn a_request_that_cannot_be_served_is_an_error_that_says_why() {
    let node = TestNode::fresh();
    let ask = |request: Value| node.try_call("getblocktemplate", json!([request])).unwrap_err();
    let (code, message) = ask(minerd::request(None));
    assert_eq!((code, message.starts_with("nobody to pay: start the node with --miner.address")), (-8, true));
    node.call("miner_setAddress", json!([node.address(&dev_coin_key())]));
    assert_eq!(ask(json!({"mode": "proposal", "data": "00"})).0, -8);
    let (code, message) = ask(json!({"capabilities": ["coinbasevalue"]}));
    assert_eq!((code, message.contains("\"coinbasetxn\" is needed")), (-8, true), "{message}");
    assert_eq!(ask(json!({"address": "bc1q"})).0, -5);
    assert_eq!(
        ask(json!({"longpollid": "x"})),
        (-8, "longpollid: expected the longpollid of an earlier template".into())
    );
    assert_eq!(ask(json!({"longpollid": 7})).0, -8);
    assert!(node.call("getblocktemplate", json!([]))["coinbasetxn"].is_object());
}

#[test]
fn a_long_poll_ends_with_a_new_tip_and_says_what_old_work_is_worth() {
    let node = node();
    let first = template(&node);
    let started = Instant::now();
    let poll = || node.call("getblocktemplate", json!([minerd::request(first["longpollid"].as_str())]));
    let next = std::thread::scope(|scope| {
        let waiting = scope.spawn(poll);
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!waiting.is_finished());
        node.call("dev_mine", json!([1]));
        waiting.join().unwrap()
    });
    assert_eq!((&next["height"], &next["submitold"]), (&json!(2), &json!(false)));
    assert!(started.elapsed().as_secs() < 20);
    assert_eq!(first["submitold"], Value::Null);
}

/// Serves a node to callers with the right secret of miners, or with none.
fn listen(node: &TestNode, methods: Methods) -> SocketAddr {
    node.wait(async {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let address = listener.local_addr().unwrap();
        let secrets = Secrets::default().with_mining("__mining__:0123");
        std::mem::forget(serve(listener, methods, HttpLimits::default(), secrets, None));
        address
    })
}

/// Posts as libcurl does for minerd, in two writes.
fn post(address: SocketAddr, user: &str, method: &str, params: &Value) -> Value {
    let body = format!("{{\"method\": \"{method}\", \"params\": {params}, \"id\":0}}\r\n");
    let authorization = cairn_client::authorization(user);
    let fields = format!("Authorization: {authorization}\r\nContent-Length: {}", body.len());
    let (status, answer) = exchange(address, &fields, &body);
    assert_eq!(status, 200, "{answer}");
    serde_json::from_str(&answer).unwrap()
}

/// Posts a body with these header fields; status and body of the answer.
fn exchange(address: SocketAddr, fields: &str, body: &str) -> (u16, String) {
    let head = format!(
        "POST / HTTP/1.1\r\nHost: {address}\r\nContent-Type: application/json\r\nUser-Agent: cpuminer/2.5.1\r\n\
         X-Mining-Extensions: midstate\r\nConnection: close\r\n{fields}\r\n\r\n"
    );
    let mut stream = TcpStream::connect(address).unwrap();
    stream.write_all(head.as_bytes()).unwrap();
    // A server that refuses it reads no more.
    let _ = stream.write_all(body.as_bytes());
    let mut answer = String::new();
    stream.read_to_string(&mut answer).unwrap();
    let (head, body) = answer.split_once("\r\n\r\n").unwrap();
    (head.split(' ').nth(1).unwrap().parse().unwrap(), body.to_owned())
}

fn in_chunks(body: &str) -> String {
    let chunk = |part: &[u8]| format!("{:x}\r\n{}\r\n", part.len(), str::from_utf8(part).unwrap());
    let parts: String = body.as_bytes().chunks(50_000).map(chunk).collect();
    parts + "0\r\n\r\n"
}

#[test]
fn a_body_is_read_up_to_the_limit_whole_or_in_chunks() {
    let node = node();
    let address = listen(&node, methods(node.context.clone()));
    let ask = |blanks: usize, chunked: bool| {
        let body = format!("{{\"method\": \"getblocktemplate\",{} \"params\": [], \"id\":0}}", " ".repeat(blanks));
        match chunked {
            true => exchange(address, "Transfer-Encoding: chunked", &in_chunks(&body)),
            false => exchange(address, &format!("Content-Length: {}", body.len()), &body),
        }
    };
    let most = HttpLimits::default().max_body as usize;
    for chunked in [true, false] {
        for blanks in [0, 200_000] {
            let (status, answer) = ask(blanks, chunked);
            assert!(status == 200 && answer.contains("coinbasetxn"), "{status} {answer}");
        }
        for blanks in [most, 4 * most] {
            assert_eq!(ask(blanks, chunked).0, 413, "a client that is still sending sees the answer");
        }
    }
    // Bodies that do not come keep nobody out, though each may become as long as any.
    let fields = ["Transfer-Encoding: chunked", &format!("Content-Length: {most}")];
    let waiting = fields.map(|field| format!("POST / HTTP/1.1\r\nHost: {address}\r\n{field}\r\n\r\n"));
    let _waiting: Vec<_> = (0..220)
        .map(|number| {
            let mut stream = TcpStream::connect(address).unwrap();
            stream.write_all(waiting[number % 2].as_bytes()).unwrap();
            stream
        })
        .collect();
    std::thread::sleep(std::time::Duration::from_millis(300));
    assert_eq!(ask(200_000, true).0, 200);
    assert_eq!(ask(200_000, false).0, 200);
}

#[test]
fn an_error_of_the_older_version_is_one_of_http_too() {
    // minerd gives getblocktemplate up for getwork, which is not there, unless an error has this status.
    let node = TestNode::fresh();
    let address = listen(&node, methods(node.context.clone()));
    let ask = |version: &str, method: &str| {
        let body = format!("{{{version}\"method\": \"{method}\", \"params\": [], \"id\":0}}");
        let (status, answer) = exchange(address, &format!("Content-Length: {}", body.len()), &body);
        (status, serde_json::from_str::<Value>(&answer).unwrap()["error"]["code"].clone())
    };
    assert_eq!(ask("", "getblocktemplate"), (500, json!(-8)));
    assert_eq!(ask("\"jsonrpc\":\"1.0\",", "getblocktemplate"), (500, json!(-8)));
    assert_eq!(ask("\"jsonrpc\":\"2.0\",", "getblocktemplate"), (200, json!(-8)));
    assert_eq!(ask("", "getwork"), (404, json!(-32601)));
    assert_eq!(ask("", "eth_chainId"), (200, Value::Null));
    for odd in [r#"{"method":"getwork","params":[]}"#, r#"{"method":5,"id":1}"#, r#"{"id":1}"#] {
        let (status, answer) = exchange(address, &format!("Content-Length: {}", odd.len()), odd);
        assert_eq!(status, 400, "{odd}: {answer}");
    }
    let batch = format!("[{}]", r#"{"method":"eth_chainId","id":1}"#);
    assert_eq!(exchange(address, &format!("Content-Length: {}", batch.len()), &batch).0, 200);
}

#[test]
fn a_long_poll_does_not_hold_up_a_stop() {
    let node = node();
    let first = template(&node);
    let started = Instant::now();
    let poll = || node.try_call("getblocktemplate", json!([minerd::request(first["longpollid"].as_str())]));
    std::thread::scope(|scope| {
        let waiting = scope.spawn(poll);
        std::thread::sleep(std::time::Duration::from_millis(100));
        assert!(!waiting.is_finished());
        node.context.stopping.send_replace(true);
        assert!(waiting.join().unwrap().is_err());
    });
    assert!(started.elapsed().as_secs() < 20);
}

#[test]
fn what_miners_show_of_the_chain_is_told_as_bitcoin_core_does() {
    let node = node();
    let info = node.call("getmininginfo", json!([]));
    assert_eq!((&info["blocks"], &info["pooledtx"], &info["networkhashps"]), (&json!(0), &json!(0), &json!(0.0)));
    node.call("dev_mine", json!([3]));
    let info = node.call("getmininginfo", json!([]));
    // Each of these blocks takes two hashes, and Bitcoin's difficulty 1 some 2^32.
    let (difficulty, rate) = (info["difficulty"].as_f64().unwrap(), info["networkhashps"].as_f64().unwrap());
    assert_eq!(info["blocks"], 3);
    assert!((difficulty * 2_f64.powi(31) - 1.0).abs() < 0.001, "{difficulty}");
    assert!(rate > 0.0 && rate <= 6.0, "{rate}");
}

// cgminer counts the coinbase alone, whatever else the template has.
#[test]
fn a_block_without_the_templates_transactions_may_count_the_coinbase_alone() {
    let node = node();
    send(&node, 0);
    let work = template(&node);
    assert!(work["expires"].as_u64().unwrap() > 0);
    let mut solved = minerd::solve(&work, b"");
    assert!(solved.rest.starts_with("02"));
    solved.rest.replace_range(..2, "01");
    assert_eq!(node.call("submitblock", solved.params()), Value::Null);
    assert_eq!(node.call("chain_getBlock", json!([1, 2]))["transactions"].as_array().unwrap().len(), 2);
}

#[test]
fn minerd_mines_over_http_without_a_version_of_json_rpc() {
    let node = node();
    send(&node, 0);
    let address = listen(&node, methods(node.context.clone()));
    // minerd without -O sends an empty user and password.
    for (height, user) in [(1, ":"), (2, "__mining__:0123")] {
        let work = post(address, user, "getblocktemplate", &json!([minerd::request(None)]));
        assert_eq!((&work["id"], &work["error"]), (&json!(0), &Value::Null));
        let answer = post(address, user, "submitblock", &minerd::solve(&work["result"], b"").params());
        assert_eq!(answer.get("result"), Some(&Value::Null), "{answer}");
        assert_eq!(node.call("chain_getInfo", json!([]))["height"], height);
    }
}

#[test]
fn a_miner_elsewhere_needs_the_mining_secret() {
    let node = node();
    for (scope, opens) in [(Scope::Public, false), (Scope::Local, true), (Scope::Mining, true), (Scope::Full, true)] {
        let request = json!({"jsonrpc": "2.0", "id": 1, "method": "getblocktemplate", "params": []}).to_string();
        let methods = methods_for(&node.context, scope);
        let (answer, _) = node.wait(methods.raw_json_request(&request, 1)).unwrap();
        let answer: Value = serde_json::from_str(answer.get()).unwrap();
        assert_eq!(answer["result"].is_object(), opens, "{answer}");
        assert!(opens || answer["error"]["message"].as_str().unwrap().contains("--http.mining-token"), "{answer}");
    }
}
