//! Whether the preferred server takes miners again.

use std::{
    io::{self, BufReader},
    sync::{Arc, mpsc::Sender},
    thread::{self, JoinHandle},
    time::{Duration, Instant},
};

use super::{
    message,
    server::{Connection, Event, Server, connect, line},
    session::{Reason, Session, Step, Worker},
    tls::Trust,
};

/// A server is back that sends a job within this time.
const PROBE: Duration = Duration::from_secs(10);

/// Tries a server on a thread of its own; says so only if it takes miners. `None` if the system starts no more threads.
pub fn probe(
    server: &Server,
    trust: Option<&Trust>,
    worker: &Worker,
    events: &Sender<Event>,
) -> Option<JoinHandle<()>> {
    let (server, trust, worker, events) = (server.clone(), trust.cloned(), worker.clone(), events.clone());
    let thread = thread::Builder::new().name("probe".into());
    let probe = thread.spawn(move || {
        if takes_miners(&server, trust.as_ref(), &worker).is_ok() {
            // The receiver may be gone.
            let _ = events.send(Event::Back);
        }
    });
    probe.ok()
}

/// Begins as a miner does, until there is a job. That a port accepts connections shows little: a proxy does so whose pool is down.
fn takes_miners(server: &Server, trust: Option<&Trust>, worker: &Worker) -> Result<(), String> {
    let text = |error: io::Error| error.to_string();
    let mut reader = connect(server, trust).map_err(text)?;
    reader.until(Instant::now() + PROBE);
    let (connection, _) = Connection::new(Arc::clone(reader.stream()));
    let mut session = Session::begin(0, connection, worker).map_err(text)?;
    let mut lines = BufReader::new(reader);
    while !session.works() {
        let message = message::parse(&line(&mut lines).map_err(text)?)?;
        if let Step::End(Reason::Refused(reason) | Reason::Broken(reason)) = session.take(message) {
            return Err(reason);
        }
    }
    Ok(())
}
