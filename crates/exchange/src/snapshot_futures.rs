//! What a snapshot has of contracts: nothing where none is listed, so that such a state has the bytes that it always had.

use codec::{coded_enum, coded_struct};
use ledger::{AssetTotals, WalletSlot};
use margin::{AveragePremium, BasisWindow, Position};
use model::{
    AccountId, AddContract, Amount, AssetId, ClientOrderId, ContractTerms, FundingRate, MarginType, MarketId,
    OrderId, PartitionId, PriceTicks, QtyLots, Reject, Side, TimeNs,
};

use crate::Partition;
use crate::futures::Reserve;
use crate::holders::{Settlement, TakeOver};
use crate::liquidation::{Liquidation, Ranking, Stage};
use crate::mark_price::Pricing;
use crate::open_orders::{Named, SeatSlot};
use crate::snapshot::SnapshotError;

/// Everything of contracts that is not in the records of markets and their books.
#[derive(Default, PartialEq, Eq)]
pub struct FuturesRecord {
    contracts: Vec<ContractRecord>,
    wallets: Vec<WalletRecord>,
    totals: Vec<TotalsRecord>,
    stakes: Vec<StakeRecord>,
    orders: Vec<OrderRecord>,
    changed: Vec<MarketId>,
    in_danger: Vec<(AccountId, AssetId)>,
    ranking: Option<Ranking>,
}
coded_struct!(FuturesRecord { contracts, wallets, totals, stakes, orders, changed, in_danger, ranking });

impl FuturesRecord {
    pub(crate) fn has_contract(&self, market: MarketId) -> bool {
        self.contracts.iter().any(|contract| contract.market == market)
    }
}

/// What is there of isolated positions beside that.
#[derive(Default, PartialEq, Eq)]
pub struct IsolatedRecord {
    margins: Vec<MarginRecord>,
    in_danger: Vec<DangerRecord>,
}
coded_struct!(IsolatedRecord { margins, in_danger });

#[derive(PartialEq, Eq)]
struct MarginRecord {
    account: AccountId,
    market: MarketId,
    amount: Amount,
    liquidation: Option<Liquidation>,
}
coded_struct!(MarginRecord { account, market, amount, liquidation });

/// Whose turn is the one of this number, from 0.
#[derive(PartialEq, Eq)]
struct DangerRecord {
    turn: u32,
    account: AccountId,
    market: MarketId,
}
coded_struct!(DangerRecord { turn, account, market });

#[derive(PartialEq, Eq)]
struct ContractRecord {
    market: MarketId,
    terms: ContractTerms,
    mark_ticks: PriceTicks,
    quantities: Vec<(AccountId, QtyLots)>,
    take_overs: Vec<TakeOver>,
    pricing: Pricing,
    settlement: Option<Settlement>,
}
coded_struct!(ContractRecord { market, terms, mark_ticks, quantities, take_overs, pricing, settlement });

#[derive(PartialEq, Eq)]
struct WalletRecord {
    account: AccountId,
    asset: AssetId,
    amount: Amount,
    liquidation: Option<Liquidation>,
}
coded_struct!(WalletRecord { account, asset, amount, liquidation });

#[derive(PartialEq, Eq)]
struct TotalsRecord {
    asset: AssetId,
    wallets: Amount,
    open_cost: Amount,
    settling: Amount,
}
coded_struct!(TotalsRecord { asset, wallets, open_cost, settling });

#[derive(PartialEq, Eq)]
struct StakeRecord {
    account: AccountId,
    market: MarketId,
    qty_lots: QtyLots,
    cost: Amount,
    chosen_leverage: u16,
    watched_at: Option<PriceTicks>,
}
coded_struct!(StakeRecord { account, market, qty_lots, cost, chosen_leverage, watched_at });

#[derive(PartialEq, Eq)]
struct OrderRecord {
    order: OrderId,
    account: AccountId,
    market: MarketId,
    side: Side,
    limit_ticks: Option<PriceTicks>,
    reserve: Reserve,
    client_order_id: ClientOrderId,
}
coded_struct!(OrderRecord { order, account, market, side, limit_ticks, reserve, client_order_id });

coded_struct!(Reserve { value_ticks, loss_ticks, left_lots });
coded_struct!(Liquidation { stage, is_queued, taken_over_at });
coded_enum!(Stage, "the stage of a liquidation" {
    0 => Begun,
    1 => Cancels,
    2 => Looks,
    3 => Sells { market, order, left, sold },
    4 => IsTakenOver,
});
coded_struct!(Ranking { market, side, accounts });

