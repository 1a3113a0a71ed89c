//! What is kept of contracts beside what every market has: mark price, index price, funding and open interest; and of accounts
//! there: futures wallets, positions, orders, and what waits for a price.

use std::collections::BTreeMap;
use std::time::Instant;

use dialect::algo_orders::{Shown, callback_rate};
use dialect::contracts::{
    average_price, break_even_price, entry_price, first_prices, funding_rate, income_name, name_of, names_of,
    position_side_name, position_side_of, side_name,
};
use dialect::{Decimal, Listing, Listings};
use model::{
    AccountId, AlgoId, Amount, AssetId, AssetTerms, MarkPriceChanged, MarketId, OrderCause, OrderId,
    PositionSide, PriceTicks, QtyLots, TimeNs,
};
use redis::Pipeline;
use serde_json::json;
use views::{AlgoOrder, AlgoStatus, Funding, Futures, Income, Order, Page, Position};

use super::changes::{Changes, FUTURES, Fields};
use super::{Cache, LOOK, add};
use crate::answer::status;

/// The hash of an account's open orders at contracts.
pub(super) const OPEN: &str = "futures:open";
/// The hash of what waits for a price.
pub(super) const ALGO: &str = "futures:algo";
/// The hash of its positions.
pub(super) const POSITIONS: &str = "futures:positions";

const SIDES: [PositionSide; 3] = [PositionSide::Both, PositionSide::Long, PositionSide::Short];

/// What only the views can tell: events that stand in no event of the log as they are told here.
#[derive(Default)]
pub(super) struct Told {
    pub markets: Vec<(MarketId, Fields)>,
    pub accounts: Vec<(AccountId, Fields)>,
}

impl Cache {
    /// Notes the contracts that live here of which more or less is open than was written. Accounts of all partitions have a part in
    /// it, and nothing here tells when that of another one changes: so it is looked at every now and then.
    pub(super) fn note_open_interest(&mut self, changes: &mut Changes, listings: &Listings) {
        if self.interest_seen.elapsed() < LOOK {
            return;
        }
        self.interest_seen = Instant::now();
        let here = |listing: &&Listing| listing.home == self.partition;
        let markets: Vec<MarketId> =
            listings.contracts().filter(here).map(|listing| listing.market).collect();
        if markets.is_empty() {
            return;
        }
        for (market, open) in self.open_at(&markets) {
            if self.open_interest.get(&market).is_some_and(|known| *known != open) {
                changes.prices.insert(market);
            }
        }
    }

    /// How much is open at contracts, over all partitions.
    fn open_at(&self, markets: &[MarketId]) -> BTreeMap<MarketId, QtyLots> {
        let mut open: BTreeMap<_, _> = markets.iter().map(|market| (*market, QtyLots::ZERO)).collect();
        for partition in self.context.exchange.ingress.partitions().all() {
            self.context.exchange.directory.look(partition, &mut |views| {
                for (market, open) in &mut open {
                    *open += views.futures().open_interest(*market).long_lots;
                }
            });
        }
        open
    }

    /// Notes all that an account has at contracts. What has come into its wallets before is not told again.
    pub(super) fn note_futures(&mut self, changes: &mut Changes, account: AccountId) {
        let (has_wallet, last, positions, orders, algo_orders) = self.look(|views| {
            let futures = views.futures();
            let last = views.contract_history().income(account, &Page::last(1), |_| true);
            let one_way = futures.positions_of(account).map(|(market, _)| market);
            let positions: Vec<_> =
                one_way.chain(futures.legs_of(account).map(|(market, ..)| market)).collect();
            let orders: Vec<_> = views.contract_orders().open(account).iter().map(|order| order.id).collect();
            let algo_orders: Vec<_> =
                views.algo_orders().open(account).iter().map(|order| order.accepted.algo).collect();
            let has_wallet = futures.wallets_of(account).next().is_some();
            (has_wallet, last.first().map(|income| income.id), positions, orders, algo_orders)
        });
        if has_wallet {
            changes.wallets.insert(account);
        }
        if let Some(last) = last {
            self.last_incomes.insert(account, last);
        }
        changes.positions.extend(positions.into_iter().map(|market| (account, market)));
        changes.contract_orders.extend(orders.into_iter().map(|order| (account, order)));
        changes.algo_orders.extend(algo_orders.into_iter().map(|algo| (account, algo)));
    }

