"""What every simulated exchange offers, whichever protocol it speaks."""

from __future__ import annotations

from typing import Protocol

import trio

from simulated.control import VenueControl
from simulated.settings import AccountSettings


class SimulatedExchange(Protocol):
    """A server that speaks one exchange's REST and websocket protocol over plain Trio sockets.

    `run` serves until it is cancelled; orders, balances and trades outlive it, connections and sessions do not, so it may
    be run again. `control` looks behind the wire and makes bad days. `uses_passphrase` says whether a key has one.
    """

    name: str
    control: VenueControl
    uses_passphrase: bool = False

    async def run(self, host: str, port: int, *, task_status: trio.TaskStatus[int] = trio.TASK_STATUS_IGNORED) -> None:
        """Serve on `host` and `port` (0: any free one); `started` gives the bound port once the book is two-sided.

        Raises:
            OSError: the address cannot be bound.
        """
        ...

    def rest_url(self, host: str, port: int) -> str: ...

    def websocket_url(self, host: str, port: int) -> str:
        """Where the public streams are."""
        ...

    def private_websocket_url(self, host: str, port: int) -> str:
        """Where the private stream is; at some exchanges the same."""
        ...

    @property
    def credential(self) -> AccountSettings:
        """The test account whose key is given to people."""
        ...

    def client_hint(self, host: str, port: int) -> str:
        """A line of Python that points a public client library at this server."""
        ...
