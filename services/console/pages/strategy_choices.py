"""What a strategy may name: segments, channels, offers, texts and metrics, as they are called."""

import asyncio
from collections.abc import Mapping
from dataclasses import dataclass

from services.console.api import Params
from services.console.pages.words import Metrics, Names, metric_name, metrics, names
from services.console.view import View
from shared.contracts.base import Page
from shared.contracts.campaign import OfferView, ScriptView
from shared.contracts.campaign.channels import ChannelView
from shared.contracts.campaign.materials import MaterialView

Options = dict[str, str]
_MOST = 1000


@dataclass(frozen=True)
class Choices:
    metrics: Metrics
    names: Names
    kpis: Options
    segments: Options
    channels: Options
    offers: Options
    scripts: Options
    materials: Options

    def called(self, part: str, keys: list[str]) -> list[str]:
        """Names where they are known."""
        known: Mapping[str, str] = getattr(self, part)
        return [known.get(key, key) for key in keys]


async def choices(view: View) -> Choices:
    t = view.t
    usable: Params = {"state": "approved", "limit": _MOST}
    get = view.api.get
    known, called, channels, offers, scripts, materials = await asyncio.gather(
        metrics(view),
        names(view),
        view.optional(get("campaign", "/v1/channels", Page[ChannelView], {"limit": _MOST})),
        get("campaign", "/v1/offers", Page[OfferView], {"limit": _MOST}),
        get("campaign", "/v1/scripts", Page[ScriptView], usable),
        get("campaign", "/v1/materials", Page[MaterialView], usable),
    )
    messages = {each.key: t.local(each.name) for each in channels.items} if channels else {}
    return Choices(
        metrics=known,
        names=called,
        kpis={key: metric_name(t, known, key) for key in known},
        segments=dict(called.segments),
        channels={"manager_task": t.word("channel", "manager_task"), **messages},
        offers={each.key: t.local(each.name) for each in offers.items},
        scripts={each.ref: f"{t.local(each.name)} ({each.ref})" for each in scripts.items},
        materials={each.ref: f"{t.local(each.name)} ({each.ref})" for each in materials.items},
    )


def with_present(options: Options, present: list[str]) -> Options:
    """What is named already stays to be chosen, also when it may not be chosen any more."""
    return {**{key: key for key in present}, **options}
