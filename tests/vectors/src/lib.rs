//! Public test vectors, which are not part of the repository, and the one way for a test to be skipped.
//!
//! A skipped test passes, so nobody would see that it did not run. Each skip is therefore written to the file that
//! `CAIRN_SKIPS` names, which `make test` counts at its end, and is a failure where `CAIRN_REQUIRE` lists what was missing.

use std::{
    env, fs,
    io::Write,
    path::{Path, PathBuf},
};

/// What a test may need beyond the repository.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Needs {
    /// The folder of vectors.
    Vectors,
    /// `tests/contracts`, compiled.
    Contracts,
    /// Prometheus' tool that checks rules and scrapes.
    Promtool,
    /// pooler's miner.
    Minerd,
}

impl Needs {
    /// Its name in `CAIRN_REQUIRE`.
    pub fn name(self) -> &'static str {
        match self {
            Self::Vectors => "vectors",
            Self::Contracts => "contracts",
            Self::Promtool => "promtool",
            Self::Minerd => "minerd",
        }
    }

    fn reason(self) -> &'static str {
        match self {
            Self::Vectors => "no vectors (make test VECTORS=FOLDER)",
            Self::Contracts => "no compiled contracts (scripts/contracts.sh says why)",
            Self::Promtool => "no promtool (Debian's package prometheus has it)",
            Self::Minerd => "no minerd (pooler's cpuminer; MINERD names it)",
        }
    }
}

/// The folder of vectors: what `CAIRN_VECTORS` names, else `../shared/vectors` beside the repository.
pub fn folder() -> PathBuf {
    if let Some(folder) = env::var_os("CAIRN_VECTORS") {
        return PathBuf::from(folder);
    }
    let start = env::var_os("CARGO_MANIFEST_DIR").map(PathBuf::from).unwrap_or_default();
    let root = start.ancestors().find(|folder| folder.join("Cargo.lock").is_file()).unwrap_or(Path::new("."));
    root.join("../shared/vectors")
}

/// A file of the vectors. `None`, after [`skip`], if there is no such folder.
///
/// # Panics
/// If the folder is there but the file is not, or if vectors are required.
pub fn read(name: &str) -> Option<Vec<u8>> {
    let folder = folder();
    if !folder.is_dir() {
        skip(Needs::Vectors);
        return None;
    }
    let file = folder.join(name);
    Some(fs::read(&file).unwrap_or_else(|error| panic!("{}: {error}", file.display())))
}

/// Records that a test does not run.
///
/// # Panics
/// If what it lacks is required, or the record cannot be written.
pub fn skip(lacks: Needs) {
    record(lacks, &env::var("CAIRN_REQUIRE").unwrap_or_default(), env::var_os("CAIRN_SKIPS").map(PathBuf::from));
}

fn record(lacks: Needs, required: &str, file: Option<PathBuf>) {
    let reason = lacks.reason();
    assert!(!required.split(',').any(|name| name == lacks.name()), "{reason}, and CAIRN_REQUIRE={required}");
    println!("skipped: {reason}");
    if let Some(path) = file {
        // One short write to a file opened for appending: tests of several processes do not tear each other's lines.
        let file = fs::OpenOptions::new().create(true).append(true).open(&path);
        let written = file.and_then(|mut file| file.write_all(format!("{reason}\n").as_bytes()));
        written.unwrap_or_else(|error| panic!("CAIRN_SKIPS={}: {error}", path.display()));
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn a_skip_is_recorded_and_one_of_what_is_required_fails() {
        let path = env::temp_dir().join(format!("cairn-skips-{}", std::process::id()));
        record(Needs::Vectors, "", Some(path.clone()));
        record(Needs::Contracts, "vectors", Some(path.clone()));
        let text = fs::read_to_string(&path).expect("it was written");
        fs::remove_file(&path).expect("it is there");
        assert_eq!(text, format!("{}\n{}\n", Needs::Vectors.reason(), Needs::Contracts.reason()));
        for required in ["contracts", "vectors,contracts"] {
            let failed = std::panic::catch_unwind(|| record(Needs::Contracts, required, None));
            let message = failed.expect_err("it is required");
            let expected = format!("{}, and CAIRN_REQUIRE={required}", Needs::Contracts.reason());
            assert_eq!(message.downcast_ref::<String>(), Some(&expected));
        }
    }
}
