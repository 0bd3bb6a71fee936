//! A bounded queue before a writer that may block, such as a pipe that nobody reads. Whoever logs does not wait for it: the
//! engine and the network log, too.

use parking_lot::{Condvar, Mutex};
use std::{
    collections::VecDeque,
    io::{self, Write},
    sync::Arc,
    thread,
    time::Instant,
};

/// Most bytes that wait to be written. Lines beyond are dropped.
const MOST_BYTES: usize = 1 << 20;

/// Lines on their way to a writer, which has a thread of its own.
#[derive(Clone)]
pub struct LineQueue(Arc<Shared>);

#[derive(Default)]
struct Shared {
    state: Mutex<State>,
    changed: Condvar,
}

#[derive(Default)]
struct State {
    lines: VecDeque<Vec<u8>>,
    bytes: usize,
    /// Lines that found no room since this was last reported.
    dropped: u64,
    writing: bool,
}

/// What the thread does next.
enum Next {
    Write(Vec<u8>),
    Report(u64),
}

impl LineQueue {
    /// Starts the thread, which ends with the process. `report` is called with the number of lines that were dropped, once
    /// there is room again for half of [`MOST_BYTES`].
    ///
    /// # Errors
    /// If there can be no thread.
    pub fn start(
        name: &str,
        mut writer: impl Write + Send + 'static,
        report: impl Fn(u64) + Send + 'static,
    ) -> io::Result<Self> {
        let queue = Self(Arc::default());
        let own = queue.clone();
        thread::Builder::new().name(name.to_owned()).spawn(move || {
            loop {
                match own.next() {
                    // Where to say that a log cannot be written?
                    Next::Write(line) => _ = writer.write_all(&line),
                    Next::Report(lines) => report(lines),
                }
            }
        })?;
        Ok(queue)
    }

    fn next(&self) -> Next {
        let mut state = self.0.state.lock();
        loop {
            state.writing = true;
            if state.dropped > 0 && state.bytes <= MOST_BYTES / 2 {
                return Next::Report(std::mem::take(&mut state.dropped));
            }
            if let Some(line) = state.lines.pop_front() {
                state.bytes -= line.len();
                return Next::Write(line);
            }
            state.writing = false;
            self.0.changed.notify_all();
            self.0.changed.wait(&mut state);
        }
    }

    /// Adds a line, or drops it if there is no room.
    pub fn push(&self, line: &[u8]) {
        let mut state = self.0.state.lock();
        if state.bytes + line.len() > MOST_BYTES {
            state.dropped += 1;
            return;
        }
        state.bytes += line.len();
        state.lines.push_back(line.to_vec());
        self.0.changed.notify_all();
    }

    /// Waits until all is written, but no longer than this.
    pub fn flush(&self, until: Instant) {
        let mut state = self.0.state.lock();
        while state.writing || state.dropped > 0 || !state.lines.is_empty() {
            if self.0.changed.wait_until(&mut state, until).timed_out() {
                return;
            }
        }
    }
}

/// Takes what a layer of the log writes: each line whole.
impl Write for LineQueue {
    fn write(&mut self, line: &[u8]) -> io::Result<usize> {
        self.push(line);
        Ok(line.len())
    }

    fn flush(&mut self) -> io::Result<()> {
        Ok(())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{
        sync::mpsc::{Receiver, Sender, channel},
        time::Duration,
    };

    /// Blocks before each write until the test lets it go on.
    struct Blocking {
        go: Receiver<()>,
        written: Sender<Vec<u8>>,
    }

    impl Write for Blocking {
        fn write(&mut self, line: &[u8]) -> io::Result<usize> {
            // A test that has ended no longer blocks it.
            let _ = self.go.recv();
            let _ = self.written.send(line.to_vec());
            Ok(line.len())
        }

        fn flush(&mut self) -> io::Result<()> {
            Ok(())
        }
    }

    #[test]
    fn what_a_blocked_writer_has_no_room_for_is_dropped_and_counted() {
        let ((go, went), (written, lines), (report, reports)) = (channel(), channel(), channel());
        let writer = Blocking { go: went, written };
        let queue = LineQueue::start("test", writer, move |lines| report.send(lines).unwrap()).unwrap();
        // One may be with the writer already, and four fill the queue.
        let line = vec![b'x'; MOST_BYTES / 4];
        queue.push(b"first");
        (0..20).for_each(|_| queue.push(&line));
        queue.flush(Instant::now() + Duration::from_millis(1));
        assert!(reports.try_recv().is_err(), "nothing could be written");
        drop(go);
        queue.flush(Instant::now() + Duration::from_secs(60));
        let written: Vec<_> = lines.try_iter().collect();
        assert_eq!(written[0], b"first");
        assert!((4..=5).contains(&written.len()), "{}", written.len());
        assert_eq!(reports.try_iter().sum::<u64>(), 21 - written.len() as u64);
    }
}
