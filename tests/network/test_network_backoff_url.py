"""Back-off delays and URL parts."""

from __future__ import annotations

import random

import pytest
from hypothesis import given
from hypothesis import strategies as st

from network.backoff import Backoff
from network.url import UrlError, parse_url


def test_delays_grow_to_the_maximum_and_begin_again_after_a_reset() -> None:
    backoff = Backoff(0.5, 3, 10, 0, random.Random(1))
    assert [backoff.next_delay_seconds() for _ in range(5)] == [0.5, 1.5, 4.5, 10, 10]
    backoff.reset()
    assert backoff.next_delay_seconds() == 0.5


@given(st.integers(), st.floats(0, 1), st.integers(1, 20))
def test_jitter_shortens_by_at_most_its_part_and_repeats_with_the_seed(seed: int, jitter: float, steps: int) -> None:
    plain = Backoff(0.5, 2, 60, 0, random.Random(seed))
    first = Backoff(0.5, 2, 60, jitter, random.Random(seed))
    second = Backoff(0.5, 2, 60, jitter, random.Random(seed))
    for _ in range(steps):
        longest, delay = plain.next_delay_seconds(), first.next_delay_seconds()
        assert longest * (1 - jitter) <= delay <= longest
        assert delay == second.next_delay_seconds()


@pytest.mark.parametrize("arguments", [(0, 2, 1, 0), (2, 2, 1, 0), (1, 0.5, 2, 0), (1, 2, 2, 1.5)])
def test_backoff_that_makes_no_sense_is_refused(arguments: tuple[float, float, float, float]) -> None:
    with pytest.raises(ValueError, match="a back-off needs"):
        Backoff(*arguments, random.Random(1))


def test_url_in_parts() -> None:
    url = parse_url("wss://Stream.Gate.io:8443/ws/v4?a=b%20c", schemes=("ws", "wss"))
    assert (url.scheme, url.host, url.port, url.path, url.query) == ("wss", "stream.gate.io", 8443, "/ws/v4", "a=b%20c")
    assert (url.is_secure, url.host_header, url.target, url.origin) == (
        True,
        "stream.gate.io:8443",
        "/ws/v4?a=b%20c",
        "wss://stream.gate.io:8443",
    )
    assert parse_url("http://localhost").target == "/"
    assert parse_url("https://api.gate.io").host_header == "api.gate.io"
    assert parse_url("https://api.gate.io:80").port == 80


@pytest.mark.parametrize(
    "text", ["", "api.gate.io", "ftp://a", "http://", "http://[::1]/", "http://a:99999/", "http://key:secret@a/", "http://ü/"]
)
def test_text_that_is_no_usable_url_is_refused_without_repeating_it(text: str) -> None:
    with pytest.raises(UrlError) as caught:
        parse_url(text)
    assert "secret" not in str(caught.value)


def test_url_does_not_show_path_and_query() -> None:
    assert "listen" not in repr(parse_url("https://a/ws/listen?key=listen"))
