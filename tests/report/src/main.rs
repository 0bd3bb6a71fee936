//! `report`: measures published results on whole engines, and writes the pages of docs/report.

mod estimate;
mod experiments;
mod jobs;
mod models;
mod page;
mod payer;
mod plot;
mod small_miner;

use cairn_lab::output::say;
use clap::Parser;
use std::{
    fs,
    path::{Path, PathBuf},
    process::ExitCode,
    time::Instant,
};

use crate::{
    experiments::{asert, depth, double_spend, finality, prefix, selfish, stale},
    jobs::Setting,
    page::Page,
};

/// Measures published results on proof of work with the production engine, and writes pages with tables and plots.
#[derive(Parser, Debug)]
#[command(version, about)]
struct Args {
    /// Runs few and short histories
    #[arg(long)]
    quick: bool,
    /// Runs this experiment alone; of the index, if there is one, only the rows of its pages change
    #[arg(long, value_parser = NAMES)]
    only: Option<String>,
    /// What all chance is drawn from: the same seed gives the same pages, byte for byte
    #[arg(long, default_value_t = 1)]
    seed: u64,
    /// Threads [default: one a core]
    #[arg(long)]
    jobs: Option<usize>,
    /// Folder of the pages [default: docs/report; target/report with --quick]
    #[arg(long)]
    out: Option<PathBuf>,
}

const NAMES: [&str; 6] = ["double-spend", "selfish-mining", "stale-blocks", "common-prefix", "asert", "finality"];

fn main() -> ExitCode {
    let args = Args::parse();
    let started = Instant::now();
    match run(&args) {
        Ok((passed, failed)) => {
            say(format_args!("{passed} passed, {failed} failed, {:.0} s\n", started.elapsed().as_secs_f64()));
            if failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE }
        }
        Err(error) => {
            eprintln!("report: {error}");
            ExitCode::FAILURE
        }
    }
}

/// How many comparisons were as expected, and how many not.
fn run(args: &Args) -> Result<(usize, usize), String> {
    let jobs = args.jobs.unwrap_or_else(cairn_sim::cores);
    let setting = Setting { quick: args.quick, seed: args.seed, jobs };
    let usual = if args.quick { "target/report" } else { "docs/report" };
    let folder = args.out.clone().unwrap_or_else(|| usual.into());
    fs::create_dir_all(&folder).map_err(|error| format!("cannot create {}: {error}", folder.display()))?;
    let (mut passed, mut failed, mut pages) = (0, 0, Vec::new());
    for name in NAMES.iter().filter(|name| args.only.as_ref().is_none_or(|only| only == **name)) {
        for page in experiment(name, &setting)? {
            page.write(&folder)?;
            for (claim, holds) in &page.checks {
                (passed, failed) = (passed + usize::from(*holds), failed + usize::from(!holds));
                if !holds {
                    say(format_args!("FAILED {}: {claim}\n", page.name));
                }
            }
            say(format_args!(
                "{}: {} values compared\n",
                folder.join(page.name).with_extension("md").display(),
                page.checks.len()
            ));
            pages.push(page);
        }
    }
    match args.only {
        None => index(&pages, args, &folder)?,
        Some(_) => note_in_index(&pages, &folder)?,
    }
    Ok((passed, failed))
}

fn experiment(name: &str, setting: &Setting) -> Result<Vec<Page>, String> {
    Ok(match name {
        "double-spend" => vec![double_spend::run(setting)?],
        "selfish-mining" => vec![selfish::run(setting)?],
        "stale-blocks" => {
            let (page, rates) = stale::run(setting)?;
            let depth = depth::run(&rates)?;
            vec![page, depth]
        }
        "common-prefix" => vec![prefix::run(setting)?],
        "asert" => vec![asert::run(setting)?],
        _ => vec![finality::run(setting)?],
    })
}

/// A page's row in the index.
fn cells(page: &Page) -> Vec<String> {
    let holds = page.checks.iter().filter(|(_, holds)| *holds).count();
    vec![format!("[{}]({}.md)", page.title, page.name), format!("{holds} of {}", page.checks.len())]
}

/// Puts the rows of pages into an index that is there, in place of theirs or after the last.
fn note_in_index(pages: &[Page], folder: &Path) -> Result<(), String> {
    let path = folder.join("README.md");
    let Ok(text) = fs::read_to_string(&path) else { return Ok(()) };
    let mut lines: Vec<String> = text.lines().map(str::to_owned).collect();
    for page in pages {
        let row = format!("| {} |", cells(page).join(" | "));
        let own = format!("]({}.md)", page.name);
        match lines.iter().position(|line| line.starts_with("| [") && line.contains(&own)) {
            Some(at) => lines[at] = row,
            None => {
                let last = lines.iter().rposition(|line| line.starts_with("| "));
                lines.insert(last.map_or(lines.len(), |last| last + 1), row);
            }
        }
    }
    fs::write(&path, lines.join("\n") + "\n").map_err(|error| format!("cannot write {}: {error}", path.display()))
}

fn index(pages: &[Page], args: &Args, folder: &Path) -> Result<(), String> {
    let mut index = Page::new("README", "Measured science");
    let quick = if args.quick { " ARGS=--quick" } else { "" };
    index.text(format!(
        "Published results on proof of work, beside what Cairn's production engine does in simulated networks (`tests/sim`): whole \
         engines with their stores, under attack, at a difficulty of a few hashes a block, in virtual time. `make report{quick}` writes these \
         pages again, byte for byte the same from the same seed (here {}).",
        args.seed
    ));
    let rows: Vec<Vec<String>> = pages.iter().map(cells).collect();
    index.table(&["page", "values as expected"], &rows);
    let values: usize = pages.iter().map(|page| page.checks.len()).sum();
    let chance = 1.0 - 0.999_f64.powi(i32::try_from(values).unwrap_or(i32::MAX));
    index.text(format!(
        "Tables show intervals of 95 % confidence and mark values outside of them; of twenty correct values, one is. A value counts as not \
         expected if it is outside the interval of 99.9 %: with {values} correct values that happens in at most {:.0} of 100 runs with other \
         seeds. Some are judged by a bound instead, which their page names: medians of finality's lag by 1 to 2.5 times the model, which \
         leaves out the time to process messages; common prefix, the depths, Nakamoto's table. Columns *model* are formulas or small calculations, *measured* is the engine.",
        100.0 * chance
    ));
    index.write(folder)
}
