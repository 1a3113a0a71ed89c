//! API keys: which key signs for whom and may do what, and how their secrets are sealed before they enter the journal.
//! The master key lives in a file of its own; neither journal, events nor logs ever see it or an open secret.

use std::collections::HashMap;
use std::fmt;
use std::fs::{self, OpenOptions};
use std::io::{self, Write as _};
use std::os::unix::fs::{OpenOptionsExt as _, PermissionsExt as _};
use std::path::{Path, PathBuf};
use std::sync::{Arc, PoisonError, RwLock};

use model::{AccountId, ApiKeyId, CreateApiKey};
use ring::aead::{AES_256_GCM, Aad, LessSafeKey, NONCE_LEN, Nonce, UnboundKey};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};

/// Bits of what a key may do.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub struct Permissions(pub u32);

impl Permissions {
    /// May read its account.
    pub const READ: Self = Self(1);
    /// May place, change and cancel orders.
    pub const TRADE: Self = Self(2);
    /// May ask for withdrawals.
    pub const WITHDRAW: Self = Self(4);
    /// All that are named here.
    const ALL: [(Self, &'static str); 3] =
        [(Self::READ, "read"), (Self::TRADE, "trade"), (Self::WITHDRAW, "withdraw")];

    /// True when all bits of `needed` are there.
    pub const fn allow(self, needed: Self) -> bool {
        self.0 & needed.0 == needed.0
    }

    /// Both together.
    #[must_use]
    pub const fn and(self, other: Self) -> Self {
        Self(self.0 | other.0)
    }

    /// From the names; the first that is none of them, otherwise.
    pub fn from_names<'n>(names: impl IntoIterator<Item = &'n str>) -> Result<Self, &'n str> {
        names.into_iter().try_fold(Self(0), |so_far, name| {
            let known = Self::ALL.iter().find(|(_, known)| *known == name);
            known.map(|(bit, _)| so_far.and(*bit)).ok_or(name)
        })
    }

    /// The names of its bits.
    pub fn names(self) -> impl Iterator<Item = &'static str> {
        Self::ALL.into_iter().filter(move |(bit, _)| self.allow(*bit)).map(|(_, name)| name)
    }
}

/// First byte of every sealed secret: how the rest is to be read.
const FORMAT: u8 = 1;
/// Bound into every seal, so that nothing sealed for another purpose opens here.
const PURPOSE: &[u8] = b"rialto api secret";

/// The key that seals the secrets of API keys: AES-256-GCM, with the public key and the account bound in, so that a sealed
/// secret cannot be moved to another of either.
pub struct MasterKey {
    bytes: [u8; 32],
    cipher: LessSafeKey,
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
    /// The file does not hold 64 hexadecimal digits.
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
                "the master key file {} must hold 64 hexadecimal digits and nothing else",
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
    fn from_bytes(bytes: [u8; 32]) -> Self {
        let unbound = UnboundKey::new(&AES_256_GCM, &bytes).expect("AES-256 takes 32 bytes");
        Self { bytes, cipher: LessSafeKey::new(unbound), random: SystemRandom::new() }
    }

    /// A new random one.
    pub fn generate() -> Result<Self, KeyError> {
        let mut bytes = [0; 32];
        SystemRandom::new().fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        Ok(Self::from_bytes(bytes))
    }

    /// The one in the file at `path`; refuses a file that others may read.
    pub fn from_file(path: &Path) -> Result<Self, KeyError> {
        let failed = |source| KeyError::File { path: path.to_owned(), source };
        let mode = fs::metadata(path).map_err(failed)?.permissions().mode() & 0o7777;
        if mode & 0o077 != 0 {
            return Err(KeyError::FileMode { path: path.to_owned(), mode });
        }
        let text = fs::read(path).map_err(failed)?;
        let bytes = decode_hex(text.trim_ascii());
        bytes.map(Self::from_bytes).ok_or_else(|| KeyError::FileContent { path: path.to_owned() })
    }

