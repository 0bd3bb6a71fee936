//! The thread that follows the chain and the mempool, and publishes what subscribers want to hear.

use chain_core::hash::TxId;
use futures::executor::block_on;
use serde_json::{Value, json};
use std::{
    io,
    sync::{Arc, Weak},
};
use tokio::sync::{
    broadcast::{self, error::RecvError},
    oneshot, watch,
};

use super::{activity::Activity, logs, path::Path, pending, reorgs, subscribers::Subscribers, topic::Kind};
use crate::{
    engine::{ChainInfo, NodeEvent},
    rpc::{
        base::{Context, RpcResult},
        eth,
    },
    store::{BlockRef, Snapshot},
};

/// Events that are handled together: one question to the engine serves all of them.
const AT_ONCE: usize = 1_024;

/// Starts the thread, which ends with the engine. The receiver hears of its end.
///
/// # Errors
/// If there can be no thread, or the store cannot be read.
pub fn start_hub(context: &Arc<Context>) -> io::Result<oneshot::Receiver<()>> {
    let (events, info) = (context.engine.subscribe(), context.engine.watch());
    let told = context.snapshot().map_err(|error| io::Error::other(error.message().to_owned()))?.tip();
    let hub = Hub::new(context, told);
    let (alive, ended) = oneshot::channel();
    std::thread::Builder::new().name("pubsub".into()).spawn(move || {
        hub.run(events, info);
        drop(alive);
    })?;
    Ok(ended)
}

struct Hub {
    /// Weak, so that the engine ends with its last handle.
    context: Weak<Context>,
    /// The last tip that was told.
    told: BlockRef,
    syncing: bool,
    /// Events were lost: too many came at once.
    missed: bool,
    /// Reorganisations whose transactions are being submitted again.
    unsettled: Vec<Path>,
    activity: Activity,
}

/// What was received.
enum Wake {
    Event(NodeEvent),
    /// Events were lost.
    Lost,
    /// The state of the chain changed, perhaps without an event.
    Info,
    /// The engine has ended.
    End,
}

async fn next(events: &mut broadcast::Receiver<NodeEvent>, info: &mut watch::Receiver<ChainInfo>) -> Wake {
    tokio::select! {
        biased;
        event = events.recv() => match event {
            Ok(event) => Wake::Event(event),
            Err(RecvError::Lagged(_)) => Wake::Lost,
            Err(RecvError::Closed) => Wake::End,
        },
        changed = info.changed() => if changed.is_ok() { Wake::Info } else { Wake::End },
    }
}

impl Hub {
    fn new(context: &Arc<Context>, told: BlockRef) -> Self {
        Self {
            context: Arc::downgrade(context),
            told,
            syncing: false,
            missed: false,
            unsettled: Vec::new(),
            activity: Activity::default(),
        }
    }

    fn run(mut self, mut events: broadcast::Receiver<NodeEvent>, mut info: watch::Receiver<ChainInfo>) {
        loop {
            let mut ready = Ready::default();
            let mut wake = block_on(next(&mut events, &mut info));
            let Some(context) = self.context.upgrade() else { return };
            for _ in 0..AT_ONCE {
                match wake {
                    Wake::Event(NodeEvent::TransactionAdded(txid)) => ready.added.push(txid),
                    Wake::Event(NodeEvent::TransactionReady(txid)) => ready.mineable.push(txid),
                    Wake::Event(event) => {
                        self.publish_ready(&context, &mut ready);
                        self.handle(&context, event);
                    }
                    Wake::Lost => self.missed = true,
                    Wake::Info => {}
                    Wake::End => return,
                }
                if events.is_empty() {
                    break;
                }
                wake = block_on(next(&mut events, &mut info));
            }
            self.publish_ready(&context, &mut ready);
            if self.missed && events.is_empty() {
                self.missed = false;
                self.catch_up(&context);
            }
            self.publish_syncing(&context);
        }
    }

    fn handle(&mut self, context: &Context, event: NodeEvent) {
        match event {
            NodeEvent::NewTip { info, .. } => self.follow(context, tip(&info)),
            NodeEvent::Resubmitted => self.settle(context),
            NodeEvent::TransactionRemoved(txid, reason) => self.activity.removed(context, txid, reason),
            NodeEvent::TransactionAdded(_)
            | NodeEvent::TransactionReady(_)
            | NodeEvent::Progress(..)
            | NodeEvent::TemplateStale => {}
        }
    }

    /// Events were lost: what they said of blocks is found by walking to the tip, what they said of the mempool is not.
    fn catch_up(&mut self, context: &Context) {
        self.follow(context, tip(&context.engine.chain_info()));
        self.settle(context);
        self.activity.clear();
        context.filters.lose_pending();
        for kind in [Kind::PendingHashes, Kind::PendingTransactions, Kind::Coins] {
            context.subscribers.end_all(kind, "lagged: the node was too busy to follow its mempool; subscribe again");
        }
    }

