//! Random values of what contracts have brought.

use model::{
    AddContract, Bracket, ChangeLeverage, ChangeMarginType, ChangePositionMode, Command, ContractFilled,
    ContractOrderAccepted, ContractTerms, Event, Forced, FundingPaid, FundingRate, FundingSettled,
    FundsMoved, IndexSource, Liquidity, MarginMove, MarginType, MarkPriceChanged, MoveFunds,
    MovePositionMargin, OrderCause, PartitionId, PlaceContractOrder, PositionForced, PositionMarginChanged,
    PositionMode, PositionNow, PositionSide, SetIndexPrice, TradeId, Wallet,
};

use super::Dice;
use crate::examples;

impl Dice<'_> {
    fn rate(&mut self) -> FundingRate {
        FundingRate(self.i64())
    }

    pub fn position_side(&mut self) -> PositionSide {
        self.one_of(&[PositionSide::Both, PositionSide::Long, PositionSide::Short])
    }

    fn contract_terms(&mut self) -> ContractTerms {
        let brackets = (0..self.byte() % 5).map(|_| Bracket {
            cap: self.amount(),
            max_leverage: self.u16(),
            maintenance_ppm: self.u32(),
        });
        let brackets = brackets.collect();
        let sources = (0..self.byte() % 4).map(|_| IndexSource {
            market: if self.bool() { Some(self.market()) } else { None },
            weight: self.u32(),
        });
        let sources = sources.collect();
        ContractTerms {
            brackets,
            default_leverage: self.u16(),
            max_position_lots: self.qty(),
            funding_interval_hours: self.byte(),
            funding_cap: self.rate(),
            funding_floor: self.rate(),
            interest: self.rate(),
            impact_notional: self.amount(),
            clearance_fee_ppm: self.u32(),
            liquidation_step_lots: self.qty(),
            fund: self.account(),
            sources,
            stale_after_ns: self.u64(),
            outlier_ppm: self.u32(),
        }
    }

    fn add_contract(&mut self) -> Box<AddContract> {
        Box::new(AddContract {
            terms: self.market_terms(),
            contract: self.contract_terms(),
            partition: PartitionId(self.byte()),
        })
    }

    pub fn contract_command(&mut self, variant: &str) -> Command {
        match variant {
            "AddContract" => Command::AddContract(self.add_contract()),
            "ChangeContract" => Command::ChangeContract(self.add_contract()),
            "MoveFunds" => Command::MoveFunds(Box::new(MoveFunds {
                account: self.account(),
                asset: self.asset(),
                amount: self.amount(),
                to: self.one_of(&[Wallet::Spot, Wallet::Futures]),
                valid_until_ns: self.time(),
            })),
            "PlaceContractOrder" => Command::PlaceContractOrder(PlaceContractOrder {
                account: self.account(),
                market: self.market(),
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                kind: self.kind(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                reduce_only: self.bool(),
                client_order_id: self.text(),
                valid_until_ns: self.time(),
            }),
            "ChangeLeverage" => Command::ChangeLeverage(ChangeLeverage {
                account: self.account(),
                market: self.market(),
                leverage: self.u16(),
                valid_until_ns: self.time(),
            }),
            "SetIndexPrice" => Command::SetIndexPrice(SetIndexPrice {
                partition: PartitionId(self.byte()),
                market: self.market(),
                source: self.byte(),
                price_ticks: self.price(),
            }),
            "Continue" => Command::Continue,
            "ChangeMarginType" => Command::ChangeMarginType(ChangeMarginType {
                account: self.account(),
                market: self.market(),
                margin_type: self.one_of(&[MarginType::Cross, MarginType::Isolated]),
                valid_until_ns: self.time(),
            }),
            "ChangePositionMode" => Command::ChangePositionMode(ChangePositionMode {
                account: self.account(),
                mode: self.one_of(&[PositionMode::OneWay, PositionMode::Hedge]),
                valid_until_ns: self.time(),
            }),
            "MovePositionMargin" => Command::MovePositionMargin(Box::new(MovePositionMargin {
                account: self.account(),
                market: self.market(),
                position_side: self.position_side(),
                amount: self.amount(),
                way: self.one_of(&[MarginMove::Add, MarginMove::Reduce]),
                valid_until_ns: self.time(),
            })),
            other => self.algo_command(other),
        }
    }

    fn now(&mut self) -> PositionNow {
        PositionNow { qty_lots: self.qty(), cost: self.amount(), wallet: self.amount() }
    }

    pub fn contract_event(&mut self, variant: &str) -> Event {
        let (account, market, asset) = (self.account(), self.market(), self.asset());
        let (amount, wallet) = (self.amount(), self.amount());
        match variant {
            "ContractAdded" => Event::ContractAdded {
                market,
                terms: Box::new(self.market_terms()),
                contract: Box::new(self.contract_terms()),
            },
            "FundsMoved" => Event::FundsMoved(FundsMoved { account, asset, amount, wallet }),
            "ContractOrderAccepted" => Event::ContractOrderAccepted(ContractOrderAccepted {
                order: self.order(),
                account,
                market,
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                kind: self.kind(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                reduce_only: self.bool(),
                cause: self.one_of(&[OrderCause::Owner, OrderCause::Liquidation]),
                client_order_id: self.text(),
            }),
            "ContractFilled" => Event::ContractFilled(ContractFilled {
                order: self.order(),
                account,
                market,
                trade: TradeId(self.u64()),
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                liquidity: self.one_of(&[Liquidity::Maker, Liquidity::Taker]),
                price_ticks: self.price(),
                qty_lots: self.qty(),
                fee: amount,
                realized: self.amount(),
                now: self.now(),
            }),
            "LeverageChanged" => Event::LeverageChanged { account, market, leverage: self.u16() },
            "MarkPriceChanged" => Event::MarkPriceChanged(MarkPriceChanged {
                market,
                index_ticks: self.price(),
                mark_ticks: self.price(),
                rate: self.rate(),
                next_funding_ns: self.time(),
            }),
            "IndexPriceSet" => {
                Event::IndexPriceSet { market, source: self.byte(), price_ticks: self.price() }
            }
            "FundingSettled" => {
                Event::FundingSettled(FundingSettled { market, rate: self.rate(), mark_ticks: self.price() })
            }
            "FundingPaid" => Event::FundingPaid(FundingPaid { account, market, amount, wallet }),
            "LiquidationBegun" => Event::LiquidationBegun { account, asset },
            "LiquidationEnded" => Event::LiquidationEnded { account, asset },
            "ClearancePaid" => Event::ClearancePaid { account, market, amount, wallet },
            "FundReceived" => Event::FundReceived { account, market, amount, wallet },
            "PositionForced" => Event::PositionForced(Box::new(PositionForced {
                account,
                market,
                forced: self.one_of(&[
                    Forced::TakenOver,
                    Forced::Carried,
                    Forced::Bankrupt,
                    Forced::Deleveraged,
                ]),
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                price_ticks: self.price(),
                qty_lots: self.qty(),
                realized: amount,
                now: self.now(),
            })),
            "DebtCovered" => Event::DebtCovered { account, market, amount },
            "MarginTypeChanged" => Event::MarginTypeChanged {
                account,
                market,
                margin_type: self.one_of(&[MarginType::Cross, MarginType::Isolated]),
            },
            "PositionMarginChanged" => Event::PositionMarginChanged(Box::new(PositionMarginChanged {
                account,
                market,
                position_side: self.position_side(),
                moved: amount,
                margin: self.amount(),
                wallet,
            })),
            "PositionDebtCovered" => {
                Event::PositionDebtCovered { account, market, position_side: self.position_side(), amount }
            }
            "PositionLiquidationBegun" => {
                Event::PositionLiquidationBegun { account, market, position_side: self.position_side() }
            }
            "PositionLiquidationEnded" => {
                Event::PositionLiquidationEnded { account, market, position_side: self.position_side() }
            }
            "PositionModeChanged" => Event::PositionModeChanged {
                account,
                mode: self.one_of(&[PositionMode::OneWay, PositionMode::Hedge]),
            },
            other => self.algo_event(other),
        }
    }
}