/// What stands in the bytes for a [`TakeOver`].
struct TakeOverRecord {
    account: AccountId,
    price_ticks: PriceTicks,
    qty_lots: QtyLots,
    asked: Vec<PartitionId>,
    winner: Option<WinnerRecord>,
}
coded_struct!(TakeOverRecord { account, price_ticks, qty_lots, asked, winner });

struct WinnerRecord {
    score: i128,
    size: QtyLots,
    account: AccountId,
}
coded_struct!(WinnerRecord { score, size, account });

/// What stands in the bytes for a [`Settlement`].
struct SettlementRecord {
    rate: FundingRate,
    mark_ticks: PriceTicks,
    next: AccountId,
    early: Vec<AccountId>,
    collected: Amount,
}
coded_struct!(SettlementRecord { rate, mark_ticks, next, early, collected });

/// What stands in the bytes for [`Pricing`].
struct PricingRecord {
    feeds: Vec<Option<(PriceTicks, TimeNs)>>,
    basis: Vec<i64>,
    weighted_premiums: i128,
    premiums: u32,
    last_rate: FundingRate,
    next_funding_ns: TimeNs,
    second: u64,
    told: Option<ToldRecord>,
}
coded_struct!(PricingRecord {
    feeds,
    basis,
    weighted_premiums,
    premiums,
    last_rate,
    next_funding_ns,
    second,
    told,
});

struct ToldRecord {
    index_ticks: PriceTicks,
    mark_ticks: PriceTicks,
    rate: FundingRate,
}
coded_struct!(ToldRecord { index_ticks, mark_ticks, rate });

/// A type whose bytes are those of its record.
macro_rules! coded_as {
    ($type:ident as $record:ident, |$value:ident| $to:expr, |$read:ident| $from:expr) => {
        impl codec::Coded for $type {
            fn encode(&self, out: &mut Vec<u8>) {
                let $value = self;
                codec::Coded::encode(&$to, out);
            }
            fn decode(input: &mut codec::Reader<'_>) -> Result<Self, codec::DecodeError> {
                let $read = <$record as codec::Coded>::decode(input)?;
                Ok($from)
            }
        }
    };
}

coded_as!(
    TakeOver as TakeOverRecord,
    |it| TakeOverRecord {
        account: it.account,
        price_ticks: it.price_ticks,
        qty_lots: it.qty_lots,
        asked: it.asked.iter().copied().collect(),
        winner: it.winner.map(|(score, size, account)| WinnerRecord { score, size, account: account.0 }),
    },
    |read| TakeOver {
        account: read.account,
        price_ticks: read.price_ticks,
        qty_lots: read.qty_lots,
        asked: read.asked.into_iter().collect(),
        winner: read.winner.map(|it| (it.score, it.size, std::cmp::Reverse(it.account))),
    }
);
coded_as!(
    Settlement as SettlementRecord,
    |it| SettlementRecord {
        rate: it.rate,
        mark_ticks: it.mark_ticks,
        next: it.next,
        early: it.early.iter().copied().collect(),
        collected: it.collected,
    },
    |read| Settlement {
        rate: read.rate,
        mark_ticks: read.mark_ticks,
        next: read.next,
        early: read.early.into_iter().collect(),
        collected: read.collected,
    }
);
coded_as!(
    Pricing as PricingRecord,
    |it| PricingRecord {
        feeds: it.feeds.clone(),
        basis: it.basis.samples().collect(),
        weighted_premiums: it.premiums.weighted,
        premiums: it.premiums.count,
        last_rate: it.last_rate,
        next_funding_ns: it.next_funding_ns,
        second: it.second,
        told: it.told.map(|(index_ticks, mark_ticks, rate)| ToldRecord { index_ticks, mark_ticks, rate }),
    },
    |read| {
        let mut basis = BasisWindow::default();
        read.basis.into_iter().for_each(|sample| basis.push(sample));
        Pricing {
            feeds: read.feeds,
            basis,
            premiums: AveragePremium { weighted: read.weighted_premiums, count: read.premiums },
            last_rate: read.last_rate,
            next_funding_ns: read.next_funding_ns,
            second: read.second,
            told: read.told.map(|it| (it.index_ticks, it.mark_ticks, it.rate)),
        }
    }
);

