//! What a refusal says of a transaction that this wallet sent before.

use chain_core::hash::TxId;

use crate::{
    file::Wallet,
    node::{Node, NodeError},
};

/// Whether a refusal says that a transaction can never be mined beside what is mined. A node that is behind does not know, and
/// what it spends may be of another that the node has lost, too.
pub fn is_final(
    wallet: &Wallet,
    node: &Node,
    syncing: bool,
    txid: &TxId,
    error: &NodeError,
) -> Result<bool, NodeError> {
    if syncing || !error.is_final() {
        return Ok(false);
    }
    let spends = wallet.sent.iter().find(|sent| sent.txid == *txid).map(|sent| sent.spends()).unwrap_or_default();
    let parents = wallet.live().filter(|other| spends.iter().any(|coin| coin.txid == other.txid));
    for parent in parents.filter(|_| error.verdict() == Some("missing")) {
        if matches!(node.transaction(&parent.txid), Ok(None)) {
            return Ok(false);
        }
    }
    Ok(true)
}

/// Whether a refusal says that a transaction is not mined and never will be.
pub fn is_over(wallet: &Wallet, node: &Node, syncing: bool, txid: &TxId, error: &NodeError) -> Result<bool, NodeError> {
    Ok(is_final(wallet, node, syncing, txid, error)? && !node.may_be_mined(txid, error)?)
}
