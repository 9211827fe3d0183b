"""The session alone: what is asked again after a lost answer and what is not, what is learned first, and lists of several pages."""

from __future__ import annotations

import random
import traceback
from collections.abc import Awaitable, Callable
from decimal import Decimal
from typing import cast
from urllib.parse import parse_qs

import msgspec
import pytest
import trio
from gateio_futures_codec import sample
from scripted_account import BTC, ScriptedHttp, answered, order_answer, sell

from actors.accounts.codec import AccountCodec, Amendment
from actors.accounts.credential import Credential
from actors.accounts.gateio.futures import GateioFuturesAccountCodec
from actors.accounts.gateio.spot import GateioSpotAccountCodec
from actors.accounts.mexc.spot import MexcSpotAccountCodec
from actors.accounts.session import PAGES_MAX, AccountSession, ClockOffset
from market.clock import VirtualWallClock
from network.breaker import CircuitBreaker
from network.errors import ResponseLost
from network.http import HttpClient, HttpResponse
from network.limits import ExchangeLimits
from network.rate_limit import RateLimiter
from network.rest import RestClient, RetryPolicy
from orders.errors import ExchangeError
from orders.order import Order

PER_PAGE = 100
ORDER = Order(request=sell("mm-btc-000000001"), exchange_order_id="77", sent=True)
OTHER = Order(request=sell("mm-btc-000000002"), exchange_order_id="78", sent=True)
LOST = ResponseLost("scripted")


class Asked:
    """A session that asks three times, over scripted answers."""

    def __init__(self, codec: AccountCodec | None = None) -> None:
        self.http = ScriptedHttp()
        codec = GateioSpotAccountCodec() if codec is None else codec
        self.session = AccountSession(
            codec=codec,
            rest=RestClient(
                cast("HttpClient", self.http),
                ExchangeLimits(RateLimiter(dict(codec.rate_limits)), CircuitBreaker("scripted", on_change=lambda change: None)),
                rng=random.Random(1),
            ),
            credential=Credential(key="key", secret="secret"),
            wall_clock=VirtualWallClock(1_790_000_000_000),
            offset=ClockOffset(),
            retry=RetryPolicy(attempts_max=3),
        )

    @property
    def paths(self) -> list[str]:
        return [request.path for _, request in self.http.sent]


async def amend(session: AccountSession) -> None:
    await session.amend(ORDER, price=Decimal(101), quantity=None)


async def place(session: AccountSession) -> None:
    await session.place(sell("mm-btc-000000001"), leaving=lambda: None)


async def cancel(session: AccountSession) -> None:
    await session.cancel(ORDER)


async def query(session: AccountSession) -> None:
    await session.query_order(ORDER)


@pytest.mark.parametrize("operation", [amend, place])
async def test_what_changes_an_order_is_never_sent_again_after_a_lost_answer(
    autojump_clock: object, operation: Callable[[AccountSession], Awaitable[None]]
) -> None:
    asked = Asked()
    asked.http.answers = [LOST, order_answer("mm-btc-000000001")]
    with pytest.raises(ResponseLost):
        await operation(asked.session)
    assert len(asked.http.sent) == 1


@pytest.mark.parametrize("operation", [cancel, query])
async def test_what_may_be_carried_out_twice_is_asked_again_after_a_lost_answer(
    autojump_clock: object, operation: Callable[[AccountSession], Awaitable[None]]
) -> None:
    asked = Asked()
    asked.http.answers = [LOST, LOST, order_answer("mm-btc-000000001")]
    await operation(asked.session)
    assert len(asked.http.sent) == 3


async def place_batch(session: AccountSession) -> None:
    requests = (ORDER.request, OTHER.request)
    await session.place_batch(requests, leaving=lambda: (requests, None))


async def cancel_batch(session: AccountSession) -> None:
    await session.cancel_batch((ORDER, OTHER))


async def amend_batch(session: AccountSession) -> None:
    await session.amend_batch([Amendment(order=order, price=Decimal(101)) for order in (ORDER, OTHER)])


@pytest.mark.parametrize(("operation", "group"), [(place_batch, "orders"), (amend_batch, "orders"), (cancel_batch, "cancels")])
async def test_order_of_a_batch_that_was_one_too_many_holds_the_batch_s_group(
    autojump_clock: object, operation: Callable[[AccountSession], Awaitable[None]], group: str
) -> None:
    for label, held in (("TOO_MANY_REQUESTS", True), ("ORDER_NOT_FOUND", False)):
        asked = Asked()
        refused = {"id": "78", "currency_pair": "BTC_USDT", "text": "t-mm-btc-000000002", "succeeded": False, "label": label, "message": ""}
        accepted = msgspec.json.decode(order_answer("mm-btc-000000001").body) | {"succeeded": True}
        asked.http.answers = [HttpResponse(status=200, headers={}, body=msgspec.json.encode([accepted, refused]))]
        await operation(asked.session)
        assert (asked.session.limits.held_until(group) > trio.current_time()) is held, label


