//! Whose turn it is when many peers ask at once.

use std::{sync::Arc, time::Duration};
use tokio::{
    runtime::Runtime,
    sync::{broadcast, mpsc, watch},
};

use crate::{
    engine::{
        Engine, GossipId, InboundId, Payer, PeerAction, PeerEvent, PeerId, RequestId, Side, Verdict, compact,
        tests::kit::Kit,
    },
    engine_thread::{
        link::{PeerMessage, WAITING},
        thread::{self, Driver, DriverState, Message},
    },
    wire::{BLOCKS, Request, Response},
};

/// Peers that ask as much as they may.
const CROWD: u64 = 40;
const HONEST: u64 = CROWD + 1;

/// The engine's thread, turn by turn.
struct Thread {
    driver: Driver,
    runtime: Runtime,
    peers: mpsc::UnboundedSender<PeerMessage>,
    actions: mpsc::UnboundedReceiver<PeerAction>,
    _local: mpsc::Sender<Message>,
}

impl Thread {
    fn new(engine: Engine) -> Self {
        let (local, messages) = mpsc::channel(1);
        let (peers, from_peers) = mpsc::unbounded_channel();
        let (network, actions) = mpsc::unbounded_channel();
        let driver = Driver {
            info: watch::channel(engine.chain_info()).0,
            longpoll: watch::channel(engine.longpoll_id()).0,
            engine,
            messages,
            from_peers,
            network: Some(network),
            events: broadcast::channel(16).0,
            failure: watch::channel(None).0,
            ended: Arc::default(),
            state: DriverState::default(),
        };
        Self { driver, runtime: thread::runtime().unwrap(), peers, actions, _local: local }
    }

    fn send(&self, peer: u64, event: PeerEvent) {
        assert!(self.peers.send(PeerMessage { peer: PeerId(peer), event, _permit: None }).is_ok());
    }

    /// What the engine wants done after a turn.
    fn turn(&mut self) -> Vec<PeerAction> {
        assert!(self.driver.receive(&self.runtime, Duration::ZERO).is_empty());
        self.driver.take_from_peers();
        std::iter::from_fn(|| self.actions.try_recv().ok()).collect()
    }
}

fn answers(actions: &[PeerAction]) -> usize {
    actions.iter().filter(|action| matches!(action, PeerAction::Respond(..))).count()
}

#[test]
fn a_flood_of_questions_delays_no_block_and_keeps_no_honest_peer_waiting() {
    let mut kit = Kit::new();
    kit.mine_many(40);
    let block = kit.block_with(|_| {});
    let hashes: Vec<_> = (1..=40).map(|height| kit.block_at(height).hash()).collect();
    let mut thread = Thread::new(kit.engine);
    for peer in 1..=HONEST {
        thread.send(peer, PeerEvent::Connected(Side::Chosen, Payer(peer)));
        thread.turn();
    }
    for peer in 1..=CROWD {
        for _ in 0..WAITING {
            thread.send(peer, PeerEvent::Request(InboundId(peer), Request::Blocks(hashes[..BLOCKS].to_vec())));
        }
    }
    let answered = answers(&thread.turn());
    assert!((1..=64).contains(&answered), "{answered} of {} at once", CROWD as usize * WAITING);
    let units = |thread: &Thread| (1..=CROWD).map(|peer| thread.driver.engine.peer_units(PeerId(peer))).sum::<u64>();
    let before = units(&thread);
    thread.send(HONEST, PeerEvent::Gossip(GossipId(1), compact(&block).unwrap()));
    let question = Request::BlockTransactions { block: hashes[0], positions: vec![0] };
    thread.send(HONEST, PeerEvent::Request(InboundId(0), question));
    let mut actions = thread.turn();
    let spent = units(&thread) - before;
    assert!(spent <= 600, "{spent} units in one turn");
    let is_first = |action: &&PeerAction| matches!(action, PeerAction::Respond(..) | PeerAction::Judge(..));
    let first = actions.iter().find(is_first);
    let judged = matches!(first, Some(PeerAction::Judge(PeerId(HONEST), GossipId(1), Verdict::Accept)));
    assert!(judged, "the block goes before all questions: {first:?}");
    let own = |action: &PeerAction| matches!(action, PeerAction::Respond(_, InboundId(0), _));
    while !actions.iter().any(own) {
        assert!(answers(&actions) <= CROWD as usize, "after one question of each other peer at most");
        actions.extend(thread.turn());
    }
    let before =
        actions.iter().take_while(|action| !own(action)).filter(|action| matches!(action, PeerAction::Respond(..)));
    assert!(before.count() <= CROWD as usize, "after one question of each other peer at most");
}

#[test]
fn a_flood_of_news_leaves_questions_their_turn() {
    let kit = Kit::new();
    let genesis = kit.engine.chain_info().hash;
    let mut thread = Thread::new(kit.engine);
    for peer in 1..=2 {
        thread.send(peer, PeerEvent::Connected(Side::Chosen, Payer(peer)));
        thread.turn();
    }
    // Answers that nobody waits for.
    for id in 0..1_000 {
        thread.send(1, PeerEvent::Response(RequestId(1_000 + id), Ok(Response::Ack)));
    }
    thread.send(2, PeerEvent::Request(InboundId(0), Request::Headers { locator: vec![genesis], most: 1 }));
    let actions = thread.turn();
    let answered = |action: &PeerAction| matches!(action, PeerAction::Respond(PeerId(2), InboundId(0), _));
    assert!(actions.iter().any(answered), "{actions:?}");
}
