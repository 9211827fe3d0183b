"""Positions in contracts: what fills, funding and the exchange's own word make of them."""

from __future__ import annotations

import itertools
from decimal import Decimal

import pytest
from hypothesis import given
from hypothesis import strategies as st
from msgspec.structs import replace

from market.events import Side
from market.symbol import Symbol
from orders import positions
from orders.events import FundingPaid, PositionChanged, PositionDiffers
from orders.ledger import AccountLedger
from orders.order import Order
from orders.positions import AVERAGE_PRICE_ROUNDING, PositionAccount, PositionBooks
from orders.reports import FillReport, FundingReport, MarginMode, PositionReport
from orders.request import OrderRequest, OrderType, TimeInForce
from orders.reservations import margin

BTC = Symbol("BTC", "USDT")
ETH = Symbol("ETH", "USDT")
LONG_PRICES = st.decimals(min_value="0.0001", max_value="99999", places=4)
QUANTITIES = st.decimals(min_value="0.0001", max_value="50", places=4)
TRADES = st.lists(st.tuples(st.sampled_from(Side), QUANTITIES, LONG_PRICES), max_size=25)


def fill(
    side: Side, quantity: str | Decimal, price: str | Decimal, *, fee: str = "0", trade_id: str = "1", symbol: Symbol = BTC
) -> FillReport:
    return FillReport(
        trade_id=trade_id,
        exchange_order_id="7",
        client_order_id=None,
        symbol=BTC,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset="USDT",
        maker=False,
    )


def account_after(*fills: FillReport) -> PositionAccount:
    account = PositionAccount()
    for each in fills:
        account = account.after_fill(each)
    return account


def report(quantity: str, *, entry: str | None = None, time: int = 0, symbol: Symbol = BTC, **more: object) -> PositionReport:
    return PositionReport(
        symbol=symbol,
        quantity=Decimal(quantity),
        entry_price=None if entry is None else Decimal(entry),
        exchange_time_milliseconds=time,
        **more,  # type: ignore[arg-type]
    )


def funding(payment_id: str, amount: str) -> FundingReport:
    return FundingReport(payment_id=payment_id, symbol=BTC, amount=Decimal(amount), asset="USDT")


# Average cost


def test_buying_more_averages_the_entry_price() -> None:
    account = account_after(fill(Side.BUY, "1", "100"), fill(Side.BUY, "3", "200"))
    assert (account.quantity, account.cost, account.entry_price, account.realised) == (4, 700, 175, 0)


def test_selling_part_realises_against_the_average_and_leaves_the_entry_price() -> None:
    account = account_after(fill(Side.BUY, "1", "100"), fill(Side.BUY, "3", "200"), fill(Side.SELL, "2", "180"))
    assert (account.quantity, account.entry_price, account.realised) == (2, 175, 10)


def test_short_position_earns_when_it_is_bought_back_lower() -> None:
    account = account_after(fill(Side.SELL, "2", "100"), fill(Side.BUY, "2", "90"))
    assert (account.quantity, account.cost, account.realised, account.entry_price) == (0, 0, 20, None)


def test_trade_beyond_the_position_closes_it_and_opens_the_rest_the_other_way_round() -> None:
    account = account_after(fill(Side.BUY, "2", "100"), fill(Side.SELL, "5", "110"))
    assert (account.quantity, account.cost, account.entry_price, account.realised) == (-3, -330, 110, 20)


def test_unrealised_profit_is_what_closing_at_the_mark_price_would_earn() -> None:
    assert account_after(fill(Side.BUY, "2", "100")).unrealised(Decimal(95)) == -10
    assert account_after(fill(Side.SELL, "2", "100")).unrealised(Decimal(95)) == 10


def test_fees_and_funding_are_kept_apart_from_the_realised_profit() -> None:
    account = account_after(fill(Side.BUY, "1", "100", fee="0.05"), fill(Side.SELL, "1", "101", fee="-0.01")).after_funding(Decimal("-0.3"))
    assert (account.realised, account.fees, account.funding) == (1, Decimal("0.04"), Decimal("-0.3"))


