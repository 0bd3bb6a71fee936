//! Why a command failed: one line for the user, with what to do.

use cairn_client::{CookieError, counted};
use chain_core::spec::Finality;
use std::{
    net::SocketAddr,
    path::{Path, PathBuf},
};

use crate::{
    config::ConfigError, engine::OpenError, finality::RecordError, mining::SavedError, net::NetError, program,
    store::StoreError,
};

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum CommandError {
    /// A setting.
    #[error(transparent)]
    Config(#[from] ConfigError),
    /// The store.
    #[error(transparent)]
    Store(#[from] StoreError),
    /// `payout.json`.
    #[error(transparent)]
    Payout(#[from] SavedError),
    /// The engine did not start.
    #[error(transparent)]
    Open(#[from] OpenError),
    /// The network did not start.
    #[error(transparent)]
    Network(#[from] NetError),
    /// The data directory cannot be made.
    #[error("cannot create the data directory {}: {reason}; choose another with --datadir", .path.display())]
    Datadir {
        /// Which.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// Another program has the port.
    #[error(
        "{address} is in use by another program, perhaps another node: stop it, or choose another port, such as \
         --{service}.port {free}"
    )]
    PortInUse {
        /// Where the node was to listen.
        address: SocketAddr,
        /// The name of its flags.
        service: &'static str,
        /// A port that is free.
        free: u16,
    },
    /// The address cannot be listened on.
    #[error("cannot listen on {address}: {reason}; choose another with --{service}.addr and --{service}.port")]
    Listen {
        /// Which.
        address: SocketAddr,
        /// The name of its flags.
        service: &'static str,
        /// Why.
        reason: String,
    },
    /// Nobody to pay.
    #[error(
        "--mine needs a payout address: add --miner.address ADDRESS (`{} address` shows yours)",
        program::named("cairn-wallet")
    )]
    NobodyToPay,
    /// The key with which a node finalizes blocks cannot be read.
    #[error("cannot read the member's key {}: {reason}", .path.display())]
    MemberKey {
        /// Its file.
        path: PathBuf,
        /// Why.
        reason: String,
    },
    /// There is a key already, and it is not overwritten.
    #[error("{} exists: a member keeps its key; move the file away to make another", .0.display())]
    MemberKeyExists(PathBuf),
    /// What another key has signed is there, without that key.
    #[error("{} holds the votes of another key, which was moved away: move it to that key to make another", .0.display())]
    VotesExist(PathBuf),
    /// There is no key to show.
    #[error("{} does not exist: this node is no member; `{command}` makes a key", .path.display())]
    NoMemberKey {
        /// Its file.
        path: PathBuf,
        /// How to make one.
        command: String,
    },
    /// The node has a key that the chain spec does not list.
    #[error(
        "the key in {} is not a member of this chain: {key}. Add it to `members` of the chain spec before the chain's first \
         start, or move the file away",
        .path.display()
    )]
    NotAMember {
        /// Its file.
        path: PathBuf,
        /// The public key.
        key: String,
    },
    /// What a member has signed is not known.
    #[error(
        "{} says what this member has signed, and cannot be used: {reason}. Without it the member could sign a second block \
        for one height. Do not put an old copy there. {advice}. Or move member.key away, and the node runs without voting",
        .path.display()
    )]
    LostVotes {
        /// The file.
        path: PathBuf,
        /// What is wrong with it.
        reason: String,
        /// How the member votes again, and what its chain does meanwhile.
        advice: String,
    },
    /// There is nothing on disk to work on.
    #[error("the chain {0:?} is kept in memory only: add --datadir DIR")]
    InMemory(String),
    /// A command on stored blocks, where no node has stored any.
    #[error(
        "{} does not exist: no node of the chain {chain} keeps its data there; name others with --chain and --datadir",
        .path.display()
    )]
    NoData {
        /// The data directory.
        path: PathBuf,
        /// The chain that was meant, perhaps by default.
        chain: String,
    },
    /// A command on stored blocks, in a directory without any.
    #[error("{} holds no chain: name another directory with --datadir, or another chain with --chain", .0.display())]
    NoChain(PathBuf),
    /// Blocks below the tip are damaged, and the state is not: a reindex would lose it.
    #[error(
        "{blocks} cannot be read from the disk, but the state can: nothing was changed. The node runs with it, and fetches a \
         block that it cannot read again from its peers as soon as somebody asks for it. To rebuild the state up to there \
         and have the node fetch the rest from its peers, run `{command}`"
    )]
    DamagedBlocks {
        /// Which.
        blocks: String,
        /// The command that was given.
        command: String,
    },
    /// A reindex needs every block, and some were deleted.
    #[error(
        "blocks 1 to {pruned} were pruned (--prune), and without them the state cannot be rebuilt: nothing was changed. \
         To give the state up and have the node fetch these blocks from its peers, run `{command}`"
    )]
    PrunedBlocks {
        /// The highest that was pruned.
        pruned: u32,
        /// The command to go on with.
        command: String,
    },
    /// The operating system refused something.
    #[error("cannot {action}: {reason}")]
    Io {
        /// What was tried.
        action: String,
        /// What it answered.
        reason: String,
    },
    /// The node had to stop.
    #[error("{0}")]
    Stopped(String),
    /// A signal asked to stop in the middle.
    #[error("interrupted")]
    Interrupted,
    /// A file of blocks is not one.
    #[error("{}: {reason}", .path.display())]
    BlockFile {
        /// Which.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file that may be a backup.
    #[error("{} exists already and is left as it is: choose another name, or add --force to replace it", .0.display())]
    FileExists(PathBuf),
    /// A chain of its genesis block alone.
    #[error(
        "the chain has no block above its genesis block, and so nothing to export: let the node sync or mine first"
    )]
    NoBlocks,
    /// A height that the chain does not have.
    #[error("--{flag} {got}: the chain's tip is at height {tip}")]
    Height {
        /// Which flag.
        flag: &'static str,
        /// What was given.
        got: u32,
        /// What there is.
        tip: u32,
    },
    /// A flag whose value cannot be used.
    #[error("{0}")]
    Flag(String),
    /// A range of heights that ends before it begins.
    #[error("--from {from} is above --to {to}: name the lower height with --from")]
    Range {
        /// Where it begins.
        from: u32,
        /// Where it ends.
        to: u32,
    },
    /// The cookie file that the user names.
    #[error(transparent)]
    Cookie(#[from] CookieError),
    /// The node does not answer.
    #[error(
        "no node answers at {url} ({reason}): start one, such as `{} --chain local`, or name another with --rpc URL",
        program::named("cairn-node")
    )]
    NoAnswer {
        /// Where it was asked.
        url: String,
        /// What happened.
        reason: String,
    },
    /// Something listens there, and does not answer.
    #[error(
        "the server at {url} did not answer within {seconds} s; what listens there is busy, or no node: try again, or name another with --rpc URL"
    )]
    Busy {
        /// Where it was asked.
        url: String,
        /// How long it was waited for.
        seconds: u64,
    },
    /// Something else answers.
    #[error(
        "what answers at {url} is not a Cairn node ({reason}): name the node's RPC with --rpc URL; its port is 8545 unless changed"
    )]
    NotANode {
        /// Where it was asked.
        url: String,
        /// What shows it.
        reason: String,
    },
    /// The node refused.
    #[error("the node refuses: {0}")]
    Refused(String),
    /// `top` where there is no screen or no keyboard.
    #[error(
        "`top` needs a terminal to draw on and to read keys from: run it in one, or print one frame with `{} top --once`",
        program::named("cairn-node")
    )]
    NoTerminal,
}

