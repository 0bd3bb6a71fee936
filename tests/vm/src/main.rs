//! `conformance`: runs Ethereum's official tests through Cairn's own state transition.

use cairn_vm_tests::{
    execute, input, pool,
    report::Counts,
    suite::{self, Options},
    trace::Tracer,
};
use clap::Parser;
use std::{error::Error, io, path::PathBuf, process::ExitCode};

/// Runs Ethereum's official tests through Cairn's own state transition.
#[derive(Parser)]
#[command(version)]
struct Arguments {
    /// A folder that holds state_*.tar.zst and misc.tar.zst, or json files; one such archive; one json file
    path: PathBuf,
    /// Run only cases whose name holds this text
    #[arg(long, value_name = "TEXT")]
    filter: Option<String>,
    /// Run only cases of this fork (Cancun, Osaka)
    #[arg(long)]
    fork: Option<String>,
    /// Print each instruction of the one case that --filter names, as json lines (EIP-3155)
    #[arg(long)]
    trace: bool,
    /// Threads [default: all cores]
    #[arg(long, value_name = "N")]
    jobs: Option<usize>,
    /// Print one json document
    #[arg(long, conflicts_with = "trace")]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    if !arguments.path.exists() {
        println!("skipped: no vectors at {}", arguments.path.display());
        return ExitCode::SUCCESS;
    }
    let options = Options {
        filter: arguments.filter.clone(),
        fork: arguments.fork.clone(),
        jobs: arguments.jobs.unwrap_or_else(pool::cores),
    };
    let done = if arguments.trace { trace(&arguments.path, &options) } else { run(&arguments, &options) };
    done.unwrap_or_else(|error| {
        eprintln!("conformance: {error}");
        ExitCode::from(2)
    })
}

fn run(arguments: &Arguments, options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut total = Counts::default();
    let mut documents = Vec::new();
    for pack in input::packs(&arguments.path)? {
        let report = suite::run(&pack, options)?;
        total = total.and(report.counts());
        match arguments.json {
            true => documents.push(report.json()),
            false => println!("{}", report.text()),
        }
    }
    if arguments.json {
        let Counts { passed, failed, skipped } = total;
        let document =
            serde_json::json!({ "passed": passed, "failed": failed, "skipped": skipped, "packs": documents });
        println!("{document:#}");
    } else {
        println!("{total}");
    }
    Ok(if total.failed == 0 { ExitCode::SUCCESS } else { ExitCode::FAILURE })
}

fn trace(path: &std::path::Path, options: &Options) -> Result<ExitCode, Box<dyn Error>> {
    let mut found = Vec::new();
    for pack in input::packs(path)? {
        found.extend(suite::find(&pack, options)?);
    }
    let [(_, test, case)] = &found[..] else {
        let names: Vec<&str> = found.iter().take(20).map(|(id, ..)| id.as_str()).collect();
        let text = format!("--trace takes one case, and {} match; name one with --filter", found.len());
        return Err(format!("{text}\n{}", names.join("\n")).into());
    };
    let mut tracer = Tracer::new(io::BufWriter::new(io::stdout().lock()));
    let ran = execute::run(test, case, &test.state(), &mut tracer)?;
    if let Err(refusal) = &ran.result {
        eprintln!("refused: {refusal}");
    }
    tracer.end(ran.result.as_ref().ok(), ran.root)?;
    Ok(ExitCode::SUCCESS)
}
