//! TLS: whose certificates are trusted, and why a server was not.

use std::{
    fs::File,
    io::{self, Read},
    path::{Path, PathBuf},
    sync::Arc,
};

use rustls::{
    AlertDescription, CertificateError, ClientConfig, ClientConnection, Error, InvalidMessage, OtherError,
    RootCertStore,
    crypto::aws_lc_rs,
    pki_types::{CertificateDer, ServerName, pem::PemObject},
};

/// What to do about a port that may have no TLS.
pub const IF_PLAIN: &str = "if this port has no TLS, write stratum+tcp://";
/// Largest file of authorities; those of a system have a quarter of a megabyte.
const MAX_FILE: u64 = 4 << 20;
/// Names of a certificate that are shown, and letters of each.
const MAX_NAMES: usize = 3;
const MAX_NAME: usize = 100;

/// The authorities whose servers are trusted.
#[derive(Clone, Debug)]
pub struct Trust(Arc<ClientConfig>);

/// Why no server can be trusted.
#[derive(Debug, thiserror::Error)]
pub enum TrustError {
    /// A file cannot be read.
    #[error("--tls-ca: cannot read {}: {error}", path.display())]
    Unreadable {
        /// The file.
        path: PathBuf,
        /// Why not.
        error: io::Error,
    },
    /// A file is not what it should be.
    #[error("--tls-ca: {} is no valid PEM file: {reason}", path.display())]
    Malformed {
        /// The file.
        path: PathBuf,
        /// What is wrong.
        reason: String,
    },
    /// A file has no certificate that could be used.
    #[error("--tls-ca: {} has no usable certificate; it must be a PEM file, with a line -----BEGIN CERTIFICATE-----", .0.display())]
    Empty(PathBuf),
    /// The system has no certificates.
    #[error(
        "this system has no certificates of authorities{0}, without which no server with TLS can be trusted: install its \
         package ca-certificates, or name a PEM file by --tls-ca FILE or SSL_CERT_FILE"
    )]
    NoSystem(String),
    /// The library cannot be set up.
    #[error("TLS: {0}")]
    Library(#[from] Error),
}

impl Trust {
    /// Trusts the system's authorities, and those of a PEM file.
    ///
    /// # Errors
    /// [`TrustError`].
    pub fn load(authorities: Option<&Path>) -> Result<Self, TrustError> {
        let mut roots = RootCertStore::empty();
        if let Some(path) = authorities {
            add_file(&mut roots, path)?;
        }
        let system = rustls_native_certs::load_native_certs();
        roots.add_parsable_certificates(system.certs);
        if roots.is_empty() {
            let reason = system.errors.first().map_or_else(String::new, |error| format!(" ({error})"));
            return Err(TrustError::NoSystem(reason));
        }
        // The other crates of a build may enable another provider, after which there is no default.
        let config = ClientConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let config = config.with_safe_default_protocol_versions()?.with_root_certificates(roots);
        Ok(Self(Arc::new(config.with_no_client_auth())))
    }

    /// A session with the server of this name or address.
    ///
    /// # Errors
    /// If no certificate could have the name.
    pub fn session(&self, host: &str) -> io::Result<ClientConnection> {
        let name = ServerName::try_from(host.to_owned()).map_err(io::Error::other)?;
        ClientConnection::new(Arc::clone(&self.0), name).map_err(|error| io::Error::other(explain(&error)))
    }
}

/// Whether a certificate could have this name.
pub fn is_name(host: &str) -> bool {
    ServerName::try_from(host).is_ok()
}

fn add_file(roots: &mut RootCertStore, path: &Path) -> Result<(), TrustError> {
    let text = read(path).map_err(|error| TrustError::Unreadable { path: path.to_owned(), error })?;
    // Some editors write a byte order mark.
    let text = text.strip_prefix("\u{feff}".as_bytes()).unwrap_or(&text);
    let certificates = CertificateDer::pem_slice_iter(text).collect::<Result<Vec<_>, _>>().map_err(|error| {
        TrustError::Malformed { path: path.to_owned(), reason: error.to_string().chars().take(MAX_NAME).collect() }
    })?;
    let (added, _) = roots.add_parsable_certificates(certificates);
    if added == 0 { Err(TrustError::Empty(path.to_owned())) } else { Ok(()) }
}

/// Reads a file that has an end: opening a pipe could wait forever, and a device be read without end.
fn read(path: &Path) -> io::Result<Vec<u8>> {
    if !path.metadata()?.is_file() {
        return Err(io::Error::other("it is not a file"));
    }
    let mut text = Vec::new();
    File::open(path)?.take(MAX_FILE + 1).read_to_end(&mut text)?;
    if text.len() as u64 > MAX_FILE {
        return Err(io::Error::other(format!("it is larger than {} MiB", MAX_FILE >> 20)));
    }
    Ok(text)
}

/// What is wrong with a server's TLS, and what to do about it.
pub fn explain(error: &Error) -> String {
    let certificate = match error {
        Error::InvalidMessage(InvalidMessage::InvalidContentType) => {
            return format!("its answer is not TLS; {IF_PLAIN}");
        }
        Error::AlertReceived(alert) => return format!("it ended TLS with the alert {alert:?}{}", advice(*alert)),
        Error::InvalidCertificate(certificate) => certificate,
        error => return format!("TLS: {error}"),
    };
    match certificate {
        // An authority of the same name may have another key.
        CertificateError::UnknownIssuer | CertificateError::BadSignature => {
            "no known authority issued its certificate; if the server has one of its own, name it by --tls-ca FILE".into()
        }
        CertificateError::NotValidForNameContext { expected, presented } => {
            if presented.is_empty() {
                return "its certificate has no subjectAltName; it needs one with the name in the URL".into();
            }
            let names: Vec<_> = presented.iter().take(MAX_NAMES).map(|name| short(name)).collect();
            let more = if presented.len() > MAX_NAMES { ", ..." } else { "" };
            format!("its certificate is not for {}; its names: {}{more}", expected.to_str(), names.join(", "))
        }
        CertificateError::Expired | CertificateError::ExpiredContext { .. } => {
            "its certificate has expired, or this machine's clock is wrong".into()
        }
        CertificateError::NotValidYet | CertificateError::NotValidYetContext { .. } => {
            "its certificate is not valid yet, or this machine's clock is wrong".into()
        }
        CertificateError::Other(OtherError(reason)) if reason.to_string() == "CaUsedAsEndEntity" => {
            "its certificate is an authority's (CA:TRUE), which cannot be a server's; it needs one that the authority issued"
                .into()
        }
        other => format!("its certificate is not valid: {other}"),
    }
}

/// What an alert means here.
fn advice(alert: AlertDescription) -> &'static str {
    match alert {
        AlertDescription::ProtocolVersion | AlertDescription::HandshakeFailure => {
            ": only TLS 1.2 and 1.3 with forward secrecy are spoken here"
        }
        AlertDescription::CertificateRequired => ": certificates of clients are not supported",
        AlertDescription::UnrecognisedName => ": the name in the URL is not one of the server's",
        _ => "",
    }
}

/// A name as the library writes it, such as `DnsName("pool.example")`, without what is around it.
fn short(name: &str) -> String {
    let inner = name.split_once('(').map_or(name, |(_, rest)| rest.strip_suffix(')').unwrap_or(rest));
    inner.trim_matches('"').chars().take(MAX_NAME).collect()
}
