//! What all commands that spend have in common: sign, remember, hand in, wait.

use std::path::{Path, PathBuf};

use alloy_primitives::Address;
use chain_core::{
    hash::TxId,
    transaction::{
        Transaction,
        coin::{Lock, OutPoint},
    },
    units::{Amount, Height},
};
use serde_json::{Value, json};

use super::{
    args::{FeeArgs, Wait},
    context::Context,
    dates::now,
    label, offline,
    screen::{self, Report},
    summary,
    told::Told,
    waiting::{MINE, Waiting, mines_on_demand, quiet},
};
use crate::{
    build::Terms,
    error::{Became, WalletError},
    fees::{Prices, Speed},
    file::{Sent, SentState, Wallet, WalletLock},
    funds,
    keys::{Branch, Signer},
    node::{ChainInfo, Node, NodeError, Receipt, TransactionStatus},
    request::{Body, Input, KeyTable, OwnKeys, Request, RequestError},
};

/// Blocks under which a transaction is not remembered any more.
const BURIED: u64 = 100;

/// Gas of a transfer between accounts without code: it has none to fail with.
const PLAIN_GAS: u64 = 21_000;

/// JSON-RPC code of a transaction that the node judged and did not take.
const REJECTED: i64 = -32003;

/// A wallet that is about to spend, and the node it spends through.
pub struct Session<'a> {
    /// Flags, password, consent.
    pub context: &'a Context,
    /// The right to write the wallet.
    pub lock: WalletLock,
    /// The wallet.
    pub wallet: Wallet,
    /// The wallet as its file has it.
    opened: Wallet,
    /// The node.
    pub node: Node,
    /// What it says of its chain.
    pub info: ChainInfo,
    /// What the transaction will be called.
    label: Option<String>,
}

/// Prices and limits from the flags.
pub fn terms(node: &Node, info: &ChainInfo, fees: &FeeArgs) -> Result<Terms, WalletError> {
    let speed: Speed = fees.fee_rate.parse()?;
    Ok(Terms::new(info, Prices::new(&node.fees()?, speed), fees.allow_high_fee, node.block_hash(1)?))
}

impl<'a> Session<'a> {
    /// Opens the wallet for writing and finds the node.
    pub fn open(context: &'a Context) -> Result<Self, WalletError> {
        let (lock, wallet) = context.wallet_to_change()?;
        let (node, info) = context.node(&wallet.network)?;
        Ok(Self { context, lock, opened: wallet.clone(), wallet, node, info, label: None })
    }

    /// Chooses what the transaction will be called.
    pub fn name(&mut self, label: Option<&str>) -> Result<(), WalletError> {
        self.label = label.map(label::checked).transpose()?;
        Ok(())
    }

