"""The page in a real browser beside the run that it shows: every figure is the run's own, and it can be read on any screen."""

from __future__ import annotations

import sqlite3
from collections.abc import Generator
from contextlib import closing
from decimal import Decimal
from pathlib import Path
from typing import Any

import pytest

from tests.page_browser.browser import PHONE, Browser
from tests.page_browser.runs import Run, settings

LADDER = "[data-cycle={}] .ladder"
HOSTILE = "<img src=x onerror=\"document.title='broken in'\"> & <b>bold</b>"


@pytest.fixture(scope="module")
def run(folder: Path) -> Generator[Run]:
    """One in which nothing moves: a sell of `rounds` rests on top, and four quotes of `quotes` rest."""
    with Run(settings(folder)) as run:
        run.wait_for('"order_filled"')
        run.wait_for('"order_placed"', count=6)
        yield run


@pytest.fixture
def page(browser: Browser, run: Run) -> Browser:
    if browser.driver.current_url != run.url:
        browser.open(run.url)
    browser.wait_until("document.body.dataset.standing === 'live' && document.querySelectorAll('.cycle').length === 2")
    return browser


def plain(text: str) -> str:
    """A figure of the page as the program writes it: without blanks between groups of digits, with a minus of the keyboard."""
    return "".join(text.replace("−", "-").split())


def facts(page: Browser, cycle: str) -> dict[str, str]:
    rows = page.texts(f"[data-cycle={cycle}] .facts > div")
    return {name: plain(value) for name, value in (row.split("\n") for row in rows)}


def rows_of(page: Browser, table: str) -> list[list[str]]:
    script = """
        const rows = [...document.querySelectorAll(arguments[0] + ' tbody tr')];
        return rows.map((row) => [...row.cells].map((cell) => cell.textContent.trim()));
    """
    return page.run(script, table)


def test_the_header_says_what_runs_that_it_is_simulated_and_that_it_is_live(page: Browser, run: Run) -> None:
    status = run.status()
    assert page.text("#installation") == status["installation"]
    assert page.text("#version") == f"version {status['program_version']}, process {status['process']}"
    assert [chip.split() for chip in page.texts("#exchanges li")] == [["gateio_spot", "simulated"], ["okx_swap", "simulated"]]
    assert page.text("#connection").startswith("live")
    assert page.run("return document.title") == f"{status['installation']} · running"
    assert not page.run("return document.body.classList.contains('real-money')")


def test_a_cycle_in_rounds_stands_there_as_mm_ctl_tells_it(page: Browser, run: Run) -> None:
    told = run.cycle("rounds")
    card = "[data-cycle=rounds]"
    assert page.text(f"{card} .phase") == told["phase"] == "selling"
    assert page.text(f"{card} .state") == told["state"] == "run"
    assert facts(page, "rounds")["round"] == f"{told['round']},{told['rounds_completed']}done"


def test_a_quoting_cycle_s_risk_is_what_mm_ctl_tells_digit_for_digit(page: Browser, run: Run) -> None:
    script = "[...document.querySelectorAll('[data-cycle=quotes] .facts > div')].some((row) => /^asks open\\n[1-9]/.test(row.innerText))"
    page.wait_until(script)  # it was measured since the quotes rest, and stays so
    risk: dict[str, Any] = run.cycle("quotes")["risk"]
    shown = facts(page, "quotes")
    assert {name: shown[name] for name in ("position", "realised", "fees", "bids open", "asks open")} == {
        "position": f"{risk['position']}BTC",
        "realised": risk["realised"],
        "fees": risk["fees"],
        "bids open": risk["bids"],
        "asks open": risk["asks"],
    }


def test_a_fill_stands_there_as_the_journal_has_it(page: Browser, run: Run) -> None:
    with closing(sqlite3.connect(f"file:{run.path.parent / 'journal.sqlite'}?mode=ro", uri=True)) as journal:
        fills = journal.execute("select side, price, quantity, fee, fee_asset from fills").fetchall()
    shown = [[side, plain(price), plain(quantity), fee] for _, _, _, side, price, quantity, fee, _ in rows_of(page, "#fills")]
    assert len(fills) == 1
    assert [[side, price, quantity, f"{fee} {asset}"] for side, price, quantity, fee, asset in fills] == shown


def test_inventory_is_what_the_fill_left(page: Browser) -> None:
    [[_, _, _, _, _, quantity, fee, _]] = rows_of(page, "#fills")
    assert Decimal(plain(page.text("[data-cycle=rounds] .figure:nth-child(2) b"))) == Decimal(plain(quantity)) - Decimal(fee.split()[0])


