// binance from npm, unmodified but for its URLs: REST, WebSocket API and streams. Waits for messages only. Ends with status 0
// only when all of it is right.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { ALICE_KEY, ALICE_SECRET, Inbox, SOCKETS, URL, checkReports, keepBook } from "./expect.mjs";

// NODE_PATH says where the packages are, and only `require` asks it.
const require = createRequire(import.meta.url);
const { DefaultLogger, MainClient, WebsocketAPIClient, WebsocketClient } = require("binance");

const symbol = "BTCUSDT";
const keys = { api_key: ALICE_KEY, api_secret: ALICE_SECRET };
const rest = new MainClient({ ...keys, baseUrl: URL });
// Standard output is for the result alone.
const quiet = { ...DefaultLogger, trace() {}, info() {}, error: (...told) => console.error(...told) };

// REST.
const [market] = (await rest.getExchangeInfo({ symbol })).symbols;
assert.deepEqual([market.symbol, market.status], [symbol, "TRADING"]);
const book = await rest.getOrderBook({ symbol, limit: 5 });
assert.deepEqual([book.bids.length, book.asks.length], [5, 5]);
const price = Math.floor(Number(book.bids[0][0]) - 1000);
const limit = { symbol, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.02, price };
const order = await rest.submitNewOrder(limit);
assert.equal((await rest.getOrder({ symbol, orderId: order.orderId })).status, "NEW");
const replaced = await rest.replaceOrder({
  ...limit,
  cancelReplaceMode: "STOP_ON_FAILURE",
  cancelOrderId: order.orderId,
  quantity: 0.01,
});
assert.equal(replaced.cancelResponse.orderId, order.orderId);
const [open] = await rest.getOpenOrders({ symbol });
assert.deepEqual([open.orderId, Number(open.origQty)], [replaced.newOrderResponse.orderId, 0.01]);
assert.equal((await rest.cancelOrder({ symbol, orderId: open.orderId })).status, "CANCELED");
assert.ok((await rest.getAccountInformation()).balances.some(({ asset }) => asset === "BTC"));
await assert.rejects(rest.getOrder({ symbol, orderId: 10 ** 15 }), (error) => error.code === -2013);

// The WebSocket API, with what it tells the account.
const api = new WebsocketAPIClient({ ...keys, wsUrl: SOCKETS, attachEventListeners: false, muteLatencyWarning: true }, quiet);
const told = new Inbox();
api.getWSClient().on("message", (message) => told.push(message.event ?? message));
api.getWSClient().on("exception", (error) => console.error(error));
await api.subscribeUserDataStream("mainWSAPI");
for (let number = 0; number < 10; number += 1) {
  await checkReports(told, {
    place: async (parameters) =>
      (await api.submitNewSpotOrder({ symbol, timestamp: Date.now(), newOrderRespType: "FULL", ...parameters })).result,
    cancel: (orderId) => api.cancelSpotOrder({ symbol, orderId, timestamp: Date.now() }),
    price: price - number,
  });
}
const account = await api.getSpotAccountInformation({ timestamp: Date.now() });
assert.equal(account.result.canTrade, true);
assert.ok(account.rateLimits.length > 0, "rate limits come with it");
assert.equal((await api.getSpotOrderBook({ symbol, limit: 5 })).result.bids.length, 5);

// Streams.
const sockets = new WebsocketClient({ wsUrl: SOCKETS }, quiet);
const inboxes = {};
for (const kind of ["depthUpdate", "trade", "aggTrade", "kline", "24hrMiniTicker"]) inboxes[kind] = new Inbox();
sockets.on("message", (message) => {
  const event = message.data ?? message;
  inboxes[event.e]?.push(event);
});
sockets.on("exception", (error) => console.error(error));
await sockets.subscribe(
  ["ethbtc@depth@100ms", "btcusdt@trade", "btcusdt@aggTrade", "btcusdt@kline_1m", "btcusdt@miniTicker"],
  "main",
);
await keepBook(inboxes.depthUpdate, () => rest.getOrderBook({ symbol: "ETHBTC", limit: 1000 }), 50);
const first = (await inboxes.trade.next()).t;
for (let number = 1; number < 100; number += 1) assert.equal((await inboxes.trade.next()).t, first + number);
for (const kind of ["aggTrade", "kline", "24hrMiniTicker"]) assert.equal((await inboxes[kind].next()).s, symbol);

console.log("all is as expected");
process.exit(0);
