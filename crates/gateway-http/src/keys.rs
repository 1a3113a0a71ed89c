//! API keys: which key signs for whom, may do what and from where, and how its signatures are checked.
//!
//! The master key under which their credentials are sealed can be changed while all this is used. First the file of the master
//! key gets the new one beside the old; then every credential is sealed anew, by commands; then the file gets the new one alone.
//! Whatever stops that in between, the file opens all that the journal has, and whoever goes on finds what is left to do in
//! [`KeyStore::outdated`].

use std::collections::{BTreeMap, HashMap};
use std::net::IpAddr;
use std::sync::{Arc, Mutex, MutexGuard, PoisonError, RwLock, RwLockReadGuard, RwLockWriteGuard};

use model::{AccountId, AddApiKey, ApiKeyId, IpRange, KeyKind, KeyLabel, ResealApiKey};
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
#[derive(Clone)]
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
    /// Those that were handed in, and of which nobody has heard what became: they may be in the journal.
    unsure: Mutex<BTreeMap<ApiKeyId, StoredKey>>,
    /// Shared from sealing a credential until its command is handed in; alone while another master key begins to seal. So
    /// nothing that the old one has sealed is overlooked.
    pub(crate) sealing: Arc<tokio::sync::RwLock<()>>,
    /// Held while somebody changes the master key.
    pub(crate) changing: Arc<tokio::sync::Mutex<()>>,
}

impl KeyStore {
    /// Opens all that the partition has stored. The first that does not open tells that the master key is the wrong one.
    pub fn open(master: MasterKey, stored: impl IntoIterator<Item = StoredKey>) -> Result<Self, KeyError> {
        let store = Self {
            master: RwLock::new(master),
            random: SystemRandom::new(),
            keys: RwLock::default(),
            unsure: Mutex::default(),
            sealing: Arc::default(),
            changing: Arc::default(),
        };
        for key in stored {
            store.insert(&key)?;
        }
        Ok(store)
    }

