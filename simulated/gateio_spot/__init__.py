"""Gate.io spot (APIv4) from the exchange's side: REST under `/api/v4`, websocket under `/ws/v4/`."""
