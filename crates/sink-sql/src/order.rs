//! An order as a row: how events change it, and its way to the table and back.

use model::{
    AccountId, Amount, ClientOrderId, ContractOrderAccepted, ContractOrderModified, EndReason, ExpiryReason,
    MarketId, OrderAccepted, OrderAmended, OrderCause, OrderEnded, OrderId, OrderKind, OrderPrevented,
    PositionSide, PriceTicks, QtyLots, SelfTradePrevention, Side, TimeInForce, TimeNs, TriggerKind,
};

use crate::SqlError;
use crate::decimal::{self, Decimal};
use crate::listed::Market;
use crate::table::{Moment, Value};

const NEW: &str = "NEW";
const PARTIALLY_FILLED: &str = "PARTIALLY_FILLED";

/// The words that rows have; a row that was read is held against them.
const TYPES: [&str; 7] =
    ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"];
const TIMES_IN_FORCE: [&str; 5] = ["GTC", "IOC", "FOK", "GTX", "GTD"];
const PREVENTIONS: [&str; 6] =
    ["NONE", "EXPIRE_MAKER", "EXPIRE_TAKER", "EXPIRE_BOTH", "DECREMENT", "TRANSFER"];
const STATUSES: [&str; 6] = [NEW, PARTIALLY_FILLED, "FILLED", "CANCELED", "EXPIRED", "EXPIRED_IN_MATCH"];
const END_REASONS: [&str; 6] = [
    "UNFILLED_IOC",
    "UNFILLED_FOK",
    "INSUFFICIENT_LIQUIDITY",
    "PRICE_RANGE_EXCEEDED",
    "EXCHANGE_CANCELED",
    "GOOD_TILL_DATE",
];
const PLACED_BY: [&str; 2] = ["OWNER", "LIQUIDATION"];

/// An order, in atoms of its assets.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Order {
    pub id: OrderId,
    pub account: AccountId,
    pub market: MarketId,
    client_order_id: ClientOrderId,
    pub side: Side,
    kind: &'static str,
    time_in_force: &'static str,
    self_trade_prevention: &'static str,
    price: Option<Decimal>,
    /// Of an order by amount: what has traded and what was prevented.
    quantity: Amount,
    quote_amount: Option<Amount>,
    executed_quantity: Amount,
    executed_quote: Amount,
    prevented_quantity: Amount,
    held: Amount,
    amendments: i64,
    status: &'static str,
    end_reason: Option<&'static str>,
    created_at: Moment,
    updated_at: Moment,
    ended_at: Option<Moment>,
    /// At a contract.
    position_side: Option<PositionSide>,
    reduce_only: bool,
    good_till: Option<Moment>,
    placed_by: &'static str,
    stop_price: Option<Decimal>,
    trailing_bips: Option<u16>,
    /// Since when it follows the price, and since when it takes part in its market.
    trailing_at: Option<Moment>,
    triggered_at: Option<Moment>,
    prevented_match: Option<u64>,
}

pub const fn position_side_word(side: PositionSide) -> &'static str {
    match side {
        PositionSide::Both => "BOTH",
        PositionSide::Long => "LONG",
        PositionSide::Short => "SHORT",
    }
}

/// The way back from [`position_side_word`].
pub fn position_side_of(word: &str) -> Option<PositionSide> {
    [PositionSide::Both, PositionSide::Long, PositionSide::Short]
        .into_iter()
        .find(|side| position_side_word(*side) == word)
}

const fn time_in_force_word(time_in_force: TimeInForce) -> &'static str {
    match time_in_force {
        TimeInForce::Gtc => "GTC",
        TimeInForce::Ioc => "IOC",
        TimeInForce::Fok => "FOK",
    }
}

