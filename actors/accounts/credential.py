"""An API credential that cannot be printed by accident."""

from __future__ import annotations


class Credential:
    """Key and secret of one account. Its repr shows neither; only codecs read them, to sign."""

    __slots__ = ("key", "passphrase", "secret")

    def __init__(self, *, key: str, secret: str, passphrase: str = "") -> None:
        self.key = key
        self.secret = secret
        self.passphrase = passphrase

    def __repr__(self) -> str:
        return "<credential>"
