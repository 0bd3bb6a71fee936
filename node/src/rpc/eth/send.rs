//! `eth_sendRawTransaction` and its variant that waits for the receipt (EIP-7966).

use chain_core::{
    hash::TxId,
    transaction::{Transaction, account::AccountTransaction},
};
use futures::{FutureExt, future::BoxFuture};
use serde_json::Value;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::broadcast::{Receiver, error::RecvError},
    time::{Instant, timeout_at},
};

use super::{blocks::receipt_of, fees::Count};
use crate::{
    engine::{NodeEvent, Stopped},
    rpc::{
        access::Scope,
        base::{Args, Call, Context, Data, Method, RpcResult, data, in_geths_words, not_mined, rejected},
        lanes::{Lane, Who},
    },
};

pub const METHODS: &[Method] = &[
    Method::new("eth_sendRawTransaction", &["transaction"], send),
    Method::waits("eth_sendRawTransactionSync", &["transaction", "timeout"], send_and_wait).within(60),
];

/// How long a call waits for the block, if it does not say, and at most.
const TIMEOUT: Duration = Duration::from_secs(20);
const MOST_TIMEOUT: Duration = Duration::from_secs(60);

fn decode(raw: Vec<u8>) -> RpcResult<AccountTransaction> {
    AccountTransaction::decode(raw.into()).map_err(|rule| rejected("invalid", in_geths_words(&rule)))
}

fn send(context: &Context, mut args: Args) -> RpcResult<Value> {
    let Data(raw) = args.required()?;
    submit(context, decode(raw)?, &args.call())
}

/// Submits a transaction; returns its hash. A development chain mines it.
pub(super) fn submit(context: &Context, transaction: AccountTransaction, call: &Call) -> RpcResult<Value> {
    context.check_sender(&transaction, call)?;
    let hash = transaction.hash();
    context.ask(context.engine.submit_transaction(Transaction::Account(transaction)))?;
    context.wait(context.mining.mine_pending());
    Ok(data(hash.as_slice()))
}

fn send_and_wait(context: Arc<Context>, mut args: Args, who: Who, _: Scope) -> BoxFuture<'static, RpcResult<Value>> {
    async move {
        let Data(raw) = args.required()?;
        let asked = args.optional::<Count>()?.map(|Count(milliseconds)| Duration::from_millis(milliseconds));
        let timeout = asked.filter(|asked| !asked.is_zero()).map_or(TIMEOUT, |asked| asked.min(MOST_TIMEOUT));
        let end = Instant::now() + timeout;
        let transaction = decode(raw)?;
        context.check_sender(&transaction, &args.call())?;
        let hash = data(transaction.hash().as_slice());
        // From before it is handed in, so that no block is missed.
        let mut events = context.engine.subscribe();
        let txid = context.engine.submit_transaction(Transaction::Account(transaction)).await?;
        loop {
            if let Some(receipt) = read_receipt(&context, txid, who).await? {
                return Ok(receipt);
            }
            if timeout_at(end, next_tip(&mut events)).await.is_ok_and(|open| !open) {
                return Err(Stopped.into());
            }
            if Instant::now() >= end {
                let waited = timeout.as_millis();
                return Err(not_mined(
                    format!("the transaction is in the mempool, but no block had it after {waited} ms"),
                    hash,
                ));
            }
        }
    }
    .boxed()
}

/// Waits for a new tip; `false` if the engine has ended.
async fn next_tip(events: &mut Receiver<NodeEvent>) -> bool {
    loop {
        match events.recv().await {
            Ok(NodeEvent::NewTip { .. }) | Err(RecvError::Lagged(_)) => return true,
            Ok(_) => {}
            Err(RecvError::Closed) => return false,
        }
    }
}

/// Reads it in the lane of small reads, as if it was asked for.
async fn read_receipt(context: &Arc<Context>, txid: TxId, who: Who) -> RpcResult<Option<Value>> {
    let reader = context.clone();
    context.lanes.run(Lane::Light, who, move || receipt_of(&reader, &txid)).await.flatten()
}
