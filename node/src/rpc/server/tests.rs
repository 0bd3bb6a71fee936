use super::*;
use jsonrpsee::RpcModule;
use std::{
    io::{Read, Write},
    net::SocketAddr,
};

fn headers(pairs: &[(&'static str, &'static str)]) -> HeaderMap {
    let mut headers = HeaderMap::new();
    for (name, value) in pairs {
        headers.append(*name, HeaderValue::from_static(value));
    }
    headers
}

#[test]
fn serves_addresses_and_localhost_but_no_foreign_host() {
    for host in ["127.0.0.1:8545", "localhost", "LocalHost:1", "[::1]:8545", "192.168.1.2"] {
        assert!(host_is_served(&[], host), "{host}");
    }
    for host in ["evil.example", "localhost.evil.example:8545", "", "127.0.0.1.evil.example", "node"] {
        assert!(!host_is_served(&[], host), "{host}");
    }
    // What follows the address is a port or nothing.
    for host in
        ["[::1].evil.example", "[::1]evil", "[::1", "[::1]:x", "127.0.0.1:", "127.0.0.1:80.evil.example", "[::1]:+1"]
    {
        assert!(!host_is_served(&[], host), "{host}");
    }
    assert!(host_is_served(&["node".into()], "Node:8545"));
    assert!(host_is_served(&["*".into()], "evil.example"));
}

#[test]
fn refuses_a_request_without_host_or_with_two() {
    let limits = HttpLimits::default();
    assert_eq!(check(&limits, &headers(&[])), Err(WRONG_HOST));
    assert_eq!(check(&limits, &headers(&[("host", "localhost"), ("host", "localhost")])), Err(WRONG_HOST));
    assert_eq!(check(&limits, &headers(&[("host", "localhost")])), Ok(None));
}

#[test]
fn refuses_web_pages_unless_their_origin_is_allowed() {
    let page = headers(&[("host", "localhost"), ("origin", "https://app.example")]);
    assert_eq!(check(&HttpLimits::default(), &page), Err(WRONG_ORIGIN));
    let open = HttpLimits { cors: vec!["https://app.example".into()], ..Default::default() };
    assert_eq!(check(&open, &page), Ok(Some(HeaderValue::from_static("https://app.example"))));
    let sandboxed = headers(&[("host", "localhost"), ("origin", "null")]);
    assert_eq!(check(&open, &sandboxed), Err(WRONG_ORIGIN));
    assert_eq!(check(&open, &headers(&[("host", "localhost"), ("origin", "file:")])), Err(WRONG_ORIGIN));
    let program = headers(&[("host", "localhost"), ("origin", "Titanoboa")]);
    assert_eq!(check(&HttpLimits::default(), &program), Ok(None));
    let both = headers(&[("host", "localhost"), ("origin", "Titanoboa"), ("origin", "https://app.example")]);
    assert_eq!(check(&HttpLimits::default(), &both), Err(WRONG_ORIGIN));
    let wallet = headers(&[("host", "localhost"), ("origin", "chrome-extension://abc")]);
    assert_eq!(check(&HttpLimits::default(), &wallet), Ok(None));
}

/// Whatever a server on loopback answers to these bytes.
fn ask(limits: HttpLimits, request: &[u8]) -> String {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = start(&runtime, limits);
    let mut socket = connect(address);
    // The server may answer and close before it has read everything.
    let _ = socket.write_all(request);
    read(&mut socket)
}

fn start(runtime: &tokio::runtime::Runtime, limits: HttpLimits) -> SocketAddr {
    start_with(runtime, limits, Some(Arc::default()))
}

fn start_with(runtime: &tokio::runtime::Runtime, limits: HttpLimits, workers: Option<Arc<Workers>>) -> SocketAddr {
    let mut module = RpcModule::new(());
    module.register_method("echo", |params, (), _| params.one::<String>().unwrap_or_default()).unwrap();
    module.register_method("long", |_, (), _| "x".repeat(10_000)).unwrap();
    let _guard = runtime.enter();
    let listener = runtime.block_on(TcpListener::bind("127.0.0.1:0")).unwrap();
    let address = listener.local_addr().unwrap();
    // The handle stops the server when it is dropped.
    std::mem::forget(serve(listener, module.into(), limits, Secrets::default().with_cookie("__cookie__:00"), workers));
    address
}

fn connect(address: SocketAddr) -> std::net::TcpStream {
    let socket = std::net::TcpStream::connect(address).unwrap();
    socket.set_read_timeout(Some(Duration::from_secs(30))).unwrap();
    socket
}

