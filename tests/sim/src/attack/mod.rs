//! Attackers: strategies that sit between a node's engine and the network, and may keep an engine of their own.

mod double_spender;
mod equivocator;
mod false_forms;
mod filler;
mod flood;
mod forger;
mod hoarder;
mod lab;
mod long_headers;
mod members;
mod selfish;
mod silent;
mod staller;
mod timekeeper;
mod transactions;

use cairn_lab::random::Random;
use cairn_node::engine::{Engine, PeerAction, PeerEvent, PeerId};
use chain_core::{
    block::Block,
    hash::{BlockHash, TxId},
};
use std::collections::HashSet;

#[cfg(test)]
pub(crate) use filler::Filler;
pub use lab::Lab;

use crate::{stats::Stats, world::Context};

/// What a node keeps of what its engine bounds.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Kept {
    /// Transactions whose parent is missing.
    pub orphans: usize,
    /// Account transactions that wait for a nonce.
    pub waiting: usize,
}

/// What an attacker does. Every method has the honest node's behaviour as its default.
pub trait Strategy {
    /// Something comes from the network; answers with what the engine is to know of it.
    fn receive(&mut self, _: &mut Context<'_>, _: PeerId, event: PeerEvent) -> Option<PeerEvent> {
        Some(event)
    }

    /// The engine wants something of the network; answers with what is done.
    fn act(&mut self, _: &mut Context<'_>, action: PeerAction) -> Option<PeerAction> {
        Some(action)
    }

    /// The miner found a block; answers with it if the node's engine is to have it.
    fn found(&mut self, _: &mut Context<'_>, block: Block) -> Option<Block> {
        Some(block)
    }

