//! The whole state as bytes and back. Slots and free lists are left out, so equal states have equal bytes, whatever way led
//! to them; the state hash is a hash of these bytes.

use std::fmt;
use std::sync::Arc;

use codec::{Coded, DecodeError, Reader, coded_struct};
use ledger::AssetTotals;
use model::{
    AccountId, AccountName, AddAsset, Amount, ApiKeyId, AssetId, AssetTerms, ClientOrderId, EntryId,
    Envelope, IpRange, KeyKind, KeyLabel, MarketId, MarketTerms, Marks, Message, OrderId, Origin,
    PartitionId, Partitions, PlaceMessage, PlaceOrder, PriceTicks, QtyLots, Reference, Reject, ReplaceMode,
    ReplacementId, RequestWithdrawal, Side, SourceTerms, Spread, TradeGroup, TradeId, WaitingOrder,
    WithdrawalId,
};
use orderbook::{Order, OrderSlot, Orders};

use crate::Partition;
use crate::accounts::{ApiKey, Replacement, Withdrawal};
use crate::market::Triggered;
use crate::open_orders::{Named, OpenOrder};
use crate::post::{Moving, Outbox};
use crate::snapshot_algos::AlgosRecord;
use crate::snapshot_futures::{FuturesRecord, PositionsRecord, RankingsRecord};
use crate::sources::Source;

/// The newest version, for rankings that are being made: what is theirs, behind its length in bytes, and then the rest as one of the others.
const RANKINGS_VERSION: u8 = 9;
/// The version for algo orders and what else waits at contracts: what is theirs, behind its length in bytes, and then the rest as one of the others.
const ALGOS_VERSION: u8 = 8;
/// The version for isolated positions and hedge mode: what is theirs, behind its length in bytes, and then the rest as one of the others.
const POSITIONS_VERSION: u8 = 7;
/// The version for contracts: what is theirs, behind its length in bytes, and then the rest as one of the others.
const CONTRACTS_VERSION: u8 = 6;
/// The version for what few states have: that, behind its length in bytes, and then the rest as one of the others.
const VERSION: u8 = 5;
/// The version that knows of sources of commands.
const SOURCES_VERSION: u8 = 4;
/// The version that knows of other partitions.
const OTHERS_VERSION: u8 = 3;
/// The version that knows all that one partition alone can have.
const ALONE_VERSION: u8 = 2;
/// The version in which every API key had one kind, no label and no address ranges. A state that has no others is still written
/// in it, so that an old journal leads a new program to the same bytes and the same hash, and the old program reads them.
const FIRST_VERSION: u8 = 1;

struct AccountRecord {
    name: AccountName,
    trade_group: TradeGroup,
}
coded_struct!(AccountRecord { name, trade_group });

struct BalanceRecord {
    account: AccountId,
    asset: AssetId,
    free: Amount,
    held: Amount,
}
coded_struct!(BalanceRecord { account, asset, free, held });

struct TotalsRecord {
    deposited: Amount,
    withdrawn: Amount,
    free: Amount,
    held: Amount,
    fees: Amount,
    in_transit: Amount,
}
coded_struct!(TotalsRecord { deposited, withdrawn, free, held, fees, in_transit });

struct OpenOrderRecord {
    order: OrderId,
    account: AccountId,
    market: MarketId,
    side: Side,
    limit_ticks: Option<PriceTicks>,
    held: Amount,
    client_order_id: ClientOrderId,
}
coded_struct!(OpenOrderRecord { order, account, market, side, limit_ticks, held, client_order_id });

struct RestingRecord {
    order: OrderId,
    account: AccountId,
    trade_group: TradeGroup,
    price_ticks: PriceTicks,
    open_lots: QtyLots,
    qty_lots: QtyLots,
    amends: u16,
}
coded_struct!(RestingRecord { order, account, trade_group, price_ticks, open_lots, qty_lots, amends });

struct MarketRecord {
    reference_ticks: PriceTicks,
    next_trade: TradeId,
    next_prevented_match: u64,
    update_id: u64,
    bids: Vec<RestingRecord>,
    asks: Vec<RestingRecord>,
}
coded_struct!(MarketRecord { reference_ticks, next_trade, next_prevented_match, update_id, bids, asks });