@given(TRADES)
def test_money_is_the_same_to_the_last_digit_whenever_nothing_is_open(trades: list[tuple[Side, Decimal, Decimal]]) -> None:
    account, received = PositionAccount(), Decimal(0)
    for side, quantity, price in trades:
        account = account.after_fill(fill(side, quantity, price))
        received += quantity * price if side is Side.SELL else -quantity * price
    if account.quantity:
        side = Side.SELL if account.quantity > 0 else Side.BUY
        account, quantity, price = account.after_fill(fill(side, abs(account.quantity), "777.7777")), account.quantity, Decimal("777.7777")
        received += quantity * price
    assert (account.quantity, account.cost) == (0, 0)
    assert account.realised == received


@given(TRADES)
def test_realised_less_cost_is_always_what_was_received_less_what_was_paid(trades: list[tuple[Side, Decimal, Decimal]]) -> None:
    account, received = PositionAccount(), Decimal(0)
    for side, quantity, price in trades:
        account = account.after_fill(fill(side, quantity, price))
        received += quantity * price if side is Side.SELL else -quantity * price
        assert account.realised - account.cost == received
        assert account.quantity * account.cost >= 0, "a long position has cost money, a short one has brought some"


# The exchange's word


def test_first_look_is_believed_and_what_follows_is_counted_from_it() -> None:
    books = PositionBooks("main")
    events = books.apply_all([report("0.5", entry="100")])
    assert [type(event) for event in events] == [PositionChanged]
    books.count_fill(fill(Side.SELL, "0.5", "110"))
    assert books.account_of(BTC).realised == 5
    assert books.apply_all([]) == [PositionChanged("main", report("0"))]


def test_difference_is_told_only_when_two_looks_in_a_row_find_the_same_and_then_the_exchange_is_right() -> None:
    books = PositionBooks("main")
    books.apply_all([])
    books.count_fill(fill(Side.BUY, "1", "100"))
    assert PositionDiffers("main", BTC, Decimal(1), Decimal(0)) not in books.apply_all([]), "its list may lag behind the trade"
    assert PositionDiffers("main", BTC, Decimal(1), Decimal(0)) in books.apply_all([])
    assert books.account_of(BTC).quantity == 0
    assert books.apply_all([]) == []


def test_difference_that_goes_away_is_not_told() -> None:
    books = PositionBooks("main")
    books.apply_all([])
    books.count_fill(fill(Side.BUY, "1", "100"))
    found = [*books.apply_all([]), *books.apply_all([report("1", entry="100")]), *books.apply_all([report("1", entry="100")])]
    assert not any(isinstance(event, PositionDiffers) for event in found)
    assert books.account_of(BTC).quantity == 1


def test_difference_that_changes_between_two_looks_is_not_told_yet() -> None:
    books = PositionBooks("main")
    books.apply_all([])
    books.count_fill(fill(Side.BUY, "1", "100"))
    found = list(books.apply_all([]))
    books.count_fill(fill(Side.BUY, "1", "100", trade_id="2"))
    found += books.apply_all([])
    assert not any(isinstance(event, PositionDiffers) for event in found)


def test_older_report_is_ignored_and_what_a_newer_one_does_not_state_stays_known() -> None:
    books = PositionBooks("main")
    books.apply_report(report("1", entry="100", time=10, leverage=Decimal(5), margin_mode=MarginMode.ISOLATED, mark_price=Decimal(101)))
    assert books.apply_report(report("9", entry="100", time=9)) == []
    books.apply_report(report("2", entry="100", time=11))
    known = books.reports()[BTC]
    assert (known.quantity, known.leverage, known.margin_mode, known.mark_price) == (2, 5, MarginMode.ISOLATED, 101)


def test_report_of_the_same_moment_adds_what_the_other_channel_did_not_state() -> None:
    books = PositionBooks("main")
    books.apply_report(report("2", entry="100", time=10))
    told = books.apply_report(report("2", entry="100", time=10, mark_price=Decimal(101), leverage=Decimal(3)))
    assert [type(event) for event in told] == [PositionChanged]
    assert (books.reports()[BTC].mark_price, books.leverage(BTC)) == (101, 3)


