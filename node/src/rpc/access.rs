//! Who may call what: [ADR 16](../../../docs/adr/0016-rpc-access.md).
//!
//! Anybody who reaches the port may read the chain and hand in what is signed. Who steers the node shows that it may read
//! the node's files: the cookie that the node makes at each start. A miner on another machine has a secret of its own, which
//! does nothing but mine.

use cairn_client::authorization;
use chain_core::hash::sha256;
use std::{
    fs, io,
    path::{Path, PathBuf},
};

use super::base::{RpcError, RpcResult, unauthorized};
use crate::files;

/// How much a caller may do.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, PartialOrd, Ord)]
pub enum Scope {
    /// What a browser's extension may: wallets that speak Ethereum's JSON-RPC.
    Wallet,
    /// What anybody may.
    #[default]
    Public,
    /// Nobody but programs of this machine, which no web page sent.
    Local,
    /// Fetching templates and handing in blocks.
    Mining,
    /// Everything.
    Full,
}

/// Who calls.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub struct Caller {
    /// What it may do.
    pub scope: Scope,
    /// It showed a secret that is not this node's, such as the cookie of a run before.
    pub wrong_secret: bool,
}

impl From<Scope> for Caller {
    fn from(scope: Scope) -> Self {
        Self { scope, wrong_secret: false }
    }
}

/// Namespaces for browser extensions: any page may have installed one, and WebSocket is not subject to CORS.
const WALLET: [&str; 3] = ["eth", "net", "web3"];

/// A miner on another machine needs the mining secret for it. One on this machine needs nothing, as for stratum.
const GBT: &str = "getblocktemplate";

/// The scope that a method needs.
pub fn needed(method: &str) -> Scope {
    match method.split('_').next().unwrap_or_default() {
        "admin" => Scope::Full,
        "miner" => match method {
            "miner_getTemplate" | "miner_submit" => Scope::Mining,
            "miner_status" | "miner_getWorkers" | "miner_getStats" => Scope::Public,
            _ => Scope::Full,
        },
        "dev" | "devnet" | "evm" | "anvil" | "hardhat" | "personal" | GBT => Scope::Local,
        namespace if WALLET.contains(&namespace) => Scope::Wallet,
        _ => Scope::Public,
    }
}

/// # Errors
/// 4100, as EIP-1193 has it, with what to do.
pub fn check(method: &str, caller: Caller) -> RpcResult<()> {
    let scope = caller.scope;
    // A mining secret is no proof of being on this machine.
    let enough = match needed(method) {
        Scope::Local => scope == Scope::Local || scope == Scope::Full || (scope == Scope::Mining && method == GBT),
        needed => scope >= needed,
    };
    if enough { Ok(()) } else { Err(refusal(method, caller)) }
}

fn refusal(method: &str, caller: Caller) -> RpcError {
    if caller.wrong_secret {
        return unauthorized(format!(
            "{method}: the cookie that was sent is not this node's; it is new at each start. Look at --cookie and \
             CAIRN_COOKIE, or is this another user's node?"
        ));
    }
    if caller.scope == Scope::Wallet {
        return unauthorized(format!("{method}: browser extensions may call eth_, net_ and web3_ methods only"));
    }
    let mining = match needed(method) {
        _ if method == GBT => ", or the secret of its --http.mining-token as user and password",
        Scope::Mining => ", or the secret of its --http.mining-token for miners elsewhere",
        _ => "",
    };
    unauthorized(format!(
        "{method} needs the node's cookie{mining}. Programs of the node's user on its machine find it by themselves; others \
         are given --cookie FILE (or CAIRN_COOKIE), a copy of the node's DATADIR/.cookie"
    ))
}

/// What a file of credentials holds: a name, a colon, and a secret of 64 digits.
const MOST_BYTES: u64 = 256;
const COOKIE_USER: &str = "__cookie__";
const MINING_USER: &str = "__mining__";

/// The secrets of this node. Only their hashes are kept, so that comparing takes the same time for every guess.
#[derive(Clone, Debug, Default)]
pub struct Secrets {
    cookie: Option<[u8; 32]>,
    mining: Option<[u8; 32]>,
}

