//! What a market's messages do to an account: fills are paid and received, holds come free, the owner is told.

use model::{
    AccountId, Amount, EndReason, Event, FromMarket, Liquidity, MarketId, MarketTerms, OrderAccepted,
    OrderAmended, OrderEnded, OrderFilled, OrderId, OrderPrevented, OrderTracks, OrderTriggered, PriceTicks,
    QtyLots, SelfTradePrevention, Side, ToMarket, TradeId,
};
use orderbook::OrderSlot;

use crate::accounts::Accounts;
use crate::append::append;
use crate::catalog::Catalog;
use crate::fees::fee_rounded;
use crate::market::held_for;
use crate::messages::{Mail, Party, Trade};
use crate::open_orders::Named;
use crate::place::paid_with;

impl Accounts {
    pub fn receive(
        &mut self,
        catalog: &Catalog,
        (account, market, order): (AccountId, MarketId, OrderId),
        (slot, body): (OrderSlot, &FromMarket),
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let terms = catalog.market(market).expect("a message comes from a listed market");
        // Two messages answer a cancel or an amendment that came too late: the order is gone here as well.
        let found = self.open.orders.find_kept_at(slot, order);
        let open = || found.expect("an order is open until its market ends it");
        match *body {
            FromMarket::CancelRefused { reject, replacement } => {
                events.push(Event::Rejected { account, reject });
                self.replace_after_refusal(catalog, replacement, mail, events);
            }
            FromMarket::AmendRefused { reject } => events.push(Event::Rejected { account, reject }),
            FromMarket::Accepted { kind, side, self_trade_prevention } => {
                let open = self.open.order(open());
                append(events, || {
                    Event::OrderAccepted(OrderAccepted {
                        order,
                        account,
                        market,
                        side,
                        kind,
                        self_trade_prevention,
                        client_order_id: open.client_order_id,
                        held: open.held,
                    })
                });
            }
            FromMarket::Refused { reject } => {
                self.close(terms, open());
                events.push(Event::Rejected { account, reject });
            }
            FromMarket::Filled { trade, side, liquidity, price_ticks, qty_lots } => {
                let fee_ppm = match liquidity {
                    Liquidity::Maker => terms.maker_fee_ppm,
                    Liquidity::Taker => terms.taker_fee_ppm,
                };
                let changed = Changed::by(terms, price_ticks, qty_lots);
                let paid = self.settle(terms, (open(), side), fee_ppm, &changed);
                let whose = (account, market, order);
                append(events, || filled(whose, (trade, side, liquidity), &changed, paid));
            }
            FromMarket::Prevented {
                prevented_match,
                liquidity,
                counter_order,
                price_ticks,
                prevented_lots,
                mode,
            } => {
                let released = if mode.takes_from_both() {
                    self.shrink(terms, open(), prevented_lots)
                } else {
                    Amount::ZERO
                };
                append(events, || {
                    Event::OrderPrevented(OrderPrevented {
                        order,
                        account,
                        market,
                        prevented_match,
                        liquidity,
                        counter_order,
                        price_ticks,
                        prevented_lots,
                        mode,
                        released,
                    })
                });
            }
            FromMarket::Transferred {
                prevented_match,
                side,
                liquidity,
                counter_order,
                price_ticks,
                qty_lots,
            } => {
                let (fee, released) =
                    self.settle(terms, (open(), side), 0, &Changed::by(terms, price_ticks, qty_lots));
                assert!(fee.is_zero(), "a transfer costs no fee");
                append(events, || {
                    Event::OrderPrevented(OrderPrevented {
                        order,
                        account,
                        market,
                        prevented_match,
                        liquidity,
                        counter_order,
                        price_ticks,
                        prevented_lots: qty_lots,
                        mode: SelfTradePrevention::Transfer,
                        released,
                    })
                });
            }
            FromMarket::Ended { reason, replacement } => {
                let released = self.close(terms, open());
                append(events, || Event::OrderEnded(OrderEnded { order, account, market, reason, released }));
                self.replace_after_cancel(catalog, replacement, mail, events);
            }
            FromMarket::Modified { .. } | FromMarket::ModifyRefused { .. } => {
                unreachable!("only orders at contracts are modified")
            }
            FromMarket::Tracks { price_ticks } => {
                events.push(Event::OrderTracks(OrderTracks { order, account, market, price_ticks }));
            }
            FromMarket::Triggered { price_ticks, missing } => {
                let held = self.triggered(terms, open(), missing);
                let triggered = OrderTriggered { order, account, market, price_ticks, held };
                events.push(Event::OrderTriggered(triggered));
                if !missing.is_zero() {
                    mail.send_to_market(market, ToMarket::Held { order, held });
                }
            }
            FromMarket::Amended { qty_lots, cut_lots, new_client_order_id } => {
                let slot = open();
                // Without a limit it is one that waits, of which nothing has traded: each lot holds the same.
                let released = if self.open.order(slot).limit_ticks().is_some() {
                    self.shrink(terms, slot, cut_lots)
                } else {
                    let held = self.open.order(slot).held;
                    self.give_back(terms, slot, held_for(held, qty_lots + cut_lots, cut_lots))
                };
                // The name was free when the amendment was sent; where it is taken since, the old one stays.
                let free = self.open.find_named(&Named::new(account, &new_client_order_id)).is_none();
                if !new_client_order_id.is_empty() && free {
                    self.open.rename(slot, new_client_order_id);
                }
                let client_order_id = self.open.order(slot).client_order_id;
                append(events, || {
                    Event::OrderAmended(OrderAmended {
                        order,
                        account,
                        market,
                        qty_lots,
                        client_order_id,
                        released,
                    })
                });
            }
        }
    }

