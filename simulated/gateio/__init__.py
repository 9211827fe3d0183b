"""What Gate.io's exchanges share, spot and futures (APIv4): signatures, answers, errors, sessions, the order API's frames."""
