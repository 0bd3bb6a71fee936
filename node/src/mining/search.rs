//! The loop between engine and miner: templates in, blocks out.

use cairn_client::{hash_rate, unix};
use cairn_miner::{Event, Miner, Solution, Threads, Work};
use chain_core::{block::Block, transaction::Transaction, work::pow};
use std::{sync::Arc, time::Duration};
use tokio::{
    sync::mpsc,
    time::{interval, sleep},
};

use super::{Finder, Found, Mining, Switch, Waiting};
use crate::engine::{BlockOutcome, LongPollId, SubmitBlockError, Template, TemplateError};

/// A template is replaced at least so often, so that its time stays near the clock's.
const REFRESH: Duration = Duration::from_secs(10);
/// How long to wait after a template could not be made, or while syncing.
const RETRY: Duration = Duration::from_millis(500);
/// Bytes at the end of the coinbase's `extra` that the search counts through.
const EXTRANONCE: usize = 8;
/// Seconds of mining after which the log has the hash rate first, and from then on.
const RATE_LOGGED: [u64; 2] = [30, 600];

impl Mining {
    /// Mines whenever it is switched on. Never ends before the engine does.
    pub async fn drive(self: Arc<Self>) {
        loop {
            while !self.state.lock().is_on() {
                self.changed.notified().await;
            }
            let (found, mut solutions) = mpsc::unbounded_channel();
            let threads = self.state.lock().threads;
            let miner = Miner::start(Threads::new(threads), cairn_miner::fastest(), move |event| {
                // Nobody listens any more when the miner is being stopped.
                let _ = found.send(event);
            });
            let miner = match miner {
                Ok(miner) => Arc::new(miner),
                Err(error) => {
                    tracing::error!("mining is switched off: {error} (--miner.threads, miner_start)");
                    self.state.lock().switch = Switch::Off;
                    continue;
                }
            };
            self.state.lock().miner = Some(miner.clone());
            tracing::info!(threads, kernel = miner.kernel(), "mining");
            let ended = tokio::select! {
                ended = self.mine_on(&miner, threads, &mut solutions) => ended,
                () = self.log_rate(&miner) => Ok(()),
            };
            self.note_end();
            // Its threads end within a millisecond or so.
            drop(miner);
            if ended.is_err() {
                return;
            }
        }
    }

    /// The miner's threads end: it was switched off, or others begin.
    fn note_end(&self) {
        let mut state = self.state.lock();
        (state.miner, state.waiting) = (None, None);
        if !state.is_on() {
            tracing::info!("mining stopped");
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
        let mut number = 0_u64;
        let mut than = None;
        loop {
            let template = self.template(miner, than);
            tokio::pin!(template);
            let event = tokio::select! {
                template = &mut template => {
                    let Some(template) = template? else {
                        than = None;
                        continue;
                    };
                    than = Some(template.longpoll);
                    number += 1;
                    miner.set_work(Work::of_block(number.to_string(), &template.block, template.target, EXTRANONCE));
                    current = Some((number, template));
                    continue;
                }
                event = solutions.recv() => event,
                () = self.changed.notified() => {
                    let state = self.state.lock();
                    if !state.is_on() || state.threads != threads {
                        return Ok(());
                    }
                    None
                }
            };
            if let Some(Event::Found(solution)) = event {
                // Else the work was replaced while the solution was on its way, or another one of it came before.
                let Some((_, template)) = current.take_if(|(number, _)| solution.work.id == number.to_string()) else {
                    continue;
                };
                self.submit(miner, solution, &template).await;
            }
            // Somebody else is to be paid, or there is nothing left to search: another template at once.
            than = None;
        }
    }

    /// A template that is better than the last, or as good but fresher; `None` to try again.
    async fn template(&self, miner: &Miner, than: Option<LongPollId>) -> Result<Option<Template>, TemplateError> {
        if self.engine.chain_info().syncing {
            self.wait(miner, Waiting::Sync).await;
            return Ok(None);
        }
        let request = self.request(vec![0; EXTRANONCE]);
        let template = match than {
            Some(than) => self.engine.next_template(request, than, REFRESH).await,
            None => self.engine.block_template(request).await,
        };
        match template {
            Ok(template) => {
                if let Some(Waiting::Clock { .. }) = self.state.lock().waiting.take() {
                    tracing::info!("the clock has caught up with the newest block: mining again");
                }
                Ok(Some(template))
            }
            Err(TemplateError::Stopped) => Err(TemplateError::Stopped),
            Err(error) => {
                self.wait_after(miner, &error).await;
                Ok(None)
            }
        }
    }

    /// No template could be made: waits, and says why, once if that is the clock.
    async fn wait_after(&self, miner: &Miner, error: &TemplateError) {
        let TemplateError::ClockBehind { ahead, .. } = error else {
            tracing::warn!(%error, "no block template, trying again");
            return sleep(RETRY).await;
        };
        if !matches!(self.state.lock().waiting, Some(Waiting::Clock { .. })) {
            tracing::warn!("mining pauses: {error}");
        }
        self.wait(miner, Waiting::Clock { ahead: *ahead }).await;
    }

    /// Searches nothing for a while, for a reason that others can ask for.
    async fn wait(&self, miner: &Miner, reason: Waiting) {
        miner.pause();
        self.state.lock().waiting = Some(reason);
        sleep(RETRY).await;
    }

    /// Logs the hash rate now and then. Never ends.
    async fn log_rate(&self, miner: &Miner) {
        let mut ticks = interval(Duration::from_secs(1));
        for second in 0_u64.. {
            ticks.tick().await;
            // Asked each second, for it is the mean since the calls before.
            let rate = miner.hash_rate();
            let [first, every] = RATE_LOGGED;
            if rate > 0.0 && (second == first || second > 0 && second.is_multiple_of(every)) {
                let difficulty = pow::target(self.engine.chain_info().next_bits).map(pow::work).unwrap_or_default();
                let seconds = (f64::from(difficulty) / rate) as u64;
                let blocks = self.status().blocks;
                tracing::info!(blocks, "mining at {}, a block about every {seconds} s", hash_rate(rate));
            }
        }
    }

    /// Hands in a block. The search goes on until it is known that the block is the tip.
    async fn submit(&self, miner: &Miner, solution: Solution, template: &Template) {
        let Ok(coinbase) = chain_core::codec::decode(&solution.coinbase).map(Transaction::Coinbase) else {
            tracing::error!("the miner broke the coinbase; please report this");
            return;
        };
        let rest = template.block.transactions.iter().skip(1).cloned();
        let block = Block { header: solution.header, transactions: std::iter::once(coinbase).chain(rest).collect() };
        self.note_mined(block.hash());
        let found = Found::of(&block, Finder::Own, unix());
        match self.engine.submit_block(block).await {
            Ok(BlockOutcome::Connected { .. }) => {
                miner.pause();
                self.note_found(found);
                sleep(self.pace).await;
            }
            Ok(BlockOutcome::SideBranch) => tracing::info!("a mined block came second: another one is the tip"),
            Ok(outcome) => {
                tracing::info!(?outcome, "a mined block did not extend the chain");
                sleep(RETRY).await;
            }
            Err(SubmitBlockError::Stopped) => {}
            Err(error) => {
                tracing::warn!(%error, "a mined block is refused");
                sleep(RETRY).await;
            }
        }
    }
}
