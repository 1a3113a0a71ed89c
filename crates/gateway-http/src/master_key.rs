//! The master key: seals what signatures are checked with before it enters the journal. It lives in a file of its own; neither
//! journal, events nor logs ever see it. While it is being changed, the file has the new one and those before it, a line each:
//! all of them open, only the first seals. How a change goes on from there is the matter of [`crate::keys`].

use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};

use model::{AccountId, ApiKeyId, KeyKind};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::rand::{SecureRandom as _, SystemRandom};

/// First byte of every sealed secret: how the rest is to be read.
const FORMAT: u8 = 1;
/// Most keys in one file. A change has two; what has many more is another file.
const MAX_KEYS: usize = 16;

/// Bound into every seal, so that nothing sealed for another purpose opens here: above all, no public half, which others know, as
/// a secret.
const fn purpose(kind: KeyKind) -> &'static [u8] {
    match kind {
        KeyKind::HmacSha256 => b"rialto api secret",
        KeyKind::Ed25519 => b"rialto ed25519 public half",
    }
}

/// One line of the file.
struct Line {
    bytes: [u8; 32],
    cipher: LessSafeKey,
}

impl Line {
    fn new(bytes: [u8; 32]) -> Self {
        let unbound = UnboundKey::new(&AES_256_GCM, &bytes).expect("AES-256 takes 32 bytes");
        Self { bytes, cipher: LessSafeKey::new(unbound) }
    }
}

impl Clone for Line {
    fn clone(&self) -> Self {
        Self::new(self.bytes)
    }
}

/// The key that seals the credentials of API keys: AES-256-GCM, with the kind, the key's name and the account bound in, so that
/// what is sealed cannot be moved to another of these.
#[derive(Clone)]
pub struct MasterKey {
    /// Where it was read from.
    file: Option<PathBuf>,
    /// The first seals; those behind it only open. Never empty.
    lines: Vec<Line>,
    random: SystemRandom,
}

impl fmt::Debug for MasterKey {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        out.write_str("MasterKey(..)")
    }
}

/// Why there is no master key, or it does not open what it should.
#[derive(Debug)]
pub enum KeyError {
    /// The file cannot be read or written.
    File {
        /// Which one.
        path: PathBuf,
        /// What the system says.
        source: io::Error,
    },
    /// Others may read the file.
    FileMode {
        /// Which one.
        path: PathBuf,
        /// Its permission bits.
        mode: u32,
    },
    /// The file does not hold 64 hexadecimal digits a line.
    FileContent {
        /// Which one.
        path: PathBuf,
    },
    /// A sealed secret does not open.
    WrongKey {
        /// Whose.
        key: ApiKeyId,
    },
    /// A sealed secret has a form that this program does not know.
    UnknownFormat {
        /// Whose.
        key: ApiKeyId,
        /// Its first byte.
        format: Option<u8>,
    },
    /// It was not read from a file, so there is none to write.
    NoFile,
    /// The system has no random numbers.
    NoRandomness,
}

impl fmt::Display for KeyError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::File { path, source } => write!(out, "the master key file {}: {source}", path.display()),
            Self::FileMode { path, mode } => write!(
                out,
                "the master key file {} may be read by others (mode {mode:04o}): chmod 600 it",
                path.display()
            ),
            Self::FileContent { path } => write!(
                out,
                "the master key file {} must hold 64 hexadecimal digits, or several lines of them while it is being changed, and nothing else",
                path.display()
            ),
            Self::WrongKey { key } => write!(
                out,
                "the master key does not open the secret of API key {key}: it is not the one that this data directory was made with"
            ),
            Self::UnknownFormat { key, format: Some(format) } => write!(
                out,
                "the secret of API key {key} is sealed in format {format}, and this program knows format {FORMAT} only: use a newer one"
            ),
            Self::UnknownFormat { key, format: None } => write!(out, "the secret of API key {key} is empty"),
            Self::NoFile => write!(out, "the master key is in no file"),
            Self::NoRandomness => write!(out, "the operating system gives no random numbers"),
        }
    }
}

impl std::error::Error for KeyError {
    fn source(&self) -> Option<&(dyn std::error::Error + 'static)> {
        match self {
            Self::File { source, .. } => Some(source),
            _ => None,
        }
    }
}

