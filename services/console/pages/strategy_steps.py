"""The studio of a strategy: its five steps side by side, each with how far it is written."""

from collections.abc import Awaitable, Callable, Iterable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, day, exact_money, percent
from services.console.i18n import Texts
from services.console.pages.strategy_choices import Choices
from services.console.pages.strategy_forms import (
    CHECKLISTS,
    BudgetStep,
    MeansStep,
    ObjectiveStep,
    Step,
    checklists_step,
    stp_step,
    write_step,
)
from services.console.pages.words import metric_name, quantity
from services.console.view import View
from services.console.widgets.html import Cell, bar, facts, html
from shared.auth import Role
from shared.contracts.campaign.strategies import (
    LifeCycleScenario,
    PartFilled,
    ProductScenario,
    Stp,
    StrategyPart,
    StrategyView,
)

Reload = Callable[[], Awaitable[None]]
Pairs = list[tuple[str, Cell]]


@dataclass(frozen=True)
class _Shown:
    """A step: the parts it writes, what is written of them, and its form."""

    name: str
    parts: tuple[StrategyPart, ...]
    written: Markup
    form: Step


def draw_steps(view: View, strategy: StrategyView, known: Choices, again: Reload) -> None:
    t = view.t
    filled = {part.part: part for part in strategy.parts}
    steps = (
        _Shown(
            "objective",
            ("objective",),
            facts(_objective(t, strategy, known)),
            ObjectiveStep(t, strategy, known),
        ),
        _Shown(
            "stp", ("stp",), facts(_statements(t, strategy, "stp", Stp.model_fields)), stp_step(t, strategy)
        ),
        _Shown(
            "checklists",
            ("four_p", "four_c", "four_r"),
            _checklists(t, strategy),
            checklists_step(t, strategy),
        ),
        _Shown("means", ("means",), facts(_means(t, strategy, known)), MeansStep(t, strategy, known)),
        _Shown("budget", ("budget",), facts(_budget(t, strategy)), BudgetStep(t, strategy)),
    )
    _completeness(view, strategy)
    with ui.element("div").classes("grid cols-2"):
        for number, step in enumerate(steps, 1):
            _card(view, strategy, (number, step), [filled[part] for part in step.parts], again)


def _completeness(view: View, strategy: StrategyView) -> None:
    t = view.t
    said = Markup("<p><b>{}</b> {}</p>{}").format(
        percent(strategy.completeness, 0), t("strategy.complete"), bar(strategy.completeness)
    )
    if strategy.missing and strategy.state == "draft":
        lacking = t("comma").join(_called(t, pointer) for pointer in strategy.missing)
        said += Markup("<p class='warn small'>{}</p>").format(t("strategy.missing", parts=lacking))
    with ui.element("section").classes("panel"):
        html(said)


def _called(t: Texts, pointer: str) -> str:
    """`/stp/targeting` → its name; a part that is one thing has a name of its own."""
    part, _, item = pointer.strip("/").partition("/")
    if item:
        return f"{t(f'strategy.part.{part}')} {t(f'strategy.{part}.{item}')}"
    return t("strategy.step.objective") if part == "objective" else t(f"strategy.means.{part}")


def _card(
    view: View,
    strategy: StrategyView,
    numbered: tuple[int, _Shown],
    filled: Iterable[PartFilled],
    again: Reload,
) -> None:
    t = view.t
    number, step = numbered
    counts = [(part.filled, part.of) for part in filled]
    done, of = sum(count for count, _ in counts), sum(total for _, total in counts)

    async def write() -> None:
        if await write_step(view, strategy, step.name, step.form) is not None:
            await again()

    look = "fix" if any(count == total for count, total in counts) else "fix missing"
    with ui.element("section").classes(look).props(f'aria-label="{t(f"strategy.step.{step.name}")}"'):
        head = Markup("<h3><span>{}</span>{} <small class='muted'>{} / {}</small></h3>{}")
        html(head.format(number, t(f"strategy.step.{step.name}"), done, of, step.written))
        if "edit" in strategy.verbs and view.user.has(Role.strategist):
            with ui.element("div").classes("actions").style("margin-top: 10px"):
                ui.button(t("strategy.edit"), on_click=write).props("outline no-caps dense")


def _objective(t: Texts, strategy: StrategyView, known: Choices) -> Pairs:
    objective = strategy.objective
    if objective is None:
        return [(t("strategy.statement"), NOTHING)]
    key = objective.primary_metric
    currency = known.metrics[key].currency if key in known.metrics else None
    unit = quantity(t, known.metrics, key, currency)
    return [
        (t("strategy.statement"), objective.statement),
        (t("strategy.kpi"), metric_name(t, known.metrics, key)),
        (t("strategy.target"), unit.total(objective.target)),
        (t("strategies.column.period"), f"{day(objective.start)} – {day(objective.end)}"),
        (t("strategy.key_tiers"), t("comma").join(objective.key_tiers) or NOTHING),
    ]


def _statements(t: Texts, strategy: StrategyView, part: str, names: Iterable[str]) -> Pairs:
    written = getattr(strategy, part)
    return [(t(f"strategy.{part}.{name}"), getattr(written, name) or NOTHING) for name in names]


def _checklists(t: Texts, strategy: StrategyView) -> Markup:
    shown = Markup("<h4 class='muted small'>{}</h4>{}")
    return Markup().join(
        shown.format(t(f"strategy.part.{part}"), facts(_statements(t, strategy, part, kind.model_fields)))
        for part, kind in CHECKLISTS
    )


def _means(t: Texts, strategy: StrategyView, known: Choices) -> Pairs:
    pairs: Pairs = [
        (t(f"strategy.means.{part}"), t("comma").join(known.called(part, getattr(strategy, part))) or NOTHING)
        for part in ("segments", "channels", "offers", "scripts", "materials")
    ]
    return [*pairs, (t("strategy.means.scenario"), _scenario(t, strategy))]


def _scenario(t: Texts, strategy: StrategyView) -> str:
    scenario = strategy.scenario
    if scenario is None:
        return NOTHING
    if isinstance(scenario, LifeCycleScenario):
        detail = [t.word("life_cycle.stage", stage.value) for stage in scenario.stages]
    elif isinstance(scenario, ProductScenario):
        detail = scenario.products
    else:
        detail = [*scenario.event_types, t("strategy.scenario.within.is", n=scenario.within_minutes)]
    return f"{t(f'strategy.scenario.{scenario.kind}')}: {t('comma').join(detail)}"


def _budget(t: Texts, strategy: StrategyView) -> Pairs:
    budget = strategy.budget
    said = exact_money(budget.amount, budget.currency) if budget else t("strategy.unbounded")
    return [(t("strategy.amount"), said)]
