//! One node of a devnet: a process with a folder and an RPC of its own.

use serde_json::{Value, json};
use std::{
    fs::OpenOptions,
    path::{Path, PathBuf},
    process::{Child, Command, Stdio},
    time::{Duration, Instant},
};

use super::stop::Stop;
use crate::{
    commands::call::{Question, batch, call},
    error::CommandError,
};

/// How long a node may take to answer after its start, and to end.
const START: Duration = Duration::from_secs(60);
const END: Duration = Duration::from_secs(15);
/// Memory for a node's caches, in MB: many nodes share a machine.
const CACHE: &str = "16";

/// A node.
pub struct Member {
    /// Where it keeps its data.
    pub folder: PathBuf,
    /// Its RPC.
    pub rpc: String,
    /// Whether it mines when it is left alone.
    pub mines: bool,
    /// Its key, once it ran.
    pub id: String,
    /// Where the others dial it, once it ran.
    pub address: String,
    flags: Vec<String>,
    child: Option<Child>,
}

impl Member {
    /// A node that does not run yet.
    pub fn new(folder: PathBuf, chain: &str, (rpc_port, port): (u16, u16), mines: bool, socket: Option<&Path>) -> Self {
        let mut flags: Vec<String> = ["--chain", chain, "--listen", "127.0.0.1", "--no-discovery", "--cache", CACHE]
            .into_iter()
            .map(str::to_owned)
            .collect();
        flags.extend(["--http.port".to_owned(), rpc_port.to_string(), "--port".to_owned(), port.to_string()]);
        flags.extend(["--miner.threads", "1"].map(str::to_owned));
        flags.extend(socket.map(|socket| format!("--devnet-socket={}", socket.display())));
        let rpc = format!("http://127.0.0.1:{rpc_port}");
        Self { folder, rpc, mines, id: String::new(), address: String::new(), flags, child: None }
    }

    /// Starts it; [`Member::wait`] waits until it answers.
    ///
    /// # Errors
    /// [`CommandError`] if the folder or the process cannot be made.
    pub fn start(&mut self) -> Result<(), CommandError> {
        std::fs::create_dir_all(&self.folder)
            .map_err(CommandError::io(format!("create the folder {}", self.folder.display())))?;
        let log = OpenOptions::new().create(true).append(true).open(self.log());
        let log = log.map_err(CommandError::io("write a node's log"))?;
        let errors = log.try_clone().map_err(CommandError::io("write a node's log"))?;
        let program = std::env::current_exe().map_err(CommandError::io("find this program"))?;
        let mut command = Command::new(program);
        command.args(&self.flags).arg("--datadir").arg(self.data()).stdin(Stdio::null()).stdout(log).stderr(errors);
        end_with_parent(&mut command);
        self.child = Some(command.spawn().map_err(CommandError::io("start a node"))?);
        Ok(())
    }

    fn data(&self) -> PathBuf {
        self.folder.join("data")
    }

    /// Where its log is.
    pub fn log(&self) -> PathBuf {
        self.folder.join("log")
    }

    /// Waits until it answers, and learns its key.
    ///
    /// # Errors
    /// [`CommandError`] with what it printed last, if it does not; or if a signal asked to stop.
    pub fn wait(&mut self, stop: &Stop) -> Result<(), CommandError> {
        let end = Instant::now() + START;
        loop {
            stop.check()?;
            if let Ok(info) = self.call("admin_nodeInfo", json!([])) {
                self.id = text(&info["id"]);
                self.address = text(&info["addresses"][0]);
                return Ok(());
            }
            if !self.is_alive() || Instant::now() > end {
                let log = std::fs::read_to_string(self.log()).unwrap_or_default();
                let last = log.lines().last().unwrap_or("it printed nothing").to_owned();
                return Err(CommandError::Stopped(format!("node at {} does not start: {last}", self.rpc)));
            }
            std::thread::sleep(Duration::from_millis(50));
        }
    }

    /// Whether its process runs.
    pub fn is_alive(&mut self) -> bool {
        self.child.as_mut().is_some_and(|child| matches!(child.try_wait(), Ok(None)))
    }

    /// Asks it.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn call(&self, method: &'static str, params: Value) -> Result<Value, CommandError> {
        call(&self.rpc, Some(&self.cookie()), method, params)
    }

    /// Asks it several things in one request.
    ///
    /// # Errors
    /// [`CommandError`].
    pub fn batch(&self, questions: &[Question]) -> Result<Vec<Result<Value, CommandError>>, CommandError> {
        batch(&self.rpc, Some(&self.cookie()), questions)
    }

    fn cookie(&self) -> PathBuf {
        self.data().join(".cookie")
    }

    /// Ends it as a power cut does.
    pub fn kill(&mut self) {
        if let Some(mut child) = self.child.take() {
            // It may have ended by itself.
            let _ = child.kill();
            let _ = child.wait();
        }
    }

    /// Asks it to end.
    pub fn terminate(&mut self) {
        if let Some(child) = &self.child
            && let Ok(pid) = i32::try_from(child.id())
        {
            // SAFETY: sends a signal and touches no memory. The child was not waited for, so the pid is its own.
            unsafe { libc::kill(pid, libc::SIGTERM) };
        }
    }

    /// Waits for its end, which [`Member::terminate`] asked for; kills it if that takes too long.
    pub fn finish(&mut self) {
        let end = Instant::now() + END;
        while self.is_alive() && Instant::now() < end {
            std::thread::sleep(Duration::from_millis(20));
        }
        self.kill();
    }
}

impl Drop for Member {
    fn drop(&mut self) {
        self.kill();
    }
}

/// Has the system end a process when the one that starts it is gone, however that ended: a devnet that is killed leaves no nodes
/// behind. Ctrl-C reaches the devnet alone, which then ends its nodes in order; for a node, a second signal means at once.
fn end_with_parent(command: &mut Command) {
    #[cfg(target_os = "linux")]
    {
        use std::os::unix::process::CommandExt;
        command.process_group(0);
        // SAFETY: the closure makes one system call, allocates nothing and touches no memory of others.
        unsafe {
            command.pre_exec(|| {
                libc::prctl(libc::PR_SET_PDEATHSIG, libc::SIGTERM);
                Ok(())
            });
        }
    }
    #[cfg(not(target_os = "linux"))]
    let _ = command;
}

/// A text of an answer; empty if it is none.
pub fn text(value: &Value) -> String {
    value.as_str().unwrap_or_default().to_owned()
}
