"""The files of docs/monitoring, read strictly: what they say of metrics, whichever way they say it."""

from __future__ import annotations

import json
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any

FOLDER = Path(__file__).resolve().parents[2] / "docs" / "monitoring"
QUOTED = re.compile(r"'((?:[^']|'')*)'")
_LINE = re.compile(r"(?P<indent> *)(?P<dash>- )?(?P<key>[a-z]+):(?: (?P<value>.+))?")
_RULE = {"alert", "expr", "for", "labels", "severity", "annotations", "summary", "description"}
_TOP = {"groups", "name", "rules"}


class NotRead(Exception):
    """The file is written in a way that this strict reader does not know."""


def alert_rules() -> list[dict[str, str]]:
    """Every rule of alerts.yml, flat. Of YAML it knows keys, lists of mappings, plain words and single-quoted texts, one a line."""
    rules: list[dict[str, str]] = []
    for number, line in enumerate((FOLDER / "alerts.yml").read_text().splitlines(), start=1):
        if not line.strip() or line.lstrip().startswith("#"):
            continue
        match = _LINE.fullmatch(line)
        if match is None or match["key"] not in _RULE | _TOP:
            raise NotRead(f"alerts.yml:{number}: {line}")
        if match["key"] == "alert":
            rules.append({})
        if match["key"] in _RULE and match["value"] is not None:
            if match["key"] in rules[-1]:
                raise NotRead(f"alerts.yml:{number}: {match['key']} twice")
            rules[-1][match["key"]] = _text(match["value"], number)
    return rules


def _text(value: str, number: int) -> str:
    quoted = QUOTED.fullmatch(value)
    if quoted is not None:
        return quoted[1].replace("''", "'")
    if not re.fullmatch(r"[A-Za-z0-9_]+", value):
        raise NotRead(f"alerts.yml:{number}: {value} has to be quoted")
    return value


def dashboard() -> dict[str, Any]:
    return json.loads((FOLDER / "grafana.json").read_text())


def dashboard_targets() -> Iterator[tuple[str, str, str]]:
    """Of every query of the dashboard: the panel's title, the expression, the legend."""
    for panel in dashboard()["panels"]:
        for target in panel.get("targets", ()):
            yield panel["title"], target["expr"], target["legendFormat"]


def documented_rows() -> list[tuple[str, str, str, str, str]]:
    """The rows of README.md's tables of metrics: name, type, unit, labels, meaning."""
    rows = re.findall(r"^\| `(mm_\w+)` \| (\w+) \| (.*?) \| (.*?) \| (.+) \|$", (FOLDER / "README.md").read_text(), re.MULTILINE)
    return [(name, kind, unit.strip(), labels.strip(), meaning) for name, kind, unit, labels, meaning in rows]
