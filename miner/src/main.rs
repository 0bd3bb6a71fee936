//! `cairn-miner`: mines for a node on all cores.

use std::{
    io::IsTerminal,
    num::NonZero,
    process::ExitCode,
    sync::atomic::{AtomicBool, Ordering},
    thread,
};

use cairn_miner::{
    Midstate,
    cli::{self, Arguments},
    client::{self, Event, Node, NodeError, Options, Reporter, Request},
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
    match mine(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) if json => fail(1, &error.to_string()),
        Err(error) => {
            let start = if std::io::stderr().is_terminal() { "\r\x1b[2K" } else { "" };
            eprintln!("{start}cairn-miner: {error}");
            ExitCode::FAILURE
        }
    }
}

/// One JSON object, as the node and the wallet print.
fn fail(code: u8, message: &str) -> ExitCode {
    eprintln!("{}", serde_json::json!({ "error": { "code": code, "message": message } }));
    ExitCode::from(code)
}

fn mine(arguments: Arguments) -> Result<(), NodeError> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let options = Options {
        request: Request { address: arguments.address, account: arguments.account },
        threads: arguments.threads.map_or(cores, usize::from),
        blocks: arguments.blocks,
    };
    let node = Node::new(&arguments.rpc, arguments.cookie.as_deref())?;
    let (sender, events) = client::events();
    let (stop, asked) = (sender.clone(), AtomicBool::new(false));
    let listening = ctrlc::set_handler(move || {
        // The second Ctrl-C ends the process at once.
        if asked.swap(true, Ordering::Relaxed) || stop.send(Event::Stop).is_err() {
            std::process::exit(130);
        }
    });
    if let Err(error) = listening {
        eprintln!("cairn-miner: Ctrl-C will end it at once: {error}");
    }
    client::run(&node, &options, Midstate, (sender, events), &mut Reporter::new(arguments.json)).map(|_| ())
}
