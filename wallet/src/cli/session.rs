//! The steps that all commands that spend share: sign, remember, broadcast, wait.

use std::path::{Path, PathBuf};

use chain_core::{
    hash::TxId,
    transaction::{Transaction, coin::Lock},
    units::Height,
};
use serde_json::{Value, json};

use super::{
    again::{BURIED, paid_already, taken_by},
    args::{FeeArgs, Wait},
    context::Context,
    dates::now,
    files, label,
    parse::{self, own_account},
    reported::Reported,
    screen::{self, Report},
    summary,
    verdict::is_over,
    waiting::{MINE, Waiting, mines_on_demand, quiet},
};
use crate::{
    draft::{Body, Draft, DraftError},
    error::WalletError,
    fees::Prices,
    file::{Sent, SentState, Wallet, WalletLock},
    keys::Branch,
    node::{ChainInfo, NO_INDEX, Node, NodeError, Receipt, TransactionStatus},
    own::KeyTable,
    payment::{AccountOrder, Terms, account_payment},
};

/// Gas of a transfer between accounts without code: it has none to fail with.
const PLAIN_GAS: u64 = 21_000;

/// A wallet that is about to spend, and the node it spends through.
pub struct Session<'a> {
    pub context: &'a Context,
    /// The right to write the wallet.
    pub lock: WalletLock,
    pub wallet: Wallet,
    /// The wallet as its file has it.
    opened: Wallet,
    pub node: Node,
    /// What it says of its chain.
    pub info: ChainInfo,
    /// What the transaction will be called.
    label: Option<String>,
}

/// A wallet and the node that is asked for it.
#[derive(Clone, Copy)]
pub struct Online<'a> {
    pub wallet: &'a Wallet,
    pub node: &'a Node,
    /// What it says of its chain.
    pub info: &'a ChainInfo,
}

impl Online<'_> {
    /// Prices and limits from the flags.
    pub fn terms(self, fees: &FeeArgs) -> Result<Terms, WalletError> {
        let prices = Prices::new(&self.node.fees()?, fees.fee_rate.parse()?);
        Ok(Terms::new(self.info, prices, fees.allow_high_fee, self.node.block_hash(1)?))
    }

    /// Builds a transaction of one of the wallet's accounts.
    pub fn account_draft(
        self,
        from: &str,
        nonce: Option<u64>,
        fees: &FeeArgs,
        order: &AccountOrder,
    ) -> Result<Draft, WalletError> {
        let index = own_account(self.wallet, from)?;
        let terms = Terms { nonce, ..self.terms(fees)? };
        Ok(account_payment(self.wallet, self.node, index, &terms, order)?)
    }
}

impl<'a> Session<'a> {
    /// Opens the wallet for writing and finds the node.
    pub fn open(context: &'a Context) -> Result<Self, WalletError> {
        let (lock, wallet) = context.wallet_to_change()?;
        let (node, info) = context.node(&wallet.network)?;
        Ok(Self { context, lock, opened: wallet.clone(), wallet, node, info, label: None })
    }

