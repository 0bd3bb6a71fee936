//! `docs/metrics.md` is written from the table.

use std::{fmt::Write, fs, path::Path};

use crate::{
    mempool::{RemovalReason, SubmitError},
    metrics::{
        TABLE, engine, net, stratum,
        table::{Kind, Metric},
    },
    offence::Offence,
};

/// Parts of the node by the second word of the names.
const PARTS: [(&str, &str); 11] = [
    ("build", "The node"),
    ("chain", "The chain"),
    ("finality", "Finality"),
    ("engine", "The engine"),
    ("mempool", "The mempool"),
    ("store", "Storage"),
    ("net", "The network"),
    ("rpc", "JSON-RPC"),
    ("mining", "Mining"),
    ("stratum", "Stratum"),
    ("process", "The process"),
];

fn part(metric: &Metric) -> &str {
    let word = metric.name.split('_').nth(1).expect("names have words");
    // What serves the metrics is described last.
    if word == "metrics" { "process" } else { word }
}

fn page() -> String {
    let mut page = include_str!("../head.md").to_owned();
    for (word, title) in PARTS {
        write!(page, "\n## {title}\n\n| metric | kind | labels | what |\n| --- | --- | --- | --- |\n").unwrap();
        TABLE.iter().filter(|metric| part(metric) == word).for_each(|metric| page += &row(metric));
    }
    page + &labels()
}

fn row(metric: &Metric) -> String {
    let kind = match metric.kind {
        Kind::Counter => "counter",
        Kind::Gauge => "gauge",
        Kind::Histogram(_) => "histogram",
    };
    let labels: Vec<_> = metric.labels.iter().map(|label| format!("`{label}`")).collect();
    format!("| `{}` | {kind} | {} | {} |\n", metric.name, labels.join(", "), metric.help)
}

/// What labels can be.
fn labels() -> String {
    let stages: Vec<_> = engine::Stage::ALL.iter().map(|(_, name)| *name).collect();
    let mut messages: Vec<_> = net::messages().collect();
    messages.sort_unstable();
    messages.dedup();
    let rows = [
        ("`stage` of `cairn_engine_stage_seconds`", stages),
        ("`event` of `cairn_engine_event_seconds`", engine::EVENTS.to_vec()),
        ("`reason` of `cairn_mempool_removed_total`", RemovalReason::NAMES.to_vec()),
        ("`reason` of `cairn_mempool_rejected_total`", SubmitError::names().collect()),
        ("`message` of `cairn_net_message_bytes_total`", messages),
        ("`offence` of `cairn_net_offences_total`", Offence::NAMES.to_vec()),
        ("`outcome` of `cairn_stratum_shares_total`", stratum::outcomes().collect()),
        ("`direction`", vec!["inbound", "outbound", "received", "sent"]),
    ];
    let mut text =
        "\n## Values of labels\n\nEvery label has a fixed set of values; `method` has those of [rpc.md](rpc.md), \
                    and `other`.\n\n| label | values |\n| --- | --- |\n"
            .to_owned();
    for (label, values) in rows {
        let values: Vec<_> = values.iter().map(|value| format!("`{value}`")).collect();
        writeln!(text, "| {label} | {} |", values.join(", ")).unwrap();
    }
    text
}

#[test]
fn the_page_has_every_metric() {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("../docs/metrics.md");
    let page = page();
    TABLE.iter().for_each(|metric| assert!(page.contains(metric.name), "{} has no part", metric.name));
    if std::env::var_os("CAIRN_WRITE_DOCS").is_some() {
        fs::write(path, page).unwrap();
    } else {
        assert!(
            fs::read_to_string(path).is_ok_and(|text| text == page),
            "docs/metrics.md is not what node/src/metrics/table.rs and head.md say; write it again with \
             `CAIRN_WRITE_DOCS=1 cargo test --release -p cairn-node --lib metrics::tests::page`"
        );
    }
}
