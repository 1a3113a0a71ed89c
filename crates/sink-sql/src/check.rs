//! Holds the tables against the exchange itself: the journal is applied again up to where each writer has written, and what the
//! partition has then must be what stands in the tables, to the atom. Nothing of the code that writes the tables is used for it.

use std::collections::{BTreeMap, BTreeSet, HashMap};
use std::fmt::Display;
use std::sync::Arc;

use journal::Storage;
use model::{
    AccountId, Amount, AssetId, AssetTerms, Event, MarketId, MarketTerms, OrderId, PartitionId, PositionSide,
    SelfTradePrevention, Seq,
};
use sequencer::{AuditStep, SequencerError};

use crate::decimal::{self, Decimal};
use crate::dialect::{Dialect, Rows, connect, number};
use crate::order::{position_side_of, position_side_word};
use crate::position::{self, Position};
use crate::settings::{SqlSettings, Tables};
use crate::{SqlError, schema};

/// Balances asked for at once.
const PAGE: usize = 10_000;
/// Differences that are told; further ones are counted.
const TOLD: usize = 20;

/// What a check has found.
#[derive(Clone, Debug, Default, PartialEq, Eq)]
pub struct Checked {
    /// By partition: the last command whose events are in the tables.
    pub up_to: Vec<Seq>,
    /// Balances compared.
    pub balances: u64,
    /// Positions compared, of all that there ever were.
    pub positions: u64,
    /// Orders, trades and postings in the tables.
    pub orders: i64,
    /// See `orders`.
    pub trades: i64,
    /// See `orders`.
    pub postings: i64,
    /// The first differences, in words.
    pub differences: Vec<String>,
    /// How many there are.
    pub count: usize,
}

impl Checked {
    fn expect<T: PartialEq + Display>(&mut self, what: &dyn Display, wanted: &T, found: &T) {
        if wanted == found {
            return;
        }
        self.count += 1;
        if self.differences.len() < TOLD {
            self.differences.push(format!("{what}: {found} in the database, {wanted} by the journal"));
        }
    }
}

#[derive(Clone, Copy, Default)]
struct Traded {
    trades: i64,
    base: Amount,
    quote: Amount,
}

#[derive(Clone, Copy, Default)]
struct Sums {
    free: Amount,
    held: Amount,
    fees: Amount,
}

/// A position, as the tables have it.
#[derive(Clone, Copy, Default)]
struct Held {
    quantity: Amount,
    cost: Amount,
    margin: Amount,
}

/// What the journals lead to.
#[derive(Default)]
struct Expected {
    tables: Tables,
    assets: Vec<AssetTerms>,
    markets: Vec<MarketTerms>,
    /// Those of the markets that are contracts.
    contracts: BTreeSet<MarketId>,
    /// How many the first partition has told of.
    accounts: Option<usize>,
    balances: HashMap<(AccountId, AssetId), (Amount, Amount)>,
    sums: BTreeMap<AssetId, Sums>,
    wallets: HashMap<(AccountId, AssetId), Amount>,
    positions: HashMap<(AccountId, MarketId, PositionSide), Held>,
    /// Settlements of funding.
    fundings: i64,
    open: BTreeSet<OrderId>,
    orders: i64,
    executed: BTreeMap<MarketId, Traded>,
    traded: BTreeMap<MarketId, Traded>,
    postings: BTreeMap<AssetId, i64>,
    /// With several partitions an order's money is held before its market is asked, and the event comes with the answer: then only
    /// what is free and held together is the same at every moment.
    holds_are_told_later: bool,
}

/// Ends an audit early.
enum End {
    Reached,
    Failed(SqlError),
}

impl From<SequencerError> for End {
    fn from(error: SequencerError) -> Self {
        Self::Failed(error.into())
    }
}

