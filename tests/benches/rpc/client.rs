//! A client that costs next to nothing: one thread and one connection a lane, requests that were written before.

use std::{
    io::{BufRead, BufReader, Read, Write},
    net::TcpStream,
    thread,
    time::{Duration, Instant},
};

/// One round.
pub struct Measured {
    /// Requests a second, of all lanes.
    pub rate: f64,
    /// The time under which 99 of 100 answers came.
    pub p99: Duration,
}

/// Asks until the time is over, or a lane has no request left: `request(lane, number)`.
///
/// # Panics
/// If an answer is an error.
pub fn measure(
    port: u16,
    lanes: usize,
    time: Duration,
    request: &(dyn Fn(usize, usize) -> Option<String> + Sync),
) -> Measured {
    let start = Instant::now();
    let mut times: Vec<Duration> = thread::scope(|scope| {
        let lane = |lane| scope.spawn(move || run(port, start + time, &|number| request(lane, number)));
        let running: Vec<_> = (0..lanes).map(lane).collect();
        running.into_iter().flat_map(|lane| lane.join().expect("a lane has all its answers")).collect()
    });
    let elapsed = start.elapsed();
    times.sort();
    Measured { rate: times.len() as f64 / elapsed.as_secs_f64(), p99: times[(times.len() - 1) * 99 / 100] }
}

fn run(port: u16, end: Instant, request: &dyn Fn(usize) -> Option<String>) -> Vec<Duration> {
    let stream = TcpStream::connect(("127.0.0.1", port)).expect("the server listens");
    stream.set_nodelay(true).expect("a socket takes options");
    let (mut reader, mut body, mut times) = (BufReader::with_capacity(1 << 16, stream), Vec::new(), Vec::new());
    while let Some(request) = request(times.len()).filter(|_| Instant::now() < end) {
        let text = format!(
            "POST / HTTP/1.1\r\nHost: 127.0.0.1:{port}\r\nContent-Type: application/json\r\nContent-Length: {}\r\n\r\n{request}",
            request.len()
        );
        let asked = Instant::now();
        reader.get_mut().write_all(text.as_bytes()).expect("the server reads");
        answer(&mut reader, &mut body);
        times.push(asked.elapsed());
        let start = &body[..body.len().min(200)];
        assert!(!start.windows(8).any(|text| text == b"\"error\":"), "{request}: {}", String::from_utf8_lossy(start));
    }
    times
}

fn answer(reader: &mut BufReader<TcpStream>, body: &mut Vec<u8>) {
    let mut length = 0;
    let mut line = String::new();
    loop {
        line.clear();
        reader.read_line(&mut line).expect("the server answers");
        if line == "\r\n" {
            break;
        }
        if let Some((_, value)) = line.split_once(':').filter(|(name, _)| name.eq_ignore_ascii_case("content-length")) {
            length = value.trim().parse().expect("a length");
        }
    }
    assert!(length > 0, "an answer has a length");
    body.resize(length, 0);
    reader.read_exact(body).expect("the answer is whole");
}
