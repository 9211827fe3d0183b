"""Known secrets taken out of text: the last line of defence behind code that never writes them."""

from __future__ import annotations

import base64
import json
import re
from collections.abc import Callable, Iterable, Iterator
from itertools import takewhile
from urllib.parse import quote

import msgspec

from actors.accounts.credential import Credential
from assembly.page.credential import PageToken
from network.url import Url

LENGTH_MIN = 6  # shorter ones would take ordinary words out of the text
# Of a secret so long its beginning is a secret, too: whoever repeats it may cut it, and so may we, before it comes by here.
CUT_LENGTH_MIN = 16
BEGINNING_LENGTH = 8
_SEPARATORS = re.compile(r"[/?&=]")


def redactor(credentials: Iterable[Credential], *, webhook: Url | None = None, page_token: PageToken | None = None) -> Callable[[str], str]:
    """A function that replaces every key, secret and passphrase, what a webhook's URL has behind its host, and the page's token, by
    ``***``: however they are escaped, in hexadecimal and base64 too, and where they are cut, from their first eight characters on.
    """
    secrets = {text for each in credentials for text in (each.key, each.secret, each.passphrase)}
    if page_token is not None:
        secrets.add(page_token.text)
    # Of a URL the whole path is taken out; what is secret in it is its long parts, for a path may begin as any other does.
    places: set[str] = set() if webhook is None else {webhook.target, webhook.path, webhook.query}
    secrets |= {part for place in places for part in _SEPARATORS.split(place) if len(part) >= CUT_LENGTH_MIN}
    spellings = [
        _Spelling(text, _head(text) if secret in secrets and len(secret) >= CUT_LENGTH_MIN else text)
        for secret in sorted(secrets | places)
        if len(secret) >= LENGTH_MIN
        for text in sorted(_spellings(secret))
    ]
    return _Redactor(spellings).redact if spellings else str


class _Spelling(msgspec.Struct, frozen=True):
    """A secret as it may be written, and the beginning that is enough to know it by."""

    text: str
    head: str

    def length_at(self, text: str, start: int) -> int:
        """How much of it stands there."""
        pairs = zip(self.text, text[start : start + len(self.text)], strict=False)
        return sum(1 for _ in takewhile(lambda pair: pair[0] == pair[1], pairs))


def _head(text: str) -> str:
    """So much that it is no ordinary word: with a digit, as made-up keys like ``simulated-key-main`` are not to hide what is simulated."""
    digit = next((index for index, character in enumerate(text) if character.isdigit()), len(text))
    return text[: max(BEGINNING_LENGTH, digit + 1)]


class _Redactor:
    def __init__(self, spellings: Iterable[_Spelling]) -> None:
        self._by_head: dict[str, list[_Spelling]] = {}
        for spelling in spellings:
            self._by_head.setdefault(spelling.head, []).append(spelling)
        # Longest first, so that a secret that begins another does not leave the other's end behind.
        heads = sorted(self._by_head, key=len, reverse=True)
        self._heads = re.compile("|".join(map(re.escape, heads)))

    def redact(self, text: str) -> str:
        # Several times as fast as the expression, and there is hardly ever one.
        if not any(head in text for head in self._by_head):
            return text
        kept: list[str] = []
        position = 0
        while found := self._heads.search(text, position):
            start = found.start()
            kept += (text[position:start], "***")
            position = start + max(spelling.length_at(text, start) for spelling in self._spellings_of(found.group()))
        return "".join((*kept, text[position:]))

    def _spellings_of(self, found: str) -> Iterator[_Spelling]:
        """Those that begin so; a beginning that is enough for one may be the beginning of another's."""
        for head, spellings in self._by_head.items():
            if found.startswith(head):
                yield from spellings


def _spellings(secret: str) -> set[str]:
    """As it is, escaped for a URL, JSON or Python, and in hexadecimal and base64."""
    data = secret.encode()
    found = {secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1], data.hex(), data.hex().upper()}
    for before, touched in ((0, 0), (1, 2), (2, 3)):
        # Behind other data three spellings are possible; the characters at its ends depend on that, too.
        encoded = base64.b64encode(bytes(before) + data).decode()
        core = encoded[touched:] if not encoded.endswith("=") else encoded[touched:].rstrip("=")[:-1]
        found |= {core, core.replace("+", "-").replace("/", "_")}
    return found
