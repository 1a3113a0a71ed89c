//! Random values of what waits for a price of a contract, or for a time.

use model::{
    AlgoEndReason, AlgoId, AlgoOrder, AlgoOrderEnded, AlgoOrderTracks, AlgoOrderTriggered, AlgoPlaces,
    AlgoRef, AlgoTrigger, CancelAlgoOrder, CancelAllAlgoOrders, Command, ContractOrderModified, Event,
    ModifyContractOrder, PlaceAlgoOrder, PlaceGoodTillDate, SetCountdown,
};

use super::Dice;
use crate::{examples, examples_algos};

impl Dice<'_> {
    fn algo(&mut self) -> AlgoId {
        AlgoId(self.u64())
    }

    fn algo_trigger(&mut self) -> AlgoTrigger {
        if self.bool() {
            AlgoTrigger::Reaches {
                kind: self.one_of(&examples::trigger_kinds()),
                trigger_ticks: self.price(),
            }
        } else {
            let activation_ticks = if self.bool() { Some(self.price()) } else { None };
            AlgoTrigger::Trails { activation_ticks, callback_permille: self.u16() }
        }
    }

    fn algo_places(&mut self) -> AlgoPlaces {
        if self.bool() {
            AlgoPlaces::Order { kind: self.kind(), reduce_only: self.bool() }
        } else {
            AlgoPlaces::ClosesPosition
        }
    }

    fn algo_end_reason(&mut self) -> AlgoEndReason {
        match self.one_of(&examples_algos::end_reasons()) {
            AlgoEndReason::Refused { .. } => AlgoEndReason::Refused { reject: self.reject() },
            other => other,
        }
    }

    pub fn algo_command(&mut self, variant: &str) -> Command {
        match variant {
            "PlaceAlgoOrder" => Command::PlaceAlgoOrder(Box::new(PlaceAlgoOrder {
                account: self.account(),
                market: self.market(),
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                trigger: self.algo_trigger(),
                places: self.algo_places(),
                working_price: self.one_of(&examples_algos::working_prices()),
                price_protect: self.bool(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                client_algo_id: self.text(),
                valid_until_ns: self.time(),
            })),
            "CancelAlgoOrder" => {
                let algo = if self.bool() { AlgoRef::Id(self.algo()) } else { AlgoRef::Client(self.text()) };
                let (account, valid_until_ns) = (self.account(), self.time());
                Command::CancelAlgoOrder(CancelAlgoOrder { account, algo, valid_until_ns })
            }
            "CancelAllAlgoOrders" => Command::CancelAllAlgoOrders(CancelAllAlgoOrders {
                account: self.account(),
                market: self.market(),
                valid_until_ns: self.time(),
            }),
            "ModifyContractOrder" => Command::ModifyContractOrder(ModifyContractOrder {
                account: self.account(),
                market: self.market(),
                order: self.order_ref(),
                price_ticks: self.price(),
                qty_lots: self.qty(),
                maker_only: self.bool(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                valid_until_ns: self.time(),
            }),
            "PlaceGoodTillDate" => Command::PlaceGoodTillDate(Box::new(PlaceGoodTillDate {
                account: self.account(),
                market: self.market(),
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                price_ticks: self.price(),
                qty_lots: self.qty(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                reduce_only: self.bool(),
                client_order_id: self.text(),
                good_till_ns: self.time(),
                valid_until_ns: self.time(),
            })),
            "SetCountdown" => Command::SetCountdown(SetCountdown {
                account: self.account(),
                market: self.market(),
                countdown_ns: self.u64(),
                valid_until_ns: self.time(),
            }),
            other => panic!("throw the dice for {other} too"),
        }
    }

    pub fn algo_event(&mut self, variant: &str) -> Event {
        let (algo, account, market) = (self.algo(), self.account(), self.market());
        match variant {
            "AlgoOrderAccepted" => Event::AlgoOrderAccepted(Box::new(AlgoOrder {
                algo,
                account,
                market,
                side: self.one_of(&examples::sides()),
                position_side: self.position_side(),
                trigger: self.algo_trigger(),
                places: self.algo_places(),
                working_price: self.one_of(&examples_algos::working_prices()),
                price_protect: self.bool(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
                client_algo_id: self.text(),
            })),
            "CountdownSet" => {
                let fires_ns = if self.bool() { Some(self.time()) } else { None };
                Event::CountdownSet { account, market, fires_ns }
            }
            "ContractOrderModified" => Event::ContractOrderModified(ContractOrderModified {
                order: self.order(),
                account,
                market,
                kind: self.kind(),
                self_trade_prevention: self.one_of(&examples::self_trade_preventions()),
            }),
            "GoodTillDate" => {
                Event::GoodTillDate { order: self.order(), account, market, good_till_ns: self.time() }
            }
            "CountdownFired" => Event::CountdownFired { account, market },
            "AlgoOrderTracks" => {
                let price_ticks = self.price();
                Event::AlgoOrderTracks(AlgoOrderTracks { algo, account, market, price_ticks })
            }
            "AlgoOrderTriggered" => Event::AlgoOrderTriggered(AlgoOrderTriggered {
                algo,
                account,
                market,
                price_ticks: self.price(),
                order: self.order(),
            }),
            "AlgoOrderEnded" => {
                let reason = self.algo_end_reason();
                Event::AlgoOrderEnded(Box::new(AlgoOrderEnded { algo, account, market, reason }))
            }
            other => panic!("throw the dice for {other} too"),
        }
    }
}
