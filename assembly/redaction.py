"""Known secrets taken out of text: the last line of defence behind code that never writes them."""

from __future__ import annotations

import json
import re
from collections.abc import Callable, Iterable
from urllib.parse import quote

from actors.accounts.credential import Credential
from assembly.page.credential import PageToken
from network.url import Url

LENGTH_MIN = 6  # shorter ones would take ordinary words out of the text


def redactor(credentials: Iterable[Credential], *, webhook: Url | None = None, page_token: PageToken | None = None) -> Callable[[str], str]:
    """A function that replaces every key, secret and passphrase, what a webhook's URL has behind its host, and the page's token, however
    they are escaped, by ``***``."""
    known = {text for each in credentials for text in (each.key, each.secret, each.passphrase)}
    if webhook is not None:
        known |= {webhook.target, webhook.path, webhook.query}
    if page_token is not None:
        known.add(page_token.text)
    secrets = {text for text in known if len(text) >= LENGTH_MIN}
    spellings = {
        spelling for secret in secrets for spelling in (secret, quote(secret, safe=""), json.dumps(secret)[1:-1], repr(secret)[1:-1])
    }
    if not spellings:
        return str
    # Longest first, so that a secret that begins another does not leave the other's end behind.
    pattern = re.compile("|".join(re.escape(spelling) for spelling in sorted(spellings, key=len, reverse=True)))
    return lambda text: pattern.sub("***", text)
