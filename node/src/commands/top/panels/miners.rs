//! The node's own miner, and those of its stratum port.

use cairn_client::{counted, hash_rate};
use ratatui::{buffer::Buffer, layout::Rect};
use serde_json::Value;
use std::cmp::Reverse;

use super::{
    super::{
        super::words::{duration, grouped, mining, scaled},
        snapshot::Snapshot,
        texts::{shown, text},
        theme::Theme,
    },
    parts::{Column, figure, panel, show_above, table},
};

/// Title, the node's miner, stratum.
const FIGURES: u16 = 3;

const COLUMNS: [Column; 7] = [
    Column::left("worker", 18),
    Column::right("hash rate", 11),
    Column::right("shares", 7),
    Column::right("stale", 6),
    Column::right("best", 7),
    Column::right("blocks", 6),
    Column::rest("last share"),
];

/// Lines that it has to show.
pub fn height_of_miners(seen: &Snapshot) -> u16 {
    let workers = seen.workers.as_array().map_or(0, Vec::len);
    let table = if workers == 0 { 0 } else { workers + 1 };
    FIGURES.saturating_add(u16::try_from(table).unwrap_or(u16::MAX))
}

/// Draws it.
pub fn miners(seen: &Snapshot, now: u64, theme: Theme, area: Rect, frame: &mut Buffer) {
    let area = panel("Miners", theme, area, frame);
    let lines =
        vec![figure("node", shown(&mining(&seen.miner)), theme), figure("stratum", stratum(&seen.stratum), theme)];
    let rest = show_above(lines, area, frame);
    let mut workers: Vec<_> = seen.workers.as_array().into_iter().flatten().collect();
    if workers.is_empty() {
        return;
    }
    // Those that are connected first, the fastest of them first.
    let rate = |worker: &Value| worker["hashrate"].as_f64().unwrap_or_default().max(0.0);
    workers.sort_by_cached_key(|worker| Reverse((worker["sessions"].as_u64() > Some(0), rate(worker).to_bits())));
    table((&COLUMNS, 2), workers.into_iter().map(|worker| row(worker, now)), theme, rest, frame);
}

fn stratum(stats: &Value) -> String {
    let number = |name: &str| stats[name].as_u64().unwrap_or_default();
    match &stats["stratum"] {
        Value::Null if stats.is_object() => "off (start the node with --stratum for SHA-256 miners)".to_owned(),
        Value::Null => "not told".to_owned(),
        place => format!(
            "{} on {}, {}, {} found",
            hash_rate(stats["hashrate"].as_f64().unwrap_or_default()),
            counted(number("workers"), "worker"),
            text(place),
            counted(number("blocks"), "block"),
        ),
    }
}

fn row(worker: &Value, now: u64) -> [String; 7] {
    let number = |name: &str| worker[name].as_u64().unwrap_or_default();
    let is_connected = number("sessions") > 0;
    let rate = worker["hashrate"].as_f64().unwrap_or_default();
    let ago = duration(now.saturating_sub(number("lastSeen")));
    [
        text(&worker["worker"]),
        if is_connected { hash_rate(rate) } else { "gone".to_owned() },
        grouped(number("accepted")),
        format!("{:.1} %", 100.0 * worker["staleRate"].as_f64().unwrap_or_default()),
        scaled(worker["bestShare"].as_f64().unwrap_or_default()).trim_end().to_owned(),
        number("blocks").to_string(),
        ago,
    ]
}
