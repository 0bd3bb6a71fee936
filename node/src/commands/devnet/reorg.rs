//! A real reorganisation on demand: two branches are mined apart, then the network heals and the one with more work wins.

use cairn_client::counted;
use cairn_miner::{Event, Miner, Threads, Work};
use chain_core::{block::Block, codec, work::pow};
use serde_json::{Value, json};
use std::{
    sync::mpsc::{self, RecvTimeoutError},
    time::{Duration, Instant},
};

use super::{fleet::Fleet, member::text};
use crate::error::CommandError;

/// How long all may take to stand at one tip.
const AGREE: Duration = Duration::from_secs(60);
/// How long nodes that do not mine may differ before they are taken for tied: what is on its way arrives sooner.
const TIE: Duration = Duration::from_secs(5);
/// How often it says how far it is.
const REPORT: Duration = Duration::from_secs(2);
/// How often a search looks whether it is to stop.
const LOOK: Duration = Duration::from_millis(100);

/// Disconnects exactly `depth` blocks on all nodes but the last one that runs. `tell` hears how it goes.
///
/// # Errors
/// [`CommandError`]; the network is healed also then.
pub fn reorg(fleet: &mut Fleet, depth: u32, tell: impl Fn(String)) -> Result<(), CommandError> {
    let alive = fleet.alive();
    let Some((winner, losers)) = alive.split_last().filter(|(_, losers)| !losers.is_empty()) else {
        return Err(CommandError::Stopped("a reorganisation takes two nodes that run".to_owned()));
    };
    fleet.mine(false)?;
    let result = branches(fleet, *winner, losers, depth, tell);
    // All nodes are about to be stopped.
    if matches!(result, Err(CommandError::Interrupted)) {
        return result;
    }
    fleet.heal()?;
    fleet.mine(true)?;
    result
}

fn branches(
    fleet: &mut Fleet,
    winner: usize,
    losers: &[usize],
    depth: u32,
    tell: impl Fn(String),
) -> Result<(), CommandError> {
    let all: Vec<usize> = losers.iter().copied().chain([winner]).collect();
    fleet.heal()?;
    let fork = match fleet.agree(&all, TIE) {
        // Two tips of the same work, which nobody goes on from: the miners rest.
        Err(CommandError::Stopped(_)) => {
            mine_one(fleet, winner)?;
            fleet.agree(&all, AGREE)?
        }
        fork => fork?,
    };
    fleet.partition(&[losers.to_vec(), vec![winner]])?;
    let blocks = counted(depth, "block");
    tell(format!("node {winner} is cut off at height {}; the others mine {blocks}", fork.height));
    let mut told = Instant::now();
    for number in 1..=depth {
        mine_one(fleet, losers[0])?;
        report(&mut told, format!("mined {number} of {depth}"), &tell);
    }
    let lost = fleet.agree(losers, AGREE)?;
    tell(format!("node {winner} mines a branch with more work"));
    let mut number = 0;
    while fleet.row(winner).work <= lost.work {
        mine_one(fleet, winner)?;
        number += 1;
        report(&mut told, format!("mined {number}, more work than that of {blocks} is needed"), &tell);
    }
    fleet.heal()?;
    let won = fleet.agree(&all, AGREE)?;
    let gone = counted(lost.height - fork.height, "block");
    tell(format!("reorganised: {gone} disconnected, height {} to {}", lost.height, won.height));
    Ok(())
}

/// Mines exactly so many blocks on a node while the nodes' own miners rest.
///
/// # Errors
/// [`CommandError`]; the miners go on also then.
pub fn mine(fleet: &mut Fleet, index: usize, count: u32, tell: impl Fn(String)) -> Result<(), CommandError> {
    fleet.mine(false)?;
    let mut told = Instant::now();
    let result = (1..=count).try_for_each(|number| {
        mine_one(fleet, index)?;
        report(&mut told, format!("mined {number} of {count}"), &tell);
        Ok(())
    });
    if !matches!(result, Err(CommandError::Interrupted)) {
        fleet.mine(true)?;
    }
    result
}

/// Says now and then how far it is.
fn report(told: &mut Instant, text: String, tell: impl Fn(String)) {
    if told.elapsed() >= REPORT {
        *told = Instant::now();
        tell(text);
    }
}

/// Mines one block on a node, here, so that there is exactly one.
fn mine_one(fleet: &Fleet, index: usize) -> Result<(), CommandError> {
    let template = fleet.call(index, "miner_getTemplate", json!([{ "full": true }]))?;
    let odd = || CommandError::Stopped("the node returned an invalid template".to_owned());
    let block: Block =
        hex::decode(text(&template["block"])).ok().and_then(|bytes| codec::decode(&bytes).ok()).ok_or_else(odd)?;
    let target = pow::target(block.header.bits).map_err(|_| odd())?;
    let (found, events) = mpsc::channel();
    let miner = Miner::start(Threads::new(1), cairn_miner::fastest(), move |event| {
        // Nobody listens once a solution is there.
        let _ = found.send(event);
    })
    .map_err(|error| CommandError::Stopped(error.to_string()))?;
    miner.set_work(Work::of_block(String::new(), &block, target, 8));
    let solution = loop {
        match events.recv_timeout(LOOK) {
            Ok(Event::Found(solution)) => break solution,
            Ok(_) | Err(RecvTimeoutError::Disconnected) => return Err(odd()),
            Err(RecvTimeoutError::Timeout) => fleet.go_on()?,
        }
    };
    let header = hex::encode(codec::encode(&solution.header));
    let submission: Value = json!([template["id"], header, hex::encode(&solution.coinbase)]);
    match fleet.call(index, "miner_submit", submission)?["status"].as_str() {
        Some("connected" | "stored") => Ok(()),
        other => Err(CommandError::Stopped(format!("a block mined for a reorganisation was {other:?}"))),
    }
}
