//! A service of its own port that is off by default: in the file `true`, `false`, or a table with `addr` and `port`.

use serde::{
    Deserialize, Deserializer,
    de::{self, value::MapAccessDeserializer},
};
use std::{
    fmt,
    net::{IpAddr, Ipv4Addr, SocketAddr},
};

/// Whether and where a service listens.
#[derive(Clone, Copy, Debug, Default, PartialEq, Eq)]
pub(super) struct Listener {
    pub on: Option<bool>,
    pub addr: Option<IpAddr>,
    pub port: Option<u16>,
}

impl Listener {
    /// These settings, and those of `other` where these say nothing.
    pub fn or(self, other: Self) -> Self {
        Self { on: self.on.or(other.on), addr: self.addr.or(other.addr), port: self.port.or(other.port) }
    }

    /// Where to listen, if anywhere.
    pub fn address(self, port: u16) -> Option<SocketAddr> {
        let is_on = self.on.unwrap_or(self.addr.is_some() || self.port.is_some());
        let address = self.addr.unwrap_or(IpAddr::V4(Ipv4Addr::LOCALHOST));
        is_on.then(|| SocketAddr::new(address, self.port.unwrap_or(port)))
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

impl<'de> Deserialize<'de> for Listener {
    fn deserialize<D: Deserializer<'de>>(deserializer: D) -> Result<Self, D::Error> {
        struct Visitor;
        impl<'de> de::Visitor<'de> for Visitor {
            type Value = Listener;

            fn expecting(&self, f: &mut fmt::Formatter<'_>) -> fmt::Result {
                f.write_str("true, false or a table with enabled, addr and port")
            }

            fn visit_bool<E: de::Error>(self, on: bool) -> Result<Listener, E> {
                Ok(Listener { on: Some(on), ..Listener::default() })
            }

            fn visit_map<A: de::MapAccess<'de>>(self, map: A) -> Result<Listener, A::Error> {
                let Table { enabled, addr, port } = Table::deserialize(MapAccessDeserializer::new(map))?;
                Ok(Listener { on: Some(enabled.unwrap_or(true)), addr, port })
            }
        }
        deserializer.deserialize_any(Visitor)
    }
}
