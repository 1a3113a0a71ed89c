//! What a snapshot has of contracts: nothing where none is listed, so that such a state has the bytes that it always had.

use std::cmp::Reverse;

use codec::{coded_enum, coded_struct};
use ledger::{AssetTotals, WalletSlot};
use margin::{AveragePremium, BasisWindow, Position};
use model::{
    AccountId, AddContract, Amount, AssetId, ClientOrderId, ContractTerms, FundingRate, MarginType, MarketId,
    OrderId, PartitionId, PositionSide, PriceTicks, QtyLots, Reject, Side, TimeNs,
};

use crate::Partition;
use crate::futures::Reserve;
use crate::holders::{Quantities, Settlement, TakeOver};
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
    ranking: Option<RankingRecord>,
}
coded_struct!(FuturesRecord { contracts, wallets, totals, stakes, orders, changed, in_danger, ranking });

impl FuturesRecord {
    pub(crate) fn has_contract(&self, market: MarketId) -> bool {
        self.contracts.iter().any(|contract| contract.market == market)
    }
}

/// What is there of isolated positions and of hedge mode beside that.
#[derive(Default, PartialEq, Eq)]
pub struct PositionsRecord {
    margins: Vec<MarginRecord>,
    in_danger: Vec<DangerRecord>,
    hedgers: Vec<AccountId>,
    legs: Vec<LegRecord>,
    orders: Vec<LegOrderRecord>,
    sells: Vec<SellsRecord>,
    holders: Vec<HoldersRecord>,
}
coded_struct!(PositionsRecord { margins, in_danger, hedgers, legs, orders, sells, holders });

#[derive(PartialEq, Eq)]
struct MarginRecord {
    account: AccountId,
    market: MarketId,
    position_side: PositionSide,
    amount: Amount,
    liquidation: Option<Liquidation>,
}
coded_struct!(MarginRecord { account, market, position_side, amount, liquidation });

/// Whose turn is the one of this number, from 0.
#[derive(PartialEq, Eq)]
struct DangerRecord {
    turn: u32,
    account: AccountId,
    market: MarketId,
    position_side: PositionSide,
}
coded_struct!(DangerRecord { turn, account, market, position_side });

#[derive(PartialEq, Eq)]
struct LegRecord {
    account: AccountId,
    market: MarketId,
    position_side: PositionSide,
    qty_lots: QtyLots,
    cost: Amount,
    watched_at: Option<PriceTicks>,
}
coded_struct!(LegRecord { account, market, position_side, qty_lots, cost, watched_at });

#[derive(PartialEq, Eq)]
struct LegOrderRecord {
    position_side: PositionSide,
    order: OrderRecord,
}
coded_struct!(LegOrderRecord { position_side, order });

/// Which position the liquidation of a wallet sells, where it is one of hedge mode.
#[derive(PartialEq, Eq)]
struct SellsRecord {
    account: AccountId,
    asset: AssetId,
    position_side: PositionSide,
}
coded_struct!(SellsRecord { account, asset, position_side });

/// The market's half of hedge mode.
#[derive(PartialEq, Eq)]
struct HoldersRecord {
    market: MarketId,
    hedgers: Vec<AccountId>,
    long: Vec<(AccountId, QtyLots)>,
    short: Vec<(AccountId, QtyLots)>,
    take_overs: Vec<TakenLegRecord>,
}
coded_struct!(HoldersRecord { market, hedgers, long, short, take_overs });

/// The position of the take-over of this number, from 0.
#[derive(PartialEq, Eq)]
struct TakenLegRecord {
    at: u32,
    position_side: PositionSide,
}
coded_struct!(TakenLegRecord { at, position_side });

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

/// What stands in the bytes for a [`Liquidation`].
struct LiquidationRecord {
    stage: Stage,
    is_queued: bool,
    taken_over_at: Option<MarketId>,
}
coded_struct!(LiquidationRecord { stage, is_queued, taken_over_at });
coded_enum!(Stage, "the stage of a liquidation" {
    0 => Begun,
    1 => Cancels,
    2 => Looks,
    3 => Sells { market, order, left, sold },
    4 => IsTakenOver,
});

/// Who is ranked, the first to be deleveraged at the end, with their scores.
#[derive(PartialEq, Eq)]
struct RankingRecord {
    market: MarketId,
    side: Side,
    accounts: Vec<(AccountId, i128)>,
}
coded_struct!(RankingRecord { market, side, accounts });

