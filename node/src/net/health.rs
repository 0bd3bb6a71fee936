//! How the node stands among its peers as a whole: whether it has tried to sync, whether it is alone, whether its clock is right.

use std::time::{Duration, Instant};
use tokio::sync::watch;

use super::{config::NetConfig, offset::ClockWatch, peers::Peers};

/// After so long without anybody to learn from, the node has tried to sync, and the log says that it is alone.
const ALONE: Duration = Duration::from_secs(60);
/// How often the log says so again.
const STILL_ALONE: Duration = Duration::from_secs(1_800);

/// See the module's first line.
pub struct Health {
    started: Instant,
    /// Since when there are no peers, and when the log last said so.
    alone: Instant,
    warned: Option<Instant>,
    clock: ClockWatch,
    tried: watch::Sender<bool>,
    offset: watch::Sender<Option<(i64, usize)>>,
}

impl Health {
    /// Of a node that starts now, whose clock may differ by so many seconds.
    pub fn new(clock_bound: u64, now: Instant) -> Self {
        Self {
            started: now,
            alone: now,
            warned: None,
            clock: ClockWatch::new(clock_bound),
            tried: watch::Sender::new(false),
            offset: watch::Sender::new(None),
        }
    }

    /// Becomes true once the node stands where its peers do, or has found nobody for a while.
    pub fn tried(&self) -> watch::Receiver<bool> {
        self.tried.subscribe()
    }

    /// Seconds that the peers' clocks are ahead of this machine's, and of how many peers.
    pub fn offset(&self) -> watch::Receiver<Option<(i64, usize)>> {
        self.offset.subscribe()
    }

    /// Looks again. `advice` is what to do about having no peers, if that is not as it should be.
    pub fn tick(&mut self, peers: &Peers, syncing: bool, advice: Option<&str>, now: Instant) {
        let met = peers.iter().any(|(_, peer)| peer.status.is_some());
        let alone = now.duration_since(self.started) >= ALONE && peers.len() == 0;
        let tried = alone || (met && !syncing);
        self.tried.send_if_modified(|old| !std::mem::replace(old, *old || tried) && tried);
        let clocks = peers.clocks();
        let offset = clocks.as_ref().map(|clocks| (clocks.ahead, clocks.peers));
        self.offset.send_if_modified(|old| std::mem::replace(old, offset) != offset);
        if let Some(line) = self.clock.judge(clocks.as_ref(), now) {
            tracing::warn!("{line}");
        }
        self.note_loneliness(peers, advice, now);
    }

    /// Says that there are no peers, and what to do.
    fn note_loneliness(&mut self, peers: &Peers, advice: Option<&str>, now: Instant) {
        if peers.len() > 0 {
            (self.alone, self.warned) = (now, None);
            return;
        }
        let alone = now.duration_since(self.alone);
        let said = self.warned.is_some_and(|at| now.duration_since(at) < STILL_ALONE);
        if let Some(advice) = advice.filter(|_| alone >= ALONE && !said) {
            self.warned = Some(now);
            tracing::warn!("no peers for {} s: {advice}", alone.as_secs());
        }
    }
}

/// What to do about having no peers. A node for this machine alone may well be the only one.
pub fn advice(config: &NetConfig, names_nobody: bool) -> Option<&'static str> {
    match (names_nobody, config.discover) {
        (false, _) => Some("none of the nodes that --connect or --bootnodes names answers; are they running?"),
        (true, _) if config.only_here() => None,
        (true, true) => Some("name a node of this chain: --bootnodes HOST:PORT, or admin_addPeer while this one runs"),
        (true, false) => Some("--no-discovery is on: name nodes with --connect HOST:PORT, or with admin_addPeer"),
    }
}
