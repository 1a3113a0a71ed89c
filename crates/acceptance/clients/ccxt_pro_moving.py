"""ccxt.pro from PyPI, unmodified and with nothing set but URLs and keys, follows a moving market and an account that trades in it.

As much of the market as ten minutes of a calm demo have, faster. Books are held against REST's at the same number: whenever REST
shows one that ccxt.pro had, and with the market halted for a moment by the operator, so that there is one. Orders are held
against REST's while they come and go, and to the last digit when all are over. Where the server is comes from the environment:
RIALTO_URL, RIALTO_ADMIN_URL, RIALTO_ADMIN_TOKEN, ALICE_KEY, ALICE_SECRET. Ends with status 0 only when all of it is right.
"""

import asyncio
import os
import sys
from collections import OrderedDict
from decimal import Decimal as D

import aiohttp
import ccxt
import ccxt.async_support
import ccxt.pro

URL, ADMIN_URL = os.environ["RIALTO_URL"], os.environ["RIALTO_ADMIN_URL"]
SOCKETS = URL.replace("http", "ws", 1)
API = {
    "public": URL + "/api/v3",
    "private": URL + "/api/v3",
    "sapi": URL + "/sapi/v1",
    "fapiPublic": URL + "/fapi/v1",
    "dapiPublic": URL + "/dapi/v1",
}
PRO_API = {**API, "ws": {"spot": SOCKETS + "/ws/stream", "ws-api": {"spot": SOCKETS + "/ws-api/v3"}}}
KEYS = {"apiKey": os.environ["ALICE_KEY"], "secret": os.environ["ALICE_SECRET"]}

# What ten minutes of a calm demo have: changes of the book (18, 17 and 1.5 a second).
CHANGES = {"BTC/USDT": 11_000, "ETH/USDT": 10_000, "ETH/BTC": 900}
HALTS = 5
ROUNDS = 40
PATIENCE_S = 60


class Progress:
    """Wakes those who wait when something has come. Whoever tells does not wait himself: what comes while nobody watches, ccxt
    tells only with what comes next.
    """

    def __init__(self):
        self.waiting = []

    def tell(self):
        for waiter in self.waiting:
            if not waiter.done():
                waiter.set_result(None)
        self.waiting.clear()

    async def until(self, is_so, what):
        try:
            async with asyncio.timeout(PATIENCE_S):
                while not is_so():
                    self.waiting.append(asyncio.get_running_loop().create_future())
                    await self.waiting[-1]
        except TimeoutError:
            raise AssertionError(f"{what} does not come") from None


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def is_of_a_halt(error):
    """ccxt knows it by its text, but not inside the answer to a replacement, whose own text is that it failed."""
    return isinstance(error, ccxt.MarketClosed) or "Market is closed." in str(error)


def levels(side):
    return {float(price): float(qty) for price, qty in side}