fn read(socket: &mut std::net::TcpStream) -> String {
    let mut answer = Vec::new();
    let mut buffer = [0; 4096];
    while let Ok(read @ 1..) = socket.read(&mut buffer) {
        answer.extend_from_slice(&buffer[..read]);
        let text = String::from_utf8_lossy(&answer);
        if let Some((head, body)) = text.split_once("\r\n\r\n") {
            let length = head.lines().find_map(|line| line.strip_prefix("content-length: "));
            if length.is_none_or(|length| body.len() >= length.parse().unwrap()) {
                break;
            }
        }
    }
    String::from_utf8_lossy(&answer).into_owned()
}

fn post(host: &str, more: &str, body: &str) -> Vec<u8> {
    format!(
        "POST / HTTP/1.1\r\nhost: {host}\r\ncontent-type: application/json\r\n{more}content-length: {}\r\n\r\n{body}",
        body.len()
    )
    .into_bytes()
}

fn call(method: &str) -> String {
    format!(r#"{{"jsonrpc":"2.0","id":1,"method":"{method}","params":["hi"]}}"#)
}

#[test]
fn answers_a_call_over_http() {
    let answer = ask(HttpLimits::default(), &post("127.0.0.1:8545", "", &call("echo")));
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n"), "{answer}");
    assert!(answer.ends_with(r#"{"jsonrpc":"2.0","id":1,"result":"hi"}"#), "{answer}");
    assert!(!answer.contains("access-control"), "{answer}");
}

#[test]
fn answers_403_to_another_host() {
    let answer = ask(HttpLimits::default(), &post("evil.example:8545", "", &call("echo")));
    assert!(answer.starts_with("HTTP/1.1 403 Forbidden\r\n"), "{answer}");
    assert!(answer.ends_with(WRONG_HOST), "{answer}");
}

#[test]
fn answers_403_to_a_web_page_and_cors_headers_to_an_allowed_one() {
    let origin = "origin: https://app.example\r\n";
    let refused = ask(HttpLimits::default(), &post("localhost", origin, &call("echo")));
    assert!(refused.starts_with("HTTP/1.1 403 Forbidden\r\n") && refused.ends_with(WRONG_ORIGIN), "{refused}");
    let open = HttpLimits { cors: vec!["https://app.example".into()], ..HttpLimits::default() };
    let allowed = ask(open.clone(), &post("localhost", origin, &call("echo")));
    assert!(allowed.contains("access-control-allow-origin: https://app.example\r\n"), "{allowed}");
    let preflight =
        format!("OPTIONS / HTTP/1.1\r\nhost: localhost\r\n{origin}access-control-request-method: POST\r\n\r\n");
    let answer = ask(open, preflight.as_bytes());
    assert!(answer.starts_with("HTTP/1.1 204 No Content\r\n"), "{answer}");
    assert!(answer.contains("access-control-allow-headers: content-type\r\n"), "{answer}");
}

#[test]
fn pages_of_this_machine_may_call_a_development_chain_and_no_others() {
    let dev = HttpLimits { pages_here: true, ..HttpLimits::default() };
    let page = |origin: &str| post("localhost", &format!("origin: {origin}\r\n"), &call("echo"));
    for origin in ["http://localhost:3000", "http://127.0.0.1:5173", "https://localhost", "http://[::1]:8080"] {
        let answer = ask(dev.clone(), &page(origin));
        assert!(answer.contains(&format!("access-control-allow-origin: {origin}\r\n")), "{answer}");
        assert!(ask(HttpLimits::default(), &page(origin)).ends_with(WRONG_ORIGIN), "{origin}");
    }
    for origin in ["http://localhost.evil.example", "https://app.example", "null", "http://10.0.0.1", "file:"] {
        assert!(ask(dev.clone(), &page(origin)).ends_with(WRONG_ORIGIN), "{origin}");
    }
}

#[test]
fn feeds_are_served_with_the_namespace_alone() {
    let runtime = tokio::runtime::Builder::new_multi_thread().worker_threads(1).enable_all().build().unwrap();
    for (workers, status) in [(Some(Arc::default()), "HTTP/1.1 200 "), (None, "HTTP/1.1 404 ")] {
        let address = start_with(&runtime, HttpLimits::default(), workers);
        for path in ["/api/info", "/api/client/lcrn1x"] {
            let mut socket = connect(address);
            socket.write_all(format!("GET {path} HTTP/1.1\r\nhost: localhost\r\n\r\n").as_bytes()).unwrap();
            assert!(read(&mut socket).starts_with(status), "{path}");
        }
    }
}

fn get(method: &str, path: &str, more: &str) -> String {
    let request = format!("{method} {path} HTTP/1.1\r\nhost: localhost:8545\r\n{more}connection: close\r\n\r\n");
    ask(HttpLimits::default(), request.as_bytes())
}

#[test]
fn serves_the_page_with_a_strict_policy_and_a_tag() {
    let answer = get("GET", "/", "");
    assert!(answer.starts_with("HTTP/1.1 200 OK\r\n") && answer.contains("<!doctype html>"), "{answer}");
    for line in [
        "content-type: text/html; charset=utf-8",
        "content-security-policy: default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self' data:; \
         connect-src 'self'; base-uri 'none'; form-action 'none'; frame-ancestors 'none'",
        "x-content-type-options: nosniff",
        "referrer-policy: no-referrer",
        "cache-control: no-cache",
    ] {
        assert!(answer.contains(&format!("{line}\r\n")), "{line}: {answer}");
    }
    let tag = answer.lines().find_map(|line| line.strip_prefix("etag: ")).expect("a tag");
    let again = get("GET", "/", &format!("if-none-match: \"x\", W/{tag}\r\n"));
    assert!(again.starts_with("HTTP/1.1 304 ") && again.ends_with("\r\n\r\n"), "{again}");
    let script = get("GET", "/assets/app.js", "");
    assert!(script.contains("content-type: text/javascript; charset=utf-8\r\n"), "{script}");
    let head = get("HEAD", "/assets/app.js", "");
    let length = |text: &str| text.lines().find(|line| line.starts_with("content-length: ")).map(str::to_owned);
    assert!(head.starts_with("HTTP/1.1 200 ") && head.ends_with("\r\n\r\n"), "{head}");
    assert_eq!(length(&head), length(&script));
    for path in ["/assets/none.js", "/assets/../mod.rs", "/favicon.ico", "/x"] {
        let answer = get("GET", path, "");
        assert!(answer.starts_with("HTTP/1.1 404 ") && answer.contains("page is at /"), "{answer}");
    }
}

#[test]
fn the_page_obeys_the_checks_of_host_and_origin() {
    let foreign = ask(HttpLimits::default(), b"GET / HTTP/1.1\r\nhost: evil.example:8545\r\n\r\n");
    assert!(foreign.starts_with("HTTP/1.1 403 ") && foreign.ends_with(WRONG_HOST), "{foreign}");
    let framed = get("GET", "/", "origin: https://evil.example\r\n");
    assert!(framed.starts_with("HTTP/1.1 403 "), "{framed}");
}

#[test]
fn the_nodes_own_page_may_call_and_no_other_that_bears_its_name() {
    let call_from = |limits: &HttpLimits, host: &str, origin: &str| {
        ask(limits.clone(), &post(host, &format!("origin: {origin}\r\n"), &call("echo")))
    };
    let plain = HttpLimits::default();
    for (host, origin) in [
        ("localhost:8545", "http://localhost:8545"),
        ("127.0.0.1:8545", "http://127.0.0.1:8545"),
        ("[::1]:8545", "http://[::1]:8545"),
        ("192.168.1.2", "http://192.168.1.2"),
    ] {
        let answer = call_from(&plain, host, origin);
        assert!(answer.starts_with("HTTP/1.1 200 ") && !answer.contains("access-control"), "{origin}: {answer}");
    }
    for (host, origin) in [
        ("localhost:8545", "http://localhost:8546"),
        ("localhost:8545", "http://127.0.0.1:8545"),
        ("localhost", "https://localhost"),
        ("localhost:8545", "http://localhost:8545.evil.example"),
    ] {
        assert!(call_from(&plain, host, origin).ends_with(WRONG_ORIGIN), "{host} {origin}");
    }
    let closed = HttpLimits { page: false, ..HttpLimits::default() };
    assert!(call_from(&closed, "localhost:8545", "http://localhost:8545").ends_with(WRONG_ORIGIN));
    // With any name served, a page whose name resolves to this machine is not the node's own.
    let open = HttpLimits { vhosts: vec!["*".into(), "node.lan".into()], ..HttpLimits::default() };
    assert!(call_from(&open, "evil.example:8545", "http://evil.example:8545").ends_with(WRONG_ORIGIN));
    assert!(call_from(&open, "node.lan:8545", "http://node.lan:8545").starts_with("HTTP/1.1 200 "));
}

#[test]
fn refuses_what_is_no_json_post() {
    let form = b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: text/plain\r\ncontent-length: 2\r\n\r\n{}";
    assert!(ask(HttpLimits::default(), form).starts_with("HTTP/1.1 415 "), "a form could be sent by any web page");
    let without_page = HttpLimits { page: false, ..HttpLimits::default() };
    assert!(ask(without_page, b"GET / HTTP/1.1\r\nhost: localhost\r\n\r\n").starts_with("HTTP/1.1 405 "));
    assert!(ask(HttpLimits::default(), &post("localhost", "", "{")).contains("-32700"));
    assert!(ask(HttpLimits::default(), &post("localhost", "", "7")).contains("-32700"));
}

#[test]
fn answers_an_error_to_a_body_over_the_limit() {
    let limits = HttpLimits { max_body: 200, ..HttpLimits::default() };
    let answer = ask(limits.clone(), &post("localhost", "", &call(&"x".repeat(200))));
    assert!(answer.starts_with("HTTP/1.1 413 ") && answer.contains("-32007"), "{answer}");
    assert!(ask(limits, &post("localhost", "", &call("echo"))).starts_with("HTTP/1.1 200 "));
    let huge = format!("[{}]", " ".repeat(30_000_000));
    assert!(ask(HttpLimits::default(), &post("localhost", "", &huge)).contains("-32007"), "read while still sending");
    let promised =
        "POST / HTTP/1.1\r\nhost: localhost\r\ncontent-type: application/json\r\ncontent-length: 99999999999\r\n\r\n";
    assert!(ask(HttpLimits::default(), promised.as_bytes()).contains("-32007"));
}

#[test]
fn answers_an_error_to_a_batch_over_the_limit() {
    let limits = HttpLimits { max_batch: 3, ..HttpLimits::default() };
    let batch = |count: usize| format!("[{}]", vec![call("echo"); count].join(","));
    let answer = ask(limits.clone(), &post("localhost", "", &batch(4)));
    assert!(answer.contains("-32010"), "{answer}");
    assert_eq!(ask(limits, &post("localhost", "", &batch(3))).matches("\"hi\"").count(), 3);
}

#[test]
fn batches_of_a_thousand_and_three_hundred_connections_at_once_are_answered() {
    let batch = format!("[{}]", vec![call("echo"); 1_000].join(","));
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = start(&runtime, HttpLimits::default());
    let mut sockets: Vec<_> = (0..300).map(|_| connect(address)).collect();
    sockets.iter_mut().for_each(|socket| socket.write_all(&post("localhost", "", &call("echo"))).unwrap());
    for socket in &mut sockets {
        let answer = read(socket);
        assert!(answer.starts_with("HTTP/1.1 200 ") && answer.contains("\"hi\""), "{answer}");
    }
    sockets[0].write_all(&post("localhost", "", &batch)).unwrap();
    assert_eq!(read(&mut sockets[0]).matches("\"hi\"").count(), 1_000);
}

#[test]
fn answers_an_error_instead_of_a_response_over_the_limit() {
    let limits = HttpLimits { max_response: 1_000, ..HttpLimits::default() };
    let answer = ask(limits.clone(), &post("localhost", "", &call("long")));
    let said =
        "the response has more than 1000 bytes, the limit of --http.max-response: start the node with a higher limit";
    assert!(answer.contains("-32008") && answer.contains(said), "{answer}");
    let short = |id: u8| call("echo").replace("\"id\":1", &format!("\"id\":{id}"));
    let batch = format!("[{}]", (0..30).map(short).collect::<Vec<_>>().join(","));
    let answer = ask(limits, &post("localhost", "", &batch));
    let said = "the limit of --http.max-response: send fewer requests in a batch";
    assert!(answer.contains("-32011") && answer.contains(said), "{answer}");
}

#[test]
fn a_response_over_the_limit_names_what_asks_for_less() {
    let said = super::meter::too_large("chain_getAccountHistory", 5);
    assert!(said.contains("ask for less by the parameters of chain_getAccountHistory (account, options)"), "{said}");
}

#[test]
fn deep_json_is_an_error() {
    let deep = format!(r#"{{"jsonrpc":"2.0","id":1,"method":"echo","params":{}}}"#, "[".repeat(100_000));
    assert!(ask(HttpLimits::default(), &post("localhost", "", &deep)).contains("-32700"));
}

#[test]
fn turns_connections_over_the_limit_away_and_serves_again_later() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = start(&runtime, HttpLimits { max_connections: 2, ..HttpLimits::default() });
    let mut first = connect(address);
    first.write_all(&post("localhost", "", &call("echo"))).unwrap();
    assert!(read(&mut first).contains("\"hi\""));
    let mut second = connect(address);
    second.write_all(&post("localhost", "", &call("echo"))).unwrap();
    assert!(read(&mut second).contains("\"hi\""));
    let mut third = connect(address);
    let answer = read(&mut third);
    assert!(answer.starts_with("HTTP/1.1 503 ") && answer.ends_with("too many connections\n"), "{answer}");
    drop(second);
    let deadline = std::time::Instant::now() + Duration::from_secs(10);
    loop {
        let mut again = connect(address);
        // It may be turned away before it has asked.
        let _ = again.write_all(&post("localhost", "", &call("echo")));
        if read(&mut again).contains("\"hi\"") {
            break;
        }
        assert!(std::time::Instant::now() < deadline, "the place is not given back");
    }
}

#[test]
fn speaks_websocket_on_the_same_port() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = start(&runtime, HttpLimits::default());
    let mut socket = upgraded(address);
    socket.write_all(&frame(&call("echo"))).unwrap();
    // The server's ping may come before the answer.
    let mut answer = Vec::new();
    while !String::from_utf8_lossy(&answer).contains("\"hi\"") {
        let mut some = [0; 128];
        let read = socket.read(&mut some).unwrap();
        assert_ne!(read, 0, "{}", String::from_utf8_lossy(&answer));
        answer.extend_from_slice(&some[..read]);
    }
}

#[test]
fn a_request_whose_id_is_no_number_or_text_is_answered_with_an_error() {
    for id in [r#""id":{},"#, r#""id":[],"#, r#""id":true,"#, ""] {
        let request = format!(r#"{{"jsonrpc":"2.0",{id}"method":"echo","params":["hi"]}}"#);
        for body in [request.clone(), format!("[{request}]")] {
            let answer = ask(HttpLimits::default(), &post("localhost", "", &body));
            assert!(answer.contains("-32600") && !answer.contains("\"hi\""), "{body}: {answer}");
        }
    }
}

#[test]
fn a_method_that_is_not_there_is_named_and_says_how_to_have_it() {
    let answer = ask(HttpLimits::default(), &post("localhost", "", &call("eth_foo")));
    assert!(answer.contains(r#""code":-32601,"message":"the method eth_foo does not exist""#), "{answer}");
    let batch = format!("[{}]", call("miner_submit"));
    let answer = ask(HttpLimits::default(), &post("localhost", "", &batch));
    let expected = "the method miner_submit is not served here: start the node with miner among --http.api";
    assert!(answer.contains(expected), "{answer}");
}

/// A WebSocket session.
fn upgraded(address: SocketAddr) -> std::net::TcpStream {
    let handshake = "GET / HTTP/1.1\r\nhost: localhost\r\nupgrade: websocket\r\nconnection: upgrade\r\n\
                     sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\nsec-websocket-version: 13\r\n\r\n";
    let mut socket = connect(address);
    socket.write_all(handshake.as_bytes()).unwrap();
    let mut head = Vec::new();
    while !head.ends_with(b"\r\n\r\n") {
        let mut byte = [0];
        socket.read_exact(&mut byte).unwrap();
        head.push(byte[0]);
    }
    assert!(head.starts_with(b"HTTP/1.1 101 "), "{}", String::from_utf8_lossy(&head));
    socket
}

/// A masked text frame with a mask of zeros.
fn frame(text: &str) -> Vec<u8> {
    let mut frame = vec![0x81, 0x80 | u8::try_from(text.len()).unwrap(), 0, 0, 0, 0];
    frame.extend_from_slice(text.as_bytes());
    frame
}

#[test]
fn a_session_that_never_reads_its_answers_is_closed() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = start(&runtime, HttpLimits { max_response: 50_000, ..HttpLimits::default() });
    let mut socket = upgraded(address);
    socket.set_write_timeout(Some(Duration::from_secs(20))).unwrap();
    let request = frame(&call("long"));
    // Answers of 1 GB in all: the node must not hold them, nor wait for ever.
    let closed = (0..100_000).find_map(|_| socket.write_all(&request).err());
    let kind = closed.expect("the session is closed").kind();
    assert!([std::io::ErrorKind::BrokenPipe, std::io::ErrorKind::ConnectionReset].contains(&kind), "{kind:?}");
}

#[test]
fn connections_that_say_nothing_make_room_for_others() {
    let runtime = tokio::runtime::Runtime::new().unwrap();
    let address = start(&runtime, HttpLimits { max_connections: 3, ..HttpLimits::default() });
    let mut idle = [connect(address), upgraded(address), connect(address)];
    idle[2].write_all(b"POST / HTTP/1.1\r\nhost: localhost\r\ncontent-length: 100\r\n\r\n{").unwrap();
    // Idle connections end by themselves after a minute, requests after two.
    let deadline = std::time::Instant::now() + Duration::from_secs(30);
    let mut served = Vec::new();
    while served.len() < 3 {
        let mut again = connect(address);
        // It may be turned away before it has asked.
        let _ = again.write_all(&post("localhost", "", &call("echo")));
        if read(&mut again).contains("\"hi\"") {
            served.push(again);
        }
        assert!(std::time::Instant::now() < deadline, "newcomers wait for those that say nothing");
    }
}

fn scope(limits: &HttpLimits, from: &str, pairs: &[(&'static str, &'static str)]) -> Caller {
    let secrets = Secrets::default().with_cookie("__cookie__:00").with_mining("__mining__:00");
    let listening = Listening {
        totals: Arc::default(),
        builder: service(limits, 1),
        methods: Methods::new(),
        places: Places::new(1),
        limits: Arc::new(limits.clone()),
        secrets: Arc::new(secrets),
        workers: Some(Arc::default()),
        stop: stop_channel().0,
    };
    listening.caller(&headers(pairs), &Session::new(from.parse().unwrap(), 1, &Arc::default()))
}

#[test]
fn callers_are_told_apart_by_cookie_address_and_origin() {
    let limits = HttpLimits::default();
    let cookie = ("authorization", "Basic X19jb29raWVfXzowMA==");
    let extension = ("origin", "chrome-extension://abc");
    assert_eq!(scope(&limits, "127.0.0.1", &[]), Scope::Local.into());
    assert_eq!(scope(&limits, "::1", &[]), Scope::Local.into());
    assert_eq!(scope(&limits, "192.0.2.1", &[]), Scope::Public.into());
    assert_eq!(scope(&limits, "127.0.0.1", &[("origin", "https://app.example")]), Scope::Public.into());
    assert_eq!(scope(&limits, "192.0.2.1", &[cookie]), Scope::Full.into());
    assert_eq!(scope(&limits, "127.0.0.1", &[cookie, extension]), Scope::Wallet.into());
    let mining = ("authorization", "Basic X19taW5pbmdfXzowMA==");
    assert_eq!(scope(&limits, "192.0.2.1", &[mining]), Scope::Mining.into());
    let stale = ("authorization", "Basic X19jb29raWVfXzowMQ==");
    assert_eq!(scope(&limits, "127.0.0.1", &[stale]), Caller { scope: Scope::Local, wrong_secret: true });
}

#[test]
fn on_a_devnet_the_nodes_own_page_alone_counts_as_a_program_of_this_machine() {
    let devnet = HttpLimits { own_page_here: true, vhosts: vec!["node.example".to_owned()], ..HttpLimits::default() };
    let at = |limits: &HttpLimits, from: &str, host: &'static str, origin: &'static str| {
        scope(limits, from, &[("host", host), ("origin", origin)])
    };
    let own = ("127.0.0.1:8545", "http://127.0.0.1:8545");
    assert_eq!(at(&devnet, "127.0.0.1", own.0, own.1), Scope::Local.into());
    assert_eq!(at(&HttpLimits::default(), "127.0.0.1", own.0, own.1), Scope::Public.into());
    assert_eq!(at(&devnet, "192.0.2.1", own.0, own.1), Scope::Public.into());
    for (host, origin) in [
        ("127.0.0.1:8545", "http://127.0.0.1:3000"),
        ("127.0.0.1:8545", "https://127.0.0.1:8545"),
        ("127.0.0.1:8545", "http://localhost:8545"),
        ("192.168.1.2:8545", "http://192.168.1.2:8545"),
        ("node.example", "http://node.example"),
    ] {
        assert_eq!(at(&devnet, "127.0.0.1", host, origin), Scope::Public.into(), "{origin}");
    }
}
