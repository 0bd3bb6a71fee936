//! `resend`: what was sent and the node has lost.

use chain_core::{hash::TxId, units::Height};
use serde_json::json;

use super::{
    context::Context,
    screen::{self, Report},
    spend::Session,
};
use crate::{
    error::WalletError,
    file::Sent,
    node::{Node, NodeError, TransactionStatus},
};

/// What was sent, was not replaced, and is unknown to the node: it was restarted, or dropped it.
///
/// # Errors
/// [`NodeError`]; a node without an index knows of none.
pub fn lost<'a>(node: &Node, sent: &'a [Sent]) -> Result<Vec<&'a Sent>, NodeError> {
    let replaced: Vec<TxId> = sent.iter().filter_map(|sent| sent.replaces).collect();
    let current: Vec<&Sent> = sent.iter().filter(|sent| !replaced.contains(&sent.txid)).collect();
    let params = current.iter().map(|sent| json!([sent.txid.to_string()])).collect();
    let known: Vec<Option<TransactionStatus>> = match node.call_many("coin_getTransaction", params) {
        Err(NodeError::Refused { code: -32002, .. }) => return Ok(Vec::new()),
        other => other?,
    };
    Ok(current.into_iter().zip(known).filter(|(_, status)| status.is_none()).map(|(sent, _)| sent).collect())
}

/// Hands a remembered transaction in once more.
///
/// # Errors
/// [`WalletError`] if it no longer is complete or the node refuses it.
fn again(node: &Node, sent: &Sent, next: Height) -> Result<(), WalletError> {
    let transaction = sent.request.finish(next).map_err(WalletError::own_request)?;
    node.send(&transaction.encode()).map_err(super::spend::rejected)?;
    Ok(())
}

/// Hands in again what the node has lost, and forgets what cannot be mined any more.
pub fn execute(context: &Context) -> Result<Report, WalletError> {
    let mut session = Session::open(context)?;
    let lost: Vec<Sent> = lost(&session.node, &session.wallet.sent)?.into_iter().cloned().collect();
    let (mut text, mut resent, mut forgotten) = (String::new(), Vec::new(), Vec::new());
    for sent in lost {
        let txid = sent.txid.to_string();
        match again(&session.node, &sent, session.next()) {
            Ok(()) => {
                text += &format!("{} {txid}\n", screen::green("Sent again:"));
                resent.push(txid);
            }
            Err(WalletError::Node(error)) => return Err(error.into()),
            Err(error) => {
                text += &format!("{} {txid}: {error}\n", screen::yellow("Forgotten:"));
                session.wallet.sent.retain(|other| other.txid != sent.txid);
                forgotten.push(json!({ "txid": txid, "reason": error.to_string() }));
            }
        }
    }
    if !forgotten.is_empty() {
        session.lock.write(&session.wallet)?;
    }
    if text.is_empty() {
        text = "The node knows everything that was sent.".into();
    }
    Ok(Report::new(text, json!({ "resent": resent, "forgotten": forgotten })))
}
