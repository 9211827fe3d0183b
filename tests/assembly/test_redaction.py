"""What is taken out of text, however it is written, and what is left alone."""

from __future__ import annotations

import base64
import json
import time
from urllib.parse import quote

import pytest

from actors.accounts.credential import Credential
from assembly.page.credential import PageToken
from assembly.redaction import redactor
from network.url import parse_url

KEY = "k3yThatOpensNothing7c19e5f0"
SECRET = 's3cret+/that"signs\\nothing=0d1f4b7a'
PASSPHRASE = "open sesame"
TOKEN = "t0kenOfThePage-4711_abcdefg"
WEBHOOK = "https://hooks.example/services/T0TALLYsecretWEBHOOKtoken4711?channel=mm"
REDACT = redactor([Credential(key=KEY, secret=SECRET, passphrase=PASSPHRASE)], webhook=parse_url(WEBHOOK), page_token=PageToken(TOKEN))


@pytest.mark.parametrize("secret", [KEY, SECRET, PASSPHRASE, TOKEN, "T0TALLYsecretWEBHOOKtoken4711"])
@pytest.mark.parametrize(
    "spelled",
    [
        str,
        lambda text: quote(text, safe=""),
        lambda text: json.dumps(text)[1:-1],
        lambda text: repr(text)[1:-1],
        lambda text: text.encode().hex(),
        lambda text: text.encode().hex().upper(),
    ],
)
def test_secret_is_taken_out_however_it_is_escaped(secret: str, spelled: object) -> None:
    assert callable(spelled)
    assert REDACT(f"before {spelled(secret)} and {spelled(secret)}after") == "before *** and ***after"


@pytest.mark.parametrize("secret", [KEY, SECRET, TOKEN])
@pytest.mark.parametrize("before", ["", "u", "us", "user:"])
@pytest.mark.parametrize("encode", [base64.b64encode, base64.urlsafe_b64encode])
def test_secret_is_taken_out_of_base64_wherever_in_it_it_stands(secret: str, before: str, encode: object) -> None:
    assert callable(encode)
    encoded = encode(f"{before}{secret}:and more".encode()).decode()
    redacted = REDACT(encoded)
    # What is left belongs to what stands before and after it, but for a few bits.
    assert len(redacted) - len("***") <= len(encoded) - len(secret) * 4 // 3 + 4


@pytest.mark.parametrize("secret", [KEY, SECRET, TOKEN, "T0TALLYsecretWEBHOOKtoken4711"])
@pytest.mark.parametrize("length", [8, 9, 15, 20])
def test_beginning_of_a_secret_that_was_cut_is_taken_out_too(secret: str, length: int) -> None:
    assert REDACT(f"invalid key {secret[:length]}…") == "invalid key ***…"
    assert REDACT(f"invalid key {secret[:length]}XXXX") == "invalid key ***XXXX"


def test_ordinary_text_is_left_alone() -> None:
    for text in ("k3yThat", "/services/others", "open ses", "hooks.example", "", "channel"):
        assert REDACT(text) == text
    simulated = redactor([Credential(key="simulated-key-main", secret="simulated-secret-main-0123456789abcdef")])
    assert simulated("simulated, embedded; simulated-secret-main-0123") == "simulated, embedded; ***"
    assert redactor([])("anything") == "anything"
    assert redactor([Credential(key="short", secret="tiny")])("short tiny") == "short tiny"


def test_secret_that_begins_another_leaves_nothing_of_the_other_behind() -> None:
    short, long = "abcdefgh12345678", "abcdefgh12345678-and-more"
    redact = redactor([Credential(key=short, secret=long)])
    assert redact(f"{short} {long} {long[:20]}") == "*** *** ***"
    passphrase_in_key = redactor([Credential(key="abcdef-1bcdef-abcdef", secret="x" * 20, passphrase="abcdef")])
    assert passphrase_in_key("abcdef-1bcdef-abcdef abcdef-1b abcdef") == "*** *** ***"


def test_long_text_costs_little() -> None:
    accounts = [Credential(key=f"key{number}" * 8, secret=f"secret{number}" * 10) for number in range(5)]
    redact = redactor(accounts)
    text = '{"time":"2026-11-22T01:07:23.412Z","level":"INFO","event":"order_placed"}\n' * 1000
    began = time.process_time()
    assert redact(text) == text
    assert time.process_time() - began < 0.1
