"""Asking without changing anything: the one gate through which the doctor's REST requests leave."""

from __future__ import annotations

import random
from collections.abc import Callable
from math import inf

from actors.accounts.codec import AccountCodec
from network.http import HttpClient, HttpRequest, HttpResponse
from network.limits import ExchangeLimits
from network.rest import RestClient, RetryPolicy


class ForbiddenRequest(Exception):
    """A defect of ours: a request that might change something was about to leave. It did not."""


class AskingClient(RestClient):
    """A `RestClient` that sends nothing but questions: GET, and what fetches, keeps and gives back the key of a private stream."""

    def __init__(self, http: HttpClient, limits: ExchangeLimits, *, rng: random.Random, codec: AccountCodec) -> None:
        super().__init__(http, limits, rng=rng)
        keys = codec.stream_keys
        self._key_path = None if keys is None else keys.request().path

    async def send(
        self,
        build: Callable[[], HttpRequest],
        *,
        group: str,
        weight: int = 1,
        urgent: bool = False,
        retry: RetryPolicy | None = None,
        timeout_seconds: float,
        wait_seconds_max: float = inf,
    ) -> HttpResponse:
        """
        Raises:
            ForbiddenRequest: it is no question; nothing was sent.
            NetworkError: as `RestClient.send`.
        """

        def build_question() -> HttpRequest:
            request = build()
            if request.method != "GET" and request.path != self._key_path:
                raise ForbiddenRequest(f"{request.method} {request.path}")
            return request

        return await super().send(
            build_question,
            group=group,
            weight=weight,
            urgent=urgent,
            retry=retry,
            timeout_seconds=timeout_seconds,
            wait_seconds_max=wait_seconds_max,
        )
