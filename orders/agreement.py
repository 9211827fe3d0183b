"""Whether fills and payments explain what an account holds: pure bookkeeping over settled looks at its balances.

Theory of operation. Of an asset, what is held less what all known fills and payments did to it is a constant, its *baseline*:
trading cannot change it, and neither can a restart, since the fills of earlier runs are counted too. When two looks in a row,
so far apart that no balance lags any more, both say the same other constant, somebody moved money or a position, or a trade is
missing: that is named once, and from then on the new constant is the baseline. Exchanges round the average price of positions
in contracts, which moves the constant by a little with each trade; so much is allowed, and forgotten at the next look.
"""

from __future__ import annotations

from collections.abc import Iterable, Mapping
from decimal import Decimal

import msgspec
from msgspec.structs import replace

from market.exact import EXACT
from orders.events import BalanceBaselined, BalanceDiffers
from orders.order import ZERO

# So long may an exchange's balances lag behind its trades.
BALANCES_LAG_SECONDS = 10.0


class SettledLook(msgspec.Struct, frozen=True, kw_only=True):
    """Balances of a moment at which the fills that we know are all there are.

    `totals` and `fill_changes` are as in `BalanceCapture`; `assets` are those to be compared, and `traded` those of them that
    were traded since the start, so that their balances may lag. `roundings` is how far rounding may have moved each balance
    since the start, and only grows.
    """

    assets: frozenset[str]
    traded: frozenset[str] = frozenset()
    totals: Mapping[str, Decimal]
    fill_changes: Mapping[str, Decimal]
    roundings: Mapping[str, Decimal] = {}


class AssetBaseline(msgspec.Struct, frozen=True, kw_only=True):
    """What is held of an asset that no fill explains, and how much of it was named as a difference since the journal began.

    `rounding` is that of the look it was taken at; of an earlier run's it is below 0, for what was traded after it was written.
    """

    constant: Decimal
    unexplained: Decimal = ZERO
    rounding: Decimal = ZERO


class _Doubt(msgspec.Struct, frozen=True):
    """Another constant than the baseline, since when it is seen without a break."""

    constant: Decimal
    rounding: Decimal
    since: float
    since_milliseconds: int


class BalanceAgreement:
    """One account's baselines. `known` are those of earlier runs. It outlives the account actor's incarnations."""

    def __init__(self, account: str, *, known: Mapping[str, AssetBaseline] | None = None) -> None:
        self._account = account
        self._known = dict(known or {})
        self._doubts: dict[str, _Doubt] = {}

    @property
    def has_begun(self) -> bool:
        """Whether there is anything to compare with."""
        return bool(self._known)

    def baseline(self, asset: str) -> AssetBaseline | None:
        return self._known.get(asset)

    def unexplained(self) -> dict[str, Decimal]:
        """By asset all differences that were named since the journal began, for whoever compares balances over a while."""
        return {asset: known.unexplained for asset, known in self._known.items() if known.unexplained}

    def in_doubt(self) -> dict[str, Decimal]:
        """By asset the differences that were seen and not yet named: the next look says whether they last."""
        doubts = ((asset, doubt, self._known.get(asset)) for asset, doubt in self._doubts.items())
        return {
            asset: EXACT.subtract(doubt.constant, known.constant).normalize(EXACT) for asset, doubt, known in doubts if known is not None
        }

    def look(self, seen: SettledLook, *, now: float, now_milliseconds: int) -> list[BalanceBaselined | BalanceDiffers]:
        """Compare. `now` is monotonic, `now_milliseconds` for people. Returns what is to be written down and told."""
        events: list[BalanceBaselined | BalanceDiffers] = []
        for asset in sorted(seen.assets):
            events += self._compare(asset, seen, now, now_milliseconds)
        return events

    def _compare(self, asset: str, seen: SettledLook, now: float, now_milliseconds: int) -> Iterable[BalanceBaselined | BalanceDiffers]:
        total, changes = seen.totals.get(asset, ZERO), seen.fill_changes.get(asset, ZERO)
        constant, rounding = EXACT.subtract(total, changes), seen.roundings.get(asset, ZERO)
        known = self._known.get(asset)
        if known is None:
            # Of an asset that was traded a moment ago the balance may lag: what it says must last.
            if asset in seen.traded and not self._lasts(asset, constant, rounding, now, now_milliseconds):
                return []
            return [self._begin(asset, AssetBaseline(constant=constant, rounding=rounding))]
        difference = EXACT.subtract(constant, known.constant)
        if abs(difference) <= EXACT.subtract(rounding, known.rounding):
            self._doubts.pop(asset, None)
            self._known[asset] = replace(known, constant=constant, rounding=rounding)
            return [self._baselined(asset)] if difference else []
        if not self._lasts(asset, constant, rounding, now, now_milliseconds):
            return []
        differs = BalanceDiffers(
            account=self._account,
            asset=asset,
            expected=EXACT.add(known.constant, changes),
            actual=total,
            difference=difference.normalize(EXACT),
            since_milliseconds=self._doubts[asset].since_milliseconds,
        )
        unexplained = EXACT.add(known.unexplained, difference)
        return [differs, self._begin(asset, AssetBaseline(constant=constant, unexplained=unexplained, rounding=rounding))]

    def _lasts(self, asset: str, constant: Decimal, rounding: Decimal, now: float, now_milliseconds: int) -> bool:
        """Whether the same was seen without a break for so long that it is no lag."""
        doubt = self._doubts.get(asset)
        if doubt is None or abs(EXACT.subtract(constant, doubt.constant)) > EXACT.subtract(rounding, doubt.rounding):
            self._doubts[asset] = _Doubt(constant, rounding, now, now_milliseconds)
            return False
        return now - doubt.since >= BALANCES_LAG_SECONDS

    def _begin(self, asset: str, baseline: AssetBaseline) -> BalanceBaselined:
        self._doubts.pop(asset, None)
        self._known[asset] = baseline
        return self._baselined(asset)

    def _baselined(self, asset: str) -> BalanceBaselined:
        known = self._known[asset]
        return BalanceBaselined(self._account, asset, known.constant, known.unexplained)
