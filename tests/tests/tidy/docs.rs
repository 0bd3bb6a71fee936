//! What documents name is there.

use std::{collections::BTreeSet, fs, path::Path};

use crate::{
    expect_none,
    source::{crates, root, workspace},
};

fn document(name: &str) -> String {
    fs::read_to_string(root().join(name)).unwrap()
}

/// What stands between backticks.
fn quoted(text: &str) -> impl Iterator<Item = &str> {
    text.lines().flat_map(|line| line.split('`').skip(1).step_by(2))
}

#[test]
fn the_readme_names_the_folders_and_pages_that_are_there() {
    let text = fs::read_to_string(root().join("README.md")).unwrap();
    let rows = text.lines().skip_while(|line| *line != "| folder | contents |").skip(2);
    let rows = rows.take_while(|line| line.starts_with('|'));
    let mut folders = BTreeSet::new();
    for row in rows {
        folders.extend(row.split('|').nth(1).unwrap_or_default().split('`').skip(1).step_by(2));
    }
    let pages = text.split("](").skip(1).filter_map(|rest| rest.split_once(')')?.0.split('#').next());
    let named = folders.iter().copied().chain(pages.filter(|page| !page.starts_with("http")));
    let mut wrong: Vec<String> = named
        .filter(|name| !root().join(name).exists())
        .map(|name| format!("README.md names {name}, which is not there"))
        .collect();
    let crates = crates();
    let crates = crates.iter().filter_map(|name| name.split('/').next());
    wrong.extend(
        crates.filter(|name| !folders.contains(name)).map(|name| format!("README.md does not say what {name} is")),
    );
    expect_none(&wrong);
}

/// Paths of all files and folders, these with a slash at their end; without what builds and tools leave.
fn everything(folder: &Path, paths: &mut Vec<String>) {
    for entry in fs::read_dir(folder).unwrap().map(|entry| entry.unwrap().path()) {
        let relative = entry.strip_prefix(root()).unwrap().display().to_string();
        let is_left = ["target", "bin", "node_modules"].iter().any(|name| relative.ends_with(name));
        if is_left || relative.starts_with(".git") {
            continue;
        }
        if entry.is_dir() {
            paths.push(format!("/{relative}/"));
            everything(&entry, paths);
        } else {
            paths.push(format!("/{relative}"));
        }
    }
}

#[test]
fn architecture_names_files_and_items_that_are_there() {
    let (text, mut paths) = (document("ARCHITECTURE.md"), Vec::new());
    everything(&root(), &mut paths);
    let code: String = workspace().into_iter().map(|source| source.text).collect();
    let words: BTreeSet<&str> = code.split(|letter: char| !letter.is_alphanumeric() && letter != '_').collect();
    let is_path = |name: &str| {
        let known = [".rs", ".md", ".js", ".sh", ".toml", ".json", "/"].iter().any(|end| name.ends_with(end));
        known && name.chars().all(|letter| letter.is_alphanumeric() || "_-./".contains(letter))
    };
    let is_there = |name: &&str| match name.rsplit_once("::") {
        _ if is_path(name) => paths.iter().any(|path| path.ends_with(&format!("/{name}"))),
        Some((_, item)) if item.chars().all(|letter| letter.is_alphanumeric() || letter == '_') => words.contains(item),
        _ => true,
    };
    let names: BTreeSet<&str> = quoted(&text).collect();
    assert!(names.iter().filter(|name| is_path(name)).count() > 100, "ARCHITECTURE.md names files");
    let placeholder = "NAMESPACE.md";
    let wrong = names.iter().filter(|name| **name != placeholder && !is_there(name));
    let wrong: Vec<_> = wrong.map(|name| format!("ARCHITECTURE.md names {name}, which is not there")).collect();
    expect_none(&wrong);
}

#[test]
fn the_readme_of_the_tests_names_each_of_them() {
    let text = document("tests/README.md");
    let tests = fs::read_dir(root().join("tests/tests")).unwrap().map(|entry| entry.unwrap().path());
    let name = |path: &Path| {
        let end = if path.is_dir() { "/" } else { "" };
        format!("`tests/{}{end}`", path.file_name().unwrap().to_string_lossy())
    };
    let wrong = tests.map(|path| name(&path)).filter(|name| !text.contains(name));
    let wrong: Vec<_> = wrong.map(|name| format!("tests/README.md does not name {name}")).collect();
    expect_none(&wrong);
}
