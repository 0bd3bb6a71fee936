//! `sim`: runs seeded histories of the network, or one of them with a log.

use cairn_lab::output::say;
use cairn_sim::{Kind, LONG, ModelName, Overrides, Plan, Report, history, run};
use chain_core::spec::MOST_MEMBERS;
use clap::Parser;
use std::{
    io::{IsTerminal, Write},
    ops::Range,
    process::ExitCode,
    sync::atomic::{AtomicU64, Ordering},
    time::{Duration, Instant},
};

/// Runs histories of a simulated network of whole engines, with faults and attackers, and checks that nothing breaks.
#[derive(Parser, Debug)]
#[command(version, about)]
struct Args {
    /// Seeds to run, as in 0..1000
    #[arg(long, default_value = "0..100", value_parser = parse_range)]
    seeds: Range<u64>,
    /// One seed alone
    #[arg(long, conflicts_with = "seeds")]
    seed: Option<u64>,
    /// Prints all that happens; for one seed
    #[arg(long, requires = "seed")]
    log: bool,
    /// Nodes, attackers included [default: 4 to 10; 10 for every 20th seed]
    #[arg(long)]
    nodes: Option<usize>,
    /// Blocks before the network is made good again [default: 20 to 80; 200 for every 20th seed]
    #[arg(long)]
    blocks: Option<u32>,
    /// What is promised of delays [default: the seed picks]
    #[arg(long)]
    model: Option<ModelName>,
    /// Who attacks
    #[arg(long, value_parser = parse_attack, help = format!("Who attacks: {} [default: the seed picks]", attacks()))]
    attack: Option<Attack>,
    /// The attackers' part of the hash rate [default: the seed picks]
    #[arg(long, value_parser = parse_part)]
    share: Option<f64>,
    /// Part of the honest hash rate that hears of an attacker's block first in a race [default: latencies decide]
    #[arg(long, value_parser = parse_part)]
    gamma: Option<f64>,
    /// Confirmations that double spenders must wait for [default: 1 to 6]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000))]
    confirmations: Option<u32>,
    /// Difficulty stays what it is
    #[arg(long)]
    fixed: bool,
    /// How many nodes are members of finality: 4, 7, 10, ... [default: none]
    #[arg(long, value_parser = parse_members)]
    members: Option<u8>,
    /// Most blocks that a certificate may disconnect [default: 400, or 2 to 10 for two seeds in five]
    #[arg(long, value_parser = clap::value_parser!(u32).range(1..=1_000), requires = "members")]
    window: Option<u32>,
    /// Blocks that the chain has when the history begins, 2,400 to 20,000; 0 for none [default: 2,400 for one seed in 80, and for long-headers]
    #[arg(long, value_parser = parse_past, conflicts_with_all = ["members", "slow"])]
    past: Option<u32>,
    /// Some honest node has a slow processor [default: the seed picks]
    #[arg(long)]
    slow: bool,
    /// Threads [default: one a core]
    #[arg(long)]
    jobs: Option<usize>,
    /// Prints how many histories run in ten minutes beside this number
    #[arg(long)]
    aim: Option<u32>,
}

#[derive(Clone, Copy, Debug)]
struct Attack(Option<Kind>);

fn parse_attack(text: &str) -> Result<Attack, String> {
    if text == "none" {
        return Ok(Attack(None));
    }
    <Kind as clap::ValueEnum>::from_str(text, true)
        .map(|kind| Attack(Some(kind)))
        .map_err(|_| format!("expected {}", attacks()))
}

/// All that can be asked for.
fn attacks() -> String {
    let names = |kinds: &[Kind]| kinds.iter().map(|kind| kind.name()).collect::<Vec<_>>().join(", ");
    let members: Vec<Kind> = Kind::MEMBERS.into_iter().filter(|kind| !Kind::ALL.contains(kind)).collect();
    format!("none, {}; with --members also {}", names(&Kind::ALL), names(&members))
}

