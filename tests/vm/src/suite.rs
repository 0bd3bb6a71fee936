//! A pack of official tests from its files to the verdict on every case.

use chain_core::state::MemoryState;
use serde_json::{Map, Value};
use std::{
    path::{Path, PathBuf},
    time::{Duration, Instant},
};

use crate::{
    input::{self, File, InputError},
    lenient::Malformed,
    pool, rlp_test,
    state_test::{Case, StateTest},
    transaction_test, trie_test,
    verdict::{Verdict, judge},
};

/// Which cases to run, and how.
#[derive(Clone, Debug)]
pub struct Options {
    /// Only cases whose name holds this.
    pub filter: Option<String>,
    /// Only cases of this fork.
    pub fork: Option<String>,
    /// Threads.
    pub jobs: usize,
}

impl Default for Options {
    fn default() -> Self {
        Self { filter: None, fork: None, jobs: pool::cores() }
    }
}

impl Options {
    fn wants(&self, id: &str, fork: Option<&str>) -> bool {
        let name = self.filter.as_ref().is_none_or(|filter| id.contains(filter.as_str()));
        name && self.fork.as_ref().is_none_or(|wanted| fork.is_some_and(|fork| fork.eq_ignore_ascii_case(wanted)))
    }
}

/// A case and what became of it.
#[derive(Clone, Debug)]
pub struct Done {
    /// Folder of its file.
    pub category: String,
    /// File, test, indexes and fork.
    pub id: String,
    /// What became of it.
    pub verdict: Verdict,
    /// How long it took.
    pub time: Duration,
}

/// A pack and what became of its cases.
#[derive(Clone, Debug)]
pub struct Report {
    /// Where it was read from.
    pub pack: PathBuf,
    /// Its cases, in the order of their names.
    pub cases: Vec<Done>,
    /// Files that hold something else than tests.
    pub ignored: Vec<String>,
}

/// A test that is read.
pub struct Test {
    /// Its file within the pack.
    pub path: String,
    /// Its name within the file.
    pub name: String,
    /// What it says.
    pub kind: Kind,
}

/// Kinds of tests.
pub enum Kind {
    /// A transaction on a state.
    State(Box<StateTest>),
    /// A transaction alone.
    Transaction(Value),
    /// Changes of a trie.
    Trie(Value),
    /// Bytes.
    Rlp(Value),
    /// It should be a test, but cannot be read.
    Broken(String),
}

impl Kind {
    /// Reads a test; `None` if it is none.
    fn parse(test: &Value) -> Option<Self> {
        if StateTest::is_one(test) {
            let broken = |error: Malformed| Self::Broken(error.to_string());
            return Some(StateTest::parse(test).map_or_else(broken, |test| Self::State(Box::new(test))));
        }
        let has = |one: &str, other: &str| test.get(one).is_some() && test.get(other).is_some();
        if has("txbytes", "result") {
            Some(Self::Transaction(test.clone()))
        } else if has("in", "root") {
            Some(Self::Trie(test.clone()))
        } else if has("in", "out") {
            Some(Self::Rlp(test.clone()))
        } else {
            None
        }
    }
}

impl Test {
    /// The name of the test as a whole.
    pub fn id(&self) -> String {
        format!("{}::{}", self.path, self.name)
    }

    /// The name of a case.
    pub fn case_id(&self, case: &Case) -> String {
        let [data, gas, value] = case.indexes;
        format!("{}/d{data}g{gas}v{value}/{}", self.id(), case.fork)
    }

    /// A guess at how long it takes.
    fn weight(&self) -> u128 {
        let Kind::State(test) = &self.kind else { return 0 };
        let gas = |case: &Case| u128::from(test.fields(case.indexes).map_or(0, |fields| fields.gas_limit));
        test.cases.iter().map(gas).sum()
    }
}

