//! Transactions on their way into the pool: in batches, so that all cores verify while one thread keeps the pool.

use chain_core::{
    block::Block,
    error::{Penalty, RuleError},
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::StateView,
    transaction::{Transaction, coin::OutPoint},
    units::Height,
};
use std::{collections::VecDeque, sync::Arc};

use super::{Action, Engine, NodeEvent, Offence, Reply, Source, SubmitError, TestedTransaction, Ticket, error::Fatal};
use crate::{
    mempool::{ChainPoint, Change, Dropped, InFlight, Mempool, MempoolError, Prepared, Staged},
    store::Store,
};

/// Transactions that are verified while the next are looked at.
const CHUNK: usize = 64;

/// Transactions that come back to the pool in one go.
const RETURNED_AT_ONCE: usize = 512;

/// Transactions that came back and wait for what others of them bring, their bytes in all, and the blocks in which that
/// must happen. Each is tried again at every block: whoever reorganises pays for that with work.
const LATER: usize = 4_096;
const LATER_BYTES: usize = 8 << 20;
const LATER_BLOCKS: Height = 36;

/// Transactions of blocks that were disconnected, on their way into the pool again.
#[derive(Debug, Default)]
pub(super) struct Resubmission {
    /// Transactions of each block, lowest first, with their bytes.
    blocks: VecDeque<(Vec<Transaction>, usize)>,
    bytes: usize,
    most_bytes: usize,
    dropped: Vec<Dropped>,
    ready: VecDeque<Returned>,
    /// Refused for want of a coin, a nonce or a balance that another may bring back with the next block: a deposit comes
    /// before the withdrawal that it pays for, and that before what spends its coin.
    later: VecDeque<Returned>,
    later_bytes: usize,
}

/// A transaction that comes back, with the last height at which it is tried again once that is known.
#[derive(Debug)]
struct Returned {
    transaction: Arc<Transaction>,
    until: Option<Height>,
}

impl Resubmission {
    /// Keeps at most so many bytes of blocks.
    pub(super) fn new(most_bytes: usize) -> Self {
        Self { most_bytes, ..Self::default() }
    }

    /// Adds a block that was disconnected, and what the pool dropped with it. Where there is too much, the highest blocks are
    /// forgotten: nothing rests on them.
    pub(super) fn add_block(&mut self, block: Block, dropped: Vec<Dropped>) {
        let transactions: Vec<_> = block.transactions.into_iter().skip(1).collect();
        let bytes = transactions.iter().map(|transaction| transaction.encode().len()).sum();
        self.bytes += bytes;
        self.blocks.push_front((transactions, bytes));
        self.dropped.extend(dropped);
        while self.bytes > self.most_bytes {
            let Some((_, bytes)) = self.blocks.pop_back() else { break };
            self.bytes -= bytes;
        }
    }

    /// Adds what the pool dropped.
    pub(super) fn add_dropped(&mut self, dropped: Vec<Dropped>) {
        self.dropped.extend(dropped);
    }

    /// Transactions that wait for the next block.
    #[cfg(test)]
    pub(super) fn waiting(&self) -> usize {
        self.later.len()
    }

    /// Whether blocks were disconnected, or transactions dropped, that nobody tried to bring back yet.
    pub(super) fn is_fresh(&self) -> bool {
        !self.blocks.is_empty() || !self.dropped.is_empty()
    }

    /// At a new tip, lets everything go: blocks from the lowest up, then the pool's own by arrival, then what was refused
    /// before.
    pub(super) fn release(&mut self, tip: Height) {
        self.dropped.sort_unstable_by_key(|(sequence, _)| *sequence);
        let blocks = self.blocks.drain(..).flat_map(|(transactions, _)| transactions).map(Arc::new);
        let fresh = blocks.chain(self.dropped.drain(..).map(|(_, transaction)| transaction));
        self.ready.extend(fresh.map(|transaction| Returned { transaction, until: None }));
        self.ready.extend(self.later.drain(..).filter(|returned| returned.until.is_none_or(|until| until >= tip)));
        (self.bytes, self.later_bytes) = (0, 0);
    }

    /// Keeps a transaction that was refused until the next block. Where there is no room, what came last goes: what others
    /// rest on came first.
    fn retry(&mut self, returned: Returned, tip: Height) {
        let bytes = returned.transaction.encode().len();
        if self.later.len() < LATER && self.later_bytes + bytes <= LATER_BYTES {
            self.later_bytes += bytes;
            let until = returned.until.or(Some(tip.saturating_add(LATER_BLOCKS)));
            self.later.push_back(Returned { until, ..returned });
        }
    }
}

