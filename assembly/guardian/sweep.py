"""The process that acts: ``python -m assembly.guardian.sweep --of PID``, started by `watch`.

It reads the plan from standard input, then the cause and the latest time that the runtime has told, and perhaps ``stop``
later. It looks at all accounts at once, each over a connection of its own; what fails for one holds up none of the others.

Exit status: 0 if no order of ours is open, by the exchange's word; 3 if one may be; 4 if it was told to stop. Any other is a
defect of ours, and it is started again.
"""

from __future__ import annotations

import os
import random
import sys
from collections.abc import Callable
from pathlib import Path

import msgspec
import trio
from loguru import logger

from actors.accounts.credential import Credential
from actors.accounts.session import AccountSession, ClockOffset
from assembly.guardian.events import Outcome
from assembly.guardian.plan import Cause, GuardedAccount, Plan
from assembly.guardian.records import AccountRecord, Record, write_record
from assembly.guardian.sweeping import GIVE_UP_SECONDS, Sweep, is_to_be_cancelled
from assembly.logs import LogFile, start_logging
from assembly.presenter.times import iso_time
from assembly.redaction import redactor
from assembly.registry import EXCHANGES
from assembly.settings_checks import made_up_credential
from market.clock import SystemWallClock, WallClock
from network.breaker import CircuitBreaker
from network.http import HttpClient, HttpResponse
from network.limits import ExchangeLimits, retry_after_seconds, says_too_many
from network.rate_limit import RateLimiter
from network.rest import RestClient, RetryPolicy
from network.url import parse_url
from orders.errors import ErrorKind
from supervision.errors import one_line

SWEPT, MAY_BE_LIVE, STOPPED = 0, 3, 4
STANDARD_INPUT = 0
# Short: what counts is to look again soon, and every round is an attempt.
RETRY = RetryPolicy(attempts_max=2, total_seconds=6.0)
CRASH_PAUSE_SECONDS = 5.0
LAST_WRITE_SECONDS = 1.0


class Sweeper:
    """All accounts of a plan."""

    def __init__(
        self, plan: Plan, cause: Cause, *, told_last_milliseconds: int, credentials: dict[str, Credential], wall_clock: WallClock
    ) -> None:
        self._plan = plan
        self._told_last_milliseconds = told_last_milliseconds
        self._credentials = credentials
        self._redact = redactor(credentials.values())
        self._wall_clock = wall_clock
        self._limits = {exchange: exchange_limits(exchange, wall_clock) for exchange in {account.exchange for account in plan.accounts}}
        self._changed = trio.Event()
        # One thread at a time: one that was left behind holds its place until its write has ended, and writes over no later one.
        self._writing = trio.CapacityLimiter(1)
        self._is_record_lost = False
        self._stop_scope = trio.CancelScope()
        self.record = Record(
            installation=plan.installation,
            runtime_process=plan.runtime_process,
            process=os.getpid(),
            cause=cause,
            began_at=iso_time(wall_clock.milliseconds()),
            accounts={account.name: AccountRecord(exchange=account.exchange) for account in plan.accounts},
        )

    def stop(self) -> None:
        """The runtime is back."""
        self._stop_scope.cancel()

    async def run(self) -> int:
        """Returns the exit status."""
        names = ", ".join(f"{account.name} ({account.exchange})" for account in self._plan.accounts)
        logger.warning(
            "mm-runtime (process {}) {}: cancelling what it has open on {}",
            self._plan.runtime_process,
            self.record.cause.in_words,
            names,
        )
        async with trio.open_nursery() as nursery:
            nursery.start_soon(self._keep_record)
            with self._stop_scope:
                async with trio.open_nursery() as sweeps:
                    for account in self._plan.accounts:
                        sweeps.start_soon(self._sweep, account)
            nursery.cancel_scope.cancel()
        for account in self.record.accounts.values():
            if account.outcome is Outcome.UNDER_WAY:
                account.outcome = Outcome.RUNTIME_BACK if self._stop_scope.cancelled_caught else Outcome.GIVEN_UP
        self.record.ended_at = iso_time(self._wall_clock.milliseconds())
        with trio.move_on_after(LAST_WRITE_SECONDS):
            await self._write_record()
        if self._stop_scope.cancelled_caught:
            logger.warning("mm-runtime (process {}) is back: it sees to its orders itself", self._plan.runtime_process)
            return STOPPED
        return SWEPT if all(account.outcome is Outcome.CONFIRMED for account in self.record.accounts.values()) else MAY_BE_LIVE

    async def _sweep(self, account: GuardedAccount) -> None:
        """Until it is done or given up, whatever happens: a defect of ours is told, and the sweep begun again."""
        record = self.record.accounts[account.name]
        tell = _teller(account)
        began_at = trio.current_time()
        while trio.current_time() < began_at + GIVE_UP_SECONDS:
            try:
                await self._sweep_once(account, record, tell, began_at)
                break
            except Exception as error:  # noqa: BLE001
                record.trouble = self._redact(one_line(error))
                self._note_change()
                logger.opt(exception=error).error("{}: a defect in the sweep; it is begun again", account.name)
                await trio.sleep(CRASH_PAUSE_SECONDS)
        if record.outcome is Outcome.CONFIRMED:
            tell(f"no order of ours is open; {len(record.cancelled)} cancelled")
        else:
            left = ", ".join(record.left_open) or "whatever was open"
            logger.error("{} ({}): given up, {} MAY BE LIVE: look at the exchange", account.name, account.exchange, left)

    async def _sweep_once(self, account: GuardedAccount, record: AccountRecord, tell: Callable[[str], None], began_at: float) -> None:
        entry = EXCHANGES[account.exchange]
        headers = entry.testnet_headers if account.is_testnet else ()
        async with HttpClient(parse_url(account.rest_url).origin, headers=headers) as http:
            session = AccountSession(
                codec=entry.account_codec(),
                rest=RestClient(http, self._limits[account.exchange], rng=random.Random()),  # noqa: S311 - jitter, not secrets
                credential=self._credentials[account.name],
                wall_clock=self._wall_clock,
                offset=ClockOffset(),
                retry=RETRY,
            )
            sweep = Sweep(
                session=session,
                is_ours=self._is_ours,
                record=record,
                tell=tell,
                changed=self._note_change,
                redact=self._redact,
                began_at=began_at,
            )
            await sweep.run()

    def _is_ours(self, client_order_id: str | None) -> bool:
        return is_to_be_cancelled(
            client_order_id, installation=self._plan.installation, told_last_milliseconds=self._told_last_milliseconds
        )

    def _note_change(self) -> None:
        self._changed.set()

    async def _keep_record(self) -> None:
        while True:
            self._changed = trio.Event()
            await self._write_record()
            await self._changed.wait()

    async def _write_record(self) -> None:
        try:
            # In a thread that may be left behind: a disk that hangs must not hold up the cancelling.
            await trio.to_thread.run_sync(write_record, self.record, Path(self._plan.folder), abandon_on_cancel=True, limiter=self._writing)
        except OSError as error:
            if not self._is_record_lost:
                self._is_record_lost = True
                logger.error("what is done here cannot be written to {}: {}", self._plan.folder, error.strerror)