    /// Shows what is about to be done, asks, and opens the keys.
    pub fn consent(&self, summary: &str, question: &str) -> Result<Signer, WalletError> {
        self.ask(summary, question, |context| context.unlock(&self.wallet))
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

    /// Shows a request, asks, signs, and sends it.
    pub fn finish(self, request: Request, wait: Wait) -> Result<Report, WalletError> {
        let again = self.check_again(&request, wait)?;
        self.finish_with(request, Bump { warning: again, ..Bump::default() }, wait)
    }

    /// The same for what replaces something, or needs others to sign: then it ends with a file for them.
    pub fn finish_with(self, mut request: Request, bump: Bump, wait: Wait) -> Result<Report, WalletError> {
        let own = OwnKeys::new(&self.wallet).table()?;
        let (mut text, json) = self.described(&request, &bump, &own)?;
        if let Some(warning) = &bump.warning {
            text += &format!("{}\n", screen::yellow(warning));
        }
        if wait.dry_run {
            return Ok(dry_run(text, json));
        }
        let signer = self.consent(&text, if bump.file.is_some() { "Sign?" } else { "Sign and send?" })?;
        let network = self.wallet.network.clone();
        let new = request.sign(&network, &signer, &own).map_err(WalletError::own_request)?;
        match (request.finish(self.next()), &bump.file) {
            (Ok(transaction), _) => {
                let (_, json) = self.described(&request, &bump, &own)?;
                self.send(request, &transaction, bump, json, wait)
            }
            (Err(RequestError::Incomplete(_)), Some(_)) if new == 0 => {
                let what = "this wallet has no key that it still needs: nothing was signed or written".into();
                Err(WalletError::own_request(RequestError::Incomplete(what)))
            }
            (Err(error @ RequestError::Incomplete(_)), Some((file, replace))) => {
                written_for_others(&request, file, *replace, &error)
            }
            (Err(error), _) => Err(WalletError::own_request(error)),
        }
    }

    /// A request with what it replaces, drops and competes with, for people and for programs.
    pub fn described(&self, request: &Request, bump: &Bump, own: &KeyTable) -> Result<(String, Value), WalletError> {
        let (mut text, mut json) = summary::describe(request, &self.wallet, own)?;
        if let Some(replaces) = bump.replaces {
            json["replaces"] = json!(replaces.to_string());
        }
        if !bump.drops.is_empty() {
            json["drops"] = bump.drops.iter().map(ToString::to_string).collect();
        }
        let (spends, place) = taken_by(request)?;
        let known = |sent: &&Sent| {
            bump.replaces != Some(sent.txid) && !bump.drops.contains(&sent.txid) && request.txid() != Some(sent.txid)
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
    pub fn check_again(&self, request: &Request, wait: Wait) -> Result<Option<String>, WalletError> {
        if wait.again {
            return Ok(None);
        }
        match paid_already(&self.wallet, &self.node, request)? {
            Some(error) if self.context.can_ask() => Ok(Some(error.to_string())),
            Some(error) => Err(error),
            None => Ok(None),
        }
    }

    /// Forgets what lies under so many blocks that no reorg brings it back, and what can never be mined beside it.
    fn forget_buried(&mut self) -> Result<(), WalletError> {
        let sent: Vec<TxId> = self.wallet.forgettable(now()).map(|sent| sent.txid).collect();
        let params = sent.iter().map(|txid| json!([txid.to_string()])).collect();
        let statuses: Vec<Option<TransactionStatus>> = match self.node.call_many("coin_getTransaction", params) {
            // Without an index what is old is forgotten when there is no room.
            Err(NodeError::Refused { code: -32002, .. }) => return Ok(()),
            other => other?,
        };
        for (txid, status) in sent.iter().zip(statuses) {
            if status.is_some_and(|status| status.confirmations >= BURIED) {
                self.wallet.forget_with_conflicts(txid);
            }
        }
        Ok(())
    }

    /// Hands in a signed transaction. It is remembered before it leaves, so that neither a crash nor a lost answer makes anybody
    /// pay twice.
    pub fn send(
        mut self,
        request: Request,
        transaction: &Transaction,
        bump: Bump,
        mut json: Value,
        wait: Wait,
    ) -> Result<Report, WalletError> {
        let mut sent = Sent::new(&request, transaction, now(), self.node.block_hash(1)?);
        let txid = sent.txid;
        self.forget_buried()?;
        let conflicts = self.wallet.conflicts(&sent).filter(|other| other.state != SentState::Refused);
        let conflicts: Vec<TxId> = conflicts.map(|other| other.txid).collect();
        sent.replaces = bump.replaces.or(conflicts.first().copied());
        sent.drops = conflicts.into_iter().chain(bump.drops).filter(|other| Some(*other) != sent.replaces).collect();
        if wait.again {
            let own = OwnKeys::new(&self.wallet).table()?;
            self.wallet.settle_refused(&request, &sent, &own);
        }
        let (used, labels) = (self.wallet.used, self.wallet.labels.clone());
        mark_outputs(&mut self.wallet, &request)?;
        if let Some(name) = self.label.take() {
            label::set(&mut self.wallet, &txid.to_string(), &name)?;
        }
        self.wallet.remember(sent)?;
        self.lock.write(&self.wallet)?;
        let encoded = transaction.encode();
        match self.node.send(&encoded) {
            Ok(_) => {}
            Err(error) if is_known(&error) => {}
            Err(error) if is_definite(&error) => {
                self.wallet.refused(&txid);
                (self.wallet.used, self.wallet.labels) = (used, labels);
                self.lock.write(&self.wallet)?;
                return Err(rejected(error));
            }
            // The node, or whoever answers in its place, may have it.
            Err(error) => return Err(WalletError::Unclear { txid, error: Box::new(error) }),
        }
        // The file says that it is unclear until the user was told. Others may use the wallet while this waits.
        let told = Told { file: self.lock.path().into(), txids: vec![txid] };
        drop(self.lock);
        let sent = format!("{} {txid}", screen::green(if bump.known { "Already known:" } else { "Sent:" }));
        json["txid"] = json!(txid.to_string());
        let Some(blocks) = wait.blocks() else {
            return Ok(Report::new(sent, json).hint(after(&request, &txid, &self.info)).tells(told));
        };
        screen::note(&sent);
        let can_fail = matches!(transaction, Transaction::Account(tx) if tx.fields().gas_limit > PLAIN_GAS);
        let waiting = Waiting { node: &self.node, txid, encoded: &encoded, blocks, info: &self.info, can_fail };
        let status = waiting.run()?;
        json["height"] = json!(status.height);
        json["confirmations"] = json!(status.confirmations);
        let text = format!("{} in block {}: {txid}", screen::green("Mined"), status.height.unwrap_or_default());
        if matches!(request.transaction, Body::Account(_))
            && let Some(receipt) = receipt(&self.node, &txid)
        {
            json["gasUsed"] = json!(receipt.gas_used.saturating_to::<u64>());
            json["feeWei"] = json!(receipt.fee().to_string());
        }
        Ok(Report::new(text, json).tells(told))
    }
}

/// Finds a payment that this wallet signed before and that may be mined beside the new one: it waits, its answer was lost, a node
/// refused it, or it was to be replaced. What was sent and is in a block, and was reported so, is not. All that was
/// sent counts, whatever the node says of the first block.
pub fn paid_already(wallet: &Wallet, node: &Node, request: &Request) -> Result<Option<WalletError>, WalletError> {
    let own = OwnKeys::new(wallet).table()?;
    // The very same transaction pays nothing twice.
    let same = |sent: &&Sent| request.txid() != Some(sent.txid) && sent.pays_the_same(request, &own);
    for sent in wallet.sent.iter().filter(same) {
        if let Some(became) = became(wallet, node, sent, request, &own)? {
            let seconds = now().saturating_sub(sent.time);
            return Ok(Some(WalletError::PaidAlready { txid: sent.txid, seconds, became }));
        }
    }
    Ok(None)
}

/// What became of an earlier payment, if a request that pays the same may pay twice. A contract may well be called twice in a
/// row, so calls count only if it is unclear whether they arrived.
fn became(
    wallet: &Wallet,
    node: &Node,
    sent: &Sent,
    request: &Request,
    own: &KeyTable,
) -> Result<Option<Became>, WalletError> {
    let mut replacements = wallet.all_replacements(&sent.txid);
    let is_live = sent.state != SentState::Refused && replacements.is_empty();
    // What replaced a replacement may leave the first one's coins alone.
    replacements.retain(|one| wallet.excludes(one, sent));
    let (spends, place) = taken_by(request)?;
    let mut rivals = wallet.conflicts(sent).chain(replacements.iter().copied());
    let on_rival = rivals.any(|other| spends.iter().any(|coin| coin.txid == other.txid));
    // Only one of the two can be mined: they compete, or the new one spends what only what competes with the old one pays.
    if on_rival || wallet.competing(spends, place).any(|other| other.txid == sent.txid) {
        return Ok(None);
    }
    let (mined, unknown) = match node.transaction(&sent.txid) {
        Ok(status) => (status.filter(|status| status.confirmations > 0), false),
        Err(NodeError::Refused { code: -32002, .. }) => (None, true),
        Err(error) => return Err(error.into()),
    };
    let runs_code = matches!(&request.transaction, Body::Account(account) if account.runs_code());
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
        _ if !is_live => (!is_settled(node, &replacements, request, own)?).then_some(Became::Replaced),
        (SentState::Accepted, None) if may_repeat => None,
        _ if !sent.is_on(node.block_hash(1)?) => Some(Became::Elsewhere),
        _ => Some(Became::Waiting),
    })
}

/// Whether one of these replacements was mined so that what it replaced does not matter any more. Where both pay the same, it is
/// paid once whichever is mined; a cancellation has to be buried, for that it was mined is the node's word.
fn is_settled(node: &Node, replacements: &[&Sent], request: &Request, own: &KeyTable) -> Result<bool, WalletError> {
    for one in replacements {
        let enough = if one.pays_the_same(request, own) { 1 } else { BURIED };
        match node.transaction(&one.txid) {
            Ok(Some(status)) if status.confirmations >= enough => return Ok(true),
            Ok(_) | Err(NodeError::Refused { code: -32002, .. }) => {}
            Err(error) => return Err(error.into()),
        }
    }
    Ok(false)
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

fn written_for_others(
    request: &Request,
    file: &Path,
    replace: bool,
    error: &RequestError,
) -> Result<Report, WalletError> {
    offline::write(file, request, replace)?;
    let file = file.display().to_string();
    let text = format!("{} {file}: {error}", screen::green("Signed, written to"));
    let hint =
        format!("Give the file to the other signers: `cairn-wallet sign {file}`; then `cairn-wallet broadcast` it.");
    Ok(Report::new(text, json!({ "file": file, "complete": false })).hint(hint))
}

/// Coins that are spent, or the account and nonce that are taken.
type Taken = (Vec<OutPoint>, Option<(Address, u64)>);

/// What only one mined transaction can take, of what a request takes.
fn taken_by(request: &Request) -> Result<Taken, WalletError> {
    Ok(match &request.transaction {
        Body::Coin(coin) => (coin.inputs.iter().map(Input::outpoint).collect(), None),
        Body::Account(account) => (Vec::new(), Some((request.network.account(&account.from)?, account.nonce))),
    })
}

/// Notes that addresses of the wallet are paid, so that they are not handed out again.
pub fn mark_outputs(wallet: &mut Wallet, request: &Request) -> Result<(), WalletError> {
    let Body::Coin(coin) = &request.transaction else { return Ok(()) };
    let own = OwnKeys::new(wallet).table()?;
    for line in &coin.outputs {
        if let Lock::Key(key) = request.network.destination(&line.to)?
            && let Some((branch @ Branch::Change, index)) = own.coin(&key, None)
        {
            funds::mark_used(wallet, branch, index);
        }
    }
    Ok(())
}

/// Whether the node has the transaction already.
pub fn is_known(error: &NodeError) -> bool {
    matches!(error, NodeError::Refused { code: REJECTED, reason: Some(reason), .. } if reason == "known")
}

/// Whether a refusal says that the transaction was judged and not taken. Any other error, also of JSON-RPC, leaves open
/// whether it arrived.
pub fn is_definite(error: &NodeError) -> bool {
    let judged = ["invalid", "conflict", "missing", "nonce", "funds", "fee", "full", "policy"];
    matches!(error, NodeError::Refused { code: REJECTED, reason: Some(reason), .. } if judged.contains(&reason.as_str()))
}

/// The result of a command that was only to show what it would do.
pub fn dry_run(text: String, mut json: Value) -> Report {
    json["dryRun"] = json!(true);
    Report::new(text, json).hint("Nothing was signed or sent.")
}

/// What happens next.
fn after(request: &Request, txid: &TxId, info: &ChainInfo) -> String {
    let fee = match &request.transaction {
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

/// Tells a refused transaction from a node that does not answer.
pub fn rejected(error: NodeError) -> WalletError {
    match error {
        NodeError::Refused { message, .. } => WalletError::Rejected(message),
        other => WalletError::Node(other),
    }
}

/// Reads the identifier of a transaction, with or without `0x`.
pub fn read_txid(text: &str) -> Result<TxId, WalletError> {
    let digits = text.trim();
    let digits = digits.strip_prefix("0x").unwrap_or(digits);
    digits.parse().map_err(|error| WalletError::Usage(format!("'{text}' is not a transaction id: {error}")))
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
