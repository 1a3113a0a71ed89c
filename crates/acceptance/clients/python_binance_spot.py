"""python-binance from PyPI, unmodified and with nothing set but URLs and keys, trades on a fresh demo.

Where the server is comes from the environment: RIALTO_URL, ALICE_KEY, ALICE_SECRET, BOB_KEY, BOB_SECRET. Everything is held
against `expected.py` to the last decimal. A line `kill` or `terminate` on standard output asks whoever runs this to end the server
that way, to start it again on the same data and ports, and to send a line back. Ends with status 0 only when all of it is right.
"""

import asyncio
import os
import time
from decimal import Decimal as D

from binance import AsyncClient, Client
from binance.exceptions import BinanceAPIException

from expected import FEE, FUNDS, MARKETS, Expected

URL = os.environ["RIALTO_URL"]
OPEN = ("NEW", "PARTIALLY_FILLED")


class Here(Client):
    API_URL = URL + "/api"
    MARGIN_API_URL = URL + "/sapi"


class AsyncHere(AsyncClient):
    API_URL = URL + "/api"
    MARGIN_API_URL = URL + "/sapi"


public = Here()
clients = {
    "alice": Here(os.environ["ALICE_KEY"], os.environ["ALICE_SECRET"]),
    "bob": Here(os.environ["BOB_KEY"], os.environ["BOB_SECRET"]),
}
alice, bob = clients["alice"], clients["bob"]
expected = Expected(clients)


def now_ms():
    return int(time.time() * 1000)


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def refused(status, code, text, call, *arguments, **named):
    """The call must raise exactly this: HTTP status, code and text."""
    try:
        answer = call(*arguments, **named)
    except BinanceAPIException as error:
        found = (error.status_code, error.code, error.message)
        same(found, (status, code, text), f"what {call.__name__} raises for {named}")
        return error
    raise AssertionError(f"{call.__name__} was not refused: {named} {answer}")


def check_money():
    for name, exchange in clients.items():
        account = exchange.get_account()
        same([entry["asset"] for entry in account["balances"]], list(FUNDS), "assets")
        for entry in account["balances"]:
            asset = entry["asset"]
            found = (D(entry["free"]), D(entry["locked"]))
            same(found, (expected.free[name][asset], expected.used[name][asset]), f"{name}'s {asset}")
        same((account["canTrade"], account["accountType"]), (True, "SPOT"), "an account")
        same(D(account["commissionRates"]["maker"]), FEE, "the fee")
    one = alice.get_asset_balance("BTC")
    same(D(one["free"]), expected.free["alice"]["BTC"], "one balance")


def check_order(found, order, what):
    fields = {
        "symbol": order.symbol,
        "orderId": order.id,
        "orderListId": -1,
        "clientOrderId": order.name,
        "status": order.status,
        "side": order.side,
    }
    same({field: found[field] for field in fields}, fields, what)
    numbers = {
        "price": order.price or D(0),
        "origQty": order.qty,
        "executedQty": order.executed,
        "cummulativeQuoteQty": order.quote,
    }
    same({field: D(found[field]) for field in numbers}, numbers, f"numbers of {what}")


def check_open(symbol=None):
    for name, exchange in clients.items():
        found = exchange.get_open_orders(**({} if symbol is None else {"symbol": symbol}))
        mine = expected.open(name, symbol)
        same([order["orderId"] for order in found], [order.id for order in mine], f"{name}'s open orders")
        for told, order in zip(found, mine, strict=True):
            check_order(told, order, f"{name}'s open order {order.id}")
            same((told["isWorking"], D(told["stopPrice"]), D(told["icebergQty"])), (True, 0, 0), "an open order")


