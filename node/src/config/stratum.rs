//! `--stratum` and `--stratum.*`; in the file `stratum = true`, or a table `[stratum]`.

use clap::Args;
use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// The port that miners are set to.
const PORT: u16 = 3_333;

/// Whether and where miners connect.
#[derive(Clone, Debug, Default, PartialEq, Eq, Args)]
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

impl StratumSettings {
    /// These settings, and those of `other` where these say nothing.
    pub(super) fn or(self, other: Self) -> Self {
        Self { on: self.on.or(other.on), addr: self.addr.or(other.addr), port: self.port.or(other.port) }
    }

    /// Where to listen, if anywhere.
    pub(super) fn address(&self) -> Option<SocketAddr> {
        let is_on = self.on.unwrap_or(self.addr.is_some() || self.port.is_some());
        let address = self.addr.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        is_on.then(|| SocketAddr::new(address, self.port.unwrap_or(PORT)))
    }
}

/// The table of the file.
#[derive(Deserialize)]
#[serde(deny_unknown_fields)]
struct Table {
    enabled: Option<bool>,
    addr: Option<IpAddr>,
    port: Option<u16>,
}

impl<'de> Deserialize<'de> for StratumSettings {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = StratumSettings;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a table with enabled, addr and port")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<StratumSettings, E> {
                Ok(StratumSettings { on: Some(on), ..StratumSettings::default() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<StratumSettings, A::Error> {
                let Table { enabled, addr, port } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(StratumSettings { on: Some(enabled.unwrap_or(true)), addr, port })
            }
        }
        deserializer.deserialize_any(Visitor)
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
        assert_eq!(off.clone().or(port(Some(1))).address(), None);
        assert_eq!(port(Some(2)).or(port(Some(1))).address(), Some(SocketAddr::from(([127, 0, 0, 1], 2))));
    }
}
