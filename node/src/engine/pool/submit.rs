//! Submitting transactions: in batches, so that all cores verify while one thread keeps the pool.

use chain_core::{
    error::RuleError,
    hash::{BlockHash, TxId},
    spec::ChainSpec,
    state::StateView,
    transaction::{Transaction, coin::OutPoint},
    units::Height,
};
use std::sync::Arc;

use super::Pool;
use crate::{
    engine::{Chain, Fatal, Now, Outbox, Reply, TestedTransaction, Ticket, verify::Verifier},
    mempool::{ChainPoint, InFlight, Mempool, Prepared, Staged, SubmitError},
    metrics,
    store::Store,
};

/// Transactions that are verified while the next are looked at.
const CHUNK: usize = 64;

impl Pool {
    /// Submits transactions and answers each.
    pub(crate) fn submit_batch(
        &mut self,
        batch: Vec<(Ticket, Transaction)>,
        chain: &mut Chain,
        out: &mut Outbox,
    ) -> Result<(), Fatal> {
        let (tickets, transactions): (Vec<_>, Vec<_>) =
            batch.into_iter().map(|(ticket, transaction)| (ticket, Arc::new(transaction))).unzip();
        let results = match self.submit(transactions, chain, out.now()) {
            Ok(results) => results,
            Err(Fatal(message)) => {
                let refusal = || Reply::Transaction(Err(SubmitError::Local(message.clone())));
                tickets.iter().for_each(|ticket| out.reply(*ticket, refusal()));
                return Err(Fatal(message));
            }
        };
        for (ticket, result) in tickets.into_iter().zip(results) {
            out.reply(ticket, Reply::Transaction(result));
        }
        Ok(())
    }

    /// Verifies transactions and adds those that the pool takes; the results are in their order.
    ///
    /// Three steps run at once: one chunk is added to the pool, the signatures of the next are verified on all cores,
    /// and the one after that is looked at.
    pub(crate) fn submit(
        &mut self,
        transactions: Vec<Arc<Transaction>>,
        chain: &mut Chain,
        now: Now,
    ) -> Result<Vec<Result<TxId, SubmitError>>, Fatal> {
        let point = Point::of(chain, self.base_fee(chain), now);
        let (store, verifier) = chain.store_and_verifier();
        let mut results = Vec::with_capacity(transactions.len());
        let mut waiting = Vec::with_capacity(transactions.len());
        for (index, prepared) in verifier.prepare(&point.spec, transactions).into_iter().enumerate() {
            results.push(prepared.as_ref().map(|prepared| prepared.txid).map_err(|rule| rule.clone().into()));
            waiting.extend(prepared.ok().map(|prepared| (index, prepared)));
        }
        while !waiting.is_empty() {
            store.prefetch(&coins_to_read(&waiting, &self.mempool))?;
            let intake = Intake {
                point: &point,
                store,
                mempool: &mut self.mempool,
                flight: InFlight::default(),
                results: &mut results,
                again: Vec::new(),
            };
            waiting = intake.run(waiting, verifier);
        }
        note_refused(&results);
        let failure = results.iter().find_map(|result| match result {
            Err(SubmitError::Local(message)) => Some(Fatal(message.clone())),
            _ => None,
        });
        failure.map_or(Ok(results), Err)
    }

    /// Judges a transaction as if it was submitted, and keeps nothing.
    pub(crate) fn test(
        &self,
        transaction: Transaction,
        chain: &mut Chain,
        now: Now,
    ) -> Result<TestedTransaction, SubmitError> {
        let point = Point::of(chain, self.base_fee(chain), now);
        let (store, verifier) = chain.store_and_verifier();
        let mut prepared = verifier.prepare(&point.spec, vec![Arc::new(transaction)]);
        let prepared = prepared.pop().ok_or(SubmitError::Stopped)??;
        let staged = self.mempool.stage(&point.at(&store.view()), &InFlight::default(), prepared)?;
        let verdicts = verifier.check_spends(&point.genesis, point.height, &[(0, staged.clone())]);
        verifier.settle(verdicts).into_iter().collect::<Result<(), _>>()?;
        let (fee, gas, tip_per_gas) = staged.price(point.base_fee);
        Ok(TestedTransaction { txid: staged.prepared().txid, fee, gas, tip_per_gas })
    }
}

