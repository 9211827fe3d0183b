"""Events of every kind with fixed contents, for the presenters' tests."""

from __future__ import annotations

from decimal import Decimal

from actors.accounts import events as account_events
from actors.cycle.quoting.risk import RiskMeasured, RiskSnapshot
from actors.feeds import reports as feed_reports
from actors.feeds.book_sync import LossKind
from actors.journal import events as journal_events
from actors.journal.entries import HoldPlaced
from actors.notifier import actor as notifier_events
from assembly.guardian import events as guardian_events
from assembly.page import events as page_events
from assembly.presenter import report as runtime_events
from assembly.reloading import events as reloading_events
from market import events as market_events
from market.events import Side
from market.instrument import Instrument
from market.symbol import Symbol
from orders import events as order_events
from orders import reconciliation, states
from orders.commands import TOO_LITTLE, Flattened
from orders.life_cycle import OrderInput, OrderState
from orders.order import Order, Transport
from orders.reports import FillReport, FundingReport, MarginMode, OrderReport, PositionReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from supervision import events as supervision_events
from supervision.child import CleanupCause, DeathKind
from supervision.snapshot import ChildState, Snapshot

TIME = 1_763_600_401_123  # 2025-11-20T01:00:01.123Z
BTC = Symbol("BTC", "USDT")

BOOK = market_events.BookChanged(
    "gateio_spot", BTC, ((61234.4, 0.52), (61234.3, 1.0)), ((61234.5, 0.11),), 1001, 1, 1_763_600_401_100, 99.8
)

FILL = FillReport(
    trade_id="77",
    exchange_order_id="555",
    client_order_id="mm-btc-abc2",
    symbol=BTC,
    side=Side.SELL,
    price=Decimal("61234.5"),
    quantity=Decimal("0.0006"),
    fee=Decimal("0.0734814"),
    fee_asset="USDT",
    maker=True,
)


def buy(state: OrderState = OrderState.PENDING_NEW, **changes: object) -> Order:
    request = OrderRequest(
        client_order_id="mm-btc-abc1",
        owner="btc",
        symbol=BTC,
        side=Side.BUY,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quote_quantity=Decimal(100),
        tag="1",
    )
    return Order(request=request, state=state, **changes)  # type: ignore[arg-type]


def sell(state: OrderState = OrderState.OPEN, *, number: int = 2, **changes: object) -> Order:
    request = OrderRequest(
        client_order_id=f"mm-btc-abc{number}",
        owner="btc",
        symbol=BTC,
        side=Side.SELL,
        type=OrderType.LIMIT,
        time_in_force=TimeInForce.POST_ONLY,
        quantity=Decimal("0.0016"),
        price=Decimal("61234.5"),
        tag="1",
    )
    return Order(request=request, state=state, **{"exchange_order_id": "555", **changes})  # type: ignore[arg-type]


def partly_filled_sell() -> Order:
    return sell(OrderState.PARTIALLY_FILLED, filled_quantity=Decimal("0.0006"), filled_quote=Decimal("36.7407"), fills=(FILL,))


def reconciled(number: int = 1, *, cycle: str = "btc", agrees: bool = True) -> reconciliation.CycleReconciled:
    return reconciliation.CycleReconciled(
        account="main",
        cycle=cycle,
        number=number,
        symbol=BTC,
        bought_quantity=Decimal("0.001633"),
        bought_quote=Decimal("99.9959385"),
        sold_quantity=Decimal("0.001629"),
        sold_quote=Decimal("99.7510005"),
        fees={"BTC": Decimal("0.000003266"), "USDT": Decimal("0.199502001")},
        balances_before={"BTC": Decimal("0.1"), "USDT": Decimal(10000)},
        balances_after={"BTC": Decimal("0.100000734"), "USDT": Decimal("9999.555559999") if agrees else Decimal("9999.5")},
        expected_changes={"BTC": Decimal("0.000000734"), "USDT": Decimal("-0.444440001")},
        actual_changes={"BTC": Decimal("0.000000734"), "USDT": Decimal("-0.444440001") if agrees else Decimal("-0.5")},
        left_over_quantity=Decimal("0.000000734"),
        profit_quote=Decimal("-0.444440001"),
        started_at_milliseconds=TIME - 20_000,
        ended_at_milliseconds=TIME,
    )


