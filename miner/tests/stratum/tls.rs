//! The same with TLS.

use std::{
    fs,
    io::{Read, Write},
    net::TcpListener,
    path::PathBuf,
    sync::Arc,
};

use rcgen::{BasicConstraints, Certificate, CertificateParams, DnType, IsCa, KeyPair, date_time_ymd};
use rustls::{
    ServerConfig, ServerConnection, StreamOwned, SupportedProtocolVersion,
    crypto::aws_lc_rs,
    pki_types::{PrivateKeyDer, PrivatePkcs8KeyDer},
    version::{TLS12, TLS13},
};
use serde_json::json;
use tempfile::TempDir;

use crate::{
    command, mine, notes, of, serve, serve_all,
    server::{Connection, Job, accept, listen},
};

/// Issues certificates.
struct Authority {
    certificate: Certificate,
    key: KeyPair,
    folder: TempDir,
}

/// A certificate with its key.
struct Identity {
    certificate: Certificate,
    key: KeyPair,
}

impl Authority {
    fn new(name: &str) -> Self {
        let mut params = CertificateParams::new(Vec::new()).unwrap();
        params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained);
        params.distinguished_name.push(DnType::CommonName, name);
        let key = KeyPair::generate().unwrap();
        let certificate = params.self_signed(&key).unwrap();
        let folder = tempfile::tempdir().unwrap();
        fs::write(folder.path().join("ca.pem"), certificate.pem()).unwrap();
        Self { certificate, key, folder }
    }

    /// Its certificate's file.
    fn file(&self) -> String {
        self.folder.path().join("ca.pem").to_str().unwrap().to_owned()
    }

    fn issue(&self, name: &str) -> Identity {
        self.issue_with(name, |_| {})
    }

    fn issue_with(&self, name: &str, change: impl FnOnce(&mut CertificateParams)) -> Identity {
        let mut params = CertificateParams::new(vec![name.to_owned()]).unwrap();
        change(&mut params);
        let key = KeyPair::generate().unwrap();
        Identity { certificate: params.signed_by(&key, &self.certificate, &self.key).unwrap(), key }
    }
}

