//! Lines that are typed while a devnet runs, or that a program writes.

use std::{
    io::{BufRead, IsTerminal, stdin},
    sync::{
        Arc,
        atomic::{AtomicUsize, Ordering},
        mpsc::Sender,
    },
};

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
    fn pass_on(&self, lines: impl BufRead, is_terminal: bool, orders: &Sender<Input>, stop: &Stop) {
        // A line that is no text is no order, and is told so.
        for line in lines.split(b'\n').map_while(Result::ok) {
            let line = String::from_utf8_lossy(&line).into_owned();
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
    fn a_line_that_is_no_text_ends_nothing() {
        let ((sender, inputs), stop) = (mpsc::channel(), Stop::default());
        Keyboard::default().pass_on(&b"\xff\xfe\nheal\r\n"[..], false, &sender, &stop);
        let lines: Vec<_> = inputs.try_iter().collect();
        assert!(matches!(&lines[1], Input::Line(line) if line.trim() == "heal"), "{}", lines.len());
        assert!(matches!(lines[..], [Input::Line(_), _, Input::End]));
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
