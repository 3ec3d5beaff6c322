"""Second fix: the scenario, the arms with their shares, the hold-out and the contact policy."""

from functools import partial
from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from services.console.formats import percent
from services.console.pages.campaign_studio.arms import ArmFields
from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.step import kept, many, one
from services.console.view import View
from services.console.widgets.fields import Parts, Place, listed, number_field, text_field
from services.console.widgets.html import html
from shared.contracts.campaign import CampaignContent
from shared.contracts.campaign.fixes import Scenario
from shared.contracts.drawing import DrawnUnit
from shared.contracts.segmentation.life_cycle import Stage

_LOOK_SECONDS = 0.4
_DETAILS = {"life_cycle": "stages", "product": "products", "event": "event_types"}
"""What the detail of a scenario names; more may stand in it, and stays."""
_USUAL_HOLD_OUT = 0.1
_USUAL_POLICY = "default"
_USUAL_UNIT = "customer"
_NOTHING = 5e-10


class SchemeStep:
    name = "scheme"
    parts = ("scheme",)

    def __init__(self, view: View, known: Choices) -> None:
        self._view, self._t, self._known = view, view.t, known

    def draw(self, content: CampaignContent) -> None:
        t, scheme = self._t, content.scheme
        self._kept = kept(scheme, without=("exit_segments", "unit"))
        self._draw_scenario(scheme.scenario if scheme else None)
        html(Markup("<h3>{}</h3>").format(t("campaign_studio.arms")))
        with ui.element("div"):
            self._arms = Parts(t, t("campaign_studio.arm.add"), lambda: ArmFields(self._view, self._known))
        for arm in scheme.arms if scheme else []:
            self._arms.put(partial(ArmFields, self._view, self._known, arm))
        with ui.element("div").classes("grid cols-3").style("gap: 10px"):
            hold_out = scheme.hold_out if scheme else _USUAL_HOLD_OUT
            self._hold_out = number_field(t("campaign_studio.hold_out"), round(hold_out * 100, 6), suffix="%")
            policy = scheme.contact_policy if scheme else _USUAL_POLICY
            self._policy = one(t("campaign_studio.policy"), self._known.policies, policy)
            units = {unit: t.word("drawn", unit) for unit in get_args(DrawnUnit)}
            self._unit = ui.select(units, label=t("fix.drawn"), value=scheme.unit if scheme else _USUAL_UNIT)
            self._unit.props("outlined dense options-dense")
            self._sum = html(Markup()).props('aria-live="polite" data-shares')
        # Compared, not listened to: an arm that was taken away says nothing.
        ui.timer(_LOOK_SECONDS, self._add_up)

    def _draw_scenario(self, scenario: Scenario | None) -> None:
        t = self._t
        self._detail = dict(scenario.detail) if scenario else {}
        kinds = {
            kind: t.word("scenario", kind) for kind in get_args(Scenario.model_fields["kind"].annotation)
        }
        kind = scenario.kind if scenario else None
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._kind = ui.select(kinds, label=t("fix.scenario"), value=kind, clearable=True)
            self._kind.props("outlined dense options-dense")
            stages = {stage.value: t.word("life_cycle.stage", stage.value) for stage in Stage}
            self._stages = many(t("strategy.scenario.stages"), stages, self._named("stages"))
            self._products = text_field(t("strategy.scenario.products"), ", ".join(self._named("products")))
            self._events = text_field(t("strategy.scenario.events"), ", ".join(self._named("event_types")))
        self._show_detail()
        self._kind.on_value_change(self._show_detail)

    def _named(self, name: str) -> list[str]:
        found = self._detail.get(name)
        return [str(each) for each in found] if isinstance(found, list) else []

    def _show_detail(self) -> None:
        fields = {"life_cycle": self._stages, "product": self._products, "event": self._events}
        for kind, field in fields.items():
            field.set_visibility(kind == self._kind.value)

    def _add_up(self) -> None:
        """The shares and what is left of the whole."""
        shares = [*self._arms.body(), {"share": _share(self._hold_out)}]
        left = 1 - sum(each["share"] or 0 for each in shares)
        if abs(left) < _NOTHING:
            said, tone = self._t("campaign_studio.shares.whole"), "good"
        else:
            over = "over" if left < 0 else "left"
            said, tone = self._t(f"campaign_studio.shares.{over}", share=percent(abs(left), 2)), "warn"
        self._sum.set_content(str(Markup('<span class="tag {}">{}</span>').format(tone, said)))

    def body(self) -> dict[str, Any]:
        arms = self._arms.body()
        if not (self._kind.value or arms):
            return {"scheme": None}
        written: dict[str, Any] = {
            "scenario": {"kind": self._kind.value, "detail": self._scenario_detail()},
            "arms": arms,
            "hold_out": _share(self._hold_out),
            "contact_policy": self._policy.value or _USUAL_POLICY,
        }
        if self._unit.value != _USUAL_UNIT:
            written["unit"] = self._unit.value
        return {"scheme": {**self._kept, **written}}

    def _scenario_detail(self) -> dict[str, Any]:
        """Of the kind that is chosen; what other kinds name is left out."""
        detail = {name: value for name, value in self._detail.items() if name not in _DETAILS.values()}
        name = _DETAILS.get(str(self._kind.value))
        if name is None:
            return detail
        values = {
            "stages": list(self._stages.value),
            "products": listed(self._products.value),
            "event_types": listed(self._events.value),
        }
        return {**detail, name: values[name]} if values[name] else detail

    def places(self) -> dict[str, Place]:
        return {
            "/scheme": self._kind,
            "/scheme/scenario": self._kind,
            "/scheme/hold_out": self._hold_out,
            "/scheme/contact_policy": self._policy,
            "/scheme/unit": self._unit,
            **self._arms.places("/scheme/arms"),
        }


def _share(field: ui.number) -> float | None:
    return None if field.value is None else round(field.value / 100, 8)
