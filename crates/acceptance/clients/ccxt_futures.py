"""ccxt from PyPI, unmodified: perpetual contracts on a fresh demo that nobody moves.

Wallets, transfers, leverage, every order that there is, positions with their profits, income, funding, histories, market data. The
environment and the lines on standard output are those of `ccxt_spot.py`.
"""

import os
import time

import ccxt

URL = os.environ["RIALTO_URL"]
API = {
    "public": URL + "/api/v3",
    "private": URL + "/api/v3",
    "sapi": URL + "/sapi/v1",
    "fapiPublic": URL + "/fapi/v1",
    "fapiPublicV2": URL + "/fapi/v2",
    "fapiPrivate": URL + "/fapi/v1",
    "fapiPrivateV2": URL + "/fapi/v2",
    "fapiPrivateV3": URL + "/fapi/v3",
    "fapiData": URL + "/futures/data",
    "dapiPublic": URL + "/dapi/v1",
}
SYMBOL = "BTC/USDT:USDT"


def client(name):
    keys = {"apiKey": os.environ[f"{name}_KEY"], "secret": os.environ[f"{name}_SECRET"]}
    return ccxt.binance({**keys, "urls": {"api": API}, "options": {"defaultType": "swap"}})


alice, bob = client("ALICE"), client("BOB")


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def refused(kind, text, act):
    try:
        act()
    except ccxt.BaseError as error:
        assert isinstance(error, kind), f"{type(error).__name__}, wanted {kind.__name__}: {error}"
        assert text in str(error), f"{error}, wanted {text!r}"
    else:
        raise AssertionError(f"{text}: was not refused")


# What is listed.
markets = alice.load_markets()
market = markets[SYMBOL]
same((market["swap"], market["linear"], market["active"], market["settle"]), (True, True, True, "USDT"), "a contract")
same((market["precision"]["price"], market["precision"]["amount"]), (0.1, 0.001), "tick and lot")
same("BTC/USDT" in markets, True, "the spot market of the same name")

# Wallets.
balance = alice.fetch_balance()["USDT"]
same((balance["total"], balance["free"]), (1_000_000.0, 1_000_000.0), "what is in the futures wallet")
alice.transfer("USDT", 500_000, "spot", "linear")
same(alice.fetch_balance()["USDT"]["total"], 1_500_000.0, "moved in")
alice.transfer("USDT", 500_000, "linear", "spot")
same(alice.fetch_balance()["USDT"]["total"], 1_000_000.0, "moved out")
refused(ccxt.BaseError, "-2018", lambda: alice.transfer("USDT", 5_000_000, "linear", "spot"))

# Settings.
same(alice.fetch_position_mode(SYMBOL)["hedged"], False, "one-way")
alice.set_leverage(10, SYMBOL)
same(alice.fetch_leverage(SYMBOL)["longLeverage"], 10, "leverage")
refused(ccxt.BaseError, "-4028", lambda: alice.fapiPrivatePostLeverage({"symbol": "BTCUSDT", "leverage": 126}))
tiers = alice.fetch_leverage_tiers([SYMBOL])[SYMBOL]
same((tiers[0]["maxLeverage"], tiers[0]["maintenanceMarginRate"], tiers[0]["maxNotional"]), (125.0, 0.004, 50_000.0), "tiers")

# Orders, of every kind that there is.
bid = alice.create_order(SYMBOL, "limit", "buy", 1, 59_000)
same((bid["status"], bid["filled"], bid["remaining"]), ("open", 0.0, 1.0), "it rests")
same([order["id"] for order in alice.fetch_open_orders(SYMBOL)], [bid["id"]], "open orders")
same(alice.cancel_order(bid["id"], SYMBOL)["status"], "canceled", "cancelled")
ask = bob.create_order(SYMBOL, "limit", "sell", 2, 60_000, {"postOnly": True})
same(ask["timeInForce"], "PO", "maker only")
refused(ccxt.BaseError, "-5022", lambda: alice.create_order(SYMBOL, "limit", "buy", 1, 60_000, {"postOnly": True}))
fok = alice.create_order(SYMBOL, "limit", "buy", 3, 60_000, {"timeInForce": "FOK"})
same((fok["status"], fok["filled"]), ("expired", 0.0), "fill or kill")
ioc = alice.create_order(SYMBOL, "limit", "buy", 1, 60_000, {"timeInForce": "IOC"})
same((ioc["status"], ioc["filled"], ioc["average"]), ("closed", 1.0, 60_000.0), "immediate or cancel")
refused(ccxt.BaseError, "-2019", lambda: bob.create_order(SYMBOL, "limit", "buy", 900, 50_000))
refused(ccxt.BaseError, "-2022", lambda: bob.create_order(SYMBOL, "market", "sell", 1, None, {"reduceOnly": True}))
refused(ccxt.BaseError, "-4164", lambda: alice.create_order(SYMBOL, "limit", "buy", 0.001, 40_000))

