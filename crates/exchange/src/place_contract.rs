//! Placing an order at a contract, as its account sees it: check the rules, see whether there is margin for what the order can
//! lead to, send it to its market. Source: semantics 2 ("Margin") and 8.

use ledger::WalletSlot;
use margin::{largest_value, order_price};
use model::{
    Amount, ChangeLeverage, ContractOrder, ContractTerms, Event, MarketId, MarketTerms, OrderCause, OrderId,
    OrderKind, PlaceContractOrder, PositionMode, PositionSide, PriceTicks, QtyLots, Reject,
    SelfTradePrevention, Side, ToMarket,
};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::futures::{Reserve, Reserved, Stake};
use crate::messages::Mail;
use crate::open_orders::{Named, SeatSlot};
use crate::place::check_filters;
use crate::standing::required_at;

/// Whether `LOT_SIZE` and `NOTIONAL` bind an order.
#[derive(Clone, Copy, PartialEq, Eq)]
pub enum Filters {
    Apply,
    /// It closes what there is, however little or much.
    Waived,
}

/// An order, as far as margin depends on it.
#[derive(Clone, Copy)]
pub struct Weighed {
    pub side: Side,
    pub limit: Option<PriceTicks>,
    pub qty: QtyLots,
    pub reduce_only: bool,
}

impl Accounts {
    pub fn place_contract(
        &mut self,
        catalog: &Catalog,
        place: &PlaceContractOrder,
        mail: &mut Mail,
    ) -> Result<(), Reject> {
        self.place_at_contract(catalog, place, Filters::Apply, mail).map(|_| ())
    }

    /// Returns the order's number.
    #[inline(never)]
    pub fn place_at_contract(
        &mut self,
        catalog: &Catalog,
        place: &PlaceContractOrder,
        filters: Filters,
        mail: &mut Mail,
    ) -> Result<OrderId, Reject> {
        let PlaceContractOrder { account, market, side, position_side, kind, .. } = *place;
        let terms = catalog.open_market(market)?;
        let contract = catalog.contract(market).ok_or(Reject::NotContract { market })?;
        let trade_group = self.account(account)?.trade_group;
        check_kind(&kind, place.self_trade_prevention)?;
        let last = self.reference_prices[usize::try_from(market.0).expect("markets fit into memory")];
        let reference = terms.reference(last);
        if filters == Filters::Apply {
            check_filters(terms, &kind, reference)?;
        }
        let reduce_only = self.check_position_side(place)?;
        let found = self.futures.open.find_seat(account, market);
        let open_orders = found.map_or(0, |seat| self.futures.open_orders_at(seat));
        if open_orders >= terms.max_open_orders_per_account {
            return Err(Reject::TooManyOpenOrders { max: terms.max_open_orders_per_account });
        }
        let named = Named::new(account, &place.client_order_id);
        if self.futures.open.find_named(&named).is_some() {
            return Err(Reject::DuplicateClientOrderId);
        }

        let seat = match (found, position_side) {
            (Some(seat), PositionSide::Both) => seat,
            (_, _) => self.take_seat_of(account, market, terms.quote, position_side),
        };
        let stake = &self.futures.open.seat(seat).stake;
        if [stake.wallet, stake.backing()].into_iter().any(|wallet| self.futures.is_in_liquidation(wallet)) {
            return Err(Reject::InLiquidation);
        }
        let qty = kind.qty_lots().expect("an order at a contract has a quantity");
        let wallet = stake.wallet;
        self.futures.sum_up(catalog, wallet);
        let stake = &self.futures.open.seat(seat).stake;
        let weighed = Weighed { side, limit: kind.price_ticks(), qty, reduce_only };
        let (reserve, worst_ticks) =
            self.weigh(catalog, (market, terms, contract), stake, stake.reserved, weighed)?;

        let order = self.next_order;
        self.next_order = order.next();
        let slot = self.futures.open.insert(order, seat, (side, kind.price_ticks()), reserve, &named);
        self.futures.stake_mut(seat).reserved.change(terms, side, reserve, qty);
        mail.send_about(slot, market, || {
            ToMarket::PlaceContract(ContractOrder {
                order,
                account,
                trade_group,
                side,
                position_side,
                kind,
                self_trade_prevention: place.self_trade_prevention,
                reduce_only,
                worst_ticks,
                cause: OrderCause::Owner,
            })
        });
        Ok(order)
    }