    /// Both sides of a trade between accounts that live here, as two letters and perhaps a third would have it.
    pub fn settle_trade(&mut self, catalog: &Catalog, told: &Trade, events: &mut Vec<Event>) {
        let Trade { market, id, taker_side, ref maker, ref taker, maker_done, .. } = *told;
        let terms = catalog.market(market).expect("a trade comes from a listed market");
        let changed = Changed::by(terms, told.price_ticks, told.qty_lots);
        let (slot, maker_side) = (self.open_at(maker), taker_side.opposite());
        let made = self.settle(terms, (slot, maker_side), terms.maker_fee_ppm, &changed);
        let whose = (maker.account, market, maker.order);
        append(events, || filled(whose, (id, maker_side, Liquidity::Maker), &changed, made));
        let taken = (self.open_at(taker), taker_side);
        let taken = self.settle(terms, taken, terms.taker_fee_ppm, &changed);
        let whose = (taker.account, market, taker.order);
        append(events, || filled(whose, (id, taker_side, Liquidity::Taker), &changed, taken));
        if maker_done {
            let (order, account, reason) = (maker.order, maker.account, EndReason::Filled);
            let released = self.close(terms, slot);
            append(events, || Event::OrderEnded(OrderEnded { order, account, market, reason, released }));
        }
    }

    #[inline]
    fn open_at(&self, party: &Party) -> OrderSlot {
        let found = self.open.orders.find_kept_at(party.slot, party.order);
        found.expect("an order is open until its market ends it")
    }

