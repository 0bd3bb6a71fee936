//! The node's cookie: a secret in a file, which programs of the node's user send so that nobody else steers the node
//! ([ADR 16](../../docs/adr/0016-rpc-access.md)). Node, miner and wallet have to agree on where the file is.
//!
//! The node writes it at each start. It is read anew for every request, so that a program outlives a restart of its node.

use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

use base64::{Engine, prelude::BASE64_STANDARD};

/// A name, a colon and 64 digits; what is larger is something else.
const MOST_BYTES: u64 = 256;

/// Where programs of this user look for the cookie of a node on this machine, by the port of its RPC.
pub fn well_known(port: u16) -> Option<PathBuf> {
    let home = std::env::home_dir().filter(|home| home.is_absolute())?;
    Some(home.join(".cairn").join("cookies").join(port.to_string()))
}

/// The value of the `Authorization` header that shows what a cookie file holds.
pub fn authorization(content: &str) -> String {
    format!("Basic {}", BASE64_STANDARD.encode(content))
}

/// Where the secret for a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cookie(Option<PathBuf>);

impl Cookie {
    /// The file that the user names; else, for a node on this machine, the one that a node of this user leaves by its port.
    /// Nothing is sent to other machines unless it is named.
    pub fn find(url: &str, named: Option<&Path>) -> Self {
        Self(named.map(Path::to_owned).or_else(|| well_known(local_port(url)?)))
    }

    /// The value of an `Authorization` header; `None` if there is no such file: most calls need none.
    pub fn header(&self) -> Option<String> {
        let path = self.0.as_ref()?;
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::new();
        File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(authorization(text.trim()))
    }
}

/// The port of a URL of this machine.
fn local_port(url: &str) -> Option<u16> {
    let uri: http::Uri = url.parse().ok()?;
    is_local(uri.host()?).then(|| uri.port_u16().unwrap_or(80))
}

/// Whether a URL's host is this machine, so that nothing leaves it.
pub fn is_local(host: &str) -> bool {
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback())
}

#[cfg(test)]
#[allow(clippy::unwrap_used, reason = "a test may panic")]
mod tests {
    use super::*;

    #[test]
    fn only_nodes_of_this_machine_are_sent_a_cookie_that_nobody_named() {
        for (url, port) in [
            ("http://127.0.0.1:8545", 8545),
            ("http://localhost:1/x", 1),
            ("http://[::1]:9", 9),
            ("http://127.9.9.9", 80),
        ] {
            assert_eq!(local_port(url), Some(port), "{url}");
            assert_eq!(Cookie::find(url, None), Cookie(well_known(port)), "{url}");
        }
        for url in
            ["http://192.0.2.1:8545", "http://localhost.example:8545", "http://127.0.0.1.example", "http://a@b", ""]
        {
            assert_eq!(Cookie::find(url, None), Cookie(None), "{url}");
        }
        let named = Path::new("/some/cookie");
        assert_eq!(Cookie::find("http://192.0.2.1:8545", Some(named)), Cookie(Some(named.into())));
    }

    #[test]
    fn a_cookie_is_read_anew_and_may_be_missing() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cookie");
        let cookie = Cookie::find("", Some(&file));
        assert_eq!(cookie.header(), None);
        std::fs::write(&file, "__cookie__:00\n").unwrap();
        assert_eq!(cookie.header().as_deref(), Some("Basic X19jb29raWVfXzowMA=="));
        std::fs::remove_file(&file).unwrap();
        assert_eq!(cookie.header(), None);
        assert_eq!(Cookie::find("", Some(folder.path())).header(), None);
    }
}