struct MovingRecord {
    market: MarketId,
    to: PartitionId,
    quiet: u32,
    ready: u32,
    is_here: bool,
}
coded_struct!(MovingRecord { market, to, quiet, ready, is_here });

struct OutboxRecord {
    last_number: u64,
    taken: u64,
    unconfirmed: Vec<Arc<Envelope>>,
}
coded_struct!(OutboxRecord { last_number, taken, unconfirmed });

struct ReplacementRecord {
    number: ReplacementId,
    mode: ReplaceMode,
    place: PlaceOrder,
}
coded_struct!(ReplacementRecord { number, mode, place });

/// What few states have.
#[derive(PartialEq, Eq, Default)]
struct RareRecord {
    marks: Vec<(OrderId, Marks)>,
    /// By market, orders at their market that wait for a price.
    waiting: Vec<(MarketId, Vec<WaitingOrder>)>,
    /// By market, orders at their market whose price has come, while their accounts are asked.
    triggered: Vec<(MarketId, Vec<TriggeredRecord>)>,
    /// Orders that wait for a price, as far as their accounts have heard.
    open_waiting: Vec<OrderId>,
}
coded_struct!(RareRecord { marks, waiting, triggered, open_waiting });

#[derive(PartialEq, Eq)]
struct TriggeredRecord {
    place: PlaceMessage,
    amends: u16,
    asks: bool,
}
coded_struct!(TriggeredRecord { place, amends, asks });

/// What there is only where there are other partitions; behind everything else.
struct OthersRecord {
    own: PartitionId,
    spreads: Vec<Spread>,
    market_homes: Vec<PartitionId>,
    closed_markets: Vec<MarketId>,
    moving: Vec<MovingRecord>,
    outboxes: Vec<OutboxRecord>,
    early: Vec<(Origin, Message)>,
    replacements: Vec<ReplacementRecord>,
    asked_withdrawals: Vec<RequestWithdrawal>,
    deposited_elsewhere: Vec<Amount>,
    elsewhere: Vec<Amount>,
}
coded_struct!(OthersRecord {
    own,
    spreads,
    market_homes,
    closed_markets,
    moving,
    outboxes,
    early,
    replacements,
    asked_withdrawals,
    deposited_elsewhere,
    elsewhere,
});

/// A source of commands; behind everything else.
struct SourceRecord {
    terms: SourceTerms,
    remember: u32,
    mark: EntryId,
    remembered: Vec<EntryId>,
}
coded_struct!(SourceRecord { terms, remember, mark, remembered });

struct FirstKeyRecord {
    key: ApiKeyId,
    account: AccountId,
    sealed_secret: Vec<u8>,
    permissions: u32,
}
coded_struct!(FirstKeyRecord { key, account, sealed_secret, permissions });

struct KeyRecord {
    key: ApiKeyId,
    account: AccountId,
    kind: KeyKind,
    sealed: Vec<u8>,
    label: KeyLabel,
    permissions: u32,
    ip_ranges: Vec<IpRange>,
}
coded_struct!(KeyRecord { key, account, kind, sealed, label, permissions, ip_ranges });

struct WithdrawalRecord {
    withdrawal: WithdrawalId,
    account: AccountId,
    asset: AssetId,
    amount: Amount,
}
coded_struct!(WithdrawalRecord { withdrawal, account, asset, amount });

/// Why bytes are no snapshot.
#[derive(Clone, Debug, PartialEq, Eq)]
pub enum SnapshotError {
    /// A newer program wrote it.
    Version {
        /// The version found.
        found: u8,
    },
    /// The bytes are damaged, or not a snapshot at all.
    Decode(DecodeError),
    /// A listing in it breaks a rule of listings.
    Listing(Reject),
    /// Accounts are spread over partitions as they cannot be.
    Spread,
}

impl fmt::Display for SnapshotError {
    fn fmt(&self, out: &mut fmt::Formatter<'_>) -> fmt::Result {
        match self {
            Self::Version { found } => {
                write!(
                    out,
                    "the snapshot has version {found} and this program reads up to {RANKINGS_VERSION}: use a newer program"
                )
            }
            Self::Decode(error) => write!(out, "the snapshot cannot be read: {error}"),
            Self::Spread => write!(out, "the snapshot spreads accounts over partitions as it cannot be"),
            Self::Listing(reject) => write!(out, "the snapshot lists what cannot be listed: {reject}"),
        }
    }
}

