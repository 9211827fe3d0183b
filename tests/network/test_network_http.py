"""`HttpClient` against a real server over the simulated network: what is sent, what comes back, what stays private."""

from __future__ import annotations

import gzip
import ssl

import pytest
import trio
from network_helpers import HOST, URL, get, post, simulated_exchange
from rich.pretty import pretty_repr
from starlette.responses import Response

from network.errors import RequestNotSent, ResponseLost, ResponseTooLarge
from network.http import HttpClient, HttpRequest


async def test_request_arrives_byte_for_byte_and_response_comes_back(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL) as client:
        exchange.responses.append(Response(b"[1]", 201, {"X-RateLimit-Remaining": "9"}))
        query = "b=2&a=1&t=%2Fx,y&%20=%7e"
        headers = (("KEY", "k"), ("SIGN", "s"))
        response = await client.send(
            HttpRequest(method="POST", path="/api/v4/spot%2Forders", query=query, headers=headers, body=b'{"a":1}'), timeout_seconds=5
        )

    assert (response.status, response.headers["x-ratelimit-remaining"], response.body) == (201, "9", b"[1]")
    [(_, method, target, body)] = exchange.received
    assert (method, target, body) == ("POST", f"/api/v4/spot%2Forders?{query}", b'{"a":1}')
    [seen] = exchange.headers
    assert seen["key"] == "k"
    assert seen["sign"] == "s"
    assert seen["user-agent"] == "mm-runtime"
    assert seen["host"] == HOST


async def test_headers_of_the_client_go_with_every_request_beside_its_own(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL, headers=(("x-simulated-trading", "1"),)) as client:
        await client.send(HttpRequest(method="GET", path="/a", headers=(("KEY", "k"),)), timeout_seconds=5)
        await client.send(HttpRequest(method="GET", path="/b"), timeout_seconds=5)
    assert [(seen["x-simulated-trading"], seen.get("key")) for seen in exchange.headers] == [("1", "k"), ("1", None)]


async def test_requests_in_turn_share_one_connection(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), HttpClient(URL) as client:
        for _ in range(5):
            await client.send(get(), timeout_seconds=5)
        assert network.statistics().connections_opened == 1
        await trio.sleep(3600)  # nothing expires by this side's own clock
        await client.send(get(), timeout_seconds=5)
        assert network.statistics().connections_opened == 1


async def test_redirects_are_returned_and_not_followed(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL) as client:
        exchange.responses.append(Response(b"", 302, {"location": "/elsewhere"}))
        assert (await client.send(get(), timeout_seconds=5)).status == 302
    assert len(exchange.received) == 1


async def test_cookies_are_not_kept(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL) as client:
        exchange.responses.append(Response(b"", headers={"set-cookie": "a=b; Path=/"}))
        await client.send(get(), timeout_seconds=5)
        await client.send(get(), timeout_seconds=5)
    assert "cookie" not in exchange.headers[1]


async def test_proxies_of_the_environment_are_ignored(autojump_clock: trio.abc.Clock, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("HTTP_PROXY", "http://nowhere.sim:1")
    monkeypatch.setenv("ALL_PROXY", "http://nowhere.sim:1")
    async with simulated_exchange(), HttpClient(URL) as client:
        assert (await client.send(get(), timeout_seconds=5)).status == 200


async def test_compressed_response_is_unpacked(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL) as client:
        exchange.responses.append(Response(gzip.compress(b"tick " * 100, mtime=0), headers={"content-encoding": "gzip"}))
        assert (await client.send(get(), timeout_seconds=5)).body == b"tick " * 100


@pytest.mark.parametrize(
    ("encoding", "content"), [("gzip", b"not gzip"), ("gzip", gzip.compress(b"cut short", mtime=0)[:-3]), ("br", b"br")]
)
async def test_body_that_does_not_unpack_is_response_lost(autojump_clock: trio.abc.Clock, encoding: str, content: bytes) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL) as client:
        exchange.responses.append(Response(content, headers={"content-encoding": encoding}))
        with pytest.raises(ResponseLost):
            await client.send(get(), timeout_seconds=5)
        assert (await client.send(get(), timeout_seconds=5)).status == 200


@pytest.mark.parametrize("path", ["/huge", "/echo", "/packed"])
async def test_body_larger_than_allowed_is_refused_and_client_stays_usable(autojump_clock: trio.abc.Clock, path: str) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL, body_bytes_max=25_000) as client:
        if path == "/packed":
            exchange.responses.append(Response(gzip.compress(bytes(1_000_000), mtime=0), headers={"content-encoding": "gzip"}))
        with pytest.raises(ResponseTooLarge, match="25000 bytes"):
            await client.send(post(b"y" * 25_001, path=path), timeout_seconds=5)
        assert (await client.send(post(b"z" * 25_000), timeout_seconds=5)).body == b"z" * 25_000
        await trio.sleep(1)
        assert network.statistics().connections_open == 1


