//! Liquidation, as the account's half goes through it: its orders are cancelled; where that is not enough, a part of a position
//! that is, or all of it, is offered at the price at which nothing would be left; what nobody takes there is taken over by the
//! insurance fund, or by those who have won most with most leverage. Source: semantics 2 ("Liquidation", "ADL rank") and 8.
//!
//! Each step is a message and its answer, so that a liquidation may stretch over many commands, and many of them go on beside
//! each other. A command does a bounded number of steps; the others wait in a queue.

use std::cmp::Reverse;
use std::collections::BTreeSet;

use ledger::WalletSlot;
use margin::{
    LeverageScore, MicroAtoms, Position, bankruptcy_price, clearance_fee, fund_can_carry, leverage_score,
    maintenance_margin, part_to_close,
};
use model::{
    AccountId, AlgoEndReason, Amount, CancelRestriction, ClientOrderId, ContractOrder, Event, MarketId,
    OrderCause, OrderId, OrderKind, PartitionId, PositionMode, PositionSide, PriceTicks, QtyLots,
    ReplacementId, SelfTradePrevention, Side, TimeInForce, ToMarket, TradeGroup,
};

use crate::accounts::Accounts;
use crate::catalog::Catalog;
use crate::futures::{Reserve, Stake, contract_of};
use crate::messages::Mail;
use crate::open_orders::{Named, SeatSlot};

/// How far the liquidation of a wallet is.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Liquidation {
    pub stage: Stage,
    /// It waits for its turn.
    pub is_queued: bool,
    /// Where something was taken over last: what is left in the end is the fund's.
    pub taken_over_at: Option<MarketId>,
    /// Which position at the contract it sells.
    pub sells: PositionSide,
}

/// What a liquidation does at the moment.
#[derive(Clone, Copy, Debug, PartialEq, Eq)]
pub enum Stage {
    /// Nothing yet.
    Begun,
    /// It waits until its orders are gone.
    Cancels,
    /// It looks at what is left, and decides.
    Looks,
    /// It waits until its order is done.
    Sells {
        market: MarketId,
        order: OrderId,
        /// What is not sold yet.
        left: QtyLots,
        /// The value of what is sold.
        sold: Amount,
    },
    /// It waits until somebody has taken what it could not sell.
    IsTakenOver,
}

impl Liquidation {
    pub fn new() -> Self {
        Self { stage: Stage::Begun, is_queued: false, taken_over_at: None, sells: PositionSide::Both }
    }
}

/// How soon an account is deleveraged, the first greatest: by score, of equal ones the larger position, then the older account.
pub type Ranked = (i128, QtyLots, Reverse<AccountId>);

/// Those of one side of a contract by how soon they are deleveraged. It is made in slices, account by account.
#[derive(Clone, Debug, PartialEq, Eq)]
pub struct Ranking {
    pub market: MarketId,
    /// Which way an order goes that closes their positions.
    pub side: Side,
    pub accounts: BTreeSet<Ranked>,
    /// Whose turn it is to be ranked; `None` when all are.
    pub next: Option<AccountId>,
}

impl Ranking {
    fn begun(market: MarketId, side: Side) -> Self {
        Self { market, side, accounts: BTreeSet::new(), next: Some(AccountId(1)) }
    }
}

/// So many accounts without a position are passed over for one look.
const PASSED_A_LOOK: u32 = 8;

impl Accounts {
    /// Goes on with the liquidations that wait, no more than `budget` steps. Returns what is left of that.
    pub fn go_on_liquidating(
        &mut self,
        catalog: &Catalog,
        mail: &mut Mail,
        events: &mut Vec<Event>,
        mut budget: u32,
    ) -> u32 {
        while budget > 0 {
            let Some(wallet) = self.futures.in_danger.pop_front() else { break };
            budget = budget.saturating_sub(1);
            self.liquidation(wallet).is_queued = false;
            self.liquidation_step(catalog, wallet, mail, events);
        }
        budget
    }

