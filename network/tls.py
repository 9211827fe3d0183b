"""TLS contexts, made when first needed: loading the certificate authorities takes tens of milliseconds and megabytes."""

from __future__ import annotations

import functools
import ssl

import httpx


@functools.cache
def shared_tls_context() -> ssl.SSLContext:
    """The one context that all client connections share: verifies the peer against the usual authorities.

    `SSL_CERT_FILE` and `SSL_CERT_DIR` in the environment name others, as everywhere with OpenSSL.
    """
    return httpx.create_ssl_context()


@functools.cache
def no_tls_context() -> ssl.SSLContext:
    """A context that trusts nobody, for a client that never uses TLS but whose library wants a context."""
    return ssl.SSLContext(ssl.PROTOCOL_TLS_CLIENT)
