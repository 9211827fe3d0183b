"""The plan of a run: which of its accounts a guardian watches over, and where they are."""

from __future__ import annotations

import os
from collections.abc import Mapping
from pathlib import Path

from assembly.guardian.plan import GuardedAccount, Plan, PlannedLogFile
from assembly.parts import AccountParts
from assembly.settings import ExchangeMode, Settings
from assembly.settings_checks import credential_variables


def guard_plan(settings: Settings, accounts: Mapping[str, AccountParts], environment: Mapping[str, str]) -> Plan:
    """Of `accounts`, those in use, all that are not at an exchange that this program serves itself: that one dies with it.

    No account at all where the settings want no guardian.
    """
    runtime = settings.runtime
    log_file = None
    if runtime.log_file is not None:
        log_file = PlannedLogFile(
            path=str(Path(runtime.log_file).absolute()),
            bytes_max=runtime.log_file_megabytes_max * 1_000_000,
            files_kept=runtime.log_files_kept,
        )
    return Plan(
        installation=runtime.installation,
        runtime_process=os.getpid(),
        accounts=tuple(
            _guarded(parts, environment) for parts in accounts.values() if runtime.guardian and not parts.exchange.settings.is_embedded
        ),
        folder=str(Path(runtime.guardian_folder).absolute()),
        log_file=log_file,
    )


def _guarded(parts: AccountParts, environment: Mapping[str, str]) -> GuardedAccount:
    variables = credential_variables(parts.settings, parts.exchange.entry.known)
    return GuardedAccount(
        name=parts.name,
        exchange=parts.exchange.name,
        rest_url=parts.exchange.rest_url,
        is_testnet=parts.exchange.settings.mode is ExchangeMode.TESTNET,
        credential_variables=tuple(variables) if all(environment.get(variable) for variable in variables) else (),
    )