    fn liquidation(&mut self, wallet: WalletSlot) -> &mut Liquidation {
        self.futures.backs_mut(wallet).liquidation.as_mut().expect("it is being liquidated")
    }

    fn liquidation_step(
        &mut self,
        catalog: &Catalog,
        wallet: WalletSlot,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let ledger::Wallet { account, asset, isolated_at, .. } = *self.ledger.wallet(wallet);
        match self.liquidation(wallet).stage {
            Stage::Begun => {
                events.push(match isolated_at {
                    None => Event::LiquidationBegun { account, asset },
                    Some((market, position_side)) => {
                        Event::PositionLiquidationBegun { account, market, position_side }
                    }
                });
                let cancels = self.cancel_all_at(wallet, None, mail);
                let seats = self.futures.backs(wallet).into_iter().flat_map(|backs| &backs.seats);
                let backed =
                    seats.map(|(market, seat)| (*market, self.futures.open.seat(*seat).stake.position_side));
                for (market, position_side) in backed.collect::<Vec<_>>() {
                    let whose = (account, market, position_side);
                    self.end_algos_of_position(whose, AlgoEndReason::Liquidated, events);
                }
                self.liquidation(wallet).stage = Stage::Cancels;
                if !cancels {
                    self.futures.resume(wallet);
                }
            }
            Stage::Cancels => {
                let backs = self.futures.backs(wallet).expect("it is being liquidated");
                let mut seats = backs.seats.iter().map(|(_, seat)| self.futures.open.seat(*seat));
                if seats.all(|seat| seat.open_orders == 0) {
                    self.liquidation(wallet).stage = Stage::Looks;
                    self.futures.resume(wallet);
                }
            }
            Stage::Looks => self.decide(catalog, wallet, mail, events),
            Stage::Sells { market, order, left, sold } => {
                if self.futures.open.find(order).is_some() {
                    return;
                }
                self.pay_clearance_fee(catalog, wallet, market, sold, mail, events);
                self.liquidation(wallet).stage = Stage::Looks;
                let position_side = self.liquidation(wallet).sells;
                let seat = self.futures.find_position(account, market, position_side);
                let seat = seat.expect("it has a position there");
                let position = self.futures.open.seat(seat).stake.position;
                let standing = self.futures.standing(catalog, &self.ledger, wallet);
                let left = left.min(position.size());
                if left.is_zero() || !standing.is_liquidatable() {
                    self.futures.resume(wallet);
                } else {
                    let terms = contract_of(catalog, market).0;
                    let mark = self.futures.mark(market);
                    let price_ticks = bankruptcy_price(terms, &position, standing.equity, mark);
                    let liquidation = self.liquidation(wallet);
                    (liquidation.stage, liquidation.taken_over_at) = (Stage::IsTakenOver, Some(market));
                    let qty_lots = left;
                    let body = match position_side {
                        PositionSide::Both => ToMarket::TakeOver { account, price_ticks, qty_lots },
                        PositionSide::Long | PositionSide::Short => {
                            ToMarket::TakeOverLeg { account, position_side, price_ticks, qty_lots }
                        }
                    };
                    mail.send_to_market(market, body);
                }
            }
            // Somebody has taken it: see `Self::is_taken_over`.
            Stage::IsTakenOver => {}
        }
    }

    /// Sends a cancel for every open order that takes from a wallet, or for those at one contract; of the margin of an isolated
    /// position, for the orders beside that. False where there is none.
    pub fn cancel_all_at(&self, wallet: WalletSlot, only: Option<MarketId>, mail: &mut Mail) -> bool {
        let mut any = false;
        let account = self.ledger.wallet(wallet).account;
        for (market, seat) in self.futures.backs(wallet).into_iter().flat_map(|backs| &backs.seats) {
            if only.is_some_and(|only| only != *market) {
                continue;
            }
            for open in self.futures.open.at_seat(*seat) {
                let body = ToMarket::Cancel {
                    order: open.id(),
                    account,
                    restriction: CancelRestriction::None,
                    replacement: Some(ReplacementId::NOBODY),
                };
                mail.send_to_market(*market, body);
                any = true;
            }
        }
        any
    }

