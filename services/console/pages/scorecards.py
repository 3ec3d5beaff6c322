"""Scorecards 得分卡: branches and managers beside a typical one with the same customers, with intervals."""

import asyncio
from collections.abc import Callable, Coroutine, Sequence
from dataclasses import dataclass
from typing import Any
from uuid import UUID

from markupsafe import Markup
from nicegui import background_tasks, ui

from services.console.api import Params, segment
from services.console.formats import NOTHING, moment, percent, whole
from services.console.frame import heading
from services.console.navigation import OVERSEERS
from services.console.pages.report_button import report_button
from services.console.pages.words import Names, names, state_tag
from services.console.view import View, page
from services.console.widgets.dialogs import confirm, form
from services.console.widgets.fields import Places, number_field, rounded, text_field
from services.console.widgets.html import Cell, html, link, table, two_lines
from services.console.widgets.states import empty_state
from shared import clock
from shared.auth import Role
from shared.charts.palette import SCREEN
from shared.charts.scores import in_order, scores_plot
from shared.contracts.base import JobView, Page
from shared.contracts.evaluation.scorecards import (
    Comparison,
    RankingBulletin,
    ScorecardHead,
    SubjectCard,
)
from shared.scorecard_words import order_of, unit_of

_SECONDS = 0.7
_LIVE = frozenset({"queued", "running"})
_MOST = 100
_LEVELS = ("branch", "staff")
WRITERS = (Role.strategist, Role.branch_head)
Reload = Callable[[], Coroutine[Any, Any, None]]


@dataclass
class Found:
    heads: Sequence[ScorecardHead]
    bulletin: RankingBulletin | None
    names: Names

    def holds(self, like: ScorecardHead) -> ScorecardHead | None:
        """What is published of the same period, level and organisation."""
        kind = (like.period, like.level, like.depth, like.org)
        alike = (head for head in self.heads if (head.period, head.level, head.depth, head.org) == kind)
        return next((head for head in alike if head.state == "published"), None)


@page("/scorecards", title="scorecards.title", nav="scorecards")
async def scorecards_page(view: View) -> None:
    _Desk(view).draw()


