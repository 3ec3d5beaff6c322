"""Where deliveries may go: public addresses by TLS, and inside the bank only what the operator allows.

An endpoint's URL is chosen by a caller of the API, so it must not become a way to make this service call its
own neighbours. The name is resolved here, each address is checked, and the connection goes to a checked
address: a name that resolves differently a moment later gains nothing.
"""

import ssl
from collections.abc import Iterable
from dataclasses import dataclass
from ipaddress import IPv4Network, IPv6Address, IPv6Network, ip_network
from typing import Self
from urllib.parse import urlsplit

import httpcore

from shared.settings import Settings
from shared.webhooks.names import Address, Names, literal

# Global by number, but they lead to an IPv4 address that may not be.
_TRANSLATED = (IPv6Network("64:ff9b::/96"), IPv6Network("64:ff9b:1::/48"))


class RefusedDestinationError(Exception):
    """The URL leads where deliveries may not go; the message says why, to people."""


@dataclass(frozen=True)
class Destinations:
    hosts: frozenset[str]
    """Names the operator vouches for, whatever they resolve to."""
    networks: tuple[IPv4Network | IPv6Network, ...]

    @classmethod
    def of(cls, settings: Settings) -> Self:
        hosts, networks = set(), []
        for entry in filter(None, (part.strip().lower() for part in settings.webhook_allow.split(","))):
            try:
                networks.append(ip_network(entry))
            except ValueError:
                hosts.add(entry)
        return cls(frozenset(hosts), tuple(networks))

    def check_url(self, url: str) -> None:
        """What can be said without asking a name server. Raises `RefusedDestinationError`."""
        try:
            parts = urlsplit(url)
            host, port = parts.hostname, parts.port
        except ValueError as error:
            raise RefusedDestinationError("is not a URL") from error
        if not host or port == 0 or parts.scheme not in {"http", "https"}:
            raise RefusedDestinationError("needs https and a host")
        if parts.username is not None or parts.password is not None or parts.fragment:
            raise RefusedDestinationError("must not carry credentials or a fragment")
        if parts.scheme == "http" and not self.lists(host):
            raise RefusedDestinationError("needs https: the operator allows http to listed hosts only")
        self.check_host(host)

    def lists(self, host: str) -> bool:
        """Whether the operator vouches for it; to such hosts a connection may be without TLS."""
        address = literal(host)
        return host.lower() in self.hosts or (address is not None and self._listed(address))

    def check_host(self, host: str) -> None:
        """What can be said without asking a name server. Raises `RefusedDestinationError`."""
        name, address = host.lower(), literal(host)
        local = name == "localhost" or name.endswith(".localhost")
        if not self.lists(host) and (local or (address is not None and not _is_public(address))):
            raise RefusedDestinationError("is inside the bank and not on the operator's list")

    def allowed(self, host: str, addresses: Iterable[Address]) -> list[str]:
        """Those of the addresses of `host` that may be connected to. Raises `RefusedDestinationError`."""
        found = [address for address in addresses if host.lower() in self.hosts or self._may(address)]
        if not found:
            raise RefusedDestinationError(f"{host} is inside the bank and not on the operator's list")
        return list(dict.fromkeys(str(address) for address in found))

    def _may(self, address: Address) -> bool:
        return _is_public(address) or self._listed(address)

    def _listed(self, address: Address) -> bool:
        return any(address in network for network in self.networks)


def _is_public(address: Address) -> bool:
    if isinstance(address, IPv6Address):
        if address.ipv4_mapped is not None:
            return _is_public(address.ipv4_mapped)
        if address.sixtofour or address.teredo or address.is_site_local or _in_any(address, _TRANSLATED):
            return False
    return address.is_global and not address.is_multicast


def _in_any(address: Address, networks: Iterable[IPv6Network]) -> bool:
    return any(address in network for network in networks)


class CheckedNetwork(httpcore.AsyncNetworkBackend):
    """Connects to checked addresses only, whoever asks and whatever the name resolves to by then."""

    def __init__(self, destinations: Destinations) -> None:
        self._destinations = destinations
        self._names = Names()
        self._network = httpcore.AnyIOBackend()

    async def connect_tcp(
        self,
        host: str,
        port: int,
        timeout: float | None = None,  # noqa: ASYNC109 - httpcore's signature
        local_address: str | None = None,
        socket_options: Iterable[httpcore.SOCKET_OPTION] | None = None,
    ) -> httpcore.AsyncNetworkStream:
        try:
            found = await self._names.addresses(host, port)
        except (OSError, UnicodeError) as error:
            raise httpcore.ConnectError(f"{host} cannot be resolved") from error
        addresses = self._destinations.allowed(host, found)
        failure: Exception = httpcore.ConnectError("no address")
        for address in addresses:
            try:
                return await self._network.connect_tcp(address, port, timeout, local_address, socket_options)
            except (httpcore.ConnectError, httpcore.ConnectTimeout) as error:
                failure = error
        raise failure


def open_pool(settings: Settings, connections: int) -> httpcore.AsyncConnectionPool:
    """Keeps connections by host name, so a certificate was checked for the very name it is used for.

    No proxy and no redirect: both would go where nobody checked.
    """
    context = ssl.create_default_context()
    if settings.webhook_ca_file is not None:
        context.load_verify_locations(settings.webhook_ca_file)
    return httpcore.AsyncConnectionPool(
        ssl_context=context,
        max_connections=connections,
        max_keepalive_connections=connections // 2,
        keepalive_expiry=30,
        network_backend=CheckedNetwork(Destinations.of(settings)),
    )