    /// No order is open. Where too little is left still, the position that takes most is offered.
    fn decide(&mut self, catalog: &Catalog, wallet: WalletSlot, mail: &mut Mail, events: &mut Vec<Event>) {
        let standing = self.futures.standing(catalog, &self.ledger, wallet);
        if !standing.is_liquidatable() {
            return self.end_liquidation(catalog, wallet, mail, events);
        }
        let account = self.ledger.wallet(wallet).account;
        let (market, seat, margin) = self.most_demanding(catalog, wallet);
        let Stake { position, position_side, .. } = self.futures.open.seat(seat).stake;
        let (terms, contract) = contract_of(catalog, market);
        let mark = self.futures.mark(market);
        let others = standing.counted.maintenance - margin;
        let part = part_to_close(
            terms,
            contract,
            position.size(),
            (standing.equity, others),
            mark,
            terms.taker_fee_ppm,
        );
        let qty_lots = part.unwrap_or(position.size());
        let bankrupt_at = bankruptcy_price(terms, &position, standing.equity, mark);
        let price_ticks = bankrupt_at.clamp(terms.min_price_ticks, terms.max_price_ticks);
        let side = position.closed_by().expect("it has a position");
        let order = self.next_order;
        self.next_order = order.next();
        let named = Named::new(account, &ClientOrderId::EMPTY);
        self.futures.open.insert(order, seat, (side, Some(price_ticks)), Reserve::none(qty_lots), &named);
        let liquidation = self.liquidation(wallet);
        liquidation.stage = Stage::Sells { market, order, left: qty_lots, sold: Amount::ZERO };
        liquidation.sells = position_side;
        mail.send_to_market(
            market,
            ToMarket::PlaceContract(ContractOrder {
                order,
                account,
                trade_group: TradeGroup::NONE,
                side,
                position_side,
                kind: OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Ioc },
                self_trade_prevention: SelfTradePrevention::None,
                reduce_only: true,
                worst_ticks: price_ticks,
                cause: OrderCause::Liquidation,
            }),
        );
    }

    /// The position that takes most maintenance margin, with that.
    fn most_demanding(&self, catalog: &Catalog, wallet: WalletSlot) -> (MarketId, SeatSlot, MicroAtoms) {
        let seats = self.futures.backs(wallet).into_iter().flat_map(|backs| &backs.seats);
        let backed = seats.filter(|(_, seat)| self.futures.open.seat(*seat).stake.backing() == wallet);
        let margins = backed.map(|(market, seat)| {
            let (terms, contract) = contract_of(catalog, *market);
            let position = &self.futures.open.seat(*seat).stake.position;
            let value = Amount(position.value(terms, self.futures.mark(*market)).0.abs());
            (*market, *seat, maintenance_margin(contract, value))
        });
        // Of equal ones the first.
        let first_of_the_largest = margins.reduce(|most, next| if next.2 > most.2 { next } else { most });
        first_of_the_largest.expect("whoever is liquidated has a position")
    }

    /// What the fund gets of what was sold, as far as something is left.
    fn pay_clearance_fee(
        &mut self,
        catalog: &Catalog,
        wallet: WalletSlot,
        market: MarketId,
        sold: Amount,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let standing = self.futures.standing(catalog, &self.ledger, wallet);
        let left = standing.equity.min(self.ledger.wallet(wallet).amount);
        let fee = clearance_fee(contract_of(catalog, market).1, sold, left);
        self.pay_fund(wallet, market, fee, mail, events);
    }

    fn pay_fund(
        &mut self,
        wallet: WalletSlot,
        market: MarketId,
        amount: Amount,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        if amount.is_zero() {
            return;
        }
        self.ledger.receive_in_wallet(wallet, -amount);
        let ledger::Wallet { account, asset, .. } = *self.ledger.wallet(wallet);
        let own = self.ledger.wallet_slot(account, asset);
        let left = self.ledger.wallet(own).amount;
        events.push(Event::ClearancePaid { account, market, amount, wallet: left });
        if let Some((_, seat)) = self.isolated_seat(wallet) {
            self.move_margin(seat, Amount::ZERO, events);
        }
        mail.send_to_market(market, ToMarket::PayFund { amount });
    }

    fn end_liquidation(
        &mut self,
        catalog: &Catalog,
        wallet: WalletSlot,
        mail: &mut Mail,
        events: &mut Vec<Event>,
    ) {
        let standing = self.futures.standing(catalog, &self.ledger, wallet);
        let ended = self.futures.backs_mut(wallet).liquidation.take().expect("it is being liquidated");
        let left = self.ledger.wallet(wallet).amount;
        if let Some(market) = ended.taken_over_at
            && standing.counted.positions == 0
            && left > Amount::ZERO
        {
            self.pay_fund(wallet, market, left, mail, events);
        }
        self.give_margin_back(wallet, events);
        let ledger::Wallet { account, asset, isolated_at, .. } = *self.ledger.wallet(wallet);
        events.push(match isolated_at {
            None => Event::LiquidationEnded { account, asset },
            Some((market, position_side)) => {
                Event::PositionLiquidationEnded { account, market, position_side }
            }
        });
        self.futures.touch(wallet);
    }

    /// The fund pays what an account owes that has nothing left to win it with. That can happen without a liquidation where
    /// an order trades far from the mark price.
    pub fn cover_debts(&mut self, catalog: &Catalog, mail: &mut Mail, events: &mut Vec<Event>) {
        for wallet in std::mem::take(&mut self.futures.in_debt) {
            let ledger::Wallet { account, asset, isolated_at, amount } = *self.ledger.wallet(wallet);
            let mut contracts = catalog.contracts().map(|(market, _)| market);
            let market = isolated_at
                .map(|(market, _)| market)
                .or_else(|| contracts.find(|market| contract_of(catalog, *market).0.quote == asset));
            if amount < Amount::ZERO {
                let market = market.expect("who owes something had a position");
                self.ledger.receive_in_wallet(wallet, -amount);
                let amount = -amount;
                events.push(match isolated_at {
                    None => Event::DebtCovered { account, market, amount },
                    Some((market, position_side)) => {
                        Event::PositionDebtCovered { account, market, position_side, amount }
                    }
                });
                if let Some((_, seat)) = self.isolated_seat(wallet) {
                    self.move_margin(seat, Amount::ZERO, events);
                }
                mail.send_to_market(market, ToMarket::PayFund { amount: -amount });
            }
        }
    }

    /// An order of a liquidation has traded.
    pub fn liquidation_sold(&mut self, wallet: WalletSlot, order: OrderId, qty: QtyLots, value: Amount) {
        let Some(liquidation) = self.futures.backs_mut(wallet).liquidation.as_mut() else { return };
        if let Stage::Sells { order: selling, left, sold, .. } = &mut liquidation.stage
            && *selling == order
        {
            *left -= qty;
            *sold += value;
        }
    }

    /// Somebody has taken what a liquidation could not sell: it looks again.
    pub fn is_taken_over(&mut self, wallet: WalletSlot) {
        let liquidation = self.liquidation(wallet);
        assert!(liquidation.stage == Stage::IsTakenOver, "whoever is taken over has asked for it");
        liquidation.stage = Stage::Looks;
        self.futures.resume(wallet);
    }

    /// Whether the insurance fund can take over so much at this price: with its wallet, and all that it carries already.
    pub fn fund_carries(
        &self,
        catalog: &Catalog,
        fund: AccountId,
        market: MarketId,
        (side, price, qty): (Side, PriceTicks, QtyLots),
    ) -> bool {
        let (terms, _) = contract_of(catalog, market);
        let Some(wallet) = self.ledger.find_wallet(fund, terms.quote) else { return false };
        // An account may have been made a fund while its positions were isolated, so that its wallet does not back them, or in hedge
        // mode.
        let mut seats = self.futures.seats_at(fund, market);
        if self.futures.position_mode(fund) == PositionMode::Hedge
            || seats.any(|seat| self.futures.open.seat(seat).stake.margin.is_some())
        {
            return false;
        }
        let standing = self.futures.standing(catalog, &self.ledger, wallet);
        let mut taken = Position::NONE;
        taken.fill(terms, side, price, qty);
        fund_can_carry(standing.equity, &taken, terms, self.futures.mark(market))
    }

    /// A contract asks who is deleveraged first here among those whose positions an order of this side would close. The answer comes
    /// when they are ranked.
    pub fn ask_winner(&mut self, market: MarketId, side: Side) {
        self.futures.winners_asked.push_back((market, side));
    }

    /// Goes on with the rankings that contracts wait for, no more than `budget` looks, and answers those that are done. Returns what is
    /// left of that.
    pub fn go_on_ranking(
        &mut self,
        catalog: &Catalog,
        own: PartitionId,
        mail: &mut Mail,
        mut budget: u32,
    ) -> u32 {
        while let Some((market, side)) = self.futures.winners_asked.front().copied() {
            let ranking = self.futures.ranking.take();
            let ranking = ranking.filter(|ranking| (ranking.market, ranking.side) == (market, side));
            let mut ranking = ranking.unwrap_or_else(|| Ranking::begun(market, side));
            let holds = |account: AccountId| {
                let mut seats = self.futures.seats_at(account, market);
                seats.any(|seat| self.futures.open.seat(seat).stake.position.closed_by() == Some(side))
            };
            if ranking.next.is_none() {
                // Whoever is asked for again has not been closed yet: he stays until he has.
                while ranking.accounts.last().is_some_and(|(_, _, account)| !holds(account.0)) {
                    ranking.accounts.pop_last();
                }
                // When all of them have been closed there may be others, who came behind the ranking.
                if ranking.accounts.is_empty() {
                    ranking = Ranking::begun(market, side);
                }
            }
            budget = self.rank(catalog, &mut ranking, budget);
            let is_done = ranking.next.is_none();
            let winner = ranking.accounts.last().map(|(score, _, account)| (account.0, *score));
            self.futures.ranking = Some(ranking);
            if !is_done {
                break;
            }
            self.futures.winners_asked.pop_front();
            mail.send_to_market(market, ToMarket::Winner { partition: own, winner });
        }
        budget
    }

    /// Ranks as many accounts as `budget` allows, from the one whose turn it is. Returns what is left of it.
    fn rank(&self, catalog: &Catalog, ranking: &mut Ranking, mut budget: u32) -> u32 {
        let Ranking { market, side, .. } = *ranking;
        let (terms, _) = contract_of(catalog, market);
        let unit =
            catalog.asset(terms.quote).expect("a contract is settled in a listed asset").atoms_per_unit();
        let mut passed: u32 = 0;
        while let Some(account) = ranking.next {
            if account >= self.next_account() {
                ranking.next = None;
                break;
            }
            if budget == 0 {
                break;
            }
            ranking.next = Some(AccountId(account.0.checked_add(1).expect("accounts stay below 2^53")));
            let held = self.futures.seats_at(account, market).map(|seat| self.futures.open.seat(seat));
            let held = held.filter(|seat| seat.stake.position.closed_by() == Some(side));
            let mut looks: u32 = 0;
            for seat in held {
                let wallet = seat.stake.backing();
                let standing = self.futures.standing(catalog, &self.ledger, wallet);
                let amount = self.ledger.wallet(wallet).amount;
                let LeverageScore(score) =
                    leverage_score(standing.counted.unrealized, amount, standing.counted.maintenance, unit);
                ranking.accounts.insert((score, seat.stake.position.size(), Reverse(account)));
                looks = looks.saturating_add(1);
            }
            if looks == 0 {
                passed = passed.saturating_add(1);
                if passed.is_multiple_of(PASSED_A_LOOK) {
                    looks = 1;
                }
            }
            budget = budget.saturating_sub(looks);
        }
        budget
    }
}