impl std::error::Error for SnapshotError {}

impl From<DecodeError> for SnapshotError {
    fn from(error: DecodeError) -> Self {
        Self::Decode(error)
    }
}

impl From<Reject> for SnapshotError {
    fn from(reject: Reject) -> Self {
        Self::Listing(reject)
    }
}

impl Partition {
    /// The whole state as bytes; equal states give equal bytes.
    pub fn snapshot(&self) -> Vec<u8> {
        assert!(self.mail.is_empty(), "a snapshot is taken between commands");
        let mut out = Vec::new();
        let rankings = self.rankings_record();
        if rankings != RankingsRecord::default() {
            let mut bytes = Vec::new();
            rankings.encode(&mut bytes);
            RANKINGS_VERSION.encode(&mut out);
            bytes.encode(&mut out);
        }
        let algos = self.algos_record();
        if algos != AlgosRecord::default() {
            let mut bytes = Vec::new();
            algos.encode(&mut bytes);
            ALGOS_VERSION.encode(&mut out);
            bytes.encode(&mut out);
        }
        let positions = self.positions_record();
        if positions != PositionsRecord::default() {
            let mut bytes = Vec::new();
            positions.encode(&mut bytes);
            POSITIONS_VERSION.encode(&mut out);
            bytes.encode(&mut out);
        }
        let futures = self.futures_record();
        if futures != FuturesRecord::default() {
            let mut bytes = Vec::new();
            futures.encode(&mut bytes);
            CONTRACTS_VERSION.encode(&mut out);
            bytes.encode(&mut out);
        }
        let rare = self.rare_record();
        if rare != RareRecord::default() {
            let mut bytes = Vec::new();
            rare.encode(&mut bytes);
            VERSION.encode(&mut out);
            bytes.encode(&mut out);
        }
        let version = self.common_version();
        version.encode(&mut out);
        self.seq.encode(&mut out);
        self.time_ns.encode(&mut out);

        let assets: Vec<AssetTerms> = self.catalog.assets().map(|(_, terms)| *terms).collect();
        assets.encode(&mut out);
        let markets: Vec<MarketTerms> = self.catalog.markets().map(|(_, terms)| *terms).collect();
        markets.encode(&mut out);

        let accounts = &self.accounts;
        let records: Vec<AccountRecord> = accounts
            .names_by_number
            .iter()
            .zip(&accounts.list)
            .map(|(name, account)| AccountRecord { name: *name, trade_group: account.trade_group })
            .collect();
        records.encode(&mut out);
        let balances: Vec<BalanceRecord> = self
            .account_ids()
            .flat_map(|account| accounts.ledger.balances_of(account))
            .filter(|balance| !balance.free.is_zero() || !balance.held.is_zero())
            .map(|b| BalanceRecord { account: b.account, asset: b.asset, free: b.free, held: b.held })
            .collect();
        balances.encode(&mut out);
        let totals: Vec<TotalsRecord> =
            self.catalog.assets().map(|(asset, _)| totals_record(accounts.ledger.totals(asset))).collect();
        totals.encode(&mut out);

        let open: Vec<OpenOrderRecord> = accounts
            .open
            .seats_in_use()
            .into_iter()
            .flat_map(|(seat, at)| {
                accounts.open.at_seat(seat).map(|open| OpenOrderRecord {
                    order: open.id(),
                    account: at.account,
                    market: at.market,
                    side: open.side(),
                    limit_ticks: open.limit_ticks(),
                    held: open.held,
                    client_order_id: open.client_order_id,
                })
            })
            .collect();
        open.encode(&mut out);
        if version == FIRST_VERSION {
            let keys: Vec<FirstKeyRecord> = accounts.keys.iter().map(first_key_record).collect();
            keys.encode(&mut out);
        } else {
            let keys: Vec<KeyRecord> = accounts.keys.iter().map(key_record).collect();
            keys.encode(&mut out);
        }
        let withdrawals: Vec<WithdrawalRecord> = accounts
            .withdrawals
            .iter()
            .map(|(id, w)| WithdrawalRecord {
                withdrawal: *id,
                account: w.account,
                asset: w.asset,
                amount: w.amount,
            })
            .collect();
        withdrawals.encode(&mut out);
        let references =
            |set: &std::collections::BTreeSet<Reference>| set.iter().copied().collect::<Vec<_>>();
        references(&accounts.deposit_references).encode(&mut out);
        references(&accounts.withdrawal_references).encode(&mut out);
        accounts.reference_prices.encode(&mut out);
        accounts.next_order.encode(&mut out);
        accounts.next_withdrawal.encode(&mut out);

        let records: Vec<MarketRecord> =
            (0..).map(MarketId).zip(&self.markets.list).map(|(id, it)| self.market_record(id, it)).collect();
        records.encode(&mut out);
        if version == OTHERS_VERSION {
            self.others_record().encode(&mut out);
        } else if version == SOURCES_VERSION {
            (!self.post.is_alone()).then(|| self.others_record()).encode(&mut out);
            self.sources.list.iter().map(source_record).collect::<Vec<_>>().encode(&mut out);
            self.sources.open.iter().map(|(seq, entry)| (*seq, *entry)).collect::<Vec<_>>().encode(&mut out);
        }
        out
    }

