//! The accounts' half of a partition: who there is, what they have, and which of their orders are open.

use std::collections::{BTreeMap, BTreeSet};

use ledger::Ledger;
use model::{
    AccountId, AccountName, AddApiKey, Amount, ApiKeyAdded, ApiKeyChanged, ApiKeyCreated, ApiKeyId, AssetId,
    ChangeApiKey, CreateAccount, CreateApiKey, Event, IpRange, KeyKind, KeyLabel, MarketId, MarketTerms,
    Marks, OrderId, OrderRef, PlaceOrder, PriceTicks, Reference, Reject, ReplaceMode, ReplacementId,
    RequestWithdrawal, ResealApiKey, RevokeApiKey, TradeGroup, WithdrawalId,
};
use orderbook::{Order, OrderSlot, Orders, fetch_ahead};

use crate::catalog::Catalog;
use crate::futures::Futures;
use crate::open_orders::{Balances, Hint, OpenOrders, SeatSlot};

/// What every order asks of its account. Names lie elsewhere, so that many accounts are near at hand.
pub struct Account {
    pub trade_group: TradeGroup,
    /// False for those of other partitions.
    pub is_here: bool,
}

/// An API key as the partition keeps it for the gateways.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct ApiKey {
    /// Whose orders it signs.
    pub account: AccountId,
    /// How it signs.
    pub kind: KeyKind,
    /// What its signatures are checked with, sealed under a key that the partition never sees.
    pub sealed: Vec<u8>,
    /// What its owner calls it; may be empty.
    pub label: KeyLabel,
    /// What it may do; the gateway gives the bits their meaning.
    pub permissions: u32,
    /// From where it may be used; empty means from everywhere.
    pub ip_ranges: Vec<IpRange>,
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
    /// Of each in the list; empty where there never was one.
    pub names_by_number: Vec<AccountName>,
    pub names: BTreeMap<AccountName, AccountId>,
    pub ledger: Ledger,
    pub open: OpenOrders<Balances, Amount>,
    pub futures: Futures,
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
    /// Withdrawals for which money is held, while the directory is asked for their references.
    pub asked_withdrawals: BTreeMap<Reference, RequestWithdrawal>,
    /// By asset: what other partitions have deposited. Only the directory knows it.
    pub deposited_elsewhere: Vec<Amount>,
    pub next_order: OrderId,
    pub next_withdrawal: WithdrawalId,
}

impl Default for Accounts {
    fn default() -> Self {
        Self {
            list: Vec::new(),
            names_by_number: Vec::new(),
            names: BTreeMap::new(),
            ledger: Ledger::default(),
            open: OpenOrders::default(),
            futures: Futures::default(),
            keys: BTreeMap::new(),
            withdrawals: BTreeMap::new(),
            deposit_references: BTreeSet::new(),
            withdrawal_references: BTreeSet::new(),
            replacements: BTreeMap::new(),
            reference_prices: Vec::new(),
            asked_withdrawals: BTreeMap::new(),
            deposited_elsewhere: Vec::new(),
            next_order: OrderId(1),
            next_withdrawal: WithdrawalId(1),
        }
    }
}

fn index(account: AccountId) -> Option<usize> {
    usize::try_from(account.0.checked_sub(1)?).ok()
}

fn check_sealed(sealed: &[u8]) -> Result<(), Reject> {
    let len = sealed.len();
    if len == 0 || len > CreateApiKey::MAX_SEALED_BYTES {
        return Err(Reject::BadSealedSecret { len: u32::try_from(len).unwrap_or(u32::MAX) });
    }
    Ok(())
}

fn check_ip_ranges(ranges: &[IpRange]) -> Result<(), Reject> {
    if ranges.len() > AddApiKey::MAX_IP_RANGES {
        let max = u32::try_from(AddApiKey::MAX_IP_RANGES).expect("the limit is small");
        return Err(Reject::TooManyIpRanges { max });
    }
    let bad = ranges.iter().find(|range| !range.is_valid());
    bad.map_or(Ok(()), |range| Err(Reject::BadIpRange { range: *range }))
}

impl Accounts {
    pub fn account(&self, account: AccountId) -> Result<&Account, Reject> {
        let found = index(account).and_then(|at| self.list.get(at));
        found.filter(|found| found.is_here).ok_or(Reject::UnknownAccount { account })
    }