const fn prevention_word(mode: SelfTradePrevention) -> &'static str {
    match mode {
        SelfTradePrevention::None => "NONE",
        SelfTradePrevention::ExpireMaker => "EXPIRE_MAKER",
        SelfTradePrevention::ExpireTaker => "EXPIRE_TAKER",
        SelfTradePrevention::ExpireBoth => "EXPIRE_BOTH",
        SelfTradePrevention::Decrement => "DECREMENT",
        SelfTradePrevention::Transfer => "TRANSFER",
    }
}

pub const fn side_word(side: Side) -> &'static str {
    match side {
        Side::Buy => "BUY",
        Side::Sell => "SELL",
    }
}

impl Order {
    pub fn accepted(accepted: &OrderAccepted, market: &Market<'_>, at: Moment) -> Self {
        let (kind, time_in_force) = match accepted.kind {
            OrderKind::Limit { time_in_force, .. } => ("LIMIT", time_in_force),
            OrderKind::LimitMaker { .. } => ("LIMIT_MAKER", TimeInForce::Gtc),
            OrderKind::Market { .. } | OrderKind::MarketQuote { .. } => ("MARKET", TimeInForce::Gtc),
            OrderKind::StopMarket { trigger: TriggerKind::StopLoss, .. } => ("STOP_LOSS", TimeInForce::Gtc),
            OrderKind::StopMarket { trigger: TriggerKind::TakeProfit, .. } => {
                ("TAKE_PROFIT", TimeInForce::Gtc)
            }
            OrderKind::StopLimit { trigger: TriggerKind::StopLoss, time_in_force, .. } => {
                ("STOP_LOSS_LIMIT", time_in_force)
            }
            OrderKind::StopLimit { trigger: TriggerKind::TakeProfit, time_in_force, .. } => {
                ("TAKE_PROFIT_LIMIT", time_in_force)
            }
        };
        let quote_amount = match accepted.kind {
            OrderKind::MarketQuote { quote_amount } => Some(quote_amount),
            OrderKind::Limit { .. }
            | OrderKind::LimitMaker { .. }
            | OrderKind::Market { .. }
            | OrderKind::StopMarket { .. }
            | OrderKind::StopLimit { .. } => None,
        };
        let trigger = accepted.kind.trigger();
        Self {
            id: accepted.order,
            account: accepted.account,
            market: accepted.market,
            client_order_id: accepted.client_order_id,
            side: accepted.side,
            kind,
            time_in_force: time_in_force_word(time_in_force),
            self_trade_prevention: prevention_word(accepted.self_trade_prevention),
            price: accepted.kind.price_ticks().map(|ticks| market.price(ticks)),
            quantity: accepted.kind.qty_lots().map_or(Amount::ZERO, |lots| market.terms.base_amount(lots)),
            quote_amount,
            executed_quantity: Amount::ZERO,
            executed_quote: Amount::ZERO,
            prevented_quantity: Amount::ZERO,
            held: accepted.held,
            amendments: 0,
            status: NEW,
            end_reason: None,
            created_at: at,
            updated_at: at,
            ended_at: None,
            position_side: None,
            reduce_only: false,
            good_till: None,
            placed_by: "OWNER",
            stop_price: trigger.and_then(|trigger| trigger.stop_ticks).map(|ticks| market.price(ticks)),
            trailing_bips: trigger.and_then(|trigger| trigger.trailing_bips),
            // Without a stop price it follows from the start.
            trailing_at: trigger.filter(|trigger| trigger.stop_ticks.is_none()).map(|_| at),
            triggered_at: None,
            prevented_match: None,
        }
    }

    /// One at a contract, as the API names it: what only ever rests is a limit order that is GTX. Nothing of a balance is held.
    pub fn accepted_at_contract(accepted: &ContractOrderAccepted, market: &Market<'_>, at: Moment) -> Self {
        let ContractOrderAccepted { order, account, side, self_trade_prevention, client_order_id, .. } =
            *accepted;
        let mut row = Self::accepted(
            &OrderAccepted {
                order,
                account,
                market: accepted.market,
                side,
                kind: accepted.kind,
                self_trade_prevention,
                client_order_id,
                held: Amount::ZERO,
            },
            market,
            at,
        );
        if matches!(accepted.kind, OrderKind::LimitMaker { .. }) {
            (row.kind, row.time_in_force) = ("LIMIT", "GTX");
        }
        row.position_side = Some(accepted.position_side);
        row.reduce_only = accepted.reduce_only;
        row.placed_by = match accepted.cause {
            OrderCause::Owner => "OWNER",
            OrderCause::Liquidation => "LIQUIDATION",
        };
        row
    }

