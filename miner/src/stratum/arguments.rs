//! The flags of a stratum client.

use clap::Args;

use super::{Server, Worker};

/// A server instead of a node's JSON-RPC.
#[derive(Args)]
pub struct Pool {
    /// Mine for a stratum v1 server, such as stratum+tcp://127.0.0.1:3333, instead of --rpc. Repeat it for servers to fall
    /// back on.
    #[arg(long, value_name = "URL", conflicts_with = "account")]
    pub stratum: Vec<Server>,
    /// User name at the stratum server [default: --address, which a node's stratum server pays].
    #[arg(long, value_name = "USER", requires = "stratum")]
    pub user: Option<String>,
    /// Name of this machine at the stratum server, which follows the user and a dot.
    #[arg(long, value_name = "NAME", requires = "stratum")]
    pub worker: Option<String>,
    /// Password at the stratum server [default: x].
    #[arg(long, value_name = "PASSWORD", requires = "stratum")]
    pub password: Option<String>,
}

impl Pool {
    /// Who mines; the address is the default user.
    ///
    /// # Errors
    /// If there is no user.
    pub fn worker(&self, address: Option<&str>) -> Result<Worker, String> {
        let user = self.user.as_deref().or(address).filter(|user| !user.is_empty());
        let user = user.ok_or("a stratum server needs a user: add --address ADDRESS, or --user USER for a pool")?;
        let user = match &self.worker {
            Some(worker) => format!("{user}.{worker}"),
            None => user.to_owned(),
        };
        Ok(Worker { user, password: self.password.clone().unwrap_or_else(|| "x".into()) })
    }
}