    /// Opens the totals of the next asset.
    pub fn add_asset(&mut self) {
        self.ledger.add_asset();
        self.deposited_elsewhere.push(Amount::ZERO);
    }

    pub fn restore_deposited_elsewhere(&mut self, asset: AssetId, deposited: Amount) {
        self.deposited_elsewhere[usize::try_from(asset.0).expect("assets fit into memory")] = deposited;
    }

    pub fn create(
        &mut self,
        create: &CreateAccount,
        is_here: bool,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        if create.name.is_empty() {
            return Err(Reject::NameMissing);
        }
        if self.names.contains_key(&create.name) {
            return Err(Reject::NameTaken);
        }
        #[cfg(feature = "planted-panic")]
        assert!(create.name.as_str() != "plant-a-panic", "an invariant that was planted to be broken");
        let account = self.add(create.name, create.trade_group, is_here);
        events.push(Event::AccountCreated { account, name: create.name, trade_group: create.trade_group });
        Ok(())
    }

    pub fn add(&mut self, name: AccountName, trade_group: TradeGroup, is_here: bool) -> AccountId {
        let account = self.next_account();
        self.list.push(Account { trade_group, is_here });
        self.names_by_number.push(name);
        self.ledger.add_account();
        if !name.is_empty() {
            self.names.insert(name, account);
        }
        account
    }

    /// Leaves the places of the accounts before this one empty: they are in other partitions.
    pub fn add_vacant_before(&mut self, account: AccountId) {
        while self.next_account() < account {
            self.add(AccountName::EMPTY, TradeGroup::NONE, false);
        }
    }

    /// As the first version did it, and told it.
    pub fn create_api_key(&mut self, create: &CreateApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        let CreateApiKey { account, key, sealed_secret, permissions } = create;
        let (account, permissions) = (*account, *permissions);
        self.keep_api_key(
            *key,
            ApiKey {
                account,
                kind: KeyKind::HmacSha256,
                sealed: sealed_secret.clone(),
                label: KeyLabel::EMPTY,
                permissions,
                ip_ranges: Vec::new(),
            },
        )?;
        events.push(Event::ApiKeyCreated(ApiKeyCreated { account, key: *key, permissions }));
        Ok(())
    }

    pub fn add_api_key(&mut self, add: &AddApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        let AddApiKey { account, key, kind, sealed, label, permissions, ip_ranges } = add;
        let (account, key, kind, label, permissions) = (*account, *key, *kind, *label, *permissions);
        let (sealed, ip_ranges) = (sealed.clone(), ip_ranges.clone());
        self.keep_api_key(
            key,
            ApiKey { account, kind, sealed, label, permissions, ip_ranges: ip_ranges.clone() },
        )?;
        events.push(Event::ApiKeyAdded(Box::new(ApiKeyAdded {
            account,
            key,
            kind,
            label,
            permissions,
            ip_ranges,
        })));
        Ok(())
    }

    fn keep_api_key(&mut self, id: ApiKeyId, key: ApiKey) -> Result<(), Reject> {
        if index(key.account).is_none_or(|at| at >= self.list.len()) {
            return Err(Reject::UnknownAccount { account: key.account });
        }
        if id.is_empty() {
            return Err(Reject::NameMissing);
        }
        check_sealed(&key.sealed)?;
        check_ip_ranges(&key.ip_ranges)?;
        if self.keys.contains_key(&id) {
            return Err(Reject::NameTaken);
        }
        self.keys.insert(id, key);
        Ok(())
    }

    pub fn change_api_key(&mut self, change: &ChangeApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        let ChangeApiKey { key: id, permissions, ip_ranges } = change;
        let key = self.keys.get_mut(id).ok_or(Reject::UnknownApiKey)?;
        check_ip_ranges(ip_ranges)?;
        (key.permissions, key.ip_ranges) = (*permissions, ip_ranges.clone());
        let (account, permissions, ip_ranges) = (key.account, key.permissions, key.ip_ranges.clone());
        events.push(Event::ApiKeyChanged(ApiKeyChanged { account, key: *id, permissions, ip_ranges }));
        Ok(())
    }

    pub fn reseal_api_key(&mut self, reseal: &ResealApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        let key = self.keys.get_mut(&reseal.key).ok_or(Reject::UnknownApiKey)?;
        check_sealed(&reseal.sealed)?;
        key.sealed.clone_from(&reseal.sealed);
        events.push(Event::ApiKeyResealed { account: key.account, key: reseal.key });
        Ok(())
    }

