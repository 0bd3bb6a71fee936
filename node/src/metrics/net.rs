//! The network: bytes by message, connections, and what peers do wrong.

use metrics::Counter;

use super::{Recorder, family::Family};
use crate::{
    offence::Offence,
    wire::{CompactBlock, Message, Request, Response},
};

/// Messages by name. What peers say else (handshakes, pings, the table of addresses) is in the totals alone.
pub fn messages() -> impl Iterator<Item = &'static str> {
    [Request::NAMES, Response::NAMES, CompactBlock::NAMES].into_iter().flatten().copied()
}

/// Handles of the network.
pub struct Net {
    received: Family<Counter>,
    sent: Family<Counter>,
    offences: Family<Counter>,
    points: Counter,
    bans: Counter,
    inbound: Counter,
    outbound: Counter,
    disconnections: Counter,
}

impl Net {
    pub(super) fn new(recorder: &Recorder) -> Self {
        let message = |direction| {
            let name = "cairn_net_message_bytes_total";
            Family::new(messages(), |message| recorder.counter(name, &[("direction", direction), ("message", message)]))
        };
        let offence = |offence| recorder.counter("cairn_net_offences_total", &[("offence", offence)]);
        let connection = |direction| recorder.counter("cairn_net_connections_total", &[("direction", direction)]);
        Self {
            received: message("received"),
            sent: message("sent"),
            offences: Family::new(Offence::NAMES.iter().copied(), offence),
            points: recorder.counter("cairn_net_penalty_points_total", &[]),
            bans: recorder.counter("cairn_net_bans_total", &[]),
            inbound: connection("inbound"),
            outbound: connection("outbound"),
            disconnections: recorder.counter("cairn_net_disconnections_total", &[]),
        }
    }

    /// A message came, of so many bytes.
    pub fn received(&self, message: &str, bytes: usize) {
        self.received.add(message, bytes as u64);
    }

    /// A message went out.
    pub fn sent(&self, message: &str, bytes: usize) {
        self.sent.add(message, bytes as u64);
    }

    /// A peer did something wrong that has this name.
    pub fn offence(&self, offence: &str, points: u32, banned: bool) {
        self.offences.add(offence, 1);
        self.points.increment(points.into());
        self.bans.increment(banned.into());
    }

    /// There is a new peer.
    pub fn connected(&self, outbound: bool) {
        if outbound { &self.outbound } else { &self.inbound }.increment(1);
    }

    /// A peer is gone.
    pub fn disconnected(&self) {
        self.disconnections.increment(1);
    }
}
