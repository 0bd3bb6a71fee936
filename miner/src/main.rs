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
    client::{self, Event, Node, NodeError, Options, Reporter, Request},
};
use clap::Parser;

/// Mines for a Cairn node: asks it for a block to find, searches on all cores, hands in what it finds.
///
/// Ends with Ctrl-C (exit code 0), or when the node refuses to give work (exit code 1). While no node answers it waits.
#[derive(Parser)]
#[command(name = "cairn-miner", version)]
struct Arguments {
    /// The node's JSON-RPC.
    #[arg(long, value_name = "URL", default_value = "http://127.0.0.1:8545", env = "CAIRN_RPC")]
    rpc: String,
    /// Coin address that is paid; `cairn-wallet address` shows yours. Without, whom the node pays by itself.
    #[arg(long, value_name = "ADDRESS", env = "CAIRN_MINER_ADDRESS")]
    address: Option<String>,
    /// Account that gets the tips of account transactions.
    #[arg(long, value_name = "0x...")]
    account: Option<String>,
    /// Threads that search [default: all cores].
    #[arg(long, value_name = "N", value_parser = clap::value_parser!(u16).range(1..=1024))]
    threads: Option<u16>,
    /// End after so many accepted blocks.
    #[arg(long, value_name = "N")]
    blocks: Option<u64>,
    /// Write one JSON object a line instead of text.
    #[arg(long)]
    json: bool,
}

fn main() -> ExitCode {
    let arguments = Arguments::parse();
    match mine(arguments) {
        Ok(()) => ExitCode::SUCCESS,
        Err(error) => {
            let start = if std::io::stderr().is_terminal() { "\r\x1b[2K" } else { "" };
            eprintln!("{start}cairn-miner: {error}");
            ExitCode::FAILURE
        }
    }
}

fn mine(arguments: Arguments) -> Result<(), NodeError> {
    let cores = thread::available_parallelism().map_or(1, NonZero::get);
    let options = Options {
        request: Request { address: arguments.address, account: arguments.account },
        threads: arguments.threads.map_or(cores, usize::from),
        blocks: arguments.blocks,
    };
    let node = Node::new(&arguments.rpc)?;
    let (sender, events) = client::events();
    let (stop, asked) = (sender.clone(), AtomicBool::new(false));
    let listening = ctrlc::set_handler(move || {
        // The second time it is not asked any more.
        if asked.swap(true, Ordering::Relaxed) || stop.send(Event::Stop).is_err() {
            std::process::exit(130);
        }
    });
    if let Err(error) = listening {
        eprintln!("cairn-miner: Ctrl-C will end it at once: {error}");
    }
    client::run(&node, &options, Midstate, (sender, events), &mut Reporter::new(arguments.json)).map(|_| ())
}
