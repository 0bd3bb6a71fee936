//! The quick form of the report: every page is written, and what was measured is as published.

use std::{fs, path::Path, process::Command};

/// Pages and pictures of the report.
const FILES: [&str; 15] = [
    "README.md",
    "asert.md",
    "asert.svg",
    "common-prefix.md",
    "common-prefix.svg",
    "depth.md",
    "depth.svg",
    "double-spend.md",
    "double-spend.svg",
    "finality.md",
    "finality.svg",
    "selfish-mining.md",
    "selfish-mining.svg",
    "stale-blocks.md",
    "stale-blocks.svg",
];

fn report(folder: &Path, arguments: &[&str]) -> String {
    let output = Command::new(env!("CARGO_BIN_EXE_report"))
        .args(["--quick", "--out"])
        .arg(folder)
        .args(arguments)
        .output()
        .expect("the report starts");
    let text = String::from_utf8_lossy(&output.stdout).into_owned();
    assert!(output.status.success(), "{text}\n{}", String::from_utf8_lossy(&output.stderr));
    text
}

fn files(folder: &Path) -> Vec<(String, Vec<u8>)> {
    let mut files: Vec<_> = fs::read_dir(folder)
        .expect("the folder is there")
        .map(|entry| entry.expect("it can be read"))
        .map(|entry| (entry.file_name().to_string_lossy().into_owned(), fs::read(entry.path()).expect("a file")))
        .collect();
    files.sort();
    files
}

#[test]
fn every_page_is_written_and_values_are_as_published() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("report");
    let _ = fs::remove_dir_all(&folder);
    let text = report(&folder, &[]);
    // Double spends and selfish mining above all; failures are printed and end it otherwise.
    assert!(text.contains("double-spend.md: 12 values compared"), "{text}");
    assert!(text.contains("selfish-mining.md: 6 values compared"), "{text}");
    assert!(text.contains(" passed, 0 failed"), "{text}");
    let files = files(&folder);
    assert_eq!(files.iter().map(|(name, _)| name.as_str()).collect::<Vec<_>>(), FILES);
    for (name, bytes) in files {
        let text = String::from_utf8(bytes).expect("text");
        assert!(text.len() < 60_000, "{name} has {} bytes", text.len());
        assert!(["NaN", "[-inf", "inf]"].iter().all(|wrong| !text.contains(wrong)), "{name}: {text}");
    }
}

#[test]
fn a_seed_gives_the_same_pages() {
    let folders = ["one", "other"].map(|name| Path::new(env!("CARGO_TARGET_TMPDIR")).join(name));
    for (folder, jobs) in folders.iter().zip(["1", "3"]) {
        let _ = fs::remove_dir_all(folder);
        report(folder, &["--only", "common-prefix", "--jobs", jobs]);
    }
    assert_eq!(files(&folders[0]), files(&folders[1]));
}

#[test]
fn one_experiment_changes_only_its_row_of_the_index() {
    let folder = Path::new(env!("CARGO_TARGET_TMPDIR")).join("row");
    let _ = fs::remove_dir_all(&folder);
    fs::create_dir_all(&folder).expect("a folder");
    let index =
        |row: &str| format!("# Index\n\n| page | values |\n| --- | --- |\n| [A](a.md) | 1 of 1 |\n{row}\nEnd.\n");
    fs::write(folder.join("README.md"), index("")).expect("an index");
    let read = || fs::read_to_string(folder.join("README.md")).expect("the index");
    for _ in 0..2 {
        report(&folder, &["--only", "common-prefix"]);
        let row = "| [Common prefix before and after stabilisation](common-prefix.md) | 4 of 4 |\n";
        assert_eq!(read(), index(row));
    }
}
