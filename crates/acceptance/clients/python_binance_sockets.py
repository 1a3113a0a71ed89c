"""python-binance from PyPI, unmodified but for its URLs, follows moving markets and an account over its sockets.

Where the server is comes from the environment: RIALTO_URL, ALICE_KEY, ALICE_SECRET. Its depth cache is held against REST's book
at the same number, trades and candles against REST's lists, the account's events against the answers and REST. Waits for
messages only. Ends with status 0 only when all of it is right.
"""

import asyncio
import os
import sys

from binance import AsyncClient, BinanceSocketManager, DepthCacheManager

URL = os.environ["RIALTO_URL"]
SOCKETS = URL.replace("http", "ws", 1)
CACHES, TRADES, CANDLES, ROUNDS = 20, 200, 3, 10
PATIENCE_S = 60


class Client(AsyncClient):
    API_URL = URL + "/api"
    MARGIN_API_URL = URL + "/sapi"
    WS_API_URL = SOCKETS + "/ws-api/v3"


class Sockets(BinanceSocketManager):
    STREAM_URL = SOCKETS + "/"


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


async def next_of(socket, is_it=lambda message: True):
    """The next message that is meant. An error among them is the end."""
    while True:
        message = await asyncio.wait_for(socket.recv(), PATIENCE_S)
        assert message.get("e") != "error", message
        if is_it(message):
            return message


async def depth_cache(client, sockets):
    """Equal to REST's book whenever that is at a number that the cache was at: a market that moves less has enough of these."""
    equal, had = 0, {}
    async with DepthCacheManager(client, "ETHBTC", bm=sockets, ws_interval=100, limit=1000, refresh_interval=None) as manager:
        while equal < CACHES:
            cache = await asyncio.wait_for(manager.recv(), PATIENCE_S)
            had[manager._last_update_id] = (cache.get_bids(), cache.get_asks())
            shown = await client.get_order_book(symbol="ETHBTC", limit=1000)
            if shown["lastUpdateId"] in had:
                bids, asks = ([[float(price), float(qty)] for price, qty in shown[side]] for side in ("bids", "asks"))
                same(had[shown["lastUpdateId"]], (bids, asks), f"the book at {shown['lastUpdateId']}")
                equal += 1
    return len(had)


async def depth(sockets):
    """The raw stream: no number is left out."""
    async with sockets.depth_socket("BTCUSDT", interval=100) as socket:
        last = (await next_of(socket))["u"]
        for _ in range(30):
            change = await next_of(socket)
            same((change["e"], change["s"], change["U"]), ("depthUpdate", "BTCUSDT", last + 1), "a change of the book")
            last = change["u"]


async def trades(client, sockets):
    """Each of the market's trades once, as REST lists them."""
    told = []
    async with sockets.trade_socket("BTCUSDT") as socket:
        while len(told) < TRADES:
            told.append(await next_of(socket))
    same([trade["t"] for trade in told], list(range(told[0]["t"], told[0]["t"] + TRADES)), "the trades' numbers")
    shown = await client.get_historical_trades(symbol="BTCUSDT", fromId=told[0]["t"], limit=TRADES)
    same(
        [(trade["t"], trade["p"], trade["q"], trade["T"], trade["m"]) for trade in told],
        [(trade["id"], trade["price"], trade["qty"], trade["time"], trade["isBuyerMaker"]) for trade in shown],
        "the trades",
    )


async def candles(client, sockets):
    """Closed candles are those of REST, and the open one only grows."""
    closed, volume = [], {}
    async with sockets.kline_socket("BTCUSDT", interval="1s") as socket:
        while len(closed) < CANDLES:
            candle = (await next_of(socket))["k"]
            assert float(candle["v"]) >= volume.get(candle["t"], 0), candle
            volume[candle["t"]] = float(candle["v"])
            if candle["x"]:
                closed.append(candle)
    shown = {candle[0]: candle for candle in await client.get_klines(symbol="BTCUSDT", interval="1s", limit=100)}
    for candle in closed:
        same([candle[part] for part in "tohlcvTqnVQ"], shown[candle["t"]][:11], "a closed candle")


async def several(sockets):
    async with sockets.multiplex_socket(["btcusdt@bookTicker", "ethusdt@aggTrade", "!miniTicker@arr", "btcusdt@depth5@100ms"]) as socket:
        seen = set()
        while len(seen) < 4:
            message = await next_of(socket)
            seen.add(message["stream"])
            assert message["data"], message


async def account(client, sockets):
    """Orders by the WebSocket API and by REST; what the account's socket tells of them is what the answers said."""
    async with sockets.user_socket() as socket:
        def of(order):
            return lambda event: event["e"] == "executionReport" and event["i"] == order["orderId"]

        for number in range(ROUNDS):
            price = str(30_000 + number)
            place = client.ws_create_order if number % 2 == 0 else client.create_order
            resting = await place(symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=price)
            event = await next_of(socket, of(resting))
            same((event["x"], event["X"], event["c"]), ("NEW", "NEW", resting["clientOrderId"]), "a new order")
            same((float(event["p"]), event["q"]), (float(price), "0.01000000"), "a new order")
            same((await client.ws_get_order(symbol="BTCUSDT", orderId=resting["orderId"]))["status"], "NEW", "its status")
            cancel = client.cancel_order if number % 2 == 0 else client.ws_cancel_order
            await cancel(symbol="BTCUSDT", orderId=resting["orderId"])
            same((await next_of(socket, of(resting)))["X"], "CANCELED", "a cancelled order")

            taking = await client.ws_create_order(symbol="BTCUSDT", side=["BUY", "SELL"][number % 2], type="MARKET", quantity="0.02")
            same(taking["status"], "FILLED", "an order that takes")
            same((await next_of(socket, of(taking)))["x"], "NEW", "its first event")
            for fill in taking["fills"]:
                event = await next_of(socket, of(taking))
                same(
                    (event["x"], event["t"], event["L"], event["l"], event["n"], event["N"]),
                    ("TRADE", fill["tradeId"], fill["price"], fill["qty"], fill["commission"], fill["commissionAsset"]),
                    "a fill",
                )
            same((event["X"], event["z"], event["Z"]), ("FILLED", taking["executedQty"], taking["cummulativeQuoteQty"]), "its end")
            position = await next_of(socket, lambda event: event["e"] == "outboundAccountPosition")
            shown = {balance["asset"]: balance for balance in (await client.get_account())["balances"]}
            for balance in position["B"]:
                same((balance["f"], balance["l"]), (shown[balance["a"]]["free"], shown[balance["a"]]["locked"]), balance["a"])


async def main():
    client = await Client.create(os.environ["ALICE_KEY"], os.environ["ALICE_SECRET"])
    sockets = Sockets(client, max_queue_size=100_000)
    try:
        caches, *_ = await asyncio.gather(
            depth_cache(client, sockets),
            depth(sockets),
            trades(client, sockets),
            candles(client, sockets),
            several(sockets),
            account(client, sockets),
        )
        print(f"the depth cache was REST's {CACHES} times in {caches} messages", file=sys.stderr)
        book = await client.ws_get_order_book(symbol="BTCUSDT", limit=5)
        same((len(book["bids"]), len(book["asks"])), (5, 5), "a book by the WebSocket API")
        same((await client.ws_get_account())["canTrade"], True, "an account by the WebSocket API")
    finally:
        await client.close_connection()


asyncio.run(main())
print("all is as expected")
