//! The part of the witness that looks at contracts: who has which position, what in his wallet and behind isolated positions, worked out from events alone,
//! the obvious way.

use std::collections::{BTreeMap, BTreeSet};

use exchange::Partition;
use model::{
    AccountId, AssetId, ContractFilled, Event, Forced, Liquidity, MarginType, MarketId, MarketTerms,
    OrderCause, OrderId, PositionForced, PositionMarginChanged, PositionMode, PositionNow, PositionSide,
    PriceTicks, Side,
};

#[derive(Default)]
pub struct ContractWitness {
    terms: BTreeMap<MarketId, MarketTerms>,
    pub wallets: BTreeMap<(AccountId, AssetId), i128>,
    /// Quantity and cost.
    positions: BTreeMap<Who, (i64, i128)>,
    /// Accounts that have two at each contract.
    hedgers: BTreeSet<AccountId>,
    /// Accounts whose positions at a contract are isolated.
    isolated: BTreeSet<(AccountId, MarketId)>,
    /// What isolated positions have paid or received, until it is told which of them.
    untold: i128,
    /// What isolated positions have as their margin; of those that wallets back nothing.
    margins: BTreeMap<Who, i128>,
    /// Chosen, and where nothing is chosen.
    leverage: BTreeMap<(AccountId, MarketId), u16>,
    default_leverage: BTreeMap<MarketId, u16>,
    marks: BTreeMap<MarketId, PriceTicks>,
    /// Orders that liquidations have placed.
    offered: BTreeSet<OrderId>,
    /// The last change of an isolated position, whose margin is told behind it.
    changed: Option<Changed>,
    pub fees: BTreeMap<AssetId, i128>,
    /// What was paid as funding and not received yet.
    funding: BTreeMap<MarketId, i128>,
    /// What was paid to the funds and not received yet.
    to_funds: i128,
    /// What exchanges of positions without orders come to: each has two sides.
    forced: BTreeMap<MarketId, i64>,
}

/// One of an account's positions at a contract.
type Who = (AccountId, MarketId, PositionSide);

/// What has changed an isolated position.
struct Changed {
    who: Who,
    /// No margin moves when the exchange closes it.
    by_liquidation: bool,
    margin_before: i128,
    size_before: i64,
    closed: i64,
    /// What has been opened, and what it has lost against the mark price.
    opened_value: i128,
    opened_loss: i128,
    fee: i128,
}

