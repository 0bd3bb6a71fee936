//! The wallet's binary, as a user runs it.

use serde_json::Value;
use std::{
    path::PathBuf,
    process::{Child, Command, Stdio},
};

use crate::{Node, Rpc, binary};

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

/// A command that has not ended.
pub struct Running(Child);

impl Running {
    /// Waits for its end.
    ///
    /// # Panics
    /// If it cannot be waited for.
    pub fn end(self) -> Outcome {
        let output = self.0.wait_with_output().expect("a child can be waited for");
        Outcome {
            code: output.status.code().unwrap_or(-1),
            stdout: String::from_utf8_lossy(&output.stdout).into_owned(),
            stderr: String::from_utf8_lossy(&output.stderr).into_owned(),
        }
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
    pub fn create(node: &Node) -> Self {
        let wallet = Self::empty(node);
        let chain = node.chain_file().display().to_string();
        wallet.run(&["create", "--chain", &chain]).json();
        wallet
    }

    /// A folder for a wallet, with none in it yet.
    ///
    /// # Panics
    /// If there is no room for it.
    pub fn empty(node: &Node) -> Self {
        let folder = tempfile::tempdir().expect("a temporary directory can be made");
        Self { folder, rpc: node.rpc.clone() }
    }

    /// A file beside the wallet's.
    pub fn path(&self, name: &str) -> String {
        self.folder.path().join(name).display().to_string()
    }

    /// Has it talk to another node.
    pub fn talk_to(&mut self, node: &Node) {
        self.rpc = node.rpc.clone();
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
        self.start(arguments).end()
    }

    /// Starts such a command.
    ///
    /// # Panics
    /// If the binary cannot be run.
    pub fn start(&self, arguments: &[&str]) -> Running {
        let child = Command::new(binary("cairn-wallet"))
            .arg("--wallet")
            .arg(self.file())
            .args(["--rpc", &self.rpc.url, "--json", "--yes"])
            .args(arguments)
            .current_dir(self.folder.path())
            .env("CAIRN_WALLET_PASSWORD", "correct horse")
            .env("HOME", &self.rpc.home)
            .stdin(Stdio::null())
            .stdout(Stdio::piped())
            .stderr(Stdio::piped())
            .spawn()
            .expect("the wallet's binary can be run");
        Running(child)
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
