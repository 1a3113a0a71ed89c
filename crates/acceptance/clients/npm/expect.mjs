// What both clients' scripts need: where the server is, comparing, and waiting for a message.

import assert from "node:assert/strict";

export const { RIALTO_URL: URL, ALICE_KEY, ALICE_SECRET, BOB_KEY, BOB_SECRET } = process.env;
export const SOCKETS = URL.replace("http", "ws");
const PATIENCE_MS = 60_000;

// Messages in their order, for whoever asks next.
export class Inbox {
  #told = [];
  #waiting;

  push(message) {
    this.#told.push(message);
    this.#waiting?.();
  }

  async next(isIt = () => true) {
    for (;;) {
      while (this.#told.length > 0) {
        const message = this.#told.shift();
        if (isIt(message)) return message;
      }
      let impatient;
      await new Promise((come, fail) => {
        this.#waiting = come;
        impatient = setTimeout(() => fail(new Error("no such message comes")), PATIENCE_MS);
      });
      clearTimeout(impatient);
    }
  }
}

// A book that is kept by the changes alone, from a snapshot of REST's.
export async function keepBook(changes, snapshotOf, count) {
  let change = await changes.next();
  const snapshot = await snapshotOf();
  while (change.u <= snapshot.lastUpdateId) change = await changes.next();
  assert.ok(change.U <= Number(snapshot.lastUpdateId) + 1, "the first change follows the snapshot");
  const sides = { b: new Map(snapshot.bids), a: new Map(snapshot.asks) };
  const had = new Map();
  let [last, compared] = [change.U - 1, 0];
  const told = (side) => [...side].map(([price, qty]) => `${Number(price)}:${Number(qty)}`).sort();
  for (let number = 0; number < count; number += 1) {
    assert.equal(change.U, last + 1, "no change is left out");
    last = change.u;
    for (const side of ["b", "a"]) {
      for (const [price, qty] of change[side]) {
        if (Number(qty) === 0) sides[side].delete(price);
        else sides[side].set(price, qty);
      }
    }
    had.set(last, [told(sides.b), told(sides.a)]);
    const shown = await snapshotOf();
    const known = had.get(Number(shown.lastUpdateId));
    if (known) {
      assert.deepEqual(known, [told(shown.bids), told(shown.asks)], `the book at ${last}`);
      compared += 1;
    }
    change = await changes.next();
  }
  assert.ok(compared >= count / 10, `the book was REST's ${compared} times`);
  console.error(`the book was REST's ${compared} times in ${count} changes`);
}

// What an account is told of an order that rests and is cancelled, and of one that takes, against the answers.
export async function checkReports(told, { place, cancel, price }) {
  const of = (order) => (event) => event.e === "executionReport" && Number(event.i) === Number(order.orderId);
  const resting = await place({ side: "BUY", type: "LIMIT", timeInForce: "GTC", quantity: 0.01, price });
  let event = await told.next(of(resting));
  assert.deepEqual([event.x, event.X, event.c], ["NEW", "NEW", resting.clientOrderId]);
  assert.equal(Number(event.p), price);
  await cancel(resting.orderId);
  assert.equal((await told.next(of(resting))).X, "CANCELED");
  const taken = await place({ side: "BUY", type: "MARKET", quantity: 0.02 });
  assert.equal(taken.status, "FILLED");
  assert.equal((await told.next(of(taken))).x, "NEW");
  for (const fill of taken.fills) {
    event = await told.next(of(taken));
    assert.deepEqual([event.x, Number(event.t), event.L, event.l], ["TRADE", Number(fill.tradeId), fill.price, fill.qty]);
  }
  assert.deepEqual([event.X, event.z, event.Z], ["FILLED", taken.executedQty, taken.cummulativeQuoteQty]);
  assert.equal((await told.next((other) => other.e === "outboundAccountPosition")).B.length > 0, true);
}
