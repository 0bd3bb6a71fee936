//! `cairn-node reindex`: the whole state again, from the stored blocks.

use super::{CommandError, Progress, say};
use crate::{
    config::Config,
    engine::NodeEvent,
    run,
    store::{Store, StoreError},
};
use tokio::sync::broadcast::error::RecvError;

/// Forgets the state and every verdict, and executes the stored blocks again.
pub fn reindex(config: Config) -> Result<(), CommandError> {
    let datadir = run::datadir(&config)?;
    let store = Store::open_reset(datadir, &config.spec, &run::store_config(&config)).map_err(|error| match error {
        StoreError::Corrupt(reason) => CommandError::BeyondRepair { path: datadir.to_owned(), reason },
        other => other.into(),
    })?;
    let opened = run::open_store(&config, store)?;
    let mut events = opened.engine.subscribe();
    let total = opened.engine.chain_info().best_header;
    let mut progress = Progress::new("Rebuilding the state", total.into());
    let done = opened.runtime().block_on(async {
        while opened.engine.chain_info().syncing {
            match events.recv().await {
                Ok(NodeEvent::Progress(done, _)) => progress.at(done.into()),
                Ok(_) | Err(RecvError::Lagged(_)) => progress.at(opened.engine.chain_info().height.into()),
                Err(RecvError::Closed) => break,
            }
        }
        opened.engine.chain_info().height
    });
    let took = progress.finish();
    say(format_args!(
        "rebuilt {done} blocks in {:.1} s, {:.0} blocks a second\n",
        took.as_secs_f64(),
        f64::from(done) / took.as_secs_f64().max(0.001)
    ));
    Ok(())
}
