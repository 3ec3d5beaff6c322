"""What a campaign may name, as it is called: asked for once, when the studio opens."""

import asyncio
from collections.abc import Iterable, Mapping
from dataclasses import dataclass
from typing import TypeVar

from services.console.api import Params
from services.console.formats import whole
from services.console.pages.words import Metrics, metric_name, metrics
from services.console.view import View
from shared.contracts.base import Page
from shared.contracts.campaign import OfferView, ScriptView
from shared.contracts.campaign.channels import ChannelView
from shared.contracts.campaign.contact_policies import ContactPolicyView
from shared.contracts.campaign.materials import MaterialView
from shared.contracts.campaign.strategies import StrategySummary
from shared.contracts.customer import OrgView, StaffView
from shared.contracts.segmentation import SegmentKind, SegmentView
from shared.contracts.segmentation.tiers import TierSchemeView

T = TypeVar("T")
Options = dict[str, str]
TASK_CHANNEL = "manager_task"
_MOST = 1000
_USUAL_POLICY = "default"


@dataclass(frozen=True)
class Choices:
    """Names by key. Of texts only approved ones, of channels enabled ones, of segments live ones."""

    metrics: Metrics
    tiers: Options
    offers: Mapping[str, OfferView]
    scripts: list[ScriptView]
    materials: list[MaterialView]
    channels: Options
    policies: Options
    segments: Options
    """With their members, bank wide."""
    segment_names: Options
    triggers: Options
    orgs: Options
    staff: Options
    strategies: Options


async def choices(view: View) -> Choices:
    api, may, t = view.api, view.optional, view.t
    usable: Params = {"state": "approved", "limit": _MOST}
    offers, scripts, materials, policies, strategies, channels = await asyncio.gather(
        api.get("campaign", "/v1/offers", Page[OfferView], {"limit": _MOST}),
        api.get("campaign", "/v1/scripts", Page[ScriptView], usable),
        api.get("campaign", "/v1/materials", Page[MaterialView], usable),
        api.get("campaign", "/v1/contact-policies", Page[ContactPolicyView], {"limit": _MOST}),
        api.get("campaign", "/v1/strategies", Page[StrategySummary], {"limit": _MOST}),
        may(api.get("campaign", "/v1/channels", Page[ChannelView], {"state": "enabled", "limit": _MOST})),
    )
    live: Params = {"state": "live", "limit": _MOST}
    # The other services may be down: what they know can then still be kept as it is.
    known, segments, tiers, orgs, staff = await asyncio.gather(
        metrics(view),
        may(api.get("segmentation", "/v1/segments", Page[SegmentView], live)),
        may(api.get("segmentation", "/v1/tier-schemes", Page[TierSchemeView], {"limit": _MOST})),
        may(api.get("customer", "/v1/orgs", Page[OrgView], {"limit": _MOST})),
        may(api.get("customer", "/v1/staff", Page[StaffView], {"limit": _MOST})),
    )
    found, carriers = _items(segments), _items(channels)
    messages = {each.key: f"{t.local(each.name)} ({each.key})" for each in carriers}
    written = {each.key: f"{t.local(each.name)} ({each.key})" for each in policies.items}
    return Choices(
        metrics=known,
        tiers=_tiers(view, _items(tiers)),
        offers={each.key: each for each in offers.items},
        scripts=scripts.items,
        materials=materials.items,
        channels={TASK_CHANNEL: t.word("channel", TASK_CHANNEL), **messages},
        policies={_USUAL_POLICY: t("campaign_studio.policy.usual"), **written},
        segments={each.key: _segment(view, each) for each in found},
        segment_names={each.key: t.local(each.name) for each in found},
        triggers={each.key: _segment(view, each) for each in found if each.kind is SegmentKind.rule},
        orgs={
            each.code: f"{t.local(each.name)} ({each.code})"
            for each in _items(orgs)
            if view.user.covers(each.code)
        },
        staff={each.code: _person(view, each) for each in _items(staff) if each.active},
        strategies={each.key: _strategy(view, each) for each in strategies.items},
    )


def kpis(view: View, known: Choices) -> Options:
    return {key: f"{metric_name(view.t, known.metrics, key)} ({key})" for key in known.metrics}


def with_present(options: Options, present: Iterable[str | None]) -> Options:
    """What is named already stays to be chosen, also when it may not be chosen any more."""
    return {**{key: key for key in present if key}, **options}


def _segment(view: View, found: SegmentView) -> str:
    members = view.t("campaign_studio.members", n=whole(found.size)) if found.size is not None else ""
    return " · ".join(part for part in (f"{view.t.local(found.name)} ({found.key})", members) if part)


def _tiers(view: View, schemes: list[TierSchemeView]) -> Options:
    return {
        tier.code: f"{view.t.local(tier.name)} ({tier.code} · {view.t.local(scheme.name)})"
        for scheme in schemes
        for tier in scheme.tiers
    }


def _person(view: View, found: StaffView) -> str:
    return f"{found.code} · {found.name} · {view.t.word('role', found.role)} · {found.org}"


def _strategy(view: View, found: StrategySummary) -> str:
    return f"{view.t.local(found.name)} ({found.key}) · {view.t(f'strategies.state.{found.state}')}"


def _items(found: Page[T] | None) -> list[T]:
    return found.items if found else []
