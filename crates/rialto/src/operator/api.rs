//! A client of the operator's API: one request, one connection. What goes wrong is told in one line that says what to do.

use std::fmt::Write as _;
use std::sync::Arc;
use std::time::Duration;

use anyhow::{Context as _, anyhow, bail};
use http_body_util::{BodyExt as _, Full};
use hyper::body::Bytes;
use hyper::client::conn::http1;
use hyper::{Method, Request, StatusCode, header};
use hyper_util::rt::TokioIo;
use rustls::client::WebPkiServerVerifier;
use rustls::client::danger::{HandshakeSignatureValid, ServerCertVerified, ServerCertVerifier};
use rustls::crypto::{CryptoProvider, ring, verify_tls12_signature, verify_tls13_signature};
use rustls::pki_types::pem::PemObject as _;
use rustls::pki_types::{CertificateDer, ServerName, UnixTime};
use rustls::{ClientConfig, DigitallySignedStruct, RootCertStore, SignatureScheme};
use serde_json::Value;
use tokio::io::{AsyncRead, AsyncWrite};
use tokio::net::TcpStream;
use tokio_rustls::TlsConnector;

use super::place::{Place, Scheme, Token, Trust};

/// Longer than the exchange itself waits before it says that it does not know.
const PATIENCE: Duration = Duration::from_secs(30);
/// The largest answer that is read; a list of a thousand entries has less.
const MAX_ANSWER: usize = 16 << 20;

/// The operator's API of one exchange.
pub struct Api {
    place: Place,
    runtime: tokio::runtime::Runtime,
}