def check_book(symbol):
    book = public.get_order_book(symbol=symbol)
    bids, asks = expected.levels(symbol)
    found = [[(D(price), D(qty)) for price, qty in book[side]] for side in ("bids", "asks")]
    same(found, [bids, asks], f"the book of {symbol}")
    best = public.get_orderbook_ticker(symbol=symbol)
    nothing = (D(0), D(0))
    same((D(best["bidPrice"]), D(best["bidQty"])), bids[0] if bids else nothing, "best bid")
    same((D(best["askPrice"]), D(best["askQty"])), asks[0] if asks else nothing, "best ask")
    if len(bids) > 1:
        top = public.get_order_book(symbol=symbol, limit=1)["bids"]
        same([(D(price), D(qty)) for price, qty in top], bids[:1], "the best level alone")


def check(symbol="BTCUSDT"):
    """What a step can have changed; the rest is looked at in `check_history`."""
    check_money()
    check_open(symbol)
    check_book(symbol)


def check_fills(found, order, trades):
    same(len(found["fills"]), len(trades), f"fills of order {order.id}")
    for told, trade in zip(found["fills"], trades, strict=True):
        fee, asset = trade.fees[order.id]
        wanted = (trade.price, trade.qty, fee, asset, trade.id)
        told = (D(told["price"]), D(told["qty"]), D(told["commission"]), told["commissionAsset"], told["tradeId"])
        same(told, wanted, f"a fill of order {order.id}")


def place(name, side, quantity=None, price=None, symbol="BTCUSDT", type=None, takes=(), end=None, **params):
    """Places an order that takes `takes`, pairs of resting order and quantity, and ends as `end`, and checks all of it."""
    type = type or ("MARKET" if price is None else "LIMIT")
    params |= {key: value for key, value in (("quantity", quantity), ("price", price)) if value is not None}
    if type == "LIMIT":
        params.setdefault("timeInForce", "GTC")
    params.setdefault("newOrderRespType", "FULL")
    found = clients[name].create_order(symbol=symbol, side=side, type=type, **params)
    qty = sum((D(qty) for _, qty in takes), D(0)) if quantity is None else D(quantity)
    order = expected.placed(name, symbol, found["orderId"], found["clientOrderId"], side, qty, price)
    trades = [expected.traded(maker, order, qty, found["transactTime"]) for maker, qty in takes]
    if end is not None:
        expected.ended(order, end)
    check_order(found, order, f"{name}'s new order {order.id}")
    same((found["type"], found["selfTradePreventionMode"]), (type, "NONE"), "a new order")
    same(found["workingTime"], found["transactTime"], "the time of a new order")
    check_fills(found, order, trades)
    check(symbol)
    return order


def cancel(order, **by):
    by = by or {"orderId": order.id}
    found = clients[order.account].cancel_order(symbol=order.symbol, **by)
    expected.ended(order, "CANCELED")
    same(found["origClientOrderId"], order.name, "the name of a cancelled order")
    assert found["clientOrderId"] != order.name, "a cancel has a name of its own"
    check_order({**found, "clientOrderId": order.name}, order, f"cancelled order {order.id}")
    check(order.symbol)


def check_reference_data():
    same(public.ping(), {}, "ping")
    assert abs(public.get_server_time()["serverTime"] - now_ms()) < 5_000, "the server's time"
    info = public.get_exchange_info()
    same([symbol["symbol"] for symbol in info["symbols"]], list(MARKETS), "symbols")
    for symbol, (base, quote) in MARKETS.items():
        market = public.get_symbol_info(symbol)
        same((market["status"], market["baseAsset"], market["quoteAsset"]), ("TRADING", base, quote), f"{symbol}")
        types = ["LIMIT", "LIMIT_MAKER", "MARKET", "STOP_LOSS", "STOP_LOSS_LIMIT", "TAKE_PROFIT", "TAKE_PROFIT_LIMIT"]
        same(market["orderTypes"], types, f"order types of {symbol}")
        same((market["baseAssetPrecision"], market["quoteAssetPrecision"]), (8, 8), f"precision of {symbol}")
        same((market["isSpotTradingAllowed"], market["permissionSets"]), (True, [["SPOT"]]), f"permissions of {symbol}")
        filters = {rule["filterType"]: rule for rule in market["filters"]}
        tick, lot = {"BTCUSDT": ("0.01", "0.00001"), "ETHUSDT": ("0.01", "0.0001"), "ETHBTC": ("0.00001", "0.001")}[symbol]
        same(D(filters["PRICE_FILTER"]["tickSize"]), D(tick), f"tick of {symbol}")
        same(D(filters["LOT_SIZE"]["stepSize"]), D(lot), f"step of {symbol}")
        same(D(filters["NOTIONAL"]["minNotional"]), D("0.0001") if quote == "BTC" else D(5), f"smallest order of {symbol}")
    same(public.get_symbol_info("DOGEUSDT"), None, "a symbol that is not there")
    same(alice.get_system_status(), {"status": 0, "msg": "normal"}, "the server's state")
    for fee in alice.get_trade_fee():
        same((D(fee["makerCommission"]), D(fee["takerCommission"])), (FEE, FEE), "fees")
    commission = alice.v3_get_account_commission(symbol="BTCUSDT")
    same(D(commission["standardCommission"]["taker"]), FEE, "commission")


