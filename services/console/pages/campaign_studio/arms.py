"""One arm of the scheme: its share, and what it offers, by which channel, in which words."""

from typing import Any

from nicegui import ui

from services.console.pages.campaign_studio.choices import TASK_CHANNEL, Choices, Options, with_present
from services.console.pages.campaign_studio.step import kept, many, one, typed
from services.console.view import View
from services.console.widgets.fields import Place, number_field, text_field
from shared.contracts.campaign import Arm


class ArmFields:
    """Scripts and materials are offered that are meant for the product of the arm's offer."""

    def __init__(self, view: View, known: Choices, arm: Arm | None = None) -> None:
        t = view.t
        self._t, self._known = t, known
        # The journey is a step of its own.
        self._kept = kept(arm, without=("journey",))
        offers = {key: f"{t.local(each.name)} ({key})" for key, each in known.offers.items()}
        with ui.element("div").classes("grid cols-2").style("gap: 10px; width: 100%"):
            self._key = text_field(t("campaign_studio.arm.key"), arm.key if arm else "")
            share = round(arm.share * 100, 6) if arm else None
            self._share = number_field(t("campaign_studio.arm.share"), share, suffix="%")
            self._offer = one(t("campaign_studio.arm.offer"), offers, arm.offer if arm else None)
            channel = arm.channel if arm else TASK_CHANNEL
            self._channel = one(t("campaign_studio.arm.channel"), known.channels, channel)
            self._script = one(t("campaign_studio.arm.script"), self._scripts(), arm.script if arm else None)
            self._materials = many(
                t("campaign_studio.arm.materials"), self._texts(), arm.materials if arm else []
            )
        self._show_materials()
        self._offer.on_value_change(self._offered)
        self._channel.on_value_change(self._show_materials)

    def _scripts(self) -> Options:
        return {
            each.ref: f"{self._t.local(each.name)} ({each.ref})"
            for each in self._known.scripts
            if self._is_meant(each.products)
        }

    def _texts(self) -> Options:
        return {
            each.ref: f"{self._t.local(each.name)} ({each.ref})"
            for each in self._known.materials
            if self._is_meant(each.products)
        }

    def _is_meant(self, products: list[str]) -> bool:
        offer = self._known.offers.get(str(self._offer.value))
        return offer is None or not products or offer.product in products

    def _offered(self) -> None:
        """Another offer may have other texts; what was chosen stays, and the service says if it is unfit."""
        self._script.set_options(with_present(self._scripts(), [self._script.value]))
        self._materials.set_options(with_present(self._texts(), self._materials.value))

    def _show_materials(self) -> None:
        """A message is its script and nothing else."""
        self._materials.set_visibility(self._channel.value == TASK_CHANNEL)

    def body(self) -> dict[str, Any]:
        materials = list(self._materials.value) if self._channel.value == TASK_CHANNEL else []
        # Left out when there are none, as the API leaves them out.
        rest = {name: value for name, value in self._kept.items() if name != "materials"}
        return {
            **rest,
            "key": typed(self._key),
            "share": None if self._share.value is None else round(self._share.value / 100, 8),
            "offer": self._offer.value or "",
            "channel": self._channel.value or "",
            "script": self._script.value or "",
            **({"materials": materials} if materials else {}),
        }

    def places(self, at: str) -> dict[str, Place]:
        fields: dict[str, Place] = {
            "key": self._key,
            "share": self._share,
            "offer": self._offer,
            "channel": self._channel,
            "script": self._script,
            "materials": self._materials,
        }
        return {at: self._key, **{f"{at}/{name}": field for name, field in fields.items()}}
