//! The same commands on one partition: when clients wait for each other, balances and books must be the same however many
//! partitions there are, whatever has failed between them. Numbers of orders and withdrawals differ, so orders go by their
//! names, and withdrawals by their references.

use std::collections::BTreeMap;

use exchange::{Partition, Together};
use model::{
    AccountId, AddMarket, Amount, AssetId, Command, Event, MarketId, PriceTicks, QtyLots, Reference,
    Sequenced, SettleWithdrawal, Side, TimeNs, WithdrawalId,
};

#[derive(Default)]
pub struct Alone {
    partition: Partition,
    withdrawals: BTreeMap<Reference, WithdrawalId>,
}

impl Alone {
    /// What the others were asked, and have done. `reference` is that of a withdrawal that is settled.
    pub fn play(&mut self, command: &Command, reference: Option<Reference>) {
        let command = match command {
            Command::AddMarketTo(add) => Command::AddMarket(Box::new(AddMarket { terms: add.terms })),
            Command::MoveMarket(_) => return,
            Command::SettleWithdrawal(settle) => {
                let known = reference.and_then(|reference| self.withdrawals.get(&reference));
                let withdrawal = known.copied().unwrap_or(WithdrawalId(u64::MAX));
                Command::SettleWithdrawal(SettleWithdrawal { withdrawal, ..settle.clone() })
            }
            other => other.clone(),
        };
        let mut events = Vec::new();
        let input = Sequenced { seq: self.partition.seq().next(), time_ns: TimeNs(0), command };
        self.partition.apply(&input, &mut events);
        for event in &events {
            if let Event::WithdrawalRequested(requested) = event {
                self.withdrawals.insert(requested.reference, requested.withdrawal);
            }
        }
    }

    /// Panics where the others, who have done the same and have nothing on its way, are not the same.
    pub fn compare(&self, others: &[&Partition]) {
        let partitions = others[0].partitions();
        for account in self.accounts() {
            let home = others[partitions.home(account).index()];
            assert_eq!(
                balances(&self.partition, account),
                balances(home, account),
                "account {account} has the same on one partition and on {}",
                others.len()
            );
        }
        let together = Together::new(others);
        for (asset, _) in self.partition.catalog().assets() {
            let (one, several) = (self.partition.totals(asset).expect("listed"), together.totals(asset));
            assert_eq!(
                (one.deposited, one.withdrawn, one.fees),
                (several.deposited, several.withdrawn, several.fees),
                "the same money has come, gone and been charged"
            );
        }
        for (market, _) in self.partition.catalog().markets() {
            let home = others[0].catalog().home(market).expect("it is listed there too");
            for side in [Side::Buy, Side::Sell] {
                assert_eq!(
                    queue(&self.partition, market, side),
                    queue(others[home.index()], market, side),
                    "the same orders rest in the same order"
                );
            }
        }
        // One that was not taken in yet knows nothing.
        for other in &others[..usize::from(partitions.count())] {
            assert_eq!(other.reference_prices(), self.partition.reference_prices(), "the same last prices");
        }
    }

    fn accounts(&self) -> impl Iterator<Item = AccountId> {
        (1..).map(AccountId).take_while(|account| self.partition.balances(*account).is_ok())
    }
}

fn balances(partition: &Partition, account: AccountId) -> Vec<(AssetId, Amount, Amount)> {
    let balances = partition.balances(account).expect("the account lives there");
    let all = balances.map(|balance| (balance.asset, balance.free, balance.held));
    all.filter(|(_, free, held)| !free.is_zero() || !held.is_zero()).collect()
}

fn queue(partition: &Partition, market: MarketId, side: Side) -> Vec<(AccountId, PriceTicks, QtyLots)> {
    let queue = partition.queue(market, side).expect("the market is listed");
    queue.map(|(_, account, price, open)| (account, price, open)).collect()
}
