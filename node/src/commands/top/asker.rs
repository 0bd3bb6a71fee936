//! The thread that asks the node. It is told each time; so a pause costs the node nothing, and no old answer waits.

use cairn_client::unix;
use std::{
    sync::mpsc::{Receiver, SyncSender, TryRecvError, sync_channel},
    thread,
    time::{Duration, Instant},
};

use super::{poller::Poller, snapshot::Answer, view::View};
use crate::error::CommandError;

/// How long after an answer the node is asked again.
const EVERY: Duration = Duration::from_secs(1);

/// How long after a failure.
const RETRY: Duration = Duration::from_secs(3);

/// Asks a node in another thread, which ends with this.
pub struct Asker {
    wanted: SyncSender<()>,
    answers: Receiver<Answer>,
    /// Whether an answer is to come.
    asked: bool,
    /// When to ask again.
    due: Instant,
}

impl Asker {
    /// Starts the thread.
    pub fn start(mut poller: Poller) -> Self {
        let (wanted, requests) = sync_channel(1);
        let (sender, answers) = sync_channel(1);
        thread::spawn(move || {
            for () in requests {
                if sender.send(poller.ask()).is_err() {
                    return;
                }
            }
        });
        Self { wanted, answers, asked: false, due: Instant::now() }
    }

    /// Shows an answer if there is one, and asks when it is time. Whether there is something new to see.
    ///
    /// # Errors
    /// [`CommandError::Stopped`] if the thread is gone, which is a bug.
    pub fn turn(&mut self, view: &mut View) -> Result<bool, CommandError> {
        let news = match self.answers.try_recv() {
            Ok(answer) => {
                self.asked = false;
                self.due = Instant::now() + if answer.is_ok() { EVERY } else { RETRY };
                view.take(answer, unix());
                true
            }
            Err(TryRecvError::Empty) => false,
            Err(TryRecvError::Disconnected) => {
                return Err(CommandError::Stopped("the thread that asks the node ended by a bug".to_owned()));
            }
        };
        let left = self.due.saturating_duration_since(Instant::now());
        if !self.asked && !view.paused && left.is_zero() {
            self.asked = self.wanted.try_send(()).is_ok();
        }
        view.retry = (!self.asked).then_some(left.as_millis().div_ceil(1_000) as u64);
        Ok(news)
    }

    /// Asks as soon as the last answer is there.
    pub fn hurry(&mut self) {
        self.due = Instant::now();
    }
}
