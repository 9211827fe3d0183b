"""The tables at the end of a run, letter by letter."""

from __future__ import annotations

from decimal import Decimal

import msgspec
from presenter_samples import FILL, TIME, buy, partly_filled_sell, reconciled, run_report, sell

from assembly.presenter.cycle_memory import RECONCILIATIONS_KEPT_MAX, CycleMemory
from assembly.presenter.report import ExitStatus, StateLeft
from assembly.presenter.statement import closing_text, reconciliation_lines, statement_lines
from orders.life_cycle import OrderState
from orders.states import TradingState


def memory(*cycles: object) -> CycleMemory:
    found = CycleMemory()
    for each in cycles:
        found.remember(TIME, each)  # type: ignore[arg-type]
    return found


def test_reconciliation_shows_every_asset_before_after_expected_and_actual() -> None:
    assert reconciliation_lines(reconciled(), color=False) == [
        "cycle btc #1 BTC/USDT on main: reconciled, balances agree",
        "  bought 0.001633 BTC for 99.9959385 USDT",
        "  sold   0.001629 BTC for 99.7510005 USDT, left over 0.000000734 BTC",
        "  fees   0.000003266 BTC + 0.199502001 USDT, profit -0.444440001 USDT",
        "  asset  before           after  expected change  actual change  difference  agrees",
        "  BTC       0.1     0.100000734     +0.000000734   +0.000000734           0  yes",
        "  USDT    10000  9999.555559999     -0.444440001   -0.444440001           0  yes",
    ]


def test_reconciliation_that_does_not_agree_stands_out() -> None:
    lines = reconciliation_lines(reconciled(agrees=False), color=True)
    assert lines[0] == "cycle btc #1 BTC/USDT on main: \x1b[1;31mBALANCES DO NOT AGREE\x1b[0m"
    assert lines[-1].split() == ["USDT", "10000", "9999.5", "-0.444440001", "-0.5", "-0.055559999", "no"]


def test_statement_lists_what_ended_and_then_loudly_what_may_be_live() -> None:
    orders = (buy(OrderState.UNKNOWN, reason="no answer"), sell(OrderState.FILLED, **_filled()), sell(OrderState.CANCELLED, number=3))
    assert statement_lines("main", orders, width=None, color=False) == [
        "orders of account main: 1 unknown, 1 filled, 1 cancelled",
        "  client order id  exchange id  side  type      price      quantity  filled  average            fees  state",
        "  mm-btc-abc2      555          sell  limit   61234.5        0.0016  0.0006  61234.5  0.0734814 USDT  filled",
        "  mm-btc-abc3      555          sell  limit   61234.5        0.0016       0                           cancelled",
        "  mm-btc-abc1      -            buy   market           for 100 USDT       0                           unknown (no answer)",
        "  MAY BE LIVE mm-btc-abc1: its fate is unknown: look for this client order id at the exchange and cancel it there",
    ]


def test_statement_of_an_open_order_says_where_it_was_last_seen() -> None:
    lines = statement_lines("main", (partly_filled_sell(),), width=None, color=True)
    assert lines[-1] == (
        "\x1b[1;31m  MAY BE LIVE mm-btc-abc2: it was last seen partially_filled: "
        "look for this client order id at the exchange and cancel it there\x1b[0m"
    )


def test_sentences_on_a_narrow_terminal_are_broken_between_words() -> None:
    lines = statement_lines("main", (partly_filled_sell(),), width=50, color=False)
    assert lines[-3:] == [
        "  MAY BE LIVE mm-btc-abc2: it was last seen",
        "    partially_filled: look for this client order",
        "    id at the exchange and cancel it there",
    ]


def test_statement_on_a_narrow_terminal_fits_it() -> None:
    lines = statement_lines("main", (sell(OrderState.FILLED, **_filled()), buy(OrderState.REJECTED, reason="no")), width=80, color=False)
    assert lines[1:] == [
        "  mm-btc-abc2  555  sell  limit   filled",
        "    0.0016 @ 61234.5, filled 0.0006 at 61234.5, fees 0.0734814 USDT",
        "  mm-btc-abc1  -    buy   market  rejected (no)",
        "    for 100 USDT @ market, filled 0, fees none",
    ]


