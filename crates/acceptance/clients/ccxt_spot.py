"""ccxt from PyPI, unmodified and with nothing set but URLs and keys, trades on a fresh demo.

Where the server is comes from the environment: RIALTO_URL, ALICE_KEY, ALICE_SECRET, BOB_KEY, BOB_SECRET. Everything is held
against `expected.py` to the last decimal. A line `kill` or `terminate` on standard output asks whoever runs this to end the server
that way, to start it again on the same data and ports, and to send a line back. Ends with status 0 only when all of it is right.
"""

import os
import time
from decimal import Decimal as D

import ccxt

from expected import FUNDS, Expected

URL = os.environ["RIALTO_URL"]
API = {
    "public": URL + "/api/v3",
    "private": URL + "/api/v3",
    "sapi": URL + "/sapi/v1",
    "fapiPublic": URL + "/fapi/v1",
    "dapiPublic": URL + "/dapi/v1",
}
SYMBOLS = {"BTC/USDT": "BTCUSDT", "ETH/USDT": "ETHUSDT", "ETH/BTC": "ETHBTC"}
STATUS = {
    "NEW": "open",
    "PARTIALLY_FILLED": "open",
    "FILLED": "closed",
    "CANCELED": "canceled",
    "EXPIRED": "expired",
    "EXPIRED_IN_MATCH": "expired",
}


def client(key=None, secret=None):
    keys = {} if key is None else {"apiKey": key, "secret": secret}
    return ccxt.binance({**keys, "urls": {"api": API}})


public = client()
clients = {
    "alice": client(os.environ["ALICE_KEY"], os.environ["ALICE_SECRET"]),
    "bob": client(os.environ["BOB_KEY"], os.environ["BOB_SECRET"]),
}
alice, bob = clients["alice"], clients["bob"]
expected = Expected(clients)


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def refused(kind, text, call, *arguments, **named):
    """The call must raise exactly `kind`, with `text` in its message."""
    try:
        answer = call(*arguments, **named)
    except ccxt.BaseError as error:
        same(type(error), kind, f"the exception of {call.__name__}{arguments}: {error}")
        assert text in str(error), f"{text!r} is not in {error}"
    else:
        raise AssertionError(f"{call.__name__}{arguments} was not refused: {answer}")


def check_money():
    for name, exchange in clients.items():
        balance = exchange.fetch_balance()
        raw = {entry["asset"]: entry for entry in balance["info"]["balances"]}
        same(set(raw), set(FUNDS), "assets")
        for asset in FUNDS:
            free, used, total = expected.free[name][asset], expected.used[name][asset], expected.total(name, asset)
            same((D(raw[asset]["free"]), D(raw[asset]["locked"])), (free, used), f"{name}'s {asset}, to the atom")
            same(
                (balance[asset]["free"], balance[asset]["used"], balance[asset]["total"]),
                (float(free), float(used), float(total)),
                f"{name}'s {asset}",
            )


def check_order(found, order, what):
    """A ccxt order against ours."""
    same(found["id"], str(order.id), f"id of {what}")
    same(found["clientOrderId"], order.name, f"client id of {what}")
    same(found["symbol"].replace("/", ""), order.symbol, f"symbol of {what}")
    same(found["status"], STATUS[order.status], f"status of {what}")
    same(found["info"]["status"], order.status, f"raw status of {what}")
    same(found["side"], order.side.lower(), f"side of {what}")
    same(D(found["info"]["origQty"]), order.qty, f"amount of {what}")
    same(D(found["info"]["executedQty"]), order.executed, f"filled part of {what}")
    same(D(found["info"]["cummulativeQuoteQty"]), order.quote, f"cost of {what}")
    same((found["amount"], found["filled"]), (float(order.qty), float(order.executed)), f"amounts of {what}")
    same((found["remaining"], found["cost"]), (float(order.left), float(order.quote)), f"what remains of {what}")
    if order.price is not None:
        same(found["price"], float(order.price), f"price of {what}")
    if order.executed:
        same(round(found["average"], 6), round(float(order.quote / order.executed), 6), f"average of {what}")


