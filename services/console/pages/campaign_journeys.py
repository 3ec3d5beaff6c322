"""The journeys of a campaign, and how they go: who came to a step, who is there, and what came of it."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import percent, whole
from services.console.i18n import Texts
from services.console.pages.words import Names
from services.console.view import View
from services.console.widgets.html import Cell, html, table
from shared.contracts.campaign import CampaignView
from shared.contracts.campaign.journeys import (
    BranchCase,
    BranchStep,
    CampaignJourneys,
    ContactStep,
    JourneyStep,
    JourneyStepProgress,
    SplitStep,
    UntilStep,
    WaitStep,
    leads,
)

_UNITS = {"days": 24 * 60, "hours": 60, "minutes": 1}


def has_journeys(campaign: CampaignView) -> bool:
    return campaign.scheme is not None and any(arm.journey for arm in campaign.scheme.arms)


def draw_journeys(view: View, campaign: CampaignView, names: Names) -> None:
    """One table for each arm that has a journey; asked again by a button."""
    t = view.t

    async def fetch() -> CampaignJourneys | None:
        path = f"/v1/campaigns/{segment(campaign.id)}/journeys"
        return await view.optional(view.api.get("campaign", path, CampaignJourneys))

    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("journey.title"), t("journey.note")))
            again = ui.button(t("trigger.again")).props("outline no-caps")
        load = view.section(fetch, lambda found: _draw(t, campaign, found, names), height=160)
    again.on_click(load)


def _draw(t: Texts, campaign: CampaignView, found: CampaignJourneys | None, names: Names) -> None:
    columns = [
        t(f"journey.column.{name}")
        for name in ("step", "kind", "what", "leads", "reached", "here", "contacts", "outcomes", "refused")
    ]
    arms = {arm.key: arm for arm in campaign.scheme.arms} if campaign.scheme else {}
    for each in found.arms if found else []:
        journey = arms[each.arm].journey
        plan = {step.key: step for step in journey.steps} if journey else {}
        endings = " · ".join(
            f"{t.word('journey.ending', ending)} {whole(count)}" for ending, count in each.endings.items()
        )
        running = t("journey.running", n=whole(each.running))
        html(Markup("<h3>{}</h3><p>{}</p>").format(each.arm, " · ".join(filter(None, [running, endings]))))
        html(table(columns, [_row(t, step, plan[step.step], names) for step in each.steps]))


def _row(t: Texts, step: JourneyStepProgress, plan: JourneyStep, names: Names) -> list[Cell]:
    outcomes = [f"{t.word('disposition', name)} {whole(count)}" for name, count in step.outcomes.items()]
    refused = [f"{t.word('reason', name)} {whole(count)}" for name, count in step.refused.items()]
    return [
        step.step,
        t.word("journey.kind", step.kind),
        _what(t, plan, names),
        " / ".join(to or t("journey.end") for _, to in leads(plan)),
        whole(step.reached),
        whole(step.here),
        whole(step.contacts) if isinstance(plan, ContactStep) else "",
        ", ".join(outcomes),
        ", ".join(refused),
    ]


def _what(t: Texts, step: JourneyStep, names: Names) -> str:
    match step:
        case ContactStep():
            return " · ".join([t.word("channel", step.channel), step.script, *step.materials])
        case WaitStep():
            return _time(t, step.minutes)
        case UntilStep():
            inside = t("journey.in" if step.member else "journey.out", segment=names.segment(step.segment))
            return f"{inside} · {t('journey.most', time=_time(t, step.minutes))}"
        case BranchStep():
            return " / ".join(_case(t, each, names) for each in step.cases)
        case SplitStep():
            return " / ".join(percent(path.share, 0) for path in step.paths)


def _case(t: Texts, case: BranchCase, names: Names) -> str:
    parts = [", ".join(t.word("disposition", name) for name in case.outcomes)]
    if case.segment is not None:
        parts.append(t("journey.in" if case.member else "journey.out", segment=names.segment(case.segment)))
    return " · ".join(filter(None, parts))


def _time(t: Texts, minutes: int) -> str:
    unit, size = next((name, size) for name, size in _UNITS.items() if minutes % size == 0)
    return f"{whole(minutes // size)} {t(f'campaign_studio.journey.{unit}')}"