def check_history():
    check_money()
    check_open()
    for symbol in MARKETS:
        for name, exchange in clients.items():
            mine = [order for order in expected.orders.values() if (order.account, order.symbol) == (name, symbol)]
            found = exchange.get_all_orders(symbol=symbol)
            same([order["orderId"] for order in found], [order.id for order in mine], f"{name}'s orders in {symbol}")
            for told, order in zip(found, mine, strict=True):
                check_order(told, order, f"{name}'s order {order.id}")
                same(exchange.get_order(symbol=symbol, orderId=order.id), told, f"{name}'s order {order.id} alone")
                bearer = [other for other in mine if other.name == order.name][-1]
                same(exchange.get_order(symbol=symbol, origClientOrderId=order.name)["orderId"], bearer.id, f"{order.name}")
            if len(mine) > 2:
                found = exchange.get_all_orders(symbol=symbol, orderId=mine[1].id, limit=1)
                same([order["orderId"] for order in found], [mine[1].id], "one order of all")
            own = expected.own_trades(name, symbol)
            found = exchange.get_my_trades(symbol=symbol)
            same(len(found), len(own), f"{name}'s trades in {symbol}")
            for told, (trade, order) in zip(found, own, strict=True):
                check_own_trade(told, trade, order)
        check_market(symbol)


def check_own_trade(told, trade, order):
    fee, asset = trade.fees[order.id]
    wanted = {
        "symbol": trade.symbol,
        "id": trade.id,
        "orderId": order.id,
        "orderListId": -1,
        "commissionAsset": asset,
        "time": trade.time,
        "isBuyer": order.side == "BUY",
        "isMaker": order is trade.maker,
        "isBestMatch": True,
    }
    same({field: told[field] for field in wanted}, wanted, f"{order.account}'s part of trade {trade.id}")
    numbers = {"price": trade.price, "qty": trade.qty, "quoteQty": trade.quote, "commission": fee}
    same({field: D(told[field]) for field in numbers}, numbers, f"{order.account}'s part of trade {trade.id}")


