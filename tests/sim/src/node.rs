//! A node: an engine on a database in memory, and around it what the node's network shell does for one.

use cairn_node::{
    engine::{
        Engine, EngineConfig, Event, GossipId, InboundId, OpenError, PeerId, PeerWork, RelayConfig, RequestId,
        TemplateRequest, VerifyConfig,
    },
    finality::MemberKey,
    mempool::MempoolConfig,
    store::{Store, StoreConfig, memory::MemoryKv},
};
use chain_core::{Address, U256, hash::BlockHash, units::Height};
use std::{
    collections::{BTreeMap, HashMap, VecDeque},
    sync::Arc,
};

use crate::{
    attack::{Kind, Strategy},
    chain::{Chain, PAYING},
    plan::Plan,
};

/// Milliseconds after which a point against a peer is forgotten, as in the node's shell.
const FORGIVEN: u64 = 30_000;

/// Blocks that a chain may be behind and still have its headers stored: few, for histories are short.
const MARGIN: u64 = 20;

/// Headers that are kept beside the best ones of a long chain: few, so that an attacker can send as many.
const BESIDE: usize = 4_000;

/// One end of a connection.
#[derive(Clone, Debug)]
pub struct Peer {
    /// Who is at the other end.
    pub node: usize,
    /// When the last message that was sent over it arrives.
    pub arrives: u64,
    points: u32,
    judged: u64,
}

impl Peer {
    /// A new connection.
    pub fn new(node: usize, now: u64) -> Self {
        Self { node, arrives: now, points: 0, judged: now }
    }

    /// Holds points against the peer; answers how many there are.
    pub fn blame(&mut self, points: u32, now: u64) -> u32 {
        let forgiven = (now - self.judged) / FORGIVEN;
        if forgiven > 0 {
            self.points = self.points.saturating_sub(u32::try_from(forgiven).unwrap_or(u32::MAX));
            self.judged = now;
        }
        self.points += points;
        self.points
    }
}

/// A gossiped block that the engine is to judge.
#[derive(Clone, Debug)]
pub struct Pending {
    /// Who passed it on.
    pub from: PeerId,
    /// What it says.
    pub bytes: Arc<[u8]>,
    /// When it came.
    pub since: u64,
}

/// What a node knows of its connections; it is lost with the process.
#[derive(Debug, Default)]
pub struct Wire {
    /// Connections.
    pub peers: BTreeMap<PeerId, Peer>,
    /// Questions that were asked, by when an answer no longer counts.
    pub asked: BTreeMap<RequestId, (PeerId, u64)>,
    /// Questions of others, and since when they wait.
    pub inbound: BTreeMap<InboundId, (PeerId, RequestId, u64)>,
    /// Gossiped blocks that are not judged yet.
    pub pending: BTreeMap<GossipId, Pending>,
    /// Gossiped blocks that were seen, and who sent them.
    pub seen: HashMap<u64, Vec<PeerId>>,
    /// Whom not to talk with, and until when.
    pub banned: BTreeMap<usize, u64>,
}

/// What a node mines on.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Mining {
    /// The tip.
    pub parent: BlockHash,
    /// Finds that were planned before are void.
    pub generation: u64,
}

/// Events that wait while a slow processor works.
#[derive(Debug, Default)]
pub struct Backlog {
    /// When it will have done what it does.
    pub until: u64,
    /// What comes after that.
    pub events: VecDeque<Event>,
    /// Whether the next of them has its time.
    pub planned: bool,
}

