//! `bump` and `cancel`.

use chain_core::{hash::TxId, transaction::Transaction, units::Amount};

use super::{
    args::{BumpArgs, CancelArgs, Wait},
    context::Context,
    parse::read_txid,
    screen::Report,
    session::{Bump, Session},
};
use crate::{
    coins::{self, Coins},
    draft::{Body, CoinDraft, Draft},
    error::{WalletError, usage},
    file::Sent,
    money::saturating_sum,
    node::{NO_INDEX, NodeError, TransactionDetails},
    own::KeyTable,
    payment::{BumpOptions, PaymentError, Weight, bump_account, bump_coin},
};

/// Transactions of the mempool that are followed from the one that is replaced: nodes keep 25 in a chain.
const FOLLOWED: usize = 100;

/// Replaces a transaction by the same at a higher price.
pub fn execute(context: &Context, args: &BumpArgs, wait: Wait) -> Result<Report, WalletError> {
    replace(context, args, wait, None)
}

/// Replaces a transaction by one that pays only this wallet: coins return to it, for an account one that does nothing.
pub fn cancel(context: &Context, args: &CancelArgs, wait: Wait) -> Result<Report, WalletError> {
    replace(context, &args.bump, wait, Some(args.yes_really))
}

/// `cancels` says whether a cancellation may give up a claim.
fn replace(context: &Context, args: &BumpArgs, wait: Wait, cancels: Option<bool>) -> Result<Report, WalletError> {
    let cancel = cancels.is_some();
    let txid = read_txid(&args.txid)?;
    let session = Session::open(context)?;
    let sent = remembered(&session, &txid)?;
    let own = session.wallet.key_table()?;
    let old = sent.draft(&session.wallet.network, &own);
    let old = old.ok_or_else(|| not_replaceable("the wallet's file does not hold what made it"))?;
    let percent = session.node.fees()?.min_replacement_percent;
    let terms = session.online().terms(&args.fees)?;
    match (&old.transaction, sent.transaction()) {
        (Body::Coin(coin), Some(Transaction::Coin(tx))) => {
            keep_claim(coin, cancels)?;
            let mut dropped = dependents(&session, &old, &txid)?;
            add_own_dependents(&session, &txid, &own, &mut dropped);
            let own_weight = Weight { gas: tx.gas(tx.size()), fee: coin.fee };
            let weights = std::iter::once(own_weight).chain(dropped.iter().map(|dependent| dependent.weight)).collect();
            let options = BumpOptions { cancel, percent, dropped: weights };
            let coins = more_coins(&session, coin, &terms)?;
            let draft = bump_coin(&session.wallet, &own, coin, &coins, &terms, &options)?;
            let drops = dropped.iter().map(|dependent| dependent.txid).collect();
            // Others may have to sign for the coins of a policy.
            let word = if cancel { "cancel" } else { "bump" };
            let usual = || format!("{}-{word}.json", &txid.to_string()[..16]).into();
            let file = || (args.out.clone().unwrap_or_else(usual), args.force);
            let file = coin.inputs.iter().any(|input| input.policy.is_some()).then(file);
            if file.is_none() {
                expect_no_file(args)?;
            }
            let warning = warnings(&txid, &dropped, cancel);
            let bump = Bump { replaces: Some(txid), drops, warning, file, ..Bump::default() };
            session.finish_with(draft, bump, wait)
        }
        (Body::Account(account), _) => {
            expect_no_file(args)?;
            let from = session.wallet.network.account(&account.from)?;
            if session.node.nonce(&from, false)? > account.nonce {
                // A node without an index did not say above whether it was this one.
                return Err(not_replaceable(
                    "its nonce is used: it is mined, or another transaction of the account took its place",
                )
                .into());
            }
            let balance = session.node.balance(&from)?;
            let options = BumpOptions { cancel, percent, dropped: Vec::new() };
            let draft = bump_account(&session.wallet, account, balance, &terms, &options)?;
            let bump = Bump { replaces: Some(txid), warning: warnings(&txid, &[], cancel), ..Bump::default() };
            session.finish_with(draft, bump, wait)
        }
        _ => Err(not_replaceable("the wallet's file does not hold what made it").into()),
    }
}

/// Refuses to sign and send where a file was asked for.
fn expect_no_file(args: &BumpArgs) -> Result<(), WalletError> {
    match args.out.is_some() || args.force {
        true => Err(usage!("nobody else signs this: --out and --force go with a spend of a policy")),
        false => Ok(()),
    }
}

/// What this wallet sent under an id, if it can still be replaced.
fn remembered(session: &Session<'_>, txid: &TxId) -> Result<Sent, WalletError> {
    let sent = session.wallet.sent.iter().find(|sent| sent.txid == *txid);
    let Some(sent) = sent else {
        return Err(not_replaceable("this wallet's file does not know it").into());
    };
    let takes_over = |other: &&Sent| other.replaces == Some(*txid) && other.state != crate::file::SentState::Refused;
    if let Some(newer) = session.wallet.sent.iter().find(takes_over) {
        return Err(not_replaceable(&format!("it was replaced already, by {}: bump that", newer.txid)).into());
    }
    match session.node.found(txid)? {
        Some(status) if status.confirmations > 0 => {
            let height = status.height.unwrap_or_default();
            Err(not_replaceable(&format!("it is mined already, in block {height}")).into())
        }
        // A node without an index cannot tell; it refuses what comes too late.
        _ => Ok(sent.clone()),
    }
}

