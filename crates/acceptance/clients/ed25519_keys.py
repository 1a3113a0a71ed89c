"""ccxt and python-binance from PyPI, unmodified, sign with Ed25519 pairs that they have made and the operator has registered.

Where the server is comes from the environment: RIALTO_URL, RIALTO_ADMIN_URL, and the operator's token in RIALTO_ADMIN_TOKEN. A
line `kill` on standard output asks whoever runs this to kill the server, to start it again on the same data and ports, and to send
a line back. Many orders, since about every second signature has a `+` or a `/`. Ends with status 0 only when all of it is right.
"""

import json
import os
import urllib.request

import ccxt
from binance.client import Client
from binance.exceptions import BinanceAPIException
from Crypto.PublicKey import ECC

URL, ADMIN_URL = os.environ["RIALTO_URL"], os.environ["RIALTO_ADMIN_URL"]
ORDERS = 20


def operate(verb, path, body):
    request = urllib.request.Request(
        f"{ADMIN_URL}/admin/v1/{path}",
        data=json.dumps(body).encode(),
        headers={"Authorization": "Bearer " + os.environ["RIALTO_ADMIN_TOKEN"]},
        method=verb,
    )
    with urllib.request.urlopen(request) as answer:
        return json.load(answer)


def registered():
    pair = ECC.generate(curve="Ed25519")
    public_key = pair.public_key().export_key(format="PEM")
    body = {
        "permissions": ["read", "trade"],
        "public_key": public_key,
        "ip_allow_list": ["127.0.0.1"],
    }
    told = operate("POST", "accounts/1/keys", body)
    assert told["kind"] == "ed25519" and "secret" not in told, told
    return told["key"], pair.export_key(format="PEM")


class Binance(Client):
    API_URL = URL + "/api"
    MARGIN_API_URL = URL + "/sapi"


KEY, PRIVATE = registered()
API = {
    "public": URL + "/api/v3",
    "private": URL + "/api/v3",
    "sapi": URL + "/sapi/v1",
    "fapiPublic": URL + "/fapi/v1",
    "dapiPublic": URL + "/dapi/v1",
}
by_ccxt = ccxt.binance({"apiKey": KEY, "secret": PRIVATE, "urls": {"api": API}})
OTHER_KEY, OTHER_PRIVATE = registered()
by_python_binance = Binance(OTHER_KEY, private_key=OTHER_PRIVATE)


def trade():
    """Each places, lists and cancels."""
    for number in range(ORDERS):
        by_ccxt.create_order("BTC/USDT", "limit", "buy", 0.01, 50_000 + number)
        price = str(40_000 + number)
        by_python_binance.create_order(
            symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price=price
        )
    open_orders = by_ccxt.fetch_open_orders("BTC/USDT")
    assert len(open_orders) == 2 * ORDERS, open_orders
    for number, order in enumerate(open_orders):
        if number % 2 == 0:
            by_ccxt.cancel_order(order["id"], "BTC/USDT")
        else:
            by_python_binance.cancel_order(symbol="BTCUSDT", orderId=order["id"])
    assert by_python_binance.get_open_orders() == []


trade()
told = by_python_binance.get_account_api_permissions()
assert told["ipRestrict"] and told["enableSpotAndMarginTrading"] and not told["enableWithdrawals"], told

# Under another master key, and after the server was killed, the pairs are the same.
assert operate("POST", "master-key/change", {})["resealed"] >= 2
trade()
print("kill", flush=True)
input()
trade()

# The operator's word counts at once.
operate("PUT", f"keys/{OTHER_KEY}", {"permissions": ["read"]})
by_python_binance.get_account()
try:
    by_python_binance.create_order(
        symbol="BTCUSDT", side="BUY", type="LIMIT", timeInForce="GTC", quantity="0.01", price="40000"
    )
    raise SystemExit("a key that may only read has placed an order")
except BinanceAPIException as error:
    assert error.code == -2015, error
operate("PUT", f"keys/{KEY}", {"ip_allow_list": ["192.0.2.7"]})
try:
    # A new one: ccxt takes the refusal of a key that has worked before for a passing trouble.
    ccxt.binance({"apiKey": KEY, "secret": PRIVATE, "urls": {"api": API}}).fetch_balance()
    raise SystemExit("a key was used from an address that it is not bound to")
except ccxt.AuthenticationError:
    pass
print("all is as expected")
