"""A run's metrics, as Prometheus reads them. A registry of its own: nothing is global, and two runs in one process do not meet."""

from __future__ import annotations

from collections.abc import Callable, Iterable, Iterator, Mapping

import trio
from prometheus_client.exposition import CONTENT_TYPE_LATEST, generate_latest
from prometheus_client.registry import Collector, CollectorRegistry

from assembly.journaling import RunJournal
from assembly.metrics import accounts, cycles, feeds, program
from assembly.metrics.families import Family, Metric
from assembly.metrics.loop_lag import LoopLag
from assembly.metrics.standing import accounts_waiting, actors_of
from assembly.notifying import Notifying
from assembly.tree import Tree

CONTENT_TYPE = CONTENT_TYPE_LATEST

METRICS: tuple[Metric, ...] = (*program.METRICS, *feeds.METRICS, *accounts.METRICS, *cycles.METRICS)
"""Every metric that a run has."""


class RunMetrics:
    """The metrics of one run. Reading them changes nothing; `outputs` says of each output how much it could not show."""

    def __init__(
        self,
        tree: Tree,
        *,
        installation: str,
        journal: RunJournal | None,
        notifying: Notifying | None,
        outputs: Mapping[str, Callable[[], int]],
        lag: LoopLag,
        is_stopping: Callable[[], bool],
        began_at: float,
    ) -> None:
        self._tree = tree
        self._installation = installation
        self._journal = journal
        self._notifying = notifying
        self._outputs = outputs
        self._lag = lag
        self._is_stopping = is_stopping
        self._began_at = began_at
        self._registry = CollectorRegistry()
        self._registry.register(_Families(self._families))

    def exposition(self) -> bytes:
        """All of it, in the text format of `CONTENT_TYPE`, in one step."""
        return generate_latest(self._registry)

    async def scrape(self) -> bytes:
        """The same, with a checkpoint after each metric: so nobody waits for more than one of them, and they are not of one moment."""
        pages: list[bytes] = []
        for family in self._families():
            pages.append(generate_latest(_Families(lambda found=family: [found])))
            await trio.lowlevel.checkpoint()
        return b"".join(pages)

    def _families(self) -> Iterator[Family]:
        tree = self._tree
        yield from program.read_run(installation=self._installation, began_at=self._began_at, is_stopping=self._is_stopping())
        actors = list(actors_of(tree.root.snapshot()))
        waiting = {account for account, _ in accounts_waiting(tree.accounts, actors)}
        yield from program.read_actors(actors)
        yield from program.read_trading_states(tree.states, tree.accounts, tree.cycles)
        yield from program.read_queues(tree.cycles, self._journal, self._notifying, self._outputs)
        yield from program.read_loop(self._lag)
        yield from feeds.read_feeds(tree.exchanges)
        yield from feeds.read_requests(tree.exchanges)
        yield from accounts.read_accounts(tree.accounts, waiting=waiting, began_at=self._began_at)
        yield from cycles.read_cycles(tree.cycles, tree.accounts, tree.limits)


class _Families(Collector):
    def __init__(self, families: Callable[[], Iterable[Family]]) -> None:
        self._families = families

    def collect(self) -> Iterable[Family]:
        return self._families()
