//! Events into the engine and actions out of it, for submitters, peers and subscribers.

use chain_core::{
    U256,
    block::{Block, header::Header},
    codec::CodecError,
    finality::{Certificate, Evidence, Vote},
    hash::{BlockHash, TxId},
    transaction::{Transaction, coin::KeyBytes},
    units::{Amount, Gas, Height},
};
use std::{sync::Arc, time::Duration};

use super::error::SubmitBlockError;
use crate::{
    mempool::{MempoolStats, RemovalReason, SubmitError},
    offence::Offence,
    wire::{CompactBlock, Request, Response},
};

/// A peer, by the number that the network gave it.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct PeerId(pub u64);

/// The time, in milliseconds since the Unix epoch. An argument everywhere: the engine has no clock.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub struct Time(pub u64);

impl Time {
    /// So many milliseconds later.
    pub fn after(self, milliseconds: u64) -> Self {
        Self(self.0.saturating_add(milliseconds))
    }

    /// Milliseconds since an earlier time; 0 if it is later.
    pub fn since(self, earlier: Self) -> u64 {
        self.0.saturating_sub(earlier.0)
    }

    /// Whole seconds.
    pub fn seconds(self) -> u64 {
        self.0 / 1_000
    }

    /// Whole seconds as headers hold them; stands still in the year 2106.
    pub fn stamp(self) -> u32 {
        u32::try_from(self.seconds()).unwrap_or(u32::MAX)
    }
}

/// Both clocks. A wall clock that is set, or an NTP server that lies, must not starve peers' budgets nor let deadlines
/// pass.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Now {
    /// The wall clock, which block times are compared with.
    pub wall: Time,
    /// A clock that starts anywhere, never goes back and runs as fast as the other: for deadlines and budgets.
    pub steady: Time,
}

/// A wall clock that is never set is steady.
impl From<Time> for Now {
    fn from(time: Time) -> Self {
        Self { wall: time, steady: time }
    }
}

/// Joins a [`Reply`] to its [`Event`].
pub type Ticket = u64;

/// What happens to the engine.
#[derive(Clone, Debug)]
pub enum Event {
    /// Submitted transactions; each gets its own reply.
    Transactions(Vec<(Ticket, Transaction)>),
    /// A submitted block.
    Block(Ticket, Block),
    /// A peer did something.
    Peer(PeerId, PeerEvent),
    /// Time passed, until [`super::Engine::wake_at`] or about a second: retries what was held, expires what is old.
    Tick,
    /// No other event waits: continues what [`Action::Continue`] announced.
    Continue,
    /// Flushes everything; nothing is handled afterwards.
    Shutdown,
}

/// What the engine wants done.
#[derive(Debug)]
pub enum Action {
    /// Answer the submitter.
    Reply(Ticket, Reply),
    /// Tell everybody who listens.
    Publish(NodeEvent),
    /// The network shall do something.
    Peer(PeerAction),
    /// There is more to do (blocks to connect, a tip to flush and announce): send [`Event::Continue`] once nothing else
    /// waits.
    Continue,
    /// Storage failed: stop the node with this message.
    Fatal(String),
}

/// The reply to one submission.
#[derive(Debug)]
pub enum Reply {
    /// To a transaction.
    Transaction(Result<TxId, SubmitError>),
    /// To a block.
    Block(Result<BlockOutcome, SubmitBlockError>),
}

/// The state of a submitted block that is not refused.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum BlockOutcome {
    /// It is on the active chain; so many blocks of the former one were disconnected.
    Connected {
        /// Depth of the reorganisation; 0 for a plain extension.
        disconnected: Height,
    },
    /// It is stored on a branch with no more work than the active one.
    SideBranch,
    /// Its parent is unknown: held for a while.
    Orphan,
    /// Its time is too far ahead: held until it is due.
    Future,
    /// It was known already, and is not invalid.
    Known,
}

/// What the whole node may want to know.
#[derive(Clone, Debug)]
pub enum NodeEvent {
    /// The active chain has a new tip.
    NewTip {
        /// The chain afterwards.
        info: Arc<ChainInfo>,
        /// Blocks disconnected, highest first; empty unless this is a reorganisation.
        disconnected: Arc<[BlockHash]>,
        /// Blocks connected, lowest first.
        connected: Arc<[BlockHash]>,
        /// How long the engine took; filled in by its thread, which alone has a clock.
        took: Duration,
    },
    /// The mempool took a transaction.
    TransactionAdded(TxId),
    /// An account transaction of the mempool may be mined now, as to its nonce.
    TransactionReady(TxId),
    /// The mempool dropped a transaction.
    TransactionRemoved(TxId, RemovalReason),
    /// What disconnected blocks gave back at the last new tip was submitted to the mempool again.
    Resubmitted,
    /// Stored blocks are being replayed on start, or a long branch connected: `(done, total)`.
    Progress(Height, Height),
    /// A template is worth building again, since fees improved. A new tip says so by itself.
    TemplateStale,
}

/// The active chain at one moment.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ChainInfo {
    /// Hash of the genesis block.
    pub genesis: BlockHash,
    /// Height of the tip.
    pub height: Height,
    /// Hash of the tip.
    pub hash: BlockHash,
    /// Header of the tip.
    pub header: Header,
    /// Work from genesis to the tip.
    pub work: U256,
    /// Base fee of the next block, in wei per gas.
    pub next_base_fee: u64,
    /// Bits of the next block.
    pub next_bits: u32,
    /// Height of the header with the most work, whether or not its body is stored.
    pub best_header: Height,
    /// Whether many blocks are being fetched, or more wait to be connected than come at once at the tip.
    pub syncing: bool,
    /// Whether any stored block of a better branch waits to be connected.
    pub connecting: bool,
    /// How far that is.
    pub sync: Option<SyncProgress>,
    /// The mempool.
    pub mempool: MempoolStats,
    /// The highest block whose body was pruned; 0 if none was.
    pub pruned: Height,
}