def test_statement_says_where_fees_are_not_all_known() -> None:
    order = sell(OrderState.FILLED, filled_quantity=Decimal("0.0016"), filled_quote=Decimal(98), fills=(FILL,))
    assert "0.0734814 USDT (incomplete)" in statement_lines("main", (order,), width=None, color=False)[2]


def test_statement_of_many_orders_lists_the_newest_that_ended_and_all_that_may_be_live() -> None:
    live = [sell(number=1000 + number) for number in range(60)]
    ended = [sell(OrderState.CANCELLED, number=number) for number in range(70)]
    text = "\n".join(statement_lines("main", (*live, *ended), width=None, color=False))
    assert "(20 earlier ones that have ended are not listed)" in text
    assert "mm-btc-abc19 " not in text
    assert "mm-btc-abc20 " in text
    assert text.count("MAY BE LIVE") == 60


def test_statement_of_an_account_without_orders_says_none() -> None:
    assert statement_lines("main", (), width=None, color=False) == ["orders of account main: none"]


def test_exchange_cannot_write_to_the_terminal_by_a_reason_or_an_id() -> None:
    order = sell(OrderState.REJECTED, exchange_order_id="5\x1b[2J", reason="bad\nnews")
    assert all(line.isprintable() for line in statement_lines("main", (order,), width=None, color=False))


def test_closing_text_ends_with_profit_and_the_meaning_of_the_exit_status() -> None:
    text = closing_text(run_report(status=ExitStatus.FAILED), memory(reconciled(1), reconciled(2)), width=None, color=False)
    assert text.splitlines()[-3:] == [
        "profit: btc -0.888880002 USDT",
        "",
        "exit status 1: failed, but no order of ours is live (all cycles are done; ran 21.5 s)",
    ]


def test_profit_of_many_cycles_is_broken_between_words_on_a_narrow_terminal() -> None:
    cycles = memory(*(msgspec.structs.replace(reconciled(), cycle=f"cycle{number}") for number in range(5)))
    assert closing_text(run_report(), cycles, width=80, color=False).splitlines()[-4:-2] == [
        "profit: cycle0 -0.444440001 USDT, cycle1 -0.444440001 USDT, cycle2 -0.444440001",
        "  USDT, cycle3 -0.444440001 USDT, cycle4 -0.444440001 USDT",
    ]


def test_closing_text_of_many_cycles_lists_the_newest_and_counts_all() -> None:
    cycles = memory(*(reconciled(number) for number in range(1, RECONCILIATIONS_KEPT_MAX + 6)))
    text = closing_text(run_report(), cycles, width=None, color=False)
    assert f"({RECONCILIATIONS_KEPT_MAX + 5 - 20} earlier reconciled cycles are not listed)" in text
    assert len(cycles.reconciliations) == len(cycles.untold) == RECONCILIATIONS_KEPT_MAX
    assert cycles.profit_by_cycle["btc"] == (Decimal("-0.444440001") * (RECONCILIATIONS_KEPT_MAX + 5), "USDT")


def _filled() -> dict[str, object]:
    return {"filled_quantity": Decimal("0.0006"), "filled_quote": Decimal("36.7407"), "fills": (FILL,)}


LEFT = StateLeft("global", TradingState.HALTED, "by mm-ctl: something smells", "bin/mm-ctl config.toml resume --from-halt")


def test_state_that_the_next_run_begins_with_stands_before_the_verdict_with_what_lifts_it() -> None:
    report = msgspec.structs.replace(run_report(), states=(LEFT,))
    assert closing_text(report, memory(), width=None, color=True).splitlines()[-4:-1] == [
        "\x1b[1;31mHALTED: global, by mm-ctl: something smells; the next run begins with it\x1b[0m",
        "  lift it, once it runs, with: bin/mm-ctl config.toml resume --from-halt",
        "",
    ]


def test_state_that_no_journal_keeps_is_said_to_end_with_the_run() -> None:
    report = msgspec.structs.replace(run_report(), states=(LEFT,), states_are_kept=False)
    text = closing_text(report, memory(), width=None, color=False)
    assert "something smells; this run has no journal, and the next one knows nothing of it\n\nexit status" in text
