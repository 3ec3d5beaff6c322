"""Looking up the names of endpoints, apart from everything else the process does on threads."""

import asyncio
import socket
from concurrent.futures import ThreadPoolExecutor
from ipaddress import IPv4Address, IPv6Address, ip_address
from typing import Any

Address = IPv4Address | IPv6Address

_LOOKUPS = 16


def literal(host: str) -> Address | None:
    """The address that `host` spells out, if it is not a name."""
    try:
        return ip_address(host)
    except ValueError:
        return None


class Names:
    """A lookup cannot be cancelled, and a name server that does not answer holds its thread for long.

    On threads of their own, one for a name however many deliveries wait for it, such lookups hold up neither
    the deliveries to other names nor the work of the service.
    """

    def __init__(self) -> None:
        self._threads = ThreadPoolExecutor(_LOOKUPS, "webhook-names")
        self._under_way: dict[tuple[str, int], asyncio.Future[list[Any]]] = {}

    async def addresses(self, host: str, port: int) -> list[Address]:
        """What `host` resolves to. Raises `OSError`, `UnicodeError`."""
        if (address := literal(host)) is not None:
            return [address]
        key = (host, port)
        lookup = self._under_way.get(key)
        if lookup is None:
            loop = asyncio.get_running_loop()
            lookup = loop.run_in_executor(
                self._threads, lambda: socket.getaddrinfo(host, port, type=socket.SOCK_STREAM)
            )
            self._under_way[key] = lookup
            lookup.add_done_callback(lambda done: self._forget(key, done))
        found = await asyncio.shield(lookup)
        return [ip_address(str(info[4][0]).split("%")[0]) for info in found]

    def _forget(self, key: tuple[str, int], done: asyncio.Future[list[Any]]) -> None:
        del self._under_way[key]
        if not done.cancelled():
            done.exception()  # read, also where everybody has stopped waiting
