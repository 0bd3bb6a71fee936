//! `scripts/contracts.sh`, `scripts/clients.sh` and `scripts/test.sh` with fake tools, and what holds for every script.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

fn repository() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..")
}

fn contracts(tools: &[(&str, &str)]) -> (Option<i32>, String) {
    script("contracts.sh", tools, "")
}

/// Runs a script on a machine with these tools, where CAIRN_REQUIRE says what may not be skipped: its exit code and what it
/// said.
fn script(name: &str, tools: &[(&str, &str)], require: &str) -> (Option<i32>, String) {
    let folder = tempfile::tempdir().expect("a temporary directory");
    let bin = folder.path().join("bin");
    fs::create_dir(&bin).expect("a folder");
    for tool in ["bash", "cmp", "cp", "dirname", "mkdir", "mktemp", "rm", "sort", "uname", "uniq"] {
        let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
        let real = real.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("this machine has no {tool}"));
        symlink(real, bin.join(tool)).expect("a link");
    }
    for (name, body) in tools {
        fs::write(bin.join(name), format!("#!{}/bash\n{body}\n", bin.display())).expect("a file");
        fs::set_permissions(bin.join(name), fs::Permissions::from_mode(0o755)).expect("a mode");
    }
    let cache = folder.path().join("a cache");
    let output = Command::new(bin.join("bash"))
        .arg(repository().join("scripts").join(name))
        .current_dir(repository())
        .env_clear()
        .env("PATH", &bin)
        .env("CAIRN_CONTRACTS", &cache)
        .env("CAIRN_CLIENTS", &cache)
        .env("CAIRN_NODE", bin.join("bash"))
        .env("CAIRN_REQUIRE", require)
        .output()
        .expect("bash can be run");
    let said = String::from_utf8_lossy(&output.stderr).replace(&cache.display().to_string(), "CACHE");
    (output.status.code(), said)
}

/// A Node.js that is new enough and cannot compile.
const NODE: &str =
    "case \"$1\" in -e) exit 0 ;; --version) echo v20.1.0 ;; *) echo 'a.sol: an error' >&2; exit 1 ;; esac";
const OLD_NODE: &str = "case \"$1\" in -e) exit 1 ;; --version) echo v12.22.9 ;; esac";

#[test]
fn without_a_solidity_compiler_the_reason_is_named_and_the_tests_skip() {
    let skipped = |why: &str| (Some(3), format!("contracts: {why}, so the tests of compiled contracts are skipped\n"));
    assert_eq!(contracts(&[]), skipped("Node.js with npm is not installed"));
    let old = contracts(&[("node", OLD_NODE), ("npm", "")]);
    assert_eq!(old, skipped("Node.js 18 or later is needed, and this is v12.22.9"));
    let offline = contracts(&[("node", NODE), ("npm", "exit 1")]);
    assert_eq!(offline, skipped("npm cannot fetch the compiler (see CACHE/npm.log)"));
}

#[test]
fn contracts_that_do_not_compile_are_a_failure() {
    let (code, said) = contracts(&[("node", NODE), ("npm", "mkdir -p node_modules/solc")]);
    assert_eq!(code, Some(2), "{said}");
    assert!(
        said.starts_with("a.sol: an error\ncontracts: the contracts in ") && said.ends_with(" do not compile\n"),
        "{said}"
    );
}

#[test]
fn client_tests_skip_without_a_registry_unless_they_are_required() {
    let skipped = |why: &str| format!("clients: {why}, so the client tests are skipped\n");
    let old = skipped("Node.js 20 or later is needed, and this is v12.22.9");
    let offline = skipped("npm cannot fetch the clients (see CACHE/npm.log)");
    for (require, code) in [("", Some(0)), ("vectors", Some(0)), ("vectors,clients", Some(1))] {
        let run = |tools| script("clients.sh", tools, require);
        assert_eq!(run(&[]), (code, skipped("Node.js with npm is not installed")));
        assert_eq!(run(&[("node", OLD_NODE), ("npm", "")]), (code, old.clone()));
        assert_eq!(run(&[("node", NODE), ("npm", "exit 1")]), (code, offline.clone()));
    }
}

/// Otherwise a fresh machine may build with other versions of dependencies than those that were tested.
#[test]
fn every_build_uses_the_lock() {
    let scripts =
        fs::read_dir(repository().join("scripts")).expect("a folder").map(|entry| entry.expect("an entry").path());
    let mut files: Vec<PathBuf> = scripts.filter(|path| path.extension().is_some_and(|end| end == "sh")).collect();
    files.push(repository().join("Makefile"));
    assert!(files.len() > 5, "the scripts were not found");
    for file in files {
        let text = fs::read_to_string(&file).expect("a text").replace("\\\n", " ");
        for line in text.lines().filter(|line| !line.trim_start().starts_with('#')) {
            for verb in ["bench", "build", "check", "clippy", "doc", "metadata", "nextest run", "run", "test"] {
                let unlocked = line.contains(&format!("cargo {verb} ")) && !line.contains("--locked");
                assert!(!unlocked, "{}: {line}", file.display());
            }
        }
    }
}

#[test]
fn without_nextest_tests_of_processes_run_one_at_a_time() {
    let cargo = "echo \"cargo ${RUST_TEST_THREADS:-many} $*\" >&2";
    let (code, said) = script("test.sh", &[("cargo", cargo)], "");
    assert_eq!(code, Some(0), "{said}");
    let runs: Vec<&str> = said.lines().filter(|line| line.contains(" test ")).collect();
    let flags = "--locked --release --workspace --no-fail-fast --quiet";
    assert_eq!(runs, [format!("cargo many test {flags} --lib --bins"), format!("cargo 1 test {flags} --test *")]);
}
