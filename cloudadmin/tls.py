"""The authorities of TLS, read once for each process."""

from __future__ import annotations

from functools import lru_cache
from typing import TYPE_CHECKING

if TYPE_CHECKING:
    import ssl


@lru_cache
def authorities() -> ssl.SSLContext:
    """What httpx takes for ``verify``. It would read them anew for each client: 50 ms of work."""
    import httpx

    return httpx.create_ssl_context()
