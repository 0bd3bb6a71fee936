//! A node process with a directory of its own.

use chain_core::{block::Block, codec, spec::ChainSpec};
use serde_json::{Value, json};
use std::{
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::Duration,
};

use crate::{Port, Rpc, binary, chain_file, grind, wait_for};

/// How to start a node.
pub struct NodeOptions {
    /// Its chain.
    pub spec: ChainSpec,
    /// More flags.
    pub flags: Vec<String>,
    /// No file may grow beyond so many blocks of 512 bytes: as if the disk were full.
    pub file_limit: Option<u32>,
}

impl Default for NodeOptions {
    fn default() -> Self {
        Self { spec: crate::spec(), flags: Vec::new(), file_limit: None }
    }
}

/// A running node. Dropping it kills the process and removes its directory.
pub struct Node {
    /// To ask it.
    pub rpc: Rpc,
    /// Chain file and data live here.
    pub folder: tempfile::TempDir,
    ports: Ports,
    flags: Vec<String>,
    child: Child,
}

/// Where a node listens, also after a restart.
struct Ports {
    rpc: Port,
    peers: Port,
}

impl Node {
    /// Starts a node of the test chain.
    pub fn start() -> Self {
        Self::with(NodeOptions::default())
    }

    /// Starts a node in a new directory and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn with(options: NodeOptions) -> Self {
        Self::within(tempfile::tempdir().expect("a temporary directory can be made"), options)
    }

    /// Starts a node whose data is in `data` below a folder, and waits until it answers.
    ///
    /// # Panics
    /// If it does not start.
    pub fn within(folder: tempfile::TempDir, options: NodeOptions) -> Self {
        chain_file(folder.path(), &options.spec);
        let ports = Ports { rpc: Port::take(), peers: Port::take() };
        let child = spawn(folder.path(), &ports, &options.flags, options.file_limit);
        let rpc = Rpc::new(format!("http://127.0.0.1:{}", ports.rpc.number()), folder.path());
        let mut node = Self { rpc, folder, ports, flags: options.flags, child };
        node.wait_until_up();
        node
    }

    /// Where its data is.
    pub fn datadir(&self) -> PathBuf {
        self.folder.path().join("data")
    }

    /// The spec of its chain.
    pub fn chain_file(&self) -> PathBuf {
        self.folder.path().join("chain.toml")
    }

    /// Its process.
    pub fn pid(&self) -> u32 {
        self.child.id()
    }

    /// What it printed so far.
    pub fn log(&self) -> String {
        std::fs::read_to_string(self.folder.path().join("log")).unwrap_or_default()
    }

    fn wait_until_up(&mut self) {
        let (rpc, child) = (&self.rpc, &mut self.child);
        let log = self.folder.path().join("log");
        wait_for("the node to answer", 120, || {
            if let Ok(Some(status)) = child.try_wait() {
                panic!("the node ended with {status}: {}", std::fs::read_to_string(&log).unwrap_or_default());
            }
            rpc.try_call("chain_getInfo", json!([])).ok()
        });
    }

    /// kill -9.
    ///
    /// # Panics
    /// If the process cannot be waited for.
    pub fn kill(&mut self) {
        self.child.kill().ok();
        self.child.wait().expect("a killed child can be waited for");
    }

    /// Sends SIGTERM and waits for the end; answers whether it ended with success.
    ///
    /// # Panics
    /// If it does not end within a minute.
    pub fn stop(&mut self) -> bool {
        let pid = i32::try_from(self.child.id()).expect("a pid is positive");
        // SAFETY: `kill` has no memory effects; the child was not yet waited for, so the pid is still its own.
        unsafe { libc::kill(pid, libc::SIGTERM) };
        self.wait_until_over()
    }

    /// Waits until it ends by itself; answers whether it ended with success.
    ///
    /// # Panics
    /// If it does not end within a minute.
    pub fn wait_until_over(&mut self) -> bool {
        let child = &mut self.child;
        wait_for("the node to end", 60, || child.try_wait().ok().flatten()).success()
    }

    /// Starts it again on the same data without a limit, after it ended.
    pub fn restart(&mut self) {
        self.child = spawn(self.folder.path(), &self.ports, &self.flags, None);
        self.wait_until_up();
    }

    /// The same with other flags.
    pub fn restart_with(&mut self, flags: &[&str]) {
        self.flags = flags.iter().map(|flag| (*flag).to_owned()).collect();
        self.restart();
    }

    /// Where peers dial it, without its key.
    pub fn peer_address(&self) -> String {
        format!("/ip4/127.0.0.1/tcp/{}", self.ports.peers.number())
    }

    /// Its key among peers.
    ///
    /// # Panics
    /// If the node does not answer.
    pub fn peer_id(&self) -> String {
        self.rpc.call("admin_nodeInfo", json!([]))["id"].as_str().expect("the node has a network").to_owned()
    }

    /// Has it stay connected with another.
    ///
    /// # Panics
    /// If the node does not answer.
    pub fn connect(&self, other: &Self) {
        self.rpc.call("admin_addPeer", json!([format!("{}/p2p/{}", other.peer_address(), other.peer_id())]));
    }

    /// How many peers it has.
    ///
    /// # Panics
    /// If the node does not answer.
    pub fn peers(&self) -> usize {
        self.rpc.call("admin_peers", json!([])).as_array().expect("peers are a list").len()
    }

    /// Height of the tip.
    ///
    /// # Panics
    /// If the node does not answer.
    pub fn height(&self) -> u64 {
        self.rpc.call("chain_getInfo", json!([]))["height"].as_u64().expect("a height is a number")
    }

    /// Hash of the tip.
    pub fn tip(&self) -> Value {
        self.rpc.call("chain_getInfo", json!([]))["bestHash"].clone()
    }

    /// The node's template for this coin address, with its proof of work.
    ///
    /// # Panics
    /// If the template is no block.
    pub fn template(&self, address: &str, account: &str) -> Block {
        let request = json!([{"address": address, "account": account, "full": true}]);
        let template = self.rpc.call("miner_getTemplate", request);
        let bytes = hex::decode(template["block"].as_str().expect("a full template has a block")).expect("it is hex");
        let mut block: Block = codec::decode(&bytes).expect("it is a block");
        grind(&mut block);
        block
    }

    /// Hands in a block.
    ///
    /// # Errors
    /// The node's refusal.
    pub fn submit(&self, block: &Block) -> Result<Value, crate::RpcError> {
        self.rpc.try_call("chain_submitBlock", json!([hex::encode(codec::encode(block))]))
    }

    /// Mines blocks for an address.
    ///
    /// # Panics
    /// If one is refused.
    pub fn mine(&self, blocks: u32, address: &str, account: &str) {
        for _ in 0..blocks {
            let block = self.template(address, account);
            let answer = self.submit(&block).unwrap_or_else(|error| panic!("a mined block is refused: {error:?}"));
            assert_eq!(answer["status"], "connected", "a mined block extends the chain");
        }
    }

    /// The blocks above a height, lowest first.
    ///
    /// # Panics
    /// If one cannot be fetched.
    pub fn blocks_above(&self, height: u64) -> Vec<Block> {
        let fetch = |height: u64| {
            let text = self.rpc.call("chain_getBlock", json!([height, 0]));
            codec::decode(&hex::decode(text.as_str().expect("verbosity 0 is text")).expect("it is hex"))
                .expect("the node stores blocks")
        };
        (height + 1..=self.height()).map(fetch).collect()
    }

    /// Resident memory in bytes.
    ///
    /// # Panics
    /// If /proc cannot be read.
    pub fn memory(&self) -> u64 {
        let status = std::fs::read_to_string(format!("/proc/{}/status", self.pid())).expect("the node is alive");
        let line = status.lines().find(|line| line.starts_with("VmRSS:")).expect("Linux reports it");
        line.split_whitespace().nth(1).and_then(|text| text.parse::<u64>().ok()).expect("it is a number") * 1024
    }

    /// CPU time used so far, in hundredths of a second.
    ///
    /// # Panics
    /// If /proc cannot be read.
    pub fn cpu_ticks(&self) -> u64 {
        cpu_ticks(self.pid())
    }

    /// Sleeps.
    pub fn pause(milliseconds: u64) {
        std::thread::sleep(Duration::from_millis(milliseconds));
    }
}

