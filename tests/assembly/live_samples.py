"""Many markets and cycles at once, quiet and in trouble, for pictures of the live view."""

from __future__ import annotations

from decimal import Decimal

from presenter_samples import TIME

from actors.cycle.quoting.risk import RiskMeasured, RiskSnapshot
from assembly.presenter.live_state import LiveState
from assembly.presenter.report import LogLine
from assembly.presenter.surroundings import Market, Surroundings
from market.events import BookChanged, BookLost
from market.symbol import Symbol
from orders import events as order_events
from orders.life_cycle import OrderState
from orders.order import Order
from orders.reconciliation import CyclePhaseChanged, CycleStarted
from orders.reports import FillReport, PositionReport
from orders.request import OrderRequest, OrderType, Side, TimeInForce
from supervision.snapshot import ChildState, Snapshot

BTC, ETH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT")
# Each cycle's market and account; those whose name ends in q quote.
CYCLES: dict[str, tuple[Market, str]] = {
    "gate": (("gateio_spot", BTC), "gate"),
    "mexc": (("mexc_spot", BTC), "mexc"),
    "okxq": (("okx_spot", BTC), "okx"),
    "gatefutq": (("gateio_futures", BTC), "gatefutures"),
    "okxswapq": (("okx_swap", BTC), "okxswap"),
    "etherround": (("gateio_futures", ETH), "gatefutures"),
}
NOW = 1000.0


def order(cycle: str, number: int, side: Side, price: str, quantity: str = "0.0033", state: OrderState = OrderState.OPEN) -> Order:
    request = OrderRequest(
        client_order_id=f"mm-{cycle}-4f3gevds{number:02}",
        owner=cycle,
        symbol=CYCLES[cycle][0][1],
        side=side,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal(quantity),
        price=Decimal(price),
    )
    return Order(request=request, state=state, exchange_order_id="1")


def busy_state(*, silent: frozenset[str] = frozenset()) -> LiveState:
    """Six cycles over five exchanges, 21 orders, fills, balances, a position; everything is well.

    Of the `silent` exchanges nothing came for some seconds."""
    state = LiveState()
    for number, (exchange, symbol) in enumerate(dict.fromkeys(market for market, _ in CYCLES.values())):
        bid, ask = (3000.15, 3000.65) if symbol == ETH else (59991.6 + number, 60002.6 + number)
        state.fold(
            TIME,
            BookChanged(
                exchange, symbol, ((bid, 0.107924),), ((ask, 0.1697),), 1, 1, TIME, NOW - 0.1 * number - (4 if exchange in silent else 0)
            ),
        )
    for name, (market, account) in CYCLES.items():
        state.fold(TIME - 3_600_000, order_events.AccountReady(account))
        phase = "quoting" if name.endswith("q") else "selling"
        if phase == "selling":
            state.fold(TIME - 60_000, CycleStarted(account=account, cycle=name, number=7, symbol=market[1], quote_quantity=Decimal(100)))
        state.fold(TIME - 45_000, CyclePhaseChanged(account=account, cycle=name, number=7 if phase == "selling" else 0, phase=phase))
        state.fold(TIME - 2500, order_events.BalanceChanged(account, "USDT", Decimal("9998.9192968"), Decimal("9758.94309682")))
        state.fold(TIME - 2500, order_events.BalanceChanged(account, "BTC", Decimal("0.101633"), Decimal("0.1")))
        if phase == "quoting":
            _quote(state, name, account)
        else:
            price, quantity = ("3000.65", "0.03") if market[1] == ETH else ("60002.6", "0.001662")
            state.fold(TIME - 800, order_events.OrderPlaced(account, order(name, 7, Side.SELL, price, quantity)))
            state.fold(
                TIME - 700,
                order_events.OrderFilled(
                    account, order(name, 6, Side.BUY, price, quantity, OrderState.FILLED), _fill(price, quantity, market)
                ),
            )
    state.fold(
        TIME - 5000,
        order_events.PositionChanged(
            "gatefutures",
            PositionReport(
                symbol=ETH,
                quantity=Decimal("0.03"),
                entry_price=Decimal("3000.44"),
                mark_price=Decimal("3000.4"),
                unrealised_pnl=Decimal("-0.0012"),
            ),
        ),
    )
    return state


