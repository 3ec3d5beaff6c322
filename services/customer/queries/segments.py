"""Segments and tiers of one customer, asked of the service that owns them."""

from typing import Any
from uuid import UUID

import httpx
import structlog

from shared.service import Runtime

logger = structlog.get_logger()

_PATIENCE_SECONDS = 0.5
_SEGMENT = ("segment_id", "key", "name", "since")
_TIER = ("scheme_key", "name", "tier", "tier_name", "since")

Asked = list[dict[str, Any]] | None
"""None when there is no answer in time: a view of the customer must not fail because another service does."""


async def segments_of(runtime: Runtime, customer_id: UUID, authorization: str | None) -> Asked:
    """The live segments the customer is in."""
    return await _ask(runtime, authorization, f"/v1/customers/{customer_id}/segments", "segments", _SEGMENT)


async def tiers_of(runtime: Runtime, customer_id: UUID, authorization: str | None) -> Asked:
    """Where the customer stands in every tier scheme."""
    return await _ask(runtime, authorization, f"/v1/customers/{customer_id}/tier", "tiers", _TIER)


async def _ask(
    runtime: Runtime, authorization: str | None, path: str, field: str, shown: tuple[str, ...]
) -> Asked:
    """With the caller's own token, so that they see what they may; a system's key means nothing there."""
    if authorization is None:
        return None
    headers = {"Authorization": authorization}
    try:
        answer = await runtime.client("segmentation").get(path, headers=headers, timeout=_PATIENCE_SECONDS)
        answer.raise_for_status()
        return [{name: one[name] for name in shown} for one in answer.json()[field]]
    except httpx.HTTPError as error:
        logger.warning("segmentation_unavailable", asked=field, reason=type(error).__name__)
        return None
