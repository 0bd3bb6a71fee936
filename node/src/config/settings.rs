//! What the user says: flags and the configuration file, which have the same names.

use cairn_client::fault;
use chain_core::spec::ChainSpec;
use clap::{Args, ValueEnum};
use serde::Deserialize;
use std::{
    net::IpAddr,
    path::{Path, PathBuf},
};

use super::{ConfigError, file, metrics::MetricsSettings, stratum::StratumSettings};

/// Every setting as the user gave it. The flags' names and the keys of the file are the same.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct Settings {
    /// Which chain: main, test, local, devnet, dev, or a TOML file with a chain spec [default: main]
    #[arg(long, value_name = "NAME|FILE", env = "CAIRN_CHAIN", help_heading = "Node")]
    pub chain: Option<String>,
    /// Where the node keeps its data [default: ~/.cairn/CHAIN]
    #[arg(long, value_name = "DIR", help_heading = "Node")]
    pub datadir: Option<PathBuf>,
    /// A throw-away chain in memory: funded accounts, blocks on demand
    #[arg(long, help_heading = "Node", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub dev: Option<bool>,
    /// With --dev: mines a block every SECONDS, instead of one for each transaction
    #[arg(
        long,
        value_name = "SECONDS",
        allow_negative_numbers = true,
        help_heading = "Mining",
        conflicts_with = "no_mining"
    )]
    #[serde(rename = "block-time")]
    pub block_time: Option<u32>,
    /// With --dev: mines nothing but on demand (evm_mine)
    #[arg(long, help_heading = "Mining", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    #[serde(rename = "no-mining")]
    pub no_mining: Option<bool>,
    /// Memory for the database's caches, in MiB [default: 256]
    #[arg(long, value_name = "MiB", allow_negative_numbers = true, help_heading = "Node")]
    pub cache: Option<u32>,
    /// Keeps indexes of transactions, addresses, accounts and logs [default: true]
    #[arg(long, help_heading = "Node", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub index: Option<bool>,
    /// Keeps no indexes: less disk, no wallet on this node
    #[arg(long, help_heading = "Node", conflicts_with = "index")]
    #[serde(skip)]
    pub no_index: bool,
    /// Keeps the bodies of the last BLOCKS blocks only: at least 288, 0 for all. Headers, state and indexes stay [default: 0]
    #[arg(long, value_name = "BLOCKS", allow_negative_numbers = true, help_heading = "Node")]
    pub prune: Option<u32>,
    /// Keeps the states of the last BLOCKS blocks, at least 128: balances, calls and traces there [default: 128; --dev: all]
    #[arg(long, value_name = "BLOCKS", allow_negative_numbers = true, help_heading = "Node")]
    pub history: Option<u32>,
    /// Keeps the states of all blocks. What is missing is made from undo data at the start, as far as --prune left that
    #[arg(
        long,
        help_heading = "Node",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true",
        conflicts_with = "history"
    )]
    pub archive: Option<bool>,
    /// Mines on this node
    #[arg(long, help_heading = "Mining", num_args = 0..=1, require_equals = true, default_missing_value = "true")]
    pub mine: Option<bool>,
    /// IPs that the node listens on for peers, comma-separated [default: 0.0.0.0; 127.0.0.1 on local and devnet]
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
    /// Neither discovers peers nor is discovered: only nodes that are given its address connect
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
    /// Socket of the devnet that started this node, which carries out the orders of the page.
    #[arg(id = "devnet-socket", long = "devnet-socket", value_name = "FILE", hide = true)]
    #[serde(skip)]
    pub devnet: Option<PathBuf>,
    /// How to mine.
    #[command(flatten)]
    pub miner: MinerSettings,
    /// Stratum.
    #[command(flatten)]
    pub stratum: StratumSettings,
    /// Metrics.
    #[command(flatten)]
    pub metrics: MetricsSettings,
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
    /// Threads that mine [default: all cores; 1 on local and devnet]
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
    /// Namespaces served, comma-separated [default: all; if others can reach the RPC, all but admin, debug, dev, devnet, miner, ots and trace]
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
    /// Serves no page for browsers at / of the RPC
    #[arg(
        id = "http.no-page",
        long = "http.no-page",
        help_heading = "RPC",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    #[serde(rename = "no-page")]
    pub no_page: Option<bool>,
    /// Most bytes of a request [default: 5000000]
    #[arg(id = "http.max-body", long = "http.max-body", value_name = "BYTES", help_heading = "RPC")]
    #[serde(rename = "max-body")]
    pub max_body: Option<u32>,
    /// Most bytes of a response [default: 32000000]
    #[arg(id = "http.max-response", long = "http.max-response", value_name = "BYTES", help_heading = "RPC")]
    #[serde(rename = "max-response")]
    pub max_response: Option<u32>,
    /// Most calls in a batch [default: 1000]
    #[arg(id = "http.max-batch", long = "http.max-batch", value_name = "N", help_heading = "RPC")]
    #[serde(rename = "max-batch")]
    pub max_batch: Option<u32>,
    /// Most connections at a time [default: 400]
    #[arg(id = "http.max-connections", long = "http.max-connections", value_name = "N", help_heading = "RPC")]
    #[serde(rename = "max-connections")]
    pub max_connections: Option<u32>,
}

