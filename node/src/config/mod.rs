//! Settings: flags over the configuration file over defaults.

mod error;
mod network;
mod values;

use alloy_primitives::Address;
use chain_core::{address, spec::ChainSpec, transaction::coin::Lock};
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::{
    fs::File,
    io::{self, ErrorKind, Read},
    net::{IpAddr, Ipv4Addr, SocketAddr},
    os::unix::fs::FileTypeExt,
    path::{Path, PathBuf},
};

pub use error::ConfigError;

use crate::{net::NetConfig, rpc::HttpLimits};
use values::{api, limits, megabytes, prune, threads};

/// Every setting as the user gave it. The flags' names and the keys of the file are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Which chain: main, test, local, dev, or a TOML file with a chain spec [default: main]
    #[arg(long, value_name = "NAME|FILE", env = "CAIRN_CHAIN", help_heading = "Node")]
    pub chain: Option<String>,
    /// Where the node keeps its data [default: ~/.cairn/CHAIN]
    #[arg(long, value_name = "DIR", help_heading = "Node")]
    pub datadir: Option<PathBuf>,
    /// A throw-away chain in memory: funded accounts, blocks on demand
    #[arg(long, help_heading = "Node", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub dev: Option<bool>,
    /// Memory for the database's caches, in MB [default: 256]
    #[arg(long, value_name = "MB", allow_negative_numbers = true, help_heading = "Node")]
    pub cache: Option<u32>,
    /// Keeps indexes of transactions, addresses and accounts [default: true]
    #[arg(long, help_heading = "Node", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub index: Option<bool>,
    /// Keeps no indexes: less disk, no wallet on this node
    #[arg(long, help_heading = "Node", conflicts_with = "index")]
    #[serde(skip)]
    pub no_index: bool,
    /// Keeps the bodies of the last BLOCKS blocks only: at least 288, 0 for all. Headers, state and indexes stay [default: 0]
    #[arg(long, value_name = "BLOCKS", allow_negative_numbers = true, help_heading = "Node")]
    pub prune: Option<u32>,
    /// Mines on this node
    #[arg(long, help_heading = "Mining", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub mine: Option<bool>,
    /// IPs that the node listens on for peers, comma-separated [default: 0.0.0.0; 127.0.0.1 on the local chain]
    #[arg(long, value_name = "IPS", value_delimiter = ',', help_heading = "Network")]
    pub listen: Option<Vec<IpAddr>>,
    /// Port for peers, TCP and UDP; 0 for any that is free [default: 30303]
    #[arg(long, value_name = "PORT", allow_negative_numbers = true, help_heading = "Network")]
    pub port: Option<u16>,
    /// Nodes to begin with while no others are known, comma-separated
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', help_heading = "Network")]
    pub bootnodes: Option<Vec<String>>,
    /// Nodes to stay connected with, comma-separated; no others are sought
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', help_heading = "Network")]
    pub connect: Option<Vec<String>>,
    /// Seeks no peers and is not to be found: only nodes that are given its address connect
    #[arg(long, help_heading = "Network", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(rename = "no-discovery")]
    pub no_discovery: Option<bool>,
    /// Addresses at which others reach this node, such as /ip4/1.2.3.4/tcp/30303, comma-separated
    #[arg(long, value_name = "ADDRESSES", value_delimiter = ',', help_heading = "Network")]
    #[serde(rename = "external-address")]
    pub external_address: Option<Vec<String>>,
    /// Most peers; 0 for no network at all [default: 50]
    #[arg(long, value_name = "N", allow_negative_numbers = true, help_heading = "Network")]
    #[serde(rename = "max-peers")]
    pub max_peers: Option<u16>,
    /// Asks the router to let peers in (UPnP), and peers whether they get in (AutoNAT)
    #[arg(long, help_heading = "Network", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub nat: Option<bool>,
    /// How to mine.
    #[command(flatten)]
    pub miner: MinerSettings,
    /// The RPC.
    #[command(flatten)]
    pub http: HttpSettings,
    /// The mempool.
    #[command(flatten)]
    pub mempool: MempoolSettings,
    /// The log.
    #[command(flatten)]
    pub log: LogSettings,
}