impl ContractWitness {
    /// Takes in one event.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::ContractAdded { market, terms, contract } => {
                self.terms.insert(*market, **terms);
                self.default_leverage.insert(*market, contract.default_leverage);
                self.marks.entry(*market).or_insert(terms.initial_reference_ticks);
            }
            Event::FundsMoved(moved) => {
                self.change_wallet(moved.account, moved.asset, moved.amount.0, moved.wallet.0);
            }
            Event::ContractFilled(filled) => self.filled(filled),
            Event::PositionForced(forced) => self.forced(forced),
            Event::FundingPaid(paid) => {
                let asset = self.terms[&paid.market].quote;
                *self.funding.entry(paid.market).or_default() -= paid.amount.0;
                let at = (paid.account, paid.market);
                if self.isolated.contains(&at) && self.positions_at(at).any(|(_, (qty, _))| *qty != 0) {
                    self.untold += paid.amount.0;
                    self.change_wallet(paid.account, asset, 0, paid.wallet.0);
                } else {
                    self.change_wallet(paid.account, asset, paid.amount.0, paid.wallet.0);
                }
            }
            Event::ClearancePaid { account, market, amount, wallet } => {
                assert!(amount.0 > 0, "nobody is told that he has paid nothing");
                self.to_funds += amount.0;
                let is_isolated = self.isolated.contains(&(*account, *market));
                let of_wallet = if is_isolated { 0 } else { -amount.0 };
                self.untold -= if is_isolated { amount.0 } else { 0 };
                self.change_wallet(*account, self.terms[market].quote, of_wallet, wallet.0);
            }
            Event::DebtCovered { account, market, amount } => {
                assert!(amount.0 > 0, "nobody is told that nothing was paid");
                self.to_funds -= amount.0;
                self.change_wallet(*account, self.terms[market].quote, amount.0, 0);
            }
            Event::PositionDebtCovered { account, market, position_side, amount } => {
                assert!(amount.0 > 0, "nobody is told that nothing was paid");
                self.to_funds -= amount.0;
                let who = (*account, *market, *position_side);
                let margin = self.margins.get_mut(&who).expect("it is isolated");
                *margin += amount.0;
                assert_eq!(*margin, 0, "the fund pays what is missing, and no more");
            }
            Event::MarginTypeChanged { account, market, margin_type } => {
                let at = (*account, *market);
                assert!(
                    self.positions_at(at).all(|(_, held)| *held == (0, 0)),
                    "what backs a position stays"
                );
                let left: i128 = self.margins_at(at).map(|(_, margin)| margin).sum();
                assert_eq!(left, 0, "nothing is left behind");
                let changes = match margin_type {
                    MarginType::Isolated => self.isolated.insert(at),
                    MarginType::Cross => self.isolated.remove(&at),
                };
                assert!(changes, "it changes something");
            }
            Event::PositionModeChanged { account, mode } => {
                let mut all = self.positions.iter().filter(|((whose, _, _), _)| whose == account);
                assert!(all.all(|(_, held)| *held == (0, 0)), "positions keep their mode");
                let changes = match mode {
                    PositionMode::Hedge => self.hedgers.insert(*account),
                    PositionMode::OneWay => self.hedgers.remove(account),
                };
                assert!(changes, "it changes something");
            }
            Event::PositionMarginChanged(changed) => self.margin_changed(changed),
            Event::LeverageChanged { account, market, leverage } => {
                let at = (*account, *market);
                let falls = *leverage < self.leverage_of(at);
                let is_open = self.positions_at(at).any(|(_, (qty, _))| *qty != 0);
                assert!(!(falls && is_open && self.isolated.contains(&at)), "it takes no more margin");
                self.leverage.insert(at, *leverage);
            }
            Event::MarkPriceChanged(changed) => {
                self.marks.insert(changed.market, changed.mark_ticks);
            }
            Event::ContractOrderAccepted(accepted) if accepted.cause == OrderCause::Liquidation => {
                self.offered.insert(accepted.order);
            }
            Event::FundReceived { account, market, amount, wallet } => {
                self.to_funds -= amount.0;
                self.change_wallet(*account, self.terms[market].quote, amount.0, wallet.0);
            }
            _ => {}
        }
    }

    fn change_wallet(&mut self, account: AccountId, asset: AssetId, by: i128, told: i128) {
        let wallet = self.wallets.entry((account, asset)).or_default();
        *wallet += by;
        assert_eq!(*wallet, told, "what is told to be in a wallet is what was put there");
    }

    fn leverage_of(&self, at: (AccountId, MarketId)) -> u16 {
        self.leverage.get(&at).copied().unwrap_or(self.default_leverage[&at.1])
    }

    fn positions_at(&self, at: (AccountId, MarketId)) -> impl Iterator<Item = (&Who, &(i64, i128))> {
        self.positions.range((at.0, at.1, PositionSide::Both)..=(at.0, at.1, PositionSide::Short))
    }

    fn margins_at(&self, at: (AccountId, MarketId)) -> impl Iterator<Item = (&Who, &i128)> {
        self.margins.range((at.0, at.1, PositionSide::Both)..=(at.0, at.1, PositionSide::Short))
    }

    /// What backs a position has changed: its own margin, where it has any, or the wallet.
    fn change_backing(&mut self, who: Who, by: i128, told_wallet: i128) {
        let asset = self.terms[&who.1].quote;
        if !self.isolated.contains(&(who.0, who.1)) {
            return self.change_wallet(who.0, asset, by, told_wallet);
        }
        *self.margins.entry(who).or_default() += by;
        self.change_wallet(who.0, asset, 0, told_wallet);
    }

    fn margin_changed(&mut self, told: &PositionMarginChanged) {
        let who = (told.account, told.market, told.position_side);
        assert!(self.isolated.contains(&(who.0, who.1)), "only isolated positions have margin of their own");
        let margin = self.margins.entry(who).or_default();
        *margin += std::mem::take(&mut self.untold);
        let found = *margin;
        *margin += told.moved.0;
        assert_eq!(*margin, told.margin.0, "what is told to be a margin is what was put there");
        self.change_wallet(who.0, self.terms[&who.1].quote, -told.moved.0, told.wallet.0);
        let Some(changed) = self.changed.take() else { return };
        assert_eq!(changed.who, who, "the margin is told behind what has changed it");
        let left = changed.size_before - changed.closed;
        if changed.by_liquidation {
            assert_eq!(told.moved.0, 0, "a liquidation neither takes from the wallet nor gives back");
        } else if changed.opened_value > 0 {
            let leverage = i128::from(self.leverage_of((who.0, who.1)));
            let kept = if changed.closed == 0 { changed.margin_before } else { 0 };
            let needed = (changed.opened_value + leverage - 1) / leverage + changed.opened_loss;
            assert!(told.margin.0 <= kept + needed, "no more is taken than what is opened needs");
            assert!(told.wallet.0 >= 0 || told.moved.0 <= 0, "and no more than there is");
        } else if left == 0 {
            assert!(told.margin.0 <= 0, "all that is left of a position that is closed goes back");
            assert!(told.moved.0 <= changed.fee, "the wallet bears no loss of an isolated position");
        } else {
            let whole = changed.margin_before.max(0) * i128::from(left);
            let kept = (whole + i128::from(changed.size_before) - 1) / i128::from(changed.size_before);
            assert_eq!(told.margin.0, found.min(kept), "what belongs to the part that is closed goes back");
        }
    }

    fn filled(&mut self, filled: &ContractFilled) {
        let terms = self.terms[&filled.market];
        let value = i128::from(filled.price_ticks.0)
            * i128::from(filled.qty_lots.0)
            * terms.quote_atoms_per_tick_lot.0;
        let ppm = match filled.liquidity {
            Liquidity::Maker => terms.maker_fee_ppm,
            Liquidity::Taker => terms.taker_fee_ppm,
        };
        crate::witness::is_fee(filled.fee.0, value, ppm, terms.fee_rounding);
        *self.fees.entry(terms.quote).or_default() += filled.fee.0;
        let who = (filled.account, filled.market, filled.position_side);
        let change = (filled.side, filled.qty_lots.0, value);
        let by_liquidation = self.offered.contains(&filled.order);
        self.traded(who, change, (filled.realized.0, filled.fee.0), by_liquidation, &filled.now);
    }

    fn forced(&mut self, forced: &PositionForced) {
        let terms = self.terms[&forced.market];
        let value = i128::from(forced.price_ticks.0)
            * i128::from(forced.qty_lots.0)
            * terms.quote_atoms_per_tick_lot.0;
        let qty = if forced.side == Side::Buy { forced.qty_lots.0 } else { -forced.qty_lots.0 };
        *self.forced.entry(forced.market).or_default() += qty;
        let who = (forced.account, forced.market, forced.position_side);
        let before = self.positions.get(&who).map_or(0, |(qty, _)| *qty);
        if forced.forced != Forced::Carried {
            assert!(
                before.signum() == -qty.signum() && qty.abs() <= before.abs(),
                "it makes a position smaller"
            );
        }
        let change = (forced.side, forced.qty_lots.0, value);
        let by_liquidation = matches!(forced.forced, Forced::TakenOver | Forced::Bankrupt);
        self.traded(who, change, (forced.realized.0, 0), by_liquidation, &forced.now);
    }

    fn traded(
        &mut self,
        who: Who,
        (side, qty, value): (Side, i64, i128),
        (realized, fee): (i128, i128),
        by_liquidation: bool,
        now: &PositionNow,
    ) {
        let (held, cost) = self.positions.get(&who).copied().unwrap_or_default();
        let sign = if side == Side::Buy { 1 } else { -1 };
        let closes = if i64::signum(held) == -sign { qty.min(held.abs()) } else { 0 };
        let of_closed = value / i128::from(qty) * i128::from(closes);
        let released = if closes == 0 {
            0
        } else {
            // The part of the cost, rounded up: so the profit is rounded down.
            let (part, whole) = (cost * i128::from(closes), i128::from(held.abs()));
            part.div_euclid(whole) + i128::from(part.rem_euclid(whole) != 0)
        };
        let expected = if closes == 0 { 0 } else { -i128::from(sign) * of_closed - released };
        assert_eq!(realized, expected, "closing realises what the part was sold for, less what it has cost");
        let after = (held + sign * qty, cost - released + i128::from(sign) * (value - of_closed));
        assert_eq!((now.qty_lots.0, now.cost.0), after, "a position is what was traded");
        self.positions.insert(who, after);
        let is_hedger = self.hedgers.contains(&who.0);
        assert_eq!(who.2 != PositionSide::Both, is_hedger, "an account has the positions of its mode");
        match who.2 {
            PositionSide::Both => {}
            PositionSide::Long => assert!(after.0 >= 0, "a long position is long"),
            PositionSide::Short => assert!(after.0 <= 0, "a short position is short"),
        }
        if self.isolated.contains(&(who.0, who.1)) {
            let margin_before = self.margins.get(&who).copied().unwrap_or_default();
            let opened_value = value / i128::from(qty) * i128::from(qty - closes);
            let at_mark = i128::from(self.marks[&who.1].0)
                * i128::from(qty - closes)
                * self.terms[&who.1].quote_atoms_per_tick_lot.0;
            self.changed = Some(Changed {
                who,
                by_liquidation,
                margin_before,
                size_before: held.abs(),
                closed: closes,
                opened_value,
                opened_loss: (i128::from(sign) * (opened_value - at_mark)).max(0),
                fee,
            });
        }
        self.change_backing(who, realized - fee, now.wallet.0);
    }

    /// What is in all wallets of an asset, less what positions have cost.
    pub fn backing(&self, asset: AssetId) -> i128 {
        let wallets = self.wallets.iter().filter(|((_, of), _)| *of == asset).map(|(_, amount)| amount);
        let costs = self.positions.iter().filter(|((_, market, _), _)| self.terms[market].quote == asset);
        let margins = self.margins.iter().filter(|((_, market, _), _)| self.terms[market].quote == asset);
        let margins: i128 = margins.map(|(_, margin)| margin).sum();
        wallets.sum::<i128>() + margins - costs.map(|(_, (_, cost))| cost).sum::<i128>()
    }

    /// The partition has what the events say. It is the only one.
    pub fn agrees_with(&self, partition: &Partition) {
        assert_eq!(self.to_funds, 0, "what funds are paid they receive");
        assert!(self.forced.values().all(|sum| *sum == 0), "what one gives up another one takes");
        for ((account, asset), amount) in &self.wallets {
            assert_eq!(partition.wallet(*account, *asset).0, *amount, "the wallet of account {account}");
        }
        for ((account, market, position_side), margin) in &self.margins {
            let theirs = partition.position_margin(*account, *market, *position_side);
            let theirs = theirs.map_or(0, |margin| margin.0);
            assert_eq!(theirs, *margin, "the margin of {account} at {market}");
        }
        assert_eq!(self.untold, 0, "it is told whose margin has changed");
        assert!(self.changed.is_none(), "the margin of a position that has changed is told");
        let mut sums: BTreeMap<MarketId, i64> = BTreeMap::new();
        for ((account, market, position_side), (qty, cost)) in &self.positions {
            let position = partition.position_of(*account, *market, *position_side);
            assert_eq!((position.qty_lots.0, position.cost.0), (*qty, *cost), "the position of {account}");
            *sums.entry(*market).or_default() += qty;
        }
        assert!(sums.values().all(|sum| *sum == 0), "positions sum to zero");
        if !partition.has_work() {
            assert!(self.funding.values().all(|paid| *paid == 0), "what is paid as funding is received");
        }
    }
}