def test_report_that_is_older_than_the_stream_s_last_is_ignored_even_after_one_without_a_time() -> None:
    books = PositionBooks("main")
    books.apply_report(report("2", entry="100", time=10))
    books.apply_report(report("3", entry="100"))  # fetched over REST, which tells no time
    assert books.apply_report(report("1", entry="100", time=9)) == []
    assert books.reports()[BTC].quantity == 3


def test_difference_that_went_away_must_be_found_twice_again() -> None:
    books = PositionBooks("main")
    books.apply_all([])
    books.count_fill(fill(Side.BUY, "1", "100"))
    found = list(books.apply_all([]))
    found += books.apply_all([report("1", entry="100")])
    found += books.apply_all([])
    assert not any(isinstance(event, PositionDiffers) for event in found)
    assert PositionDiffers("main", BTC, Decimal(1), Decimal(0)) in books.apply_all([])


def test_short_position_that_is_believed_has_brought_what_its_entry_price_says() -> None:
    books = PositionBooks("main")
    books.apply_all([report("-2", entry="100")])
    assert (books.account_of(BTC).cost, books.account_of(BTC).entry_price) == (-200, 100)
    books.count_fill(fill(Side.BUY, "2", "90"))
    assert (books.account_of(BTC).quantity, books.account_of(BTC).realised) == (0, 20)


TURNING = [
    fill(Side.BUY, "2", "100", trade_id="8"),
    fill(Side.SELL, "3", "90", fee="0.5", trade_id="9"),
    fill(Side.SELL, "1", "95", fee="0.25", trade_id="10"),
    fill(Side.BUY, "4", "80", trade_id="11"),
]


@pytest.mark.parametrize("learned", [*itertools.permutations(range(len(TURNING)))])
def test_trades_that_turn_a_position_are_counted_as_they_came_about_in_whichever_order_they_are_learned(learned: tuple[int, ...]) -> None:
    books = PositionBooks("main")
    for index in learned:
        books.count_fill(TURNING[index])
        books.apply_funding(funding(str(index), "0.1"))
    assert books.account_of(BTC) == replace(account_after(*TURNING), funding=Decimal("0.4"))


def test_trade_learned_late_is_counted_after_what_the_exchange_was_believed_about() -> None:
    books = PositionBooks("main")
    books.apply_all([])
    books.count_fill(fill(Side.BUY, "5", "100", trade_id="5"))
    for _ in range(2):
        books.apply_all([report("1", entry="70")])
    books.count_fill(fill(Side.SELL, "1", "90", trade_id="4"))
    assert (books.account_of(BTC).quantity, books.account_of(BTC).realised) == (0, 20)


def test_trade_without_a_number_is_the_newest() -> None:
    books = PositionBooks("main")
    opened = [fill(Side.BUY, "2", "100", trade_id="8"), fill(Side.BUY, "2", "200", trade_id="9")]
    liquidated = fill(Side.SELL, "2", "90", trade_id="-4")
    for each in (*opened, liquidated):
        books.count_fill(each)
    assert books.account_of(BTC) == account_after(*opened, liquidated)


def test_beyond_the_bound_the_oldest_trades_stay_counted_and_a_late_one_comes_after_them(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "TRADES_KEPT_MAX", 2)
    books = PositionBooks("main")
    late = fill(Side.SELL, "1", "90", trade_id="1")
    bought = [fill(Side.BUY, "2", str(100 * number), trade_id=str(number)) for number in range(2, 6)]
    for each in (*bought, late):
        books.count_fill(each)
    assert books.account_of(BTC) == account_after(*bought[:2], late, *bought[2:])


def test_fee_in_another_asset_than_the_quote_is_no_part_of_the_fees() -> None:
    account = account_after(replace(fill(Side.BUY, "1", "100", fee="0.5"), fee_asset="POINT"), fill(Side.SELL, "1", "101", fee="0.05"))
    assert account.fees == Decimal("0.05")