/// A node.
pub struct Node {
    /// Its number.
    pub number: usize,
    /// What it is up to; nothing if honest.
    pub kind: Option<Kind>,
    /// The same, at work.
    pub strategy: Option<Box<dyn Strategy>>,
    /// Its disk.
    pub kv: MemoryKv,
    /// The engine, while the process runs.
    pub engine: Option<Engine>,
    /// Starts of the process.
    pub starts: u64,
    /// Milliseconds that its clock is ahead.
    pub skew: i64,
    /// Its connections.
    pub wire: Wire,
    /// Whether its storage was made to fail.
    pub failing: bool,
    /// Whether it never starts again.
    pub gone: bool,
    /// Whether it crashes when it has signed a vote: with loss of power or not, and for how long.
    pub crash_at_vote: Option<(bool, u64)>,
    /// When the engine is ticked next.
    pub next_tick: u64,
    /// Ticks that came early, without time passing by.
    pub hurry: (u64, u32),
    /// What it mines on.
    pub mining: Mining,
    /// Which member of finality it is, if it is one.
    pub member: Option<u8>,
    /// The newest block that it took for final.
    pub finalized: (Height, BlockHash),
    /// The tip that it announced last, or that it started on.
    pub told: BlockHash,
    /// Whether its operator asks the members for a certificate that it refused.
    pub asks_members: bool,
    /// Whether its operator had it follow a certificate that it refused, and it has not yet.
    pub accepts: bool,
    /// What a slow processor has not come to.
    pub backlog: Backlog,
    /// The last comparison of its pool with another, by its salt, and how many responses it asked for.
    pub compared: (u64, u64),
    /// What each peer had cost it, and when that was noted.
    pub worked: BTreeMap<PeerId, (u64, PeerWork)>,
}

impl Node {
    /// A node that was never started.
    pub fn new(number: usize, plan: &Plan) -> Self {
        let kind = number.checked_sub(plan.honest()).map(|index| plan.attackers[index]);
        Self {
            number,
            kind,
            strategy: kind.map(|kind| kind.strategy()),
            kv: MemoryKv::with_crashes(),
            engine: None,
            starts: 0,
            skew: plan.skews[number],
            wire: Wire::default(),
            failing: false,
            gone: false,
            crash_at_vote: None,
            next_tick: 0,
            hurry: (0, 0),
            mining: Mining::default(),
            member: plan.member(number),
            finalized: (0, BlockHash::default()),
            told: BlockHash::default(),
            asks_members: false,
            accepts: false,
            backlog: Backlog::default(),
            compared: (0, 0),
            worked: BTreeMap::new(),
        }
    }

    /// Whether it keeps the rules.
    pub fn is_honest(&self) -> bool {
        self.kind.is_none()
    }

    /// The connection with a node, if there is one.
    pub fn connection(&self, node: usize) -> Option<PeerId> {
        self.wire.peers.iter().find(|(_, peer)| peer.node == node).map(|(id, _)| *id)
    }

    /// Who gets what from its blocks.
    pub fn request(&self, chain: &Chain) -> TemplateRequest {
        let number = self.number as u8;
        let payout = chain.users[self.number % PAYING].lock;
        let beneficiary = Address::repeat_byte(0xb0 + number % 16);
        TemplateRequest { payout, beneficiary, extra: vec![number], full: false }
    }
}

/// Opens an engine on a database; with the key of a member, if it is one.
///
/// # Errors
/// [`OpenError`].
pub fn open(
    kv: &MemoryKv,
    chain: &Chain,
    plan: &Plan,
    seed: u64,
    member: Option<MemberKey>,
) -> Result<Engine, OpenError> {
    let config = StoreConfig {
        cache_bytes: 1 << 20,
        sync: plan.sync,
        tx_index: plan.indexes,
        address_index: plan.indexes,
        log_index: plan.indexes,
        ..StoreConfig::default()
    };
    let store = Store::with_kv(Arc::new(kv.clone()), &chain.spec, &config)?;
    // Each engine verifies every signature for itself.
    let verify = VerifyConfig { secret: [7; 32], signatures: 1 << 11, senders: 1 << 9, parallel: false };
    let mut relay = RelayConfig { seed, margin: MARGIN, ..RelayConfig::default() };
    if plan.past > 0 {
        relay.beside = BESIDE;
        // Nine tenths of the blocks, as if the program were that old.
        let known = if plan.minimum_work { u64::from(plan.past) * 9 / 10 } else { 0 };
        relay.minimum_work = chain.genesis_work() * U256::from(known);
    }
    let mempool = MempoolConfig { max_bytes: plan.pool_bytes, ..MempoolConfig::default() };
    Engine::open(store, chain.spec.clone(), EngineConfig { mempool, verify, relay, member, ..EngineConfig::default() })
}
