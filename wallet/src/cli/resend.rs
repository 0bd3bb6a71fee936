//! `resend`: what was sent and the node has lost.

use chain_core::hash::{BlockHash, TxId};
use serde_json::{Value, json};

use super::{
    context::Context,
    screen::{self, Report},
    spend::{Session, is_known},
};
use crate::{
    error::WalletError,
    file::{Sent, SentState, Wallet},
    node::{Node, NodeError, TransactionStatus},
};

/// What was sent on this chain, was not replaced, and is unknown to the node: it was restarted, or dropped it.
///
/// # Errors
/// [`NodeError`]; a node without an index knows of none.
pub fn lost<'a>(node: &Node, wallet: &'a Wallet, first_block: Option<BlockHash>) -> Result<Vec<&'a Sent>, NodeError> {
    let current: Vec<&Sent> = wallet.live(first_block).collect();
    let params = current.iter().map(|sent| json!([sent.txid.to_string()])).collect();
    let known: Vec<Option<TransactionStatus>> = match node.call_many("coin_getTransaction", params) {
        Err(NodeError::Refused { code: -32002, .. }) => return Ok(Vec::new()),
        other => other?,
    };
    Ok(current.into_iter().zip(known).filter(|(_, status)| status.is_none()).map(|(sent, _)| sent).collect())
}

/// Whether a refusal says that the transaction can never be mined. A full pool, a fee that is too low now, a height that a
/// node which lags behind has not reached, or an internal error say no such thing.
fn is_final(error: &NodeError, syncing: bool) -> bool {
    let NodeError::Refused { code: -32003, reason: Some(reason), .. } = error else { return false };
    !syncing && matches!(reason.as_str(), "invalid" | "missing" | "conflict" | "nonce")
}

/// Notes that the node has what was sent without an answer; says so, and returns which.
fn arrived(session: &mut Session<'_>, first_block: Option<BlockHash>) -> Result<(String, Vec<Value>), WalletError> {
    let unclear = session.wallet.live(first_block).filter(|sent| sent.state == SentState::Unclear);
    let unclear: Vec<TxId> = unclear.map(|sent| sent.txid).collect();
    let (mut text, mut arrived) = (String::new(), Vec::new());
    for txid in unclear {
        let status = match session.node.transaction(&txid) {
            Ok(Some(status)) => status,
            Ok(None) | Err(NodeError::Refused { code: -32002, .. }) => continue,
            Err(error) => return Err(error.into()),
        };
        let place = status.height.map_or("waits for a block".to_owned(), |height| format!("is in block {height}"));
        text += &format!("{} {txid} {place}\n", screen::green("Arrived:"));
        arrived.push(json!({ "txid": txid.to_string(), "height": status.height }));
        session.wallet.accepted(&txid);
    }
    if !arrived.is_empty() {
        session.lock.write(&session.wallet)?;
    }
    Ok((text, arrived))
}

/// Hands in again what the node has lost, oldest first, and notes what the node says can never be mined.
pub fn execute(context: &Context) -> Result<Report, WalletError> {
    let mut session = Session::open(context)?;
    let first_block = session.node.block_hash(1)?;
    let ((mut text, arrived), mut resent, mut refused, mut kept) =
        (arrived(&mut session, first_block)?, Vec::new(), Vec::new(), Vec::new());
    let mut tried: Vec<TxId> = Vec::new();
    // What is refused may have replaced something that lives again: until nothing new is lost.
    loop {
        let lost = lost(&session.node, &session.wallet, first_block)?;
        let Some(sent) = lost.into_iter().find(|sent| !tried.contains(&sent.txid)).cloned() else { break };
        tried.push(sent.txid);
        let txid = sent.txid.to_string();
        match session.node.send(sent.raw()) {
            Err(error) if !is_known(&error) => {
                let NodeError::Refused { message, .. } = &error else { return Err(error.into()) };
                if is_final(&error, session.info.syncing) {
                    text += &format!("{} {txid}: {message}\n", screen::yellow("Refused for good:"));
                    refused.push(json!({ "txid": txid, "reason": message }));
                    session.wallet.refused(&sent.txid);
                } else {
                    text += &format!("{} {txid}: {message}\n", screen::yellow("Not taken now, and kept:"));
                    kept.push(json!({ "txid": txid, "reason": message }));
                }
            }
            _ => {
                text += &format!("{} {txid}\n", screen::green("Sent again:"));
                session.wallet.accepted(&sent.txid);
                resent.push(txid);
            }
        }
        session.lock.write(&session.wallet)?;
    }
    let elsewhere =
        session.wallet.sent.iter().filter(|sent| sent.state != SentState::Refused && !sent.is_on(first_block));
    let elsewhere: Vec<String> = elsewhere.map(|sent| sent.txid.to_string()).collect();
    if text.is_empty() {
        text = "The node knows everything that was sent.\n".into();
    }
    if !elsewhere.is_empty() {
        text += &format!(
            "{} sent on another chain that began from the same genesis block: left alone.\n",
            match elsewhere.len() {
                1 => "1 transaction was".to_owned(),
                count => format!("{count} transactions were"),
            }
        );
    }
    let json =
        json!({ "resent": resent, "arrived": arrived, "refused": refused, "kept": kept, "otherChain": elsewhere });
    Ok(Report::new(text, json))
}