    /// Mark price, index price, what the next settlement of funding would take, and the settlements that are not there yet.
    pub(super) fn write_prices(&mut self, commands: &mut Pipeline, listing: &Listing) {
        let (market, own) = (listing.market, self.partition);
        if listing.contract.is_none() {
            return;
        }
        let last = self.last_fundings.get(&market).copied();
        let page = match last {
            Some(last) => Page { start_ns: Some(TimeNs(last.0 + 1)), ..Page::last(usize::MAX) },
            None => Page::last(self.settings.events_max),
        };
        let seen = self.look(|views| {
            let prices = views.futures().prices(market).cloned();
            let fundings = views.contract_history().fundings(market, &page);
            views.has_market(own, market).then(|| (prices, fundings, views.time_ns()))
        });
        // Another partition has it, and writes it.
        let Some((prices, fundings, time_ns)) = seen else { return };
        let open = self.open_at(&[market])[&market];
        self.open_interest.insert(market, open);
        commands.cmd("MULTI").ignore();
        let set = commands.cmd("HSET").arg(self.market_key(listing, "mark"));
        for (name, value) in
            mark_fields(listing, &prices.unwrap_or_else(|| first_prices(listing)), open, time_ns)
        {
            set.arg(name).arg(value);
        }
        set.ignore();
        let key = self.market_key(listing, "funding");
        if last.is_none() {
            commands.cmd("DEL").arg(&key).ignore();
        }
        for funding in fundings {
            self.last_fundings.insert(market, funding.time_ns);
            let id = format!("{}-0", funding.time_ns.as_millis());
            add(commands, &key, &id, self.settings.events_max, &funding_fields(listing, &funding));
        }
        commands.cmd("EXEC").ignore();
    }

    /// What is in an account's futures wallets, with the margins of its isolated positions and without them.
    pub(super) fn write_wallets(&mut self, commands: &mut Pipeline, account: AccountId, listings: &Listings) {
        let wallets = self.look(|views| wallets(views.futures(), account, listings));
        if wallets.is_empty() {
            return;
        }
        for what in ["balance", "cross"] {
            let set = commands.cmd("HSET").arg(self.account_key(account, &format!("futures:{what}")));
            for (asset, cross, all) in &wallets {
                let terms = listings.asset(*asset).expect("a wallet is of a listed asset");
                let amount = if what == "cross" { cross } else { all };
                set.arg(terms.name.as_str()).arg(Decimal { units: amount.0, scale: terms.scale }.to_string());
            }
            set.ignore();
        }
    }

    /// An account's positions at a contract.
    pub(super) fn write_positions(&mut self, commands: &mut Pipeline, account: AccountId, listing: &Listing) {
        let texts =
            self.look(|views| SIDES.map(|side| position_text(views.futures(), account, listing, side)));
        let key = self.account_key(account, POSITIONS);
        for (side, text) in SIDES.into_iter().zip(texts) {
            let field = format!("{}:{}", listing.terms.name, position_side_name(side));
            match text {
                Some(text) => commands.cmd("HSET").arg(&key).arg(field).arg(text).ignore(),
                None => commands.cmd("HDEL").arg(&key).arg(field).ignore(),
            };
        }
    }

    pub(super) fn write_contract_order(
        &mut self,
        commands: &mut Pipeline,
        account: AccountId,
        order: OrderId,
        listings: &Listings,
    ) {
        let open =
            self.look(|views| views.contract_orders().by_id(order).filter(|order| order.is_open()).cloned());
        let key = self.account_key(account, OPEN);
        match open.and_then(|order| Some(order_text(&order, listings.market(order.market)?))) {
            Some(text) => commands.cmd("HSET").arg(key).arg(order.0).arg(text).ignore(),
            None => commands.cmd("HDEL").arg(key).arg(order.0).ignore(),
        };
    }

    pub(super) fn write_algo_order(
        &mut self,
        commands: &mut Pipeline,
        account: AccountId,
        algo: AlgoId,
        listings: &Listings,
    ) {
        let open = self.look(|views| {
            views.algo_orders().by_id(algo).filter(|order| order.status == AlgoStatus::New).cloned()
        });
        let key = self.account_key(account, ALGO);
        match open.and_then(|order| Some(algo_text(&order, listings.market(order.accepted.market)?))) {
            Some(text) => commands.cmd("HSET").arg(key).arg(algo.0).arg(text).ignore(),
            None => commands.cmd("HDEL").arg(key).arg(algo.0).ignore(),
        };
    }

