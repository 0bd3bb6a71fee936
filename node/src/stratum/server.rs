//! The listener: bounded connections, and the work that all of them share.

use cairn_client::unix;
use chain_core::spec::ChainSpec;
use parking_lot::Mutex;
use serde_json::Value;
use std::{
    collections::HashMap,
    io,
    net::IpAddr,
    sync::{
        Arc,
        atomic::{AtomicU32, Ordering},
    },
    time::{Duration, Instant},
};
use tokio::{
    io::AsyncWriteExt,
    net::{TcpListener, TcpStream, tcp::OwnedWriteHalf},
    sync::{Notify, watch},
    time::{interval, sleep, timeout},
};

use super::{
    announce::announce,
    job::Work,
    lines::Lines,
    message,
    session::{Now, Reaction, Session, Solved},
    workers::Workers,
};
use crate::{
    engine::{BlockOutcome, TemplateError, TemplateRequest},
    engine_thread::EngineHandle,
    mining::Mining,
    rpc::network,
    throttle::Throttle,
};

/// Connections in all, and of one address: a farm behind a router has one. Half of all at most, so that no host locks out the
/// others. Those of this machine are bounded by all alone.
const MOST: usize = 2_048;
const OF_ONE: usize = 256;
/// A miner that does not read what it is sent.
const WRITE: Duration = Duration::from_secs(20);
/// How often a session looks at the clock.
const TICK: Duration = Duration::from_secs(10);
/// Between two jobs on one tip: better fees are worth a line every few seconds.
const FEES: Duration = Duration::from_secs(5);
/// After that a template is replaced at least so often: its time is at most half a minute behind the clock's.
const REFRESH: Duration = Duration::from_secs(25);
/// How long to wait after a template could not be made, or while syncing.
const RETRY: Duration = Duration::from_millis(500);
/// Miners stay while the node syncs for no longer: a few blocks that came at once are connected by then.
const CATCH_UP: Duration = Duration::from_secs(5);
/// Why there is no place.
const CROWDED: &str = "too many miners are connected to this node: try again later";
const SYNCING: &str = "this node is syncing: it has work once it has the other nodes' blocks";
/// How often the statistics are written, besides after each block.
const SAVE: Duration = Duration::from_secs(60);

/// The stratum server.
pub struct Stratum {
    engine: EngineHandle,
    mining: Arc<Mining>,
    workers: Arc<Workers>,
    hrp: Arc<str>,
    chain: String,
    most: usize,
    seats: Mutex<HashMap<IpAddr, usize>>,
    joined: Notify,
    /// A block was found: the statistics are worth a write.
    found: Notify,
    started: Instant,
    /// The next connection's extranonce.
    next: AtomicU32,
    /// Lines of the log on connections that find no place.
    refusals: Mutex<Throttle>,
    /// On those that come while this node syncs, and on user names.
    syncing: Mutex<Throttle>,
    strangers: Mutex<Throttle>,
    work: watch::Sender<Option<Arc<Work>>>,
}

/// A connection's place, given back when it is dropped.
struct Seat {
    server: Arc<Stratum>,
    ip: IpAddr,
}

impl Drop for Seat {
    fn drop(&mut self) {
        let mut seats = self.server.seats.lock();
        if let Some(count) = seats.get_mut(&self.ip) {
            *count -= 1;
            if *count == 0 {
                seats.remove(&self.ip);
            }
        }
    }
}

/// How many miners may be connected where the system lets the process have so many files: the rest are for peers, the RPC and
/// the database.
pub fn bind_limit(files: u64) -> usize {
    usize::try_from(files / 4).unwrap_or(MOST).min(MOST)
}

impl Stratum {
    /// A server for at most so many miners, which does nothing yet.
    pub fn new(
        engine: EngineHandle,
        mining: Arc<Mining>,
        workers: Arc<Workers>,
        spec: &ChainSpec,
        most: usize,
    ) -> Arc<Self> {
        Arc::new(Self {
            engine,
            mining,
            workers,
            hrp: spec.hrp.as_str().into(),
            chain: spec.name.clone(),
            most,
            seats: Mutex::default(),
            joined: Notify::new(),
            found: Notify::new(),
            started: Instant::now(),
            next: AtomicU32::new(1),
            refusals: Mutex::default(),
            syncing: Mutex::new(Throttle::seldom()),
            strangers: Mutex::new(Throttle::seldom()),
            work: watch::Sender::new(None),
        })
    }

