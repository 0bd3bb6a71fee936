//! `resend`: what was sent and the node has lost.

use std::collections::BTreeSet;

use chain_core::hash::{BlockHash, TxId};
use serde_json::{Value, json};

use super::{
    args::Resend,
    context::Context,
    reported::Reported,
    screen::{self, Report},
    session::Session,
    verdict::is_final,
};
use crate::{
    error::WalletError,
    file::{Sent, SentState, Wallet},
    node::{NO_INDEX, Node, NodeError, TransactionStatus},
};

/// Warns of what was sent on another chain: its coins are gone where the chain began anew.
pub fn warn_of_other_chain(wallet: &Wallet, first_block: Option<BlockHash>) {
    let count = elsewhere(wallet, first_block).count();
    if count > 0 {
        screen::warn(&format!(
            "{}: this chain began anew (--dev, or its data was deleted), or the node lies. See `cairn-wallet resend`",
            sent_elsewhere(count)
        ));
    }
}

fn sent_elsewhere(count: usize) -> String {
    let sent = if count == 1 { "1 transaction was".to_owned() } else { format!("{count} transactions were") };
    format!("{sent} sent on another chain that began from the same genesis block, as far as the node says")
}

/// What was sent on another chain that began from the same genesis block, as far as the node says.
fn elsewhere(wallet: &Wallet, first_block: Option<BlockHash>) -> impl Iterator<Item = &Sent> {
    wallet.sent.iter().filter(move |sent| sent.state != SentState::Refused && !sent.is_on(first_block))
}

/// What was sent on this chain, was not replaced, and is unknown to the node: it was restarted, or dropped it.
pub fn lost<'a>(node: &Node, wallet: &'a Wallet, first_block: Option<BlockHash>) -> Result<Vec<&'a Sent>, NodeError> {
    unknown(node, wallet.live_on(first_block).collect())
}

/// Transactions that the node does not know. A node without an index cannot tell: then those whose answer was lost.
fn unknown<'a>(node: &Node, sent: Vec<&'a Sent>) -> Result<Vec<&'a Sent>, NodeError> {
    let params = sent.iter().map(|sent| json!([sent.txid.to_string()])).collect();
    let known: Vec<Option<TransactionStatus>> = match node.call_many("coin_getTransaction", params) {
        Err(NodeError::Refused { code: NO_INDEX, .. }) => {
            return Ok(sent.into_iter().filter(|sent| sent.state == SentState::Unclear).collect());
        }
        other => other?,
    };
    Ok(sent.into_iter().zip(known).filter(|(_, status)| status.is_none()).map(|(sent, _)| sent).collect())
}

/// The first that is to be handed in of what the node has lost: nothing before what it spends.
fn first<'a>(lost: &[&'a Sent]) -> Option<&'a Sent> {
    let waits = |sent: &&&Sent| {
        let spends = sent.spends();
        lost.iter().any(|other| spends.iter().any(|coin| coin.txid == other.txid))
    };
    lost.iter().find(|sent| !waits(sent)).or(lost.first()).copied()
}

/// What a run found and did, for people and for programs.
#[derive(Default)]
struct Found {
    text: String,
    arrived: Vec<Value>,
    resent: Vec<String>,
    refused: Vec<Value>,
    kept: Vec<Value>,
    /// What counts as accepted once that is reported.
    sent: Vec<TxId>,
}

/// Finds what was sent without an answer and the node has, and notes that it has what was sent on another chain.
fn arrived(session: &mut Session<'_>, first_block: Option<BlockHash>, found: &mut Found) -> Result<(), WalletError> {
    let open = |sent: &&Sent| sent.state == SentState::Unclear || !sent.is_on(first_block);
    let open: Vec<(TxId, SentState)> = session.wallet.live().filter(open).map(|sent| (sent.txid, sent.state)).collect();
    let mut here = Vec::new();
    for (txid, state) in open {
        let Some(status) = session.node.found(&txid)? else { continue };
        here.push(txid);
        if state != SentState::Unclear {
            continue;
        }
        let place = status.height.map_or("waits for a block".to_owned(), |height| format!("is in block {height}"));
        found.text += &format!("{} {txid} {place}\n", screen::green("Arrived:"));
        found.arrived.push(json!({ "txid": txid.to_string(), "height": status.height }));
        found.sent.push(txid);
    }
    // What the node has is on its chain.
    let moved = |sent: &&mut Sent| here.contains(&sent.txid) && !sent.is_on(first_block);
    let mut any = false;
    for sent in session.wallet.sent.iter_mut().filter(moved) {
        (sent.first_block, any) = (first_block, true);
    }
    if any {
        session.lock.write(&session.wallet)?;
    }
    Ok(())
}

