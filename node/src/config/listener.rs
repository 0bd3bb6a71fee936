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

/// Settings of such a service: its flags, with what each one's help says, and its port.
macro_rules! listener_settings {
    (
        $(#[$doc:meta])*
        $name:ident, flags $flag:literal of $heading:literal, port $port:literal,
        $on:literal, $addr:literal, $port_help:literal
    ) => {
        $(#[$doc])*
        #[derive(Clone, Debug, Default, PartialEq, Eq, clap::Args, serde::Deserialize)]
        #[serde(from = "crate::config::listener::Listener")]
        pub struct $name {
            #[doc = $on]
            #[arg(
                id = $flag,
                long = $flag,
                help_heading = $heading,
                num_args = 0..=1,
                require_equals = true,
                default_missing_value = "true"
            )]
            pub on: Option<bool>,
            #[doc = $addr]
            #[arg(id = concat!($flag, ".addr"), long = concat!($flag, ".addr"), value_name = "IP", help_heading = $heading)]
            pub addr: Option<std::net::IpAddr>,
            #[doc = $port_help]
            #[arg(
                id = concat!($flag, ".port"),
                long = concat!($flag, ".port"),
                value_name = "PORT",
                allow_negative_numbers = true,
                help_heading = $heading
            )]
            pub port: Option<u16>,
        }

        impl From<crate::config::listener::Listener> for $name {
            fn from(crate::config::listener::Listener { on, addr, port }: crate::config::listener::Listener) -> Self {
                Self { on, addr, port }
            }
        }

        impl $name {
            fn listener(&self) -> crate::config::listener::Listener {
                crate::config::listener::Listener { on: self.on, addr: self.addr, port: self.port }
            }

            /// These settings, and those of `other` where these say nothing.
            pub(super) fn or(&self, other: &Self) -> Self {
                self.listener().or(other.listener()).into()
            }

            /// Where to listen, if anywhere.
            pub(super) fn address(&self) -> Option<std::net::SocketAddr> {
                self.listener().address($port)
            }
        }
    };
}
pub(super) use listener_settings;
