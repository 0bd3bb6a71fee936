//! One file an experiment: what runs, and the page about it.

pub mod asert;
pub mod depth;
pub mod double_spend;
pub mod finality;
mod finality_model;
pub mod prefix;
pub mod selfish;
pub mod stale;

use cairn_sim::{Outcome, World};

/// Lets some time happen.
fn play(world: &mut World, milliseconds: u64) -> Result<(), String> {
    world.play(milliseconds).map_err(|violation| format!("an invariant broke: {violation:?}"))
}

/// Ends a history.
fn close(world: World) -> Result<Outcome, String> {
    let outcome = world.close();
    match &outcome.violation {
        None => Ok(outcome),
        Some(violation) => Err(format!("an invariant broke: {violation:?}")),
    }
}

/// In per cent, with as many digits as a small number needs.
fn percent(value: f64) -> String {
    let value = 100.0 * value;
    match value {
        0.0 => "0".into(),
        ..0.001 => format!("{value:.1e}"),
        ..0.1 => format!("{value:.4}"),
        ..10.0 => format!("{value:.2}"),
        _ => format!("{value:.1}"),
    }
}
