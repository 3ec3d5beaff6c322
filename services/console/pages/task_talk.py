"""What is said about a task: the branch head's notes to the manager, and the manager's feedback."""

from collections.abc import Awaitable, Callable
from typing import get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import Params, segment
from services.console.formats import moment
from services.console.view import View
from services.console.widgets.dialogs import confirm, form
from services.console.widgets.html import html, tag
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign import TaskDetail
from shared.contracts.campaign.coaching import CoachingNoteView
from shared.contracts.campaign.feedback import FeedbackView
from shared.contracts.events.feedback import FeedbackKind

Reload = Callable[[], Awaitable[None]]
_KINDS: tuple[FeedbackKind, ...] = get_args(FeedbackKind)


def draw_talk(view: View, task: TaskDetail) -> None:
    t = view.t

    async def fetch() -> list[CoachingNoteView]:
        wanted: Params = {"task_id": str(task.id), "limit": 100}
        return (await view.api.get("campaign", "/v1/coaching-notes", Page[CoachingNoteView], wanted)).items

    async def again() -> None:
        await reload()

    async def write() -> None:
        text = await confirm(
            t, title=t("coaching.write"), text=t("coaching.note"), field=t("coaching.text"), required=True
        )
        if text is None:
            return
        path = f"/v1/tasks/{segment(task.id)}/coaching-notes"
        written = view.api.post("campaign", path, CoachingNoteView, {"text": text})
        if await view.attempt(written) is not None:
            view.done(t("coaching.written", manager=task.manager))
            await again()

    async def judge() -> None:
        await give_feedback(view, {"task_id": str(task.id)}, t.local(task.campaign_name))

    with ui.element("div").classes("actions").style("margin-top: 16px"):
        if view.user.has(Role.branch_head):
            ui.button(t("coaching.write"), on_click=write).props("outline no-caps dense")
        if view.user.has(Role.manager, Role.branch_head):
            ui.button(t("feedback.give"), on_click=judge).props("outline no-caps dense")
    reload = view.section(fetch, lambda notes: _draw(view, notes, again), height=20)


def _draw(view: View, notes: list[CoachingNoteView], again: Reload) -> None:
    t = view.t
    for note in notes:
        with ui.element("div").classes("coaching").style("padding: 8px 0"):
            seen = (
                tag(t("coaching.seen", at=moment(note.acknowledged_at)), "good")
                if note.acknowledged_at
                else tag(t("coaching.unseen"), "warn")
            )
            said = Markup('<div><b>{}</b> <span class="muted small">{} → {}</span> {}</div><p>{}</p>')
            when = f"{moment(note.created_at)} · {note.created_by}"
            html(said.format(t("coaching.title"), when, note.manager, seen, note.text))
            if note.acknowledged_at is None and note.manager == view.user.staff:
                _acknowledging(view, note, again)


def _acknowledging(view: View, note: CoachingNoteView, again: Reload) -> None:
    async def acknowledge() -> None:
        path = f"/v1/coaching-notes/{segment(note.id)}:acknowledge"
        done = view.api.post("campaign", path, CoachingNoteView, if_match=note.version)
        if await view.attempt(done) is not None:
            await again()

    ui.button(view.t("coaching.acknowledge"), on_click=acknowledge).props("outline no-caps dense")


async def give_feedback(view: View, subject: dict[str, object], name: str) -> FeedbackView | None:
    """Asks for kind, rating and text; what was given, or None when the user turned back."""
    t = view.t
    fields: dict[str, ui.select | ui.textarea] = {}

    def draw() -> None:
        kinds = {kind: t.word("feedback_kind", kind) for kind in _KINDS}
        fields["kind"] = ui.select(kinds, value="list", label=t("feedback.kind"))
        ratings = {rating: t(f"feedback.rating.{rating}") for rating in range(1, 6)}
        fields["rating"] = ui.select(ratings, value=3, label=t("feedback.rating"))
        for field in fields.values():
            field.props("outlined dense options-dense")
        fields["text"] = ui.textarea(t("feedback.text")).props("outlined autogrow maxlength=4000")
        html(Markup('<p class="muted small">{}</p>').format(t("task.note.privacy")))

    async def save() -> FeedbackView | None:
        text = str(fields["text"].value or "").strip() or None
        body = {**subject, "kind": fields["kind"].value, "rating": fields["rating"].value, "text": text}
        places = {f"/{key}": field for key, field in fields.items()}
        given = await view.attempt(view.api.post("campaign", "/v1/feedback", FeedbackView, body), places)
        if given is not None:
            view.done(t("feedback.given"))
        return given

    return await form(t, title=t("feedback.give"), note=name, draw=draw, save=save)
