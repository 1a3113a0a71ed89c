//! Keys, token, certificates: whether they are there, in order, and nobody else's to read.

use std::fs;
use std::os::unix::fs::PermissionsExt as _;
use std::path::Path;

use gateway_http::{AdminToken, MasterKey, Tls};

use super::Finding;
use crate::config::{self, Config};

pub fn examine(config: &Config) -> Vec<Finding> {
    let is_new =
        fs::read_dir(config.data_dir.join("journal")).map_or(true, |mut files| files.next().is_none());
    let mut findings = vec![
        master_key(&config.beside_data(&config.keys.master_key_file), is_new),
        token(&config.beside_data(&config.admin.token_file)),
    ];
    findings.extend(tls("public TLS", "public.tls", config.public.tls.as_ref()));
    findings.extend(tls("operator's TLS", "admin.tls", config.admin.tls.as_ref()));
    findings
}

fn master_key(file: &Path, is_new: bool) -> Finding {
    let (check, path) = ("master key", file.display());
    if !file.exists() {
        return if is_new {
            Finding::ok(check, format!("{path} is not there yet; the first start makes it"))
        } else {
            Finding::problem(
                check,
                format!("{path} is missing: put back the one that this data directory was made with"),
            )
        };
    }
    match MasterKey::from_file(file) {
        Ok(_) => {
            Finding::ok(check, format!("{path} can be read by its owner only; is there a copy elsewhere?"))
        }
        Err(error) => Finding::problem(check, error.to_string()),
    }
}

fn token(file: &Path) -> Finding {
    let (check, path) = ("operator's token", file.display());
    let (text, mode) = match (fs::read_to_string(file), fs::metadata(file)) {
        (Ok(text), Ok(metadata)) => (text, metadata.permissions().mode()),
        (Err(error), _) | (_, Err(error)) if error.kind() == std::io::ErrorKind::NotFound => {
            return Finding::ok(check, format!("{path} is not there yet; the first start makes it"));
        }
        (Err(error), _) | (_, Err(error)) => {
            return Finding::problem(check, format!("cannot read {path}: {error}"));
        }
    };
    if !matches!(AdminToken::new(text.trim()), Ok(Some(_))) {
        let least = AdminToken::MIN_LEN;
        return Finding::problem(check, format!("{path} must have {least} or more visible characters"));
    }
    if mode & 0o077 != 0 {
        return Finding::warning(
            check,
            format!("other users of this machine can read {path}: chmod 600 {path}"),
        );
    }
    Finding::ok(check, format!("{path} can be read by its owner only"))
}

fn tls(check: &'static str, setting: &str, settings: Option<&config::Tls>) -> Option<Finding> {
    Some(match Tls::open(settings?.files()) {
        Err(error) => Finding::problem(check, format!("{setting}: {error}")),
        Ok(tls) => match tls.warnings().as_slice() {
            [] => Finding::ok(check, "certificates and keys belong together"),
            warnings => Finding::warning(check, warnings.join("; ")),
        },
    })
}

#[cfg(test)]
mod tests {
    use super::super::Grade;
    use super::*;

    #[test]
    fn secrets_are_there_and_nobody_elses() {
        let folder = tempfile::tempdir().unwrap();
        let (key, secret) = (folder.path().join("master.key"), folder.path().join("admin.token"));
        assert_eq!(
            (master_key(&key, true).result, master_key(&key, false).result),
            (Grade::Ok, Grade::Problem)
        );
        assert_eq!(token(&secret).result, Grade::Ok);
        MasterKey::generate().unwrap().write_new(&key).unwrap();
        gateway_http::write_secret(&secret, &AdminToken::generate().unwrap()).unwrap();
        assert_eq!((master_key(&key, false).result, token(&secret).result), (Grade::Ok, Grade::Ok));
        for file in [&key, &secret] {
            fs::set_permissions(file, fs::Permissions::from_mode(0o644)).unwrap();
        }
        assert_eq!((master_key(&key, false).result, token(&secret).result), (Grade::Problem, Grade::Warning));
        fs::write(&secret, "short").unwrap();
        assert_eq!(token(&secret).result, Grade::Problem);
    }
}