    fn rare_record(&self) -> RareRecord {
        let markets = || self.catalog.markets().map(|(market, _)| (market, self.markets.market(market)));
        let waiting = markets().map(|(market, listed)| (market, listed.triggers.list()));
        let triggered = markets().map(|(market, listed)| {
            let records = listed.triggered.iter().map(|triggered| {
                let Triggered { place, amends, asks, .. } = *triggered;
                TriggeredRecord { place, amends, asks }
            });
            (market, records.collect::<Vec<_>>())
        });
        let seats = self.accounts.open.seats_in_use().into_iter();
        let open = seats.flat_map(|(seat, _)| self.accounts.open.at_seat(seat));
        RareRecord {
            marks: markets()
                .flat_map(|(market, _)| self.markets.marks(self.orders_at(market), market))
                .collect(),
            waiting: waiting.filter(|(_, orders)| !orders.is_empty()).collect(),
            triggered: triggered.filter(|(_, orders)| !orders.is_empty()).collect(),
            open_waiting: open.filter(OpenOrder::waits).map(|open| open.id()).collect(),
        }
    }

    fn restore_rare(&mut self, record: RareRecord) -> Result<(), SnapshotError> {
        let Self { catalog, accounts, markets, .. } = self;
        accounts.mark(&record.marks)?;
        for (market, orders) in record.waiting {
            catalog.market(market)?;
            let triggers = &mut markets.market_mut(market).triggers;
            for waiting in &orders {
                triggers.insert(waiting);
            }
        }
        for (market, orders) in record.triggered {
            catalog.market(market)?;
            let triggered = orders.into_iter().map(|record| {
                let TriggeredRecord { place, amends, asks } = record;
                Triggered { place, slot: OrderSlot::UNKNOWN, amends, asks }
            });
            markets.market_mut(market).triggered.extend(triggered);
        }
        for order in record.open_waiting {
            let slot = accounts.open.find(order).filter(|slot| !accounts.open.order(*slot).waits());
            let slot = slot.ok_or(Reject::OrderGone { order })?;
            accounts.open.begin_to_wait(slot);
        }
        Ok(())
    }

