//! The worked cases of `vectors/market_data.json`: candles and aggregated trades. Prices are whole ticks and quantities whole
//! lots here, and one lot at one tick costs one atom, so that the numbers are those of the file.

use model::{
    AccountId, Amount, AssetId, AssetName, AssetTerms, Event, EventBatch, EventSeq, LevelChanged, MarketId,
    OrderId, PriceTicks, QtyLots, Seq, Side, TimeNs, TradeId, Traded,
};
use serde_json::Value;
use views::{CandleQuery, Interval, Page, UtcOffset, ViewSettings, Views};

use crate::world::terms;

const MARKET: MarketId = MarketId(0);

/// Feeds events one batch at a time.
pub struct Feed {
    pub views: Views,
}

impl Feed {
    /// Two assets, a market at which one lot at one tick costs one atom, and some accounts.
    pub fn new(settings: ViewSettings) -> Self {
        let mut feed = Self { views: Views::new(settings) };
        let mut events = Vec::new();
        for (id, name) in (0..).zip(["BASE", "QUOTE"]) {
            let terms = AssetTerms { name: AssetName::new(name).unwrap(), scale: 0 };
            events.push(Event::AssetAdded { asset: AssetId(id), terms });
        }
        let mut terms = terms("BASEQUOTE", 0, 1);
        (terms.base_atoms_per_lot, terms.quote_atoms_per_tick_lot) = (Amount(1), Amount(1));
        events.push(Event::MarketAdded { market: MARKET, terms: Box::new(terms) });
        for id in 1..=2 {
            events.push(Event::AccountCreated {
                account: AccountId(id),
                name: model::AccountName::new(&format!("account-{id}")).unwrap(),
                trade_group: model::TradeGroup::NONE,
            });
            for asset in 0..2 {
                events.push(Event::Deposited(Box::new(model::Deposited {
                    account: AccountId(id),
                    asset: AssetId(asset),
                    amount: Amount(1_000_000),
                    reference: model::Reference::EMPTY,
                })));
            }
        }
        feed.batch(TimeNs(0), events);
        feed
    }

    pub fn batch(&mut self, time_ns: TimeNs, events: Vec<Event>) {
        let ends = vec![u32::try_from(events.len()).unwrap()];
        let first_seq = Seq(self.views.command_seq().0 + 1);
        let first_event_seq = EventSeq(self.views.seq().0 + 1);
        self.views.apply(&EventBatch { first_seq, time_ns, first_event_seq, events, ends });
    }

    pub fn trade(&mut self, time_ns: TimeNs, trade: u64, price: i64, qty: i64, taker: u64, taker_side: Side) {
        let traded = Traded {
            market: MARKET,
            trade: TradeId(trade),
            price_ticks: PriceTicks(price),
            qty_lots: QtyLots(qty),
            taker_side,
            maker_order: OrderId(1_000_000),
            taker_order: OrderId(taker),
        };
        self.batch(time_ns, vec![Event::Traded(traded)]);
    }
}

fn file() -> Value {
    serde_json::from_str(include_str!("../vectors/market_data.json")).expect("the file is JSON")
}

fn number(value: &Value) -> i64 {
    value.as_str().expect("a decimal in quotes").parse().expect("a whole number")
}

fn seven_trades() -> (Views, Value) {
    let file = file();
    let cases = file["cases"].as_array().unwrap();
    let case = cases.iter().find(|case| case["in"]["market"].is_null()).expect("one case is about trades");
    let mut feed = Feed::new(ViewSettings::default());
    let trades = case["in"]["trades(id,ts,price,qty,takerOrder,buyerIsMaker)"].as_array().unwrap();
    assert_eq!(trades.len(), 7);
    for trade in trades {
        let taker_side = if trade[5].as_bool().unwrap() { Side::Sell } else { Side::Buy };
        feed.trade(
            TimeNs::from_millis(trade[1].as_u64().unwrap()),
            trade[0].as_u64().unwrap(),
            number(&trade[2]),
            number(&trade[3]),
            trade[4].as_u64().unwrap(),
            taker_side,
        );
    }
    (feed.views, case["out"].clone())
}

