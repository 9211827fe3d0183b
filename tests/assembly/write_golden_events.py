"""Writes the golden files of the presenters' words: run it from the root of the project, then read the difference."""

from __future__ import annotations

from pathlib import Path

from presenter_samples import EVENTS, TIME

from assembly.presenter.stream import Renderer, json_renderer, line_renderer
from assembly.presenter.vocabulary import tell

GOLDEN_JSON = Path(__file__).parent / "golden_events.jsonl"
GOLDEN_LINES = Path(__file__).parent / "golden_events.txt"


def as_json() -> str:
    return _rendered(json_renderer)


def as_lines() -> str:
    return _rendered(line_renderer)


def _rendered(renderer: Renderer) -> str:
    return "".join(renderer.event(TIME, told) for event in EVENTS if (told := tell(event)) is not None)


if __name__ == "__main__":
    GOLDEN_JSON.write_text(as_json(), encoding="utf-8")
    GOLDEN_LINES.write_text(as_lines(), encoding="utf-8")
