//! What a contract's messages do to an account: fills change its position and its wallet, funding is paid and received, what is
//! reserved for orders comes free, the owner is told.

use ledger::WalletSlot;
use model::{
    AccountId, AlgoEndReason, AlgoOrderEnded, Amount, ContractFilled, ContractOrderAccepted, Event, Forced,
    FromMarket, FundingPaid, Liquidity, MarketId, MarketTerms, OrderAmended, OrderCause, OrderEnded, OrderId,
    OrderPrevented, PositionForced, PositionNow, PositionSide, PriceTicks, QtyLots, ReplacementId, Side,
    ToHolder, ToMarket,
};
use orderbook::OrderSlot;

use crate::accounts::Accounts;
use crate::append::append;
use crate::catalog::Catalog;
use crate::fees::fee_rounded;
use crate::futures::contract_of;
use crate::isolated::Before;
use crate::liquidation::Stage;
use crate::messages::Mail;
use crate::open_orders::{Named, SeatSlot};

impl Accounts {
    /// What a contract says of an order.
    #[inline(never)]
    pub fn receive_of_contract(
        &mut self,
        catalog: &Catalog,
        (account, market, order): (AccountId, MarketId, OrderId),
        (slot, body): (OrderSlot, &FromMarket),
        events: &mut Vec<Event>,
    ) {
        let (terms, _) = contract_of(catalog, market);
        // Two messages answer a cancel or an amendment that came too late: the order is gone here as well.
        let found = self.futures.open.orders.find_kept_at(slot, order);
        let open = || found.expect("an order is open until its market ends it");
        match *body {
            FromMarket::CancelRefused { reject, replacement } => {
                if replacement != Some(ReplacementId::NOBODY) {
                    events.push(Event::Rejected { account, reject });
                }
            }
            FromMarket::AmendRefused { reject } => events.push(Event::Rejected { account, reject }),
            FromMarket::Accepted { kind, side, self_trade_prevention } => {
                let slot = open();
                // One that only reduces may have been cut to what there is to be closed.
                let qty_lots = kind.qty_lots().expect("an order at a contract has a quantity");
                self.release(terms, slot, self.futures.open.order(slot).held.left_lots - qty_lots);
                let reduce_only = self.futures.open.order(slot).held.only_reduces();
                self.algo_answered(order);
                let position_side = self.position_side_of(slot);
                let cause = self.cause_of(slot);
                let client_order_id = self.futures.open.order(slot).client_order_id;
                append(events, || {
                    Event::ContractOrderAccepted(ContractOrderAccepted {
                        order,
                        account,
                        market,
                        side,
                        position_side,
                        kind,
                        self_trade_prevention,
                        reduce_only,
                        cause,
                        client_order_id,
                    })
                });
                self.tell_good_till(order, account, events);
            }
            FromMarket::Refused { reject } => {
                let cause = self.cause_of(open());
                self.close_contract_order(terms, open());
                if let Some(algo) = self.algo_answered(order) {
                    let reason = AlgoEndReason::Refused { reject };
                    let ended = AlgoOrderEnded { algo, account, market, reason };
                    events.push(Event::AlgoOrderEnded(Box::new(ended)));
                } else if cause == OrderCause::Owner {
                    events.push(Event::Rejected { account, reject });
                }
            }
            FromMarket::Filled { trade, side, liquidity, price_ticks, qty_lots } => {
                let slot = open();
                let seat = self.futures.open.order(slot).seat;
                self.release(terms, slot, qty_lots);
                let fee_ppm = match liquidity {
                    Liquidity::Maker => terms.maker_fee_ppm,
                    Liquidity::Taker => terms.taker_fee_ppm,
                };
                let notional = terms.notional(price_ticks, qty_lots);
                let closed_by = self.futures.open.seat(seat).stake.position.closed_by();
                let fee = fee_rounded(notional, fee_ppm, terms.fee_rounding);
                let cause = self.cause_of(slot);
                let position_side = self.position_side_of(slot);
                let reserve = self.futures.open.order(slot).held;
                let change = (side, price_ticks, qty_lots);
                let (realized, now, before) = self.change_position(terms, seat, change, fee);
                let backing = self.futures.open.seat(seat).stake.backing();
                self.liquidation_sold(backing, order, qty_lots, notional);
                append(events, || {
                    Event::ContractFilled(ContractFilled {
                        order,
                        account,
                        market,
                        trade,
                        side,
                        position_side,
                        liquidity,
                        price_ticks,
                        qty_lots,
                        fee,
                        realized,
                        now,
                    })
                });
                match cause {
                    OrderCause::Owner => {
                        // One that rested may have been overtaken by the mark price: it takes what was reserved for it.
                        let most_loss = match liquidity {
                            Liquidity::Maker => Some(reserve.loss_ticks),
                            Liquidity::Taker => None,
                        };
                        self.margin_after_fill(catalog, seat, &before, change, most_loss, events);
                    }
                    OrderCause::Liquidation => self.move_margin(seat, Amount::ZERO, events),
                }
                self.end_closing_algos((account, market), seat, closed_by, events);
            }
            FromMarket::Prevented {
                prevented_match,
                liquidity,
                counter_order,
                price_ticks,
                prevented_lots,
                mode,
            } => {
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
                        released: Amount::ZERO,
                    })
                });
            }
            FromMarket::Ended { reason, replacement: _ } => {
                self.close_contract_order(terms, open());
                let released = Amount::ZERO;
                append(events, || Event::OrderEnded(OrderEnded { order, account, market, reason, released }));
            }
            FromMarket::Amended { qty_lots, cut_lots, new_client_order_id } => {
                let slot = open();
                self.release(terms, slot, cut_lots);
                // The name was free when the amendment was sent; where it is taken since, the old one stays.
                let named = Named::new(account, &new_client_order_id);
                if !new_client_order_id.is_empty() && self.futures.open.find_named(&named).is_none() {
                    self.futures.open.rename(slot, new_client_order_id);
                }
                let client_order_id = self.futures.open.order(slot).client_order_id;
                append(events, || {
                    Event::OrderAmended(OrderAmended {
                        order,
                        account,
                        market,
                        qty_lots,
                        client_order_id,
                        released: Amount::ZERO,
                    })
                });
            }
            FromMarket::Modified { kind, self_trade_prevention, left_lots } => {
                let slot = open();
                let now = (kind, self_trade_prevention, left_lots);
                self.modified(terms, (account, market, slot), now, events);
            }
            FromMarket::ModifyRefused { reject } => {
                self.modification_refused(terms, account, found, reject, events);
            }
            FromMarket::Transferred { .. } | FromMarket::Tracks { .. } | FromMarket::Triggered { .. } => {
                unreachable!("contracts have no such orders")
            }
        }
    }

    /// What a contract says to a holder of a position, or to its insurance fund.
    #[inline(never)]
    pub fn receive_as_holder(
        &mut self,
        catalog: &Catalog,
        (account, market): (AccountId, MarketId),
        body: &ToHolder,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let (terms, _) = contract_of(catalog, market);
        match *body {
            ToHolder::Funding { amount } => {
                self.funding(terms, (account, market, PositionSide::Both), amount, events);
            }
            ToHolder::FundingOfLeg { position_side, amount } => {
                self.funding(terms, (account, market, position_side), amount, events);
            }
            ToHolder::Forced { forced, side, price_ticks, qty_lots, is_last } => {
                // The fund has no other position, and of others that which is closed by it is meant.
                let position_side = match forced {
                    Forced::Carried => PositionSide::Both,
                    Forced::TakenOver | Forced::Bankrupt | Forced::Deleveraged => {
                        self.futures.side_closed_by(account, market, side)
                    }
                };
                let seat = self.take_seat_of(account, market, terms.quote, position_side);
                let stake = &self.futures.open.seat(seat).stake;
                let (wallet, backing) = (stake.wallet, stake.backing());
                let closed_by = self.futures.open.seat(seat).stake.position.closed_by();
                if !qty_lots.is_zero() {
                    let change = (side, price_ticks, qty_lots);
                    let (realized, now, before) = self.change_position(terms, seat, change, Amount::ZERO);
                    events.push(Event::PositionForced(Box::new(PositionForced {
                        account,
                        market,
                        forced,
                        side,
                        position_side,
                        price_ticks,
                        qty_lots,
                        realized,
                        now,
                    })));
                    match forced {
                        // The liquidation goes on with what is left.
                        Forced::TakenOver | Forced::Bankrupt => self.move_margin(seat, Amount::ZERO, events),
                        Forced::Deleveraged | Forced::Carried => {
                            self.margin_after_fill(catalog, seat, &before, change, None, events);
                        }
                    }
                    self.end_closing_algos((account, market), seat, closed_by, events);
                }
                match forced {
                    Forced::TakenOver | Forced::Bankrupt if is_last => self.is_taken_over(backing),
                    // His orders were placed beside a position that is gone.
                    Forced::Deleveraged => {
                        self.cancel_all_at(wallet, Some(market), mail);
                        self.end_algos(account, market, AlgoEndReason::Deleveraged, events);
                    }
                    Forced::TakenOver | Forced::Bankrupt | Forced::Carried => {}
                }
            }
            ToHolder::CarryAsked { side, price_ticks, qty_lots } => {
                let carries = self.fund_carries(catalog, account, market, (side, price_ticks, qty_lots));
                mail.send_to_market(market, ToMarket::Carries { carries });
            }
            ToHolder::FundReceives { amount } => {
                let wallet = self.ledger.wallet_slot(account, terms.quote);
                self.receive_in_wallet(wallet, amount);
                let wallet = self.ledger.wallet(wallet).amount;
                events.push(Event::FundReceived { account, market, amount, wallet });
            }
        }
    }

    /// What backs a position pays or receives funding.
    fn funding(
        &mut self,
        terms: &MarketTerms,
        (account, market, position_side): (AccountId, MarketId, PositionSide),
        amount: Amount,
        events: &mut Vec<Event>,
    ) {
        let seat = self.take_seat_of(account, market, terms.quote, position_side);
        let stake = &self.futures.open.seat(seat).stake;
        let (wallet, is_backed) = (stake.wallet, !stake.position.is_none());
        // What a settlement leaves over the fund receives also where it has no position.
        self.receive_in_wallet(if is_backed { stake.backing() } else { wallet }, amount);
        let wallet = self.ledger.wallet(wallet).amount;
        events.push(Event::FundingPaid(FundingPaid { account, market, amount, wallet }));
        if is_backed {
            self.move_margin(seat, Amount::ZERO, events);
        }
    }

    fn receive_in_wallet(&mut self, wallet: WalletSlot, amount: Amount) {
        self.ledger.receive_in_wallet(wallet, amount);
        self.futures.touch(wallet);
    }

    /// The account's wallet, and what backs the position.
    fn wallets_of(&self, slot: OrderSlot) -> (WalletSlot, WalletSlot) {
        let stake = &self.futures.open.seat(self.futures.open.order(slot).seat).stake;
        (stake.wallet, stake.backing())
    }

    /// Which position an order is for.
    fn position_side_of(&self, slot: OrderSlot) -> PositionSide {
        self.futures.open.seat(self.futures.open.order(slot).seat).stake.position_side
    }

    /// Who has placed an order.
    fn cause_of(&self, slot: OrderSlot) -> OrderCause {
        let order = self.futures.open.order(slot).id();
        let liquidation =
            self.futures.backs(self.wallets_of(slot).1).and_then(|backs| backs.liquidation.as_ref());
        match liquidation.map(|liquidation| liquidation.stage) {
            Some(Stage::Sells { order: selling, .. }) if selling == order => OrderCause::Liquidation,
            _ => OrderCause::Owner,
        }
    }

    /// Takes a trade into a position and what backs it. Returns what closing has realised, what there is now, and what there was.
    fn change_position(
        &mut self,
        terms: &MarketTerms,
        seat: SeatSlot,
        (side, price, qty): (Side, PriceTicks, QtyLots),
        fee: Amount,
    ) -> (Amount, PositionNow, Before) {
        let stake = self.futures.stake_mut(seat);
        let (wallet, backing) = (stake.wallet, stake.backing());
        let before = Before { position: stake.position, margin: self.ledger.wallet(backing).amount, fee };
        let realized = stake.position.fill(terms, side, price, qty);
        let (qty_lots, cost) = (stake.position.qty_lots, stake.position.cost);
        self.ledger.settle_contract(backing, cost - before.position.cost, realized, fee);
        self.futures.position_changed(seat);
        (realized, PositionNow { qty_lots, cost, wallet: self.ledger.wallet(wallet).amount }, before)
    }

    /// So many lots of an order need nothing more.
    fn release(&mut self, terms: &MarketTerms, slot: OrderSlot, qty: QtyLots) {
        if qty.is_zero() {
            return;
        }
        let order = self.futures.open.order(slot);
        let (side, seat, reserve) = (order.side(), order.seat, order.held);
        self.futures.open.kept_mut(slot).held.left_lots -= qty;
        self.futures.stake_mut(seat).reserved.change(terms, side, reserve, -qty);
    }

    /// Ends an order: what is reserved for the rest of it comes free.
    fn close_contract_order(&mut self, terms: &MarketTerms, slot: OrderSlot) {
        let (wallet, backing) = self.wallets_of(slot);
        self.end_modification(terms, slot);
        self.futures.good_till.forget(self.futures.open.order(slot).id());
        self.release(terms, slot, self.futures.open.order(slot).held.left_lots);
        self.futures.open.remove(slot);
        self.futures.resume(wallet);
        self.futures.resume(backing);
    }
}
