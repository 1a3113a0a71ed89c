//! What accounts have at contracts, and what came of it, as rows: wallets, positions, settings, income, funding rates.

use std::collections::{BTreeMap, BTreeSet};

use model::{
    AccountId, Amount, AssetId, Event, EventSeq, FundingSettled, MarginType, MarketId, OrderId,
    PositionMarginChanged, PositionNow, PositionSide, TradeId,
};

use crate::SqlError;
use crate::decimal::{self, Decimal};
use crate::fold::{Now, RATE_SCALE, Take, rows};
use crate::listed::Listed;
use crate::order::{position_side_of, position_side_word};
use crate::remembered::Remembered;
use crate::table::{self, Moment, Value};

/// One of the positions that an account can have at a contract.
#[derive(Clone, Copy, Debug)]
struct Position {
    market: MarketId,
    side: PositionSide,
    /// In atoms of the base asset; below zero of a short position.
    quantity: Amount,
    /// In atoms of the settlement asset, of the same sign.
    cost: Amount,
    /// Of an isolated position.
    margin: Option<Amount>,
    updated_at: Moment,
}

/// How an account's positions at a contract count.
#[derive(Clone, Copy, Debug)]
struct Setting {
    market: MarketId,
    /// Where the account has chosen one.
    leverage: Option<u16>,
    margin_type: MarginType,
    updated_at: Moment,
}

/// All that an account has at contracts.
#[derive(Clone, Debug, Default)]
struct Holder {
    positions: Vec<Position>,
    settings: Vec<Setting>,
}

impl Holder {
    fn position(&mut self, market: MarketId, side: PositionSide) -> &mut Position {
        let place =
            self.positions.iter().position(|position| (position.market, position.side) == (market, side));
        let place = place.unwrap_or_else(|| {
            let (quantity, cost, margin, updated_at) = (Amount::ZERO, Amount::ZERO, None, Moment(0));
            self.positions.push(Position { market, side, quantity, cost, margin, updated_at });
            self.positions.len() - 1
        });
        &mut self.positions[place]
    }

    fn setting(&mut self, market: MarketId) -> &mut Setting {
        let place = self.settings.iter().position(|setting| setting.market == market);
        let place = place.unwrap_or_else(|| {
            let (leverage, margin_type, updated_at) = (None, MarginType::Cross, Moment(0));
            self.settings.push(Setting { market, leverage, margin_type, updated_at });
            self.settings.len() - 1
        });
        &mut self.settings[place]
    }
}

/// Something that came into a futures wallet or the margin of an isolated position, or went out of it.
#[derive(Clone, Copy, Debug)]
struct Income {
    event_seq: EventSeq,
    leg: i64,
    account: AccountId,
    asset: AssetId,
    market: Option<MarketId>,
    kind: &'static str,
    amount: Amount,
    trade: Option<(TradeId, OrderId)>,
    posted_at: Moment,
}

/// What the present batch comes to.
#[derive(Default)]
struct Batch {
    wallets: BTreeMap<(AccountId, AssetId), (Amount, Moment)>,
    positions: BTreeSet<(AccountId, MarketId, PositionSide)>,
    settings: BTreeSet<(AccountId, MarketId)>,
    income: Vec<Income>,
    fundings: Vec<(FundingSettled, Moment)>,
}

/// Rows, as far as they are remembered, and what the present batch does to them.
pub struct Futures {
    holders: Remembered<AccountId, Holder>,
    batch: Batch,
}

/// Whose rows have to be known before an event is applied.
pub fn holder_of(event: &Event) -> Option<AccountId> {
    match event {
        Event::ContractFilled(filled) => Some(filled.account),
        Event::PositionForced(forced) => Some(forced.account),
        Event::PositionMarginChanged(changed) => Some(changed.account),
        Event::PositionDebtCovered { account, .. }
        | Event::MarginTypeChanged { account, .. }
        | Event::LeverageChanged { account, .. } => Some(*account),
        _ => None,
    }
}

impl Futures {
    pub fn new(rows_remembered: usize) -> Self {
        Self { holders: Remembered::new(rows_remembered), batch: Batch::default() }
    }