    /// There is a new tip.
    fn follow(&mut self, context: &Context, to: BlockRef) {
        let from = std::mem::replace(&mut self.told, to);
        let path = context.snapshot().and_then(|snapshot| {
            let path = Path::between(&snapshot, from, to, || Ok(()))?;
            Ok((snapshot, path))
        });
        let published = path.and_then(|(snapshot, path)| {
            publish_heads(context, &snapshot, &path)?;
            logs::publish(context, &snapshot, &path)?;
            self.activity.moved(context, &snapshot, &path)?;
            Ok(path)
        });
        match published {
            Ok(path) if !path.disconnected.is_empty() => self.unsettled.push(path),
            Ok(_) => {}
            Err(error) => {
                tracing::warn!("subscribers were not notified of block {}: {}", to.hash, error.message());
                for kind in [Kind::Heads, Kind::Logs, Kind::Reorgs, Kind::Coins] {
                    context.subscribers.end_all(kind, "the node could not read a block; subscribe again");
                }
            }
        }
    }

    /// What disconnected blocks gave back is in the mempool, or never will be.
    fn settle(&mut self, context: &Context) {
        for path in self.unsettled.drain(..) {
            if !context.subscribers.has(Kind::Reorgs) {
                continue;
            }
            match reorgs::describe(context, &path) {
                Ok(reorg) => publish(&context.subscribers, Kind::Reorgs, &reorg),
                Err(error) => {
                    tracing::warn!("subscribers were not notified of a reorganisation: {}", error.message());
                    context.subscribers.end_all(Kind::Reorgs, "the node could not read a block; subscribe again");
                }
            }
        }
    }

    fn publish_ready(&mut self, context: &Context, ready: &mut Ready) {
        let Ready { added, mineable } = std::mem::take(ready);
        pending::publish(context, mineable);
        self.activity.added(context, added);
    }

    fn publish_syncing(&mut self, context: &Context) {
        let info = context.engine.chain_info();
        if std::mem::replace(&mut self.syncing, info.syncing) == info.syncing {
            return;
        }
        let status = eth::syncing_status(&info);
        let result = match info.syncing {
            true => json!({ "syncing": true, "status": status }),
            false => Value::Bool(false),
        };
        publish(&context.subscribers, Kind::Syncing, &result);
    }
}

/// Transactions that came into the mempool.
#[derive(Default)]
struct Ready {
    added: Vec<TxId>,
    /// Account transactions whose nonces are next.
    mineable: Vec<TxId>,
}

fn tip(info: &ChainInfo) -> BlockRef {
    BlockRef { height: info.height, hash: info.hash }
}

/// Publishes a result.
pub fn publish(subscribers: &Subscribers, kind: Kind, result: &Value) {
    subscribers.publish(kind, &Arc::from(result.to_string()));
}

fn publish_heads(context: &Context, snapshot: &Snapshot, path: &Path) -> RpcResult<()> {
    for at in &path.connected {
        if context.subscribers.has(Kind::Heads) {
            publish(&context.subscribers, Kind::Heads, &eth::head(context, snapshot, *at)?);
        }
    }
    Ok(())
}

#[cfg(test)]
mod tests {
    use super::*;
    use crate::rpc::{
        access::Scope,
        testing::{TestNode, methods_for},
    };

    #[test]
    fn after_lost_events_each_block_is_told_and_who_waits_for_transactions_hears_of_the_loss() {
        let node = TestNode::fresh();
        let genesis = node.context.snapshot().unwrap().tip();
        let connections = [(); 3].map(|()| methods_for(&node.context, Scope::Full));
        let subscribe = |connection: usize, topic: &str| {
            let request =
                json!({ "jsonrpc": "2.0", "id": 1, "method": "eth_subscribe", "params": [topic] }).to_string();
            node.wait(connections[connection].raw_json_request(&request, 16)).unwrap().1
        };
        // The node's own hub tells the blocks too: it has done so before the other subscribers come.
        let mut earlier = subscribe(0, "newHeads");
        node.call("dev_mine", json!([3]));
        for _ in 1..=3 {
            node.wait(earlier.recv()).unwrap();
        }
        let (mut heads, mut pending) = (subscribe(1, "newHeads"), subscribe(2, "newPendingTransactions"));
        Hub::new(&node.context, genesis).catch_up(&node.context);
        for height in 1..=3 {
            let text = node.wait(heads.recv()).unwrap();
            let told: Value = serde_json::from_str(text.get()).unwrap();
            assert_eq!(told["params"]["result"]["number"], format!("0x{height:x}"));
        }
        let text = node.wait(pending.recv()).unwrap();
        let told: Value = serde_json::from_str(text.get()).unwrap();
        assert_eq!(told["method"], "lagged");
    }
}