    /// Serves miners. Ends with the engine.
    pub async fn serve(self: Arc<Self>, listener: TcpListener) {
        let address = listener.local_addr();
        let announced = async {
            if let Ok(address) = address {
                announce(address, &self.chain).await;
            }
            std::future::pending().await
        };
        tokio::select! {
            () = announced => {}
            () = self.clone().accept(listener) => {}
            () = self.feed() => {}
            () = self.keep() => {}
        }
    }

    async fn accept(self: Arc<Self>, listener: TcpListener) {
        loop {
            let (socket, from) = match listener.accept().await {
                Ok(accepted) => accepted,
                Err(error) => {
                    if let Some(suppressed) = self.refusals.lock().allow(Instant::now()) {
                        tracing::warn!(%error, suppressed, "cannot accept a miner's connection");
                    }
                    // Out of file descriptors, most likely: connections that end make room.
                    sleep(Duration::from_millis(100)).await;
                    continue;
                }
            };
            if self.engine.chain_info().syncing {
                if let Some(suppressed) = self.syncing.lock().allow(Instant::now()) {
                    tracing::warn!(from = %from.ip(), suppressed, "a miner is turned away: this node is syncing");
                }
                turn_away(socket, SYNCING);
                continue;
            }
            let Some(seat) = self.seat(from.ip()) else {
                if let Some(suppressed) = self.refusals.lock().allow(Instant::now()) {
                    let (from, most) = (from.ip(), self.most);
                    tracing::warn!(%from, most, suppressed, "a miner finds no place: too many are connected");
                }
                turn_away(socket, CROWDED);
                continue;
            };
            // Without it lines wait for the miner's acknowledgement; a socket that refuses it is closing.
            let _ = socket.set_nodelay(true);
            let server = self.clone();
            tokio::spawn(async move {
                if let Err(error) = server.converse(socket, from.ip()).await {
                    tracing::debug!(%error, "a miner's connection ended");
                }
                drop(seat);
            });
        }
    }

    fn seat(self: &Arc<Self>, ip: IpAddr) -> Option<Seat> {
        let ip = network(ip);
        let mut seats = self.seats.lock();
        let of_one = seats.get(&ip).copied().unwrap_or_default();
        let most_of_one = OF_ONE.min(self.most / 2).max(1);
        if seats.values().sum::<usize>() >= self.most || !ip.is_loopback() && of_one >= most_of_one {
            return None;
        }
        *seats.entry(ip).or_default() += 1;
        self.joined.notify_one();
        Some(Seat { server: self.clone(), ip })
    }

    async fn converse(&self, socket: TcpStream, from: IpAddr) -> io::Result<()> {
        let mut work = self.work.subscribe();
        let extranonce = self.next.fetch_add(1, Ordering::Relaxed).to_be_bytes();
        let mut session = Session::new(extranonce, self.hrp.clone(), self.workers.clone(), self.now());
        if let Some(work) = work.borrow_and_update().clone() {
            session.offer(work, self.now());
        }
        let (reader, mut writer) = socket.into_split();
        let mut lines = Lines::new(reader);
        let (mut ticks, mut idle) = (interval(TICK), None);
        loop {
            let reaction = tokio::select! {
                line = lines.next() => match line {
                    Ok(Some(line)) => session.handle(&line, self.now()),
                    Ok(None) => return Ok(()),
                    Err(error) if error.kind() == io::ErrorKind::InvalidData => {
                        let lines = message::refusal(&Value::Null, 20, &error.to_string());
                        Reaction { lines, close: true, ..Reaction::default() }
                    }
                    Err(error) => return Err(error),
                },
                // It never fails: this task holds the sender.
                Ok(()) = work.changed() => match work.borrow_and_update().clone() {
                    Some(work) => {
                        idle = None;
                        session.offer(work, self.now())
                    }
                    // It is told so again and again.
                    None => {
                        idle.get_or_insert_with(Instant::now);
                        continue;
                    }
                },
                _ = ticks.tick() => {
                    // What it works on is left behind: its other pool has better.
                    let is_idle = idle.is_some_and(|since| since.elapsed() >= CATCH_UP);
                    match is_idle && self.engine.chain_info().syncing {
                        true => Reaction { lines: Session::show(SYNCING), close: true, ..Reaction::default() },
                        false => session.tick(self.now()),
                    }
                }
            };
            if let Some(reason) = &reaction.unauthorized
                && let Some(suppressed) = self.strangers.lock().allow(Instant::now())
            {
                tracing::warn!(%from, suppressed, "a miner's user name is refused: {reason}");
            }
            self.react(reaction, &mut writer).await?;
        }
    }

