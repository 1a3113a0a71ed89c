"""python-binance and the official Python SDK for USD-M futures, both from PyPI and unmodified but for their URLs, on a fresh demo that
nobody moves. The SDK checks every answer's fields with models of its own. The environment and the lines on standard output are those
of `ccxt_spot.py`.
"""

import asyncio
import os

from binance import AsyncClient, BinanceSocketManager, Client
from binance.exceptions import BinanceAPIException
from binance_common.configuration import ConfigurationRestAPI
from binance_sdk_derivatives_trading_usds_futures.derivatives_trading_usds_futures import DerivativesTradingUsdsFutures

URL = os.environ["RIALTO_URL"]
SOCKETS = URL.replace("http", "ws", 1)
SYMBOL = "BTCUSDT"
PATIENCE_S = 60
BOB = {"api_key": os.environ["BOB_KEY"], "api_secret": os.environ["BOB_SECRET"]}


class Urls:
    API_URL, MARGIN_API_URL, FUTURES_URL = URL + "/api", URL + "/sapi", URL + "/fapi"
    WS_API_URL, WS_FUTURES_URL = SOCKETS + "/ws-api/v3", SOCKETS + "/ws-fapi/v1"


class Here(Urls, Client):
    pass


class AsyncHere(Urls, AsyncClient):
    pass


class Sockets(BinanceSocketManager):
    STREAM_URL = FSTREAM_URL = SOCKETS + "/"


def same(found, wanted, what):
    assert found == wanted, f"{what}: found {found!r}, wanted {wanted!r}"


def refused(code, text, call, **named):
    try:
        answer = call(**named)
    except BinanceAPIException as error:
        same((error.code, error.message), (code, text), f"what {call.__name__} raises for {named}")
    else:
        raise AssertionError(f"{call.__name__} was not refused: {named} {answer}")


alice = Here(os.environ["ALICE_KEY"], os.environ["ALICE_SECRET"])
bob = DerivativesTradingUsdsFutures(
    config_rest_api=ConfigurationRestAPI(base_path=URL, timeout=30_000, **BOB)
).rest_api


def dump(answer):
    """What the SDK's models have read, by the names of the wire."""
    data = answer.data()
    one = lambda entry: entry.model_dump(by_alias=True) if hasattr(entry, "model_dump") else entry
    data = getattr(data, "actual_instance", data)
    return [one(entry) for entry in data] if isinstance(data, list) else one(data)


