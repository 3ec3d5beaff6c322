"""Putting an insight to the test: the claim, and what the data say about it."""

from collections.abc import Awaitable, Callable
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, moment, p_value, whole
from services.console.view import View
from services.console.widgets.html import Cell, facts, html, tag
from shared.contracts.base import Page
from shared.contracts.segmentation import FeatureType, FeatureView
from shared.contracts.segmentation.insights import ArmView, InsightDetail, InsightTestView

_TONES = {"supported": "good", "contradicted": "bad", "inconclusive": "warn"}
_MEASURED = {FeatureType.number, FeatureType.integer, FeatureType.money, FeatureType.boolean}
_METRIC = "aum"


def claim_form(view: View, insight: InsightDetail, test: Callable[[dict[str, Any]], Awaitable[None]]) -> None:
    """Group and comparison as rules; the insight's own group and everybody else when left empty."""
    t = view.t

    async def fetch() -> Page[FeatureView]:
        return await view.api.get("segmentation", "/v1/features", Page[FeatureView])

    def draw(found: Page[FeatureView]) -> None:
        metrics = {
            each.key: f"{t.local(each.name)} ({each.key})" for each in found.items if each.type in _MEASURED
        }
        with ui.element("div").classes("stack").style("gap: 10px"):
            first = _METRIC if _METRIC in metrics else next(iter(metrics), None)
            metric = ui.select(metrics, value=first, label=t("insights.metric"), with_input=True)
            metric.props("outlined dense options-dense")
            with ui.element("div").classes("grid cols-2").style("gap: 10px"):
                sides = {name: t(f"insights.direction.{name}") for name in ("higher", "lower")}
                direction = ui.select(sides, value="higher", label=t("insights.direction"))
                direction.props("outlined dense options-dense")
                least = ui.number(t("insights.minimal"), value=0, min=0).props("outlined dense")
            own = insight.group.sql if insight.group else ""
            group = ui.textarea(t("insights.field.group"), value=own or "").props("outlined autogrow")
            against = ui.textarea(t("insights.against")).props("outlined autogrow")
            for rule in (group, against):
                rule.props("spellcheck=false").classes("code")

            async def run() -> None:
                button.disable()
                await test(
                    {
                        "metric": metric.value,
                        "direction": direction.value,
                        "minimal_difference": least.value or 0,
                        "group": {"sql": group.value} if group.value else None,
                        "against": {"sql": against.value} if against.value else None,
                    }
                )
                button.enable()

            with ui.element("div").classes("actions"):
                button = ui.button(t("insights.test"), on_click=run).props("unelevated no-caps")

    view.section(fetch, draw, height=120)


def result_of(view: View, result: InsightTestView) -> None:
    """The claim as it was made, the verdict, and every figure it rests on."""
    t = view.t
    least = result.minimal_difference
    claim = t(
        f"insights.claim.{result.direction}{'.by' if least else ''}",
        metric=t.local(result.metric_name),
        least=_figure(least),
    )
    with ui.element("div").classes("panel"):
        html(
            Markup("<b>{}. {}</b> {}").format(
                result.number, claim, tag(t(f"insights.verdict.{result.verdict}"), _TONES[result.verdict])
            )
        )
        html(facts(_figures(view, result)))
        about = f"{moment(result.evaluated_at)} · {result.org} · #{result.stream_position}"
        html(Markup('<p class="muted small">{} {}</p>').format(t.local(result.caveat), about))


def _figures(view: View, result: InsightTestView) -> list[tuple[str, Cell]]:
    t = view.t
    against = result.against.sql if result.against else None
    compared = Markup("<code>{}</code>").format(against) if against else t("insights.everybody")
    pairs: list[tuple[str, Cell]] = [
        (
            t("insights.group"),
            _arm(view, Markup("<code>{}</code>").format(result.group.sql or ""), result.in_group),
        ),
        (t("insights.compared"), _arm(view, compared, result.compared)),
    ]
    if result.reason is not None:
        pairs.append((t("insights.reason"), result.reason))
    if result.low is not None:
        interval = f"{_figure(result.difference)} [{_figure(result.low)}, {_figure(result.high)}]"
        pairs.append((t("insights.difference"), f"{interval} {result.unit or ''}"))
        pairs.append((t("insights.effect"), _figure(result.effect_size)))
        corrected = t("insights.corrected", p=p_value(result.p_value), adjusted=p_value(result.p_adjusted))
        pairs.append((t("insights.p"), corrected))
    return pairs


def _arm(view: View, rule: Cell, arm: ArmView) -> Markup:
    known = view.t("insights.arm", mean=_figure(arm.mean), n=whole(arm.n), all=whole(arm.customers))
    return Markup("{} · {}").format(rule, known)


def _figure(value: float | None) -> str:
    return NOTHING if value is None else f"{value:,.2f}"