    /// Pays and receives one fill, or a transfer. Returns the fee, and what came free because the price was better than the limit.
    fn settle(
        &mut self,
        terms: &MarketTerms,
        (slot, side): (OrderSlot, Side),
        fee_ppm: u32,
        changed: &Changed,
    ) -> (Amount, Amount) {
        let order = self.open.order(slot);
        assert_eq!(side, order.side(), "both halves of an order agree");
        let (limit, seat) = (order.limit_ticks(), order.seat);
        let Changed { price, qty, base, quote } = *changed;
        let (paid, received) = match side {
            Side::Buy => (quote, base),
            Side::Sell => (base, quote),
        };
        // A buy with a limit has held limit x quantity for these lots.
        let was_held = match (side, limit) {
            (Side::Buy, Some(limit)) if limit != price => terms.notional(limit, qty),
            (Side::Buy | Side::Sell, _) => paid,
        };
        let kept = self.open.kept_mut(slot);
        assert!(paid <= was_held && was_held <= kept.held, "a market spends no more than was held");
        kept.held -= was_held;
        let released = was_held - paid;

        let fee = fee_rounded(received, fee_ppm, terms.fee_rounding);
        let stake = &self.open.seat(seat).stake;
        let (base, quote) = ((stake.base, terms.base), (stake.quote, terms.quote));
        let (from, to) = match side {
            Side::Buy => (quote, base),
            Side::Sell => (base, quote),
        };
        self.ledger.pay(from.0, from.1, paid, released);
        self.ledger.receive(to.0, to.1, received, fee);
        (fee, released)
    }

    /// Gives back what `cut` lots of an order have held. Without a limit nobody knows how much that is: such an order gives back
    /// what it did not need when it ends, which is in the same step.
    fn shrink(&mut self, terms: &MarketTerms, slot: OrderSlot, cut: QtyLots) -> Amount {
        let order = self.open.order(slot);
        let Some(limit) = order.limit_ticks() else { return Amount::ZERO };
        let released = match order.side() {
            Side::Buy => terms.notional(limit, cut),
            Side::Sell => terms.base_amount(cut),
        };
        self.give_back(terms, slot, released)
    }

    /// Gives back a part of what is held for an order.
    fn give_back(&mut self, terms: &MarketTerms, slot: OrderSlot, released: Amount) -> Amount {
        let kept = self.open.kept_mut(slot);
        assert!(released <= kept.held, "an order gives back no more than was held for it");
        kept.held -= released;
        let order = self.open.order(slot);
        let (side, pays_from) = (order.side(), self.open.seat(order.seat).pays_from(order.side()));
        self.ledger.release(pays_from, paid_with(terms, side), released);
        released
    }

    /// The price that an order waits for has come: holds what it is missing, as far as there is anything free.
    fn triggered(&mut self, terms: &MarketTerms, slot: OrderSlot, missing: Amount) -> Amount {
        let order = self.open.order(slot);
        let (side, pays_from) = (order.side(), self.open.seat(order.seat).pays_from(order.side()));
        let held = missing.min(self.ledger.purse(pays_from).free);
        self.ledger.hold(pays_from, paid_with(terms, side), held).expect("no more than is free");
        self.open.kept_mut(slot).held += held;
        self.open.waits_no_longer(slot);
        held
    }

    /// Ends an order: all that is still held for it is free.
    fn close(&mut self, terms: &MarketTerms, slot: OrderSlot) -> Amount {
        let order = self.open.order(slot);
        let (held, side) = (order.held, order.side());
        let pays_from = self.open.seat(order.seat).pays_from(side);
        self.ledger.release(pays_from, paid_with(terms, side), held);
        self.open.remove(slot);
        held
    }
}

/// What an account is told of a fill, of which it has paid this fee, and has so much free again.
#[inline]
fn filled(
    (account, market, order): (AccountId, MarketId, OrderId),
    (trade, side, liquidity): (TradeId, Side, Liquidity),
    changed: &Changed,
    (fee, released): (Amount, Amount),
) -> Event {
    let Changed { price: price_ticks, qty: qty_lots, .. } = *changed;
    Event::OrderFilled(OrderFilled {
        order,
        account,
        market,
        trade,
        side,
        liquidity,
        price_ticks,
        qty_lots,
        fee,
        released,
    })
}

/// What changes hands.
struct Changed {
    price: PriceTicks,
    qty: QtyLots,
    base: Amount,
    quote: Amount,
}

impl Changed {
    #[inline]
    fn by(terms: &MarketTerms, price: PriceTicks, qty: QtyLots) -> Self {
        Self { price, qty, base: terms.base_amount(qty), quote: terms.notional(price, qty) }
    }
}
