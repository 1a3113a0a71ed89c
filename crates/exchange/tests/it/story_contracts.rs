//! The language of the stories where it is about contracts.

use model::{
    AccountId, AddContract, Amount, Bracket, ChangeLeverage, ChangeMarginType, ChangePositionMode, Command,
    ContractTerms, Event, Forced, FundingRate, IndexSource, Liquidity, MarginMove, MarginType, MarketTerms,
    MoveFunds, MovePositionMargin, OrderCause, PartitionId, PlaceContractOrder, PlaceOrder, PositionMode,
    PositionSide, PriceTicks, QtyLots, SetIndexPrice, Side, TimeNs, Wallet,
};

use crate::decimal;
use crate::story::{Story, Words, lots, name, ppm};
use crate::witness::Known;

/// A spot order, as it is at a contract.
pub fn at_contract(place: &PlaceOrder, position_side: PositionSide, reduce_only: bool) -> PlaceContractOrder {
    let PlaceOrder { account, market, side, kind, self_trade_prevention, client_order_id, valid_until_ns } =
        *place;
    PlaceContractOrder {
        account,
        market,
        side,
        position_side,
        kind,
        self_trade_prevention,
        reduce_only,
        client_order_id,
        valid_until_ns,
    }
}

/// Brackets by value in whole units of an asset with 8 decimals: the default of every contract of the demo (semantics 8).
pub fn usual_brackets() -> Vec<Bracket> {
    [
        (50_000, 125, 4_000),
        (600_000, 100, 5_000),
        (3_000_000, 75, 6_500),
        (12_000_000, 50, 10_000),
        (70_000_000, 25, 20_000),
        (100_000_000, 20, 25_000),
    ]
    .map(|(cap, max_leverage, maintenance_ppm): (i128, u16, u32)| Bracket {
        cap: Amount(cap * 100_000_000),
        max_leverage,
        maintenance_ppm,
    })
    .to_vec()
}

/// What a contract has where a story says nothing else; it has no source of its index price yet.
pub fn usual_contract(terms: &MarketTerms, fund: AccountId) -> ContractTerms {
    ContractTerms {
        brackets: usual_brackets(),
        default_leverage: 20,
        max_position_lots: terms.max_qty_lots,
        funding_interval_hours: 8,
        funding_cap: FundingRate(2_000_000),
        funding_floor: FundingRate(-2_000_000),
        interest: FundingRate(10_000),
        impact_notional: Amount(25_000 * 100_000_000),
        clearance_fee_ppm: 1_250,
        liquidation_step_lots: QtyLots(1),
        fund,
        sources: Vec::new(),
        stale_after_ns: 10_000_000_000,
        outlier_ppm: 50_000,
    }
}

fn position_side(words: &mut Words<'_>) -> PositionSide {
    if words.take("long") {
        PositionSide::Long
    } else if words.take("short") {
        PositionSide::Short
    } else {
        PositionSide::Both
    }
}

/// Which position, where an account may have two.
fn named(position_side: PositionSide) -> &'static str {
    match position_side {
        PositionSide::Both => "",
        PositionSide::Long => "long ",
        PositionSide::Short => "short ",
    }
}

