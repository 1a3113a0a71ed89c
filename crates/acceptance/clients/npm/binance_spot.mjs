// @binance/spot, the official client from npm, unmodified but for its URLs: REST, WebSocket API and streams. Waits for messages
// only. Ends with status 0 only when all of it is right.

import assert from "node:assert/strict";
import { createRequire } from "node:module";

import { BOB_KEY, BOB_SECRET, Inbox, SOCKETS, URL, checkReports, keepBook } from "./expect.mjs";

// NODE_PATH says where the packages are, and only `require` asks it.
const require = createRequire(import.meta.url);
const { Spot } = require("@binance/spot");

const symbol = "BTCUSDT";
const keys = { apiKey: BOB_KEY, apiSecret: BOB_SECRET };
const client = new Spot({
  configurationRestAPI: { basePath: URL, ...keys },
  configurationWebsocketAPI: { wsURL: SOCKETS + "/ws-api/v3", ...keys },
  configurationWebsocketStreams: { wsURL: SOCKETS },
});
const rest = async (call, parameters) => (await client.restAPI[call](parameters)).data();

// REST.
const [market] = (await rest("exchangeInfo", { symbol })).symbols;
assert.deepEqual([market.symbol, market.status], [symbol, "TRADING"]);
const book = await rest("depth", { symbol, limit: 5 });
assert.deepEqual([book.bids.length, book.asks.length], [5, 5]);
const price = Math.floor(Number(book.bids[0][0]) - 1000);
const order = await rest("newOrder", { symbol, side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.02, price });
assert.equal((await rest("getOrder", { symbol, orderId: order.orderId })).status, "NEW");
await rest("orderAmendKeepPriority", { symbol, orderId: order.orderId, newQty: 0.01 });
const [open] = await rest("getOpenOrders", { symbol });
assert.deepEqual([open.orderId, Number(open.origQty)], [order.orderId, 0.01]);
assert.equal((await rest("deleteOrder", { symbol, orderId: order.orderId })).status, "CANCELED");
assert.ok((await rest("getAccount", {})).balances.some(({ asset }) => asset === "BTC"));
await assert.rejects(rest("getOrder", { symbol, orderId: 10 ** 15 }), /does not exist/);

// The WebSocket API, with what it tells the account.
const api = await client.websocketAPI.connect();
const subscribed = await api.userDataStreamSubscribeSignature();
const told = new Inbox();
subscribed.stream.on("message", (message) => told.push(message));
const asked = async (call, parameters) => {
  const answer = await api[call](parameters);
  assert.ok(answer.rateLimits.length > 0, "rate limits come with it");
  return answer.data;
};
for (let number = 0; number < 10; number += 1) {
  await checkReports(told, {
    place: (parameters) => asked("orderPlace", { symbol, ...parameters }),
    cancel: (orderId) => asked("orderCancel", { symbol, orderId }),
    price: price - number,
  });
}
assert.equal((await asked("accountStatus", {})).canTrade, true);
assert.ok((await asked("myTrades", { symbol })).length >= 10);
await api.userDataStreamUnsubscribe();
await api.disconnect();

// Streams.
const streams = await client.websocketStreams.connect();
const inbox = (stream) => {
  const messages = new Inbox();
  stream.on("message", (message) => messages.push(message));
  return messages;
};
const trades = inbox(streams.trade({ symbol }));
const others = [streams.aggTrade({ symbol }), streams.ticker({ symbol }), streams.kline({ symbol, interval: "1m" })].map(inbox);
await keepBook(
  inbox(streams.diffBookDepth({ symbol: "ETHBTC", updateSpeed: "100ms" })),
  () => rest("depth", { symbol: "ETHBTC", limit: 1000 }),
  50,
);
const first = Number((await trades.next()).t);
for (let number = 1; number < 100; number += 1) assert.equal(Number((await trades.next()).t), first + number);
for (const other of others) assert.equal((await other.next()).s, symbol);
await streams.disconnect();

console.log("all is as expected");
process.exit(0);
