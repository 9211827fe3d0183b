"""Answering a REST request on good and bad days, whatever the protocol."""

from __future__ import annotations

from collections.abc import Callable

import trio
from starlette.requests import ClientDisconnect, Request
from starlette.responses import Response

from simulated.faults import AnswerFault, Faults, Moment, Operation

UNREADABLE = "<html>please wait</html>"
"""What no client expects, by REST or on a websocket."""

TOO_MANY_REQUESTS = 429
BANNED = 418


async def answer_request(
    request: Request,
    *,
    operation: Operation,
    faults: Faults,
    delay_seconds: float,
    carry_out: Callable[[bytes], Response],
    failure: Callable[[int], Response],
    maintenance: Callable[[], Response],
) -> Response:
    """Carry the request out and answer, unless a fault that is planned for `operation` has it otherwise.

    `carry_out` gets the body and never waits; `failure` is the exchange's answer of a server error with this status.
    """
    try:
        body = await request.body()
    except ClientDisconnect:
        return Response(status_code=400)  # half a request is none; nobody hears this
    await _sleep(faults.take_request_delay_seconds(operation))
    if faults.is_banned():
        return Response(status_code=BANNED, headers={"Retry-After": str(faults.banned_seconds_left())})
    planned = faults.take_answer(operation)
    fault, status = (None, 0) if planned is None else planned
    if faults.is_in_maintenance():
        response = maintenance()
    elif fault is AnswerFault.FAILED_BEFORE:
        response = failure(status)
    else:
        faults.take_calls(operation, Moment.ARRIVED)
        response = carry_out(body)
        faults.take_calls(operation, Moment.DONE)
        repeat = faults.take_repeat(operation)
        if repeat is not None:
            await _sleep(repeat.after_seconds)
            again = carry_out(body)
            response = response if repeat.answers_first else again
    if response.status_code == TOO_MANY_REQUESTS and faults.retry_after_seconds is not None:
        response.headers["Retry-After"] = str(faults.retry_after_seconds)
    await _sleep(delay_seconds + faults.take_answer_delay_seconds(operation))
    if fault is AnswerFault.LOST:
        await _until_client_leaves(request)
    elif fault is AnswerFault.FAILED_AFTER:
        return failure(status)
    elif fault is AnswerFault.GARBLED:
        return Response(UNREADABLE, status_code=status, media_type="text/html")
    return response


async def _sleep(seconds: float) -> None:
    if seconds > 0:
        await trio.sleep(seconds)


async def _until_client_leaves(request: Request) -> None:
    while (await request.receive())["type"] != "http.disconnect":
        pass
