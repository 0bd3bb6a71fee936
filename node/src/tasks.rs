//! Tasks that run as long as the node does. A panic ends a task in silence, and the node would run on without a part that others
//! rely on: it is to stop instead, and say so.

use std::collections::HashMap;
use tokio::task::{Id, JoinSet};

/// All of them. Dropping this ends them.
#[derive(Debug, Default)]
pub struct Tasks {
    running: JoinSet<Option<String>>,
    names: HashMap<Id, &'static str>,
}

impl Tasks {
    /// Starts a task on the runtime that this is called on.
    pub fn spawn(&mut self, name: &'static str, task: impl Future<Output = ()> + Send + 'static) {
        self.spawn_until(name, async move {
            task.await;
            None
        });
    }

    /// Starts a task that ends when the node has to, with what to say of it.
    pub fn spawn_watch(&mut self, name: &'static str, task: impl Future<Output = String> + Send + 'static) {
        self.spawn_until(name, async move { Some(task.await) });
    }

    fn spawn_until(&mut self, name: &'static str, task: impl Future<Output = Option<String>> + Send + 'static) {
        let id = self.running.spawn(task).id();
        self.names.insert(id, name);
    }

    /// Waits until one has ended; returns what to say of it. Never ends without tasks.
    pub async fn ended(&mut self) -> String {
        let (id, panicked) = match self.running.join_next_with_id().await {
            Some(Ok((_, Some(reason)))) => return reason,
            Some(Ok((id, None))) => (id, false),
            Some(Err(error)) => (error.id(), error.is_panic()),
            None => std::future::pending().await,
        };
        let name = self.names.get(&id).copied().unwrap_or("a task");
        let how = if panicked { "failed" } else { "ended" };
        format!("{name} {how} by a bug; see what was logged before, and start the node again")
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[tokio::test]
    async fn a_task_that_panics_or_ends_is_named() {
        let mut tasks = Tasks::default();
        tasks.spawn("the miner", std::future::pending());
        tasks.spawn("the network", async { panic!("for this test") });
        let said = tasks.ended().await;
        assert_eq!(said, "the network failed by a bug; see what was logged before, and start the node again");
        tasks.spawn_watch("the watch", async { "the disk is gone".to_owned() });
        assert_eq!(tasks.ended().await, "the disk is gone");
        tasks.spawn("automatic mining", async {});
        let said = tasks.ended().await;
        assert_eq!(said, "automatic mining ended by a bug; see what was logged before, and start the node again");
    }
}
