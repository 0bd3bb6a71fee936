//! `--stratum` and `--stratum.*`; in the file `stratum = true`, or a table `[stratum]`.

use clap::Args;
use serde::Deserialize;
use std::net::{IpAddr, SocketAddr};

use super::listener::Listener;

/// The port that miners are set to.
const PORT: u16 = 3_333;

/// Whether and where miners connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args, Deserialize)]
#[serde(from = "Listener")]
pub struct StratumSettings {
    /// Serves SHA-256 miners by stratum v1, each for its own address (see docs/mining.md)
    #[arg(
        id = "stratum",
        long = "stratum",
        help_heading = "Mining",
        num_args = 0..=1,
        require_equals = true,
        default_missing_value = "true"
    )]
    pub on: Option<bool>,
    /// Address that miners connect to; switches --stratum on [default: 127.0.0.1]
    #[arg(id = "stratum.addr", long = "stratum.addr", value_name = "IP", help_heading = "Mining")]
    pub addr: Option<IpAddr>,
    /// Port that miners connect to; 0 for any that is free; switches --stratum on [default: 3333]
    #[arg(
        id = "stratum.port",
        long = "stratum.port",
        value_name = "PORT",
        allow_negative_numbers = true,
        help_heading = "Mining"
    )]
    pub port: Option<u16>,
}

impl From<Listener> for StratumSettings {
    fn from(Listener { on, addr, port }: Listener) -> Self {
        Self { on, addr, port }
    }
}

impl StratumSettings {
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
    use super::*;
    use crate::config::Settings;

    fn address(text: &str) -> Option<String> {
        let settings: Settings = toml::from_str(text).unwrap();
        settings.resolve().unwrap().stratum.map(|address| address.to_string())
    }

    #[test]
    fn the_file_has_a_value_or_a_table() {
        assert_eq!(address(""), None);
        assert_eq!(address("stratum = false"), None);
        assert_eq!(address("stratum = true"), Some("127.0.0.1:3333".to_owned()));
        assert_eq!(address("[stratum]"), Some("127.0.0.1:3333".to_owned()));
        assert_eq!(address("[stratum]\naddr = \"0.0.0.0\"\nport = 3334"), Some("0.0.0.0:3334".to_owned()));
        assert_eq!(address("[stratum]\nenabled = false\nport = 3334"), None);
        let wrong = toml::from_str::<Settings>("[stratum]\nprot = 1").unwrap_err();
        assert_eq!(wrong.message(), "unknown field `prot`, expected one of `enabled`, `addr`, `port`");
    }

    #[test]
    fn a_flag_switches_it_on_and_wins_over_the_file() {
        let port = |port| StratumSettings { port, ..StratumSettings::default() };
        let off = StratumSettings { on: Some(false), ..StratumSettings::default() };
        assert_eq!(StratumSettings::default().address(), None);
        assert_eq!(port(Some(1)).address(), Some(SocketAddr::from(([127, 0, 0, 1], 1))));
        assert_eq!(off.or(&port(Some(1))).address(), None);
        assert_eq!(port(Some(2)).or(&port(Some(1))).address(), Some(SocketAddr::from(([127, 0, 0, 1], 2))));
    }
}
