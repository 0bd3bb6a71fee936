//! Keys, read from the terminal itself.
//!
//! crossterm's own reader (0.29, `event::source::unix::mio`) tries again for ever when a read fails or ends, as it does once the
//! terminal hangs up: it would spin, and hear no signal. Here the end of the input is the end of the program.

use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    os::fd::{AsFd, AsRawFd, OwnedFd},
    time::Duration,
};

/// A key that does something.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Key {
    /// `q`, Ctrl-C.
    Quit,
    /// `p`
    Pause,
    /// `r`
    Refresh,
    /// Ctrl-L, for a screen on which another program wrote.
    Repaint,
}

/// Where in an escape sequence the next byte stands. The letters of a sequence (an arrow, the keypad) are no keys.
#[derive(Clone, Copy, Debug, Default)]
enum Place {
    #[default]
    Outside,
    /// After ESC.
    Begun,
    /// After `ESC [`, until a letter ends it.
    Parameters,
    /// After `ESC O`: one letter.
    Letter,
}

/// A terminal in raw mode, as what it sends.
pub struct Keyboard {
    terminal: File,
    place: Place,
}

impl Keyboard {
    /// The standard input.
    ///
    /// # Errors
    /// If it is closed.
    pub fn open() -> io::Result<Self> {
        Ok(Self::new(io::stdin().as_fd().try_clone_to_owned()?))
    }

    fn new(terminal: OwnedFd) -> Self {
        Self { terminal: terminal.into(), place: Place::Outside }
    }

    /// Waits for keys, at most so long. `None` once there is nobody to press any: the input ended, or cannot be read.
    pub fn wait(&mut self, at_most: Duration) -> Option<Vec<Key>> {
        if !self.is_ready(at_most)? {
            // A sequence comes in one piece: what ended here was the key Escape.
            self.place = Place::Outside;
            return Some(Vec::new());
        }
        let mut bytes = [0; 256];
        match self.terminal.read(&mut bytes) {
            Ok(0) => None,
            Ok(count) => Some(bytes[..count].iter().filter_map(|byte| self.key(*byte)).collect()),
            Err(error) if matches!(error.kind(), ErrorKind::Interrupted | ErrorKind::WouldBlock) => Some(Vec::new()),
            Err(_) => None,
        }
    }

    /// Whether a read would return at once; `None` if it could return nothing any more.
    fn is_ready(&self, at_most: Duration) -> Option<bool> {
        let mut asked = libc::pollfd { fd: self.terminal.as_raw_fd(), events: libc::POLLIN, revents: 0 };
        let milliseconds = i32::try_from(at_most.as_millis()).unwrap_or(i32::MAX);
        // SAFETY: the pointer is to one entry, which lives until the call has returned; the descriptor is open as long as `self`.
        let ready = unsafe { libc::poll(&raw mut asked, 1, milliseconds) };
        match ready {
            0 => Some(false),
            1 if asked.revents & libc::POLLIN != 0 => Some(true),
            1 => None,
            _ if io::Error::last_os_error().kind() == ErrorKind::Interrupted => Some(false),
            _ => None,
        }
    }

    fn key(&mut self, byte: u8) -> Option<Key> {
        let place = std::mem::take(&mut self.place);
        self.place = match (place, byte) {
            (Place::Outside | Place::Begun, 0x1b) => Place::Begun,
            (Place::Begun, b'[') => Place::Parameters,
            (Place::Begun, b'O') => Place::Letter,
            (Place::Parameters, 0x20..=0x3f) => Place::Parameters,
            _ => Place::Outside,
        };
        match (place, byte) {
            (Place::Outside, b'q' | b'Q' | 0x03) => Some(Key::Quit),
            (Place::Outside, b'p' | b'P') => Some(Key::Pause),
            (Place::Outside, b'r' | b'R') => Some(Key::Refresh),
            (Place::Outside, 0x0c) => Some(Key::Repaint),
            _ => None,
        }
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::{io::Write, time::Instant};

    const SHORT: Duration = Duration::from_millis(10);

    fn typed(text: &[u8]) -> Vec<Key> {
        let (reader, mut writer) = io::pipe().unwrap();
        writer.write_all(text).unwrap();
        Keyboard::new(reader.into()).wait(SHORT).unwrap()
    }

    #[test]
    fn letters_are_keys_and_those_of_sequences_are_not() {
        assert_eq!(typed(b"prq\x03\x0c"), [Key::Pause, Key::Refresh, Key::Quit, Key::Quit, Key::Repaint]);
        // Arrows, keypad, a function key, Alt.
        assert_eq!(typed(b"\x1b[A\x1bOq\x1b[15;2~\x1bq\x1b[1;5Pxyz\n"), []);
        assert_eq!(typed(b"\x1b\x1b[Dr"), [Key::Refresh]);
    }

    #[test]
    fn the_key_escape_swallows_no_later_key() {
        let (reader, mut writer) = io::pipe().unwrap();
        let mut keyboard = Keyboard::new(reader.into());
        writer.write_all(b"\x1b").unwrap();
        assert_eq!(keyboard.wait(SHORT), Some(vec![]));
        assert_eq!(keyboard.wait(SHORT), Some(vec![]));
        writer.write_all(b"q").unwrap();
        assert_eq!(keyboard.wait(SHORT), Some(vec![Key::Quit]));
    }

    #[test]
    fn an_input_that_ended_is_told_at_once_and_one_that_is_silent_takes_its_time() {
        let (reader, writer) = io::pipe().unwrap();
        let mut keyboard = Keyboard::new(reader.into());
        let started = Instant::now();
        assert_eq!(keyboard.wait(Duration::from_millis(50)), Some(vec![]));
        assert!(started.elapsed() >= Duration::from_millis(50));
        drop(writer);
        assert_eq!(keyboard.wait(Duration::from_secs(60)), None);
        assert!(started.elapsed() < Duration::from_secs(30));
    }
}
