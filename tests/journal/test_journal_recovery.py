"""What a restart is told of the runs before it."""

from __future__ import annotations

from collections.abc import Generator
from decimal import Decimal
from typing import Any

import pytest
from journal_samples import (
    ACCOUNTS,
    BTC,
    CAPTURE,
    INSTALLATION,
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

from actors.journal import recovery as recovery_module
from actors.journal.entries import EventTold, HoldPlaced
from actors.journal.recovery import HoldFound, OrderElsewhere, Recovery, RoundOfAnother
from actors.journal.store import JournalStore
from market.symbol import Symbol
from orders.agreement import AssetBaseline
from orders.events import (
    BalanceBaselined,
    CountingBegan,
    ForeignFillSeen,
    FundingPaid,
    OrderChanged,
    OrderEnded,
    OrderFilled,
    OrderPlaced,
    OrderSubmitted,
)
from orders.ledger import AccountLedger
from orders.life_cycle import OrderState
from orders.losses import DayBaseline
from orders.reports import FundingReport
from orders.states import StateEntered, TradingState

ETH = Symbol("ETH", "USDT")


@pytest.fixture
def store() -> Generator[JournalStore]:
    """A journal of a run that has begun."""
    with open_store(":memory:") as opened:
        yield opened


def recover(store: JournalStore, **changes: Any) -> Recovery:
    return store.recover(**({"installation": INSTALLATION, "accounts": ACCOUNTS} | changes))


def recovered_ids(store: JournalStore, **changes: Any) -> list[str]:
    return [order.client_order_id for order in recover(store, **changes).accounts["main"].orders]


def payment(payment_id: str, amount: str = "-1.5") -> FundingPaid:
    return FundingPaid("main", FundingReport(payment_id=payment_id, symbol=BTC, amount=Decimal(amount), asset="USDT"))


# Orders


def test_empty_journal_has_nothing_to_recover(store) -> None:
    found = recover(store)
    assert (found.accounts["main"].orders, found.cycles, found.elsewhere, found.states, found.holds) == ((), {}, (), {}, {})
    assert found.accounts["main"].counted.fill_changes == {}


def test_intent_of_which_nothing_else_is_known_may_have_been_sent(store) -> None:
    write(store, OrderSubmitted("main", intent()), at=TIME + 3)
    (order,) = recover(store).accounts["main"].orders
    assert order == replace(intent(), state=OrderState.UNKNOWN, sent=True, sent_at_milliseconds=TIME + 3)


def test_order_that_had_not_ended_is_of_unknown_fate_with_all_that_was_known_of_it(store) -> None:
    known = filled(1, fill(), cancel_wanted=True, amended=True)
    write(store, OrderFilled("main", known, fill()))
    (order,) = recover(store).accounts["main"].orders
    assert order == replace(known, state=OrderState.UNKNOWN)


def test_order_that_ended_is_recovered_only_while_its_fills_are_not_all_known(store) -> None:
    write(store, OrderEnded("main", placed(1, state=OrderState.CANCELLED)))
    half_known = filled(2, fill(2), state=OrderState.FILLED, filled_quantity=Decimal("1.5"))
    write(store, OrderFilled("main", half_known, fill(2)), OrderEnded("main", half_known))
    assert recover(store).accounts["main"].orders == (half_known,)


def test_order_wrongly_believed_gone_is_recovered_once_it_was_found_again(store) -> None:
    write(store, OrderEnded("main", placed(1, state=OrderState.CANCELLED, end_is_concluded=True)))
    assert recovered_ids(store) == []
    write(store, OrderChanged("main", placed(1)))
    assert recovered_ids(store) == ["mm-btc-0001"]


def test_orders_of_another_installation_are_not_ours(store) -> None:
    for name in ("mm-btc-1", "m-btc-1", "mmx-btc-1", "mm2-btc-1", "ml-btc-1", "mn-btc-1"):
        write(store, OrderSubmitted("main", intent(client_order_id=name)))
    assert recovered_ids(store) == ["mm-btc-1"]
    assert recovered_ids(store, installation="mm2") == ["mm2-btc-1"]


def test_orders_of_earlier_runs_are_recovered_whichever_run_it_was(store) -> None:
    write(store, OrderSubmitted("main", intent(1)))
    for number in (2, 3):
        store.begin_run(at_milliseconds=TIME, installation=INSTALLATION, version="", accounts=ACCOUNTS)
        write(store, OrderSubmitted("main", intent(number)))
    assert recovered_ids(store) == ["mm-btc-0001", "mm-btc-0002", "mm-btc-0003"]


def test_account_on_another_exchange_is_another_and_its_orders_are_told_apart(store) -> None:
    write(store, OrderSubmitted("main", intent(1)))
    write(store, OrderEnded("main", placed(2, state=OrderState.CANCELLED, filled_quantity=Decimal(1))))  # its fill was not told
    found = recover(store, accounts={"main": "okx_spot"})
    assert found.accounts["main"].orders == ()
    unknown = replace(intent(1), state=OrderState.UNKNOWN, sent=True, sent_at_milliseconds=TIME)
    assert found.elsewhere == (OrderElsewhere("gateio_spot", "main", unknown),)
    assert recover(store).elsewhere == ()


# What was counted


def test_changes_are_those_of_all_fills_and_payments_ours_and_strangers(store) -> None:
    write(store, OrderFilled("main", filled(1, fill()), fill()))
    write(store, ForeignFillSeen("main", fill(9, trade_id="f", quantity="0.1", client_order_id=None, fee=Decimal(0))))
    write(store, payment("p1"), payment("p1"), payment("p2", "0.25"))
    changes = recover(store).accounts["main"].counted.fill_changes
    assert changes == {"BTC": Decimal("-0.6"), "USDT": Decimal("0.6") * Decimal("100.10") - Decimal("0.05005") - Decimal("1.25")}


def test_changes_stay_the_same_however_many_runs_begin_in_between(store) -> None:
    expected = {"BTC": Decimal(0), "USDT": Decimal(0)}
    for number in range(6):
        trade = fill(number, trade_id=str(number), fee=Decimal("1E-18"))
        write(store, OrderFilled("main", filled(number, trade), trade), payment(f"p{number}"))
        expected["BTC"] -= Decimal("0.5")
        expected["USDT"] += Decimal("50.05") - Decimal("1E-18") - Decimal("1.5")
        for _ in range(number % 3):
            store.begin_run(at_milliseconds=TIME, installation=INSTALLATION, version="", accounts=ACCOUNTS)
        assert recover(store).accounts["main"].counted.fill_changes == expected
    assert rows(store, "SELECT fills_id FROM earlier_changes_until")[0]["fills_id"] == 6


def test_only_what_is_newer_than_the_last_start_is_added_up(store, monkeypatch: pytest.MonkeyPatch) -> None:
    added: list[str] = []
    add_fill = recovery_module.add_fill
    monkeypatch.setattr(recovery_module, "add_fill", lambda changes, trade: (added.append(trade.trade_id), add_fill(changes, trade)))
    for number in range(5):
        trade = fill(number, trade_id=str(number))
        write(store, OrderFilled("main", filled(number, trade), trade))
        if number == 3:
            store.begin_run(at_milliseconds=TIME, installation=INSTALLATION, version="", accounts=ACCOUNTS)
            added.clear()
    recover(store)
    assert added == ["4"]


def test_newest_trades_and_payments_are_named_oldest_first_but_for_those_of_recovered_orders(
    store, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr(recovery_module, "FOREIGN_IDS_KEPT_MAX", 3)
    monkeypatch.setattr(recovery_module, "PAYMENTS_KEPT_MAX", 2)
    for number in range(5):
        trade = fill(number, trade_id=f"t{number}")
        write(store, OrderFilled("main", filled(number, trade, state=OrderState.CANCELLED), trade), payment(f"p{number}"))
    live = fill(7, trade_id="live")
    write(store, OrderFilled("main", filled(7, live), live))
    counted = recover(store).accounts["main"].counted
    assert counted.trades == ((BTC, "x3", "t3"), (BTC, "x4", "t4"))
    assert counted.payments == ((BTC, "p3"), (BTC, "p4"))


def test_baselines_come_back_with_the_rounding_of_what_was_traded_since(store) -> None:
    write(store, OrderFilled("main", filled(1, fill()), fill()), at=TIME)
    baselined = [
        BalanceBaselined("main", "USDT", Decimal("-3.50"), Decimal("0.25")),
        BalanceBaselined("main", "BTC", Decimal(1), Decimal(0)),
    ]
    write(store, *baselined, CountingBegan("main", BTC, TIME - 10_000), at=TIME + 5)
    write(store, OrderFilled("main", filled(2, fill(2)), fill(2)), at=TIME + 9)
    write(store, CountingBegan("main", BTC, TIME))
    found = recover(store).accounts["main"]
    assert found.baselines == {
        "USDT": AssetBaseline(constant=Decimal("-3.5"), unexplained=Decimal("0.25"), rounding=Decimal("-0.5") * Decimal("100.1") / 10**7),
        "BTC": AssetBaseline(constant=Decimal(1)),
    }
    assert found.counting_since == {BTC: TIME - 10_000}, "it is kept for ever"


def test_orders_of_adopted_installations_are_recovered_and_those_of_others_are_not(store) -> None:
    for name in ("old1", "old2"):
        write(store, OrderSubmitted("main", intent(client_order_id=f"{name}-btc-0001")))
    assert recovered_ids(store) == []
    assert recovered_ids(store, adopted=("old1",)) == ["old1-btc-0001"]


def test_ledger_restored_from_the_journal_counts_nothing_twice_and_goes_on(store) -> None:
    first, second = fill(1, trade_id="t1"), fill(1, trade_id="t2", quantity="1")
    old = fill(2, trade_id="old")
    write(store, OrderFilled("main", filled(2, old, state=OrderState.CANCELLED), old))
    write(store, OrderFilled("main", filled(1, first), first))
    found = recover(store).accounts["main"]
    ledger = AccountLedger(account="main", installation=INSTALLATION)
    ledger.restore(found.orders, counted=found.counted)
    before = ledger.fill_changes()
    assert [ledger.apply_fill(each, now=1.0) for each in (first, old)] == [[], []]
    assert ledger.fill_changes() == before == found.counted.fill_changes
    ledger.apply_fill(second, now=1.0)
    assert ledger.order("mm-btc-0001").state is OrderState.FILLED
    assert ledger.holdings("btc") == {BTC: Decimal("-1.5")}


# Rounds


def test_round_in_progress_is_told_with_its_balances_and_its_orders(store) -> None:
    write(store, reconciled(1, started_at=TIME - 5))
    write(store, OrderSubmitted("main", intent(1)), OrderEnded("main", filled(1, fill(), state=OrderState.CANCELLED)))
    write(store, round_began(2))
    bought = fill(2)
    write(store, OrderFilled("main", filled(2, bought, state=OrderState.CANCELLED), bought))
    write(store, OrderEnded("main", placed(3, state=OrderState.CANCELLED)))
    write(store, OrderPlaced("main", placed(4, request=request(4, tag="flatten"))))
    write(store, OrderPlaced("main", replace(placed(5), request=request(5, owner="other"))))
    found = recover(store)
    cycle = found.cycles["main", "btc"]
    assert (cycle.account, cycle.symbol, cycle.round_number, cycle.rounds_completed) == ("main", BTC, 2, 1)
    assert cycle.carried_quantity == Decimal("0.0000003")
    assert cycle.in_progress is not None
    assert (cycle.in_progress.before, cycle.in_progress.started_at_milliseconds) == (CAPTURE, TIME)
    told = [(order.client_order_id, order.state) for order in cycle.in_progress.orders]
    assert told == [("mm-btc-0002", OrderState.CANCELLED), ("mm-btc-0004", OrderState.UNKNOWN)]


def test_orders_of_a_round_in_progress_are_the_ledgers_too_so_that_what_it_holds_is_known(store) -> None:
    write(store, round_began(1))
    bought = fill(2)
    write(store, OrderFilled("main", filled(2, bought, state=OrderState.CANCELLED), bought))
    found = recover(store).accounts["main"]
    ledger = AccountLedger(account="main", installation=INSTALLATION)
    ledger.restore(found.orders, counted=found.counted)
    assert ledger.live_orders() == []
    assert ledger.holdings("btc") == {BTC: Decimal("-0.5")}


@pytest.mark.parametrize("agrees", [True, False])
def test_round_that_is_over_leaves_its_number_and_what_is_left_over(store, agrees: bool) -> None:
    write(store, round_began(3), reconciled(3, agrees=agrees))
    cycle = recover(store).cycles["main", "btc"]
    assert (cycle.round_number, cycle.in_progress, cycle.carried_quantity) == (4, None, Decimal("0.1000003"))
    assert cycle.rounds_completed == (3 if agrees else 2)


def test_only_the_newest_round_of_a_cycle_is_in_progress(store) -> None:
    """One was begun and given up, by a program that did not go on with it."""
    write(store, round_began(1), round_began(1, started_at=TIME + 9))
    cycle = recover(store).cycles["main", "btc"]
    assert cycle.in_progress is not None
    assert cycle.in_progress.started_at_milliseconds == TIME + 9


def test_rounds_of_each_cycle_are_told_and_not_those_of_another_exchange(store) -> None:
    write(store, round_began(1), round_began(5, cycle="eth", symbol=ETH))
    assert {name: cycle.round_number for name, cycle in recover(store).cycles.items()} == {("main", "btc"): 1, ("main", "eth"): 5}
    assert recover(store, accounts={"main": "okx_spot"}).cycles == {}


def test_round_of_another_installation_is_not_gone_on_with_and_its_orders_are_no_part_of_ours(store) -> None:
    write(store, round_began(7))
    store.begin_run(at_milliseconds=TIME, installation="xx", version="", accounts=ACCOUNTS)
    found = recover(store, installation="xx")
    assert found.cycles == {}
    assert found.rounds_of_others == (RoundOfAnother(INSTALLATION, "btc", BTC),)
    assert recover(store).rounds_of_others == ()
    theirs = fill(9)
    write(store, OrderFilled("main", filled(9, theirs, request=request(9, client_order_id="xx-btc-9")), theirs))
    in_progress = recover(store).cycles["main", "btc"].in_progress
    assert in_progress is not None
    assert in_progress.orders == ()


# The rest


def test_states_and_holds_survive(store) -> None:
    paused, hold = StateEntered("cycle:btc", TradingState.REDUCE_ONLY, "max position"), HoldPlaced("gateio_spot", TIME + 9, "HTTP 418")
    write(store, StateEntered("cycle:btc", TradingState.RUN, ""), paused, hold)
    found = recover(store)
    assert (found.states, found.holds) == ({"cycle:btc": paused}, {"gateio_spot": HoldFound("gateio_spot", TIME, TIME + 9, "HTTP 418")})


def test_baselines_of_daily_losses_survive_at_the_exchange_they_are_of(store) -> None:
    struck = DayBaseline(scope="account:main", account="main", asset="USDT", day="2026-01-31", value=Decimal("-1.5"), is_struck=True)
    whole = replace(struck, scope="global", is_struck=False)
    write(store, struck, whole)
    assert recover(store).baselines == (struck, whole)
    assert recover(store, accounts={"main": "okx_spot"}).baselines == ()


def test_last_run_tells_how_it_ended_and_when_it_was_last_heard_of(store) -> None:
    write(store, EventTold("notice", {}), at=TIME + 5)
    last = recover(store).last_run
    assert last is not None
    assert (last.version, last.began_at_milliseconds, last.ended_how, last.last_written_at_milliseconds) == ("1.2.3", TIME, None, TIME + 5)
    store.end_run(at_milliseconds=TIME + 8, how="clean")
    last = recover(store).last_run
    assert last is not None
    assert (last.ended_at_milliseconds, last.ended_how) == (TIME + 8, "clean")
    assert recover(store, installation="xx").last_run is None


def test_recovering_changes_nothing(store) -> None:
    write(store, round_began(1), OrderSubmitted("main", intent()))
    before = list(store._connection.iterdump())
    assert recover(store) == recover(store)
    assert list(store._connection.iterdump()) == before