    /// What an order reserves beside what others do at its contract, and beyond which price it would lose more at once than its
    /// account can bear. Refused where there is too little for it.
    pub fn weigh(
        &self,
        catalog: &Catalog,
        (market, terms, contract): (MarketId, &MarketTerms, &ContractTerms),
        stake: &Stake,
        others: Reserved,
        order: Weighed,
    ) -> Result<(Reserve, PriceTicks), Reject> {
        let Weighed { side, limit, qty, reduce_only } = order;
        let last = self.reference_prices[usize::try_from(market.0).expect("markets fit into memory")];
        let mark = self.futures.mark(market);
        let value_ticks = order_price(side, limit, terms.reference(last), mark);
        let price = limit.unwrap_or(if reduce_only { mark } else { value_ticks });
        let is_worse = match side {
            Side::Buy => mark < price,
            Side::Sell => price < mark,
        };
        let reserve = Reserve {
            value_ticks: if reduce_only { PriceTicks::ZERO } else { value_ticks },
            loss_ticks: if is_worse {
                PriceTicks((price - mark).0.saturating_abs())
            } else {
                PriceTicks::ZERO
            },
            left_lots: qty,
        };
        // What it may lose at once beside what it takes.
        let without_loss = Reserve { loss_ticks: PriceTicks::ZERO, ..reserve };
        let reserved = others.with(terms, side, without_loss, qty);
        let mut may_lose = self.check_margin(catalog, (market, terms, contract), stake, &reserved)?;
        // What an order that is modified would have lost comes free; where more is taken than before, that is counted already.
        let freed = stake.reserved.losses - others.losses;
        let required = |reserved| self.futures.required(catalog, market, stake, reserved);
        if !freed.is_zero() && required(&reserved) <= required(&stake.reserved) {
            may_lose += freed;
        }
        if let Some(margin) = stake.margin {
            let beside = (margin, others.losses);
            may_lose = self.isolated_may_lose(catalog, stake, beside, (side, reserve), may_lose);
        }
        let ticks = ticks_lost(may_lose, terms.notional(PriceTicks(1), qty));
        let worst_ticks = match side {
            Side::Buy => mark + ticks,
            Side::Sell => (mark - ticks).max(PriceTicks(1)),
        };
        let is_beyond = |price: PriceTicks| match side {
            Side::Buy => worst_ticks < price,
            Side::Sell => price < worst_ticks,
        };
        if limit.is_some_and(is_beyond) {
            return Err(Reject::LosesTooMuch { worst_ticks });
        }
        Ok((reserve, worst_ticks))
    }

    /// Whether an order only reduces its position: in one-way mode where its owner says so, in hedge mode where it goes against it.
    pub fn check_position_side(&self, place: &PlaceContractOrder) -> Result<bool, Reject> {
        let mode = self.futures.position_mode(place.account);
        match (mode, place.position_side) {
            (PositionMode::OneWay, PositionSide::Both) => Ok(place.reduce_only),
            (PositionMode::Hedge, PositionSide::Long | PositionSide::Short) if place.reduce_only => {
                Err(Reject::ReduceOnlyInHedge)
            }
            (PositionMode::Hedge, PositionSide::Long | PositionSide::Short) => {
                Ok(place.position_side.closed_by() == Some(place.side))
            }
            (PositionMode::OneWay, PositionSide::Long | PositionSide::Short)
            | (PositionMode::Hedge, PositionSide::Both) => Err(Reject::PositionSideMismatch { mode }),
        }
    }

    /// Whether an account may have all these orders beside its position. What takes no more margin than before is always allowed.
    /// Returns what the new one may lose at once: an opening one what is left above all that is taken; one that only closes all
    /// that there is, so that nobody closes at a loss that somebody else has to bear.
    fn check_margin(
        &self,
        catalog: &Catalog,
        (market, terms, contract): (MarketId, &MarketTerms, &ContractTerms),
        stake: &Stake,
        reserved: &Reserved,
    ) -> Result<Amount, Reject> {
        let mut standing = self.futures.standing(catalog, &self.ledger, stake.wallet);
        if stake.margin.is_some() {
            // What an isolated position takes leaves the wallet, which profits that are not realised cannot.
            standing.equity -= standing.counted.unrealized.max(Amount::ZERO);
        }
        let before = self.futures.required_now(catalog, market, stake);
        let value = stake.position.value(terms, self.futures.mark(market));
        let after = required_at(contract, stake, value, reserved);
        if after <= before && stake.margin.is_some() {
            // What it opens takes its loss from the wallet, where the rest is taken already.
            return Ok((standing.equity - standing.counted.required).max(Amount::ZERO));
        }
        if after <= before {
            return Ok((standing.equity - standing.counted.losses).max(Amount::ZERO));
        }
        let qty = stake.position.qty_lots;
        let long = (qty + reserved.bid_lots).0.saturating_abs();
        let short = (qty - reserved.ask_lots).0.saturating_abs();
        if QtyLots(long.max(short)) > contract.max_position_lots {
            return Err(Reject::TooManyLots { max: contract.max_position_lots });
        }
        let max = contract.max_value_at(stake.leverage(contract));
        if largest_value(value, reserved.values) > max {
            return Err(Reject::PositionTooLarge { max });
        }
        let needed = standing.counted.required + after - before;
        if needed > standing.equity {
            return Err(Reject::InsufficientMargin { needed, available: standing.equity });
        }
        Ok(standing.equity - needed)
    }

