//! Cairn's VM beside revm, in one process, on the same state in memory.
//!
//! Run: `cargo bench -p cairn-vm-tests --bench vm -- --filter TEXT`.

#![allow(missing_docs, reason = "a benchmark has no users")]

mod engines;
mod inputs;
mod measure;
mod programs;
mod sweep;
mod transfer;

use clap::Parser;
use std::{path::PathBuf, process::ExitCode, time::Duration};

/// Cairn's VM beside revm.
#[derive(Parser)]
pub struct Arguments {
    /// Measure only what has this text in its name
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Milliseconds to spend on each line of the table
    #[arg(long, value_name = "MS", default_value_t = 600)]
    budget: u64,
    /// Folder of inputs [default: evm-bench in the folder of vectors]
    #[arg(long, value_name = "FOLDER")]
    inputs: Option<PathBuf>,
    /// Leave out the search for the slowest instructions
    #[arg(long)]
    no_sweep: bool,
    /// Print all of the sweep, not only the slowest
    #[arg(long)]
    all: bool,
    /// Given by cargo
    #[arg(long, hide = true)]
    bench: bool,
}

impl Arguments {
    fn wants(&self, name: &str) -> bool {
        self.filter.as_ref().is_none_or(|filter| name.contains(filter.as_str()))
    }

    fn budget(&self) -> Duration {
        Duration::from_millis(self.budget)
    }
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    let folder = arguments.inputs.clone().unwrap_or_else(|| cairn_vectors::folder().join("evm-bench"));
    let mut right = true;
    if folder.is_dir() {
        right = inputs::run(&folder, &arguments);
    } else {
        println!("skipped: no vectors at {}", folder.display());
    }
    transfer::run(&arguments);
    if !arguments.no_sweep {
        right &= sweep::run(&arguments);
    }
    if right { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