def check_market(symbol):
    """Public trades, candles, averages and tickers."""
    tape = expected.tape(symbol)
    wanted = [(trade.id, trade.price, trade.qty, trade.quote, trade.time, trade.buyer_is_maker) for trade in tape]
    for fetch in (public.get_recent_trades, alice.get_historical_trades):
        found = [
            (told["id"], D(told["price"]), D(told["qty"]), D(told["quoteQty"]), told["time"], told["isBuyerMaker"])
            for told in fetch(symbol=symbol)
        ]
        same(found, wanted, f"public trades of {symbol}")
    same(
        [
            (told["f"], told["l"], D(told["p"]), D(told["q"]), told["T"], told["m"])
            for told in public.get_aggregate_trades(symbol=symbol)
        ],
        [
            (first.id, last.id, first.price, qty, first.time, first.buyer_is_maker)
            for first, last, qty in expected.aggregated(symbol)
        ],
        f"aggregated trades of {symbol}",
    )
    check_book(symbol)
    ticker = public.get_ticker(symbol=symbol)
    if not tape:
        same((ticker["count"], D(ticker["lastPrice"])), (0, D(0)), "a ticker before the first trade")
        return
    for interval, length in ((Client.KLINE_INTERVAL_1MINUTE, 60_000), (Client.KLINE_INTERVAL_1HOUR, 3_600_000)):
        found = public.get_klines(symbol=symbol, interval=interval)
        candles = expected.candles(symbol, length, found[-1][0])
        same([(row[0], *map(D, row[1:6])) for row in found], candles, f"{interval} candles of {symbol}")
        first = tape[0].time // length * length
        same(public.get_historical_klines(symbol, interval, first)[: len(found)], found, f"{interval} candles page by page")
        for row in found:
            inside = [trade for trade in tape if row[0] <= trade.time <= row[6]]
            quote = sum((trade.quote for trade in inside), D(0))
            bought = [trade for trade in inside if not trade.buyer_is_maker]
            wanted = (
                row[0] + length - 1,
                quote,
                len(inside),
                sum((trade.qty for trade in bought), D(0)),
                sum((trade.quote for trade in bought), D(0)),
            )
            same((row[6], D(row[7]), row[8], D(row[9]), D(row[10])), wanted, f"the rest of a candle of {symbol}")
            same((len(row), row[11]), (12, "0"), "a candle's shape")
    volume, quote = sum(trade.qty for trade in tape), sum(trade.quote for trade in tape)
    wanted = {
        "openPrice": tape[0].price,
        "lastPrice": tape[-1].price,
        "lastQty": tape[-1].qty,
        "highPrice": max(trade.price for trade in tape),
        "lowPrice": min(trade.price for trade in tape),
        "priceChange": tape[-1].price - tape[0].price,
        "volume": volume,
        "quoteVolume": quote,
    }
    same({field: D(ticker[field]) for field in wanted}, wanted, f"ticker of {symbol}")
    same((ticker["firstId"], ticker["lastId"], ticker["count"]), (tape[0].id, tape[-1].id, len(tape)), "ids of the ticker")
    percent = (tape[-1].price - tape[0].price) / tape[0].price * 100
    assert abs(D(ticker["priceChangePercent"]) - percent) <= D("0.0005"), f"{ticker['priceChangePercent']} is not {percent}"
    same(D(public.get_symbol_ticker(symbol=symbol)["price"]), tape[-1].price, "last price")
    prices = {told["symbol"]: D(told["price"]) for told in public.get_all_tickers()}
    same(prices[symbol], tape[-1].price, "last price among all")
    average = public.get_avg_price(symbol=symbol)
    assert now_ms() - tape[0].time < 240_000, "the whole run is inside the average's five minutes"
    assert abs(D(average["price"]) - quote / volume) < D("0.00000001"), f"{average} is not {quote / volume}"
    same((average["mins"], average["closeTime"]), (5, tape[-1].time), "the average's frame")