fn parse_part(text: &str) -> Result<f64, String> {
    let part = text.parse().ok().filter(|part| (0.0..=1.0).contains(part));
    part.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

/// One of them may attack, so there are four at least.
fn parse_members(text: &str) -> Result<u8, String> {
    let count =
        text.parse::<u8>().ok().filter(|count| usize::from(*count) <= MOST_MEMBERS && *count >= 4 && count % 3 == 1);
    count.ok_or_else(|| format!("expected 4, 7, 10, ... or {MOST_MEMBERS}: 3f + 1 members, of which f may be faulty"))
}

/// The attacks on long chains are made for this length at least.
fn parse_past(text: &str) -> Result<u32, String> {
    let past = text.parse().ok().filter(|past| *past == 0 || (LONG..=20_000).contains(past));
    past.ok_or_else(|| format!("expected 0, or {LONG} to 20000"))
}

fn parse_range(text: &str) -> Result<Range<u64>, String> {
    let range = text.split_once("..").and_then(|(from, to)| Some(from.parse().ok()?..to.parse().ok()?));
    range.filter(|range: &Range<u64>| !range.is_empty()).ok_or_else(|| "expected two numbers, as in 0..1000".to_owned())
}

fn main() -> ExitCode {
    let args = Args::parse();
    let overrides = Overrides {
        nodes: args.nodes,
        blocks: args.blocks,
        model: args.model,
        attack: args.attack.map(|Attack(kind)| kind),
        share: args.share,
        gamma: args.gamma,
        confirmations: args.confirmations,
        fixed: args.fixed,
        members: args.members,
        window: args.window,
        past: args.past,
        slow: args.slow,
    };
    if args.members.is_some() && overrides.attack == Some(Some(Kind::LongHeaders)) {
        eprintln!(
            "error: --attack long-headers: its chain is long, on which there are no members: leave out --members"
        );
        return ExitCode::from(2);
    }
    if args.log
        && let Some(seed) = args.seed
    {
        return replay(seed, &overrides);
    }
    let seeds = args.seed.map_or(args.seeds.clone(), |seed| seed..seed + 1);
    let jobs = args.jobs.unwrap_or_else(cairn_sim::cores);
    let started = Instant::now();
    let report = run_all(seeds, &overrides, jobs);
    summarise(&report, &overrides, &flags(&args), started.elapsed());
    if let Some(aim) = args.aim {
        compare(&report, aim, started.elapsed());
    }
    say(format_args!("{} passed, {} failed\n", report.passed, report.failed.len()));
    if report.failed.is_empty() { ExitCode::SUCCESS } else { ExitCode::FAILURE }
}

/// One history, with all that happened in it.
fn replay(seed: u64, overrides: &Overrides) -> ExitCode {
    let outcome = history(seed, overrides, true);
    say(format_args!("{}digest {:016x}, {} s of virtual time\n", outcome.stats, outcome.digest, outcome.ended / 1_000));
    match outcome.violation {
        None => ExitCode::SUCCESS,
        Some(violation) => {
            say(format_args!("seed {seed} breaks {:?}: {}\n", violation.invariant, violation.detail));
            ExitCode::FAILURE
        }
    }
}

fn run_all(seeds: Range<u64>, overrides: &Overrides, jobs: usize) -> Report {
    let (done, total) = (AtomicU64::new(0), seeds.end - seeds.start);
    let (started, shows) = (Instant::now(), std::io::stderr().is_terminal());
    let report = run(seeds, overrides, jobs, |seed, outcome| {
        let done = done.fetch_add(1, Ordering::Relaxed) + 1;
        if let Some(violation) = &outcome.violation {
            eprintln!("\rseed {seed} breaks {:?}: {}", violation.invariant, violation.detail);
        }
        let line =
            || format!("{done} of {total} histories, {:.1} a second", done as f64 / started.elapsed().as_secs_f64());
        if shows && (done.is_multiple_of(10) || done == total) {
            eprint!("\r{} ", line());
            let _ = std::io::stderr().flush();
        } else if !shows && done.is_multiple_of(1_000) {
            eprintln!("{}", line());
        }
    });
    if shows {
        eprintln!();
    }
    report
}

/// The flags that change what a seed stands for.
fn flags(args: &Args) -> String {
    let mut flags = String::new();
    let mut add = |name: &str, value: Option<String>| {
        if let Some(value) = value {
            flags.push_str(&format!(" --{name} {value}"));
        }
    };
    let model = |model: ModelName| clap::ValueEnum::to_possible_value(&model).map(|value| value.get_name().to_owned());
    add("nodes", args.nodes.map(|nodes| nodes.to_string()));
    add("blocks", args.blocks.map(|blocks| blocks.to_string()));
    add("model", args.model.and_then(model));
    add("members", args.members.map(|members| members.to_string()));
    add("window", args.window.map(|window| window.to_string()));
    add("past", args.past.map(|past| past.to_string()));
    add("attack", args.attack.map(|Attack(kind)| kind.map_or("none", Kind::name).to_owned()));
    add("share", args.share.map(|share| share.to_string()));
    add("gamma", args.gamma.map(|gamma| gamma.to_string()));
    add("confirmations", args.confirmations.map(|count| count.to_string()));
    for (given, flag) in [(args.fixed, " --fixed"), (args.slow, " --slow")] {
        if given {
            flags.push_str(flag);
        }
    }
    flags
}

fn summarise(report: &Report, overrides: &Overrides, flags: &str, took: Duration) {
    let count = report.passed + report.failed.len() as u64;
    say(&report.stats);
    for (seed, violation) in &report.failed {
        say(format_args!("seed {seed} breaks {:?}: {}\n", violation.invariant, violation.detail));
        let plan = Plan::draw(*seed, overrides);
        say(format_args!("  attackers {:?}; replay: sim --seed {seed} --log{flags}\n", plan.attackers));
    }
    let seconds = took.as_secs_f64();
    say(format_args!(
        "{count} histories in {seconds:.1} s, {:.2} a second; {:.0} events a second; {:.0} times as fast as time\n",
        count as f64 / seconds,
        report.stats.events as f64 / seconds,
        report.virtual_time as f64 / 1e3 / seconds
    ));
}

/// The line of the benchmark. Where others use the cores too, CPU time says more than the clock.
fn compare(report: &Report, aim: u32, took: Duration) {
    let count = (report.passed + report.failed.len() as u64) as f64;
    let rate = count / took.as_secs_f64() * 600.0;
    say(format_args!("{rate:.0} histories in 10 minutes, {:.2} of the aim of {aim}\n", rate / f64::from(aim)));
    if let Some(used) = cpu_seconds() {
        let rate = 2.0 * 600.0 * count / used;
        say(format_args!(
            "{:.2} CPU seconds each: {rate:.0} on two free cores, {:.2} of it\n",
            used / count,
            rate / f64::from(aim)
        ));
    }
}

/// CPU time that this process has used, where `/proc` tells.
fn cpu_seconds() -> Option<f64> {
    let stat = std::fs::read_to_string("/proc/self/stat").ok()?;
    // Fields 14 and 15, in hundredths of a second; the name before may hold blanks.
    let fields: Vec<&str> = stat.rsplit_once(')')?.1.split_whitespace().collect();
    let ticks = |index: usize| fields.get(index)?.parse::<f64>().ok();
    Some((ticks(11)? + ticks(12)?) / 100.0)
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn only_so_many_nodes_can_be_members() {
        let parse = |members| Args::try_parse_from(["sim", "--members", members]).map(|args| args.members);
        for (good, count) in [("4", 4), ("7", 7), ("10", 10), ("100", 100)] {
            assert_eq!(parse(good).unwrap(), Some(count));
        }
        for bad in ["0", "1", "3", "5", "101", "103", "144", "256", "four"] {
            let error = parse(bad).unwrap_err().to_string();
            assert!(error.contains("expected 4, 7, 10, ... or 100"), "{error}");
        }
    }
}