impl MasterKey {
    /// A new random one.
    pub fn generate() -> Result<Self, KeyError> {
        let random = SystemRandom::new();
        let mut bytes = [0; 32];
        random.fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self { file: None, lines: vec![Line::new(bytes)], random })
    }

    /// The one in the file at `path`; refuses a file that others may read.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::FileMode { path: path.to_owned(), mode });
        }
        let text = fs::read(path).map_err(failed)?;
        let lines: Option<Vec<Line>> = text
            .trim_ascii()
            .split(|byte| *byte == b'\n')
            .map(|line| decode_hex(line.trim_ascii()).map(Line::new))
            .collect();
        match lines {
            Some(lines) if lines.len() <= MAX_KEYS => {
                Ok(Self { file: Some(path.to_owned()), lines, random: SystemRandom::new() })
            }
            Some(_) | None => Err(KeyError::FileContent { path: path.to_owned() }),
        }
    }

    /// Writes it to a new file at `path`, durable before this returns; refuses to replace one that is there.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        write_secret(path, &self.text()).map_err(|source| KeyError::File { path: path.to_owned(), source })
    }

    fn text(&self) -> String {
        self.lines.iter().map(|line| encode_hex(&line.bytes)).collect::<Vec<_>>().join("\n")
    }

    /// True when the file still has a key from before, so that a change is not finished.
    pub fn is_changing(&self) -> bool {
        self.lines.len() > 1
    }

    /// True when both seal with the same key.
    #[cfg(test)]
    pub(crate) fn seals_as(&self, other: &Self) -> bool {
        self.lines[0].bytes == other.lines[0].bytes
    }

    /// Seals with the key of `next` from now on, and opens what was sealed before all the same. The file says so, durable before
    /// this returns, or nothing has changed.
    pub(crate) fn begin_change(&self, next: &Self) -> Result<Self, KeyError> {
        let next = next.lines[0].clone();
        let before = self.lines.iter().filter(|line| line.bytes != next.bytes).cloned();
        let lines = [next.clone()].into_iter().chain(before).collect();
        self.replaced(lines)
    }

    /// Forgets all keys but the one that seals. Only for when nothing that is stored needs them.
    pub(crate) fn finish_change(&self) -> Result<Self, KeyError> {
        self.replaced(vec![self.lines[0].clone()])
    }

    fn replaced(&self, lines: Vec<Line>) -> Result<Self, KeyError> {
        let path = self.file.as_deref().ok_or(KeyError::NoFile)?;
        let changed = Self { file: self.file.clone(), lines, random: SystemRandom::new() };
        put_secret(path, &changed.text())
            .map_err(|source| KeyError::File { path: path.to_owned(), source })?;
        Ok(changed)
    }

    /// `secret` in the form in which it may enter the journal: format, nonce, ciphertext and tag.
    pub fn seal(
        &self,
        kind: KeyKind,
        key: &ApiKeyId,
        account: AccountId,
        secret: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + secret.len() + AES_256_GCM.tag_len());
        let mut text = secret.to_vec();
        self.lines[0]
            .cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(kind, key, account)),
                &mut text,
            )
            .expect("a secret is short");
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// The secret that was sealed for just this kind, key and account, by any of the keys in the file.
    pub fn open(
        &self,
        kind: KeyKind,
        key: &ApiKeyId,
        account: AccountId,
        sealed: &[u8],
    ) -> Result<Vec<u8>, KeyError> {
        self.opened(kind, key, account, sealed).map(|(secret, _)| secret)
    }

    /// True when the key that seals now has sealed this; false when it was one from before.
    pub(crate) fn has_sealed(
        &self,
        kind: KeyKind,
        key: &ApiKeyId,
        account: AccountId,
        sealed: &[u8],
    ) -> Result<bool, KeyError> {
        self.opened(kind, key, account, sealed).map(|(_, line)| line == 0)
    }

    /// What was sealed, and the line of the key that has sealed it, from 0.
    fn opened(
        &self,
        kind: KeyKind,
        key: &ApiKeyId,
        account: AccountId,
        sealed: &[u8],
    ) -> Result<(Vec<u8>, usize), KeyError> {
        let rest = match sealed {
            [FORMAT, rest @ ..] => rest,
            other => return Err(KeyError::UnknownFormat { key: *key, format: other.first().copied() }),
        };
        let Some((nonce, text)) = rest.split_first_chunk::<NONCE_LEN>() else {
            return Err(KeyError::WrongKey { key: *key });
        };
        for (at, line) in self.lines.iter().enumerate() {
            let mut text = text.to_vec();
            let (nonce, bound) = (Nonce::assume_unique_for_key(*nonce), bound(kind, key, account));
            if let Ok(secret) = line.cipher.open_in_place(nonce, Aad::from(bound), &mut text) {
                return Ok((secret.to_vec(), at));
            }
        }
        Err(KeyError::WrongKey { key: *key })
    }
}

/// Writes a line that nobody but its owner may read to a new file at `path`, durable before this returns, and whole or not at
/// all: half a file would be taken for a wrong one at every later start. Refuses to replace a file that is there.
pub fn write_secret(path: &Path, line: &str) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    put_secret(path, line)
}