    fn others_record(&self) -> OthersRecord {
        let Self { catalog, accounts, post, .. } = self;
        let moving = post.moving.iter().map(|(market, moving)| {
            let Moving { to, quiet, ready, is_here } = *moving;
            MovingRecord { market: *market, to, quiet, ready, is_here }
        });
        let outboxes = post.outboxes.iter().map(|outbox| OutboxRecord {
            last_number: outbox.last_number,
            taken: outbox.taken,
            unconfirmed: outbox.unconfirmed.iter().cloned().collect(),
        });
        let replacements = accounts.replacements.iter().map(|(number, waiting)| {
            let Replacement { mode, place } = waiting.clone();
            ReplacementRecord { number: *number, mode, place }
        });
        let home = |market| catalog.home(market).expect("a listed market has a home");
        OthersRecord {
            own: post.own,
            spreads: post.partitions.spreads().to_vec(),
            market_homes: catalog.markets().map(|(market, _)| home(market)).collect(),
            closed_markets: catalog.moving.iter().copied().collect(),
            moving: moving.collect(),
            outboxes: outboxes.collect(),
            early: post.early.clone(),
            replacements: replacements.collect(),
            asked_withdrawals: accounts.asked_withdrawals.values().cloned().collect(),
            deposited_elsewhere: accounts.deposited_elsewhere.clone(),
            elsewhere: catalog.assets().map(|(asset, _)| accounts.ledger.totals(asset).elsewhere).collect(),
        }
    }

    fn restore_others(&mut self, record: OthersRecord) -> Result<(), SnapshotError> {
        let Self { catalog, accounts, post, .. } = self;
        post.own = record.own;
        post.partitions = Partitions::from_spreads(record.spreads).ok_or(SnapshotError::Spread)?;
        for (market, home) in (0..).map(MarketId).zip(record.market_homes) {
            catalog.market(market)?;
            catalog.set_home(market, home);
        }
        catalog.moving = record.closed_markets.into_iter().collect();
        for MovingRecord { market, to, quiet, ready, is_here } in record.moving {
            post.moving.insert(market, Moving { to, quiet, ready, is_here });
        }
        for outbox in record.outboxes {
            post.outboxes.push(Outbox::new(outbox.last_number, outbox.taken, outbox.unconfirmed));
        }
        post.early = record.early;
        for ReplacementRecord { number, mode, place } in record.replacements {
            accounts.replacements.insert(number, Replacement { mode, place });
        }
        for request in record.asked_withdrawals {
            accounts.asked_withdrawals.insert(request.reference, request);
        }
        for (asset, deposited) in (0..).map(AssetId).zip(record.deposited_elsewhere) {
            catalog.asset(asset)?;
            accounts.restore_deposited_elsewhere(asset, deposited);
        }
        for (asset, elsewhere) in (0..).map(AssetId).zip(record.elsewhere) {
            catalog.asset(asset)?;
            let totals = AssetTotals { elsewhere, ..*accounts.ledger.totals(asset) };
            accounts.ledger.restore_totals(asset, totals);
        }
        let named = accounts.names_by_number.iter().zip(&mut accounts.list);
        for (account, (name, listed)) in (1..).map(AccountId).zip(named) {
            listed.is_here = !name.is_empty() && post.partitions.home(account) == post.own;
        }
        Ok(())
    }

    /// The first that can hold all that is there but what is rare; the same for equal states.
    fn common_version(&self) -> u8 {
        let is_first = |key: &ApiKey| {
            key.kind == KeyKind::HmacSha256 && key.label.is_empty() && key.ip_ranges.is_empty()
        };
        if !self.sources.list.is_empty() {
            SOURCES_VERSION
        } else if !self.post.is_alone() {
            OTHERS_VERSION
        } else if self.accounts.keys.values().all(is_first) {
            FIRST_VERSION
        } else {
            ALONE_VERSION
        }
    }

    fn account_ids(&self) -> impl Iterator<Item = AccountId> {
        (1_u64..).map(AccountId).take(self.accounts.list.len())
    }

    fn market_record(&self, id: MarketId, market: &crate::market::Market) -> MarketRecord {
        let side = |side| market.book.queue(self.orders_at(id), side).map(resting_record).collect();
        MarketRecord {
            reference_ticks: market.reference_ticks,
            next_trade: market.next_trade,
            next_prevented_match: market.next_prevented_match,
            update_id: market.update_id,
            bids: side(Side::Buy),
            asks: side(Side::Sell),
        }
    }

