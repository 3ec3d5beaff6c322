"""Optimisations of contacts: ask for one, and all that were made."""

import asyncio
from collections.abc import Sequence

from markupsafe import Markup
from nicegui import ui

from services.console.formats import moment
from services.console.frame import heading
from services.console.pages.words import state_tag
from services.console.view import View, page
from services.console.widgets.fields import Places
from services.console.widgets.html import html, link, table
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignSummary
from shared.contracts.campaign.optimisations import OptimisationSummary, OptimisationView

OPEN = frozenset({"draft", "in_review", "approved", "scheduled"})
"""States of a campaign that can still be planned."""
_MOST = 100
Found = tuple[Page[OptimisationSummary], Sequence[CampaignSummary]]


@page("/optimisations", title="optimise.title", nav="optimisations")
async def optimisations_page(view: View) -> None:
    with heading(view.t("optimise.title"), view.t("optimise.note")):
        pass

    async def fetch() -> Found:
        params = {"limit": _MOST}
        made, campaigns = await asyncio.gather(
            view.api.get("campaign", "/v1/optimisations", Page[OptimisationSummary], params),
            view.api.get("campaign", "/v1/campaigns", Page[CampaignSummary], params),
        )
        return made, [each for each in campaigns.items if each.status in OPEN]

    view.section(fetch, lambda found: _draw(view, found), height=320)


def _draw(view: View, found: Found) -> None:
    t = view.t
    made, campaigns = found
    if view.user.has(Role.strategist):
        _Form(view, campaigns).draw()
    with ui.element("section").classes("panel"):
        if not made.items:
            empty_state(t("optimise.empty"), t("optimise.empty.do"))
            return
        names = [t("optimise.name"), t("column.state"), t("optimise.made"), t("optimise.by")]
        html(
            table(
                names,
                [
                    [
                        link(each.name, f"/optimisations/{each.id}"),
                        state_tag(t, each.state),
                        moment(each.created_at),
                        each.created_by,
                    ]
                    for each in made.items
                ],
            )
        )


class _Form:
    """One rate for all campaigns chosen; rates by segment, minima and maxima are the API's."""

    def __init__(self, view: View, campaigns: Sequence[CampaignSummary]) -> None:
        self._view = view
        self._campaigns = {str(each.id): f"{view.t.local(each.name)} ({each.key})" for each in campaigns}

    def draw(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("optimise.new"), t("optimise.new.note")))
            with ui.element("div").classes("grid cols-2"):
                self._name = ui.input(t("optimise.name")).props("outlined dense maxlength=200")
                self._chosen = ui.select(
                    self._campaigns, label=t("optimise.campaigns"), multiple=True, with_input=True
                ).props("outlined dense use-chips")
                self._rate = ui.number(t("optimise.rate"), value=2, min=0, max=100).props("outlined dense")
                self._minutes = ui.number(t("optimise.minutes"), value=600, min=0).props("outlined dense")
                self._most = ui.number(t("optimise.capacity"), min=0).props("outlined dense")
                self._budget = ui.number(t("optimise.budget"), min=0).props("outlined dense")
            self._run = ui.button(t("optimise.run"), on_click=self._start).props("unelevated no-caps")

    async def _start(self) -> None:
        self._run.disable()
        rate = (self._rate.value or 0) / 100
        body: dict[str, object] = {
            "name": self._name.value,
            "campaigns": [{"campaign_id": each, "response_rate": rate} for each in self._chosen.value or []],
            "minutes_per_manager": self._minutes.value or 0,
        }
        if self._most.value is not None:
            body["channel_capacity"] = {"manager_task": int(self._most.value)}
        if self._budget.value is not None:
            body["budget"] = f"{self._budget.value:.2f}"
        places: Places = {
            "/name": self._name,
            "/campaigns": self._chosen,
            "/minutes_per_manager": self._minutes,
            "/channel_capacity": self._most,
            "/budget": self._budget,
        }
        made = await self._view.attempt(
            self._view.api.post("campaign", "/v1/optimisations", OptimisationView, body), places
        )
        self._run.enable()
        if made is not None:
            ui.navigate.to(f"/optimisations/{made.id}")