/// `--miner.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MinerSettings {
    /// Threads that mine [default: all cores; 1 on the local chain]
    #[arg(
        id = "miner.threads",
        long = "miner.threads",
        value_name = "N",
        allow_negative_numbers = true,
        help_heading = "Mining"
    )]
    pub threads: Option<u16>,
    /// Who is paid the coins of mined blocks: an address of this chain
    #[arg(id = "miner.address", long = "miner.address", value_name = "ADDRESS", help_heading = "Mining")]
    pub address: Option<String>,
    /// Who is paid the tips of account transactions: 0x... [default: the zero account]
    #[arg(id = "miner.account", long = "miner.account", value_name = "ACCOUNT", help_heading = "Mining")]
    pub account: Option<String>,
}

/// `--http.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct HttpSettings {
    /// Address that the RPC (HTTP and WebSocket) listens on [default: 127.0.0.1]
    #[arg(id = "http.addr", long = "http.addr", value_name = "IP", help_heading = "RPC")]
    pub addr: Option<IpAddr>,
    /// Port of the RPC; 0 for any that is free [default: 8545]
    #[arg(
        id = "http.port",
        long = "http.port",
        value_name = "PORT",
        allow_negative_numbers = true,
        help_heading = "RPC"
    )]
    pub port: Option<u16>,
    /// Namespaces served, comma-separated [default: all; if others can reach the RPC, all but admin, debug and miner]
    #[arg(id = "http.api", long = "http.api", value_name = "NAMES", value_delimiter = ',', help_heading = "RPC")]
    pub api: Option<Vec<String>>,
    /// File for this run's cookie, which admin_* and miner_* ask for [default: .cookie in the data directory]
    #[arg(id = "http.cookie", long = "http.cookie", value_name = "FILE", help_heading = "RPC")]
    pub cookie: Option<PathBuf>,
    /// File with a secret for miners on other machines, who may do nothing but mine; made if it is not there
    #[arg(id = "http.mining-token", long = "http.mining-token", value_name = "FILE", help_heading = "RPC")]
    #[serde(rename = "mining-token")]
    pub mining_token: Option<PathBuf>,
    /// Names accepted in the Host header beside addresses and localhost, comma-separated; * for any
    #[arg(id = "http.vhosts", long = "http.vhosts", value_name = "NAMES", value_delimiter = ',', help_heading = "RPC")]
    pub vhosts: Option<Vec<String>>,
    /// Origins of web pages that may call, comma-separated; * for any [default: none]
    #[arg(
        id = "http.corsdomain",
        long = "http.corsdomain",
        value_name = "ORIGINS",
        value_delimiter = ',',
        help_heading = "RPC"
    )]
    pub corsdomain: Option<Vec<String>>,
    /// Most bytes of a request [default: 5000000]
    #[arg(id = "http.max-body", long = "http.max-body", value_name = "BYTES", help_heading = "RPC")]
    #[serde(rename = "max-body")]
    pub max_body: Option<u32>,
    /// Most bytes of a response [default: 32000000]
    #[arg(id = "http.max-response", long = "http.max-response", value_name = "BYTES", help_heading = "RPC")]
    #[serde(rename = "max-response")]
    pub max_response: Option<u32>,
    /// Most calls in a batch [default: 100]
    #[arg(id = "http.max-batch", long = "http.max-batch", value_name = "N", help_heading = "RPC")]
    #[serde(rename = "max-batch")]
    pub max_batch: Option<u32>,
    /// Most connections at a time [default: 100]
    #[arg(id = "http.max-connections", long = "http.max-connections", value_name = "N", help_heading = "RPC")]
    #[serde(rename = "max-connections")]
    pub max_connections: Option<u32>,
}

/// `--mempool.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MempoolSettings {
    /// Memory for waiting transactions, in MB [default: 100]
    #[arg(
        id = "mempool.size",
        long = "mempool.size",
        value_name = "MB",
        allow_negative_numbers = true,
        help_heading = "Node"
    )]
    pub size: Option<u32>,
}

