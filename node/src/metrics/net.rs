//! The network: bytes by message, connections, and what peers do wrong.

use metrics::Counter;

use super::Recorder;

/// Messages by name. What peers say else (handshakes, pings, the table of addresses) is in the totals alone.
pub const MESSAGES: [&str; 17] = [
    "status",
    "get_headers",
    "headers",
    "get_blocks",
    "blocks",
    "get_block_transactions",
    "announce",
    "get_transactions",
    "transactions",
    "get_short_transactions",
    "get_pool",
    "short_ids",
    "ack",
    "unknown",
    "compact_block",
    "finality",
    "certificate",
];

/// What peers do wrong, by name.
pub const OFFENCES: [&str; 17] = [
    "malformed",
    "out_of_turn",
    "doubled",
    "too_many",
    "stalled",
    "wrong_answer",
    "less_work",
    "on_invalid",
    "invalid_header",
    "invalid_block",
    "bad_compact",
    "invalid_transaction",
    "too_slow",
    "invalid_vote",
    "invalid_certificate",
    "invalid_evidence",
    "no_finality",
];

/// Handles of the network.
pub struct Net {
    received: [Counter; MESSAGES.len()],
    sent: [Counter; MESSAGES.len()],
    offences: [Counter; OFFENCES.len()],
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
            MESSAGES.map(|message| recorder.counter(name, &[("direction", direction), ("message", message)]))
        };
        let offence = |offence| recorder.counter("cairn_net_offences_total", &[("offence", offence)]);
        let connection = |direction| recorder.counter("cairn_net_connections_total", &[("direction", direction)]);
        Self {
            received: message("received"),
            sent: message("sent"),
            offences: OFFENCES.map(offence),
            points: recorder.counter("cairn_net_penalty_points_total", &[]),
            bans: recorder.counter("cairn_net_bans_total", &[]),
            inbound: connection("inbound"),
            outbound: connection("outbound"),
            disconnections: recorder.counter("cairn_net_disconnections_total", &[]),
        }
    }

    /// A message came, of so many bytes.
    pub fn received(&self, message: &str, bytes: usize) {
        Self::count(&self.received, message, bytes);
    }

    /// A message went out.
    pub fn sent(&self, message: &str, bytes: usize) {
        Self::count(&self.sent, message, bytes);
    }

    fn count(counters: &[Counter], message: &str, bytes: usize) {
        let found = MESSAGES.iter().position(|known| *known == message);
        debug_assert!(found.is_some(), "{message} is not among the messages");
        found.and_then(|index| counters.get(index)).into_iter().for_each(|counter| counter.increment(bytes as u64));
    }

    /// A peer did something wrong, one of [`OFFENCES`].
    pub fn offence(&self, offence: &str, points: u32, banned: bool) {
        let found = OFFENCES.iter().position(|known| *known == offence);
        debug_assert!(found.is_some(), "{offence} is not among the offences");
        found.into_iter().for_each(|index| self.offences[index].increment(1));
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
