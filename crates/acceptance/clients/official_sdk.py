"""binance-sdk-spot, the official Python client from PyPI, unmodified but for its URLs: REST, WebSocket API and streams.

It signs with an Ed25519 pair that the operator registers, logs on, trades and is told of it, with the models of its own checking
every answer's fields. A second client signs with HMAC and does without a session. Where the server is comes from the environment:
RIALTO_URL, RIALTO_ADMIN_URL, RIALTO_ADMIN_TOKEN, BOB_KEY, BOB_SECRET. Ends with status 0 only when all of it is right.
"""

import asyncio
import json
import os
import sys
import urllib.request

from binance_common.configuration import (
    ConfigurationRestAPI,
    ConfigurationWebSocketAPI,
    ConfigurationWebSocketStreams,
)
from binance_sdk_spot.spot import Spot
from binance_sdk_spot.websocket_api.models import ExecutionReport, OutboundAccountPosition
from Crypto.PublicKey import ECC

URL, ADMIN_URL = os.environ["RIALTO_URL"], os.environ["RIALTO_ADMIN_URL"]
SOCKETS = URL.replace("http", "ws", 1)
CHANGES, TRADES, ROUNDS = 100, 100, 10
PATIENCE_S = 60


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def registered():
    """A pair of one's own, as a trading key of the first account."""
    pair = ECC.generate(curve="Ed25519")
    body = {"permissions": ["read", "trade"], "public_key": pair.public_key().export_key(format="PEM")}
    request = urllib.request.Request(
        f"{ADMIN_URL}/admin/v1/accounts/1/keys",
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["RIALTO_ADMIN_TOKEN"]},
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)["key"], pair.export_key(format="PEM")


def client(**keys):
    return Spot(
        config_rest_api=ConfigurationRestAPI(base_path=URL, timeout=30_000, **keys),
        config_ws_api=ConfigurationWebSocketAPI(stream_url=SOCKETS + "/ws-api/v3", **keys),
        config_ws_streams=ConfigurationWebSocketStreams(stream_url=SOCKETS),
    )


class Inbox:
    """What a stream told, in its order."""

    def __init__(self, stream):
        self.told = asyncio.Queue()
        stream.on("message", self.told.put_nowait)

    async def next(self, is_it=lambda message: True):
        while True:
            message = await asyncio.wait_for(self.told.get(), PATIENCE_S)
            message = getattr(message, "actual_instance", message)
            if is_it(message):
                return message


def result(answer):
    """The result within a WebSocket API answer, which came with its rate limits."""
    data = answer.data()
    assert not isinstance(data, dict) or not data.get("error"), data
    assert any(limit.rateLimitType == "REQUEST_WEIGHT" for limit in answer.rate_limits), answer.rate_limits
    return data.result if not isinstance(data, dict) else data["result"]


def by_rest(rest):
    """Every kind of call, each parsed by the client's own models."""
    market = rest.exchange_info(symbol="BTCUSDT").data().symbols[0]
    same((market.symbol, market.status, market.base_asset), ("BTCUSDT", "TRADING", "BTC"), "a market")
    assert rest.time().data().server_time > 0
    book = rest.depth(symbol="BTCUSDT", limit=5).data()
    same((len(book.bids), len(book.asks)), (5, 5), "a book")
    assert len(rest.klines(symbol="BTCUSDT", interval="1m").data()) > 0
    assert len(rest.get_trades(symbol="BTCUSDT", limit=10).data()) == 10
    assert len(rest.agg_trades(symbol="BTCUSDT", limit=10).data()) == 10

    price = float(book.bids[0][0]) - 1000
    price = round(price, 2)
    order = rest.new_order(symbol="BTCUSDT", side="BUY", type="LIMIT", time_in_force="GTC", quantity=0.02, price=price).data()
    shown = rest.get_order(symbol="BTCUSDT", order_id=order.order_id).data()
    same((shown.status, shown.client_order_id, float(shown.price)), ("NEW", order.client_order_id, price), "a new order")
    same([open.order_id for open in rest.get_open_orders(symbol="BTCUSDT").data()], [order.order_id], "open orders")
    amended = rest.order_amend_keep_priority(symbol="BTCUSDT", new_qty=0.01, order_id=order.order_id).data()
    same((amended.amended_order.order_id, float(amended.amended_order.qty)), (order.order_id, 0.01), "an amended order")
    same(rest.delete_order(symbol="BTCUSDT", order_id=order.order_id).data().status, "CANCELED", "a cancelled order")
    rest.order_test(symbol="BTCUSDT", side="SELL", type="MARKET", quantity=0.01)

    taken = rest.new_order(symbol="BTCUSDT", side="BUY", type="MARKET", quote_order_qty=1000).data()
    same(taken.status, "FILLED", "an order that takes")
    own = rest.my_trades(symbol="BTCUSDT", order_id=taken.order_id).data()
    same([trade.id for trade in own], [fill.trade_id for fill in taken.fills], "its trades")
    assert any(balance.asset == "BTC" for balance in rest.get_account().data().balances)
    assert float(rest.account_commission(symbol="BTCUSDT").data().standard_commission.maker) >= 0
    try:
        rest.get_order(symbol="BTCUSDT", order_id=10**15)
        raise SystemExit("an order that nobody placed was found")
    except Exception as error:
        assert "-2013" in str(error) or "does not exist" in str(error), repr(error)


