"""Who came into a campaign by its trigger, and what was decided."""

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import moment, whole
from services.console.i18n import Texts
from services.console.pages.words import Names
from services.console.view import View
from services.console.widgets.html import Cell, html, link, table, tag
from services.console.widgets.states import empty_state
from shared.contracts.base import Page
from shared.contracts.campaign import CampaignView
from shared.contracts.campaign.triggers import Trigger, TriggeredContact, TriggerProgress

_SHOWN = 20


def trigger_words(t: Texts, trigger: Trigger, names: Names) -> str:
    return t(f"trigger.{trigger.on}", segment=names.segment(trigger.segment))


def draw_trigger(view: View, campaign: CampaignView, progress: TriggerProgress, names: Names) -> None:
    """What opens the campaign, who waits, and the last who came; asked again by a button."""
    t = view.t

    async def fetch() -> Page[TriggeredContact] | None:
        path = f"/v1/campaigns/{segment(campaign.id)}/triggered"
        return await view.optional(view.api.get("campaign", path, Page[TriggeredContact], {"limit": _SHOWN}))

    with ui.element("section").classes("panel"):
        with ui.element("div").classes("panel-head"):
            html(Markup("<h2>{}</h2><p>{}</p>").format(t("trigger.title"), _line(t, progress, names)))
            again = ui.button(t("trigger.again")).props("outline no-caps")
        load = view.section(fetch, lambda found: _draw(view, found, names), height=120)
    again.on_click(load)


def _line(t: Texts, progress: TriggerProgress, names: Names) -> Markup:
    what = t(f"trigger.{progress.on}", segment=names.segment(progress.segment))
    since = t("trigger.since", time=moment(progress.opened_at))
    parts: list[Cell] = [f"{what} · {since}"]
    if progress.waiting:
        parts.append(tag(t("trigger.waiting", n=whole(progress.waiting)), "warn"))
    if progress.outdated:
        parts.append(tag(t("trigger.outdated"), "bad"))
    return Markup(" ").join(parts)


def _draw(view: View, found: Page[TriggeredContact] | None, names: Names) -> None:
    t = view.t
    if found is None or not found.items:
        empty_state(t("trigger.empty"), t("trigger.empty.do"))
        return
    columns = [t(f"column.{name}") for name in ("customer", "moved", "decided", "state", "arm")]
    html(table([*columns, t("trigger.branch")], [_row(t, each, names) for each in found.items]))


def _row(t: Texts, each: TriggeredContact, names: Names) -> list[Cell]:
    state = t.word("ledger", each.state)
    reason = f" · {t.word('reason', each.reason)}" if each.reason else ""
    return [
        link(str(each.customer_id)[-8:], f"/customers/{each.customer_id}"),
        moment(each.moved_at),
        moment(each.decided_at),
        state + reason,
        each.arm or "",
        names.org(each.branch),
    ]