    pub fn knows(&self, account: AccountId) -> bool {
        self.holders.get(account).is_some()
    }

    /// An account that was opened just now has nothing.
    pub fn opened(&mut self, account: AccountId) {
        self.holders.insert(account, Holder::default());
    }

    /// All that the database has of these accounts: account, contract, which position, quantity, cost, margin, time; account,
    /// contract, leverage, margin type, time.
    pub fn learn(
        &mut self,
        accounts: &[AccountId],
        positions: &[Vec<Option<String>>],
        settings: &[Vec<Option<String>>],
        listed: &Listed,
    ) -> Result<(), SqlError> {
        for account in accounts {
            self.holders.insert(*account, Holder::default());
        }
        for row in positions {
            let row = Row { of: "positions", columns: row };
            let market = MarketId(row.number(1)?);
            let terms = listed.market(market)?;
            let side = position_side_of(row.text(2)?).ok_or_else(|| row.wrong())?;
            let margin = row.columns[5].is_some().then(|| row.amount(5, terms.quote.scale)).transpose()?;
            let position = Position {
                market,
                side,
                quantity: row.amount(3, terms.base.scale)?,
                cost: row.amount(4, terms.quote.scale)?,
                margin,
                updated_at: Moment(row.number(6)?),
            };
            self.holder(AccountId(row.number(0)?)).positions.push(position);
        }
        for row in settings {
            let row = Row { of: "position_settings", columns: row };
            let leverage = row.columns[2].is_some().then(|| row.number(2)).transpose()?;
            let margin_type = match row.text(3)? {
                CROSS => MarginType::Cross,
                ISOLATED => MarginType::Isolated,
                _ => return Err(row.wrong()),
            };
            let (market, updated_at) = (MarketId(row.number(1)?), Moment(row.number(4)?));
            let setting = Setting { market, leverage, margin_type, updated_at };
            self.holder(AccountId(row.number(0)?)).settings.push(setting);
        }
        Ok(())
    }

    fn holder(&mut self, account: AccountId) -> &mut Holder {
        self.holders.get_mut(account).expect("all holders are learnt before events are applied")
    }

    /// Takes in what an event tells of contracts.
    pub fn apply(&mut self, event: &Event, listed: &Listed, now: Now) -> Result<(), SqlError> {
        let settled_in = |market| listed.market(market).map(|market| market.terms.quote);
        match event {
            Event::FundsMoved(moved) => {
                self.wallet(moved.account, moved.asset, moved.wallet, now);
                self.came((moved.account, moved.asset, None), "TRANSFER", moved.amount, now);
            }
            Event::ContractFilled(filled) => {
                let (account, market) = (filled.account, filled.market);
                self.position_now((account, market, filled.position_side), &filled.now, listed, now)?;
                let whose = (account, settled_in(market)?, Some(market));
                let trade = Some((filled.trade, filled.order));
                self.came_of(whose, "REALIZED_PNL", filled.realized, trade, now);
                self.came_of(whose, "COMMISSION", -filled.fee, trade, now);
            }
            Event::PositionForced(forced) => {
                let (account, market) = (forced.account, forced.market);
                self.position_now((account, market, forced.position_side), &forced.now, listed, now)?;
                self.came((account, settled_in(market)?, Some(market)), "REALIZED_PNL", forced.realized, now);
            }
            Event::FundingPaid(paid) => {
                let asset = settled_in(paid.market)?;
                self.wallet(paid.account, asset, paid.wallet, now);
                self.came((paid.account, asset, Some(paid.market)), "FUNDING_FEE", paid.amount, now);
            }
            Event::ClearancePaid { account, market, amount, wallet } => {
                let asset = settled_in(*market)?;
                self.wallet(*account, asset, *wallet, now);
                self.came((*account, asset, Some(*market)), INSURANCE_CLEAR, -*amount, now);
            }
            Event::FundReceived { account, market, amount, wallet } => {
                let asset = settled_in(*market)?;
                self.wallet(*account, asset, *wallet, now);
                self.came((*account, asset, Some(*market)), INSURANCE_CLEAR, *amount, now);
            }
            Event::DebtCovered { account, market, amount } => {
                let asset = settled_in(*market)?;
                self.wallet(*account, asset, Amount::ZERO, now);
                self.came((*account, asset, Some(*market)), INSURANCE_CLEAR, *amount, now);
            }
            Event::PositionDebtCovered { account, market, position_side, amount } => {
                self.position((*account, *market, *position_side), now).margin = Some(Amount::ZERO);
                self.came((*account, settled_in(*market)?, Some(*market)), INSURANCE_CLEAR, *amount, now);
            }
            Event::PositionMarginChanged(changed) => {
                let PositionMarginChanged { account, market, position_side, margin, wallet, .. } = **changed;
                self.position((account, market, position_side), now).margin = Some(margin);
                self.wallet(account, settled_in(market)?, wallet, now);
            }
            Event::MarginTypeChanged { account, market, margin_type } => {
                self.setting(*account, *market, now).margin_type = *margin_type;
                if *margin_type == MarginType::Cross {
                    // There is no position now; what there was had a margin.
                    for side in [PositionSide::Both, PositionSide::Long, PositionSide::Short] {
                        let positions = &self.holder(*account).positions;
                        if positions
                            .iter()
                            .any(|position| (position.market, position.side) == (*market, side))
                        {
                            self.position((*account, *market, side), now).margin = None;
                        }
                    }
                }
            }
            Event::LeverageChanged { account, market, leverage } => {
                self.setting(*account, *market, now).leverage = Some(*leverage);
            }
            Event::FundingSettled(settled) => self.batch.fundings.push((settled.clone(), now.batch_at)),
            _ => {}
        }
        Ok(())
    }