class Book:
    """What ccxt.pro has of a market's book, and had at the latest numbers."""

    def __init__(self, pro, rest, symbol):
        self.pro, self.rest, self.symbol = pro, rest, symbol
        self.progress = Progress()
        self.first = self.nonce = None
        self.messages = self.at_once = self.halted = 0
        self.had = OrderedDict()

    async def watch(self):
        while True:
            book = await self.pro.watch_order_book(self.symbol)
            assert self.nonce is None or book["nonce"] >= self.nonce, f"{self.symbol} went back"
            self.nonce = book["nonce"]
            self.first = self.nonce if self.first is None else self.first
            self.messages += 1
            self.had[self.nonce] = (levels(book["bids"]), levels(book["asks"]))
            if len(self.had) > 100:
                self.had.popitem(last=False)
            self.progress.tell()

    async def _from_rest(self):
        return await self.rest.public_get_depth({"symbol": self.symbol.replace("/", ""), "limit": 1000})

    def _equals(self, shown):
        bids, asks = self.had[int(shown["lastUpdateId"])]
        assert len(bids) > 20 and len(asks) > 20, f"{self.symbol}: {len(bids)} bids and {len(asks)} asks"
        assert max(bids) < min(asks), f"{self.symbol} is crossed"
        same(bids, levels(shown["bids"]), f"bids of {self.symbol} at {shown['lastUpdateId']}")
        same(asks, levels(shown["asks"]), f"asks of {self.symbol} at {shown['lastUpdateId']}")

    async def compare(self, is_enough):
        """Asks for REST's book again and again, each time after a message, and compares when ccxt.pro has had the same one."""
        while not is_enough():
            seen = self.messages
            await self.progress.until(lambda: self.messages > seen, "a message")
            shown = await self._from_rest()
            number = int(shown["lastUpdateId"])
            await self.progress.until(lambda: self.nonce >= number, "the book that REST shows")
            if number in self.had:
                self._equals(shown)
                self.at_once += 1

    async def compare_halted(self, operate):
        """The operator halts the market; nothing can change; ccxt.pro must come to the very book that REST shows."""
        for part in range(HALTS):
            passed = self.first + CHANGES[self.symbol] * (part + 1) // HALTS
            await self.progress.until(lambda: self.nonce >= passed, "the market's movement")
            await operate(self.symbol, "HALT")
            shown = await self._from_rest()
            number = int(shown["lastUpdateId"])
            await self.progress.until(lambda: self.nonce >= number, "the book of the halted market")
            self._equals(shown)
            same(self.nonce, number, f"the last change of {self.symbol}")
            await operate(self.symbol, "TRADING")
            self.halted += 1


class Account:
    """An account's orders, trades and balance as ccxt.pro is told of them."""

    def __init__(self, pro, rest):
        self.pro, self.rest = pro, rest
        self.progress = Progress()
        self.orders, self.trades, self.placed = {}, {}, []
        self.balance = None
        self.steps = 0

    async def watch_orders(self):
        while True:
            for order in await self.pro.watch_orders():
                before = self.orders.get(order["id"])
                if before is not None:
                    assert before["status"] == "open", f"told of an order that was over: {before} {order}"
                    assert D(order["info"]["z"]) >= D(before["info"]["z"]), f"an execution was taken back: {order}"
                    assert int(order["info"]["I"]) > int(before["info"]["I"]), f"told out of order: {order}"
                self.orders[order["id"]] = dict(order)
                self.steps += 1
            self.progress.tell()

    async def watch_trades(self):
        while True:
            for trade in await self.pro.watch_my_trades():
                self.trades[(trade["symbol"], trade["id"])] = dict(trade)
            self.progress.tell()

    async def watch_balance(self):
        while True:
            self.balance = await self.pro.watch_balance()
            self.progress.tell()

    def equals(self, found, told):
        """An order of REST's and one of the stream."""
        what = f"order {found['id']}: {told}"
        for field in ("status", "side", "type", "symbol", "price", "amount", "filled", "remaining", "cost"):
            same(told[field], found[field], f"{field} of {what}")
        # ccxt prefers `C`, which is the former id after an amendment.
        same(told["info"]["c"], found["clientOrderId"], f"client id of {what}")
        same(told["info"]["X"], found["info"]["status"], f"status of {what}")
        same(told["info"]["z"], found["info"]["executedQty"], f"executed quantity of {what}")
        same(told["info"]["Z"], found["info"]["cummulativeQuoteQty"], f"quote quantity of {what}")

    async def told_of(self, id):
        await self.progress.until(lambda: id in self.orders, f"order {id}")

    async def place(self, *arguments, **named):
        order = await self.pro.create_order_ws(*arguments, **named)
        self.placed.append((order["id"], arguments[0]))
        await self.told_of(order["id"])
        return order["id"]

    async def compare_open(self):
        """The open orders of both, unless one of them was filled between the two answers; then again."""
        for _ in range(50):
            shown = await self.rest.fetch_open_orders()
            again = await self.rest.fetch_open_orders()
            if [order["info"] for order in shown] != [order["info"] for order in again]:
                continue
            known = self.orders
            as_shown = {order["id"]: order["info"]["executedQty"] for order in shown}

            def told():
                return {id: order["info"]["z"] for id, order in known.items() if order["status"] == "open"}

            def in_step_or_past():
                return all(id in known and D(known[id]["info"]["z"]) >= D(done) for id, done in as_shown.items())

            await self.progress.until(in_step_or_past, "the orders that REST shows")
            if told() == as_shown:
                for order in shown:
                    self.equals(order, known[order["id"]])
                return 1
        return 0