def check_open(symbols=SYMBOLS):
    for name, exchange in clients.items():
        for symbol in symbols:
            id = SYMBOLS[symbol]
            found = {order["id"]: order for order in exchange.fetch_open_orders(symbol)}
            mine = expected.open(name, id)
            same(set(found), {str(order.id) for order in mine}, f"{name}'s open orders in {symbol}")
            for order in mine:
                check_order(found[str(order.id)], order, f"{name}'s open order {order.id}")


def check_book(symbol="BTC/USDT"):
    book = public.fetch_order_book(symbol)
    bids, asks = expected.levels(SYMBOLS[symbol])
    same(book["bids"], [[float(price), float(qty)] for price, qty in bids], f"bids of {symbol}")
    same(book["asks"], [[float(price), float(qty)] for price, qty in asks], f"asks of {symbol}")
    best = public.fetch_bids_asks([symbol])[symbol]
    # No price is zero on the wire, and nothing in ccxt.
    wanted = [float(side[0][0]) if side else None for side in (bids, asks)]
    same([best["bid"] or None, best["ask"] or None], wanted, f"best prices of {symbol}")


def check(symbol="BTC/USDT"):
    """What a step can have changed; the rest is looked at in `check_history`."""
    check_money()
    check_open([symbol])
    check_book(symbol)


def place(name, side, amount, price=None, symbol="BTC/USDT", type=None, takes=(), end=None, **params):
    """Places an order that takes `takes`, pairs of resting order and quantity, and ends as `end`, and checks all of it."""
    type = type or ("market" if price is None else "limit")
    found = clients[name].create_order(
        symbol, type, side, None if amount is None else float(amount), None if price is None else float(price), params
    )
    qty = sum((D(qty) for _, qty in takes), D(0)) if amount is None else D(amount)
    order = expected.placed(name, SYMBOLS[symbol], found["id"], found["clientOrderId"], side.upper(), qty, price)
    assert abs(found["timestamp"] - now_ms()) < 60_000, f"an order's time: {found}"
    trades = [expected.traded(maker, order, qty, found["timestamp"]) for maker, qty in takes]
    if end is not None:
        expected.ended(order, end)
    what = f"{name}'s new order {order.id}"
    check_order(found, order, what)
    same(len(found["trades"]), len(trades), f"trades of {what}")
    for told, trade in zip(found["trades"], trades, strict=True):
        fee, asset = trade.fees[order.id]
        same(told["id"], str(trade.id), f"id of a trade of {what}")
        same((D(told["info"]["price"]), D(told["info"]["qty"])), (trade.price, trade.qty), f"a trade of {what}")
        same((D(told["info"]["commission"]), told["fee"]["currency"]), (fee, asset), f"fee of a trade of {what}")
        same(told["fee"]["cost"], float(fee), f"fee of a trade of {what}")
    if trades:
        fees = {asset: sum(trade.fees[order.id][0] for trade in trades) for _, asset in [trades[0].fees[order.id]]}
        same({fee["currency"]: fee["cost"] for fee in found["fees"]}, {k: float(v) for k, v in fees.items()}, "fees")
    check(symbol)
    return order


def cancel(order, by_name=False):
    exchange = clients[order.account]
    symbol = next(symbol for symbol, id in SYMBOLS.items() if id == order.symbol)
    if by_name:
        found = exchange.cancel_order(None, symbol, {"clientOrderId": order.name})
    else:
        found = exchange.cancel_order(str(order.id), symbol)
    expected.ended(order, "CANCELED")
    same((found["id"], found["status"]), (str(order.id), "canceled"), "a cancelled order")
    same((found["filled"], found["remaining"]), (float(order.executed), float(order.left)), "a cancelled order's rest")
    check(symbol)


def now_ms():
    return int(time.time() * 1000)