def exchange_limits(exchange: str, wall_clock: WallClock) -> ExchangeLimits:
    """Those of one exchange, as its codec knows them; nothing of them is shared with the runtime, which may be dead."""
    codec = EXCHANGES[exchange].account_codec()

    def is_rate_limited(response: HttpResponse) -> bool:
        refusal = codec.error(response)
        return says_too_many(response) or (refusal is not None and refusal.kind is ErrorKind.RATE_LIMITED)

    def penalty_seconds(response: HttpResponse) -> float | None:
        asked = retry_after_seconds(response)
        return asked if asked is not None else codec.penalty_seconds(response, now_milliseconds=wall_clock.milliseconds())

    return ExchangeLimits(
        RateLimiter(codec.rate_limits), CircuitBreaker(exchange), is_rate_limited=is_rate_limited, penalty_seconds=penalty_seconds
    )


def credential_of(account: GuardedAccount) -> Credential:
    """From the environment, which this process has inherited from the runtime."""
    if not account.credential_variables:
        return made_up_credential(account.name)
    texts = (os.environ[variable] for variable in account.credential_variables)
    return Credential(**dict(zip(("key", "secret", "passphrase"), texts, strict=False)))


def _teller(account: GuardedAccount) -> Callable[[str], None]:
    return lambda text: logger.warning("{} ({}): {}", account.name, account.exchange, text)


class _Orders:
    """Lines of standard input."""

    def __init__(self, stream: trio.lowlevel.FdStream) -> None:
        self._stream = stream
        self._unread = b""

    async def next(self) -> bytes:
        """The next line without its end; empty when there is none any more."""
        while b"\n" not in self._unread:
            data = await self._stream.receive_some(65536)
            if not data:
                return b""
            self._unread += data
        line, _, self._unread = self._unread.partition(b"\n")
        return line


async def _run() -> int:
    async with trio.lowlevel.FdStream(os.dup(STANDARD_INPUT)) as stream:
        orders = _Orders(stream)
        plan = msgspec.json.decode(await orders.next(), type=Plan)
        cause, _, told_last = (await orders.next()).decode().partition(" ")
        credentials = {account.name: credential_of(account) for account in plan.accounts}
        log_file = plan.log_file
        logs = start_logging(
            level="INFO",
            redact=redactor(credentials.values()),
            file=log_file
            and LogFile(path=Path(log_file.path), bytes_max=log_file.bytes_max, files_kept=log_file.files_kept),
        )  # fmt: skip
        async with trio.open_nursery() as nursery:
            await nursery.start(logs.run)
            with logger.contextualize(actor="guardian"):
                sweeper = Sweeper(
                    plan,
                    Cause(cause),
                    told_last_milliseconds=int(told_last),
                    credentials=credentials,
                    wall_clock=SystemWallClock(),
                )
                nursery.start_soon(_stop_when_told, orders, sweeper)
                status = await sweeper.run()
            nursery.cancel_scope.cancel()
        await logs.close()
        return status


async def _stop_when_told(orders: _Orders, sweeper: Sweeper) -> None:
    if await orders.next() == b"stop":
        sweeper.stop()


def main() -> None:
    sys.exit(trio.run(_run))


if __name__ == "__main__":
    main()
