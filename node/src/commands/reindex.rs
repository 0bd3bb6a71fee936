//! `cairn-node reindex`: the whole state again, from the stored blocks.

use crate::{
    config::Config,
    engine::{NodeEvent, TipStatus},
    error::CommandError,
    open::{self, Opened},
    output::{Progress, say},
    program,
    store::{BlockRef, Store, StoreConfig, StoreError, Survey},
};
use cairn_client::counted;
use chain_core::units::Height;
use serde_json::json;
use std::path::{Path, PathBuf};
use tokio::sync::broadcast::error::RecvError;

/// Forgets the state and every verdict, and executes the stored blocks again. Nothing is forgotten that the stored blocks
/// cannot make again, unless `force` says so.
pub fn reindex(config: Config, force: bool, json: bool) -> Result<(), CommandError> {
    let datadir = open::existing(&config)?;
    // A member that cannot vote is told before anything is forgotten.
    open::member(&config)?;
    let settings = open::store_config(&config);
    let pruned = check_losses(datadir, &config, &settings, force)?;
    let mut moved = false;
    let mut store = match Store::open_reset(datadir, &config.spec, &settings) {
        Err(StoreError::Lost { path, .. }) if force => {
            // A member's promise is in its record beside the database, too.
            let aside = move_aside(&path)?;
            moved = true;
            if !json {
                say(format_args!("moved the damaged database to {}\n", aside.display()));
            }
            Store::open_reset(datadir, &config.spec, &settings)?
        }
        opened => opened?,
    };
    let lost = store.forget_damaged()?;
    let opened = open::open_store(&config, store)?;
    let rebuilt = rebuild(&opened, json)?;
    let tips = opened.runtime().block_on(opened.engine.query(|engine| engine.chain().tips(usize::MAX)));
    opened.close()?;
    if pruned > 0 && !json {
        say(format_args!(
            "blocks 1 to {pruned} were pruned: start the node, which fetches them from peers that keep all blocks\n"
        ));
    }
    if !lost.is_empty() && !json {
        say(format_args!(
            "lost {}: start the node, which fetches them and what follows from its peers\n",
            listed(&lost)
        ));
    }
    if moved && rebuilt == 0 && !json {
        say(format_args!("no stored block could be read: start the node, which fetches the chain from its peers\n"));
    }
    // Every verdict was forgotten, so that what is invalid now is so by this run.
    match tips.unwrap_or_default().iter().find(|tip| tip.status == TipStatus::Invalid) {
        Some(tip) => Err(CommandError::Stopped(format!(
            "the stored branch up to block {} at height {} turned out to be invalid: see the log above",
            tip.hash, tip.height
        ))),
        None => Ok(()),
    }
}

/// Refuses to forget what the stored blocks cannot make again, unless `force` says so; returns up to where blocks were pruned.
fn check_losses(datadir: &Path, config: &Config, settings: &StoreConfig, force: bool) -> Result<Height, CommandError> {
    let command = || program::on_this_data("reindex --force");
    let survey = match Survey::run(datadir, &config.spec, settings) {
        // A database that cannot be read as it is has no state to lose, but perhaps blocks that are not there any more.
        Err(StoreError::Corrupt(_)) => {
            let pruned = Survey::pruned_of_damaged(datadir, settings).unwrap_or_default();
            Survey { pruned, ..Survey::default() }
        }
        Err(StoreError::Lost { .. }) if force => Survey::default(),
        survey => survey?,
    };
    let Survey { tip, damaged, pruned } = survey;
    if pruned > 0 && !force {
        return Err(CommandError::PrunedBlocks { pruned, command: command() });
    }
    // Blocks above the tip are of no state that could be lost.
    let lost = damaged.first().is_some_and(|first| tip.is_some_and(|tip| first.height <= tip));
    if lost && !force {
        return Err(CommandError::DamagedBlocks { blocks: listed(&damaged), command: command() });
    }
    Ok(pruned)
}

/// Executes what is stored; returns up to which height.
fn rebuild(opened: &Opened, json: bool) -> Result<Height, CommandError> {
    let mut events = opened.engine.subscribe();
    let total = opened.engine.chain_info().best_header;
    let mut progress = Progress::new("Rebuilding the state", total.into());
    let done = opened.runtime().block_on(async {
        let failed = opened.engine.failed();
        tokio::pin!(failed);
        while opened.engine.chain_info().connecting {
            tokio::select! {
                reason = &mut failed => return Err(CommandError::Stopped(reason)),
                event = events.recv() => match event {
                    Ok(NodeEvent::Progress(done, _)) => progress.at(done.into()),
                    Ok(_) | Err(RecvError::Lagged(_)) => progress.at(opened.engine.chain_info().height.into()),
                    Err(RecvError::Closed) => return Err(CommandError::Stopped(failed.await)),
                },
            }
        }
        Ok(opened.engine.chain_info().height)
    });
    let (took, done) = (progress.finish(), done?);
    let seconds = took.as_secs_f64();
    match json {
        true => say(format_args!("{:#}\n", json!({ "blocks": done, "seconds": seconds }))),
        false => say(format_args!(
            "rebuilt {} in {seconds:.1} s, {:.0} a second\n",
            counted(done, "block"),
            f64::from(done) / seconds.max(0.001)
        )),
    }
    Ok(done)
}

/// Blocks for a message, not without end.
fn listed(blocks: &[BlockRef]) -> String {
    const SHOWN: usize = 5;
    let shown: Vec<_> = blocks.iter().take(SHOWN).map(|at| format!("{} ({})", at.height, at.hash)).collect();
    let more = match blocks.len().saturating_sub(SHOWN) {
        0 => String::new(),
        more => format!(" and {more} more"),
    };
    let what = if blocks.len() == 1 { "the block" } else { "the blocks" };
    format!("{what} at height {}{more}", shown.join(", "))
}

/// Renames a database to a name that is free.
fn move_aside(path: &Path) -> Result<PathBuf, CommandError> {
    let name = |number: u32| path.with_added_extension(format!("damaged-{number}"));
    let aside = (1..).map(name).find(|aside| !aside.exists()).unwrap_or_else(|| name(0));
    std::fs::rename(path, &aside).map_err(CommandError::io(format!("move {} aside", path.display())))?;
    Ok(aside)
}
