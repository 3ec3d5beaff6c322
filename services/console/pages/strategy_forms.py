"""The steps of the strategy studio as forms: objective, STP, checklists, means, budget."""

from typing import Any, Protocol

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.i18n import Texts
from services.console.pages.strategy_choices import Choices, Options, with_present
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import (
    LocalField,
    Place,
    listed,
    number_field,
    rounded,
    text_field,
)
from services.console.widgets.html import html
from shared.contracts.base import Schema
from shared.contracts.campaign.strategies import (
    FourC,
    FourP,
    FourR,
    LifeCycleScenario,
    Stp,
    StrategyScenario,
    StrategyView,
)
from shared.contracts.segmentation.life_cycle import Stage

CHECKLISTS: tuple[tuple[str, type[Schema]], ...] = (("four_p", FourP), ("four_c", FourC), ("four_r", FourR))
_LISTS = ("segments", "channels", "offers", "scripts", "materials")
_KINDS = ("life_cycle", "product", "real_time_event")
_DEFAULT_WINDOW = 30


class Step(Protocol):
    """One form of the studio; `body` are the parts of the strategy that it replaces."""

    def draw(self) -> None: ...

    def body(self) -> dict[str, Any]: ...

    def places(self) -> dict[str, Place]: ...


async def write_step(view: View, strategy: StrategyView, name: str, step: Step) -> StrategyView | None:
    """The strategy as it is afterwards, or nothing when the user turned back."""
    t = view.t
    path = f"/v1/strategies/{segment(strategy.key)}"

    async def save() -> StrategyView | None:
        sent = view.api.patch("campaign", path, StrategyView, step.body(), if_match=strategy.revision)
        return await view.attempt(sent, step.places())

    note = t("strategy.form.next") if strategy.state == "active" else t("strategy.form.note")
    return await form(
        t, title=t(f"strategy.step.{name}"), note=note, draw=step.draw, save=save, wide=name != "budget"
    )


class ObjectiveStep:
    def __init__(self, t: Texts, strategy: StrategyView, known: Choices) -> None:
        self._t, self._strategy, self._known = t, strategy, known

    def draw(self) -> None:
        t, objective = self._t, self._strategy.objective
        self._name = LocalField(t, t("field.name"), self._strategy.name)
        self._org = text_field(t("strategies.column.org"), self._strategy.org)
        self._statement = _area(t("strategy.statement"), objective.statement if objective else None)
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            key = objective.primary_metric if objective else None
            kpis = with_present(self._known.kpis, [key] if key else [])
            self._metric = ui.select(kpis, label=t("strategy.kpi"), value=key, with_input=True)
            self._metric.props("outlined dense")
            self._target = text_field(t("strategy.target"), str(objective.target) if objective else "")
            self._start = text_field(t("strategy.start"), objective.start.isoformat() if objective else "")
            self._end = text_field(t("strategy.end"), objective.end.isoformat() if objective else "")
            self._tiers = text_field(
                t("strategy.key_tiers"), ", ".join(objective.key_tiers) if objective else ""
            )
            self._window = number_field(
                t("strategy.window"), objective.window_days if objective else _DEFAULT_WINDOW
            )
            guards = objective.guardrails if objective else []
            self._guards = _many(t("strategy.guardrails"), self._known.kpis, guards)

    def body(self) -> dict[str, Any]:
        objective = {
            "statement": _text(self._statement) or "",
            "primary_metric": self._metric.value or "",
            "target": _text(self._target) or "",
            "start": _text(self._start) or "",
            "end": _text(self._end) or "",
            "key_tiers": listed(self._tiers.value),
            "window_days": rounded(self._window),
            "guardrails": self._guards.value,
        }
        return {"name": self._name.body(), "org": _text(self._org) or "", "objective": objective}

    def places(self) -> dict[str, Place]:
        return {
            **self._name.places("/name"),
            "/org": self._org,
            "/objective/statement": self._statement,
            "/objective/primary_metric": self._metric,
            "/objective/target": self._target,
            "/objective/start": self._start,
            "/objective/end": self._end,
            "/objective/key_tiers": self._tiers,
            "/objective/window_days": self._window,
            "/objective/guardrails": self._guards,
        }