impl Secrets {
    /// What the value of an `Authorization` header opens; `None` if it is wrong.
    pub fn scope(&self, authorization: &str) -> Option<Scope> {
        let given = Some(sha256(authorization.as_bytes()));
        if given == self.cookie {
            Some(Scope::Full)
        } else if given == self.mining {
            Some(Scope::Mining)
        } else {
            None
        }
    }

    /// Accepts the content of a cookie file.
    pub fn with_cookie(self, content: &str) -> Self {
        Self { cookie: Some(sha256(authorization(content).as_bytes())), ..self }
    }

    /// Accepts the content of a mining token's file.
    pub fn with_mining(self, content: &str) -> Self {
        Self { mining: Some(sha256(authorization(content).as_bytes())), ..self }
    }
}

fn fresh(user: &str) -> io::Result<String> {
    let mut secret = [0; 32];
    getrandom::fill(&mut secret).map_err(|error| io::Error::other(error.to_string()))?;
    Ok(format!("{user}:{}", hex::encode(secret)))
}

/// Files that hold this run's cookie; they are removed when it is dropped.
#[derive(Debug)]
pub struct Cookie {
    content: String,
    files: Vec<PathBuf>,
}

impl Cookie {
    /// Makes a secret.
    ///
    /// # Errors
    /// If the system has no random numbers.
    pub fn create() -> io::Result<Self> {
        Ok(Self { content: fresh(COOKIE_USER)?, files: Vec::new() })
    }

    /// Writes it to a file, over what an earlier run left there.
    ///
    /// # Errors
    /// If the file or its directory cannot be made.
    pub fn write(&mut self, file: PathBuf) -> io::Result<()> {
        file.parent().map_or(Ok(()), files::make_dir)?;
        files::replace(&file, self.content.as_bytes())?;
        self.files.push(file);
        Ok(())
    }

    /// What the files hold.
    pub fn content(&self) -> &str {
        &self.content
    }
}

impl Drop for Cookie {
    fn drop(&mut self) {
        for file in &self.files {
            // Another node may have the port by now, and its cookie stands there.
            if files::read(file, MOST_BYTES).is_ok_and(|read| read.as_deref() == Some(self.content.as_bytes())) {
                // If it stays, it opens nothing.
                let _ = fs::remove_file(file);
            }
        }
    }
}

/// Reads the secret for miners on other machines; makes it if the file is not there.
///
/// # Errors
/// If the file cannot be read or made, or holds something else.
pub fn mining_token(file: &Path) -> io::Result<String> {
    let Some(bytes) = files::read_secret(file, MOST_BYTES)? else {
        let content = fresh(MINING_USER)?;
        files::create(file, content.as_bytes())?;
        return Ok(content);
    };
    let text = String::from_utf8(bytes).unwrap_or_default();
    let secret = text.trim().strip_prefix(MINING_USER).and_then(|rest| rest.strip_prefix(':'));
    match secret {
        Some(secret) if secret.len() >= 32 => Ok(text.trim().to_owned()),
        _ => Err(io::Error::new(
            io::ErrorKind::InvalidData,
            format!("expected {MINING_USER}: and at least 32 characters; remove it, and the node makes a new one"),
        )),
    }
}

#[cfg(test)]
mod tests {
    use super::*;
    use std::os::unix::fs::{PermissionsExt, symlink};

    const ALL: [Scope; 5] = [Scope::Wallet, Scope::Public, Scope::Local, Scope::Mining, Scope::Full];

    fn may(method: &str) -> Vec<Scope> {
        ALL.into_iter().filter(|scope| check(method, (*scope).into()).is_ok()).collect()
    }

