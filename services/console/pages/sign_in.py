"""Sign-in: demo users where this installation signs tokens itself, else a token of the bank's own."""

import asyncio
from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console import session
from services.console.api import Api, ApiProblem, segment
from services.console.frame import language_button
from services.console.i18n import Texts
from services.console.navigation import OVERSEERS
from services.console.runtime import runtime
from services.console.view import advice, speak
from services.console.widgets.html import html
from services.console.widgets.ring import ring
from shared.auth import DEMO_USERS, DemoUser, LocalIssuer, Role
from shared.contracts.base import Page
from shared.contracts.customer import StaffView
from shared.errors import ProblemError

_LOOKUP_MINUTES = 2
_LISTED = 500
_PATIENCE_SECONDS = 1.5
_HEAD_OFFICE = "hq"


@ui.page("/sign-in")
async def sign_in_page(next: str = "/", expired: str = "") -> None:  # noqa: A002  (the address's own word)
    t = Texts(session.language())
    speak(t)
    ui.page_title(f"{t('sign_in.title')} · {t('product')}")
    target = next if next.startswith("/") and not next.startswith(("//", "/\\")) else "/"
    with ui.element("div").classes("door"):
        html(
            Markup("{}<h1>{}</h1><p>{}</p>").format(ring(t), t("sign_in.headline"), t("sign_in.lead"))
        ).classes("door-left")
        with ui.element("div").classes("door-right"), ui.element("div").classes("door-form"):
            html(
                Markup("<h2>{}</h2><p class='muted'>{}</p>").format(
                    t("sign_in.title"), _note(t, expired=bool(expired))
                )
            )
            issuer = runtime().issuer
            if issuer is None:
                _token_form(t, target)
            else:
                await _demo_users(t, issuer, target)
            with ui.element("p").style("margin-top: 22px"):
                language_button(t)


def _note(t: Texts, *, expired: bool) -> str:
    if expired:
        return t("sign_in.expired")
    return t("sign_in.token.note" if runtime().issuer is None else "sign_in.note")


async def _demo_users(t: Texts, issuer: LocalIssuer, target: str) -> None:
    with ui.element("div").classes("stack"):
        for user in DEMO_USERS:
            _pick(t, user, lambda user=user: _enter(issuer, user, target))  # type: ignore[misc]
        html(Markup("<p class='muted small'>{}</p>").format(t("sign_in.staff.note")))
        with ui.element("div").classes("filters"):
            choice = ui.select(
                {person.code: _describe(t, person) for person in await _staff(issuer)},
                label=t("sign_in.staff"),
                with_input=True,
                new_value_mode="add-unique",
            )
            choice.props("outlined dense options-dense").style("flex: 1")

            async def by_staff_code() -> None:
                await _as_staff(t, issuer, str(choice.value or "").strip(), target)

            ui.button(t("sign_in.enter"), on_click=by_staff_code).props("unelevated no-caps")


async def _staff(issuer: LocalIssuer) -> list[StaffView]:
    """Branch heads and managers of the loaded bank; none when it does not answer at once."""
    api = Api(runtime().clients, _lookup_token(issuer))
    try:
        async with asyncio.timeout(_PATIENCE_SECONDS):
            pages = await asyncio.gather(
                *(
                    api.get("customer", "/v1/staff", Page[StaffView], {"role": role, "limit": _LISTED})
                    for role in ("branch_head", "manager")
                )
            )
    except (TimeoutError, ApiProblem):
        return []
    return [person for page in pages for person in page.items]


def _describe(t: Texts, person: StaffView) -> str:
    return f"{person.code} · {person.name} · {t.word('role', person.role)} · {person.org}"


def _lookup_token(issuer: LocalIssuer) -> str:
    return issuer.token("sign-in", roles=[Role.auditor], org=_HEAD_OFFICE, minutes=_LOOKUP_MINUTES)


def _pick(t: Texts, user: DemoUser, enter: Callable[[], Awaitable[None]]) -> None:
    roles = " · ".join(t.word("role", role) for role in user.roles)
    button = ui.element("button").classes("pick").props('type="button"').on("click", enter)
    with button:
        html(Markup("{}").format(user.name))
        html(Markup("{}").format(roles), tag="span").classes("tag")
        html(Markup("{}").format(f"{user.org} · {user.staff or user.id}"), tag="span")


async def _enter(issuer: LocalIssuer, user: DemoUser, target: str) -> None:
    token = issuer.token(user.id, roles=list(user.roles), org=user.org, name=user.name, staff=user.staff)
    await _accept(token, target)


async def _as_staff(t: Texts, issuer: LocalIssuer, code: str, target: str) -> None:
    """A branch head or manager of the loaded bank: unit and role come from the staff list."""
    if not code:
        ui.notify(t("sign_in.staff.missing"), type="warning")
        return
    api = Api(runtime().clients, _lookup_token(issuer))
    try:
        staff = await api.get("customer", f"/v1/staff/{segment(code)}", StaffView)
    except ApiProblem as problem:
        text = t("sign_in.staff.unknown", code=code) if problem.status == 404 else advice(t, problem)
        ui.notify(text, type="negative")
        return
    user = DemoUser(code.lower(), staff.name, (Role(staff.role),), staff.org, code)
    await _enter(issuer, user, target)


def _token_form(t: Texts, target: str) -> None:
    with ui.element("div").classes("stack"):
        token = (
            ui.textarea(t("sign_in.token"))
            .props("outlined autocomplete=off spellcheck=false")
            .classes("code")
        )

        async def check() -> None:
            try:
                await _accept(str(token.value or "").strip().removeprefix("Bearer "), target)
            except ProblemError as problem:
                ui.notify(f"{t('sign_in.token.refused')} {problem.detail}", type="negative", multi_line=True)

        ui.button(t("sign_in.enter"), on_click=check).props("unelevated no-caps")


async def _accept(token: str, target: str) -> None:
    user = session.sign_in(token, await runtime().authenticator.by_token(token))
    ui.navigate.to("/tasks" if target == "/" and not user.has(*OVERSEERS) else target)
