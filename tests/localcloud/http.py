"""httpx for servers on this machine: it reads the authorities of TLS for every request else, which
takes longer than most answers."""

from __future__ import annotations

from functools import partial

import httpx

client = partial(httpx.Client, verify=False)
request = partial(httpx.request, verify=False)
get = partial(httpx.get, verify=False)
post = partial(httpx.post, verify=False)
put = partial(httpx.put, verify=False)
delete = partial(httpx.delete, verify=False)