    #[test]
    fn each_scope_opens_what_it_should() {
        assert_eq!(may("eth_call"), ALL);
        assert_eq!(may("chain_getInfo"), ALL[1..]);
        for method in ["miner_status", "miner_getWorkers", "miner_getStats"] {
            assert_eq!(may(method), ALL[1..]);
        }
        assert_eq!(may("evm_mine"), [Scope::Local, Scope::Full]);
        assert_eq!(may("dev_mine"), [Scope::Local, Scope::Full]);
        assert_eq!(may("devnet_order"), [Scope::Local, Scope::Full]);
        assert_eq!(may("getblocktemplate"), ALL[2..]);
        assert_eq!(may("submitblock"), ALL[1..]);
        for method in ["miner_getTemplate", "miner_submit"] {
            assert_eq!(may(method), [Scope::Mining, Scope::Full]);
        }
        for method in ["admin_stop", "admin_peers", "miner_setAddress", "miner_start", "miner_stop", "admin_new"] {
            assert_eq!(may(method), [Scope::Full]);
        }
    }

    #[test]
    fn a_refusal_is_4100_and_says_what_to_do() {
        let error = check("miner_setAddress", Scope::Local.into()).unwrap_err();
        assert_eq!(error.code(), 4100);
        assert!(error.message().starts_with("miner_setAddress needs the node's cookie. "), "{}", error.message());
        assert!(error.message().contains("--cookie FILE"));
        assert!(check("miner_submit", Scope::Public.into()).unwrap_err().message().contains("--http.mining-token"));
        assert!(check("admin_peers", Scope::Wallet.into()).unwrap_err().message().contains("browser extensions"));
        let stale = Caller { scope: Scope::Public, wrong_secret: true };
        assert_eq!(check("eth_call", stale), Ok(()));
        assert!(check("admin_peers", stale).unwrap_err().message().contains("is not this node's"));
    }

    #[test]
    fn who_may_call_a_new_namespace_is_decided_here() {
        let decided = [
            "admin", "chain", "coin", "debug", "dev", "devnet", "erigon", "eth", "miner", "net", "ots", "trace",
            "txpool", "web3",
        ];
        let mut namespaces: Vec<&str> = crate::rpc::namespaces().collect();
        namespaces.sort_unstable();
        assert_eq!(namespaces, decided, "add its arm to `needed`, then its name here");
    }

    #[test]
    fn a_cookie_is_new_at_each_start_private_and_gone_in_the_end() {
        let folder = tempfile::tempdir().unwrap();
        let (file, victim) = (folder.path().join("data/.cookie"), folder.path().join("victim"));
        fs::create_dir(folder.path().join("data")).unwrap();
        fs::write(&victim, "precious").unwrap();
        symlink(&victim, &file).unwrap();
        let mut first = Cookie::create().unwrap();
        first.write(file.clone()).unwrap();
        assert_eq!(fs::read(&victim).unwrap(), b"precious");
        assert_eq!(fs::symlink_metadata(&file).unwrap().permissions().mode() & 0o777, 0o600);
        assert_eq!(fs::read_to_string(&file).unwrap(), first.content());
        let mut second = Cookie::create().unwrap();
        second.write(file.clone()).unwrap();
        assert_ne!(first.content(), second.content());
        drop(first);
        assert_eq!(fs::read_to_string(&file).unwrap(), second.content(), "it is the other node's");
        drop(second);
        assert!(!file.exists());
    }

    #[test]
    fn only_the_right_header_opens() {
        let folder = tempfile::tempdir().unwrap();
        let token = mining_token(&folder.path().join("token")).unwrap();
        assert_eq!(mining_token(&folder.path().join("token")).unwrap(), token, "it stays");
        let secrets = Secrets::default().with_cookie("__cookie__:00").with_mining(&token);
        assert_eq!(secrets.scope("Basic X19jb29raWVfXzowMA=="), Some(Scope::Full));
        assert_eq!(secrets.scope(&authorization(&token)), Some(Scope::Mining));
        for wrong in ["", "Basic ", "Basic X19jb29raWVfXzowMQ==", "Bearer X19jb29raWVfXzowMA==", "X19jb29raWVfXzowMA=="]
        {
            assert_eq!(secrets.scope(wrong), None, "{wrong}");
            assert_eq!(Secrets::default().scope(wrong), None, "{wrong}");
        }
        fs::write(folder.path().join("token"), "__mining__:short").unwrap();
        assert!(mining_token(&folder.path().join("token")).is_err());
    }
}
