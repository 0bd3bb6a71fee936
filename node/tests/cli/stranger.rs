//! A server that is no node.

use super::{failure, misuse, success};
use std::{
    io::{Read, Write},
    net::{Shutdown, TcpListener, TcpStream},
};

/// Answers one request with this body; returns where.
pub fn stranger(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        client.write_all(head.as_bytes()).and_then(|()| client.write_all(body.as_bytes())).unwrap();
        end(client);
    });
    url
}

/// Answers each method with the result given for it, until the test ends; returns where.
pub fn liar(answers: Vec<(&'static str, String)>) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        for mut client in listener.incoming().map_while(Result::ok) {
            let (mut asked, mut part) = (String::new(), [0; 4_096]);
            // The body is an object, and comes last.
            while !asked.ends_with('}') {
                let Ok(read @ 1..) = client.read(&mut part) else { break };
                asked += &String::from_utf8_lossy(&part[..read]);
            }
            let answer = answers.iter().find(|(method, _)| asked.contains(&format!("\"{method}\"")));
            let body = match answer {
                Some((_, result)) => format!(r#"{{"jsonrpc":"2.0","id":1,"result":{result}}}"#),
                None => r#"{"jsonrpc":"2.0","id":1,"error":{"code":-32601,"message":"no"}}"#.to_owned(),
            };
            let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
            // The command may have enough.
            let _ = client.write_all(head.as_bytes()).and_then(|()| client.write_all(body.as_bytes()));
        }
    });
    url
}

/// Ends an answer. The client may still be writing: it is to see the answer, and no broken connection.
fn end(mut client: TcpStream) {
    client.shutdown(Shutdown::Write).unwrap();
    let _ = client.read_to_end(&mut Vec::new());
}

