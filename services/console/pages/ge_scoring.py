"""Scoring one customer in a GE matrix; factors with bands may be left to their feature."""

from collections.abc import Awaitable, Callable
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.view import View
from services.console.widgets.html import html, tag
from shared.contracts.segmentation.ge_matrix import (
    FactorGroup,
    GeMatrixView,
    ScoreResult,
    ScoreResults,
    WeighedFactor,
)

_STEPS: dict[float | None, str] = {1.0: "1", 2.0: "2", 3.0: "3", 4.0: "4", 5.0: "5"}


def build_scoring(view: View, found: GeMatrixView, scored: Callable[[], Awaitable[None]]) -> None:
    """`scored` is told of new scores."""
    with ui.element("section").classes("panel"):
        ScoreForm(view, found, scored).draw()


class ScoreForm:
    def __init__(self, view: View, found: GeMatrixView, scored: Callable[[], Awaitable[None]]) -> None:
        self._view, self._matrix, self._scored = view, found, scored
        self._boxes: dict[str, ui.select] = {}

    def draw(self) -> None:
        t = self._view.t
        html(Markup("<h2>{}</h2><p class='muted'>{}</p>").format(t("ge.score"), t("ge.score.note")))
        self._customer = ui.input(t("ge.customer")).props("outlined dense autocomplete=off")
        self._customer.style("min-width: 340px")
        with ui.element("div").classes("grid cols-2"):
            for group in FactorGroup:
                with ui.element("div").classes("stack"):
                    html(Markup("<h3>{}</h3>").format(t(f"ge.{group}")))
                    for factor in getattr(self._matrix, group):
                        self._ask(factor)
        self._note = ui.input(t("ge.reason")).props("outlined dense maxlength=2000")
        with ui.element("div").classes("actions"):
            ui.button(t("ge.score.do"), on_click=self._send).props("unelevated no-caps")
        self._shown = ui.element("div").props('aria-live="polite"')

    def _ask(self, factor: WeighedFactor) -> None:
        t = self._view.t
        choices = _STEPS
        if factor.bands is not None:
            choices = {None: t("ge.by_feature", feature=factor.bands.feature), **choices}
        box = ui.select(choices, label=t.local(factor.name), value=None if factor.bands else 3.0)
        self._boxes[factor.key] = box.props("outlined dense options-dense")

    async def _send(self) -> None:
        t = self._view.t
        try:
            customer = UUID(str(self._customer.value or "").strip())
        except ValueError:
            ui.notify(t("ge.customer.bad"), type="warning")
            return
        item = {
            "customer_id": str(customer),
            "scores": {key: box.value for key, box in self._boxes.items() if box.value is not None},
            "note": str(self._note.value or ""),
        }
        path = f"/v1/ge-matrices/{segment(self._matrix.key)}:score"
        found = await self._view.attempt(
            self._view.api.post("segmentation", path, ScoreResults, {"items": [item]})
        )
        if found is not None:
            self._show(found.items[0])
            await self._scored()

    def _show(self, result: ScoreResult) -> None:
        t, position = self._view.t, result.position
        self._shown.clear()
        with self._shown:
            if position is None:
                problem = result.problem
                lines = [each.detail for each in (problem.errors or [])] if problem else []
                detail = (problem.detail or problem.title) if problem else ""
                html(tag(t("ge.refused"), "bad") + Markup(" {} {}").format(detail, t("comma").join(lines)))
                return
            words = t(
                "ge.scored.as",
                a=f"{position.attractiveness_score:.2f}",
                s=f"{position.competitiveness_score:.2f}",
            )
            html(tag(t("ge.class", name=position.customer_class), "good") + Markup(" {}").format(words))
