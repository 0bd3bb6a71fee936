//! Passes what happens in a run to the recorders that want it.

use alloy_primitives::Log;
use chain_core::{
    execute::Outcome,
    state::Overlay,
    units::Gas,
    vm::{FrameEnd, FrameStart, Halt, Inspector, Step},
};

use super::{
    calls::Calls,
    limit::Limit,
    selectors::Selectors,
    steps::Steps,
    touched::{Subject, Touched},
};
use crate::rpc::base::{Call, RpcResult};

/// One of the things that a run may be recorded for.
pub enum Recorder {
    /// Every instruction.
    Steps(Steps),
    /// The tree of calls.
    Calls(Calls),
    /// Accounts and slots, before and after.
    Touched(Touched),
    /// Which functions are called.
    Selectors(Selectors),
}

/// Recorders of one run, and what they may hold together.
pub struct Watch<'c> {
    /// In the order of their results.
    pub recorders: Vec<Recorder>,
    /// What they may still hold.
    pub limit: Limit<'c>,
}

impl<'c> Watch<'c> {
    /// Recorders that hold so many bytes at most.
    pub fn new(call: &'c Call, bytes: usize, recorders: Vec<Recorder>) -> Self {
        Self { recorders, limit: Limit::new(call, bytes) }
    }

    /// Reads what is before the run.
    ///
    /// # Errors
    /// If the state cannot be read.
    pub fn begin(&mut self, state: &mut Overlay<'_>, subject: &Subject<'_>) -> RpcResult<()> {
        for recorder in &mut self.recorders {
            if let Recorder::Touched(touched) = recorder {
                touched.begin(state, subject, &mut self.limit)?;
            }
        }
        Ok(())
    }

    /// Reads what is after the run. A run that was ended has failed: the reason comes first.
    ///
    /// # Errors
    /// -32005 beyond the limit or the time of the call; the error of the run.
    pub fn end(&mut self, state: &mut Overlay<'_>, ran: RpcResult<Outcome>) -> RpcResult<Outcome> {
        self.limit.check()?;
        let outcome = ran?;
        for recorder in &mut self.recorders {
            if let Recorder::Touched(touched) = recorder {
                touched.end(state)?;
            }
        }
        Ok(outcome)
    }

    /// Takes the tree of calls, if it is recorded.
    pub fn take_calls(&mut self) -> Option<Calls> {
        std::mem::take(&mut self.recorders).into_iter().find_map(|recorder| match recorder {
            Recorder::Calls(calls) => Some(calls),
            _ => None,
        })
    }
}

impl Inspector for Watch<'_> {
    fn stopped(&mut self) -> bool {
        self.limit.is_over()
    }

    fn step(&mut self, step: &Step<'_>, state: &mut Overlay<'_>) {
        for recorder in &mut self.recorders {
            match recorder {
                Recorder::Steps(steps) => steps.step(step, state, &mut self.limit),
                Recorder::Touched(touched) => touched.step(step, state, &mut self.limit),
                Recorder::Calls(_) | Recorder::Selectors(_) => {}
            }
        }
    }

    fn step_end(&mut self, cost: Gas, halt: Option<Halt>) {
        for recorder in &mut self.recorders {
            match recorder {
                Recorder::Steps(steps) => steps.step_end(cost, halt, &mut self.limit),
                Recorder::Touched(touched) => touched.step_end(halt),
                Recorder::Calls(_) | Recorder::Selectors(_) => {}
            }
        }
    }

    fn enter(&mut self, frame: &FrameStart<'_>) {
        for recorder in &mut self.recorders {
            match recorder {
                Recorder::Calls(calls) => calls.enter(frame, &mut self.limit),
                Recorder::Selectors(selectors) => selectors.enter(frame, &mut self.limit),
                Recorder::Steps(_) | Recorder::Touched(_) => {}
            }
        }
    }

    fn exit(&mut self, frame: &FrameEnd<'_>) {
        for recorder in &mut self.recorders {
            if let Recorder::Calls(calls) = recorder {
                calls.exit(frame, &mut self.limit);
            }
        }
    }

    fn log(&mut self, log: &Log) {
        for recorder in &mut self.recorders {
            if let Recorder::Calls(calls) = recorder {
                calls.log(log, &mut self.limit);
            }
        }
    }
}
