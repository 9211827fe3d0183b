"""What each event becomes in the tables."""

from __future__ import annotations

import inspect
import json
from collections.abc import Generator
from decimal import Decimal
from types import ModuleType

import msgspec
import pytest
from hypothesis import given
from hypothesis import strategies as st
from journal_samples import (
    BTC,
    CAPTURE,
    TIME,
    fill,
    filled,
    intent,
    open_store,
    placed,
    reconciled,
    request,
    round_began,
    rows,
    write,
)
from msgspec.structs import replace

from actors.journal import entries
from actors.journal.entries import EventTold, HoldPlaced
from actors.journal.records import ORDER_EVENTS, TOLD_IN_WORDS, UnknownEvent, has_table
from actors.journal.rows import capture_from_text, order_from_row, symbol_of
from actors.journal.store import JournalStore
from market.symbol import Symbol
from orders import events as order_events
from orders import reconciliation, rounds
from orders.events import (
    BalanceChanged,
    ForeignFillSeen,
    ForeignOrderSeen,
    FundingPaid,
    ImpossibleTransition,
    LeftoverOrderFound,
    OrderCancelRequested,
    OrderChanged,
    OrderEnded,
    OrderFateUnknown,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
    PositionChanged,
    PositionDiffers,
)
from orders.life_cycle import OrderInput, OrderState
from orders.losses import DayBaseline
from orders.order import Transport
from orders.reports import FundingReport, MarginMode, OrderReport, PositionReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.states import StateEntered, TradingState


@pytest.fixture
def store() -> Generator[JournalStore]:
    """A journal of a run that has begun."""
    with open_store(":memory:") as opened:
        yield opened


def order_row(store: JournalStore, number: int = 1) -> dict[str, object]:
    return rows(store, "SELECT * FROM orders WHERE client_order_id = ?", f"mm-btc-{number:04}")[0]


def happenings(store: JournalStore) -> list[str]:
    return [row["event"] for row in rows(store, "SELECT event FROM order_events ORDER BY id")]


# Which events there are


@pytest.mark.parametrize("module", [order_events, reconciliation, rounds, entries], ids=lambda module: module.__name__)
def test_every_event_has_a_table_or_is_deliberately_told_in_words(module: ModuleType) -> None:
    kinds = {kind for _, kind in inspect.getmembers(module, inspect.isclass) if issubclass(kind, msgspec.Struct)}
    events = {kind for kind in kinds if kind.__module__ == module.__name__} - {entries.Entry}
    assert events
    assert {kind.__name__ for kind in events if has_table(kind)} == {kind.__name__ for kind in events - TOLD_IN_WORDS}


def test_whatever_a_ledger_returns_has_a_table() -> None:
    assert [kind for kind in order_events.LedgerEvent.__args__ if not has_table(kind)] == []


def test_event_without_a_table_and_account_that_the_run_does_not_have_are_refused(store) -> None:
    with pytest.raises(UnknownEvent, match="no table for AccountReady"):
        write(store, order_events.AccountReady("main"))
    with pytest.raises(UnknownEvent, match="of an account hedge"):
        write(store, OrderSubmitted("hedge", intent()))
    assert rows(store, "SELECT * FROM orders") == []


# Orders


def test_intent_is_a_row_with_all_that_was_meant(store) -> None:
    write(store, OrderSubmitted("main", intent(1, reduce_only=True)))
    row = order_row(store)
    meant = {
        "exchange": "gateio_spot",
        "account": "main",
        "owner": "btc",
        "tag": "1:sell",
        "symbol": "BTC/USDT",
        "side": "sell",
        "type": "limit",
        "time_in_force": "post_only",
        "quantity": "1.50",
        "quote_quantity": None,
        "price": "100.10",
        "reduce_only": 1,
        "created_at": TIME,
        "sent": 0,
        "sent_at": None,
        "state": "pending_new",
        "ended_at": None,
        "is_settled": 0,
    }
    assert {name: row[name] for name in meant} == meant
    assert happenings(store) == ["submitted"]