    /// It expires at `good_till`.
    pub const fn has_date(&mut self, good_till: Moment) {
        self.time_in_force = "GTD";
        self.good_till = Some(good_till);
    }

    /// It has another price or another quantity.
    pub fn modified(
        &mut self,
        modified: &ContractOrderModified,
        market: &Market<'_>,
        at: Moment,
    ) -> Result<(), SqlError> {
        self.change(modified.account, modified.market, at)?;
        self.price = modified.kind.price_ticks().map(|ticks| market.price(ticks));
        self.quantity = modified.kind.qty_lots().map_or(self.quantity, |lots| market.terms.base_amount(lots));
        self.self_trade_prevention = prevention_word(modified.self_trade_prevention);
        self.amendments += 1;
        Ok(())
    }

    pub const fn is_open(&self) -> bool {
        self.ended_at.is_none()
    }

    /// Refuses what no event can be about: then the row is not what the events have made.
    fn change(&mut self, account: AccountId, market: MarketId, at: Moment) -> Result<(), SqlError> {
        if !self.is_open() || (self.account, self.market) != (account, market) {
            return Err(SqlError::Disagrees(format!(
                "order {} of account {account} changes in market {market}, where the database has it {} of account {} in market {}",
                self.id,
                if self.is_open() { "open" } else { "over" },
                self.account,
                self.market
            )));
        }
        self.updated_at = at;
        Ok(())
    }

    fn release(&mut self, amount: Amount) -> Result<(), SqlError> {
        self.held -= amount;
        if self.held < Amount::ZERO {
            let id = self.id;
            return Err(SqlError::Disagrees(format!(
                "order {id} gives back more than the database has held for it"
            )));
        }
        Ok(())
    }

    /// The quantity of an order by amount is known only as it goes.
    fn count_by_amount(&mut self) {
        if self.quote_amount.is_some() {
            self.quantity = self.executed_quantity + self.prevented_quantity;
        }
    }

    /// `out_of_held` is what the fill has taken out of what was held, or freed of it.
    pub fn filled(
        &mut self,
        (account, market): (AccountId, MarketId),
        (base, quote): (Amount, Amount),
        out_of_held: Amount,
        at: Moment,
    ) -> Result<(), SqlError> {
        self.change(account, market, at)?;
        self.executed_quantity += base;
        self.executed_quote += quote;
        self.count_by_amount();
        self.status = PARTIALLY_FILLED;
        self.release(out_of_held)
    }

    /// `paid` is what a transfer has taken out of what was held.
    pub fn prevented(
        &mut self,
        prevented: &OrderPrevented,
        base: Amount,
        paid: Amount,
        at: Moment,
    ) -> Result<(), SqlError> {
        self.change(prevented.account, prevented.market, at)?;
        self.prevented_quantity += base;
        self.prevented_match = Some(prevented.prevented_match);
        self.count_by_amount();
        self.release(paid + prevented.released)
    }

    /// Its price has come, and `held` more is held for it.
    pub fn triggered(
        &mut self,
        account: AccountId,
        market: MarketId,
        held: Amount,
        at: Moment,
    ) -> Result<(), SqlError> {
        self.change(account, market, at)?;
        self.held += held;
        self.triggered_at = Some(at);
        Ok(())
    }

    /// It follows the price from now on.
    pub fn tracks(&mut self, account: AccountId, market: MarketId, at: Moment) -> Result<(), SqlError> {
        self.change(account, market, at)?;
        self.trailing_at = Some(at);
        Ok(())
    }

