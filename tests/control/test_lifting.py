"""The command that lifts a state, as it is shown wherever the state is."""

from __future__ import annotations

import pytest

from assembly.presenter.lifting import HowToLift
from orders.states import TradingState

RUN = HowToLift(settings_path="config.toml")
OUT_OF_REACH = HowToLift(settings_path="config.toml", has_control=False, process=4711)


@pytest.mark.parametrize(
    ("lifting", "scope", "state", "command"),
    [
        (RUN, "global", TradingState.PAUSED, "bin/mm-ctl config.toml resume"),
        (RUN, "global", TradingState.HALTED, "bin/mm-ctl config.toml resume --from-halt"),
        (RUN, "cycle:btc", TradingState.REDUCE_ONLY, "bin/mm-ctl config.toml resume cycle:btc"),
        (HowToLift(settings_path="my settings.toml"), "global", TradingState.PAUSED, "bin/mm-ctl 'my settings.toml' resume"),
        (OUT_OF_REACH, "global", TradingState.PAUSED, "kill -USR2 4711"),
        (OUT_OF_REACH, "global", TradingState.HALTED, "bin/mm-ctl, once the run has a control socket (runtime.control_socket)"),
        (OUT_OF_REACH, "cycle:btc", TradingState.PAUSED, "bin/mm-ctl, once the run has a control socket (runtime.control_socket)"),
    ],
)
def test_command_can_be_copied_as_it_stands(lifting: HowToLift, scope: str, state: TradingState, command: str) -> None:
    assert lifting.command(scope, state) == command
