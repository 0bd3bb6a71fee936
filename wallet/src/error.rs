//! Errors of commands, and the exit codes that tell them apart.

use std::fmt;

use chain_core::{hash::TxId, transaction::coin::OutPoint, units::Height};

use crate::{
    coins::{CoinsError, coin_name},
    contract::ContractError,
    draft::DraftError,
    fees::FeeError,
    file::{FileError, UnlockError},
    keys::KeyError,
    keystore::KeystoreError,
    message::MessageError,
    money::MoneyError,
    network::{BadAddress, Network},
    node::{NodeError, UNAUTHORIZED},
    payment::PaymentError,
    vault::VaultError,
};

/// A [`WalletError::Usage`] with a formatted text.
macro_rules! usage {
    ($($text:tt)*) => { $crate::error::WalletError::Usage(format!($($text)*)) };
}
pub(crate) use usage;

/// Why a command failed.
#[derive(Debug, thiserror::Error)]
pub enum WalletError {
    #[error("{0}")]
    Usage(String),
    #[error(transparent)]
    Money(#[from] MoneyError),
    #[error(transparent)]
    Address(#[from] Box<BadAddress>),
    /// A mnemonic, or derivation.
    #[error(transparent)]
    Key(#[from] KeyError),
    #[error(transparent)]
    File(#[from] FileError),
    /// A file that is not the backup of a wallet.
    #[error(transparent)]
    Backup(FileError),
    /// The password, or what it protects.
    #[error(transparent)]
    Unlock(#[from] UnlockError),
    #[error(transparent)]
    Node(#[from] NodeError),
    #[error("{what} is on {got}, but this wallet is for {expected}")]
    OtherChain { what: &'static str, got: Box<Network>, expected: Box<Network> },
    /// A node that would have account transactions signed for Ethereum.
    #[error(
        "the node says that its chain id is {0}, that of a public Ethereum network: what is signed would be valid there"
    )]
    PublicChain(u64),
    /// Several wallets, and no node that says which one is meant.
    #[error("{error}; several wallets are in {}, and which one is meant depends on the node", .folder.display())]
    WhichWallet { folder: std::path::PathBuf, error: Box<NodeError> },
    #[error(transparent)]
    Payment(#[from] PaymentError),
    #[error("{file}: {error}")]
    Draft { file: String, error: DraftError },
    #[error("the node refused the transaction: {0}")]
    Rejected(String),
    /// A transaction that the node is asked about and does not know.
    #[error("transaction {0}")]
    Unknown(String),
    #[error("{txid} is signed and kept, but whether the node has it is unknown: {error}")]
    Unclear { txid: TxId, error: Box<NodeError> },
    /// The same payment was made before, and may still be mined beside the new one.
    #[error("the same was paid {seconds} s ago in {txid}, {became}: to pay once more, add --again")]
    PaidAlready { txid: TxId, seconds: u64, became: Became },
    /// A contract, or a call of one.
    #[error(transparent)]
    Contract(#[from] ContractError),
    #[error("{0} was mined, but failed: its fee was taken and nothing else happened")]
    MinedInVain(TxId),
    #[error("{reason}")]
    Failed { txid: TxId, reason: String },
    /// The transaction was sent, but what becomes of it cannot be followed.
    #[error("{txid} was sent, but: {error}")]
    NotFollowed { txid: TxId, error: Box<NodeError> },
    #[error("{txid} was sent, but the result cannot be written to standard output: {error}")]
    NotShown { txid: TxId, error: std::io::Error },
    #[error("cancelled: nothing was changed, signed or sent")]
    Cancelled,
    #[error("{file}: {error}")]
    Keystore { file: String, error: KeystoreError },
    #[error(transparent)]
    Message(#[from] MessageError),
    #[error("{} exists already; it is left as it is", .0.display())]
    InTheWay(std::path::PathBuf),
    #[error("{} holds a wallet; it is left as it is", .0.display())]
    HoldsWallet(std::path::PathBuf),
    #[error("cairn-wallet has a bug: {0}")]
    Bug(String),
    #[error("cannot {action}: {error}")]
    Io { action: String, error: std::io::Error },
}

impl From<CoinsError> for WalletError {
    fn from(error: CoinsError) -> Self {
        match error {
            CoinsError::Node(error) => error.into(),
            CoinsError::Key(error) => error.into(),
        }
    }
}

impl From<VaultError> for WalletError {
    fn from(error: VaultError) -> Self {
        Self::Unlock(error.into())
    }
}

impl From<FeeError> for WalletError {
    fn from(error: FeeError) -> Self {
        Self::Payment(error.into())
    }
}

/// What became of an earlier payment, as far as the wallet and the node know.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Became {
    /// No block holds it yet, or it is unknown whether one does.
    Waiting,
    /// Its answer was lost, or it was refused or replaced; and yet a block holds it.
    Mined(Option<Height>),
    /// The node says that a block holds it and that it failed.
    Failed(Option<Height>),
    /// A node refused it. It may have passed it on all the same. With one of the coins that it spends, if nothing else does.
    Refused(Option<OutPoint>),
    /// It was replaced or cancelled, and that is not buried yet.
    Replaced,
    /// The node does not know it, and named another first block when it was sent.
    Elsewhere,
}

impl fmt::Display for Became {
    fn fmt(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Waiting => f.write_str("which no block holds yet"),
            Self::Mined(Some(height)) => write!(f, "which is in block {height}"),
            Self::Mined(None) => f.write_str("which is in a block"),
            Self::Elsewhere => {
                f.write_str("which was sent while the node named another block 1, and may still be mined")
            }
            Self::Failed(height) => {
                let height = height.map(|height| format!(" {height}")).unwrap_or_default();
                write!(f, "which failed in block{height}, as the node says: if that is not true, this pays twice")
            }
            Self::Refused(_) => f.write_str("which a node refused, but which may still be mined in addition to this"),
            Self::Replaced => f.write_str(
                "and what replaced it is not deep enough in the chain, so that it may still be mined in addition to this",
            ),
        }
    }
}

impl WalletError {
    /// `what` is on the chain `got`, and the wallet is not.
    pub fn other_chain(what: &'static str, got: Network, expected: &Network) -> Self {
        Self::OtherChain { what, got: Box::new(got), expected: Box::new(expected.clone()) }
    }

    /// A transaction that was just built, not read from a file.
    pub fn own_draft(error: DraftError) -> Self {
        Self::Payment(error.into())
    }

    /// The exit code and its name, as the help lists them.
    pub fn code(&self) -> (u8, &'static str) {
        match self {
            Self::Usage(_) | Self::Money(_) | Self::Key(_) => (2, "usage"),
            Self::Address(bad) => address_code(bad),
            // A file that cannot be read may be damaged; that one cannot be written is the fault of a disk.
            Self::File(FileError::Io { action, .. }) | Self::Backup(FileError::Io { action, .. })
                if !matches!(*action, "open" | "read" | "follow the link") =>
            {
                (1, "system")
            }
            Self::File(_) | Self::Backup(_) | Self::InTheWay(_) | Self::HoldsWallet(_) => (3, "file"),
            Self::Unlock(UnlockError::Vault(VaultError::WrongPassword)) => (4, "password"),
            Self::Unlock(UnlockError::WatchOnly) => (8, "refused"),
            Self::Unlock(_) => (3, "file"),
            Self::Keystore { error: KeystoreError::WrongPassword, .. } => (4, "password"),
            Self::Keystore { .. } => (3, "file"),
            Self::Message(MessageError::Wrong(_)) => (8, "refused"),
            Self::Message(_) => (2, "usage"),
            Self::Node(NodeError::Refused { code: UNAUTHORIZED, .. }) => (8, "refused"),
            Self::Node(_) | Self::WhichWallet { .. } => (5, "node"),
            Self::OtherChain { .. } | Self::PublicChain(_) => (6, "chain"),
            Self::Payment(error) => payment_code(error),
            Self::Draft { error: DraftError::Network { .. } | DraftError::PublicChain(_), .. } => (6, "chain"),
            Self::Draft { error: DraftError::Malformed(_) | DraftError::Format { .. }, .. } => (3, "file"),
            Self::Draft { .. } => (8, "refused"),
            Self::Contract(ContractError::Unlinked { .. } | ContractError::NotPayable(_)) => (8, "refused"),
            Self::Contract(ContractError::Reverted { .. }) => (9, "rejected"),
            Self::Contract(_) => (2, "usage"),
            Self::Rejected(_) | Self::Unknown(_) | Self::Failed { .. } | Self::MinedInVain(_) => (9, "rejected"),
            Self::Cancelled => (10, "cancelled"),
            Self::Unclear { .. } | Self::NotFollowed { .. } | Self::NotShown { .. } => (11, "unclear"),
            Self::PaidAlready { .. } => (8, "refused"),
            Self::Io { .. } => (1, "system"),
            // What Rust ends a program with that panics.
            Self::Bug(_) => (101, "bug"),
        }
    }

    /// The transaction that it is about, if one was sent.
    pub fn txid(&self) -> Option<&TxId> {
        match self {
            Self::MinedInVain(txid)
            | Self::Unclear { txid, .. }
            | Self::PaidAlready { txid, .. }
            | Self::Failed { txid, .. }
            | Self::NotFollowed { txid, .. }
            | Self::NotShown { txid, .. } => Some(txid),
            _ => None,
        }
    }

    /// What to do next, where that can be said.
    ///
    /// `chain` is what names the chain that a node would be started for.
    pub fn hint(&self, rpc: &str, chain: &str) -> Option<String> {
        let text = match self {
            Self::Node(NodeError::Unreachable { listens: true, .. }) => {
                "what listens there is busy, or no node: wait longer with --timeout SECONDS, or name another with --rpc \
                 http://HOST:PORT"
                    .into()
            }
            Self::Node(NodeError::Unreachable { .. }) => {
                format!(
                    "start one, such as `cairn-node --chain {chain} --mine` (`make run` in the sources), or name another with \
                     --rpc http://HOST:PORT"
                )
            }
            Self::Node(NodeError::Refused { code: UNAUTHORIZED, .. }) => {
                "only the user who runs a node controls it. To mine for this wallet on someone else's node: its owner starts it \
                 with --http.mining-token FILE and gives you a copy, and `cairn-miner --cookie FILE --address ADDRESS` mines \
                 here for an ADDRESS of `cairn-wallet address coin`"
                    .into()
            }
            Self::WhichWallet { error, .. } if !matches!(**error, NodeError::Unreachable { listens: false, .. }) => {
                "name the node's RPC with --rpc URL, or the wallet by its chain, as in --chain local".into()
            }
            Self::WhichWallet { .. } => {
                "start the node by `cairn-node --chain NAME`, or name the wallet by its chain, as in --chain local".into()
            }
            Self::Node(NodeError::NotANode { .. }) => {
                "name the node's RPC with --rpc URL; its port is 8545 unless changed".into()
            }
            Self::Node(NodeError::BadAnswer { .. }) => {
                format!("is {rpc} the RPC of a Cairn node of this version? --rpc URL names another")
            }
            Self::Unclear { .. } | Self::NotFollowed { .. } | Self::NotShown { .. } => {
                "do not pay again: run `cairn-wallet resend` once the node answers; it rebroadcasts this very transaction, so \
                 nothing is paid twice"
                    .into()
            }
            Self::PaidAlready { became, .. } => return once_more(became),
            Self::HoldsWallet(_) => "choose another name; if you want to lose that wallet, remove its file yourself".into(),
            Self::Bug(_) => {
                "please report it, with the command; `cairn-wallet history` shows whether something was sent".into()
            }
            Self::InTheWay(_) => "choose another name, or add --force to replace it".into(),
            Self::File(error) => return file_hint(error),
            Self::Backup(error) => return backup_hint(error),
            Self::Io { error, .. } => return system_hint(error, "name another file"),
            Self::OtherChain { what: "--chain", .. } => {
                "leave --chain out, or name the wallet of that chain with --wallet".into()
            }
            Self::OtherChain { .. } => "name the right node with --rpc, or the right wallet with --wallet".into(),
            Self::Key(KeyError::Checksum) => "compare with what you wrote down, word by word".into(),
            _ => return None,
        };
        Some(text)
    }
}

/// What to do about a wallet's file.
fn file_hint(error: &FileError) -> Option<String> {
    let place = "choose another place with --wallet FILE";
    let text = match error {
        FileError::Missing(_) | FileError::NoneIn(_) => {
            "create one with `cairn-wallet create`, or restore one with `cairn-wallet restore`; --wallet FILE names another"
        }
        FileError::Exists(_) => place,
        FileError::Locked(_) => "wait until it has ended, and try again",
        FileError::Changed(_) => "look at `cairn-wallet history`, and try again",
        FileError::Transaction(_) => "name the file of a wallet with --wallet FILE",
        FileError::Damaged { .. } => {
            "move it away and restore the wallet from its words with `cairn-wallet restore`, or from a backup with \
             `cairn-wallet restore --backup FILE`"
        }
        FileError::Newer { .. } => NEWER,
        FileError::Io { action: "open", error, .. } if error.kind() == std::io::ErrorKind::InvalidData => {
            "name the file of a wallet with --wallet FILE"
        }
        FileError::Io { action, error, .. } => {
            return system_hint(error, place).or_else(|| action.starts_with("make").then(|| place.into()));
        }
        _ => return None,
    };
    Some(text.into())
}

const NEWER: &str = "use the newer cairn-wallet that wrote it";

/// What to do about the file of a backup.
fn backup_hint(error: &FileError) -> Option<String> {
    let text = match error {
        FileError::Damaged { .. } | FileError::Transaction(_) | FileError::Missing(_) => {
            "name another file that `cairn-wallet backup` wrote, or restore from the words with `cairn-wallet restore`"
        }
        FileError::Newer { .. } => NEWER,
        FileError::Io { error, .. } => return system_hint(error, "name another file"),
        _ => return None,
    };
    Some(text.into())
}

/// What to do about an error of the system that another file or a right would not have.
fn system_hint(error: &std::io::Error, instead: &str) -> Option<String> {
    use std::io::ErrorKind::{NotADirectory, PermissionDenied, QuotaExceeded, ReadOnlyFilesystem, StorageFull};
    Some(match error.kind() {
        PermissionDenied => format!("{instead}, or have its owner change the permissions of this one"),
        StorageFull | QuotaExceeded => format!("make room on the disk, or {instead}"),
        ReadOnlyFilesystem => format!("{instead}, on a disk that can be written"),
        NotADirectory => instead.into(),
        _ => return None,
    })
}

/// What to do about a payment that was made before and is meant once more, unless a block holds it.
fn once_more(became: &Became) -> Option<String> {
    let text = match became {
        Became::Mined(_) | Became::Failed(_) => return None,
        Became::Refused(Some(coin)) => format!(
            "to pay in its place, so that only one of the two can be mined, spend one of its coins: --coin {}. If another \
             transaction spent that and lies under 100 blocks, it can never be mined: add --again",
            coin_name(coin)
        ),
        Became::Refused(None) => {
            "if another transaction that took its coin or its nonce lies under 100 blocks, it can never be mined: add --again"
                .into()
        }
        Became::Replaced => {
            "what spends a coin that the replacement pays back cannot be mined beside the first (`cairn-wallet coins` lists it, \
             `send --coin` spends it). Otherwise wait until the replacement lies under 100 blocks, as `cairn-wallet tx` shows, \
             or add --again"
                .into()
        }
        Became::Elsewhere => {
            "`cairn-wallet resend --other-chain` rebroadcasts it; if you know that the chain was restarted (--dev, or its data was \
             deleted), `cairn-wallet resend --began-anew` forgets it"
                .into()
        }
        Became::Waiting => {
            "too slow? `cairn-wallet bump` raises its fee; did the node lose it? `cairn-wallet resend` rebroadcasts it"
                .into()
        }
    };
    Some(text)
}

fn address_code(bad: &BadAddress) -> (u8, &'static str) {
    match bad.error {
        chain_core::address::AddressError::Network { .. } => (6, "chain"),
        _ => (2, "usage"),
    }
}

fn payment_code(error: &PaymentError) -> (u8, &'static str) {
    match error {
        PaymentError::NotEnoughCoins { .. } | PaymentError::NotEnoughInAccount(_) => (7, "funds"),
        PaymentError::Node(_) => (5, "node"),
        PaymentError::Address(bad) => address_code(bad),
        PaymentError::Twice(_) | PaymentError::Nobody | PaymentError::TooLarge => (2, "usage"),
        PaymentError::Fee(FeeError::Rate(_)) => (2, "usage"),
        _ => (8, "refused"),
    }
}

#[cfg(test)]
mod tests {
    use std::io::{Error, ErrorKind};

    use super::*;

    #[test]
    fn a_disk_that_refuses_is_answered_with_another_place() {
        let hint = |action, kind| {
            let error = FileError::Io { action, path: "w.json".into(), error: Error::from(kind) };
            WalletError::File(error).hint("", "").unwrap_or_default()
        };
        let place = "choose another place with --wallet FILE";
        let says = [
            (ErrorKind::ReadOnlyFilesystem, format!("{place}, on a disk that can be written")),
            (ErrorKind::PermissionDenied, format!("{place}, or have its owner change the permissions of this one")),
            (ErrorKind::StorageFull, format!("make room on the disk, or {place}")),
            (ErrorKind::NotADirectory, place.to_owned()),
            (ErrorKind::NotFound, place.to_owned()),
        ];
        for (kind, says) in says {
            assert_eq!([hint("make", kind), hint("make the folder", kind)], [says.as_str(); 2]);
        }
        let denied = WalletError::Io { action: "write x".into(), error: Error::from(ErrorKind::PermissionDenied) };
        assert!(denied.hint("", "").is_some_and(|hint| hint.starts_with("name another file, or ")));
    }

    #[test]
    fn which_wallet_is_meant_follows_what_is_wrong_with_the_node() {
        let which = |error| WalletError::WhichWallet { folder: "f".into(), error: Box::new(error) };
        let (url, reason) = (String::from("http://x"), String::from("refused"));
        let gone = which(NodeError::Unreachable { url: url.clone(), reason: reason.clone(), listens: false });
        assert!(gone.to_string().starts_with("no node answers at http://x: refused; several wallets are in f"));
        assert!(gone.hint("", "").is_some_and(|hint| hint.starts_with("start the node by ")));
        let stranger = which(NodeError::NotANode { url, reason });
        assert!(stranger.hint("", "").is_some_and(|hint| hint.starts_with("name the node's RPC with --rpc URL, or ")));
    }
}