async def test_endless_dripping_response_ends_at_the_deadline_of_the_whole_request(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange(), HttpClient(URL) as client:
        started = trio.current_time()
        with pytest.raises(ResponseLost, match="within 3 s"):
            await client.send(get("/drip"), timeout_seconds=3)
        assert trio.current_time() - started == pytest.approx(3, abs=0.01)
        assert (await client.send(get(), timeout_seconds=3)).status == 200


async def test_cancelled_request_closes_its_connection_and_client_stays_usable(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, exchange), HttpClient(URL) as client:
        for path, cancel_after in (("/slow", 0.001), ("/slow", 1), ("/drip", 1)):
            exchange.think_seconds = 5
            with trio.move_on_after(cancel_after) as scope:
                await client.send(get(path), timeout_seconds=60)
            assert scope.cancelled_caught
        exchange.think_seconds = 0
        assert (await client.send(post(b"mine"), timeout_seconds=5)).body == b"mine"
        await trio.sleep(10)
        assert network.statistics().connections_open == 1


async def test_request_cancelled_at_every_instant_leaves_client_usable(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), HttpClient(URL, connections_max=1, connections_urgent_max=1) as client:
        for step in range(60):
            with trio.move_on_after(step * 0.0005):
                await client.send(post(b"first"), timeout_seconds=60)
            body = f"after {step}".encode()
            assert (await client.send(post(body), timeout_seconds=60)).body == body
        await trio.sleep(10_000)  # the server has closed what was idle; what is open now, this side has forgotten to close
        assert network.statistics().connections_open <= 1


async def test_waiting_for_a_free_connection_ends_as_not_sent(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL, connections_max=1, connections_urgent_max=1) as client:
        exchange.think_seconds = 10
        async with trio.open_nursery() as nursery:
            for _ in range(2):
                nursery.start_soon(lambda: client.send(post(b"slow"), timeout_seconds=20))
            await trio.sleep(1)
            with pytest.raises(RequestNotSent, match="within 2 s"):
                await client.send(post(b"third"), timeout_seconds=2)
        assert exchange.bodies == [b"slow", b"slow"]


async def test_hanging_requests_leave_lane_of_urgent_ones_free(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (_, exchange), HttpClient(URL, connections_max=2, connections_urgent_max=1) as client:
        exchange.think_seconds = 10

        async def hang() -> None:
            async with client.lane():
                await client.send(post(b"slow"), timeout_seconds=20)

        async with trio.open_nursery() as nursery:
            for _ in range(5):
                nursery.start_soon(hang)
            await trio.sleep(1)
            exchange.think_seconds = 0
            async with client.lane(urgent=True):
                assert (await client.send(post(b"cancel"), timeout_seconds=2)).body == b"cancel"
            nursery.cancel_scope.cancel()


SECRET = "do-not-show"


def test_request_and_response_do_not_show_secrets() -> None:
    request = HttpRequest(method="GET", path="/orders", query=f"signature={SECRET}", headers=(("SIGN", SECRET),), body=SECRET.encode())
    assert SECRET not in repr(request) + str(request) + pretty_repr(request)
    assert "/orders" in repr(request)


@pytest.mark.parametrize("fields", [
    {"headers": (("KEY", SECRET + "\n"),)},
    {"headers": (("KEY", SECRET + "’"),)},
    {"headers": (("KEY", " " + SECRET),)},
    {"headers": (("a b", SECRET),)},
    {"query": f"sign={SECRET} x"},
    {"query": f"sign={SECRET}\r\nX: y"},
    {"path": "/a b"},
    {"path": "a"},
    {"path": "/a?b=1"},
])  # fmt: skip
def test_request_that_cannot_stand_on_the_wire_is_refused_when_made_without_its_secret(fields: dict[str, object]) -> None:
    with pytest.raises(ValueError, match="GET") as caught:
        get(**{"path": "/orders", **fields})  # type: ignore[arg-type]
    assert SECRET not in str(caught.value)


async def test_errors_name_method_host_and_path_and_nothing_secret(autojump_clock: trio.abc.Clock) -> None:
    async with simulated_exchange() as (network, _), HttpClient(URL) as client:
        request = HttpRequest(method="POST", path="/orders", query=f"signature={SECRET}", headers=(("SIGN", SECRET),), body=SECRET.encode())
        network.refuse(HOST)
        with pytest.raises(RequestNotSent) as refused:
            await client.send(request, timeout_seconds=1)
        network.repair(HOST)
        network.cut_after(HOST, 0, "from")
        with pytest.raises(ResponseLost) as lost:
            await client.send(request, timeout_seconds=1)
    for error in (refused.value, lost.value):
        assert f"POST {HOST}/orders" in str(error)
        assert error.__cause__ is not None
        cause: BaseException | None = error
        while cause is not None:
            assert SECRET not in repr(cause)
            cause = cause.__cause__ or cause.__context__


async def test_plain_http_loads_no_certificate_authorities(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse(*args: object, **kwargs: object) -> None:
        raise AssertionError("authorities were loaded")

    monkeypatch.setattr(ssl.SSLContext, "load_verify_locations", refuse)
    monkeypatch.setattr(ssl.SSLContext, "load_default_certs", refuse)
    async with HttpClient("http://api.gate.sim:8080"):
        pass


def test_base_url_with_a_path_is_refused() -> None:
    with pytest.raises(ValueError, match="path belongs to each request"):
        HttpClient("http://api.gate.sim/api/v4")
