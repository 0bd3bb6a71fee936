//! What dashboards and alerts ask for is measured.

use serde_json::Value;
use std::{
    collections::BTreeSet,
    fs,
    path::{Path, PathBuf},
};

use crate::metrics::{TABLE, table::Kind};

fn contrib(name: &str) -> PathBuf {
    Path::new(env!("CARGO_MANIFEST_DIR")).join("../contrib").join(name)
}

/// Names of metrics in an expression: words that begin as ours do.
fn names(expression: &str) -> BTreeSet<&str> {
    let is_word = |letter: char| letter.is_ascii_alphanumeric() || letter == '_';
    expression.split(|letter| !is_word(letter)).filter(|word| word.starts_with("cairn_")).collect()
}

/// Whether there are series of this name: of a histogram those of its buckets, sum and count.
fn is_measured(name: &str) -> bool {
    TABLE.iter().any(|metric| match metric.kind {
        Kind::Histogram(_) => {
            name.strip_prefix(metric.name).is_some_and(|rest| ["_bucket", "_sum", "_count"].contains(&rest))
        }
        _ => metric.name == name,
    })
}

fn check(place: &str, expression: &str) {
    let names = names(expression);
    let odd: Vec<_> = names.iter().filter(|name| !is_measured(name)).collect();
    assert!(odd.is_empty(), "{place} asks for {odd:?}, which docs/metrics.md does not have: {expression}");
    assert!(!names.is_empty() || expression.contains("up{"), "{place} asks for nothing: {expression}");
}

/// All expressions of a dashboard, wherever they stand.
fn expressions(value: &Value, found: &mut Vec<String>) {
    match value {
        Value::Object(fields) => {
            found.extend(fields.get("expr").and_then(Value::as_str).map(str::to_owned));
            fields.values().for_each(|field| expressions(field, found));
        }
        Value::Array(items) => items.iter().for_each(|item| expressions(item, found)),
        _ => {}
    }
}

#[test]
fn dashboards_show_what_is_measured() {
    for name in ["overview", "network", "mining", "storage"] {
        let text = fs::read_to_string(contrib(&format!("grafana/{name}.json"))).unwrap();
        let dashboard: Value = serde_json::from_str(&text).unwrap();
        assert_eq!(dashboard["uid"], format!("cairn-{name}"));
        let panels = dashboard["panels"].as_array().unwrap();
        let ids: BTreeSet<_> = panels.iter().map(|panel| panel["id"].as_u64().unwrap()).collect();
        assert_eq!(ids.len(), panels.len(), "{name}: panels share an id");
        for panel in panels {
            let place = format!("{name}: {}", panel["title"]);
            let grid = |field: &str| panel["gridPos"][field].as_u64().unwrap();
            assert!(grid("x") + grid("w") <= 24 && grid("h") > 0, "{place} is outside of the grid");
            let mut asked = Vec::new();
            expressions(panel, &mut asked);
            assert!(!asked.is_empty(), "{place} shows nothing");
            asked.iter().for_each(|expression| check(&place, expression));
        }
    }
}

#[test]
fn alerts_watch_what_is_measured_and_are_documented() {
    let text = fs::read_to_string(contrib("alerts.yml")).unwrap();
    let after = |line: &str, key: &str| line.trim_start().trim_start_matches("- ").strip_prefix(key).map(str::to_owned);
    let rules: Vec<_> = text.lines().filter_map(|line| after(line, "alert: ")).collect();
    let watched: Vec<_> = text.lines().filter_map(|line| after(line, "expr: ")).collect();
    assert_eq!(rules.len(), watched.len(), "each alert has its expression on a line");
    assert!(rules.len() >= 8, "{rules:?}");
    let page = include_str!("../head.md");
    for (rule, expression) in rules.iter().zip(&watched) {
        check(rule, expression);
        assert!(page.contains(&format!("| `{rule}` |")), "docs/metrics.md does not describe {rule}");
    }
    assert_eq!(page.matches("| `Cairn").count(), rules.len(), "docs/metrics.md describes alerts that are not there");
}

#[test]
fn names_of_metrics_are_found_in_expressions() {
    let asked = "histogram_quantile(0.9, sum by (le) (rate(cairn_rpc_call_seconds_bucket{job=\"cairn\"}[5m]))) > cairn_chain_height";
    assert_eq!(names(asked).into_iter().collect::<Vec<_>>(), ["cairn_chain_height", "cairn_rpc_call_seconds_bucket"]);
    assert!(names(asked).into_iter().all(is_measured));
    assert!(!is_measured("cairn_rpc_call_seconds") && !is_measured("cairn_chain_heights"));
}
