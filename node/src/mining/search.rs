//! The loop between engine and miner: templates in, blocks out.

use cairn_miner::{Event, Midstate, Miner, Solution, Work};
use chain_core::block::Block;
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::{broadcast::error::RecvError, mpsc},
    time::sleep,
};

use super::Mining;
use crate::{
    engine::{BlockOutcome, NodeEvent, SubmitBlockError, TemplateError},
    template::{LongPollId, Template},
};

/// A template is replaced at least so often, so that its time stays near the clock's.
const REFRESH: Duration = Duration::from_secs(10);
/// How long to wait after a template could not be made, or while syncing.
const RETRY: Duration = Duration::from_millis(500);
/// Bytes at the end of the coinbase that the search counts through.
const EXTRANONCE: usize = 8;

impl Mining {
    /// Mines whenever it is switched on. Never ends before the engine does.
    pub async fn drive(self: Arc<Self>) {
        loop {
            while !self.state.lock().on {
                self.changed.notified().await;
            }
            let (found, mut solutions) = mpsc::unbounded_channel();
            let threads = self.state.lock().threads;
            let miner = Arc::new(Miner::start(threads, Midstate, move |event| {
                // Nobody listens any more when the miner is being stopped.
                let _ = found.send(event);
            }));
            self.state.lock().miner = Some(miner.clone());
            let ended = self.mine_on(&miner, threads, &mut solutions).await;
            self.state.lock().miner = None;
            // Its threads end within a millisecond or so.
            drop(miner);
            if ended.is_err() {
                return;
            }
        }
    }

    /// Mines until it is switched off or told to use another number of threads. An error means that the engine stops.
    async fn mine_on(
        &self,
        miner: &Miner,
        threads: usize,
        solutions: &mut mpsc::UnboundedReceiver<Event>,
    ) -> Result<(), TemplateError> {
        let mut current: Option<(u64, Template)> = None;
        let mut than = None;
        loop {
            let template = self.template(than);
            tokio::pin!(template);
            let event = tokio::select! {
                template = &mut template => {
                    let Some(template) = template? else { continue };
                    than = Some(template.longpoll);
                    let number = current.map_or(0, |(number, _)| number + 1);
                    miner.set_work(Work::of_block(number.to_string(), &template.block, template.target, EXTRANONCE));
                    current = Some((number, template));
                    continue;
                }
                event = solutions.recv() => event,
                () = self.changed.notified() => {
                    let state = self.state.lock();
                    if !state.on || state.threads != threads {
                        return Ok(());
                    }
                    None
                }
            };
            if let (Some(Event::Found(solution)), Some((number, template))) = (event, &current)
                // Else the work was replaced while the solution was on its way.
                && solution.work.id == number.to_string()
            {
                self.submit(solution, template).await;
            }
            // Somebody else is to be paid, or there is nothing left to search: another template at once.
            than = None;
        }
    }

    /// A template that is better than the last, or as good but fresher; `None` to try again.
    async fn template(&self, than: Option<LongPollId>) -> Result<Option<Template>, TemplateError> {
        if self.engine.chain_info().syncing {
            sleep(RETRY).await;
            return Ok(None);
        }
        let request = self.request(vec![0; EXTRANONCE]);
        let template = match than {
            Some(than) => self.engine.next_template(request, than, REFRESH).await,
            None => self.engine.block_template(request).await,
        };
        match template {
            Ok(template) => Ok(Some(template)),
            Err(TemplateError::Stopped) => Err(TemplateError::Stopped),
            Err(error) => {
                tracing::warn!(%error, "no block template, trying again");
                sleep(RETRY).await;
                Ok(None)
            }
        }
    }

    async fn submit(&self, solution: Solution, template: &Template) {
        let Ok(coinbase) = chain_core::codec::decode(&solution.coinbase) else {
            tracing::error!("the miner broke the coinbase; please report this");
            return;
        };
        let rest = template.block.transactions.iter().skip(1).cloned();
        let block = Block { header: solution.header, transactions: std::iter::once(coinbase).chain(rest).collect() };
        match self.engine.submit_block(block).await {
            Ok(BlockOutcome::Connected { .. }) => self.state.lock().blocks += 1,
            Ok(outcome) => tracing::info!(?outcome, "a mined block did not extend the chain"),
            Err(SubmitBlockError::Stopped) => {}
            Err(error) => tracing::warn!(%error, "a mined block is refused"),
        }
    }

    /// Mines a block whenever a transaction comes in, as long as that is switched on.
    pub async fn automine(self: Arc<Self>) {
        let mut events = self.engine.subscribe();
        loop {
            match events.recv().await {
                Ok(NodeEvent::TransactionAdded(_)) | Err(RecvError::Lagged(_)) => {}
                Ok(_) => continue,
                Err(RecvError::Closed) => return,
            }
            if !self.state.lock().automine || self.engine.mempool_stats().pending == 0 {
                continue;
            }
            if let Err(error) = self.mine_now(1, None).await {
                tracing::warn!(%error, "no block for a transaction");
            }
        }
    }
}