    pub fn revoke_api_key(&mut self, revoke: &RevokeApiKey, events: &mut Vec<Event>) -> Result<(), Reject> {
        let revoked = self.keys.remove(&revoke.key).ok_or(Reject::UnknownApiKey)?;
        events.push(Event::ApiKeyRevoked { account: revoked.account, key: revoke.key });
        Ok(())
    }

    /// The account's seat at a market, where it has one already.
    #[inline]
    pub fn seat(
        &self,
        hint: Option<SeatSlot>,
        account: AccountId,
        market: MarketId,
    ) -> Result<Option<SeatSlot>, Reject> {
        self.account(account)?;
        Ok(self.open.find_seat_at(hint, account, market))
    }

    /// The account's seat at a market; it takes one where it has none.
    #[inline]
    pub fn take_seat(&mut self, account: AccountId, market: MarketId, terms: &MarketTerms) -> SeatSlot {
        self.open.find_seat(account, market).unwrap_or_else(|| self.add_seat(account, market, terms))
    }

    /// As [`Self::take_seat`], where it is known that the account has none.
    pub fn add_seat(&mut self, account: AccountId, market: MarketId, terms: &MarketTerms) -> SeatSlot {
        let base = self.ledger.slot(account, terms.base);
        let quote = self.ledger.slot(account, terms.quote);
        self.open.add_seat(account, market, Balances { base, quote })
    }

    /// The orders of a market's book, among others.
    #[inline]
    pub fn orders_at(&self, catalog: &Catalog, market: MarketId) -> &Orders {
        if catalog.contract(market).is_some() { &self.futures.open.orders } else { &self.open.orders }
    }

    /// As [`Self::orders_at`], for whoever changes them.
    #[inline]
    pub fn orders_at_mut(&mut self, catalog: &Catalog, market: MarketId) -> &mut Orders {
        if catalog.contract(market).is_some() { &mut self.futures.open.orders } else { &mut self.open.orders }
    }

    /// An order, if it rests on some book here.
    pub fn resting(&self, order: OrderId) -> Option<&Order> {
        let Self { open, futures, .. } = self;
        let resting = [&open.orders, &futures.open.orders];
        resting.into_iter().find_map(|orders| orders.find(order).map(|slot| &orders[slot]))
    }

    /// Gives orders that are on their books their marks. An order that is on none is an error.
    pub fn mark(&mut self, marks: &[(OrderId, Marks)]) -> Result<(), Reject> {
        let Self { open, futures, .. } = self;
        for (order, marks) in marks {
            let mut all = [&mut open.orders, &mut futures.open.orders].into_iter();
            let found = all.find_map(|orders| orders.find(*order).map(|slot| (orders, slot)));
            let (orders, slot) = found.ok_or(Reject::OrderGone { order: *order })?;
            orders[slot].marks = *marks;
        }
        Ok(())
    }

    /// Asks for what an order needs of its account.
    #[inline]
    pub fn fetch_account(&self, account: AccountId) {
        if let Some(account) = index(account).and_then(|at| self.list.get(at)) {
            fetch_ahead(account);
        }
    }

    /// The open order that is meant, and its number, if it is this account's, in this market.
    pub fn find_order(
        &self,
        catalog: &Catalog,
        (account, market): (AccountId, MarketId),
        order: &OrderRef,
        hint: Hint,
    ) -> Result<(OrderSlot, OrderId), Reject> {
        if catalog.contract(market).is_some() {
            let slot = find_order(&self.futures.open, (account, market), order, hint)?;
            Ok((slot, self.futures.open.order(slot).id()))
        } else {
            let slot = find_order(&self.open, (account, market), order, hint)?;
            Ok((slot, self.open.order(slot).id()))
        }
    }
}

/// The open order that is meant, if it is this account's, in this market.
pub fn find_order<S, H: Clone>(
    orders: &OpenOrders<S, H>,
    (account, market): (AccountId, MarketId),
    order: &OrderRef,
    hint: Hint,
) -> Result<OrderSlot, Reject> {
    let found = match order {
        OrderRef::Id(id) | OrderRef::Both((id, _)) => orders.orders.find_kept_at(hint.order, *id),
        OrderRef::Client(name) => orders.find_named_at(hint.order, account, name),
    };
    let slot = found.ok_or(Reject::UnknownOrder)?;
    let open = orders.order(slot);
    let seat = orders.seat(open.seat);
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
