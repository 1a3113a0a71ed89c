//! Certificates and their keys: read from PEM files, chosen by the host name that a client asks for, and read again when the
//! files have changed. TLS 1.2 and 1.3, by rustls.

use std::fmt;
use std::fs;
use std::os::unix::fs::MetadataExt as _;
use std::path::{Path, PathBuf};
use std::sync::{Arc, Mutex, PoisonError, RwLock};

use rustls::ServerConfig;
use rustls::client::verify_server_name;
use rustls::crypto::{CryptoProvider, ring};
use rustls::pki_types::pem::{self, PemObject as _};
use rustls::pki_types::{CertificateDer, PrivateKeyDer, ServerName};
use rustls::server::{ClientHello, ParsedCertificate, ResolvesServerCert};
use rustls::sign::CertifiedKey;
use tokio_rustls::TlsAcceptor;

/// One certificate and the key that it was made for.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct CertificateFiles {
    /// PEM: the certificate, then those that lead from it to an authority that clients know.
    pub certificate: PathBuf,
    /// PEM: its private key.
    pub key: PathBuf,
}

/// Why a listener cannot speak TLS. Each names the file.
#[derive(Debug)]
pub enum TlsError {
    /// A file cannot be read.
    Unreadable {
        /// Which.
        file: PathBuf,
        /// Why.
        problem: String,
    },
    /// A file has nothing of what it should have.
    Empty {
        /// Which.
        file: PathBuf,
        /// What it should have.
        wanted: &'static str,
    },
    /// Certificate and key do not belong together.
    KeyMismatch {
        /// Which.
        files: CertificateFiles,
    },
    /// Certificate or key are of a kind that is not known here.
    Unusable {
        /// Which.
        files: CertificateFiles,
        /// Why.
        problem: String,
    },
    /// There is no certificate at all.
    NoCertificate,
}

impl fmt::Display for TlsError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Unreadable { file, problem } => write!(out, "cannot read {}: {problem}", file.display()),
            Self::Empty { file, wanted } => write!(out, "{} has no {wanted} in PEM form", file.display()),
            Self::KeyMismatch { files } => write!(
                out,
                "the key in {} does not belong to the certificate in {}",
                files.key.display(),
                files.certificate.display()
            ),
            Self::Unusable { files, problem } => write!(
                out,
                "the certificate in {} with the key in {} cannot be used: {problem}",
                files.certificate.display(),
                files.key.display()
            ),
            Self::NoCertificate => write!(out, "TLS needs at least one certificate"),
        }
    }
}

impl std::error::Error for TlsError {}

/// When a file was written, and what tells it from others.
type Stamp = Option<(u64, i64, i64, u64)>;

/// What a listener needs to speak TLS.
pub struct Tls {
    files: Vec<CertificateFiles>,
    provider: Arc<CryptoProvider>,
    identities: Arc<Identities>,
    acceptor: TlsAcceptor,
    /// As the files were when they were last read, also when there was something wrong with them.
    seen: Mutex<Vec<Stamp>>,
}

impl Tls {
    /// Reads and checks the files. The first certificate is for clients that ask for no name, or for one that none has.
    pub fn open(files: Vec<CertificateFiles>) -> Result<Arc<Self>, TlsError> {
        let provider = Arc::new(ring::default_provider());
        let seen = stamps(&files);
        let identities = Arc::new(Identities { known: RwLock::new(read_all(&files, &provider)?) });
        let mut config = ServerConfig::builder_with_provider(Arc::clone(&provider))
            .with_safe_default_protocol_versions()
            .expect("the provider has what TLS 1.2 and 1.3 need")
            .with_no_client_auth()
            .with_cert_resolver(Arc::clone(&identities) as _);
        config.alpn_protocols = vec![b"http/1.1".to_vec()];
        let acceptor = TlsAcceptor::from(Arc::new(config));
        Ok(Arc::new(Self { files, provider, identities, acceptor, seen: Mutex::new(seen) }))
    }