def test_order_read_back_is_the_order_that_was_written(store) -> None:
    order = filled(1, fill(), amended=True, cancel_wanted=True, refused_for_now=True, end_is_concluded=True, reason="why not")
    write(store, OrderCancelRequested("main", order))
    assert order_from_row(order_row(store), order.fills) == order


def test_market_buy_for_a_quote_amount_read_back_is_the_one_that_was_written(store) -> None:
    meant = OrderRequest(
        client_order_id="mm-btc-0001",
        owner="btc",
        symbol=BTC,
        side=fill().side.opposite,
        type=OrderType.MARKET,
        time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL,
        quote_quantity=Decimal("99.90"),
    )
    write(store, OrderSubmitted("main", replace(intent(), request=meant)))
    assert order_from_row(order_row(store), ()).request == meant


@given(
    price=st.decimals(min_value=0, max_value="1e25", allow_nan=False, places=18).filter(bool),
    quantity=st.decimals(min_value=Decimal("1e-30"), max_value=10, allow_nan=False, allow_infinity=False).filter(bool),
)
def test_decimals_are_written_in_plain_notation_and_read_back_exactly(price: Decimal, quantity: Decimal) -> None:
    with open_store(":memory:") as store:
        write(store, OrderSubmitted("main", intent(price=price, quantity=quantity)))
        row = order_row(store)
        assert "E" not in f"{row['price']}{row['quantity']}".upper()
        assert (Decimal(str(row["price"])), Decimal(str(row["quantity"]))) == (price, quantity)


def test_each_event_about_an_order_is_told_in_order_with_how_it_stood_then(store) -> None:
    write(store, OrderSubmitted("main", intent()), at=TIME)
    write(store, OrderFateUnknown("main", placed(state=OrderState.UNKNOWN, exchange_order_id=None, reason="no answer")), at=TIME + 1)
    write(store, OrderPlaced("main", placed()), at=TIME + 2)
    write(store, OrderFilled("main", filled(1, fill()), fill()), at=TIME + 3)
    write(store, OrderCancelRequested("main", filled(1, fill(), state=OrderState.PENDING_CANCEL)), at=TIME + 4)
    write(store, OrderEnded("main", filled(1, fill(), state=OrderState.CANCELLED)), at=TIME + 5)
    told = rows(store, "SELECT at, event, state, filled_quantity, trade_id, reason FROM order_events ORDER BY id")
    assert [tuple(row.values()) for row in told] == [
        (TIME, "submitted", "pending_new", "0", None, None),
        (TIME + 1, "unknown", "unknown", "0", None, "no answer"),
        (TIME + 2, "placed", "open", "0", None, None),
        (TIME + 3, "filled", "partially_filled", "0.5", "t1", None),
        (TIME + 4, "cancel_requested", "pending_cancel", "0.5", None, None),
        (TIME + 5, "ended", "cancelled", "0.5", None, None),
    ]
    row = order_row(store)
    assert (row["state"], row["created_at"], row["changed_at"], row["ended_at"]) == ("cancelled", TIME, TIME + 5, TIME + 5)


def test_impossible_transition_says_what_was_said(store) -> None:
    write(store, ImpossibleTransition("main", placed(state=OrderState.CANCELLED), OrderInput.SAID_REJECTED))
    assert rows(store, "SELECT event, reason FROM order_events") == [{"event": "impossible", "reason": "said_rejected"}]


def test_change_that_no_other_event_tells_is_told_as_one(store) -> None:
    write(store, OrderChanged("main", placed()), OrderPlaced("main", placed()))
    write(store, OrderChanged("main", placed(request=request(price=Decimal(99)), amended=True)))
    assert happenings(store) == ["placed", "changed"]
    assert order_row(store)["price"] == "99"


def test_change_of_one_order_is_told_beside_an_event_of_another(store) -> None:
    write(store, OrderChanged("main", placed(1)), OrderChanged("main", placed(2)), OrderPlaced("main", placed(2)))
    assert sorted(happenings(store)) == ["changed", "placed"]


