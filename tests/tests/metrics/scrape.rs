//! Scrapes of real nodes, one after the other.

use cairn_tests::{Node, wait_for};
use prometheus_parse::{Scrape, Value};
use std::collections::{BTreeMap, BTreeSet};

use crate::repository;

/// Where a node serves its metrics.
pub fn served(node: &Node) -> String {
    wait_for("the metrics' address", 30, || {
        // A node that was started again has logged it again.
        let log = node.log();
        let (_, rest) = log.rsplit_once("metrics are at ")?;
        rest.split_once("/metrics").map(|(url, _)| url.to_owned())
    })
}

/// Status and body.
pub fn get(url: &str) -> (u16, String) {
    let agent = ureq::Agent::config_builder().http_status_as_error(false).build().new_agent();
    let mut answer = agent.get(url).call().expect("metrics are served");
    (answer.status().as_u16(), answer.body_mut().read_to_string().expect("it is text"))
}

/// All series of a node: the sum of their values (of a histogram its count) by name.
#[derive(Clone, Debug)]
pub struct Sums {
    values: BTreeMap<String, f64>,
    /// Names of counters and histograms, which never shrink.
    growing: BTreeSet<String>,
}

impl Sums {
    pub fn of(url: &str) -> Self {
        // A gathering is served again for 0.2 s.
        Node::pause(250);
        let (status, text) = get(&format!("{url}/metrics"));
        assert_eq!(status, 200);
        let scrape = Scrape::parse(text.lines().map(|line| Ok(line.to_owned()))).expect("it is a scrape");
        let (mut values, mut growing) = (BTreeMap::new(), BTreeSet::new());
        for sample in scrape.samples {
            let value = match &sample.value {
                Value::Counter(value) | Value::Gauge(value) | Value::Untyped(value) => *value,
                Value::Histogram(buckets) => buckets.iter().map(|bucket| bucket.count).fold(0.0, f64::max),
                Value::Summary(_) => panic!("{} is a summary", sample.metric),
            };
            if matches!(sample.value, Value::Counter(_) | Value::Histogram(_)) {
                growing.insert(sample.metric.clone());
            }
            // What a label tells apart has a name of its own here, too.
            for (label, value_of_label) in sample.labels.iter() {
                *values.entry(format!("{}:{label}={value_of_label}", sample.metric)).or_default() += value;
            }
            *values.entry(sample.metric).or_default() += value;
        }
        Self { values, growing }
    }

    pub fn get(&self, name: &str) -> f64 {
        *self.values.get(name).unwrap_or_else(|| panic!("no {name} in {:?}", self.values.keys()))
    }

    /// Names without those of a histogram's parts.
    pub fn names(&self) -> BTreeSet<&str> {
        let part = |name: &str| {
            let base = name.strip_suffix("_sum").or(name.strip_suffix("_count"));
            base.is_some_and(|base| self.values.contains_key(base))
        };
        self.values.keys().map(String::as_str).filter(|name| !name.contains(':') && !part(name)).collect()
    }

    /// Names of which a series has another value, or other labels, than in an earlier scrape.
    pub fn differ(&self, first: &Self) -> BTreeSet<String> {
        let keys = self.values.keys().chain(first.values.keys());
        let changed = keys.filter(|key| self.values.get(*key) != first.values.get(*key));
        changed.filter_map(|key| key.split(':').next()).map(str::to_owned).collect()
    }

    /// Counters and histograms that are lower than in an earlier scrape of the same process.
    fn shrunk(&self, before: &Self) -> Vec<String> {
        let lower = |name: &&String| self.values.get(*name) < before.values.get(*name);
        before.growing.iter().filter(lower).cloned().collect()
    }
}

/// What was seen to move between the first scrape of a node and later ones.
pub struct Film {
    url: String,
    first: Sums,
    last: Sums,
    moved: BTreeSet<String>,
}

impl Film {
    /// Begins with a first scrape.
    pub fn of(node: &Node) -> Self {
        let url = served(node);
        let first = Sums::of(&url);
        Self { url, last: first.clone(), first, moved: BTreeSet::new() }
    }

    /// Scrapes once more.
    pub fn look(&mut self) -> &Sums {
        let now = Sums::of(&self.url);
        assert_eq!(now.shrunk(&self.last), Vec::<String>::new(), "counters only grow");
        self.moved.extend(now.differ(&self.first));
        self.last = now;
        &self.last
    }

    /// Scrapes until a condition holds.
    pub fn until(&mut self, what: &str, seconds: u64, holds: impl Fn(&Sums) -> bool) {
        wait_for(what, seconds, || holds(self.look()).then_some(()));
    }

    /// Goes on with another process on the same data.
    pub fn restarted(&mut self, node: &Node) {
        self.url = served(node);
        self.last = Sums::of(&self.url);
        self.look();
    }

    /// Names that moved.
    pub fn moved(&self) -> &BTreeSet<String> {
        &self.moved
    }
}

/// The first column of the tables of docs/metrics.md.
pub fn documented() -> BTreeSet<String> {
    let page = std::fs::read_to_string(repository().join("docs/metrics.md")).expect("the page is there");
    let name = |line: &str| Some(line.strip_prefix("| `cairn_")?.split_once('`')?.0.to_owned());
    page.lines().filter_map(name).map(|name| format!("cairn_{name}")).collect()
}