def trade_everything():
    check()
    resting = place("alice", "BUY", "0.5", "59000.01")
    place("bob", "SELL", "0.2", "58900", takes=[(resting, "0.2")])
    place("bob", "SELL", "0.1", takes=[(resting, "0.1")])
    ask = place("bob", "SELL", "0.7", "61234.57", newClientOrderId="bob-sells")
    same(ask.name, "bob-sells", "a chosen name")
    place("alice", "BUY", "0.00123", "62000", takes=[(ask, "0.00123")])
    steps = (D("100.01") / D("61234.57")).quantize(D("0.00001"), "ROUND_DOWN")
    place("alice", "BUY", quoteOrderQty="100.01", takes=[(ask, steps)])
    steps = (D("50.5") / D("59000.01")).quantize(D("0.00001"), "ROUND_DOWN")
    place("bob", "SELL", quoteOrderQty="50.5", takes=[(resting, steps)])

    place("alice", "BUY", "1", "61234.57", timeInForce="IOC", takes=[(ask, ask.left)], end="EXPIRED")
    place("bob", "SELL", "5", "59000", timeInForce="FOK", end="EXPIRED")
    place("bob", "SELL", "0.01", "59000", timeInForce="FOK", takes=[(resting, "0.01")])
    place("bob", "SELL", "0.25", "61000", type="LIMIT_MAKER")

    # The shorthands for orders.
    found = alice.order_limit_buy(symbol="ETHUSDT", quantity="2", price="2900")
    bid = expected.placed("alice", "ETHUSDT", found["orderId"], found["clientOrderId"], "BUY", "2", "2900")
    found = bob.order_market_sell(symbol="ETHUSDT", quantity="0.5")
    sold = expected.placed("bob", "ETHUSDT", found["orderId"], found["clientOrderId"], "SELL", "0.5")
    trade = expected.traded(bid, sold, "0.5", found["transactTime"])
    check_fills(found, sold, [trade])
    found = bob.order_limit_sell(symbol="ETHUSDT", quantity="1", price="3100")
    offer = expected.placed("bob", "ETHUSDT", found["orderId"], found["clientOrderId"], "SELL", "1", "3100")
    found = alice.order_market_buy(symbol="ETHUSDT", quantity="0.1234")
    bought = expected.placed("alice", "ETHUSDT", found["orderId"], found["clientOrderId"], "BUY", "0.1234")
    expected.traded(offer, bought, "0.1234", found["transactTime"])
    check("ETHUSDT")
    same(alice.create_test_order(symbol="BTCUSDT", side="BUY", type="MARKET", quantity="1"), {}, "a test order")

    # Answers of the other lengths.
    found = alice.create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="40000", newOrderRespType="ACK"
    )
    same(set(found), {"symbol", "orderId", "orderListId", "clientOrderId", "transactTime"}, "the answer ACK")
    low = expected.placed("alice", "BTCUSDT", found["orderId"], found["clientOrderId"], "BUY", "0.1", "40000")
    found = alice.create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.1", price="40001", newOrderRespType="RESULT"
    )
    assert "fills" not in found, "the answer RESULT has no fills"
    lower = expected.placed("alice", "BTCUSDT", found["orderId"], found["clientOrderId"], "BUY", "0.1", "40001")
    check()

    cancel(low)
    cancel(lower, origClientOrderId=lower.name)
    several = [place("alice", "BUY", "0.01", price) for price in ("41000", "42000")]
    found = alice.cancel_all_open_orders(symbol="BTCUSDT")
    same({order["orderId"] for order in found}, {order.id for order in [*several, resting]}, "cancelled at once")
    for order in [*several, resting]:
        expected.ended(order, "CANCELED")
    check()

    replace_and_amend()


