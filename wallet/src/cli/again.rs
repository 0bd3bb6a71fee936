//! Payments that were made before: a draft that pays the same may pay twice.

use alloy_primitives::Address;
use chain_core::transaction::coin::OutPoint;

use super::dates::now;
use crate::{
    draft::{Body, Draft, Input},
    error::{Became, WalletError},
    file::{Sent, SentState, Wallet},
    node::{NO_INDEX, Node, NodeError},
    own::KeyTable,
};

/// Confirmations after which a transaction is dropped from the file.
pub const BURIED: u64 = 100;

/// Finds a payment that this wallet signed before and that may be mined beside the new one: it waits, its answer was lost, a node
/// refused it, or it was to be replaced. What was sent and is in a block, and was reported so, is not. All that was
/// sent counts, whatever the node says of the first block.
pub fn paid_already(wallet: &Wallet, node: &Node, draft: &Draft) -> Result<Option<WalletError>, WalletError> {
    let own = wallet.key_table()?;
    // The very same transaction pays nothing twice.
    let same = |sent: &&Sent| draft.txid() != Some(sent.txid) && sent.pays_the_same(draft, &own);
    for sent in wallet.sent.iter().filter(same) {
        if let Some(became) = became(wallet, node, sent, draft, &own)? {
            let seconds = now().saturating_sub(sent.time);
            return Ok(Some(WalletError::PaidAlready { txid: sent.txid, seconds, became }));
        }
    }
    Ok(None)
}

/// What became of an earlier payment, if a draft that pays the same may pay twice. A contract may well be called twice in a
/// row, so calls count only if it is unclear whether they arrived.
fn became(
    wallet: &Wallet,
    node: &Node,
    sent: &Sent,
    draft: &Draft,
    own: &KeyTable,
) -> Result<Option<Became>, WalletError> {
    let mut replacements = wallet.all_replacements(&sent.txid);
    let is_live = sent.state != SentState::Refused && replacements.is_empty();
    // What replaced a replacement may leave the first one's coins alone.
    replacements.retain(|one| wallet.excludes(one, sent));
    let (spends, place) = taken_by(draft)?;
    let mut rivals = wallet.conflicts(sent).chain(replacements.iter().copied());
    let on_rival = rivals.any(|other| spends.iter().any(|coin| coin.txid == other.txid));
    // Only one of the two can be mined: they compete, or the new one spends what only what competes with the old one pays.
    if on_rival || wallet.competing(spends, place).any(|other| other.txid == sent.txid) {
        return Ok(None);
    }
    let (mined, unknown) = match node.transaction(&sent.txid) {
        Ok(status) => (status.filter(|status| status.confirmations > 0), false),
        Err(NodeError::Refused { code: NO_INDEX, .. }) => (None, true),
        Err(error) => return Err(error.into()),
    };
    let runs_code = matches!(&draft.transaction, Body::Account(account) if account.runs_code());
    let is_expected = is_live && !wallet.was_to_be_replaced(&sent.txid);
    let may_repeat = runs_code || unknown && is_expected;
    Ok(match (sent.state, mined) {
        // That it failed is the node's word, and what failed is paid once more.
        (_, Some(status)) if status.success == Some(false) => Some(Became::Failed(status.height)),
        (SentState::Accepted, Some(_)) if is_expected => None,
        (_, Some(status)) => Some(Became::Mined(status.height)),
        // What took its place may have spent any of its coins.
        (SentState::Refused, None) => {
            Some(Became::Refused(sent.spends().first().copied().filter(|_| wallet.is_open(sent))))
        }
        _ if !is_live => (!is_settled(node, &replacements, draft, own)?).then_some(Became::Replaced),
        (SentState::Accepted, None) if may_repeat => None,
        _ if !sent.is_on(node.block_hash(1)?) => Some(Became::Elsewhere),
        _ => Some(Became::Waiting),
    })
}

/// Whether one of these replacements was mined so that what it replaced does not matter any more. Where both pay the same, it is
/// paid once whichever is mined; a cancellation has to be buried, for that it was mined is the node's word.
fn is_settled(node: &Node, replacements: &[&Sent], draft: &Draft, own: &KeyTable) -> Result<bool, WalletError> {
    for one in replacements {
        let enough = if one.pays_the_same(draft, own) { 1 } else { BURIED };
        if node.found(&one.txid)?.is_some_and(|status| status.confirmations >= enough) {
            return Ok(true);
        }
    }
    Ok(false)
}

/// Coins that are spent, or the account and nonce that are taken.
type Taken = (Vec<OutPoint>, Option<(Address, u64)>);

/// What only one mined transaction can take, of what a draft takes.
pub fn taken_by(draft: &Draft) -> Result<Taken, WalletError> {
    Ok(match &draft.transaction {
        Body::Coin(coin) => (coin.inputs.iter().map(Input::outpoint).collect(), None),
        Body::Account(account) => (Vec::new(), Some((draft.network.account(&account.from)?, account.nonce))),
    })
}
