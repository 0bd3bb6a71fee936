//! Settings: flags over the configuration file over defaults.

mod chain_id;
mod error;
mod file;
mod listener;
mod metrics;
mod network;
mod settings;
mod stratum;
mod values;

use chain_core::{Address, address, spec::ChainSpec, transaction::coin::Lock};
use std::{
    net::{IpAddr, Ipv4Addr, SocketAddr},
    path::PathBuf,
    time::Duration,
};

pub use chain_id::keep as keep_chain_id;
pub use error::ConfigError;
pub use settings::{HttpSettings, LogFormat, LogSettings, Settings};

use crate::{net::NetConfig, rpc::HttpLimits};
use file::{from_home, home, read};
use values::{api, block_time, history, limits, megabytes, prune, threads};

/// Settings that can be used as they are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub spec: ChainSpec,
    /// Where data is kept; `None` for a chain in memory.
    pub datadir: Option<PathBuf>,
    /// Whether this is a development chain: blocks on demand, `evm_mine`.
    pub dev: bool,
    /// Whether each transaction of a development chain is mined at once.
    pub automine: bool,
    /// Between blocks of a development chain that are mined by the clock.
    pub block_time: Option<Duration>,
    /// Bytes for the database's caches.
    pub cache: usize,
    /// Whether indexes are kept.
    pub index: bool,
    /// Blocks whose bodies are kept; `None` for all.
    pub prune: Option<u32>,
    /// States below the tip's that are kept; `None` for all.
    pub history: Option<u32>,
    /// Whether to mine from the start.
    pub mine: bool,
    /// Threads that mine.
    pub threads: usize,
    /// Whom to pay for mined blocks, if it was said.
    pub payout: Option<Lock>,
    /// Whom to pay tips of account transactions.
    pub beneficiary: Option<Address>,
    /// How to take part in the network; `None` for none.
    pub network: Option<NetConfig>,
    /// Where the RPC listens.
    pub rpc: SocketAddr,
    /// Where miners connect by stratum; `None` for nowhere.
    pub stratum: Option<SocketAddr>,
    /// Where metrics are served; `None` for nowhere.
    pub metrics: Option<SocketAddr>,
    /// Namespaces served; `None` for all that the address allows.
    pub api: Option<Vec<String>>,
    /// Where this run's cookie is written, beside where clients look for it.
    pub cookie: Option<PathBuf>,
    /// Where the secret for miners on other machines stands.
    pub mining_token: Option<PathBuf>,
    /// The socket of the devnet that this node is part of.
    pub devnet: Option<PathBuf>,
    /// Limits of the RPC.
    pub limits: HttpLimits,
    /// Bytes for the mempool.
    pub mempool: usize,
    /// The log.
    pub log: LogConfig,
    /// The chain as it was named: a name or a file.
    pub chain: String,
}

/// Where and how to log.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct LogConfig {
    /// A filter of tracing.
    pub level: String,
    /// How lines look.
    pub format: LogFormat,
    /// A file beside the standard error.
    pub file: Option<PathBuf>,
}

impl Settings {
    /// Checks everything and fills in defaults.
    ///
    /// # Errors
    /// [`ConfigError`] for the first setting that cannot be used.
    pub fn resolve(self) -> Result<Config, ConfigError> {
        let settings = self.or(Self::default());
        let dev = settings.dev.unwrap_or(false);
        let chain = settings.chain.as_deref().unwrap_or(if dev { "dev" } else { "main" });
        if dev && chain != "dev" {
            return Err(ConfigError::DevChain(chain.to_owned()));
        }
        let mut spec = load_spec(chain)?;
        let chain = chain.to_owned();
        let dev = spec.is_dev();
        let block_time = block_time(&settings, dev)?;
        let payout = settings.miner.address.as_deref().map(|text| payout(&spec, text)).transpose()?;
        let beneficiary = settings.miner.account.as_deref().map(account).transpose()?;
        let datadir = datadir(settings.datadir.clone(), &spec.name, dev)?;
        if let Some(folder) = datadir.as_deref().filter(|_| chain == "dev") {
            spec.chain_id = chain_id::of(folder)?;
        }
        let cookie = settings.http.cookie.clone().map(from_home).transpose()?;
        Ok(Config {
            network: network::resolve(&settings, &spec, datadir.clone())?,
            cookie: cookie.or_else(|| datadir.as_ref().map(|path| path.join(".cookie"))),
            mining_token: settings.http.mining_token.clone().map(from_home).transpose()?,
            devnet: settings.devnet.clone(),
            datadir,
            dev,
            automine: dev && block_time.is_none() && !settings.no_mining.unwrap_or(false),
            block_time,
            cache: megabytes("--cache", settings.cache.unwrap_or(256), 8)?,
            index: settings.index.unwrap_or(true),
            prune: prune(settings.prune, &spec)?,
            history: history(settings.history, settings.archive)?,
            mine: settings.mine.unwrap_or(false),
            threads: threads(settings.miner.threads, &spec.name)?,
            payout,
            beneficiary,
            rpc: SocketAddr::new(
                settings.http.addr.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                settings.http.port.unwrap_or(8545),
            ),
            stratum: settings.stratum.address(),
            metrics: settings.metrics.address(),
            api: api(settings.http.api.clone())?,
            limits: limits(settings.http, dev, settings.devnet.is_some())?,
            mempool: megabytes("--mempool.size", settings.mempool.size.unwrap_or(100), 1)?,
            log: LogConfig {
                level: settings.log.level.unwrap_or_else(|| "info".to_owned()),
                format: settings.log.format.unwrap_or_default(),
                file: settings.log.file.map(from_home).transpose()?,
            },
            spec,
            chain,
        })
    }
}

/// The spec that a name or a file stands for.
///
/// # Errors
/// [`ConfigError`] if there is no such chain, or its file is wrong.
pub fn load_spec(chain: &str) -> Result<ChainSpec, ConfigError> {
    if let Some(spec) = ChainSpec::by_name(chain) {
        return Ok(spec);
    }
    let path = from_home(chain.into())?;
    if !path.exists() {
        return Err(ConfigError::UnknownChain(chain.to_owned()));
    }
    ChainSpec::from_toml(&read(&path)?).map_err(|error| ConfigError::Spec { path, reason: error.to_string() })
}

fn datadir(given: Option<PathBuf>, chain: &str, dev: bool) -> Result<Option<PathBuf>, ConfigError> {
    match given {
        Some(path) => Ok(Some(from_home(path)?)),
        None if dev => Ok(None),
        None => Ok(Some(home()?.join(".cairn").join(chain))),
    }
}

fn payout(spec: &ChainSpec, text: &str) -> Result<Lock, ConfigError> {
    address::parse_coin_address(&spec.hrp, text)
        .map_err(|error| ConfigError::value("--miner.address", text, error.to_string()))
}

fn account(text: &str) -> Result<Address, ConfigError> {
    address::parse_account(text).map_err(|error| ConfigError::value("--miner.account", text, error.to_string()))
}

#[cfg(test)]
mod tests;
