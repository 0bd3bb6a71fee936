//! A server that is no node.

use std::{
    io::{Read, Write},
    net::TcpListener,
};

/// Answers one request with this body; returns where.
pub fn stranger(body: &'static str) -> String {
    let listener = TcpListener::bind("127.0.0.1:0").unwrap();
    let url = format!("http://{}", listener.local_addr().unwrap());
    std::thread::spawn(move || {
        let (mut client, _) = listener.accept().unwrap();
        // The request is small enough to come at once, and its end does not matter.
        let _ = client.read(&mut [0; 4_096]);
        let head = format!("HTTP/1.1 200 OK\r\ncontent-length: {}\r\nconnection: close\r\n\r\n", body.len());
        client.write_all(head.as_bytes()).and_then(|()| client.write_all(body.as_bytes())).unwrap();
    });
    url
}