impl Partition {
    pub(crate) fn futures_record(&self) -> FuturesRecord {
        let (ledger, futures) = (&self.accounts.ledger, &self.accounts.futures);
        assert!(futures.touched.is_empty(), "wallets are looked at before a command is done");
        let contracts = self.catalog.contracts().map(|(market, terms)| {
            let holders = self.markets.market(market).holders.as_ref().expect("a contract has holders");
            ContractRecord {
                market,
                terms: terms.clone(),
                mark_ticks: futures.mark(market),
                quantities: holders.quantities.from(AccountId(0)).collect(),
                take_overs: holders.take_overs.iter().cloned().collect(),
                pricing: holders.pricing.clone(),
                settlement: holders.settlement.clone(),
            }
        });
        let own_wallets = || ledger.wallets().filter(|(_, wallet)| wallet.isolated_at.is_none());
        let wallets = own_wallets().map(|(slot, wallet)| {
            let liquidation = futures.backs(slot).and_then(|backs| backs.liquidation.clone());
            let ledger::Wallet { account, asset, amount, .. } = *wallet;
            WalletRecord { account, asset, amount, liquidation }
        });
        let totals = self.catalog.assets().map(|(asset, _)| {
            let AssetTotals { wallets, open_cost, settling, .. } = *ledger.totals(asset);
            TotalsRecord { asset, wallets, open_cost, settling }
        });
        // By wallet and market, so that the order does not depend on who came first.
        let seats = || {
            let backs = own_wallets().filter_map(|(slot, _)| futures.backs(slot));
            backs.flat_map(|backs| &backs.seats).map(|(_, seat)| futures.open.seat(*seat))
        };
        let stakes = seats().map(|seat| StakeRecord {
            account: seat.account,
            market: seat.market,
            qty_lots: seat.stake.position.qty_lots,
            cost: seat.stake.position.cost,
            chosen_leverage: seat.stake.chosen_leverage,
            watched_at: seat.stake.watched_at,
        });
        let has_any = |stake: &StakeRecord| !stake.qty_lots.is_zero() || stake.chosen_leverage != 0;
        let orders = own_wallets().filter_map(|(slot, _)| futures.backs(slot)).flat_map(|backs| {
            backs.seats.iter().flat_map(|(_, seat)| {
                let at = futures.open.seat(*seat);
                futures.open.at_seat(*seat).map(move |open| OrderRecord {
                    order: open.id,
                    account: at.account,
                    market: at.market,
                    side: open.side(),
                    limit_ticks: open.limit_ticks(),
                    reserve: open.held,
                    client_order_id: open.client_order_id,
                })
            })
        });
        let in_danger = futures.in_danger.iter().map(|slot| ledger.wallet(*slot));
        let in_danger = in_danger.filter(|wallet| wallet.isolated_at.is_none());
        let in_danger = in_danger.map(|wallet| (wallet.account, wallet.asset));
        FuturesRecord {
            contracts: contracts.collect(),
            wallets: wallets
                .filter(|wallet| !wallet.amount.is_zero() || wallet.liquidation.is_some())
                .collect(),
            totals: totals
                .filter(|it| [it.wallets, it.open_cost, it.settling].iter().any(|amount| !amount.is_zero()))
                .collect(),
            stakes: stakes.filter(has_any).collect(),
            orders: orders.collect(),
            changed: futures.changed.iter().copied().collect(),
            in_danger: in_danger.collect(),
            ranking: futures.ranking.clone(),
        }
    }

    pub(crate) fn isolated_record(&self) -> IsolatedRecord {
        let (ledger, futures) = (&self.accounts.ledger, &self.accounts.futures);
        let isolated = |slot: WalletSlot| {
            let wallet = ledger.wallet(slot);
            Some((wallet.account, wallet.isolated_at?))
        };
        let margins = ledger.wallets().filter_map(|(slot, wallet)| {
            let (account, market) = isolated(slot)?;
            let backs = futures.backs(slot)?;
            let is_isolated = |seat: SeatSlot| futures.open.seat(seat).stake.margin.is_some();
            backs.seats.first().filter(|(_, seat)| is_isolated(*seat))?;
            let liquidation = backs.liquidation.clone();
            Some(MarginRecord { account, market, amount: wallet.amount, liquidation })
        });
        let in_danger = (0..).zip(&futures.in_danger).filter_map(|(turn, slot)| {
            let (account, market) = isolated(*slot)?;
            Some(DangerRecord { turn, account, market })
        });
        IsolatedRecord { margins: margins.collect(), in_danger: in_danger.collect() }
    }

    /// Behind [`Self::restore_contracts`] and accounts, before everything else of contracts.
    fn restore_isolated(&mut self, margins: Vec<MarginRecord>) -> Result<(), SnapshotError> {
        let Self { catalog, accounts, .. } = self;
        for MarginRecord { account, market, amount, liquidation } in margins {
            accounts.account(account)?;
            let terms = catalog.market(market)?;
            let seat = accounts.take_contract_seat(account, market, terms.quote);
            accounts.set_margin_type(seat, MarginType::Isolated);
            let margin = accounts.futures.open.seat(seat).stake.backing();
            accounts.ledger.restore_wallet(margin, amount);
            accounts.futures.backs_mut(margin).liquidation = liquidation;
        }
        Ok(())
    }