    /// Sends lines, and hands a block in at the same time.
    async fn react(&self, reaction: Reaction, writer: &mut OwnedWriteHalf) -> io::Result<()> {
        let Reaction { lines, close, solved, .. } = reaction;
        let submit = async {
            match solved {
                Some(solved) => self.submit(solved).await,
                None => None,
            }
        };
        let (said, outcome) = tokio::join!(write(writer, &lines), submit);
        said?;
        if let Some(text) = outcome {
            write(writer, &Session::show(&text)).await?;
        }
        if close { Err(io::Error::other("it was closed")) } else { Ok(()) }
    }

    /// Hands in a block; returns what to tell the miner.
    async fn submit(&self, solved: Solved) -> Option<String> {
        let Solved { block, height, worker } = solved;
        let hash = block.hash();
        self.mining.note_mined(hash);
        match self.engine.submit_block(block).await {
            Ok(BlockOutcome::Connected { .. }) => {
                self.workers.found(&worker, height, hash.to_string(), self.now().unix);
                // The miner does not wait for the disk.
                self.found.notify_one();
                tracing::info!(worker = %worker.name, to = %worker.address, height, "a miner found a block by stratum");
                Some(format!("block {height} is yours: {hash}"))
            }
            Ok(outcome) => {
                tracing::info!(?outcome, worker = %worker.name, "a block found by stratum did not extend the chain");
                Some(format!("block {height} came too late: another one is the tip"))
            }
            Err(error) => {
                tracing::warn!(%error, worker = %worker.name, "a block found by stratum is refused");
                Some(format!("block {height} was refused: {error}"))
            }
        }
    }

    /// Makes work for all miners, as long as there are any.
    async fn feed(&self) {
        let mut info = self.engine.watch();
        let mut warned = false;
        for number in 1.. {
            let Some(work) = self.next_work(number, &mut warned).await else { return };
            let parent = work.parent();
            self.work.send_replace(Some(Arc::new(work)));
            // A new tip is announced at once; the engine ends the wait, too.
            let _ = timeout(FEES, info.wait_for(|info| info.hash != parent)).await;
        }
    }

    /// Work that is worth a line; `None` when the engine stops.
    async fn next_work(&self, number: u64, warned: &mut bool) -> Option<Work> {
        loop {
            let mut last = self.work.borrow().as_ref().map(|work| work.template().longpoll);
            while self.seats.lock().is_empty() {
                // Who comes is not to begin with what is old then.
                last = None;
                self.work.send_replace(None);
                self.joined.notified().await;
            }
            if self.engine.chain_info().syncing {
                // Nobody is to begin with a block that others have left behind: it ends the connections.
                self.work.send_replace(None);
                sleep(RETRY).await;
                continue;
            }
            let request = TemplateRequest {
                // Each job puts in whom its miner wants paid; an address of the node's own shares the execution with its miner.
                payout: self.mining.payout_or_nobody(),
                beneficiary: self.mining.status().beneficiary,
                extra: Work::extra(),
                full: false,
            };
            let template = match last {
                Some(last) => self.engine.next_template(request, last, REFRESH).await,
                None => self.engine.block_template(request).await,
            };
            match template {
                Ok(template) => {
                    *warned = false;
                    return Some(Work::new(number, template));
                }
                Err(TemplateError::Stopped) => return None,
                Err(error) => {
                    if !std::mem::replace(warned, true) {
                        tracing::warn!(%error, "no work for the miners that are connected by stratum");
                    }
                    sleep(RETRY).await;
                }
            }
        }
    }

    /// Writes the statistics now and then, and after each block.
    async fn keep(&self) {
        let mut ticks = interval(SAVE);
        loop {
            tokio::select! {
                _ = ticks.tick() => {}
                () = self.found.notified() => {}
            }
            self.save().await;
        }
    }

    async fn save(&self) {
        let workers = self.workers.clone();
        let saved = tokio::task::spawn_blocking(move || workers.save()).await;
        if let Ok(Err(error)) = saved {
            tracing::warn!("cannot save the statistics of miners: {error}");
        }
    }

    fn now(&self) -> Now {
        Now { steady: self.started.elapsed(), unix: unix() }
    }
}

