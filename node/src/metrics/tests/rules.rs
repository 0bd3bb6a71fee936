//! Names follow Prometheus' rules (<https://prometheus.io/docs/practices/naming/>).

use std::{
    collections::BTreeSet,
    time::{Duration, Instant},
};

use crate::{
    mempool::{RemovalReason, SubmitError},
    metrics::{
        Metrics, Stage, TABLE, engine, net, stratum,
        table::{Kind, Metric},
        timed,
    },
    offence::Offence,
    stratum::Reject,
};

/// Base units and nouns that a name ends with, before `_total`.
const UNITS: [&str; 3] = ["seconds", "bytes", "wei"];

#[test]
fn names_say_what_they_count_in_base_units() {
    let mut seen = BTreeSet::new();
    for Metric { name, kind, help, .. } in TABLE {
        assert!(seen.insert(name), "{name} is there twice");
        assert!(name.starts_with("cairn_"), "{name}");
        assert!(name.bytes().all(|letter| letter.is_ascii_lowercase() || letter == b'_'), "{name}");
        assert_eq!(matches!(kind, Kind::Counter), name.ends_with("_total"), "{name}: counters alone end so");
        for bad in ["_count", "_sum", "_bucket", "_ms", "_milliseconds", "_kb", "_megabytes", "_percent"] {
            assert!(!name.ends_with(bad), "{name}");
        }
        let base = name.strip_suffix("_total").unwrap_or(name);
        let named = UNITS.iter().filter(|unit| name.contains(*unit) && !name.ends_with("_per_second"));
        named.for_each(|unit| assert!(base.ends_with(unit), "{name}: the unit comes last"));
        assert!(help.ends_with('.') && !help.contains('\n') && help.starts_with(|c: char| !c.is_lowercase()), "{name}");
    }
}

#[test]
fn bounds_of_buckets_ascend() {
    let buckets = TABLE.iter().filter_map(|metric| match metric.kind {
        Kind::Histogram(buckets) => Some(buckets),
        _ => None,
    });
    for bounds in buckets {
        assert!(bounds.is_sorted_by(|one, next| one < next) && bounds.len() <= 10, "{bounds:?}");
    }
}

#[test]
fn handles_record_under_each_value_of_their_label() {
    let metrics = Metrics::new();
    let mut expected = Vec::new();
    let mut expect =
        |metric: &str, label: &str, value: &str| expected.push(format!("{metric}{{{label}=\"{value}\"}} 1"));
    for (stage, name) in Stage::ALL {
        metrics.engine.stage(stage, Duration::ZERO);
        expect("cairn_engine_stage_seconds_count", "stage", name);
    }
    for event in engine::EVENTS {
        metrics.engine.handled(event, Duration::ZERO);
        expect("cairn_engine_event_seconds_count", "event", event);
    }
    for reason in RemovalReason::NAMES {
        metrics.engine.removed(reason);
        expect("cairn_mempool_removed_total", "reason", reason);
    }
    for name in SubmitError::names() {
        metrics.engine.rejected(name);
        expect("cairn_mempool_rejected_total", "reason", name);
    }
    for message in net::messages().collect::<BTreeSet<_>>() {
        metrics.net.received(message, 1);
        metrics.net.sent(message, 1);
        expect("cairn_net_message_bytes_total", "direction=\"received\",message", message);
        expect("cairn_net_message_bytes_total", "direction=\"sent\",message", message);
    }
    for offence in Offence::NAMES {
        metrics.net.offence(offence, 1, false);
        expect("cairn_net_offences_total", "offence", offence);
    }
    metrics.stratum.accepted();
    Reject::COUNTED.iter().for_each(|(_, reason)| metrics.stratum.rejected(reason));
    stratum::outcomes().for_each(|outcome| expect("cairn_stratum_shares_total", "outcome", outcome));
    let text = metrics.recorder.render();
    for line in expected {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}

#[test]
fn handles_without_a_label_record_what_they_are_given() {
    let metrics = Metrics::new();
    metrics.engine.new_tip(3, 2);
    metrics.engine.new_tip(1, 0);
    metrics.net.received("blocks", 500);
    metrics.net.offence("less_work", 20, false);
    metrics.rpc.called("eth_call", Duration::from_millis(5), true);
    metrics.rpc.called_unknown();
    let text = metrics.recorder.render();
    for line in [
        "cairn_chain_blocks_connected_total 4",
        "cairn_chain_blocks_disconnected_total 2",
        "cairn_chain_reorg_depth_blocks_bucket{le=\"1\"} 0",
        "cairn_chain_reorg_depth_blocks_bucket{le=\"2\"} 1",
        "cairn_chain_reorg_depth_blocks_count 1",
        "cairn_net_message_bytes_total{direction=\"received\",message=\"blocks\"} 500",
        "cairn_net_penalty_points_total 20",
        "cairn_rpc_call_seconds_bucket{method=\"eth_call\",le=\"0.001\"} 0",
        "cairn_rpc_call_seconds_bucket{method=\"eth_call\",le=\"0.01\"} 1",
        "cairn_rpc_errors_total{method=\"eth_call\"} 1",
        "cairn_rpc_errors_total{method=\"other\"} 1",
    ] {
        assert!(text.lines().any(|found| found == line), "no {line} in\n{text}");
    }
}

/// A block has eight stages. Of a block of one payment, which takes 225 us to connect, half a per cent is 140 ns for each.
#[test]
fn measuring_a_stage_takes_a_fraction_of_a_microsecond() {
    const ROUNDS: u32 = 20_000;
    let metrics = crate::metrics::start();
    let each = || {
        let started = Instant::now();
        (0..ROUNDS).for_each(|_| timed(Stage::Check, || std::hint::black_box(())));
        let took = started.elapsed() / ROUNDS;
        metrics.recorder.sort();
        took
    };
    // The best of some, for the machine may be busy.
    let best = (0..20).map(|_| each()).min().expect("there are some");
    println!("{best:?} for a stage");
    assert!(best < Duration::from_micros(2), "{best:?}");
}