#[test]
fn candles_of_seven_trades() {
    let (views, out) = seven_trades();
    let expected = out["klines_1m"].as_array().unwrap();
    let query = CandleQuery {
        interval: Interval::Minute1,
        offset: UtcOffset::UTC,
        start: None,
        end: None,
        limit: 500,
        now: TimeNs::from_millis(180_000),
    };
    let found = views.candles(MARKET, &query);
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.open_time.as_millis(), expected["openTime"].as_u64().unwrap());
        assert_eq!(found.close_time.as_millis(), expected["closeTime"].as_u64().unwrap());
        assert_eq!(found.open.0, number(&expected["open"]));
        assert_eq!(found.high.0, number(&expected["high"]));
        assert_eq!(found.low.0, number(&expected["low"]));
        assert_eq!(found.close.0, number(&expected["close"]));
        assert_eq!(found.volume.0, i128::from(number(&expected["volume"])));
        assert_eq!(found.quote_volume.0, i128::from(number(&expected["quoteVolume"])));
        assert_eq!(found.trades, expected["trades"].as_u64().unwrap());
        assert_eq!(found.taker_buy_base.0, i128::from(number(&expected["takerBuyBase"])));
        assert_eq!(found.taker_buy_quote.0, i128::from(number(&expected["takerBuyQuote"])));
        let wire = |id: Option<TradeId>| id.map_or(-1, |id| i64::try_from(id.0).unwrap());
        assert_eq!(wire(found.first_trade), expected["f"].as_i64().unwrap());
        assert_eq!(wire(found.last_trade), expected["L"].as_i64().unwrap());
    }
}

#[test]
fn aggregated_trades_of_seven_trades() {
    let (views, out) = seven_trades();
    let expected = out["aggTrades"].as_array().unwrap();
    let found = views.tape(MARKET).agg_trades(&Page::last(500));
    assert_eq!(found.len(), expected.len());
    for (found, expected) in found.iter().zip(expected) {
        assert_eq!(found.id, expected["a"].as_u64().unwrap());
        assert_eq!(found.price_ticks.0, number(&expected["p"]));
        assert_eq!(found.qty_lots.0, number(&expected["q"]));
        assert_eq!(found.first.0, expected["f"].as_u64().unwrap());
        assert_eq!(found.last.0, expected["l"].as_u64().unwrap());
        assert_eq!(found.time_ns.as_millis(), expected["T"].as_u64().unwrap());
        assert_eq!(found.is_buyer_maker(), expected["m"].as_bool().unwrap());
    }
}

/// Prices of the books in the file are in tenths here.
fn tenths(value: &Value) -> PriceTicks {
    let text = value.as_str().unwrap();
    let (whole, tenth) = text.split_once('.').unwrap_or((text, "0"));
    PriceTicks(whole.parse::<i64>().unwrap() * 10 + tenth.parse::<i64>().unwrap())
}

fn levels(value: &Value) -> Vec<(PriceTicks, QtyLots)> {
    value.as_array().unwrap().iter().map(|level| (tenths(&level[0]), QtyLots(number(&level[1])))).collect()
}

/// The streams of the file cover several changes an event and skip numbers where nothing changed; a view sees every change.
/// So each level becomes one change, and the books must come out as in the file.
#[test]
fn books_of_the_stream_cases() {
    let file = file();
    let mut played = 0;
    for case in file["cases"].as_array().unwrap() {
        if case["out"]["book"].is_null() {
            continue;
        }
        let mut feed = Feed::new(ViewSettings::default());
        let mut update_id = 0;
        let mut change = |feed: &mut Feed, side: Side, levels: Vec<(PriceTicks, QtyLots)>| {
            for (price_ticks, open_lots) in levels {
                update_id += 1;
                let changed = LevelChanged { market: MARKET, update_id, side, price_ticks, open_lots };
                feed.batch(TimeNs(0), vec![Event::LevelChanged(changed)]);
            }
        };
        let snapshot = &case["in"]["snapshot"];
        change(&mut feed, Side::Buy, levels(&snapshot["bids"]));
        change(&mut feed, Side::Sell, levels(&snapshot["asks"]));
        let events = case["in"]["events"].as_array().unwrap();
        for (event, action) in events.iter().zip(case["out"]["actions"].as_array().unwrap()) {
            if action == "apply" {
                change(&mut feed, Side::Buy, levels(&event["b"]));
                change(&mut feed, Side::Sell, levels(&event["a"]));
            }
        }
        let depth = feed.views.depth(MARKET);
        let book = &case["out"]["book"];
        assert_eq!(depth.bids().collect::<Vec<_>>(), levels(&book["bids"]), "{}", case["name"]);
        assert_eq!(depth.asks().collect::<Vec<_>>(), levels(&book["asks"]), "{}", case["name"]);
        assert_eq!(depth.last_update_id(), update_id);
        played += 1;
    }
    assert_eq!(played, 4);
}
