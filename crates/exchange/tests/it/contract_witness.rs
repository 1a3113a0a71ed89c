//! The part of the witness that looks at contracts: who has which position and what in his wallet, worked out from events alone,
//! the obvious way.

use std::collections::BTreeMap;

use exchange::Partition;
use model::{
    AccountId, AssetId, ContractFilled, Event, Forced, Liquidity, MarketId, MarketTerms, PositionForced,
    PositionNow, Side,
};

#[derive(Default)]
pub struct ContractWitness {
    terms: BTreeMap<MarketId, MarketTerms>,
    pub wallets: BTreeMap<(AccountId, AssetId), i128>,
    /// Quantity and cost.
    positions: BTreeMap<(AccountId, MarketId), (i64, i128)>,
    pub fees: BTreeMap<AssetId, i128>,
    /// What was paid as funding and not received yet.
    funding: BTreeMap<MarketId, i128>,
    /// What was paid to the funds and not received yet.
    to_funds: i128,
    /// What exchanges of positions without orders come to: each has two sides.
    forced: BTreeMap<MarketId, i64>,
}

impl ContractWitness {
    /// Takes in one event.
    pub fn see(&mut self, event: &Event) {
        match event {
            Event::ContractAdded { market, terms, .. } => {
                self.terms.insert(*market, **terms);
            }
            Event::FundsMoved(moved) => {
                self.change_wallet(moved.account, moved.asset, moved.amount.0, moved.wallet.0);
            }
            Event::ContractFilled(filled) => self.filled(filled),
            Event::PositionForced(forced) => self.forced(forced),
            Event::FundingPaid(paid) => {
                let asset = self.terms[&paid.market].quote;
                *self.funding.entry(paid.market).or_default() -= paid.amount.0;
                self.change_wallet(paid.account, asset, paid.amount.0, paid.wallet.0);
            }
            Event::ClearancePaid { account, market, amount, wallet } => {
                assert!(amount.0 > 0, "nobody is told that he has paid nothing");
                self.to_funds += amount.0;
                self.change_wallet(*account, self.terms[market].quote, -amount.0, wallet.0);
            }
            Event::DebtCovered { account, market, amount } => {
                assert!(amount.0 > 0, "nobody is told that nothing was paid");
                self.to_funds -= amount.0;
                self.change_wallet(*account, self.terms[market].quote, amount.0, 0);
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
        let who = (filled.account, filled.market);
        let change = (filled.side, filled.qty_lots.0, value);
        self.traded(who, change, filled.realized.0, filled.fee.0, &filled.now);
    }

    fn forced(&mut self, forced: &PositionForced) {
        let terms = self.terms[&forced.market];
        let value = i128::from(forced.price_ticks.0)
            * i128::from(forced.qty_lots.0)
            * terms.quote_atoms_per_tick_lot.0;
        let qty = if forced.side == Side::Buy { forced.qty_lots.0 } else { -forced.qty_lots.0 };
        *self.forced.entry(forced.market).or_default() += qty;
        let who = (forced.account, forced.market);
        let before = self.positions.get(&who).map_or(0, |(qty, _)| *qty);
        if forced.forced != Forced::Carried {
            assert!(
                before.signum() == -qty.signum() && qty.abs() <= before.abs(),
                "it makes a position smaller"
            );
        }
        self.traded(who, (forced.side, forced.qty_lots.0, value), forced.realized.0, 0, &forced.now);
    }

    fn traded(
        &mut self,
        who: (AccountId, MarketId),
        (side, qty, value): (Side, i64, i128),
        realized: i128,
        fee: i128,
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
        self.change_wallet(who.0, self.terms[&who.1].quote, realized - fee, now.wallet.0);
    }

    /// What is in all wallets of an asset, less what positions have cost.
    pub fn backing(&self, asset: AssetId) -> i128 {
        let wallets = self.wallets.iter().filter(|((_, of), _)| *of == asset).map(|(_, amount)| amount);
        let costs = self.positions.iter().filter(|((_, market), _)| self.terms[market].quote == asset);
        wallets.sum::<i128>() - costs.map(|(_, (_, cost))| cost).sum::<i128>()
    }

    /// The partition has what the events say. It is the only one.
    pub fn agrees_with(&self, partition: &Partition) {
        assert_eq!(self.to_funds, 0, "what funds are paid they receive");
        assert!(self.forced.values().all(|sum| *sum == 0), "what one gives up another one takes");
        for ((account, asset), amount) in &self.wallets {
            assert_eq!(partition.wallet(*account, *asset).0, *amount, "the wallet of account {account}");
        }
        let mut sums: BTreeMap<MarketId, i64> = BTreeMap::new();
        for ((account, market), (qty, cost)) in &self.positions {
            let position = partition.position(*account, *market);
            assert_eq!((position.qty_lots.0, position.cost.0), (*qty, *cost), "the position of {account}");
            *sums.entry(*market).or_default() += qty;
        }
        assert!(sums.values().all(|sum| *sum == 0), "positions sum to zero");
        if !partition.has_work() {
            assert!(self.funding.values().all(|paid| *paid == 0), "what is paid as funding is received");
        }
    }
}