def check_markets(exchange):
    exchange.load_markets()
    # Beside them are contracts: `ccxt_futures.py`.
    spot = {symbol for symbol in exchange.symbols if ":" not in symbol}
    same(spot, set(SYMBOLS), "symbols")
    steps = {
        "BTC/USDT": (0.01, 0.00001, 0.01, 1e6, 0.00001, 9000.0, 5.0, 9e6),
        "ETH/USDT": (0.01, 0.0001, 0.01, 1e6, 0.0001, 9000.0, 5.0, 9e6),
        "ETH/BTC": (0.00001, 0.001, 0.00001, 1000.0, 0.001, 100_000.0, 0.0001, 9e6),
    }
    for symbol, (tick, lot, min_price, max_price, min_amount, max_amount, min_cost, max_cost) in steps.items():
        market = exchange.market(symbol)
        same(market["id"], SYMBOLS[symbol], "id")
        same((market["precision"]["price"], market["precision"]["amount"]), (tick, lot), f"precision of {symbol}")
        same((market["precision"]["base"], market["precision"]["quote"]), (1e-8, 1e-8), f"precision of {symbol}")
        same(market["limits"]["price"], {"min": min_price, "max": max_price}, f"price limits of {symbol}")
        same(market["limits"]["amount"], {"min": min_amount, "max": max_amount}, f"amount limits of {symbol}")
        same(market["limits"]["market"], {"min": min_amount, "max": max_amount}, f"market order limits of {symbol}")
        same(market["limits"]["cost"], {"min": min_cost, "max": max_cost}, f"cost limits of {symbol}")
        same((market["maker"], market["taker"]), (0.001, 0.001), f"fees of {symbol}")
        same((market["type"], market["spot"], market["active"]), ("spot", True, True), f"kind of {symbol}")
        same((market["margin"], market["swap"], market["future"]), (False, False, False), f"kind of {symbol}")
        same(market["info"]["permissionSets"], [["SPOT"]], f"permissions of {symbol}")
    same(exchange.amount_to_precision("BTC/USDT", 0.123456789), "0.12345", "an amount in steps")
    same(exchange.price_to_precision("ETH/BTC", 0.0512345), "0.05123", "a price in steps")


def check_reference_data():
    check_markets(public)
    for exchange in clients.values():
        check_markets(exchange)
        for code in FUNDS:
            same(exchange.currency(code)["precision"], 1e-8, f"precision of {code}")
        fees = exchange.fetch_trading_fees()
        for symbol in SYMBOLS:
            same((fees[symbol]["maker"], fees[symbol]["taker"]), (0.001, 0.001), f"fees of {symbol}")
        same(exchange.fetch_trading_fee("BTC/USDT")["maker"], 0.001, "a fee")
    assert abs(public.fetch_time() - now_ms()) < 5_000, "the server's time"
    same(public.fetch_status()["status"], "ok", "the server's state")


def check_empty_market(symbol):
    same(public.fetch_trades(symbol), [], "trades before the first")
    same(public.fetch_ohlcv(symbol, "1m"), [], "candles before the first trade")
    ticker = public.fetch_ticker(symbol)
    same((ticker["last"] or None, ticker["baseVolume"]), (None, 0.0), "a ticker before the first trade")
    check_book(symbol)


def check_history():
    """All orders, own trades, public trades, candles and tickers, as the script's own books have them."""
    check_money()
    check_open()
    for name, exchange in clients.items():
        for symbol, id in SYMBOLS.items():
            mine = [order for order in expected.orders.values() if (order.account, order.symbol) == (name, id)]
            found = exchange.fetch_orders(symbol)
            same([order["id"] for order in found], [str(order.id) for order in mine], f"{name}'s orders in {symbol}")
            for told, order in zip(found, mine, strict=True):
                check_order(told, order, f"{name}'s order {order.id}")
            own = expected.own_trades(name, id)
            told = exchange.fetch_my_trades(symbol)
            same(len(told), len(own), f"{name}'s trades in {symbol}")
            for trade, (wanted, order) in zip(told, own, strict=True):
                check_own_trade(trade, wanted, order)
    for symbol in SYMBOLS:
        check_tape(symbol)