    /// Writes it to a new file at `path`, durable before this returns; refuses to replace one that is there.
    pub fn write_new(&self, path: &Path) -> Result<(), KeyError> {
        write_secret(path, &encode_hex(&self.bytes))
            .map_err(|source| KeyError::File { path: path.to_owned(), source })
    }

    /// `secret` in the form in which it may enter the journal: format, nonce, ciphertext and tag.
    pub fn seal(&self, key: &ApiKeyId, account: AccountId, secret: &[u8]) -> Result<Vec<u8>, KeyError> {
        let mut nonce = [0; NONCE_LEN];
        self.random.fill(&mut nonce).map_err(|_| KeyError::NoRandomness)?;
        let mut sealed = Vec::with_capacity(1 + NONCE_LEN + secret.len() + AES_256_GCM.tag_len());
        let mut text = secret.to_vec();
        self.cipher
            .seal_in_place_append_tag(
                Nonce::assume_unique_for_key(nonce),
                Aad::from(bound(key, account)),
                &mut text,
            )
            .expect("a secret is short");
        sealed.push(FORMAT);
        sealed.extend_from_slice(&nonce);
        sealed.extend_from_slice(&text);
        Ok(sealed)
    }

    /// The secret that was sealed for just this key and account.
    pub fn open(&self, key: &ApiKeyId, account: AccountId, sealed: &[u8]) -> Result<Vec<u8>, KeyError> {
        let (format, rest) = match sealed {
            [FORMAT, rest @ ..] => (FORMAT, rest),
            other => return Err(KeyError::UnknownFormat { key: *key, format: other.first().copied() }),
        };
        debug_assert_eq!(format, FORMAT, "there is one format so far");
        let Some((nonce, text)) = rest.split_first_chunk::<NONCE_LEN>() else {
            return Err(KeyError::WrongKey { key: *key });
        };
        let mut text = text.to_vec();
        self.cipher
            .open_in_place(Nonce::assume_unique_for_key(*nonce), Aad::from(bound(key, account)), &mut text)
            .map(|secret| secret.to_vec())
            .map_err(|_| KeyError::WrongKey { key: *key })
    }
}

/// Writes a line that nobody but its owner may read to a new file at `path`, durable before this returns, and whole or not at
/// all: half a file would be taken for a wrong one at every later start. Refuses to replace a file that is there.
pub fn write_secret(path: &Path, line: &str) -> io::Result<()> {
    if path.try_exists()? {
        return Err(io::ErrorKind::AlreadyExists.into());
    }
    let mut unfinished = path.as_os_str().to_owned();
    unfinished.push(".tmp");
    let unfinished = PathBuf::from(unfinished);
    // One that a crash left behind is made anew, with the permissions it should have.
    match fs::remove_file(&unfinished) {
        Err(error) if error.kind() != io::ErrorKind::NotFound => return Err(error),
        Ok(()) | Err(_) => {}
    }
    let mut file = OpenOptions::new().write(true).create_new(true).mode(0o600).open(&unfinished)?;
    writeln!(file, "{line}")?;
    file.sync_all()?;
    fs::rename(&unfinished, path)?;
    let folder = path.parent().filter(|folder| !folder.as_os_str().is_empty());
    fs::File::open(folder.unwrap_or(Path::new(".")))?.sync_all()
}

