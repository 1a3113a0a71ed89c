//! Settlements of funding: each position that is there when one begins pays, or receives, its part. A command does a bounded
//! number of positions; one that changes before its turn has its turn first. Source: semantics 2 ("Funding").

use std::collections::BTreeSet;

use margin::funding_flow;
use model::{AccountId, Amount, Event, FundingRate, Letter, MarketId, PositionSide, PriceTicks, ToHolder};

use crate::Partition;
use crate::holders::{Holders, Quantities, Settlement};
use crate::market::Desk;

impl Holders {
    /// The first of the accounts from this one on that have a position, no more than so many, in order.
    fn first_from(&self, first: AccountId, many: usize) -> Vec<AccountId> {
        let accounts_of = |held: &Quantities| -> Vec<AccountId> {
            held.from(first).map(|(account, _)| account).take(many).collect()
        };
        let mut accounts = accounts_of(&self.quantities);
        if !self.hedgers.is_empty() {
            accounts.extend(self.legs.iter().flat_map(accounts_of));
            accounts.sort_unstable();
            accounts.dedup();
            accounts.truncate(many);
        }
        accounts
    }

    pub fn begin_settlement(&mut self, rate: FundingRate, mark_ticks: PriceTicks) {
        self.settlement = Some(Settlement {
            rate,
            mark_ticks,
            next: AccountId(0),
            early: BTreeSet::new(),
            collected: Amount::ZERO,
        });
    }
}

impl Desk<'_> {
    /// A position is about to change: where a settlement is under way, it has its turn before that.
    pub fn settle_before(&mut self, account: AccountId) {
        let holders = self.holders();
        let Some(settlement) = &mut holders.settlement else { return };
        if account < settlement.next || !settlement.early.insert(account) {
            return;
        }
        self.settle_funding_of(account);
    }

    fn settle_funding_of(&mut self, account: AccountId) {
        let (terms, market) = (self.terms, self.market);
        for position_side in [PositionSide::Both, PositionSide::Long, PositionSide::Short] {
            let holders = self.holders();
            let qty = holders.held(account, position_side);
            let settlement = holders.settlement.as_mut().expect("funding is being settled");
            let amount = funding_flow(terms, qty, settlement.mark_ticks, settlement.rate);
            if amount.is_zero() {
                continue;
            }
            settlement.collected -= amount;
            let body = match position_side {
                PositionSide::Both => ToHolder::Funding { amount },
                PositionSide::Long | PositionSide::Short => ToHolder::FundingOfLeg { position_side, amount },
            };
            self.mail.push(Letter::ToHolder { account, market, body });
        }
    }

    /// Goes on with a settlement, no more than `budget` positions. Returns what is left of that.
    fn go_on_settling(&mut self, budget: u32) -> u32 {
        let holders = self.holders();
        let Some(settlement) = &holders.settlement else { return budget };
        let many = usize::try_from(budget).expect("fits");
        let next = holders.first_from(settlement.next, many);
        for account in &next {
            let settlement = self.holders().settlement.as_mut().expect("seen above");
            settlement.next = AccountId(account.0.saturating_add(1));
            if !settlement.early.remove(account) {
                self.settle_funding_of(*account);
            }
        }
        let left = budget.saturating_sub(u32::try_from(next.len()).expect("no more than the budget"));
        if left > 0 {
            let fund = self.contract.expect("only contracts settle funding").fund;
            let settled = self.holders().settlement.take().expect("seen above");
            if !settled.collected.is_zero() {
                self.tell_holder(fund, ToHolder::Funding { amount: settled.collected });
            }
        }
        left
    }
}

impl Partition {
    /// Contracts that live here where a settlement is under way.
    fn settling(&self) -> impl Iterator<Item = MarketId> {
        let contracts = self.catalog.contracts().map(|(market, _)| market);
        contracts.filter(|market| {
            let holders = self.markets.market(*market).holders.as_ref();
            holders.is_some_and(|holders| holders.settlement.is_some())
        })
    }

    pub(crate) fn has_settlements(&self) -> bool {
        self.settling().next().is_some()
    }

    /// Goes on with settlements, no more than `budget` positions. Returns what is left of that.
    pub(crate) fn go_on_with_settlements(&mut self, mut budget: u32, events: &mut Vec<Event>) -> u32 {
        while budget > 0 {
            let Some(market) = self.settling().next() else { break };
            let Self { catalog, accounts, markets, mail, post, .. } = self;
            let count = post.partitions.count();
            let orders = &mut accounts.futures.open.orders;
            budget = markets.desk(catalog, (market, count), orders, mail, events).go_on_settling(budget);
        }
        budget
    }
}
