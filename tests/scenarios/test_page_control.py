"""Who may act on a run from its page, who may look at it, and that an action does what `mm-ctl` would do."""

from __future__ import annotations

import msgspec
import trio
from page_client import TOKEN, URL, acted, asked, page_opened, start_with_page, upgraded
from test_control import state_of
from test_following_the_market import NO_TAKERS, exchange_id, placed_sell
from world import World, scenario

from assembly.page.application import ACTION_BYTES_MAX, ACTION_SECONDS_MAX, ACTIONS_MAX
from assembly.page.guard import TOKENS_WAITING_MAX, WRONG_TOKEN_SECONDS
from assembly.page.protocol import Outcome
from orders.states import StateEntered, TradingState

PAUSE = {"command": "pause"}
EVIL = "http://evil.example"


@scenario(seed=731, simulation=NO_TAKERS)
async def test_action_does_to_the_run_what_mm_ctl_does_and_says_who_it_was(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    async with page_opened(world) as page:
        response = await acted({"command": "pause", "reason": "lunch", "run": page.shown["program"].run})
        outcome = msgspec.json.decode(response.content, type=Outcome)
        assert (response.status_code, outcome.done) == (200, True)
        assert outcome.orders is not None
        assert (outcome.orders.cancelled, outcome.orders.still_open) == (1, ())
        assert world.our_open_orders() == []
        assert state_of(world) is TradingState.PAUSED
        assert [entered.reason for entered in world.seen(StateEntered)] == ["by the page: lunch"]
        await page.watch(1.0)
        assert [(state.scope, state.state, state.reason) for state in page.shown["states"]] == [
            ("global", TradingState.PAUSED, "by the page: lunch")
        ]
        assert (page.shown["orders"].live, page.shown["cycles"][0].state) == ((), TradingState.PAUSED)
        assert (await acted({"command": "resume"})).json()["done"]
        await placed_sell(world, 2)
        await page.watch(1.0)
        assert page.shown["states"] == ()
    world.stop()
    await world.end()


@scenario(seed=732, simulation=NO_TAKERS)
async def test_halt_is_lifted_only_by_somebody_who_says_that_he_has_looked(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    assert (await acted({"command": "halt", "scope": "cycle:btc", "reason": "smells"})).json()["done"]
    for command in ("resume", "pause", "reduce-only"):
        refused = (await acted({"command": command, "scope": "cycle:btc"})).json()
        assert not refused["done"]
        assert refused["halted"]["reason"] == "by the page: smells"
        assert state_of(world, "cycle:btc") is TradingState.HALTED
    assert (await acted({"command": "resume", "scope": "cycle:btc", "from_halt": True})).json()["done"]
    assert state_of(world, "cycle:btc") is TradingState.RUN
    unknown = (await acted({"command": "pause", "scope": "cycle:bct"})).json()
    assert not unknown["done"]
    assert 'Did you mean "cycle:btc"?' in unknown["message"]
    world.stop()
    await world.end()


@scenario(seed=733)
async def test_flatten_sells_what_the_cycle_holds(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    outcome = (await acted({"command": "flatten", "scope": "cycle:btc"})).json()
    assert outcome["done"]
    assert [(each["cycle"], each["is_flat"], each["state"]) for each in outcome["flattened"]] == [("btc", True, "reduce_only")]
    assert state_of(world, "cycle:btc") is TradingState.REDUCE_ONLY
    world.stop()
    await world.end()


@scenario(seed=734, simulation=NO_TAKERS)
async def test_nobody_acts_without_the_right_token_and_guessing_is_slow(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    for wrong in (None, TOKEN[:-1], TOKEN + "x", TOKEN.upper(), "x" + TOKEN):
        began_at = trio.current_time()
        response = await acted(PAUSE, token=wrong)
        assert (response.status_code, response.headers["www-authenticate"]) == (401, "Bearer")
        assert trio.current_time() - began_at >= WRONG_TOKEN_SECONDS
        assert TOKEN not in response.text
    other_kind = await acted(PAUSE, token=None, authorization=f"Basic {TOKEN}")
    assert other_kind.status_code == 401
    assert state_of(world) is TradingState.RUN
    assert world.seen(StateEntered) == []
    # Whoever guesses from many sides gets one guess a second all the same, and the right one comes through behind him.
    statuses: list[int] = []

    async def guess(token: str) -> None:
        statuses.append((await acted(PAUSE, token=token)).status_code)

    began_at = trio.current_time()
    async with trio.open_nursery() as nursery:
        for number in range(TOKENS_WAITING_MAX + 3):
            nursery.start_soon(guess, f"wrong-token-number-{number}")
    assert sorted(statuses) == [401] * TOKENS_WAITING_MAX + [429] * 3
    assert trio.current_time() - began_at >= TOKENS_WAITING_MAX * WRONG_TOKEN_SECONDS
    async with trio.open_nursery() as nursery:
        nursery.start_soon(guess, "wrong-token")
        nursery.start_soon(guess, TOKEN)
    assert sorted(statuses[-2:]) == [200, 401]
    world.stop()
    await world.end()


@scenario(seed=735, simulation=NO_TAKERS)
async def test_page_without_a_token_is_to_look_at_only_and_says_how_to_have_one(world: World) -> None:
    await start_with_page(world, token=None)
    await placed_sell(world)
    async with page_opened(world) as page:
        assert page.shown["program"].can_control is False
    for token in (None, TOKEN):
        response = await acted(PAUSE, token=token)
        assert response.status_code == 403
        assert "MM_PAGE_TOKEN" in response.json()["message"]
    assert world.seen(StateEntered) == []
    world.stop()
    await world.end()


@scenario(seed=736, simulation=NO_TAKERS)
async def test_no_request_that_another_page_makes_is_obeyed_or_answered(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    foreign = (
        {"origin": EVIL},
        {"origin": "null"},
        {"origin": "http://localhost:8322"},
        {"origin": "http://127.0.0.1"},
        {"origin": "http://[127.0.0.1:8321"},
        {"origin": f"{URL}.evil.example"},
        {"sec_fetch_site": "cross-site"},
        {"sec_fetch_site": "same-site"},
        {"origin": URL, "sec_fetch_site": "cross-site"},
    )
    for headers in foreign:
        assert (await acted(PAUSE, **headers)).status_code == 403
        assert (await asked("/", **headers)).status_code == 403
        assert await upgraded(**headers) == 403
    assert world.seen(StateEntered) == []
    # A link on another page may lead here: it shows that page nothing. No form or script of it may do anything.
    link = {"sec_fetch_site": "cross-site", "sec_fetch_mode": "navigate", "sec_fetch_dest": "document"}
    assert (await asked("/", **link)).status_code == 200
    assert (await asked("/", **{**link, "sec_fetch_dest": "iframe"})).status_code == 403
    assert (await acted(PAUSE, **link)).status_code == 403
    assert world.seen(StateEntered) == []
    for headers in ({"origin": URL, "sec_fetch_site": "same-origin"}, {"origin": URL.replace("http", "https")}):
        async with page_opened(world, **headers):
            pass
        assert (await acted(PAUSE, **headers)).status_code == 200
    assert state_of(world) is TradingState.PAUSED
    world.stop()
    await world.end()


@scenario(seed=737, simulation=NO_TAKERS)
async def test_request_by_a_name_that_is_not_ours_is_refused_wherever_the_name_leads(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    for name in ("evil.example", "localhost.evil.example", "trader.lan.evil.example"):
        world.network.add_host(name, "127.0.0.1")
        url = f"http://{name}:8321"
        assert (await asked("/", url=url)).status_code == 403
        assert (await acted(PAUSE, url=url, origin=url, sec_fetch_site="same-origin")).status_code == 403
        assert await upgraded(f"{name}:8321", origin=url) == 403
    assert (await asked("/", host="")).status_code == 403
    assert (await asked("/", host="8.8.8.8:8321")).status_code == 403
    assert world.seen(StateEntered) == []
    world.network.add_host("trader.lan", "127.0.0.1")
    for name in ("localhost", "127.0.0.1", "trader.lan", "LOCALHOST"):
        assert (await asked("/", url=f"http://{name}:8321")).status_code == 200
    assert (await asked("/", host="localhost:9000")).status_code == 200  # through a tunnel
    world.stop()
    await world.end()


@scenario(seed=738, simulation=NO_TAKERS)
async def test_what_is_no_action_of_this_run_is_refused_and_does_nothing(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    for body in (
        b"",
        b"{",
        b"[]",
        b'"pause"',
        b'{"command":"explode"}',
        b'{"command":"pause","more":1}',
        b"\xff\xfe",
        b'{"scope":"global"}',
    ):
        assert (await acted(body)).status_code == 400
    for command in ("reload", "set"):
        assert (await acted({"command": command})).status_code == 400
    assert "status" not in (await acted({"command": "status"})).json(), "that only asks whether the token is right"
    assert (await acted(b'{"command":"pause","reason":"' + b"x" * ACTION_BYTES_MAX + b'"}')).status_code == 400
    assert (await acted(PAUSE, content_type="text/plain")).status_code == 400
    elsewhere = await acted({"command": "pause", "run": "1-1"})
    assert elsewhere.status_code == 409
    assert "another run" in elsewhere.json()["message"]
    assert (await asked("/api/control")).status_code == 405
    assert world.seen(StateEntered) == []
    world.stop()
    await world.end()


@scenario(seed=739, simulation=NO_TAKERS)
async def test_action_that_does_not_come_to_its_end_is_not_waited_for(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    stream = await trio.open_tcp_stream("127.0.0.1", 8321)
    await stream.send_all(
        b"POST /api/control HTTP/1.1\r\nHost: localhost\r\nContent-Type: application/json\r\nContent-Length: 100\r\n"
        b"Authorization: Bearer " + TOKEN.encode() + b'\r\n\r\n{"command":'
    )
    with trio.fail_after(ACTION_SECONDS_MAX + 1):
        assert (await stream.receive_some()).startswith(b"HTTP/1.1 400")
    await stream.aclose()
    world.stop()
    await world.end()


@scenario(seed=740, simulation=NO_TAKERS)
async def test_few_actions_are_carried_out_at_once(world: World) -> None:
    """Each waits for orders to end, here for ones that the exchange does not answer for."""
    await start_with_page(world)
    sell = await placed_sell(world)
    assert world.runtime is not None
    with world.network.partition("exchange.sim"):
        found: list[int] = []

        async def pause(scope: str) -> None:
            found.append((await acted({"command": "pause", "scope": scope})).status_code)

        async with trio.open_nursery() as nursery:
            for scope in ("global", "account:main", "cycle:btc", "symbol:main:BTC/USDT", "global", "global")[: ACTIONS_MAX + 2]:
                nursery.start_soon(pause, scope)
        assert sorted(found) == [200] * ACTIONS_MAX + [503] * 2
    assert exchange_id(sell)
    world.stop()
    await world.end()


@scenario(seed=741, simulation=NO_TAKERS)
async def test_files_bind_the_browser_to_this_page_and_are_sent_once(world: World) -> None:
    await start_with_page(world)
    await placed_sell(world)
    first = await asked("/")
    assert (first.status_code, first.headers["content-type"]) == (200, "text/html; charset=utf-8")
    policy = dict(each.split(" ", 1) for each in first.headers["content-security-policy"].split("; "))
    assert policy["default-src"] == "'none'"
    assert {policy[name] for name in ("script-src", "style-src", "connect-src", "font-src")} == {"'self'"}
    assert (policy["frame-ancestors"], policy["form-action"]) == ("'none'", "'none'")
    assert first.headers["x-content-type-options"] == "nosniff"
    assert "set-cookie" not in first.headers
    assert "access-control-allow-origin" not in first.headers
    again = await asked("/", if_none_match=first.headers["etag"])
    assert (again.status_code, again.content) == (304, b"")
    for path in ("/static/page.js", "/static/page.css"):
        assert (await asked(path)).status_code == 200
    for path in (
        "/static/nothing.js",
        "/static/../server.py",
        "/static/..%2fserver.py",
        "/static/%2fetc%2fpasswd",
        "/config.toml",
        "/static/",
    ):
        assert (await asked(path)).status_code == 404
    world.exchange.freeze_flow()
    world.stop()
    await world.end()