    /// Before books are filled: which of the markets are contracts.
    pub(crate) fn restore_contracts(&mut self, record: &FuturesRecord) -> Result<(), SnapshotError> {
        for contract in &record.contracts {
            let terms = *self.catalog.market(contract.market)?;
            let partition = self.catalog.home(contract.market).expect("a listed market has a home");
            let add = AddContract { terms, contract: contract.terms.clone(), partition };
            self.catalog.make_contract(contract.market, &add)?;
        }
        Ok(())
    }

    /// Behind everything else.
    pub(crate) fn restore_futures(
        &mut self,
        record: FuturesRecord,
        isolated: IsolatedRecord,
    ) -> Result<(), SnapshotError> {
        self.restore_isolated(isolated.margins)?;
        let Self { catalog, accounts, markets, .. } = self;
        for contract in record.contracts {
            let market = contract.market;
            let index = usize::try_from(market.0).expect("markets fit into memory");
            accounts.futures.marks[index] = contract.mark_ticks;
            let resting: Vec<_> = [Side::Buy, Side::Sell]
                .into_iter()
                .flat_map(|side| markets.market(market).book.queue(&markets.orders, side))
                .filter(|order| order.marks.has(model::Marks::REDUCES))
                .map(|order| (order.account, order.id))
                .collect();
            let holders = markets.market_mut(market).holders.get_or_insert_default();
            for (account, qty) in contract.quantities {
                holders.quantities.restore(account, qty);
            }
            for (account, order) in resting {
                holders.reducing.entry(account).or_default().push(order);
            }
            holders.reducing.values_mut().for_each(|orders| orders.sort_unstable());
            holders.take_overs = contract.take_overs.into();
            holders.pricing = contract.pricing;
            holders.settlement = contract.settlement;
        }
        for WalletRecord { account, asset, amount, liquidation } in record.wallets {
            accounts.account(account)?;
            catalog.asset(asset)?;
            let slot = accounts.ledger.wallet_slot(account, asset);
            accounts.ledger.restore_wallet(slot, amount);
            accounts.futures.backs_mut(slot).liquidation = liquidation;
        }
        for TotalsRecord { asset, wallets, open_cost, settling } in record.totals {
            catalog.asset(asset)?;
            let totals = AssetTotals { wallets, open_cost, settling, ..*accounts.ledger.totals(asset) };
            accounts.ledger.restore_totals(asset, totals);
        }
        for stake in record.stakes {
            accounts.account(stake.account)?;
            let terms = catalog.market(stake.market)?;
            let seat = accounts.take_contract_seat(stake.account, stake.market, terms.quote);
            let restored = &mut accounts.futures.open.seat_mut(seat).stake;
            restored.position = Position { qty_lots: stake.qty_lots, cost: stake.cost };
            restored.chosen_leverage = stake.chosen_leverage;
            accounts.futures.restore_watch(stake.market, seat, stake.watched_at);
        }
        let mut orders = record.orders;
        // A seat lists its orders oldest first, and so does this.
        orders.sort_by_key(|record| record.order);
        for OrderRecord { order, account, market, side, limit_ticks, reserve, client_order_id } in orders {
            accounts.account(account)?;
            let terms = catalog.market(market)?;
            let seat = accounts.take_contract_seat(account, market, terms.quote);
            let named = Named::new(account, &client_order_id);
            accounts.futures.open.insert(order, seat, side, limit_ticks, reserve, &named);
            let stake = &mut accounts.futures.open.seat_mut(seat).stake;
            stake.reserved = stake.reserved.with(terms, side, reserve, reserve.left_lots);
        }
        for market in record.changed {
            catalog.market(market)?;
            accounts.futures.changed.insert(market);
        }
        for (account, asset) in record.in_danger {
            let wallet = accounts.ledger.find_wallet(account, asset);
            let wallet = wallet.ok_or(Reject::UnknownAccount { account })?;
            accounts.futures.in_danger.push_back(wallet);
        }
        for DangerRecord { turn, account, market } in isolated.in_danger {
            let seat = accounts.futures.open.find_seat(account, market);
            let seat = seat.ok_or(Reject::NotIsolated)?;
            let (backing, queue) =
                (accounts.futures.open.seat(seat).stake.backing(), &mut accounts.futures.in_danger);
            let turn = usize::try_from(turn).expect("fits").min(queue.len());
            queue.insert(turn, backing);
        }
        accounts.futures.ranking = record.ranking;
        self.settles = self.has_settlements();
        Ok(())
    }
}
