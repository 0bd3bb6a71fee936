//! The node's cookie: a secret in a file, which programs of the node's user send so that nobody else steers the node
//! ([ADR 16](../../docs/adr/0016-rpc-access.md)). Node, miner and wallet have to agree on where the file is.
//!
//! The node writes it at each start. It is read anew for every request, so that a program outlives a restart of its node.

use std::{
    fs::File,
    io::{self, Read},
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

/// Why a cookie file that the user names is of no use.
#[derive(Clone, Debug, PartialEq, Eq, thiserror::Error)]
#[error("cannot read the cookie file {}: {reason}; a node writes it when it starts", .path.display())]
pub struct CookieError {
    /// Which.
    pub path: PathBuf,
    /// What is wrong.
    pub reason: String,
}

/// Where the secret for a node stands.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Cookie {
    path: Option<PathBuf>,
    /// By the user, who wants it to be sent.
    is_named: bool,
}

impl Cookie {
    /// The file that the user names; else, for a node on this machine, the one that a node of this user leaves by its port.
    /// Nothing is sent to other machines unless it is named.
    pub fn find(url: &str, named: Option<&Path>) -> Self {
        let path = named.map(Path::to_owned).or_else(|| well_known(local_port(url)?));
        Self { path, is_named: named.is_some() }
    }

    /// The value of an `Authorization` header; `None` if no file is named and none is found: most calls need none.
    ///
    /// # Errors
    /// [`CookieError`] of a file that the user names.
    pub fn header(&self) -> Result<Option<String>, CookieError> {
        let Some(path) = &self.path else { return Ok(None) };
        match read(path) {
            Ok(text) => Ok(Some(authorization(text.trim()))),
            Err(error) if self.is_named => Err(CookieError { path: path.clone(), reason: error.to_string() }),
            Err(_) => Ok(None),
        }
    }
}

/// The text of a cookie file. Of a pipe nothing is read: nobody may write into it.
fn read(path: &Path) -> io::Result<String> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = String::new();
    let bytes = File::open(path)?.take(MOST_BYTES + 1).read_to_string(&mut text)?;
    if bytes as u64 > MOST_BYTES || text.trim().is_empty() {
        return Err(io::Error::other("it does not hold a cookie"));
    }
    Ok(text)
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
            assert_eq!(Cookie::find(url, None), Cookie { path: well_known(port), is_named: false }, "{url}");
        }
        for url in
            ["http://192.0.2.1:8545", "http://localhost.example:8545", "http://127.0.0.1.example", "http://a@b", ""]
        {
            assert_eq!(Cookie::find(url, None), Cookie { path: None, is_named: false }, "{url}");
        }
        let named = Path::new("/some/cookie");
        let found = Cookie::find("http://192.0.2.1:8545", Some(named));
        assert_eq!(found, Cookie { path: Some(named.into()), is_named: true });
    }

    #[test]
    fn a_cookie_is_read_anew_and_may_be_missing_unless_it_is_named() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("cookie");
        let named = Cookie::find("", Some(&file));
        let found = Cookie { is_named: false, ..named.clone() };
        let missing = CookieError { path: file.clone(), reason: "No such file or directory (os error 2)".into() };
        assert_eq!((named.header(), found.header()), (Err(missing.clone()), Ok(None)));

        std::fs::write(&file, "__cookie__:00\n").unwrap();
        let header = Some("Basic X19jb29raWVfXzowMA==".to_owned());
        assert_eq!((named.header(), found.header()), (Ok(header.clone()), Ok(header)));

        std::fs::remove_file(&file).unwrap();
        assert_eq!((named.header(), found.header()), (Err(missing), Ok(None)));
    }

    #[test]
    fn what_is_not_a_cookie_is_not_sent() {
        let folder = tempfile::tempdir().unwrap();
        let reason = |path: &Path| Cookie::find("", Some(path)).header().unwrap_err().reason;
        assert_eq!(reason(folder.path()), "it is not a file");
        let file = folder.path().join("cookie");
        for content in ["x".repeat(257), " \n".into()] {
            std::fs::write(&file, content).unwrap();
            assert_eq!(reason(&file), "it does not hold a cookie");
        }
    }
}