    /// What has come into futures wallets and gone out of them, and orders by which the exchange has closed positions.
    pub(super) fn told_of_contracts(&mut self, changes: &Changes, listings: &Listings) -> Told {
        let mut told = Told::default();
        for account in &changes.wallets {
            let behind = self.last_incomes.get(account).map_or(0, |last| last + 1);
            let page = Page::starting(behind, usize::MAX);
            let income: Vec<Income> = self.look(|views| {
                views.contract_history().income(*account, &page, |_| true).into_iter().cloned().collect()
            });
            for income in income {
                self.last_incomes.insert(*account, income.id);
                let asset = listings.asset(income.asset).expect("income is in a listed asset");
                let listing = income.market.and_then(|market| listings.market(market));
                told.accounts.push((*account, income_fields(&income, asset, listing)));
            }
        }
        for order in &changes.ended_at_contracts {
            let forced = self.look(|views| {
                let ended = views.contract_orders().by_id(*order);
                ended
                    .filter(|order| order.at_contract.is_some_and(|at| at.cause == OrderCause::Liquidation))
                    .cloned()
            });
            if let Some(order) = forced
                && let Some(listing) = listings.market(order.market)
            {
                told.markets.push((order.market, liquidation_fields(&order, listing)));
            }
        }
        told
    }
}

/// What is in an account's futures wallets, by asset: without the margins of its isolated positions, and with them.
fn wallets(futures: &Futures, account: AccountId, listings: &Listings) -> Vec<(AssetId, Amount, Amount)> {
    let with_margins = |(asset, cross)| {
        let contracts = listings.contracts().filter(|listing| listing.terms.quote == asset);
        let margins =
            contracts.flat_map(|listing| SIDES.map(|side| futures.margin(account, listing.market, side)));
        (asset, cross, margins.flatten().fold(cross, |sum, margin| sum + margin))
    };
    futures.wallets_of(account).map(with_margins).collect()
}

fn mark_fields(listing: &Listing, prices: &MarkPriceChanged, open: QtyLots, time_ns: TimeNs) -> Fields {
    let interest = listing.contract.as_ref().map(|contract| contract.interest).unwrap_or_default();
    vec![
        ("markPrice", listing.price(prices.mark_ticks).to_string()),
        ("indexPrice", listing.price(prices.index_ticks).to_string()),
        ("lastFundingRate", funding_rate(prices.rate).to_string()),
        ("interestRate", funding_rate(interest).to_string()),
        ("nextFundingTime", prices.next_funding_ns.as_millis().to_string()),
        ("openInterest", listing.quantity(open).to_string()),
        ("time", time_ns.as_millis().to_string()),
    ]
}

fn funding_fields(listing: &Listing, funding: &Funding) -> Fields {
    vec![
        ("fundingRate", funding_rate(funding.rate).to_string()),
        ("fundingTime", funding.time_ns.as_millis().to_string()),
        ("markPrice", listing.price(funding.mark_ticks).to_string()),
    ]
}

fn income_fields(income: &Income, asset: &AssetTerms, listing: Option<&Listing>) -> Fields {
    let mut fields = vec![
        ("event", "income".to_owned()),
        ("time", income.time_ns.as_millis().to_string()),
        ("market", FUTURES.to_owned()),
    ];
    fields.extend(listing.map(|listing| ("symbol", listing.terms.name.to_string())));
    fields.extend([
        ("incomeType", income_name(income.kind).to_owned()),
        ("income", Decimal { units: income.amount.0, scale: asset.scale }.to_string()),
        ("asset", asset.name.to_string()),
        ("tranId", income.id.to_string()),
    ]);
    fields.extend(income.trade.map(|trade| ("tradeId", trade.to_string())));
    fields
}