impl Story {
    /// What is asked of contracts.
    pub fn at_contracts(&mut self, first: &str, words: &mut Words<'_>) -> Command {
        match first {
            "contract" => {
                let (called, terms) = (words.next(), self.terms_of_new(&[]));
                let terms = self.terms(called, terms, words);
                let contract = usual_contract(&terms, AccountId(0));
                let contract = self.contract_terms(&terms, contract, words);
                let partition = PartitionId::FIRST;
                Command::AddContract(Box::new(AddContract { terms, contract, partition }))
            }
            "recontract" => {
                let called = words.next();
                let market = self.market(called);
                let catalog = self.world.partition.catalog();
                let before = catalog.contract(market).cloned();
                let terms = catalog.market(market).copied().expect("it is listed");
                let terms = self.terms(called, terms, words);
                let contract = before.unwrap_or_else(|| usual_contract(&terms, AccountId(1)));
                let contract = self.contract_terms(&terms, contract, words);
                let partition = PartitionId::FIRST;
                Command::ChangeContract(Box::new(AddContract { terms, contract, partition }))
            }
            "index" => {
                let market = self.market(words.next());
                let source = words.next().parse().unwrap();
                assert!(words.take("@"));
                let price_ticks = PriceTicks(self.ticks(market, words.next()));
                let partition = PartitionId::FIRST;
                Command::SetIndexPrice(SetIndexPrice { partition, market, source, price_ticks })
            }
            "move" => {
                let account = self.account(words.next());
                let (asset, amount) = self.amount(words);
                assert!(words.take("to"));
                let to = match words.next() {
                    "futures" => Wallet::Futures,
                    "spot" => Wallet::Spot,
                    other => panic!("there is no wallet {other}"),
                };
                let valid_until_ns = TimeNs::NEVER;
                Command::MoveFunds(Box::new(MoveFunds { account, asset, amount, to, valid_until_ns }))
            }
            "leverage" => {
                let account = self.account(words.next());
                let leverage = words.next().parse().unwrap();
                assert!(words.take("on"));
                let (market, valid_until_ns) = (self.market(words.next()), TimeNs::NEVER);
                Command::ChangeLeverage(ChangeLeverage { account, market, leverage, valid_until_ns })
            }
            "mode" => {
                let account = self.account(words.next());
                let mode = match words.next() {
                    "hedge" => PositionMode::Hedge,
                    "one-way" => PositionMode::OneWay,
                    other => panic!("there is no position mode {other}"),
                };
                let valid_until_ns = TimeNs::NEVER;
                Command::ChangePositionMode(ChangePositionMode { account, mode, valid_until_ns })
            }
            "margin" => {
                let account = self.account(words.next());
                let (what, valid_until_ns) = (words.next(), TimeNs::NEVER);
                let change = |market, margin_type| {
                    Command::ChangeMarginType(ChangeMarginType {
                        account,
                        market,
                        margin_type,
                        valid_until_ns,
                    })
                };
                let way = match what {
                    "isolated" | "cross" => {
                        assert!(words.take("on"));
                        let market = self.market(words.next());
                        let isolated = what == "isolated";
                        return change(
                            market,
                            if isolated { MarginType::Isolated } else { MarginType::Cross },
                        );
                    }
                    "add" => MarginMove::Add,
                    "reduce" => MarginMove::Reduce,
                    other => panic!("nothing is done with margin by {other}"),
                };
                let (_, amount) = self.amount(words);
                let position_side = position_side(words);
                assert!(words.take("on"));
                let market = self.market(words.next());
                let moves =
                    MovePositionMargin { account, market, position_side, amount, way, valid_until_ns };
                Command::MovePositionMargin(Box::new(moves))
            }
            other => panic!("contracts have no {other}"),
        }
    }

    fn contract_terms(
        &mut self,
        terms: &MarketTerms,
        mut contract: ContractTerms,
        words: &mut Words<'_>,
    ) -> ContractTerms {
        if !words.take("with") {
            return contract;
        }
        let mut sources = Vec::new();
        while let Some(key) = words.0.next() {
            let value = words.next();
            let rate = |value: &str| FundingRate(i64::try_from(decimal::units(value, 8)).unwrap());
            match key {
                "fund" => contract.fund = self.account(value),
                "source" => {
                    let market = (value != "feed").then(|| self.market(value));
                    sources.push(IndexSource { market, weight: 1 });
                }
                "leverage" => contract.default_leverage = value.parse().unwrap(),
                "max-position" => {
                    contract.max_position_lots = QtyLots(lots(terms, self.scale(terms.base), value));
                }
                "step" => {
                    contract.liquidation_step_lots = QtyLots(lots(terms, self.scale(terms.base), value));
                }
                "hours" => contract.funding_interval_hours = value.parse().unwrap(),
                "cap" => contract.funding_cap = rate(value),
                "floor" => contract.funding_floor = rate(value),
                "interest" => contract.interest = rate(value),
                "clearance" => contract.clearance_fee_ppm = ppm(value),
                "maintenance" => {
                    contract.brackets.truncate(1);
                    contract.brackets[0].maintenance_ppm = ppm(value);
                    contract.brackets[0].cap = Amount(1_000_000_000 * 100_000_000);
                    contract.brackets[0].max_leverage = 20;
                }
                other => panic!("a contract has no setting {other}"),
            }
        }
        if !sources.is_empty() {
            contract.sources = sources;
        }
        contract
    }