/// How many checkpoints above the newest final one a member that lost its record has signed nothing: its last vote was for the one
/// after its newest certificate, which others may not have heard of.
const AHEAD: u32 = 3;

/// What a chain does without one of its members.
pub fn without(rules: &Finality) -> String {
    let others = u32::from(rules.count()).saturating_sub(1);
    if others == 0 {
        return "It is the only member: nothing becomes final until it votes".to_owned();
    }
    format!(
        "Until it votes, blocks become final only if {} of the other {} vote; if fewer do, the chain goes on by its work alone, \
         and docs/finality.md says what to do",
        rules.quorum(),
        counted(others, "member")
    )
}

impl CommandError {
    /// How the process ends: 2 for a command line or a configuration that cannot be used, 1 for all else.
    pub fn exit_code(&self) -> u8 {
        match self {
            Self::Config(_) | Self::NobodyToPay | Self::Flag(_) | Self::Range { .. } => 2,
            _ => 1,
        }
    }

    /// What to do about a member's record that cannot be used, on a chain with these members.
    pub fn lost_votes(path: PathBuf, error: &RecordError, rules: &Finality) -> Self {
        if !matches!(error, RecordError::Missing | RecordError::Damaged) {
            // The record may be whole: nothing is to replace it before somebody has looked.
            let advice = match error {
                RecordError::File(_) => "Have the system read it as a plain file of this user",
                _ => "Put that of this key and chain there",
            };
            return Self::LostVotes { path, reason: error.to_string(), advice: advice.to_owned() };
        }
        let command = program::on_this_data("member resume HEIGHT");
        let height = match rules.count() {
            1 => "the height of the next checkpoint".to_owned(),
            _ => {
                let ahead = counted(AHEAD.saturating_mul(rules.interval), "block");
                format!("a checkpoint at least {ahead} above the newest final block of the other members")
            }
        };
        let advice = format!("Run `{command}` with {height}. {}", without(rules));
        Self::LostVotes { path, reason: error.to_string(), advice }
    }

    /// A file that the operating system refuses to write.
    pub fn write(file: &Path) -> impl FnOnce(std::io::Error) -> Self {
        Self::io(format!("write {}", file.display()))
    }

    /// Names what was tried when the operating system refused.
    pub fn io(action: impl Into<String>) -> impl FnOnce(std::io::Error) -> Self {
        |error| Self::Io { action: action.into(), reason: error.to_string() }
    }
}
