"""A venue of contracts: its instruments and terms, and the service that moves mark prices and pays funding when it is due."""

from __future__ import annotations

from decimal import Decimal
from typing import Any

import trio

from market.instrument import Instrument
from market.symbol import Symbol
from simulated.control import FlowGate
from simulated.engine.margin import ContractRules, MarginSettings
from simulated.flow import MarketDriver
from simulated.numbers import plain
from simulated.settings import ContractSettings, MarketSettings
from simulated.venue import Venue

_MARK_INTERVAL_SECONDS = 0.25
_MARK_DECIMALS_MORE = 1  # mark prices are finer than the tick of orders, as Gate.io's mark_price_round is


class ContractVenue(Venue):
    """A `Venue` whose markets are linear contracts, settled in their quote asset. Wallets hold settlement assets only.

    Serve it together with `MarkPrices`.
    """

    def contract(self, market: MarketSettings) -> ContractSettings:
        """The market's terms as this exchange has them, such as the size of its contract."""
        return market.contract

    def describe(self, market: MarketSettings, exchange: str) -> Instrument:
        """Quantities are in base units, on steps of a lot; there is no least notional."""
        contract = self.contract(market)
        step = contract.contract_size * contract.lot
        return Instrument(
            exchange=exchange,
            symbol=market.parsed_symbol,
            price_tick=Decimal(1).scaleb(-market.price_decimals),
            quantity_step=step,
            quantity_min=step,
            notional_min=Decimal(0),
            contract_size=contract.contract_size,
            leverage_max=contract.leverage_max,
        )

    def margin(self) -> MarginSettings:
        terms = {market.parsed_symbol: (self.contract(market), market.start_price) for market in self.settings.markets}
        return MarginSettings(
            contracts={
                symbol: ContractRules(
                    mark_price=price,
                    leverage=contract.leverage,
                    leverage_max=contract.leverage_max,
                    is_cross=contract.margin_mode == "cross",
                    maintenance_rate=contract.maintenance_rate,
                    funding_rate=contract.funding_rate,
                    funding_interval_seconds=contract.funding_interval_seconds,
                )
                for symbol, (contract, price) in terms.items()
            },
            opened_at_milliseconds=self.now(),
        )

    def is_held(self, asset: str) -> bool:
        return any(asset == market.parsed_symbol.quote for market in self.settings.markets)

    def mark_price_step(self, symbol: Symbol) -> Decimal:
        """Mark and index prices are multiples of this."""
        return self.engine.instruments[symbol].price_tick.scaleb(-_MARK_DECIMALS_MORE)

    def state(self, *, history_of: str | None = None) -> dict[str, Any]:
        state = super().state(history_of=history_of)
        for name, account in state["accounts"].items():
            account["positions"] = [
                {
                    "market": self.wire(position.symbol),
                    "symbol": str(position.symbol),
                    "quantity": plain(position.quantity),
                    "cost": plain(position.cost),
                    "leverage": plain(position.leverage),
                    "margin_mode": "cross" if position.is_cross else "isolated",
                }
                for position in self.engine.open_positions(name)
            ]
        for wire, market in state["markets"].items():
            market["mark_price"] = plain(self.engine.mark_price(self.symbols[wire]))
        return state


class MarkPrices:
    """Moves mark and index prices a few times a second, and has funding paid when it is due.

    The index is the fair price where the market's driver knows one, else the middle of the book; the mark lies half-way
    between the index and the middle of the book, so that no order near the touch moves it far. While the flow is
    frozen, prices stay as they are (or as somebody sets them); funding is paid all the same.
    """

    def __init__(self, venue: ContractVenue, driver: MarketDriver | None, flow_gate: FlowGate) -> None:
        self._venue = venue
        self._driver = driver
        self._flow_gate = flow_gate

    async def run(self, *, task_status: trio.TaskStatus[None] = trio.TASK_STATUS_IGNORED) -> None:
        """Step until cancelled."""
        task_status.started()
        while True:
            await trio.sleep(_MARK_INTERVAL_SECONDS)
            self.step()

    def step(self) -> None:
        now = self._venue.now()
        engine = self._venue.engine
        for symbol in engine.instruments:
            if self._flow_gate.is_open:
                self._move(symbol, now)
            if now >= engine.next_funding_milliseconds(symbol):
                engine.pay_funding(symbol, engine.funding_rate(symbol), now)

    def _move(self, symbol: Symbol, now: int) -> None:
        middle = self._middle(symbol)
        fair = None if self._driver is None else self._driver.fair_price(symbol)
        index = middle if fair is None else Decimal(fair)
        if index is None:
            return
        step = self._venue.mark_price_step(symbol)
        mark = index if middle is None else (index + middle) / 2
        prices = [max(step, price.quantize(step)) for price in (mark, index)]
        self._venue.engine.set_mark_price(symbol, prices[0], now, index_price=prices[1])

    def _middle(self, symbol: Symbol) -> Decimal | None:
        book = self._venue.engine.books[symbol]
        bid, ask = book.bids.best, book.asks.best
        return None if bid is None or ask is None else (bid + ask) / 2
