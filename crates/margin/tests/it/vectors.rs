//! The worked cases of `perp_*.json`. Every case was computed by two independent programs before it came here; every number of
//! every case is looked at, but those that only repeat another one.

use std::fs;
use std::path::Path;

use margin::{
    AveragePremium, BasisWindow, MicroAtoms, OpenOrders, Position, Premium, bankruptcy_price, bracket_at,
    clearance_fee, fund_can_carry, funding_flow, funding_price, funding_rate, impact_price, initial_margin,
    is_liquidatable, leverage_score, liquidation_price, maintenance_margin, mark_price, open_loss,
    part_to_close, premium, total_initial_margin,
};
use model::{Amount, FundingRate, MarketTerms, PriceTicks, QtyLots, Side};
use serde_json::Value;

use crate::decimal::{canonical, text, units};
use crate::terms::{Ticks, amount, contract, ppm, qty, rate};

const HOUR_NS: u64 = 3_600_000_000_000;
/// Cents.
const CENTS: Ticks = Ticks(2);
/// As fine as the cases want entry prices shown.
const FINE: Ticks = Ticks(5);

fn cases(file: &str) -> Vec<Value> {
    let path = Path::new(env!("CARGO_MANIFEST_DIR")).join("tests/vectors").join(file);
    let all: Value = serde_json::from_str(&fs::read_to_string(path).unwrap()).unwrap();
    all["cases"].as_array().unwrap().clone()
}

fn of_kind(file: &str, kind: &str) -> Vec<Value> {
    cases(file).into_iter().filter(|case| case["kind"] == kind).collect()
}

fn string(value: &Value) -> &str {
    value.as_str().unwrap_or_else(|| panic!("{value} is no text"))
}

fn shown(amount: Amount) -> String {
    text(amount.0, 8)
}

fn pairs(ticks: Ticks, levels: &Value) -> Vec<(PriceTicks, QtyLots)> {
    let levels = levels.as_array().unwrap().iter();
    levels.map(|level| (ticks.price(string(&level[0])), qty(string(&level[1])))).collect()
}

/// A quantity of which part lots are a part, as a price's millionths of a tick.
fn shown_price(ticks: Ticks, micro_ticks: i128) -> String {
    text(micro_ticks, ticks.0 + 6)
}

fn opened(terms: &MarketTerms, side: &Value, lots: QtyLots, entry: PriceTicks) -> Position {
    let mut position = Position::NONE;
    let side = if *side == 1 { Side::Buy } else { Side::Sell };
    position.fill(terms, side, entry, lots);
    position
}

#[test]
fn positions() {
    let all = cases("perp_positions.json");
    assert_eq!(all.len(), 5);
    for case in all {
        let terms = FINE.terms();
        let (mut position, mut wallet, mut fees, mut gained) =
            (Position::NONE, amount(string(&case["in"]["startWallet"])), Amount::ZERO, Amount::ZERO);
        let rate = i128::from(ppm(string(&case["in"]["feeRate"])));
        for step in case["steps"].as_array().unwrap() {
            let (price, lots) = (FINE.price(string(&step["price"])), qty(string(&step["qty"])));
            let side = if step["side"] == "BUY" { Side::Buy } else { Side::Sell };
            let realized = position.fill(&terms, side, price, lots);
            let fee = Amount(terms.notional(price, lots).0 * rate / 1_000_000);
            wallet += realized - fee;
            fees += fee;
            gained += realized;
            let found = [
                shown(realized),
                shown(fee),
                text(position.qty_lots.0.into(), 3),
                shown_price(FINE, position.entry_price(&terms, 1_000_000)),
                shown(wallet),
            ];
            let wanted = ["realized", "fee", "positionAmt", "entryPrice", "wallet"];
            // The case shows one decimal more than a millionth of a tick has.
            let wanted = wanted.map(|key| rounded(string(&step[key]), 11));
            assert_eq!(found, wanted, "{}", case["name"]);
        }
        let unrealized = position.unrealized(&terms, FINE.price(string(&case["in"]["mark"])));
        let found = [gained, fees, unrealized, wallet, wallet + unrealized].map(shown);
        let wanted = ["realized", "fees", "unrealized", "wallet", "equity"];
        assert_eq!(found, wanted.map(|key| canonical(string(&case["out"][key]))), "{}", case["name"]);
    }
}

