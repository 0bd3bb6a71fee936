//! The peers, the longest connected first.

use ratatui::{buffer::Buffer, layout::Rect};
use serde_json::Value;

use super::{
    super::{
        super::words::{duration, grouped},
        snapshot::Snapshot,
        texts::{address, shown, text},
        theme::Theme,
    },
    parts::{Column, panel, show, styled, table, wrapped},
};

const COLUMNS: [Column; 6] = [
    Column::left("address", 21),
    Column::left("way", 3),
    Column::right("height", 9),
    Column::right("ping", 9),
    Column::right("connected", 11),
    Column::rest("agent"),
];

/// Lines that it takes on a narrow terminal to say why no list is shown: without the cookie, where it is.
const WHY: u16 = 3;

fn list(seen: &Snapshot) -> &[Value] {
    seen.peers.as_ref().ok().and_then(Value::as_array).map(Vec::as_slice).unwrap_or_default()
}

/// Lines that it has to show.
pub fn height_of_peers(seen: &Snapshot) -> u16 {
    let below = match &seen.peers {
        Err(_) => WHY,
        // With the head of the columns.
        Ok(_) => u16::try_from(list(seen).len()).unwrap_or(u16::MAX).saturating_add(1),
    };
    below.saturating_add(1)
}

/// Draws it.
pub fn peers(seen: &Snapshot, theme: Theme, area: Rect, frame: &mut Buffer) {
    let peers = list(seen);
    let inbound = peers.iter().filter(|peer| peer["direction"] == "inbound").count();
    let title = match (&seen.peers, seen.peer_count) {
        (Ok(_), _) => format!("Peers: {inbound} in, {} out", peers.len() - inbound),
        (Err(_), Some(known)) => format!("Peers: {known}"),
        (Err(_), None) => "Peers".to_owned(),
    };
    let area = panel(&title, theme, area, frame);
    match &seen.peers {
        Err(reason) => wrapped(styled(shown(reason), theme.faint()), area, frame),
        Ok(_) if peers.is_empty() => show(vec![styled("none", theme.faint()).into()], area, frame),
        Ok(_) => table((&COLUMNS, 2), peers.iter().map(row), theme, area, frame),
    }
}

fn row(peer: &Value) -> [String; 6] {
    let way = if peer["direction"] == "inbound" { "in" } else { "out" };
    let ping = peer["pingMs"].as_f64().map_or("–".to_owned(), |ping| format!("{ping:.1} ms"));
    [
        address(&peer["address"]),
        way.to_owned(),
        peer["height"].as_u64().map_or("–".to_owned(), grouped),
        ping,
        duration(peer["connected"].as_u64().unwrap_or_default()),
        text(&peer["agent"]),
    ]
}