# A position.
(position,) = alice.fetch_positions([SYMBOL])
same((position["side"], position["contracts"], position["entryPrice"]), ("long", 1.0, 60_000.0), "alice is long")
same((position["initialMargin"], position["marginMode"]), (6_000.0, "cross"), "its margin")
same(position["unrealizedPnl"], 0.0, "at the mark price")
same(float(position["info"]["maintMargin"]), 250.0, "what must be left")
(short,) = bob.fetch_positions([SYMBOL])
same((short["side"], short["contracts"]), ("short", 1.0), "bob is short")
same(alice.fetch_open_interest(SYMBOL)["openInterestAmount"], 1.0, "open interest")
ranks = {rank["symbol"]: rank["rank"] for rank in alice.fetch_positions_adl_rank([SYMBOL])}
same(ranks, {SYMBOL: 0}, "who has won nothing is not deleveraged before others")
# 60,000 at 0.0005 and 0.0002.
same(alice.fetch_balance()["USDT"]["total"], 1_000_000.0 - 30.0, "the taker's fee")
same(bob.fetch_balance()["USDT"]["total"], 1_000_000.0 - 12.0, "the maker's fee")

# Pulling the plug changes nothing.
print("kill", flush=True)
input()
same(alice.fetch_positions([SYMBOL])[0]["contracts"], 1.0, "the position is still there")
same(bob.fetch_balance()["USDT"]["total"], 1_000_000.0 - 12.0, "and so is the wallet")
same(alice.fetch_leverage(SYMBOL)["longLeverage"], 10, "and the leverage")
same([order["id"] for order in bob.fetch_open_orders(SYMBOL)], [ask["id"]], "and the order that rests")

# It is closed at a profit.
bob.cancel_all_orders(SYMBOL)
bid = bob.create_order(SYMBOL, "limit", "buy", 1, 60_100)
closed = alice.create_order(SYMBOL, "market", "sell", 5, None, {"reduceOnly": True})
same((closed["status"], closed["filled"], closed["average"]), ("closed", 1.0, 60_100.0), "cut to the position")
same(alice.fetch_positions([SYMBOL]), [], "no position is left")
trades = alice.fetch_my_trades(SYMBOL)
same([(trade["side"], trade["price"], trade["takerOrMaker"]) for trade in trades],
     [("buy", 60_000.0, "taker"), ("sell", 60_100.0, "taker")], "own trades")
same([float(trade["info"]["realizedPnl"]) for trade in trades], [0.0, 100.0], "profits")
income = alice.fapiPrivateGetIncome({"limit": 100})
kinds = [(entry["incomeType"], float(entry["income"])) for entry in income]
same(kinds[-3:], [("COMMISSION", -30.0), ("REALIZED_PNL", 100.0), ("COMMISSION", -30.05)], "income")
same(sorted({kind for kind, _ in kinds}), ["COMMISSION", "REALIZED_PNL", "TRANSFER"], "kinds of income")
found = alice.fetch_order(closed["id"], SYMBOL)
same((found["status"], found["reduceOnly"], found["cost"]), ("closed", True, 60_100.0), "the order itself")
same(len(alice.fetch_orders(SYMBOL)), 4, "all of alice's orders")

# Several at once, each by itself.
orders = [
    {"symbol": SYMBOL, "type": "limit", "side": "buy", "amount": 0.1, "price": 58_000 + step} for step in range(3)
]
placed = bob.create_orders(orders)
same([order["status"] for order in placed], ["open"] * 3, "three at once")
cancelled = bob.cancel_orders([order["id"] for order in placed[:2]], SYMBOL)
same([order["status"] for order in cancelled], ["canceled"] * 2, "two at once")
bob.cancel_all_orders(SYMBOL)
same(bob.fetch_open_orders(SYMBOL), [], "none is left")

