//! The devnet as the pages of its nodes see it: how it is, and orders from there.

use parking_lot::Mutex;
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    sync::{Arc, mpsc::Sender},
};

use super::order::{Input, Order};
use crate::{devnet, error::CommandError, files};

/// Read by the thread that answers the nodes while the devnet is at work.
#[derive(Clone)]
pub struct Board {
    nodes: usize,
    orders: Sender<Input>,
    state: Arc<Mutex<State>>,
}

#[derive(Default)]
struct State {
    rows: Vec<Value>,
    /// The order that is being carried out.
    busy: Option<String>,
    /// What was said last about its progress.
    note: Option<String>,
    /// The last order that ended, and its error.
    last: Option<(String, Option<String>)>,
}

impl Board {
    /// A devnet of so many nodes; orders go to a channel.
    pub fn new(nodes: usize, orders: Sender<Input>) -> Self {
        Self { nodes, orders, state: Arc::default() }
    }

    /// Answers nodes on a socket in a folder; where that is.
    ///
    /// # Errors
    /// [`CommandError`] if it cannot be made there.
    pub fn open(&self, folder: &Path) -> Result<PathBuf, CommandError> {
        let socket = folder.join("socket");
        let board = self.clone();
        let served = files::make_dir(folder).and_then(|()| devnet::serve(&socket, move |line| board.answer(line)));
        served.map_err(CommandError::io(format!("listen on {}", socket.display())))?;
        Ok(socket)
    }

    fn answer(&self, line: &str) -> Result<Value, String> {
        if line.is_empty() {
            return Ok(self.status());
        }
        let order = Order::parse(line, self.nodes)?.filter(Order::changes);
        let order = order.ok_or_else(|| format!("{line:?} is for the devnet's terminal only"))?;
        let mut state = self.state.lock();
        if let Some(busy) = &state.busy {
            return Err(format!("the devnet is still carrying out {busy:?}: wait until it has ended"));
        }
        self.orders.send(Input::Order(line.to_owned(), order)).map_err(|_| "the devnet is being stopped".to_owned())?;
        state.begin(line);
        Ok(true.into())
    }

    fn status(&self) -> Value {
        let state = self.state.lock();
        json!({
            "nodes": state.rows,
            "busy": state.busy,
            "note": state.note,
            "last": state.last.as_ref().map(|(order, error)| json!({ "order": order, "error": error })),
        })
    }

    /// How the nodes are now.
    pub fn show(&self, rows: Vec<Value>) {
        self.state.lock().rows = rows;
    }

    /// An order is being carried out.
    pub fn begin(&self, order: &str) {
        self.state.lock().begin(order);
    }

    /// How far it is.
    pub fn note(&self, text: &str) {
        self.state.lock().note = Some(text.to_owned());
    }

    /// It has ended.
    pub fn end(&self, order: &str, result: &Result<(), String>) {
        let mut state = self.state.lock();
        state.busy.take_if(|busy| *busy == order);
        state.last = Some((order.to_owned(), result.as_ref().err().cloned()));
    }
}

impl State {
    fn begin(&mut self, order: &str) {
        // One that the page was promised stands, though another was typed before its turn.
        self.busy.get_or_insert_with(|| order.to_owned());
        self.note = None;
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::sync::mpsc;

    #[test]
    fn takes_one_order_at_a_time_and_says_what_became_of_it() {
        let (sender, orders) = mpsc::channel();
        let board = Board::new(3, sender);
        let status = |board: &Board| board.answer("").unwrap();
        assert_eq!(status(&board), json!({ "nodes": [], "busy": null, "note": null, "last": null }));
        assert_eq!(board.answer("kill 2"), Ok(true.into()));
        assert!(matches!(orders.try_recv(), Ok(Input::Order(line, Order::Kill(2))) if line == "kill 2"));
        board.note("killing");
        assert_eq!(status(&board)["busy"], "kill 2");
        assert!(board.answer("heal").unwrap_err().starts_with("the devnet is still carrying out \"kill 2\""));
        board.end("kill 2", &Err("it does not run".to_owned()));
        let last = json!({ "order": "kill 2", "error": "it does not run" });
        assert_eq!(status(&board), json!({ "nodes": [], "busy": null, "note": "killing", "last": last }));
        assert_eq!(board.answer("heal"), Ok(true.into()));
        assert_eq!(status(&board)["note"], Value::Null);
    }

    #[test]
    fn refuses_what_is_wrong_or_for_the_terminal() {
        let (sender, orders) = mpsc::channel();
        let board = Board::new(3, sender);
        for line in ["quit", "exit", "help", "status"] {
            assert_eq!(board.answer(line), Err(format!("{line:?} is for the devnet's terminal only")));
        }
        assert_eq!(board.answer("kill 3"), Err("\"3\": expected a node from 0 to 2".to_owned()));
        assert!(orders.try_recv().is_err());
        drop(orders);
        assert_eq!(board.answer("heal"), Err("the devnet is being stopped".to_owned()));
    }
}