class _Desk:
    """Which scorecard is shown, by what indicator, and the job under way."""

    def __init__(self, view: View) -> None:
        self._view = view
        self._level = "branch" if view.user.has(*OVERSEERS) else "staff"
        self._indicator = "net_inflow"
        self._chosen: UUID | None = None

    def draw(self) -> None:
        t = self._view.t
        with heading(t("scorecards.title"), t("scorecards.note")):
            if self._view.user.has(*WRITERS):
                ui.button(t("scorecards.compute"), on_click=self._compute).props("unelevated no-caps")
        self._progress = ui.element("div")
        self._load = self._view.section(self._fetch, self._draw, height=460)

    async def _again(self) -> None:
        await self._load()

    async def _fetch(self) -> Found:
        params: Params = {"limit": _MOST, "level": self._level}
        listed, called = await asyncio.gather(
            self._view.api.get("evaluation", "/v1/scorecards", Page[ScorecardHead], params),
            names(self._view, staff=self._level == "staff"),
        )
        heads = sorted(listed.items, key=lambda head: (head.last_day, head.as_of), reverse=True)
        ids = [head.id for head in heads]
        if not ids:
            return Found([], None, called)
        self._chosen = self._chosen if self._chosen in ids else ids[0]
        path = f"/v1/ranking-bulletins/{self._chosen}"
        return Found(heads, await self._view.api.get("evaluation", path, RankingBulletin), called)

    def _draw(self, found: Found) -> None:
        t = self._view.t
        with ui.element("div").classes("filters"):
            self._select("level", {each: t.word("scorecard_level", each) for each in _LEVELS}, self._level)
            if found.bulletin:
                titles = {str(head.id): _title(self._view, head) for head in found.heads}
                self._select("chosen", titles, str(self._chosen))
                names: dict[str, str] = {
                    each.indicator.key: t.local(each.indicator.name) for each in found.bulletin.comparisons
                }
                self._select("indicator", names, self._indicator)
        if found.bulletin is None:
            with ui.element("section").classes("panel"):
                empty_state(t("scorecards.empty"), t("scorecards.empty.do"))
            return
        self._head(found.bulletin, found.holds(found.bulletin))
        if found.bulletin.subjects:
            self._plot(found.bulletin, found.names)
        else:
            with ui.element("section").classes("panel"):
                empty_state(t("scorecards.not_yours"), t("scorecards.not_yours.do"))
        _overview(self._view, found.bulletin)
        html(
            Markup('<p class="muted small">{}</p>').format(
                t.local(found.bulletin.reading)  # both languages come with the figures
            )
        )

    def _select(self, name: str, options: dict[str, str], value: str) -> None:
        async def choose(to: str) -> None:
            setattr(self, f"_{name}", UUID(to) if name == "chosen" else to)
            await self._again()

        select = ui.select(options, value=value, label=self._view.t(f"scorecards.{name}"))
        select.props("outlined dense options-dense").style("min-width: 180px")
        select.on_value_change(lambda event: choose(str(event.value)))

    def _head(self, bulletin: RankingBulletin, holds: ScorecardHead | None) -> None:
        t = self._view.t
        said = [
            t("scorecards.as_of", at=moment(bulletin.as_of)),
            t("scorecards.complete", share=percent(bulletin.complete, 0)),
            t("scorecards.minimum.note", n=bulletin.minimum),
        ]
        if bulletin.shared:
            said.append(t("scorecards.shared", n=whole(bulletin.shared)))
        if bulletin.others:
            said.append(t("scorecards.others", n=whole(bulletin.others)))
        if bulletin.published_at:
            said.append(
                t("scorecards.published_at", at=moment(bulletin.published_at), who=bulletin.published_by)
            )
        with ui.element("div").classes("panel-head"):
            html(
                Markup("<p>{} {}</p>").format(state_tag(t, bulletin.state), " · ".join(said)),
            )
            report_button(
                self._view,
                f"/v1/reports/ranking-bulletins/{segment(bulletin.id)}",
                f"{bulletin.level}-{bulletin.period}.pdf",
            )
            mine = self._view.user.has(*WRITERS) and self._view.user.covers(bulletin.org)
            if bulletin.state == "draft" and mine:
                ui.button(t("scorecards.publish"), on_click=lambda: self._publish(bulletin, holds)).props(
                    "unelevated no-caps"
                )
        for line in corrections(self._view, bulletin):
            html(Markup('<p class="small">{}</p>').format(line))

    def _plot(self, bulletin: RankingBulletin, called: Names) -> None:
        t = self._view.t
        (shown,) = (each for each in bulletin.comparisons if each.indicator.key == self._indicator)
        with ui.element("section").classes("panel"):
            html(
                Markup("<h2>{}</h2><p class='muted small'>{}</p>").format(
                    t.local(shown.indicator.name), t.local(shown.indicator.counted)
                )
            )
            html(Markup("<p>{}</p>").format(order_of(shown, t.language)))
            if shown.error is not None:
                _observed(self._view, shown, bulletin, called)
                return
            scored = in_order(shown, bulletin.subjects)
            html(
                scores_plot(
                    shown,
                    scored,
                    t.language,
                    SCREEN,
                    lambda card: subject_name(called, card),
                    address=_address,
                )
            )

    async def _compute(self) -> None:
        asked = await _ask(self._view, self._level)
        if asked is not None:
            job, self._level = asked
            self._watch(job, "scorecards.computed")

    async def _publish(self, bulletin: RankingBulletin, holds: ScorecardHead | None) -> None:
        """In the place of what holds, if anything does; whoever does that says why."""
        t = self._view.t
        text = t("scorecards.publish.confirm", title=_title(self._view, bulletin))
        field = None
        if holds:
            text += " " + t("scorecards.supersede.confirm", title=_title(self._view, holds))
            field = t("scorecards.supersede.reason")
        reason = await confirm(
            t, title=t("scorecards.publish"), text=text, field=field, required=holds is not None
        )
        if reason is None:
            return
        body = {"scorecard_id": str(bulletin.id)}
        if holds:
            body |= {"supersedes": str(holds.id), "reason": reason}
        job = await self._view.attempt(
            self._view.api.post("evaluation", "/v1/scorecards:publish", JobView, body)
        )
        if job is not None:
            self._watch(job, "scorecards.published")

    def _watch(self, job: JobView, said: str) -> None:
        """A bar until the job has ended, then what came out."""
        view, t = self._view, self._view.t

        async def refresh() -> None:
            now = await view.optional(view.api.get("evaluation", f"/v1/jobs/{job.id}", JobView))
            if now is None:
                return
            bar.set_value(now.progress)
            if now.state in _LIVE:
                return
            timer.deactivate()
            # Not awaited: clearing the box would cancel the timer that this runs in.
            background_tasks.create(self._ended(now, said), name="scorecard ended")

        self._progress.clear()
        with self._progress, ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2>").format(t("scorecards.running")))
            bar = ui.linear_progress(value=0, show_value=False)
            bar.props(f'rounded size=8px aria-label="{t("scorecards.running")}"')
            timer = ui.timer(_SECONDS, refresh)

    async def _ended(self, job: JobView, said: str) -> None:
        self._progress.clear()
        with self._progress:
            if job.state == "succeeded" and job.result:
                self._view.done(self._view.t(said))
                self._chosen = UUID(str(job.result["scorecard_id"]))
            else:
                detail = (job.problem.detail if job.problem else None) or self._view.t.word(
                    "state", job.state
                )
                ui.notify(detail, type="negative", multi_line=True, timeout=9000, close_button="✕")
        await self._again()