# Another price, another quantity.
bid = bob.create_order(SYMBOL, "limit", "buy", 1, 58_000)
edited = bob.edit_order(bid["id"], SYMBOL, "limit", "buy", 2, 58_100)
same((edited["id"], edited["amount"], edited["price"]), (bid["id"], 2.0, 58_100.0), "the same order")
refused(ccxt.BaseError, "-5027", lambda: bob.edit_order(bid["id"], SYMBOL, "limit", "buy", 2, 58_100))
good_till = bob.milliseconds() + 3_600_000
dated = bob.create_order(SYMBOL, "limit", "buy", 1, 58_000, {"timeInForce": "GTD", "goodTillDate": good_till})
same((dated["timeInForce"], int(dated["info"]["goodTillDate"])), ("GTD", good_till), "good till a date")
# A dead man's switch: it fires with the first command behind a moment, and there is a tick each second.
bob.fapiPrivatePostCountdownCancelAll({"symbol": "BTCUSDT", "countdownTime": 1})
deadline = time.monotonic() + 30
while bob.fetch_open_orders(SYMBOL):
    assert time.monotonic() < deadline, "the dead man's switch does not fire"
same(bob.fetch_order(dated["id"], SYMBOL)["status"], "canceled", "cancelled by the dead man's switch")

# Orders that wait for a price.
bob.create_order(SYMBOL, "limit", "sell", 1, 60_000)
alice.create_order(SYMBOL, "market", "buy", 1)
bob.create_order(SYMBOL, "limit", "buy", 3, 59_000)
bob.create_order(SYMBOL, "limit", "sell", 3, 61_000)
stop = alice.create_order(SYMBOL, "market", "sell", 0.4, None, {"stopLossPrice": 59_500, "reduceOnly": True})
profit = alice.create_order(SYMBOL, "limit", "sell", 0.3, 60_900, {"takeProfitPrice": 60_800})
closes = alice.create_order(SYMBOL, "STOP_MARKET", "sell", 0, None, {"stopPrice": 59_100, "closePosition": True})
trails = alice.create_order(SYMBOL, "TRAILING_STOP_MARKET", "sell", 0.1, None, {"callbackRate": 5})
waiting = {order["id"]: order["type"] for order in alice.fetch_open_orders(SYMBOL, params={"trigger": True})}
same(len(waiting), 4, f"orders that wait: {waiting}")
refused(ccxt.BaseError, "-2021", lambda: alice.create_order(SYMBOL, "market", "sell", 1, None, {"stopLossPrice": 60_500}))
alice.cancel_order(trails["id"], SYMBOL, {"trigger": True})
same(alice.fetch_order(trails["id"], SYMBOL, {"trigger": True})["status"], "canceled", "cancelled")
print("kill", flush=True)
input()
same(len(alice.fetch_open_orders(SYMBOL, params={"trigger": True})), 3, "they wait over a kill")
# Somebody sells down to 59,400: the first one's price has come.
bob.create_order(SYMBOL, "limit", "buy", 0.01, 59_400)
alice.create_order(SYMBOL, "market", "sell", 0.01)
found = alice.fetch_order(stop["id"], SYMBOL, {"trigger": True})
same((found["info"]["algoStatus"], found["status"]), ("FINISHED", "closed"), "it was triggered, and has traded")
placed = alice.fetch_order(found["info"]["actualOrderId"], SYMBOL)
same((placed["filled"], placed["average"]), (0.4, 59_000.0), "by an order of its own")
# Which has moved the price to 59,000, where the rest is closed as well; with the position goes what was to reduce it.
same(alice.fetch_positions([SYMBOL]), [], "all is closed")
same(alice.fetch_order(closes["id"], SYMBOL, {"trigger": True})["info"]["algoStatus"], "FINISHED", "by the other one")
same([order["id"] for order in alice.fetch_open_orders(SYMBOL, params={"trigger": True})], [profit["id"]], "one waits")
alice.cancel_all_orders(SYMBOL, {"trigger": True})
same(alice.fetch_open_orders(SYMBOL, params={"trigger": True}), [], "none waits")
bob.cancel_all_orders(SYMBOL)

