//! The terminal as a screen of its own, which is given back however the program ends.
//!
//! ratatui's `Terminal` is not used: when the size changes it may ask the terminal where the cursor is, and wait for the answer
//! among the keys.

use ratatui::{
    backend::{Backend, CrosstermBackend},
    buffer::Buffer,
    crossterm::{
        cursor::{Hide, Show},
        execute,
        terminal::{EnterAlternateScreen, LeaveAlternateScreen, disable_raw_mode, enable_raw_mode},
    },
    layout::Rect,
};
use std::{
    io::{self, BufWriter, Stdout, stdout},
    panic,
    sync::atomic::{AtomicBool, Ordering},
};

/// Whether the terminal is taken.
static TAKEN: AtomicBool = AtomicBool::new(false);

/// A terminal of its own. Dropping it gives the terminal back.
pub struct Taken(());

/// What is drawn on.
pub type Drawn = Screen<CrosstermBackend<BufWriter<Stdout>>>;

impl Taken {
    /// Takes the terminal: no echo, no lines, no signals by keys, another screen than that of the shell.
    ///
    /// # Errors
    /// If the system does not allow it.
    pub fn take() -> io::Result<Self> {
        let before = panic::take_hook();
        panic::set_hook(Box::new(move |panicked| {
            // The message is to be seen.
            give_back();
            before(panicked);
        }));
        enable_raw_mode()?;
        TAKEN.store(true, Ordering::Relaxed);
        // From here on, an error gives it back.
        let taken = Self(());
        execute!(stdout(), EnterAlternateScreen, Hide)?;
        Ok(taken)
    }

    /// The screen, still empty.
    pub fn drawn(&self) -> Drawn {
        Screen::new(CrosstermBackend::new(BufWriter::new(stdout())))
    }
}

impl Drop for Taken {
    fn drop(&mut self) {
        give_back();
    }
}

fn give_back() {
    if TAKEN.swap(false, Ordering::Relaxed) {
        // It may have hung up.
        let _ = execute!(stdout(), LeaveAlternateScreen, Show);
        restore_mode();
    }
}

/// Has the terminal echo and make lines again. Writes nothing, and so does not wait for a terminal that takes nothing.
pub fn restore_mode() {
    // It may have hung up.
    let _ = disable_raw_mode();
}

/// A screen that knows what it shows, and is sent what changes.
pub struct Screen<B> {
    backend: B,
    shown: Buffer,
}

impl<B: Backend> Screen<B> {
    /// A screen of unknown contents.
    pub fn new(backend: B) -> Self {
        Self { backend, shown: Buffer::default() }
    }

    /// Draws a frame of this width and height.
    ///
    /// # Errors
    /// If it cannot be written.
    pub fn draw(&mut self, (width, height): (u16, u16), paint: impl FnOnce(&mut Buffer)) -> Result<(), B::Error> {
        let area = Rect::new(0, 0, width, height);
        if self.shown.area != area {
            self.backend.clear()?;
            self.shown = Buffer::empty(area);
        }
        let mut next = Buffer::empty(area);
        paint(&mut next);
        self.backend.draw(self.shown.diff(&next).into_iter())?;
        self.shown = next;
        self.backend.flush()
    }

    /// Has the next frame be drawn from nothing.
    pub fn forget(&mut self) {
        self.shown = Buffer::default();
    }

    /// What it is drawn on.
    #[cfg(test)]
    pub fn backend(&mut self) -> &mut B {
        &mut self.backend
    }
}
