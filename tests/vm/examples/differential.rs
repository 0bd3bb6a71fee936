//! Cairn beside revm on generated programs: `--seeds FROM..TO` (or a count), `--threads N`. A difference is shrunk and printed
//! with its seed, and makes the command fail.

#[path = "../tests/oracle/mod.rs"]
mod oracle;

use cairn_vm_tests::pool;
use clap::Parser;
use oracle::{Tally, explain};
use std::{ops::Range, process::ExitCode, time::Instant};

/// Seeds that are run between two lines of progress.
const PORTION: u64 = 20_000;

/// Most differences that are explained.
const SHOWN: usize = 5;

#[derive(Parser)]
struct Arguments {
    /// Seeds: `FROM..TO`, or how many from 0 on.
    #[arg(long, default_value = "100000", value_parser = seeds)]
    seeds: Range<u64>,
    /// Threads; all cores unless given.
    #[arg(long)]
    threads: Option<usize>,
}

fn seeds(text: &str) -> Result<Range<u64>, String> {
    let number = |text: &str| text.replace('_', "").parse::<u64>().map_err(|error| error.to_string());
    match text.split_once("..") {
        Some((from, to)) => Ok(number(from)?..number(to)?),
        None => Ok(0..number(text)?),
    }
}

fn main() -> ExitCode {
    let Arguments { seeds, threads } = Arguments::parse();
    let (threads, started) = (threads.unwrap_or_else(pool::cores), Instant::now());
    let mut tally = Tally::default();
    for from in seeds.clone().step_by(PORTION as usize) {
        let portion: Vec<u64> = (from..seeds.end.min(from + PORTION)).collect();
        tally = pool::map(threads, &portion, |seed| Tally::of(*seed)).into_iter().fold(tally, Tally::add);
        let rate = tally.cases as f64 / started.elapsed().as_secs_f64();
        println!("seed {}: {} programs, {rate:.0} a second, {} differ", from, tally.cases, tally.differences.len());
    }
    tally.differences.iter().take(SHOWN).for_each(|seed| println!("\n{}", explain(*seed)));
    let [refused, succeeded, reverted, halted] = tally.ended;
    println!(
        "{refused} transactions refused, {succeeded} succeeded, {reverted} reverted, {halted} halted; {} gas",
        tally.gas
    );
    println!("seeds {seeds:?}: {} programs, {} differences", tally.cases, tally.differences.len());
    if tally.differences.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}