def test_every_live_order_is_in_the_table_and_in_the_ladder_at_its_price(page: Browser, run: Run) -> None:
    rows = {row[8]: row for row in rows_of(page, "#orders > .table-frame")}
    assert len(rows) == run.account("spot")["live_orders"] + run.account("swap")["live_orders"] == 5
    for cycle in ("rounds", "quotes"):
        script = """
            return [...document.querySelectorAll(arguments[0] + ' tr[data-own]')]
              .map((row) => [row.dataset.side === 'bid' ? 'buy' : 'sell', row.cells[2].innerText.trim(), row.cells[0].innerText.trim()]);
        """
        drawn = sorted((side, Decimal(plain(price)), Decimal(plain(left))) for side, price, left in page.run(script, LADDER.format(cycle)))
        orders = [row for row in rows.values() if row[2] == cycle]
        assert drawn == sorted((row[4], Decimal(plain(row[5])), Decimal(plain(row[6])) - Decimal(plain(row[7]))) for row in orders)
        assert all(row[0] == "open" for row in orders)


def test_balances_are_the_exchange_s_to_the_last_digit(page: Browser, run: Run) -> None:
    events = [event for event in run.events() if event["event"] == "balance_changed" and event["account"] == "spot"]
    newest = {event["asset"]: [event["asset"], event["total"], event["available"]] for event in events}
    shown = [[asset, plain(total), plain(available)] for asset, total, available, _ in rows_of(page, "[data-account=spot]")]
    assert shown == [newest[asset] for asset in sorted(newest)]


def test_every_actor_and_supervisor_stands_in_the_tree_under_its_own(page: Browser) -> None:
    names = [row[0] for row in rows_of(page, "#actors")]
    assert names[0] == "root"
    assert names[-3:] == ["└ cycles", "├ cycle:rounds", "└ cycle:quotes"]
    assert {row[1] for row in rows_of(page, "#actors")} == {"ready"}


def test_charts_end_at_the_middle_of_the_book(page: Browser) -> None:
    page.wait_until(MIDDLE_OF_THE_LADDER)  # the line has a point each second


def test_charts_tell_the_values_at_a_time_that_the_arrow_keys_choose(page: Browser) -> None:
    legend = "document.querySelector('[data-cycle=rounds] .legend b').innerText.trim()"
    page.wait_until(f"{legend} !== '–'")
    canvas = "[data-cycle=rounds] canvas"
    page.run("document.querySelector(arguments[0]).focus()", canvas)
    spoken = "document.querySelector('[data-cycle=rounds] .chart .unseen').textContent"
    newest = "document.activeElement.dispatchEvent(new KeyboardEvent('keydown', {key: 'PageDown'}))"
    page.wait_until(f"{newest} && {spoken}.includes(`mid ${{{legend}}}`)")
    page.press("ArrowLeft")
    assert page.run(f"return {spoken}").partition(",")[0].endswith(" UTC")
    assert "UTC" in page.text("[data-cycle=rounds] .tip")


def test_html_in_a_reason_is_shown_as_the_text_that_it_is(page: Browser, run: Run) -> None:
    page.choose("#log-level", "1")
    run.say("pause", "cycle:quotes", reason=HOSTILE)
    page.wait_for_text("#states", HOSTILE)
    page.wait_for_text("#log", HOSTILE)
    page.wait_for_text("[data-cycle=quotes] .phase", HOSTILE)
    assert page.run("return document.querySelectorAll('main img, main .reason b, #log li b').length") == 0
    assert "paused" in page.run("return document.title")
    run.say("resume", "cycle:quotes")
    page.wait_until("document.querySelector('#states').hidden")


def test_the_log_shows_only_the_level_that_was_asked_for(page: Browser) -> None:
    page.wait_until("document.querySelectorAll('#log li').length > 3")
    page.choose("#log-level", "3")
    page.wait_until("document.querySelectorAll('#log li:not([data-level=ERROR], [data-level=CRITICAL])').length === 0")


@pytest.mark.parametrize("scheme", ["light", "dark"])
def test_all_text_stands_out_from_what_it_stands_on(page: Browser, scheme: str) -> None:
    page.prefer(scheme)
    assert page.run("return getComputedStyle(document.documentElement).colorScheme") == "light dark"
    dark = page.run("return getComputedStyle(document.body.querySelector('.panel')).backgroundColor") != "rgb(255, 255, 255)"
    assert dark == (scheme == "dark")
    assert page.run(CONTRASTS_BELOW, 4.5) == []