/// A decimal rounded half up to fewer decimals, without zeros at the end.
fn rounded(number: &str, scale: u32) -> String {
    let fine = units(number, 30);
    let unit = 10_i128.pow(30 - scale);
    text((fine.abs() + unit / 2) / unit * fine.signum(), scale)
}

#[test]
fn margin_by_bracket() {
    let [case] = of_kind("perp_margin.json", "brackets").try_into().unwrap();
    let contract = contract();
    let (brackets, cums) = (case["in"]["brackets"].as_array().unwrap(), &case["out"]["cum"]);
    for (at, bracket) in brackets.iter().enumerate() {
        let ours = contract.brackets[at];
        assert_eq!(
            (ours.cap, u64::from(ours.max_leverage), ours.maintenance_ppm),
            (amount(string(&bracket[1])), bracket[2].as_u64().unwrap(), ppm(string(&bracket[3])))
        );
        // The amount is what is missing from value x rate.
        let full = units(string(&bracket[1]), 8) * i128::from(ours.maintenance_ppm);
        let cum = full - maintenance_margin(&contract, ours.cap).0;
        assert_eq!(text(cum, 14), canonical(string(&cums[at])));
        assert_eq!(bracket_at(&contract, ours.cap), at);
        assert_eq!(bracket_at(&contract, ours.cap + Amount(1)), (at + 1).min(brackets.len() - 1));
    }
    for (value, margin) in case["out"]["mm_at"].as_object().unwrap() {
        let found = maintenance_margin(&contract, amount(value));
        assert_eq!(text(found.0, 14), canonical(string(margin)), "at {value}");
    }
}

#[test]
fn isolated_positions() {
    let all = of_kind("perp_margin.json", "isolated");
    assert_eq!(all.len(), 5);
    let (terms, contract) = (CENTS.terms(), contract());
    for case in all {
        let given = &case["in"];
        let entry = CENTS.price(string(&given["entry"]));
        let position = opened(&terms, &given["side"], qty(string(&given["qty"])), entry);
        let leverage = string(&given["leverage"]).parse().unwrap();
        let margin = initial_margin(Amount(position.cost.0.abs()), leverage);
        let rest = MicroAtoms::from_atoms(margin);
        let price = liquidation_price(&terms, &contract, &[position], rest, entry).unwrap();
        let value = Amount(position.value(&terms, PriceTicks(1)).0.abs() * price / 1_000_000);
        let found = [
            shown(margin),
            (bracket_at(&contract, value) + 1).to_string(),
            shown_price(CENTS, price),
            text(bankruptcy_price(&terms, &position, margin, entry).0.into(), CENTS.0),
        ];
        let wanted =
            ["margin", "bracket", "liqPrice", "bankruptcyPrice"].map(|key| match &case["out"][key] {
                Value::Number(number) => number.to_string(),
                other => canonical(string(other)),
            });
        assert_eq!(found, wanted, "{}", case["name"]);
        // A tick further it would be liquidated, a tick nearer it is not.
        let at = |further: i64| {
            let down = i64::try_from(price.div_euclid(1_000_000)).unwrap();
            let price = PriceTicks(down - further * position.qty_lots.0.signum());
            let value = Amount(position.value(&terms, price).0.abs());
            let equity = margin + position.unrealized(&terms, price);
            is_liquidatable(equity, maintenance_margin(&contract, value))
        };
        assert!(at(1) && !at(-1), "{}", case["name"]);
    }
}

#[test]
fn cross_margin() {
    let [case] = of_kind("perp_margin.json", "cross").try_into().unwrap();
    let (terms, contract) = (CENTS.terms(), contract());
    let (btc, eth, out) = (&case["in"]["btc"], &case["in"]["eth"], &case["out"]);
    let long = opened(&terms, &1.into(), qty(string(&btc["qty"])), CENTS.price(string(&btc["entry"])));
    let short = opened(&terms, &eth["side"], qty(string(&eth["qty"])), CENTS.price(string(&eth["ep"])));
    let mark = CENTS.price(string(&eth["mark"]));
    let unrealized = short.unrealized(&terms, mark);
    let maintenance = maintenance_margin(&contract, Amount(short.value(&terms, mark).0.abs()));
    assert_eq!(
        (shown(unrealized), text(maintenance.0, 14)),
        (string(&out["UPNL1"]).into(), string(&out["TMM1"]).into())
    );
    let rest = MicroAtoms::from_atoms(amount(string(&case["in"]["wallet"])) + unrealized) - maintenance;
    let entry = CENTS.price(string(&btc["entry"]));
    let price = liquidation_price(&terms, &contract, &[long], rest, entry).unwrap();
    assert_eq!(shown_price(CENTS, price), string(&out["liqPrice"]));
}