def trade():
    """Orders of both, by REST."""
    same(alice.futures_ping(), {}, "ping")
    same([entry["symbol"] for entry in alice.futures_exchange_info()["symbols"]], [SYMBOL, "ETHUSDT"], "contracts")
    same(len(dump(bob.exchange_information())["symbols"]), 2, "contracts for the SDK")
    same(alice.futures_change_leverage(symbol=SYMBOL, leverage=25)["leverage"], 25, "leverage")
    same(dump(bob.change_initial_leverage(symbol=SYMBOL, leverage=50))["leverage"], 50, "leverage for the SDK")
    same(float(alice.futures_account_balance()[0]["balance"]), 1_000_000.0, "a wallet")
    same(float(dump(bob.futures_account_balance_v3())[0]["balance"]), 1_000_000.0, "a wallet for the SDK")

    rested = dump(
        bob.new_order(symbol=SYMBOL, side="SELL", type="LIMIT", time_in_force="GTC", quantity=3, price=60_000)
    )
    same((rested["status"], rested["origQty"]), ("NEW", "3.00000000"), "an order that rests")
    bought = alice.futures_create_order(
        symbol=SYMBOL, side="BUY", type="MARKET", quantity=2, newOrderRespType="RESULT"
    )
    same((bought["status"], float(bought["avgPrice"])), ("FILLED", 60_000.0), "an order at the market")
    refused(-2022, "ReduceOnly Order is rejected.", alice.futures_create_order,
            symbol=SYMBOL, side="BUY", type="MARKET", quantity=1, reduceOnly="true")
    refused(-1121, "Invalid symbol.", alice.futures_create_order, symbol="NOPE", side="BUY", type="MARKET", quantity=1)
    refused(-2013, "Order does not exist.", alice.futures_get_order, symbol=SYMBOL, orderId=999_999)

    batch = alice.futures_place_batch_order(batchOrders=[
        {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "59000"},
        {"symbol": SYMBOL, "side": "BUY", "type": "LIMIT", "timeInForce": "GTC", "quantity": "0.1", "price": "0.01"},
    ])
    same((batch[0]["status"], batch[1]["code"]), ("NEW", -1111), "each by itself")
    same(len(alice.futures_get_open_orders(symbol=SYMBOL)), 1, "open orders")
    same(alice.futures_cancel_all_open_orders(symbol=SYMBOL)["code"], 200, "all cancelled")
    same(dump(bob.cancel_order(symbol=SYMBOL, order_id=int(rested["orderId"])))["status"], "CANCELED", "cancelled")

    (long,) = alice.futures_position_information(symbol=SYMBOL)
    same((float(long["positionAmt"]), float(long["entryPrice"])), (2.0, 60_000.0), "a position")
    (short,) = dump(bob.position_information_v3(symbol=SYMBOL))
    same(float(short["positionAmt"]), -2.0, "a position for the SDK")
    (risk,) = dump(bob.position_information_v2(symbol=SYMBOL))
    same((risk["leverage"], risk["marginType"]), ("50", "cross"), "how it is margined")
    for account in (dump(bob.account_information_v2()), dump(bob.account_information_v3())):
        same(float(account["totalPositionInitialMargin"]), 2_400.0, "what it takes")
    same(len(alice.futures_account_trades(symbol=SYMBOL)), 1, "own trades")
    (own,) = dump(bob.account_trade_list(symbol=SYMBOL))
    same((own["maker"], own["commission"]), (True, "24.00000000"), "own trades for the SDK")
    kinds = [entry["incomeType"] for entry in alice.futures_income_history()]
    same(kinds, ["TRANSFER", "COMMISSION"], "income")
    same([entry["incomeType"] for entry in dump(bob.get_income_history())], ["TRANSFER", "COMMISSION"], "for the SDK")
    same(alice.futures_get_position_mode()["dualSidePosition"], False, "one-way")
    same(float(alice.futures_mark_price(symbol=SYMBOL)["indexPrice"]), 60_000.0, "the index price")
    same(dump(bob.mark_price(symbol=SYMBOL))["symbol"], SYMBOL, "for the SDK")
    same(len(alice.futures_leverage_bracket(symbol=SYMBOL)[0]["brackets"]), 6, "brackets")
    for call in (bob.order_book, bob.recent_trades_list, bob.compressed_aggregate_trades_list, bob.open_interest,
                 bob.get_funding_rate_history, bob.ticker24hr_price_change_statistics, bob.symbol_order_book_ticker,
                 bob.notional_and_leverage_brackets, bob.symbol_configuration, bob.user_commission_rate, bob.all_orders):
        dump(call(symbol=SYMBOL))
    for call in (bob.kline_candlestick_data, bob.mark_price_kline_candlestick_data):
        same(bool(call(symbol=SYMBOL, interval="1m").data()), True, "candles")
    same(bool(bob.premium_index_kline_data(symbol=SYMBOL, interval="1m").data()), True, "candles of the premium")
    for call in (bob.open_interest_statistics, bob.long_short_ratio, bob.taker_buy_sell_volume):
        dump(call(symbol=SYMBOL, period="5m"))
    (place,) = dump(bob.position_adl_quantile_estimation(symbol=SYMBOL))
    same((place["symbol"], place["adlQuantile"]["BOTH"]), (SYMBOL, 0), "his place among those deleveraged")
    same(dump(bob.get_position_margin_change_history(symbol=SYMBOL)), [], "no margin was moved")
    dump(bob.futures_account_configuration())
    dump(bob.users_force_orders())


async def follow():
    """What an account is told, and an order by the WebSocket API."""
    client = await AsyncHere.create(os.environ["ALICE_KEY"], os.environ["ALICE_SECRET"])
    try:
        async with Sockets(client).futures_user_socket() as socket:
            # A socket that has just been opened may not be listened on yet: what it is told first comes of a later order.
            for _ in range(PATIENCE_S):
                placed = await client.ws_futures_create_order(
                    symbol=SYMBOL, side="BUY", type="LIMIT", timeInForce="GTC", quantity=0.1, price=58_000
                )
                try:
                    told = await asyncio.wait_for(socket.recv(), 1)
                    break
                except asyncio.TimeoutError:
                    continue
            while told["e"] != "ORDER_TRADE_UPDATE" or told["o"]["i"] != placed["orderId"]:
                told = await asyncio.wait_for(socket.recv(), PATIENCE_S)
            same((told["o"]["x"], told["o"]["X"]), ("NEW", "NEW"), "an order is told")
            cancelled = await client.ws_futures_cancel_order(symbol=SYMBOL, orderId=placed["orderId"])
            same(cancelled["status"], "CANCELED", "cancelled by the WebSocket API")
            same((await client.ws_futures_account_balance())[0]["asset"], "USDT", "a wallet by the WebSocket API")
    finally:
        await client.close_connection()


trade()
asyncio.run(follow())
print("all is as expected")