def corrections(view: View, head: ScorecardHead) -> list[str]:
    """What it took the place of, and what took its place."""
    t, said = view.t, []
    if head.reason:
        said.append(t("scorecards.supersedes", n=whole((head.number or 2) - 1), reason=head.reason))
    if head.superseded_at:
        number = whole((head.number or 1) + 1)
        said.append(t("scorecards.superseded", at=moment(head.superseded_at), n=number))
    elif head.state == "published":
        said.append(t("scorecards.correct"))
    return said


def _title(view: View, head: ScorecardHead) -> str:
    parts = [head.period, head.org, view.t.word("state", head.state)]
    if head.number and (head.number > 1 or head.state == "superseded"):
        parts.append(view.t("scorecards.number", n=whole(head.number)))
    if head.depth is not None:
        parts.insert(2, view.t("scorecards.at_depth", n=head.depth))
    return " · ".join(parts)


def subject_name(names: Names, card: SubjectCard) -> str:
    return names.value("manager" if card.staff else "branch", card.subject)


def _address(card: SubjectCard) -> str:
    return f"/scorecards/{segment(card.subject)}"


def _observed(view: View, shown: Comparison, bulletin: RankingBulletin, names: Names) -> None:
    """What was seen of each, where nothing can be compared."""
    t, unit = view.t, unit_of(shown, view.t.language)
    rows: list[list[Cell]] = [
        [link(subject_name(names, card), _address(card)), whole(score.customers), unit.value(score.observed)]
        for card in bulletin.subjects
        for score in card.scores
        if score.indicator == shown.indicator.key
    ]
    columns = [t(f"scorecards.{name}") for name in ("subject", "customers", "observed")]
    if rows:
        html(table(columns, rows, right=(1, 2)))


def _overview(view: View, bulletin: RankingBulletin) -> None:
    t = view.t
    columns = [t(f"scorecards.{name}") for name in ("indicator", "typical", "spread", "compared", "order")]
    rows: list[list[Cell]] = []
    for each in bulletin.comparisons:
        unit = unit_of(each, t.language)
        name = two_lines(t.local(each.indicator.name), t.local(each.indicator.counted))
        figures: list[Cell] = [unit.value(each.typical), unit.value(each.spread), whole(each.subjects)]
        rows.append([name, *(figures if each.error is None else [NOTHING] * 3), order_of(each, t.language)])
    with ui.element("section").classes("panel"):
        html(Markup("<h2>{}</h2>").format(t("scorecards.overview")))
        html(table(columns, rows, right=(1, 2, 3)))


async def _ask(view: View, level: str) -> tuple[JobView, str] | None:
    """What to compute: of whom, for which period, and from how many customers on; the job, and of whom."""
    t = view.t
    fields: dict[str, Any] = {}

    def draw() -> None:
        levels = {each: t.word("scorecard_level", each) for each in _LEVELS}
        fields["level"] = ui.select(levels, value=level, label=t("scorecards.level")).props("outlined dense")
        fields["period"] = text_field(t("scorecards.period"), f"{clock.today():%Y-%m}")
        fields["org"] = text_field(t("scorecards.org"), view.user.org)
        fields["depth"] = number_field(t("scorecards.depth"), 2)
        fields["minimum"] = number_field(t("scorecards.minimum"), 30)

    async def save() -> tuple[JobView, str] | None:
        body: dict[str, object] = {
            "level": fields["level"].value,
            "period": str(fields["period"].value or "").strip(),
            "org": str(fields["org"].value or "").strip(),
            "depth": rounded(fields["depth"]),
            "minimum": rounded(fields["minimum"]),
        }
        places: Places = {"": fields["period"], **{f"/{name}": each for name, each in fields.items()}}
        job = await view.attempt(view.api.post("evaluation", "/v1/scorecards", JobView, body), places)
        return None if job is None else (job, str(body["level"]))

    return await form(
        t,
        title=t("scorecards.compute"),
        note=t("scorecards.compute.note"),
        draw=draw,
        save=save,
        button_text=t("scorecards.compute"),
    )
