"""Adds an order to the stream and waits for its result: python redis_producer.py HOST PORT."""

import json
import sys

import redis

STREAM = "{rialto}:orders"
REPLIES = STREAM + ":replies"

r = redis.Redis(host=sys.argv[1], port=int(sys.argv[2]), decode_responses=True)

# The result may be there before XADD has answered, so it is looked for behind what is there now.
newest = r.xrevrange(REPLIES, count=1)
last = newest[0][0] if newest else "0"

entry = r.xadd(STREAM, {
    "account": "alice",
    "symbol": "BTCUSDT",
    "side": "BUY",
    "type": "LIMIT",
    "timeInForce": "GTC",
    "quantity": "0.001",
    "price": "50000",
    "newClientOrderId": "from-python",
})

while True:
    read = r.xread({REPLIES: last}, block=10_000)
    if not read:
        sys.exit("no result in ten seconds")
    for last, reply in read[0][1]:
        if reply["entry"] == entry:
            print(json.dumps(reply))
            sys.exit(0)
