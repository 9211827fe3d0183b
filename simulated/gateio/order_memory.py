"""Which orders can still be found, and by which name."""

from __future__ import annotations

from simulated.engine.matching import MatchingEngine
from simulated.engine.order import Order
from simulated.settings import SimulationSettings


class OrderMemory:
    """Finds orders of `engine` for as long as the exchange remembers them.

    A finished order is found by its client id for `text_seconds`; one that was cancelled without a fill is forgotten after
    `unfilled_seconds`. The settings may have it otherwise.
    """

    def __init__(self, engine: MatchingEngine, settings: SimulationSettings, *, text_seconds: float, unfilled_seconds: float) -> None:
        text, unfilled = settings.text_lookup_after_finish_seconds, settings.unfilled_order_memory_seconds
        self._engine = engine
        self._text_milliseconds = (text_seconds if text is None else text) * 1000
        self._unfilled_milliseconds = (unfilled_seconds if unfilled is None else unfilled) * 1000

    def is_remembered(self, order: Order, now_milliseconds: int) -> bool:
        if order.is_open or order.filled_quantity:
            return True
        return not order.is_forgotten and now_milliseconds - order.updated_at_milliseconds <= self._unfilled_milliseconds

    def find(self, account: str, given_id: str, now_milliseconds: int) -> Order | None:
        """An order by id, or by client id while that still works; None when the exchange knows none."""
        if given_id.startswith("t-"):
            order = self._engine.accounts[account].open_order_by_client_id.get(given_id)
            return order or self._recently_finished(account, given_id, now_milliseconds)
        order = self._engine.orders.get(int(given_id)) if given_id.isdigit() and len(given_id) <= 18 else None
        if order is None or order.account != account or not self.is_remembered(order, now_milliseconds):
            return None
        return order

    def _recently_finished(self, account: str, client_id: str, now_milliseconds: int) -> Order | None:
        if self._text_milliseconds > 0:
            for order in reversed(self._engine.accounts[account].finished_orders):
                if now_milliseconds - order.updated_at_milliseconds > self._text_milliseconds:
                    break
                if order.client_id == client_id and not order.is_forgotten:
                    return order
        return None
