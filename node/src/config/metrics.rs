//! `--metrics` and `--metrics.*`; in the file `metrics = true`, or a table `[metrics]`.

use clap::Args;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};

use super::listener::Listener;

/// The port that Prometheus scrapes.
const PORT: u16 = 9_001;

/// Whether and where metrics are served.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(from = "Listener")]
pub struct MetricsSettings {
    /// Serves metrics for Prometheus, /health and /ready over HTTP (see docs/metrics.md)
    #[arg(
        id = "metrics",
        long = "metrics",
        help_heading = "Metrics",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub on: Option<bool>,
    /// Address that metrics are served on; switches --metrics on [default: 127.0.0.1]
    #[arg(id = "metrics.addr", long = "metrics.addr", value_name = "IP", help_heading = "Metrics")]
    pub addr: Option<IpAddr>,
    /// Port that metrics are served on; 0 for any that is free; switches --metrics on [default: 9001]
    #[arg(
        id = "metrics.port",
        long = "metrics.port",
        value_name = "PORT",
        allow_negative_numbers = true,
        help_heading = "Metrics"
    )]
    pub port: Option<u16>,
}

impl From<Listener> for MetricsSettings {
    fn from(Listener { on, addr, port }: Listener) -> Self {
        Self { on, addr, port }
    }
}

impl MetricsSettings {
    fn listener(&self) -> Listener {
        Listener { on: self.on, addr: self.addr, port: self.port }
    }

    /// These settings, and those of `other` where these say nothing.
    pub(super) fn or(&self, other: &Self) -> Self {
        self.listener().or(other.listener()).into()
    }

    /// Where to listen, if anywhere.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        self.listener().address(PORT)
    }
}

#[cfg(test)]
mod tests {
    use crate::config::Settings;

    fn address(text: &str) -> Option<String> {
        let settings: Settings = toml::from_str(text).unwrap();
        settings.resolve().unwrap().metrics.map(|address| address.to_string())
    }

    #[test]
    fn metrics_are_off_unless_asked_for_and_for_this_machine_alone() {
        assert_eq!(address(""), None);
        assert_eq!(address("metrics = true"), Some("127.0.0.1:9001".to_owned()));
        assert_eq!(address("[metrics]\naddr = \"0.0.0.0\"\nport = 9002"), Some("0.0.0.0:9002".to_owned()));
        assert_eq!(address("[metrics]\nenabled = false\nport = 9002"), None);
    }
}
