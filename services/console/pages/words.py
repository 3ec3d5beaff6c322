"""How campaigns, metrics and recommendations are put into words and tags on every page."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from markupsafe import Markup

from services.console.api import Params
from services.console.formats import Quantity
from services.console.i18n import Texts
from services.console.view import View
from services.console.widgets.html import tag
from shared.contracts.base import Page
from shared.contracts.customer import OrgView, StaffView
from shared.contracts.metrics import Metric
from shared.contracts.segmentation import FeatureType, FeatureView, SegmentView
from shared.formats import Language, named

Metrics = Mapping[str, Metric]
_STAFF_PAGES = 20

_STATE_TONES = {
    "running": "accent",
    "launching": "accent",
    "live": "good",
    "open": "warn",
    "acknowledged": "accent",
    "active": "good",
    "effective": "good",
    "completed": "good",
    "approved": "good",
    "in_review": "warn",
    "proposed": "warn",
    "paused": "warn",
    "draining": "warn",
    "call_back": "warn",
    "rejected": "bad",
    "aborted": "bad",
    "returned": "bad",
}
_NUMBERS = frozenset({FeatureType.number, FeatureType.integer, FeatureType.money, FeatureType.boolean})
PSI_TONES = {"stable": "good", "moderate": "warn", "shifted": "bad"}
"""Least change first."""
_OUTCOME_TONES = {"act": "good", "test_next": "warn"}


@dataclass(frozen=True)
class Names:
    """What units, segments and staff are called; a code that is not known stays as it is."""

    language: Language
    orgs: Mapping[str, str]
    segments: Mapping[str, str]
    staff: Mapping[str, str]

    def org(self, code: str) -> str:
        return self.orgs.get(code, code)

    def segment(self, key: str) -> str:
        return self.segments.get(key, key)

    def value(self, dimension: str, code: str) -> str:
        """With the code behind the name: two may be called the same."""
        known = {"segment": self.segments, "branch": self.orgs, "manager": self.staff}.get(dimension, {})
        return named(known[code], code, self.language) if code in known else code


async def names(view: View, *, staff: bool = False) -> Names:
    """`staff`: also of managers, which are many."""
    orgs, segments, people = await asyncio.gather(
        view.optional(view.api.get("customer", "/v1/orgs", Page[OrgView], {"limit": 1000})),
        view.optional(view.api.get("segmentation", "/v1/segments", Page[SegmentView], {"limit": 500})),
        view.optional(_staff(view)) if staff else asyncio.sleep(0),
    )
    return Names(
        language=view.t.language,
        orgs={org.code: view.t.local(org.name) for org in (orgs.items if orgs else [])},
        segments={found.key: view.t.local(found.name) for found in (segments.items if segments else [])},
        staff=people or {},
    )


async def _staff(view: View) -> dict[str, str]:
    found: dict[str, str] = {}
    cursor: str | None = None
    for _ in range(_STAFF_PAGES):
        params: Params = {"limit": 1000, "cursor": cursor}
        page = await view.api.get("customer", "/v1/staff", Page[StaffView], params)
        found |= {one.code: one.name for one in page.items}
        cursor = page.next_cursor
        if cursor is None:
            break
    return found


async def numeric_features(view: View) -> dict[str, str]:
    """What the features are called that can decide, group or rank customers, by key."""
    found = await view.api.get("segmentation", "/v1/features", Page[FeatureView])
    return {
        one.key: f"{view.t.local(one.name)} ({one.key})"
        for one in found.items
        if one.type in _NUMBERS and not one.archived
    }


async def metrics(view: View) -> Metrics:
    """Definitions by key; empty when evaluation does not answer: figures are then written plainly."""
    page = await view.optional(view.api.get("evaluation", "/v1/metrics", Page[Metric], {"limit": 500}))
    return {metric.key: metric for metric in page.items} if page else {}


def quantity(t: Texts, known: Metrics, key: str, currency: str | None) -> Quantity:
    kind = known[key].kind.value if key in known else "sum"
    return Quantity(t.language, kind, currency)


def metric_name(t: Texts, known: Metrics, key: str) -> str:
    return t.local(known[key].name) if key in known else key


def state_tag(t: Texts, state: str) -> Markup:
    return tag(t.word("state", state), _STATE_TONES.get(state, ""))


def psi_tag(t: Texts, level: str) -> Markup:
    return tag(t.word("psi", level), PSI_TONES[level])


def advice_tag(t: Texts, action: str, outcome: str) -> Markup:
    return tag(t.word("advice", action), _OUTCOME_TONES.get(outcome, ""))