    /// What there is.
    pub fn look_at_contracts(&mut self, first: &str, words: &mut Words<'_>) -> Vec<String> {
        if first == "mark" {
            let market = self.market(words.next());
            let mark = self.price(market, self.world.partition.mark_price(market));
            let open = self.qty(market, self.world.partition.open_interest(market));
            return vec![format!("mark {mark}, open interest {open}")];
        }
        let account = self.account(words.next());
        if first == "wallet" {
            let asset = self.world.partition.catalog().asset_named(&name(words.next())).expect("listed");
            return vec![self.money(asset, self.world.partition.wallet(account, asset))];
        }
        let position_side = position_side(words);
        assert!(words.take("on"));
        let market = self.market(words.next());
        let terms = self.terms_at(market);
        if first == "margin-of" {
            let margin = self.world.partition.position_margin(account, market, position_side);
            return vec![margin.map_or("cross".into(), |margin| self.money(terms.quote, margin))];
        }
        let position = self.world.partition.position_of(account, market, position_side);
        let unrealized = position.unrealized(&terms, self.world.partition.mark_price(market));
        vec![if position.is_none() {
            "none".into()
        } else {
            format!(
                "{} for {}, {} if closed at the mark price",
                self.qty(market, position.qty_lots),
                self.money(terms.quote, position.cost),
                self.money(terms.quote, unrealized)
            )
        }]
    }

    /// Orders at contracts that this command has left on the book.
    pub fn resting_at_contracts(&self, events: &[Event]) -> Vec<String> {
        let accepted = events.iter().filter_map(|event| match event {
            Event::ContractOrderAccepted(accepted) => Some(accepted),
            _ => None,
        });
        accepted
            .filter_map(|accepted| {
                let left = self.world.witness.order(accepted.order).and_then(Known::left)?;
                let qty = self.qty(accepted.market, QtyLots(left));
                let price = accepted.kind.price_ticks().expect("only orders with a limit rest");
                let only = if accepted.reduce_only { ", only reduces" } else { "" };
                let price = self.price(accepted.market, price);
                Some(format!("rests #{} {qty} @ {price}{only}", accepted.order))
            })
            .collect()
    }

