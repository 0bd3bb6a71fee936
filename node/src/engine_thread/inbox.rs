//! What peers sent and the engine has not handled yet: news goes before requests, and peers take turns with those.
//!
//! A request of a few bytes costs milliseconds of work, and many peers may send some at once: an attacker could so delay a
//! block, or the response to an honest peer. So blocks, responses and connections go first. The next request is one of the peer
//! that has cost least since it began to wait (start-time fair queueing; Goyal, Vin and Cheng, 1996).

use std::collections::{BTreeMap, VecDeque};

use super::link::PeerMessage;
use crate::engine::{PeerEvent, PeerId};

/// Requests of one peer.
#[derive(Default)]
struct Asking {
    waiting: VecDeque<PeerMessage>,
    /// What it has cost; it does not save up while it asks nothing.
    spent: u64,
}

/// All that waits. Each peer may have [`super::link::WAITING`] requests and blocks in it, and responses to ours.
#[derive(Default)]
pub(super) struct Inbox {
    news: VecDeque<PeerMessage>,
    asking: BTreeMap<PeerId, Asking>,
    /// What the peer whose request was handled last had spent before.
    served: u64,
}

impl Inbox {
    /// Adds what a peer sent.
    pub(super) fn push(&mut self, message: PeerMessage) {
        if !matches!(message.event, PeerEvent::Request(..)) {
            if matches!(message.event, PeerEvent::Disconnected) {
                // It waits for no response any more.
                self.asking.remove(&message.peer);
            }
            self.news.push_back(message);
            return;
        }
        let asking = self.asking.entry(message.peer).or_default();
        if asking.waiting.is_empty() {
            asking.spent = asking.spent.max(self.served);
        }
        asking.waiting.push_back(message);
    }

    /// The oldest message that is not a request.
    pub(super) fn news(&mut self) -> Option<PeerMessage> {
        self.news.pop_front()
    }

    /// The next request.
    pub(super) fn question(&mut self) -> Option<PeerMessage> {
        let waiting = self.asking.values_mut().filter(|asking| !asking.waiting.is_empty());
        let next = waiting.min_by_key(|asking| asking.spent)?;
        self.served = next.spent;
        next.waiting.pop_front()
    }

    /// Notes what a request cost.
    pub(super) fn charge(&mut self, peer: PeerId, units: u64) {
        if let Some(asking) = self.asking.get_mut(&peer) {
            asking.spent = asking.spent.saturating_add(units);
        }
    }

    /// Whether anything but requests waits.
    pub(super) fn has_news(&self) -> bool {
        !self.news.is_empty()
    }

    /// How many messages wait.
    pub(super) fn len(&self) -> usize {
        self.news.len() + self.asking.values().map(|asking| asking.waiting.len()).sum::<usize>()
    }

    /// Whether nothing waits.
    pub(super) fn is_empty(&self) -> bool {
        self.news.is_empty() && self.asking.values().all(|asking| asking.waiting.is_empty())
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::{
        engine::{InboundId, Payer, Side},
        wire::Request,
    };

    fn question(peer: u64) -> PeerMessage {
        let request = Request::Pool { salt: 0 };
        PeerMessage { peer: PeerId(peer), event: PeerEvent::Request(InboundId(0), request), _permit: None }
    }

    fn news(peer: u64, event: PeerEvent) -> PeerMessage {
        PeerMessage { peer: PeerId(peer), event, _permit: None }
    }

    /// Handles so many requests, each of which costs what its peer's do; returns whose they were.
    fn handle(inbox: &mut Inbox, count: usize, price: fn(u64) -> u64) -> Vec<u64> {
        let next = |_| {
            let peer = inbox.question()?.peer;
            inbox.charge(peer, price(peer.0));
            Some(peer.0)
        };
        (0..count).map_while(next).collect()
    }

    #[test]
    fn peers_share_the_work_and_not_the_number_of_questions() {
        let mut inbox = Inbox::default();
        (0..16).for_each(|_| inbox.push(question(1)));
        (0..16).for_each(|_| inbox.push(question(2)));
        let order = handle(&mut inbox, 12, |peer| if peer == 1 { 50 } else { 10 });
        assert_eq!(order, [1, 2, 2, 2, 2, 2, 1, 2, 2, 2, 2, 2]);
    }

    #[test]
    fn a_peer_that_asks_nothing_saves_nothing_up() {
        let mut inbox = Inbox::default();
        (0..8).for_each(|_| inbox.push(question(1)));
        assert_eq!(handle(&mut inbox, 4, |_| 10), [1; 4]);
        (0..8).for_each(|_| inbox.push(question(2)));
        assert_eq!(handle(&mut inbox, 6, |_| 10), [2, 1, 2, 1, 2, 1]);
    }

    #[test]
    fn news_goes_first_and_a_peer_that_is_gone_leaves_no_question() {
        let mut inbox = Inbox::default();
        assert!(inbox.is_empty());
        inbox.push(question(1));
        assert!(!inbox.is_empty() && !inbox.has_news());
        inbox.push(news(2, PeerEvent::Connected(Side::Inbound, Payer(2))));
        assert_eq!(inbox.news().map(|message| message.peer), Some(PeerId(2)));
        inbox.push(news(1, PeerEvent::Disconnected));
        assert!(inbox.has_news());
        assert_eq!(inbox.news().map(|message| message.peer), Some(PeerId(1)));
        assert!(inbox.question().is_none() && inbox.is_empty() && inbox.asking.is_empty());
    }
}
