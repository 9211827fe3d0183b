"""HTTP requests whose failures say whether the other side may have received them."""

from __future__ import annotations

import enum
import ssl
import zlib
from collections.abc import AsyncIterator, Mapping
from types import TracebackType
from typing import Any

import httpx
import msgspec
import trio

from network.errors import RequestNotSent, ResponseLost, ResponseTooLarge, cause_text
from network.tls import no_tls_context, shared_tls_context
from network.url import parse_url

USER_AGENT = "mm-runtime"
METHODS_WITH_BODY = ("POST", "PUT", "PATCH")  # their length is stated even where there is none


class HttpRequest(msgspec.Struct, frozen=True, kw_only=True):
    """A request, ready to be sent byte for byte as it stands.

    `path` is absolute on the host, with any prefix; `query` goes out unescaped and in its own order, because it may have been signed.
    A request that cannot stand on the wire (a line break in a header, a space in the path) raises `ValueError` when it is made; the
    message and `repr` never show header values, query or body: they hold keys and signatures.
    """

    method: str
    path: str
    query: str = ""
    headers: tuple[tuple[str, str], ...] = ()
    body: bytes = b""

    def __post_init__(self) -> None:
        if not (self.path.startswith("/") and _is_visible_ascii(self.path) and "?" not in self.path and "#" not in self.path):
            raise ValueError(f"the path of a {self.method} request must start with a slash and be escaped, without query or fragment")
        if self.query and not _is_visible_ascii(self.query):
            raise ValueError(f"the query of {self.method} {self.path} holds a space, a control or a non-ASCII character: escape it first")
        for name, value in self.headers:
            if not (name and _is_visible_ascii(name) and ":" not in name):
                raise ValueError(f"{self.method} {self.path} has a header with an impossible name")
            if not (value.isascii() and value.isprintable() and value == value.strip()):
                raise ValueError(f"header {name} of {self.method} {self.path} holds a line break, outer space or non-ASCII character")

    def __repr__(self) -> str:
        return f"<HttpRequest {self.method} {self.path}, {len(self.query)} of query, {len(self.body)} bytes of body>"

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("method", self.method), ("path", self.path)]


class HttpResponse(msgspec.Struct, frozen=True, kw_only=True):
    """What the other side answered, complete. Header names are lower case; a header sent twice is joined by commas."""

    status: int
    headers: Mapping[str, str]
    body: bytes

    def __repr__(self) -> str:
        return f"<HttpResponse {self.status}, {len(self.body)} bytes of body>"  # a body may hold a listen key

    def __rich_repr__(self) -> list[tuple[str, Any]]:
        return [("status", self.status), ("body_bytes", len(self.body))]


class HttpClient:
    """Keep-alive connections to one host. An async context manager; leaving it closes them.

    No redirects, cookies, proxies or repeats: what is sent is the request, once. `base_url` is scheme, host and port; paths belong to
    requests. `headers` go with each of them. `tls_context` replaces the shared one (a test authority). At most `connections_max` +
    `connections_urgent_max` requests are under way; more wait for a connection, within their own deadline, or beforehand in their
    `lane`. Idle connections stay open until the other side closes them.
    """

    def __init__(
        self,
        base_url: str,
        *,
        connections_max: int = 10,
        connections_urgent_max: int = 5,
        body_bytes_max: int = 16 * 1024 * 1024,
        headers: tuple[tuple[str, str], ...] = (),
        tls_context: ssl.SSLContext | None = None,
    ) -> None:
        url = parse_url(base_url)
        if url.path != "/" or url.query:
            raise ValueError(f"the base URL of {url.host} must end at the host or port: the path belongs to each request")
        context = (tls_context or shared_tls_context()) if url.is_secure else no_tls_context()
        # The transport rather than httpx.AsyncClient: the client would keep cookies (with a clock of its own), merge headers and
        # normalise the query. No keep-alive expiry: httpcore times it by the real clock, which a virtual one does not move.
        total = connections_max + connections_urgent_max
        limits = httpx.Limits(max_connections=total, max_keepalive_connections=total, keepalive_expiry=None)
        self._transport = httpx.AsyncHTTPTransport(verify=context, trust_env=False, limits=limits)
        self.host = url.host
        self._url = httpx.URL(url.origin)
        self._lane = trio.CapacityLimiter(connections_max)
        self._urgent_lane = trio.CapacityLimiter(connections_urgent_max)
        self._default_headers = (
            ("Host", url.host_header),
            ("User-Agent", USER_AGENT),
            ("Accept", "*/*"),
            ("Accept-Encoding", "gzip"),
            *headers,
        )
        self._body_bytes_max = body_bytes_max

    async def __aenter__(self) -> HttpClient:
        await self._transport.__aenter__()
        return self

    async def __aexit__(
        self, exc_type: type[BaseException] | None, exc_value: BaseException | None, traceback: TracebackType | None
    ) -> None:
        await self._transport.__aexit__(exc_type, exc_value, traceback)

    def lane(self, *, urgent: bool = False) -> trio.CapacityLimiter:
        """Where to wait for a connection before a request is made: ``async with http.lane(): ...``.

        Whoever signs a request with the time should hold a place here first, or the signature ages while all connections are busy.
        Urgent requests have places of their own, which no number of hanging others can take.
        """
        return self._urgent_lane if urgent else self._lane

    async def send(self, request: HttpRequest, *, timeout_seconds: float) -> HttpResponse:
        """Send `request` and read the whole answer, whatever its status, within `timeout_seconds` from now.

        When cancelled, the connection is closed unless the answer was complete; whether the request left is then unknown.

        Raises:
            RequestNotSent: no byte of it left (name, connection, TLS, no free connection in time).
            ResponseLost: it began to leave, then the deadline passed, the connection broke, or the answer made no sense.
            ResponseTooLarge: the answer is longer than `body_bytes_max` when unpacked.
        """
        progress = _Progress()
        with trio.CancelScope(deadline=trio.current_time() + timeout_seconds) as scope:
            try:
                return await self._exchange(request, progress, scope)
            except httpx.TransportError as error:
                raise self._translate(request, progress, cause_text(error)) from error
        if progress.body_fault is _BodyFault.TOO_LARGE:
            raise ResponseTooLarge(f"{request.method} {self.host}{request.path} was answered with more than {self._body_bytes_max} bytes")
        if progress.body_fault is _BodyFault.UNREADABLE:
            raise ResponseLost(f"{request.method} {self.host}{request.path} was answered with a body that cannot be unpacked")
        raise self._translate(request, progress, f"no complete answer within {timeout_seconds:g} s")

    async def _exchange(self, request: HttpRequest, progress: _Progress, scope: trio.CancelScope) -> HttpResponse:
        target = f"{request.path}?{request.query}" if request.query else request.path
        has_length = request.body or request.method in METHODS_WITH_BODY
        length = (("Content-Length", str(len(request.body))),) if has_length else ()
        outgoing = httpx.Request(
            request.method,
            self._url,
            headers=[*self._default_headers, *request.headers, *length],
            stream=_RequestBody(request.body),  # "content" would have httpx put all headers together a second time
            # "target" makes httpcore send the request line as it stands; httpx.URL would escape the query anew.
            extensions={"trace": progress.trace, "target": target.encode("ascii")},
        )
        incoming = await self._transport.handle_async_request(outgoing)
        stream = incoming.stream
        assert isinstance(stream, httpx.AsyncByteStream)  # noqa: S101 - narrows what httpx declares for both kinds of client
        body = _Body(incoming.headers.get("content-encoding", ""), self._body_bytes_max)
        async for chunk in stream:
            if progress.body_fault is None:
                progress.body_fault = body.add(chunk)
            if progress.body_fault is not None:
                # To leave the loop would abandon the stream's generators with the connection inside them; cancelled, each unwinds.
                scope.cancel()
        await stream.aclose()
        progress.body_fault = progress.body_fault or body.fault_at_end()
        if progress.body_fault is not None:
            scope.cancel()
            await trio.lowlevel.checkpoint()
        return HttpResponse(status=incoming.status_code, headers=_lower_cased(incoming.headers), body=body.joined())

    def _translate(self, request: HttpRequest, progress: _Progress, text: str) -> RequestNotSent | ResponseLost:
        what = f"{request.method} {self.host}{request.path}"
        if progress.is_leaving:
            return ResponseLost(f"{what} may have been received: {text}")
        return RequestNotSent(f"{what} was not sent: {text}")


