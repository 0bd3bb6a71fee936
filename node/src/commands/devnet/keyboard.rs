//! Lines that are typed while a devnet runs, or that a program writes.

use std::{
    io::{BufRead, IsTerminal, Read, stdin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Sender,
    },
};

use crate::devnet::MOST_LINE;

use super::{
    order::{Input, Order},
    stop::Stop,
};

/// Lines that were read and are not carried out yet.
#[derive(Clone, Default)]
pub struct Keyboard(Arc<AtomicUsize>);

impl Keyboard {
    /// Passes on all lines of the standard input, to its end.
    pub fn read(&self, orders: &Sender<Input>, stop: &Stop) {
        self.pass_on(stdin().lock(), stdin().is_terminal(), orders, stop);
    }

    /// Who types `quit` wants the running order to end, and who has only the page's order before it, too. In a script it stands
    /// behind orders that are to be carried out first.
    fn pass_on(&self, mut lines: impl BufRead, is_terminal: bool, orders: &Sender<Input>, stop: &Stop) {
        while let Some(line) = read_line(&mut lines) {
            let is_first = self.0.fetch_add(1, Ordering::Relaxed) == 0;
            // `quit` is read the same for any number of nodes.
            if (is_terminal || is_first) && Order::parse(&line, 0) == Ok(Some(Order::Quit)) {
                stop.ask();
            }
            // The devnet may be ending.
            let _ = orders.send(Input::Line(line));
        }
        let _ = orders.send(Input::End);
    }

    /// A line was carried out.
    pub fn done(&self) {
        self.0.fetch_sub(1, Ordering::Relaxed);
    }
}

/// A line without its end, whatever its bytes are, or as much of it as an order can have and one byte more; nothing at the end.
fn read_line(lines: &mut impl BufRead) -> Option<String> {
    let mut line = Vec::new();
    lines.take(MOST_LINE as u64 + 1).read_until(b'\n', &mut line).ok().filter(|bytes| *bytes > 0)?;
    if line.len() > MOST_LINE && !line.ends_with(b"\n") {
        lines.skip_until(b'\n').ok()?;
    }
    Some(String::from_utf8_lossy(&line).trim_end_matches(['\r', '\n']).to_owned())
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    /// Whether lines ask to stop before they are carried out.
    fn stops(lines: &str, is_terminal: bool) -> bool {
        let ((sender, inputs), stop) = (mpsc::channel(), Stop::default());
        Keyboard::default().pass_on(lines.as_bytes(), is_terminal, &sender, &stop);
        assert_eq!(inputs.try_iter().count(), lines.lines().count() + 1);
        stop.check().is_err()
    }

    #[test]
    fn quit_ends_the_running_order_unless_a_script_wants_that_one_done() {
        assert!(stops("quit\n", true) && stops(" exit \n", false));
        assert!(stops("mine 3\nquit\n", true) && !stops("mine 3\nquit\n", false));
        assert!(!stops("quite\nheal\n", true));
    }

    #[test]
    fn a_line_that_is_no_text_or_too_long_ends_nothing() {
        let ((sender, inputs), stop) = (mpsc::channel(), Stop::default());
        Keyboard::default().pass_on(
            &[b"\xff\xfe\n", &[b'9'; 5_000][..], b"\nheal\r\n"].concat()[..],
            false,
            &sender,
            &stop,
        );
        let lines: Vec<_> = inputs.try_iter().collect();
        let [Input::Line(_), Input::Line(long), Input::Line(heal), Input::End] = &lines[..] else {
            panic!("{lines:?}")
        };
        assert_eq!((long.len(), heal.as_str()), (MOST_LINE + 1, "heal"));
    }

    #[test]
    fn a_line_that_was_carried_out_keeps_quit_waiting_no_longer() {
        let ((sender, _inputs), stop, keyboard) = (mpsc::channel(), Stop::default(), Keyboard::default());
        keyboard.pass_on(&b"heal\n"[..], false, &sender, &stop);
        keyboard.done();
        keyboard.pass_on(&b"quit\n"[..], false, &sender, &stop);
        assert!(stop.check().is_err());
    }
}
