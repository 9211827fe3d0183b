"""The live view as lines of styled text: a pure function of what is known, the time and the size of the terminal.

What is wrong comes first and whole. Then every section has its least room, in the order of what matters, and what is left is shared
out; a section that cannot show all of its items says how many it leaves out, and one that cannot be shown at all is named in the last line.
"""

from __future__ import annotations

from collections.abc import Sequence

from assembly.presenter import live_sections as sections
from assembly.presenter.live_lines import DIM, PLAIN, WARNED, Line, Section, fitted
from assembly.presenter.live_state import LiveState
from assembly.presenter.live_trouble import trouble
from assembly.presenter.phrases import time_of_day
from assembly.presenter.surroundings import Surroundings
from assembly.presenter.tables import shorten

TWO_COLUMNS_WIDTH = 120
LEFT_WIDTH_MIN = 88  # below it a column of the orders would not fit
TYPED_WIDTH = 6  # three Ctrl-C, as a terminal shows them


def draw(state: LiveState, around: Surroundings, *, width: int, height: int) -> list[Line]:
    """At most `height` lines of at most `width` characters. What matters most comes first and is kept longest."""
    head = _header(around, width)
    head += trouble(state, around, width, (height - len(head)) // 3)
    room = height - len(head)
    body = _in_two_columns(state, around, width, room) if width >= TWO_COLUMNS_WIDTH else _in_one_column(state, around, width, room)
    return _cropped([*head, *body], width, height)


def _header(around: Surroundings, width: int) -> list[Line]:
    """The time of the picture stands in it: one that does not move is not live, whatever it shows."""
    seconds = int(around.now - around.started_at)
    running = f"running {seconds // 3600:02}:{seconds // 60 % 60:02}:{seconds % 60:02}"
    right = f"{time_of_day(around.now_milliseconds)[:-4]} UTC  {running}"
    if len(around.title) + 2 + len(right) > width:
        right = running
    room = max(1, width - len(right) - 2)
    return [[(f"{shorten(around.title, room):<{room}}  ", "bold"), (right, DIM)]]


def _market_sections(state: LiveState, around: Surroundings, width: int) -> list[Section]:
    """From top to bottom. Without contracts, or quoting cycles, there is no such section: every line counts on a small terminal."""
    found = [sections.markets(state, around, width)]
    if state.memory.risks:
        found.append(sections.risks(state, around, width))
    if any(state.positions.values()):
        found.append(sections.positions(state, around, width))
    return [*found, sections.orders(state, around, width)]


def _in_one_column(state: LiveState, around: Surroundings, width: int, room: int) -> list[Line]:
    market = _market_sections(state, around, width)
    fills, actors = sections.fills(state, around, width), sections.actors(state, around, width, in_short=True)
    accounts, news = sections.accounts(state, around, width), sections.news(state)
    # By what matters: orders before what is at stake, and that before what has happened.
    by_weight = [market[0], market[-1], *market[1:-1], accounts, actors, news, fills]
    return _shared([*market, fills, accounts, actors, news], by_weight, room)


def _in_two_columns(state: LiveState, around: Surroundings, width: int, room: int) -> list[Line]:
    left_width = max(LEFT_WIDTH_MIN, width * 2 // 3)
    right_width = width - left_width - 2
    news = sections.news(state)
    market = _market_sections(state, around, left_width)
    news_room = min(news.height, max(news.least, room // 5))
    if room - news_room <= market[0].height + market[-1].least:
        news_room = 0
    market.append(sections.fills(state, around, left_width))
    by_weight = [market[0], market[-2], *market[1:-2], market[-1]]
    left = _shared(market, by_weight, room - news_room, left_out=() if news_room else (news,))
    accounts = sections.accounts(state, around, right_width)
    actors = sections.actors(state, around, right_width, in_short=False)
    if accounts.height + actors.height > room - news_room:
        actors = sections.actors(state, around, right_width, in_short=True)
    right = _shared([accounts, actors], [accounts, actors], room - news_room)
    body = _side_by_side(left, right, left_width, right_width)
    return [*body, *news.lines(room - len(body))]


def _shared(shown: Sequence[Section], by_weight: Sequence[Section], room: int, *, left_out: Sequence[Section] = ()) -> list[Line]:
    """The sections in the room that there is: first to each its least, then line by line to all that lack some, by weight."""
    rooms = _rooms(by_weight, room)
    if left_out or not all(rooms[id(section)] for section in shown):
        rooms = _rooms(by_weight, room - 1)  # a line for what there is no room for
        left_out = [*(section for section in by_weight if not rooms[id(section)]), *left_out]
    names = ", ".join(section.counted for section in left_out if section.items)
    lines = [line for section in shown for line in section.lines(rooms[id(section)])]
    return [*lines, [(f"left out: {names}", WARNED)]] if names else lines


def _rooms(by_weight: Sequence[Section], room: int) -> dict[int, int]:
    """Lines by section. One that cannot have a heading and an item has none."""
    rooms = {id(section): 0 for section in by_weight}
    for section in by_weight:
        least = min(section.height, section.least)
        if room >= min(least, 2):
            rooms[id(section)] = min(least, room)
            room -= rooms[id(section)]
    lacking = [section for section in by_weight if 0 < rooms[id(section)] < section.height]
    while room > 0 and lacking:
        for section in lacking:
            if room > 0:
                rooms[id(section)] += 1
                room -= 1
        lacking = [section for section in lacking if rooms[id(section)] < section.height]
    return rooms


def _side_by_side(left: list[Line], right: list[Line], left_width: int, right_width: int) -> list[Line]:
    lines: list[Line] = []
    for number in range(max(len(left), len(right))):
        line = fitted(left[number] if number < len(left) else [], left_width)
        if number < len(right):
            padding = left_width + 2 - sum(len(text) for text, _ in line)
            line = [*line, (" " * padding, PLAIN), *fitted(right[number], right_width)]
        lines.append(line)
    return lines


def _cropped(lines: list[Line], width: int, height: int) -> list[Line]:
    shown = [fitted(line, width) for line in lines[:height]]
    # The cursor rests behind the last line. What is typed there must not wrap, or the next picture would be drawn a line too low.
    return [*shown[:-1], *(fitted(line, width - TYPED_WIDTH) for line in shown[-1:])]