impl Identity {
    /// The settings of a server.
    fn server(&self, versions: &[&'static SupportedProtocolVersion]) -> Arc<ServerConfig> {
        let config = ServerConfig::builder_with_provider(Arc::new(aws_lc_rs::default_provider()));
        let key = PrivateKeyDer::from(PrivatePkcs8KeyDer::from(self.key.serialize_der()));
        let config = config.with_protocol_versions(versions).unwrap().with_no_client_auth();
        Arc::new(config.with_single_cert(vec![self.certificate.der().clone()], key).unwrap())
    }
}

/// A listener and its URL with TLS.
fn listen_tls() -> (TcpListener, String) {
    let (listener, url) = listen();
    (listener, url.replace("stratum+tcp", "stratum+ssl"))
}

fn accept_tls(listener: &TcpListener, config: &Arc<ServerConfig>) -> Connection {
    let session = ServerConnection::new(Arc::clone(config)).unwrap();
    Connection::new(StreamOwned::new(session, accept(listener)))
}

#[test]
fn mines_with_either_version_of_tls() {
    let authority = Authority::new("ours");
    let identity = authority.issue("127.0.0.1");
    // Of an authority that the system knows, and of one that is named.
    for (version, system) in [(&TLS12, true), (&TLS13, true), (&TLS13, false)] {
        let (listener, url) = listen_tls();
        let file = authority.file();
        let mut miner = command(&[&url], &["--blocks", "3"]);
        match system {
            true => miner.env("SSL_CERT_FILE", &file),
            false => miner.args(["--tls-ca", &file]),
        };
        let miner = miner.spawn().unwrap();
        // Open until the miner has ended: it may not have read the last response yet.
        let mut connection = accept_tls(&listener, &identity.server(&[version]));
        serve(&mut connection, &Job::easy("1"), 3);
        let (output, notes) = notes(miner);
        assert!(output.status.success(), "{output:?}");
        assert_eq!(of(&notes, "connected")[0]["stratum"], json!(url));
        assert_eq!(of(&notes, "ended")[0]["blocks"], 3);
    }
}

#[test]
fn a_server_with_tls_is_mined_for_again_when_it_is_back() {
    let authority = Authority::new("ours");
    let config = authority.issue("127.0.0.1").server(&[&TLS13]);
    let ((first, one), (second, two)) = (listen_tls(), listen());
    let address = first.local_addr().unwrap();
    drop(first);
    let miner = mine(&[&one, &two], &["--blocks", "2", "--return-after", "1", "--tls-ca", &authority.file()]);
    let mut later = Connection::accept(&second);
    serve(&mut later, &Job::easy("1"), 1);
    let first = TcpListener::bind(address).unwrap();
    // Not yet: the port has another's certificate.
    let mut other = accept_tls(&first, &Authority::new("theirs").issue("127.0.0.1").server(&[&TLS13]));
    assert_eq!(other.receive(), None);
    let mut probe = accept_tls(&first, &config);
    serve(&mut probe, &Job::easy("1"), 0);
    serve_all(&mut accept_tls(&first, &config), &Job::easy("1"));
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    assert_eq!(of(&notes, "waiting").last().unwrap()["reason"], json!(format!("{one} is back")));
}

/// What a listener does with its one connection.
type Act = Box<dyn FnOnce(&TcpListener)>;

/// Shakes hands for as long as the client does.
fn shake(identity: &Identity) -> Act {
    let config = identity.server(&[&TLS13]);
    Box::new(move |listener| assert_eq!(accept_tls(listener, &config).receive(), None))
}

/// Answers the first bytes with these, and closes.
fn answer(bytes: &'static [u8]) -> Act {
    Box::new(move |listener| {
        let mut socket = accept(listener);
        let _ = socket.read(&mut [0; 4_096]).unwrap();
        socket.write_all(bytes).unwrap();
    })
}

#[test]
fn a_server_that_cannot_be_trusted_is_left_with_what_to_do() {
    let authority = Authority::new("ours");
    let trusted = authority.issue("127.0.0.1");
    let [foreign, impostor] = ["theirs", "ours"].map(|name| Authority::new(name).issue("127.0.0.1"));
    let elsewhere = authority.issue("pool.example");
    let expired = authority.issue_with("127.0.0.1", |params| params.not_after = date_time_ymd(2_000, 1, 1));
    let early = authority.issue_with("127.0.0.1", |params| params.not_before = date_time_ymd(4_000, 1, 1));
    let itself = authority.issue_with("127.0.0.1", |params| params.is_ca = IsCa::Ca(BasicConstraints::Unconstrained));
    let config = trusted.server(&[&TLS13]);
    let hello = |count: usize| -> Act {
        let config = Arc::clone(&config);
        Box::new(move |listener| {
            let (mut socket, mut session) = (accept(listener), ServerConnection::new(config).unwrap());
            session.read_tls(&mut socket).unwrap();
            session.process_new_packets().unwrap();
            let mut hello = Vec::new();
            while session.wants_write() {
                session.write_tls(&mut hello).unwrap();
            }
            socket.write_all(&hello[..count]).unwrap();
        })
    };
    let cases: Vec<(Act, &str)> = vec![
        (
            shake(&foreign),
            "no known authority issued its certificate; if the server has one of its own, name it by --tls-ca",
        ),
        (shake(&impostor), "no known authority issued its certificate"),
        (shake(&elsewhere), "its certificate is not for 127.0.0.1; its names: pool.example"),
        (shake(&expired), "its certificate has expired, or this machine's clock is wrong"),
        (shake(&early), "its certificate is not valid yet, or this machine's clock is wrong"),
        (shake(&itself), "its certificate is an authority's (CA:TRUE)"),
        (
            answer(b"{\"id\":null,\"result\":null,\"error\":[20,\"no JSON\",null]}\n"),
            "its answer is not TLS; if this port has no TLS, write stratum+tcp://",
        ),
        (answer(b"HTTP/1.1 400 Bad Request\r\n\r\n"), "its answer is not TLS; if this port has no TLS"),
        (answer(b""), "it closed the connection in the TLS handshake; if this port has no TLS"),
        (hello(100), "it closed the connection in the TLS handshake"),
        (hello(600), "it closed the connection in the TLS handshake"),
        // A fatal alert: no version in common.
        (answer(&[21, 3, 3, 0, 2, 2, 70]), "it ended TLS with the alert ProtocolVersion: only TLS 1.2 and 1.3"),
    ];
    let servers: Vec<_> = cases.iter().map(|_| listen_tls()).collect();
    let (last, url) = listen_tls();
    let urls: Vec<&str> = servers.iter().map(|(_, url)| url.as_str()).chain([url.as_str()]).collect();
    let miner = mine(&urls, &["--blocks", "1", "--tls-ca", &authority.file()]);
    let mut expected = Vec::new();
    for ((listener, _), (act, reason)) in servers.iter().zip(cases) {
        act(listener);
        expected.push(reason);
    }
    serve_all(&mut accept_tls(&last, &config), &Job::easy("1"));
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let reasons: Vec<_> = of(&notes, "waiting").iter().map(|note| note["reason"].as_str().unwrap()).collect();
    assert_eq!(reasons.len(), expected.len(), "{reasons:?}");
    for (reason, expected) in reasons.iter().zip(expected) {
        assert!(reason.starts_with(expected), "{reason}");
    }
}

#[test]
fn a_port_with_tls_is_recognised_by_its_answer_to_plain_text() {
    let ((first, one), (second, two), (third, three)) = (listen(), listen(), listen());
    let miner = mine(&[&one, &two, &three], &["--blocks", "1"]);
    let config = Authority::new("ours").issue("127.0.0.1").server(&[&TLS13]);
    assert_eq!(accept_tls(&first, &config).receive(), None);
    // Some send no alert.
    answer(b"")(&second);
    serve_all(&mut Connection::accept(&third), &Job::easy("1"));
    let (output, notes) = notes(miner);
    assert!(output.status.success(), "{output:?}");
    let reasons: Vec<_> = of(&notes, "waiting").iter().map(|note| note["reason"].as_str().unwrap()).collect();
    assert!(reasons[0].starts_with("its answer is TLS") && reasons.len() == 2, "{reasons:?}");
    assert!(
        reasons.iter().all(|reason| reason.ends_with("; if this port has TLS, write stratum+ssl://")),
        "{reasons:?}"
    );
}

#[test]
fn without_certificates_of_authorities_it_does_not_start() {
    let authority = Authority::new("ours");
    let file = |name: &str, text: &str| -> PathBuf {
        let path = authority.folder.path().join(name);
        fs::write(&path, text).unwrap();
        path
    };
    let (empty, odd) = (file("empty.pem", ""), file("odd.pem", "-----BEGIN CERTIFICATE-----\nAAAA\n-----END"));
    let missing = authority.folder.path().join("missing.pem");
    let large = file("large.pem", &"x".repeat((4 << 20) + 1));
    // Without an end.
    let device = PathBuf::from("/dev/zero");
    let text = |path: &PathBuf| path.to_str().unwrap().to_owned();
    let tls = "stratum+ssl://127.0.0.1:3333";
    for (url, flag, system, expected) in [
        (tls, None, &empty, "this system has no certificates of authorities".to_owned()),
        (tls, None, &missing, "name a PEM file by --tls-ca FILE or SSL_CERT_FILE".to_owned()),
        (tls, Some(&missing), &empty, format!("--tls-ca: cannot read {}: ", text(&missing))),
        (tls, Some(&device), &empty, "--tls-ca: cannot read /dev/zero: it is not a file".to_owned()),
        (tls, Some(&large), &empty, format!("--tls-ca: cannot read {}: it is larger than 4 MiB", text(&large))),
        (tls, Some(&empty), &empty, format!("--tls-ca: {} has no usable certificate", text(&empty))),
        (tls, Some(&odd), &empty, format!("--tls-ca: {} is no valid PEM file: missing section end", text(&odd))),
        ("stratum+tcp://127.0.0.1:3333", Some(&missing), &empty, "--tls-ca is for servers with TLS".to_owned()),
    ] {
        let mut miner = command(&[url], &[]);
        miner.env("SSL_CERT_FILE", system).args(flag.iter().flat_map(|path| ["--tls-ca".to_owned(), text(path)]));
        let (output, _) = notes(miner.spawn().unwrap());
        assert_eq!(output.status.code(), Some(1));
        let error = String::from_utf8(output.stderr).unwrap();
        assert!(error.contains(&expected), "{error}");
    }
}