    /// What has happened at a contract.
    pub fn of_contracts(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::ContractAdded { terms, .. } => format!("listed {}", terms.name),
            Event::FundsMoved(moved) => {
                format!(
                    "moved {}, the futures wallet has {}",
                    self.money(moved.asset, moved.amount),
                    self.money(moved.asset, moved.wallet)
                )
            }
            Event::ContractOrderAccepted(accepted) if accepted.cause == OrderCause::Liquidation => {
                let price = accepted.kind.price_ticks().expect("it has a limit");
                format!(
                    "{}'s {}position is offered: {:?} {} @ {}  #{}",
                    self.name_of(accepted.account),
                    named(accepted.position_side),
                    accepted.side,
                    self.qty(accepted.market, accepted.kind.qty_lots().expect("it has a quantity")),
                    self.price(accepted.market, price),
                    accepted.order
                )
            }
            Event::ContractFilled(filled) => {
                let asset = self.terms_at(filled.market).quote;
                let way = if filled.side == Side::Buy { "buys" } else { "sells" };
                let what = format!(
                    "{} {way} {} @ {}",
                    self.name_of(filled.account),
                    self.qty(filled.market, filled.qty_lots),
                    self.price(filled.market, filled.price_ticks)
                );
                let role = match filled.liquidity {
                    Liquidity::Maker => "maker",
                    Liquidity::Taker => "taker",
                };
                let realized = if filled.realized.is_zero() {
                    String::new()
                } else {
                    format!(", realises {}", self.money(asset, filled.realized))
                };
                let fee = if filled.fee.is_zero() {
                    String::new()
                } else {
                    format!(", fee {}", self.money(asset, filled.fee))
                };
                let now = self.qty(filled.market, filled.now.qty_lots);
                let which = named(filled.position_side);
                format!("{what} as {role} #{}{realized}{fee}; has {which}{now}", filled.order)
            }
            Event::LeverageChanged { account, leverage, .. } => {
                format!("{}'s leverage is {leverage}", self.name_of(*account))
            }
            Event::MarkPriceChanged(changed) => {
                format!(
                    "index {}, mark {}, rate {}",
                    self.price(changed.market, changed.index_ticks),
                    self.price(changed.market, changed.mark_ticks),
                    decimal::text(changed.rate.0.into(), 8)
                )
            }
            Event::IndexPriceSet { source, .. } => format!("source {source} is heard"),
            Event::FundingSettled(settled) => {
                format!(
                    "funding of {} at {}",
                    decimal::text(settled.rate.0.into(), 8),
                    self.price(settled.market, settled.mark_ticks)
                )
            }
            Event::FundingPaid(paid) => {
                let asset = self.terms_at(paid.market).quote;
                format!("{} receives {}", self.name_of(paid.account), self.money(asset, paid.amount))
            }
            Event::LiquidationBegun { account, .. } => {
                format!("{} has too little left", self.name_of(*account))
            }
            Event::LiquidationEnded { account, .. } => {
                format!("{}'s liquidation is over", self.name_of(*account))
            }
            Event::ClearancePaid { account, market, amount, .. } => {
                let asset = self.terms_at(*market).quote;
                format!("{} pays the fund {}", self.name_of(*account), self.money(asset, *amount))
            }
            Event::FundReceived { account, market, amount, .. } => {
                let asset = self.terms_at(*market).quote;
                format!("{} receives {}", self.name_of(*account), self.money(asset, *amount))
            }
            Event::DebtCovered { account, market, amount } => {
                let asset = self.terms_at(*market).quote;
                format!("the fund pays {} for {}", self.money(asset, *amount), self.name_of(*account))
            }
            Event::PositionModeChanged { account, mode } => {
                let how_many = match mode {
                    PositionMode::OneWay => "one position",
                    PositionMode::Hedge => "a long and a short position",
                };
                format!("{} has {how_many} at each contract", self.name_of(*account))
            }
            Event::MarginTypeChanged { account, margin_type, .. } => {
                let what = match margin_type {
                    MarginType::Cross => "cross",
                    MarginType::Isolated => "isolated",
                };
                format!("{}'s margin is {what}", self.name_of(*account))
            }
            Event::PositionMarginChanged(changed) => {
                let asset = self.terms_at(changed.market).quote;
                let moved = self.money(asset, Amount(changed.moved.0.abs()));
                let how = match changed.moved.0.signum() {
                    1 => format!(" takes {moved} and"),
                    -1 => format!(" gives {moved} back and"),
                    _ => String::new(),
                };
                format!(
                    "{}'s {}margin{how} is {}, the wallet has {}",
                    self.name_of(changed.account),
                    named(changed.position_side),
                    self.money(asset, changed.margin),
                    self.money(asset, changed.wallet)
                )
            }
            Event::PositionDebtCovered { account, market, position_side, amount } => {
                let asset = self.terms_at(*market).quote;
                let amount = self.money(asset, *amount);
                let which = named(*position_side);
                format!("the fund pays {amount} for {}'s {which}isolated position", self.name_of(*account))
            }
            Event::PositionLiquidationBegun { account, position_side, .. } => {
                let which = named(*position_side);
                format!("{}'s {which}isolated position has too little left", self.name_of(*account))
            }
            Event::PositionLiquidationEnded { account, position_side, .. } => {
                let which = named(*position_side);
                format!("the liquidation of {}'s {which}isolated position is over", self.name_of(*account))
            }
            Event::PositionForced(forced) => {
                let asset = self.terms_at(forced.market).quote;
                let (who, qty) = (self.name_of(forced.account), self.qty(forced.market, forced.qty_lots));
                let price = self.price(forced.market, forced.price_ticks);
                let what = match forced.forced {
                    Forced::TakenOver => "is taken over by the fund",
                    Forced::Carried => "carries",
                    Forced::Bankrupt => "is taken over",
                    Forced::Deleveraged => "is deleveraged",
                };
                format!(
                    "{who} {what}: {qty} @ {price}, realises {}; has {}{}",
                    self.money(asset, forced.realized),
                    named(forced.position_side),
                    self.qty(forced.market, forced.now.qty_lots)
                )
            }
            _ => return None,
        })
    }
}
