//! What an event makes the engine want done, and the time at which it is handled.

use super::event::{Action, GossipId, InboundId, NodeEvent, Now, PeerAction, PeerId, Reply, Ticket, Time, Verdict};
use crate::{offence::Offence, wire::Response};

/// Actions in order. Parts put theirs in; the engine hands them out once an event is handled.
#[derive(Debug, Default)]
pub(crate) struct Outbox {
    actions: Vec<Action>,
    now: Now,
}

impl Outbox {
    /// Sets both clocks. The wall clock may jump either way; the steady one does not go back.
    pub(super) fn set_time(&mut self, now: Now) {
        self.now = Now { wall: now.wall, steady: self.now.steady.max(now.steady) };
    }

    /// Both clocks.
    pub(super) fn now(&self) -> Now {
        self.now
    }

    /// The wall clock, which block times are compared with.
    pub(super) fn wall(&self) -> Time {
        self.now.wall
    }

    /// The clock for deadlines and budgets.
    pub(super) fn steady(&self) -> Time {
        self.now.steady
    }

    /// Takes all actions out.
    pub(super) fn take(&mut self) -> Vec<Action> {
        std::mem::take(&mut self.actions)
    }

    pub(super) fn push(&mut self, action: Action) {
        self.actions.push(action);
    }

    /// Asks for [`Event::Continue`](super::Event::Continue).
    pub(super) fn go_on(&mut self) {
        self.actions.push(Action::Continue);
    }

    /// Whether [`Self::go_on`] was called for this event.
    pub(super) fn goes_on(&self) -> bool {
        self.actions.iter().any(|action| matches!(action, Action::Continue))
    }

    pub(super) fn reply(&mut self, ticket: Ticket, reply: Reply) {
        self.actions.push(Action::Reply(ticket, reply));
    }

    pub(super) fn publish(&mut self, event: NodeEvent) {
        self.actions.push(Action::Publish(event));
    }

    /// Asks the network for something.
    pub(super) fn tell(&mut self, action: PeerAction) {
        self.actions.push(Action::Peer(action));
    }

    pub(super) fn respond(&mut self, peer: PeerId, id: InboundId, response: Response) {
        self.tell(PeerAction::Respond(peer, id, response));
    }

    pub(super) fn judge(&mut self, peer: PeerId, id: GossipId, verdict: Verdict) {
        self.tell(PeerAction::Judge(peer, id, verdict));
    }

    pub(super) fn penalize(&mut self, peer: PeerId, offence: Offence) {
        self.tell(PeerAction::Penalize(peer, offence));
    }
}
