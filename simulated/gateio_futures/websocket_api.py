"""The order API's channels of the futures market."""

from __future__ import annotations

from typing import Any

from simulated.faults import Operation
from simulated.gateio.errors import GateError
from simulated.gateio.session import GateSession
from simulated.gateio.websocket_api import Command, batch_of, object_of, order_id_of
from simulated.gateio_futures.order_desk import FuturesOrderDesk
from simulated.gateio_futures.rate_limits import WEBSOCKET_TRADE
from simulated.gateio_futures.sizes import SizeStyle
from simulated.gateio_futures.venue import Caller
from simulated.numbers import whole_number_of
from simulated.venue import text_of

_LIST_MAX = 100


def commands(desk: FuturesOrderDesk) -> dict[str, Command]:
    """What each channel does, by the desk's hands."""

    def place(session: GateSession, parameters: Any) -> Any:
        return desk.place(caller_of(session), object_of(parameters))

    def place_batch(session: GateSession, parameters: Any) -> Any:
        return desk.place_batch(caller_of(session), batch_of(parameters))

    def cancel(session: GateSession, parameters: Any) -> Any:
        fields = object_of(parameters)
        return desk.cancel(caller_of(session), order_id_of(fields), fields)

    def cancel_ids(session: GateSession, parameters: Any) -> Any:
        return desk.cancel_batch(caller_of(session), _ids_of(parameters))

    def cancel_contract(session: GateSession, parameters: Any) -> Any:
        return desk.cancel_all(caller_of(session), object_of(parameters))

    def amend(session: GateSession, parameters: Any) -> Any:
        fields = object_of(parameters)
        return desk.amend(caller_of(session), order_id_of(fields), fields)

    def status(session: GateSession, parameters: Any) -> Any:
        return desk.status(caller_of(session), order_id_of(object_of(parameters)))

    def listing(session: GateSession, parameters: Any) -> Any:
        fields = object_of(parameters)
        limit = whole_number_of(text_of(fields, "limit") or "") or _LIST_MAX
        offset = whole_number_of(text_of(fields, "offset") or "") or 0
        return desk.orders(caller_of(session), fields)[offset : offset + min(limit, _LIST_MAX)]

    return {
        "futures.order_place": Command(Operation.PLACE, place, WEBSOCKET_TRADE, is_acknowledged=True),
        "futures.order_batch_place": Command(Operation.PLACE, place_batch, WEBSOCKET_TRADE, is_acknowledged=True),
        "futures.order_cancel": Command(Operation.CANCEL, cancel, WEBSOCKET_TRADE),
        "futures.order_cancel_ids": Command(Operation.CANCEL, cancel_ids, WEBSOCKET_TRADE),
        "futures.order_cancel_cp": Command(Operation.CANCEL, cancel_contract, WEBSOCKET_TRADE),
        "futures.order_amend": Command(Operation.AMEND, amend, WEBSOCKET_TRADE),
        "futures.order_status": Command(Operation.QUERY, status),
        "futures.order_list": Command(Operation.QUERY, listing),
    }


def caller_of(session: GateSession) -> Caller:
    return Caller(session.signed_in, SizeStyle(is_decimal=session.wants_decimal_sizes))


def _ids_of(parameters: Any) -> list[str]:
    if not isinstance(parameters, list) or not all(isinstance(item, str) for item in parameters):  # type: ignore[misc]
        raise GateError("INVALID_REQUEST_BODY", "req_param must be an array of texts")
    return parameters  # type: ignore[return-value]
