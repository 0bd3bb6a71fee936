//! What the wallet writes is for its owner alone, whatever the shell lets others do.
#![cfg(unix)]
#![allow(clippy::unwrap_used, reason = "tests")]

mod support;

use std::{
    collections::BTreeMap,
    fs,
    os::unix::{fs::PermissionsExt, process::CommandExt},
    path::Path,
};

use support::{Home, MockNode, WORDS, answered};

/// Files and folders below one, with what others may do to them.
fn modes(folder: &Path, found: &mut BTreeMap<String, u32>) {
    for entry in fs::read_dir(folder).unwrap().map(Result::unwrap) {
        let path = entry.path();
        found.insert(path.display().to_string(), entry.metadata().unwrap().permissions().mode() & 0o777);
        if path.is_dir() {
            modes(&path, found);
        }
    }
}

#[cfg(target_os = "linux")]
#[test]
fn a_process_that_holds_the_keys_makes_no_core_dump() {
    use std::{
        io::{Read, Write},
        process::Stdio,
    };
    let node = MockNode::start();
    let home = Home::with(&node, WORDS);
    let (terminal, mut keyboard) = support::terminal();
    let mut command = home.command(&["show-mnemonic"]);
    let mut child = command.stdin(terminal).stderr(Stdio::piped()).stdout(Stdio::piped()).spawn().unwrap();
    // It asks after it has opened the keys.
    let mut said = child.stderr.take().unwrap();
    let (mut text, mut byte) = (Vec::new(), [0]);
    while !text.ends_with(b"[y/N] ") {
        said.read_exact(&mut byte).unwrap();
        text.extend(byte);
    }
    let limits = fs::read_to_string(format!("/proc/{}/limits", child.id())).unwrap();
    let line = limits.lines().find(|line| line.starts_with("Max core file size")).unwrap();
    let numbers: Vec<&str> = line.split_whitespace().skip(4).take(2).collect();
    // One byte, not none: Linux pipes a dump to a program whatever the limit is, unless it is one.
    assert_eq!(numbers, ["1", "1"], "{line}");
    keyboard.write_all(b"n\n").unwrap();
    child.wait().unwrap();
}

#[test]
fn files_are_for_their_owner_alone_whatever_the_umask() {
    for umask in [0o000, 0o002, 0o022, 0o077] {
        let node = MockNode::start();
        let home = Home::empty(&node.url);
        fs::write(home.path("words"), WORDS).unwrap();
        let friend = Home::numbered(&node, 2).address();
        let other = Home::numbered(&node, 4).json(&["policy", "key"])["key"].as_str().unwrap().to_owned();
        let mut ours = BTreeMap::new();
        modes(&home.path(""), &mut ours);
        let run = |args: &[&str]| {
            let mut command = home.command(&[args, &["--yes", "--json"]].concat());
            // SAFETY: umask is safe between fork and exec.
            unsafe {
                command.pre_exec(move || {
                    libc::umask(umask);
                    Ok(())
                })
            };
            answered(command.output().unwrap()).json()
        };
        run(&["restore", "--chain", "local", "--mnemonic-file", "words", "--no-scan"]);
        node.pay(&home.address(), 500_000_000);
        run(&["build", "--out", "pay.json", "send", &friend, "1"]);
        run(&["sign", "pay.json", "--out", "signed.json"]);
        run(&["combine", "pay.json", "signed.json", "--out", "joined.json"]);
        let policy = run(&["policy", "multisig", "2", "me", &other, "--name", "both"]);
        node.pay(policy["address"].as_str().unwrap(), 300_000_000);
        run(&["policy", "spend", "both"]);
        run(&["backup", "all.backup"]);
        run(&["export-key", "0", "--keystore-password-file", "words"]);
        let mut all = BTreeMap::new();
        modes(&home.path(""), &mut all);
        all.retain(|path, _| !ours.contains_key(path));
        assert!(all.len() >= 9, "{all:?}");
        for (path, mode) in all {
            let private = if Path::new(&path).is_dir() { 0o700 } else { 0o600 };
            assert_eq!(mode, private, "{path} is {mode:o} under umask {umask:o}");
        }
    }
}