    /// The node's own engine has a new tip.
    fn new_tip(&mut self, _: &mut Context<'_>, _connected: &[BlockHash]) {}

    /// The timer that was set; first, soon after the start.
    fn timer(&mut self, _: &mut Context<'_>) {}

    /// Whether accepted blocks are passed on to a peer.
    fn forwards(&self, _victim: bool) -> bool {
        true
    }

    /// The engine that the miner works on, if not the node's own.
    fn workshop(&mut self) -> Option<&mut Engine> {
        None
    }

    /// What it keeps beside its engine.
    fn keeps(&self) -> Kept {
        Kept::default()
    }

    /// The game is over: honest nodes mine alone from now on.
    fn stop(&mut self, _: &mut Context<'_>) {}

    /// Adds what it achieved to the statistics, given the transactions of the honest nodes' chain in the end.
    fn tally(&self, _mined: &HashSet<TxId>, _: &mut Stats) {}
}

/// All strategies.
#[derive(Clone, Copy, Debug, PartialEq, Eq, Hash, clap::ValueEnum)]
pub enum Kind {
    /// Pays, then mines a branch without the payment and publishes it once it wins.
    DoubleSpender,
    /// Keeps blocks back to make honest work stale (Eyal and Sirer, 2014).
    SelfishMiner,
    /// Knows blocks and transactions and does not hand them out.
    Withholder,
    /// Mines and gossips blocks that break a rule, and bytes that are no message.
    Forger,
    /// Claims much work and sends cheap headers, and blocks on unknown parents.
    HeaderFlood,
    /// Several that surround a node and keep the chain from it.
    Eclipse,
    /// Tells each peer something else.
    Equivocator,
    /// Announces transactions that do not exist.
    Announcer,
    /// Sends false compact forms of honest blocks.
    FalseForms,
    /// Hands out false bodies of honest blocks.
    Mutator,
    /// Announces what others have and delivers orphans only.
    Censor,
    /// Hands out transactions with wrong signatures.
    BadSigner,
    /// Replaces a transaction without end, and leaves gaps of nonces.
    Churner,
    /// Fills what nodes keep behind gaps of nonces.
    Gapper,
    /// Withdraws and spends coins that differ from branch to branch.
    ForkSpender,
    /// Comes and goes under new identities.
    Sybil,
    /// Asks expensive questions as fast as it may.
    Asker,
    /// Answers late and little.
    Staller,
    /// Mines blocks with the latest and earliest times that are valid.
    Timekeeper,
    /// Serves chains of headers that take more than one response, with little work or a broken rule.
    LongHeaders,
    /// Fills pools with long chains of transactions.
    Filler,
    /// Keeps blocks back and gossips more at once than a node can complete.
    Hoarder,
    /// What [`World::with`](crate::World::with) says; until then, an honest node. Never drawn.
    #[value(skip)]
    Custom,
    /// A member of finality that votes for every block that anybody votes for.
    TwoFaced,
    /// A member of finality that tells nobody its votes.
    Secretive,
    /// A member of finality that accuses others and makes up certificates, with forged signatures.
    FalseWitness,
    /// Has three fifths of the hash rate, mines in the open, and follows no certificate.
    Majority,
}

/// Does what an honest node does.
struct Honest;

impl Strategy for Honest {}

/// What a majority has of all hash rate.
const MAJORITY: f64 = 0.6;

/// Milliseconds in which a member that mined in secret still follows its own branch when it has published all of that, for others to
/// ask for it; then it listens to certificates again.
const HEARS_AFTER: u64 = 30_000;

/// Milliseconds after that in which it has surely heard of a certificate, before it begins anew.
const BEGINS_AFTER: u64 = 15_000;

impl Kind {
    /// Those of chains with finality.
    pub const MEMBERS: [Self; 6] =
        [Self::TwoFaced, Self::Secretive, Self::FalseWitness, Self::Majority, Self::DoubleSpender, Self::SelfishMiner];

    /// All that a seed may pick.
    pub const ALL: [Self; 22] = [
        Self::DoubleSpender,
        Self::SelfishMiner,
        Self::Withholder,
        Self::Forger,
        Self::HeaderFlood,
        Self::Eclipse,
        Self::Equivocator,
        Self::Announcer,
        Self::FalseForms,
        Self::Mutator,
        Self::Censor,
        Self::BadSigner,
        Self::Churner,
        Self::ForkSpender,
        Self::Sybil,
        Self::Asker,
        Self::Staller,
        Self::Timekeeper,
        Self::Gapper,
        Self::LongHeaders,
        Self::Filler,
        Self::Hoarder,
    ];

    /// Its name in statistics.
    pub fn name(self) -> &'static str {
        match self {
            Self::DoubleSpender => "double-spender",
            Self::SelfishMiner => "selfish-miner",
            Self::Withholder => "withholder",
            Self::Forger => "forger",
            Self::HeaderFlood => "header-flood",
            Self::Eclipse => "eclipse",
            Self::Equivocator => "equivocator",
            Self::Announcer => "announcer",
            Self::FalseForms => "false-forms",
            Self::Mutator => "mutator",
            Self::Censor => "censor",
            Self::BadSigner => "bad-signer",
            Self::Churner => "churner",
            Self::Gapper => "gapper",
            Self::ForkSpender => "fork-spender",
            Self::Sybil => "sybil",
            Self::Asker => "asker",
            Self::Staller => "staller",
            Self::Timekeeper => "timekeeper",
            Self::LongHeaders => "long-headers",
            Self::Filler => "filler",
            Self::Hoarder => "hoarder",
            Self::Custom => "custom",
            Self::TwoFaced => "two-faced",
            Self::Secretive => "secretive",
            Self::FalseWitness => "false-witness",
            Self::Majority => "majority",
        }
    }

    /// How many of them act together at least.
    pub fn team(self) -> usize {
        if self.eclipses() { 3 } else { 1 }
    }

    /// Whether some node is reached by attackers alone.
    pub fn eclipses(self) -> bool {
        self == Self::Eclipse
    }

    /// Whether it mines a branch that it keeps to itself.
    pub fn mines_in_secret(self) -> bool {
        matches!(self, Self::DoubleSpender | Self::SelfishMiner)
    }

    /// The part of all hash rate that they have together where members finalize blocks: honest nodes need no majority of it there.
    pub fn hash_share_of_members(self, random: &mut Random) -> f64 {
        let share = self.hash_share(random);
        if self.mines_in_secret() { MAJORITY } else { share }
    }

    /// The part of all hash rate that they have together.
    pub fn hash_share(self, random: &mut Random) -> f64 {
        match self {
            Self::DoubleSpender | Self::SelfishMiner => 0.1 + random.unit() * 0.35,
            Self::Forger | Self::Equivocator | Self::Withholder | Self::FalseForms | Self::Timekeeper => {
                0.05 + random.unit() * 0.25
            }
            // Enough to find many blocks before the first of them is too old.
            Self::Hoarder => 0.3 + random.unit() * 0.15,
            Self::HeaderFlood
            | Self::Eclipse
            | Self::Announcer
            | Self::Mutator
            | Self::Censor
            | Self::BadSigner
            | Self::Churner
            | Self::Gapper
            | Self::ForkSpender
            | Self::Sybil
            | Self::Asker
            | Self::Staller
            | Self::LongHeaders
            | Self::Filler
            | Self::Custom
            | Self::TwoFaced
            | Self::Secretive
            | Self::FalseWitness => 0.0,
            Self::Majority => MAJORITY,
        }
    }

    /// One that is ready to begin.
    pub fn strategy(self) -> Box<dyn Strategy> {
        match self {
            Self::DoubleSpender => Box::new(double_spender::DoubleSpender::default()),
            Self::SelfishMiner => Box::new(selfish::SelfishMiner::default()),
            Self::Withholder => Box::new(silent::Withholder),
            Self::Forger => Box::new(forger::Forger::default()),
            Self::HeaderFlood => Box::new(flood::HeaderFlood),
            Self::Eclipse => Box::new(silent::Eclipse),
            Self::Equivocator => Box::new(equivocator::Equivocator::default()),
            Self::Announcer => Box::new(flood::Announcer),
            Self::FalseForms => Box::new(false_forms::FalseForms),
            Self::Mutator => Box::new(false_forms::Mutator),
            Self::Censor => Box::new(transactions::Censor::default()),
            Self::BadSigner => Box::new(transactions::BadSigner),
            Self::Churner => Box::new(transactions::Churner::default()),
            Self::Gapper => Box::new(transactions::Gapper::default()),
            Self::ForkSpender => Box::new(transactions::ForkSpender::default()),
            Self::Sybil => Box::new(transactions::Sybil),
            Self::Asker => Box::new(flood::Asker::default()),
            Self::Staller => Box::new(staller::Staller::default()),
            Self::Timekeeper => Box::new(timekeeper::Timekeeper),
            Self::LongHeaders => Box::new(long_headers::LongHeaders::default()),
            Self::Filler => Box::new(filler::Filler::default()),
            Self::Hoarder => Box::new(hoarder::Hoarder::default()),
            Self::Custom => Box::new(Honest),
            Self::TwoFaced => Box::new(members::TwoFaced::default()),
            Self::Secretive => Box::new(members::Secretive),
            Self::FalseWitness => Box::new(members::FalseWitness),
            Self::Majority => Box::new(members::Majority::default()),
        }
    }
}