/// The tests of a pack and the files that hold none.
///
/// # Errors
/// [`InputError`] if the pack cannot be read.
pub fn read(pack: &Path, jobs: usize) -> Result<(Vec<Test>, Vec<String>), InputError> {
    let files = input::read(pack)?;
    let (mut tests, mut ignored) = (Vec::new(), Vec::new());
    for (file, read) in files.iter().zip(pool::map(jobs, &files, read_file)) {
        if read.is_empty() {
            ignored.push(file.path.clone());
        }
        tests.extend(read);
    }
    Ok((tests, ignored))
}

fn read_file(file: &File) -> Vec<Test> {
    let test = |name: String, kind| Test { path: file.path.clone(), name, kind };
    match serde_json::from_slice::<Map<String, Value>>(&file.bytes) {
        Ok(entries) => {
            entries.iter().filter_map(|(name, entry)| Some(test(name.clone(), Kind::parse(entry)?))).collect()
        }
        // A list is none of the known kinds of tests; what is no json at all might have been one.
        Err(error) if error.is_data() => Vec::new(),
        Err(error) => vec![test(String::new(), Kind::Broken(error.to_string()))],
    }
}

/// Runs the cases of a pack that are wanted.
///
/// # Errors
/// [`InputError`] if the pack cannot be read.
pub fn run(pack: &Path, options: &Options) -> Result<Report, InputError> {
    let (mut tests, ignored) = read(pack, options.jobs)?;
    tests.sort_by_key(|test| std::cmp::Reverse(test.weight()));
    let mut cases = pool::map(options.jobs, &tests, |test| run_test(test, options)).concat();
    cases.sort_by(|one, other| one.id.cmp(&other.id));
    Ok(Report { pack: pack.to_owned(), cases, ignored })
}

/// Runs the cases of a test that are wanted.
fn run_test(test: &Test, options: &Options) -> Vec<Done> {
    let category = test.path.rsplit_once('/').map_or("", |(folder, _)| folder).to_owned();
    let timed = |id: String, judge: &dyn Fn() -> Verdict| {
        let start = Instant::now();
        Done { category: category.clone(), id, verdict: judge(), time: start.elapsed() }
    };
    let check =
        |result: Result<(), String>| result.map_or_else(|problem| Verdict::Failed(vec![problem]), |()| Verdict::Passed);
    let alone = |judge: &dyn Fn() -> Verdict| {
        let id = test.id();
        if options.wants(&id, None) { vec![timed(id, judge)] } else { Vec::new() }
    };
    match &test.kind {
        Kind::State(state_test) => {
            let wanted = |case: &&Case| options.wants(&test.case_id(case), Some(&case.fork));
            let cases: Vec<&Case> = state_test.cases.iter().filter(wanted).collect();
            let supported = cases.iter().any(|case| case.revision().is_some());
            let state = if supported { state_test.state() } else { MemoryState::default() };
            let run = |case: &Case| judge(&test.path, &test.name, state_test, case, &state);
            cases.into_iter().map(|case| timed(test.case_id(case), &|| run(case))).collect()
        }
        Kind::Transaction(value) => alone(&|| check(transaction_test::check(value))),
        Kind::Trie(value) => alone(&|| check(trie_test::check(&test.path, value))),
        Kind::Rlp(value) => alone(&|| check(rlp_test::check(value))),
        Kind::Broken(error) => alone(&|| Verdict::Failed(vec![format!("cannot be read: {error}")])),
    }
}

/// The state tests of a pack that are wanted, by the names of their cases.
///
/// # Errors
/// [`InputError`] if the pack cannot be read.
pub fn find(pack: &Path, options: &Options) -> Result<Vec<(String, Box<StateTest>, Case)>, InputError> {
    let (tests, _) = read(pack, options.jobs)?;
    let mut found = Vec::new();
    for test in tests {
        let Kind::State(state_test) = &test.kind else { continue };
        for case in state_test.cases.iter().filter(|case| case.revision().is_some()) {
            let id = test.case_id(case);
            if options.wants(&id, Some(&case.fork)) {
                found.push((id, state_test.clone(), case.clone()));
            }
        }
    }
    Ok(found)
}