class _BodyFault(enum.Enum):
    TOO_LARGE = "too large"
    UNREADABLE = "unreadable"


class _Progress:
    """How far one exchange got."""

    __slots__ = ("body_fault", "is_leaving")

    def __init__(self) -> None:
        self.is_leaving = False
        self.body_fault: _BodyFault | None = None

    async def trace(self, name: str, info: dict[str, Any]) -> None:
        """httpcore's progress report; this one comes just before the first byte of the request is written."""
        if name == "http11.send_request_headers.started":
            self.is_leaving = True


class _Body:
    """A response body as it comes in, unpacked within a bound: a small packed body cannot blow up to fill the memory."""

    def __init__(self, encoding: str, bytes_max: int) -> None:
        self._room_bytes = bytes_max
        self._chunks: list[bytes] = []
        self._is_readable = encoding.lower() in ("", "identity", "gzip")
        self._unpacker = zlib.decompressobj(wbits=zlib.MAX_WBITS | 16) if encoding.lower() == "gzip" else None

    def add(self, chunk: bytes) -> _BodyFault | None:
        if not self._is_readable:
            return _BodyFault.UNREADABLE
        if self._unpacker is not None:
            try:
                chunk = self._unpacker.decompress(chunk, self._room_bytes + 1)
            except zlib.error:
                return _BodyFault.UNREADABLE
        self._room_bytes -= len(chunk)
        self._chunks.append(chunk)
        return _BodyFault.TOO_LARGE if self._room_bytes < 0 else None

    def fault_at_end(self) -> _BodyFault | None:
        is_cut_short = self._unpacker is not None and bool(self._chunks) and not self._unpacker.eof
        return _BodyFault.UNREADABLE if is_cut_short else None

    def joined(self) -> bytes:
        return b"".join(self._chunks)


class _RequestBody(httpx.AsyncByteStream):
    """The bytes of a request, once. httpx's own is a generator, which a request that is cancelled while it leaves would abandon halfway."""

    def __init__(self, body: bytes) -> None:
        self._parts = iter((body,))

    def __aiter__(self) -> AsyncIterator[bytes]:
        return self

    async def __anext__(self) -> bytes:
        for part in self._parts:
            return part
        raise StopAsyncIteration


def _lower_cased(headers: httpx.Headers) -> dict[str, str]:
    joined: dict[str, str] = {}
    for raw_name, raw_value in headers.raw:
        name = raw_name.decode("latin-1").lower()
        value = raw_value.decode("latin-1")
        joined[name] = f"{joined[name]}, {value}" if name in joined else value
    return joined


def _is_visible_ascii(text: str) -> bool:
    return text.isascii() and text.isprintable() and " " not in text
