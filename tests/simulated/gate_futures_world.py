"""A simulated Gate.io futures exchange on an in-memory network."""

from __future__ import annotations

from collections.abc import AsyncGenerator
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from decimal import Decimal
from typing import Any, ClassVar

import msgspec
from gate_world import MAIN, READER, STP_MEMBER, Answer, GateSocket, GateWorld, served

from market.symbol import Symbol
from simulated.engine.position import Position
from simulated.settings import AccountSettings, MarketSettings, SimulationSettings

BTC = Symbol("BTC", "USDT")
FEES = {"maker_fee": Decimal("0.0002"), "taker_fee": Decimal("0.0005")}
TRADER, WATCHER, MEMBER = (msgspec.structs.replace(account, **FEES) for account in (MAIN, READER, STP_MEMBER))
SETTINGS = SimulationSettings(markets=(MarketSettings(),), accounts=(TRADER, WATCHER, MEMBER))
DECIMAL_SIZES = {"X-Gate-Size-Decimal": "1"}
PREFIX = "/futures/usdt"


class FuturesWorld(GateWorld):
    """Paths are within ``/futures/usdt``; sizes are told as decimal text unless `decimal_sizes` is off."""

    product = "futures"
    exchange = "gateio_futures"
    websocket_path = "/v4/ws/usdt"
    orders_path = "/orders"
    account_path = "/accounts"
    order_query = ""
    orders_payload: ClassVar[list[str]] = ["10000001", "!all"]
    book_payload: ClassVar[list[str]] = ["BTC_USDT", "100ms", "100"]
    order: ClassVar[dict[str, Any]] = {"contract": "BTC_USDT", "size": "10", "price": "50000", "tif": "gtc"}
    decimal_sizes = True

    async def public(self, path: str, **query: str) -> Answer:
        headers = DECIMAL_SIZES if self.decimal_sizes else {}
        response = await self.http.get(f"/api/v4{PREFIX}{path}", params=query, headers=headers)
        return response.status_code, response.json()

    async def call(
        self,
        method: str,
        path: str,
        query: str = "",
        body: Any = None,
        *,
        account: AccountSettings = MAIN,
        headers: dict[str, str] | None = None,
        timeout_seconds: float = 5,
    ) -> Answer:
        sizes = DECIMAL_SIZES if self.decimal_sizes else {}
        return await super().call(
            method, PREFIX + path, query, body, account=account, headers={**sizes, **(headers or {})}, timeout_seconds=timeout_seconds
        )

    def price_of(self, level: Any) -> Decimal:
        return Decimal(level["p"])

    def event_of(self, push: Any) -> str:
        return {"_new": "put", "_update": "update"}.get(push["finish_as"], "finish")

    async def take(self, size: str, **fields: Any) -> Answer:
        """A market order."""
        return await self.place(size=size, price="0", tif="ioc", **fields)

    def position(self) -> Position:
        return self.control.engine.position("main", BTC)

    def wallet(self) -> Decimal:
        return self.control.engine.accounts["main"].balance("USDT").total

    @asynccontextmanager
    async def websocket(self, **headers: str) -> AsyncGenerator[GateSocket]:
        async with super().websocket(**((DECIMAL_SIZES if self.decimal_sizes else {}) | headers)) as socket:
            yield socket


def futures_world(
    settings: SimulationSettings = SETTINGS, *, flow: bool = False, seed: int = 1
) -> AbstractAsyncContextManager[FuturesWorld]:
    return served(FuturesWorld, settings, flow=flow, seed=seed)