/// Refuses to cancel what has shown the secret of an HTLC: the coin would be back where both sides can take it, with the
/// secret known to all.
fn keep_claim(coin: &CoinDraft, cancels: Option<bool>) -> Result<(), PaymentError> {
    if cancels == Some(false) && coin.inputs.iter().any(|input| !input.preimages.is_empty()) {
        return Err(PaymentError::Refused(
            "it claims a coin with a secret, which anyone can have read by now: if it is cancelled, the coin returns to its policy, \
             and its sender can take it after the timeout. `cairn-wallet bump` raises the fee instead; add --yes-really to \
             cancel it all the same"
                .into(),
        ));
    }
    Ok(())
}

fn not_replaceable(reason: &str) -> PaymentError {
    PaymentError::Refused(format!("the transaction cannot be replaced: {reason}"))
}

/// Coins that may be added to pay more: of the policy that is spent, else of the wallet.
fn more_coins(session: &Session<'_>, old: &CoinDraft, terms: &crate::payment::Terms) -> Result<Coins, WalletError> {
    match old.inputs.iter().find_map(|input| input.policy.as_ref()) {
        Some(policy) => Ok(coins::load_policy(&session.node, &session.wallet, policy, terms.first_block)?),
        None => Ok(coins::load(&session.node, &session.wallet, terms.first_block)?),
    }
}

/// A transaction of the mempool that spends what the replaced one pays.
struct Dependent {
    txid: TxId,
    weight: Weight,
    pays: Amount,
}

/// What the mempool drops together with a transaction: all its descendants, of any sender. What this wallet's own transactions
/// spend is not for the node to say.
fn dependents(session: &Session<'_>, old: &Draft, txid: &TxId) -> Result<Vec<Dependent>, WalletError> {
    let Body::Coin(coin) = &old.transaction else { return Ok(Vec::new()) };
    let node = &session.node;
    let spends_other = |spender: &TxId, parent: &TxId| {
        let own = session.wallet.sent.iter().find(|sent| sent.txid == *spender);
        own.is_some_and(|sent| sent.spends().iter().all(|coin| coin.txid != *parent))
    };
    let addresses = coin.outputs.iter().map(|line| line.to.clone()).collect();
    let mut open: Vec<(TxId, Vec<String>)> = vec![(*txid, addresses)];
    let mut found: Vec<Dependent> = Vec::new();
    while let Some((parent, addresses)) = open.pop() {
        let addresses: Vec<String> = addresses.into_iter().filter(|address| !address.starts_with("0x")).collect();
        if addresses.is_empty() {
            continue;
        }
        let coins = node.coins(&addresses)?;
        let spenders = coins.iter().filter(|coin| coin.txid == parent).filter_map(|coin| coin.spent_by);
        for spender in spenders {
            let known = found.iter().any(|known| known.txid == spender);
            if known || found.len() >= FOLLOWED || spends_other(&spender, &parent) {
                continue;
            }
            let details: Option<TransactionDetails> = match node.details(&spender) {
                Err(NodeError::Refused { code: NO_INDEX, .. }) => None,
                other => other?,
            };
            let Some(details) = details else { continue };
            open.push((spender, details.outputs.iter().map(|output| output.address.clone()).collect()));
            let weight = Weight { gas: details.gas, fee: details.fee.unwrap_or_default() };
            let pays = saturating_sum(details.outputs.iter().map(|output| output.amount));
            found.push(Dependent { txid: spender, weight, pays });
        }
    }
    Ok(found)
}

/// Adds what this wallet sent itself and spends from it, should the node not say so.
fn add_own_dependents(session: &Session<'_>, txid: &TxId, own: &KeyTable, found: &mut Vec<Dependent>) {
    let mut parents = vec![*txid];
    parents.extend(found.iter().map(|dependent| dependent.txid));
    while let Some(parent) = parents.pop() {
        for sent in session.wallet.sent.iter().filter(|sent| sent.spends().iter().any(|coin| coin.txid == parent)) {
            let known = found.iter().any(|dependent| dependent.txid == sent.txid);
            let (false, Some(Transaction::Coin(tx))) = (known, sent.transaction()) else { continue };
            let fee = match sent.draft(&session.wallet.network, own).map(|draft| draft.transaction) {
                Some(Body::Coin(coin)) => coin.fee,
                _ => continue,
            };
            let pays = saturating_sum(tx.outputs.iter().map(|output| output.amount));
            found.push(Dependent { txid: sent.txid, weight: Weight { gas: tx.gas(tx.size()), fee }, pays });
            parents.push(sent.txid);
        }
    }
}

/// What the user has to know before payments vanish.
fn warnings(txid: &TxId, dropped: &[Dependent], cancel: bool) -> Option<String> {
    let mut lines = Vec::new();
    if cancel {
        lines.push(format!("This cancels {txid}, unless a block takes that first: then the node refuses this."));
    }
    if !dropped.is_empty() {
        lines.push(
            "These transactions spend what it pays; the mempool drops them with it, and their senders have to pay again:"
                .into(),
        );
        lines.extend(dropped.iter().map(|one| format!("  {} (pays {} CRN)", one.txid, one.pays)));
    }
    (!lines.is_empty()).then(|| lines.join("\n"))
}
