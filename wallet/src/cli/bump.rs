//! `bump`.

use chain_core::{hash::TxId, transaction::Transaction};

use super::{
    args::{BumpArgs, Wait},
    context::Context,
    screen::Report,
    spend::{self, Session},
};
use crate::{
    build::{BuildError, BumpOptions, bump_account, bump_coin},
    error::WalletError,
    file::Sent,
    funds,
    keys::{Branch, KeyPath},
    request::{Body, Request},
};

/// Replaces a transaction by the same at a higher price.
pub fn execute(context: &Context, args: &BumpArgs, wait: Wait) -> Result<Report, WalletError> {
    let txid: TxId = args
        .txid
        .parse()
        .map_err(|error| WalletError::Usage(format!("'{}' is no transaction id: {error}", args.txid)))?;
    let mut session = Session::open(context)?;
    let sent = remembered(&session, &txid)?;
    let estimate = session.node.fees()?;
    let options = BumpOptions { percent: estimate.min_replacement_percent };
    let terms = spend::terms(&session.node, &session.info, &args.fees)?;
    let request = match &sent.request.transaction {
        Body::Coin(old) => {
            let Transaction::Coin(transaction) =
                sent.request.finish(session.next()).map_err(WalletError::own_request)?
            else {
                return Err(not_replaceable("it is no transaction of coins").into());
            };
            let gas = transaction.gas(transaction.size());
            let funds = funds::load(&session.node, &mut session.wallet)?;
            let request = bump_coin(&session.wallet, old, gas, &funds, &terms, options)?;
            mark_change(&mut session, &request);
            request
        }
        Body::Account(old) => {
            let from = session.wallet.network.account(&old.from)?;
            if session.node.nonce(&from, false)? > old.nonce {
                return Err(not_replaceable("another transaction of the account took its place already").into());
            }
            let balance = session.node.balance(&from)?;
            bump_account(&session.wallet, old, balance, &terms, options)?
        }
    };
    session.finish(request, Some(txid), wait)
}

/// What this wallet sent under an id, if it can still be replaced.
fn remembered(session: &Session<'_>, txid: &TxId) -> Result<Sent, WalletError> {
    let sent = session.wallet.sent.iter().find(|sent| sent.txid == *txid);
    let Some(sent) = sent else {
        return Err(not_replaceable("this wallet's file does not know it").into());
    };
    if let Some(newer) = session.wallet.sent.iter().find(|other| other.replaces == Some(*txid)) {
        return Err(not_replaceable(&format!("it was replaced already, by {}: bump that", newer.txid)).into());
    }
    match session.node.transaction(txid)? {
        Some(status) if status.confirmations > 0 => {
            let height = status.height.unwrap_or_default();
            Err(not_replaceable(&format!("it is mined already, in block {height}")).into())
        }
        _ => Ok(sent.clone()),
    }
}

fn not_replaceable(reason: &str) -> BuildError {
    BuildError::NotReplaceable(format!("the transaction cannot be replaced: {reason}"))
}

/// Notes a key of change that the replacement uses for the first time.
fn mark_change(session: &mut Session<'_>, request: &Request) {
    let Body::Coin(coin) = &request.transaction else { return };
    for line in &coin.outputs {
        if let Some(KeyPath::Coin(Branch::Change, index)) = line.change {
            funds::mark_used(&mut session.wallet, Branch::Change, index);
        }
    }
}
