//! What a snapshot has of algo orders, of countdowns, and of orders that are being modified: nothing where there never was one, so that such a state has the bytes that it always had.

use codec::{coded_enum, coded_struct};
use model::{AccountId, AlgoId, AlgoOrder, MarketId, OrderId, Reject, TimeNs, WaitingOrder, WorkingPrice};

use crate::Partition;
use crate::algo_book::{AlgoList, Heard, Sees};
use crate::futures::Reserve;
use crate::modify_contract::Modifying;
use crate::snapshot::SnapshotError;

/// Everything of what waits: for a price, for a time, for a market.
#[derive(Default, PartialEq, Eq)]
pub struct AlgosRecord {
    given: u64,
    waiting: Vec<AlgoOrder>,
    lists: Vec<ListRecord>,
    asked: Vec<(OrderId, AlgoId)>,
    countdowns: Vec<CountdownRecord>,
    modifying: Vec<ModifyingRecord>,
    good_till: Vec<GoodTillRecord>,
}
coded_struct!(AlgosRecord { given, waiting, lists, asked, countdowns, modifying, good_till });

#[derive(PartialEq, Eq)]
struct GoodTillRecord {
    order: OrderId,
    good_till_ns: TimeNs,
    is_told: bool,
}
coded_struct!(GoodTillRecord { order, good_till_ns, is_told });

#[derive(PartialEq, Eq)]
struct ModifyingRecord {
    order: OrderId,
    reserve: Reserve,
    reject: Option<Reject>,
}
coded_struct!(ModifyingRecord { order, reserve, reject });

#[derive(PartialEq, Eq)]
struct CountdownRecord {
    account: AccountId,
    market: MarketId,
    fires_ns: TimeNs,
}
coded_struct!(CountdownRecord { account, market, fires_ns });

#[derive(PartialEq, Eq)]
struct ListRecord {
    market: MarketId,
    working_price: WorkingPrice,
    is_protected: bool,
    waiting: Vec<WaitingOrder>,
    heard: Vec<Heard>,
}
coded_struct!(ListRecord { market, working_price, is_protected, waiting, heard });

coded_enum!(Heard, "what a list of algo orders was told" {
    0 => Price { price_ticks },
    1 => Order { place, price_ticks },
});

impl Partition {
    pub(crate) fn algos_record(&self) -> AlgosRecord {
        let algos = &self.accounts.futures.algos;
        let countdowns = self.accounts.futures.countdowns.all();
        let modifying = self.accounts.futures.modifying.iter().map(|(order, modifying)| {
            let Modifying { reserve, reject } = *modifying;
            ModifyingRecord { order: *order, reserve, reject }
        });
        let good_till = self.accounts.futures.good_till.all();
        let lists = algos.lists.iter().map(|(sees, list)| ListRecord {
            market: sees.market,
            working_price: sees.working_price,
            is_protected: sees.is_protected,
            waiting: list.triggers.list(),
            heard: list.heard.iter().copied().collect(),
        });
        AlgosRecord {
            given: algos.given,
            waiting: algos.waiting.values().copied().collect(),
            lists: lists.collect(),
            asked: algos.asked.iter().map(|(order, algo)| (*order, *algo)).collect(),
            countdowns: countdowns
                .map(|(account, market, fires_ns)| CountdownRecord { account, market, fires_ns })
                .collect(),
            modifying: modifying.collect(),
            good_till: good_till
                .map(|(order, good_till_ns, is_told)| GoodTillRecord { order, good_till_ns, is_told })
                .collect(),
        }
    }

    /// Behind contracts and accounts.
    pub(crate) fn restore_algos(&mut self, record: AlgosRecord) -> Result<(), SnapshotError> {
        let Self { catalog, accounts, .. } = self;
        for order in &record.waiting {
            accounts.account(order.account)?;
            catalog.contract(order.market).ok_or(Reject::NotContract { market: order.market })?;
            let asset = catalog.market(order.market)?.quote;
            accounts.take_seat_of(order.account, order.market, asset, order.position_side);
            accounts.futures.algos.know(order);
        }
        for CountdownRecord { account, market, fires_ns } in record.countdowns {
            accounts.account(account)?;
            catalog.contract(market).ok_or(Reject::NotContract { market })?;
            accounts.futures.countdowns.set(account, market, Some(fires_ns));
        }
        for GoodTillRecord { order, good_till_ns, is_told } in record.good_till {
            accounts.futures.open.find(order).ok_or(Reject::OrderGone { order })?;
            accounts.futures.good_till.set(order, good_till_ns, is_told);
        }
        for ModifyingRecord { order, reserve, reject } in record.modifying {
            let slot = accounts.futures.open.find(order).ok_or(Reject::OrderGone { order })?;
            let open = accounts.futures.open.order(slot);
            let (side, seat) = (open.side(), open.seat);
            let terms = catalog.market(accounts.futures.open.seat(seat).market)?;
            let stake = &mut accounts.futures.open.seat_mut(seat).stake;
            stake.reserved = stake.reserved.with(terms, side, reserve, reserve.left_lots);
            accounts.futures.modifying.insert(order, Modifying { reserve, reject });
        }
        let algos = &mut accounts.futures.algos;
        algos.given = record.given;
        algos.asked = record.asked.into_iter().collect();
        for ListRecord { market, working_price, is_protected, waiting, heard } in record.lists {
            let mut list = AlgoList { heard: heard.into(), ..AlgoList::default() };
            for order in &waiting {
                list.triggers.insert(order);
            }
            let sees = Sees { market, working_price, is_protected };
            if !list.heard.is_empty() {
                algos.behind.insert(sees);
            }
            algos.lists.insert(sees, list);
        }
        Ok(())
    }
}