/// What a seal is bound to. The length stands before the name, so that no two pairs give the same bytes.
fn bound(key: &ApiKeyId, account: AccountId) -> Vec<u8> {
    let mut bytes = Vec::with_capacity(PURPOSE.len() + 1 + key.as_bytes().len() + 8);
    bytes.extend_from_slice(PURPOSE);
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

const ALPHABET: &[u8; 62] = b"0123456789ABCDEFGHIJKLMNOPQRSTUVWXYZabcdefghijklmnopqrstuvwxyz";

/// `LEN` random letters and digits, every one as likely as any other.
pub(crate) fn random_text<const LEN: usize>(random: &SystemRandom) -> Result<String, KeyError> {
    let mut text = String::with_capacity(LEN);
    let mut bytes = [0; LEN];
    while text.len() < LEN {
        random.fill(&mut bytes).map_err(|_| KeyError::NoRandomness)?;
        // 248 is the largest multiple of 62 in a byte; what lies above would make some letters likelier.
        let fair = bytes.iter().filter(|byte| **byte < 248);
        text.extend(fair.take(LEN - text.len()).map(|byte| char::from(ALPHABET[usize::from(byte % 62)])));
    }
    Ok(text)
}

/// An API key as the partition keeps it.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct StoredKey {
    /// The public half.
    pub key: ApiKeyId,
    /// Whose.
    pub account: AccountId,
    /// The secret half, sealed.
    pub sealed_secret: Vec<u8>,
    /// What it may do.
    pub permissions: u32,
}

/// An API key that is ready to check signatures with.
#[derive(Debug)]
pub struct ApiKey {
    /// The public half.
    pub id: ApiKeyId,
    /// Whose.
    pub account: AccountId,
    /// What it may do.
    pub permissions: Permissions,
    pub(crate) hmac: hmac::Key,
}

/// A new key: the command that makes it known, and the secret, which is shown once and then forgotten.
#[derive(Debug)]
pub struct IssuedKey {
    /// To be handed in.
    pub command: CreateApiKey,
    /// What the client signs with.
    pub secret: String,
}

/// All API keys that are valid now.
#[derive(Debug)]
pub struct KeyStore {
    master: MasterKey,
    keys: RwLock<HashMap<ApiKeyId, Arc<ApiKey>>>,
}

impl KeyStore {
    /// Opens all that the partition has stored. The first that does not open tells that the master key is the wrong one.
    pub fn open(master: MasterKey, stored: impl IntoIterator<Item = StoredKey>) -> Result<Self, KeyError> {
        let store = Self { master, keys: RwLock::default() };
        for key in stored {
            store.insert(&key)?;
        }
        Ok(store)
    }

    /// Adds a key that has become durable.
    pub fn insert(&self, stored: &StoredKey) -> Result<(), KeyError> {
        let secret = self.master.open(&stored.key, stored.account, &stored.sealed_secret)?;
        let key = ApiKey {
            id: stored.key,
            account: stored.account,
            permissions: Permissions(stored.permissions),
            hmac: hmac::Key::new(hmac::HMAC_SHA256, &secret),
        };
        self.keys.write().unwrap_or_else(PoisonError::into_inner).insert(stored.key, Arc::new(key));
        Ok(())
    }

    /// Forgets a key whose revocation has become durable.
    pub fn remove(&self, key: &ApiKeyId) {
        self.keys.write().unwrap_or_else(PoisonError::into_inner).remove(key);
    }

