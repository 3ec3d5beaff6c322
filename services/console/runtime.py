"""What pages need from the process: settings, clients of the services, the issuer of demo tokens."""

from collections.abc import Mapping
from dataclasses import dataclass

import httpx

from services.console.api import ServiceName
from services.console.settings import ConsoleSettings
from shared.auth import Authenticator, LocalIssuer


@dataclass(frozen=True)
class ConsoleRuntime:
    settings: ConsoleSettings
    clients: Mapping[ServiceName, httpx.AsyncClient]
    authenticator: Authenticator
    issuer: LocalIssuer | None


_installed: list[ConsoleRuntime] = []


def install(made: ConsoleRuntime) -> None:
    """Called once by the composition root: NiceGUI calls page functions with nothing of ours."""
    _installed[:] = [made]


def runtime() -> ConsoleRuntime:
    return _installed[0]
