//! What happened, in a trader's words. Changes of levels are not told, `> book` shows them; of a maker it is told what is left.

use std::collections::BTreeMap;
use std::fmt::Write as _;

use model::{
    AccountId, Amount, AssetId, EndReason, Event, ExpiryReason, IpRange, KeyKind, Liquidity, MarketId,
    MarketStatus, MarketTerms, OrderAccepted, OrderEnded, OrderFilled, OrderId, OrderPrevented, PriceTicks,
    QtyLots, Reject, SelfTradePrevention, Side,
};

use crate::decimal;
use crate::story::Story;
use crate::witness::Known;

impl Story {
    /// One line for each thing that happened.
    pub fn in_words(&self, market: MarketId, events: &[Event]) -> Vec<String> {
        let mut lines = Vec::new();
        // Orders that this command placed, while they are open.
        let mut placed: BTreeMap<OrderId, &OrderAccepted> = BTreeMap::new();
        let mut maker_fill: Option<&OrderFilled> = None;
        let mut maker_prevented: Option<&OrderPrevented> = None;
        for event in events {
            match event {
                Event::OrderAccepted(accepted) => {
                    if accepted.kind.price_ticks().is_none() {
                        let held = self.paid_in(accepted.market, accepted.side, accepted.held);
                        lines.push(format!("accepted #{}, {held} held", accepted.order));
                    }
                    placed.insert(accepted.order, accepted);
                }
                Event::OrderFilled(filled) if filled.liquidity == Liquidity::Maker => {
                    maker_fill = Some(filled);
                }
                Event::OrderFilled(filled) => {
                    let maker = maker_fill.take().expect("the maker is told first");
                    lines.push(self.trade(maker, filled));
                }
                Event::OrderPrevented(prevented) if prevented.liquidity == Liquidity::Maker => {
                    maker_prevented = Some(prevented);
                }
                Event::OrderPrevented(prevented) => {
                    let maker = maker_prevented.take().expect("the maker is told first");
                    lines.push(self.prevented(maker, prevented));
                }
                Event::OrderEnded(ended) => {
                    let is_placed = |event: &Event| matches!(event, Event::ContractOrderAccepted(it) if it.order == ended.order);
                    let was_placed = placed.remove(&ended.order).is_some() || events.iter().any(is_placed);
                    if was_placed || ended.reason != EndReason::Filled {
                        lines.push(self.ended(ended));
                    }
                }
                Event::OrderTracks(tracks) => {
                    let price = self.price(tracks.market, tracks.price_ticks);
                    lines.push(format!("#{} follows the price from {price}", tracks.order));
                }
                Event::OrderTriggered(triggered) => {
                    let price = self.price(triggered.market, triggered.price_ticks);
                    let side = self.side_of(triggered.order);
                    let held = if triggered.held.is_zero() {
                        String::new()
                    } else {
                        format!(", {} more held", self.paid_in(triggered.market, side, triggered.held))
                    };
                    lines.push(format!("triggered #{} at {price}{held}", triggered.order));
                }
                Event::OrderAmended(amended) => {
                    let known = self.world.witness.order(amended.order).expect("an amended order is open");
                    let name = &amended.client_order_id;
                    let called = if name.is_empty() { String::new() } else { format!(" as {name}") };
                    let qty = self.qty(amended.market, amended.qty_lots);
                    let back = self.back(amended.market, known.accepted.side, amended.released);
                    lines.push(format!("amended #{} to {qty}{called}{back}", amended.order));
                }
                Event::Deposited(deposited) => {
                    lines.push(format!("deposited {}", self.money(deposited.asset, deposited.amount)));
                }
                Event::WithdrawalRequested(requested) => {
                    let money = self.money(requested.asset, requested.amount);
                    lines.push(format!("withdrawal {}: {money} held", requested.withdrawal));
                }
                Event::WithdrawalSettled(settled) => {
                    let money = self.money(settled.asset, settled.amount);
                    let how = if settled.paid_out { "paid out" } else { "free again" };
                    lines.push(format!("withdrawal {}: {money} {how}", settled.withdrawal));
                }
                Event::AssetAdded { terms, .. } => lines.push(format!("listed {}", terms.name)),
                Event::MarketAdded { terms, .. } => {
                    let status = match terms.status {
                        MarketStatus::Trading => "trading",
                        MarketStatus::CancelOnly => "cancel only",
                        MarketStatus::Halt => "halted",
                    };
                    lines.push(format!("listed {}, {status}", terms.name));
                }
                Event::AccountCreated { account, name, .. } => {
                    lines.push(format!("opened account {account} {name}"));
                }
                Event::ApiKeyCreated(created) => {
                    lines.push(format!("{} has key {}", self.name_of(created.account), created.key));
                }
                Event::ApiKeyAdded(added) => {
                    let owner = self.name_of(added.account);
                    let from = ranges(&added.ip_ranges);
                    lines.push(format!(
                        "{owner} has key {}, permissions {}{from}",
                        added.key, added.permissions
                    ));
                }
                Event::ApiKeyChanged(changed) => {
                    let owner = self.name_of(changed.account);
                    let (key, from) = (changed.key, ranges(&changed.ip_ranges));
                    lines.push(format!("{owner}'s key {key} now: permissions {}{from}", changed.permissions));
                }
                Event::PartitionAdded { spread } => {
                    let (count, first) = (spread.count, spread.first_account);
                    lines.push(format!("accounts from {first} on are spread over {count} partitions"));
                }
                Event::MarketPlaced { market, partition } => {
                    lines.push(format!("market {market} is in partition {partition}"));
                }
                Event::Heard { from, .. } => lines.push(format!("heard from partition {from}")),
                Event::MarketLeft { market, to } => {
                    lines.push(format!("market {market} has left for partition {to}"));
                }
                Event::MarketMoving { market, to } => {
                    lines.push(format!("market {market} moves to partition {to}"));
                }
                Event::ApiKeyResealed { account, key } => {
                    lines.push(format!("{}'s key {key} is sealed anew", self.name_of(*account)));
                }
                Event::ApiKeyRevoked { account, key } => {
                    lines.push(format!("{} has no key {key} any more", self.name_of(*account)));
                }
                Event::SourceRegistered { source, terms, mark } => {
                    lines.push(format!("source {source} is {}, taken up to {mark}", terms.name));
                }
                Event::EntryTaken { source, entry, .. } => {
                    lines.push(format!("entry {entry} of source {source}"));
                }
                Event::EntryOpen { source, entry } => {
                    lines.push(format!("entry {entry} of source {source} waits for its answer"));
                }
                Event::EntryAnswered { source, entry } => {
                    lines.push(format!("entry {entry} of source {source} is answered"));
                }
                Event::EntryRepeated { source, entry } => {
                    lines.push(format!("entry {entry} of source {source} again"));
                }
                Event::EntryOutOfOrder { source, entry, mark } => {
                    lines.push(format!("entry {entry} of source {source} behind {mark}"));
                }
                Event::Skipped { reason } => lines.push(format!("skipped: {reason}")),
                Event::Rejected { reject, .. } => {
                    lines.push(format!("rejected: {}", self.reject(market, reject)));
                }
                Event::Traded(_) | Event::LevelChanged(_) => {}
                Event::ContractOrderAccepted(_)
                | Event::ContractFilled(_)
                | Event::ContractAdded { .. }
                | Event::FundsMoved(_)
                | Event::LeverageChanged { .. }
                | Event::MarkPriceChanged(_)
                | Event::IndexPriceSet { .. }
                | Event::FundingSettled(_)
                | Event::FundingPaid(_)
                | Event::LiquidationBegun { .. }
                | Event::LiquidationEnded { .. }
                | Event::ClearancePaid { .. }
                | Event::FundReceived { .. }
                | Event::DebtCovered { .. }
                | Event::MarginTypeChanged { .. }
                | Event::PositionMarginChanged(_)
                | Event::PositionDebtCovered { .. }
                | Event::PositionLiquidationBegun { .. }
                | Event::PositionLiquidationEnded { .. }
                | Event::PositionModeChanged { .. }
                | Event::PositionForced(_) => lines.extend(self.of_contracts(event)),
                Event::AlgoOrderAccepted(_)
                | Event::AlgoOrderTracks(_)
                | Event::AlgoOrderTriggered(_)
                | Event::CountdownSet { .. }
                | Event::CountdownFired { .. }
                | Event::ContractOrderModified(_)
                | Event::GoodTillDate { .. }
                | Event::AlgoOrderEnded(_) => lines.extend(self.of_algos(event)),
            }
        }
        lines.extend(self.resting_at_contracts(events));
        for accepted in placed.values() {
            let known = self.world.witness.order(accepted.order).expect("it has not ended");
            let left = QtyLots(known.left().expect("a resting order has a quantity"));
            let qty = self.qty(accepted.market, left);
            let price = accepted.kind.price_ticks().map_or_else(
                || "market".to_string(),
                |price| format!("@ {}", self.price(accepted.market, price)),
            );
            let name = &accepted.client_order_id;
            let called = if name.is_empty() { String::new() } else { format!(" as {name}") };
            let how = if known.waits() { "waits" } else { "rests" };
            lines.push(format!("{how} #{} {qty} {price}{called}", accepted.order));
        }
        lines
    }

