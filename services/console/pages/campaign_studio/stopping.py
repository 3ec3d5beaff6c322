"""When the result may be read, and by how much each guardrail may give way: agreed before the launch."""

from collections.abc import Mapping, Sequence
from decimal import Decimal
from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from services.console.i18n import Texts
from services.console.pages.words import Metrics, metric_name
from services.console.widgets.fields import Place, listed, number_field, rounded, text_field
from services.console.widgets.html import html
from services.console.widgets.numbers import hundredth, number, per_cent, plain
from shared.contracts.stopping import AlwaysValidStop, FixedStop, GroupSequentialStop
from shared.formats import SHARES

Stop = FixedStop | AlwaysValidStop | GroupSequentialStop
_RULES = ("fixed", "always_valid", "group_sequential")
_SPENDING = get_args(GroupSequentialStop.model_fields["spending"].annotation)
_USUAL = GroupSequentialStop(kind="group_sequential", looks=[0.25, 0.5, 0.75, 1.0])
_AT = "/objective/stop"


class StopFields:
    """The rule, what it means, and what it needs to know."""

    def __init__(self, t: Texts, stop: Stop) -> None:
        self._t = t
        planned = stop if isinstance(stop, GroupSequentialStop) else _USUAL
        tuned_for = stop.tuned_for if isinstance(stop, AlwaysValidStop) else None
        with ui.element("div").classes("grid cols-2").style("gap: 10px; margin-top: 10px"):
            self._rule = _choice(
                t("campaign_studio.stop"), {rule: t(f"stop.{rule}") for rule in _RULES}, stop.kind
            )
            self._tuned_for = number_field(t("campaign_studio.stop.tuned_for"), tuned_for)
            ways = {way: t(f"stop.{way}") for way in _SPENDING}
            self._spending = _choice(t("campaign_studio.stop.spending"), ways, planned.spending)
            self._looks = text_field(t("campaign_studio.stop.looks"), _per_cents(planned.looks))
            self._customers = number_field(t("campaign_studio.stop.customers"), planned.customers)
        self._note = html(Markup()).props('aria-live="polite" data-stop')
        self._rule.on_value_change(self._show)
        self._show()

    def _show(self) -> None:
        rule = self._rule.value
        self._tuned_for.set_visibility(rule == "always_valid")
        for field in (self._spending, self._looks, self._customers):
            field.set_visibility(rule == "group_sequential")
        note = Markup('<p class="muted small">{}</p>').format(self._t(f"campaign_studio.stop.{rule}.note"))
        self._note.set_content(str(note))

    def body(self) -> dict[str, Any]:
        """Left out when it is the usual one, as the API leaves it out."""
        rule = self._rule.value
        if rule == "always_valid":
            return {"stop": {"kind": rule, "tuned_for": rounded(self._tuned_for)}}
        if rule == "group_sequential":
            looks = [_share(each) for each in listed(self._looks.value)]
            planned = {
                "spending": self._spending.value,
                "looks": looks,
                "customers": rounded(self._customers),
            }
            return {"stop": {"kind": rule, **planned}}
        return {}

    def places(self) -> dict[str, Place]:
        return {
            _AT: self._rule,
            f"{_AT}/always_valid/tuned_for": self._tuned_for,
            f"{_AT}/group_sequential/spending": self._spending,
            f"{_AT}/group_sequential/looks": self._looks,
            f"{_AT}/group_sequential/customers": self._customers,
        }


class MarginFields:
    """One field for each guardrail that is chosen; what was typed stays while others come and go."""

    def __init__(self, t: Texts, known: Metrics, guards: ui.select, margins: Mapping[str, Decimal]) -> None:
        self._t, self._known, self._guards = t, known, guards
        self._typed = {
            key: per_cent(margin) if self._is_share(key) else plain(margin) for key, margin in margins.items()
        }
        self._fields: dict[str, ui.input] = {}
        self._box = ui.element("div")
        guards.on_value_change(self._draw)
        self._draw()

    def _is_share(self, key: str) -> bool:
        return key in self._known and self._known[key].kind in SHARES

    def _draw(self) -> None:
        t = self._t
        self._typed |= {key: str(field.value or "") for key, field in self._fields.items()}
        self._fields = {}
        self._box.clear()
        if not self._guards.value:
            return
        with self._box:
            with ui.element("div").classes("grid cols-2").style("gap: 10px; margin-top: 10px"):
                for key in self._guards.value:
                    name = metric_name(t, self._known, key)
                    field = text_field(t("campaign_studio.margin", name=name), self._typed.get(key, ""))
                    self._fields[key] = field.props(f'suffix="{self._unit(key)}"')
            html(Markup('<p class="muted small">{}</p>').format(t("campaign_studio.margin.note")))

    def _unit(self, key: str) -> str:
        if self._is_share(key):
            return "%"
        return (self._known[key].currency if key in self._known else None) or ""

    def body(self) -> dict[str, Any]:
        """Left out when there are none, as the API leaves them out."""
        margins = {
            key: hundredth(field.value) if self._is_share(key) else number(field.value)
            for key, field in self._fields.items()
            if number(field.value)
        }
        return {"margins": margins} if margins else {}

    def places(self) -> dict[str, Place]:
        return {f"/objective/margins/{key}": field for key, field in self._fields.items()}


def _choice(label: str, options: dict[str, str], value: str) -> ui.select:
    return ui.select(options, label=label, value=value).props("outlined dense options-dense")


def _per_cents(shares: Sequence[float]) -> str:
    return ", ".join(per_cent(Decimal(repr(share))) for share in shares)


def _share(typed: str) -> float | str:
    """What is no number stays as it is, and the service says so."""
    text = hundredth(typed.removesuffix("%"))
    try:
        return float(text)
    except ValueError:
        return text
