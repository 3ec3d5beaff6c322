"""What branches, managers and segments are called: asked of the services that own them, by who reads."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass, field

import httpx
import structlog

from shared.contracts.base import LocalText
from shared.formats import Language, named
from shared.service import Runtime

logger = structlog.get_logger()

_PATIENCE_SECONDS = 2.0
_PAGE, _MOST_PAGES = 1000, 20
Credentials = Mapping[str, str]
"""Headers by which the reader has proved who he is."""
Called = Mapping[str, LocalText]


@dataclass(frozen=True)
class Names:
    """By code, as far as they are known to the reader."""

    branches: Called = field(default_factory=dict)
    managers: Called = field(default_factory=dict)
    segments: Called = field(default_factory=dict)

    def branch(self, code: str, language: Language) -> str:
        return _written(self.branches.get(code), code, language)

    def manager(self, code: str, language: Language) -> str:
        return _written(self.managers.get(code), code, language)

    def segment(self, key: str, language: Language) -> str:
        return _written(self.segments.get(key), key, language)


async def names_of(
    runtime: Runtime,
    credentials: Credentials,
    *,
    branches: Iterable[str] = (),
    managers: Iterable[str] = (),
    segments: Iterable[str] = (),
) -> Names:
    """With the caller's own credentials, so that they read what they may. What nobody answers in time stays
    without a name: a report must not fail because another service does.
    """
    asked = (
        ("customer", "/v1/orgs", "code", frozenset(branches)),
        ("customer", "/v1/staff", "code", frozenset(managers)),
        ("segmentation", "/v1/segments", "key", frozenset(segments)),
    )
    found = await asyncio.gather(
        *(
            _names(runtime.client(service), credentials, path, code, wanted) if wanted else _nothing()
            for service, path, code, wanted in asked
        )
    )
    return Names(*found)


async def _nothing() -> Called:
    return {}


async def _names(
    client: httpx.AsyncClient, credentials: Credentials, path: str, code: str, wanted: frozenset[str]
) -> Called:
    """Page by page until all that are wanted have been seen."""
    found: dict[str, LocalText] = {}
    params: dict[str, str | int] = {"limit": _PAGE}
    pages = 0
    try:
        while pages < _MOST_PAGES and not wanted <= found.keys():
            request = client.build_request("GET", path, params=params, timeout=_PATIENCE_SECONDS)
            # The key of this service has no part in what a person asks for.
            request.headers.pop("X-API-Key", None)
            request.headers.update(credentials)
            answer = await client.send(request)
            answer.raise_for_status()
            page = answer.json()
            found |= {str(item[code]): _text(item["name"]) for item in page["items"] if item[code] in wanted}
            if page["next_cursor"] is None:
                break
            params["cursor"], pages = page["next_cursor"], pages + 1
    except httpx.HTTPError as error:
        logger.warning("names_unavailable", asked=path, reason=type(error).__name__)
    return found


def _text(name: str | dict[str, str]) -> LocalText:
    """People have one name."""
    return LocalText(zh=name, en=name) if isinstance(name, str) else LocalText.model_validate(name)


def _written(name: LocalText | None, code: str, language: Language) -> str:
    if name is None:
        return code
    return named(name.zh if language == "zh" else name.en, code, language)