#[test]
fn hedge() {
    let [case] = of_kind("perp_margin.json", "hedge").try_into().unwrap();
    let (terms, contract) = (CENTS.terms(), contract());
    let long = opened(&terms, &1.into(), qty("1"), CENTS.price("60000"));
    let short = opened(&terms, &(-1).into(), qty("0.4"), CENTS.price("61000"));
    let rest = MicroAtoms::from_atoms(amount(string(&case["in"]["wallet"])));
    let price = liquidation_price(&terms, &contract, &[long, short], rest, CENTS.price("60000")).unwrap();
    assert_eq!(shown_price(CENTS, price), string(&case["out"]["liqPrice"]));
}

#[test]
fn what_an_order_costs() {
    let all = of_kind("perp_margin.json", "orderCost");
    assert_eq!(all.len(), 2);
    let terms = CENTS.terms();
    for case in all {
        let side = if string(&case["name"]).ends_with("long") { Side::Buy } else { Side::Sell };
        let [price, mark] = ["price", "mark"].map(|key| CENTS.price(string(&case["in"][key])));
        let leverage = u16::try_from(case["in"]["leverage"].as_u64().unwrap()).unwrap();
        let margin = initial_margin(terms.notional(price, qty("1")), leverage);
        let loss = open_loss(&terms, side, price, mark, qty("1"));
        let found = [margin, loss, margin + loss].map(shown);
        let wanted = ["initialMargin", "openLoss", "cost"].map(|key| canonical(string(&case["out"][key])));
        assert_eq!(found, wanted, "{}", case["name"]);
    }
}

#[test]
fn what_open_orders_take() {
    let all = of_kind("perp_margin.json", "openOrderMargin");
    assert_eq!(all.len(), 2);
    let terms = CENTS.terms();
    for case in all {
        let given = &case["in"];
        let mark = CENTS.price(string(&given["mark"]));
        let leverage = string(&given["leverage"]).parse().unwrap();
        let value = terms.notional(mark, qty(string(&given["pos"])));
        let all_of = |side, key: &str| {
            pairs(CENTS, &given[key]).into_iter().fold(Amount::ZERO, |sum, (price, qty)| {
                let counts_at = margin::order_price(side, Some(price), mark, mark);
                sum + terms.notional(counts_at, qty)
            })
        };
        let orders = OpenOrders { bids: all_of(Side::Buy, "buys"), asks: all_of(Side::Sell, "sells") };
        let own = initial_margin(Amount(value.0.abs()), leverage);
        let total = total_initial_margin(value, orders, leverage);
        let found = [own, total, total - own].map(shown);
        let wanted = ["positionIM", "totalIM", "openOrderIM"].map(|key| canonical(string(&case["out"][key])));
        assert_eq!(found, wanted, "{}", case["name"]);
    }
}