/// Whether a refusal may end with another transaction's block.
fn may_pass(error: &SubmitError) -> bool {
    match error {
        SubmitError::Mempool(error) => matches!(
            error,
            MempoolError::MissingCoin(_)
                | MempoolError::InsufficientFunds { .. }
                | MempoolError::NonceGap { .. }
                | MempoolError::DelegatedSender { .. }
        ),
        SubmitError::Rule(rule) => {
            matches!(rule, RuleError::MissingCoin(_) | RuleError::ImmatureCoin { .. } | RuleError::TooEarly { .. })
        }
        SubmitError::Local(_) | SubmitError::Stopped => false,
    }
}

impl Engine {
    /// Takes transactions in and answers each.
    pub(super) fn on_transactions(&mut self, batch: Vec<(Ticket, Source, Transaction)>) -> Result<(), Fatal> {
        let (senders, transactions): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|(ticket, source, transaction)| ((ticket, source), Arc::new(transaction))).unzip();
        let results = match self.submit(transactions) {
            Ok(results) => results,
            Err(Fatal(message)) => {
                let refusal =
                    |ticket| Action::Reply(ticket, Reply::Transaction(Err(SubmitError::Local(message.clone()))));
                self.actions.extend(senders.iter().map(|(ticket, _)| refusal(*ticket)));
                return Err(Fatal(message));
            }
        };
        for ((ticket, source), result) in senders.into_iter().zip(results) {
            if let (Err(SubmitError::Rule(rule)), Source::Peer(peer)) = (&result, source)
                && rule.penalty() != Penalty::None
            {
                self.penalize(peer, Offence::InvalidTransaction(rule.clone()));
            }
            self.actions.push(Action::Reply(ticket, Reply::Transaction(result)));
        }
        Ok(())
    }

    /// Judges transactions and takes those that are worth it; the answers are in their order.
    ///
    /// Three steps run at once: one chunk is taken into the pool, the signatures of the next are verified on all cores,
    /// and the one after that is looked at.
    pub(super) fn submit(
        &mut self,
        transactions: Vec<Arc<Transaction>>,
    ) -> Result<Vec<Result<TxId, SubmitError>>, Fatal> {
        let mut results = Vec::with_capacity(transactions.len());
        let mut waiting = Vec::with_capacity(transactions.len());
        for (index, prepared) in self.verifier.prepare(&self.spec, transactions).into_iter().enumerate() {
            results.push(prepared.as_ref().map(|prepared| prepared.txid).map_err(|rule| rule.clone().into()));
            waiting.extend(prepared.ok().map(|prepared| (index, prepared)));
        }
        while !waiting.is_empty() {
            self.store.prefetch(&self.coins_to_read(&waiting))?;
            waiting = self.take_in(waiting, &mut results);
        }
        let failure = results.iter().find_map(|result| match result {
            Err(SubmitError::Local(message)) => Some(Fatal(message.clone())),
            _ => None,
        });
        failure.map_or(Ok(results), Err)
    }

    /// One pass over prepared transactions; answers with those that must be looked at again, since another of the same
    /// name (but other witnesses) was on its way.
    fn take_in(&mut self, waiting: Vec<Numbered<Prepared>>, results: &mut Results) -> Vec<Numbered<Prepared>> {
        let chain = self.chain();
        let (genesis, height) = (chain.genesis, chain.height);
        let mut intake = Intake {
            chain: &chain,
            store: &self.store,
            mempool: &mut self.mempool,
            flight: InFlight::default(),
            results,
            again: Vec::new(),
        };
        let verifier = &mut self.verifier;
        let mut left = waiting.into_iter();
        let mut verified = Vec::new();
        let mut staged = intake.stage(left.by_ref().take(CHUNK));
        while !staged.is_empty() || !verified.is_empty() || left.len() > 0 {
            let done = std::mem::take(&mut verified);
            let (verdicts, next) = verifier.alongside(
                staged.len(),
                |verifier| verifier.check_spends(&genesis, height, &staged),
                || {
                    intake.admit(done);
                    intake.stage(left.by_ref().take(CHUNK))
                },
            );
            verified = staged.into_iter().zip(verifier.settle(verdicts)).collect();
            staged = next;
        }
        intake.again
    }

    /// What the next block of the active chain builds on.
    pub(super) fn chain(&self) -> Chain {
        Chain {
            spec: self.spec.clone(),
            genesis: self.genesis,
            height: self.store.tip().height + 1,
            base_fee: self.next_base_fee(),
            now: self.now.stamp(),
        }
    }

    /// Coins of the chain that these transactions spend.
    fn coins_to_read(&self, waiting: &[Numbered<Prepared>]) -> Vec<OutPoint> {
        let inputs = waiting.iter().flat_map(|(_, prepared)| match &*prepared.transaction {
            Transaction::Coin(tx) => tx.inputs.as_slice(),
            _ => &[],
        });
        inputs.filter(|input| !self.mempool.contains(&input.txid)).copied().collect()
    }

    /// Puts the next transactions of blocks that were disconnected into the pool again.
    pub(super) fn resubmit(&mut self) -> Result<(), Fatal> {
        let most = self.resubmission.ready.len().min(RETURNED_AT_ONCE);
        if most == 0 {
            return Ok(());
        }
        let batch: Vec<Returned> = self.resubmission.ready.drain(..most).collect();
        let results = self.submit(batch.iter().map(|returned| returned.transaction.clone()).collect())?;
        let tip = self.store.tip().height;
        for (returned, result) in batch.into_iter().zip(results) {
            match result {
                Ok(txid) => self.tell_again(&txid),
                Err(error) if may_pass(&error) => self.resubmission.retry(returned, tip),
                Err(_) => {}
            }
        }
        if !self.resubmission.ready.is_empty() {
            self.actions.push(Action::Continue);
        }
        Ok(())
    }

    /// Tells what changed in the pool.
    pub(super) fn report_pool(&mut self) {
        for change in self.mempool.take_changes() {
            let event = match change {
                Change::Added(txid) => NodeEvent::TransactionAdded(txid),
                Change::Removed(txid, reason) => NodeEvent::TransactionRemoved(txid, reason),
                Change::Ready(txid) => {
                    self.relay_transaction(txid);
                    continue;
                }
            };
            // An account transaction is announced when its nonce is the next: behind a gap it may never be mined, and would
            // cost the whole network's bytes for nothing.
            if let Change::Added(txid) = change
                && self.mempool.sender(&txid).is_none()
            {
                self.relay_transaction(txid);
            }
            self.templates.pool_changed(matches!(change, Change::Added(_)));
            self.actions.push(Action::Publish(event));
        }
    }

    /// Judges a transaction as if it was handed in, and keeps nothing.
    ///
    /// # Errors
    /// [`SubmitError`].
    pub fn test_transaction(&mut self, transaction: Transaction) -> Result<TestedTransaction, SubmitError> {
        let mut prepared = self.verifier.prepare(&self.spec, vec![Arc::new(transaction)]);
        let prepared = prepared.pop().ok_or(SubmitError::Stopped)??;
        let chain = self.chain();
        let Chain { genesis, height, base_fee, .. } = chain;
        let view = self.store.view();
        let point = chain.point(&view);
        let staged = self.mempool.stage(&point, &InFlight::default(), prepared)?;
        let verdicts = self.verifier.check_spends(&genesis, height, &[(0, staged.clone())]);
        self.verifier.settle(verdicts).into_iter().collect::<Result<(), _>>()?;
        let (fee, gas, tip_per_gas) = staged.price(base_fee);
        Ok(TestedTransaction { txid: staged.prepared().txid, fee, gas, tip_per_gas })
    }
}