async def by_websocket_api(api, rest, log_on):
    """Places, changes, cancels and takes on one connection, and hears of it there."""
    await api.create_connection()
    if log_on:
        assert result(await api.session_logon()).api_key
        assert result(await api.session_status()).user_data_stream is False
        subscribed = await api.user_data_stream_subscribe()
    else:
        subscribed = await api.user_data_stream_subscribe_signature()
    told = Inbox(subscribed.stream)
    result(subscribed.response)

    def report(order):
        return lambda event: isinstance(event, ExecutionReport) and event.i == order

    book = result(await api.depth(symbol="BTCUSDT", limit=5))
    price = round(float(book.bids[0][0]) - 1000, 2)
    for number in range(ROUNDS):
        limit = {"symbol": "BTCUSDT", "side": "BUY", "type": "LIMIT", "time_in_force": "GTC", "quantity": 0.02}
        order = result(await api.order_place(**limit, price=price))
        event = await told.next(report(order.order_id))
        same((event.x, event.X, event.c, float(event.p)), ("NEW", "NEW", order.client_order_id, price), "a new order")
        result(await api.order_amend_keep_priority(symbol="BTCUSDT", new_qty=0.01, order_id=order.order_id))
        event = await told.next(report(order.order_id))
        same((event.x, float(event.q)), ("REPLACED", 0.01), "an amended order")
        same([open.order_id for open in result(await api.open_orders_status(symbol="BTCUSDT"))], [order.order_id], "open orders")
        if number % 2 == 0:
            same(result(await api.order_cancel(symbol="BTCUSDT", order_id=order.order_id)).status, "CANCELED", "a cancel")
        else:
            result(await api.open_orders_cancel_all(symbol="BTCUSDT"))
        same((await told.next(report(order.order_id))).X, "CANCELED", "a cancelled order")
        same(result(await api.order_status(symbol="BTCUSDT", order_id=order.order_id)).status, "CANCELED", "its status")

        taken = result(await api.order_place(symbol="BTCUSDT", side=["BUY", "SELL"][number % 2], type="MARKET", quantity=0.02))
        same((await told.next(report(taken.order_id))).x, "NEW", "the first event of an order that takes")
        for fill in taken.fills:
            event = await told.next(report(taken.order_id))
            same((event.x, event.t, event.L, event.l), ("TRADE", fill.trade_id, fill.price, fill.qty), "a fill")
        same((event.X, event.z, event.Z), ("FILLED", taken.executed_qty, taken.cummulative_quote_qty), "its end")
        position = await told.next(lambda event: isinstance(event, OutboundAccountPosition))
        shown = {balance.asset: balance for balance in rest.get_account().data().balances}
        for balance in position.B:
            same((balance.f, balance.l), (shown[balance.a].free, shown[balance.a].locked), "a balance")
    assert len(result(await api.my_trades(symbol="BTCUSDT"))) >= ROUNDS
    assert len(result(await api.all_orders(symbol="BTCUSDT"))) >= 2 * ROUNDS
    assert result(await api.account_status()).can_trade
    result(await api.user_data_stream_unsubscribe())
    if log_on:
        result(await api.session_logout())
        data = (await api.session_status()).data()
        assert data.result.api_key is None, data
    await api.close_connection()


async def by_streams(streams, rest):
    """The book that the changes make is REST's at the same number; trades come without a gap."""
    await streams.create_connection()
    changes = Inbox(await streams.diff_book_depth(symbol="ethbtc", update_speed="100ms"))
    trades = Inbox(await streams.trade(symbol="btcusdt"))
    others = [
        Inbox(stream)
        for stream in (
            await streams.agg_trade(symbol="btcusdt"),
            await streams.kline(symbol="btcusdt", interval="1m"),
            await streams.mini_ticker(symbol="btcusdt"),
            await streams.ticker(symbol="btcusdt"),
            await streams.all_mini_ticker(),
        )
    ]
    others += [
        Inbox(stream)
        for stream in (
            await streams.book_ticker(symbol="btcusdt"),
            await streams.avg_price(symbol="btcusdt"),
            await streams.partial_book_depth(symbol="btcusdt", levels="5", update_speed="100ms"),
        )
    ]
    change = await changes.next()
    snapshot = rest.depth(symbol="ETHBTC", limit=1000).data()
    while change.u <= snapshot.last_update_id:
        change = await changes.next()
    assert change.U <= snapshot.last_update_id + 1, (change, snapshot.last_update_id)
    bids, asks = dict(snapshot.bids), dict(snapshot.asks)
    last, had, compared = change.U - 1, {}, 0
    for number in range(CHANGES):
        same(change.U, last + 1, "the number of a change")
        last = change.u
        for side, changed in ((bids, change.b), (asks, change.a)):
            for price, qty in changed:
                side[price] = qty
                if float(qty) == 0:
                    del side[price]
        had[last] = (dict(bids), dict(asks))
        if number % 3 == 0:
            shown = rest.depth(symbol="ETHBTC", limit=1000).data()
            if shown.last_update_id in had:
                same((dict(shown.bids), dict(shown.asks)), had[shown.last_update_id], f"the book at {shown.last_update_id}")
                compared += 1
        change = await changes.next()
    assert compared >= CHANGES // 20, f"compared {compared} times"
    first = (await trades.next()).t
    for number in range(1, TRADES):
        same((await trades.next()).t, first + number, "the number of a trade")
    for other in others:
        await other.next()
    await streams.close_connection()
    print(f"{CHANGES} changes, equal to REST's book {compared} times", file=sys.stderr)


async def main():
    key, private_key = registered()
    alice = client(api_key=key, private_key=private_key)
    bob = client(api_key=os.environ["BOB_KEY"], api_secret=os.environ["BOB_SECRET"])
    by_rest(alice.rest_api)
    by_rest(bob.rest_api)
    await by_websocket_api(alice.websocket_api, alice.rest_api, log_on=True)
    await by_websocket_api(bob.websocket_api, bob.rest_api, log_on=False)
    await by_streams(alice.websocket_streams, alice.rest_api)


asyncio.run(main())
print("all is as expected")
