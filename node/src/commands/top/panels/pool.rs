//! The mempool, also as the blocks to come.

use cairn_client::counted;
use ratatui::{buffer::Buffer, layout::Rect};
use serde_json::Value;

use super::{
    super::{
        super::words::{bytes, grouped, scaled},
        snapshot::Snapshot,
        theme::Theme,
    },
    parts::{Column, figure, panel, show_above, table},
};

const COLUMNS: [Column; 5] = [
    Column::left("next", 4),
    Column::right("txs", 6),
    Column::right("gas", 7),
    Column::right("size", 8),
    Column::right("tip/gas", 10),
];

/// Draws it.
pub fn pool(seen: &Snapshot, theme: Theme, area: Rect, frame: &mut Buffer) {
    let area = panel("Mempool", theme, area, frame);
    let chain = &seen.chain;
    let pool = |name: &str| chain["mempool"][name].as_u64().unwrap_or_default();
    let (transactions, pending) = (pool("transactions"), pool("pending"));
    // What waits for an earlier nonce of its sender is not considered for a block.
    let held = match transactions.saturating_sub(pending) {
        0 => counted(grouped(transactions), "transaction"),
        gaps => format!("{}, {} behind nonce gaps", grouped(transactions), grouped(gaps)),
    };
    let base_fee = price(chain["baseFee"].as_i64());
    let lines = vec![
        figure("holds", held, theme),
        figure("size", format!("{} of {}", bytes(pool("bytes")), bytes(pool("maxBytes"))), theme),
        figure("base fee", format!("{base_fee} per gas"), theme),
    ];
    let rest = show_above(lines, area, frame);
    let blocks = seen.next["blocks"].as_array().map(Vec::as_slice).unwrap_or_default();
    if blocks.is_empty() {
        return;
    }
    table((&COLUMNS, 1), (1..).zip(blocks).map(|(at, block)| row(at, block)), theme, rest, frame);
}

fn row(at: u32, block: &Value) -> [String; 5] {
    let number = |name: &str| block[name].as_u64().unwrap_or_default();
    let gas = scaled(number("gas") as f64).trim_end().to_owned();
    let tip = price(block["tipPerGas"]["median"].as_i64());
    [format!("+{at}"), number("transactions").to_string(), gas, bytes(number("size")), tip]
}

/// Wei, in the unit that reads best.
fn price(wei: Option<i64>) -> String {
    match wei {
        None => "–".to_owned(),
        Some(wei) if wei.unsigned_abs() < 1_000_000 => format!("{wei} wei"),
        Some(wei) => format!("{:.3} gwei", wei as f64 / 1e9),
    }
}