    /// The state that [`Self::snapshot`] wrote.
    pub fn restore(bytes: &[u8]) -> Result<Self, SnapshotError> {
        let mut input = Reader::new(bytes);
        let mut found = u8::decode(&mut input)?;
        let mut rankings = RankingsRecord::default();
        if found == RANKINGS_VERSION {
            rankings = behind_its_length(&mut input)?;
            found = u8::decode(&mut input)?;
        }
        let mut algos = AlgosRecord::default();
        if found == ALGOS_VERSION {
            algos = behind_its_length(&mut input)?;
            found = u8::decode(&mut input)?;
        }
        let mut positions = PositionsRecord::default();
        if found == POSITIONS_VERSION {
            positions = behind_its_length(&mut input)?;
            found = u8::decode(&mut input)?;
        }
        let mut futures = FuturesRecord::default();
        if found == CONTRACTS_VERSION {
            futures = behind_its_length(&mut input)?;
            found = u8::decode(&mut input)?;
        }
        let mut rare = None;
        if found == VERSION {
            rare = Some(behind_its_length(&mut input)?);
            found = u8::decode(&mut input)?;
        }
        if !(FIRST_VERSION..VERSION).contains(&found) {
            return Err(SnapshotError::Version { found });
        }
        let mut partition =
            Self { seq: Coded::decode(&mut input)?, time_ns: Coded::decode(&mut input)?, ..Self::default() };

        for terms in Vec::<AssetTerms>::decode(&mut input)? {
            partition.catalog.add_asset(&AddAsset { terms })?;
            partition.accounts.add_asset();
        }
        for (market, terms) in (0..).map(MarketId).zip(Vec::<MarketTerms>::decode(&mut input)?) {
            partition.catalog.restore_market(&terms, futures.has_contract(market))?;
            partition.accounts.futures.add_market(PriceTicks::ZERO);
        }
        partition.restore_contracts(&futures)?;
        let accounts = &mut partition.accounts;
        for record in Vec::<AccountRecord>::decode(&mut input)? {
            accounts.add(record.name, record.trade_group, true);
        }
        for record in Vec::<BalanceRecord>::decode(&mut input)? {
            accounts.account(record.account)?;
            partition.catalog.asset(record.asset)?;
            accounts.ledger.restore(record.account, record.asset, record.free, record.held);
        }
        for (asset, record) in (0..).map(AssetId).zip(Vec::<TotalsRecord>::decode(&mut input)?) {
            partition.catalog.asset(asset)?;
            accounts.ledger.restore_totals(asset, totals_of(&record));
        }
        let mut open = Vec::<OpenOrderRecord>::decode(&mut input)?;
        // A seat lists its orders oldest first, and so does this.
        open.sort_by_key(|record| record.order);
        for record in open {
            accounts.account(record.account)?;
            let terms = partition.catalog.market(record.market)?;
            let seat = accounts.take_seat(record.account, record.market, terms);
            accounts.open.insert(
                record.order,
                seat,
                (record.side, record.limit_ticks),
                record.held,
                &Named::new(record.account, &record.client_order_id),
            );
        }
        if found == FIRST_VERSION {
            accounts.keys = Vec::decode(&mut input)?.into_iter().map(key_of_first).collect();
        } else {
            accounts.keys = Vec::decode(&mut input)?.into_iter().map(key_of).collect();
        }
        for record in Vec::<WithdrawalRecord>::decode(&mut input)? {
            let WithdrawalRecord { withdrawal, account, asset, amount } = record;
            accounts.withdrawals.insert(withdrawal, Withdrawal { account, asset, amount });
        }
        accounts.deposit_references = Vec::decode(&mut input)?.into_iter().collect();
        accounts.withdrawal_references = Vec::decode(&mut input)?.into_iter().collect();
        accounts.reference_prices = Coded::decode(&mut input)?;
        accounts.next_order = Coded::decode(&mut input)?;
        accounts.next_withdrawal = Coded::decode(&mut input)?;

        for (market, record) in (0..).map(MarketId).zip(Vec::<MarketRecord>::decode(&mut input)?) {
            partition.catalog.market(market)?;
            partition.markets.add(market, record.reference_ticks);
            let listed = partition.markets.list.last_mut().expect("one was just added");
            (listed.next_trade, listed.next_prevented_match) =
                (record.next_trade, record.next_prevented_match);
            listed.update_id = record.update_id;
            let orders = accounts.orders_at_mut(&partition.catalog, market);
            for (side, records) in [(Side::Buy, record.bids), (Side::Sell, record.asks)] {
                for resting in records {
                    rest(&mut listed.book, orders, market, side, &resting);
                }
            }
        }
        if found == OTHERS_VERSION {
            partition.restore_others(OthersRecord::decode(&mut input)?)?;
        } else if found == SOURCES_VERSION {
            if let Some(others) = Option::decode(&mut input)? {
                partition.restore_others(others)?;
            }
            partition.sources.list = Vec::decode(&mut input)?.into_iter().map(source_of).collect();
            partition.sources.open = Vec::decode(&mut input)?.into_iter().collect();
        }
        if let Some(rare) = rare {
            partition.restore_rare(rare)?;
        }
        partition.restore_futures(futures, positions, rankings)?;
        partition.restore_algos(algos)?;
        input.finish()?;
        Ok(partition)
    }
}

