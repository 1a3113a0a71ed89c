//! API keys: which key signs for whom, may do what and from where, and how its signatures are checked.

use std::collections::HashMap;
use std::net::IpAddr;
use std::sync::{Arc, PoisonError, RwLock};

use model::{AccountId, AddApiKey, ApiKeyId, IpRange, KeyKind, KeyLabel};
use ring::hmac;
use ring::rand::{SecureRandom as _, SystemRandom};
use ring::signature::{ED25519, UnparsedPublicKey};

use crate::master_key::{KeyError, MasterKey};
use crate::public_key::PublicKey;

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
    /// Its name.
    pub key: ApiKeyId,
    /// Whose.
    pub account: AccountId,
    /// How it signs.
    pub kind: KeyKind,
    /// What its signatures are checked with, sealed.
    pub sealed: Vec<u8>,
    /// What it may do.
    pub permissions: u32,
    /// From where it may be used; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
}

impl From<&AddApiKey> for StoredKey {
    fn from(add: &AddApiKey) -> Self {
        let AddApiKey { account, key, kind, sealed, label: _, permissions, ip_ranges } = add.clone();
        Self { key, account, kind, sealed, permissions, ip_ranges }
    }
}

/// What signatures are checked with.
pub(crate) enum Credential {
    /// The secret that both sides have.
    Hmac(hmac::Key),
    /// The public half of the client's pair.
    Ed25519(UnparsedPublicKey<[u8; 32]>),
}

/// An API key that is ready to check signatures with.
pub struct ApiKey {
    /// What the partition has of it.
    pub(crate) stored: StoredKey,
    pub(crate) credential: Credential,
}

impl ApiKey {
    /// Whose.
    pub fn account(&self) -> AccountId {
        self.stored.account
    }

    /// How it signs.
    pub fn kind(&self) -> KeyKind {
        self.stored.kind
    }

    /// What it may do.
    pub fn permissions(&self) -> Permissions {
        Permissions(self.stored.permissions)
    }

    /// Whether it may be used from `peer`. Where it is not known from where, only a key that is bound to no addresses may.
    pub fn allows_from(&self, peer: Option<IpAddr>) -> bool {
        let ranges = &self.stored.ip_ranges;
        ranges.is_empty() || peer.is_some_and(|peer| ranges.iter().any(|range| range.contains(peer)))
    }
}

/// What a new key is to be.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Grant {
    /// Whose.
    pub account: AccountId,
    /// What its owner calls it; may be empty.
    pub label: KeyLabel,
    /// What it may do.
    pub permissions: Permissions,
    /// From where it may be used; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
}

impl Grant {
    /// With these permissions, from everywhere and without a label.
    pub const fn new(account: AccountId, permissions: Permissions) -> Self {
        Self { account, label: KeyLabel::EMPTY, permissions, ip_ranges: Vec::new() }
    }
}

/// A new key: the command that makes it known, and the secret, which is shown once and then forgotten.
#[derive(Debug)]
pub struct IssuedKey {
    /// To be handed in.
    pub command: AddApiKey,
    /// What the client signs with.
    pub secret: String,
}

/// All API keys that are valid now.
pub struct KeyStore {
    master: RwLock<MasterKey>,
    random: SystemRandom,
    keys: RwLock<HashMap<ApiKeyId, Arc<ApiKey>>>,
}

impl KeyStore {
    /// Opens all that the partition has stored. The first that does not open tells that the master key is the wrong one.
    pub fn open(master: MasterKey, stored: impl IntoIterator<Item = StoredKey>) -> Result<Self, KeyError> {
        let store =
            Self { master: RwLock::new(master), random: SystemRandom::new(), keys: RwLock::default() };
        for key in stored {
            store.insert(&key)?;
        }
        Ok(store)
    }

    /// Adds a key that has become durable.
    pub fn insert(&self, stored: &StoredKey) -> Result<(), KeyError> {
        let StoredKey { key, account, kind, sealed, .. } = stored;
        let opened = self.master().open(*kind, key, *account, sealed)?;
        let credential = match kind {
            KeyKind::HmacSha256 => Credential::Hmac(hmac::Key::new(hmac::HMAC_SHA256, &opened)),
            KeyKind::Ed25519 => {
                let half = <[u8; 32]>::try_from(&*opened).map_err(|_| KeyError::WrongKey { key: *key })?;
                Credential::Ed25519(UnparsedPublicKey::new(&ED25519, half))
            }
        };
        self.put(ApiKey { stored: stored.clone(), credential });
        Ok(())
    }

    /// Gives a key that is there other permissions and addresses, once that has become durable.
    pub fn change(&self, key: &ApiKeyId, permissions: u32, ip_ranges: &[IpRange]) -> Result<(), KeyError> {
        let Some(found) = self.find(key) else { return Ok(()) };
        self.insert(&StoredKey { permissions, ip_ranges: ip_ranges.to_vec(), ..found.stored.clone() })
    }

    fn put(&self, key: ApiKey) {
        let mut keys = self.keys.write().unwrap_or_else(PoisonError::into_inner);
        keys.insert(key.stored.key, Arc::new(key));
    }

