//! Answers late and little, so that nodes that sync from it come on as slowly as they put up with.

use cairn_node::{
    engine::{PeerEvent, PeerId},
    wire::Request,
};

use super::Strategy;
use crate::world::Context;

/// Milliseconds by which it answers late: from what a node waits before it asks somebody else, to more than it waits for any answer.
const LATE: (u64, u64) = (500, 35_000);

/// Milliseconds between two looks at what is due.
const LOOK: u64 = 500;

/// A staller.
#[derive(Default)]
pub(super) struct Staller {
    /// What it was asked, and when it answers.
    held: Vec<(u64, PeerId, PeerEvent)>,
}

impl Strategy for Staller {
    fn receive(&mut self, context: &mut Context<'_>, peer: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        let held = match event {
            PeerEvent::Request(id, Request::Blocks(mut hashes)) => {
                // One block for each question.
                hashes.truncate(1);
                PeerEvent::Request(id, Request::Blocks(hashes))
            }
            event @ PeerEvent::Request(
                _,
                Request::Headers { .. } | Request::BlockTransactions { .. } | Request::Transactions(_),
            ) => event,
            event => return Some(event),
        };
        let due = context.now() + context.random().between(LATE.0, LATE.1);
        self.held.push((due, peer, held));
        None
    }

    fn timer(&mut self, context: &mut Context<'_>) {
        let (now, peers) = (context.now(), context.peers());
        let (due, held) = std::mem::take(&mut self.held).into_iter().partition(|(due, ..)| *due <= now);
        self.held = held;
        for (_, peer, event) in due {
            if peers.contains(&peer) {
                context.hear(peer, event);
            }
        }
        context.wake_after(LOOK);
    }
}
