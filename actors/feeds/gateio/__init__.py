"""How Gate.io speaks of market data: its codecs, and nothing that does anything by itself."""
