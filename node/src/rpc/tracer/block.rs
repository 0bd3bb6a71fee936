//! A block that is run again, from the state before it.

use alloy_primitives::{Address, B256};
use chain_core::{
    block::Block,
    execute::{BlockContext, Outcome, Replay},
    hash::TxId,
    state::Overlay,
    transaction::{Transaction, account::AccountTransaction},
};

use super::{flat::Place, touched::Subject, watch::Watch};
use crate::{
    rpc::base::{
        Call, Context, Guard, RpcResult, base_fee, cannot, coinbase, failed, header, internal, invalid, not_found,
        read::is_active, receipts, state_after,
    },
    store::{BlockRef, HistoricalState, Snapshot, StoredReceipt},
};

/// A block of the active chain with the accounts before it.
pub struct TraceBlock {
    pub at: BlockRef,
    pub block: Block,
    context: BlockContext,
    before: HistoricalState,
    receipts: Vec<StoredReceipt>,
}

/// An account transaction of a block, about to run.
pub struct Tracing<'t, 'b> {
    replay: &'t mut Replay<'b>,
    transaction: &'b Transaction,
    /// The transaction.
    pub account: &'b AccountTransaction,
    /// Where it stands.
    pub place: Place,
    /// Logs of the block before it.
    pub logs_before: usize,
    sender: Address,
    beneficiary: Address,
}

/// Runs an account transaction of the chain again, after those before it in its block.
///
/// # Errors
/// -32001 for one that is not on the chain, -32602 for a coin transaction; as [`TraceBlock::load`].
pub fn run_again<T>(
    context: &Context,
    txid: &TxId,
    call: &Call,
    trace: impl FnMut(&mut Tracing<'_, '_>) -> RpcResult<T>,
) -> RpcResult<T> {
    let snapshot = context.snapshot()?;
    let place = snapshot
        .transaction(txid)?
        .ok_or_else(|| not_found(format!("transaction not found: {txid} is not on the chain")))?;
    let block = TraceBlock::load(context, snapshot, place.block)?;
    let traced = block.each(context, call, Some(place.position), trace)?.pop();
    traced.ok_or_else(|| invalid("hash: a coin transaction runs no code; there is nothing to trace"))
}

impl TraceBlock {
    /// Reads a block and opens the state before it.
    ///
    /// # Errors
    /// -32001 off the active chain; -32000 for the genesis block, in geth's words, and where the state is not kept.
    pub fn load(context: &Context, snapshot: Snapshot, at: BlockRef) -> RpcResult<Self> {
        let Some(below) = at.height.checked_sub(1) else {
            return Err(cannot("genesis is not traceable: the genesis block has no transactions"));
        };
        // Another branch may have won since it was found; the state before it is then another one.
        if !is_active(&snapshot, at)? {
            return Err(not_found(format!("block {} is not on the active chain", at.hash)));
        }
        let record = header(&snapshot, at)?;
        let block = snapshot.body(at)?;
        let receipts = receipts(&snapshot, at)?;
        Ok(Self {
            at,
            block,
            context: BlockContext::new(context.genesis, at.height, base_fee(context, &record), &record.header)
                .map_err(internal)?,
            before: state_after(snapshot, below)?,
            receipts,
        })
    }

    /// What is of the block, but of none of its transactions.
    pub fn place(&self) -> Place {
        let mut hash = B256::from(self.at.hash.0);
        hash.reverse();
        Place {
            block_hash: Some(hash),
            block_number: self.at.height.into(),
            transaction_hash: None,
            transaction_position: None,
        }
    }

    /// Runs the block once, and does this with each account transaction, or with that at a position; stops behind it.
    ///
    /// # Errors
    /// Those of `trace`; -32005 at the end of the call.
    pub fn each<T>(
        &self,
        context: &Context,
        call: &Call,
        only: Option<u32>,
        mut trace: impl FnMut(&mut Tracing<'_, '_>) -> RpcResult<T>,
    ) -> RpcResult<Vec<T>> {
        let beneficiary = coinbase(&self.block, self.at)?.beneficiary;
        let mut replay = Replay::begin(&context.spec, &self.context, &self.before, beneficiary)?;
        let mut receipts = self.receipts.iter().peekable();
        let (mut traces, mut logs_before, mut number) = (Vec::new(), 0, 0);
        for (position, transaction) in (0..).zip(&self.block.transactions) {
            let receipt = receipts.next_if(|receipt| receipt.position == position);
            match transaction {
                Transaction::Account(account) if only.is_none_or(|only| only == position) => {
                    let known = receipt.map(|receipt| receipt.sender);
                    let sender = known.map_or_else(|| context.spec.sender_of(account).map_err(internal), Ok)?;
                    let place = self.place().of(account.hash(), number);
                    let replay = &mut replay;
                    let mut tracing = Tracing { replay, transaction, account, place, logs_before, sender, beneficiary };
                    traces.push(trace(&mut tracing)?);
                }
                _ => {
                    let sender = receipt.map(|receipt| receipt.sender);
                    let ran = replay.transaction(transaction, sender, &mut Guard::new(call));
                    call.check()?;
                    ran.map_err(failed)?;
                }
            }
            if only == Some(position) {
                break;
            }
            number += u64::from(matches!(transaction, Transaction::Account(_)));
            logs_before += receipt.map_or(0, |receipt| receipt.receipt.logs.len());
        }
        Ok(traces)
    }

    /// The position of the account transaction of this number; `None` if there is none.
    pub fn nth(&self, number: usize) -> Option<u32> {
        let accounts = (0..).zip(&self.block.transactions).filter(|(_, tx)| matches!(tx, Transaction::Account(_)));
        accounts.map(|(position, _)| position).nth(number)
    }
}

impl<'b> Tracing<'_, 'b> {
    /// The state that it would run on.
    pub fn state(&mut self) -> &mut Overlay<'b> {
        self.replay.state()
    }

    /// Runs it and has it recorded.
    ///
    /// # Errors
    /// -32005 beyond the limit or the time of the call.
    pub fn run(&mut self, watch: &mut Watch<'_>) -> RpcResult<Outcome> {
        let subject = Subject { fields: self.account.fields(), sender: self.sender, beneficiary: self.beneficiary };
        watch.begin(self.replay.state(), &subject)?;
        let ran = self.replay.transaction(self.transaction, Some(self.sender), watch);
        let outcome = ran
            .map_err(failed)
            .and_then(|outcome| outcome.ok_or_else(|| internal("an account transaction has an outcome")));
        watch.end(self.replay.state(), outcome)
    }
}
