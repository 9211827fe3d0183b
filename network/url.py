"""A URL in the parts that a connection needs."""

from __future__ import annotations

from typing import Any
from urllib.parse import urlsplit

import msgspec

_DEFAULT_PORTS = {"http": 80, "https": 443, "ws": 80, "wss": 443}


class UrlError(ValueError):
    """The text is not a URL this program can connect to. The message repeats neither its path nor its query: they may hold a key."""


class Url(msgspec.Struct, frozen=True):
    """Where to connect, and what to ask for there. `path` starts with a slash; `query` is raw and without its question mark."""

    scheme: str
    host: str
    port: int
    path: str
    query: str

    @property
    def is_secure(self) -> bool:
        """True where the connection is TLS."""
        return self.scheme in ("https", "wss")

    @property
    def host_header(self) -> str:
        """The host, with the port where it is not the scheme's own."""
        return self.host if self.port == _DEFAULT_PORTS[self.scheme] else f"{self.host}:{self.port}"

    @property
    def origin(self) -> str:
        """Scheme, host and port, without path and query."""
        return f"{self.scheme}://{self.host_header}"

    @property
    def target(self) -> str:
        """Path and query as they stand in a request line."""
        return f"{self.path}?{self.query}" if self.query else self.path

    def __repr__(self) -> str:
        return f"<Url {self.origin}>"  # path and query may hold a listen key

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("origin", self.origin)]


def parse_url(text: str, *, schemes: tuple[str, ...] = ("http", "https")) -> Url:
    """Read an absolute URL with one of `schemes`. IPv4 and names only; a user and password in the URL are refused.

    Raises:
        UrlError: it is not such a URL.
    """
    wanted = " or ".join(f"{scheme}://" for scheme in schemes)
    try:
        parts = urlsplit(text)
        port = parts.port
    except ValueError:
        raise UrlError(f"this is not a URL: expected {wanted} followed by a host") from None
    if parts.scheme not in schemes:
        raise UrlError(f"a URL with {wanted} is needed here, not {parts.scheme or 'one without a scheme'!r}")
    if not parts.hostname or ":" in parts.hostname or not parts.hostname.isascii():
        raise UrlError(f"the URL must name a host after {parts.scheme}://, as a name or an IPv4 address")
    if parts.username is not None or parts.password is not None:
        raise UrlError(f"the URL of {parts.hostname} must not hold a user or a password")
    return Url(parts.scheme, parts.hostname, port or _DEFAULT_PORTS[parts.scheme], parts.path or "/", parts.query)
