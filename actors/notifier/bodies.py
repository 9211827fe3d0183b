"""What is posted, as each kind of receiver wants it. Pure.

References: Slack, "Sending messages using incoming webhooks" and "Formatting text" (`text`; `&`, `<` and `>` are escaped); Discord,
"Execute Webhook" (`content` of at most 2000 characters, `allowed_mentions`).
"""

from __future__ import annotations

import enum
from collections.abc import Callable

import msgspec

from actors.notifier.outbox import Batch, Notification, NotificationKind

SLACK_CHARACTERS_MAX = 3_000
DISCORD_CHARACTERS_MAX = 2_000
_ESCAPED = {ord("&"): "&amp;", ord("<"): "&lt;", ord(">"): "&gt;"}


class Template(enum.Enum):
    """What the body is like: `{"text": …}`, `{"content": …}`, or an object of ours for programs."""

    SLACK = "slack"
    DISCORD = "discord"
    JSON = "json"


def body(template: Template, batch: Batch, *, sender: str) -> bytes:
    """The body of a post; `sender` stands at its beginning."""
    match template:
        case Template.SLACK:
            return msgspec.json.encode({"text": _text(batch, sender, SLACK_CHARACTERS_MAX, lambda text: text.translate(_ESCAPED))})
        case Template.DISCORD:
            text = _text(batch, sender, DISCORD_CHARACTERS_MAX, str)
            return msgspec.json.encode({"content": text, "allowed_mentions": {"parse": []}})
        case Template.JSON:
            notifications = [
                {"kind": each.kind.value, "time_milliseconds": each.time_milliseconds, "text": each.text} for each in batch.notifications
            ]
            left_out = {kind.value: count for kind, count in batch.left_out.items()}
            return msgspec.json.encode({"sender": sender, "notifications": notifications, "left_out": left_out})


def _text(batch: Batch, sender: str, characters_max: int, escape: Callable[[str], str]) -> str:
    """A line each, the newest kept if there are too many, and how many of what were left out."""
    shown = list(batch.notifications)
    while True:
        lines = [escape(each.text) for each in shown]
        text = "\n".join([escape(sender), *_left_out(batch, shown), *lines])
        if len(text) <= characters_max or not shown:
            return text[:characters_max]
        del shown[0]


def _left_out(batch: Batch, shown: list[Notification]) -> list[str]:
    counts = dict(batch.left_out)
    for each in batch.notifications[: len(batch.notifications) - len(shown)]:
        counts[each.kind] = counts.get(each.kind, 0) + 1
    if not counts:
        return []
    words = ", ".join(f"{counts[kind]} {kind.value.replace('_', ' ')}" for kind in NotificationKind if counts.get(kind))
    return [f"(left out: {words})"]
