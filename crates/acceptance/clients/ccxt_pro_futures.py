"""ccxt.pro from PyPI, unmodified: what is told of perpetual contracts and of an account that trades them, on a fresh demo that nobody
moves; up to a forced liquidation, which everybody sees. The environment and the lines on standard output are those of
`ccxt_spot.py`.
"""

import asyncio
import os

import ccxt
import ccxt.pro

URL = os.environ["RIALTO_URL"]
SOCKETS = URL.replace("http", "ws", 1)
API = {
    "public": URL + "/api/v3",
    "private": URL + "/api/v3",
    "sapi": URL + "/sapi/v1",
    "fapiPublic": URL + "/fapi/v1",
    "fapiPublicV2": URL + "/fapi/v2",
    "fapiPrivate": URL + "/fapi/v1",
    "fapiPrivateV2": URL + "/fapi/v2",
    "fapiPrivateV3": URL + "/fapi/v3",
    "dapiPublic": URL + "/dapi/v1",
}
PRO_API = {
    **API,
    "ws": {
        "spot": SOCKETS + "/ws/stream",
        "future": SOCKETS + "/ws",
        "linear": SOCKETS + "/ws",
        "ws-api": {"spot": SOCKETS + "/ws-api/v3", "linear": SOCKETS + "/ws-fapi/v1"},
    },
}
SYMBOL, SPOT = "BTC/USDT:USDT", "BTC/USDT"
PATIENCE_S = 60


def client(kind, name, api, market):
    keys = {"apiKey": os.environ[f"{name}_KEY"], "secret": os.environ[f"{name}_SECRET"]}
    return kind({**keys, "urls": {"api": api}, "options": {"defaultType": market}, "newUpdates": True})


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


class Heard:
    """All that one stream has told, and a way to wait for it."""

    def __init__(self, watch, what):
        self.what, self.entries, self.news = what, [], asyncio.Event()
        self.task = asyncio.create_task(self.follow(watch))

    async def follow(self, watch):
        while True:
            told = await watch()
            self.entries += told if isinstance(told, list) and not hasattr(told, "limit") else [told]
            self.news.set()

    async def until(self, is_it):
        """The first entry that is what is waited for."""
        try:
            async with asyncio.timeout(PATIENCE_S):
                while True:
                    for entry in self.entries:
                        if is_it(entry):
                            return entry
                    self.news.clear()
                    waiting = asyncio.create_task(self.news.wait())
                    await asyncio.wait([waiting, self.task], return_when=asyncio.FIRST_COMPLETED)
                    waiting.cancel()
                    if self.task.done():
                        self.task.result()
        except TimeoutError:
            raise AssertionError(f"{self.what}: not told; told was {str(self.entries[-1:])[:2000]}") from None


