//! `lab`: checks every claim and prints the table, or shows one run of a protocol as a chart.

use cairn_lab::{
    chart::Chart,
    claims::SECTIONS,
    output::say,
    setting::Network,
    show::{Choice, PROTOCOLS},
    table::{Scale, heads},
};
use clap::Parser;
use std::{path::PathBuf, process::ExitCode, time::Instant};

/// Checks every claim of the notes on distributed systems, or runs one protocol and prints its message sequence chart.
#[derive(Parser, Debug)]
#[command(version, about)]
struct Args {
    /// A protocol to run once; without one, all claims are checked
    protocol: Option<String>,
    /// lockstep, synchronous, asynchronous or partially-synchronous
    #[arg(long, default_value = "synchronous", value_parser = parse_model, requires = "protocol")]
    model: Network,
    /// Processes that crash
    #[arg(long, default_value_t = 0, requires = "protocol")]
    crash: usize,
    /// Probability that a message is lost
    #[arg(long, default_value_t = 0.0, value_parser = parse_probability, requires = "protocol")]
    loss: f64,
    /// Probability that a message arrives twice
    #[arg(long, default_value_t = 0.0, value_parser = parse_probability, requires = "protocol")]
    duplicate: f64,
    /// Processes that are cut off from the others from the start, as in 0,1
    #[arg(long, value_delimiter = ',', requires = "protocol")]
    partition: Vec<u8>,
    /// Tick at which they are reached again [default: never]
    #[arg(long, requires = "partition")]
    heal: Option<u64>,
    /// What is left to chance is drawn from this
    #[arg(long, default_value_t = 0, requires = "protocol")]
    seed: u64,
    /// Writes the chart, or the counter-examples with their number, as SVG
    #[arg(long, value_name = "FILE")]
    svg: Option<PathBuf>,
    /// Checks the claims of these sections alone
    #[arg(long, value_name = "SECTION", conflicts_with = "protocol")]
    only: Vec<String>,
    /// Searches small instances alone, as the tests do
    #[arg(long, conflicts_with = "protocol")]
    small: bool,
    /// Prints the counter-examples that were found where they had to be found
    #[arg(long, conflicts_with = "protocol")]
    charts: bool,
}

fn parse_model(name: &str) -> Result<Network, String> {
    Network::named(name)
        .ok_or_else(|| "expected lockstep, synchronous, asynchronous or partially-synchronous".to_owned())
}

fn parse_probability(text: &str) -> Result<f64, String> {
    let probability = text.parse().ok().filter(|probability| (0.0..=1.0).contains(probability));
    probability.ok_or_else(|| "expected a number from 0 to 1".to_owned())
}

fn main() -> ExitCode {
    let args = Args::parse();
    let outcome = match &args.protocol {
        Some(protocol) => show(protocol, &args),
        None => check(&args),
    };
    match outcome {
        Ok(true) => ExitCode::SUCCESS,
        Ok(false) => ExitCode::FAILURE,
        Err(why) => {
            eprintln!("lab: {why}");
            ExitCode::from(2)
        }
    }
}

fn show(name: &str, args: &Args) -> Result<bool, String> {
    let known = PROTOCOLS.iter().find(|named| named.name == name);
    let names = || PROTOCOLS.iter().map(|named| named.name).collect::<Vec<_>>().join(", ");
    let named = known.ok_or_else(|| format!("unknown protocol {name}; known are {}", names()))?;
    let seen = (named.run)(&Choice {
        network: args.model,
        crash: args.crash,
        loss: args.loss,
        duplicate: args.duplicate,
        partition: args.partition.clone(),
        heal: args.heal.unwrap_or(u64::MAX),
        seed: args.seed,
    })?;
    say(seen.chart.text());
    say(format_args!("{}\n", seen.summary));
    save(args, "", &seen.chart)?;
    Ok(!seen.violated)
}

fn check(args: &Args) -> Result<bool, String> {
    let unknown = args.only.iter().find(|&name| SECTIONS.iter().all(|section| section.name != name));
    if let Some(name) = unknown {
        let names: Vec<&str> = SECTIONS.iter().map(|section| section.name).collect();
        return Err(format!("unknown section {name}; known are {}", names.join(", ")));
    }
    say(heads());
    let scale = if args.small { Scale::Small } else { Scale::Full };
    let (mut passed, mut failed, mut drawn, mut bounded) = (0, 0, 0, Vec::new());
    for section in
        SECTIONS.iter().filter(|section| args.only.is_empty() || args.only.iter().any(|name| name == section.name))
    {
        let started = Instant::now();
        let rows = (section.rows)(scale);
        say(format_args!("\n== {} ({:.1} s)\n", section.title, started.elapsed().as_secs_f64()));
        for row in rows {
            say(row.text());
            let good = row.claims.iter().filter(|(_, outcome)| outcome.is_ok()).count();
            passed += good;
            failed += row.claims.len() - good;
            bounded.extend(row.bounded.iter().map(|depth| format!("{} ({depth} steps)", row.protocol)));
            for (title, chart) in &row.charts {
                drawn += 1;
                if args.charts {
                    say(format_args!("{title}\n{}\n", chart.text()));
                }
                save(args, &format!("-{drawn}"), chart)?;
            }
        }
    }
    if !bounded.is_empty() {
        say(format_args!("\nNot searched to the end: {}\n", bounded.join("; ")));
    }
    say(format_args!("\n{passed} passed, {failed} failed\n"));
    Ok(failed == 0)
}

fn save(args: &Args, suffix: &str, chart: &Chart) -> Result<(), String> {
    let Some(path) = &args.svg else { return Ok(()) };
    let stem = path.file_stem().unwrap_or_default().to_string_lossy();
    let path = path.with_file_name(format!("{stem}{suffix}.svg"));
    std::fs::write(&path, chart.svg()).map_err(|error| format!("{} cannot be written: {error}", path.display()))
}