    fn wallet(&mut self, account: AccountId, asset: AssetId, balance: Amount, now: Now) {
        self.batch.wallets.insert((account, asset), (balance, now.batch_at));
    }

    fn position(&mut self, which: (AccountId, MarketId, PositionSide), now: Now) -> &mut Position {
        self.batch.positions.insert(which);
        let (account, market, side) = which;
        let position = self.holder(account).position(market, side);
        position.updated_at = now.happened_at;
        position
    }

    fn setting(&mut self, account: AccountId, market: MarketId, now: Now) -> &mut Setting {
        self.batch.settings.insert((account, market));
        let setting = self.holder(account).setting(market);
        setting.updated_at = now.happened_at;
        setting
    }

    fn position_now(
        &mut self,
        which: (AccountId, MarketId, PositionSide),
        is: &PositionNow,
        listed: &Listed,
        now: Now,
    ) -> Result<(), SqlError> {
        let terms = listed.market(which.1)?.terms;
        let position = self.position(which, now);
        (position.quantity, position.cost) = (terms.base_amount(is.qty_lots), is.cost);
        self.wallet(which.0, terms.quote, is.wallet, now);
        Ok(())
    }

    fn came(
        &mut self,
        whose: (AccountId, AssetId, Option<MarketId>),
        kind: &'static str,
        amount: Amount,
        now: Now,
    ) {
        self.came_of(whose, kind, amount, None, now);
    }

    fn came_of(
        &mut self,
        (account, asset, market): (AccountId, AssetId, Option<MarketId>),
        kind: &'static str,
        amount: Amount,
        trade: Option<(TradeId, OrderId)>,
        now: Now,
    ) {
        if amount.is_zero() {
            return;
        }
        let (event_seq, posted_at) = (now.event_seq, now.happened_at);
        let leg = i64::from(kind == "COMMISSION");
        self.batch.income.push(Income {
            event_seq,
            leg,
            account,
            asset,
            market,
            kind,
            amount,
            trade,
            posted_at,
        });
    }

    /// How many rows the present batch has.
    pub fn rows(&self) -> usize {
        let Batch { wallets, positions, settings, income, fundings } = &self.batch;
        wallets.len() + positions.len() + settings.len() + income.len() + fundings.len()
    }