    /// The key of that name.
    pub fn find(&self, key: &ApiKeyId) -> Option<Arc<ApiKey>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner).get(key).cloned()
    }

    /// The keys of one account, by name.
    pub fn of_account(&self, account: AccountId) -> Vec<Arc<ApiKey>> {
        let keys = self.keys.read().unwrap_or_else(PoisonError::into_inner);
        let mut found: Vec<_> = keys.values().filter(|key| key.account == account).cloned().collect();
        found.sort_by_key(|key| key.id);
        found
    }

    /// Makes up a new key for `account`: 64 letters and digits for the public half, 64 for the secret.
    pub fn issue(&self, account: AccountId, permissions: Permissions) -> Result<IssuedKey, KeyError> {
        let id = random_text::<64>(&self.master.random)?;
        let secret = random_text::<64>(&self.master.random)?;
        let key = ApiKeyId::new(&id).expect("letters and digits are visible");
        let sealed_secret = self.master.seal(&key, account, secret.as_bytes())?;
        Ok(IssuedKey {
            command: CreateApiKey { account, key, sealed_secret, permissions: permissions.0 },
            secret,
        })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn key(text: &str) -> ApiKeyId {
        ApiKeyId::new(text).unwrap()
    }

    #[test]
    fn a_seal_opens_for_its_key_and_account_only() {
        let master = MasterKey::generate().unwrap();
        let sealed = master.seal(&key("a"), AccountId(1), b"secret").unwrap();
        assert_eq!(master.open(&key("a"), AccountId(1), &sealed).unwrap(), b"secret");
        assert!(!sealed.windows(6).any(|window| window == b"secret"), "the secret is not readable");
        assert!(master.open(&key("b"), AccountId(1), &sealed).is_err());
        assert!(master.open(&key("a"), AccountId(2), &sealed).is_err());
        assert_ne!(sealed, master.seal(&key("a"), AccountId(1), b"secret").unwrap(), "nonces differ");
        for at in 0..sealed.len() {
            let mut damaged = sealed.clone();
            damaged[at] ^= 1;
            assert!(master.open(&key("a"), AccountId(1), &damaged).is_err(), "byte {at} counts");
        }
        for len in 0..sealed.len() {
            assert!(master.open(&key("a"), AccountId(1), &sealed[..len]).is_err(), "{len} bytes");
        }
    }

    #[test]
    fn a_wrong_master_key_is_told_in_one_sentence() {
        let issued = KeyStore::open(MasterKey::generate().unwrap(), [])
            .unwrap()
            .issue(AccountId(1), Permissions::READ)
            .unwrap();
        let stored = StoredKey {
            key: issued.command.key,
            account: AccountId(1),
            sealed_secret: issued.command.sealed_secret,
            permissions: 1,
        };
        let error = KeyStore::open(MasterKey::generate().unwrap(), [stored]).unwrap_err();
        assert!(
            error.to_string().ends_with("it is not the one that this data directory was made with"),
            "{error}"
        );
    }

    #[test]
    fn issued_keys_are_found_until_they_are_removed() {
        let store = KeyStore::open(MasterKey::generate().unwrap(), []).unwrap();
        let IssuedKey { command, secret } =
            store.issue(AccountId(5), Permissions::READ.and(Permissions::TRADE)).unwrap();
        assert_eq!((command.key.as_bytes().len(), secret.len()), (64, 64));
        assert!(store.find(&command.key).is_none(), "not before it is durable");
        store
            .insert(&StoredKey {
                key: command.key,
                account: command.account,
                sealed_secret: command.sealed_secret,
                permissions: command.permissions,
            })
            .unwrap();
        let found = store.find(&command.key).unwrap();
        assert!(
            found.permissions.allow(Permissions::TRADE) && !found.permissions.allow(Permissions::WITHDRAW)
        );
        assert_eq!(found.permissions.names().collect::<Vec<_>>(), ["read", "trade"]);
        assert_eq!(store.of_account(AccountId(5)).len(), 1);
        store.remove(&command.key);
        assert!(store.find(&command.key).is_none());
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
        assert_eq!(MasterKey::from_file(&path).unwrap().bytes, master.bytes);
        assert!(matches!(master.write_new(&path), Err(KeyError::File { .. })));

        fs::set_permissions(&path, fs::Permissions::from_mode(0o640)).unwrap();
        assert!(matches!(MasterKey::from_file(&path), Err(KeyError::FileMode { mode: 0o640, .. })));
        fs::set_permissions(&path, fs::Permissions::from_mode(0o600)).unwrap();
        fs::write(&path, "not a key").unwrap();
        assert!(matches!(MasterKey::from_file(&path), Err(KeyError::FileContent { .. })));
        fs::remove_dir_all(&folder).unwrap();
    }

    #[test]
    fn permissions_have_names() {
        assert_eq!(Permissions::from_names(["read", "trade"]), Ok(Permissions(3)));
        assert_eq!(Permissions::from_names(["read", "fly"]), Err("fly"));
    }
}