    fn trade(&self, maker: &OrderFilled, taker: &OrderFilled) -> String {
        let (qty, price) =
            (self.qty(taker.market, taker.qty_lots), self.price(taker.market, taker.price_ticks));
        let mut line =
            format!("trade {qty} @ {price}  maker #{} {}", maker.order, self.name_of(maker.account));
        if let Some(left) = self.world.witness.order(maker.order).and_then(Known::left) {
            write!(line, ", {} left", self.qty(maker.market, QtyLots(left))).unwrap();
        }
        for side in [maker, taker] {
            let terms = self.terms_at(side.market);
            let receives = match side.side {
                Side::Buy => terms.base,
                Side::Sell => terms.quote,
            };
            let name = self.name_of(side.account);
            if !side.fee.is_zero() {
                write!(line, "; {name} pays {} fee", self.money(receives, side.fee)).unwrap();
            }
            if !side.released.is_zero() {
                let back = self.paid_in(side.market, side.side, side.released);
                write!(line, "; {name} gets back {back}").unwrap();
            }
        }
        line
    }

    fn prevented(&self, maker: &OrderPrevented, taker: &OrderPrevented) -> String {
        let mode = match taker.mode {
            SelfTradePrevention::None => "none",
            SelfTradePrevention::ExpireMaker => "expire-maker",
            SelfTradePrevention::ExpireTaker => "expire-taker",
            SelfTradePrevention::ExpireBoth => "expire-both",
            SelfTradePrevention::Decrement => "decrement",
            SelfTradePrevention::Transfer => "transfer",
        };
        let price = self.price(taker.market, taker.price_ticks);
        let mut line = format!(
            "prevented {}: #{} meets #{} @ {price}, {mode}",
            taker.prevented_match, taker.order, maker.order
        );
        assert_eq!((taker.counter_order, maker.counter_order), (maker.order, taker.order));
        for side in [maker, taker] {
            if !side.prevented_lots.is_zero() {
                write!(line, "; #{} loses {}", side.order, self.qty(side.market, side.prevented_lots))
                    .unwrap();
            }
            if !side.released.is_zero() {
                let back = self.paid_in(side.market, self.side_of(side.order), side.released);
                write!(line, "; {} gets back {back}", self.name_of(side.account)).unwrap();
            }
        }
        line
    }

