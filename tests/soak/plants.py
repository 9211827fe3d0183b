"""Bugs that the simulator must find: each is a few exact replacements in a copy of the program, never in the program itself.

A text that is not in its file exactly once ends the hunt with a message: the code has moved, and the plant must move with it.
"""

from __future__ import annotations

import re

import msgspec


class Change(msgspec.Struct, frozen=True):
    """In `file`, the text `old`, which is there exactly once, becomes `new`."""

    file: str
    old: str
    new: str


class Plant(msgspec.Struct, frozen=True, kw_only=True):
    """One bug. It must be found within `seeds_max` worlds of `hours` virtual hours, with these `faults` and `exchanges` (as
    `bin/mm-soak` takes them): of the seeds from 1 on, or of those among them whose world `kind` strikes for sure.

    Several `changes` are for what two layers forbid, each by itself: the bug is that both are gone.
    """

    name: str
    what: str
    changes: tuple[Change, ...]
    seeds_max: int
    kind: str = ""
    hours: float = 0.03
    faults: str = "all"
    exchanges: str = "gateio_spot"
    is_quick: bool = False
    """Whether every run of the tests looks for it; the others are looked for by ``bin/test -m planted``."""

    why_not_found: str = ""
    """Of one that is not found so far: why. It is kept so that it can be."""

    @property
    def world_arguments(self) -> tuple[str, ...]:
        """What `bin/mm-soak` is told of the worlds, besides their seeds."""
        return ("--hours", f"{self.hours:g}", "--faults", self.faults, "--exchanges", self.exchanges)


DESK = "actors/accounts/order_desk.py"
LEDGER = "orders/ledger.py"
RESOLUTION = "actors/accounts/resolution.py"
CYCLE = "actors/cycle/rounds/actor.py"
QUOTING_EXECUTOR = "actors/cycle/quoting/executor.py"
ACCOUNT = "actors/accounts/actor.py"
SESSION = "actors/accounts/session.py"

