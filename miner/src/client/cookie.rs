//! The node's cookie: the secret that its own user's programs on its machine show, so that nobody else steers it.
//!
//! The node writes it to a file at each start. It is read anew for every request, so that a program outlives a restart of
//! its node.

use base64::{Engine, prelude::BASE64_STANDARD};
use std::{
    fs::File,
    io::Read,
    path::{Path, PathBuf},
};

/// A name, a colon and 64 digits; what is larger is something else.
const MOST_BYTES: u64 = 256;

/// Where the secret for a node stands.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Cookie(Option<PathBuf>);

impl Cookie {
    /// The file that the user names; else, for a node on this machine, the one that a node of this user leaves by its port.
    /// Nothing is sent to other machines unless it is named.
    pub fn find(url: &str, named: Option<&Path>) -> Self {
        let well_known = || Some(home()?.join(".cairn").join("cookies").join(local_port(url)?.to_string()));
        Self(named.map(Path::to_owned).or_else(well_known))
    }

    /// The value of an `Authorization` header; `None` if there is no such file: most calls need none.
    pub fn header(&self) -> Option<String> {
        let path = self.0.as_ref()?;
        if !path.metadata().ok()?.is_file() {
            return None;
        }
        let mut text = String::new();
        File::open(path).ok()?.take(MOST_BYTES).read_to_string(&mut text).ok()?;
        Some(format!("Basic {}", BASE64_STANDARD.encode(text.trim())))
    }
}

fn home() -> Option<PathBuf> {
    std::env::home_dir().filter(|home| home.is_absolute())
}

/// The port of a URL of this machine.
fn local_port(url: &str) -> Option<u16> {
    let uri: ureq::http::Uri = url.parse().ok()?;
    let host = uri.host()?;
    let address = host.trim_start_matches('[').trim_end_matches(']').parse::<std::net::IpAddr>();
    let local = host.eq_ignore_ascii_case("localhost") || address.is_ok_and(|address| address.is_loopback());
    local.then(|| uri.port_u16().unwrap_or(80))
}

#[cfg(test)]
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
        let file = std::env::temp_dir().join(format!("cairn-cookie-miner-{}", std::process::id()));
        let cookie = Cookie::find("", Some(&file));
        assert_eq!(cookie.header(), None);
        std::fs::write(&file, "__cookie__:00\n").expect("a temporary file can be written");
        assert_eq!(cookie.header().as_deref(), Some("Basic X19jb29raWVfXzowMA=="));
        std::fs::remove_file(&file).expect("it is there");
        assert_eq!(cookie.header(), None);
        assert_eq!(Cookie::find("", Some(&std::env::temp_dir())).header(), None);
    }
}
