//! The settings of the network.

use std::{net::IpAddr, path::PathBuf};

use chain_core::spec::ChainSpec;

use super::{ConfigError, Settings};
use crate::net::{self, Multiaddr, NetConfig};

/// How to take part in the network; nothing on the development chain, and if there may be no peers.
///
/// # Errors
/// [`ConfigError`] for an invalid address.
pub fn resolve(
    settings: &Settings,
    spec: &ChainSpec,
    folder: Option<PathBuf>,
) -> Result<Option<NetConfig>, ConfigError> {
    let chain = spec.name.as_str();
    let max_peers = settings.max_peers.unwrap_or(50);
    let connect = addresses("--connect", settings.connect.as_deref())?;
    let bootnodes = addresses("--bootnodes", settings.bootnodes.as_deref())?;
    let external = addresses("--external-address", settings.external_address.as_deref())?;
    if chain == "dev" || max_peers == 0 {
        return Ok(None);
    }
    // The local chain, and that of a devnet whose keys are public, are this machine's own affair.
    let here = if ["local", "devnet"].contains(&chain) { [127, 0, 0, 1] } else { [0, 0, 0, 0] };
    let discover = connect.is_empty() && !settings.no_discovery.unwrap_or(false);
    Ok(Some(NetConfig {
        listen: settings.listen.clone().unwrap_or_else(|| vec![IpAddr::from(here)]),
        port: settings.port.unwrap_or(30_303),
        bootnodes,
        connect,
        discover,
        external,
        max_peers: max_peers.into(),
        nat: settings.nat.unwrap_or(false),
        folder,
        // Half of what makes honest blocks wait, and no more than ten minutes where that is more than anybody's error.
        clock_bound: u64::from(spec.max_future / 2).clamp(5, 600),
    }))
}

fn addresses(flag: &'static str, given: Option<&[String]>) -> Result<Vec<Multiaddr>, ConfigError> {
    let parse = |text: &String| {
        let expected = "expected an address such as /ip4/1.2.3.4/tcp/30303/p2p/12D3..., or host:30303";
        net::parse_address(text).ok_or_else(|| ConfigError::value(flag, text, expected))
    };
    given.unwrap_or_default().iter().map(parse).collect()
}