/// A request that changes nothing may be sent again without thought.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Retry<'r> {
    /// It only reads.
    Free,
    /// It moves money once for this reference.
    Reference(&'r str),
    /// Look first: with this command.
    Look(&'static str),
}

/// What was answered.
#[derive(Clone, Debug)]
pub struct Answer {
    pub status: StatusCode,
    pub body: Value,
}

/// What happened to a request that has no answer.
#[derive(Debug)]
enum Lost {
    /// It was never sent.
    Unsent(anyhow::Error),
    /// Nobody knows.
    Unknown(String),
}

impl Api {
    pub fn new(place: Place) -> anyhow::Result<Self> {
        let runtime = tokio::runtime::Builder::new_current_thread()
            .enable_all()
            .build()
            .context("cannot start the client")?;
        Ok(Self { place, runtime })
    }

    /// Reads something.
    pub fn read(&self, path: &str) -> anyhow::Result<Value> {
        self.ask(&Method::GET, path, None, Retry::Free)
    }

    /// What a request comes to; a refusal is an error with the API's text.
    pub fn ask(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        retry: Retry<'_>,
    ) -> anyhow::Result<Value> {
        let path = format!("/admin/v1{path}");
        let Answer { status, body } = self.answer(method, &path, body, retry, Some(&self.place.token))?;
        let told = body["error"].as_str().unwrap_or("it does not say why");
        match (status, retry) {
            (status, _) if status.is_success() => Ok(body),
            (StatusCode::UNAUTHORIZED, _) => bail!(
                "the exchange at {} has another token than the one in {}: --config with its settings file, or --token-file",
                self.place.url(),
                self.place.token.origin()
            ),
            (StatusCode::GATEWAY_TIMEOUT, _) => bail!(unknown(told, retry)),
            (StatusCode::CONFLICT, Retry::Reference(reference)) if told.contains("reference") => {
                bail!("nothing was moved twice: the reference {reference} was used before")
            }
            _ => bail!("refused: {told}"),
        }
    }

    /// Whether the exchange is ready, which it tells without a token.
    pub fn ready(&self) -> anyhow::Result<Answer> {
        self.answer(&Method::GET, "/health/ready", None, Retry::Free, None)
    }

    fn answer(
        &self,
        method: &Method,
        path: &str,
        body: Option<&Value>,
        retry: Retry<'_>,
        token: Option<&Token>,
    ) -> anyhow::Result<Answer> {
        let place = &self.place;
        let outcome = self.runtime.block_on(async {
            let waiting = tokio::time::timeout(PATIENCE, exchange(place, method, path, body, token));
            waiting.await.unwrap_or_else(|_| {
                Err(Lost::Unknown(format!("{} gave no answer in {} s", place.url(), PATIENCE.as_secs())))
            })
        });
        outcome.map_err(|lost| match lost {
            Lost::Unsent(error) => error,
            Lost::Unknown(problem) => anyhow!(unknown(&problem, retry)),
        })
    }
}

/// What to do when nobody knows whether something was done.
fn unknown(problem: &str, retry: Retry<'_>) -> String {
    match retry {
        Retry::Free => format!("{problem}: try again"),
        Retry::Reference(reference) => format!(
            "{problem}: whether it was done is not known. Send it again with the same --reference {reference}, which moves \
             nothing twice"
        ),
        Retry::Look(command) => {
            format!("{problem}: whether it was done is not known. Look before you try again: {command}")
        }
    }
}

async fn exchange(
    place: &Place,
    method: &Method,
    path: &str,
    body: Option<&Value>,
    token: Option<&Token>,
) -> Result<Answer, Lost> {
    let stream = TcpStream::connect((place.host.as_str(), place.port)).await.map_err(|error| {
        Lost::Unsent(anyhow!(
            "no exchange is running at {} ({}); start it with: {}",
            place.url(),
            plain(&error),
            place.start
        ))
    })?;
    let mut request = Request::builder()
        .method(method)
        .uri(path)
        .header(header::HOST, place.authority())
        .header(header::CONTENT_TYPE, "application/json");
    if let Some(token) = token {
        let token = token.read().map_err(Lost::Unsent)?;
        request = request.header(header::AUTHORIZATION, format!("Bearer {token}"));
    }
    let body = body.map(ToString::to_string).unwrap_or_default();
    let request = request
        .body(Full::new(Bytes::from(body)))
        .map_err(|_| Lost::Unsent(anyhow!("the token in {} cannot be one", place.token.origin())))?;
    match &place.scheme {
        Scheme::Http => send(place, stream, request).await,
        Scheme::Https { trust } => {
            let connector = TlsConnector::from(Arc::new(tls(trust).map_err(Lost::Unsent)?));
            let name = ServerName::try_from(place.host.clone())
                .map_err(|_| Lost::Unsent(anyhow!("'{}' is no host name", place.host)))?;
            let stream = connector.connect(name, stream).await.map_err(|error| {
                Lost::Unsent(anyhow!("no TLS connection with {}: {}", place.url(), plain(&error)))
            })?;
            send(place, stream, request).await
        }
    }
}

async fn send<S>(place: &Place, stream: S, request: Request<Full<Bytes>>) -> Result<Answer, Lost>
where
    S: AsyncRead + AsyncWrite + Unpin + Send + 'static,
{
    let broken =
        |error: hyper::Error| Lost::Unknown(format!("{} broke off the connection ({error})", place.url()));
    let (mut sender, connection) = http1::handshake(TokioIo::new(stream)).await.map_err(broken)?;
    // It ends with the answer; what it would complain of is told there.
    let driver = tokio::spawn(connection);
    let answer = sender.send_request(request).await.map_err(broken)?;
    let status = answer.status();
    let limited = http_body_util::Limited::new(answer.into_body(), MAX_ANSWER);
    let body = limited
        .collect()
        .await
        .map_err(|error| Lost::Unknown(format!("{} broke off its answer ({error})", place.url())))?;
    driver.abort();
    let body = serde_json::from_slice(&body.to_bytes()).map_err(|_| {
        Lost::Unsent(anyhow!("what answers at {} is not the operator's API of a Rialto", place.url()))
    })?;
    Ok(Answer { status, body })
}

/// The system's words without its number.
fn plain(error: &std::io::Error) -> String {
    let text = error.to_string();
    text.split(" (os error").next().unwrap_or(&text).to_lowercase()
}

fn tls(trust: &Trust) -> anyhow::Result<ClientConfig> {
    let provider = Arc::new(ring::default_provider());
    let file = match trust {
        Trust::Authority(file) | Trust::Certificate(file) => file,
    };
    let unreadable = || format!("cannot read the certificate in {}", file.display());
    let certificates: Vec<CertificateDer<'static>> =
        CertificateDer::pem_file_iter(file).and_then(Iterator::collect).with_context(unreadable)?;
    let verifier: Arc<dyn ServerCertVerifier> = match trust {
        Trust::Authority(_) => {
            let mut roots = RootCertStore::empty();
            for certificate in certificates {
                roots.add(certificate).with_context(unreadable)?;
            }
            WebPkiServerVerifier::builder_with_provider(Arc::new(roots), Arc::clone(&provider))
                .build()
                .with_context(unreadable)?
        }
        Trust::Certificate(_) => Arc::new(ThisOne {
            certificate: certificates.into_iter().next().with_context(unreadable)?,
            provider: Arc::clone(&provider),
        }),
    };
    Ok(ClientConfig::builder_with_provider(provider)
        .with_safe_default_protocol_versions()
        .context("TLS 1.2 and 1.3")?
        .dangerous()
        .with_custom_certificate_verifier(verifier)
        .with_no_client_auth())
}

/// Trusts one certificate, the one in the settings of the exchange that is meant, and whoever has its key.
#[derive(Debug)]
struct ThisOne {
    certificate: CertificateDer<'static>,
    provider: Arc<CryptoProvider>,
}

impl ServerCertVerifier for ThisOne {
    fn verify_server_cert(
        &self,
        shown: &CertificateDer<'_>,
        _: &[CertificateDer<'_>],
        _: &ServerName<'_>,
        _: &[u8],
        _: UnixTime,
    ) -> Result<ServerCertVerified, rustls::Error> {
        if *shown == self.certificate {
            return Ok(ServerCertVerified::assertion());
        }
        Err(rustls::Error::General("it shows another certificate than the settings name".to_owned()))
    }

    fn verify_tls12_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls12_signature(message, certificate, signature, algorithms)
    }

    fn verify_tls13_signature(
        &self,
        message: &[u8],
        certificate: &CertificateDer<'_>,
        signature: &DigitallySignedStruct,
    ) -> Result<HandshakeSignatureValid, rustls::Error> {
        let algorithms = &self.provider.signature_verification_algorithms;
        verify_tls13_signature(message, certificate, signature, algorithms)
    }

    fn supported_verify_schemes(&self) -> Vec<SignatureScheme> {
        self.provider.signature_verification_algorithms.supported_schemes()
    }
}

/// A name as it stands in a path or behind a parameter.
pub fn encoded(text: &str) -> String {
    text.bytes().fold(String::new(), |mut encoded, byte| {
        if byte.is_ascii_alphanumeric() || b"-._~".contains(&byte) {
            encoded.push(char::from(byte));
        } else {
            // Writing to a text does not fail.
            let _ = write!(encoded, "%{byte:02X}");
        }
        encoded
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    #[test]
    fn names_are_safe_in_a_path() {
        assert_eq!(encoded("BTC-USDT_1"), "BTC-USDT_1");
        assert_eq!(encoded("a b/c?ü"), "a%20b%2Fc%3F%C3%BC");
    }

    #[test]
    fn what_is_not_known_says_how_to_find_out() {
        let text = unknown("no answer", Retry::Reference("d-7"));
        assert!(text.contains("not known") && text.contains("--reference d-7"), "{text}");
        assert!(unknown("no answer", Retry::Look("rialto key list")).contains("rialto key list"));
    }
}
