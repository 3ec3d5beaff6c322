"""Fourth fix: from when to when, in how many waves, and how long between them."""

from typing import Any

from nicegui import ui

from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.step import day_field, kept, typed
from services.console.view import View
from services.console.widgets.fields import Place, number_field, rounded
from shared.contracts.campaign import CampaignContent

_MINUTES = {"days": 60 * 24, "hours": 60, "minutes": 1}


class ScheduleStep:
    name = "schedule"
    parts = ("schedule",)

    def __init__(self, view: View, _known: Choices) -> None:
        self._t = view.t

    def draw(self, content: CampaignContent) -> None:
        t, schedule = self._t, content.schedule
        self._kept = kept(schedule)
        gap = schedule.wave_gap_minutes if schedule else 0
        unit = next(name for name, minutes in _MINUTES.items() if gap % minutes == 0)
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._start = day_field(t("fix.start"), schedule.start if schedule else None)
            self._end = day_field(t("fix.end"), schedule.end if schedule else None)
            self._waves = number_field(t("fix.waves"), schedule.waves if schedule else 1)
            with ui.element("div").classes("actions"):
                self._gap = number_field(t("campaign_studio.gap"), gap // _MINUTES[unit])
                units = {name: t(f"campaign_studio.unit.{name}") for name in _MINUTES}
                self._unit = ui.select(units, value=unit).props("outlined dense options-dense")
                self._unit.props["aria-label"] = t("campaign_studio.unit")

    def body(self) -> dict[str, Any]:
        start, end = typed(self._start), typed(self._end)
        if not (start or end):
            return {"schedule": None}
        gap = rounded(self._gap)
        written = {
            "start": start or None,
            "end": end or None,
            "waves": rounded(self._waves),
            "wave_gap_minutes": None if gap is None else gap * _MINUTES[str(self._unit.value)],
        }
        return {"schedule": {**self._kept, **written}}

    def places(self) -> dict[str, Place]:
        return {
            "/schedule": self._start,
            "/schedule/start": self._start,
            "/schedule/end": self._end,
            "/schedule/waves": self._waves,
            "/schedule/wave_gap_minutes": self._gap,
        }
