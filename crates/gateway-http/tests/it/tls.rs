//! TLS with host names of one's own: which certificate a client gets, renewals, and that WebSocket and REST work over it.

use std::fs;
use std::io::{Read as _, Write as _};
use std::net::{SocketAddr, TcpStream};
use std::path::Path;
use std::sync::Arc;
use std::time::Duration;

use gateway_http::{CertificateFiles, GatewaySettings, Tls, TlsError};
use rcgen::{CertificateParams, KeyPair};
use rustls::pki_types::{CertificateDer, ServerName, pem::PemObject as _};
use rustls::{ClientConfig, ClientConnection, RootCertStore, StreamOwned};
use tempfile::TempDir;

use crate::world::World;

/// Writes a certificate for `hosts` that is its own authority, and its key.
fn certificate(folder: &Path, name: &str, hosts: &[&str]) -> CertificateFiles {
    let key = KeyPair::generate().unwrap();
    let hosts: Vec<String> = hosts.iter().map(ToString::to_string).collect();
    let made = CertificateParams::new(hosts).unwrap().self_signed(&key).unwrap();
    let files = CertificateFiles {
        certificate: folder.join(format!("{name}.pem")),
        key: folder.join(format!("{name}.key")),
    };
    fs::write(&files.certificate, made.pem()).unwrap();
    fs::write(&files.key, key.serialize_pem()).unwrap();
    files
}

type Client = StreamOwned<ClientConnection, TcpStream>;

/// A client that knows only the authority in `trusted`, and asks for `host`.
fn connect(address: SocketAddr, host: &str, trusted: &CertificateFiles) -> Client {
    connect_with(address, host, trusted, rustls::DEFAULT_VERSIONS)
}