async def main():
    alice, bob = client(ccxt.binance, "ALICE", API, "swap"), client(ccxt.binance, "BOB", API, "swap")
    spot = client(ccxt.binance, "BOB", API, "spot")
    pro = client(ccxt.pro.binance, "ALICE", PRO_API, "swap")
    await pro.load_markets()
    for exchange in (alice, bob, spot):
        exchange.load_markets()

    heard = {
        "orders": Heard(lambda: pro.watch_orders(), "orders"),
        "trades": Heard(lambda: pro.watch_my_trades(), "own trades"),
        "positions": Heard(lambda: pro.watch_positions([SYMBOL]), "positions"),
        "balance": Heard(lambda: pro.watch_balance(), "balances"),
        "public": Heard(lambda: pro.watch_trades(SYMBOL), "public trades"),
        "mark": Heard(lambda: pro.watch_mark_price(SYMBOL), "the mark price"),
        "best": Heard(lambda: pro.watch_bids_asks([SYMBOL]), "the best prices"),
        "book": Heard(lambda: pro.watch_order_book(SYMBOL), "the book"),
        "candles": Heard(lambda: pro.watch_ohlcv(SYMBOL, "1m"), "candles"),
        "ticker": Heard(lambda: pro.watch_ticker(SYMBOL), "the ticker"),
        "forced": Heard(lambda: pro.watch_liquidations(SYMBOL), "liquidations"),
        "own forced": Heard(lambda: pro.watch_my_liquidations(SYMBOL), "own liquidations"),
    }
    # The mark price is told whether anything happens or not: its socket is open then, and so are those asked for before it.
    await heard["mark"].until(lambda ticker: ticker["markPrice"] is not None)
    # So is what an account is told, once something of it comes back.
    for _ in range(PATIENCE_S):
        alice.transfer("USDT", 1, "linear", "spot")
        told = asyncio.create_task(heard["balance"].news.wait())
        await asyncio.wait([told, heard["balance"].task], timeout=1, return_when=asyncio.FIRST_COMPLETED)
        if told.done():
            break
        told.cancel()

    # Alice opens a long position as large as 1,000 USDT allow.
    free = alice.fetch_balance()["USDT"]["free"]
    alice.transfer("USDT", free - 1_000, "linear", "spot")
    await heard["balance"].until(lambda balance: balance["USDT"]["total"] == 1_000.0)
    alice.set_leverage(100, SYMBOL)
    bob.create_order(SYMBOL, "limit", "sell", 1, 60_000)
    await heard["best"].until(lambda tickers: tickers[SYMBOL]["ask"] == 60_000.0)
    await heard["book"].until(lambda book: book["asks"] and book["asks"][0] == [60_000.0, 1.0])
    opened = alice.create_order(SYMBOL, "market", "buy", 1)
    told = await heard["orders"].until(lambda order: order["id"] == opened["id"] and order["status"] == "closed")
    same((told["filled"], told["average"], told["side"]), (1.0, 60_000.0, "buy"), "an order is told")
    own = await heard["trades"].until(lambda trade: trade["order"] == opened["id"])
    same((own["price"], own["amount"], own["fee"]["cost"]), (60_000.0, 1.0, 30.0), "an own trade is told")
    held = await heard["positions"].until(lambda position: position["contracts"] == 1.0)
    same((held["side"], held["entryPrice"]), ("long", 60_000.0), "a position is told")
    await heard["balance"].until(lambda balance: balance["USDT"]["total"] == 970.0)
    trade = await heard["public"].until(lambda trade: trade["price"] == 60_000.0)
    same((trade["amount"], trade["side"]), (1.0, "buy"), "a trade is told")
    await heard["candles"].until(lambda candle: candle[4] == 60_000.0 and candle[5] >= 1.0)
    await heard["ticker"].until(lambda ticker: ticker["last"] == 60_000.0)

    # An order that rests, to be cancelled by the exchange; and somebody who buys what is sold.
    resting = alice.create_order(SYMBOL, "limit", "sell", 0.5, 61_000, {"reduceOnly": True})
    await heard["orders"].until(lambda order: order["id"] == resting["id"] and order["status"] == "open")
    bob.create_order(SYMBOL, "limit", "sell", 5, 59_220)
    bob.create_order(SYMBOL, "limit", "buy", 5, 59_200)

    # The spot market falls, and with it the index; the mark price follows to between it and the contract's book.
    for side in ("buy", "sell"):
        spot.create_order(SPOT, "limit", side, 0.01, 59_150)
    await heard["orders"].until(lambda order: order["id"] == resting["id"] and order["status"] == "canceled")
    forced = await heard["orders"].until(lambda order: (order["clientOrderId"] or "").startswith("autoclose-"))
    same((forced["side"], forced["reduceOnly"]), ("sell", True), "the exchange sells")
    public = await heard["forced"].until(lambda liquidation: liquidation["symbol"] == SYMBOL)
    same((public["contracts"], public["price"]), (1.0, 59_200.0), "everybody is told")
    await heard["own forced"].until(lambda liquidation: liquidation["symbol"] == SYMBOL)
    await heard["positions"].until(lambda position: position["contracts"] == 0.0)
    same(alice.fetch_positions([SYMBOL]), [], "no position is left")
    same(alice.fetch_open_orders(SYMBOL), [], "nor an order")
    assert alice.fetch_balance()["USDT"]["total"] >= 0, "nobody owes anything"
    (liquidation,) = alice.fetch_my_liquidations(SYMBOL)
    same(liquidation["contracts"], 1.0, "it is remembered")

    for stream in heard.values():
        stream.task.cancel()
    await asyncio.gather(*(stream.task for stream in heard.values()), return_exceptions=True)
    await pro.close()
    print("all is as expected")


asyncio.run(main())