/// Says what became of what a refused transaction was to replace, or of what was refused before it: it was paid, though the user
/// was told otherwise.
fn replaced(session: &Session<'_>, sent: &Sent, text: &mut String) -> Result<Vec<Value>, WalletError> {
    let mut found = Vec::new();
    let conflicts = session.wallet.conflicts(sent).map(|other| &other.txid);
    let others: BTreeSet<[u8; 32]> =
        sent.replaces.iter().chain(&sent.drops).chain(conflicts).map(|txid| txid.0).collect();
    for txid in others.into_iter().map(TxId) {
        let Some(status) = session.node.found(&txid)? else { continue };
        let what = match status.height {
            Some(height) => format!("is in block {height}: it was paid"),
            None => "still waits for a block".into(),
        };
        *text += &format!("  {}\n", screen::yellow(&format!("{txid}, which it was to replace, {what}")));
        found.push(json!({ "txid": txid.to_string(), "height": status.height }));
    }
    Ok(found)
}

/// Hands in one transaction again, and notes what the node says of it.
fn hand_in(session: &mut Session<'_>, sent: &Sent, found: &mut Found) -> Result<(), WalletError> {
    let txid = sent.txid.to_string();
    match session.node.send(sent.raw()) {
        Err(error) if !error.is_known() => {
            let NodeError::Refused { message, .. } = &error else { return Err(error.into()) };
            let over = is_final(&session.wallet, &session.node, session.info.syncing, &sent.txid, &error)?;
            if over && !session.node.may_be_mined(&sent.txid, &error)? {
                found.text += &format!("{} {txid}: {message}\n", screen::yellow("Refused for good:"));
                let instead = replaced(session, sent, &mut found.text)?;
                found.refused.push(json!({ "txid": txid, "reason": message, "insteadOf": instead }));
                session.wallet.mark(&sent.txid, SentState::Refused);
                session.lock.write(&session.wallet)?;
            } else {
                found.text += &format!("{} {txid}: {message}\n", screen::yellow("Not taken now, and kept:"));
                if over {
                    found.text +=
                        "  It may be in a block, which a node without an index cannot tell: ask another (--rpc).\n";
                }
                found.kept.push(json!({ "txid": txid, "reason": message }));
            }
        }
        _ => {
            found.text += &format!("{} {txid}\n", screen::green("Sent again:"));
            found.sent.push(sent.txid);
            found.resent.push(txid);
        }
    }
    Ok(())
}

/// Forgets what was sent on a chain that the user says began anew.
fn forget(session: &mut Session<'_>, first_block: Option<BlockHash>) -> Result<Vec<String>, WalletError> {
    let elsewhere: Vec<TxId> =
        session.wallet.sent.iter().filter(|sent| !sent.is_on(first_block)).map(|sent| sent.txid).collect();
    if elsewhere.is_empty() {
        return Ok(Vec::new());
    }
    let names: Vec<String> = elsewhere.iter().map(ToString::to_string).collect();
    let summary = format!(
        "Forget what was sent on another chain:\n  {}\n{}",
        names.join("\n  "),
        screen::yellow(
            "If the chain did not begin anew, and the node lies about block 1, these may still be mined, and nothing keeps you \
             from paying the same again."
        )
    );
    session.ask(&summary, "Was the chain restarted from its genesis block?", |_| Ok(()))?;
    session.wallet.sent.retain(|sent| !elsewhere.contains(&sent.txid));
    session.lock.write(&session.wallet)?;
    Ok(names)
}

/// Broadcasts again what the node has lost, oldest first, and notes what the node says can never be mined.
pub fn execute(context: &Context, args: &Resend) -> Result<Report, WalletError> {
    let mut session = Session::open(context)?;
    let first_block = session.node.block_hash(1)?;
    let mut found = Found::default();
    arrived(&mut session, first_block, &mut found)?;
    let mut tried = found.sent.clone();
    // What is refused may have replaced something that lives again: until nothing new is lost.
    loop {
        let all = session.wallet.live().filter(|sent| args.other_chain || sent.is_on(first_block)).collect();
        let mut lost = unknown(&session.node, all)?;
        lost.retain(|sent| !tried.contains(&sent.txid));
        let Some(sent) = first(&lost).cloned() else { break };
        tried.push(sent.txid);
        hand_in(&mut session, &sent, &mut found)?;
    }
    let forgotten = if args.began_anew { forget(&mut session, first_block)? } else { Vec::new() };
    let elsewhere = elsewhere(&session.wallet, first_block).filter(|sent| !tried.contains(&sent.txid));
    let elsewhere: Vec<String> = elsewhere.map(|sent| sent.txid.to_string()).collect();
    let mut text = found.text;
    if !forgotten.is_empty() {
        text += &format!("Forgotten: {}\n", forgotten.join(", "));
    }
    if !elsewhere.is_empty() {
        text += &format!(
            "{}: left alone. If the chain did not begin anew, `cairn-wallet resend --other-chain` rebroadcasts; if you know that \
             it did, `cairn-wallet resend --began-anew` forgets.\n",
            sent_elsewhere(elsewhere.len())
        );
    }
    if text.is_empty() {
        text = "The node knows everything that was sent.\n".into();
    }
    let mut json = json!({ "resent": found.resent, "arrived": found.arrived, "refused": found.refused, "kept": found.kept,
        "otherChain": elsewhere });
    if args.began_anew {
        json["forgotten"] = json!(forgotten);
    }
    let file = session.lock.path().into();
    Ok(Report::new(text, json).sent(Reported { file, txids: found.sent }))
}