def replace_and_amend():
    old = place("alice", "BUY", "0.4", "60000")
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC"}
    found = alice.cancel_replace_order(
        **limit, quantity="0.3", price="60100", cancelReplaceMode="STOP_ON_FAILURE", cancelOrderId=old.id
    )
    expected.ended(old, "CANCELED")
    same((found["cancelResult"], found["newOrderResult"]), ("SUCCESS", "SUCCESS"), "a replacement")
    same(found["cancelResponse"]["origClientOrderId"], old.name, "the replaced order")
    told = found["newOrderResponse"]
    new = expected.placed("alice", "BTCUSDT", told["orderId"], told["clientOrderId"], "BUY", "0.3", "60100")
    check_order(told, new, "the replacement")
    check()

    # The cancel fails and nothing is placed; the cancel fails and something is; the cancel works and nothing is placed.
    gone = {"cancelOrderId": old.id, "quantity": "0.01", "price": "50000"}
    failed, half_failed = "Order cancel-replace failed.", "Order cancel-replace partially failed."
    error = refused(400, -2022, failed, alice.cancel_replace_order, **limit, **gone, cancelReplaceMode="STOP_ON_FAILURE")
    data = error.response.json()["data"]
    same(data["cancelResponse"], {"code": -2011, "msg": "Unknown order sent."}, "half of a replacement")
    same((data["newOrderResult"], data["newOrderResponse"]), ("NOT_ATTEMPTED", None), "the other half")
    check()
    error = refused(409, -2021, half_failed, alice.cancel_replace_order, **limit, **gone, cancelReplaceMode="ALLOW_FAILURE")
    data = error.response.json()["data"]
    same((data["cancelResult"], data["newOrderResult"]), ("FAILURE", "SUCCESS"), "a replacement that placed only")
    told = data["newOrderResponse"]
    placed = expected.placed("alice", "BTCUSDT", told["orderId"], told["clientOrderId"], "BUY", "0.01", "50000")
    check()
    too_much = {**limit, "side": "SELL", "quantity": "110", "price": "70000", "cancelOrderId": placed.id}
    error = refused(409, -2021, half_failed, alice.cancel_replace_order, **too_much, cancelReplaceMode="STOP_ON_FAILURE")
    expected.ended(placed, "CANCELED")
    data = error.response.json()["data"]
    same((data["cancelResult"], data["newOrderResult"]), ("SUCCESS", "FAILURE"), "a replacement that cancelled only")
    money = {"code": -2010, "msg": "Account has insufficient balance for requested action."}
    same(data["newOrderResponse"], money, "why nothing was placed")
    check()

    # Less of an order that keeps its place. python-binance has no name for it, but a way to call it.
    def amend(order, **params):
        return clients[order.account]._put("order/amend/keepPriority", True, data={"symbol": order.symbol, **params})

    first, second = place("alice", "SELL", "0.5", "61500"), place("bob", "SELL", "0.5", "61500")
    found = amend(first, orderId=first.id, newQty="0.2")["amendedOrder"]
    same((D(found["qty"]), found["status"], found["origClientOrderId"]), (D("0.2"), "NEW", first.name), "an amended order")
    assert found["clientOrderId"] != first.name, "an amended order has a new name"
    expected.amended(first, "0.2", found["clientOrderId"])
    check()
    ask = next(order for order in expected.open("bob", "BTCUSDT") if order.price == D("61000"))
    place("bob", "BUY", "0.45", "61500", takes=[(ask, "0.25"), (first, "0.2")])
    found = amend(second, origClientOrderId=second.name, newQty="0.4", newClientOrderId=second.name)["amendedOrder"]
    expected.amended(second, "0.4", second.name)
    check()
    refused(400, -2038, "Order amend (quantity increase) is not supported.", amend, second, orderId=second.id, newQty="0.5")
    refused(400, -2038, "The requested action would change no state; rejecting.", amend, second, orderId=second.id, newQty="0.4")
    refused(400, -2038, "Unknown order sent.", amend, second, orderId=first.id, newQty="0.1")
    check()


