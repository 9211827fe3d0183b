"""What an owner's trades add up to."""

from __future__ import annotations

from decimal import Decimal

from hypothesis import given
from hypothesis import strategies as st

from market.events import Side
from market.exact import exact_product, exact_sum
from market.symbol import Symbol
from orders.order import add_fill
from orders.reports import FillReport
from orders.tally import Tally

BTC = Symbol("BTC", "USDT")


def fill(side: Side, quantity: str | Decimal, price: str | Decimal, *, fee: str | Decimal = "0", asset: str = "USDT") -> FillReport:
    return FillReport(
        trade_id="1",
        exchange_order_id="1",
        client_order_id=None,
        symbol=BTC,
        side=side,
        price=Decimal(price),
        quantity=Decimal(quantity),
        fee=Decimal(fee),
        fee_asset=asset,
        maker=side is Side.BUY,
    )


QUANTITIES = st.decimals("0.00000001", "1000", places=8)
PRICES = st.decimals("0.000001", "100000", places=6)
FEES = st.decimals("-0.5", "0.5", places=18)
FILLS = st.lists(
    st.builds(
        lambda side, quantity, price, fee, asset: fill(side, quantity, price, fee=fee, asset=asset),
        st.sampled_from(Side),
        QUANTITIES,
        PRICES,
        FEES,
        st.sampled_from(["BTC", "USDT", "GT"]),
    ),
    max_size=30,
)


def tally_of(fills: list[FillReport]) -> Tally:
    tally = Tally()
    for each in fills:
        tally = tally.after_fill(each)
    return tally


def test_tally_of_nothing_is_nothing() -> None:
    tally = Tally()
    assert (tally.inventory, tally.volume_quote, tally.traded.realised, tally.fees, tally.trades) == (0, 0, 0, {}, 0)


def test_buying_and_selling_dearer_realises_the_difference_of_what_was_sold() -> None:
    tally = tally_of([fill(Side.BUY, "3", "100"), fill(Side.BUY, "1", "104"), fill(Side.SELL, "2", "105")])
    assert (tally.inventory, tally.traded.entry_price, tally.traded.realised) == (2, 101, 8)
    assert (tally.bought_quantity, tally.bought_quote, tally.sold_quantity, tally.sold_quote) == (4, 404, 2, 210)
    assert (tally.volume_quote, tally.trades, tally.maker_trades) == (614, 3, 2)


def test_fee_paid_in_base_is_no_longer_held_and_one_in_another_asset_is_kept_apart() -> None:
    tally = tally_of([fill(Side.BUY, "1", "100", fee="0.001", asset="BTC"), fill(Side.BUY, "1", "100", fee="0.2", asset="GT")])
    assert (tally.inventory, tally.traded.quantity) == (Decimal("1.999"), 2)
    assert (tally.fees, tally.base_fees) == ({"BTC": Decimal("0.001"), "GT": Decimal("0.2")}, Decimal("0.001"))


def test_what_was_sold_and_not_bought_is_a_negative_inventory() -> None:
    tally = tally_of([fill(Side.SELL, "2", "100"), fill(Side.BUY, "0.5", "90")])
    assert (tally.inventory, tally.traded.realised) == (Decimal("-1.5"), 5)


@given(FILLS, st.randoms(use_true_random=False))
def test_sums_are_those_of_the_trades_whatever_their_order(fills: list[FillReport], rng) -> None:
    shuffled = list(fills)
    rng.shuffle(shuffled)
    one, other = tally_of(fills), tally_of(shuffled)
    changes: dict[str, Decimal] = {}
    for each in fills:
        add_fill(changes, each)
    for tally in (one, other):
        assert tally.inventory == changes.get("BTC", 0)
        received = (tally.sold_quote, tally.bought_quote.copy_negate(), tally.fees.get("USDT", Decimal(0)).copy_negate())
        assert exact_sum(received) == changes.get("USDT", 0)
        assert tally.bought_quantity == exact_sum(each.quantity for each in fills if each.side is Side.BUY)
        assert tally.sold_quantity == exact_sum(each.quantity for each in fills if each.side is Side.SELL)
        assert (tally.trades, tally.maker_trades) == (len(fills), sum(each.maker for each in fills))
    assert one.fees == other.fees


@given(FILLS, PRICES)
def test_realised_and_unrealised_profit_are_what_was_received_less_paid_and_what_is_left_at_that_price(
    fills: list[FillReport], price: Decimal
) -> None:
    """In whatever order it was traded, to the last digit: only how it is divided between the two depends on the order."""
    tally = tally_of(fills)
    received = exact_sum((tally.sold_quote, tally.bought_quote.copy_negate(), exact_product(tally.traded.quantity, price)))
    assert exact_sum((tally.traded.realised, tally.traded.unrealised(price))) == received


@given(FILLS, PRICES)
def test_profit_is_what_came_in_with_what_is_left_sold_at_that_price_fees_in_other_assets_apart(
    fills: list[FillReport], price: Decimal
) -> None:
    changes: dict[str, Decimal] = {}
    for each in fills:
        add_fill(changes, each)
    sold = exact_product(changes.get("BTC", Decimal(0)), price)
    assert tally_of(fills).profit(price) == exact_sum((changes.get("USDT", Decimal(0)), sold))


@given(FILLS)
def test_once_all_is_sold_again_everything_is_realised(fills: list[FillReport]) -> None:
    tally = tally_of(fills)
    open_quantity = tally.traded.quantity
    if open_quantity:
        tally = tally.after_fill(fill(Side.SELL if open_quantity > 0 else Side.BUY, abs(open_quantity), "77.7"))
    assert (tally.traded.quantity, tally.traded.cost) == (0, 0)
    assert tally.traded.realised == exact_sum((tally.sold_quote, tally.bought_quote.copy_negate()))
