//! What `contrib/docker-compose.yml` has the node do, on a real node without a container.

use cairn_tests::{Node, NodeOptions, Rpc};
use serde_json::json;
use std::{
    fs,
    io::{Read, Write},
    net::TcpStream,
    path::Path,
};

fn compose() -> String {
    let file = Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib/docker-compose.yml");
    fs::read_to_string(file).expect("the file is there")
}

/// Items of the list under a key of the node's service, without comments.
fn list(key: &str) -> Vec<String> {
    let text = compose();
    let (_, service) = text.split_once("\n  node:\n").expect("there is the node");
    let (service, _) = service.split_once("\n\n").expect("a blank line ends it");
    let (_, rest) = service.split_once(&format!("\n    {key}:\n")).unwrap_or_else(|| panic!("no {key}"));
    let lines = rest.lines().take_while(|line| line.starts_with("      "));
    let items = lines.filter_map(|line| line.trim().strip_prefix("- "));
    items.map(|item| item.split(" #").next().unwrap_or_default().trim().trim_matches('"').to_owned()).collect()
}

/// The first line of the answer to a GET, and whether it is the page.
fn get(port: &str, host: &str) -> (String, bool) {
    let mut stream = TcpStream::connect(format!("127.0.0.1:{port}")).expect("the node listens");
    write!(stream, "GET / HTTP/1.1\r\nHost: {host}\r\nConnection: close\r\n\r\n").expect("it reads");
    let mut answer = String::new();
    stream.read_to_string(&mut answer).expect("it answers");
    (answer.lines().next().unwrap_or_default().to_owned(), answer.contains("<title>"))
}

#[test]
fn the_page_of_the_container_is_served_to_its_machine_alone() {
    let ports = list("ports");
    assert!(ports.contains(&"127.0.0.1:8545:8545".to_owned()), "{ports:?}");
    for port in &ports {
        assert!(port.starts_with("127.0.0.1:") || port.starts_with("30303:30303/"), "open to all: {port}");
    }
    // The flags as they stand there, on another chain and other ports.
    let mut flags = list("command");
    assert_eq!(flags.remove(0), "--chain=test");
    assert!(flags.contains(&"--http.addr=0.0.0.0".to_owned()), "{flags:?}");
    flags.extend(["--metrics.port", "0"].map(str::to_owned));
    let node = Node::with(NodeOptions { flags, ..NodeOptions::default() });
    let port = node.rpc.url.rsplit(':').next().expect("a URL has a port");
    for host in ["127.0.0.1:8545", "localhost:8545"] {
        assert_eq!(get(port, host), ("HTTP/1.1 200 OK".to_owned(), true), "{host}");
    }
    assert!(get(port, "evil.example:8545").0.starts_with("HTTP/1.1 403"), "a foreign name is refused");
    // What the page's views ask for is served; what steers the node needs the cookie.
    let served = node.rpc.call("rpc_modules", json!([]));
    for namespace in ["admin", "chain", "coin", "debug", "eth", "miner", "net", "txpool", "web3"] {
        assert!(served[namespace].is_string(), "{namespace}: {served}");
    }
    let stranger = Rpc::new(node.rpc.url.clone(), Path::new("/nonexistent"));
    stranger.call("miner_getStats", json!([]));
    for method in ["admin_peers", "admin_stop", "miner_start"] {
        assert_eq!(stranger.try_call(method, json!([])).expect_err("it needs the cookie").code, 4100, "{method}");
    }
}
