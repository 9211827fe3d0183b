"""A real browser for tests of the page: one headless Chromium, driven through its own driver.

A test waits for what the page shows (`wait_until`), asked again at every frame inside the browser; nothing here sleeps.
"""

from __future__ import annotations

import base64
import os
import shutil
from collections.abc import Generator
from contextlib import contextmanager
from pathlib import Path
from types import TracebackType
from typing import Any, Self

from selenium import webdriver
from selenium.common.exceptions import TimeoutException
from selenium.webdriver.chrome.options import Options
from selenium.webdriver.chrome.service import Service
from selenium.webdriver.common.keys import Keys
from selenium.webdriver.support.ui import Select

PATIENCE_SECONDS = 20.0
"""For whatever must appear at all. What must appear soon has its own bound in its test."""

WIDE = (1280, 900)
PHONE = (360, 740)

_ARGUMENTS = (
    "--headless=new",
    "--no-sandbox",
    "--disable-gpu",
    "--disable-quic",
    "--disable-dev-shm-usage",
    "--no-first-run",
    "--no-default-browser-check",
    "--no-proxy-server",
    "--disable-background-networking",
    "--disable-component-update",
    "--disable-sync",
    "--disable-extensions",
)

# Looks in every frame; an expression that fails, of what is not there yet, counts as not true.
_WAITING = """
const [$, milliseconds, done] = arguments;
const until = performance.now() + milliseconds;
const look = () => {
  let value = null;
  let problem = null;
  try { value = CONDITION; } catch (error) { problem = String(error); }
  if (value) done([true, value]);
  else if (performance.now() > until) done([false, problem]);
  else requestAnimationFrame(look);
};
look();
"""


def missing_browser() -> str | None:
    """What to install so that these tests can run; None where everything is there."""
    lacking = [name for name in ("chromium", "chromedriver") if shutil.which(name) is None]
    if not lacking:
        return None
    return f"no {' and no '.join(lacking)} on this machine: on Debian and Ubuntu, apt-get install chromium chromium-driver"


def is_in_ci() -> bool:
    return os.environ.get("CI", "") not in ("", "0", "false")


class Browser:
    """Leaving its `with` block ends it. `folder` takes its profile."""

    def __init__(self, folder: Path) -> None:
        options = Options()
        options.binary_location = shutil.which("chromium") or ""
        for argument in (*_ARGUMENTS, f"--user-data-dir={folder}"):
            options.add_argument(argument)
        options.set_capability("goog:loggingPrefs", {"browser": "ALL"})
        self.driver = webdriver.Chrome(options=options, service=Service(shutil.which("chromedriver")))
        self.driver.set_script_timeout(PATIENCE_SECONDS)
        self.resize(WIDE)

    def __enter__(self) -> Self:
        return self

    def __exit__(self, kind: type[BaseException] | None, error: BaseException | None, trace: TracebackType | None) -> None:
        self.driver.quit()

    def at_a_desk(self) -> None:
        """A wide window, light, and a console that has told nothing."""
        self.resize(WIDE)
        self.prefer("light")
        self.console()

    def open(self, url: str) -> None:
        self.driver.get(url)

    def leave(self) -> None:
        """Close the page, so that its console does not tell of the end of a run that the test ends."""
        self.driver.get("about:blank")

    @contextmanager
    def another_tab(self) -> Generator[None]:
        """One in front of the page, for as long as it takes."""
        page = self.driver.current_window_handle
        self.driver.switch_to.new_window("tab")
        try:
            yield
        finally:
            self.driver.close()
            self.driver.switch_to.window(page)

    def resize(self, size: tuple[int, int]) -> None:
        """What the page takes for its screen, in CSS pixels."""
        width, height = size
        self.driver.execute_cdp_cmd(
            "Emulation.setDeviceMetricsOverride",
            {"width": width, "height": height, "deviceScaleFactor": 1, "mobile": width < 600},
        )

    def prefer(self, scheme: str) -> None:
        """The colour scheme, "light" or "dark", that the user has asked their system for."""
        features = [{"name": "prefers-color-scheme", "value": scheme}]
        self.driver.execute_cdp_cmd("Emulation.setEmulatedMedia", {"features": features})

    def run(self, script: str, *arguments: object) -> Any:
        """What a piece of JavaScript returns; its arguments are `arguments[0]` and so on."""
        return self.driver.execute_script(script, *arguments)

    def text(self, selector: str) -> str:
        """What can be read in the first element that fits; empty if there is none."""
        return self.run("const found = document.querySelector(arguments[0]); return found ? found.innerText.trim() : ''", selector)

    def texts(self, selector: str) -> list[str]:
        """What can be read in each element that fits."""
        return self.run("return [...document.querySelectorAll(arguments[0])].map((each) => each.innerText.trim())", selector)

    def click(self, selector: str) -> None:
        """As a person does: it must be there, enabled, and not covered by anything."""
        element = self.driver.find_element("css selector", selector)
        assert element.is_enabled(), f"{selector} cannot be clicked: it is disabled"
        element.click()

    def type(self, selector: str, text: str) -> None:
        element = self.driver.find_element("css selector", selector)
        element.clear()
        element.send_keys(text)

    def choose(self, selector: str, value: str) -> None:
        """An entry of a list to choose from."""
        Select(self.driver.find_element("css selector", selector)).select_by_value(value)

    def press(self, key: str) -> None:
        """A key by its name (`ArrowLeft`), in what has the focus."""
        self.driver.switch_to.active_element.send_keys({"ArrowLeft": Keys.ARROW_LEFT, "Escape": Keys.ESCAPE}[key])

    def wait_until(self, condition: str, *arguments: object, within_seconds: float = PATIENCE_SECONDS) -> Any:
        """The first true value of a JavaScript expression, looked at in every frame; its arguments are `$[0]` and so on."""
        script = _WAITING.replace("CONDITION", f"({condition})")
        self.driver.set_script_timeout(within_seconds + PATIENCE_SECONDS)
        try:
            found, value = self.driver.execute_async_script(script, arguments, within_seconds * 1000)
        except TimeoutException:
            found, value = False, "the page does not draw any more"
        assert found, f"not within {within_seconds:g} s: {condition} {list(arguments) or ''} {value or ''}\n{self.story()}"
        return value

    def wait_for_text(self, selector: str, text: str, *, within_seconds: float = PATIENCE_SECONDS) -> None:
        """Until some element that fits says this."""
        condition = "[...document.querySelectorAll($[0])].some((each) => each.innerText.includes($[1]))"
        self.wait_until(condition, selector, text, within_seconds=within_seconds)

    def console(self) -> list[str]:
        """What the console has been told since the last call: warnings, errors of scripts, refused requests."""
        return [f"{entry['level']}: {entry['message']}" for entry in self.driver.get_log("browser")]

    def screenshot(self, path: Path, *, whole: bool = False) -> None:
        """A picture of what is in the window, or of the whole page."""
        picture = self.driver.execute_cdp_cmd("Page.captureScreenshot", {"format": "png", "captureBeyondViewport": whole})
        path.write_bytes(base64.b64decode(picture["data"]))

    def story(self) -> str:
        """What the page shows and what its console says, for the text of a failure."""
        shown = self.run("return document.body ? document.body.innerText.slice(0, 3000) : ''")
        return "\n".join((f"-- {self.driver.current_url} shows:", shown, "-- its console:", *self.console()[-20:]))