def test_beyond_the_bound_the_oldest_payment_is_forgotten_and_not_the_newest(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(positions, "PAYMENTS_KEPT_MAX", 2)
    books = PositionBooks("main")
    for payment_id in ("1", "2", "3"):
        assert books.apply_funding(funding(payment_id, "-0.1"))
    assert books.apply_funding(funding("3", "-0.1")) == []
    assert books.apply_funding(funding("2", "-0.1")) == []


def test_leverage_that_was_set_counts_before_there_is_a_position_and_until_the_exchange_says_another() -> None:
    books = PositionBooks("main")
    books.note_leverage(BTC, Decimal(7))
    assert books.leverage(BTC) == 7
    books.apply_all([])
    assert books.leverage(BTC) == 7
    books.apply_all([report("1", entry="100", leverage=Decimal(3))])
    assert books.leverage(BTC) == 3


def test_unrealised_profit_is_reckoned_from_the_mark_price_where_the_exchange_does_not_state_it() -> None:
    books = PositionBooks("main")
    books.apply_report(report("-2", entry="100", time=10, mark_price=Decimal(90)))
    assert books.reports()[BTC].unrealised_pnl == 20
    books.apply_report(report("-2", entry="100", time=11, mark_price=Decimal(90), unrealised_pnl=Decimal("19.5")))
    assert books.reports()[BTC].unrealised_pnl == Decimal("19.5"), "its own word comes first"


def test_same_report_again_says_nothing() -> None:
    books = PositionBooks("main")
    assert len(books.apply_report(report("1", entry="100", time=10))) == 1
    assert books.apply_report(report("1", entry="100", time=12)) == []


# In the ledger


def ledger() -> AccountLedger:
    return AccountLedger(account="main", installation="mm", holds_positions=True)


def test_fill_is_counted_once_in_the_position_also_when_it_passed_for_a_strangers() -> None:
    of_contracts = ledger()
    for _ in range(2):
        of_contracts.apply_fill(fill(Side.SELL, "2", "100", fee="0.1"), now=1.0)
    assert of_contracts.positions is not None
    assert of_contracts.positions.account_of(BTC).quantity == -2
    assert of_contracts.fill_changes() == {"BTC": -2, "USDT": Decimal("199.9")}


def test_funding_is_counted_once_and_explains_the_balance() -> None:
    of_contracts = ledger()
    assert of_contracts.apply_funding(funding("1", "-0.25")) == [FundingPaid("main", funding("1", "-0.25"))]
    assert of_contracts.apply_funding(funding("1", "-0.25")) == []
    of_contracts.apply_funding(funding("2", "0.1"))
    assert of_contracts.fill_changes() == {"USDT": Decimal("-0.15")}
    assert of_contracts.positions is not None
    assert of_contracts.positions.account_of(BTC).funding == Decimal("-0.15")


def test_funding_of_an_account_without_contracts_is_a_mistake() -> None:
    with pytest.raises(ValueError, match="trades no contracts"):
        AccountLedger(account="main", installation="mm").apply_funding(funding("1", "1"))


def test_order_on_its_way_holds_its_margin_and_a_reduce_only_one_holds_nothing() -> None:
    books = PositionBooks("main")
    books.apply_report(report("0", leverage=Decimal(4)))

    def order(*, reduce_only: bool, symbol: Symbol = BTC) -> Order:
        request = OrderRequest(
            client_order_id="mm-btc-1",
            owner="btc",
            symbol=symbol,
            side=Side.SELL,
            type=OrderType.LIMIT,
            time_in_force=TimeInForce.GOOD_TILL_CANCELLED,
            quantity=Decimal(2),
            price=Decimal(100),
            reduce_only=reduce_only,
        )
        return Order(request=request, filled_quantity=Decimal("0.5"))

    assert margin(order(reduce_only=False), books) == ("USDT", Decimal("37.5"))
    assert margin(order(reduce_only=True), books) == ("USDT", 0)
    assert margin(order(reduce_only=False, symbol=ETH), books) == ("USDT", 150), "without the exchange's word there is no leverage"


def test_rounding_that_may_be_is_a_share_of_all_that_was_traded_and_of_what_was_found_open() -> None:
    books = PositionBooks("main")
    assert books.roundings() == {}
    books.apply_all([report("2", entry="100")])
    assert books.roundings() == {"USDT": 200 * AVERAGE_PRICE_ROUNDING}
    books.count_fill(fill(Side.BUY, "1", "300"))
    books.count_fill(fill(Side.SELL, "1", "500", trade_id="2"))
    assert books.roundings() == {"USDT": 1000 * AVERAGE_PRICE_ROUNDING}, "it only grows"