class StatementsStep:
    """STP, or the three checklists: one text for each item."""

    def __init__(
        self, t: Texts, strategy: StrategyView, *, parts: tuple[tuple[str, type[Schema]], ...]
    ) -> None:
        self._t, self._strategy, self._parts = t, strategy, parts
        self._fields: dict[str, dict[str, ui.textarea]] = {}

    def draw(self) -> None:
        columns = "grid cols-3" if len(self._parts) > 1 else "stack"
        with ui.element("div").classes(columns).style("gap: 14px"):
            for part, kind in self._parts:
                with ui.element("div").classes("stack").style("gap: 10px"):
                    html(Markup("<h3>{}</h3>").format(self._t(f"strategy.part.{part}")))
                    written = getattr(self._strategy, part)
                    self._fields[part] = {
                        name: _area(self._t(f"strategy.{part}.{name}"), getattr(written, name))
                        for name in kind.model_fields
                    }

    def body(self) -> dict[str, Any]:
        return {
            part: {name: _text(field) for name, field in fields.items()}
            for part, fields in self._fields.items()
        }

    def places(self) -> dict[str, Place]:
        return {
            f"/{part}/{name}": field
            for part, fields in self._fields.items()
            for name, field in fields.items()
        }


def stp_step(t: Texts, strategy: StrategyView) -> StatementsStep:
    return StatementsStep(t, strategy, parts=(("stp", Stp),))


def checklists_step(t: Texts, strategy: StrategyView) -> StatementsStep:
    return StatementsStep(t, strategy, parts=CHECKLISTS)


class MeansStep:
    def __init__(self, t: Texts, strategy: StrategyView, known: Choices) -> None:
        self._t, self._strategy, self._known = t, strategy, known

    def draw(self) -> None:
        t, scenario = self._t, self._strategy.scenario
        self._lists = {
            part: _many(
                t(f"strategy.means.{part}"), getattr(self._known, part), getattr(self._strategy, part)
            )
            for part in _LISTS
        }
        kinds = {kind: t(f"strategy.scenario.{kind}") for kind in _KINDS}
        kind = scenario.kind if scenario else None
        self._kind = ui.select(kinds, label=t("strategy.means.scenario"), value=kind, clearable=True)
        self._kind.props("outlined dense")
        self._details = {
            "life_cycle": _many(
                t("strategy.scenario.stages"),
                {stage.value: t.word("life_cycle.stage", stage.value) for stage in Stage},
                [stage.value for stage in scenario.stages] if isinstance(scenario, LifeCycleScenario) else [],
            ),
            "product": text_field(t("strategy.scenario.products"), _detail(scenario, "products")),
            "real_time_event": text_field(t("strategy.scenario.events"), _detail(scenario, "event_types")),
        }
        self._within = number_field(
            t("strategy.scenario.within"), getattr(scenario, "within_minutes", None), suffix="min"
        )
        self._show()
        self._kind.on_value_change(self._show)

    def _show(self) -> None:
        for kind, field in self._details.items():
            field.set_visibility(kind == self._kind.value)
        self._within.set_visibility(self._kind.value == "real_time_event")

    def body(self) -> dict[str, Any]:
        return {**{part: field.value for part, field in self._lists.items()}, "scenario": self._scenario()}

    def _scenario(self) -> dict[str, Any] | None:
        kind = self._kind.value
        if kind is None:
            return None
        value = self._details[kind].value
        if kind == "life_cycle":
            return {"kind": kind, "stages": value}
        if kind == "product":
            return {"kind": kind, "products": listed(value)}
        return {"kind": kind, "event_types": listed(value), "within_minutes": rounded(self._within)}

    def places(self) -> dict[str, Place]:
        details = {
            "/scenario/stages": self._details["life_cycle"],
            "/scenario/products": self._details["product"],
            "/scenario/event_types": self._details["real_time_event"],
            "/scenario/within_minutes": self._within,
        }
        return {"/scenario": self._kind, **details, **{f"/{part}": f for part, f in self._lists.items()}}


class BudgetStep:
    def __init__(self, t: Texts, strategy: StrategyView) -> None:
        self._t, self._budget = t, strategy.budget

    def draw(self) -> None:
        t, budget = self._t, self._budget
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._amount = text_field(t("strategy.amount"), str(budget.amount) if budget else "")
            self._currency = text_field(t("strategy.currency"), budget.currency if budget else "CNY")

    def body(self) -> dict[str, Any]:
        amount = _text(self._amount)
        return {"budget": {"amount": amount, "currency": _text(self._currency)} if amount else None}

    def places(self) -> dict[str, Place]:
        return {"/budget": self._amount, "/budget/currency": self._currency}


def _area(label: str, text: str | None) -> ui.textarea:
    return ui.textarea(label, value=text or "").props("outlined autogrow dense maxlength=4000")


def _many(label: str, options: Options, chosen: list[str]) -> ui.select:
    select = ui.select(
        with_present(options, chosen), label=label, value=chosen, multiple=True, with_input=True
    )
    select.props("outlined dense use-chips")
    return select


def _text(field: ui.input | ui.textarea) -> str | None:
    return str(field.value or "").strip() or None


def _detail(scenario: StrategyScenario | None, name: str) -> str:
    return ", ".join(getattr(scenario, name, []))
