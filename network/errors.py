"""What can go wrong between us and another machine. Whose fault it is not: ours; a request that is ours to blame raises `ValueError`."""

from __future__ import annotations

from typing import cast


class NetworkError(Exception):
    """The exchange of bytes failed; the other side's answer, if there was one, is not here."""


class RequestNotSent(NetworkError):
    """No byte of the request left: the other side has certainly not received it. Safe to send again, whatever it was."""


class ResponseLost(NetworkError):
    """The request began to leave and no usable answer came back: it may have been received and carried out.

    A caller whose request changes something must find out by asking, never by sending it again.
    """


class ResponseTooLarge(ResponseLost):
    """The other side answered with more bytes than the client accepts. Asking again would give the same."""


class RateLimited(RequestNotSent):
    """Our own rate limiter did not grant the request a place within the time the caller gave it."""


class BreakerOpen(RequestNotSent):
    """The exchange's circuit breaker lets nothing through for now.

    `retry_at_monotonic` is the Trio time from which a request may be tried; it is now while a probe is under way.
    """

    def __init__(self, message: str, *, retry_at_monotonic: float) -> None:
        super().__init__(message)
        self.retry_at_monotonic = retry_at_monotonic


class ConnectionFailed(NetworkError):
    """A websocket could not be opened: name, connection, TLS, deadline, or a handshake that was refused.

    `status` is the HTTP status of a refused handshake, None where there was no answer.
    """

    def __init__(self, message: str, *, status: int | None = None) -> None:
        super().__init__(message)
        self.status = status


class ConnectionLost(NetworkError):
    """An open websocket is gone, whichever way it went.

    `code` is the close code of RFC 6455: the other side's, 1005 for its close frame without a code, 1006 where no close frame came
    (end of stream, reset, silence), 1000 where this side closed. `reason` is the other side's text, or says how the connection went.
    """

    def __init__(self, message: str, *, code: int, reason: str) -> None:
        super().__init__(message)
        self.code = code
        self.reason = reason


def cause_text(error: BaseException) -> str:
    """What happened, in the words of the innermost cause: the outer ones often say only that something failed."""
    if isinstance(error, BaseExceptionGroup):
        attempts = cast("BaseExceptionGroup[BaseException]", error)
        return cause_text(attempts.exceptions[0])
    # httpcore re-raises its errors `from None` on their way through the pool, which hides a cause that the context still holds.
    cause = error.__cause__ or (error.__context__ if error.__suppress_context__ else None)
    if cause is not None:
        return cause_text(cause)
    return f"{type(error).__name__}: {error}" if str(error) else type(error).__name__
