"""A page that does not hear the run shows so within two seconds, whatever the reason, and comes back by itself."""

from __future__ import annotations

import json
import signal
import time
from pathlib import Path

from tests.page_browser.browser import Browser
from tests.page_browser.runs import TOKEN, Run, settings
from tests.program.processes import Exchange, exchange_settings

STALE_SECONDS = 2.0
BUSY_SECONDS = 1.0  # by which a busy machine is late
LIVE = "document.body.dataset.standing === 'live' && document.querySelectorAll('.cycle').length === 2"
STALE = "document.body.dataset.standing === 'silent' && document.getElementById('silence').checkVisibility()"


def grey(page: Browser) -> bool:
    """Whether all that is shown of the run looks dead, and nothing of it can be acted on."""
    return page.run("""
        const style = getComputedStyle(document.querySelector('main'));
        const acting = [...document.querySelectorAll('.actions button')].filter((button) => button.checkVisibility() && !button.disabled);
        const live = [...document.querySelectorAll('.book .badge')].filter((badge) => badge.innerText === 'live');
        return style.filter === 'grayscale(1)' && Number(style.opacity) < 0.8 && acting.length === 0 && live.length === 0;
    """)


def open_page(browser: Browser, run: Run) -> None:
    browser.open(run.url)
    browser.run("sessionStorage.setItem('mm-page-token', arguments[0])", TOKEN)
    browser.open(run.url)
    browser.wait_until(LIVE)
    browser.wait_until("document.querySelector('.book .badge').innerText === 'live'")


def age_seconds(text: str) -> float:
    return float(text.partition("last heard ")[2].partition(" s ago")[0])


def test_a_run_that_hangs_is_stale_within_two_seconds_with_its_age_and_live_again_once_it_goes_on(tmp_path: Path, browser: Browser) -> None:
    with Run(settings(tmp_path)) as run:
        open_page(browser, run)
        assert not grey(browser)
        run.send(signal.SIGSTOP)
        stopped_at = time.monotonic()
        told = browser.wait_until(f"{STALE} && document.getElementById('silence-what').innerText")
        assert time.monotonic() - stopped_at < STALE_SECONDS + BUSY_SECONDS
        assert 1 < age_seconds(told) <= STALE_SECONDS + BUSY_SECONDS
        assert grey(browser)
        assert browser.run("return document.title").startswith("STALE")
        browser.wait_until("document.getElementById('silence-what').innerText.includes(' 3.')")  # it goes on counting
        run.send(signal.SIGCONT)
        browser.wait_until(LIVE)
        assert not grey(browser)
        browser.leave()


def test_a_run_that_is_killed_is_stale_at_once_and_the_page_goes_on_with_the_next_one(tmp_path: Path, browser: Browser) -> None:
    with Run(settings(tmp_path)) as run:
        open_page(browser, run)
        port = run.port
        run.send(signal.SIGKILL)
        run.wait_exit()
        browser.wait_until(STALE, within_seconds=STALE_SECONDS + BUSY_SECONDS)
        assert grey(browser)
        assert "Next attempt in" in browser.wait_until("document.getElementById('silence-next').innerText.match(/Next.*/)?.[0]")
    with Run(settings(tmp_path, port=port), token=None) as run:
        browser.wait_until(LIVE)
        browser.wait_for_text("#version", f"process {run.popen.pid}")
        assert browser.text("#control-standing") == "read-only"  # this one is to look at, whatever token the page has kept
        assert "MM_PAGE_TOKEN" in browser.text("#control-how")
        assert browser.run("return [...document.querySelectorAll('.actions')].some((group) => group.checkVisibility())") is False
        assert [line for line in browser.console() if "/push" not in line] == []  # that nobody answered there, the browser notes by itself
        browser.leave()


def test_a_book_that_is_lost_is_shown_as_lost_while_the_run_is_live(tmp_path: Path, browser: Browser) -> None:
    with Exchange("--config", exchange_settings(tmp_path, "")) as exchange:
        facts = exchange.facts
        path = tmp_path / "apart.toml"
        path.write_text(
            f"""
            [runtime]
            guardian = false
            control_socket = ""
            [page]
            listen = "127.0.0.1:0"
            [exchanges.gateio_spot]
            mode = "simulated"
            rest_url = {json.dumps(facts["rest_url"])}
            websocket_url = {json.dumps(facts["websocket_url"])}
            book_max_age_seconds = 1
            [accounts.main]
            exchange = "gateio_spot"
            [cycles.btc]
            strategy = "sell_on_top"
            account = "main"
            symbol = "BTC_USDT"
            quantity = 100
            cycles = 0
            """
        )
        with Run(path) as run:
            browser.open(run.url)
            badge = "document.querySelector('.book .badge')?.innerText"
            browser.wait_until(f"{badge} === 'live'")
            exchange.freeze()
            browser.wait_until(f"['STALE', 'LOST'].includes({badge})")
            assert browser.run("return document.body.dataset.standing") == "live"
            assert browser.run("return getComputedStyle(document.querySelector('.ladder')).filter") == "grayscale(1)"
            exchange.thaw()
            browser.wait_until(f"{badge} === 'live'")
            browser.leave()
