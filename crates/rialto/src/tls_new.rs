//! `rialto tls new`: a certificate for host names of one's own, for clients that choose what they do by the host's name, and for
//! trying TLS. Its authority's key is thrown away once it has signed: whoever trusts that authority trusts nothing but this
//! one certificate.

use std::fs;
use std::path::{Path, PathBuf};
use std::time::{Duration, SystemTime};

use anyhow::{Context as _, bail};
use clap::Args;
use gateway_http::write_secret;
use rcgen::{
    BasicConstraints, CertificateParams, DistinguishedName, DnType, ExtendedKeyUsagePurpose, IsCa, Issuer,
    KeyPair, KeyUsagePurpose,
};

use crate::terminal::say;

/// How long the certificate is good: some clients refuse those that are good for longer.
const DAYS: u32 = 800;
const DAY: Duration = Duration::from_hours(24);

/// What is wanted.
#[derive(Args)]
pub struct Options {
    /// A host name or address that clients use for the exchange. May be given several times.
    #[arg(long = "host", required = true)]
    hosts: Vec<String>,
    /// The folder for the certificate and its key.
    #[arg(long, default_value = "./tls")]
    out: PathBuf,
}

/// Writes the certificate, its key and the authority, and says what to do with them.
pub fn run(options: &Options) -> anyhow::Result<()> {
    let Options { hosts, out } = options;
    let [authority_file, certificate_file, key_file] =
        ["ca.pem", "server.pem", "server.key"].map(|name| out.join(name));
    for file in [&authority_file, &certificate_file, &key_file] {
        if file.exists() {
            bail!("{} is there already: choose another folder with --out", file.display());
        }
    }
    let (authority, certificate, key) = make(hosts)?;
    fs::create_dir_all(out).with_context(|| format!("cannot make the folder {}", out.display()))?;
    write_secret(&key_file, key.trim_end())
        .with_context(|| format!("cannot write {}", key_file.display()))?;
    for (file, text) in [(&authority_file, authority), (&certificate_file, certificate)] {
        fs::write(file, text).with_context(|| format!("cannot write {}", file.display()))?;
    }
    announce(&hosts[0], &authority_file, &certificate_file, &key_file);
    Ok(())
}

/// The authority, a certificate of it for `hosts`, and the certificate's key, all in PEM form.
fn make(hosts: &[String]) -> anyhow::Result<(String, String, String)> {
    let now = SystemTime::now();
    // Clocks differ.
    let from = now - DAY;
    let until = now + DAY * DAYS;
    let named = |name: &str| {
        let mut names = DistinguishedName::new();
        names.push(DnType::CommonName, name);
        names
    };

    let mut authority = CertificateParams::default();
    authority.distinguished_name = named("Rialto, one certificate's own authority");
    authority.is_ca = IsCa::Ca(BasicConstraints::Constrained(0));
    authority.key_usages = vec![KeyUsagePurpose::KeyCertSign, KeyUsagePurpose::CrlSign];
    (authority.not_before, authority.not_after) = (from.into(), until.into());
    let authority_key = KeyPair::generate()?;
    let authority_pem = authority.self_signed(&authority_key)?.pem();

    let mut certificate = CertificateParams::new(hosts).context("--host wants a host name or an address")?;
    certificate.distinguished_name = named(&hosts[0]);
    certificate.key_usages = vec![KeyUsagePurpose::DigitalSignature];
    certificate.extended_key_usages = vec![ExtendedKeyUsagePurpose::ServerAuth];
    certificate.use_authority_key_identifier_extension = true;
    (certificate.not_before, certificate.not_after) = (from.into(), until.into());
    let key = KeyPair::generate()?;
    let signed = certificate.signed_by(&key, &Issuer::new(authority, authority_key))?;
    Ok((authority_pem, signed.pem(), key.serialize_pem()))
}

fn announce(host: &str, authority: &Path, certificate: &Path, key: &Path) {
    let (authority, certificate, key) = (authority.display(), certificate.display(), key.display());
    say!(
        "{certificate} is good for {DAYS} days. Next:\n\
         1. in the settings:\n     \
            [public.tls]\n     \
            certificates = [{{ cert = \"{certificate}\", key = \"{key}\" }}]\n\
         2. have the name lead to this machine, as with a line '127.0.0.1 {host}' in /etc/hosts\n\
         3. have clients trust {authority}: curl --cacert {authority} https://{host}:8080/api/v3/ping"
    );
}

#[cfg(test)]
mod tests {
    use gateway_http::{CertificateFiles, Tls};

    use super::*;

    #[test]
    fn what_is_made_can_be_served_and_is_not_made_twice() {
        let folder = tempfile::tempdir().unwrap();
        let options = Options {
            hosts: vec!["api.example.test".to_owned(), "127.0.0.1".to_owned()],
            out: folder.path().join("tls"),
        };
        run(&options).unwrap();
        let files = CertificateFiles {
            certificate: options.out.join("server.pem"),
            key: options.out.join("server.key"),
        };
        let tls = Tls::open(vec![files]).unwrap();
        assert!(tls.warnings().is_empty(), "the key is its owner's alone");
        assert!(!options.out.join("ca.key").exists());
        let again = run(&options).unwrap_err().to_string();
        assert!(again.contains("ca.pem is there already"), "{again}");
    }
}
