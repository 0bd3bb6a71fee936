//! `scripts/rocksdb.sh` with a fake compiler and a fake crate: what it compiles and when, and what it leaves to cargo.

use std::{
    collections::BTreeMap,
    fs,
    os::unix::fs::PermissionsExt,
    path::{Path, PathBuf},
    process::Command,
};

/// The sources of the fake crate, and how each is optimised.
const SOURCES: [(&str, &str); 7] = [
    ("cache/lru_cache.cc", "O2"),
    ("db/c.cc", "O2"),
    ("db/db_impl/db_impl_open.cc", "O1"),
    ("env/fs_posix.cc", "O1"),
    ("table/block_based/block.cc", "O2"),
    ("table/plain/plain_table_reader.cc", "O1"),
    ("utilities/ttl/db_ttl_impl.cc", "O1"),
];
const OWN_CONFIG: &str = "[build]\njobs = 1\n";

/// A checkout and a user's home, in folders with a blank.
struct Checkout {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

struct Outcome {
    code: Option<i32>,
    said: String,
    /// The arguments of each run of the compiler.
    compiled: Vec<String>,
}

fn repository() -> PathBuf {
    Path::new(&std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it")).join("..")
}

fn write(path: &Path, text: &str) {
    fs::create_dir_all(path.parent().expect("it is in a folder")).expect("a folder");
    fs::write(path, text).expect("a file");
}

impl Checkout {
    fn new() -> Self {
        let checkout = Self { folder: tempfile::tempdir().expect("a temporary directory"), variables: Vec::new() };
        let root = checkout.root();
        for path in ["scripts/rocksdb.sh", "Cargo.lock"] {
            fs::create_dir_all(root.join("scripts")).expect("a folder");
            fs::copy(repository().join(path), root.join(path)).expect("a copy");
        }
        let at = |path: &str| checkout.folder.path().join(path);
        let sources = SOURCES.map(|(file, _)| file).join("\n") + "\nutil/build_version.cc\n";
        write(&at("librocksdb-sys-1/rocksdb_lib_sources.txt"), &sources);
        write(&at("librocksdb-sys-1/build_version.cc"), "//");
        for (file, _) in SOURCES {
            write(&at("librocksdb-sys-1/rocksdb").join(file), &"/".repeat(100));
        }
        let manifest = |name: &str| format!(r#"{{"manifest_path":"{}"}}"#, at(name).join("Cargo.toml").display());
        let metadata = format!(r#"{{"packages":[{},{}]}}"#, manifest("lz4-sys-1"), manifest("librocksdb-sys-1"));
        checkout.tool("cargo", &format!("echo '{metadata}'"));
        checkout.tool("rustc", "echo host: x86_64-unknown-linux-gnu");
        checkout.tool("ar", "shift; cat \"${@:2}\" >\"$1\"");
        checkout.compiler("1", "");
        checkout
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("a checkout")
    }

    fn tool(&self, name: &str, body: &str) {
        let path = self.folder.path().join("bin").join(name);
        write(&path, &format!("#!/usr/bin/env bash\n{body}\n"));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
    }

    /// A compiler that copies what it should compile, after `first`, which knows the unit.
    fn compiler(&self, version: &str, first: &str) {
        let log = self.folder.path().join("compiled");
        self.tool(
            "c++",
            &format!(
                "[ \"$1\" != --version ] || {{ echo 'fake {version}'; exit; }}\necho \"$*\" >>'{}'\nunit=\"${{@: -3:1}}\"\n\
                 printf half >\"${{@: -1}}\"\n{first}\ncat \"$unit\" >\"${{@: -1}}\"",
                log.display()
            ),
        );
    }

    fn run(&self) -> Outcome {
        let log = self.folder.path().join("compiled");
        // Of an earlier run.
        fs::remove_file(&log).ok();
        let output = Command::new(self.root().join("scripts/rocksdb.sh"))
            .env_clear()
            .env("PATH", format!("{}/bin:/usr/bin:/bin", self.folder.path().display()))
            .env("HOME", self.folder.path().join("a home"))
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("the script runs");
        Outcome {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            compiled: fs::read_to_string(log).unwrap_or_default().lines().map(str::to_owned).collect(),
        }
    }

    fn config(&self) -> Option<String> {
        fs::read_to_string(self.root().join(".cargo/config.toml")).ok()
    }

    /// The folder that the written configuration names.
    fn library(&self) -> PathBuf {
        let config = self.config().expect("the configuration names the library");
        let config: toml::Table = config.parse().expect("it is TOML");
        assert_eq!(config["env"]["ROCKSDB_STATIC"].as_str(), Some("1"));
        config["env"]["ROCKSDB_LIB_DIR"].as_str().expect("a path").into()
    }

    /// Nothing was compiled, and the configuration names no library.
    fn is_left_to_cargo(&self, why: &str) {
        let outcome = self.run();
        assert_eq!((outcome.code, outcome.compiled), (Some(0), Vec::new()), "{}", outcome.said);
        assert!(outcome.said.contains(why), "{}", outcome.said);
        assert_eq!(self.config(), None);
    }
}

/// How often each source is in a library, which is a list of them here.
fn sources(library: &Path) -> BTreeMap<String, usize> {
    let mut found = BTreeMap::new();
    for line in fs::read_to_string(library.join("librocksdb.a")).expect("the library is there").lines() {
        *found.entry(line.to_owned()).or_default() += 1;
    }
    found
}

fn all_sources() -> BTreeMap<String, usize> {
    let files = SOURCES.iter().map(|(file, _)| *file).chain(["../build_version.cc"]);
    files.map(|file| (format!("#include \"{file}\""), 1)).collect()
}

#[test]
fn each_source_is_compiled_once_and_cargo_is_told_of_the_library() {
    let checkout = Checkout::new();
    let outcome = checkout.run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.said);
    let library = checkout.library();
    assert!(library.starts_with(checkout.folder.path().join("a home/.cache/cairn/rocksdb")), "{}", library.display());
    assert_eq!(sources(&library), all_sources());
    let expected = outcome.compiled.len();
    assert!(outcome.said.contains(&format!("RocksDB, {expected} of {expected} ...\n")), "{}", outcome.said);
    let again = checkout.run();
    assert_eq!((again.code, again.said.as_str(), again.compiled.len()), (Some(0), "", 0));
}

#[test]
fn what_the_node_runs_on_every_block_is_optimised_more() {
    let checkout = Checkout::new();
    let kept = checkout.folder.path().join("kept");
    checkout.compiler("1", &format!("sed \"s/$/ ${{@: -4:1}} ${{@: -5:1}}/\" \"$unit\" >>'{}'", kept.display()));
    assert_eq!(checkout.run().code, Some(0));
    let kept = fs::read_to_string(kept).expect("the compiler ran");
    for (file, level) in SOURCES {
        assert!(kept.contains(&format!("#include \"{file}\" -c -{level}")), "{file} in {kept}");
    }
}

#[test]
fn an_interrupted_build_leaves_no_library_and_goes_on_where_it_was() {
    let checkout = Checkout::new();
    checkout.compiler("1", "case \"$unit\" in */03-*) exit 1 ;; esac");
    let outcome = checkout.run();
    assert_eq!((outcome.code, checkout.config()), (Some(0), None), "{}", outcome.said);
    assert!(outcome.said.contains("RocksDB was not compiled: cargo compiles RocksDB file by file"), "{}", outcome.said);
    let first = outcome.compiled.len();
    checkout.compiler("1", "");
    let outcome = checkout.run();
    assert_eq!(outcome.code, Some(0), "{}", outcome.said);
    assert_eq!(sources(&checkout.library()), all_sources());
    assert!(first + outcome.compiled.len() <= SOURCES.len() + 2, "units are compiled again: {}", outcome.said);
}

#[test]
fn another_compiler_or_other_flags_make_another_library() {
    let mut checkout = Checkout::new();
    checkout.run();
    let mut folders = vec![checkout.library()];
    checkout.compiler("2", "");
    checkout.run();
    folders.push(checkout.library());
    checkout.variables.push(("CXXFLAGS", "-fno-plt -DX".to_owned()));
    let outcome = checkout.run();
    assert!(outcome.compiled.iter().all(|line| line.contains(" -fno-plt -DX ")), "{:?}", outcome.compiled);
    folders.push(checkout.library());
    folders.sort();
    folders.dedup();
    assert_eq!(folders.len(), 3);
}

#[test]
fn a_compiler_that_stops_working_takes_the_old_library_from_cargo() {
    let checkout = Checkout::new();
    checkout.run();
    checkout.compiler("2", "echo 'error: no' >&2; exit 1");
    let outcome = checkout.run();
    assert_eq!((outcome.code, checkout.config()), (Some(0), None), "{}", outcome.said);
    assert!(outcome.said.contains(" failed: error: no\n"), "{}", outcome.said);
}

#[test]
fn where_the_flags_are_not_those_of_the_crate_it_is_left_to_cargo() {
    let checkout = Checkout::new();
    checkout.tool("rustc", "echo host: aarch64-apple-darwin");
    checkout.is_left_to_cargo("");
    let mut checkout = Checkout::new();
    checkout.variables.push(("RUSTFLAGS", "-Ctarget-cpu=native".to_owned()));
    checkout.is_left_to_cargo("RUSTFLAGS name a processor");
    let checkout = Checkout::new();
    write(&checkout.root().join("Cargo.lock"), "name = \"librocksdb-sys\"\nversion = \"9.0.0\"\n");
    checkout.is_left_to_cargo("librocksdb-sys is not ");
}

#[test]
fn the_settings_of_the_user_are_kept() {
    let checkout = Checkout::new();
    write(&checkout.root().join(".cargo/config.toml"), OWN_CONFIG);
    let outcome = checkout.run();
    assert_eq!((outcome.code, outcome.compiled.len()), (Some(0), 0));
    assert!(outcome.said.contains(".cargo/config.toml is not of this script"), "{}", outcome.said);
    assert_eq!(checkout.config().as_deref(), Some(OWN_CONFIG));
    let mut checkout = Checkout::new();
    checkout.variables.push(("ROCKSDB_LIB_DIR", "/opt/rocksdb".to_owned()));
    checkout.is_left_to_cargo("");
}

/// A new version of the crate may have other flags: compare its build script with this one's, then change the version.
#[test]
fn the_script_is_for_the_version_of_the_crate_that_is_used() {
    let lock = fs::read_to_string(repository().join("Cargo.lock")).expect("the lock is there");
    let version = lock.split("name = \"librocksdb-sys\"\nversion = \"").nth(1).and_then(|rest| rest.split('"').next());
    let script = fs::read_to_string(repository().join("scripts/rocksdb.sh")).expect("the script is there");
    let expected = format!("\ncrate_version={}\n", version.expect("the lock names the crate"));
    assert!(script.contains(&expected), "scripts/rocksdb.sh has not{expected}");
}
