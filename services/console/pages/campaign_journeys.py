"""How the journeys of a campaign go: each step with who came, who is there, and what came of contacts."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import whole
from services.console.i18n import Texts
from services.console.view import View
from services.console.widgets.html import Cell, html, table
from shared.contracts.campaign import CampaignView
from shared.contracts.campaign.journeys import CampaignJourneys, JourneyProgress, JourneyStepProgress


def has_journeys(campaign: CampaignView) -> bool:
    return campaign.scheme is not None and any(arm.journey for arm in campaign.scheme.arms)


def draw_journeys(view: View, campaign: CampaignView) -> None:
    """One table for each arm that has a journey; asked again by a button."""
    t = view.t

    async def fetch() -> CampaignJourneys | None:
        path = f"/v1/campaigns/{segment(campaign.id)}/journeys"
        return await view.optional(view.api.get("campaign", path, CampaignJourneys))

    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("journey.title"), t("journey.note")))
            again = ui.button(t("trigger.again")).props("outline no-caps")
        load = view.section(fetch, lambda found: _draw(t, found.arms if found else []), height=160)
    again.on_click(load)


def _draw(t: Texts, found: list[JourneyProgress]) -> None:
    columns = [t(f"journey.column.{name}") for name in ("step", "kind", "reached", "here", "contacts")]
    for each in found:
        endings = " · ".join(
            f"{t.word('journey.ending', ending)} {whole(count)}" for ending, count in each.endings.items()
        )
        running = t("journey.running", n=whole(each.running))
        html(Markup("<h3>{}</h3><p>{}</p>").format(each.arm, " · ".join(filter(None, [running, endings]))))
        rows = [_row(t, step) for step in each.steps]
        html(table([*columns, t("journey.column.outcomes"), t("journey.column.refused")], rows))


def _row(t: Texts, step: JourneyStepProgress) -> list[Cell]:
    is_contact = step.kind == "contact"
    outcomes = [f"{t.word('disposition', name)} {whole(count)}" for name, count in step.outcomes.items()]
    refused = [f"{t.word('reason', name)} {whole(count)}" for name, count in step.refused.items()]
    return [
        step.step,
        t.word("journey.kind", step.kind),
        whole(step.reached),
        whole(step.here),
        whole(step.contacts) if is_contact else "",
        ", ".join(outcomes),
        ", ".join(refused),
    ]
