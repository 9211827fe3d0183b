"""An answer of Gate.io's that says no, and the HTTP status of each label that has one of its own."""

from __future__ import annotations

_STATUS = {
    "INVALID_KEY": 401,
    "INVALID_SIGNATURE": 401,
    "MISSING_REQUIRED_HEADER": 401,
    "REQUEST_EXPIRED": 403,
    "READ_ONLY": 403,
    "FORBIDDEN": 403,
    "NOT_FOUND": 404,
    "ORDER_NOT_FOUND": 404,
    "CLIENT_ID_NOT_FOUND": 404,
    "METHOD_NOT_ALLOWED": 405,
    "TOO_MANY_REQUESTS": 429,
    "INTERNAL": 500,
    "SERVER_ERROR": 500,
    "TOO_BUSY": 503,
}
UNKNOWN_NAME_LABELS = ("INVALID_PARAM_VALUE", "INVALID_CURRENCY_PAIR", "CONTRACT_NOT_FOUND")


class GateError(Exception):
    """An answer that says no: a label for programs, a message for people, an HTTP status (400 unless the label has its own)."""

    def __init__(self, label: str, message: str, *, status: int | None = None) -> None:
        super().__init__(f"{label}: {message}")
        self.label = label
        self.message = message
        self.status = _STATUS.get(label, 400) if status is None else status

    def body(self) -> dict[str, str]:
        return {"label": self.label, "message": self.message}
