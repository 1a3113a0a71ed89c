//! The accounts' half of a partition: who there is, what they have, and which of their orders are open.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Ledger;
use model::{
    AccountId, AccountName, Amount, ApiKeyCreated, ApiKeyId, AssetId, CreateAccount, CreateApiKey, Event,
    MarketId, MarketTerms, OrderId, OrderRef, PlaceOrder, PriceTicks, Reference, Reject, ReplaceMode,
    RevokeApiKey, TradeGroup, WithdrawalId,
};

use crate::messages::ReplacementId;
use crate::open_orders::{OpenOrderSlot, OpenOrders, SeatSlot};

/// An account.
pub struct Account {
    pub name: AccountName,
    pub trade_group: TradeGroup,
    /// Its seats, by market.
    pub seats: Vec<(MarketId, SeatSlot)>,
}

/// An API key as the partition keeps it for the gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose orders it signs.
    pub account: AccountId,
    /// Sealed under a key that the partition never sees.
    pub sealed_secret: Vec<u8>,
    /// What it may do; the gateway gives the bits their meaning.
    pub permissions: u32,
}

/// A withdrawal that was neither paid out nor given back yet.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Withdrawal {
    pub account: AccountId,
    pub asset: AssetId,
    pub amount: Amount,
}

/// A replacement that waits for what becomes of the cancel.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Replacement {
    pub mode: ReplaceMode,
    pub place: PlaceOrder,
}

/// All accounts of a partition.
pub struct Accounts {
    pub list: Vec<Account>,
    pub names: BTreeMap<AccountName, AccountId>,
    pub ledger: Ledger,
    pub open: OpenOrders,
    pub keys: BTreeMap<ApiKeyId, ApiKey>,
    pub withdrawals: BTreeMap<WithdrawalId, Withdrawal>,
    /// References of all deposits there ever were, so that none is credited twice.
    pub deposit_references: BTreeSet<Reference>,
    /// References of all withdrawals there ever were.
    pub withdrawal_references: BTreeSet<Reference>,
    /// Those that wait for the answer to their cancel.
    pub replacements: BTreeMap<ReplacementId, Replacement>,
    /// By market: the last that each has told.
    pub reference_prices: Vec<PriceTicks>,
    pub next_order: OrderId,
    pub next_withdrawal: WithdrawalId,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            names: BTreeMap::new(),
            ledger: Ledger::default(),
            open: OpenOrders::default(),
            keys: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            deposit_references: BTreeSet::new(),
            withdrawal_references: BTreeSet::new(),
            replacements: BTreeMap::new(),
            reference_prices: Vec::new(),
            next_order: OrderId(1),
            next_withdrawal: WithdrawalId(1),
        }
    }
}

fn index(account: AccountId) -> Option<usize> {
    usize::try_from(account.0.checked_sub(1)?).ok()
}

impl Accounts {
    pub fn account(&self, account: AccountId) -> Result<&Account, Reject> {
        index(account).and_then(|at| self.list.get(at)).ok_or(Reject::UnknownAccount { account })
    }

    pub fn create(&mut self, create: &CreateAccount, events: &mut Vec<Event>) -> Result<(), Reject> {
        if create.name.is_empty() {
            return Err(Reject::NameMissing);
        }
        if self.names.contains_key(&create.name) {
            return Err(Reject::NameTaken);
        }
        #[cfg(feature = "planted-panic")]
        assert!(create.name.as_str() != "plant-a-panic", "an invariant that was planted to be broken");
        let account = self.add(create.name, create.trade_group);
        events.push(Event::AccountCreated { account, name: create.name, trade_group: create.trade_group });
        Ok(())
    }

    pub fn add(&mut self, name: AccountName, trade_group: TradeGroup) -> AccountId {
        self.list.push(Account { name, trade_group, seats: Vec::new() });
        self.ledger.add_account();
        let account = AccountId(u64::try_from(self.list.len()).expect("fewer than 2^64 accounts"));
        self.names.insert(name, account);
        account
    }

    pub fn create_api_key(&mut self, create: &CreateApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        self.account(create.account)?;
        if create.key.is_empty() {
            return Err(Reject::NameMissing);
        }
        let len = create.sealed_secret.len();
        if len == 0 || len > CreateApiKey::MAX_SEALED_BYTES {
            return Err(Reject::BadSealedSecret { len: u32::try_from(len).unwrap_or(u32::MAX) });
        }
        if self.keys.contains_key(&create.key) {
            return Err(Reject::NameTaken);
        }
        let (account, permissions) = (create.account, create.permissions);
        self.keys
            .insert(create.key, ApiKey { account, sealed_secret: create.sealed_secret.clone(), permissions });
        events.push(Event::ApiKeyCreated(ApiKeyCreated { account, key: create.key, permissions }));
        Ok(())
    }

    pub fn revoke_api_key(&mut self, revoke: &RevokeApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        let revoked = self.keys.remove(&revoke.key).ok_or(Reject::UnknownApiKey)?;
        events.push(Event::ApiKeyRevoked { account: revoked.account, key: revoke.key });
        Ok(())
    }

    /// The account's seat at a market, where it has one already.
    #[inline]
    pub fn seat(&self, account: AccountId, market: MarketId) -> Result<Option<SeatSlot>, Reject> {
        let seats = &self.account(account)?.seats;
        Ok(seats.binary_search_by_key(&market, |(market, _)| *market).ok().map(|at| seats[at].1))
    }

    /// The account's seat at a market; it takes one where it has none.
    #[inline]
    pub fn take_seat(&mut self, account: AccountId, market: MarketId, terms: &MarketTerms) -> SeatSlot {
        let seats = &mut self.list[index(account).expect("accounts are numbered from 1")].seats;
        match seats.binary_search_by_key(&market, |(market, _)| *market) {
            Ok(at) => seats[at].1,
            Err(at) => {
                let base = self.ledger.slot(account, terms.base);
                let quote = self.ledger.slot(account, terms.quote);
                let seat = self.open.add_seat(account, market, base, quote);
                seats.insert(at, (market, seat));
                seat
            }
        }
    }

    /// The open order that is meant, if it is this account's, in this market.
    pub fn find_order(
        &self,
        account: AccountId,
        market: MarketId,
        order: &OrderRef,
    ) -> Result<OpenOrderSlot, Reject> {
        let found = match order {
            OrderRef::Id(id) | OrderRef::Both((id, _)) => self.open.find(*id),
            OrderRef::Client(name) => self.open.find_named(account, name),
        };
        let slot = found.ok_or(Reject::UnknownOrder)?;
        let open = self.open.order(slot);
        let seat = self.open.seat(open.seat);
        let named = match order {
            OrderRef::Both((_, name)) => open.client_order_id == *name,
            OrderRef::Id(_) | OrderRef::Client(_) => true,
        };
        if seat.account == account && seat.market == market && named {
            Ok(slot)
        } else {
            Err(Reject::UnknownOrder)
        }
    }
}