/// A record that stands behind its length in bytes.
fn behind_its_length<T: Coded>(input: &mut Reader<'_>) -> Result<T, DecodeError> {
    let bytes = Vec::<u8>::decode(input)?;
    let mut record = Reader::new(&bytes);
    let read = T::decode(&mut record)?;
    record.finish()?;
    Ok(read)
}

fn first_key_record((id, key): (&ApiKeyId, &ApiKey)) -> FirstKeyRecord {
    let ApiKey { account, kind: _, sealed, label: _, permissions, ip_ranges: _ } = key;
    FirstKeyRecord { key: *id, account: *account, sealed_secret: sealed.clone(), permissions: *permissions }
}

fn key_of_first(record: FirstKeyRecord) -> (ApiKeyId, ApiKey) {
    let FirstKeyRecord { key, account, sealed_secret, permissions } = record;
    let (kind, label, ip_ranges) = (KeyKind::HmacSha256, KeyLabel::EMPTY, Vec::new());
    (key, ApiKey { account, kind, sealed: sealed_secret, label, permissions, ip_ranges })
}

fn key_record((id, key): (&ApiKeyId, &ApiKey)) -> KeyRecord {
    let ApiKey { account, kind, sealed, label, permissions, ip_ranges } = key.clone();
    KeyRecord { key: *id, account, kind, sealed, label, permissions, ip_ranges }
}

fn key_of(record: KeyRecord) -> (ApiKeyId, ApiKey) {
    let KeyRecord { key, account, kind, sealed, label, permissions, ip_ranges } = record;
    (key, ApiKey { account, kind, sealed, label, permissions, ip_ranges })
}

fn source_record(source: &Source) -> SourceRecord {
    let Source { terms, remember, mark, remembered } = source;
    let remembered = remembered.iter().copied().collect();
    SourceRecord { terms: *terms, remember: *remember, mark: *mark, remembered }
}

fn source_of(record: SourceRecord) -> Source {
    let SourceRecord { terms, remember, mark, remembered } = record;
    Source { terms, remember, mark, remembered: remembered.into() }
}

fn resting_record(order: &Order) -> RestingRecord {
    RestingRecord {
        order: order.id,
        account: order.account,
        trade_group: order.trade_group,
        price_ticks: order.price_ticks,
        open_lots: order.open_lots,
        qty_lots: order.qty_lots,
        amends: order.amends,
    }
}

fn rest(
    book: &mut orderbook::Book,
    orders: &mut Orders,
    market: MarketId,
    side: Side,
    record: &RestingRecord,
) {
    let order = Order::new(
        (record.order, record.account, record.trade_group),
        (market, side, record.price_ticks),
        (record.open_lots, record.qty_lots, record.amends),
    );
    book.rest(orders, &order, &mut Vec::new());
}

fn totals_record(totals: &AssetTotals) -> TotalsRecord {
    let AssetTotals { deposited, withdrawn, free, held, fees, in_transit, .. } = *totals;
    TotalsRecord { deposited, withdrawn, free, held, fees, in_transit }
}

fn totals_of(record: &TotalsRecord) -> AssetTotals {
    let TotalsRecord { deposited, withdrawn, free, held, fees, in_transit } = *record;
    AssetTotals { deposited, withdrawn, free, held, fees, in_transit, ..AssetTotals::default() }
}