def test_a_phone_shows_all_of_it_without_scrolling_sideways(page: Browser) -> None:
    page.resize(PHONE)
    page.wait_until("innerWidth === $[0] && document.querySelector('.cycle .body').clientWidth < $[0]", PHONE[0])
    assert page.run("return document.documentElement.scrollWidth") <= PHONE[0]
    script = """
        const isShown = (element) => element.checkVisibility() && !element.closest('.unseen');
        const outside = [...document.querySelectorAll('body *')].filter((element) => element.getBoundingClientRect().right > innerWidth);
        return outside.filter(isShown).map((element) => element.outerHTML.slice(0, 200));
    """
    assert page.run(script) == []


def test_everything_that_can_be_used_has_a_name(page: Browser) -> None:
    script = """
        const nameOf = (element) => element.getAttribute('aria-label') || element.textContent.trim() || element.labels?.length;
        const used = [...document.querySelectorAll('button, input, select, canvas, [tabindex]')];
        return used.filter((element) => element.checkVisibility() && !nameOf(element)).map((element) => element.outerHTML);
    """
    assert page.run(script) == []


def test_nothing_is_asked_of_anybody_but_the_run(page: Browser, run: Run) -> None:
    asked = page.run("return performance.getEntriesByType('resource').map((entry) => entry.name)")
    assert asked
    assert [url for url in asked if not url.startswith(run.url)] == []


def test_a_page_behind_another_tab_draws_nothing_and_is_up_to_date_once_it_is_seen_again(page: Browser, run: Run) -> None:
    page.run(
        """window.drawnSeen = 0; window.drawnHidden = 0;
        const count = () => (document.hidden ? window.drawnHidden++ : window.drawnSeen++);
        new MutationObserver(count).observe(document.querySelector('body'), {subtree: true, childList: true, characterData: true});"""
    )
    page.wait_until("window.drawnSeen > 2")
    with page.another_tab():
        page.open(run.url)
        page.wait_until("document.body.dataset.standing === 'live'")
        began = page.text("#running")
        page.wait_until("document.getElementById('running').innerText > $[0]", began)
        now = page.text("#running")
    assert page.run("return window.drawnHidden") == 0
    page.wait_until("document.getElementById('running').innerText >= $[0]", now)


MIDDLE_OF_THE_LADDER = """
(() => {
  const card = document.querySelector('[data-cycle=rounds]');
  const figure = (element) => Number(element.innerText.replace(/[^0-9.]/g, ''));
  const price = (side, at) => figure(card.querySelectorAll(`tr[data-side=${side}]`)[at].cells[2]);
  const legend = card.querySelector('.legend b');
  return Math.abs(figure(legend) - (price('bid', 0) + price('ask', 9)) / 2) < 1e-6 && legend.innerText.trim();
})()
"""
"""The newest value of the line, once it is the middle of the book beside it."""

CONTRASTS_BELOW = """
const numbers = (colour) => colour.match(/[\\d.]+/g).map(Number);
const over = (above, below) => {
  const [r, g, b, a = 1] = above;
  return [r, g, b].map((part, index) => part * a + below[index] * (1 - a));
};
const behind = (element) => {
  const layers = [];
  for (let each = element; each; each = each.parentElement) layers.push(numbers(getComputedStyle(each).backgroundColor));
  return layers.reverse().reduce((below, above) => over(above, below), [255, 255, 255]);
};
const luminance = (colour) => {
  const [r, g, b] = colour.map((part) => part / 255).map((part) => (part <= 0.03928 ? part / 12.92 : ((part + 0.055) / 1.055) ** 2.4));
  return 0.2126 * r + 0.7152 * g + 0.0722 * b;
};
const found = new Set();
const walker = document.createTreeWalker(document.body, NodeFilter.SHOW_TEXT);
while (walker.nextNode()) {
  const element = walker.currentNode.parentElement;
  if (!walker.currentNode.data.trim() || !element.checkVisibility() || element.closest('.unseen, :disabled')) continue;
  const ground = behind(element);
  const ink = over(numbers(getComputedStyle(element).color), ground);
  const [light, dark] = [luminance(ink), luminance(ground)].sort((one, other) => other - one);
  const ratio = (light + 0.05) / (dark + 0.05);
  if (ratio < arguments[0]) found.add(`${element.tagName}.${element.className}: ${ratio.toFixed(2)}`);
}
return [...found];
"""
"""Elements whose text is less than so many times as light, or as dark, as what it stands on (WCAG 2.1, 1.4.3)."""