/// Who waits for a ranking, and the one that is being made.
#[derive(Default, PartialEq, Eq)]
pub struct RankingsRecord {
    asked: Vec<(MarketId, Side)>,
    begun: Option<BegunRecord>,
}
coded_struct!(RankingsRecord { asked, begun });

#[derive(PartialEq, Eq)]
struct BegunRecord {
    market: MarketId,
    side: Side,
    next: AccountId,
    accounts: Vec<(AccountId, (i128, QtyLots))>,
}
coded_struct!(BegunRecord { market, side, next, accounts });

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
    Liquidation as LiquidationRecord,
    |it| LiquidationRecord { stage: it.stage, is_queued: it.is_queued, taken_over_at: it.taken_over_at },
    |read| Liquidation {
        stage: read.stage,
        is_queued: read.is_queued,
        taken_over_at: read.taken_over_at,
        sells: PositionSide::Both,
    }
);
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
        position_side: PositionSide::Both,
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
            let liquidation = futures.backs(slot).and_then(|backs| backs.liquidation.as_deref().cloned());
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
            let seats = backs.flat_map(|backs| &backs.seats).map(|(_, seat)| futures.open.seat(*seat));
            seats.filter(|seat| seat.stake.position_side == PositionSide::Both)
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
        let orders = self.order_records().filter(|(position_side, _)| *position_side == PositionSide::Both);
        let orders = orders.map(|(_, order)| order);
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
            ranking: futures.ranking.as_ref().filter(|ranking| ranking.next.is_none()).map(|ranking| {
                let Ranking { market, side, accounts, .. } = ranking;
                let accounts = accounts.iter().map(|(score, _, account)| (account.0, *score)).collect();
                RankingRecord { market: *market, side: *side, accounts }
            }),
        }
    }

    pub(crate) fn rankings_record(&self) -> RankingsRecord {
        let futures = &self.accounts.futures;
        let begun = futures.ranking.as_ref().and_then(|ranking| {
            let Ranking { market, side, accounts, next } = ranking;
            let accounts = accounts.iter().map(|(score, size, account)| (account.0, (*score, *size)));
            (*next).map(|next| BegunRecord {
                market: *market,
                side: *side,
                next,
                accounts: accounts.collect(),
            })
        });
        RankingsRecord { asked: futures.winners_asked.iter().copied().collect(), begun }
    }

    /// The open orders at contracts, by wallet, market and position, each with the position that it is for.
    fn order_records(&self) -> impl Iterator<Item = (PositionSide, OrderRecord)> {
        let futures = &self.accounts.futures;
        let wallets = self.accounts.ledger.wallets().filter(|(_, wallet)| wallet.isolated_at.is_none());
        let seats = wallets.filter_map(|(slot, _)| futures.backs(slot)).flat_map(|backs| &backs.seats);
        seats.flat_map(|(_, seat)| {
            let at = futures.open.seat(*seat);
            futures.open.at_seat(*seat).map(move |open| {
                let order = OrderRecord {
                    order: open.id(),
                    account: at.account,
                    market: at.market,
                    side: open.side(),
                    limit_ticks: open.limit_ticks(),
                    reserve: open.held,
                    client_order_id: open.client_order_id,
                };
                (at.stake.position_side, order)
            })
        })
    }

    pub(crate) fn positions_record(&self) -> PositionsRecord {
        let (ledger, futures) = (&self.accounts.ledger, &self.accounts.futures);
        let isolated = |slot: WalletSlot| {
            let wallet = ledger.wallet(slot);
            let (market, position_side) = wallet.isolated_at?;
            Some((wallet.account, market, position_side))
        };
        let margins = ledger.wallets().filter_map(|(slot, wallet)| {
            let (account, market, position_side) = isolated(slot)?;
            let backs = futures.backs(slot)?;
            let is_isolated = |seat: SeatSlot| futures.open.seat(seat).stake.margin.is_some();
            backs.seats.first().filter(|(_, seat)| is_isolated(*seat))?;
            let liquidation = backs.liquidation.as_deref().cloned();
            let record = MarginRecord { account, market, position_side, amount: wallet.amount, liquidation };
            // Of hedge mode the margin type stands with the other position.
            let is_something = !record.amount.is_zero() || record.liquidation.is_some();
            (position_side == PositionSide::Both || is_something).then_some(record)
        });
        let in_danger = (0..).zip(&futures.in_danger).filter_map(|(turn, slot)| {
            let (account, market, position_side) = isolated(*slot)?;
            Some(DangerRecord { turn, account, market, position_side })
        });
        let own_wallets = || ledger.wallets().filter(|(_, wallet)| wallet.isolated_at.is_none());
        let backs = own_wallets().filter_map(|(slot, _)| futures.backs(slot));
        let seats = backs.flat_map(|backs| &backs.seats).map(|(_, seat)| futures.open.seat(*seat));
        let legs = seats
            .filter(|seat| seat.stake.position_side != PositionSide::Both && !seat.stake.position.is_none());
        let legs = legs.map(|seat| LegRecord {
            account: seat.account,
            market: seat.market,
            position_side: seat.stake.position_side,
            qty_lots: seat.stake.position.qty_lots,
            cost: seat.stake.position.cost,
            watched_at: seat.stake.watched_at,
        });
        let orders = self.order_records().filter(|(position_side, _)| *position_side != PositionSide::Both);
        let sells = own_wallets().filter_map(|(slot, wallet)| {
            let position_side = futures.backs(slot)?.liquidation.as_ref()?.sells;
            let (account, asset) = (wallet.account, wallet.asset);
            let is_leg = position_side != PositionSide::Both;
            is_leg.then_some(SellsRecord { account, asset, position_side })
        });
        let holders = self.catalog.contracts().filter_map(|(market, _)| {
            let holders = self.markets.market(market).holders.as_ref().expect("a contract has holders");
            let all = |held: &Quantities| held.from(AccountId(0)).collect();
            let taken = (0..).zip(&holders.take_overs).filter_map(|(at, taken)| {
                let position_side = taken.position_side;
                (position_side != PositionSide::Both).then_some(TakenLegRecord { at, position_side })
            });
            let [long, short] = &holders.legs;
            let hedgers = holders.hedgers.iter().copied().collect();
            let (long, short) = (all(long), all(short));
            let record = HoldersRecord { market, hedgers, long, short, take_overs: taken.collect() };
            // Whoever has a position or an order in hedge mode is among them.
            (!record.hedgers.is_empty()).then_some(record)
        });
        PositionsRecord {
            margins: margins.collect(),
            in_danger: in_danger.collect(),
            hedgers: futures.hedgers.iter().copied().collect(),
            legs: legs.collect(),
            orders: orders.map(|(position_side, order)| LegOrderRecord { position_side, order }).collect(),
            sells: sells.collect(),
            holders: holders.collect(),
        }
    }

    /// Behind [`Self::restore_contracts`], accounts and chosen leverage, before everything else of contracts.
    fn restore_margins(&mut self, margins: Vec<MarginRecord>) -> Result<(), SnapshotError> {
        let Self { catalog, accounts, .. } = self;
        for MarginRecord { account, market, position_side, amount, liquidation } in margins {
            accounts.account(account)?;
            let terms = catalog.market(market)?;
            let seat = accounts.take_seat_of(account, market, terms.quote, position_side);
            accounts.set_margin_type(seat, MarginType::Isolated);
            let margin = accounts.futures.open.seat(seat).stake.backing();
            accounts.ledger.restore_wallet(margin, amount);
            let liquidation = liquidation.map(|it| Liquidation { sells: position_side, ..it });
            accounts.futures.backs_mut(margin).liquidation = liquidation.map(Box::new);
        }
        Ok(())
    }

    /// The market's half of hedge mode, behind that of everything else.
    fn restore_holders(&mut self, records: Vec<HoldersRecord>) -> Result<(), SnapshotError> {
        for record in records {
            self.catalog.market(record.market)?;
            let holders = self.markets.market_mut(record.market).holders.get_or_insert_default();
            holders.hedgers = record.hedgers.into_iter().collect();
            for (held, restored) in holders.legs.iter_mut().zip([record.long, record.short]) {
                for (account, qty) in restored {
                    held.restore(account, qty);
                }
            }
            for TakenLegRecord { at, position_side } in record.take_overs {
                let at = usize::try_from(at).expect("fits");
                if let Some(taken) = holders.take_overs.get_mut(at) {
                    taken.position_side = position_side;
                }
            }
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
        positions: PositionsRecord,
        rankings: RankingsRecord,
    ) -> Result<(), SnapshotError> {
        let Self { accounts, markets, .. } = self;
        for contract in record.contracts {
            let market = contract.market;
            let index = usize::try_from(market.0).expect("markets fit into memory");
            accounts.futures.marks[index] = contract.mark_ticks;
            let resting: Vec<_> = [Side::Buy, Side::Sell]
                .into_iter()
                .flat_map(|side| markets.market(market).book.queue(&accounts.futures.open.orders, side))
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
        self.restore_holders(positions.holders)?;
        let Self { catalog, accounts, .. } = self;
        for stake in record.stakes {
            accounts.account(stake.account)?;
            let terms = catalog.market(stake.market)?;
            let seat = accounts.take_contract_seat(stake.account, stake.market, terms.quote);
            let restored = &mut accounts.futures.open.seat_mut(seat).stake;
            restored.position = Position { qty_lots: stake.qty_lots, cost: stake.cost };
            restored.chosen_leverage = stake.chosen_leverage;
            accounts.futures.restore_watch(stake.market, seat, stake.watched_at);
        }
        self.restore_margins(positions.margins)?;
        let Self { catalog, accounts, .. } = self;
        for leg in positions.legs {
            accounts.account(leg.account)?;
            let terms = catalog.market(leg.market)?;
            let seat = accounts.take_seat_of(leg.account, leg.market, terms.quote, leg.position_side);
            let position = Position { qty_lots: leg.qty_lots, cost: leg.cost };
            accounts.futures.open.seat_mut(seat).stake.position = position;
            accounts.futures.restore_watch(leg.market, seat, leg.watched_at);
        }
        accounts.futures.hedgers = positions.hedgers.into_iter().collect();
        for WalletRecord { account, asset, amount, liquidation } in record.wallets {
            accounts.account(account)?;
            catalog.asset(asset)?;
            let slot = accounts.ledger.wallet_slot(account, asset);
            accounts.ledger.restore_wallet(slot, amount);
            accounts.futures.backs_mut(slot).liquidation = liquidation.map(Box::new);
        }
        for TotalsRecord { asset, wallets, open_cost, settling } in record.totals {
            catalog.asset(asset)?;
            let totals = AssetTotals { wallets, open_cost, settling, ..*accounts.ledger.totals(asset) };
            accounts.ledger.restore_totals(asset, totals);
        }
        for SellsRecord { account, asset, position_side } in positions.sells {
            let wallet = accounts.ledger.find_wallet(account, asset);
            let wallet = wallet.ok_or(Reject::UnknownAccount { account })?;
            if let Some(liquidation) = &mut accounts.futures.backs_mut(wallet).liquidation {
                liquidation.sells = position_side;
            }
        }
        let one_way = record.orders.into_iter().map(|order| (PositionSide::Both, order));
        let hedged = positions.orders.into_iter().map(|it| (it.position_side, it.order));
        let mut orders: Vec<_> = one_way.chain(hedged).collect();
        // A seat lists its orders oldest first, and so does this.
        orders.sort_by_key(|(_, record)| record.order);
        for (position_side, record) in orders {
            let OrderRecord { order, account, market, side, limit_ticks, reserve, client_order_id } = record;
            accounts.account(account)?;
            let terms = catalog.market(market)?;
            let seat = accounts.take_seat_of(account, market, terms.quote, position_side);
            let named = Named::new(account, &client_order_id);
            accounts.futures.open.insert(order, seat, (side, limit_ticks), reserve, &named);
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
        for DangerRecord { turn, account, market, position_side } in positions.in_danger {
            let seat = accounts.futures.find_position(account, market, position_side);
            let seat = seat.ok_or(Reject::NotIsolated)?;
            let (backing, queue) =
                (accounts.futures.open.seat(seat).stake.backing(), &mut accounts.futures.in_danger);
            let turn = usize::try_from(turn).expect("fits").min(queue.len());
            queue.insert(turn, backing);
        }
        let ranked = record.ranking.map(|RankingRecord { market, side, accounts }| {
            // What decided between equal scores is in their order.
            let accounts = (0..).map(QtyLots).zip(accounts);
            let accounts = accounts.map(|(at, (account, score))| (score, at, Reverse(account))).collect();
            Ranking { market, side, accounts, next: None }
        });
        let begun = rankings.begun.map(|BegunRecord { market, side, next, accounts }| {
            let accounts =
                accounts.into_iter().map(|(account, (score, size))| (score, size, Reverse(account)));
            Ranking { market, side, accounts: accounts.collect(), next: Some(next) }
        });
        accounts.futures.ranking = begun.or(ranked);
        accounts.futures.winners_asked = rankings.asked.into();
        self.settles = self.has_settlements();
        Ok(())
    }
}
