"""Gate.io futures settled in USDT (APIv4) from the exchange's side: REST under `/api/v4/futures/usdt`, websocket under `/v4/ws/usdt`."""
