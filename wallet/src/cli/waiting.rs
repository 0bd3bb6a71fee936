//! Waiting for a transaction that was sent to be mined.

use std::{
    thread::sleep,
    time::{Duration, Instant},
};

use chain_core::hash::TxId;

use super::{
    dates::now,
    screen::{self, Progress},
    verdict::is_over,
};
use crate::{
    error::WalletError,
    file::Wallet,
    node::{ChainInfo, Node, NodeError, TransactionStatus},
};

/// How often the node is asked while waiting.
const POLL: Duration = Duration::from_millis(400);

/// How often in a row it may not answer meanwhile: half a minute.
const PATIENCE: u32 = 75;

/// The command that starts mining.
pub const MINE: &str = "cairn-wallet mine";

/// Seconds without a block after which it is likely that no miner runs.
pub fn quiet(info: &ChainInfo) -> u64 {
    60 + 10 * u64::from(info.target_interval)
}

/// Whether the chain is that of `cairn-node --dev`, where the age of the newest block says nothing.
pub fn mines_on_demand(info: &ChainInfo) -> bool {
    info.chain == "dev"
}

/// A transaction that was sent and is waited for.
pub struct Waiting<'a> {
    /// Where it was sent.
    pub node: &'a Node,
    /// What else was sent.
    pub wallet: &'a Wallet,
    /// What is waited for.
    pub txid: TxId,
    /// The same, to be broadcast again.
    pub encoded: &'a [u8],
    /// Its block and those on top, as many as are wanted.
    pub blocks: u64,
    /// What the node says of its chain.
    pub info: &'a ChainInfo,
    /// Whether it can be mined and fail: coins and plain transfers cannot.
    pub can_fail: bool,
}

impl Waiting<'_> {
    /// Waits until the transaction is deep enough. A node that goes away for a while is waited for, and is handed the
    /// transaction again if it came back without.
    ///
    /// # Errors
    /// [`WalletError`] that says what became of it.
    pub fn run(&self) -> Result<TransactionStatus, WalletError> {
        let mut progress = Progress::default();
        let started = Instant::now();
        let age = now().saturating_sub(self.info.time);
        if age > quiet(self.info) && !mines_on_demand(self.info) {
            let age = screen::age(age);
            screen::warn(&format!("the last block came {age} ago: does anyone mine? `{MINE}` has this node do it"));
        }
        let (mut unknown, mut silent) = (0, 0);
        loop {
            let mut depth = 0;
            match self.node.transaction(&self.txid) {
                Ok(Some(status)) if status.confirmations >= self.blocks => {
                    return match (status.success, self.can_fail) {
                        (Some(false), true) => Err(WalletError::MinedInVain(self.txid)),
                        (Some(false), false) => Err(self.impossible()),
                        _ => Ok(status),
                    };
                }
                Ok(Some(status)) => (unknown, silent, depth) = (0, 0, status.confirmations),
                Ok(None) => unknown += 1,
                Err(NodeError::Unreachable { .. }) if silent < PATIENCE => silent += 1,
                Err(error) => return Err(WalletError::NotFollowed { txid: self.txid, error: Box::new(error) }),
            }
            if unknown > 3 && self.hand_in_again()? {
                unknown = 0;
            }
            let waited = started.elapsed().as_secs();
            if waited > quiet(self.info) && depth == 0 {
                screen::warn(&format!(
                    "no block has taken it in {} s: does anyone mine? `{MINE}` has this node do it",
                    quiet(self.info)
                ));
            }
            let what = match (silent, depth) {
                (1.., _) => "the node does not answer; waiting for it".to_owned(),
                (_, 0) => "waiting for a block".to_owned(),
                (_, depth) => format!("{depth} of {} blocks", self.blocks),
            };
            progress.show(&format!("{what}… {waited} s"));
            sleep(POLL);
        }
    }

    fn impossible(&self) -> WalletError {
        let reason = "it says that a payment failed in its block, which runs no code that could".to_owned();
        let error = NodeError::BadAnswer { method: "coin_getTransaction".into(), reason };
        WalletError::NotFollowed { txid: self.txid, error: Box::new(error) }
    }

    /// Broadcasts again what the node no longer knows; returns whether it was accepted.
    fn hand_in_again(&self) -> Result<bool, WalletError> {
        let txid = self.txid;
        match self.node.send(self.encoded) {
            Ok(_) => Ok(true),
            Err(error) if error.is_known() => Ok(true),
            Err(NodeError::Unreachable { .. }) => Ok(false),
            // It may have been mined just now.
            Err(error) if self.node.may_be_mined(&txid, &error).unwrap_or_default() => Ok(true),
            // Whether the node has it is unknown, or it may take it later.
            Err(error) if !is_over(self.wallet, self.node, self.info.syncing, &txid, &error).unwrap_or_default() => {
                Err(WalletError::NotFollowed { txid, error: Box::new(error) })
            }
            Err(error) => {
                let reason = format!(
                    "the node no longer knows {txid} and does not take it again ({error}): it was replaced, or what it \
                     spends was spent otherwise"
                );
                Err(WalletError::Failed { txid, reason })
            }
        }
    }
}
