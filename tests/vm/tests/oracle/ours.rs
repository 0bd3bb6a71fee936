//! A case through Cairn's transition.

use alloy_primitives::B256;
use cairn_vm_tests::fuzz::{Case, Step, world::View};
use chain_core::{
    error::ExecuteError,
    execute::{Environment, Outcome, transition},
    state::Overlay,
    vm::Status,
};

use super::{Answer, Ran};

pub(super) fn run(case: &Case) -> Answer {
    let view = View::new(&case.world, case.environment.number);
    let mut overlay = Overlay::new(&view);
    let ran = case.steps.iter().map(|step| run_step(&case.environment, &mut overlay, step)).collect();
    let diff = overlay.into_diff();
    for change in &diff.accounts {
        assert!(!change.after.is_some_and(|account| account.is_empty()), "{} is empty, but there", change.address);
    }
    Answer { ran, world: case.world.after(&diff) }
}

fn run_step(environment: &Environment, overlay: &mut Overlay<'_>, Step { sender, fields }: &Step) -> Ran {
    match transition(environment, overlay, B256::ZERO, fields, *sender, environment.gas_limit) {
        Ok(outcome) => done(outcome),
        Err(ExecuteError::Rule(_)) => Ran::Refused,
        Err(ExecuteError::View(error)) => panic!("{error}"),
    }
}

fn done(outcome: Outcome) -> Ran {
    let status = match outcome.status {
        Status::Success => "success",
        Status::Revert => "revert",
        Status::Halt(_) => "halt",
    };
    let Outcome { gas_used, output, logs, created, .. } = outcome;
    Ran::Done { status, gas_used, output, logs, created }
}
