"""What two accounts and three books must look like, kept by hand in decimals.

The scripts say who trades with whom; this file only adds up: holds, fills, fees, levels, trades, candles. It shares nothing with
the server, and takes the rules from the documentation: a limit order holds what it can cost, a fill is at the resting order's
price, a fee is a part of what is received, rounded up to the asset's smallest unit, a candle goes by UTC.
"""

from collections import defaultdict
from dataclasses import dataclass, field
from decimal import ROUND_UP, Decimal

ATOM = Decimal("0.00000001")
FEE = Decimal("0.001")
FUNDS = {"BTC": Decimal(100), "ETH": Decimal(1000), "USDT": Decimal(10_000_000)}
MARKETS = {"BTCUSDT": ("BTC", "USDT"), "ETHUSDT": ("ETH", "USDT"), "ETHBTC": ("ETH", "BTC")}


@dataclass
class Order:
    account: str
    symbol: str
    id: int
    name: str
    side: str
    qty: Decimal
    price: Decimal | None
    status: str = "NEW"
    executed: Decimal = Decimal(0)
    quote: Decimal = Decimal(0)

    @property
    def left(self):
        return self.qty - self.executed

    @property
    def held(self):
        return self.left if self.side == "SELL" else self.left * self.price


@dataclass
class Trade:
    symbol: str
    id: int
    price: Decimal
    qty: Decimal
    maker: Order
    taker: Order
    fees: dict = field(default_factory=dict)
    time: int | None = None

    @property
    def quote(self):
        return self.price * self.qty

    @property
    def buyer_is_maker(self):
        return self.maker.side == "BUY"


class Expected:
    def __init__(self, accounts):
        self.free = {account: dict(FUNDS) for account in accounts}
        self.used = {account: dict.fromkeys(FUNDS, Decimal(0)) for account in accounts}
        self.orders = {}
        self.trades = []
        self.next_trade = dict.fromkeys(MARKETS, 1)

    def placed(self, account, symbol, id, name, side, qty, price=None):
        """A new order; with a price, what it can cost is held. Without one nothing is: it will be over at once."""
        order = Order(account, symbol, int(id), name, side, Decimal(qty), None if price is None else Decimal(price))
        assert order.id not in self.orders, f"order id {order.id} was given out twice"
        # An account's numbers rise; those of accounts in other partitions may be above or below.
        own = [other.id for other in self.orders.values() if other.account == account]
        assert order.id > max(own, default=0), f"order id {order.id} is not above all of {account} before it"
        self.orders[order.id] = order
        if price is not None:
            self._hold(order, order.held)
        return order

    def _hold(self, order, amount):
        base, quote = MARKETS[order.symbol]
        asset = base if order.side == "SELL" else quote
        self.free[order.account][asset] -= amount
        self.used[order.account][asset] += amount
        assert self.free[order.account][asset] >= 0, "the script lets somebody spend what he has not"

    def traded(self, maker, taker, qty, time=None):
        """`taker` takes `qty` from `maker`, at the price of `maker`."""
        assert maker.symbol == taker.symbol and maker.side != taker.side and maker.status in ("NEW", "PARTIALLY_FILLED")
        trade = Trade(maker.symbol, self.next_trade[maker.symbol], maker.price, Decimal(qty), maker, taker, time=time)
        self.next_trade[maker.symbol] += 1
        base, quote = MARKETS[maker.symbol]
        for order in (maker, taker):
            held = order.held if order.price is not None else Decimal(0)
            order.executed += trade.qty
            order.quote += trade.quote
            assert order.left >= 0, "the script fills more than there is"
            if order.price is not None:
                self._hold(order, order.held - held)
            order.status = "FILLED" if order.left == 0 else "PARTIALLY_FILLED"
            paid, spent, got, received = (quote, trade.quote, base, trade.qty)
            if order.side == "SELL":
                paid, spent, got, received = (base, trade.qty, quote, trade.quote)
            fee = (received * FEE).quantize(ATOM, ROUND_UP)
            trade.fees[order.id] = (fee, got)
            self.free[order.account][paid] -= spent
            self.free[order.account][got] += received - fee
        self.trades.append(trade)
        return trade

    def ended(self, order, status):
        """What is left of `order` is over."""
        if order.price is not None:
            self._hold(order, -order.held)
        order.status = status

    def amended(self, order, qty, name):
        held = order.held
        order.qty, order.name = Decimal(qty), name
        self._hold(order, order.held - held)

    def total(self, account, asset):
        return self.free[account][asset] + self.used[account][asset]

    def open(self, account, symbol=None):
        return [
            order
            for order in self.orders.values()
            if order.account == account and order.status in ("NEW", "PARTIALLY_FILLED") and symbol in (None, order.symbol)
        ]

    def levels(self, symbol):
        """Bids and asks as (price, open quantity), best first."""
        sides = {"BUY": defaultdict(Decimal), "SELL": defaultdict(Decimal)}
        for order in self.orders.values():
            if order.symbol == symbol and order.status in ("NEW", "PARTIALLY_FILLED"):
                sides[order.side][order.price] += order.left
        return sorted(sides["BUY"].items(), reverse=True), sorted(sides["SELL"].items())

    def tape(self, symbol):
        return [trade for trade in self.trades if trade.symbol == symbol]

    def aggregated(self, symbol):
        """Trades of one taker at one price as one: (first trade, last trade, quantity)."""
        joined = []
        for trade in self.tape(symbol):
            if joined and (joined[-1][0].taker, joined[-1][0].price) == (trade.taker, trade.price):
                joined[-1][1:] = [trade, joined[-1][2] + trade.qty]
            else:
                joined.append([trade, trade, trade.qty])
        return joined

    def own_trades(self, account, symbol):
        """(trade, the account's own order), oldest first."""
        return [
            (trade, order) for trade in self.tape(symbol) for order in (trade.maker, trade.taker) if order.account == account
        ]

    def candles(self, symbol, length_ms, until):
        """(open time, open, high, low, close, volume), from the first trade's to that of `until`; flat where nothing traded."""
        candles = []
        tape = self.tape(symbol)
        if not tape:
            return candles
        at = tape[0].time // length_ms * length_ms
        close = None
        while at <= until:
            inside = [trade for trade in tape if at <= trade.time < at + length_ms]
            prices = [trade.price for trade in inside] or [close]
            volume = sum((trade.qty for trade in inside), Decimal(0))
            candles.append((at, prices[0], max(prices), min(prices), prices[-1], volume))
            close = prices[-1]
            at += length_ms
        return candles
