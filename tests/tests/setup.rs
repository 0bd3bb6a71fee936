//! `scripts/setup.sh` on machines that are folders: fake libraries, and fake tools that record how they are called.

use std::{
    fs,
    os::unix::fs::{PermissionsExt, symlink},
    path::{Path, PathBuf},
    process::Command,
};

/// What the script may use of the real system.
const TOOLS: [&str; 16] = [
    "awk", "bash", "cat", "cut", "df", "dirname", "env", "grep", "head", "mkdir", "mktemp", "readlink", "rm", "sort",
    "tail", "uname",
];
const LLVM: &str = "usr/lib/llvm-14/lib";
const HEADERS_14: &str = "usr/lib/llvm-14/lib/clang/14.0.6/include/stddef.h";

/// A machine with Rust and a C++ compiler, whose user may use sudo, and which has no libclang. Its path has a blank.
struct Machine {
    folder: tempfile::TempDir,
    variables: Vec<(&'static str, String)>,
}

struct Outcome {
    code: Option<i32>,
    said: String,
    /// Calls of apt-get, with the environment that matters before them.
    apt: String,
}

impl Machine {
    fn new() -> Self {
        let machine = Self { folder: tempfile::tempdir().expect("a temporary directory"), variables: Vec::new() };
        fs::create_dir_all(machine.root()).expect("a folder");
        fs::create_dir_all(machine.bin()).expect("a folder");
        for tool in TOOLS {
            let real = ["/usr/bin", "/bin"].map(|folder| Path::new(folder).join(tool));
            let real = real.iter().find(|path| path.exists()).unwrap_or_else(|| panic!("this machine has no {tool}"));
            symlink(real, machine.bin().join(tool)).expect("a link");
        }
        machine.tool("cargo", "").tool("c++", "").tool("make", "").tool("id", "echo 1000").tool("true", "");
        machine.tool("rustc", "echo 'rustc 1.95.0 (0123456 2026-01-01)'");
        // As sudo does: a new environment, whatever the caller's was.
        machine.tool(
            "sudo",
            "[ \"$1\" = -n ] || exit 9\nshift\nexec env -i PATH=\"$PATH\" LOG=\"${0%/*}/../apt.log\" \"$@\"",
        );
        machine.apt("");
        machine
    }

    fn root(&self) -> PathBuf {
        self.folder.path().join("a machine")
    }

    fn bin(&self) -> PathBuf {
        self.folder.path().join("bin")
    }

    fn tool(&self, name: &str, body: &str) -> &Self {
        let path = self.bin().join(name);
        fs::write(&path, format!("#!/usr/bin/env bash\n{body}\n")).expect("a file");
        fs::set_permissions(&path, fs::Permissions::from_mode(0o755)).expect("a mode");
        self
    }

    /// An apt-get that runs `body` at the end of an installation.
    fn apt(&self, body: &str) {
        let log = "echo \"$DEBIAN_FRONTEND|$NEEDRESTART_MODE|$http_proxy|$*\" >>\"$LOG\"";
        let root = self.root();
        let body = format!("{log}\ncase \"$*\" in *install*) cd '{}' && {{ :\n{body}\n}} ;; esac", root.display());
        self.tool("apt-get", &body);
    }

    fn file(&self, path: &str) -> &Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder");
        fs::write(path, "").expect("a file");
        self
    }

    fn link(&self, path: &str, target: &str) -> &Self {
        let path = self.root().join(path);
        fs::create_dir_all(path.parent().expect("it is below the root")).expect("a folder");
        symlink(target, path).expect("a link");
        self
    }

    fn with(&mut self, name: &'static str, value: String) -> &mut Self {
        self.variables.push((name, value));
        self
    }

    fn set_up(&self) -> Outcome {
        let tests = std::env::var_os("CARGO_MANIFEST_DIR").expect("cargo sets it");
        let script = Path::new(&tests).join("../scripts/setup.sh");
        let log = self.folder.path().join("apt.log");
        // Of an earlier run.
        fs::remove_file(&log).ok();
        let output = Command::new(self.bin().join("bash"))
            .arg(script)
            .env_clear()
            .env("PATH", self.bin())
            .env("TMPDIR", self.folder.path())
            .env("CAIRN_SETUP_ROOT", self.root())
            .env("CAIRN_SETUP_SYSTEM", "Linux")
            .envs(self.variables.iter().map(|(name, value)| (name, value)))
            .output()
            .expect("bash can be run");
        Outcome {
            code: output.status.code(),
            said: String::from_utf8_lossy(&output.stderr).into_owned(),
            apt: fs::read_to_string(log).unwrap_or_default(),
        }
    }