def refuse_everything():
    stranger = Here(alice.API_KEY[::-1], alice.API_SECRET)
    refused(401, -2015, "Invalid API-key, IP, or permissions for action.", stranger.get_account)
    refused(401, -2014, "API-key format invalid.", Here("", alice.API_SECRET).get_account)
    forger = Here(alice.API_KEY, alice.API_SECRET[::-1])
    refused(400, -1022, "Signature for this request is not valid.", forger.get_account)
    limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "50000"}
    refused(400, -1022, "Signature for this request is not valid.", forger.create_order, **limit)

    def order(status, code, text, without=(), **change):
        params = {name: value for name, value in {**limit, **change}.items() if name not in without}
        refused(status, code, text, alice.create_order, **params)

    def missing(name):
        return f"Mandatory parameter '{name}' was not sent, was empty/null, or malformed."

    order(400, -1121, "Invalid symbol.", symbol="DOGEUSDT")
    order(400, -1102, missing("symbol"), without=["symbol"])
    order(400, -1102, missing("side"), without=["side"])
    order(400, -1102, missing("price"), without=["price"])
    order(400, -1102, missing("quantity"), without=["quantity"])
    order(400, -1102, missing("timeInForce"), without=["timeInForce"])
    order(400, -1115, "Invalid timeInForce.", timeInForce="GTX")
    order(400, -1116, "Invalid orderType.", type="SOMETIMES")
    order(400, -1117, "Invalid side.", side="HOLD")
    order(400, -1104, "Not all sent parameters were read; read '10' parameter(s) but was sent '11'.", colour="red")
    order(400, -1106, "Parameter 'price' sent when not required.", type="MARKET", without=["timeInForce"])
    order(400, -1013, "Filter failure: NOTIONAL", quantity="0.00009")
    order(400, -1013, "Filter failure: NOTIONAL", quantity="181")
    order(400, -1013, "Filter failure: LOT_SIZE", quantity="0.000001")
    order(400, -1013, "Filter failure: LOT_SIZE", quantity="0")
    order(400, -1013, "Filter failure: LOT_SIZE", quantity="9000.00001", price="0.01")
    order(400, -1013, "Filter failure: PRICE_FILTER", price="50000.001")
    order(400, -1013, "Filter failure: PRICE_FILTER", price="0")
    order(400, -1111, "Parameter 'quantity' has too much precision.", quantity="0.0123456789")
    order(400, -1111, "Parameter 'price' has too much precision.", price="50000.123456789")
    legal = r"^([0-9]{1,20})(\.[0-9]{1,20})?$"
    order(400, -1100, f"Illegal characters found in parameter 'price'; legal range is '{legal}'.", price="-1")
    order(400, -1100, f"Illegal characters found in parameter 'quantity'; legal range is '{legal}'.", quantity="1e3")
    money = "Account has insufficient balance for requested action."
    order(400, -2010, money, side="SELL", quantity="110", price="70000")
    order(400, -2010, money, type="MARKET", side="SELL", quantity="110", without=["timeInForce", "price"])
    take = "Order would immediately match and take."
    order(400, -2010, take, type="LIMIT_MAKER", price="61500", without=["timeInForce"])
    order(400, -2010, "Order would trigger immediately.", type="STOP_LOSS_LIMIT", stopPrice="1")

    refused(400, -2013, "Order does not exist.", alice.get_order, symbol="BTCUSDT", orderId=999_999)
    refused(400, -2013, "Order does not exist.", alice.get_order, symbol="BTCUSDT", origClientOrderId="nobody")
    either = "Param 'origClientOrderId' or 'orderId' must be sent, but both were empty/null!"
    refused(400, -1102, either, alice.get_order, symbol="BTCUSDT")
    refused(400, -1102, either, alice.cancel_order, symbol="BTCUSDT")
    refused(400, -2011, "Unknown order sent.", alice.cancel_order, symbol="BTCUSDT", orderId=999_999)
    theirs = expected.open("bob", "BTCUSDT")[0]
    refused(400, -2011, "Unknown order sent.", alice.cancel_order, symbol="BTCUSDT", orderId=theirs.id)
    refused(400, -2013, "Order does not exist.", alice.get_order, symbol="BTCUSDT", orderId=theirs.id)
    refused(400, -2011, "Unknown order sent.", alice.cancel_all_open_orders, symbol="ETHBTC")
    refused(400, -1121, "Invalid symbol.", public.get_order_book, symbol="DOGEUSDT")
    refused(400, -1120, "Invalid interval.", public.get_klines, symbol="BTCUSDT", interval="7m")

    named = place("alice", "BUY", "0.01", "50000", newClientOrderId="only-one")
    order(400, -2010, "Duplicate order sent.", newClientOrderId="only-one")
    restricted = "Order was not canceled due to cancel restrictions."
    only_partly = {"symbol": "BTCUSDT", "orderId": named.id, "cancelRestrictions": "ONLY_PARTIALLY_FILLED"}
    refused(400, -2011, restricted, alice.cancel_order, **only_partly)
    cancel(named, origClientOrderId="only-one")
    again = place("alice", "BUY", "0.01", "50000", newClientOrderId="only-one")
    cancel(again)

    # A client whose clock is wrong: python-binance keeps the difference to ours in this field.
    alice.timestamp_offset = -20_000
    refused(400, -1021, "Timestamp for this request is outside of the recvWindow.", alice.get_account)
    order(400, -1021, "Timestamp for this request is outside of the recvWindow.")
    alice.REQUEST_RECVWINDOW = 60_001
    order(400, -1102, "'recvWindow' contains unexpected value. Cannot be greater than 60000.")
    alice.REQUEST_RECVWINDOW = 60_000
    same(alice.get_account()["canTrade"], True, "a longer window")
    alice.timestamp_offset = 60_000
    refused(400, -1021, "Timestamp for this request was 1000ms ahead of the server's time.", alice.get_account)
    alice.timestamp_offset, alice.REQUEST_RECVWINDOW = 0, Here.REQUEST_RECVWINDOW
    check()


