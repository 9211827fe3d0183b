"""What an error on Gate.io's private stream means."""

from __future__ import annotations

import msgspec
import pytest

from actors.accounts.gateio.spot import GateioSpotAccountCodec
from orders.reports import StreamClosing, StreamRefused


def rejection(code: int) -> str:
    error = {"code": code, "message": "as it says"}
    return msgspec.json.encode({"time": 1, "channel": "spot.orders", "event": "subscribe", "error": error, "result": None}).decode()


@pytest.mark.parametrize("code", [1, 2, 4])
def test_refused_subscription_is_a_refusal(code: int) -> None:
    assert GateioSpotAccountCodec().decode_frame(rejection(code)) == [StreamRefused("spot.orders", str(code), "as it says")]


def test_server_error_in_answer_to_a_subscription_is_no_refusal_of_the_credential() -> None:
    assert GateioSpotAccountCodec().decode_frame(rejection(3)) == [StreamClosing("server error: as it says")]
