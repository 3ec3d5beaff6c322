"""The campaign calendar: a month as a grid, a bar for every campaign, and who is asked twice."""

from calendar import monthrange
from collections import defaultdict
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from datetime import date, timedelta

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import day, whole
from services.console.frame import heading
from services.console.i18n import Texts
from services.console.pages.words import Names, names, state_tag
from services.console.view import View, page
from services.console.widgets.html import Cell, html, link, table
from services.console.widgets.states import empty_state
from shared.clock import today
from shared.contracts.campaign.calendar import Calendar, CalendarCampaign, CalendarWave

_OVERLAPS = 50
_LIVE = frozenset({"launching", "running", "paused", "draining"})


@dataclass
class _Asked:
    """The month that is shown, and the organisation whose campaigns."""

    first: date
    org: str | None = None

    def move(self, months: int) -> None:
        number = self.first.year * 12 + self.first.month - 1 + months
        self.first = date(number // 12, number % 12 + 1, 1)

    @property
    def last(self) -> date:
        return self.first.replace(day=monthrange(self.first.year, self.first.month)[1])


@page("/calendar", title="calendar.title", nav="calendar")
async def calendar_page(view: View) -> None:
    t, asked = view.t, _Asked(today().replace(day=1))
    called = await names(view)

    async def show(months: int) -> None:
        asked.move(months)
        month.set_text(f"{asked.first:%Y-%m}")
        await load()

    async def narrow() -> None:
        asked.org = chosen.value
        await load()

    with heading(t("calendar.title"), t("calendar.note")):
        pass
    with ui.element("div").classes("filters"):
        before = ui.button("‹", on_click=lambda: show(-1)).props("outline dense")
        before.props(f'aria-label="{t("calendar.before")}"')
        month = ui.label(f"{asked.first:%Y-%m}").classes("num")
        after = ui.button("›", on_click=lambda: show(1)).props("outline dense")
        after.props(f'aria-label="{t("calendar.after")}"')
        chosen = ui.select(dict(called.orgs), label=t("calendar.org"), clearable=True, with_input=True)
        chosen.props("outlined dense").style("min-width: 220px")

    async def fetch() -> Calendar:
        params = {"from": asked.first.isoformat(), "until": asked.last.isoformat(), "org": asked.org}
        return await view.api.get("campaign", "/v1/calendar", Calendar, params)

    load = view.section(fetch, lambda found: _draw(view, found, called), height=420)
    chosen.on_value_change(narrow)


def _draw(view: View, found: Calendar, called: Names) -> None:
    t = view.t
    with ui.element("section").classes("panel"):
        if not found.campaigns:
            empty_state(t("calendar.empty"), t("calendar.empty.do"))
            return
        html(_grid(t, found))
        html(Markup("<p class='muted small'>{}</p>").format(t("calendar.legend")))
        if found.more:
            html(Markup("<p class='warn small'>{}</p>").format(t("calendar.more")))
    with ui.element("section").classes("panel"):
        html(Markup('<div class="panel-head"><h2>{}</h2></div>').format(t("calendar.overlaps")))
        if not found.overlaps:
            empty_state(t("calendar.overlaps.empty"), t("calendar.overlaps.empty.do"))
            return
        html(_overlaps(t, found, called))


def _grid(t: Texts, found: Calendar) -> Markup:
    days = [found.start + timedelta(days=number) for number in range((found.end - found.start).days + 1)]
    contacts = {each.day: each.contacts for each in found.days}
    heads = Markup().join(_head(one, contacts) for one in days)
    rows = Markup().join(_row(t, each, found.start, found.end) for each in found.campaigns)
    return Markup(
        '<div class="scroll"><div class="cal" style="--days:{}" role="list" aria-label="{}">'
        '<div class="cal-row"><span></span><div class="cal-days">{}</div></div>{}</div></div>'
    ).format(len(days), t("calendar.title"), heads, rows)


def _head(one: date, contacts: Mapping[date, int]) -> Markup:
    """The day, and below it the contacts expected of all campaigns."""
    look = "cal-day today" if one == today() else "cal-day"
    expected = whole(contacts[one]) if contacts.get(one) else ""
    return Markup('<span class="{}">{}<small>{}</small></span>').format(look, one.day, expected)


def _row(t: Texts, each: CalendarCampaign, first: date, last: date) -> Markup:
    address, name = f"/campaigns/{segment(each.id)}", t.local(each.name)
    start, end = max(each.start, first), min(max(each.end, each.start), last)
    span = f"grid-column:{(start - first).days + 1} / {(end - first).days + 2}"
    look = "cal-bar live" if each.status in _LIVE else f"cal-bar {each.status}"
    title = f"{name} · {day(each.start)} – {day(each.end)}"
    bar = Markup('<a class="{}" style="{}" href="{}" title="{}" aria-label="{}"></a>').format(
        look, span, address, title, title
    )
    due: dict[date, list[CalendarWave]] = defaultdict(list)
    for wave in each.waves:
        due[wave.on].append(wave)
    waves = Markup().join(_due(t, on, together, first) for on, together in due.items())
    channels = t("comma").join(t.word("channel", channel) for channel in each.channels)
    return Markup(
        '<div class="cal-row" role="listitem"><div class="cal-name">{}<small>{} {}</small></div>'
        '<div class="cal-days">{}{}</div></div>'
    ).format(link(name, address), state_tag(t, each.status), channels, bar, waves)


def _due(t: Texts, on: date, waves: Sequence[CalendarWave], first: date) -> Markup:
    """What is due on one day: the contacts of all waves, and on a closer look each wave."""
    known = [wave.contacts for wave in waves if wave.contacts is not None]
    expected = whole(sum(known)) if len(known) == len(waves) else t("calendar.unknown")
    said = "; ".join(
        t(
            "calendar.wave",
            n=wave.wave,
            contacts=t("calendar.unknown") if wave.contacts is None else whole(wave.contacts),
            source=t(f"calendar.known.{wave.known_from or 'nothing'}"),
        )
        for wave in waves
    )
    return Markup('<span class="cal-wave" style="grid-column:{}" title="{}">{}</span>').format(
        (on - first).days + 1, said, expected
    )


def _overlaps(t: Texts, found: Calendar, called: Names) -> Markup:
    shown = {each.id: each for each in found.campaigns}
    rows: list[list[Cell]] = [
        [
            *(
                link(t.local(shown[one].name), f"/campaigns/{segment(one)}")
                for one in (each.first, each.second)
            ),
            t("comma").join(called.segment(key) for key in each.segments),
            f"{day(each.start)} – {day(each.end)}",
        ]
        for each in found.overlaps[:_OVERLAPS]
    ]
    columns = [t(f"calendar.column.{name}") for name in ("first", "second", "segments", "days")]
    said = table(columns, rows)
    if len(found.overlaps) > _OVERLAPS:
        said += Markup("<p class='muted small'>{}</p>").format(
            t("calendar.overlaps.more", n=whole(len(found.overlaps) - _OVERLAPS))
        )
    return said
