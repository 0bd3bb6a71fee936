//! What all commands that spend have in common: sign, remember, hand in, wait.

use std::{
    thread::sleep,
    time::{Duration, Instant, SystemTime, UNIX_EPOCH},
};

use chain_core::{
    hash::TxId,
    transaction::Transaction,
    units::{Amount, Height},
};
use serde_json::{Value, json};

use super::{
    args::{FeeArgs, Wait},
    context::Context,
    screen::{self, Progress, Report},
    summary,
};
use crate::{
    build::Terms,
    error::WalletError,
    fees::{Prices, Speed},
    file::{Sent, Wallet, WalletLock},
    node::{ChainInfo, Node, NodeError, TransactionStatus},
    request::{Body, OwnKeys, Request},
};

/// How often the node is asked while waiting.
const POLL: Duration = Duration::from_millis(400);

/// How often in a row it may not answer meanwhile: half a minute.
const PATIENCE: u32 = 75;

/// A wallet that is about to spend, and the node it spends through.
pub struct Session<'a> {
    /// Flags, password, consent.
    pub context: &'a Context,
    /// The right to write the wallet.
    pub lock: WalletLock,
    /// The wallet.
    pub wallet: Wallet,
    /// The node.
    pub node: Node,
    /// What it says of its chain.
    pub info: ChainInfo,
}

/// Prices and limits from the flags.
pub fn terms(node: &Node, info: &ChainInfo, fees: &FeeArgs) -> Result<Terms, WalletError> {
    let speed: Speed = fees.fee_rate.parse()?;
    Ok(Terms::new(info, Prices::new(&node.fees()?, speed), fees.allow_high_fee))
}

impl<'a> Session<'a> {
    /// Opens the wallet for writing and finds the node.
    pub fn open(context: &'a Context) -> Result<Self, WalletError> {
        let (lock, wallet) = context.wallet_to_change()?;
        let (node, info) = context.node(&wallet.network)?;
        Ok(Self { context, lock, wallet, node, info })
    }

    /// Shows a request, asks, signs, and sends it.
    pub fn finish(self, mut request: Request, replaces: Option<TxId>, wait: Wait) -> Result<Report, WalletError> {
        let own = OwnKeys::new(&self.wallet).table()?;
        let (text, json) = summary::describe(&request, &own)?;
        self.context.confirm(&text, "Sign and send?")?;
        let signer = self.context.unlock(&self.wallet)?;
        let network = self.wallet.network.clone();
        request.sign(&network, &signer, &own).map_err(WalletError::own_request)?;
        let transaction = request.finish(self.next()).map_err(WalletError::own_request)?;
        self.send(request, &transaction, replaces, json, wait)
    }

    /// Height of the block that can hold a transaction at the earliest.
    pub fn next(&self) -> Height {
        self.info.height.saturating_add(1)
    }

    /// Hands in a signed transaction. It is remembered before it leaves, so that a crash forgets nothing.
    pub fn send(
        mut self,
        request: Request,
        transaction: &Transaction,
        replaces: Option<TxId>,
        mut json: Value,
        wait: Wait,
    ) -> Result<Report, WalletError> {
        let txid = transaction.txid();
        let before = self.wallet.sent.clone();
        self.wallet.remember(Sent { txid, time: now(), replaces, request: request.clone() });
        self.lock.write(&self.wallet)?;
        let encoded = transaction.encode();
        if let Err(error) = self.node.send(&encoded) {
            if matches!(error, NodeError::Refused { .. }) {
                self.wallet.sent = before;
                self.lock.write(&self.wallet)?;
            }
            return Err(rejected(error));
        }
        // Others may use the wallet while this waits.
        drop(self.lock);
        let sent = format!("{} {txid}", screen::green("Sent:"));
        json["txid"] = json!(txid.to_string());
        if !wait.wait {
            return Ok(Report::new(format!("{sent}\n{}", screen::dim(&after(&request, &self.info))), json));
        }
        screen::note(&sent);
        let status = wait_until_mined(&self.node, &txid, &encoded)?;
        json["height"] = json!(status.height);
        let text = format!("{} in block {}: {txid}", screen::green("Mined"), status.height.unwrap_or_default());
        Ok(Report::new(text, json))
    }
}

/// What happens next.
fn after(request: &Request, info: &ChainInfo) -> String {
    let seconds = info.target_interval;
    match &request.transaction {
        Body::Coin(coin) => format!(
            "It waits for a block (one about every {seconds} s); the fee is {} CRN. See `cairn-wallet history`; too slow? \
             `cairn-wallet bump TXID`.\n",
            coin.fee
        ),
        Body::Account(_) => format!(
            "It waits for a block (one about every {seconds} s). See `cairn-wallet history`; too slow? `cairn-wallet bump \
             TXID`.\n"
        ),
    }
}

/// Tells a refused transaction from a node that does not answer.
pub fn rejected(error: NodeError) -> WalletError {
    match error {
        NodeError::Refused { message, .. } => WalletError::Rejected(message),
        other => WalletError::Node(other),
    }
}

/// Seconds since 1970; 0 on a clock before that.
pub fn now() -> u64 {
    SystemTime::now().duration_since(UNIX_EPOCH).map_or(0, |time| time.as_secs())
}

/// Waits until a transaction is in a block. A node that goes away for a while is waited for, and is handed the transaction
/// again if it came back without.
fn wait_until_mined(node: &Node, txid: &TxId, encoded: &[u8]) -> Result<TransactionStatus, WalletError> {
    let mut progress = Progress::new();
    let started = Instant::now();
    let (mut unknown, mut silent) = (0, 0);
    loop {
        match node.transaction(txid) {
            Ok(Some(status)) if status.confirmations > 0 && status.success == Some(false) => {
                return Err(WalletError::MinedInVain(*txid));
            }
            Ok(Some(status)) if status.confirmations > 0 => return Ok(status),
            Ok(Some(_)) => (unknown, silent) = (0, 0),
            Ok(None) => unknown += 1,
            Err(NodeError::Unreachable { .. }) if silent < PATIENCE => silent += 1,
            Err(error) => return Err(error.into()),
        }
        if unknown > 3 {
            match node.send(encoded) {
                Ok(_) => unknown = 0,
                Err(NodeError::Unreachable { .. }) => {}
                Err(error) => {
                    return Err(WalletError::Failed(format!(
                        "the node no longer knows {txid} and does not take it again ({error}): it was replaced, or what it \
                         spends was spent otherwise"
                    )));
                }
            }
        }
        let what = if silent > 0 { "the node does not answer; waiting for it" } else { "waiting for a block" };
        progress.show(&format!("{what}… {} s", started.elapsed().as_secs()));
        sleep(POLL);
    }
}

/// Reads `ADDRESS=AMOUNT`.
pub fn split_payment(text: &str) -> Result<(&str, &str), WalletError> {
    text.split_once('=').ok_or_else(|| {
        WalletError::Usage(format!("'{text}' does not say how much: write ADDRESS=AMOUNT, as in {text}=1.5"))
    })
}

/// Reads payments: each as `ADDRESS=AMOUNT`, or one as `ADDRESS AMOUNT`.
pub fn split_payments(texts: &[String]) -> Result<Vec<(&str, &str)>, WalletError> {
    match texts {
        [address, amount] if !address.contains('=') && !amount.contains('=') => Ok(vec![(address, amount)]),
        _ => texts.iter().map(|text| split_payment(text)).collect(),
    }
}

/// The amount of `ADDRESS=AMOUNT` in coins.
pub fn grains(text: &str) -> Result<Amount, WalletError> {
    Ok(crate::money::parse_grains(text)?)
}
