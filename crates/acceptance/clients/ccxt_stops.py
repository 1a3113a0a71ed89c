"""ccxt from PyPI, unmodified and with nothing set but URLs and keys: orders that wait for a price, on a fresh demo that nobody moves.

They wait, also over a kill -9, are listed and cancelled as other orders are, and trade when their price has come. The environment and
the lines on standard output are those of `ccxt_spot.py`.
"""

import os

import ccxt

URL = os.environ["RIALTO_URL"]
API = {
    "public": URL + "/api/v3",
    "private": URL + "/api/v3",
    "sapi": URL + "/sapi/v1",
    "fapiPublic": URL + "/fapi/v1",
    "dapiPublic": URL + "/dapi/v1",
}
SYMBOL = "BTC/USDT"


def client(name):
    keys = {"apiKey": os.environ[f"{name}_KEY"], "secret": os.environ[f"{name}_SECRET"]}
    return ccxt.binance({**keys, "urls": {"api": API}})


alice, bob = client("ALICE"), client("BOB")


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def trade(price):
    """Bob sells to himself at this price."""
    bob.create_order(SYMBOL, "limit", "buy", 0.01, price)
    sold = bob.create_order(SYMBOL, "limit", "sell", 0.01, price)
    same((sold["status"], sold["average"]), ("closed", price), "a trade that moves the price")


def state(order):
    found = alice.fetch_order(order["id"], SYMBOL)
    return found["status"], found["filled"]


def waiting():
    return sorted(order["id"] for order in alice.fetch_open_orders(SYMBOL))


trade(60000.0)
bids = [bob.create_order(SYMBOL, "limit", "buy", 1, price) for price in (58000.0, 57000.0)]
asks = [bob.create_order(SYMBOL, "limit", "sell", 1, price) for price in (62000.0, 63000.0)]

loss = alice.create_order(SYMBOL, "STOP_LOSS", "sell", 0.1, None, {"stopPrice": 59000})
limit = alice.create_order(SYMBOL, "STOP_LOSS_LIMIT", "buy", 0.2, 62500, {"stopPrice": 61000, "timeInForce": "GTC"})
profit = alice.create_order(SYMBOL, "TAKE_PROFIT", "sell", 0.3, None, {"stopPrice": 61500})
# 1 % from the best price.
trail = alice.create_order(SYMBOL, "STOP_LOSS", "sell", 0.4, None, {"trailingDelta": 100})
for order in (loss, limit, profit, trail):
    same((order["status"], order["filled"]), ("open", 0.0), "an order that waits")
same(waiting(), sorted(order["id"] for order in (loss, limit, profit, trail)), "what waits is open")
same(alice.fetch_order(limit["id"], SYMBOL)["triggerPrice"], 61000.0, "its stop price")
same(alice.fetch_order_book(SYMBOL)["bids"][0][0], 58000.0, "it is on no book")

try:
    alice.create_order(SYMBOL, "STOP_LOSS", "sell", 0.1, None, {"stopPrice": 60001})
except ccxt.OrderImmediatelyFillable as error:
    assert "Order would trigger immediately." in str(error), error
else:
    raise AssertionError("a stop that is met already was accepted")

cancelled = alice.cancel_order(profit["id"], SYMBOL)
same(cancelled["status"], "canceled", "what waits is cancelled as other orders are")

print("kill", flush=True)
input()
same(waiting(), sorted(order["id"] for order in (loss, limit, trail)), "what waits after kill -9")

# Up to 61,000: the limit order enters the book, and takes what is there up to its limit.
trade(61000.0)
same(state(limit), ("closed", 0.2), "a stop-loss limit order at its price")
same(alice.fetch_order(limit["id"], SYMBOL)["average"], 62000.0, "at the price of what it met")
# Its own trade at 62,000 is the trailing order's best price; 1 % below that is 61,380, and this trade is lower.
same(state(trail), ("open", 0.0), "a trailing order while the price rises")
trade(61380.0)
same(state(trail), ("closed", 0.4), "a trailing order when the price has turned")
# That has sold at 58,000, which is below what the stop-loss waited for.
same(state(loss), ("closed", 0.1), "a stop-loss order")
same(waiting(), [], "nothing waits any more")
same(bob.fetch_order(bids[0]["id"], SYMBOL)["filled"], 0.5, "what they met")
same(bob.fetch_order(asks[0]["id"], SYMBOL)["filled"], 0.2, "what they met")
print("all is as expected", flush=True)