/// CPU time that a process used so far, in hundredths of a second.
///
/// # Panics
/// If /proc cannot be read.
pub fn cpu_ticks(pid: u32) -> u64 {
    let stat = std::fs::read_to_string(format!("/proc/{pid}/stat")).expect("the process is alive");
    // After the name, which may hold blanks: user and system time are the 12th and 13th.
    let (_, fields) = stat.rsplit_once(") ").expect("a name is in parentheses");
    fields.split(' ').skip(11).take(2).map(|field| field.parse::<u64>().expect("it is a number")).sum()
}

impl Drop for Node {
    fn drop(&mut self) {
        self.child.kill().ok();
        self.child.wait().ok();
    }
}

fn spawn(folder: &Path, ports: &Ports, flags: &[String], file_limit: Option<u32>) -> Child {
    let log = std::fs::OpenOptions::new().create(true).append(true).open(folder.join("log"));
    let log = log.expect("the test's folder can be written");
    let mut command = match file_limit {
        None => Command::new(binary("cairn-node")),
        Some(blocks) => {
            let mut shell = Command::new("sh");
            // A write beyond the limit is to fail, not to kill by a signal.
            shell.args(["-c", &format!("trap '' XFSZ; ulimit -f {blocks}; exec \"$0\" \"$@\"")]);
            shell.arg(binary("cairn-node"));
            shell
        }
    };
    command
        .arg("--chain")
        .arg(folder.join("chain.toml"))
        .arg("--datadir")
        .arg(folder.join("data"))
        .args(["--http.port", &ports.rpc.number().to_string()])
        .args(["--listen", "127.0.0.1", "--port", &ports.peers.number().to_string(), "--no-discovery"])
        .args(flags)
        .env("HOME", folder)
        .stdin(Stdio::null())
        .stdout(log.try_clone().expect("a file can be shared"))
        .stderr(log)
        .spawn()
        .expect("the node's binary can be run")
}
