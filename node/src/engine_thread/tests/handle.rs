//! The engine on its thread.

use chain_core::{headers::Status, transaction::Transaction, units::Amount};
use std::{future::Future, time::Duration};

use crate::{
    engine::{
        BlockOutcome, BlockPlan, BlockTime, Content, NodeEvent, SubmitBlockError, SubmitError, TemplateError,
        tests::kit::{FEE, Kit, lock, spec},
    },
    engine_thread::EngineHandle,
    mempool::MempoolConfig,
    store::{Store, StoreConfig, StoreError, memory::Faults},
};
use std::sync::Arc;

fn wait<T>(future: impl Future<Output = T>) -> T {
    tokio::runtime::Builder::new_multi_thread().worker_threads(2).enable_time().build().unwrap().block_on(future)
}

fn plan(kit: &Kit) -> BlockPlan {
    BlockPlan { request: kit.request(), time: BlockTime::NotBefore(0), base_fee: None, content: Content::Pool }
}

fn start(kit: &Kit) -> EngineHandle {
    let store = Store::with_kv(Arc::new(kit.kv.clone()), &kit.spec, &StoreConfig::default()).unwrap();
    EngineHandle::start(store, kit.spec.clone(), MempoolConfig::default()).unwrap()
}

#[test]
fn serves_from_any_thread() {
    let kit = Kit::new();
    let handle = start(&kit);
    wait(async {
        let mut events = handle.subscribe();
        let txs: Vec<_> = (0..20).map(|index| kit.send(index, FEE)).collect();
        let tasks: Vec<_> = txs
            .iter()
            .map(|tx| {
                let (handle, tx) = (handle.clone(), Transaction::Coin(tx.clone()));
                tokio::spawn(async move { handle.submit_transaction(tx).await })
            })
            .collect();
        for (task, tx) in tasks.into_iter().zip(&txs) {
            assert_eq!(task.await.unwrap().unwrap(), tx.txid());
        }
        assert_eq!(handle.mempool_stats().transactions, 20);
        assert_eq!(handle.query(|engine| engine.mempool().best(usize::MAX)).await.unwrap().len(), 20);
        let (coin, txid) = (kit.coin(3).0, txs[0].txid());
        assert_eq!(handle.query(move |engine| engine.mempool().spender(&coin)).await.unwrap(), Some(txs[3].txid()));
        let pending = handle.query(|engine| engine.mempool().of_lock(&lock(2))).await.unwrap();
        assert_eq!(pending.incoming.len(), 20);
        let entry = handle.query(move |engine| engine.mempool().get(&txid)).await.unwrap();
        assert_eq!(entry.unwrap().fee, Amount::from_grains(FEE));
        let again = handle.submit_transaction(Transaction::Coin(txs[0].clone())).await;
        assert!(matches!(again, Err(SubmitError::Mempool(_))));

        let hashes = [handle.mine(plan(&kit)).await.unwrap(), handle.mine(plan(&kit)).await.unwrap()];
        assert_eq!(handle.chain_info().hash, hashes[1]);
        assert_eq!((handle.chain_info().height, handle.mempool_stats().transactions), (2, 0));
        assert_eq!(handle.query(|engine| engine.chain().tips(9)).await.unwrap().len(), 1);
        let first = handle.query(move |engine| engine.chain().tree().get(&hashes[0])).await.unwrap();
        assert_eq!(first.unwrap().status, Status::Valid);
        let mut tips = 0;
        while let Ok(event) = events.try_recv() {
            tips += u32::from(matches!(event, NodeEvent::NewTip { .. }));
        }
        assert_eq!(tips, 2);
        handle.shutdown().await;
        assert!(matches!(handle.block_template(kit.request()).await, Err(TemplateError::Stopped)));
        assert!(handle.query(|engine| engine.chain().tips(9)).await.is_err());
        assert!(handle.subscribe().recv().await.is_err());
    });
    assert_eq!(start(&kit).chain_info().height, 2);
}

#[test]
fn a_long_poll_ends_with_a_new_tip_at_once() {
    let kit = Kit::new();
    let handle = start(&kit);
    wait(async {
        let first = handle.block_template(kit.request()).await.unwrap();
        let short = Duration::from_millis(50);
        let same = handle.next_template(kit.request(), first.longpoll, short).await.unwrap();
        assert_eq!(same.longpoll, first.longpoll);
        let (waiting, request) = (handle.clone(), kit.request());
        let minute = Duration::from_secs(60);
        let poll = tokio::spawn(async move { waiting.next_template(request, first.longpoll, minute).await });
        let hash = handle.mine(plan(&kit)).await.unwrap();
        let next = tokio::time::timeout(Duration::from_secs(10), poll).await.unwrap().unwrap().unwrap();
        assert_eq!((next.longpoll.parent, next.height), (hash, 2));
    });
}

#[test]
fn replays_stored_blocks_while_it_answers() {
    let kit = Kit::with(spec(1), MempoolConfig::default());
    let blocks = kit.twin().mine_many(200);
    let mut store = Store::with_kv(Arc::new(kit.kv.clone()), &kit.spec, &StoreConfig::default()).unwrap();
    for (height, block) in (1..).zip(&blocks) {
        store.put_body(height, &chain_core::block::check::check_block(&kit.spec, block.clone()).unwrap()).unwrap();
    }
    drop(store);
    let handle = start(&kit);
    wait(async {
        let mut events = handle.subscribe();
        while handle.chain_info().connecting {
            let _ = tokio::time::timeout(Duration::from_secs(1), events.recv()).await;
            assert!(handle.query(|engine| engine.mempool().best(usize::MAX)).await.is_ok());
        }
        assert_eq!((handle.chain_info().height, handle.chain_info().best_header), (200, 200));
        let known = handle.submit_block(blocks[5].clone()).await.unwrap();
        assert_eq!(known, BlockOutcome::Known);
    });
}

#[test]
fn a_failure_of_storage_ends_the_engine_with_its_reason() {
    let mut kit = Kit::new();
    let block = kit.block_with(|_| {});
    let handle = start(&kit);
    kit.kv.set_faults(Faults { writes_left: Some(0), unreadable: false });
    wait(async {
        let refused = handle.submit_block(block.clone()).await;
        assert!(matches!(refused, Err(SubmitBlockError::Local(_))), "{refused:?}");
        let reason = tokio::time::timeout(Duration::from_secs(10), handle.failed()).await.unwrap();
        assert_eq!(reason, StoreError::NoSpace.to_string());
        assert!(matches!(handle.submit_block(block).await, Err(SubmitBlockError::Stopped)));
        handle.shutdown().await;
    });
}

#[test]
fn a_last_flush_that_fails_is_a_failure_of_the_node() {
    let kit = Kit::new();
    let blocks = kit.twin().mine_many(100);
    let mut store = Store::with_kv(Arc::new(kit.kv.clone()), &kit.spec, &StoreConfig::default()).unwrap();
    for (height, block) in (1..).zip(blocks) {
        store.put_body(height, &chain_core::block::check::check_block(&kit.spec, block).unwrap()).unwrap();
    }
    drop(store);
    // It connects some of the blocks before it hears that it is to stop, and all of that waits for the last flush.
    kit.kv.set_faults(Faults { writes_left: Some(0), unreadable: false });
    let handle = start(&kit);
    wait(handle.shutdown());
    assert_eq!(handle.failure(), Some(StoreError::NoSpace.to_string()));
}