/// Something about the transaction with this number in its batch.
type Numbered<T> = (usize, T);

type Results = Vec<Result<TxId, SubmitError>>;

/// A [`ChainPoint`] but for the state, which one thread alone may read through.
pub(super) struct Chain {
    spec: Arc<ChainSpec>,
    genesis: BlockHash,
    height: Height,
    base_fee: u64,
    now: u32,
}

impl Chain {
    /// The point with the state that `view` reads.
    pub(super) fn point<'a>(&'a self, view: &'a dyn StateView) -> ChainPoint<'a> {
        let Self { ref spec, genesis, height, base_fee, now } = *self;
        ChainPoint { spec, genesis, height, base_fee, view, now }
    }
}

/// The pool and the chain, while a batch comes in.
struct Intake<'a> {
    chain: &'a Chain,
    store: &'a Store,
    mempool: &'a mut Mempool,
    flight: InFlight,
    results: &'a mut Results,
    again: Vec<Numbered<Prepared>>,
}

impl Intake<'_> {
    /// Looks at transactions; answers with those that the pool would take.
    fn stage(&mut self, chunk: impl Iterator<Item = Numbered<Prepared>>) -> Vec<Numbered<Staged>> {
        let view = self.store.view();
        let point = self.chain.point(&view);
        let mut staged = Vec::with_capacity(CHUNK);
        for (index, prepared) in chunk {
            if self.flight.contains(&prepared.txid) && !self.mempool.contains(&prepared.txid) {
                self.again.push((index, prepared));
                continue;
            }
            match self.mempool.stage(&point, &self.flight, prepared) {
                Ok(one) => {
                    self.mempool.take_off(&mut self.flight, &one);
                    staged.push((index, one));
                }
                Err(error) => self.results[index] = Err(error),
            }
        }
        staged
    }

    /// Takes those whose signatures are right.
    fn admit(&mut self, verified: Vec<(Numbered<Staged>, Result<(), RuleError>)>) {
        let view = self.store.view();
        let point = self.chain.point(&view);
        for ((index, staged), verdict) in verified {
            let admitted = verdict.map_err(SubmitError::from).and_then(|()| self.mempool.admit(&point, staged));
            if let Err(error) = admitted {
                self.results[index] = Err(error);
            }
        }
    }
}
