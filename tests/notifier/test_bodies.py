"""What is posted, letter by letter."""

from __future__ import annotations

import json

import pytest

from actors.notifier.bodies import DISCORD_CHARACTERS_MAX, Template, body
from actors.notifier.outbox import Batch, Notification, NotificationKind

BATCH = Batch(
    (
        Notification(NotificationKind.FILLS, 1_000, "12:00:01 order_filled sell 1 BTC <b> & more"),
        Notification(NotificationKind.HALTS, 2_000, "12:00:02 state_entered global is HALTED"),
    ),
    {NotificationKind.FILLS: 30, NotificationKind.UNKNOWN_ORDERS: 2},
)


def test_slack_gets_one_text_with_its_markup_escaped() -> None:
    assert json.loads(body(Template.SLACK, BATCH, sender="mm-runtime mm")) == {
        "text": "mm-runtime mm\n(left out: 30 fills, 2 unknown orders)\n"
        "12:00:01 order_filled sell 1 BTC &lt;b&gt; &amp; more\n12:00:02 state_entered global is HALTED"
    }


def test_discord_gets_one_content_in_which_nobody_is_mentioned() -> None:
    found = json.loads(body(Template.DISCORD, BATCH, sender="mm-runtime mm"))
    assert found["content"].splitlines()[2] == "12:00:01 order_filled sell 1 BTC <b> & more"
    assert found["allowed_mentions"] == {"parse": []}


def test_programs_get_an_object_with_everything() -> None:
    assert json.loads(body(Template.JSON, BATCH, sender="mm-runtime mm")) == {
        "sender": "mm-runtime mm",
        "notifications": [
            {"kind": "fills", "time_milliseconds": 1000, "text": "12:00:01 order_filled sell 1 BTC <b> & more"},
            {"kind": "halts", "time_milliseconds": 2000, "text": "12:00:02 state_entered global is HALTED"},
        ],
        "left_out": {"fills": 30, "unknown_orders": 2},
    }


def test_text_that_would_be_too_long_keeps_the_newest_lines_and_counts_the_others() -> None:
    lines = tuple(Notification(NotificationKind.FILLS, number, f"{number} {'x' * 300}") for number in range(20))
    text = json.loads(body(Template.DISCORD, Batch(lines, {NotificationKind.FILLS: 5}), sender="mm"))["content"]
    assert len(text) <= DISCORD_CHARACTERS_MAX
    assert text.splitlines()[1] == "(left out: 19 fills)"
    assert [line.split()[0] for line in text.splitlines()[2:]] == ["14", "15", "16", "17", "18", "19"]


@pytest.mark.parametrize("template", [Template.SLACK, Template.DISCORD])
def test_one_endless_line_is_left_out_rather_than_refused_by_the_receiver(template: Template) -> None:
    endless = Batch((Notification(NotificationKind.FILLS, 1, "x" * 10_000),))
    (text,) = (value for value in json.loads(body(template, endless, sender="mm")).values() if isinstance(value, str))
    assert text == "mm\n(left out: 1 fills)"