    fn master(&self) -> MasterKey {
        self.master.read().unwrap_or_else(PoisonError::into_inner).clone()
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
        let mut found: Vec<_> = keys.values().filter(|key| key.account() == account).cloned().collect();
        found.sort_by_key(|key| key.stored.key);
        found
    }

    /// Makes up a new key: 64 letters and digits for its name, 64 for the secret.
    pub fn issue(&self, grant: Grant) -> Result<IssuedKey, KeyError> {
        let secret = random_text::<64>(&self.random)?;
        let command = self.sealed(grant, KeyKind::HmacSha256, secret.as_bytes())?;
        Ok(IssuedKey { command, secret })
    }

    /// Makes up the name of a key whose pair the client has made.
    pub fn register(&self, grant: Grant, public_half: &PublicKey) -> Result<AddApiKey, KeyError> {
        self.sealed(grant, KeyKind::Ed25519, &public_half.0)
    }

    fn sealed(&self, grant: Grant, kind: KeyKind, credential: &[u8]) -> Result<AddApiKey, KeyError> {
        let Grant { account, label, permissions: Permissions(permissions), ip_ranges } = grant;
        let name = random_text::<64>(&self.random)?;
        let key = ApiKeyId::new(&name).expect("letters and digits are visible");
        let sealed = self.master().seal(kind, &key, account, credential)?;
        Ok(AddApiKey { account, key, kind, sealed, label, permissions, ip_ranges })
    }
}

#[cfg(test)]
mod tests {
    use super::*;

    fn store() -> KeyStore {
        KeyStore::open(MasterKey::generate().unwrap(), []).unwrap()
    }

    #[test]
    fn a_wrong_master_key_is_told_in_one_sentence() {
        let issued = store().issue(Grant::new(AccountId(1), Permissions::READ)).unwrap();
        let stored = StoredKey::from(&issued.command);
        let error = KeyStore::open(MasterKey::generate().unwrap(), [stored]).err().expect("it is another");
        assert!(
            error.to_string().ends_with("it is not the one that this data directory was made with"),
            "{error}"
        );
    }

    #[test]
    fn issued_keys_are_found_until_they_are_removed() {
        let store = store();
        let permissions = Permissions::READ.and(Permissions::TRADE);
        let IssuedKey { command, secret } = store.issue(Grant::new(AccountId(5), permissions)).unwrap();
        assert_eq!((command.key.as_bytes().len(), secret.len()), (64, 64));
        assert!(store.find(&command.key).is_none(), "not before it is durable");
        store.insert(&StoredKey::from(&command)).unwrap();
        let found = store.find(&command.key).unwrap().permissions();
        assert!(found.allow(Permissions::TRADE) && !found.allow(Permissions::WITHDRAW));
        assert_eq!(found.names().collect::<Vec<_>>(), ["read", "trade"]);
        assert_eq!(store.of_account(AccountId(5)).len(), 1);
        store.remove(&command.key);
        assert!(store.find(&command.key).is_none());
    }

    #[test]
    fn a_public_half_is_no_secret_of_another_kind() {
        // Whoever can write the journal must not turn a public half, which everybody may know, into an HMAC secret.
        let store = store();
        let public = PublicKey([7; 32]);
        let command = store.register(Grant::new(AccountId(5), Permissions::READ), &public).unwrap();
        let stored = StoredKey::from(&command);
        store.insert(&stored).unwrap();
        for forged in [
            StoredKey { kind: KeyKind::HmacSha256, ..stored.clone() },
            StoredKey { account: AccountId(6), ..stored.clone() },
            StoredKey { sealed: public.0.to_vec(), ..stored.clone() },
        ] {
            assert!(store.insert(&forged).is_err(), "{forged:?}");
        }
    }

    #[test]
    fn a_key_is_bound_to_its_addresses() {
        let store = store();
        let mut grant = Grant::new(AccountId(5), Permissions::READ);
        grant.ip_ranges = vec!["192.0.2.0/24".parse().unwrap(), "2001:db8::7".parse().unwrap()];
        let command = store.issue(grant).unwrap().command;
        store.insert(&StoredKey::from(&command)).unwrap();
        let allows = |peer: Option<&str>| {
            store.find(&command.key).unwrap().allows_from(peer.map(|peer| peer.parse().unwrap()))
        };
        assert!(allows(Some("192.0.2.7")) && allows(Some("::ffff:192.0.2.7")) && allows(Some("2001:db8::7")));
        assert!(!allows(Some("192.0.3.7")) && !allows(Some("2001:db8::8")) && !allows(None));

        store.change(&command.key, 3, &[]).unwrap();
        assert!(allows(None) && allows(Some("192.0.3.7")));
        assert_eq!(store.find(&command.key).unwrap().permissions(), Permissions(3));
    }

    #[test]
    fn permissions_have_names() {
        assert_eq!(Permissions::from_names(["read", "trade"]), Ok(Permissions(3)));
        assert_eq!(Permissions::from_names(["read", "fly"]), Err("fly"));
    }
}