def test_row_of_an_order_is_the_newest_of_its_states_in_an_entry(store) -> None:
    write(store, OrderChanged("main", placed()), OrderEnded("main", placed(state=OrderState.CANCELLED)))
    assert order_row(store)["state"] == "cancelled"


def test_order_that_was_wrongly_believed_gone_is_not_ended_any_more(store) -> None:
    write(store, OrderEnded("main", placed(state=OrderState.CANCELLED, end_is_concluded=True)))
    write(store, OrderChanged("main", placed()))
    row = order_row(store)
    assert (row["state"], row["ended_at"], row["is_settled"]) == ("open", None, 0)


def test_fill_after_the_end_keeps_the_time_of_the_end(store) -> None:
    write(store, OrderEnded("main", placed(state=OrderState.CANCELLED, filled_quantity=Decimal("0.5"))), at=TIME + 1)
    write(store, OrderFilled("main", filled(1, fill(), state=OrderState.CANCELLED), fill()), at=TIME + 2)
    row = order_row(store)
    assert (row["ended_at"], row["changed_at"], row["is_settled"]) == (TIME + 1, TIME + 2, 1)


def test_leftover_of_an_order_that_was_forgotten_does_not_overwrite_what_was_meant(store) -> None:
    write(store, OrderSubmitted("main", intent()))
    write(store, OrderEnded("main", placed(state=OrderState.CANCELLED)))
    found = request(tag="", time_in_force=TimeInForce.GOOD_TILL_CANCELLED, price=Decimal(98))
    leftover = replace(intent(), request=found, state=OrderState.UNKNOWN, sent=True)
    write(store, LeftoverOrderFound("main", leftover), OrderPlaced("main", replace(leftover, exchange_order_id="x1")), at=TIME + 9)
    row = order_row(store)
    assert (row["tag"], row["time_in_force"], row["created_at"]) == ("1:sell", "post_only", TIME)
    assert (row["sent_at"], row["transport"], row["price"], row["state"]) == (TIME + 5, Transport.REST.value, "98", "unknown")


def test_orders_of_two_accounts_with_one_client_order_id_are_two() -> None:
    with open_store(":memory:", accounts={"main": "gateio_spot", "hedge": "okx_swap"}) as store:
        write(store, OrderSubmitted("main", intent()), OrderSubmitted("hedge", intent()))
        assert {(row["account"], row["exchange"]) for row in rows(store, "SELECT * FROM orders")} == {
            ("main", "gateio_spot"),
            ("hedge", "okx_swap"),
        }


# Fills and accounts


def test_fill_is_a_row_of_its_order_with_its_fee(store) -> None:
    write(store, OrderFilled("main", filled(1, fill()), fill()))
    (row,) = rows(store, "SELECT fills.*, orders.client_order_id AS ours FROM fills JOIN orders ON orders.id = order_id")
    wanted = {
        "exchange": "gateio_spot",
        "account": "main",
        "symbol": "BTC/USDT",
        "exchange_order_id": "x1",
        "trade_id": "t1",
        "ours": "mm-btc-0001",
        "side": "sell",
        "price": "100.10",
        "quantity": "0.5",
        "fee": "0.05005",
        "fee_asset": "USDT",
        "maker": 1,
        "exchange_time": TIME + 20,
        "at": TIME,
    }
    assert {name: row[name] for name in wanted} == wanted


def test_fill_told_twice_is_one_row(store) -> None:
    event = OrderFilled("main", filled(1, fill()), fill())
    write(store, event)
    write(store, event, at=TIME + 1)
    assert [row["at"] for row in rows(store, "SELECT at FROM fills")] == [TIME]


def test_fills_of_one_trade_id_in_two_orders_symbols_or_accounts_are_apart() -> None:
    with open_store(":memory:", accounts={"main": "gateio_spot", "hedge": "gateio_spot"}) as store:
        write(store, OrderFilled("main", filled(1, fill(1)), fill(1)), OrderFilled("main", filled(2, fill(2)), fill(2)))
        write(store, ForeignFillSeen("main", replace(fill(), symbol=Symbol("ETH", "USDT"))))
        write(store, OrderFilled("hedge", filled(1, fill(1)), fill(1)))
        assert len(rows(store, "SELECT * FROM fills")) == 4


