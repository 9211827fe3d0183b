"""MEXC spot (v3) from the exchange's side: REST under `/api/v3`, websocket with protobuf pushes under `/ws`."""
