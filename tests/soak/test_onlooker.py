"""Who reads a run's page in a world of the simulator: that it is read, and that what is told wrongly is found."""

from __future__ import annotations

import pytest
from msgspec.structs import replace

from assembly.page.composition import PageView
from soak.onlooker import Onlooker, Reader
from soak.outcome import Verdict
from soak.regimes import options_of
from soak.run import run_options

WORLD = options_of("calm", exchange="okx_spot", seed=3, seconds=30)


@pytest.fixture
def onlookers(monkeypatch: pytest.MonkeyPatch) -> list[Onlooker]:
    found: list[Onlooker] = []
    look = Onlooker.look

    async def remembered(self: Onlooker) -> None:
        found.append(self)
        await look(self)

    monkeypatch.setattr(Onlooker, "look", remembered)
    return found


def test_world_whose_page_is_read_is_fine_and_the_same_again(onlookers: list[Onlooker]) -> None:
    outcomes = [run_options(replace(WORLD, reader=Reader.BRISK)) for _ in range(2)]
    assert [outcome.verdict for outcome in outcomes] == [Verdict.FINE, Verdict.FINE], outcomes[0].told
    assert outcomes[0].trace_hash == outcomes[1].trace_hash
    assert [onlooker.pushes for onlooker in onlookers] == [onlookers[0].pushes] * 2
    assert onlookers[0].pushes >= 20


def test_push_that_is_out_of_order_is_found(monkeypatch: pytest.MonkeyPatch) -> None:
    honest = PageView.next

    def wrong(self: PageView) -> str | None:
        push = honest(self)
        return None if push is None else push.replace('"number":3,', '"number":4,')

    monkeypatch.setattr(PageView, "next", wrong)
    outcome = run_options(replace(WORLD, reader=Reader.BRISK))
    assert outcome.verdict is Verdict.VIOLATION
    assert "push 3 to the page is told to be number 4" in outcome.told
