"""What managers say of lists, scripts and offers: counted, listed, answered."""

from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.dialogs import confirm
from services.console.widgets.html import Cell, html, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.feedback import FeedbackCount, FeedbackView

Reload = Callable[[], Awaitable[None]]
_STATES = ("open", "answered", "closed", "all")
_TONES = {"open": "warn", "answered": "good"}


@dataclass(frozen=True)
class Box:
    said: Page[FeedbackView]
    counts: list[FeedbackCount]


@page("/feedback", title="feedback.title", nav="feedback")
async def feedback_page(view: View) -> None:
    t = view.t
    state = "open"

    async def fetch() -> Box:
        wanted = {"limit": 100, "state": None if state == "all" else state}
        said = await view.api.get("campaign", "/v1/feedback", Page[FeedbackView], wanted)
        counts = await view.api.get("campaign", "/v1/feedback/counts", Page[FeedbackCount], {"limit": 200})
        return Box(said, counts.items)

    async def again() -> None:
        await reload()

    async def show(chosen: str) -> None:
        nonlocal state
        state = chosen
        await again()

    with heading(t("feedback.title"), t("feedback.note")):
        pass
    with ui.element("div").classes("filters"):
        ui.select(
            {name: t(f"feedback.filter.{name}") for name in _STATES},
            value=state,
            label=t("feedback.state"),
            on_change=lambda event: show(str(event.value)),
        ).props("outlined dense options-dense").style("min-width: 180px")
    reload = view.section(fetch, lambda box: _draw(view, box, again), height=320)


def _draw(view: View, box: Box, again: Reload) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not box.said.items:
            empty_state(t("feedback.empty"), t("feedback.empty.do"))
        for said in box.said.items:
            _draw_one(view, said, again)
    if not box.counts:
        return
    with ui.element("section").classes("panel").style("margin-top: 18px"):
        html(Markup("<h2>{}</h2>").format(t("feedback.counts")))
        names = [
            t(f"feedback.column.{name}")
            for name in ("campaign", "kind", "judged", "given", "open", "mean", "ratings")
        ]
        html(table(names, [_counted(view, count) for count in box.counts], right=(3, 4, 5)))


def _counted(view: View, count: FeedbackCount) -> list[Cell]:
    return [
        count.campaign_key,
        view.t.word("feedback_kind", count.kind),
        count.script or count.offer or NOTHING,
        whole(count.given),
        whole(count.open),
        f"{count.mean:.1f}",
        " / ".join(whole(each) for each in count.ratings),
    ]


def _draw_one(view: View, said: FeedbackView, again: Reload) -> None:
    t = view.t
    judged = said.script or said.offer or ""
    head = Markup("<b>{}</b> {} {} {}").format(
        t.word("feedback_kind", said.kind),
        judged,
        tag(t(f"feedback.rating.{said.rating}"), "bad" if said.rating <= 2 else ""),
        tag(t.word("feedback_state", said.state), _TONES.get(said.state, "")),
    )
    with ui.element("div").classes("feedback").style("padding: 10px 0"):
        html(two_lines(head, f"{said.campaign_key} · {moment(said.given_at)} · {said.given_by}"))
        if said.text:
            html(Markup("<p>{}</p>").format(said.text))
        if said.answer:
            answer = Markup('<p class="muted">{}: {}</p>')
            html(answer.format(t("feedback.answer.is", by=said.answered_by or NOTHING), said.answer))
        if said.state != "closed":
            _verbs(view, said, again)


def _verbs(view: View, said: FeedbackView, again: Reload) -> None:
    t = view.t

    async def answer() -> None:
        text = await confirm(
            t,
            title=t("feedback.answer"),
            text=t("feedback.answer.note"),
            field=t("feedback.answer.text"),
            required=True,
        )
        if text is not None:
            await send("answer", {"answer": text})

    async def close() -> None:
        if await confirm(t, title=t("feedback.close"), text=t("feedback.close.note")) is not None:
            await send("close", None)

    async def send(verb: str, body: dict[str, object] | None) -> None:
        path = f"/v1/feedback/{segment(said.id)}:{verb}"
        done = view.api.post("campaign", path, FeedbackView, body, if_match=said.version)
        if await view.attempt(done) is not None:
            await again()

    mine = said.given_by == view.user.id
    with ui.element("div").classes("actions"):
        if view.user.has(Role.strategist):
            ui.button(t("feedback.answer"), on_click=answer).props("outline no-caps dense")
        if view.user.has(Role.strategist) or mine:
            ui.button(t("feedback.close"), on_click=close).props("flat no-caps dense")
