"""Campaign studio: create and change a campaign step by step, with a simulation beside it."""

from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.frame import heading
from services.console.pages.campaign_simulation import simulation_panel
from services.console.pages.campaign_studio.choices import Choices, choices
from services.console.pages.campaign_studio.studio import DECIDED, Studio
from services.console.view import View, page
from services.console.widgets.html import html, link
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.campaign import CampaignView

# Part of the page itself: it is there as soon as the button is, and before the browser thinks of its own.
_SCRIPT = """<script>document.addEventListener('keydown', event => {
  const button = document.querySelector('[data-save]');
  if (button && (event.ctrlKey || event.metaKey) && !event.altKey && event.key.toLowerCase() === 's') {
    event.preventDefault();
    button.click();
  }
});
window.addEventListener('beforeunload', event => {
  if (document.querySelector('[data-unsaved]')) event.preventDefault();
})</script>"""


@dataclass(frozen=True)
class Opened:
    stored: CampaignView | None
    original: CampaignView | None
    known: Choices | None
    """Nothing when there is nothing to write."""


@page("/campaign-studio", title="campaign_studio.title", nav="campaigns")
async def campaign_studio_page(view: View, campaign: str = "", copy: str = "") -> None:
    ui.add_body_html(_SCRIPT)
    view.section(lambda: _fetch(view, campaign, copy), lambda opened: _draw(view, opened), height=560)


async def _fetch(view: View, campaign: str, copy: str) -> Opened:
    async def read(campaign_id: str) -> CampaignView | None:
        path = f"/v1/campaigns/{segment(campaign_id)}"
        return await view.api.get("campaign", path, CampaignView) if campaign_id else None

    stored, original = await read(campaign), await read(copy)
    writes = view.user.has(Role.strategist) and (stored is None or "edit" in stored.verbs)
    return Opened(stored, original, await choices(view) if writes else None)


def _draw(view: View, opened: Opened) -> None:
    t, stored = view.t, opened.stored
    title = t.local(stored.name) if stored else t("campaign_studio.new")
    crumb = link(t("campaigns.title"), "/campaigns")
    if stored:
        crumb += Markup(" · ") + link(stored.key, f"/campaigns/{stored.id}")
    if opened.known is None:
        with heading(title, crumb=crumb):
            pass
        with ui.element("section").classes("panel"):
            empty_state(t("campaign_studio.closed"), t("campaign_studio.closed.do"))
        return
    studio = Studio(view, opened.known, stored, opened.original)
    with heading(title, t("campaign_studio.note"), crumb):
        _actions(view, studio)
    studio.draw_head()
    with ui.element("div").classes("studio"):
        studio.draw_list()
        with ui.element("div"):
            studio.draw_forms()
        with ui.element("div").classes("beside"):
            simulation_panel(view, lambda: _simulated(view, studio), studio.places)


def _actions(view: View, studio: Studio) -> None:
    t = view.t
    ui.button(t("campaign_studio.discard"), on_click=studio.discard).props("flat no-caps")
    withdraw = ui.button(t("campaign_studio.withdraw"), on_click=studio.withdraw).props("outline no-caps")
    submit = ui.button(t("action.submit")).props("outline no-caps")

    async def save() -> None:
        button.disable()
        await studio.save()
        button.enable()

    button = ui.button(t("campaign_studio.save"), on_click=save).props("unelevated no-caps")
    button.props('aria-keyshortcuts="Control+S" data-save')
    with button:
        html(Markup('<kbd aria-hidden="true">Ctrl S</kbd>'), tag="span").style("margin-left: 8px")
    submit.on_click(studio.submit)

    def show() -> None:
        status = studio.stored.status if studio.stored else "draft"
        withdraw.set_visibility(status in DECIDED)
        submit.set_visibility(status == "draft")

    studio.after = show
    show()


async def _simulated(view: View, studio: Studio) -> CampaignView | None:
    """The campaign to simulate: it is simulated as it is stored."""
    t, stored = view.t, studio.stored
    if stored is None or studio.changes():
        ui.notify(t("campaign_studio.simulate.save"), type="warning")
        return None
    if stored.missing:
        ui.notify(t("campaign_studio.simulate.missing"), type="warning")
        return None
    return stored
