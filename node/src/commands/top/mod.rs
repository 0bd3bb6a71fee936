//! `cairn-node top`: a running node at a glance in a terminal, asked over its RPC.
//!
//! The command's thread draws and reads keys; another one asks the node, so that a slow answer delays no key. A third waits for
//! signals.

mod asker;
mod draw;
mod event;
mod history;
mod keyboard;
mod panels;
mod plain;
mod poller;
mod screen;
mod snapshot;
mod texts;
mod theme;
mod view;

#[cfg(test)]
mod tests;

use cairn_client::unix;
use ratatui::{buffer::Buffer, layout::Rect};
use std::{
    io::{IsTerminal, stdin, stdout},
    sync::{
        Arc,
        atomic::{AtomicBool, Ordering},
    },
    time::Duration,
};

use self::{
    asker::Asker,
    keyboard::{Key, Keyboard},
    poller::Poller,
    screen::{Drawn, Taken},
    theme::Theme,
    view::View,
};
use crate::{
    cli::Top,
    error::CommandError,
    output::{has_colours, moves, say},
    signals::Signals,
};

/// How long the loop waits for keys. Signals and answers are looked at as often.
const TICK: Duration = Duration::from_millis(100);

/// How long a signal waits for a clean end: a terminal that was stopped (Ctrl-S) takes nothing that is written, and the writer
/// waits for it.
const GRACE: Duration = Duration::from_secs(2);

/// A terminal that does not tell its size.
const SIZE: (u16, u16) = (80, 24);

/// `cairn-node top`
pub fn top(flags: &Top) -> Result<(), CommandError> {
    let theme = Theme { colours: has_colours(&stdout()) };
    let poller = Poller::new(flags.node.clone());
    if flags.once {
        return once(poller, theme);
    }
    if !(stdin().is_terminal() && moves(&stdout())) {
        return Err(CommandError::NoTerminal);
    }
    let stop = Arc::new(AtomicBool::new(false));
    watch_signals(stop.clone())?;
    let keyboard = Keyboard::open().map_err(CommandError::io("read the terminal"))?;
    let view = View::new(flags.node.rpc.clone());
    let taken = Taken::take().map_err(CommandError::io("draw on the terminal"))?;
    let result = attend(taken.drawn(), view, Asker::start(poller), keyboard, theme, &stop);
    drop(taken);
    result
}

/// Prints one frame as text.
fn once(mut poller: Poller, theme: Theme) -> Result<(), CommandError> {
    let mut view = View::new(poller.url().to_owned());
    view.take(poller.ask(), unix());
    if let Some(error) = view.failure.take() {
        return Err(error);
    }
    let (width, height) = if stdout().is_terminal() { size() } else { SIZE };
    let mut frame = Buffer::empty(Rect::new(0, 0, width, height));
    draw::frame(&view, theme, &mut frame);
    say(plain::text(&frame, theme));
    Ok(())
}

/// Draws and reads keys until somebody ends it, or the terminal is gone.
fn attend(
    mut screen: Drawn,
    mut view: View,
    mut asker: Asker,
    mut keyboard: Keyboard,
    theme: Theme,
    stop: &AtomicBool,
) -> Result<(), CommandError> {
    let mut drawn = None;
    while !stop.load(Ordering::Relaxed) {
        let news = asker.turn(&mut view)?;
        view.now = unix();
        // Times pass by the second.
        let state = (view.now, size());
        if news || drawn != Some(state) {
            let painted = screen.draw(state.1, |frame| draw::frame(&view, theme, frame));
            painted.map_err(CommandError::io("draw on the terminal"))?;
            drawn = Some(state);
        }
        // A terminal that hung up is an end like any other.
        let Some(keys) = keyboard.wait(TICK) else { return Ok(()) };
        for key in keys {
            drawn = None;
            match key {
                Key::Quit => return Ok(()),
                Key::Pause => view.paused = !view.paused,
                Key::Refresh => asker.hurry(),
                Key::Repaint => screen.forget(),
            }
        }
    }
    Ok(())
}

fn size() -> (u16, u16) {
    ratatui::crossterm::terminal::window_size().map_or(SIZE, |size| match (size.columns, size.rows) {
        (0, _) | (_, 0) => SIZE,
        known => known,
    })
}

/// Has the first signal end the loop, and after a while the process.
fn watch_signals(stop: Arc<AtomicBool>) -> Result<(), CommandError> {
    Signals::in_thread(async move |mut signals| {
        signals.next().await;
        stop.store(true, Ordering::Relaxed);
        tokio::time::sleep(GRACE).await;
        screen::restore_mode();
        // SAFETY: ends the process and returns to nobody; there is nothing to be written.
        unsafe { libc::_exit(1) }
    })
}