/// Compares. `progress` is told how many of how many commands were applied again.
pub fn check(
    settings: &SqlSettings,
    storages: &[Arc<dyn Storage>],
    progress: &mut dyn FnMut(u64, u64),
) -> Result<Checked, SqlError> {
    let mut database = connect(settings)?;
    schema::check(&mut *database)?;
    // From here on everything is asked of the same moment.
    for statement in database.words().begin_to_read {
        database.execute(statement)?;
    }
    let tables = settings.tables;
    let mut expected = Expected { tables, ..Expected::default() };
    let (mut checked, mut positions) = (Checked::default(), Vec::new());
    for partition in (0..storages.len()).map(|index| PartitionId(u8::try_from(index).expect("at most 32"))) {
        let mut standing = position::read(&mut *database, partition, false)?;
        if let Some(standing) = &mut standing {
            standing.listed.take_tables(tables)?;
        }
        positions.push(standing.map_or(Position::GENESIS, |standing| standing.position));
    }
    let total = positions.iter().map(|position| position.seq.0).sum();
    let mut before = 0;
    for (storage, position) in storages.iter().zip(&positions) {
        checked.up_to.push(position.seq);
        expected.add(storage, position, &mut |done| progress(before + done, total))?;
        before += position.seq.0;
    }
    let accounts = number(&mut *database, "SELECT COUNT(*) FROM accounts")?;
    checked.expect(&"accounts", &count(expected.accounts.unwrap_or_default()), &accounts);
    if tables.have_spot() {
        expected.compare_balances(&mut *database, &mut checked)?;
        expected.compare_sums(&mut *database, &mut checked)?;
    }
    if tables.have_futures() {
        expected.compare_wallets(&mut *database, &mut checked)?;
        expected.compare_positions(&mut *database, &mut checked)?;
        expected.compare_income(&mut *database, &mut checked)?;
    }
    expected.compare_orders(&mut *database, &mut checked)?;
    expected.compare_trades(&mut *database, &mut checked)?;
    Ok(checked)
}