/// `--log.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct LogSettings {
    /// error, warn, info, debug, trace, or a filter such as info,cairn_node::engine=debug [default: info]
    #[arg(id = "log.level", long = "log.level", alias = "verbosity", value_name = "LEVEL", help_heading = "Log")]
    pub level: Option<String>,
    /// How log lines look [default: text]
    #[arg(id = "log.format", long = "log.format", value_name = "FORMAT", help_heading = "Log")]
    pub format: Option<LogFormat>,
    /// Writes the log to a file too; it is renamed to FILE.1 at 20 MB, and one such is kept
    #[arg(id = "log.file", long = "log.file", value_name = "FILE", help_heading = "Log")]
    pub file: Option<PathBuf>,
}

/// How log lines look.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq, ValueEnum, Deserialize)]
#[serde(rename_all = "lowercase")]
pub enum LogFormat {
    /// For people.
    #[default]
    Text,
    /// One JSON object a line.
    Json,
}

/// Settings that can be used as they are.
#[derive(Clone, Debug)]
pub struct Config {
    /// The chain.
    pub spec: ChainSpec,
    /// Where data is kept; `None` for a chain in memory.
    pub datadir: Option<PathBuf>,
    /// Whether this is a development chain: blocks on demand, `evm_mine`.
    pub dev: bool,
    /// Bytes for the database's caches.
    pub cache: usize,
    /// Whether indexes are kept.
    pub index: bool,
    /// Blocks whose bodies are kept; `None` for all.
    pub prune: Option<u32>,
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
    /// Namespaces served; `None` for all that the address allows.
    pub api: Option<Vec<String>>,
    /// Where this run's cookie is written, beside where clients look for it.
    pub cookie: Option<PathBuf>,
    /// Where the secret for miners on other machines stands.
    pub mining_token: Option<PathBuf>,
    /// What the RPC bears.
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

/// Namespaces of the RPC.
pub const NAMESPACES: &[&str] = &["admin", "chain", "coin", "debug", "dev", "eth", "miner", "net", "txpool", "web3"];

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] with the line and the key that is wrong.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = read(path)?;
        let settings: Self = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
            reason: error.message().to_owned(),
        })?;
        Ok(settings.beside(path.parent().unwrap_or(Path::new(""))))
    }

    /// Relative paths of a file are meant from the file's folder, wherever the node is started.
    fn beside(mut self, folder: &Path) -> Self {
        let beside = |path: PathBuf| if path.starts_with("~") { path } else { folder.join(path) };
        let file = |chain: String| {
            let path = beside(PathBuf::from(&chain));
            if ChainSpec::by_name(&chain).is_none() && path.exists() { path.display().to_string() } else { chain }
        };
        self.chain = self.chain.map(file);
        self.datadir = self.datadir.map(beside);
        self.log.file = self.log.file.map(beside);
        self
    }

    /// These settings, and those of `other` where these say nothing.
    pub fn or(self, other: Self) -> Self {
        let (http, lower) = (self.http, other.http);
        Self {
            chain: self.chain.or(other.chain),
            datadir: self.datadir.or(other.datadir),
            dev: self.dev.or(other.dev),
            cache: self.cache.or(other.cache),
            index: self.no_index.then_some(false).or(self.index).or(other.index),
            no_index: false,
            prune: self.prune.or(other.prune),
            mine: self.mine.or(other.mine),
            listen: self.listen.or(other.listen),
            port: self.port.or(other.port),
            bootnodes: self.bootnodes.or(other.bootnodes),
            connect: self.connect.or(other.connect),
            no_discovery: self.no_discovery.or(other.no_discovery),
            external_address: self.external_address.or(other.external_address),
            max_peers: self.max_peers.or(other.max_peers),
            nat: self.nat.or(other.nat),
            miner: MinerSettings {
                threads: self.miner.threads.or(other.miner.threads),
                address: self.miner.address.or(other.miner.address),
                account: self.miner.account.or(other.miner.account),
            },
            http: HttpSettings {
                addr: http.addr.or(lower.addr),
                port: http.port.or(lower.port),
                api: http.api.or(lower.api),
                cookie: http.cookie.or(lower.cookie),
                mining_token: http.mining_token.or(lower.mining_token),
                vhosts: http.vhosts.or(lower.vhosts),
                corsdomain: http.corsdomain.or(lower.corsdomain),
                max_body: http.max_body.or(lower.max_body),
                max_response: http.max_response.or(lower.max_response),
                max_batch: http.max_batch.or(lower.max_batch),
                max_connections: http.max_connections.or(lower.max_connections),
            },
            mempool: MempoolSettings { size: self.mempool.size.or(other.mempool.size) },
            log: LogSettings {
                level: self.log.level.or(other.log.level),
                format: self.log.format.or(other.log.format),
                file: self.log.file.or(other.log.file),
            },
        }
    }

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
        let spec = load_spec(chain)?;
        let chain = chain.to_owned();
        let dev = spec.name == "dev";
        let payout = settings.miner.address.as_deref().map(|text| payout(&spec, text)).transpose()?;
        let beneficiary = settings.miner.account.as_deref().map(account).transpose()?;
        let datadir = datadir(settings.datadir.clone(), &spec.name, dev)?;
        Ok(Config {
            network: network::resolve(&settings, &spec, datadir.clone())?,
            cookie: settings.http.cookie.clone().or_else(|| datadir.as_ref().map(|path| path.join(".cookie"))),
            mining_token: settings.http.mining_token.clone(),
            datadir,
            dev,
            cache: megabytes("--cache", settings.cache.unwrap_or(256), 8)?,
            index: settings.index.unwrap_or(true),
            prune: prune(settings.prune, &spec)?,
            mine: settings.mine.unwrap_or(false),
            threads: threads(settings.miner.threads, &spec.name)?,
            payout,
            beneficiary,
            rpc: SocketAddr::new(
                settings.http.addr.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST)),
                settings.http.port.unwrap_or(8545),
            ),
            api: api(settings.http.api.clone())?,
            limits: limits(settings.http)?,
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