/// `--mempool.*`
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(deny_unknown_fields, default)]
pub struct MempoolSettings {
    /// Memory for waiting transactions, in MiB [default: 100]
    #[arg(
        id = "mempool.size",
        long = "mempool.size",
        value_name = "MiB",
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

/// Each field of one, or of the other where the first says nothing.
macro_rules! or {
    ($self:ident, $other:ident: $($field:ident)*; $($rest:tt)*) => {
        Self { $($field: $self.$field.or($other.$field),)* $($rest)* }
    };
}

impl Settings {
    /// Reads a configuration file.
    ///
    /// # Errors
    /// [`ConfigError`] with the line and the key that is wrong.
    pub fn from_file(path: &Path) -> Result<Self, ConfigError> {
        let text = file::read(path)?;
        let settings: Self = toml::from_str(&text).map_err(|error| ConfigError::Malformed {
            path: path.to_owned(),
            line: error.span().map_or(1, |span| 1 + text[..span.start].matches('\n').count()),
            reason: fault(&error.message()),
        })?;
        Ok(settings.beside(path.parent().unwrap_or(Path::new(""))))
    }

    /// Relative paths of a file are meant from the file's folder, wherever the node is started.
    fn beside(mut self, folder: &Path) -> Self {
        let beside = |path: PathBuf| if path.starts_with("~") { path } else { folder.join(path) };
        let chain_file = |chain: String| {
            let path = beside(PathBuf::from(&chain));
            if ChainSpec::by_name(&chain).is_none() && path.exists() { path.display().to_string() } else { chain }
        };
        self.chain = self.chain.map(chain_file);
        self.datadir = self.datadir.map(beside);
        let files = [&mut self.log.file, &mut self.http.cookie, &mut self.http.mining_token];
        files.into_iter().for_each(|file| *file = file.take().map(beside));
        self
    }

    /// These settings, and those of `other` where these say nothing.
    pub fn or(self, other: Self) -> Self {
        let is_off = self.no_index.then_some(false);
        // The two are one setting.
        let (history, archive) = match (self.history, self.archive) {
            (None, None) => (other.history, other.archive),
            given => given,
        };
        or!(self, other: chain datadir dev block_time no_mining cache prune mine listen port bootnodes connect no_discovery
            external_address max_peers nat devnet miner http mempool log; stratum: self.stratum.or(&other.stratum),
            metrics: self.metrics.or(&other.metrics), index: is_off.or(self.index).or(other.index), no_index: false, history,
            archive)
    }
}

impl MinerSettings {
    fn or(self, other: Self) -> Self {
        or!(self, other: threads address account;)
    }
}

impl HttpSettings {
    fn or(self, other: Self) -> Self {
        or!(self, other: addr port api cookie mining_token vhosts corsdomain no_page max_body max_response max_batch
            max_connections;)
    }
}

impl MempoolSettings {
    fn or(self, other: Self) -> Self {
        or!(self, other: size;)
    }
}

impl LogSettings {
    fn or(self, other: Self) -> Self {
        or!(self, other: level format file;)
    }
}
