//! Isolated positions: each has margin of its own beside the account's wallet. Fills take it from there and give it back, its owner
//! adds to it and takes from it, and what is not in it the position cannot lose. The margin is a wallet of the ledger like any
//! other, which backs one position; so what looks at wallets, watches and liquidates them knows nothing of this. Source:
//! semantics 2 ("Liquidation price", "Liquidation") and the decisions in `docs/futures.md`.

use ledger::{Ledger, WalletSlot};
use margin::{Position, initial_margin};
use model::{
    Amount, ChangeMarginType, Event, MarginMove, MarginType, MarketId, MarketTerms, MovePositionMargin,
    PositionMarginChanged, PriceTicks, QtyLots, Reject, Side,
};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::futures::{Futures, Stake, contract_of};
use crate::open_orders::SeatSlot;

impl Stake {
    /// What backs the position: the account's wallet, or its own margin.
    #[inline]
    pub fn backing(&self) -> WalletSlot {
        self.margin.unwrap_or(self.wallet)
    }

    pub fn margin_type(&self) -> MarginType {
        if self.margin.is_some() { MarginType::Isolated } else { MarginType::Cross }
    }
}

/// What a fill has found, and what it costs.
pub struct Before {
    pub position: Position,
    /// What backed it.
    pub margin: Amount,
    pub fee: Amount,
}

impl Futures {
    /// What can be taken out of a wallet so that what it backs is not liquidated for it.
    fn spare(&self, catalog: &Catalog, ledger: &Ledger, wallet: WalletSlot) -> Amount {
        let amount = ledger.wallet(wallet).amount;
        if self.is_in_liquidation(wallet) {
            return Amount::ZERO;
        }
        let standing = self.standing(catalog, ledger, wallet);
        let spare = if standing.counted.positions == 0 {
            amount
        } else {
            amount.min(standing.equity - standing.counted.maintenance.atoms_rounded_up() - Amount(1))
        };
        // What orders beside those positions would lose stays as well.
        let seats = self.backs(wallet).into_iter().flat_map(|backs| &backs.seats);
        let stakes = seats.map(|(_, seat)| &self.open.seat(*seat).stake);
        let losses = stakes.filter(|stake| stake.backing() == wallet).map(|stake| stake.reserved.losses);
        (spare - losses.fold(Amount::ZERO, |sum, loss| sum + loss)).max(Amount::ZERO)
    }
}

impl Accounts {
    /// Sets what backs an account's positions at a contract.
    pub fn change_margin_type(
        &mut self,
        catalog: &Catalog,
        change: &ChangeMarginType,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let ChangeMarginType { account, market, margin_type, .. } = *change;
        let terms = catalog.open_market(market)?;
        catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        if margin_type == MarginType::Isolated && catalog.is_fund(account) {
            return Err(Reject::IsFund);
        }
        self.take_contract_seat(account, market, terms.quote);
        let slots: Vec<SeatSlot> = self.futures.seats_at(account, market).collect();
        let seats = || slots.iter().map(|seat| self.futures.open.seat(*seat));
        if seats().all(|seat| seat.stake.margin_type() == margin_type) {
            return Err(Reject::MarginTypeUnchanged);
        }
        if seats().any(|seat| seat.open_orders > 0) {
            return Err(Reject::MarginTypeHasOrders);
        }
        if seats().any(|seat| !seat.stake.position.is_none()) {
            return Err(Reject::MarginTypeHasPosition);
        }
        if seats().any(|seat| self.futures.is_in_liquidation(seat.stake.backing())) {
            return Err(Reject::InLiquidation);
        }
        for seat in slots {
            self.set_margin_type(seat, margin_type);
        }
        events.push(Event::MarginTypeChanged { account, market, margin_type });
        Ok(())
    }

    /// The seat has neither a position nor open orders.
    pub fn set_margin_type(&mut self, seat: SeatSlot, margin_type: MarginType) {
        let at = self.futures.open.seat(seat);
        let (account, market) = (at.account, at.market);
        let asset = self.ledger.wallet(at.stake.wallet).asset;
        let margin = match margin_type {
            MarginType::Cross => None,
            MarginType::Isolated => {
                let isolated_at = (market, at.stake.position_side);
                Some(self.ledger.margin_slot(account, asset, isolated_at))
            }
        };
        if let Some(margin) = margin {
            self.futures.backs_mut(margin).seats = vec![(market, seat)];
        }
        self.futures.stake_mut(seat).margin = margin;
    }

    /// Moves money between an account's wallet and the margin of an isolated position.
    pub fn move_position_margin(
        &mut self,
        catalog: &Catalog,
        moves: &MovePositionMargin,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let MovePositionMargin { account, market, position_side, amount, way, .. } = *moves;
        let terms = catalog.open_market(market)?;
        let contract = catalog.contract(market).ok_or(Reject::NotContract { market })?;
        self.account(account)?;
        if amount <= Amount::ZERO {
            return Err(Reject::AmountNotPositive { amount });
        }
        let seat = self.futures.find_position(account, market, position_side).ok_or(Reject::NotIsolated)?;
        let stake = &self.futures.open.seat(seat).stake;
        let margin = stake.margin.filter(|_| !stake.position.is_none()).ok_or(Reject::NotIsolated)?;
        if [stake.wallet, margin].into_iter().any(|wallet| self.futures.is_in_liquidation(wallet)) {
            return Err(Reject::InLiquidation);
        }
        let signed = match way {
            MarginMove::Add => {
                let standing = self.futures.standing(catalog, &self.ledger, stake.wallet);
                let available = standing.available(self.ledger.wallet(stake.wallet).amount);
                if available < amount {
                    return Err(Reject::WalletShort { available });
                }
                amount
            }
            MarginMove::Reduce => {
                let mark = self.futures.mark(market);
                let value = Amount(stake.position.value(terms, mark).0.abs());
                let lost = stake.position.unrealized(terms, mark).min(Amount::ZERO);
                let needed = initial_margin(value, stake.leverage(contract));
                // What orders that close it would lose has to stay, and so has its initial margin.
                let stays = needed.max(stake.reserved.losses);
                let available = (self.ledger.wallet(margin).amount + lost - stays).max(Amount::ZERO);
                if available < amount {
                    return Err(Reject::PositionMarginShort { available });
                }
                -amount
            }
        };
        self.move_margin(seat, signed, events);
        Ok(())
    }