    fn master(&self) -> RwLockReadGuard<'_, MasterKey> {
        self.master.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys(&self) -> RwLockReadGuard<'_, HashMap<ApiKeyId, Arc<ApiKey>>> {
        self.keys.read().unwrap_or_else(PoisonError::into_inner)
    }

    fn keys_mut(&self) -> RwLockWriteGuard<'_, HashMap<ApiKeyId, Arc<ApiKey>>> {
        self.keys.write().unwrap_or_else(PoisonError::into_inner)
    }

    fn unsure(&self) -> MutexGuard<'_, BTreeMap<ApiKeyId, StoredKey>> {
        self.unsure.lock().unwrap_or_else(PoisonError::into_inner)
    }

    /// Remembers a key whose command is about to be handed in.
    pub fn handed_in(&self, stored: &StoredKey) {
        self.unsure().insert(stored.key, stored.clone());
    }

    /// Forgets a key whose command was refused.
    pub fn refused(&self, key: &ApiKeyId) {
        self.unsure().remove(key);
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
        self.keys_mut().insert(*key, Arc::new(ApiKey { stored: stored.clone(), credential }));
        self.unsure().remove(key);
        Ok(())
    }

    /// Gives a key that is there other permissions and addresses, once that has become durable.
    pub fn change(&self, key: &ApiKeyId, permissions: u32, ip_ranges: &[IpRange]) {
        self.replace(key, |stored| StoredKey {
            permissions,
            ip_ranges: ip_ranges.to_vec(),
            ..stored.clone()
        });
    }

    /// Puts what is stored of a key in place of what was; its credential stays.
    fn replace(&self, key: &ApiKeyId, changed: impl FnOnce(&StoredKey) -> StoredKey) {
        if let Some(found) = self.keys_mut().get_mut(key) {
            *found =
                Arc::new(ApiKey { stored: changed(&found.stored), credential: found.credential.clone() });
        }
    }

    /// True when the file of the master key still has one from before.
    pub fn is_changing(&self) -> bool {
        self.master().is_changing()
    }

    /// Seals with the key of `next` from now on; what was sealed before opens all the same. The file says so first.
    pub(crate) fn begin_change(&self, next: &MasterKey) -> Result<(), KeyError> {
        let mut master = self.master.write().unwrap_or_else(PoisonError::into_inner);
        *master = master.begin_change(next)?;
        Ok(())
    }

    /// What has to be sealed anew before the master key from before can be forgotten: nothing else needs it.
    pub fn outdated(&self) -> Result<Vec<ResealApiKey>, KeyError> {
        let mut stored: BTreeMap<ApiKeyId, StoredKey> = self.unsure().clone();
        stored.extend(self.keys().values().map(|key| (key.stored.key, key.stored.clone())));
        let master = self.master();
        let mut outdated = Vec::new();
        for StoredKey { key, account, kind, sealed, .. } in stored.into_values() {
            if !master.has_sealed(kind, &key, account, &sealed)? {
                let opened = master.open(kind, &key, account, &sealed)?;
                outdated.push(ResealApiKey { key, sealed: master.seal(kind, &key, account, &opened)? });
            }
        }
        Ok(outdated)
    }

    /// Takes over a credential whose new seal has become durable.
    pub fn resealed(&self, ResealApiKey { key, sealed }: &ResealApiKey) {
        self.replace(key, |stored| StoredKey { sealed: sealed.clone(), ..stored.clone() });
        if let Some(stored) = self.unsure().get_mut(key) {
            stored.sealed.clone_from(sealed);
        }
    }

    /// Forgets the master keys from before, in the file too. Only when nothing is [outdated](Self::outdated).
    pub fn finish_change(&self) -> Result<(), KeyError> {
        assert!(self.outdated()?.is_empty(), "no master key is forgotten that something is sealed with");
        let mut master = self.master.write().unwrap_or_else(PoisonError::into_inner);
        *master = master.finish_change()?;
        Ok(())
    }

    /// Forgets a key whose revocation has become durable, or that was never there.
    pub fn remove(&self, key: &ApiKeyId) {
        self.keys_mut().remove(key);
        self.unsure().remove(key);
    }

    /// The key of that name.
    pub fn find(&self, key: &ApiKeyId) -> Option<Arc<ApiKey>> {
        self.keys().get(key).cloned()
    }

    /// The keys of one account, by name.
    pub fn of_account(&self, account: AccountId) -> Vec<Arc<ApiKey>> {
        let keys = self.keys();
        let mut found: Vec<_> = keys.values().filter(|key| key.account() == account).cloned().collect();
        found.sort_by_key(|key| key.stored.key);
        found
    }

    /// Makes up a new key: 64 letters and digits for its name, 64 for the secret.
    pub fn issue(&self, grant: Grant) -> Result<IssuedKey, KeyError> {
        let secret = random_text::<64>(&self.random)?;
        let command = self.sealed(grant, KeyKind::HmacSha256, self.new_name()?, secret.as_bytes())?;
        Ok(IssuedKey { command, secret })
    }

    /// A key that its client has from an exchange before this one, by its name and secret.
    pub fn reissue(&self, grant: Grant, key: ApiKeyId, secret: &str) -> Result<AddApiKey, KeyError> {
        self.sealed(grant, KeyKind::HmacSha256, key, secret.as_bytes())
    }

    /// Makes up the name of a key whose pair the client has made.
    pub fn register(&self, grant: Grant, public_half: &PublicKey) -> Result<AddApiKey, KeyError> {
        self.sealed(grant, KeyKind::Ed25519, self.new_name()?, &public_half.0)
    }

    fn new_name(&self) -> Result<ApiKeyId, KeyError> {
        let name = random_text::<64>(&self.random)?;
        Ok(ApiKeyId::new(&name).expect("letters and digits are visible"))
    }

    fn sealed(
        &self,
        grant: Grant,
        kind: KeyKind,
        key: ApiKeyId,
        credential: &[u8],
    ) -> Result<AddApiKey, KeyError> {
        let Grant { account, label, permissions: Permissions(permissions), ip_ranges } = grant;
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

        store.change(&command.key, 3, &[]);
        assert!(allows(None) && allows(Some("192.0.3.7")));
        assert_eq!(store.find(&command.key).unwrap().permissions(), Permissions(3));
    }

    #[test]
    fn permissions_have_names() {
        assert_eq!(Permissions::from_names(["read", "trade"]), Ok(Permissions(3)));
        assert_eq!(Permissions::from_names(["read", "fly"]), Err("fly"));
    }

    /// A file of a master key, and what a partition has sealed under it: all that a crash leaves behind.
    struct Left {
        folder: tempfile::TempDir,
        partition: BTreeMap<ApiKeyId, StoredKey>,
        secrets: Vec<(ApiKeyId, Vec<u8>)>,
    }

    impl Left {
        fn with_keys(count: usize) -> Self {
            let folder = tempfile::tempdir().unwrap();
            let mut left = Self { folder, partition: BTreeMap::new(), secrets: Vec::new() };
            MasterKey::generate().unwrap().write_new(&left.file()).unwrap();
            let store = left.started();
            for at in 0..count {
                let grant = Grant::new(AccountId(1), Permissions::READ);
                let (command, secret) = if at % 2 == 0 {
                    let IssuedKey { command, secret } = store.issue(grant).unwrap();
                    (command, secret.into_bytes())
                } else {
                    (store.register(grant, &PublicKey([9; 32])).unwrap(), vec![9; 32])
                };
                left.secrets.push((command.key, secret));
                left.partition.insert(command.key, StoredKey::from(&command));
            }
            left
        }

        fn file(&self) -> std::path::PathBuf {
            self.folder.path().join("master.key")
        }

        /// As after a start: everything opens, and is what it was.
        fn started(&self) -> KeyStore {
            let master = MasterKey::from_file(&self.file()).unwrap();
            for (key, secret) in &self.secrets {
                let StoredKey { kind, account, sealed, .. } = &self.partition[key];
                assert_eq!(&master.open(*kind, key, *account, sealed).unwrap(), secret);
            }
            KeyStore::open(master, self.partition.values().cloned()).unwrap()
        }

        /// Begins a change, or goes on with one, and crashes after so many steps; true when it was done before that.
        fn change(&mut self, next: Option<&MasterKey>, crash_after: usize) -> bool {
            let store = self.started();
            let mut steps = 0..crash_after;
            if let Some(next) = next.filter(|_| !store.is_changing()) {
                if steps.next().is_none() {
                    return false;
                }
                store.begin_change(next).unwrap();
            }
            for command in store.outdated().unwrap() {
                if steps.next().is_none() {
                    // Crashed in the middle of writing another file, which nobody reads.
                    std::fs::write(self.folder.path().join("master.key.tmp"), "half a").unwrap();
                    return false;
                }
                // Durable first; whether the store has heard of it before a crash makes no difference.
                self.partition.get_mut(&command.key).unwrap().sealed.clone_from(&command.sealed);
                store.resealed(&command);
            }
            if steps.next().is_none() {
                return false;
            }
            store.finish_change().unwrap();
            true
        }
    }

    /// A change of the master key can be stopped at any moment, and the next one that goes on with it can be, too.
    #[test]
    fn a_change_of_the_master_key_survives_a_crash_at_every_step() {
        for count in [0, 2] {
            let mut done_at = 0;
            for first_crash in 0..=count + 3 {
                for second_crash in 0..=count + 3 {
                    let mut left = Left::with_keys(count);
                    let before = MasterKey::from_file(&left.file()).unwrap();
                    let next = MasterKey::generate().unwrap();
                    let done =
                        left.change(Some(&next), first_crash) || left.change(Some(&next), second_crash);
                    if done {
                        done_at = done_at.max(first_crash.min(second_crash));
                    } else {
                        // What a start does.
                        left.change(None, usize::MAX);
                        if !MasterKey::from_file(&left.file()).unwrap().seals_as(&next) {
                            assert!(left.change(Some(&next), usize::MAX), "nothing had been begun");
                        }
                    }
                    let after = MasterKey::from_file(&left.file()).unwrap();
                    assert!(!after.is_changing() && after.seals_as(&next), "only the new one is left");
                    left.started();
                    for (key, _) in &left.secrets {
                        let StoredKey { kind, account, sealed, .. } = &left.partition[key];
                        assert!(
                            before.open(*kind, key, *account, sealed).is_err(),
                            "the old one opens nothing"
                        );
                    }
                }
            }
            assert!(done_at > 0, "some changes were done before a crash");
        }
    }

    #[test]
    fn a_key_of_unknown_fate_is_sealed_anew_too() {
        let folder = tempfile::tempdir().unwrap();
        let file = folder.path().join("master.key");
        MasterKey::generate().unwrap().write_new(&file).unwrap();
        let store = KeyStore::open(MasterKey::from_file(&file).unwrap(), []).unwrap();
        let command = store.issue(Grant::new(AccountId(1), Permissions::READ)).unwrap().command;
        store.handed_in(&StoredKey::from(&command));
        store.begin_change(&MasterKey::generate().unwrap()).unwrap();
        let outdated = store.outdated().unwrap();
        assert_eq!(outdated.iter().map(|reseal| reseal.key).collect::<Vec<_>>(), [command.key]);
        store.resealed(&outdated[0]);
        assert_eq!(store.outdated().unwrap(), []);
        store.finish_change().unwrap();
        let resealed = StoredKey { sealed: outdated[0].sealed.clone(), ..StoredKey::from(&command) };
        store.insert(&resealed).unwrap();
        assert!(store.insert(&StoredKey::from(&command)).is_err(), "the old seal opens no more");
    }
}