def tree() -> Snapshot:
    def leaf(group: str, name: str, state: ChildState = ChildState.READY, restarts: int = 0, last_error: str | None = None) -> Snapshot:
        return Snapshot(name, f"root/{group}/{name}", state, 1 + restarts, restarts, last_error, 0.0)

    groups = (
        ("feeds", (leaf("feeds", "feed:gateio_spot"),)),
        ("accounts", (leaf("accounts", "account:main", ChildState.RESTARTING, 2, "ConnectionResetError: the exchange hung up"),)),
        ("cycles", (leaf("cycles", "cycle:btc", restarts=1),)),
    )
    children = tuple(Snapshot(name, f"root/{name}", ChildState.READY, 1, 0, None, 0.0, leaves) for name, leaves in groups)
    return Snapshot("root", "root", ChildState.READY, 1, 0, None, 0.0, children)


def _child(kind: type, *more: object, incarnation: int = 1) -> object:
    return kind("root/accounts", 12.5, "account:main", incarnation, *more)


CRASH = ExceptionGroup("group", [ConnectionResetError("the exchange hung up")])

RISK = RiskMeasured(
    "main",
    "btc",
    BTC,
    RiskSnapshot(
        at=12.5,
        mid=Decimal("61234.45"),
        cash={"BTC": Decimal("0.1"), "USDT": Decimal(9_000)},
        values={"BTC": Decimal("6123.445"), "USDT": Decimal(9_000)},
        net_quantity=Decimal("0.002"),
        inventory=Decimal("0.001998"),
        delta=Decimal("0.001998"),
        delta_usd=Decimal("122.3464311"),
        bids=Decimal("298.5"),
        asks=Decimal(300),
        realised=Decimal("0.123456789123456789"),
        unrealised=Decimal("-0.05"),
        fees=Decimal("0.2"),
        other_fees={"GT": Decimal("0.01")},
        profit=Decimal("-0.126543210876543211"),
        volume=Decimal("1234.5"),
        trades=17,
        uptime=0.98765,
        spread_captured=Decimal("0.4"),
    ),
)


