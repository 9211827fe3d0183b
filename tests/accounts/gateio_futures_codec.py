"""A codec of Gate.io futures that knows contracts and account, and what is asked of it. For the tests of that codec."""

from __future__ import annotations

import json
from decimal import Decimal
from pathlib import Path

from actors.accounts.codec import AccountCodec
from actors.accounts.gateio.futures import GateioFuturesAccountCodec
from market.events import Side
from market.symbol import Symbol
from orders.request import OrderRequest, OrderType, TimeInForce

SAMPLES = Path(__file__).parent / "samples" / "gateio_futures"
FRAMES = (SAMPLES / "frames.jsonl").read_text().splitlines()
BTC, ETH, TENTH = Symbol("BTC", "USDT"), Symbol("ETH", "USDT"), Symbol("TENTH", "USDT")
SIZE_HEADER = ("X-Gate-Size-Decimal", "1")


def sample(name: str) -> bytes:
    return (SAMPLES / f"{name}.json").read_bytes()


def informed() -> GateioFuturesAccountCodec:
    """A codec that knows the contracts and the account."""
    codec = GateioFuturesAccountCodec()
    codec.catalogue.learn(codec.catalogue.request(), sample("contracts"))
    codec.catalogue.learn(codec.catalogue.request(), sample("account"))
    return codec


codec = informed()
_: AccountCodec = codec  # pyright checks that it is one


def request(**changes: object) -> OrderRequest:
    fields: dict[str, object] = {
        "client_order_id": "bot-0001",
        "owner": "btc",
        "symbol": BTC,
        "side": Side.SELL,
        "type": OrderType.LIMIT,
        "time_in_force": TimeInForce.GOOD_TILL_CANCELLED,
        "quantity": Decimal("0.0003"),
        "price": Decimal("50000.5"),
    }
    return OrderRequest(**(fields | changes))


def market(side: Side, **changes: object) -> OrderRequest:
    return request(side=side, type=OrderType.MARKET, time_in_force=TimeInForce.IMMEDIATE_OR_CANCEL, price=None, **changes)


def placed(asked: OrderRequest) -> dict[str, object]:
    return json.loads(codec.place(asked, expires_at_milliseconds=None).body)


def order_body(**changes: object) -> bytes:
    fields = json.loads(sample("order")) | changes
    return json.dumps({name: value for name, value in fields.items() if value is not ...}).encode()
