"""Strategies of one's own: this folder stands beside a config.toml that names them."""
