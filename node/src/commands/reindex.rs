//! `cairn-node reindex`: the whole state again, from the stored blocks.

use super::{CommandError, Progress, say};
use crate::{
    config::Config,
    engine::NodeEvent,
    run,
    store::{Store, StoreError},
    text::count,
};
use serde_json::json;
use tokio::sync::broadcast::error::RecvError;

/// Forgets the state and every verdict, and executes the stored blocks again.
pub fn reindex(config: Config, json: bool) -> Result<(), CommandError> {
    let datadir = run::existing(&config)?;
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
    let seconds = took.as_secs_f64();
    match json {
        true => say(format_args!("{:#}\n", json!({ "blocks": done, "seconds": seconds }))),
        false => say(format_args!(
            "rebuilt {} in {seconds:.1} s, {:.0} a second\n",
            count(done, "block"),
            f64::from(done) / seconds.max(0.001)
        )),
    }
    Ok(())
}