    fn ended(&self, ended: &OrderEnded) -> String {
        let how = match ended.reason {
            EndReason::Filled => "filled",
            EndReason::Canceled => "canceled",
            EndReason::ExpiredInMatch => "expired in match",
            EndReason::Expired(_) => "expired",
        };
        let why = match ended.reason {
            EndReason::Expired(ExpiryReason::UnfilledIoc) => " (what an IOC could not trade)",
            EndReason::Expired(ExpiryReason::UnfilledFok) => " (not all of a FOK could trade)",
            EndReason::Expired(ExpiryReason::InsufficientLiquidity) => " (insufficient liquidity)",
            EndReason::Expired(ExpiryReason::PriceRangeExceeded) => " (price range exceeded)",
            EndReason::Expired(ExpiryReason::ExchangeCanceled) => " (by the exchange)",
            EndReason::Expired(ExpiryReason::GoodTillDate) => " (its date has come)",
            EndReason::Filled | EndReason::Canceled | EndReason::ExpiredInMatch => "",
        };
        let side = self.side_of(ended.order);
        format!("{how} #{}{why}{}", ended.order, self.back(ended.market, side, ended.released))
    }

    fn side_of(&self, order: OrderId) -> Side {
        self.world.witness.side(order).expect("it was accepted")
    }

