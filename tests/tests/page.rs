//! The page that a node serves: what comes with it, how large it is, and who may call from it.

use cairn_tests::{Node, NodeOptions};
use std::{
    collections::{BTreeMap, BTreeSet},
    io::{Read, Write},
    net::TcpStream,
    time::Duration,
};

/// Most bytes of all files together.
const MOST: usize = 300_000;
const POLICY: &str = "default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; connect-src 'self'; \
                      base-uri 'none'; form-action 'none'; frame-ancestors 'none'";

struct Answer {
    status: u16,
    headers: BTreeMap<String, String>,
    body: String,
}

fn host(node: &Node) -> &str {
    node.rpc.url.trim_start_matches("http://")
}

/// What the node answers to a request with these headers.
fn request(node: &Node, method: &str, path: &str, more: &str) -> Answer {
    let mut socket = TcpStream::connect(host(node)).expect("the node listens");
    socket.set_read_timeout(Some(Duration::from_secs(10))).expect("a socket");
    let named = if more.contains("host: ") { String::new() } else { format!("host: {}\r\n", host(node)) };
    write!(socket, "{method} {path} HTTP/1.1\r\n{named}{more}\r\n").expect("a request is sent");
    let (mut bytes, mut part) = (Vec::new(), [0; 16_384]);
    loop {
        if let Some(answer) = whole(&bytes, method) {
            return answer;
        }
        let read = socket.read(&mut part).expect("the node answers");
        assert!(read > 0, "the answer ended early: {}", String::from_utf8_lossy(&bytes));
        bytes.extend_from_slice(&part[..read]);
    }
}

/// The answer that these bytes are, once they are all of it.
fn whole(bytes: &[u8], method: &str) -> Option<Answer> {
    let text = String::from_utf8_lossy(bytes);
    let (head, body) = text.split_once("\r\n\r\n")?;
    let mut lines = head.lines();
    let status = lines.next()?.split(' ').nth(1).expect("a status").parse().expect("a number");
    let headers = lines.filter_map(|line| line.split_once(": "));
    let headers: BTreeMap<String, String> = headers.map(|(name, value)| (name.into(), value.into())).collect();
    let length = headers.get("content-length").map_or(0, |length| length.parse().expect("a length"));
    let has_body = method != "HEAD" && status != 304;
    (!has_body || body.len() >= length).then(|| Answer { status, headers, body: body.to_owned() })
}

fn get(node: &Node, path: &str) -> Answer {
    request(node, "GET", path, "")
}

/// The texts between these marks.
fn between<'a>(text: &'a str, open: &str, close: char) -> Vec<&'a str> {
    text.split(open).skip(1).filter_map(|rest| rest.split(close).next()).collect()
}

/// All files: those that the page names, those that they import, and so on.
fn files(node: &Node) -> BTreeMap<String, Answer> {
    let (mut found, mut named) = (BTreeMap::new(), vec!["/".to_owned()]);
    while let Some(path) = named.pop() {
        if found.contains_key(&path) {
            continue;
        }
        let answer = get(node, &path);
        assert_eq!(answer.status, 200, "{path}");
        let absolute = ["href=\"/assets/", "src=\"/assets/"].iter().flat_map(|mark| between(&answer.body, mark, '"'));
        let imported = ["from \"./", "import(\"./"].iter().flat_map(|mark| between(&answer.body, mark, '"'));
        named.extend(absolute.chain(imported).map(|name| format!("/assets/{name}")));
        found.insert(path, answer);
    }
    found
}

#[test]
fn the_page_is_small_whole_and_asks_no_other_place() {
    let node = Node::start();
    let files = files(&node);
    let kinds: BTreeSet<_> = files.values().map(|file| file.headers["content-type"].as_str()).collect();
    let expected =
        ["image/svg+xml", "text/css; charset=utf-8", "text/html; charset=utf-8", "text/javascript; charset=utf-8"];
    assert_eq!(kinds.into_iter().collect::<Vec<_>>(), expected);
    let size: usize = files.values().map(|file| file.body.len()).sum();
    assert!(size < MOST, "{size} bytes");
    assert!(files.len() > 20, "the views are found: {:?}", files.keys());
    for (path, file) in &files {
        assert_eq!(file.headers["content-length"], file.body.len().to_string(), "{path}");
        // The name of SVG's elements is no address.
        let text = file.body.replace("http://www.w3.org/2000/svg", "");
        for outside in ["http://", "https://", "ws://", "wss://", "url(", "@import", "//cdn"] {
            assert!(!text.contains(outside), "{path} has {outside}");
        }
        for parses in
            ["innerHTML", "outerHTML", "insertAdjacentHTML", "document.write", "eval(", "new Function", "DOMParser"]
        {
            assert!(!text.contains(parses), "{path} has {parses}: texts of others would become elements");
        }
        assert!(!file.body.contains(" style=\""), "{path}: the policy allows no style attributes");
    }
}

#[test]
fn every_answer_has_the_policy_and_unknown_paths_are_404_in_words() {
    let node = Node::start();
    for (path, status) in
        [("/", 200), ("/assets/app.js", 200), ("/assets/no.js", 404), ("/none", 404), ("/assets/..%2fmod.rs", 404)]
    {
        let answer = get(&node, path);
        assert_eq!(answer.status, status, "{path}");
        assert_eq!(answer.headers["content-security-policy"], POLICY, "{path}");
        assert_eq!(answer.headers["x-content-type-options"], "nosniff", "{path}");
        assert_eq!(answer.headers["referrer-policy"], "no-referrer", "{path}");
        assert_eq!(answer.headers["cross-origin-resource-policy"], "same-origin", "{path}");
        assert!(status == 200 || answer.body.starts_with("page not found: the node's page is at /"), "{path}");
    }
    let (whole, head) = (get(&node, "/"), request(&node, "HEAD", "/", ""));
    assert_eq!((head.status, head.body.as_str()), (200, ""));
    for name in ["content-length", "content-type", "etag", "cache-control", "content-security-policy"] {
        assert_eq!(head.headers[name], whole.headers[name], "{name}");
    }
    let same = request(&node, "GET", "/", &format!("if-none-match: {}\r\n", whole.headers["etag"]));
    assert_eq!((same.status, same.body.as_str()), (304, ""));
}

#[test]
fn the_page_of_the_node_may_open_a_websocket_and_pages_of_others_may_not() {
    let node = Node::start();
    let upgrade = "upgrade: websocket\r\nsec-websocket-version: 13\r\nsec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n";
    let open =
        |headers: String| request(&node, "GET", "/", &format!("connection: upgrade\r\n{upgrade}{headers}")).status;
    assert_eq!(open(format!("origin: http://{}\r\n", host(&node))), 101);
    assert_eq!(open("origin: https://evil.example\r\n".into()), 403);
    assert_eq!(open("origin: http://localhost:1\r\n".into()), 403);
    let rebound = "host: evil.example\r\norigin: http://evil.example\r\n";
    assert_eq!(open(rebound.into()), 403);
    assert_eq!(request(&node, "GET", "/", "host: evil.example\r\n").status, 403);
}

#[test]
fn a_node_without_the_page_serves_json_rpc_alone() {
    let flags = vec!["--http.no-page".into()];
    let node = Node::with(NodeOptions { flags, ..NodeOptions::default() });
    assert_eq!(get(&node, "/").status, 405);
    assert_eq!(get(&node, "/assets/app.js").status, 405);
    assert_eq!(node.height(), 0);
}
