"""How a person lifts a trading state: the command, to be copied from wherever the state is shown."""

from __future__ import annotations

import shlex

import msgspec

from orders.states import GLOBAL, TradingState


class HowToLift(msgspec.Struct, frozen=True, kw_only=True):
    """Of one run. `process` is for a run that has no control socket: a signal is all that reaches it."""

    settings_path: str
    has_control: bool = True
    process: int = 0

    def command(self, scope: str, state: TradingState) -> str:
        """What puts the scope back into `run`."""
        if not self.has_control:
            if scope == GLOBAL and state is not TradingState.HALTED:
                return f"kill -USR2 {self.process}"
            return "bin/mm-ctl, once the run has a control socket (runtime.control_socket)"
        words = ["bin/mm-ctl", shlex.quote(self.settings_path), "resume"]
        if scope != GLOBAL:
            words.append(shlex.quote(scope))
        if state is TradingState.HALTED:
            words.append("--from-halt")
        return " ".join(words)


DEFAULT = HowToLift(settings_path="config.toml")