def _quote(state: LiveState, name: str, account: str) -> None:
    for level in range(3):
        for side, price in ((Side.BUY, 59925 - 12 * level), (Side.SELL, 60075 + 12 * level)):
            number = 2 * level + (side is Side.SELL)
            state.fold(TIME - 8400, order_events.OrderPlaced(account, order(name, number, side, f"{price}.5")))
    risk = RiskSnapshot(
        at=NOW - 0.4,
        inventory=Decimal("0.0012"),
        delta_usd=Decimal("72.0034"),
        bids=Decimal("599.071234"),
        asks=Decimal("599.911"),
        realised=Decimal("1.234567"),
        unrealised=Decimal("-0.05"),
        fees=Decimal("0.2"),
        profit=Decimal("0.984567"),
        volume=Decimal("12345.5"),
        trades=17,
        uptime=0.98765,
        spread_captured=Decimal("0.4"),
    )
    state.fold(TIME, RiskMeasured(account, name, BTC, risk))


def _fill(price: str, quantity: str, market: Market) -> FillReport:
    return FillReport(
        trade_id="9",
        exchange_order_id="1",
        client_order_id="mm-x-1",
        symbol=market[1],
        side=Side.BUY,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal("0.1800102"),
        fee_asset="USDT",
        maker=False,
    )


def troubled_state() -> LiveState:
    """The same with an unknown order, a lost account, lost books and errors."""
    state = busy_state(silent=frozenset({"gateio_futures"}))
    state.fold(TIME - 12_000, order_events.OrderFateUnknown("mexc", order("mexc", 8, Side.SELL, "60003.1", "0.001662", OrderState.UNKNOWN)))
    state.fold(TIME - 3000, order_events.AccountLost("okxswap", "the private stream broke: no pong within 10 s"))
    for symbol in (BTC, ETH):
        state.fold(TIME - 4000, BookLost("gateio_futures", symbol, "the connection was closed by the exchange", NOW - 4))
    state.fold(TIME - 900, LogLine("ERROR", "account:okxswap", "no answer within 10 s"))
    return state


def actors(*, in_trouble: bool = False) -> Snapshot:
    def leaf(group: str, name: str) -> Snapshot:
        if in_trouble and name == "feed:gateio_futures":
            return Snapshot(name, f"root/{group}/{name}", ChildState.RESTARTING, 3, 2, "ConnectionResetError: the exchange hung up", 0.0)
        return Snapshot(name, f"root/{group}/{name}", ChildState.READY, 1, 0, None, 0.0)

    exchanges = dict.fromkeys(market[0] for market, _ in CYCLES.values())
    names = {
        "feeds": [f"feed:{exchange}" for exchange in exchanges],
        "accounts": [f"account:{account}" for account in dict.fromkeys(account for _, account in CYCLES.values())],
        "cycles": [f"cycle:{cycle}" for cycle in CYCLES],
    }
    groups = tuple(
        Snapshot(group, f"root/{group}", ChildState.READY, 1, 0, None, 0.0, tuple(leaf(group, name) for name in found))
        for group, found in names.items()
    )
    return Snapshot("root", "root", ChildState.READY, 1, 0, None, 0.0, groups)


def surroundings(*, in_trouble: bool = False) -> Surroundings:
    return Surroundings(
        title="mm-runtime",
        now=NOW,
        now_milliseconds=TIME,
        started_at=NOW - 3725,
        actors=actors(in_trouble=in_trouble),
        book_max_age_seconds_by_exchange={market[0]: 5.0 for market, _ in CYCLES.values()},
        cycles_wanted={"gate": 10, **dict.fromkeys(list(CYCLES)[1:], 0)},
        markets={name: market for name, (market, _) in CYCLES.items()},
    )