    /// What building a transaction needs.
    pub fn online(&self) -> Online<'_> {
        Online { wallet: &self.wallet, node: &self.node, info: &self.info }
    }

    /// Chooses what the transaction will be called.
    pub fn name(&mut self, label: Option<&str>) -> Result<(), WalletError> {
        self.label = label.map(parse::label).transpose()?;
        Ok(())
    }

    /// Shows what is about to be done, and asks. Others may use the wallet while the user thinks.
    pub fn ask<T>(
        &self,
        summary: &str,
        question: &str,
        then: impl FnOnce(&Context) -> Result<T, WalletError>,
    ) -> Result<T, WalletError> {
        self.context.consent((&self.lock, &self.opened), summary, question, then)
    }

    /// Shows a draft, asks, signs, and sends it.
    pub fn finish(self, draft: Draft, wait: Wait) -> Result<Report, WalletError> {
        let again = self.check_again(&draft, wait)?;
        self.finish_with(draft, Bump { warning: again, ..Bump::default() }, wait)
    }

    /// The same for what replaces something, or needs others to sign: then it ends with a file for them.
    pub fn finish_with(self, mut draft: Draft, bump: Bump, wait: Wait) -> Result<Report, WalletError> {
        let own = self.wallet.key_table()?;
        let (mut text, json) = self.described(&draft, &bump, &own)?;
        if let Some(warning) = &bump.warning {
            text += &format!("{}\n", screen::yellow(warning));
        }
        if wait.dry_run {
            return Ok(dry_run(text, json));
        }
        let question = if bump.file.is_some() { "Sign?" } else { "Sign and send?" };
        let signer = self.ask(&text, question, |context| context.unlock(&self.wallet))?;
        let network = self.wallet.network.clone();
        let new = draft.sign(&network, &signer, &own).map_err(WalletError::own_draft)?;
        match (draft.finish(self.next()), &bump.file) {
            (Ok(transaction), _) => {
                let (_, json) = self.described(&draft, &bump, &own)?;
                self.send(draft, &transaction, bump, json, wait)
            }
            (Err(DraftError::Incomplete(_)), Some(_)) if new == 0 => {
                let what = "this wallet has no key that it still needs: nothing was signed or written".into();
                Err(WalletError::own_draft(DraftError::Incomplete(what)))
            }
            (Err(error @ DraftError::Incomplete(_)), Some((file, replace))) => {
                written_for_others(&draft, file, *replace, &error)
            }
            (Err(error), _) => Err(WalletError::own_draft(error)),
        }
    }

    /// A draft with what it replaces, drops and competes with, for people and for programs.
    pub fn described(&self, draft: &Draft, bump: &Bump, own: &KeyTable) -> Result<(String, Value), WalletError> {
        let (mut text, mut json) = summary::describe(draft, &self.wallet, own)?;
        if let Some(replaces) = bump.replaces {
            json["replaces"] = json!(replaces.to_string());
        }
        if !bump.drops.is_empty() {
            json["drops"] = bump.drops.iter().map(ToString::to_string).collect();
        }
        let (spends, place) = taken_by(draft)?;
        let known = |sent: &&Sent| {
            bump.replaces != Some(sent.txid) && !bump.drops.contains(&sent.txid) && draft.txid() != Some(sent.txid)
        };
        let mut competing = Vec::new();
        for sent in self.wallet.competing(spends, place).filter(known) {
            competing.push(sent.txid.to_string());
            let since = screen::age(now().saturating_sub(sent.time));
            let what = match sent.state {
                SentState::Refused => "which the node refused",
                SentState::Accepted | SentState::Unclear => "which this wallet sent",
            };
            let txid = sent.txid;
            let line = format!("{txid}, {what} {since} ago, competes with this: only one of the two can be mined.");
            text += &format!("{}\n", screen::yellow(&line));
        }
        if !competing.is_empty() {
            json["competing"] = json!(competing);
        }
        Ok((text, json))
    }

    /// Height of the block that can hold a transaction at the earliest.
    pub fn next(&self) -> Height {
        self.info.height.saturating_add(1)
    }

    /// Refuses or asks about a payment that this wallet made before, as [`paid_already`] finds it.
    pub fn check_again(&self, draft: &Draft, wait: Wait) -> Result<Option<String>, WalletError> {
        if wait.again {
            return Ok(None);
        }
        match paid_already(&self.wallet, &self.node, draft)? {
            Some(error) if self.context.can_ask() => Ok(Some(error.to_string())),
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// Drops transactions buried so deep that no reorg reaches them, and those that conflict with them.
    fn forget_buried(&mut self) -> Result<(), WalletError> {
        let sent: Vec<TxId> = self.wallet.forgettable(now()).map(|sent| sent.txid).collect();
        let params = sent.iter().map(|txid| json!([txid.to_string()])).collect();
        let statuses: Vec<Option<TransactionStatus>> = match self.node.call_many("coin_getTransaction", params) {
            // Without an index what is old is forgotten when there is no room.
            Err(NodeError::Refused { code: NO_INDEX, .. }) => return Ok(()),
            other => other?,
        };
        for (txid, status) in sent.iter().zip(statuses) {
            if status.is_some_and(|status| status.confirmations >= BURIED) {
                self.wallet.forget_with_conflicts(txid);
            }
        }
        Ok(())
    }

    /// Whether what a node does not take will never be mined.
    fn is_over(&self, txid: &TxId, error: &NodeError) -> bool {
        is_over(&self.wallet, &self.node, self.info.syncing, txid, error).unwrap_or_default()
    }

    /// What is remembered of a transaction while it is sent, and what was before, unless it was refused then.
    fn record(
        &mut self,
        draft: &Draft,
        transaction: &Transaction,
        bump: &Bump,
        wait: Wait,
    ) -> Result<(Sent, Option<Sent>), WalletError> {
        let mut sent = Sent::new(draft, transaction, now(), self.node.block_hash(1)?);
        if let Some(earlier) = self.wallet.sent_before(&sent.txid).cloned() {
            let first_block = sent.first_block;
            sent = earlier.clone();
            // It is sent on this chain now.
            (sent.state, sent.first_block) = (SentState::Unclear, first_block);
            return Ok((sent, Some(earlier)));
        }
        // What took the place of this does not lose its own to it.
        let over: Vec<TxId> = self.wallet.all_replacements(&sent.txid).iter().map(|other| other.txid).collect();
        let is_live = |other: &&Sent| other.state != SentState::Refused && !over.contains(&other.txid);
        let conflicts = self.wallet.conflicts(&sent).filter(is_live);
        let conflicts: Vec<TxId> = conflicts.map(|other| other.txid).collect();
        sent.replaces = bump.replaces.or(conflicts.first().copied());
        let drops = conflicts.into_iter().chain(bump.drops.iter().copied());
        sent.drops = drops.filter(|other| Some(*other) != sent.replaces).collect();
        if wait.again {
            let own = self.wallet.key_table()?;
            self.wallet.settle_refused(draft, &sent, &own);
        }
        Ok((sent, None))
    }

    /// Broadcasts a signed transaction. It is stored first, so that neither a crash nor a lost answer makes the user
    /// pay twice.
    pub fn send(
        mut self,
        draft: Draft,
        transaction: &Transaction,
        bump: Bump,
        mut json: Value,
        wait: Wait,
    ) -> Result<Report, WalletError> {
        self.forget_buried()?;
        let (sent, earlier) = self.record(&draft, transaction, &bump, wait)?;
        let txid = sent.txid;
        let (used, labels) = (self.wallet.used, self.wallet.labels.clone());
        mark_change(&mut self.wallet, &draft, false)?;
        if let Some(name) = self.label.take() {
            label::set(&mut self.wallet, &txid.to_string(), &name)?;
        }
        self.wallet.remember(sent)?;
        self.lock.write(&self.wallet)?;
        let encoded = transaction.encode();
        match self.node.send(&encoded) {
            Ok(_) => {}
            Err(error) if error.is_known() => {}
            Err(error) if error.is_definite() && (earlier.is_none() || self.is_over(&txid, &error)) => {
                self.wallet.mark(&txid, SentState::Refused);
                (self.wallet.used, self.wallet.labels) = (used, labels);
                if let Err(unwritten) = self.lock.write(&self.wallet) {
                    screen::warn(&format!("the wallet's file does not say that {txid} was refused: {unwritten}"));
                }
                return Err(match error {
                    NodeError::Refused { message, .. } => WalletError::Rejected(message),
                    other => WalletError::Node(other),
                });
            }
            // The node, or what answers in its place, may have it. What was sent before may be in a block, or wait elsewhere.
            Err(error) => {
                if let Some(earlier) = earlier
                    && let Err(unwritten) = self.wallet.remember(earlier).and_then(|()| self.lock.write(&self.wallet))
                {
                    screen::warn(&format!("the wallet's file has {txid} as unclear: {unwritten}"));
                }
                return Err(WalletError::Unclear { txid, error: Box::new(error) });
            }
        }
        // The file says that it is unclear until that is reported. Others may use the wallet while this waits.
        let reported = Reported { file: self.lock.path().into(), txids: vec![txid] };
        drop(self.lock);
        let sent = format!("{} {txid}", screen::green(if bump.known { "Already known:" } else { "Sent:" }));
        json["txid"] = json!(txid.to_string());
        let Some(blocks) = wait.blocks() else {
            return Ok(Report::new(sent, json).hint(after(&draft, &txid, &self.info)).sent(reported));
        };
        screen::note(&sent);
        let can_fail = matches!(transaction, Transaction::Account(tx) if tx.fields().gas_limit > PLAIN_GAS);
        let (node, wallet, info) = (&self.node, &self.wallet, &self.info);
        let waiting = Waiting { node, wallet, txid, encoded: &encoded, blocks, info, can_fail };
        let status = waiting.run()?;
        json["height"] = json!(status.height);
        json["confirmations"] = json!(status.confirmations);
        let text = format!("{} in block {}: {txid}", screen::green("Mined"), status.height.unwrap_or_default());
        if matches!(draft.transaction, Body::Account(_))
            && let Some(receipt) = receipt(&self.node, &txid)
        {
            json["gasUsed"] = json!(receipt.gas_used.saturating_to::<u64>());
            json["feeWei"] = json!(receipt.fee().to_string());
        }
        Ok(Report::new(text, json).sent(reported))
    }
}

/// The receipt of what was sent and is mined. That it cannot be read is worth a warning: an error would have a script pay again.
pub fn receipt(node: &Node, txid: &TxId) -> Option<Receipt> {
    node.receipt(txid).unwrap_or_else(|error| {
        screen::warn(&format!("{txid} is mined, but its receipt cannot be read: {error}"));
        None
    })
}

/// What a transaction takes the place of, and who else signs it.
#[derive(Clone, Debug, Default)]
pub struct Bump {
    /// The transaction that it replaces.
    pub replaces: Option<TxId>,
    /// What the mempool drops with that, because it spends what that pays.
    pub drops: Vec<TxId>,
    /// What the user has to read before the answer.
    pub warning: Option<String>,
    /// Whether the node has it already.
    pub known: bool,
    /// Where it is written if the wallet's own signatures do not suffice, and whether a file there may be replaced.
    pub file: Option<(PathBuf, bool)>,
}

fn written_for_others(draft: &Draft, file: &Path, replace: bool, error: &DraftError) -> Result<Report, WalletError> {
    files::write(file, draft.to_json().as_bytes(), replace)?;
    let typed = screen::typed_file(file);
    let file = file.display().to_string();
    let text = format!("{} {file}: {error}", screen::green("Signed, written to"));
    let hint =
        format!("Give the file to the other signers: `cairn-wallet sign {typed}`; then `cairn-wallet broadcast` it.");
    Ok(Report::new(text, json!({ "file": file, "complete": false })).hint(hint))
}

/// Keys beyond those used so far of which a signed file can make the wallet aware.
const LEARNED: u32 = 1_000;

/// Marks the wallet's change addresses that a draft pays, so that they are not handed out again. With `hinted`, follows the
/// draft's hints to keys beyond the table.
pub fn mark_change(wallet: &mut Wallet, draft: &Draft, hinted: bool) -> Result<(), WalletError> {
    let Body::Coin(coin) = &draft.transaction else { return Ok(()) };
    let own = wallet.key_table()?;
    for line in &coin.outputs {
        if let Lock::Key(key) = draft.network.destination(&line.to)?
            && let Some((branch @ Branch::Change, index)) = own.coin(&key, line.change.filter(|_| hinted))
            && index < wallet.used.change.saturating_add(LEARNED)
        {
            wallet.used.mark(branch, index);
        }
    }
    Ok(())
}

/// The result of a command that was only to show what it would do.
pub fn dry_run(text: String, mut json: Value) -> Report {
    json["dryRun"] = json!(true);
    Report::new(text, json).hint("Nothing was signed or sent.")
}

/// What happens next.
fn after(draft: &Draft, txid: &TxId, info: &ChainInfo) -> String {
    let fee = match &draft.transaction {
        Body::Coin(coin) => format!("; the fee is {} CRN", coin.fee),
        Body::Account(_) => String::new(),
    };
    let age = now().saturating_sub(info.time);
    let block = match age > quiet(info) {
        _ if mines_on_demand(info) => {
            "the dev chain mines one for each transaction, unless that was switched off".into()
        }
        true => format!("the last came {} ago: does anyone mine? `{MINE}`", screen::age(age)),
        false => format!("one about every {} s", info.target_interval),
    };
    format!("It waits for a block ({block}){fee}. See `cairn-wallet history`; too slow? `cairn-wallet bump {txid}`.")
}