def test_fill_that_passed_for_a_strangers_belongs_to_its_order_once_it_is_known(store) -> None:
    write(store, ForeignFillSeen("main", replace(fill(), client_order_id=None)))
    assert [row["order_id"] for row in rows(store, "SELECT * FROM fills")] == [None]
    write(store, OrderFilled("main", filled(1, fill()), fill()))
    (row,) = rows(store, "SELECT * FROM fills")
    assert (row["order_id"], row["client_order_id"]) == (order_row(store)["id"], "mm-btc-0001")


def test_fill_of_a_stranger_keeps_the_id_that_it_bears(store) -> None:
    write(store, ForeignFillSeen("main", replace(fill(), client_order_id="theirs-1")))
    (row,) = rows(store, "SELECT * FROM fills")
    assert (row["order_id"], row["client_order_id"]) == (None, "theirs-1")


def test_funding_payment_told_twice_is_one_row(store) -> None:
    report = FundingReport(payment_id="f1", symbol=BTC, amount=Decimal("-0.0098"), asset="USDT", exchange_time_milliseconds=TIME)
    write(store, FundingPaid("main", report))
    write(store, FundingPaid("main", report), at=TIME + 1)
    (row,) = rows(store, "SELECT symbol, payment_id, amount, asset, exchange_time, at FROM funding")
    assert tuple(row.values()) == ("BTC/USDT", "f1", "-0.0098", "USDT", TIME, TIME)


def test_newest_balance_and_position_of_each_kind_is_kept(store) -> None:
    write(store, BalanceChanged("main", "USDT", Decimal(10), Decimal(9)), BalanceChanged("main", "BTC", Decimal(1), Decimal(1)))
    write(store, BalanceChanged("main", "USDT", Decimal("10.50"), Decimal(8)), at=TIME + 1)
    balances = rows(store, "SELECT asset, total, available, at FROM balances ORDER BY asset")
    assert [tuple(row.values()) for row in balances] == [("BTC", "1", "1", TIME), ("USDT", "10.50", "8", TIME + 1)]
    first = PositionReport(symbol=BTC, quantity=Decimal(2), entry_price=Decimal(100), leverage=Decimal(5), margin_mode=MarginMode.CROSS)
    write(store, PositionChanged("main", first))
    write(store, PositionChanged("main", replace(first, quantity=Decimal(-1), unrealised_pnl=Decimal("0.1"))))
    positions = rows(store, "SELECT symbol, quantity, entry_price, mark_price, leverage, margin_mode, unrealised_pnl FROM positions")
    assert [tuple(row.values()) for row in positions] == [("BTC/USDT", "-1", "100", None, "5", "cross", "0.1")]


# Rounds


def test_round_in_progress_is_a_row_with_what_its_end_will_be_compared_with(store) -> None:
    write(store, OrderSubmitted("main", intent()))
    write(store, round_began())
    (row,) = rows(store, "SELECT * FROM rounds")
    assert (row["cycle"], row["number"], row["began_at"], row["ended_at"], row["agrees"]) == ("btc", 1, TIME, None, None)
    assert (row["carried_quantity"], row["rounds_completed"], row["orders_before"]) == ("0.0000003", 0, order_row(store)["id"])
    assert capture_from_text(row["captured"]) == CAPTURE


@pytest.mark.parametrize("is_begun", [True, False], ids=["begun here", "begun unseen"])
def test_reconciliation_ends_its_round_with_the_balances_of_each_asset(store, is_begun: bool) -> None:
    if is_begun:
        write(store, round_began())
    write(store, reconciled())
    (row,) = rows(store, "SELECT * FROM rounds")
    assert (row["ended_at"], row["agrees"], row["profit_quote"], row["left_over_quantity"]) == (TIME + 60_000, 1, "-9.05", "0.1000003")
    assert (row["captured"] is not None) is is_begun
    balances = rows(store, "SELECT * FROM round_balances ORDER BY asset")
    assert [tuple(each.values())[1:] for each in balances] == [
        ("BTC", "0.1", "0.2", "0.1", "0.1", "0"),
        ("USDT", "1000", "990.95", "-9.05", "-9.05", "0.3"),
    ]


