"""Where the page listens, and by which names it may be asked for there."""

from __future__ import annotations

import ipaddress
import re

import msgspec

LOOPBACK_NAMES = frozenset({"localhost", "127.0.0.1", "::1"})
_HOST = re.compile(r"[a-z0-9_-]+(\.[a-z0-9_-]+)*")


class PlaceError(Exception):
    """It is no place to listen at, or no name to be asked by; the text says which key has what, and what is expected."""


class PagePlace(msgspec.Struct, frozen=True, kw_only=True):
    """An address and a port (0: any that is free). `hosts` are further names by which it may be asked for."""

    address: str
    port: int
    hosts: tuple[str, ...] = ()

    @property
    def is_loopback(self) -> bool:
        return self.address == "localhost" or ipaddress.ip_address(self.address).is_loopback

    def answers_to(self, name: str) -> bool:
        """Whether a request that names this host is meant for the page.

        A name that is not known may be anybody's who lets it resolve to this machine, so that a browser takes the page for a part of
        his. An address is nobody's name.
        """
        if name in LOOPBACK_NAMES or name == self.address or name in self.hosts:
            return True
        return not self.is_loopback and _is_address(name)

    def url(self, port: int) -> str:
        """What to type into a browser on this machine, once it is known at which port."""
        address = {"0.0.0.0": "127.0.0.1", "::": "::1"}.get(self.address, self.address)  # noqa: S104 - whoever listens everywhere
        return f"http://{f'[{address}]' if ':' in address else address}:{port}/"


def parse_place(listen: str, *, hosts: tuple[str, ...] = ()) -> PagePlace:
    """Of ``127.0.0.1:8321``, ``localhost:8321`` or ``[::1]:8321``.

    Raises:
        PlaceError: it is none of these, or one of `hosts` is no name of a host.
    """
    address, colon, port = listen.rpartition(":")
    address = address.removeprefix("[").removesuffix("]") if address.startswith("[") else address
    if not colon or not port.isascii() or not port.isdigit() or int(port) > 65_535:
        raise PlaceError(f'page.listen is "{listen}"; expected an address and a port, as "127.0.0.1:8321"')
    if address != "localhost" and not _is_address(address):
        raise PlaceError(
            f'page.listen is "{listen}"; expected an address before the port ("127.0.0.1", "localhost" or one of this machine), not a name'
        )
    return PagePlace(address=address, port=int(port), hosts=tuple(map(_parse_host, hosts)))


def _parse_host(host: str) -> str:
    """As a request may name it: what never comes so would be answered to by nobody, and nobody be told why."""
    name = host.lower().removesuffix(".")
    if not _HOST.fullmatch(name) and not _is_address(name):
        raise PlaceError(f'page.hosts has "{host}"; expected a name alone, as "trader.lan": no "http://", no port, no "*"')
    return name


def _is_address(text: str) -> bool:
    try:
        ipaddress.ip_address(text)
    except ValueError:
        return False
    return True