async def trade(account, books, is_enough):
    """Rests, amends, replaces, cancels, takes, and is taken from, in all markets, a round for each of ccxt.pro's books."""
    compared = number = 0
    resting = []
    pace = books["BTC/USDT"]
    while number < ROUNDS or not is_enough():
        seen = pace.messages
        await pace.progress.until(lambda: pace.messages > seen, "a message")
        number += 1
        for symbol, qty in (("BTC/USDT", 0.01), ("ETH/USDT", 0.1), ("ETH/BTC", 0.2)):
            book = account.pro.orderbooks[symbol]
            bid, ask = book["bids"][0][0], book["asks"][0][0]
            side, touch, away = [("buy", bid, 0.98), ("sell", ask, 1.02)][number % 2]
            price = account.pro.price_to_precision
            try:
                # One far away, amended, replaced or cancelled; one at the touch, that somebody takes soon; one that takes.
                far = await account.place(symbol, "limit", side, qty, float(price(symbol, touch * away)))
                resting.append((await account.place(symbol, "limit", side, qty, float(price(symbol, touch))), symbol))
                await account.place(symbol, "market", side, qty)
                if number % 3 == 0:
                    await account.pro.cancel_order_ws(far, symbol)
                    await account.progress.until(lambda: account.orders[far]["status"] == "canceled", "a cancel")
                elif number % 3 == 1:
                    half = account.pro.amount_to_precision(symbol, qty / 2)
                    request = {"symbol": symbol.replace("/", ""), "orderId": far, "newQty": half}
                    await account.rest.request("order/amend/keepPriority", ["private"], "PUT", request)
                    await account.progress.until(lambda: account.orders[far]["amount"] == float(half), "an amendment")
                    resting.append((far, symbol))
                else:
                    new = await account.pro.edit_order_ws(far, symbol, "limit", side, qty, float(price(symbol, touch * away)))
                    account.placed.append((new["id"], symbol))
                    await account.told_of(new["id"])
                    await account.progress.until(lambda: account.orders[far]["status"] == "canceled", "a replacement")
                    resting.append((new["id"], symbol))
            except ccxt.ExchangeError as error:
                if not is_of_a_halt(error):
                    raise
                # The operator has halted it. The market moves on when it is over.
                seen = books[symbol].nonce
                await books[symbol].progress.until(lambda: books[symbol].nonce > seen, "the end of a halt")
        compared += await account.compare_open()
        while len(resting) > 12:
            id, symbol = resting.pop(0)
            try:
                await account.rest.cancel_order(id, symbol)
            except ccxt.ExchangeError as error:
                # It was taken, or the market is halted.
                if not isinstance(error, ccxt.OrderNotFound) and not is_of_a_halt(error):
                    raise
    return compared


async def settle(account):
    """Everything is cancelled; then every order, trade and balance of the streams is REST's."""
    for symbol in CHANGES:
        try:
            await account.rest.cancel_all_orders(symbol)
        except ccxt.OrderNotFound:
            pass
    await account.progress.until(lambda: all(order["status"] != "open" for order in account.orders.values()), "the end of all")
    assert await account.rest.fetch_open_orders() == []
    same(set(account.orders), {id for id, _ in account.placed}, "the orders that were told")
    for id, symbol in account.placed:
        account.equals(await account.rest.fetch_order(id, symbol), account.orders[id])
    for symbol in CHANGES:
        trades = {(symbol, trade["id"]): trade for trade in await account.rest.fetch_my_trades(symbol, limit=1000)}
        await account.progress.until(lambda: all(key in account.trades for key in trades), "the trades that REST shows")
        told = {key: trade for key, trade in account.trades.items() if key[0] == symbol}
        same(set(told), set(trades), f"trades in {symbol}")
        for key, trade in trades.items():
            for field in ("order", "side", "price", "amount", "cost", "takerOrMaker", "fee", "timestamp"):
                same(told[key][field], trade[field], f"{field} of trade {key}")
    balance = await account.rest.fetch_balance()
    for asset in ("BTC", "ETH", "USDT"):
        def is_told():
            return account.balance is not None and all(
                account.balance[asset][part] == balance[asset][part] for part in ("free", "used", "total")
            )

        await account.progress.until(is_told, f"{asset} as REST shows it")