    /// What an order at an isolated position may lose at once, beside the `losses` that others at it would bring. What it closes may
    /// lose all that the position's margin has left, and nothing of the wallet; what it opens takes its loss from there, where the
    /// check of margins has allowed `opening` for it.
    fn isolated_may_lose(
        &self,
        catalog: &Catalog,
        stake: &Stake,
        (margin, losses): (WalletSlot, Amount),
        (side, reserve): (Side, Reserve),
        opening: Amount,
    ) -> Amount {
        if stake.position.closed_by() != Some(side) {
            return opening;
        }
        let equity = self.futures.standing(catalog, &self.ledger, margin).equity;
        let left = (equity - losses).max(Amount::ZERO);
        let only_closes = reserve.only_reduces() || reserve.left_lots <= stake.position.size();
        if only_closes { left } else { left.min(opening) }
    }

    /// Sets the leverage with which an account's position and orders at a contract count.
    pub fn change_leverage(
        &mut self,
        catalog: &Catalog,
        change: &ChangeLeverage,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let ChangeLeverage { account, market, leverage, .. } = *change;
        let terms = catalog.open_market(market)?;
        let contract = catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        let highest = contract.brackets[0].max_leverage;
        if leverage < 1 || highest < leverage {
            return Err(Reject::LeverageOutOfRange { max: highest });
        }
        self.take_contract_seat(account, market, terms.quote);
        let seats: Vec<SeatSlot> = self.futures.seats_at(account, market).collect();
        let stakes = || seats.iter().map(|seat| &self.futures.open.seat(*seat).stake);
        let mut wallets = stakes().flat_map(|stake| [stake.wallet, stake.backing()]);
        if wallets.any(|wallet| self.futures.is_in_liquidation(wallet)) {
            return Err(Reject::InLiquidation);
        }
        let mark = self.futures.mark(market);
        let (mut before, mut after) = (Amount::ZERO, Amount::ZERO);
        for stake in stakes() {
            let present = stake.leverage(contract);
            if stake.margin.is_some() && !stake.position.is_none() && leverage < present {
                return Err(Reject::LeverageCannotFall { leverage: present });
            }
            let value = stake.position.value(terms, mark);
            let values = stake.reserved.values;
            let max = contract.max_value_at(leverage);
            if largest_value(value, values) > max {
                return Err(Reject::PositionTooLarge { max });
            }
            let with_it = Stake { chosen_leverage: leverage, ..stake.clone() };
            before += self.futures.required(catalog, market, stake, &stake.reserved);
            after += self.futures.required(catalog, market, &with_it, &with_it.reserved);
        }
        let first = stakes().next().expect("one was taken above");
        let standing = self.futures.standing(catalog, &self.ledger, first.wallet);
        let needed = standing.counted.required + after - before;
        let cannot_leave =
            if first.margin.is_some() { standing.counted.unrealized.max(Amount::ZERO) } else { Amount::ZERO };
        let available = standing.equity - cannot_leave;
        if after > before && needed > available {
            return Err(Reject::InsufficientMargin { needed, available });
        }
        for seat in seats {
            self.futures.stake_mut(seat).chosen_leverage = leverage;
        }
        events.push(Event::LeverageChanged { account, market, leverage });
        Ok(())
    }
}

/// How many ticks an order may be worse than the mark price that may lose so much, and loses `a_tick` with each.
#[inline]
fn ticks_lost(may_lose: Amount, a_tick: Amount) -> PriceTicks {
    const NONE: &str = "it has a quantity";
    let ticks = match (i64::try_from(may_lose.0), i64::try_from(a_tick.0)) {
        (Ok(may_lose), Ok(a_tick)) => may_lose.checked_div(a_tick).expect(NONE),
        _ => i64::try_from(may_lose.0.checked_div(a_tick.0).expect(NONE)).unwrap_or(i64::MAX),
    };
    PriceTicks(ticks).min(MarketTerms::MAX_PRICE_TICKS)
}

pub fn check_kind(kind: &OrderKind, prevention: SelfTradePrevention) -> Result<(), Reject> {
    let is_kind = match kind {
        OrderKind::Limit { .. } | OrderKind::LimitMaker { .. } | OrderKind::Market { .. } => true,
        OrderKind::MarketQuote { .. } | OrderKind::StopMarket { .. } | OrderKind::StopLimit { .. } => false,
    };
    if is_kind && !prevention.takes_from_both() { Ok(()) } else { Err(Reject::NotAtContracts) }
}
