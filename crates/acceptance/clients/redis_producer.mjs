// Adds an order to the stream and waits for its result: node redis_producer.mjs HOST PORT.
import { createRequire } from "node:module";

const Redis = createRequire(import.meta.url)("ioredis");

const STREAM = "{rialto}:orders";
const REPLIES = STREAM + ":replies";

const redis = new Redis({ host: process.argv[2], port: Number(process.argv[3]) });

// The result may be there before XADD has answered, so it is looked for behind what is there now.
const newest = await redis.xrevrange(REPLIES, "+", "-", "COUNT", 1);
let last = newest.length ? newest[0][0] : "0";

const order = {
  account: "alice",
  symbol: "BTCUSDT",
  side: "BUY",
  type: "LIMIT",
  timeInForce: "GTC",
  quantity: "0.001",
  price: "50000",
  newClientOrderId: "from-node",
};
const entry = await redis.xadd(STREAM, "*", ...Object.entries(order).flat());

for (;;) {
  const read = await redis.xread("BLOCK", 10_000, "STREAMS", REPLIES, last);
  if (read === null) throw new Error("no result in ten seconds");
  for (const [id, flat] of read[0][1]) {
    last = id;
    const reply = {};
    for (let at = 0; at < flat.length; at += 2) reply[flat[at]] = flat[at + 1];
    if (reply.entry === entry) {
      console.log(JSON.stringify(reply));
      redis.disconnect();
      process.exit(0);
    }
  }
}