fn connect_with(
    address: SocketAddr,
    host: &str,
    trusted: &CertificateFiles,
    versions: &[&'static rustls::SupportedProtocolVersion],
) -> Client {
    let mut roots = RootCertStore::empty();
    roots.add(CertificateDer::from_pem_file(&trusted.certificate).unwrap()).unwrap();
    let config = ClientConfig::builder_with_provider(Arc::new(rustls::crypto::ring::default_provider()))
        .with_protocol_versions(versions)
        .unwrap()
        .with_root_certificates(roots)
        .with_no_client_auth();
    let name = ServerName::try_from(host.to_owned()).unwrap();
    let session = ClientConnection::new(Arc::new(config), name).unwrap();
    let stream = TcpStream::connect(address).unwrap();
    stream.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    StreamOwned::new(session, stream)
}

/// The answer to a ping, or why there is none.
fn ping(mut client: Client) -> std::io::Result<String> {
    client.write_all(b"GET /api/v3/ping HTTP/1.1\r\nhost: x\r\nconnection: close\r\n\r\n")?;
    let mut answer = String::new();
    client.read_to_string(&mut answer)?;
    Ok(answer)
}

fn two_names() -> (TempDir, CertificateFiles, CertificateFiles) {
    let folder = tempfile::tempdir().unwrap();
    let first = certificate(folder.path(), "first", &["api.example.test", "127.0.0.1"]);
    let second = certificate(folder.path(), "second", &["*.futures.example.test"]);
    (folder, first, second)
}

#[test]
fn a_client_gets_the_certificate_of_the_name_that_it_asks_for() {
    let (_folder, first, second) = two_names();
    let tls = Tls::open(vec![first.clone(), second.clone()]).unwrap();
    let world = World::empty_with_tls(GatewaySettings::default(), tls);
    for (host, trusted) in [
        ("api.example.test", &first),
        ("fapi.futures.example.test", &second),
        // Without a name, and the first is for those.
        ("127.0.0.1", &first),
    ] {
        let answer = ping(connect(world.public, host, trusted)).unwrap();
        assert!(answer.starts_with("HTTP/1.1 200 OK"), "{host}: {answer}");
    }
    for version in [&rustls::version::TLS12, &rustls::version::TLS13] {
        let client = connect_with(world.public, "api.example.test", &first, &[version]);
        assert!(ping(client).unwrap().ends_with("{}"), "{version:?}");
    }
    let wrong = ping(connect(world.public, "api.example.test", &second)).unwrap_err();
    assert!(wrong.to_string().contains("certificate"), "{wrong}");
}

#[test]
fn a_websocket_opens_over_tls() {
    let (_folder, first, second) = two_names();
    let world =
        World::empty_with_tls(GatewaySettings::default(), Tls::open(vec![first.clone(), second]).unwrap());
    let mut client = connect(world.public, "api.example.test", &first);
    client
        .write_all(
            b"GET /ws HTTP/1.1\r\nhost: x\r\nconnection: upgrade\r\nupgrade: websocket\r\nsec-websocket-version: 13\r\n\
              sec-websocket-key: dGhlIHNhbXBsZSBub25jZQ==\r\n\r\n",
        )
        .unwrap();
    let mut head = [0; 12];
    client.read_exact(&mut head).unwrap();
    assert_eq!(&head, b"HTTP/1.1 101");
}

#[test]
fn who_does_not_speak_tls_harms_nobody() {
    let (_folder, first, second) = two_names();
    let settings =
        GatewaySettings { handshake_timeout: Duration::from_millis(200), ..GatewaySettings::default() };
    let world = World::empty_with_tls(settings, Tls::open(vec![first.clone(), second]).unwrap());
    let mut plain = TcpStream::connect(world.public).unwrap();
    plain.write_all(b"GET /api/v3/ping HTTP/1.1\r\nhost: x\r\n\r\n").unwrap();
    let mut answer = Vec::new();
    let _ = plain.read_to_end(&mut answer);
    assert!(!answer.starts_with(b"HTTP"), "{answer:?}");
    let mut silent = TcpStream::connect(world.public).unwrap();
    silent.set_read_timeout(Some(Duration::from_secs(20))).unwrap();
    assert_eq!(silent.read(&mut [0; 1]).unwrap(), 0, "let go after the handshake's time");
    assert!(ping(connect(world.public, "api.example.test", &first)).is_ok());
}

#[test]
fn renewed_files_are_read_again_and_broken_ones_change_nothing() {
    let (folder, first, second) = two_names();
    let tls = Tls::open(vec![first.clone(), second]).unwrap();
    let world = World::empty_with_tls(GatewaySettings::default(), Arc::clone(&tls));
    assert!(!tls.has_changed());

    let renewed = certificate(folder.path(), "renewed", &["api.example.test"]);
    let key = fs::read_to_string(&renewed.key).unwrap();
    fs::write(&first.key, &key[..key.len() / 2]).unwrap();
    assert!(tls.has_changed());
    let error = tls.reload().unwrap_err();
    assert!(error.to_string().contains("first.key"), "{error}");
    assert!(!tls.has_changed(), "it is told once");
    assert!(ping(connect(world.public, "api.example.test", &first)).is_ok(), "the old one is kept");

    fs::copy(&renewed.certificate, &first.certificate).unwrap();
    fs::copy(&renewed.key, &first.key).unwrap();
    assert!(tls.has_changed());
    tls.reload().unwrap();
    assert!(ping(connect(world.public, "api.example.test", &renewed)).is_ok());
}

#[test]
fn files_that_will_not_do_are_refused_with_their_names() {
    let (folder, first, second) = two_names();
    let refused = |certificate: &Path, key: &Path| {
        let files = CertificateFiles { certificate: certificate.to_owned(), key: key.to_owned() };
        Tls::open(vec![files]).err().expect("it is refused").to_string()
    };
    let missing = folder.path().join("missing.pem");
    assert!(refused(&missing, &first.key).starts_with("cannot read "));
    assert!(refused(&missing, &first.key).contains("missing.pem: No such file"));
    assert!(
        refused(&first.certificate, &second.key).contains("second.key does not belong to the certificate")
    );
    assert!(refused(&first.key, &first.key).contains("has no certificate in PEM form"));
    assert!(refused(&first.certificate, &first.certificate).contains("has no private key in PEM form"));
    assert!(matches!(Tls::open(Vec::new()), Err(TlsError::NoCertificate)));

    let tls = Tls::open(vec![first.clone()]).unwrap();
    assert_eq!(tls.warnings().len(), 1, "others may read the key");
    let mut permissions = fs::metadata(&first.key).unwrap().permissions();
    std::os::unix::fs::PermissionsExt::set_mode(&mut permissions, 0o600);
    fs::set_permissions(&first.key, permissions).unwrap();
    assert!(tls.warnings().is_empty());
}