def restart(how):
    """The server ends between two calls of these clients, which go on as if nothing had been."""
    print(how, flush=True)
    input()
    check_history()


def go_on(price):
    bid = place("alice", "BUY", "0.25", price, newClientOrderId=f"after-{price}")
    place("bob", "SELL", "0.1", price, takes=[(bid, "0.1")])
    duplicate = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "50000"}
    refused(400, -2010, "Duplicate order sent.", alice.create_order, **duplicate, newClientOrderId=bid.name)
    check_history()


async def trade_at_once():
    """The asynchronous client: many orders in flight at the same time, a kill of the server, and the same client goes on."""
    buyer = await AsyncHere.create(alice.API_KEY, alice.API_SECRET)
    seller = await AsyncHere.create(bob.API_KEY, bob.API_SECRET)
    try:
        prices = [D("0.047") + D("0.00001") * step for step in range(40)]
        found = await asyncio.gather(
            *(buyer.order_limit_buy(symbol="ETHBTC", quantity="1", price=str(price)) for price in prices)
        )
        resting = {}
        for told, price in sorted(zip(found, prices, strict=True), key=lambda pair: pair[0]["orderId"]):
            resting[price] = expected.placed("alice", "ETHBTC", told["orderId"], told["clientOrderId"], "BUY", "1", price)
        check("ETHBTC")
        print("kill", flush=True)
        await asyncio.get_running_loop().run_in_executor(None, input)
        same(len(await buyer.get_open_orders(symbol="ETHBTC")), len(prices), "orders after the kill")

        # The best ten go one by one, each seller taking the best bid that is left, whichever of them comes first.
        found = await asyncio.gather(*(seller.order_market_sell(symbol="ETHBTC", quantity="1") for _ in range(10)))
        for told, price in zip(sorted(found, key=lambda told: told["fills"][0]["tradeId"]), reversed(prices)):
            sold = expected.placed("bob", "ETHBTC", told["orderId"], told["clientOrderId"], "SELL", "1")
            trade = expected.traded(resting[price], sold, "1", told["transactTime"])
            check_fills(told, sold, [trade])
        check("ETHBTC")
        await asyncio.gather(*(buyer.cancel_order(symbol="ETHBTC", orderId=resting[price].id) for price in prices[:5]))
        for price in prices[:5]:
            expected.ended(resting[price], "CANCELED")
        check("ETHBTC")
        await buyer.cancel_all_open_orders(symbol="ETHBTC")
        for price in prices[5:30]:
            expected.ended(resting[price], "CANCELED")
        check("ETHBTC")
        try:
            await seller.order_limit_sell(symbol="ETHBTC", quantity="2000", price="0.05")
        except BinanceAPIException as error:
            same(error.code, -2010, "what is refused")
        else:
            raise AssertionError("nobody has 2,000 ETH")
    finally:
        await buyer.close_connection()
        await seller.close_connection()


check_reference_data()
trade_everything()
refuse_everything()
check_history()
restart("kill")
go_on("60111")
restart("terminate")
go_on("60112")
asyncio.run(trade_at_once())
check_history()
print("all is as expected", flush=True)
