//! Hedge mode, as the accounts' half has it: an account has a long and a short position at each contract, and an order names the one
//! that it is for. Each has a seat of its own beside that of the one-way position, so margin, watching and liquidation are as they
//! are of positions at different contracts. The market's half is in `holders.rs`. Source: semantics 2 ("Position", "Margin").

use model::{
    AccountId, AssetId, ChangePositionMode, Event, MarginType, MarketId, PositionMode, PositionSide, Reject,
    Side,
};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::futures::{Futures, Stake};
use crate::open_orders::SeatSlot;

impl Futures {
    pub fn position_mode(&self, account: AccountId) -> PositionMode {
        if self.hedgers.contains(&account) { PositionMode::Hedge } else { PositionMode::OneWay }
    }

    /// All seats of an account at a contract: that of the one-way position, then the long one and the short one.
    pub fn seats_at(&self, account: AccountId, market: MarketId) -> impl Iterator<Item = SeatSlot> {
        let seat = self.open.find_seat(account, market);
        let legs = seat.and_then(|seat| self.open.seat(seat).stake.legs);
        seat.into_iter().chain(legs.into_iter().flatten())
    }

    /// How many orders are open at a one-way position's seat and at those beside it.
    #[inline]
    pub fn open_orders_at(&self, seat: SeatSlot) -> u32 {
        let seat = self.open.seat(seat);
        let legs = seat.stake.legs.iter().flatten();
        legs.map(|leg| self.open.seat(*leg).open_orders).fold(seat.open_orders, u32::saturating_add)
    }

    /// Where an account has this position.
    pub fn find_position(
        &self,
        account: AccountId,
        market: MarketId,
        position_side: PositionSide,
    ) -> Option<SeatSlot> {
        self.seats_at(account, market).find(|seat| self.open.seat(*seat).stake.position_side == position_side)
    }

    /// Which position of an account an order of this side closes that does not open any. An account that was made a fund while it was
    /// asked to carry something may have a position of the other mode: that is the last to be closed.
    pub fn side_closed_by(&self, account: AccountId, market: MarketId, side: Side) -> PositionSide {
        if self.position_mode(account) == PositionMode::OneWay {
            return PositionSide::Both;
        }
        let closes = |position_side| {
            let seat = self.find_position(account, market, position_side);
            seat.is_some_and(|seat| self.open.seat(seat).stake.position.closed_by() == Some(side))
        };
        let leg = PositionSide::of_hedge(side, true);
        if !closes(leg) && closes(PositionSide::Both) { PositionSide::Both } else { leg }
    }
}

impl Accounts {
    /// Sets how many positions an account has at each contract.
    pub fn change_position_mode(
        &mut self,
        catalog: &Catalog,
        change: &ChangePositionMode,
        events: &mut Vec<Event>,
    ) -> Result<(), Reject> {
        let ChangePositionMode { account, mode, .. } = *change;
        self.account(account)?;
        if mode == PositionMode::Hedge && catalog.is_fund(account) {
            return Err(Reject::IsFund);
        }
        if self.futures.position_mode(account) == mode {
            return Err(Reject::PositionModeUnchanged);
        }
        let contracts = catalog.contracts().map(|(market, _)| market);
        let seats: Vec<_> = contracts
            .flat_map(|market| self.futures.seats_at(account, market))
            .map(|seat| self.futures.open.seat(seat))
            .collect();
        let waits = |market| self.futures.algos.count(account, market) > 0;
        if seats.iter().any(|seat| seat.open_orders > 0 || waits(seat.market)) {
            return Err(Reject::PositionModeHasOrders);
        }
        if seats.iter().any(|seat| !seat.stake.position.is_none()) {
            return Err(Reject::PositionModeHasPosition);
        }
        let mut wallets = seats.iter().flat_map(|seat| [seat.stake.wallet, seat.stake.backing()]);
        if wallets.any(|wallet| self.futures.is_in_liquidation(wallet)) {
            return Err(Reject::InLiquidation);
        }
        match mode {
            PositionMode::OneWay => self.futures.hedgers.remove(&account),
            PositionMode::Hedge => self.futures.hedgers.insert(account),
        };
        events.push(Event::PositionModeChanged { account, mode });
        Ok(())
    }

    /// The account's seat for a position; it takes one where it has none. Leverage and margin type are the same for all of them.
    pub fn take_seat_of(
        &mut self,
        account: AccountId,
        market: MarketId,
        asset: AssetId,
        position_side: PositionSide,
    ) -> SeatSlot {
        let seat = self.take_contract_seat(account, market, asset);
        let at = match position_side {
            PositionSide::Both => return seat,
            PositionSide::Long => 0,
            PositionSide::Short => 1,
        };
        if let Some(legs) = self.futures.open.seat(seat).stake.legs {
            return legs[at];
        }
        let stake = self.futures.open.seat(seat).stake.clone();
        let legs = [PositionSide::Long, PositionSide::Short].map(|position_side| {
            let of_leg =
                Stake { chosen_leverage: stake.chosen_leverage, ..Stake::new(stake.wallet, position_side) };
            let leg = self.futures.open.add_seat_beside(account, market, of_leg);
            let seats = &mut self.futures.backs_mut(stake.wallet).seats;
            let behind = seats.partition_point(|(other, _)| *other <= market);
            seats.insert(behind, (market, leg));
            leg
        });
        self.futures.open.seat_mut(seat).stake.legs = Some(legs);
        if stake.margin_type() == MarginType::Isolated {
            for leg in legs {
                self.set_margin_type(leg, MarginType::Isolated);
            }
        }
        legs[at]
    }
}