PLANTS = (
    Plant(
        name="timeout_is_rejection",
        what="A placement whose answer was lost is taken for rejected",
        changes=(
            Change(
                DESK,
                "the exchange has told of it, and nothing is lost\n            self.lose_answer(client_order_id, str(error))",
                "the exchange has told of it, and nothing is lost\n"
                "            self._books.happened(client_order_id, OrderInput.SAID_REJECTED, str(error), for_now=True)",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        exchanges="gateio_spot",
        kind="delay_answers",
    ),
    Plant(
        name="placement_repeated",
        what="A placement by REST is sent again when its answer is lost",
        changes=(
            Change(
                SESSION,
                "build, group=group, timeout_seconds=self._request_timeout_seconds, retry=None)",
                "build, group=group, timeout_seconds=self._request_timeout_seconds, retry=self._retry)",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        exchanges="mexc_spot",
        kind="fail_after",
    ),
    Plant(
        name="delta_gap_ignored",
        what="A gap in a book's deltas is ignored",
        changes=(
            Change(
                "actors/feeds/book_sync.py",
                "return _Verdict.FITTING if delta.first_sequence <= target else _Verdict.GAP",
                "return _Verdict.FITTING",
            ),
            Change(
                "actors/feeds/book_sync.py",
                "return _Verdict.OLD if is_old else _Verdict.GAP",
                "return _Verdict.OLD if is_old else _Verdict.FITTING",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="withhold_book",
        is_quick=True,
    ),
    Plant(
        name="fill_counted_twice",
        what="A trade that is told twice is counted twice",
        changes=(
            Change(
                LEDGER,
                "        if any(known.trade_id == fill.trade_id for known in order.fills):\n            return []\n",
                "",
            ),
        ),
        seeds_max=25,
        faults="network,exchange",
        is_quick=True,
    ),
    Plant(
        name="fill_forgotten_by_cancel",
        what="A cancelled order is settled by the fills known so far: the last one, told after the cancellation, is not waited for",
        changes=(Change("orders/order.py", "return self.is_terminal and self.fills_are_complete", "return self.is_terminal"),),
        seeds_max=25,
        faults="exchange",
    ),
    Plant(
        name="gate_closed_late",
        what="A stop closes the gate only after it has cancelled what was open",
        changes=(
            Change(
                "assembly/runtime.py",
                "        for parts in self.tree.accounts.values():\n            parts.closer.give_up()\n",
                "        self._close_gates(self._reason)\n        for parts in self.tree.accounts.values():\n"
                "            parts.closer.give_up()\n",
            ),
            Change(
                "assembly/runtime.py",
                "        self._close_gates(reason)\n        if not self._stop_requested.is_set():",
                "        if not self._stop_requested.is_set():",
            ),
        ),
        seeds_max=25,
        faults="operator",
        is_quick=True,
    ),
    Plant(
        name="restart_without_sweep",
        what="A start does not end what an earlier run has left open",
        changes=(Change(ACCOUNT, "await self._sweep()\n", "pass\n"),),
        seeds_max=25,
        faults="crash",
        kind="kill",
    ),
    Plant(
        name="absence_believed_at_once",
        what="An order that the exchange's lists do not show yet is taken for never accepted",
        changes=(
            Change(
                RESOLUTION,
                "if asked_at_milliseconds <= absence_believed_at_milliseconds(order) or ledger.order(order.client_order_id) != order:",
                "if ledger.order(order.client_order_id) != order:",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="hide_new_orders",
    ),
    Plant(
        name="unknown_order_frees_its_slot",
        what="An order of unknown fate does not occupy its slot: two orders of one intent",
        changes=(
            Change(
                "actors/cycle/rounds/executor.py",
                "        occupied.add(slot)\n",
                "        if order.state is not OrderState.UNKNOWN:\n            occupied.add(slot)\n",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="tell_nothing",
    ),
    Plant(
        name="stale_book_traded_on",
        what="A book that was lost, or that nothing has proven for long, is traded on",
        changes=(
            Change(CYCLE, "            case BookLost():\n                self._memory.book = None\n", ""),
            Change(
                CYCLE,
                "self._memory.book is None or trio.current_time() - self._memory.book.received_at > self._terms.book_age_seconds_max",
                "False",
            ),
            Change(
                "actors/accounts/prices.py",
                "return touch_of(news) if isinstance(news, BookChanged) and now - news.received_at <= self.book_age_seconds_max else None",
                "return self.last(symbol)",
            ),
        ),
        seeds_max=25,
        faults="network",
        kind="half_open",
    ),
    Plant(
        name="reduce_only_ignored",
        what="A buy leaves while trading is reduce-only",
        changes=(
            Change(
                "actors/accounts/permission.py",
                "if standing.state is TradingState.REDUCE_ONLY and reduces(request, ledger):",
                "if standing.state is TradingState.REDUCE_ONLY:",
            ),
            Change(
                "actors/cycle/rounds/standing.py",
                "if standing.state is TradingState.RUN or decision.hold:",
                "if standing.state in (TradingState.RUN, TradingState.REDUCE_ONLY) or decision.hold:",
            ),
            Change(CYCLE, "if memory.standing.state is not TradingState.RUN:", "if not memory.standing.state.may_place:"),
        ),
        seeds_max=25,
        faults="operator",
        kind="trading_state",
    ),
    Plant(
        name="hold_forgotten_by_restart",
        what="A pause or halt of a person is forgotten by a restart",
        changes=(
            Change(
                "assembly/tree.py",
                "recovered=None if journal is None else journal.states())",
                "recovered=None)",
            ),
        ),
        seeds_max=25,
        faults="operator",
        kind="trading_state",
    ),
    Plant(
        name="intent_written_after_sending",
        what="An order leaves before its intent is on the disk",
        changes=(Change(DESK, "            await self._books.recorder.written()\n            report =", "            report ="),),
        seeds_max=25,
        faults="crash",
        kind="kill_unwritten",
    ),
    Plant(
        name="earlier_fills_counted_again",
        what="Trades that an earlier run has counted are counted once more when a restart asks for what it has missed",
        changes=(
            Change(
                LEDGER,
                "        for trade in counted.trades:\n"
                "            _remember(self._counted_trade_ids, trade, trade in counted.tallied_trades)\n",
                "",
            ),
        ),
        seeds_max=25,
        kind="kill",
        faults="crash",
        is_quick=True,
    ),
    Plant(
        name="unknown_orders_not_exposed",
        what="Orders of unknown fate do not count against the limits",
        changes=(
            Change(
                "orders/exposure.py",
                "if order.client_order_id != besides]",
                'if order.client_order_id != besides and order.state.value != "unknown"]',
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="tell_nothing",
    ),
    Plant(
        name="clock_measured_once",
        what="The exchange's clock is compared with ours once, and never again",
        changes=(
            Change(
                SESSION,
                "        prepared = self._codec.server_time()\n",
                "        if self._offset.milliseconds:\n            return self._offset.milliseconds\n"
                "        prepared = self._codec.server_time()\n",
            ),
        ),
        seeds_max=25,
        faults="clock",
        kind="jump_own_clock",
    ),
    Plant(
        name="switch_not_renewed",
        what="The exchange's dead-man's switch is armed once and never renewed",
        changes=(
            Change(
                "actors/accounts/dead_mans_switch.py",
                "            await trio.sleep(self._timeout_seconds / RENEWALS_PER_TIMEOUT)\n",
                "            await trio.sleep_forever()\n",
            ),
        ),
        seeds_max=25,
        faults="exchange",
    ),
    Plant(
        name="stream_orders_unlimited",
        what="Orders over the private stream take no place in the rate limits",
        changes=(
            Change("actors/accounts/order_entry.py", "        await limits.acquire(prepared.group, prepared.weight, urgent=urgent)\n", ""),
        ),
        seeds_max=25,
        faults="network",
        is_quick=True,
    ),
    Plant(
        name="crashed_cycles_orders_left",
        what="A crashed cycle's orders are left open",
        changes=(Change("assembly/children.py", "if cause.kind is DeathKind.STOPPED:\n", "if cause.kind:\n"),),
        seeds_max=25,
        faults="crash",
        kind="crash_cycle",
        is_quick=True,
    ),
    Plant(
        name="refused_settings_taken_over",
        what="Settings that need a restart are refused, and what could be changed of them is in force all the same",
        changes=(
            Change(
                "assembly/reloading/desk.py",
                "        if fixed:\n",
                "        if fixed:\n            self._runs.change(settings, self._runs.terms_of(settings))\n",
            ),
        ),
        seeds_max=25,
        faults="operator",
        kind="reload_settings",
        is_quick=True,
    ),
    Plant(
        name="leaving_quote_frees_its_place",
        what="A quote that is being cancelled counts as gone: it is replaced before the exchange has told its end",
        changes=(
            Change(
                QUOTING_EXECUTOR,
                "sum(order.request.side is side for order in self._live)",
                "sum(order.request.side is side and not is_leaving(order) for order in self._live)",
            ),
            Change(QUOTING_EXECUTOR, "{slot_of(order) for order in live}", "{slot_of(order) for order in live if not is_leaving(order)}"),
        ),
        seeds_max=25,
        faults="exchange",
        kind="delay_requests",
        exchanges="mexc_spot",
        is_quick=True,
    ),
    Plant(
        name="unknown_quote_frees_its_place",
        what="A quote of unknown fate does not occupy its place: another is placed beside it",
        changes=(
            Change(
                QUOTING_EXECUTOR,
                "sum(order.request.side is side for order in self._live)",
                'sum(order.request.side is side and order.state.value != "unknown" for order in self._live)',
            ),
            Change(
                QUOTING_EXECUTOR,
                "{slot_of(order) for order in live}",
                '{slot_of(order) for order in live if order.state.value != "unknown"}',
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="tell_nothing",
        exchanges="mexc_spot",
    ),
    Plant(
        name="limits_ignore_live_quotes",
        what="A strategy's limits are compared with what was traded, and what is live may still trade besides",
        changes=(
            Change(
                "actors/cycle/quoting/limits.py",
                "        for order in orders:\n            open_quantities[order.request.side] += still_to_count(order)\n",
                "",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="fill_after_cancel_ack",
        exchanges="mexc_spot",
    ),
    Plant(
        name="tally_folded_again",
        what="What a strategy has traded is kept as a sum, and the trades in it are added once more by the next restart",
        changes=(
            Change(
                "actors/journal/tallies.py",
                '    connection.execute("UPDATE earlier_tallies_until SET fills_id = (SELECT coalesce(max(id), 0) FROM fills)")\n',
                "",
            ),
        ),
        seeds_max=25,
        faults="crash",
        kind="kill",
    ),
    Plant(
        name="runtime_settings_of_the_start",
        what="How long a run lasts, and whether its stop flattens, is what the settings said at its start",
        changes=(
            Change(
                "assembly/runtime.py",
                "        self._settings = settings\n        changed, self._settings_changed",
                "        changed, self._settings_changed",
            ),
        ),
        seeds_max=25,
        faults="operator",
        kind="reload_settings",
    ),
    Plant(
        name="strategy_not_told_of_limits",
        what="A strategy that quotes goes on by the limits that it began with when they are changed",
        changes=(
            Change(
                "assembly/cycle_parts.py",
                "        self.inbox_sender.send_nowait(TermsChanged(terms))\n",
                "        if terms.limits == before.limits:\n            self.inbox_sender.send_nowait(TermsChanged(terms))\n",
            ),
            Change(
                "assembly/cycle_parts.py",
                "        self.settings, self.terms = settings, terms\n",
                "        before, self.settings, self.terms = self.terms, settings, terms\n",
            ),
        ),
        seeds_max=25,
        faults="operator,exchange",
        kind="reload_settings",
    ),
    Plant(
        name="accepted_loss_ends_its_limit",
        what="A drawdown that a person has accepted counts as struck ever after: the next one does not strike",
        changes=(
            Change(
                "actors/accounts/drawdown.py",
                "                self._keep(profit, is_struck=False)  # a person has let it run again\n",
                "                self._keep(profit, is_struck=True)\n",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="move_market",
    ),
    Plant(
        name="profit_without_fees",
        what="A drawdown leaves out what was paid in fees",
        changes=(
            Change(
                "orders/tally.py",
                "        return EXACT.subtract(EXACT.subtract(earned, self.traded.fees), exact_product(self.base_fees, price))\n",
                "        return earned\n",
            ),
        ),
        seeds_max=25,
        faults="exchange",
    ),
    Plant(
        name="cancel_answer_is_end",
        what="The answer to a cancellation is taken for the order's end, where the exchange has only taken note",
        changes=(
            Change(
                DESK,
                "                self._books.take(report)\n\n    def cancellation(",
                "                self._books.take(report)\n            else:\n"
                "                self._books.happened(client_order_id, OrderInput.SAID_CANCELLED)\n\n    def cancellation(",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="fill_after_cancel_ack",
        exchanges="okx_spot",
    ),
    Plant(
        name="not_found_is_cancelled",
        what="An order that is not found when it is to be cancelled is taken for cancelled",
        changes=(
            Change(
                DESK,
                'f"cancelling order {client_order_id}", str(error)))\n        self._ask_now(client_order_id)',
                'f"cancelling order {client_order_id}", str(error)))\n            self._ask_now(client_order_id)\n        else:\n'
                "            self._books.happened(client_order_id, OrderInput.SAID_CANCELLED, str(error))",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="hide_new_orders",
        exchanges="gateio_futures",
    ),
    Plant(
        name="shorts_reduced_by_selling",
        what="What makes a position smaller is reckoned without its sign: in reduce-only a short one may be made larger",
        changes=(Change("actors/accounts/permission.py", "return max(ZERO, held if side is Side.SELL else -held)", "return abs(held)"),),
        seeds_max=25,
        faults="operator",
        kind="trading_state",
        exchanges="okx_swap",
    ),
    Plant(
        name="checksum_ignored",
        what="A book's checksum is not looked at",
        changes=(
            Change(
                "actors/feeds/book_sync.py",
                "if checksum is None or self._checksum_agrees is None or self._checksum_agrees(self.book, checksum):",
                "if True:",
            ),
        ),
        seeds_max=25,
        faults="exchange",
        kind="wrong_book",
        exchanges="okx_spot",
    ),
    Plant(
        name="account_cleanup_skipped",
        what="A crashed account's orders are left open until its next incarnation ends them",
        changes=(Change("assembly/children.py", "            await parts.closer.end()\n", "            pass\n"),),
        seeds_max=25,
        faults="crash",
        kind="crash_account",
        exchanges="gateio_futures",
    ),
    Plant(
        name="halted_amends",
        what="What is open is amended whatever the trading state, because only placements are asked whether they may",
        changes=(Change(DESK, "        return standing.words if is_forbidden else None\n", "        return None\n"),),
        seeds_max=25,
        kind="trading_state",
        hours=0.15,
        faults="operator",
        exchanges="gateio_spot,gateio_futures,okx_spot,okx_swap",
    ),
)

INVARIANTS = (
    (r"the journal is said not to know it", "what is open the journal knows"),
    (r"has come to \S+, and the journal", "what arrives the journal knows"),
    (r"is said to be somebody else's|is said to have none|has lost nothing|there is no other program", "the program says nothing untrue"),
    (r"is open at \S+ and not in the ledger", "every open order is in the ledger"),
    (r"is open at \S+ and \w+ here", "no order that is open there has ended here"),
    (r"two orders of [\w' ]+ are open|was accepted by \S+ while", "one intent, one live order"),
    (r"has or may yet sell", "nobody sells more than he bought"),
    (r"makes the exposure|reckons its exposure", "exposure within limits"),
    (r"dead-man's switch is not armed", "the exchange's switch is armed while orders are open"),
    (r"after the gate of", "nothing leaves after the gate has closed"),
    (r"left while trading was|left and made the position larger", "nothing leaves in a state that forbids it"),
    (r"went on after a restart as", "states outlive a restart"),
    (r"has been lost by the exchange's trades", "a limit of losses strikes when the exchange's trades say so"),
    (r"is said to have lost|lost \S+ \w+ .*; \S*max", "no loss is claimed that is not there"),
    (r"without anybody who lifted it|nobody has lifted it", "what a loss has led to stays until a person lifts it"),
    (r"run_for_seconds of|flattens, and the stop was|its stop was to flatten", "what runs is what was accepted"),
    (r"keeps? to Limits|goes by \(|was accepted$|were (taken over|refused):", "what runs is what was accepted"),
    (r"th live order, and|th order in a second, and|and max_order_notional of", "limits hold by the value in force"),
    (r"placed (before there was a book|[\d.]+ s after)", "no quote from a stale or lost book"),
    (r"published a book", "a book that is published was the exchange's"),
    (r"was cleaned up", "who has crashed begins again only after its orders have ended"),
    (r"of an earlier run is still open", "a start ends what earlier runs have left"),
    (r"the cycle \w+ gave up", "no cycle gives up"),
    (r"and no time passes", "the program does not spin"),
    (r"and \d+ are wanted at most|and crosses ", "no more quotes than are wanted, and none through another"),
    (r", and (net_buy_max|net_sell_max|inventory_max) is ", "a strategy's limits hold at every trade"),
    (r"does not agree", "each round agrees to the last digit"),
    (r"is to flatten", "who is flattened is brought to nothing"),
    (r"more was asked of|more came to|were granted at", "request weight within the exchange's budget"),
    (r"which had told of a ban", "whoever is banned keeps still"),
    (r"commands wait|remembers \d+ ended|news wait|sockets open|things, and \d+ are the most", "what is remembered and open is bounded"),
    (r"has changed by .* by all fills|knows of", "balances equal the sum of fills and fees, over all runs"),
    (r"the tally of cycle", "a strategy's tally is what was traded"),
    (r"it ended by itself", "it runs until somebody stops it"),
    (r"after the last fault", "everything comes right again in time"),
    (r"not ended .* after the stop deadline", "a stop keeps its deadline"),
    (r"exit status|may be live|not in the statement", "the statement and the exit status are honest"),
    (r"fills here|is not settled|the position in|unknown to", "ledger and position equal the exchange's"),
    (r"are not in the journal|the journal does not know", "the journal has every order and trade"),
    (r"open at \S+ at the end", "nothing is open at the end"),
)


def invariant_of(first_line: str) -> str:
    """What a failure's first line says was broken; the line itself if nobody has named that yet."""
    return next((name for pattern, name in INVARIANTS if re.search(pattern, first_line)), first_line)


def plant_named(name: str) -> Plant:
    return next(plant for plant in PLANTS if plant.name == name)