# Margin of its own.
bob.create_order(SYMBOL, "limit", "sell", 1, 60_000)
alice.set_margin_mode("isolated", SYMBOL)
same(alice.fetch_margin_mode(SYMBOL)["marginMode"], "isolated", "isolated")
refused(ccxt.BaseError, "-4046", lambda: alice.fapiPrivatePostMarginType({"symbol": "BTCUSDT", "marginType": "ISOLATED"}))
before = alice.fetch_balance()["USDT"]["free"]
alice.create_order(SYMBOL, "limit", "buy", 1, 60_000)
(position,) = alice.fetch_positions([SYMBOL])
# A tenth of its value, and the fee.
same((position["marginMode"], float(position["info"]["isolatedWallet"])), ("isolated", 6_000.0), "its margin")
same(alice.fetch_balance()["USDT"]["free"], before - 6_030.0, "is taken from the wallet")
alice.add_margin(SYMBOL, 530)
alice.reduce_margin(SYMBOL, 100)
same(float(alice.fetch_positions([SYMBOL])[0]["info"]["isolatedWallet"]), 6_430.0, "margin is added and taken back")
refused(ccxt.BaseError, "-4048", lambda: alice.set_margin_mode("cross", SYMBOL))
refused(ccxt.BaseError, "-4161", lambda: alice.set_leverage(5, SYMBOL))
assert 53_500 < alice.fetch_positions([SYMBOL])[0]["liquidationPrice"] < 54_500, "where it is liquidated"
bob.create_order(SYMBOL, "limit", "buy", 1, 60_000)
alice.create_order(SYMBOL, "market", "sell", 1, None, {"reduceOnly": True})
same(alice.fetch_positions([SYMBOL]), [], "it is closed")
moved = [(entry["type"], entry["amount"]) for entry in alice.fetch_margin_adjustment_history(SYMBOL)]
same(moved, [("add", 6_030.0), ("add", 530.0), ("reduce", 100.0), ("reduce", 6_400.0)], "how its margin came and went")
same(len(alice.fetch_margin_adjustment_history(SYMBOL, "reduce")), 2, "what was taken out of it")
alice.set_margin_mode("cross", SYMBOL)

# A long and a short position beside each other.
alice.set_position_mode(True, SYMBOL)
same(alice.fetch_position_mode(SYMBOL)["hedged"], True, "two-sided")
refused(ccxt.BaseError, "-4061", lambda: alice.create_order(SYMBOL, "market", "buy", 1))
bob.create_order(SYMBOL, "limit", "sell", 2, 60_000)
alice.create_order(SYMBOL, "market", "buy", 2, None, {"positionSide": "LONG"})
bob.create_order(SYMBOL, "limit", "buy", 1, 60_000)
alice.create_order(SYMBOL, "market", "sell", 1, None, {"positionSide": "SHORT"})
both = {position["side"]: position["contracts"] for position in alice.fetch_positions([SYMBOL])}
same(both, {"long": 2.0, "short": 1.0}, "two positions")
refused(ccxt.BaseError, "-4068", lambda: alice.set_position_mode(False, SYMBOL))
bob.create_order(SYMBOL, "limit", "sell", 1, 60_000)
alice.create_order(SYMBOL, "market", "buy", 1, None, {"positionSide": "SHORT"})
bob.create_order(SYMBOL, "limit", "buy", 2, 60_000)
alice.create_order(SYMBOL, "market", "sell", 2, None, {"positionSide": "LONG"})
same(alice.fetch_positions([SYMBOL]), [], "both are closed")
alice.set_position_mode(False, SYMBOL)
same(bob.fetch_positions([SYMBOL]), [], "nobody has anything")

# Market data.
bob.create_order(SYMBOL, "limit", "buy", 1, 59_900)
same(alice.fetch_order_book(SYMBOL)["bids"], [[59_900.0, 1.0]], "the book")
same([trade["price"] for trade in alice.fetch_trades(SYMBOL)][:3], [60_000.0, 60_100.0, 60_000.0], "trades")
same(alice.fetch_ticker(SYMBOL)["last"], 60_000.0, "the ticker")
same(alice.fetch_bids_asks([SYMBOL])[SYMBOL]["bid"], 59_900.0, "the best bid")
same(sum(candle[5] for candle in alice.fetch_ohlcv(SYMBOL, "1h")), 12.0, "candles")
funding = alice.fetch_funding_rate(SYMBOL)
same((funding["symbol"], funding["interestRate"]), (SYMBOL, 0.0001), "the funding rate")
assert 59_000 < funding["markPrice"] < 61_000, funding
same(alice.fetch_funding_rate_history(SYMBOL), [], "no settlement yet")
premiums = alice.fetch_premium_index_ohlcv(SYMBOL, "1h")
assert premiums and all(abs(price) < 0.01 for candle in premiums for price in candle[1:5]), premiums
# Rows come with the end of five minutes, and of this contract with the positions that there were then.
for past in alice.fetch_open_interest_history(SYMBOL, "5m"):
    assert past["openInterestAmount"] >= 0, past
for past in alice.fetch_long_short_ratio_history(SYMBOL, "5m"):
    assert past["longShortRatio"] > 0, past
same(alice.fetch_funding_intervals([SYMBOL])[SYMBOL]["interval"], "1h", "an interval")
same(alice.fetch_trading_fee(SYMBOL)["taker"], 0.0005, "the fee")
same(alice.fetch_my_liquidations(SYMBOL), [], "no liquidations")
same(alice.fetch_funding_history(SYMBOL), [], "no funding yet")

print("all is as expected")
