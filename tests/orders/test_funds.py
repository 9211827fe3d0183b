"""What can be paid with, between the exchange's statements: by example, and against an exchange whose news come in any order."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from market.events import Side
from market.symbol import Symbol
from orders.ledger import AccountLedger
from orders.life_cycle import OrderInput
from orders.reports import BalanceReport, FillReport, OrderReport, ReportedStatus
from orders.request import OrderRequest, OrderType, TimeInForce

BTC = Symbol("BTC", "USDT")
PRICE = Decimal(100)
HELD = Decimal(20)  # of BTC, in the beginning


def stated(ledger: AccountLedger, asset: str, total: Decimal | int, available: Decimal | int) -> None:
    ledger.apply_balance(BalanceReport(asset=asset, total=Decimal(total), available=Decimal(available)))


def placed(ledger: AccountLedger, number: int, quantity: int, side: Side = Side.SELL) -> None:
    ledger.record_intent(
        OrderRequest(
            client_order_id=f"mm-a-{number}",
            owner="a",
            symbol=BTC,
            side=side,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=Decimal(quantity),
            price=PRICE,
        ),
        now=0.0,
    )
    ledger.record_sent(f"mm-a-{number}", sent_at_milliseconds=1, expires_at_milliseconds=None)


def told(ledger: AccountLedger, number: int, status: ReportedStatus, filled: Decimal | int = 0, side: Side = Side.SELL) -> None:
    report = OrderReport(
        exchange_order_id=str(number),
        client_order_id=f"mm-a-{number}",
        symbol=BTC,
        side=side,
        status=status,
        filled_quantity=Decimal(filled),
        filled_quote=filled * PRICE,
        price=PRICE,
    )
    ledger.apply_order_report(report, now=1.0)


def book(*, positions: bool = False) -> AccountLedger:
    return AccountLedger(account="main", installation="mm", holds_positions=positions)


def test_what_a_cancelled_order_did_not_trade_can_be_spent_before_the_exchange_states_it_and_is_not_counted_twice_then() -> None:
    ledger = book()
    placed(ledger, 1, 3)
    told(ledger, 1, ReportedStatus.OPEN)
    stated(ledger, "BTC", 10, 7)
    told(ledger, 1, ReportedStatus.CANCELLED, filled=1)
    assert ledger.spendable("BTC") == 9
    stated(ledger, "BTC", 9, 9)
    assert ledger.spendable("BTC") == 9


def test_statement_that_comes_before_the_end_that_it_counts_gives_nothing_twice() -> None:
    ledger = book()
    for number in (1, 2):
        placed(ledger, number, 3)
        told(ledger, number, ReportedStatus.OPEN)
    stated(ledger, "BTC", 10, 7)  # the first has ended there
    told(ledger, 1, ReportedStatus.CANCELLED)
    assert ledger.spendable("BTC") == 7


def test_what_somebody_else_holds_stays_held() -> None:
    ledger = book()
    placed(ledger, 1, 3)
    told(ledger, 1, ReportedStatus.OPEN)
    stated(ledger, "BTC", 10, 2)
    told(ledger, 1, ReportedStatus.CANCELLED)
    assert ledger.spendable("BTC") == 5


def test_order_of_unknown_fate_that_has_ended_gives_back_what_was_kept_out_for_it_and_no_more() -> None:
    ledger = book()
    stated(ledger, "BTC", 10, 10)
    placed(ledger, 1, 3)
    ledger.record_input("mm-a-1", OrderInput.ANSWER_LOST, now=1.0)
    assert ledger.spendable("BTC") == 7
    ledger.record_input("mm-a-1", OrderInput.SAID_NEVER_ACCEPTED, now=2.0)
    assert ledger.spendable("BTC") == 10


def test_margin_is_available_again_by_the_exchanges_word_alone() -> None:
    ledger = book(positions=True)
    assert ledger.positions is not None
    ledger.positions.apply_all([])
    placed(ledger, 1, 3)
    told(ledger, 1, ReportedStatus.OPEN)
    stated(ledger, "USDT", 1_000, 700)
    told(ledger, 1, ReportedStatus.CANCELLED)
    assert ledger.spendable("USDT") == 700


def test_statement_that_the_exchange_dated_ahead_of_its_clock_does_not_keep_later_ones_out() -> None:
    """As another that is merely older does: the news of a stream may come in another order."""
    ledger, now = book(), 1_000_000

    def state(available: int, *, at: int) -> None:
        report = BalanceReport(asset="BTC", total=Decimal(10), available=Decimal(available), exchange_time_milliseconds=at)
        ledger.apply_balance(report, now_milliseconds=now)

    state(7, at=now - 10)
    state(10, at=now - 20)
    assert ledger.spendable("BTC") == 7
    state(6, at=now + 90_000)
    state(10, at=now + 10)
    assert ledger.spendable("BTC") == 10
    state(6, at=now + 5)
    assert ledger.spendable("BTC") == 10


class Exchange:
    """Sells of BTC, what is true of them, and what the ledger was told. Each `do` is harmless where it makes no sense.

    It states a balance with each trade, and otherwise when it likes: what an order holds or gives back may stay unstated.
    """

    def __init__(self) -> None:
        self.ledger = book()
        self.total = HELD
        self.open: dict[int, Decimal] = {}
        """What is left of the orders that are open there."""
        self.filled: dict[int, Decimal] = {}
        self.untold: list[FillReport] = []
        stated(self.ledger, "BTC", HELD, HELD)

    @property
    def available(self) -> Decimal:
        return self.total - sum(self.open.values(), Decimal(0))

    def do(self, what: str, number: int, quantity: int) -> None:
        match what:
            case "place" if number not in self.filled and quantity <= self.ledger.spendable("BTC"):
                self.open[number], self.filled[number] = Decimal(quantity), Decimal(0)
                placed(self.ledger, number, quantity)
            case "fill" if number in self.open:
                traded = min(self.open[number], Decimal(quantity))
                self.open[number] -= traded
                self.filled[number] += traded
                self.total -= traded
                self.untold.append(
                    FillReport(
                        trade_id=f"{number}-{self.filled[number]}",
                        exchange_order_id=str(number),
                        client_order_id=f"mm-a-{number}",
                        symbol=BTC,
                        side=Side.SELL,
                        price=PRICE,
                        quantity=traded,
                        fee=Decimal(0),
                        fee_asset="USDT",
                        maker=True,
                    )
                )
                if not self.open[number]:
                    del self.open[number]
                stated(self.ledger, "BTC", self.total, self.available)
            case "cancel":
                self.open.pop(number, None)
            case "tell order" if number in self.filled:
                self.tell_order(number)
            case "tell fills":
                self.tell_fills()
            case "state":
                stated(self.ledger, "BTC", self.total, self.available)
            case _:
                pass

    def tell_order(self, number: int) -> None:
        status = ReportedStatus.OPEN if number in self.open else ReportedStatus.CANCELLED
        told(self.ledger, number, status, filled=self.filled[number])

    def tell_fills(self) -> None:
        for fill in self.untold:
            self.ledger.apply_fill(fill, now=1.0)
        self.untold = []


WHAT = ("place", "fill", "cancel", "tell order", "tell fills", "state")
STEPS = st.lists(st.tuples(st.sampled_from(WHAT), st.integers(0, 4), st.integers(1, 6)), min_size=12, max_size=40)


@given(STEPS)
def test_no_more_is_spent_than_there_is_and_all_of_it_once_the_orders_are_known_whatever_has_been_stated(
    steps: list[tuple[str, int, int]],
) -> None:
    exchange = Exchange()
    for step in steps:
        exchange.do(*step)
        assert exchange.ledger.spendable("BTC") <= exchange.available
    exchange.tell_fills()
    for number in exchange.filled:
        exchange.tell_order(number)
    assert exchange.ledger.spendable("BTC") == exchange.available