EVENTS: tuple[object, ...] = (
    BOOK,
    market_events.BookLost("gateio_spot", BTC, "gap", 99.9),
    market_events.TradeHappened("gateio_spot", BTC, "9", Side.BUY, 61234.5, 0.01, TIME, 99.8),
    market_events.TickerChanged("gateio_spot", BTC, 61234.5, 61234.4, 61234.5, 12.5, 765432.1, 99.8),
    market_events.MarkPriceChanged("gateio_spot", BTC, Decimal("61234.45"), 99.8),
    market_events.FundingRateChanged("gateio_spot", BTC, Decimal("0.0001"), TIME, 99.8),
    market_events.LiquidationHappened("gateio_spot", BTC, Side.SELL, 61000.0, 0.5, 99.8),
    market_events.InstrumentListed(
        Instrument(
            exchange="gateio_spot",
            symbol=BTC,
            price_tick=Decimal("0.1"),
            quantity_step=Decimal("0.000001"),
            quantity_min=Decimal("0.00001"),
            notional_min=Decimal(3),
        )
    ),
    feed_reports.FeedConnected("gateio_spot"),
    feed_reports.FeedDisconnected("gateio_spot", "closed by the exchange", 0.5),
    feed_reports.BookSynchronised("gateio_spot", BTC, 2, 1001),
    feed_reports.BookDiscarded("gateio_spot", BTC, next(iter(LossKind)), "expected 1002, got 1005"),
    feed_reports.SnapshotFailed("gateio_spot", BTC, "HTTP 503"),
    feed_reports.BadFrameReceived("gateio_spot", None, "not JSON", "<html>"),
    feed_reports.ChannelRefused("gateio_spot", "spot.order_book_update", (BTC,), "unknown currency pair"),
    feed_reports.InstrumentsLoaded("gateio_spot", 2),
    feed_reports.InstrumentsFailed("gateio_spot", "HTTP 503"),
    feed_reports.SubscriberGone("gateio_spot", "cycle:btc"),
    order_events.OrderSubmitted("main", buy()),
    order_events.OrderPlaced("main", sell(transport=Transport.WEBSOCKET)),
    order_events.OrderFilled("main", partly_filled_sell(), FILL),
    order_events.OrderCancelRequested("main", sell(OrderState.PENDING_CANCEL)),
    order_events.OrderFateUnknown("main", buy(OrderState.UNKNOWN, reason="no answer within 5 s", transport=Transport.REST)),
    order_events.OrderEnded("main", sell(OrderState.FILLED, filled_quantity=Decimal("0.0016"), filled_quote=Decimal("97.9752"))),
    order_events.OrderEnded("main", sell(OrderState.CANCELLED)),
    order_events.OrderEnded("main", sell(OrderState.EXPIRED)),
    order_events.OrderEnded("main", buy(OrderState.REJECTED, reason="BALANCE_NOT_ENOUGH")),
    order_events.ImpossibleTransition("main", sell(OrderState.CANCELLED), OrderInput.SAID_REJECTED),
    order_events.ForeignOrderSeen(
        "main",
        OrderReport(
            exchange_order_id="8",
            client_order_id=None,
            symbol=BTC,
            side=Side.BUY,
            status=ReportedStatus.OPEN,
            filled_quantity=Decimal(0),
            filled_quote=Decimal(0),
        ),
    ),
    order_events.LeftoverOrderFound("main", sell()),
    order_events.ForeignFillSeen("main", FILL),
    order_events.BalanceChanged("main", "USDT", Decimal("9900.0040615"), Decimal("9900.0040615")),
    order_events.PositionChanged(
        "main",
        PositionReport(
            symbol=BTC,
            quantity=Decimal("-0.0016"),
            entry_price=Decimal("61234.5"),
            mark_price=Decimal("61200"),
            liquidation_price=Decimal("118000.5"),
            leverage=Decimal(5),
            margin_mode=MarginMode.CROSS,
            unrealised_pnl=Decimal("0.0552"),
            exchange_time_milliseconds=TIME,
        ),
    ),
    order_events.PositionChanged("main", PositionReport(symbol=BTC, quantity=Decimal(0))),
    order_events.PositionDiffers("main", BTC, Decimal("0.0016"), Decimal(0)),
    order_events.FundingPaid(
        "main", FundingReport(payment_id="f1", symbol=BTC, amount=Decimal("-0.0098"), asset="USDT", exchange_time_milliseconds=TIME)
    ),
    order_events.BalanceDiffers(
        account="main",
        asset="BTC",
        expected=Decimal("0.1016"),
        actual=Decimal("0.3516"),
        difference=Decimal("0.25"),
        since_milliseconds=TIME - 10_000,
    ),
    order_events.AccountReady("main"),
    order_events.AccountLost("main", "the private stream broke"),
    account_events.AccountConnected("main"),
    account_events.AccountDisconnected("main", "no pong"),
    account_events.AccountReconciled("main", 1, "start"),
    account_events.AccountTrouble("main", "asking for balances", "HTTP 502"),
    account_events.AccountNotReady("main", 20.0, "balances that fills explain: 0.25 BTC more"),
    account_events.OrderStillUnknown(
        account="main", symbol=BTC, client_order_id="mm-btc-abc1", asked="place", seconds=5.0, reason="no answer within 5 s"
    ),
    account_events.OrderFateLearned(account="main", symbol=BTC, client_order_id="mm-btc-abc1", state=OrderState.OPEN, seconds=31.5),
    account_events.OrderRefused("main", "mm-btc-abc9", "the gate is closed"),
    account_events.ClockOffsetMeasured("main", -12),
    account_events.DeadMansSwitchArmed("main", 30),
    account_events.DeadMansSwitchDisarmed("main"),
    journal_events.JournalFailed("the journal var/journal.sqlite cannot be written: database or disk is full (SQLITE_FULL)", 2),
    notifier_events.NotificationsFailed("hooks.slack.com", "it answered with status 500", 10.0),
    notifier_events.NotificationsResumed("hooks.slack.com"),
    page_events.PageOpened("http://127.0.0.1:8321/", can_control=False),
    page_events.PageOpened("http://127.0.0.1:8321/", can_control=True),
    page_events.PageUnavailable("127.0.0.1:8321", "another program listens there; it is tried again every 15 s"),
    account_events.LeverageSet("main", BTC, Decimal(5)),
    account_events.ClosingProgressed("main", "2 orders left"),
    account_events.QuotesPulled(
        "main", ("mm-btc-abc1", "mm-btc-abc2"), Transport.WEBSOCKET, "account:main is paused: gateio_spot 5 failures in a row"
    ),
    account_events.OwnerFlattened(
        "main",
        Flattened(
            owner="btc",
            symbol=BTC,
            side=Side.SELL,
            quantity=Decimal("0.0016"),
            quote_quantity=Decimal("98.1"),
            left=Decimal("0.0000007"),
            why_left=TOO_LITTLE,
        ),
    ),
    account_events.OwnerFlattened("main", Flattened(owner="btc", symbol=BTC)),
    states.StateEntered("account:main", states.TradingState.REDUCE_ONLY, "lost 51 USDT today, max_daily_loss is 50"),
    states.StateEntered("account:main", states.TradingState.RUN, ""),
    states.StateRecovered("global", states.TradingState.HALTED, "by mm-ctl: something smells", TIME - 3_600_000),
    states.RestraintPlaced("account:main", "the exchange does not answer", states.TradingState.PAUSED, "5 failures in a row"),
    states.RestraintLifted("account:main", "the exchange does not answer"),
    reconciliation.CycleStarted(account="main", cycle="btc", number=1, symbol=BTC, quote_quantity=Decimal(100)),
    reconciliation.CyclePhaseChanged(account="main", cycle="btc", number=1, phase="selling"),
    reconciled(),
    reconciliation.CycleFinished(account="main", cycle="btc", cycles_completed=3),
    RISK,
    RiskMeasured("main", "btc", BTC, RiskSnapshot(at=12.5, inventory=Decimal("0.002"))),
    supervision_events.SupervisorReady("root", 12.5),
    supervision_events.SupervisorStopping("root", 12.5, "asked to", None),
    supervision_events.SupervisorStopped("root", 12.5),
    _child(supervision_events.ChildStarting),
    _child(supervision_events.ChildReady),
    _child(supervision_events.ChildReady, incarnation=2),
    _child(supervision_events.ChildStartFailed, CRASH),
    _child(supervision_events.ChildHung, 30.0),
    _child(supervision_events.ChildDied, DeathKind.CRASHED, CRASH),
    _child(supervision_events.ChildDied, DeathKind.FINISHED, None),
    _child(supervision_events.ChildDied, DeathKind.STOPPED, None),
    _child(supervision_events.ChildRestarting, 0.25),
    _child(supervision_events.ChildStopping, "its supervisor stops"),
    _child(supervision_events.StopDeadlineExceeded, 2.0),
    _child(supervision_events.ChildStopped),
    _child(supervision_events.CleanupStarted, CleanupCause(DeathKind.CRASHED, CRASH)),
    _child(supervision_events.CleanupFinished),
    _child(supervision_events.CleanupFailed, CRASH),
    _child(supervision_events.CleanupTimedOut, 10.0),
    _child(supervision_events.ChildQuarantined, CRASH),
    _child(supervision_events.IntensityExceeded, 3, 5.0, CRASH),
    guardian_events.GuardianWatching(process=4711, accounts=("main",)),
    guardian_events.GuardianLost(process=4711, reason="it was ended by SIGKILL", again_in_seconds=0.5),
    *(
        guardian_events.GuardianActed(
            account="main",
            exchange="mexc_spot",
            cause="mm-runtime (process 4700) died without saying goodbye",
            outcome=outcome,
            cancelled=cancelled,
            left_open=left_open,
            trouble=trouble,
            began_at="2025-11-20T00:59:01.123Z",
            ended_at=ended_at,
            process=4712,
        )
        for outcome, cancelled, left_open, trouble, ended_at in (
            (guardian_events.Outcome.CONFIRMED, ("mm-btc-abc1", "mm-btc-abc2"), (), "", "2025-11-20T00:59:06.123Z"),
            (guardian_events.Outcome.GIVEN_UP, (), ("mm-btc-abc1",), "700002: refused", "2025-11-20T01:09:01.123Z"),
            (guardian_events.Outcome.UNDER_WAY, (), (), "no answer", ""),
            (guardian_events.Outcome.RUNTIME_BACK, ("mm-btc-abc1",), (), "", "2025-11-20T00:59:04.123Z"),
        )
    ),
    runtime_events.RuntimeStarted(version="0.1.0", installation="mm", exchanges={"gateio_spot": "simulated, embedded"}),
    runtime_events.RunRecovered(
        last_run_began_at_milliseconds=TIME - 60_000,
        last_run_ended="died without saying goodbye",
        orders_that_may_be_live=("mm-btc-abc0",),
        rounds_in_progress=("btc",),
        orders_elsewhere=(),
    ),
    HoldPlaced("gateio_spot/orders", TIME + 1_000, "too many requests, held for 1 s (status 429)"),
    *(
        runtime_events.HoldTakenOver("okx", TIME + 90_000, "banned for 120 s (status 418)", correction)
        for correction in ("", "the clock has gone back since")
    ),
    runtime_events.RuntimeStopping(reason="SIGINT", deadline_seconds=10.0),
    runtime_events.StopAwaited(awaited=("account main: 1 order",), how_to_force="press Ctrl-C once more"),
    runtime_events.Notice("LIVE: account main trades with real money"),
    reloading_events.SettingChanged(
        key="cycles.btc.quantity", before="100", after="200", by="mm-ctl: the day is good", applies="from the cycle's next round on"
    ),
    reloading_events.SettingsRefused(by="the file", reason="needs a restart: accounts.main.exchange."),
    runtime_events.LogLine("WARNING", "feed:gateio_spot", "slow"),
)


def run_report(*orders: Order, status: runtime_events.ExitStatus = runtime_events.ExitStatus.CLEAN) -> runtime_events.RunReport:
    return runtime_events.RunReport(
        time_milliseconds=TIME + 1000, exit_status=status, reason="all cycles are done", seconds=21.5, orders={"main": orders}
    )
