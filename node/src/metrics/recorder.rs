//! The registry of values, and their text for Prometheus. The only file that names the exporter.

use metrics::{Counter, Gauge, Histogram, Key, Label, Level, Metadata, Recorder as _};
use metrics_exporter_prometheus::{Matcher, PrometheusBuilder, PrometheusHandle, PrometheusRecorder};

use super::table::{Kind, TABLE};

/// The labels of one series.
type Labels<'a> = &'a [(&'static str, &'a str)];

const METADATA: Metadata<'static> = Metadata::new("cairn", Level::INFO, None);

/// All values. Series are made when they are first asked for; names and values of labels come from fixed sets, so that their
/// number is bounded.
pub struct Recorder {
    recorder: PrometheusRecorder,
    handle: PrometheusHandle,
}

impl Recorder {
    /// With a description of each metric, and no values.
    ///
    /// # Panics
    /// If a histogram of the table has no buckets, which a test would find.
    pub(crate) fn new() -> Self {
        let mut builder = PrometheusBuilder::new();
        for metric in TABLE {
            if let Kind::Histogram(buckets) = metric.kind {
                let matcher = Matcher::Full(metric.name.to_owned());
                builder = builder.set_buckets_for_metric(matcher, buckets).expect("histograms have buckets");
            }
        }
        let recorder = builder.build_recorder();
        for metric in TABLE {
            let (name, help) = (metric.name.into(), metric.help.into());
            match metric.kind {
                Kind::Counter => recorder.describe_counter(name, None, help),
                Kind::Gauge => recorder.describe_gauge(name, None, help),
                Kind::Histogram(_) => recorder.describe_histogram(name, None, help),
            }
        }
        Self { handle: recorder.handle(), recorder }
    }

    /// A counter of the table.
    pub fn counter(&self, name: &'static str, labels: Labels) -> Counter {
        self.recorder.register_counter(&key(name, labels), &METADATA)
    }

    /// A gauge of the table.
    pub fn gauge(&self, name: &'static str, labels: Labels) -> Gauge {
        self.recorder.register_gauge(&key(name, labels), &METADATA)
    }

    /// A histogram of the table.
    pub fn histogram(&self, name: &'static str, labels: Labels) -> Histogram {
        self.recorder.register_histogram(&key(name, labels), &METADATA)
    }

    /// Sets a gauge.
    pub fn set(&self, name: &'static str, labels: Labels, value: f64) {
        self.gauge(name, labels).set(value);
    }

    /// Sets a counter that something else counts.
    pub fn count(&self, name: &'static str, labels: Labels, value: u64) {
        self.counter(name, labels).absolute(value);
    }

    /// All values as text, in the format that Prometheus scrapes.
    pub fn render(&self) -> String {
        self.handle.render()
    }

    /// Sorts samples into buckets. Until then each takes memory, so this is called every few seconds.
    pub fn sort(&self) {
        self.handle.run_upkeep();
    }
}

fn key(name: &'static str, labels: Labels) -> Key {
    debug_assert!(is_in_table(name, labels), "{name} is not in the table with these labels");
    let labels: Vec<Label> = labels.iter().map(|(name, value)| Label::new(*name, (*value).to_owned())).collect();
    Key::from_parts(name, labels)
}

fn is_in_table(name: &str, labels: Labels) -> bool {
    let names = || labels.iter().map(|(name, _)| *name);
    TABLE.iter().any(|metric| metric.name == name && metric.labels.iter().copied().eq(names()))
}
