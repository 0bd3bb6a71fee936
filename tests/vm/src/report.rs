//! What the runner prints.

use serde_json::{Value, json};
use std::{
    collections::{BTreeMap, HashMap},
    fmt::Write,
    io::Read,
    path::{Path, PathBuf},
    time::Duration,
};

use crate::{
    suite::{Done, Report},
    verdict::{Skip, Verdict},
};

/// How many failures of a pack are told in full.
const MOST_FAILURES: usize = 40;

/// Cases that take longer are named.
const SLOW: Duration = Duration::from_secs(2);

/// How many cases came to what.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Counts {
    /// As they must be.
    pub passed: usize,
    /// Not so.
    pub failed: usize,
    /// Left out.
    pub skipped: usize,
}

impl Counts {
    /// Those of some cases.
    pub fn of<'a>(cases: impl IntoIterator<Item = &'a Done>) -> Self {
        let mut counts = Self::default();
        for case in cases {
            match case.verdict {
                Verdict::Passed => counts.passed += 1,
                Verdict::Failed(_) => counts.failed += 1,
                Verdict::Skipped(_) => counts.skipped += 1,
            }
        }
        counts
    }

    /// Both together.
    pub fn and(self, other: Self) -> Self {
        Self {
            passed: self.passed + other.passed,
            failed: self.failed + other.failed,
            skipped: self.skipped + other.skipped,
        }
    }
}

impl std::fmt::Display for Counts {
    fn fmt(&self, f: &mut std::fmt::Formatter<'_>) -> std::fmt::Result {
        write!(f, "{} passed, {} failed, {} skipped", self.passed, self.failed, self.skipped)
    }
}

impl Report {
    /// How its cases ended.
    pub fn counts(&self) -> Counts {
        Counts::of(&self.cases)
    }

    /// A table of categories, what was skipped and why, each failure with a hint.
    pub fn text(&self) -> String {
        let name = self.pack.file_name().unwrap_or(self.pack.as_os_str()).to_string_lossy();
        let mut out = format!(
            "== {name}\n{:<56} {:>7} {:>7} {:>7} {:>8}\n",
            "category", "passed", "failed", "skipped", "seconds"
        );
        for (category, cases) in self.by_category() {
            let counts = Counts::of(cases.iter().copied());
            let seconds = cases.iter().map(|case| case.time).sum::<Duration>().as_secs_f64();
            let Counts { passed, failed, skipped } = counts;
            push(&mut out, format_args!("{category:<56} {passed:>7} {failed:>7} {skipped:>7} {seconds:>8.2}\n"));
        }
        for ((what, reason), count) in self.skips() {
            push(&mut out, format_args!("skipped: {what}: {count} cases: {reason}\n"));
        }
        for case in self.cases.iter().filter(|case| case.time >= SLOW) {
            push(&mut out, format_args!("took {:.1} s: {}\n", case.time.as_secs_f64(), case.id));
        }
        for file in &self.ignored {
            push(&mut out, format_args!("holds no tests that this runner knows: {file}\n"));
        }
        out.push_str(&self.failures());
        push(&mut out, format_args!("{name}: {}\n", self.counts()));
        out
    }

    fn by_category(&self) -> BTreeMap<&str, Vec<&Done>> {
        let mut categories = BTreeMap::<_, Vec<_>>::new();
        for case in &self.cases {
            categories.entry(case.category.as_str()).or_default().push(case);
        }
        categories
    }

    /// What is skipped, category by category or else file by file, why, and how many cases.
    fn skips(&self) -> BTreeMap<(String, String), usize> {
        let mut skips = BTreeMap::new();
        for case in &self.cases {
            let Verdict::Skipped(skip) = &case.verdict else { continue };
            let what = match skip {
                Skip::Category(category, _) => (*category).to_owned(),
                Skip::Fork(_) => case.category.clone(),
                Skip::Blobs | Skip::Kzg => case.id.split("::").next().unwrap_or_default().to_owned(),
            };
            *skips.entry((what, skip.reason())).or_default() += 1;
        }
        skips
    }

    fn failures(&self) -> String {
        let failures = self.cases.iter().filter_map(|case| match &case.verdict {
            Verdict::Failed(problems) => Some((case, problems)),
            Verdict::Passed | Verdict::Skipped(_) => None,
        });
        let failures: Vec<_> = failures.collect();
        let peer = if failures.is_empty() { HashMap::new() } else { peer_answers(&self.pack).unwrap_or_default() };
        let mut out = String::new();
        for (case, problems) in failures.iter().take(MOST_FAILURES) {
            push(&mut out, format_args!("FAILED {}\n", case.id));
            for problem in *problems {
                push(&mut out, format_args!("    {problem}\n"));
            }
            if let Some(answer) = peer.get(&case.id) {
                push(&mut out, format_args!("    revm: {answer}\n"));
            }
            let (pack, id) = (quoted(&self.pack.to_string_lossy()), quoted(&case.id));
            push(&mut out, format_args!("    trace: conformance {pack} --trace --filter {id}\n"));
        }
        if failures.len() > MOST_FAILURES {
            push(
                &mut out,
                format_args!("... and {} more failures (--json lists them all)\n", failures.len() - MOST_FAILURES),
            );
        }
        out
    }

    /// The same for machines: every case that failed or was skipped, by name.
    pub fn json(&self) -> Value {
        let mut failures = Vec::new();
        let mut skips = Vec::new();
        for case in &self.cases {
            match &case.verdict {
                Verdict::Passed => {}
                Verdict::Failed(problems) => failures.push(json!({ "case": case.id, "problems": problems })),
                Verdict::Skipped(skip) => skips.push(json!({ "case": case.id, "reason": skip.reason() })),
            }
        }
        let categories: BTreeMap<&str, Value> =
            self.by_category().into_iter().map(|(category, cases)| (category, counts(Counts::of(cases)))).collect();
        json!({
            "pack": self.pack,
            "counts": counts(self.counts()),
            "categories": categories,
            "failures": failures,
            "skips": skips,
            "ignored": self.ignored,
        })
    }
}

fn counts(counts: Counts) -> Value {
    json!({ "passed": counts.passed, "failed": counts.failed, "skipped": counts.skipped })
}

fn push(out: &mut String, text: std::fmt::Arguments<'_>) {
    out.write_fmt(text).expect("a String takes all that is written");
}

/// A word for the shell.
fn quoted(text: &str) -> String {
    format!("'{}'", text.replace('\'', r"'\''"))
}

/// What revm answers to the cases of a pack, where that was measured: by case, a line to show.
fn peer_answers(pack: &Path) -> Option<HashMap<String, String>> {
    let name = pack.file_name()?.to_str()?.strip_prefix("state_")?.strip_suffix(".tar.zst")?;
    let path: PathBuf = pack.with_file_name(format!("revm_{name}.tsv.zst"));
    let mut text = String::new();
    let file = std::fs::File::open(path).ok()?;
    ruzstd::decoding::StreamingDecoder::new(file).ok()?.read_to_string(&mut text).ok()?;
    let fork = if name.starts_with("cancun") { "Cancun" } else { "Osaka" };
    let line = |line: &str| {
        let columns: Vec<&str> = line.split('\t').collect();
        let [file, test, data, gas, value, status, used, output, ok] = columns[..] else { return None };
        let id = format!("{file}::{test}/d{data}g{gas}v{value}/{fork}");
        Some((id, format!("{status}, gas used {used}, output {output} ({ok})")))
    };
    Some(text.lines().filter_map(line).collect())
}
