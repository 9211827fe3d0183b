"""The order API's channels of the spot market."""

from __future__ import annotations

from typing import Any

from simulated.faults import Operation
from simulated.gateio.errors import GateError
from simulated.gateio.session import GateSession
from simulated.gateio.websocket_api import Command, batch_of, object_of, order_id_of
from simulated.gateio_spot.order_desk import OrderDesk
from simulated.gateio_spot.rate_limits import WEBSOCKET_PLACE
from simulated.venue import text_of


def commands(desk: OrderDesk) -> dict[str, Command]:
    """What each channel does, by the desk's hands."""

    def place(session: GateSession, parameters: Any) -> Any:
        if isinstance(parameters, list):
            return desk.place_batch(session.signed_in, batch_of(parameters))
        fields = object_of(parameters)
        if text_of(fields, "text") is None:
            raise GateError("MISSING_REQUIRED_PARAM", "text is required")
        return desk.place(session.signed_in, fields)

    def cancel(session: GateSession, parameters: Any) -> Any:
        fields = object_of(parameters)
        return desk.cancel(session.signed_in, order_id_of(fields), fields)

    def cancel_ids(session: GateSession, parameters: Any) -> Any:
        return desk.cancel_batch(session.signed_in, batch_of(parameters))

    def cancel_pair(session: GateSession, parameters: Any) -> Any:
        return desk.cancel_all(session.signed_in, object_of(parameters))

    def amend(session: GateSession, parameters: Any) -> Any:
        fields = object_of(parameters)
        return desk.amend(session.signed_in, order_id_of(fields), fields)

    def status(session: GateSession, parameters: Any) -> Any:
        fields = object_of(parameters)
        return desk.status(session.signed_in, order_id_of(fields), fields)

    def listing(session: GateSession, parameters: Any) -> Any:
        return desk.orders(session.signed_in, object_of(parameters), 1, 100)

    return {
        "spot.order_place": Command(Operation.PLACE, place, WEBSOCKET_PLACE, is_acknowledged=True),
        "spot.order_cancel": Command(Operation.CANCEL, cancel),
        "spot.order_cancel_ids": Command(Operation.CANCEL, cancel_ids),
        "spot.order_cancel_cp": Command(Operation.CANCEL, cancel_pair),
        "spot.order_amend": Command(Operation.AMEND, amend, WEBSOCKET_PLACE),
        "spot.order_status": Command(Operation.QUERY, status),
        "spot.order_list": Command(Operation.QUERY, listing),
    }
