//! `cairn-miner`: mines for a node on all cores.

use std::{
    io::{IsTerminal, Write},
    num::NonZero,
    process::ExitCode,
    sync::{
        atomic::{AtomicBool, Ordering},
        mpsc::channel,
    },
    thread,
    time::Duration,
};

use cairn_miner::{
    Miner, Threads, bench,
    cli::{self, Action, Arguments, Priority},
    client::{self, Event, Node, NodeError, Options, Reporter, Request},
    stratum,
};

fn main() -> ExitCode {
    let arguments = match cli::arguments() {
        Ok(arguments) => arguments,
        // Help and the version are no failures, and go to the standard output.
        Err(error) if error.use_stderr() && std::env::args_os().any(|argument| argument == "--json") => {
            let text = error.to_string();
            let line = text.lines().next().unwrap_or_default();
            return fail(2, line.strip_prefix("error: ").unwrap_or(line));
        }
        Err(error) => error.exit(),
    };
    let json = arguments.json;
    let outcome = match arguments.action {
        Some(Action::Bench { samples, verify }) => {
            bench::run(&bench::Options { samples: samples.into(), verify, json }, &mut std::io::stdout())
        }
        None => threads(&arguments).and_then(|threads| match arguments.pool.stratum.is_empty() {
            true => mine(arguments, threads).map_err(|error| error.to_string()),
            false => mine_for_server(arguments, threads),
        }),
    };
    match outcome {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if json => fail(1, &error),
        Err(error) => {
            let start = if std::io::stderr().is_terminal() { "\r\x1b[2K" } else { "" };
            say(&format!("{start}error: {error}"));
            ExitCode::FAILURE
        }
    }
}

/// One JSON object, as the node and the wallet print.
fn fail(code: u8, message: &str) -> ExitCode {
    say(&serde_json::json!({ "error": { "code": code, "message": message } }).to_string());
    ExitCode::from(code)
}

/// Writes a line to the standard error. `eprintln!` panics if nobody reads it.
fn say(line: &str) {
    let _ = writeln!(std::io::stderr(), "{line}");
}

/// The threads that the arguments ask for: as many as cores, if they do not say.
fn threads(arguments: &Arguments) -> Result<Threads, String> {
    let cores = arguments.affinity.clone().map_or(Vec::new(), |cores| cores.0);
    if !cores.is_empty() {
        let available =
            Threads::available_cores().map_err(|error| format!("cannot list this system's cores: {error}"))?;
        if let Some(core) = cores.iter().find(|core| !available.contains(core)) {
            return Err(format!("--affinity: core {core} is not available; there are {}", list(&available)));
        }
    }
    let all = thread::available_parallelism().map_or(1, NonZero::get);
    let count = arguments.threads.map_or(if cores.is_empty() { all } else { cores.len() }, usize::from);
    let low_priority = arguments.priority == Priority::Low;
    Ok(Threads { count, intensity: arguments.intensity, cores, low_priority })
}

fn list(cores: &[usize]) -> String {
    cores.iter().map(usize::to_string).collect::<Vec<_>>().join(",")
}

fn mine(arguments: Arguments, threads: Threads) -> Result<(), NodeError> {
    let options = Options {
        request: Request { address: arguments.address, account: arguments.account },
        threads,
        blocks: arguments.blocks,
    };
    let node = Node::new(&arguments.rpc, arguments.cookie.as_deref())?;
    let (sender, events) = channel();
    let stop = sender.clone();
    on_ctrl_c(move || stop.send(Event::Stop).is_ok());
    let kernel = cairn_miner::fastest();
    client::run(&node, &options, kernel, (sender, events), &mut Reporter::new(arguments.json)).map(|_| ())
}

/// Mines for the stratum servers of the arguments.
fn mine_for_server(arguments: Arguments, threads: Threads) -> Result<(), String> {
    let worker = arguments.pool.worker(arguments.address.as_deref())?;
    let options = stratum::Options {
        trust: arguments.pool.trust()?,
        servers: arguments.pool.stratum,
        worker,
        threads: threads.count,
        blocks: arguments.blocks,
        return_after: Duration::from_secs(arguments.pool.return_after),
    };
    let (sender, events) = channel();
    let stop = sender.clone();
    on_ctrl_c(move || stop.send(stratum::Event::Stop).is_ok());
    let start = |found: Box<dyn Fn(_) + Send + Sync>| Miner::start(threads, cairn_miner::fastest(), found);
    let mut reporter = stratum::Reporter::new(arguments.json);
    stratum::run(&options, start, (sender, events), &mut reporter).map(|_| ()).map_err(|error| error.to_string())
}

/// Stops at the first Ctrl-C. The second ends the process at once, and so does the first if mining has ended.
fn on_ctrl_c(stop: impl Fn() -> bool + Send + 'static) {
    let asked = AtomicBool::new(false);
    let listening = ctrlc::set_handler(move || {
        if asked.swap(true, Ordering::Relaxed) || !stop() {
            std::process::exit(130);
        }
    });
    if let Err(error) = listening {
        say(&format!("warning: Ctrl-C will end cairn-miner at once: {error}"));
    }
}