/// How far syncing is.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct SyncProgress {
    /// Height of the tip when it began.
    pub start: Height,
    /// Height of the last block connected, whether or not it was announced.
    pub current: Height,
    /// Height of the header with the most work.
    pub highest: Height,
}

/// Finality at one moment, on a chain that has it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct FinalityInfo {
    /// Keys of the members.
    pub members: Vec<KeyBytes>,
    /// The newest certificate that is followed.
    pub newest: Option<Certificate>,
    /// Time of the header of the block that is final, in Unix time: that of the genesis block before there is a certificate.
    pub time: u32,
    /// A newer one, whose block is not known yet.
    pub wanted: Option<Certificate>,
    /// One that would disconnect more than the chain allows: the operator may have it followed.
    pub refused: Option<Certificate>,
    /// Below this height this node's member is silent, until the checkpoint before is known to be final.
    pub silent_below: Option<Height>,
    /// Whether that is since it has signed for this height; else the operator has chosen it.
    pub signed_ahead: Option<bool>,
    /// Why the last certificate that was not followed was not.
    pub alarm: Option<String>,
    /// Height of the next checkpoint.
    pub next: Height,
    /// The latest view of a quorum of members, as their votes tell.
    pub view: u64,
    /// The member who leads it.
    pub leader: u8,
    /// The votes for the next checkpoint.
    pub votes: Vec<Vote>,
    /// Evidence against members.
    pub evidence: Vec<Evidence>,
    /// The member that this node votes for.
    pub member: Option<u8>,
}

/// A leaf of the block tree.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct ChainTip {
    /// Its hash.
    pub hash: BlockHash,
    /// Its height.
    pub height: Height,
    /// Blocks from the active chain to it; 0 for the active tip.
    pub branch_length: Height,
    /// What is known of it.
    pub status: TipStatus,
}

/// What is known of a leaf of the block tree, named as in Bitcoin Core's `getchaintips`.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum TipStatus {
    /// The tip of the active chain.
    Active,
    /// Was connected once and is valid.
    ValidFork,
    /// Stored, never executed.
    ValidHeaders,
    /// Its body is missing.
    HeadersOnly,
    /// Invalid.
    Invalid,
}

/// What a transaction would pay, if it was submitted.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct TestedTransaction {
    /// Its identifier.
    pub txid: TxId,
    /// Fee of a coin transaction; zero for accounts.
    pub fee: Amount,
    /// Gas: exact for coins, the gas limit for accounts.
    pub gas: Gas,
    /// Tip in wei per gas in the next block; negative if it does not cover the base fee.
    pub tip_per_gas: i128,
}

/// Joins our request to its response.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct RequestId(pub u64);

/// Joins a peer's request to our response; given by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct InboundId(pub u64);

/// Joins a gossiped message to our verdict; given by the network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct GossipId(pub u64);

/// Who pays for what a peer asks: connections of one owner share it, one after the other as well as at a time. Given by the
/// network.
#[derive(Clone, Copy, Debug, PartialEq, Eq, PartialOrd, Ord, Hash)]
pub struct Payer(pub u64);

/// Why there is a connection.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Side {
    /// The peer opened it, and says first where it stands.
    Inbound,
    /// We opened it to ask for other peers. The peer is not preferred: a response to a search named it.
    Passing,
    /// We opened it to have this peer.
    Chosen,
}

/// Why a request has no response.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum Failure {
    /// None came in time.
    Timeout,
    /// The connection or the peer refused it.
    Refused,
    /// It is no message.
    Malformed(CodecError),
}

/// What a peer did.
#[derive(Clone, Debug)]
pub enum PeerEvent {
    /// There is a connection.
    Connected(Side, Payer),
    /// There is none any more. Until it is connected again, nothing else comes of this peer but [`Self::Missed`].
    Disconnected,
    /// It asks; [`PeerAction::Respond`] answers, sooner or later, exactly once while the peer is connected.
    Request(InboundId, Request),
    /// It answers a [`PeerAction::Request`], or does not. Comes exactly once while the peer is connected; the
    /// network's limit of time may be generous, for the engine has its own.
    Response(RequestId, Result<Response, Failure>),
    /// It forwarded a block; [`PeerAction::Judge`] gives the verdict, exactly once.
    Gossip(GossipId, CompactBlock),
    /// It gossiped blocks for which there was no room. Gossip drops other peers' copies as duplicates, so the blocks are to be
    /// downloaded.
    Missed(Vec<Header>),
    /// It sent bytes that are no message, other than in an answer.
    Malformed(CodecError),
}

/// What the network does with a gossiped block.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Verdict {
    /// Forwards it.
    Accept,
    /// Drops it, and penalizes the peer that forwarded it.
    Reject,
    /// Drops it.
    Ignore,
}

/// What the engine wants of the network.
#[derive(Clone, Debug)]
pub enum PeerAction {
    /// Ask a peer.
    Request(PeerId, RequestId, Request),
    /// Respond to a peer.
    Respond(PeerId, InboundId, Response),
    /// Publish a block that did not come by gossip: our own, or one that was downloaded.
    Gossip(CompactBlock),
    /// The verdict on a gossiped block.
    Judge(PeerId, GossipId, Verdict),
    /// Hold [`Offence::points`] against a peer: at 100 it is banned.
    Penalize(PeerId, Offence),
    /// End the connection, without a ban.
    Disconnect(PeerId, String),
}
