"""A server that speaks OKX's v5 protocol: REST, and the public, private and business websockets."""