/// Most bytes of a configuration or a chain spec: far more than either has.
const MOST_BYTES: u64 = 1 << 20;

fn read(path: &Path) -> Result<String, ConfigError> {
    text(path).map_err(|error| ConfigError::Unreadable { path: path.to_owned(), reason: error.to_string() })
}

/// A file or a pipe (`<(...)`), not a device that gives bytes without end.
fn text(path: &Path) -> io::Result<String> {
    let file = File::open(path)?;
    let kind = file.metadata()?.file_type();
    if kind.is_char_device() || kind.is_block_device() {
        return Err(io::Error::new(ErrorKind::InvalidInput, "it is a device: name a TOML file"));
    }
    let mut text = String::new();
    file.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    match text.len() as u64 > MOST_BYTES {
        true => Err(io::Error::new(ErrorKind::InvalidInput, "it has more than 1 MiB: name a TOML file")),
        false => Ok(text),
    }
}

fn value(flag: &'static str, value: impl Into<String>, allowed: impl Into<String>) -> ConfigError {
    ConfigError::Value { flag, value: value.into(), allowed: allowed.into() }
}

fn datadir(given: Option<PathBuf>, chain: &str, dev: bool) -> Result<Option<PathBuf>, ConfigError> {
    match given {
        Some(path) => Ok(Some(from_home(path)?)),
        None if dev => Ok(None),
        None => Ok(Some(home()?.join(".cairn").join(chain))),
    }
}

fn home() -> Result<PathBuf, ConfigError> {
    std::env::home_dir().filter(|home| !home.as_os_str().is_empty()).ok_or(ConfigError::NoHome)
}

/// A path whose `~` stands for the home directory. A shell replaces it in `--datadir ~/x`, but neither in `--datadir=~/x`
/// nor in a file.
fn from_home(path: PathBuf) -> Result<PathBuf, ConfigError> {
    match path.strip_prefix("~") {
        Ok(rest) => Ok(home()?.join(rest)),
        Err(_) => Ok(path),
    }
}

fn payout(spec: &ChainSpec, text: &str) -> Result<Lock, ConfigError> {
    address::parse_coin_address(&spec.hrp, text).map_err(|error| value("--miner.address", text, error.to_string()))
}

fn account(text: &str) -> Result<Address, ConfigError> {
    address::parse_account(text).map_err(|error| value("--miner.account", text, error.to_string()))
}

#[cfg(test)]
mod tests;
