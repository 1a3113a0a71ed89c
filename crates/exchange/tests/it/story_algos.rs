//! The language of the stories where it is about orders that wait for a price of a contract.

use model::{
    AccountId, AlgoEndReason, AlgoId, AlgoOrder, AlgoPlaces, AlgoRef, AlgoTrigger, CancelAlgoOrder,
    CancelAllAlgoOrders, ClientOrderId, Command, Event, MarketId, ModifyContractOrder, OrderKind,
    PlaceAlgoOrder, PlaceContractOrder, PlaceGoodTillDate, PositionSide, PriceTicks, QtyLots,
    SelfTradePrevention, SetCountdown, Side, TimeInForce, TimeNs, TriggerKind, WorkingPrice,
};

use crate::decimal;
use crate::story::{Story, Words, name, order_ref};

/// `&3` or its name.
fn algo_ref(words: &mut Words<'_>) -> AlgoRef {
    let first = words.next();
    match first.strip_prefix('&') {
        Some(number) => AlgoRef::Id(AlgoId(number.parse().unwrap())),
        None => AlgoRef::Client(name(first)),
    }
}

impl Story {
    /// `wait`, and what for: see the top of `story.rs`.
    pub fn waits(&mut self, account: AccountId, words: &mut Words<'_>) -> Command {
        let side = match words.next() {
            "buy" => Side::Buy,
            "sell" => Side::Sell,
            other => panic!("{other} is no side"),
        };
        let number = words.next();
        let price = match words.next() {
            "@" => Some(words.next()),
            "market" => None,
            other => panic!("an order has a price or is a market order, not {other}"),
        };
        let (mut force, mut post_only, mut reduce_only) = (TimeInForce::Gtc, false, false);
        let (mut kind, mut trigger, mut trail) = (TriggerKind::StopLoss, "-", None);
        let mut place = PlaceAlgoOrder {
            account,
            market: MarketId(0),
            side,
            position_side: PositionSide::Both,
            trigger: AlgoTrigger::Trails { activation_ticks: None, callback_permille: 0 },
            places: AlgoPlaces::ClosesPosition,
            working_price: WorkingPrice::Contract,
            price_protect: false,
            self_trade_prevention: SelfTradePrevention::None,
            client_algo_id: ClientOrderId::EMPTY,
            valid_until_ns: TimeNs::NEVER,
        };
        while let Some(option) = words.0.next() {
            match option {
                "ioc" => force = TimeInForce::Ioc,
                "fok" => force = TimeInForce::Fok,
                "gtx" => post_only = true,
                "reduce-only" => reduce_only = true,
                "long" => place.position_side = PositionSide::Long,
                "short" => place.position_side = PositionSide::Short,
                "stop" => (kind, trigger) = (TriggerKind::StopLoss, words.next()),
                "take" => (kind, trigger) = (TriggerKind::TakeProfit, words.next()),
                "trail" => trail = Some(words.next().parse().unwrap()),
                "from" => trigger = words.next(),
                "by-mark" => place.working_price = WorkingPrice::Mark,
                "protected" => place.price_protect = true,
                "stp" => {
                    place.self_trade_prevention = match words.next() {
                        "expire-maker" => SelfTradePrevention::ExpireMaker,
                        "decrement" => SelfTradePrevention::Decrement,
                        other => panic!("no mode of self-trade prevention: {other}"),
                    }
                }
                "as" => place.client_algo_id = name(words.next()),
                "on" => place.market = self.market(words.next()),
                other => panic!("an algo order has no {other}"),
            }
        }
        let ticks = |price: &str| PriceTicks(self.ticks(place.market, price));
        place.trigger = match trail {
            None => AlgoTrigger::Reaches { kind, trigger_ticks: ticks(trigger) },
            Some(callback_permille) => AlgoTrigger::Trails {
                activation_ticks: (trigger != "-").then(|| ticks(trigger)),
                callback_permille,
            },
        };
        if number != "all" {
            let qty_lots = QtyLots(self.lots(place.market, number));
            let kind = match price.map(ticks) {
                None => OrderKind::Market { qty_lots },
                Some(price_ticks) if post_only => OrderKind::LimitMaker { price_ticks, qty_lots },
                Some(price_ticks) => OrderKind::Limit { price_ticks, qty_lots, time_in_force: force },
            };
            place.places = AlgoPlaces::Order { kind, reduce_only };
        }
        Command::PlaceAlgoOrder(Box::new(place))
    }

    pub fn cancels_algo(account: AccountId, words: &mut Words<'_>) -> Command {
        let (algo, valid_until_ns) = (algo_ref(words), TimeNs::NEVER);
        Command::CancelAlgoOrder(CancelAlgoOrder { account, algo, valid_until_ns })
    }

    pub fn cancels_algos(&mut self, account: AccountId, words: &mut Words<'_>) -> Command {
        assert!(words.take("on"));
        let (market, valid_until_ns) = (self.market(words.next()), TimeNs::NEVER);
        Command::CancelAllAlgoOrders(CancelAllAlgoOrders { account, market, valid_until_ns })
    }

    /// A limit order, with the second till which it is good.
    pub fn good_till(place: &PlaceContractOrder, good_till_ns: TimeNs) -> Command {
        let OrderKind::Limit { price_ticks, qty_lots, time_in_force: TimeInForce::Gtc } = place.kind else {
            panic!("only what would rest for good has a date")
        };
        Command::PlaceGoodTillDate(Box::new(PlaceGoodTillDate {
            account: place.account,
            market: place.market,
            side: place.side,
            position_side: place.position_side,
            price_ticks,
            qty_lots,
            self_trade_prevention: place.self_trade_prevention,
            reduce_only: place.reduce_only,
            client_order_id: place.client_order_id,
            good_till_ns,
            valid_until_ns: place.valid_until_ns,
        }))
    }