/// What everybody is told of an order by which the exchange has closed a position; not whose it was.
fn liquidation_fields(order: &Order, listing: &Listing) -> Fields {
    vec![
        ("event", "liquidation".to_owned()),
        ("time", order.updated_ns.as_millis().to_string()),
        ("side", side_name(order.side).to_owned()),
        ("price", listing.price(order.price_ticks().unwrap_or(PriceTicks::ZERO)).to_string()),
        ("avgPrice", average_price(listing, order).to_string()),
        ("origQty", listing.quantity(order.qty_lots).to_string()),
        ("executedQty", listing.quantity(order.executed_lots).to_string()),
        ("status", status(order.end, order.executed_lots).to_owned()),
    ]
}

/// A position as JSON; `None` where there is none.
fn position_text(
    futures: &Futures,
    account: AccountId,
    listing: &Listing,
    side: PositionSide,
) -> Option<String> {
    let market = listing.market;
    let Position { qty_lots, cost, changed_ns } = futures.position_of(account, market, side);
    if qty_lots.is_zero() {
        return None;
    }
    let held = margin::Position { qty_lots, cost };
    let margin = futures.margin(account, market, side);
    let default_leverage = listing.contract.as_ref().map(|contract| contract.default_leverage);
    let leverage = futures.leverage(account, market).or(default_leverage).unwrap_or_default();
    let position = json!({
        "symbol": listing.terms.name.as_str(),
        "positionSide": position_side_name(side),
        "positionAmt": listing.quantity(qty_lots).to_string(),
        "entryPrice": entry_price(listing, &held).to_string(),
        "breakEvenPrice": break_even_price(listing, &held).to_string(),
        "leverage": leverage.to_string(),
        "marginType": if margin.is_some() { "isolated" } else { "cross" },
        "isolatedWallet": listing.quote_amount(margin.unwrap_or_default()).to_string(),
        "updateTime": changed_ns.as_millis(),
    });
    Some(position.to_string())
}

/// An open order at a contract as JSON.
fn order_text(order: &Order, listing: &Listing) -> String {
    let (kind, time_in_force) = names_of(order);
    let good_till = order.at_contract.and_then(|at| at.good_till_ns);
    let order = json!({
        "orderId": order.id.0,
        "symbol": listing.terms.name.as_str(),
        "clientOrderId": name_of(order),
        "side": side_name(order.side),
        "positionSide": position_side_name(position_side_of(order)),
        "type": kind,
        "timeInForce": time_in_force,
        "price": listing.price(order.price_ticks().unwrap_or(PriceTicks::ZERO)).to_string(),
        "avgPrice": average_price(listing, order).to_string(),
        "origQty": listing.quantity(order.qty_lots).to_string(),
        "executedQty": listing.quantity(order.executed_lots).to_string(),
        "status": status(None, order.executed_lots),
        "reduceOnly": order.at_contract.is_some_and(|at| at.reduce_only),
        "goodTillDate": good_till.map_or(0, TimeNs::as_millis),
        "time": order.accepted_ns.as_millis(),
        "updateTime": order.updated_ns.as_millis(),
    });
    order.to_string()
}

/// An order that waits for a price as JSON.
fn algo_text(order: &AlgoOrder, listing: &Listing) -> String {
    let shown = Shown::of(order);
    let accepted = &order.accepted;
    let mut text = json!({
        "algoId": accepted.algo.0,
        "symbol": listing.terms.name.as_str(),
        "clientAlgoId": accepted.client_algo_id.as_str(),
        "orderType": shown.order_type,
        "side": side_name(accepted.side),
        "positionSide": position_side_name(accepted.position_side),
        "timeInForce": shown.time_in_force,
        "quantity": listing.quantity(shown.qty_lots).to_string(),
        "price": listing.price(shown.price_ticks).to_string(),
        "triggerPrice": listing.price(shown.trigger_ticks).to_string(),
        "workingType": shown.working_type,
        "priceProtect": accepted.price_protect,
        "closePosition": shown.closes_position,
        "reduceOnly": shown.reduce_only,
        "createTime": order.accepted_ns.as_millis(),
        "updateTime": order.updated_ns.as_millis(),
    });
    if let Some(ticks) = shown.activation_ticks {
        text["activatePrice"] = listing.price(ticks).to_string().into();
    }
    if let Some(permille) = shown.callback_permille {
        text["callbackRate"] = callback_rate(permille).to_string().into();
    }
    text.to_string()
}

#[cfg(test)]
mod tests;