def check_questions():
    """The narrower questions about the same."""
    for name, exchange in clients.items():
        mine = [order for order in expected.orders.values() if (order.account, order.symbol) == (name, "BTCUSDT")]
        own = expected.own_trades(name, "BTCUSDT")
        for fetch, status in ((exchange.fetch_closed_orders, "FILLED"), (exchange.fetch_canceled_orders, "CANCELED")):
            wanted = {str(order.id) for order in mine if order.status == status}
            same({order["id"] for order in fetch("BTC/USDT")}, wanted, f"{name}'s {status} orders")
        for order in mine:
            check_order(exchange.fetch_order(str(order.id), "BTC/USDT"), order, f"{name}'s order {order.id}")
            by_name = exchange.fetch_order(None, "BTC/USDT", {"clientOrderId": order.name})
            check_order(by_name, order, f"{name}'s order {order.name}")
        filled = next(order for order in mine if len([1 for _, whose in own if whose is order]) > 1)
        wanted = [str(trade.id) for trade, whose in own if whose is filled]
        told = exchange.fetch_order_trades(str(filled.id), "BTC/USDT")
        same([trade["id"] for trade in told], wanted, f"trades of order {filled.id}")
        since = own[len(own) // 2][0].time
        told = exchange.fetch_my_trades("BTC/USDT", since)
        same([trade["id"] for trade in told], [str(trade.id) for trade, _ in own if trade.time >= since], "trades since then")
        told = exchange.fetch_my_trades("BTC/USDT", None, 2)
        same([trade["id"] for trade in told], [str(trade.id) for trade, _ in own[-2:]], "the last two trades")
    same(set(public.fetch_tickers()), set(SYMBOLS), "all tickers")


def check_own_trade(told, trade, order):
    what = f"{order.account}'s part of trade {trade.id}"
    fee, asset = trade.fees[order.id]
    same((told["id"], told["order"], told["side"]), (str(trade.id), str(order.id), order.side.lower()), what)
    same(told["takerOrMaker"], "taker" if order is trade.taker else "maker", what)
    raw = told["info"]
    same((D(raw["price"]), D(raw["qty"]), D(raw["quoteQty"])), (trade.price, trade.qty, trade.quote), what)
    same((told["price"], told["amount"], told["cost"]), tuple(map(float, (trade.price, trade.qty, trade.quote))), what)
    same((D(raw["commission"]), told["fee"]), (fee, {"cost": float(fee), "currency": asset}), f"fee of {what}")
    same(told["timestamp"], trade.time, f"time of {what}")


def check_tape(symbol):
    tape = expected.tape(SYMBOLS[symbol])
    found = public.fetch_trades(symbol)
    same(
        [(trade["price"], trade["amount"], trade["side"], trade["timestamp"]) for trade in found],
        [
            (float(first.price), float(qty), first.taker.side.lower(), first.time)
            for first, _, qty in expected.aggregated(SYMBOLS[symbol])
        ],
        f"public trades of {symbol}",
    )
    if not tape:
        check_empty_market(symbol)
        return
    for frame, length in (("1m", 60_000), ("1h", 3_600_000), ("1d", 86_400_000)):
        before = now_ms()
        candles = public.fetch_ohlcv(symbol, frame)
        after = now_ms()
        wanted = expected.candles(SYMBOLS[symbol], length, candles[-1][0])
        same(candles, [[at, *map(float, numbers)] for at, *numbers in wanted], f"{frame} candles of {symbol}")
        assert before // length * length <= candles[-1][0] <= after // length * length, f"the last candle is now's: {candles[-1]}"
        same(public.fetch_ohlcv(symbol, frame, candles[0][0], 1), candles[:1], "the first candle alone")
    ticker = public.fetch_ticker(symbol)
    prices = [trade.price for trade in tape]
    volume, quote = sum(trade.qty for trade in tape), sum(trade.quote for trade in tape)
    same((ticker["open"], ticker["close"], ticker["last"]), tuple(map(float, (prices[0], prices[-1], prices[-1]))), "ticker")
    same((ticker["high"], ticker["low"]), (float(max(prices)), float(min(prices))), "extremes of the ticker")
    same((D(ticker["info"]["volume"]), D(ticker["info"]["quoteVolume"])), (volume, quote), "volumes of the ticker")
    same(ticker["change"], float(prices[-1] - prices[0]), "change of the ticker")
    assert abs(D(ticker["info"]["weightedAvgPrice"]) - quote / volume) < D("0.00000001"), f"average of {ticker}"
    bids, asks = expected.levels(SYMBOLS[symbol])
    wanted = [tuple(map(float, side[0])) if side else (0.0, 0.0) for side in (bids, asks)]
    found = [(ticker["bid"] or 0.0, ticker["bidVolume"] or 0.0), (ticker["ask"] or 0.0, ticker["askVolume"] or 0.0)]
    same(found, wanted, "best prices of the ticker")
    same(public.fetch_last_prices([symbol])[symbol]["price"], float(prices[-1]), "last price")

def trade_everything():
    check()
    check_empty_market("BTC/USDT")

    resting = place("alice", "buy", "0.5", "59000.01")
    place("bob", "sell", "0.2", "58900", takes=[(resting, "0.2")])
    place("bob", "sell", "0.1", takes=[(resting, "0.1")])
    # Fees with more decimals than there are are rounded up.
    ask = place("bob", "sell", "0.7", "61234.57")
    place("alice", "buy", "0.00123", "62000", takes=[(ask, "0.00123")])

    # By cost: as many whole steps as the money buys, or as little as brings it in.
    steps = (D("100.01") / D("61234.57")).quantize(D("0.00001"), "ROUND_DOWN")
    place("alice", "buy", None, takes=[(ask, steps)], cost=100.01)
    steps = (D("50.5") / D("59000.01")).quantize(D("0.00001"), "ROUND_DOWN")
    place("bob", "sell", None, takes=[(resting, steps)], cost=50.5)

    # Through several levels, best price first, then the older order.
    deep = [place("bob", "sell", "0.1", price) for price in ("61300", "61250", "61250")]
    takes = [(ask, ask.left), (deep[1], "0.1"), (deep[2], "0.1"), (deep[0], "0.05")]
    taker = place("alice", "buy", ask.left + D("0.25"), "61300", takes=takes)
    same(taker.status, "FILLED", "a taker that got all")

    # Immediate or cancel, fill or kill, post only.
    place("alice", "buy", "0.2", "61300", timeInForce="IOC", takes=[(deep[0], "0.05")], end="EXPIRED")
    lone = place("bob", "sell", "0.1", "61000")
    place("alice", "buy", "0.2", "61000", timeInForce="FOK", end="EXPIRED")
    place("alice", "buy", "0.05", "61000", timeInForce="FOK", takes=[(lone, "0.05")])
    refused(
        ccxt.OrderImmediatelyFillable,
        "Order would immediately match and take.",
        alice.create_order,
        "BTC/USDT",
        "limit",
        "buy",
        0.05,
        61000,
        {"postOnly": True},
    )
    check()
    maker = place("alice", "buy", "0.05", "60999.99", postOnly=True, clientOrderId="alice-posts-1")
    same(maker.name, "alice-posts-1", "a chosen name")
    same(alice.fetch_order(str(maker.id), "BTC/USDT")["postOnly"], True, "post only")
    place("bob", "sell", "0.02", "60000", takes=[(maker, "0.02")])

    # Cancels: by id, by name, of a part-filled order, of all at once.
    cancel(place("alice", "buy", "0.01", "50000"))
    cancel(place("alice", "sell", "0.01", "70000", clientOrderId="alice-sells-1"), by_name=True)
    cancel(maker)
    several = [place("alice", "buy", "0.01", price) for price in ("41000", "42000", "43000")]
    others = place("alice", "buy", "1.5", "2500", symbol="ETH/USDT")
    cancelled = alice.cancel_all_orders("BTC/USDT")
    same({order["id"] for order in cancelled}, {str(order.id) for order in [*several, resting]}, "cancelled at once")
    for order in [*several, resting]:
        expected.ended(order, "CANCELED")
    check()
    same(others.status, "NEW", "orders in other markets stay")

    # Cancel and replace: another price, another side of the queue, another id.
    old = place("alice", "buy", "0.4", "60000")
    found = alice.edit_order(str(old.id), "BTC/USDT", "limit", "buy", 0.3, 60100)
    expected.ended(old, "CANCELED")
    new = expected.placed("alice", "BTCUSDT", found["id"], found["clientOrderId"], "BUY", "0.3", "60100")
    check_order(found, new, "an edited order")
    check()
    found = alice.edit_order(str(new.id), "BTC/USDT", "limit", "buy", 0.3, 61000)
    expected.ended(new, "CANCELED")
    taking = expected.placed("alice", "BTCUSDT", found["id"], found["clientOrderId"], "BUY", "0.3", "61000")
    expected.traded(lone, taking, "0.05", found["timestamp"])
    check_order(found, taking, "an edited order that took")
    check()

    # Less of an order that keeps its place: an endpoint that ccxt has no common name for.
    first = place("bob", "sell", "0.5", "61500")
    second = place("alice", "sell", "0.5", "61500")
    amended = bob.request(
        "order/amend/keepPriority",
        ["private"],
        "PUT",
        {"symbol": "BTCUSDT", "orderId": str(first.id), "newQty": "0.3", "newClientOrderId": "less"},
    )["amendedOrder"]
    same((amended["qty"], amended["status"], amended["origClientOrderId"]), ("0.30000000", "NEW", first.name), "an amended order")
    expected.amended(first, "0.3", "less")
    check()
    buyer = place("bob", "buy", "0.1", "61500", takes=[(first, "0.1")])
    same(buyer.status, "FILLED", "a trade with oneself is a trade")
    cancel(second)

    # A market priced in something else.
    offer = place("bob", "sell", "7.777", "0.04567", symbol="ETH/BTC")
    place("alice", "buy", "3.333", "0.05", symbol="ETH/BTC", takes=[(offer, "3.333")])
    place("alice", "buy", "1.234", symbol="ETH/BTC", takes=[(offer, "1.234")])
    # A market order stops at the end of the book.
    cancel(offer)
    place("alice", "buy", "1", symbol="ETH/BTC", end="EXPIRED")


def refuse_everything():
    order = ("BTC/USDT", "limit", "buy", 0.01, 50000)
    stranger = client(alice.apiKey[::-1], alice.secret)
    refused(ccxt.AuthenticationError, "-2015", stranger.fetch_balance)
    refused(ccxt.AuthenticationError, "-2014", client("a key", alice.secret).fetch_balance)
    forger = client(alice.apiKey, alice.secret[::-1])
    refused(ccxt.AuthenticationError, "-1022", forger.fetch_balance)
    refused(ccxt.AuthenticationError, "-1022", forger.create_order, *order)
    refused(ccxt.AuthenticationError, 'requires "apiKey"', public.fetch_balance)

    refused(ccxt.BadSymbol, "does not have market symbol", alice.create_order, "DOGE/USDT", *order[1:])
    refused(ccxt.BadSymbol, "-1121", alice.publicGetDepth, {"symbol": "DOGEUSDT"})
    raw = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.01", "price": "50000"}
    refused(ccxt.BadSymbol, "Invalid symbol.", alice.privatePostOrder, {**raw, "symbol": "DOGEUSDT"})

    money = "Account has insufficient balance for requested action."
    # What rests is held: with it the account has not enough, without it it would.
    resting = place("alice", "buy", "100", "50000")
    refused(ccxt.InsufficientFunds, money, alice.create_order, "BTC/USDT", "limit", "buy", 100, 50000)
    refused(ccxt.InsufficientFunds, money, alice.create_market_buy_order_with_cost, "BTC/USDT", 5_000_000)
    cancel(resting)
    one_step_more = float(expected.free["alice"]["BTC"]) + 0.00001
    refused(ccxt.InsufficientFunds, money, alice.create_order, "BTC/USDT", "limit", "sell", one_step_more, 70000)
    refused(ccxt.InsufficientFunds, money, alice.create_order, "BTC/USDT", "market", "sell", one_step_more)

    # ccxt has no better word for the notional of an order, be it of the original exchange.
    refused(ccxt.BadRequest, "Filter failure: NOTIONAL", alice.create_order, "BTC/USDT", "limit", "buy", 0.00005, 50000)
    refused(ccxt.BadRequest, "Filter failure: NOTIONAL", alice.create_order, "BTC/USDT", "limit", "buy", 200, 50000)
    refused(ccxt.InvalidOrder, "greater than minimum amount", alice.create_order, "BTC/USDT", "limit", "buy", 0.000001, 50000)
    refused(ccxt.InvalidOrder, "LOT_SIZE", alice.privatePostOrder, {**raw, "quantity": "0.000001"})
    refused(ccxt.InvalidOrder, "LOT_SIZE", alice.privatePostOrder, {**raw, "quantity": "9001"})
    refused(ccxt.InvalidOrder, "PRICE_FILTER", alice.privatePostOrder, {**raw, "price": "50000.001"})
    refused(ccxt.InvalidOrder, "PRICE_FILTER", alice.privatePostOrder, {**raw, "price": "1000000.01"})
    refused(ccxt.BadRequest, "-1111", alice.privatePostOrder, {**raw, "quantity": "0.0123456789"})
    refused(ccxt.BadRequest, "-1111", alice.privatePostOrder, {**raw, "price": "50000.123456789"})
    refused(ccxt.BadRequest, "-1100", alice.privatePostOrder, {**raw, "price": "-1"})
    refused(ccxt.BadRequest, "'price'", alice.privatePostOrder, {key: raw[key] for key in raw if key != "price"})
    refused(ccxt.BadRequest, "-1104", alice.privatePostOrder, {**raw, "colour": "red"})

    refused(ccxt.OrderNotFound, "-2013", alice.fetch_order, "999999", "BTC/USDT")
    refused(ccxt.OrderNotFound, "-2011", alice.cancel_order, "999999", "BTC/USDT")
    refused(ccxt.OrderNotFound, "-2011", alice.cancel_all_orders, "ETH/BTC")
    theirs = expected.open("bob", "BTCUSDT")[0]
    refused(ccxt.OrderNotFound, "-2013", alice.fetch_order, str(theirs.id), "BTC/USDT")
    refused(ccxt.OrderNotFound, "-2011", alice.cancel_order, str(theirs.id), "BTC/USDT")

    named = place("alice", "buy", "0.01", "50000", clientOrderId="only-one")
    refused(ccxt.InvalidOrder, "Duplicate order sent.", alice.create_order, *order, {"clientOrderId": "only-one"})
    # Filters come before the cancel, money after it.
    edit = (str(named.id), "BTC/USDT", "limit")
    refused(ccxt.BadRequest, "Filter failure: NOTIONAL", alice.edit_order, *edit, "buy", 200, 60000)
    check()
    refused(ccxt.ExchangeError, "-2021", alice.edit_order, *edit, "sell", 110, 70000)
    expected.ended(named, "CANCELED")
    refused(ccxt.ExchangeError, "-2022", alice.edit_order, *edit, "buy", 0.01, 60000)

    for by_ms, text in ((-20_000, "outside of the recvWindow"), (60_000, "ahead of the server's time")):
        clock = {"timestamp": now_ms() + by_ms}
        refused(ccxt.InvalidNonce, text, alice.fetch_balance, clock)
        refused(ccxt.InvalidNonce, text, alice.create_order, *order, clock)
        refused(ccxt.InvalidNonce, text, alice.cancel_order, str(expected.open("alice")[0].id), "ETH/USDT", clock)
    check()


def restart(how):
    """The server ends between two calls of these clients, which go on as if nothing had been."""
    print(how, flush=True)
    input()
    check_history()


def go_on(price):
    """After a restart ids and names go on, what rested fills, and what was cancelled stays so."""
    bid = place("alice", "buy", "0.25", price, clientOrderId=f"after-{price}")
    place("bob", "sell", "0.1", price, takes=[(bid, "0.1")])
    refused(
        ccxt.InvalidOrder,
        "Duplicate order sent.",
        alice.create_order,
        "BTC/USDT",
        "limit",
        "buy",
        0.01,
        50000,
        {"clientOrderId": bid.name},
    )
    check_history()


check_reference_data()
for symbol in SYMBOLS:
    check_empty_market(symbol)
trade_everything()
refuse_everything()
check_history()
check_questions()
restart("kill")
go_on("61001")
restart("terminate")
go_on("61002")
restart("kill")
check_markets(client())
print("all is as expected", flush=True)