#[test]
fn what_no_node_answers_is_an_error_of_every_command() {
    let commands: [&[&str]; 6] =
        [&["status"], &["peers"], &["block"], &["tx", "00"], &["stop"], &["mine-to", "lcrn1qqq"]];
    for command in commands {
        for body in
            [r#"{"result":"x"}"#, r#"{"result":7}"#, r#"{"result":{"bestHash":"x","mining":1}}"#, r#"{"result":[1]}"#]
        {
            let url = stranger(body);
            let said = failure(&[command, &["--rpc", &url]].concat());
            let start = format!("what answers at {url} is not a Cairn node (its answer to ");
            assert!(said.starts_with(&start) && said.contains(" makes no sense): "), "{command:?} {body}: {said}");
        }
        for body in ["{}", "[]", "\"x\"", "7"] {
            let url = stranger(body);
            let said = failure(&[command, &["--rpc", &url]].concat());
            let expected = format!("what answers at {url} is not a Cairn node (it does not speak JSON-RPC 2.0): ");
            assert!(said.starts_with(&expected), "{command:?} {body}: {said}");
        }
    }
}

#[test]
fn what_no_node_answers_to_a_batch_is_an_error_of_top() {
    let not_a_node = |body| {
        let url = stranger(body);
        let said = failure(&["top", "--once", "--rpc", &url]);
        let reason = said.strip_prefix(&format!("what answers at {url} is not a Cairn node ("));
        let reason = reason.and_then(|rest| rest.split_once("): ")).unwrap_or_else(|| panic!("{body}: {said}"));
        reason.0.to_owned()
    };
    assert_eq!(not_a_node(r#"{"result":"x"}"#), "it does not answer batches");
    assert_eq!(not_a_node("7"), "it does not speak JSON-RPC 2.0");
    for body in ["[]", "[7]", r#"[{"id":1,"result":true}]"#] {
        assert_eq!(not_a_node(body), "it does not answer chain_getInfo");
    }
    for body in [r#"[{"id":0,"result":7}]"#, r#"[{"id":1},{"id":0,"result":{"height":1}}]"#] {
        assert_eq!(not_a_node(body), "its answer to chain_getInfo makes no sense");
    }
    let unknown = r#"[{"id":0,"error":{"code":-32601,"message":"no"}}]"#;
    assert_eq!(not_a_node(unknown), "it does not know chain_getInfo: is it an Ethereum node?");
    for body in [
        r#"[{"id":0,"error":{"code":1,"message":"\u001b[2Jgone\n\u202efake"}}]"#,
        r#"{"error":{"code":1,"message":"chain_getInfo: \u001b[2Jgone\n\u202efake"}}"#,
    ] {
        let said = failure(&["top", "--once", "--rpc", &stranger(body)]);
        assert!(said.starts_with("the node refuses: ") && said.ends_with("chain_getInfo: [2Jgone fake"), "{said:?}");
    }
}

#[test]
fn the_words_of_a_stranger_do_not_steer_the_terminal() {
    let url = stranger(r#"{"error":{"code":1,"message":"\u001b[2Jgone\nerror: \u202efake"}}"#);
    assert_eq!(failure(&["peers", "--rpc", &url]), "the node refuses: admin_peers: [2Jgone error: fake");
    let long = Box::leak(format!(r#"{{"error":{{"code":1,"message":"{}"}}}}"#, "x".repeat(100_000)).into_boxed_str());
    assert!(failure(&["peers", "--rpc", &stranger(long)]).len() < 1_100);
    let url = stranger("{\"result\":[{\"agent\":\"\\u001b]0;title\\u0007a\\u200bgent\",\"direction\":\"inbound\"}]}");
    let said = success(&["peers", "--rpc", &url]);
    assert!(said.ends_with("  ]0;titleagent\n"), "{said:?}");
}

#[test]
fn a_cookie_file_that_is_named_is_there() {
    let said = failure(&["stop", "--cookie", "/nonexistent/cookie"]);
    let expected = "cannot read the cookie file /nonexistent/cookie: No such file or directory (os error 2); a node writes it \
                    when it starts";
    assert_eq!(said, expected);
}

#[test]
fn a_server_that_does_not_answer_is_busy_or_no_node() {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    let says =
        "did not answer within 10 s; what listens there is busy, or no node: try again, or name another with --rpc URL";
    let commands: [&[&str]; 4] = [&["status"], &["block"], &["stop"], &["top", "--once"]];
    std::thread::scope(|scope| {
        for command in commands {
            let url = &url;
            scope.spawn(move || {
                let said = failure(&[command, &["--rpc", url]].concat());
                assert_eq!(said, format!("the server at {url} {says}"), "{command:?}");
            });
        }
    });
    drop(listener);
}

#[test]
fn a_port_that_does_not_speak_http_is_no_node() {
    for command in [&["status"][..], &["top", "--once"]] {
        let listener = TcpListener::bind("127.0.0.1:0").unwrap();
        let url = format!("http://{}", listener.local_addr().unwrap());
        std::thread::spawn(move || {
            let mut client = listener.accept().unwrap().0;
            client.write_all(b"\x16\x03\x01\x00\xff\r\n").unwrap();
            end(client);
        });
        let said = failure(&[command, &["--rpc", &url]].concat());
        assert!(
            said.starts_with(&format!("what answers at {url} is not a Cairn node (it does not speak HTTP): ")),
            "{said}"
        );
    }
}

#[test]
fn a_chain_spec_does_not_reach_the_terminal_as_it_is() {
    let folder = tempfile::tempdir().unwrap();
    let file = folder.path().join("chain.toml");
    for text in ["\"\\u001b[31mk\\n\\u202e\" = 1", "name = \"a\\nerror: \\r\\u0007b\""] {
        std::fs::write(&file, text).unwrap();
        let said = misuse(&["run", "--chain", file.to_str().unwrap()]);
        assert!(!said.contains(|letter: char| letter.is_control() || letter == '\u{202e}'), "{said:?}");
    }
}
