//! `make run` and `make test` share what cargo compiled of the dependencies: both builds have the same units.
//!
//! Cargo compiles a crate once for each set of features, and then everything above it. A dependency of the tests that
//! turns on a feature of a dependency of the programs would therefore cost each newcomer most of the build twice.
//! `tests/features` lists such features.

use serde_json::Value;
use std::{
    collections::{BTreeMap, BTreeSet},
    path::{Path, PathBuf},
    process::Command,
};

/// The checkout that runs the test, which need not be the one that compiled it.
fn repository() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..")
}

/// What cargo would compile. The graph is unstable in cargo's sense; the toolchain is pinned.
fn graph(arguments: &[&str]) -> Value {
    let cargo = std::env::var_os("CARGO").unwrap_or_else(|| "cargo".into());
    let output = Command::new(cargo)
        .args(arguments)
        .args(["--locked", "--release", "-Z", "unstable-options", "--unit-graph"])
        .current_dir(repository())
        .env("RUSTC_BOOTSTRAP", "1")
        .output()
        .expect("cargo can be run");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    serde_json::from_slice(&output.stdout).expect("a unit graph is JSON")
}

/// The words after each `-p` of the script that `make run` builds with.
fn packages_of_make_run() -> Vec<String> {
    let script = std::fs::read_to_string(repository().join("scripts/build.sh")).expect("the script is there");
    let words: Vec<&str> = script.split_whitespace().collect();
    words
        .windows(2)
        .filter(|pair| pair[0] == "-p" && pair[1].starts_with("cairn-"))
        .map(|pair| pair[1].to_owned())
        .collect()
}

/// The units of dependencies: a text that holds all that tells two units apart, and how to name it.
fn units(graph: &Value) -> BTreeMap<String, String> {
    let units = graph["units"].as_array().expect("a graph has units");
    let mut known = vec![None; units.len()];
    for index in 0..units.len() {
        identify(units, index, &mut known);
    }
    let is_own = |unit: &Value| unit["pkg_id"].as_str().is_none_or(|id| id.starts_with("path+"));
    let named = |unit: &Value| format!("{} {} {}", unit["pkg_id"], unit["mode"], unit["features"]);
    let all = units.iter().zip(known).filter(|(unit, _)| !is_own(unit));
    all.map(|(unit, identity)| (identity.expect("each was visited"), named(unit))).collect()
}

/// A unit is its package, target, features and profile, and the units that it depends on.
fn identify(units: &[Value], index: usize, known: &mut [Option<String>]) -> String {
    if let Some(text) = &known[index] {
        return text.clone();
    }
    let unit = &units[index];
    let below = unit["dependencies"].as_array().expect("a list").iter();
    let below = below.map(|edge| usize::try_from(edge["index"].as_u64().expect("an index")).expect("a small number"));
    let below: BTreeSet<String> = below.map(|index| identify(units, index, known)).collect();
    let own = ["pkg_id", "target", "profile", "platform", "mode", "features"].map(|key| unit[key].to_string());
    let digest = hex::encode(chain_core::hash::sha256(format!("{own:?}{below:?}").as_bytes()));
    known[index] = Some(digest.clone());
    digest
}

#[test]
fn make_test_compiles_no_dependency_that_make_run_compiled() {
    let packages = packages_of_make_run();
    assert_eq!(packages.len(), 4, "scripts/build.sh names the programs and cairn-features");
    let mut build = vec!["build"];
    build.extend(packages.iter().flat_map(|name| ["-p", name]));
    let run = units(&graph(&build));
    let test = units(&graph(&["test", "--workspace", "--no-run"]));
    assert!(run.len() > 300, "the programs have dependencies");
    let again: Vec<_> = run.iter().filter(|(unit, _)| !test.contains_key(*unit)).map(|(_, name)| name).collect();
    let elsewhere: BTreeSet<_> = test.values().collect();
    // The causes first: those that the tests compile with other features. The rest lies above them.
    let causes: Vec<_> = again.iter().filter(|name| !elsewhere.contains(**name)).collect();
    assert!(
        again.is_empty(),
        "{} units differ; add features to tests/features/Cargo.toml for\n{causes:#?}",
        again.len()
    );
}
