//! Lines of a socket: bounded, and no more of them than a node has time for.

use std::{
    io,
    time::{Duration, Instant},
};
use tokio::{io::AsyncReadExt, net::tcp::OwnedReadHalf, time::sleep};

/// Bytes of a line; the longest that a miner has reason to send has a tenth of it.
const LINE: usize = 16 << 10;
/// Lines of one connection in a second, and their bytes: to parse the longest lines takes a hundred times as long as a share. One
/// that sends more is read more slowly, so that it cannot take a core.
const LINES: u32 = 100;
const BYTES: usize = 32 << 10;

/// The lines of a socket, none longer than [`LINE`]. What was read is kept when the future that waits is dropped.
pub struct Lines {
    reader: OwnedReadHalf,
    buffer: Vec<u8>,
    /// Bytes of the buffer that hold no end of a line: a line that comes byte by byte is searched once.
    searched: usize,
    second: Instant,
    /// Lines of this second, and their bytes.
    count: u32,
    bytes: usize,
}

impl Lines {
    /// Of a connection.
    pub fn new(reader: OwnedReadHalf) -> Self {
        Self { reader, buffer: Vec::new(), searched: 0, second: Instant::now(), count: 0, bytes: 0 }
    }

    /// The next line without its end; `None` after the last.
    ///
    /// # Errors
    /// `InvalidData` if it is too long; what the socket says.
    pub async fn next(&mut self) -> io::Result<Option<Vec<u8>>> {
        let past = self.second.elapsed();
        if past >= Duration::from_secs(1) {
            (self.second, self.count, self.bytes) = (Instant::now(), 0, 0);
        } else if self.count >= LINES || self.bytes >= BYTES {
            sleep(Duration::from_secs(1).saturating_sub(past)).await;
        }
        loop {
            if let Some(end) = self.buffer[self.searched..].iter().position(|byte| *byte == b'\n') {
                let mut line: Vec<u8> = self.buffer.drain(..=self.searched + end).collect();
                (self.count, self.bytes, self.searched) = (self.count + 1, self.bytes + line.len(), 0);
                line.pop();
                return Ok(Some(line));
            }
            self.searched = self.buffer.len();
            if self.buffer.len() > LINE {
                let reason = format!("a line has at most {LINE} bytes");
                return Err(io::Error::new(io::ErrorKind::InvalidData, reason));
            }
            let mut chunk = [0; 2_048];
            match self.reader.read(&mut chunk).await? {
                0 => return Ok(None),
                read => self.buffer.extend_from_slice(&chunk[..read]),
            }
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use tokio::{
        io::AsyncWriteExt,
        net::{TcpListener, TcpStream},
    };

    #[tokio::test]
    async fn bytes_beyond_those_of_a_second_wait_for_the_next() {
        let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
        let mut miner = TcpStream::connect(listener.local_addr().unwrap()).await.unwrap();
        let mut lines = Lines::new(listener.accept().await.unwrap().0.into_split().0);
        let (began, count) = (Instant::now(), 1 + BYTES / LINE);
        let long = [vec![b'x'; LINE - 1], vec![b'\n']].concat();
        let send = async { miner.write_all(&long.repeat(count)).await.unwrap() };
        let read = async {
            for _ in 0..count {
                assert_eq!(lines.next().await.unwrap(), Some(long[..LINE - 1].to_vec()));
            }
        };
        tokio::join!(send, read);
        // The second began a moment before this clock.
        assert!(began.elapsed() >= Duration::from_millis(950), "{:?}", began.elapsed());
        miner.write_all(b"half").await.unwrap();
        drop(miner);
        assert_eq!((lines.next().await.unwrap(), lines.buffer.as_slice()), (None, &b"half"[..]));
    }
}
