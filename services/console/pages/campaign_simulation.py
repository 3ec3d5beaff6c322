"""What a launch would do with the audience as it stands: asked for before anybody is contacted."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, moment, whole
from services.console.view import View
from services.console.widgets.html import Cell, facts, html
from services.console.widgets.states import skeleton
from shared.auth import Role
from shared.contracts.campaign import CampaignView, Simulation


def draw_simulation(view: View, campaign: CampaignView) -> None:
    if campaign.missing or not view.user.has(Role.strategist):
        return
    t = view.t
    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("simulation.title"), t("simulation.note")))
            button = ui.button(t("simulation.run")).props("outline no-caps")
        shown = ui.element("div").props('aria-live="polite"')

    async def run() -> None:
        button.disable()
        shown.clear()
        with shown:
            skeleton(80)
        path = f"/v1/campaigns/{segment(campaign.id)}:simulate"
        found = await view.attempt(view.api.post("campaign", path, Simulation))
        button.enable()
        shown.clear()
        if found is not None:
            with shown:
                html(facts(_outcome(view, found)))

    button.on_click(run)


def _outcome(view: View, found: Simulation) -> list[tuple[str, Cell]]:
    t = view.t
    kept = [
        f"{t.word('reason', reason)} {whole(count)}" for reason, count in found.suppressed.items() if count
    ]
    arms = [f"{arm} {whole(count)}" for arm, count in found.arms.items()]
    smallest = found.minimum_detectable_effect
    minutes = found.manager_minutes
    lately = found.trigger
    since = t("trigger.estimate", n=whole(lately.moved), time=moment(lately.since)) if lately else ""
    return [
        *([(t("fix.trigger"), since)] if lately else []),
        (t("books.audience"), whole(found.audience)),
        (t("books.suppressed"), " · ".join(kept) or NOTHING),
        (t("simulation.arms"), " · ".join(arms) or NOTHING),
        (t("books.held_out"), whole(found.hold_out)),
        (
            t("simulation.minutes"),
            t(
                "simulation.minutes.of",
                needed=whole(minutes.needed),
                available=whole(minutes.available),
                managers=whole(found.managers),
            ),
        ),
        (t("simulation.beyond"), _beyond(view, found.beyond_capacity)),
        (t("simulation.away"), _away(view, found)),
        (
            t("simulation.smallest"),
            NOTHING if smallest is None else t("simulation.deviations", n=f"{smallest:.2f}"),
        ),
    ]


def _beyond(view: View, contacts: int) -> str:
    return view.t("simulation.beyond.of", n=whole(contacts)) if contacts else NOTHING


def _away(view: View, found: Simulation) -> str:
    if not found.away:
        return NOTHING
    return view.t("simulation.away.of", managers=whole(found.away), nobody=whole(found.nobody_there))