impl Expected {
    /// Applies a journal up to a position.
    fn add(
        &mut self,
        storage: &Arc<dyn Storage>,
        position: &Position,
        progress: &mut dyn FnMut(u64),
    ) -> Result<(), SqlError> {
        let mut own = BTreeSet::new();
        if *position == Position::GENESIS {
            self.accounts.get_or_insert(0);
            return Ok(());
        }
        let ended = sequencer::audit(storage, &mut |step: AuditStep<'_>| {
            for event in &step.batch.events {
                self.see(event, &mut own);
            }
            let seq = step.batch.last_seq();
            progress(seq.0);
            if seq < position.seq {
                return Ok(());
            }
            if (seq, step.chain) != (position.seq, position.chain) {
                return Err(End::Failed(SqlError::Disagrees(format!(
                    "it was written up to command {}, and the journal has another history there",
                    position.seq
                ))));
            }
            self.holds_are_told_later |= !step.partition.is_alone();
            // The first partition is told of accounts that live elsewhere, too.
            for (account, balances) in
                own.iter().filter_map(|account| Some((*account, step.partition.balances(*account).ok()?)))
            {
                for balance in balances {
                    if !(balance.free + balance.held).is_zero() {
                        self.balances.insert((account, balance.asset), (balance.free, balance.held));
                    }
                }
                self.see_futures(&step, account);
            }
            for (asset, _) in step.partition.catalog().assets() {
                let totals = step.partition.totals(asset).expect("it is listed");
                let sums = self.sums.entry(asset).or_default();
                sums.free += totals.free;
                sums.held += totals.held;
                sums.fees += totals.fees;
            }
            Err(End::Reached)
        });
        self.accounts.get_or_insert(own.len());
        match ended {
            Err(End::Reached) => Ok(()),
            Err(End::Failed(error)) => Err(error),
            Ok(stopped) => Err(SqlError::Disagrees(format!(
                "it was written up to command {}, and the journal ends at command {}",
                position.seq, stopped.seq
            ))),
        }
    }

    fn see_futures(&mut self, step: &AuditStep<'_>, account: AccountId) {
        let partition = step.partition;
        for (asset, _) in partition.catalog().assets() {
            let wallet = partition.wallet(account, asset);
            if !wallet.is_zero() {
                self.wallets.insert((account, asset), wallet);
            }
        }
        for market in &self.contracts {
            for side in [PositionSide::Both, PositionSide::Long, PositionSide::Short] {
                let position = partition.position_of(account, *market, side);
                let margin = partition.position_margin(account, *market, side).unwrap_or_default();
                if !position.qty_lots.is_zero() || !margin.is_zero() {
                    let quantity = self.markets[at(market.0)].base_amount(position.qty_lots);
                    self.positions
                        .insert((account, *market, side), Held { quantity, cost: position.cost, margin });
                }
            }
        }
    }

    fn see(&mut self, event: &Event, own: &mut BTreeSet<AccountId>) {
        let market = event.market_of_order();
        let is_at_contract = market.is_some_and(|market| self.contracts.contains(&market));
        // What contracts earn is in no posting.
        if let Event::ContractFilled(filled) = event {
            let asset = self.markets[at(filled.market.0)].quote;
            self.sums.entry(asset).or_default().fees -= filled.fee;
        }
        let is_kept = if is_at_contract { self.tables.have_futures() } else { self.tables.have_spot() };
        if market.is_some() && !is_kept {
            return;
        }
        match event {
            Event::AssetAdded { asset, terms } if at(asset.0) == self.assets.len() => {
                self.assets.push(*terms);
            }
            Event::MarketAdded { market, terms } if at(market.0) == self.markets.len() => {
                self.markets.push(**terms);
            }
            Event::AccountCreated { account, .. } => {
                own.insert(*account);
            }
            Event::OrderAccepted(accepted) => {
                self.orders += 1;
                self.open.insert(accepted.order);
            }
            Event::ContractOrderAccepted(accepted) => {
                self.orders += 1;
                self.open.insert(accepted.order);
            }
            Event::OrderEnded(ended) => {
                self.open.remove(&ended.order);
            }
            Event::ContractFilled(filled) => {
                let terms = self.markets[at(filled.market.0)];
                let executed = self.executed.entry(filled.market).or_default();
                executed.base += terms.base_amount(filled.qty_lots);
                executed.quote += terms.notional(filled.price_ticks, filled.qty_lots);
            }
            Event::FundingSettled(_) => self.fundings += 1,
            Event::OrderFilled(filled) => {
                let terms = self.markets[at(filled.market.0)];
                let executed = self.executed.entry(filled.market).or_default();
                executed.base += terms.base_amount(filled.qty_lots);
                executed.quote += terms.notional(filled.price_ticks, filled.qty_lots);
                for asset in [terms.base, terms.quote] {
                    *self.postings.entry(asset).or_default() += 1;
                }
            }
            Event::Traded(traded) => {
                let terms = self.markets[at(traded.market.0)];
                let sums = self.traded.entry(traded.market).or_default();
                sums.trades += 1;
                sums.base += terms.base_amount(traded.qty_lots);
                sums.quote += terms.notional(traded.price_ticks, traded.qty_lots);
            }
            Event::OrderPrevented(prevented) if prevented.mode == SelfTradePrevention::Transfer => {
                let terms = self.markets[at(prevented.market.0)];
                for asset in [terms.base, terms.quote] {
                    *self.postings.entry(asset).or_default() += 1;
                }
            }
            Event::ContractAdded { market, terms, .. } => {
                if at(market.0) == self.markets.len() {
                    self.markets.push(**terms);
                }
                self.contracts.insert(*market);
            }
            Event::FundsMoved(moved) => *self.postings.entry(moved.asset).or_default() += 1,
            Event::Deposited(deposited) => *self.postings.entry(deposited.asset).or_default() += 1,
            Event::WithdrawalSettled(settled) if settled.paid_out => {
                *self.postings.entry(settled.asset).or_default() += 1;
            }
            // Other terms of what is listed change no amount that was traded; the rest is no row.
            Event::AssetAdded { .. }
            | Event::MarketAdded { .. }
            | Event::WithdrawalSettled(_)
            | Event::WithdrawalRequested(_)
            | Event::OrderPrevented(_)
            | Event::OrderTracks(_)
            | Event::LeverageChanged { .. }
            | Event::AlgoOrderAccepted(_)
            | Event::AlgoOrderTracks(_)
            | Event::AlgoOrderTriggered(_)
            | Event::AlgoOrderEnded(_)
            | Event::CountdownSet { .. }
            | Event::CountdownFired { .. }
            | Event::GoodTillDate { .. }
            | Event::ContractOrderModified(_)
            | Event::MarkPriceChanged(_)
            | Event::IndexPriceSet { .. }
            | Event::FundingPaid(_)
            | Event::LiquidationBegun { .. }
            | Event::LiquidationEnded { .. }
            | Event::ClearancePaid { .. }
            | Event::FundReceived { .. }
            | Event::PositionForced(_)
            | Event::DebtCovered { .. }
            | Event::MarginTypeChanged { .. }
            | Event::PositionMarginChanged(_)
            | Event::PositionDebtCovered { .. }
            | Event::PositionLiquidationBegun { .. }
            | Event::PositionLiquidationEnded { .. }
            | Event::PositionModeChanged { .. }
            | Event::OrderTriggered(_)
            | Event::OrderAmended(_)
            | Event::ApiKeyCreated(_)
            | Event::ApiKeyRevoked { .. }
            | Event::Rejected { .. }
            | Event::LevelChanged(_)
            | Event::Skipped { .. }
            | Event::ApiKeyAdded(_)
            | Event::ApiKeyChanged(_)
            | Event::ApiKeyResealed { .. }
            | Event::SourceRegistered { .. }
            | Event::EntryTaken { .. }
            | Event::EntryRepeated { .. }
            | Event::EntryOutOfOrder { .. }
            | Event::EntryOpen { .. }
            | Event::EntryAnswered { .. }
            | Event::PartitionAdded { .. }
            | Event::MarketPlaced { .. }
            | Event::MarketMoving { .. }
            | Event::Heard { .. }
            | Event::MarketLeft { .. } => {}
        }
    }

    fn amount(&self, text: Option<&str>, asset: AssetId) -> Result<Decimal, SqlError> {
        let scale = self.assets.get(at(asset.0)).map_or(0, |terms| terms.scale);
        let units = decimal::parse(text.unwrap_or("0"), scale);
        let units = units.ok_or_else(|| {
            SqlError::Disagrees(format!("{} is no amount of asset {asset}", text.unwrap_or_default()))
        })?;
        Ok(Decimal { units, scale })
    }

    fn shown(&self, amount: Amount, asset: AssetId) -> Decimal {
        Decimal { units: amount.0, scale: self.assets[at(asset.0)].scale }
    }

    /// What is wanted and what is there of a balance or a sum of them, as far as it can be compared.
    fn parts(&self, wanted: (Amount, Amount), is: (Amount, Amount)) -> Vec<(&'static str, Amount, Amount)> {
        if self.holds_are_told_later {
            vec![("free and held", wanted.0 + wanted.1, is.0 + is.1)]
        } else {
            vec![("free", wanted.0, is.0), ("held", wanted.1, is.1)]
        }
    }

    fn compare_balances(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        let (mut last, mut found) = ((0, 0), 0_usize);
        loop {
            let rows = database.query(&format!(
                "SELECT account_id, asset_id, free, held FROM balances WHERE (account_id, asset_id) > ({}, {}) ORDER BY \
                 account_id, asset_id LIMIT {PAGE}",
                last.0, last.1
            ))?;
            for row in &rows {
                let (account, asset) = (AccountId(whole(row, 0)?), AssetId(narrow(row, 1)?));
                last = (account.0, asset.0);
                let wanted = self.balances.get(&(account, asset));
                found += usize::from(wanted.is_some());
                let is = [2, 3].map(|column| self.amount(row[column].as_deref(), asset));
                let [free, held] = is;
                let is = (Amount(free?.units), Amount(held?.units));
                for (name, wanted, is) in self.parts(wanted.copied().unwrap_or_default(), is) {
                    let what = format!("{name} of asset {asset} of account {account}");
                    checked.expect(&what, &self.shown(wanted, asset), &self.shown(is, asset));
                }
                checked.balances += 1;
            }
            if rows.len() < PAGE {
                break;
            }
        }
        checked.expect(&"balances that are not zero", &self.balances.len(), &found);
        Ok(())
    }

    fn compare_wallets(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        let (mut last, mut found) = ((0, 0), 0_usize);
        loop {
            let rows = database.query(&format!(
                "SELECT account_id, asset_id, balance FROM futures_wallets WHERE (account_id, asset_id) > ({}, {}) ORDER BY account_id, \
                 asset_id LIMIT {PAGE}",
                last.0, last.1
            ))?;
            for row in &rows {
                let (account, asset) = (AccountId(whole(row, 0)?), AssetId(narrow(row, 1)?));
                last = (account.0, asset.0);
                let wanted = self.wallets.get(&(account, asset));
                found += usize::from(wanted.is_some());
                let what = format!("the futures wallet of account {account} in asset {asset}");
                let is = self.amount(row[2].as_deref(), asset)?;
                checked.expect(&what, &self.shown(wanted.copied().unwrap_or_default(), asset), &is);
            }
            if rows.len() < PAGE {
                break;
            }
        }
        checked.expect(&"futures wallets that are not empty", &self.wallets.len(), &found);
        Ok(())
    }

    fn compare_positions(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        let (mut last, mut found) = ((0, 0, String::new()), 0_usize);
        loop {
            let (account, market, side) = &last;
            let rows = database.query(&format!(
                "SELECT account_id, market_id, position_side, quantity, cost, margin FROM positions WHERE (account_id, market_id, \
                 position_side) > ({account}, {market}, '{side}') ORDER BY account_id, market_id, position_side LIMIT {PAGE}"
            ))?;
            for row in &rows {
                let (account, market) = (AccountId(whole(row, 0)?), MarketId(narrow(row, 1)?));
                let side = row[2].as_deref().and_then(position_side_of).ok_or_else(|| not_ours(row))?;
                last = (account.0, market.0, position_side_word(side).to_owned());
                let terms = *self.markets.get(at(market.0)).ok_or_else(|| not_ours(row))?;
                let wanted = self.positions.get(&(account, market, side));
                found += usize::from(wanted.is_some());
                let wanted = wanted.copied().unwrap_or_default();
                for (word, column, wanted, asset) in [
                    ("quantity", 3, wanted.quantity, terms.base),
                    ("cost", 4, wanted.cost, terms.quote),
                    ("margin", 5, wanted.margin, terms.quote),
                ] {
                    let what = format!(
                        "{word} of the position {} of account {account} at contract {market}",
                        last.2
                    );
                    checked.expect(
                        &what,
                        &self.shown(wanted, asset),
                        &self.amount(row[column].as_deref(), asset)?,
                    );
                }
                checked.positions += 1;
            }
            if rows.len() < PAGE {
                break;
            }
        }
        checked.expect(&"positions that are open", &self.positions.len(), &found);
        Ok(())
    }

    /// Everything that ever came into wallets and margins, and went out of them, is what is in them.
    fn compare_income(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        let sum = database.words().sum;
        let income =
            format!("SELECT asset_id, {} FROM income GROUP BY asset_id ORDER BY asset_id", sum("amount"));
        let income = by_id(database.query(&income)?)?;
        let mut wanted = BTreeMap::<AssetId, Amount>::new();
        for ((_, asset), wallet) in &self.wallets {
            *wanted.entry(*asset).or_default() += *wallet;
        }
        for ((_, market, _), held) in &self.positions {
            *wanted.entry(self.markets[at(market.0)].quote).or_default() += held.margin;
        }
        for asset in (0..).map(AssetId).take(self.assets.len()) {
            let found = income.get(&asset.0).and_then(|row| row[1].as_deref());
            let wanted = wanted.get(&asset).copied().unwrap_or_default();
            let what = format!("the sum of income of asset {asset}");
            checked.expect(&what, &self.shown(wanted, asset), &self.amount(found, asset)?);
        }
        let fundings = number(database, "SELECT COUNT(*) FROM funding_rates")?;
        checked.expect(&"settlements of funding", &self.fundings, &fundings);
        Ok(())
    }

    fn compare_sums(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        let sum = database.words().sum;
        let balances = format!(
            "SELECT asset_id, {}, {} FROM balances GROUP BY asset_id ORDER BY asset_id",
            sum("free"),
            sum("held")
        );
        let balances = by_id(database.query(&balances)?)?;
        let postings = format!(
            "SELECT asset_id, {}, {}, COUNT(*) FROM ledger_postings GROUP BY asset_id ORDER BY asset_id",
            sum("amount"),
            sum("fee")
        );
        let postings = by_id(database.query(&postings)?)?;
        for (asset, wanted) in &self.sums {
            let Sums { free, held, fees } = *wanted;
            let of = |rows: &HashMap<u32, Vec<Option<String>>>, column: usize| {
                let text = rows.get(&asset.0).and_then(|row| row[column].clone());
                self.amount(text.as_deref(), *asset).map(|sum| Amount(sum.units))
            };
            let mut sums = self.parts((free, held), (of(&balances, 1)?, of(&balances, 2)?));
            sums.push(("postings", free + held, of(&postings, 1)?));
            sums.push(("fees", fees, of(&postings, 2)?));
            for (what, wanted, found) in sums {
                let what = format!("the sum of {what} of asset {asset}");
                checked.expect(&what, &self.shown(wanted, *asset), &self.shown(found, *asset));
            }
            let found = postings.get(&asset.0).map_or(Ok(0), |row| whole(row, 3))?;
            checked.postings += found;
            let wanted = self.postings.get(asset).copied().unwrap_or_default();
            checked.expect(&format!("postings of asset {asset}"), &wanted, &found);
        }
        Ok(())
    }

    fn compare_orders(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        checked.orders = number(database, "SELECT COUNT(*) FROM orders")?;
        checked.expect(&"orders", &self.orders, &checked.orders.clone());
        let rows = database.query("SELECT order_id FROM orders WHERE ended_at IS NULL ORDER BY order_id")?;
        let open = rows.iter().map(|row| whole(row, 0).map(OrderId)).collect::<Result<BTreeSet<_>, _>>()?;
        for order in self.open.symmetric_difference(&open) {
            let word = |open: &BTreeSet<_>| if open.contains(order) { "open" } else { "not open" };
            checked.expect(&format!("order {order}"), &word(&self.open), &word(&open));
        }
        let sum = database.words().sum;
        let executed = format!(
            "SELECT market_id, {}, {} FROM orders GROUP BY market_id ORDER BY market_id",
            sum("executed_quantity"),
            sum("executed_quote")
        );
        let executed = by_id(database.query(&executed)?)?;
        self.compare_traded(&self.executed, &executed, 1, "executed", checked)
    }

    fn compare_trades(&self, database: &mut dyn Dialect, checked: &mut Checked) -> Result<(), SqlError> {
        let sum = database.words().sum;
        let traded = format!(
            "SELECT market_id, COUNT(*), {}, {} FROM trades GROUP BY market_id ORDER BY market_id",
            sum("quantity"),
            sum("quote_quantity")
        );
        let traded = by_id(database.query(&traded)?)?;
        for (market, row) in &traded {
            let found: i64 = whole(row, 1)?;
            checked.trades += found;
            let wanted = self.traded.get(&MarketId(*market)).map_or(0, |traded| traded.trades);
            checked.expect(&format!("trades of market {market}"), &wanted, &found);
        }
        self.compare_traded(&self.traded, &traded, 2, "traded", checked)
    }

    fn compare_traded(
        &self,
        wanted: &BTreeMap<MarketId, Traded>,
        found: &HashMap<u32, Vec<Option<String>>>,
        column: usize,
        word: &str,
        checked: &mut Checked,
    ) -> Result<(), SqlError> {
        for (market, wanted) in wanted {
            let terms = &self.markets[at(market.0)];
            for (column, amount, asset) in
                [(column, wanted.base, terms.base), (column + 1, wanted.quote, terms.quote)]
            {
                let text = found.get(&market.0).and_then(|row| row[column].as_deref());
                let what = format!("asset {asset} {word} in market {market}");
                checked.expect(&what, &self.shown(amount, asset), &self.amount(text, asset)?);
            }
        }
        Ok(())
    }
}

fn at(index: u32) -> usize {
    usize::try_from(index).expect("fits")
}

fn count(number: usize) -> i64 {
    i64::try_from(number).expect("fits")
}

fn not_ours(row: &[Option<String>]) -> SqlError {
    SqlError::Disagrees(format!("a row is not one of ours: {row:?}"))
}

fn whole<T: std::str::FromStr>(row: &[Option<String>], column: usize) -> Result<T, SqlError> {
    let number = row[column].as_deref().and_then(|text| text.parse().ok());
    number.ok_or_else(|| not_ours(row))
}

fn narrow(row: &[Option<String>], column: usize) -> Result<u32, SqlError> {
    whole(row, column)
}

fn by_id(rows: Rows) -> Result<HashMap<u32, Vec<Option<String>>>, SqlError> {
    rows.into_iter().map(|row| Ok((narrow(&row, 0)?, row))).collect()
}