    /// Reads the files again. With an error, everything stays as it was.
    pub fn reload(&self) -> Result<(), TlsError> {
        // Before they are read: what changes meanwhile is noticed the next time.
        let stamps = stamps(&self.files);
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) = stamps;
        let identities = read_all(&self.files, &self.provider)?;
        *self.identities.known.write().unwrap_or_else(PoisonError::into_inner) = identities;
        Ok(())
    }

    /// Whether a file is another than when they were last read.
    pub fn has_changed(&self) -> bool {
        *self.seen.lock().unwrap_or_else(PoisonError::into_inner) != stamps(&self.files)
    }

    /// What an operator should know about the files although they work: one sentence each.
    pub fn warnings(&self) -> Vec<String> {
        let open_to_others = |files: &&CertificateFiles| {
            fs::metadata(&files.key).is_ok_and(|metadata| metadata.mode() & 0o077 != 0)
        };
        let warning = |files: &CertificateFiles| {
            let key = files.key.display();
            format!("the TLS key {key} can be read by other users of this machine: chmod 600 {key}")
        };
        self.files.iter().filter(open_to_others).map(warning).collect()
    }

    pub(crate) fn acceptor(&self) -> TlsAcceptor {
        self.acceptor.clone()
    }
}

fn stamps(files: &[CertificateFiles]) -> Vec<Stamp> {
    let stamp = |file: &Path| {
        let metadata = fs::metadata(file).ok()?;
        Some((metadata.ino(), metadata.mtime(), metadata.mtime_nsec(), metadata.len()))
    };
    files.iter().flat_map(|files| [stamp(&files.certificate), stamp(&files.key)]).collect()
}

fn read_all(
    files: &[CertificateFiles],
    provider: &CryptoProvider,
) -> Result<Vec<Arc<CertifiedKey>>, TlsError> {
    if files.is_empty() {
        return Err(TlsError::NoCertificate);
    }
    files.iter().map(|files| read(files, provider).map(Arc::new)).collect()
}

fn read(files: &CertificateFiles, provider: &CryptoProvider) -> Result<CertifiedKey, TlsError> {
    let failed = |file: &Path, wanted, error| match error {
        pem::Error::NoItemsFound => TlsError::Empty { file: file.to_owned(), wanted },
        error => TlsError::Unreadable { file: file.to_owned(), problem: plain(&error) },
    };
    let chain: Vec<CertificateDer<'static>> = CertificateDer::pem_file_iter(&files.certificate)
        .and_then(Iterator::collect)
        .map_err(|error| failed(&files.certificate, "certificate", error))?;
    if chain.is_empty() {
        return Err(TlsError::Empty { file: files.certificate.clone(), wanted: "certificate" });
    }
    let key =
        PrivateKeyDer::from_pem_file(&files.key).map_err(|error| failed(&files.key, "private key", error))?;
    CertifiedKey::from_der(chain, key, provider).map_err(|error| match error {
        rustls::Error::InconsistentKeys(_) => TlsError::KeyMismatch { files: files.clone() },
        error => TlsError::Unusable { files: files.clone(), problem: error.to_string() },
    })
}

/// The system's own words where a file could not be read.
fn plain(error: &pem::Error) -> String {
    match error {
        pem::Error::Io(error) => error.to_string(),
        error => error.to_string(),
    }
}

/// The certificates, of which the client's choice of a host name picks one.
#[derive(Debug)]
struct Identities {
    /// Never empty.
    known: RwLock<Vec<Arc<CertifiedKey>>>,
}

impl ResolvesServerCert for Identities {
    fn resolve(&self, hello: ClientHello<'_>) -> Option<Arc<CertifiedKey>> {
        let known = self.known.read().unwrap_or_else(PoisonError::into_inner);
        let asked = hello.server_name().and_then(|name| ServerName::try_from(name).ok());
        let named = asked.and_then(|name| known.iter().find(|identity| is_for(identity, &name)));
        named.or_else(|| known.first()).cloned()
    }
}

fn is_for(identity: &CertifiedKey, name: &ServerName<'_>) -> bool {
    let parsed = identity.cert.first().and_then(|certificate| ParsedCertificate::try_from(certificate).ok());
    parsed.is_some_and(|parsed| verify_server_name(&parsed, name).is_ok())
}
