"""What a person can have done from the page, in a real browser: nothing without the token, nothing unconfirmed, and then really."""

from __future__ import annotations

from collections.abc import Generator
from pathlib import Path

import pytest

from tests.page_browser.browser import Browser
from tests.page_browser.runs import TOKEN, Run, settings

BUTTON = "[data-cycle=quotes] [data-command={}]"
STAGE = "document.getElementById('confirm').dataset.stage === $[0]"


@pytest.fixture(scope="module")
def run(folder: Path) -> Generator[Run]:
    with Run(settings(folder)) as run:
        run.wait_for('"order_placed"', count=6)
        yield run


@pytest.fixture
def page(browser: Browser, run: Run) -> Browser:
    """As somebody finds it who has just come, with everything as the settings have it."""
    browser.open(run.url)
    browser.run("sessionStorage.clear()")
    browser.open(run.url)
    browser.wait_until("document.body.dataset.standing === 'live' && document.querySelectorAll('.cycle').length === 2")
    return browser


@pytest.fixture
def in_control(page: Browser, run: Run) -> Generator[Browser]:
    enter_token(page, TOKEN)
    page.wait_until("document.getElementById('control').dataset.can === 'yes' && !document.getElementById('token-dialog').open")
    yield page
    run.say("resume", "cycle:quotes", from_halt=True)
    page.wait_until("document.getElementById('states').hidden")


def enter_token(page: Browser, token: str) -> None:
    page.click("#token-open")
    page.type("#token", token)
    page.click("#token-take")


def confirm(page: Browser) -> str:
    """The run's answer."""
    page.click("#confirm-do")
    page.wait_until("['done', 'refused'].includes(document.getElementById('confirm').dataset.stage)")
    return page.text("#confirm-answer")


def test_without_a_token_nothing_can_be_asked_for_and_the_page_says_how_to(page: Browser) -> None:
    assert page.text("#control-standing") == "read-only"
    assert page.run("return [...document.querySelectorAll('.actions')].some((group) => group.checkVisibility())") is False
    assert page.text("#token-open") == "Enter token"


def test_a_wrong_token_is_told_and_gives_no_control(page: Browser) -> None:
    enter_token(page, "this-is-not-the-token-of-it")
    page.wait_for_text("#token-message", "that is not the token of this run's page")
    page.press("Escape")
    assert page.text("#control-standing") == "read-only"
    assert ["401" in line for line in page.console()] == [True]  # the browser's own note of the refusal, and nothing else


def test_a_token_is_kept_for_as_long_as_the_tab_lives_and_can_be_given_up(in_control: Browser, run: Run) -> None:
    in_control.open(run.url)
    in_control.wait_for_text("#control-standing", "in control")
    in_control.click("#token-forget")
    in_control.wait_for_text("#control-standing", "read-only")
    assert in_control.run("return [sessionStorage.length, localStorage.length, document.cookie]") == [0, 0, ""]


def test_pause_says_what_will_happen_and_changes_nothing_until_it_is_confirmed(in_control: Browser, run: Run) -> None:
    in_control.click(BUTTON.format("pause"))
    assert in_control.text("#confirm-title") == "Pause cycle quotes?"
    assert in_control.texts("#confirm-lines li")[0] == "All its orders are cancelled. 4 orders are open there now."
    in_control.press("Escape")
    in_control.wait_until("!document.getElementById('confirm').open")
    assert (run.cycle("quotes")["state"], run.account("swap")["live_orders"]) == ("run", 4)


def test_pause_that_is_confirmed_pulls_the_orders_and_shows_the_run_s_own_answer(in_control: Browser, run: Run) -> None:
    in_control.click(BUTTON.format("pause"))
    in_control.type("#confirm-reason", "lunch")
    answer = confirm(in_control)
    assert answer.splitlines()[:3] == ["Done.", "cycle:quotes is paused now.", "4 orders pulled: 4 cancelled, nothing is left open."]
    assert (run.cycle("quotes")["state"], run.account("swap")["live_orders"]) == ("paused", 0)
    in_control.click("#confirm-cancel")
    in_control.wait_for_text("[data-cycle=quotes] .state", "paused")
    in_control.wait_for_text("#states", "by the page: lunch")
    in_control.wait_until("document.querySelectorAll('[data-cycle=quotes] .ladder tr[data-own]').length === 0")

    in_control.click("#states [data-command=resume]")
    assert in_control.text("#confirm-title") == "Resume cycle quotes?"
    assert confirm(in_control).splitlines()[:2] == ["Done.", "cycle:quotes is run now."]
    in_control.click("#confirm-cancel")
    in_control.wait_until("document.querySelectorAll('[data-cycle=quotes] .ladder tr[data-own]').length === 4")


def test_a_halt_is_lifted_only_by_who_says_that_he_has_looked_into_it(in_control: Browser, run: Run) -> None:
    in_control.click(BUTTON.format("halt"))
    confirm(in_control)
    in_control.click("#confirm-cancel")
    in_control.wait_for_text("[data-cycle=quotes] .state", "halted")
    in_control.click(BUTTON.format("resume"))
    assert in_control.run("return document.getElementById('confirm-do').disabled")
    in_control.click("#confirm-looked")
    assert confirm(in_control).startswith("Done.")
    assert run.cycle("quotes")["state"] == "run"
    in_control.click("#confirm-cancel")


def test_a_token_that_the_run_takes_no_more_is_told_and_forgotten(in_control: Browser, run: Run) -> None:
    in_control.run("sessionStorage.setItem('mm-page-token', 'one-of-an-earlier-run')")
    in_control.open(run.url)
    in_control.wait_for_text("#control-standing", "in control")
    in_control.click(BUTTON.format("pause"))
    assert confirm(in_control).startswith("Not done.\nthat is not the token of this run's page")
    in_control.click("#confirm-cancel")
    in_control.wait_for_text("#control-standing", "read-only")
    assert run.cycle("quotes")["state"] == "run"
    assert ["401" in line for line in in_control.console()] == [True]
