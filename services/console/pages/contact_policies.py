"""Contact policies: how often, how soon again and at what hours customers may be contacted."""

from collections.abc import Awaitable, Callable, Mapping

from markupsafe import Markup
from nicegui import ui

from services.console.formats import day, moment, whole
from services.console.frame import heading
from services.console.view import View, page
from services.console.widgets.dialogs import form
from services.console.widgets.fields import LocalField, Places, number_field, rounded, text_field
from services.console.widgets.html import facts, html, tag
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.contact_policies import ContactPolicyView

Reload = Callable[[], Awaitable[None]]
_SHOWN_DAYS = 12


@page("/contact-policies", title="policies.title", nav="contact-policies")
async def contact_policies_page(view: View) -> None:
    t = view.t

    async def again() -> None:
        await reload()

    async def write() -> None:
        if await _Form(view, None).ask() is not None:
            await again()

    with heading(t("policies.title"), t("policies.note")):
        if view.user.has(Role.strategist):
            view.bank_wide(ui.button(t("policies.write"), on_click=write)).props("unelevated no-caps")
    reload = view.section(lambda: _fetch(view), lambda found: _draw(view, found, again), height=320)


async def _fetch(view: View) -> list[ContactPolicyView]:
    """The version of each key that holds."""
    found = await view.api.get("campaign", "/v1/contact-policies", Page[ContactPolicyView], {"limit": 1000})
    return list({each.key: each for each in found.items}.values())


def _draw(view: View, policies: list[ContactPolicyView], again: Reload) -> None:
    t = view.t
    if not policies:
        with ui.element("section").classes("panel"):
            empty_state(t("policies.empty"), t("policies.empty.do"))
        return
    with ui.element("div").classes("grid cols-2"):
        for policy in policies:
            _draw_policy(view, policy, again)


def _draw_policy(view: View, policy: ContactPolicyView, again: Reload) -> None:
    t = view.t

    async def change() -> None:
        if await _Form(view, policy).ask() is not None:
            await again()

    quiet, days = policy.quiet_hours, policy.rest_days
    hours = f"{quiet.start:%H:%M}–{quiet.end:%H:%M}" if quiet else t("policies.none")
    rest = [day(one) for one in days[:_SHOWN_DAYS]]
    if len(days) > _SHOWN_DAYS:
        rest.append(t("policies.more", n=whole(len(days) - _SHOWN_DAYS)))
    with ui.element("section").classes("panel"):
        head = Markup('<div class="panel-head"><h2>{}</h2>{}</div>')
        html(head.format(t.local(policy.name), tag(f"{policy.key}@{policy.version}")))
        html(
            facts(
                [
                    (t("policies.cap"), t("policies.cap.is", n=policy.cap.contacts, days=policy.cap.days)),
                    (t("policies.cool_down"), t("policies.days", n=whole(policy.cool_down_days))),
                    (t("policies.quiet"), hours),
                    (t("policies.weekends"), t("yes") if policy.rest_on_weekends else t("no")),
                    (t("policies.rest_days"), "、".join(rest) or t("policies.none")),
                    (t("policies.written"), f"{moment(policy.created_at)} · {policy.created_by}"),
                ]
            )
        )
        if view.user.has(Role.strategist):
            with ui.element("div").classes("actions"):
                view.bank_wide(ui.button(t("policies.change"), on_click=change)).props(
                    "outline no-caps dense"
                )


class _Form:
    """Writes the next version of a policy, or the first."""

    def __init__(self, view: View, policy: ContactPolicyView | None) -> None:
        self._view, self._policy = view, policy

    async def ask(self) -> ContactPolicyView | None:
        t = self._view.t
        title = t("policies.change") if self._policy else t("policies.write")
        return await form(t, title=title, note=t("policies.form.note"), draw=self._fields, save=self._save)

    def _fields(self) -> None:
        t, policy = self._view.t, self._policy
        self._key = text_field(t("field.key"), policy.key if policy else "default")
        if policy:
            self._key.disable()
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._name = LocalField(t, t("field.name"), policy.name if policy else None)
            self._contacts = number_field(t("policies.contacts"), policy.cap.contacts if policy else 2)
            self._days = number_field(t("policies.cap_days"), policy.cap.days if policy else 30)
            quiet = policy.quiet_hours if policy else None
            self._start = text_field(t("policies.quiet.start"), f"{quiet.start:%H:%M}" if quiet else "")
            self._end = text_field(t("policies.quiet.end"), f"{quiet.end:%H:%M}" if quiet else "")
            self._cool_down = number_field(t("policies.cool_down"), policy.cool_down_days if policy else 0)
            self._weekends = ui.checkbox(
                t("policies.weekends"), value=policy.rest_on_weekends if policy else False
            )
        days = "\n".join(one.isoformat() for one in policy.rest_days) if policy else ""
        self._rest_days = ui.textarea(t("policies.rest_days.field"), value=days)
        self._rest_days.props("outlined autogrow spellcheck=false")

    async def _save(self) -> ContactPolicyView | None:
        start, end = str(self._start.value or "").strip(), str(self._end.value or "").strip()
        body: Mapping[str, object] = {
            "key": str(self._key.value or "").strip(),
            "name": self._name.body(),
            "cap": {"contacts": rounded(self._contacts), "days": rounded(self._days)},
            "cool_down_days": rounded(self._cool_down),
            "quiet_hours": {"start": start, "end": end} if start or end else None,
            "rest_on_weekends": bool(self._weekends.value),
            "rest_days": str(self._rest_days.value or "").split(),
        }
        places: Places = {
            "/key": self._key,
            **self._name.places("/name"),
            "/cap/contacts": self._contacts,
            "/cap/days": self._days,
            "/cool_down_days": self._cool_down,
            "/quiet_hours": self._start,
            "/quiet_hours/end": self._end,
            "/rest_days": self._rest_days,
        }
        written = await self._view.attempt(
            self._view.api.post("campaign", "/v1/contact-policies", ContactPolicyView, body), places
        )
        if written is not None:
            self._view.done(self._view.t("policies.done", ref=f"{written.key}@{written.version}"))
        return written