#[test]
fn mark_prices() {
    let all = of_kind("perp_mark_funding.json", "mark");
    assert_eq!(all.len(), 3);
    for case in all {
        let given = &case["in"];
        let index = CENTS.price(string(&given["index"]));
        let [until, interval] = ["hoursToFunding", "intervalHours"]
            .map(|key| string(&given[key]).parse::<u64>().unwrap() * HOUR_NS);
        let one = funding_price(index, rate(string(&given["lastFundingRate"])), until, interval);
        let mut window = BasisWindow::default();
        for _ in 0..7 {
            window.add(index + PriceTicks(900), index + PriceTicks(900), index);
        }
        for sample in given["basisSamples"].as_array().unwrap() {
            let middle = index + CENTS.price(string(sample));
            window.add(middle - PriceTicks(3), middle + PriceTicks(3), index);
        }
        let other = window.price(index);
        let mark = mark_price(one, other, CENTS.price(string(&given["contractPrice"])));
        let found = [one, other, mark].map(|price| text(price.0.into(), CENTS.0));
        assert_eq!(
            found,
            ["price1", "price2", "mark"].map(|key| canonical(string(&case["out"][key]))),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn premiums() {
    let all = of_kind("perp_mark_funding.json", "premium");
    assert_eq!(all.len(), 3);
    let terms = CENTS.terms();
    for case in all {
        let given = &case["in"];
        let value = amount(string(&given["impactMarginNotional"])).0 / terms.quote_atoms_per_tick_lot.0;
        let [bid, ask] = ["bids", "asks"]
            .map(|side| impact_price(pairs(CENTS, &given[side]), i64::try_from(value).unwrap()).unwrap());
        let found = premium(Some(bid), Some(ask), CENTS.price(string(&given["index"])));
        let out = &case["out"];
        assert_eq!(
            [shown_price(CENTS, bid), shown_price(CENTS, ask), text(found.0.into(), 12)],
            ["impactBid", "impactAsk", "premium"].map(|key| canonical(string(&out[key]))),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn funding_rates() {
    let all = of_kind("perp_mark_funding.json", "fundingRate");
    assert_eq!(all.len(), 5);
    for case in all {
        let given = &case["in"];
        let mut average = AveragePremium::default();
        for sample in given["premiums"].as_array().unwrap() {
            average.add(Premium(i64::try_from(units(string(sample), 12)).unwrap()));
        }
        let mut contract = contract();
        contract.funding_interval_hours = string(&given["intervalHours"]).parse().unwrap();
        contract.interest = rate(string(&given["interest"]));
        contract.funding_cap = rate(string(&given["cap"]));
        contract.funding_floor = -contract.funding_cap;
        let FundingRate(found) = funding_rate(&contract, average.average());
        assert_eq!(
            [text(average.average().0.into(), 12), text(found.into(), 8)],
            ["averagePremium", "rate"].map(|key| canonical(string(&case["out"][key]))),
            "{}",
            case["name"]
        );
    }
}

#[test]
fn funding_settlements() {
    let all = of_kind("perp_mark_funding.json", "fundingSettlement");
    assert_eq!(all.len(), 2);
    let terms = CENTS.terms();
    for case in all {
        let given = &case["in"];
        let (mark, rate) = (CENTS.price(string(&given["mark"])), rate(string(&given["rate"])));
        let mut dust = Amount::ZERO;
        for (who, position) in given["positions"].as_object().unwrap() {
            let flow = funding_flow(&terms, qty(string(position)), mark, rate);
            assert_eq!(shown(flow), canonical(string(&case["out"]["flows"][who])), "{}", case["name"]);
            dust -= flow;
        }
        assert_eq!(shown(dust), canonical(string(&case["out"]["dustToInsurance"])));
    }
}

/// The first five: what an immediate order at the bankruptcy price does, by hand, since there is no book here.
#[test]
fn liquidations() {
    let all = cases("perp_liquidation_adl.json");
    assert_eq!(all.len(), 11);
    let terms = CENTS.terms();
    for case in &all[..5] {
        let (given, out) = (&case["in"], &case["out"]);
        let held = &given["position"];
        let entry = CENTS.price(string(&held["entry"]));
        let mut position = opened(&terms, &1.into(), qty(string(&held["qty"])), entry);
        let mut margin = amount(string(&held["isolatedMargin"]));
        let mark = CENTS.price(string(&given["mark"]));
        let mut contract = contract();
        contract.clearance_fee_ppm = ppm(string(&given["clearanceFeeRate"]));
        let fee_ppm = i128::from(ppm(string(&given["takerFee"])));
        let fund = amount(string(&given["insurance"]));

        let price =
            liquidation_price(&terms, &contract, &[position], MicroAtoms::from_atoms(margin), entry).unwrap();
        assert_eq!(shown_price(CENTS, price), string(&out["liqPrice"]));
        let equity = margin + position.unrealized(&terms, mark);
        let triggered = is_liquidatable(equity, maintenance_margin(&contract, position.value(&terms, mark)));
        assert_eq!(triggered, out["triggered"].as_bool().unwrap(), "{}", case["name"]);
        if !triggered {
            continue;
        }
        let worst = bankruptcy_price(&terms, &position, equity, mark);
        assert_eq!(text(worst.0.into(), CENTS.0), string(&out["bankruptcyPrice"]));

        let (mut sold, mut fees, mut trades) = (Amount::ZERO, Amount::ZERO, Vec::new());
        for (price, lots) in pairs(CENTS, &given["bids"]) {
            let lots = lots.min(position.size());
            if price >= worst && !lots.is_zero() {
                margin += position.fill(&terms, Side::Sell, price, lots);
                sold += terms.notional(price, lots);
                fees += Amount(terms.notional(price, lots).0 * fee_ppm / 1_000_000);
                trades.push([text(price.0.into(), CENTS.0), text(lots.0.into(), 3)]);
            }
        }
        assert_eq!(serde_json::to_value(&trades).unwrap(), out["iocTrades"], "{}", case["name"]);
        assert_eq!(shown(fees), canonical(string(&out["tradingFees"])));
        margin -= fees;
        let delta = if position.is_none() {
            let fee = clearance_fee(&contract, sold, margin);
            assert_eq!(shown(fee), canonical(string(&out["clearanceFeeToInsurance"])));
            // Nothing is left in these cases; what is missing the fund pays.
            if margin < Amount::ZERO { margin } else { fee }
        } else {
            // Taken over at what leaves the account with nothing but what the fills were better.
            let taken =
                Position { qty_lots: position.qty_lots, cost: terms.notional(worst, position.qty_lots) };
            assert_eq!(text(taken.qty_lots.0.into(), 3), canonical(string(&out["takeover"]["qty"])));
            margin += taken.cost - position.cost;
            assert!(fund_can_carry(fund + margin, &taken, &terms, mark));
            margin
        };
        assert_eq!(shown(delta), canonical(string(&out["insuranceDelta"])), "{}", case["name"]);
        assert_eq!(shown(fund + delta), canonical(string(&out["insuranceAfter"])));
    }
}

#[test]
fn partial_liquidations() {
    let terms = CENTS.terms();
    for case in &cases("perp_liquidation_adl.json")[5..9] {
        let (given, out) = (&case["in"], &case["out"]);
        let size = qty(string(&given["qty"]));
        let position = opened(&terms, &1.into(), size, CENTS.price(string(&given["entry"])));
        let mark = CENTS.price(string(&given["mark"]));
        let equity = amount(string(&given["margin"])) + position.unrealized(&terms, mark);
        let mut contract = contract();
        contract.clearance_fee_ppm = ppm(string(&given["clearanceFee"]));
        contract.liquidation_step_lots = qty(string(&given["step"]));
        let fee_ppm = ppm(string(&given["takerFee"]));
        let margin = maintenance_margin(&contract, position.value(&terms, mark));
        assert_eq!(
            (shown(equity), text(margin.0, 14), is_liquidatable(equity, margin)),
            (
                canonical(string(&out["equityBefore"])),
                canonical(string(&out["mmBefore"])),
                out["liquidatable"].as_bool().unwrap()
            )
        );
        let others = MicroAtoms::default();
        let part = part_to_close(&terms, &contract, size, (equity, others), mark, fee_ppm);
        assert_eq!(part.is_some(), out["partialPossible"].as_bool().unwrap(), "{}", case["name"]);
        let closed = part.unwrap_or(size);
        assert_eq!(text(closed.0.into(), 3), canonical(string(&out["closedQty"])), "{}", case["name"]);
        if part.is_some() {
            let paid_ppm = i128::from(fee_ppm + contract.clearance_fee_ppm);
            let after = MicroAtoms::from_atoms(equity).0 - terms.notional(mark, closed).0 * paid_ppm;
            let left = maintenance_margin(&contract, terms.notional(mark, size - closed));
            assert_eq!(
                (text(after, 14), text(left.0, 14)),
                (canonical(string(&out["equityAfter"])), canonical(string(&out["mmAfter"])))
            );
        }
    }
}

#[test]
fn who_is_deleveraged_first() {
    let case = &cases("perp_liquidation_adl.json")[9];
    let (terms, contract) = (CENTS.terms(), contract());
    let mark = CENTS.price(string(&case["in"]["mark"]));
    let rows = &case["out"]["rows(user,qty,entry,wallet,upnl,mm,leveragePnl,altPnlPctXleverage)"];
    let mut ranked = Vec::new();
    for (short, row) in case["in"]["shorts"].as_array().unwrap().iter().zip(rows.as_array().unwrap()) {
        let entry = CENTS.price(string(&short["entry"]));
        let position = opened(&terms, &(-1).into(), qty(string(&short["qty"])), entry);
        let unrealized = position.unrealized(&terms, mark);
        let margin = maintenance_margin(&contract, Amount(position.value(&terms, mark).0.abs()));
        let score = leverage_score(unrealized, amount(string(&short["wallet"])), margin, amount("1"));
        let found = [shown(unrealized), text(margin.0, 14), text(score.0, 12)];
        assert_eq!(found, [4, 5, 6].map(|at: usize| canonical(string(&row[at]))));
        if score.0 > 0 {
            ranked.push((score, string(&short["user"]).to_string(), position));
        }
    }
    ranked.sort_by_key(|(score, ..)| std::cmp::Reverse(*score));
    let order: Vec<_> = ranked.iter().map(|(_, user, _)| user.clone()).collect();
    assert_eq!(serde_json::to_value(order).unwrap(), case["out"]["order"]);
    let mut left = qty("6");
    let mut fills = Vec::new();
    for (_, user, mut position) in ranked {
        let lots = left.min(position.size());
        if !lots.is_zero() {
            let realized = position.fill(&terms, Side::Buy, CENTS.price("47500"), lots);
            fills.push((user, text(lots.0.into(), 3), shown(realized)));
            left -= lots;
        }
    }
    let wanted = case["out"]["fills"].as_array().unwrap().iter();
    let wanted: Vec<_> = wanted
        .map(|fill| {
            let key = |key: &str| string(&fill[key]).to_string();
            (key("user"), key("qty"), key("realized"))
        })
        .collect();
    assert_eq!((fills, left), (wanted, QtyLots::ZERO));
}

/// Money is neither made nor lost, whoever opens and whoever closes.
#[test]
fn conservation() {
    let all = cases("perp_liquidation_adl.json");
    let case = all.last().unwrap();
    let terms = CENTS.terms();
    let mut accounts: std::collections::BTreeMap<String, (Position, Amount)> =
        ["A", "B", "C", "D"].map(|who| (who.to_string(), (Position::NONE, amount("100000")))).into();
    let mut fees = Amount::ZERO;
    for trade in case["out"]["log"].as_array().unwrap() {
        let (price, lots) = (CENTS.price(string(&trade["price"])), qty(string(&trade["qty"])));
        for (key, side, fee_ppm) in
            [("buyer", Side::Buy, "taker(buyer)"), ("seller", Side::Sell, "maker(seller)")]
        {
            let (position, wallet) = accounts.get_mut(string(&trade[key])).unwrap();
            let rate = i128::from(ppm(string(&case["in"][fee_ppm])));
            let fee = Amount(terms.notional(price, lots).0 * rate / 1_000_000);
            *wallet += position.fill(&terms, side, price, lots) - fee;
            fees += fee;
        }
        let sum = |part: &dyn Fn(&(Position, Amount)) -> i128| accounts.values().map(part).sum::<i128>();
        let found = [
            sum(&|(position, _)| position.qty_lots.0.into()).to_string(),
            text(sum(&|(_, wallet)| wallet.0), 8),
            shown(fees),
            text(sum(&|(position, _)| position.unrealized(&terms, price).0), 8),
        ];
        let wanted = ["sumPositions", "sumWallets", "fees", "sumUPNL_at_trade_price"];
        assert_eq!(found, wanted.map(|key| canonical(string(&trade[key]))));
    }
    for (who, (position, wallet)) in &accounts {
        let row = &case["out"]["final"][who];
        let found = [
            text(position.qty_lots.0.into(), 3),
            shown_price(CENTS, position.entry_price(&terms, 1_000_000)),
            shown(*wallet),
        ];
        assert_eq!(found, ["qty", "entry", "wallet"].map(|key| canonical(string(&row[key]))), "{who}");
    }
}
