"""How OKX speaks of accounts: its codecs, and nothing that does anything by itself."""
