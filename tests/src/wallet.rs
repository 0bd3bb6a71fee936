//! The wallet's binary, as a user runs it.

use serde_json::Value;
use std::{path::PathBuf, process::Command};

use crate::{Rpc, binary};

/// How a command ended.
#[derive(Debug)]
pub struct Outcome {
    /// Exit code.
    pub code: i32,
    /// What it printed.
    pub stdout: String,
    /// What it complained about.
    pub stderr: String,
}

impl Outcome {
    /// The printed JSON.
    ///
    /// # Panics
    /// If the command failed or printed none.
    pub fn json(&self) -> Value {
        assert_eq!(self.code, 0, "the wallet failed: {self:?}");
        serde_json::from_str(&self.stdout).unwrap_or_else(|error| panic!("no JSON ({error}): {self:?}"))
    }
}

/// One wallet file.
pub struct Wallet {
    folder: tempfile::TempDir,
    rpc: Rpc,
}

impl Wallet {
    /// Creates a wallet that talks to a node.
    ///
    /// # Panics
    /// If it cannot be created.
    pub fn create(rpc: &Rpc) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        let wallet = Self { folder, rpc: rpc.clone() };
        wallet.run(&["create"]).json();
        wallet
    }

    /// Its file.
    pub fn file(&self) -> PathBuf {
        self.folder.path().join("wallet.json")
    }

    /// Runs a command with `--json --yes`.
    ///
    /// # Panics
    /// If the binary cannot be run.
    pub fn run(&self, arguments: &[&str]) -> Outcome {
        let output = Command::new(binary("cairn-wallet"))
            .arg("--wallet")
            .arg(self.file())
            .args(["--rpc", &self.rpc.url, "--json", "--yes"])
            .args(arguments)
            .env("CAIRN_WALLET_PASSWORD", "correct horse")
            .env("HOME", &self.rpc.home)
            .output()
            .expect("the wallet's binary can be run");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
    }

    /// Runs a command that must succeed, and answers with its JSON.
    pub fn ok(&self, arguments: &[&str]) -> Value {
        self.run(arguments).json()
    }

    /// Its coin address and its account.
    ///
    /// # Panics
    /// If the wallet does not say.
    pub fn addresses(&self) -> (String, String) {
        let answer = self.ok(&["address"]);
        let text = |key: &str| answer[key].as_str().unwrap_or_else(|| panic!("no {key} in {answer}")).to_owned();
        (text("address"), text("account"))
    }
}