def test_round_that_does_not_agree_says_so(store) -> None:
    write(store, reconciled(agrees=False))
    assert [row["agrees"] for row in rows(store, "SELECT agrees FROM rounds")] == [0]


def test_rounds_of_one_number_that_began_at_different_times_are_apart(store) -> None:
    write(store, round_began(1), round_began(1, started_at=TIME + 1), reconciled(1, started_at=TIME + 1))
    assert [row["agrees"] for row in rows(store, "SELECT agrees FROM rounds ORDER BY id")] == [None, 1]


# The rest


def test_newest_state_and_hold_of_each_scope_is_kept(store) -> None:
    write(store, StateEntered("global", TradingState.PAUSED, "asked to"), StateEntered("cycle:btc", TradingState.HALTED, "daily loss"))
    write(store, StateEntered("global", TradingState.RUN, "asked to"), HoldPlaced("gateio_spot", TIME + 5, "HTTP 418"), at=TIME + 1)
    assert [tuple(row.values()) for row in rows(store, "SELECT * FROM states ORDER BY scope")] == [
        ("cycle:btc", "halted", "daily loss", TIME),
        ("global", "run", "asked to", TIME + 1),
    ]
    assert [tuple(row.values()) for row in rows(store, "SELECT * FROM holds")] == [("gateio_spot", TIME + 5, "HTTP 418", TIME + 1)]


def test_newest_baseline_of_each_scope_account_and_asset_is_kept(store) -> None:
    first = DayBaseline(scope="global", account="main", asset="USDT", day="2026-01-31", value=Decimal("-12.5000000000000000001"))
    write(store, first, replace(first, scope="account:main"))
    write(store, replace(first, day="2026-02-01", value=Decimal(7), is_struck=True), at=TIME + 1)
    assert [tuple(row.values()) for row in rows(store, "SELECT * FROM loss_baselines ORDER BY scope")] == [
        ("account:main", "gateio_spot", "main", "USDT", "2026-01-31", "-12.5000000000000000001", 0, TIME),
        ("global", "gateio_spot", "main", "USDT", "2026-02-01", "7", 1, TIME + 1),
    ]


def test_event_told_in_words_keeps_its_fields_as_json(store) -> None:
    write(store, EventTold("actor_crashed", {"incarnation": 2, "error": "ö", "none": None}, "feed:gateio_spot"))
    (row,) = rows(store, "SELECT * FROM events")
    assert (row["actor"], row["name"], row["run"], row["at"]) == ("feed:gateio_spot", "actor_crashed", 1, TIME)
    assert json.loads(row["fields"]) == {"incarnation": 2, "error": "ö", "none": None}


def test_strangers_order_and_a_differing_position_are_told_in_words(store) -> None:
    report = OrderReport(
        exchange_order_id="8",
        client_order_id=None,
        symbol=BTC,
        side=fill().side,
        status=ReportedStatus.OPEN,
        filled_quantity=Decimal(0),
        filled_quote=Decimal(0),
        price=Decimal(5),
    )
    write(store, ForeignOrderSeen("main", report), PositionDiffers("main", BTC, Decimal(1), Decimal("0.50")))
    told = rows(store, "SELECT name, fields FROM events ORDER BY id")
    assert [row["name"] for row in told] == ["foreign_order_seen", "position_differs"]
    assert json.loads(told[0]["fields"])["price"] == "5"
    assert json.loads(told[1]["fields"]) == {"account": "main", "symbol": "BTC/USDT", "ours": "1", "theirs": "0.50"}


def test_symbol_of_any_assets_is_read_back() -> None:
    for symbol in (BTC, Symbol("1000SATS", "USDT"), Symbol("币安人生", "USDT"), Symbol("$x-1", "USDC")):
        assert symbol_of(str(symbol)) == symbol


def test_words_of_order_events_are_distinct() -> None:
    assert len(set(ORDER_EVENTS.values())) == len(ORDER_EVENTS)
