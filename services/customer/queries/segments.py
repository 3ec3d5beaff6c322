"""The segments of one customer, asked of the service that owns them."""

from typing import Any
from uuid import UUID

import httpx
import structlog

from shared.service import Runtime

logger = structlog.get_logger()

_PATIENCE_SECONDS = 0.5
_SHOWN = ("segment_id", "key", "name", "since")


async def segments_of(
    runtime: Runtime, customer_id: UUID, authorization: str | None
) -> list[dict[str, Any]] | None:
    """With the caller's own token, so that they see what they may; None when there is no answer in time.

    A view of the customer must not fail because another service does. A system's key means nothing there.
    """
    if authorization is None:
        return None
    headers = {"Authorization": authorization}
    try:
        answer = await runtime.client("segmentation").get(
            f"/v1/customers/{customer_id}/segments", headers=headers, timeout=_PATIENCE_SECONDS
        )
        answer.raise_for_status()
        return [{name: one[name] for name in _SHOWN} for one in answer.json()["segments"]]
    except httpx.HTTPError as error:
        logger.warning("segments_unavailable", reason=type(error).__name__)
        return None