/// Says why a connection is closed. A miner with a second pool leaves for it as long as it gets no answer to a request: ESP-Miner
/// takes even an error for a pool that works.
fn turn_away(socket: TcpStream, why: &str) {
    let line = Session::show(why);
    // The buffer of a new socket has room for it; who has gone needs no answer.
    let _ = socket.into_std().and_then(|mut socket| io::Write::write(&mut socket, line.as_bytes()));
}

async fn write(writer: &mut OwnedWriteHalf, lines: &str) -> io::Result<()> {
    match timeout(WRITE, writer.write_all(lines.as_bytes())).await {
        Ok(written) => written,
        Err(_) => Err(io::Error::new(io::ErrorKind::TimedOut, "the miner does not read")),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{rpc::testing::TestNode, stratum::workers::WorkerName};
    use chain_core::U256;
    use tokio::io::AsyncReadExt;

    /// The next block of a chain, solved.
    async fn solved(node: &TestNode) -> Solved {
        let (engine, mining) = (&node.context.engine, &node.context.mining);
        let (payout, beneficiary) = (mining.payout_or_nobody(), mining.status().beneficiary);
        let request = TemplateRequest { payout, beneficiary, extra: Work::extra(), full: false };
        let template = engine.block_template(request).await.unwrap();
        let mut block = template.block;
        while U256::from_le_bytes(block.header.hash().0) > template.target {
            block.header.nonce += 1;
        }
        let worker = WorkerName { address: "lcrn1x".to_owned(), name: "rig".to_owned() };
        Solved { block, height: template.height, worker }
    }

    #[test]
    fn a_miner_that_found_a_block_does_not_wait_for_the_disk() {
        let (node, folder) = (TestNode::fresh(), tempfile::tempdir().unwrap());
        let file = folder.path().join("workers.json");
        let workers = Arc::new(Workers::load(Some(file.clone()), 0));
        let context = &node.context;
        let server = Stratum::new(context.engine.clone(), context.mining.clone(), workers, &context.spec, 1);
        node.wait(async {
            let mut keep = std::pin::pin!(server.keep());
            // Its first tick is at once, and the next after this test.
            assert!(timeout(Duration::from_millis(100), &mut keep).await.is_err());
            let said = server.submit(solved(&node).await).await.unwrap();
            assert!(said.starts_with("block 1 is yours"), "{said}");
            assert!(!file.exists(), "it was written before the miner was answered");
            let written = async {
                while !file.exists() {
                    sleep(Duration::from_millis(10)).await;
                }
            };
            tokio::select! {
                () = &mut keep => {}
                written = timeout(SAVE / 4, written) => written.expect("a block is saved at once"),
            }
        });
    }

    fn server(node: &TestNode, most: usize) -> Arc<Stratum> {
        let context = &node.context;
        Stratum::new(context.engine.clone(), context.mining.clone(), Arc::default(), &context.spec, most)
    }

    #[test]
    fn no_host_takes_all_places_but_this_machine() {
        let (node, [one, other, here]) = (TestNode::fresh(), ["192.0.2.1", "192.0.2.2", "127.0.0.1"]);
        let taken = |server: &Arc<Stratum>, ip: &str| (0..9).map_while(|_| server.seat(ip.parse().unwrap())).collect();
        let few = server(&node, 4);
        let seats: [Vec<Seat>; 3] = [one, other, here].map(|ip| taken(&few, ip));
        assert_eq!(seats.map(|seats| seats.len()), [2, 2, 0]);
        let seats: [Vec<Seat>; 2] = [here, one].map(|ip| taken(&few, ip));
        assert_eq!(seats.map(|seats| seats.len()), [4, 0]);
        let seats: Vec<Seat> = taken(&server(&node, 1), one);
        assert_eq!(seats.len(), 1, "one miner finds the only place");
    }

    #[test]
    fn a_miner_without_a_place_is_told() {
        let node = TestNode::fresh();
        node.wait(async {
            let listener = TcpListener::bind("127.0.0.1:0").await.unwrap();
            let address = listener.local_addr().unwrap();
            let server = server(&node, 0);
            let told = async {
                let mut text = String::new();
                let mut socket = TcpStream::connect(address).await.unwrap();
                socket.read_to_string(&mut text).await.unwrap();
                text
            };
            tokio::select! {
                () = server.accept(listener) => {}
                told = told => assert!(told.contains("too many miners are connected"), "{told:?}"),
            }
        });
    }

    #[test]
    fn miners_have_a_quarter_of_the_files_and_no_more_than_the_bound() {
        assert_eq!([1_024, 4_096, 8_192, 1 << 40].map(bind_limit), [256, 1_024, 2_048, 2_048]);
    }
}