def page(size: int) -> HttpResponse:
    order = order_answer("mm-btc-000000001", status="cancelled").body
    return HttpResponse(status=200, headers={}, body=b"[" + b",".join([order] * size) + b"]")


async def test_list_is_asked_for_until_a_page_that_is_not_full(autojump_clock: object) -> None:
    asked = Asked()
    asked.http.answers = [page(PER_PAGE), page(PER_PAGE), page(3)]
    found = await asked.session.finished_orders(BTC, since_milliseconds=0)
    assert len(found) == 2 * PER_PAGE + 3
    assert [parse_qs(request.query)["page"] for _, request in asked.http.sent] == [["1"], ["2"], ["3"]]


async def test_list_that_never_ends_is_given_up_after_the_bound(autojump_clock: object) -> None:
    asked = Asked()
    asked.http.answers = [page(PER_PAGE)] * (PAGES_MAX + 1)
    assert len(await asked.session.finished_orders(BTC, since_milliseconds=0)) == PAGES_MAX * PER_PAGE


async def test_everything_that_the_codec_must_know_is_learned_before_the_first_question_and_once(autojump_clock: object) -> None:
    asked = Asked(GateioFuturesAccountCodec())
    bodies = [sample("contracts"), sample("account"), msgspec.json.encode([]), msgspec.json.encode([])]
    asked.http.answers = [HttpResponse(status=200, headers={}, body=body) for body in bodies]
    for _ in range(2):
        assert await asked.session.positions() == []
    prefix = "/api/v4/futures/usdt"
    assert asked.paths == [f"{prefix}/contracts", f"{prefix}/accounts", f"{prefix}/positions", f"{prefix}/positions"]


async def test_learning_alone_learns_everything(autojump_clock: object) -> None:
    asked = Asked(GateioFuturesAccountCodec())
    asked.http.answers = [HttpResponse(status=200, headers={}, body=sample(name)) for name in ("contracts", "account")]
    await asked.session.learn_instruments()
    assert asked.session.codec.catalogue is not None
    assert asked.session.codec.catalogue.is_complete, "a stream is opened after this, and its subscriptions name the user"


STREAM_KEY = "5ec2e7b1a09d4f63"


async def keep_key(session: AccountSession) -> None:
    await session.keep_stream_key(MexcSpotAccountCodec().stream_keys, STREAM_KEY)


async def end_key(session: AccountSession) -> None:
    await session.end_stream_key(MexcSpotAccountCodec().stream_keys, STREAM_KEY)


@pytest.mark.parametrize("operation", [keep_key, end_key])
@pytest.mark.parametrize(
    ("said", "told"),
    [
        (f"no such key: {STREAM_KEY}", "730708"),
        (f"no such key: {STREAM_KEY[:10]}…", "730708"),
        ("listen key information error", "730708: listen key information error"),
    ],
)
async def test_refusal_that_repeats_a_stream_s_key_is_told_by_its_code_alone(
    autojump_clock: object, operation: Callable[[AccountSession], Awaitable[None]], said: str, told: str
) -> None:
    asked = Asked(MexcSpotAccountCodec())
    asked.http.answers = [answered(400, code=730708, msg=said)]
    with pytest.raises(ExchangeError) as raised:
        await operation(asked.session)
    assert str(raised.value) == told
    assert STREAM_KEY[:8] not in "".join(traceback.format_exception(raised.value))


async def test_stream_key_to_borrow_is_another_at_each_attempt_also_after_one_that_was_refused(autojump_clock: object) -> None:
    asked, keys = Asked(MexcSpotAccountCodec()), MexcSpotAccountCodec().stream_keys
    valid = answered(200, listenKey=["one", "two"])
    asked.http.answers = [valid, answered(400, code=730708), valid, answered(200), valid, answered(200), answered(200, listenKey=[])]
    with pytest.raises(ExchangeError):
        await asked.session.borrow_stream_key(keys)
    assert await asked.session.borrow_stream_key(keys) == "two"
    assert await asked.session.borrow_stream_key(keys) == "one"
    assert await asked.session.borrow_stream_key(keys) is None
    kept = [parse_qs(request.query)["listenKey"] for _, request in asked.http.sent if request.method == "PUT"]
    assert kept == [["one"], ["two"], ["one"]]
