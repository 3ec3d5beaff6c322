"""Maker-checker: approval is of a content, named by its hash, by someone who did not write it."""

import json
from collections.abc import Mapping
from hashlib import sha256

from pydantic import JsonValue

from shared.contracts.campaign import CampaignContent, OfferView, ScriptView
from shared.contracts.campaign.materials import MaterialView
from shared.contracts.campaign.scripts import Decided
from shared.errors import Conflict, Forbidden


def content_hash(
    key: str,
    content: CampaignContent,
    offers: Mapping[str, OfferView],
    scripts: Mapping[str, ScriptView],
    materials: Mapping[str, MaterialView],
    segments: Mapping[str, int],
    strategy: str | None = None,
) -> str:
    """SHA-256 (hex) over the campaign, its budget, the words said, the materials shown, the terms offered
    and the versions of the segments and of the strategy (`key@version`). Equal content gives an equal hash,
    however the keys were ordered.
    """
    covered: dict[str, JsonValue] = {
        "key": key,
        "campaign": content.model_dump(mode="json"),
        "offers": {name: offer.model_dump(mode="json") for name, offer in offers.items()},
        "scripts": {ref: _said(script) for ref, script in scripts.items()},
        "segments": dict(segments),
    }
    if materials:
        # Only then: what was approved before there were materials keeps its hash.
        covered["materials"] = {ref: _said(material) for ref, material in materials.items()}
    if strategy is not None:
        covered["strategy"] = strategy
    canonical = json.dumps(covered, sort_keys=True, separators=(",", ":"), ensure_ascii=False)
    return sha256(canonical.encode()).hexdigest()


def _said(version: ScriptView | MaterialView) -> JsonValue:
    """What a version says. What becomes of the version later is not the campaign's content."""
    dumped: JsonValue = version.model_dump(
        mode="json", exclude={*Decided.model_fields, "products", "personalised"}
    )
    return dumped


def require_other_eyes(checker: str, *, submitted_by: str, edited_by: str) -> None:
    """Neither who submitted nor who edited last may decide."""
    if checker in {submitted_by, edited_by}:
        raise Forbidden("whoever wrote or submitted a campaign cannot decide on it", slug="maker-is-checker")


def require_same_content(submitted: str | None, current: str) -> None:
    if submitted != current:
        raise Conflict(
            "the offers, scripts, segments or the strategy have changed since submission; submit again",
            slug="approval-void",
        )