    fn back(&self, market: MarketId, side: Side, released: Amount) -> String {
        if released.is_zero() {
            return String::new();
        }
        format!(", {} free again", self.paid_in(market, side, released))
    }

    /// Money of the asset that this side pays in.
    fn paid_in(&self, market: MarketId, side: Side, amount: Amount) -> String {
        let terms = self.terms_at(market);
        self.money(if side == Side::Buy { terms.quote } else { terms.base }, amount)
    }

    pub fn money(&self, asset: AssetId, amount: Amount) -> String {
        format!("{} {}", decimal::text(amount.0, self.scale(asset)), self.asset_name(asset))
    }

    pub fn price(&self, market: MarketId, price: PriceTicks) -> String {
        let terms = self.terms_at(market);
        decimal::text(i128::from(price.0) * i128::from(terms.tick_size), terms.price_scale.into())
    }

    pub fn qty(&self, market: MarketId, qty: QtyLots) -> String {
        let terms = self.terms_at(market);
        decimal::text(i128::from(qty.0) * terms.base_atoms_per_lot.0, self.scale(terms.base))
    }

    pub fn reject(&self, market: MarketId, reject: &Reject) -> String {
        let terms: MarketTerms = self.terms_at(market);
        let quote = |amount: Amount| decimal::text(amount.0, self.scale(terms.quote));
        match *reject {
            Reject::PriceOutOfRange { min_ticks, max_ticks } => {
                format!(
                    "the price must be from {} to {}",
                    self.price(market, min_ticks),
                    self.price(market, max_ticks)
                )
            }
            Reject::QtyOutOfRange { min_lots, max_lots } => {
                format!(
                    "the quantity must be from {} to {}",
                    self.qty(market, min_lots),
                    self.qty(market, max_lots)
                )
            }
            Reject::NotionalOutOfRange { min, max } if max.is_zero() => {
                format!("price x quantity must be at least {}", quote(min))
            }
            Reject::NotionalOutOfRange { min, max } => {
                format!("price x quantity must be from {} to {}", quote(min), quote(max))
            }
            // All assets of stories that run into these have the same number of decimals.
            Reject::InsufficientBalance { needed, available } => {
                format!("{} needed, {} free", quote(needed), quote(available))
            }
            Reject::DepositLimit { left } => format!("only {} more can be deposited", quote(left)),
            Reject::AmountNotPositive { amount } => {
                format!("the amount must be above zero, not {}", quote(amount))
            }
            Reject::WouldTrigger { last_ticks } => {
                format!("the last price, {}, would trigger it at once", self.price(market, last_ticks))
            }
            Reject::WouldTake { best_ticks } => {
                format!("it would trade at once at {}", self.price(market, best_ticks))
            }
            Reject::AmendIncreases { qty_lots } => {
                format!("an amendment can only lower the quantity, which is {}", self.qty(market, qty_lots))
            }
            Reject::InsufficientMargin { needed, available } => {
                format!("{} of margin needed, {} there", quote(needed), quote(available))
            }
            Reject::PositionTooLarge { max } => {
                format!("the position could come to more than {}", quote(max))
            }
            Reject::LosesTooMuch { worst_ticks } => {
                format!("beyond {} it would lose more than there is", self.price(market, worst_ticks))
            }
            Reject::WalletShort { available } => format!("only {} can be moved", quote(available)),
            Reject::PositionMarginShort { available } => format!("only {} can be taken", quote(available)),
            ref other => other.to_string(),
        }
    }