async def main():
    # Nothing limits how often we ask but the exchange.
    settings = {"urls": {"api": PRO_API}, "enableRateLimit": False}
    pro, own = ccxt.pro.binance(settings), ccxt.pro.binance({**KEYS, **settings})
    rest = ccxt.async_support.binance({**KEYS, **settings})
    rest.options["fetchOpenOrders"]["warnWithoutSymbol"] = False
    headers = {"Authorization": "Bearer " + os.environ["RIALTO_ADMIN_TOKEN"]}
    operator = aiohttp.ClientSession(headers=headers)

    async def operate(symbol, status):
        path = f"{ADMIN_URL}/admin/v1/markets/{symbol.replace('/', '')}"
        async with operator.put(path, json={"status": status}) as answer:
            assert answer.status == 200, await answer.text()

    books = {symbol: Book(pro, rest, symbol) for symbol in CHANGES}
    account = Account(own, rest)
    await asyncio.gather(pro.load_markets(), own.load_markets(), rest.load_markets())
    await own.authenticate()
    tasks = [asyncio.create_task(book.watch()) for book in books.values()]
    own_books = [asyncio.create_task(Book(own, rest, symbol).watch()) for symbol in CHANGES]
    tasks += own_books
    tasks += [asyncio.create_task(task) for task in (account.watch_orders(), account.watch_trades(), account.watch_balance())]

    async def work():
        for book in books.values():
            await book.progress.until(lambda: book.nonce is not None, "a book")
        for symbol in CHANGES:
            while symbol not in own.orderbooks or not own.orderbooks[symbol]["bids"]:
                await own.watch_order_book(symbol)
        halts = [asyncio.create_task(book.compare_halted(operate)) for book in books.values()]

        def is_enough():
            return all(halt.done() for halt in halts)

        comparisons = [asyncio.create_task(book.compare(is_enough)) for book in books.values()]
        *_, compared = await asyncio.gather(*halts, *comparisons, trade(account, books, is_enough))
        await settle(account)
        return compared

    work = asyncio.create_task(work())
    try:
        # A stream that fails ends the test.
        await asyncio.wait([work, *tasks], return_when=asyncio.FIRST_COMPLETED)
        for task in [*tasks, work]:
            if task.done():
                task.result()
    finally:
        for task in [*tasks, work]:
            task.cancel()
        await asyncio.gather(pro.close(), own.close(), rest.close(), operator.close())
    compared = work.result()
    for symbol, book in books.items():
        print(
            f"{symbol}: {book.nonce - book.first} changes in {book.messages} messages, equal to REST's {book.halted} times"
            f" halted and {book.at_once} times moving",
            file=sys.stderr,
        )
        same(book.halted, HALTS, f"comparisons of {symbol}")
    ended = {status: sum(order["status"] == status for order in account.orders.values()) for status in ("closed", "canceled", "expired")}
    print(f"{len(account.orders)} orders {ended}, {account.steps} reports, {len(account.trades)} trades, open ones compared {compared} times", file=sys.stderr)
    assert sum(book.at_once for book in books.values()) >= 20, "REST's book was compared while it moved"
    assert compared >= ROUNDS // 2 and len(account.trades) >= ROUNDS and min(ended["closed"], ended["canceled"]) >= ROUNDS


asyncio.run(main())
print("all is as expected")
