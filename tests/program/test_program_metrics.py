"""The real program, scraped over a real socket as Prometheus would."""

from __future__ import annotations

import signal
from pathlib import Path

import httpx
from processes import NO_GUARDIAN, Program, settings
from prometheus_client.parser import text_string_to_metric_families
from test_program_page import PAGE, STOP_SECONDS, url_of

from assembly.metrics.collector import METRICS

SCRAPES_MAX = 1_000


def test_program_is_scraped_while_it_trades_and_tells_what_it_has_done(tmp_path: Path) -> None:
    with Program(settings(tmp_path, runtime=f"{NO_GUARDIAN}\n{PAGE}"), "--json") as program:
        url = url_of(program)
        program.wait_for('"order_placed"', count=2)
        ready = httpx.get(f"{url}readyz", trust_env=False)
        assert (ready.status_code, ready.json()["not_ready"]) == (200, [])
        assert httpx.get(f"{url}healthz", trust_env=False).json()["alive"]
        for _ in range(SCRAPES_MAX):
            families = {family.name: family for family in text_string_to_metric_families(httpx.get(f"{url}metrics", trust_env=False).text)}
            values = {(sample.name, *sample.labels.values()): sample.value for family in families.values() for sample in family.samples}
            if values["mm_event_loop_lag_seconds_count",]:  # which is looked at four times a second
                break
        program.send(signal.SIGINT)
        assert program.wait_exit(STOP_SECONDS) == 0
        told = program.stdout.count('"order_placed"')
    assert set(families) == {metric.name.removesuffix("_total") for metric in METRICS}
    assert 2 <= values["mm_order_events_total", "main", "btc", "placed"] <= told
    assert values["mm_order_acknowledgement_seconds_sum", "main", "websocket"] > 0
    assert values["mm_feed_frame_seconds_sum", "gateio_spot"] > 0
    assert values["mm_event_loop_lag_seconds_count",] > 0
    assert {name for name, *_ in values if name == "mm_output_dropped_total"}
    assert values["mm_output_dropped_total", "screen"] == values["mm_output_dropped_total", "log"] == 0
