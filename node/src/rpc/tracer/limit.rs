//! What a trace may hold, and how long it may take.

use crate::rpc::base::{Call, RpcError, RpcResult, over_limit};

/// Most bytes of one answer. Some copies are made of it, so a trace holds some 100 MB at most.
pub const MOST_BYTES: usize = 24 << 20;

/// Ends a trace that has written too much, or whose call is over.
pub struct Limit<'a> {
    call: &'a Call,
    left: usize,
    full: bool,
    asked: u32,
}

impl<'a> Limit<'a> {
    /// So many bytes within a call.
    pub fn new(call: &'a Call, bytes: usize) -> Self {
        Self { call, left: bytes, full: false, asked: 0 }
    }

    /// Whether bytes could be written. If not, the trace is at its end.
    pub fn has_room(&mut self, bytes: usize) -> bool {
        self.full |= bytes > self.left;
        !self.full
    }

    /// Notes that bytes are written; whether there was room.
    pub fn charge(&mut self, bytes: usize) -> bool {
        if self.has_room(bytes) {
            self.left -= bytes;
        }
        !self.full
    }

    /// Bytes that may still be written.
    pub fn left(&self) -> usize {
        self.left
    }

    /// Whether the run has to end.
    pub fn is_over(&mut self) -> bool {
        self.asked = self.asked.wrapping_add(1);
        self.full || self.asked % 64 == 1 && self.call.is_over()
    }

    /// # Errors
    /// -32005 if something was left out for want of room, or the call has to end.
    pub fn check(&self) -> RpcResult<()> {
        if self.full { Err(too_long()) } else { self.call.check() }
    }
}

/// The error for an answer above [`MOST_BYTES`].
pub fn too_long() -> RpcError {
    over_limit(format!(
        "the trace is longer than {} MB: ask for less, set `limit`, disable the stack and storage, or use the callTracer",
        MOST_BYTES >> 20
    ))
}