/// Counts what the pool refused.
fn note_refused(results: &Results) {
    if let Some(metrics) = metrics::on() {
        results
            .iter()
            .filter_map(|result| result.as_ref().err())
            .for_each(|error| metrics.engine.rejected(error.name()));
    }
}

/// Coins of the chain that these transactions spend.
fn coins_to_read(waiting: &[Numbered<Prepared>], pool: &Mempool) -> Vec<OutPoint> {
    let inputs = waiting.iter().flat_map(|(_, prepared)| match &*prepared.transaction {
        Transaction::Coin(tx) => tx.inputs.as_slice(),
        _ => &[],
    });
    inputs.filter(|input| !pool.contains(&input.txid)).copied().collect()
}

/// Something about the transaction with this number in its batch.
type Numbered<T> = (usize, T);

type Results = Vec<Result<TxId, SubmitError>>;

/// A [`ChainPoint`] but for the state, which one thread alone may read through.
struct Point {
    spec: Arc<ChainSpec>,
    genesis: BlockHash,
    height: Height,
    base_fee: u64,
    time: u32,
    steady: u32,
}

impl Point {
    /// What the next block of the active chain builds on.
    fn of(chain: &Chain, base_fee: u64, now: Now) -> Self {
        Self {
            spec: chain.spec().clone(),
            genesis: chain.genesis(),
            height: chain.store().tip().height + 1,
            base_fee,
            time: now.wall.stamp(),
            steady: now.steady.stamp(),
        }
    }

    /// The point with the state that `view` reads.
    fn at<'a>(&'a self, view: &'a dyn StateView) -> ChainPoint<'a> {
        let Self { ref spec, genesis, height, base_fee, time, steady } = *self;
        ChainPoint { spec, genesis, height, base_fee, view, time, steady }
    }
}

/// The pool and the chain, while a batch comes in.
struct Intake<'a> {
    point: &'a Point,
    store: &'a Store,
    mempool: &'a mut Mempool,
    flight: InFlight,
    results: &'a mut Results,
    again: Vec<Numbered<Prepared>>,
}

impl Intake<'_> {
    /// One pass over prepared transactions; returns those that must be looked at again, since another of the same name (but
    /// other witnesses) was on its way.
    fn run(mut self, waiting: Vec<Numbered<Prepared>>, verifier: &mut Verifier) -> Vec<Numbered<Prepared>> {
        let Point { genesis, height, .. } = *self.point;
        let mut left = waiting.into_iter();
        let mut verified = Vec::new();
        let mut staged = self.stage(left.by_ref().take(CHUNK));
        while !staged.is_empty() || !verified.is_empty() || left.len() > 0 {
            let done = std::mem::take(&mut verified);
            let (verdicts, next) = verifier.alongside(
                staged.len(),
                |verifier| verifier.check_spends(&genesis, height, &staged),
                || {
                    self.admit(done);
                    self.stage(left.by_ref().take(CHUNK))
                },
            );
            verified = staged.into_iter().zip(verifier.settle(verdicts)).collect();
            staged = next;
        }
        self.again
    }

    /// Checks transactions; returns those that the pool would take.
    fn stage(&mut self, chunk: impl Iterator<Item = Numbered<Prepared>>) -> Vec<Numbered<Staged>> {
        let view = self.store.view();
        let point = self.point.at(&view);
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
        let point = self.point.at(&view);
        for ((index, staged), verdict) in verified {
            let admitted = verdict.map_err(SubmitError::from).and_then(|()| self.mempool.admit(&point, staged));
            if let Err(error) = admitted {
                self.results[index] = Err(error);
            }
        }
    }
}