    /// Moves money from the wallet into the margin of an isolated position, and tells what there is then; nothing happens to a
    /// position that the wallet backs.
    pub fn move_margin(&mut self, seat: SeatSlot, moved: Amount, events: &mut Vec<Event>) {
        let at = self.futures.open.seat(seat);
        let (account, market, wallet) = (at.account, at.market, at.stake.wallet);
        let position_side = at.stake.position_side;
        let Some(margin) = at.stake.margin else { return };
        if !moved.is_zero() {
            self.ledger.move_margin(wallet, margin, moved);
            self.futures.touch(wallet);
            self.futures.touch(margin);
        }
        events.push(Event::PositionMarginChanged(Box::new(PositionMarginChanged {
            account,
            market,
            position_side,
            moved,
            margin: self.ledger.wallet(margin).amount,
            wallet: self.ledger.wallet(wallet).amount,
        })));
    }

    /// A fill has changed an isolated position. The part that it has opened takes its initial margin from the wallet, what it has
    /// lost at once against the mark price, and the fee; of the part that it has closed all goes back into the wallet that is
    /// left of its margin. A loss beyond that comes out of the margin of the rest. Where nothing is left, the fee is the wallet's.
    pub fn margin_after_fill(
        &mut self,
        catalog: &Catalog,
        seat: SeatSlot,
        before: &Before,
        (side, price, qty): (Side, PriceTicks, QtyLots),
        most_loss: Option<PriceTicks>,
        events: &mut Vec<Event>,
    ) {
        let at = self.futures.open.seat(seat);
        let (market, stake) = (at.market, &at.stake);
        let Some(margin) = stake.margin else { return };
        let (terms, contract) = contract_of(catalog, market);
        let closed = if before.position.closed_by() == Some(side) {
            qty.min(before.position.size())
        } else {
            QtyLots::ZERO
        };
        let opened = qty - closed;
        let kept = kept_of(before, closed);
        let now = self.ledger.wallet(margin).amount;
        let moved = if opened.is_zero() && stake.position.is_none() {
            (-now).min(before.fee).min(self.futures.spare(catalog, &self.ledger, stake.wallet))
        } else if opened.is_zero() {
            (kept - now).min(Amount::ZERO)
        } else {
            let lost = loss_ticks(side, price, self.futures.mark(market));
            let lost = most_loss.map_or(lost, |most| lost.min(most));
            let needed = taken_to_open(terms, stake.leverage(contract), (price, lost), opened);
            let spare = self.futures.spare(catalog, &self.ledger, stake.wallet);
            (kept + needed - now).min(spare)
        };
        self.move_margin(seat, moved, events);
    }

    /// A liquidation is over: what is left of the margin of a position that is gone goes back into the wallet.
    pub fn give_margin_back(&mut self, backing: WalletSlot, events: &mut Vec<Event>) {
        let Some((_, seat)) = self.isolated_seat(backing) else { return };
        let left = self.ledger.wallet(backing).amount;
        if self.futures.open.seat(seat).stake.position.is_none() && left > Amount::ZERO {
            self.move_margin(seat, -left, events);
        }
    }

    /// The isolated position that a wallet is the margin of; `None` of an account's wallet.
    pub fn isolated_seat(&self, backing: WalletSlot) -> Option<(MarketId, SeatSlot)> {
        self.ledger.wallet(backing).isolated_at?;
        self.futures.backs(backing)?.seats.first().copied()
    }
}

/// How much worse than the mark price a price is for who opens at it.
fn loss_ticks(side: Side, price: PriceTicks, mark: PriceTicks) -> PriceTicks {
    let worse_by = match side {
        Side::Buy => price - mark,
        Side::Sell => mark - price,
    };
    worse_by.max(PriceTicks::ZERO)
}

/// What opening so much takes: its value by the leverage, and what it loses at once.
fn taken_to_open(
    terms: &MarketTerms,
    leverage: u16,
    (price, lost): (PriceTicks, PriceTicks),
    opened: QtyLots,
) -> Amount {
    initial_margin(terms.notional(price, opened), leverage) + terms.notional(lost, opened)
}

/// The margin that belongs to what is left of a position when a part of it is closed: rounded up, so that what goes back is
/// rounded down.
fn kept_of(before: &Before, closed: QtyLots) -> Amount {
    if closed.is_zero() {
        return before.margin;
    }
    let (left, size) = ((before.position.size() - closed).0, before.position.size().0);
    let whole = before.margin.0.max(0);
    let product = whole.checked_mul(left.into()).expect("the terms of contracts bound products");
    let part = product.checked_div(size.into()).expect("a position has a size");
    let rest = product.checked_rem(size.into()).expect("a position has a size");
    Amount(part.saturating_add(i128::from(rest != 0)))
}