    /// Hands over the rows of the present batch.
    pub fn write(&self, partition: u8, listed: &Listed, take: &mut Take<'_>) -> Result<(), SqlError> {
        let batch = &self.batch;
        let holder =
            |account| self.holders.get(account).expect("what changes is remembered until it is written");
        rows(&table::INCOME, false, &batch.income, take, |income, out| {
            let scale = listed.asset(income.asset)?.scale;
            out.extend([
                Value::id(partition.into()),
                Value::id(income.event_seq.0),
                Value::Int(income.leg),
                Value::id(income.account.0),
                Value::id(income.asset.0.into()),
                Value::or_null(income.market, |market| Value::id(market.0.into())),
                Value::Text(income.kind),
                Value::Amount(Decimal { units: income.amount.0, scale }),
                Value::or_null(income.trade, |(trade, _)| Value::id(trade.0)),
                Value::or_null(income.trade, |(_, order)| Value::id(order.0)),
                Value::Moment(income.posted_at),
            ]);
            Ok(())
        })?;
        rows(&table::FUNDING_RATES, false, &batch.fundings, take, |(settled, at), out| {
            let market = listed.market(settled.market)?;
            out.extend([
                Value::id(settled.market.0.into()),
                Value::Moment(*at),
                Value::Amount(Decimal { units: settled.rate.0.into(), scale: RATE_SCALE }),
                Value::Amount(market.price(settled.mark_ticks)),
            ]);
            Ok(())
        })?;
        let settings: Vec<_> = batch.settings.iter().copied().collect();
        rows(&table::POSITION_SETTINGS, true, &settings, take, |(account, market), out| {
            let settings = &holder(*account).settings;
            let setting = settings.iter().find(|setting| setting.market == *market).expect("it was changed");
            out.extend([
                Value::id(account.0),
                Value::id(market.0.into()),
                Value::or_null(setting.leverage, |leverage| Value::Int(leverage.into())),
                Value::Text(match setting.margin_type {
                    MarginType::Cross => CROSS,
                    MarginType::Isolated => ISOLATED,
                }),
                Value::Moment(setting.updated_at),
            ]);
            Ok(())
        })?;
        let positions: Vec<_> = batch.positions.iter().copied().collect();
        rows(&table::POSITIONS, true, &positions, take, |(account, market, side), out| {
            let positions = &holder(*account).positions;
            let position =
                positions.iter().find(|position| (position.market, position.side) == (*market, *side));
            let (position, terms) = (position.expect("it was changed"), listed.market(*market)?);
            out.extend([
                Value::id(account.0),
                Value::id(market.0.into()),
                Value::Text(position_side_word(*side)),
                Value::Amount(terms.base_amount(position.quantity)),
                Value::Amount(terms.quote_amount(position.cost)),
                Value::or_null(position.margin, |margin| Value::Amount(terms.quote_amount(margin))),
                Value::Moment(position.updated_at),
            ]);
            Ok(())
        })?;
        let wallets: Vec<_> = batch.wallets.iter().collect();
        rows(&table::FUTURES_WALLETS, true, &wallets, take, |((account, asset), (balance, at)), out| {
            let scale = listed.asset(*asset)?.scale;
            out.extend([
                Value::id(account.0),
                Value::id(asset.0.into()),
                Value::Amount(Decimal { units: balance.0, scale }),
                Value::Moment(*at),
            ]);
            Ok(())
        })
    }

    /// The present batch is in the database: the next one begins.
    pub fn written(&mut self) {
        self.batch = Batch::default();
        self.holders.age();
    }
}

const CROSS: &str = "CROSS";
const ISOLATED: &str = "ISOLATED";
const INSURANCE_CLEAR: &str = "INSURANCE_CLEAR";

/// A row that the database has.
struct Row<'a> {
    of: &'static str,
    columns: &'a [Option<String>],
}

impl Row<'_> {
    fn wrong(&self) -> SqlError {
        SqlError::Disagrees(format!("a row of {} is not one of ours: {:?}", self.of, self.columns))
    }

    fn text(&self, column: usize) -> Result<&str, SqlError> {
        self.columns[column].as_deref().ok_or_else(|| self.wrong())
    }

    fn number<T: std::str::FromStr>(&self, column: usize) -> Result<T, SqlError> {
        self.text(column)?.parse().map_err(|_| self.wrong())
    }

    fn amount(&self, column: usize, scale: u8) -> Result<Amount, SqlError> {
        decimal::parse(self.text(column)?, scale).map(Amount).ok_or_else(|| self.wrong())
    }
}