    // Looking.

    pub fn book(&self, market: MarketId) -> Vec<String> {
        let mut lines = Vec::new();
        for (side, called) in [(Side::Sell, "ask"), (Side::Buy, "bid")] {
            let mut levels = self.world.levels(market, side);
            if side == Side::Sell {
                levels.reverse();
            }
            for (price, open) in levels {
                let (price, qty) = (self.price(market, PriceTicks(price)), self.qty(market, QtyLots(open)));
                lines.push(format!("{called} {price} x {qty}"));
            }
        }
        or_nothing(lines, "empty")
    }

    pub fn queue(&self, market: MarketId) -> Vec<String> {
        let mut lines = Vec::new();
        for (side, called) in [(Side::Sell, "ask"), (Side::Buy, "bid")] {
            for (order, account, price, open) in self.world.partition.queue(market, side).unwrap() {
                let (price, qty) = (self.price(market, price), self.qty(market, open));
                let name = self.world.witness.order(order).expect("it rests").accepted.client_order_id;
                let called_so = if name.is_empty() { String::new() } else { format!(" as {name}") };
                lines.push(format!("{called} #{order} {} {qty} @ {price}{called_so}", self.name_of(account)));
            }
        }
        or_nothing(lines, "empty")
    }

    pub fn balances(&self, account: AccountId) -> Vec<String> {
        let balances = match self.world.partition.balances(account) {
            Ok(balances) => balances,
            Err(reject) => return vec![format!("rejected: {reject}")],
        };
        let lines = balances
            .filter(|balance| !balance.free.is_zero() || !balance.held.is_zero())
            .map(|balance| {
                let scale = self.scale(balance.asset);
                let (free, held) =
                    (decimal::text(balance.free.0, scale), decimal::text(balance.held.0, scale));
                format!("{}: {free} free, {held} held", self.asset_name(balance.asset))
            })
            .collect();
        or_nothing(lines, "nothing")
    }

    pub fn totals(&self) -> Vec<String> {
        let assets = self.world.partition.catalog().assets();
        assets
            .map(|(asset, terms)| {
                let totals = self.world.partition.totals(asset).unwrap();
                let text = |amount: Amount| decimal::text(amount.0, terms.scale.into());
                format!(
                    "{}: {} deposited, {} withdrawn, {} free, {} held, {} fees",
                    terms.name,
                    text(totals.deposited),
                    text(totals.withdrawn),
                    text(totals.free),
                    text(totals.held),
                    text(totals.fees)
                )
            })
            .collect()
    }

    pub fn keys(&self) -> Vec<String> {
        let keys = self.world.partition.api_keys();
        let lines = keys
            .map(|(name, key)| {
                let owner = self.name_of(key.account);
                let kind = match key.kind {
                    KeyKind::HmacSha256 => "",
                    KeyKind::Ed25519 => ", ed25519",
                };
                let label =
                    if key.label.is_empty() { String::new() } else { format!(", called {}", key.label) };
                let from = ranges(&key.ip_ranges);
                let (bytes, permissions) = (key.sealed.len(), key.permissions);
                format!(
                    "{name} of {owner}{kind}{label}, {bytes} secret bytes, permissions {permissions}{from}"
                )
            })
            .collect();
        or_nothing(lines, "none")
    }
}

/// From where, if not from everywhere.
fn ranges(ranges: &[IpRange]) -> String {
    let ranges: Vec<_> = ranges.iter().map(ToString::to_string).collect();
    if ranges.is_empty() { String::new() } else { format!(", from {}", ranges.join(" ")) }
}

fn or_nothing(lines: Vec<String>, nothing: &str) -> Vec<String> {
    if lines.is_empty() { vec![nothing.into()] } else { lines }
}
