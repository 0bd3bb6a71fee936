//! The network on real processes on loopback: how fast a block spreads, how fast a node syncs, and what it makes of a
//! thousand transactions a second.
//!
//! Run: `cargo bench -p cairn-tests --bench network`, or only some lines, smaller: `... -- sync=2000 spread=5`. The numbers are
//! blocks for `sync` (20,000) and `spread` (20), seconds for `load` (60).

mod load;
mod spread;
mod sync;

type Line = (&'static str, usize, fn(usize));

const LINES: [Line; 3] =
    [("spread", 20, spread::measure), ("sync", 20_000, sync::measure), ("load", 60, load::measure)];

fn main() {
    // Cargo adds flags of its own.
    let named: Vec<String> = std::env::args().skip(1).filter(|argument| !argument.starts_with('-')).collect();
    for argument in &named {
        let name = argument.split('=').next().unwrap_or_default();
        if !LINES.iter().any(|(line, ..)| *line == name) {
            eprintln!("error: {argument}: expected sync, spread or load, perhaps with a number as in sync=2000");
            std::process::exit(2);
        }
    }
    for (name, size, measure) in LINES {
        let wanted = named.iter().find_map(|argument| match argument.split_once('=') {
            Some((line, size)) => (line == name).then(|| cairn_tests::argument(line, size, 1..=10_000_000)),
            None => (argument == name).then_some(size),
        });
        if let Some(size) = wanted.or(named.is_empty().then_some(size)) {
            measure(size);
        }
    }
}

/// The value below which so large a part of the sorted values lies.
pub fn quantile(values: &mut [f64], part: f64) -> f64 {
    values.sort_by(f64::total_cmp);
    let last = values.len().saturating_sub(1) as f64;
    values.get((last * part).ceil() as usize).copied().unwrap_or_default()
}

/// Processors of this machine.
pub fn cores() -> usize {
    std::thread::available_parallelism().map_or(1, usize::from)
}
