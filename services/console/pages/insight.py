"""One insight: what is said for and against it, what the data say, and how far it has come."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from markupsafe import Markup
from nicegui import ui

from services.console.formats import NOTHING, moment
from services.console.pages.insight_claim import claim_form, result_of
from services.console.view import View
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, facts, html, link, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.segmentation import SegmentView
from shared.contracts.segmentation.insights import (
    CommentView,
    InsightDetail,
    InsightState,
    InsightTestView,
    InsightView,
)

CONTRIBUTORS = (Role.strategist, Role.approver, Role.branch_head, Role.manager)
_ANALYSTS = (Role.strategist, Role.branch_head)
_TONES = {"validated": "good", "refuted": "bad", "testing": "accent"}
_TESTABLE = (InsightState.discussed, InsightState.testing)
Reload = Callable[[], Awaitable[None]]


@dataclass(frozen=True)
class _Shown:
    insight: InsightDetail
    comments: list[CommentView]


class InsightDialog:
    """Loads again after everything that is done in it; the board behind follows.

    `place` outlives the board's cards, which are drawn anew.
    """

    def __init__(self, view: View, place: ui.element, insight_id: UUID, changed: Reload) -> None:
        self._view = view
        self._place = place
        self._path = f"/v1/insights/{insight_id}"
        self._changed = changed

    def open(self) -> None:
        with self._place, ui.dialog() as dialog, ui.card().classes("dialog wide"):
            self._reload = self._view.section(self._fetch, self._draw, height=420)
        dialog.on("hide", dialog.delete)
        dialog.open()

    async def _fetch(self) -> _Shown:
        api = self._view.api
        insight = await api.get("segmentation", self._path, InsightDetail)
        found = await api.get("segmentation", f"{self._path}/comments", Page[CommentView], {"limit": 500})
        return _Shown(insight, found.items)

    def _draw(self, shown: _Shown) -> None:
        t, insight = self._view.t, shown.insight
        state = tag(t(f"insights.state.{insight.state}"), _TONES.get(insight.state, ""))
        html(Markup("<h2>{} {}</h2>").format(insight.title, state))
        html(Markup('<p style="white-space: pre-wrap">{}</p>').format(insight.text))
        html(facts(self._facts(insight)))
        self._votes(insight)
        self._moves(insight)
        with ui.element("section").classes("stack").style("gap: 10px"):
            html(Markup("<h3>{}</h3>").format(t("insights.tests")))
            for result in insight.results:
                result_of(self._view, result)
            if not insight.results:
                empty_state(t("insights.tests.empty"), t("insights.tests.empty.do"))
            if insight.state in _TESTABLE and self._view.user.has(*_ANALYSTS):
                claim_form(self._view, insight, self._test)
        self._discussion(shown)

    def _facts(self, insight: InsightView) -> list[tuple[str, Cell]]:
        t = self._view.t
        pairs: list[tuple[str, Cell]] = [
            (t("insights.author"), f"{insight.author} · {insight.org} · {moment(insight.created_at)}"),
            (t("insights.tags"), Markup(" ").join(tag(each) for each in insight.tags) or NOTHING),
        ]
        if insight.group is not None:
            pairs.append(
                (t("insights.field.group"), Markup("<code>{}</code>").format(insight.group.sql or ""))
            )
        if insight.segment is not None:
            pairs.append((t("column.segment"), link(insight.segment, f"/segments/{insight.segment}")))
        if insight.feature is not None:
            pairs.append((t("column.feature"), Markup("<code>{}</code>").format(insight.feature)))
        if insight.promoted_segment is not None:
            address = f"/segments/{insight.promoted_segment}"
            pairs.append((t("insights.became"), link(t("insights.became.segment"), address)))
        return pairs

    def _votes(self, insight: InsightView) -> None:
        t, votes = self._view.t, insight.votes
        may = self._view.user.has(*CONTRIBUTORS) and insight.state is not InsightState.archived
        with ui.element("div").classes("actions").style("justify-content: flex-start"):
            for value, count, label in ((1, votes.up, "for"), (-1, votes.down, "against")):
                mine = votes.mine == value
                button = ui.button(f"{t(f'insights.vote.{label}')} {count}")
                button.props(f'{"unelevated" if mine else "outline"} no-caps dense padding="4px 14px"')
                button.on_click(lambda wanted=0 if mine else value: self._vote(wanted))
                button.set_enabled(may)

    def _moves(self, insight: InsightView) -> None:
        t, user = self._view.t, self._view.user
        with ui.element("div").classes("actions").style("justify-content: flex-start"):
            if user.has(*_ANALYSTS):
                for to in insight.next_states:
                    button = ui.button(t(f"insights.move.{to}")).props("outline no-caps")
                    button.on_click(lambda to=to: self._move(to))
            promotable = insight.state is InsightState.validated and insight.promoted_segment is None
            if promotable and user.has(Role.strategist):
                promote = ui.button(t("insights.promote"), on_click=lambda: self._promote(insight))
                self._view.bank_wide(promote).props("unelevated no-caps")

    def _discussion(self, shown: _Shown) -> None:
        t = self._view.t
        with ui.element("section").classes("stack").style("gap: 10px"):
            html(Markup("<h3>{}</h3>").format(t("insights.discussion")))
            html(
                Markup('<ul class="line">{}</ul>').format(
                    Markup().join(_line(each) for each in shown.comments)
                )
            )
            if not self._view.user.has(*CONTRIBUTORS) or shown.insight.state is InsightState.archived:
                return
            text = ui.textarea(t("insights.comment")).props("outlined autogrow maxlength=4000")
            reference = ui.input(t("insights.reference")).props("outlined dense maxlength=300")

            async def say() -> None:
                body: dict[str, Any] = {"text": text.value or ""}
                if reference.value:
                    body |= {"kind": "evidence", "reference": reference.value}
                await self._do("/comments", CommentView, body)

            with ui.element("div").classes("actions"):
                ui.button(t("insights.say"), on_click=say).props("outline no-caps")

    async def _vote(self, value: int) -> None:
        await self._do(":vote", InsightView, {"value": value})

    async def _move(self, to: InsightState) -> None:
        t = self._view.t
        title = t(f"insights.move.{to}")
        reason = await confirm(t, title=title, text=t("insights.move.why"), field=t("action.comment"))
        if reason is not None:
            await self._do(":move", InsightView, {"to": to, "reason": reason or None})

    async def _test(self, claim: dict[str, Any]) -> None:
        await self._do(":test", InsightTestView, claim)

    async def _promote(self, insight: InsightView) -> None:
        t = self._view.t
        key = await confirm(
            t,
            title=t("insights.promote"),
            text=t("insights.promote.note"),
            field=t("insights.promote.key"),
            required=True,
        )
        if key is not None:
            name = {"zh": insight.title, "en": insight.title}
            await self._do(":promote", SegmentView, {"key": key.strip(), "name": name})

    async def _do(self, what: str, answer: type[Any], body: dict[str, Any]) -> None:
        done = await self._view.attempt(self._view.api.post("segmentation", self._path + what, answer, body))
        if done is not None:
            await self._reload()
            await self._changed()


def _line(comment: CommentView) -> Markup:
    head = Markup('<div class="muted small">{} · {}</div>').format(comment.author, moment(comment.created_at))
    reference = Markup(" <code>{}</code>").format(comment.reference) if comment.reference else Markup()
    return Markup('<li class="{}">{}{}{}</li>').format(
        "contact" if comment.reference else "", head, comment.text, reference
    )