/// As [`write_secret`], in place of what is there: at any moment the file is the one before or this one.
fn put_secret(path: &Path, text: &str) -> io::Result<()> {
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    // One that a crash left behind is made anew, with the permissions it should have.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{text}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// What a seal is bound to. No purpose begins like another, and the length stands before the name, so that no two have the same
/// bytes.
fn bound(kind: KeyKind, key: &ApiKeyId, account: AccountId) -> Vec<u8> {
    let purpose = purpose(kind);
    let mut bytes = Vec::with_capacity(purpose.len() + 1 + key.as_bytes().len() + 8);
    bytes.extend_from_slice(purpose);
    bytes.push(u8::try_from(key.as_bytes().len()).expect("a key has at most 64 characters"));
    bytes.extend_from_slice(key.as_bytes());
    bytes.extend_from_slice(&account.0.to_le_bytes());
    bytes
}

/// 64 hexadecimal digits of either case.
pub(crate) fn decode_hex(text: &[u8]) -> Option<[u8; 32]> {
    if text.len() != 64 {
        return None;
    }
    let mut bytes = [0; 32];
    for (byte, pair) in bytes.iter_mut().zip(text.chunks_exact(2)) {
        let digit = |digit: u8| char::from(digit).to_digit(16);
        *byte = u8::try_from(digit(pair[0])? * 16 + digit(pair[1])?).ok()?;
    }
    Some(bytes)
}

/// Two lower-case digits a byte.
pub(crate) fn encode_hex(bytes: &[u8]) -> String {
    bytes.iter().fold(String::with_capacity(bytes.len() * 2), |mut text, byte| {
        for nibble in [byte >> 4, byte & 15] {
            text.push(char::from_digit(u32::from(nibble), 16).expect("a nibble is one digit"));
        }
        text
    })
}

#[cfg(test)]
mod tests {
    use super::*;

    const HMAC: KeyKind = KeyKind::HmacSha256;

    fn key(text: &str) -> ApiKeyId {
        ApiKeyId::new(text).unwrap()
    }

    #[test]
    fn a_seal_opens_for_its_key_and_account_only() {
        let master = MasterKey::generate().unwrap();
        let sealed = master.seal(HMAC, &key("a"), AccountId(1), b"secret").unwrap();
        assert_eq!(master.open(HMAC, &key("a"), AccountId(1), &sealed).unwrap(), b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"), "the secret is not readable");
        assert!(master.open(KeyKind::Ed25519, &key("a"), AccountId(1), &sealed).is_err(), "of another kind");
        assert!(master.open(HMAC, &key("b"), AccountId(1), &sealed).is_err());
        assert!(master.open(HMAC, &key("a"), AccountId(2), &sealed).is_err());
        assert_ne!(sealed, master.seal(HMAC, &key("a"), AccountId(1), b"secret").unwrap(), "nonces differ");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(master.open(HMAC, &key("a"), AccountId(1), &damaged).is_err(), "byte {at} counts");
        }
        for len in 0..sealed.len() {
            assert!(master.open(HMAC, &key("a"), AccountId(1), &sealed[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn the_file_is_private_and_never_replaced() {
        let folder = std::env::temp_dir().join(format!("rialto-master-key-{}", std::process::id()));
        fs::create_dir_all(&folder).unwrap();
        let path = folder.join("master.key");
        let _ = fs::remove_file(&path);
        assert!(matches!(MasterKey::from_file(&path), Err(KeyError::File { .. })));

        let master = MasterKey::generate().unwrap();
        master.write_new(&path).unwrap();
        assert_eq!(fs::metadata(&path).unwrap().permissions().mode() & 0o777, 0o600);
        assert!(MasterKey::from_file(&path).unwrap().seals_as(&master));
        assert!(matches!(master.write_new(&path), Err(KeyError::File { .. })));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(MasterKey::from_file(&path), Err(KeyError::FileMode { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(MasterKey::from_file(&path), Err(KeyError::FileContent { .. })));
        let line = "0".repeat(64);
        for (text, lines) in [(line.clone(), Some(1)), (format!("{line}\n{line}\n"), Some(2))] {
            fs::write(&path, text).unwrap();
            assert_eq!(MasterKey::from_file(&path).ok().map(|master| master.lines.len()), lines);
        }
        for text in [String::new(), format!("{line}\n\n{line}"), format!("{line}\n").repeat(MAX_KEYS + 1)] {
            fs::write(&path, text).unwrap();
            assert!(matches!(MasterKey::from_file(&path), Err(KeyError::FileContent { .. })));
        }
        fs::remove_dir_all(&folder).unwrap();
    }
}
