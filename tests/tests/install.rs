//! `scripts/install.sh` with fake programs: what it puts where, and that it takes all of it away again.

use std::{
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

fn install(arguments: &[&Path]) -> String {
    let tests = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
    let script = Path::new(&tests).join("../scripts/install.sh");
    let output = Command::new(script).args(arguments).env_remove("DESTDIR").output().expect("the script runs");
    assert!(output.status.success(), "{}", String::from_utf8_lossy(&output.stderr));
    String::from_utf8_lossy(&output.stdout).into_owned()
}

fn files(folder: &Path) -> Vec<PathBuf> {
    let mut found = Vec::new();
    for entry in fs::read_dir(folder).expect("a folder") {
        let path = entry.expect("it can be listed").path();
        if path.is_dir() { found.extend(files(&path)) } else { found.push(path) }
    }
    found.sort();
    found
}

#[test]
fn what_is_installed_is_complete_and_is_removed_again() {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let at = |path: &str| folder.path().join(path);
    let (bin, manual, prefix) = (at("bin"), at("manual"), at("a prefix"));
    let pages = ["share/man/man1/NAME.1", "share/man/man1/NAME-command.1", "share/zsh/site-functions/_NAME"];
    let completions = ["share/bash-completion/completions/NAME", "share/fish/vendor_completions.d/NAME.fish"];
    let mut expected = Vec::new();
    for name in ["cairn-node", "cairn-miner", "cairn-wallet"] {
        fs::create_dir_all(&bin).and_then(|()| fs::write(bin.join(name), name)).expect("a file");
        expected.push(prefix.join("bin").join(name));
        for path in pages.iter().chain(&completions).map(|path| path.replace("NAME", name)) {
            let file = manual.join(&path);
            fs::create_dir_all(file.parent().expect("it is in a folder")).expect("a folder");
            fs::write(file, "text").expect("a file");
            expected.push(prefix.join(path));
        }
    }
    expected.sort();
    let said = install(&[&prefix, &bin, &manual]);
    assert!(said.contains(&format!("{}/bin is not in PATH", prefix.display())), "{said}");
    assert_eq!(files(&prefix), expected);
    let mode = |path: &Path| fs::metadata(path).expect("it is there").permissions().mode() & 0o777;
    assert!(files(&prefix.join("bin")).iter().all(|file| mode(file) == 0o755));
    assert!(files(&prefix.join("share")).iter().all(|file| mode(file) == 0o644));
    // A second time is an update.
    install(&[&prefix, &bin, &manual]);
    let other = prefix.join("bin/other");
    fs::write(&other, "not ours").expect("a file");
    install(&[Path::new("--uninstall"), &prefix]);
    assert_eq!(files(&prefix), [other]);
}
