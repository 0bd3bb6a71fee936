//! Names the commit that is built, for `--version`. Without git, or outside a clone, there is none.

use std::{path::Path, process::Command};

fn main() {
    let git = |arguments: &[&str]| {
        let output = Command::new("git").args(arguments).output().ok().filter(|output| output.status.success())?;
        Some(String::from_utf8(output.stdout).ok()?.trim().to_owned()).filter(|text| !text.is_empty())
    };
    // Packagers, who build from a tarball, say it themselves.
    let commit = std::env::var("CAIRN_COMMIT").ok().or_else(|| git(&["rev-parse", "--short=9", "HEAD"]));
    let version = env!("CARGO_PKG_VERSION");
    match commit.filter(|commit| !commit.is_empty()) {
        Some(commit) => println!("cargo::rustc-env=CAIRN_VERSION={version} ({commit})"),
        None => println!("cargo::rustc-env=CAIRN_VERSION={version}"),
    }
    println!("cargo::rerun-if-env-changed=CAIRN_COMMIT");
    println!("cargo::rerun-if-changed=build.rs");
    // The file that says which branch is out, and that of the branch itself.
    let branch = git(&["symbolic-ref", "--quiet", "HEAD"]).unwrap_or_default();
    for name in ["HEAD", "packed-refs", branch.as_str()] {
        let file = git(&["rev-parse", "--git-path", name]).filter(|file| !name.is_empty() && Path::new(file).exists());
        if let Some(file) = file {
            println!("cargo::rerun-if-changed={file}");
        }
    }
}
