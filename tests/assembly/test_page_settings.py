"""`[page]`: where the page may listen, by which names it is known there, and its token."""

from __future__ import annotations

from pathlib import Path

import pytest
from settings_files import WHOLE, load
from test_settings_messages import message

from assembly.page.credential import LENGTH_MIN, PageToken
from assembly.page.place import PlaceError, parse_place
from assembly.redaction import redactor

TOKEN = "a-page-token-4711-of-a-test"


def page(keys: str = "") -> str:
    return f"{WHOLE}\n[page]\n{keys}\n"


def test_without_the_table_there_is_no_page_and_its_token_is_not_looked_at(tmp_path: Path) -> None:
    settings = load(tmp_path, environment={"MM_PAGE_TOKEN": "short"})
    assert (settings.page, settings.page_place, settings.page_token) == (None, None, None)


def test_with_an_empty_table_it_listens_on_this_machine_and_is_to_look_at_only(tmp_path: Path) -> None:
    settings = load(tmp_path, page())
    assert settings.page_place is not None
    assert (settings.page_place.address, settings.page_place.port, settings.page_place.is_loopback) == ("127.0.0.1", 8321, True)
    assert settings.page_token is None


@pytest.mark.parametrize("listen", ["0.0.0.0:8321", "192.168.1.5:80", "[::]:8321", "[2001:db8::1]:1"])
def test_address_that_others_reach_must_be_meant(listen: str, tmp_path: Path) -> None:
    found = message(tmp_path, text=page(f'listen = "{listen}"'))
    assert found.startswith(f'page.listen is "{listen}", where others than this machine reach the page')
    assert "allow_remote = true" in found
    settings = load(tmp_path, page(f'listen = "{listen}"\nallow_remote = true'))
    assert settings.page_place is not None
    assert not settings.page_place.is_loopback


@pytest.mark.parametrize("listen", ["", "8321", "localhost", "localhost:", "localhost:http", "127.0.0.1:65536", "trader.lan:8321", ":8321"])
def test_what_is_no_address_with_a_port_is_refused(listen: str, tmp_path: Path) -> None:
    assert message(tmp_path, text=page(f'listen = "{listen}"')).startswith(f'page.listen is "{listen}"; expected an address')


@pytest.mark.parametrize("listen", ["localhost:8321", "127.0.0.1:0", "127.1.2.3:8321", "[::1]:8321"])
def test_this_machine_may_be_named_in_several_ways(listen: str) -> None:
    assert parse_place(listen).is_loopback


@pytest.mark.parametrize("host", ["http://trader.lan", "trader.lan:8321", "*", "*.lan", "a b", "", ".", "[::1]"])
def test_what_no_request_can_name_is_refused_as_a_host(host: str, tmp_path: Path) -> None:
    assert message(tmp_path, text=page(f'hosts = ["{host}"]')).startswith(f'page.hosts has "{host}"; expected a name alone')


def test_page_answers_to_the_address_that_it_listens_at_and_to_hosts_however_they_are_written() -> None:
    place = parse_place("127.1.2.3:8321", hosts=("Trader.LAN.", "10.0.0.1", "fe80::1"))
    assert all(place.answers_to(name) for name in ("127.1.2.3", "trader.lan", "10.0.0.1", "fe80::1"))
    assert not place.answers_to("127.1.2.4")


def test_page_answers_to_its_own_names_only() -> None:
    place = parse_place("127.0.0.1:8321", hosts=("Trader.LAN",))
    assert [name for name in ("localhost", "127.0.0.1", "::1", "trader.lan", "evil.example", "10.0.0.1", "") if place.answers_to(name)] == [
        "localhost",
        "127.0.0.1",
        "::1",
        "trader.lan",
    ]
    remote = parse_place("0.0.0.0:8321")
    assert [name for name in ("10.0.0.1", "2001:db8::1", "evil.example", "1.2.3.4.evil.example") if remote.answers_to(name)] == [
        "10.0.0.1",
        "2001:db8::1",
    ]


@pytest.mark.parametrize(
    ("listen", "url"),
    [
        ("127.0.0.1:0", "http://127.0.0.1:99/"),
        ("[::1]:1", "http://[::1]:99/"),
        ("0.0.0.0:1", "http://127.0.0.1:99/"),
        ("[::]:1", "http://[::1]:99/"),
    ],
)
def test_url_is_one_that_can_be_typed_on_this_machine(listen: str, url: str) -> None:
    assert parse_place(listen).url(99) == url


def test_place_error_is_the_only_one_whatever_is_written() -> None:
    for text in ("[", "]:1", "[::1", "[::1]", "::1:8321x", "\x00:1", "１２７.0.0.1:1", "127.0.0.1:１"):
        with pytest.raises(PlaceError):
            parse_place(text)


def test_token_is_a_secret_of_the_settings_that_is_nowhere_shown(tmp_path: Path) -> None:
    settings = load(tmp_path, page(), environment={"MM_PAGE_TOKEN": TOKEN})
    assert settings.page_token is not None
    assert TOKEN not in repr(settings)
    assert TOKEN not in f"{settings.page_token!r}{settings.page_token}"
    redact = redactor((), page_token=settings.page_token)
    assert redact(f"Authorization: Bearer {TOKEN}") == "Authorization: Bearer ***"


def test_token_may_be_in_a_variable_of_another_name(tmp_path: Path) -> None:
    settings = load(tmp_path, page('credential = "DESK"'), environment={"DESK_TOKEN": TOKEN, "MM_PAGE_TOKEN": "short"})
    assert settings.page_token is not None
    assert settings.page_token.matches(TOKEN.encode())


@pytest.mark.parametrize(
    ("token", "why"), [("x" * (LENGTH_MIN - 1), "15 characters"), (f"{TOKEN}\n", "line break"), ("ü" * 20, "another character")]
)
def test_token_that_can_be_guessed_or_not_be_sent_is_refused_without_being_shown(token: str, why: str, tmp_path: Path) -> None:
    found = message(tmp_path, text=page(), environment={"MM_PAGE_TOKEN": token})
    assert found.startswith("the environment variable MM_PAGE_TOKEN ")
    assert why in found
    assert token.strip() not in found


def test_token_in_the_file_is_refused(tmp_path: Path) -> None:
    assert message(tmp_path, text=page(f'token = "{TOKEN}"')).startswith("page.token looks like a secret")


def test_token_matches_itself_only() -> None:
    token = PageToken(TOKEN)
    assert token.matches(TOKEN.encode())
    assert not any(token.matches(other) for other in (b"", TOKEN[:-1].encode(), f"{TOKEN}x".encode(), TOKEN.upper().encode(), b"\xff"))


def test_token_in_the_file_is_told_where_it_belongs(tmp_path: Path) -> None:
    found = message(tmp_path, text=page(f'token = "{TOKEN}"'))
    assert "MM_PAGE_TOKEN" in found
    assert "exchange" not in found
    assert TOKEN not in found