    /// The package that the script installs, when it installs one.
    fn installs(&self) -> String {
        let outcome = self.set_up();
        let line = outcome.apt.lines().find(|line| line.contains(" install ")).map(str::to_owned);
        let line = line.unwrap_or_else(|| panic!("nothing is installed: {}", outcome.said));
        line.rsplit(' ').next().unwrap_or_default().to_owned()
    }

    fn is_ready(&self) {
        let outcome = self.set_up();
        assert_eq!((outcome.code, outcome.apt.as_str()), (Some(0), ""), "{}", outcome.said);
    }
}

#[test]
fn the_cpp_library_of_clang_is_not_libclang() {
    let machine = Machine::new();
    machine
        .file("usr/lib/x86_64-linux-gnu/libclang-cpp.so.14")
        .link("usr/lib/llvm-14/lib/libclang-cpp.so.14", "../../x86_64-linux-gnu/libclang-cpp.so.14");
    assert_eq!(machine.installs(), "libclang-dev");
}

#[test]
fn a_dangling_link_is_not_libclang() {
    let machine = Machine::new();
    machine.link(&format!("{LLVM}/libclang.so"), "libclang.so.1").file(HEADERS_14);
    assert_eq!(machine.installs(), "libclang-dev");
}

#[test]
fn libclang_is_found_where_each_system_puts_it() {
    let layouts: [(&str, &[&str]); 5] = [
        ("Debian", &["usr/lib/llvm-14/lib/libclang-14.so.1", HEADERS_14]),
        ("Debian, multiarch", &["usr/lib/x86_64-linux-gnu/libclang-14.so.13", HEADERS_14]),
        ("Fedora", &["usr/lib64/libclang.so.19.1", "usr/lib/clang/19/include/stddef.h"]),
        ("Alpine", &["usr/lib/llvm17/lib/libclang.so.17.0.6", "usr/lib/llvm17/lib/clang/17/include/stddef.h"]),
        ("by hand", &["usr/local/lib/libclang.so", "usr/local/lib/clang/21/include/stddef.h"]),
    ];
    for (system, files) in layouts {
        let machine = Machine::new();
        files.iter().for_each(|file| _ = machine.file(file));
        println!("{system}");
        machine.is_ready();
    }
}

#[test]
fn on_macos_libclang_is_that_of_xcode() {
    let mut machine = Machine::new();
    let developer = machine.root().join("Applications/My Xcode.app/Contents/Developer");
    machine.tool("xcode-select", &format!("echo '{}'", developer.display()));
    machine.with("CAIRN_SETUP_SYSTEM", "Darwin".to_owned());
    machine.file("usr/lib/llvm-14/lib/libclang-14.so.1").file(HEADERS_14);
    fs::remove_file(machine.bin().join("apt-get")).expect("it is there");
    let outcome = machine.set_up();
    assert_eq!(outcome.code, Some(1), "a library of Linux: {}", outcome.said);
    assert!(outcome.said.contains("  macOS:           xcode-select --install"), "{}", outcome.said);
    let library =
        "Applications/My Xcode.app/Contents/Developer/Toolchains/XcodeDefault.xctoolchain/usr/lib/libclang.dylib";
    machine.file(library).is_ready();
}

#[test]
fn a_library_without_clangs_own_headers_is_not_enough() {
    let machine = Machine::new();
    machine.file("usr/lib/x86_64-linux-gnu/libclang-14.so.14.0.6");
    machine.link(&format!("{LLVM}/libclang.so.1"), "../../x86_64-linux-gnu/libclang-14.so.14.0.6");
    assert_eq!(machine.installs(), "libclang-common-14-dev");
    machine.file("usr/lib/llvm-15/lib/clang/15.0.7/include/stddef.h");
    assert_eq!(machine.installs(), "libclang-common-14-dev", "headers of another version do not fit");
    machine.file(HEADERS_14).is_ready();
}

#[test]
fn the_newest_library_is_the_one_that_must_have_headers() {
    let machine = Machine::new();
    machine.file("usr/lib/llvm-9/lib/libclang-9.so.1").file("usr/lib/llvm-9/lib/clang/9.0.1/include/stddef.h");
    machine.is_ready();
    machine.file("usr/lib/llvm-14/lib/libclang-14.so.1");
    assert_eq!(machine.installs(), "libclang-common-14-dev");
}

#[test]
fn a_wrong_libclang_path_is_named_and_nothing_is_installed() {
    let mut machine = Machine::new();
    machine.file("usr/lib/llvm-14/lib/libclang-14.so.1").file(HEADERS_14);
    let empty = machine.root().join("usr");
    machine.with("LIBCLANG_PATH", empty.display().to_string());
    let outcome = machine.set_up();
    assert_eq!((outcome.code, outcome.apt.as_str()), (Some(1), ""));
    let expected = format!(
        "setup: LIBCLANG_PATH={} has no libclang.so, and the build looks nowhere else: correct it, or 'unset LIBCLANG_PATH'\n",
        empty.display()
    );
    assert_eq!(outcome.said, expected);
}