    pub fn amended(&mut self, amended: &OrderAmended, quantity: Amount, at: Moment) -> Result<(), SqlError> {
        self.change(amended.account, amended.market, at)?;
        self.quantity = quantity;
        self.client_order_id = amended.client_order_id;
        self.amendments += 1;
        self.release(amended.released)
    }

    pub fn ended(&mut self, ended: &OrderEnded, at: Moment) -> Result<(), SqlError> {
        self.change(ended.account, ended.market, at)?;
        self.status = match ended.reason {
            EndReason::Filled => "FILLED",
            EndReason::Canceled => "CANCELED",
            EndReason::Expired(_) => "EXPIRED",
            EndReason::ExpiredInMatch => "EXPIRED_IN_MATCH",
        };
        self.end_reason = match ended.reason {
            EndReason::Expired(reason) => Some(match reason {
                ExpiryReason::UnfilledIoc => "UNFILLED_IOC",
                ExpiryReason::UnfilledFok => "UNFILLED_FOK",
                ExpiryReason::InsufficientLiquidity => "INSUFFICIENT_LIQUIDITY",
                ExpiryReason::PriceRangeExceeded => "PRICE_RANGE_EXCEEDED",
                ExpiryReason::ExchangeCanceled => "EXCHANGE_CANCELED",
                // Only orders at contracts have a date.
                ExpiryReason::GoodTillDate => "GOOD_TILL_DATE",
            }),
            EndReason::Filled | EndReason::Canceled | EndReason::ExpiredInMatch => None,
        };
        self.ended_at = Some(at);
        self.release(ended.released)?;
        if self.held.is_zero() {
            return Ok(());
        }
        Err(SqlError::Disagrees(format!(
            "order {} has ended, and the database has something held for it",
            self.id
        )))
    }