    pub fn modifies(&mut self, account: AccountId, words: &mut Words<'_>) -> Command {
        let order = order_ref(words);
        assert!(words.take("to"));
        let qty = words.next();
        assert!(words.take("@"));
        let price = words.next();
        let maker_only = words.take("gtx");
        let takes_stp = words.take("stp") && words.take("expire-taker");
        assert!(words.take("on"));
        let market = self.market(words.next());
        Command::ModifyContractOrder(ModifyContractOrder {
            account,
            market,
            order,
            price_ticks: PriceTicks(self.ticks(market, price)),
            qty_lots: QtyLots(self.lots(market, qty)),
            maker_only,
            self_trade_prevention: if takes_stp {
                SelfTradePrevention::ExpireTaker
            } else {
                SelfTradePrevention::None
            },
            valid_until_ns: TimeNs::NEVER,
        })
    }

    pub fn counts_down(&mut self, account: AccountId, words: &mut Words<'_>) -> Command {
        let countdown_ns = u64::try_from(decimal::units(words.next(), 9)).unwrap();
        assert!(words.take("on"));
        let (market, valid_until_ns) = (self.market(words.next()), TimeNs::NEVER);
        Command::SetCountdown(SetCountdown { account, market, countdown_ns, valid_until_ns })
    }

    /// What waits for prices of contracts.
    pub fn algos(&self) -> Vec<String> {
        let waiting: Vec<_> = self.world.partition.algo_orders().collect();
        if waiting.is_empty() {
            return vec!["none".into()];
        }
        waiting.into_iter().map(|order| self.algo(order)).collect()
    }

    fn algo(&self, order: &AlgoOrder) -> String {
        let price = |ticks| self.price(order.market, ticks);
        let way = if order.side == Side::Buy { "buy" } else { "sell" };
        let what = match order.places {
            AlgoPlaces::ClosesPosition => "all".into(),
            AlgoPlaces::Order { kind, reduce_only } => {
                let qty = self.qty(order.market, kind.qty_lots().unwrap());
                let limit = kind.price_ticks().map_or(String::new(), |limit| format!(" @ {}", price(limit)));
                let only = if reduce_only { ", only reduces" } else { "" };
                format!("{qty}{limit}{only}")
            }
        };
        let when = match order.trigger {
            AlgoTrigger::Reaches { kind: TriggerKind::StopLoss, trigger_ticks } => {
                format!("stop {}", price(trigger_ticks))
            }
            AlgoTrigger::Reaches { kind: TriggerKind::TakeProfit, trigger_ticks } => {
                format!("take {}", price(trigger_ticks))
            }
            AlgoTrigger::Trails { activation_ticks, callback_permille } => {
                let from = activation_ticks.map_or(String::new(), |from| format!(" from {}", price(from)));
                format!("trail {callback_permille}{from}")
            }
        };
        let by = if order.working_price == WorkingPrice::Mark { " by mark" } else { "" };
        let of = match order.position_side {
            PositionSide::Both => "",
            PositionSide::Long => " long",
            PositionSide::Short => " short",
        };
        let name = &order.client_algo_id;
        let called = if name.is_empty() { String::new() } else { format!(" as {name}") };
        format!(
            "&{} {} waits to {way} {what}{of}: {when}{by}{called}",
            order.algo,
            self.name_of(order.account)
        )
    }

    /// What has happened to an algo order.
    pub fn of_algos(&self, event: &Event) -> Option<String> {
        Some(match event {
            Event::AlgoOrderAccepted(accepted) => self.algo(accepted),
            Event::AlgoOrderTracks(tracks) => {
                let price = self.price(tracks.market, tracks.price_ticks);
                format!("&{} follows the price from {price}", tracks.algo)
            }
            Event::AlgoOrderTriggered(triggered) => {
                let price = self.price(triggered.market, triggered.price_ticks);
                format!("triggered &{} at {price}: #{}", triggered.algo, triggered.order)
            }
            Event::AlgoOrderEnded(ended) => {
                let why = match ended.reason {
                    AlgoEndReason::Canceled => "is canceled".into(),
                    AlgoEndReason::PositionGone => "expires with the position".into(),
                    AlgoEndReason::Liquidated => "expires: liquidation".into(),
                    AlgoEndReason::Deleveraged => "expires: deleveraged".into(),
                    AlgoEndReason::Refused { reject } => {
                        format!("is refused: {}", self.reject(ended.market, &reject))
                    }
                };
                format!("&{} {why}", ended.algo)
            }
            Event::CountdownSet { account, fires_ns: Some(at), .. } => {
                format!(
                    "{}'s orders are cancelled at {} s",
                    self.name_of(*account),
                    decimal::text(at.0.into(), 9)
                )
            }
            Event::CountdownSet { account, fires_ns: None, .. } => {
                format!("{}'s orders are not cancelled", self.name_of(*account))
            }
            Event::ContractOrderModified(modified) => {
                let qty = self.qty(modified.market, modified.kind.qty_lots().unwrap());
                let price = self.price(modified.market, modified.kind.price_ticks().unwrap());
                format!("modified #{} to {qty} @ {price}", modified.order)
            }
            Event::GoodTillDate { order, good_till_ns, .. } => {
                format!("#{order} is good till {} s", decimal::text(good_till_ns.0.into(), 9))
            }
            Event::CountdownFired { account, .. } => {
                format!("{}'s time has come", self.name_of(*account))
            }
            _ => return None,
        })
    }
}
