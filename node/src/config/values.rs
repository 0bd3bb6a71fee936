//! Single settings: what they may be, and what they are if nobody says.

use chain_core::spec::ChainSpec;
use std::time::Duration;

use super::{ConfigError, HttpSettings, Settings};
use crate::{
    rpc::{HttpLimits, namespaces},
    store::HISTORY,
};

/// Most megabytes for one cache, so that the product fits on any machine.
const MAX_MEBIBYTES: u32 = 1 << 20;

pub(super) fn megabytes(flag: &'static str, given: u32, least: u32) -> Result<usize, ConfigError> {
    if !(least..=MAX_MEBIBYTES).contains(&given) {
        return Err(ConfigError::value(flag, given.to_string(), format!("expected {least} to {MAX_MEBIBYTES} MiB")));
    }
    Ok((given as usize) << 20)
}

pub(super) fn threads(given: Option<u16>, chain: &str) -> Result<usize, ConfigError> {
    let cores = std::thread::available_parallelism().map_or(1, usize::from);
    match given {
        Some(0) => {
            Err(ConfigError::value("--miner.threads", "0", "expected 1 or more; leave out --mine to mine nothing"))
        }
        Some(count) if usize::from(count) > 1024 => {
            Err(ConfigError::value("--miner.threads", count.to_string(), "expected at most 1024"))
        }
        Some(count) => Ok(count.into()),
        // These chains are made for one laptop core, so that the machine stays usable.
        None if ["local", "devnet"].contains(&chain) => Ok(1),
        None => Ok(cores),
    }
}

/// Fewest blocks that a pruned node keeps, as in Bitcoin Core: a reorg below them would need every block again, and peers'
/// branches that fork off below them are not taken unless they have more work.
const LEAST_KEPT: u32 = 288;

pub(super) fn prune(given: Option<u32>, spec: &ChainSpec) -> Result<Option<u32>, ConfigError> {
    // What a certificate may disconnect must still be there.
    let window = spec.finality.as_ref().map_or(0, |finality| finality.window);
    let least = LEAST_KEPT.max(spec.finalized_depth).max(window);
    match given {
        None | Some(0) => Ok(None),
        Some(blocks) if blocks >= least => Ok(Some(blocks)),
        Some(blocks) => Err(ConfigError::value(
            "--prune",
            blocks.to_string(),
            format!("expected {least} blocks or more, or 0 to keep all"),
        )),
    }
}

/// How many states below the tip's are kept; `None` for all.
pub(super) fn history(given: Option<u32>, archive: Option<bool>) -> Result<Option<u32>, ConfigError> {
    match given {
        None if archive == Some(true) => Ok(None),
        None => Ok(Some(HISTORY)),
        Some(blocks) if archive == Some(true) => {
            Err(ConfigError::value("--history", blocks.to_string(), "archive keeps all states: give one of the two"))
        }
        Some(blocks) if blocks >= HISTORY => Ok(Some(blocks)),
        Some(blocks) => {
            let reason = format!("expected {HISTORY} blocks or more; --archive keeps all");
            Err(ConfigError::value("--history", blocks.to_string(), reason))
        }
    }
}

pub(super) fn api(given: Option<Vec<String>>) -> Result<Option<Vec<String>>, ConfigError> {
    match given.iter().flatten().find(|name| !namespaces().any(|known| known == name.as_str())) {
        Some(unknown) => Err(ConfigError::value(
            "--http.api",
            unknown,
            format!("expected some of {}", namespaces().collect::<Vec<_>>().join(",")),
        )),
        None => Ok(given),
    }
}

/// Longest time between blocks that are mined by the clock: a day.
const MOST_BLOCK_TIME: u32 = 86_400;

pub(super) fn block_time(settings: &Settings, dev: bool) -> Result<Option<Duration>, ConfigError> {
    let on_dev = |flag, value: String| match dev {
        true => Ok(()),
        false => Err(ConfigError::value(flag, value, "only a development chain has it: add --dev")),
    };
    if settings.no_mining == Some(true) {
        on_dev("--no-mining", "true".into())?;
        if settings.mine == Some(true) {
            return Err(ConfigError::value("--mine", "true", "with --no-mining, blocks are mined on demand alone"));
        }
    }
    let Some(seconds) = settings.block_time else { return Ok(None) };
    on_dev("--block-time", seconds.to_string())?;
    match seconds {
        1..=MOST_BLOCK_TIME => Ok(Some(Duration::from_secs(seconds.into()))),
        _ => Err(ConfigError::value(
            "--block-time",
            seconds.to_string(),
            format!("expected 1 to {MOST_BLOCK_TIME} seconds"),
        )),
    }
}

pub(super) fn limits(http: HttpSettings, dev: bool, devnet: bool) -> Result<HttpLimits, ConfigError> {
    let default = HttpLimits::default();
    let at_least_one = |flag, given: Option<u32>, default| match given {
        Some(0) => Err(ConfigError::value(flag, "0", "expected 1 or more")),
        other => Ok(other.unwrap_or(default)),
    };
    Ok(HttpLimits {
        max_body: at_least_one("--http.max-body", http.max_body, default.max_body)?,
        max_response: at_least_one("--http.max-response", http.max_response, default.max_response)?,
        max_batch: at_least_one("--http.max-batch", http.max_batch, default.max_batch)?,
        max_connections: at_least_one("--http.max-connections", http.max_connections, default.max_connections)?,
        vhosts: http.vhosts.unwrap_or_default(),
        cors: http.corsdomain.unwrap_or_default(),
        pages_here: dev,
        own_page_here: devnet,
        page: !http.no_page.unwrap_or(false),
    })
}