    pub fn push<'a>(&'a self, market: &Market<'_>, out: &mut Vec<Value<'a>>) {
        let base = |amount| Value::Amount(market.base_amount(amount));
        let quote = |amount| Value::Amount(market.quote_amount(amount));
        let name = (!self.client_order_id.is_empty()).then_some(&self.client_order_id);
        let scale = market.paid_scale(self.side);
        out.extend([
            Value::id(self.id.0),
            Value::id(self.account.0),
            Value::id(self.market.0.into()),
            Value::or_null(name, |name| Value::Text(name.as_str())),
            Value::Text(side_word(self.side)),
            Value::Text(self.kind),
            Value::Text(self.time_in_force),
            Value::Text(self.self_trade_prevention),
            Value::or_null(self.price, Value::Amount),
            base(self.quantity),
            Value::or_null(self.quote_amount, quote),
            base(self.executed_quantity),
            quote(self.executed_quote),
            base(self.prevented_quantity),
            Value::Amount(Decimal { units: self.held.0, scale }),
            Value::Int(self.amendments),
            Value::Text(self.status),
            Value::or_null(self.end_reason, Value::Text),
            Value::Moment(self.created_at),
            Value::Moment(self.updated_at),
            Value::or_null(self.ended_at, Value::Moment),
            Value::or_null(self.position_side, |side| Value::Text(position_side_word(side))),
            Value::Int(self.reduce_only.into()),
            Value::or_null(self.good_till, Value::Moment),
            Value::Text(self.placed_by),
            Value::or_null(self.stop_price, Value::Amount),
            Value::or_null(self.trailing_bips, |bips| Value::Int(bips.into())),
            Value::or_null(self.trailing_at, Value::Moment),
            Value::or_null(self.triggered_at, Value::Moment),
            Value::or_null(self.prevented_match, Value::id),
        ]);
    }

    /// From the columns of an order in a market, times in microseconds.
    pub fn read(row: &[Option<String>], market: &Market<'_>) -> Result<Self, SqlError> {
        let wrong = || {
            SqlError::Disagrees(format!(
                "the row of order {} is not one of ours: {row:?}",
                row[0].as_deref().unwrap_or("?")
            ))
        };
        let text = |column: usize| row.get(column).and_then(Option::as_deref).ok_or_else(wrong);
        let number = |column| text(column)?.parse::<u64>().map_err(|_| wrong());
        let word = |column, words: &[&'static str]| {
            let found = text(column)?;
            words.iter().find(|word| **word == found).copied().ok_or_else(wrong)
        };
        let moment = |column| text(column)?.parse().map(Moment).map_err(|_| wrong());
        let id = u32::try_from(number(2)?).map_err(|_| wrong())?;
        let amount = |column, scale| decimal::parse(text(column)?, scale).map(Amount).ok_or_else(wrong);
        let (base, quote) = (market.base.scale, market.quote.scale);
        let optional = |column: usize| row.get(column).is_some_and(Option::is_some);
        let side = if word(4, &["BUY", "SELL"])? == "BUY" { Side::Buy } else { Side::Sell };
        let price_scale = market.terms.price_scale;
        let price =
            |column| amount(column, price_scale).map(|price| Decimal { units: price.0, scale: price_scale });
        let client_order_id =
            if optional(3) { ClientOrderId::new(text(3)?) } else { Ok(ClientOrderId::EMPTY) };
        Ok(Self {
            id: OrderId(number(0)?),
            account: AccountId(number(1)?),
            market: MarketId(id),
            client_order_id: client_order_id.map_err(|_| wrong())?,
            side,
            kind: word(5, &TYPES)?,
            time_in_force: word(6, &TIMES_IN_FORCE)?,
            self_trade_prevention: word(7, &PREVENTIONS)?,
            price: optional(8).then(|| price(8)).transpose()?,
            quantity: amount(9, base)?,
            quote_amount: optional(10).then(|| amount(10, quote)).transpose()?,
            executed_quantity: amount(11, base)?,
            executed_quote: amount(12, quote)?,
            prevented_quantity: amount(13, base)?,
            held: amount(14, market.paid_scale(side))?,
            amendments: i64::try_from(number(15)?).map_err(|_| wrong())?,
            status: word(16, &STATUSES)?,
            end_reason: optional(17).then(|| word(17, &END_REASONS)).transpose()?,
            created_at: moment(18)?,
            updated_at: moment(19)?,
            ended_at: optional(20).then(|| moment(20)).transpose()?,
            position_side: optional(21).then(|| position_side_of(text(21)?).ok_or_else(wrong)).transpose()?,
            reduce_only: number(22)? == 1,
            good_till: optional(23).then(|| moment(23)).transpose()?,
            placed_by: word(24, &PLACED_BY)?,
            stop_price: optional(25).then(|| price(25)).transpose()?,
            trailing_bips: optional(26)
                .then(|| number(26))
                .transpose()?
                .and_then(|bips| u16::try_from(bips).ok()),
            trailing_at: optional(27).then(|| moment(27)).transpose()?,
            triggered_at: optional(28).then(|| moment(28)).transpose()?,
            prevented_match: optional(29).then(|| number(29)).transpose()?,
        })
    }

    /// As the views have it. Its first name is the one that it has now.
    pub fn view(&self, market: &Market<'_>) -> views::Order {
        let nanos = |at: Moment| TimeNs(u64::try_from(at.0).unwrap_or_default().saturating_mul(1_000));
        let lots = |amount: Amount| {
            let lots = amount.0.checked_div(market.terms.base_atoms_per_lot.0).unwrap_or_default();
            QtyLots(i64::try_from(lots).expect("terms bound quantities"))
        };
        let ticks = |price: Option<Decimal>| {
            let tick = i128::from(market.terms.tick_size);
            let ticks = price.and_then(|price| price.units.checked_div(tick)).unwrap_or_default();
            PriceTicks(i64::try_from(ticks).expect("terms bound prices"))
        };
        let time_in_force = match self.time_in_force {
            "IOC" => TimeInForce::Ioc,
            "FOK" => TimeInForce::Fok,
            _ => TimeInForce::Gtc,
        };
        let (qty_lots, price_ticks, stop_ticks) =
            (lots(self.quantity), ticks(self.price), ticks(self.stop_price));
        let trigger =
            if self.kind.starts_with("STOP") { TriggerKind::StopLoss } else { TriggerKind::TakeProfit };
        let trailing_bips = self.trailing_bips.unwrap_or_default();
        let kind = match (self.kind, self.quote_amount) {
            ("LIMIT", _) if self.time_in_force == "GTX" => OrderKind::LimitMaker { price_ticks, qty_lots },
            ("LIMIT", _) => OrderKind::Limit { price_ticks, qty_lots, time_in_force },
            ("LIMIT_MAKER", _) => OrderKind::LimitMaker { price_ticks, qty_lots },
            ("MARKET", Some(quote_amount)) => OrderKind::MarketQuote { quote_amount },
            ("MARKET", None) => OrderKind::Market { qty_lots },
            ("STOP_LOSS_LIMIT" | "TAKE_PROFIT_LIMIT", _) => OrderKind::StopLimit {
                price_ticks,
                qty_lots,
                time_in_force,
                trigger,
                stop_ticks,
                trailing_bips,
            },
            (_, _) => OrderKind::StopMarket { qty_lots, trigger, stop_ticks, trailing_bips },
        };
        let accepted = OrderAccepted {
            order: self.id,
            account: self.account,
            market: self.market,
            side: self.side,
            kind,
            self_trade_prevention: match self.self_trade_prevention {
                "EXPIRE_MAKER" => SelfTradePrevention::ExpireMaker,
                "EXPIRE_TAKER" => SelfTradePrevention::ExpireTaker,
                "EXPIRE_BOTH" => SelfTradePrevention::ExpireBoth,
                "DECREMENT" => SelfTradePrevention::Decrement,
                "TRANSFER" => SelfTradePrevention::Transfer,
                _ => SelfTradePrevention::None,
            },
            client_order_id: self.client_order_id,
            held: self.held,
        };
        let mut order = views::Order::accepted(&accepted, nanos(self.created_at));
        order.qty_lots = qty_lots;
        order.executed_lots = lots(self.executed_quantity);
        order.prevented_lots = lots(self.prevented_quantity);
        order.cumulative_quote = self.executed_quote;
        order.updated_ns = nanos(self.updated_at);
        order.amends = u16::try_from(self.amendments).unwrap_or(u16::MAX);
        order.prevented_match = self.prevented_match;
        order.end = self.ended_at.map(|_| match self.status {
            "FILLED" => EndReason::Filled,
            "CANCELED" => EndReason::Canceled,
            "EXPIRED_IN_MATCH" => EndReason::ExpiredInMatch,
            _ => EndReason::Expired(match self.end_reason {
                Some("UNFILLED_IOC") => ExpiryReason::UnfilledIoc,
                Some("UNFILLED_FOK") => ExpiryReason::UnfilledFok,
                Some("INSUFFICIENT_LIQUIDITY") => ExpiryReason::InsufficientLiquidity,
                Some("PRICE_RANGE_EXCEEDED") => ExpiryReason::PriceRangeExceeded,
                Some("GOOD_TILL_DATE") => ExpiryReason::GoodTillDate,
                _ => ExpiryReason::ExchangeCanceled,
            }),
        });
        order.at_contract = self.position_side.map(|position_side| views::AtContract {
            reduce_only: self.reduce_only,
            position_side,
            cause: if self.placed_by == "LIQUIDATION" { OrderCause::Liquidation } else { OrderCause::Owner },
            good_till_ns: self.good_till.map(nanos),
        });
        order.waited(self.trailing_at.map(nanos), self.triggered_at.map(nanos));
        order
    }
}