#[test]
fn libclang_path_names_a_folder_or_a_file() {
    for path in ["opt/llvm/lib", "opt/llvm/lib/libclang.so"] {
        let mut machine = Machine::new();
        machine.file("opt/llvm/lib/libclang.so").file("opt/llvm/lib/clang/21/include/stddef.h");
        let path = machine.root().join(path).display().to_string();
        machine.with("LIBCLANG_PATH", path).is_ready();
    }
}

#[test]
fn sudo_and_apt_know_the_proxy_and_ask_nothing() {
    let mut machine = Machine::new();
    machine.apt(&format!("mkdir -p {LLVM}/clang/14.0.6/include && : >{LLVM}/libclang-14.so.1 && : >{HEADERS_14}"));
    let outcome = machine.with("http_proxy", "http://proxy.example:3128".to_owned()).set_up();
    assert_eq!(outcome.code, Some(0), "{}", outcome.said);
    let before = "noninteractive|a|http://proxy.example:3128|-o DPkg::Lock::Timeout=300";
    let install = "install -y -qq --no-install-recommends libclang-dev";
    assert_eq!(outcome.apt, format!("{before} update -qq\n{before} {install}\n"));
}

#[test]
fn a_source_that_cannot_be_updated_does_not_stop_the_installation() {
    let machine = Machine::new();
    let install = format!("mkdir -p {LLVM}/clang/14.0.6/include && : >{LLVM}/libclang-14.so.1 && : >{HEADERS_14}");
    let root = machine.root();
    machine.tool(
        "apt-get",
        &format!("case \"$*\" in *update*) exit 100 ;; *) cd '{}' && {install} ;; esac", root.display()),
    );
    let outcome = machine.set_up();
    assert_eq!(outcome.code, Some(0), "{}", outcome.said);
    assert!(outcome.said.contains("'apt-get update' had errors; installing all the same"), "{}", outcome.said);
}

#[test]
fn an_installation_that_brought_nothing_fails() {
    let outcome = Machine::new().set_up();
    assert_eq!(outcome.code, Some(1));
    assert!(outcome.said.contains("installed, and yet not found:"), "{}", outcome.said);
}

#[test]
fn without_apt_or_the_right_to_install_it_says_what_to_type() {
    let machine = Machine::new();
    machine.tool("sudo", "exit 1");
    let outcome = machine.set_up();
    assert_eq!((outcome.code, outcome.apt.as_str()), (Some(1), ""));
    for hint in
        ["apt-get install libclang-dev", "dnf install", "pacman -S", "apk add", "nix-shell -p", "xcode-select", "conda"]
    {
        assert!(outcome.said.contains(hint), "no {hint} in {}", outcome.said);
    }
}

#[test]
fn rust_is_looked_for_before_anything_is_installed() {
    let refused = |body: &str| {
        let machine = Machine::new();
        machine.tool("rustc", body);
        let outcome = machine.set_up();
        assert_eq!((outcome.code, outcome.apt.as_str()), (Some(1), ""), "{}", outcome.said);
        outcome.said
    };
    let old = refused("echo 'rustc 1.63.0 (4b91a6ea7 2022-08-08)'");
    assert!(old.starts_with("setup: Rust 1.95 or later is needed, and this is 1.63.0: run 'rustup update'"), "{old}");
    let none = refused("echo 'error: rustup could not choose a version of rustc to run' >&2; exit 1");
    assert!(none.contains("rustup could not choose") && none.contains("rustup toolchain install 1.95"), "{none}");
    let machine = Machine::new();
    fs::remove_file(machine.bin().join("cargo")).expect("it is there");
    let outcome = machine.set_up();
    assert_eq!((outcome.code, outcome.apt.as_str()), (Some(1), ""));
    let expected = "setup: cargo is not installed: install Rust 1.95 or later from https://rustup.rs and try again\n";
    assert_eq!(outcome.said, expected);
}

#[test]
fn little_memory_is_named_and_is_no_reason_to_stop() {
    let machine = Machine::new();
    machine.file("usr/lib/llvm-14/lib/libclang-14.so.1").file(HEADERS_14).file("proc/meminfo");
    let meminfo = "MemTotal: 2000000 kB\nMemAvailable: 1024000 kB\nSwapFree: 1024 kB\n";
    fs::write(machine.root().join("proc/meminfo"), meminfo).expect("a file");
    let outcome = machine.set_up();
    assert_eq!(outcome.code, Some(0));
    assert!(outcome.said.contains("only 1001 MB of memory are free"), "{}", outcome.said);
}
