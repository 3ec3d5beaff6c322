"""The frame of every page: navigation, who is signed in, language."""

from collections.abc import Iterator
from contextlib import contextmanager

from markupsafe import Markup
from nicegui import ui

from services.console import session
from services.console.i18n import Language, Texts
from services.console.navigation import open_to
from services.console.session import User
from services.console.widgets.html import html, icon

_OTHER: dict[Language, Language] = {"zh": "en", "en": "zh"}

MARK = Markup(
    '<svg viewBox="0 0 32 32" fill="none" aria-hidden="true">'
    '<path d="M27 16a11 11 0 1 1-4.1-8.6" stroke="#6fc3d8" stroke-width="3" stroke-linecap="round"/>'
    '<path d="M23.6 2.6v5.6h-5.5" stroke="#6fc3d8" stroke-width="3" stroke-linecap="round"'
    ' stroke-linejoin="round"/><circle cx="16" cy="16" r="3.4" fill="#fff"/></svg>'
)


@contextmanager
def frame(t: Texts, user: User, nav: str) -> Iterator[None]:
    with ui.element("div").classes("shell"):
        with ui.element("div").classes("side"):
            html(_brand(t), tag="div")
            html(_links(t, user, nav), tag="nav").classes("nav").props(f'aria-label="{t("nav.label")}"')
            _who(t, user)
        with ui.element("div").classes("main"):
            yield


@contextmanager
def heading(title: str, note: str = "", crumb: Markup | None = None) -> Iterator[None]:
    """The page's title; the block holds its actions."""
    with ui.element("div").classes("page-head"):
        lines = Markup('<div class="crumbs">{}</div>').format(crumb) if crumb else Markup()
        lines += Markup("<h1>{}</h1>").format(title)
        if note:
            lines += Markup("<p>{}</p>").format(note)
        html(lines)
        with ui.element("div").classes("actions"):
            yield


def switch_language(current: Language) -> None:
    session.choose_language(_OTHER[current])
    ui.navigate.reload()


def language_button(t: Texts) -> None:
    label = "English" if t.language == "zh" else "中文"
    button = ui.element("button").classes("quiet").props('type="button"')
    button.on("click", lambda: switch_language(t.language))
    with button:
        ui.label(label)


def _brand(t: Texts) -> Markup:
    return Markup('<a class="brand" href="/">{}<b>{}<small>{}</small></b></a>').format(
        MARK, t("product"), t("product.note")
    )


def _links(t: Texts, user: User, nav: str) -> Markup:
    link = Markup('<a href="{}"{}>{}{}</a>')
    here = Markup(' aria-current="page"')
    links = Markup()
    for group, entries in open_to(user):
        links += Markup('<span class="group">{}</span>').format(t(f"nav.group.{group}")) if group else ""
        links += Markup().join(
            link.format(
                each.address, here if each.name == nav else "", icon(each.icon), t(f"nav.{each.name}")
            )
            for each in entries
        )
    return links


def _who(t: Texts, user: User) -> None:
    def leave() -> None:
        session.sign_out()
        ui.navigate.to("/sign-in")

    with ui.element("div").classes("who"):
        roles = " · ".join(t.word("role", role) for role in sorted(user.roles))
        html(Markup("<b>{}</b>{}<br>{}").format(user.name, roles, user.org))
        with ui.element("div").classes("who-actions"):
            language_button(t)
            button = ui.element("button").classes("quiet").props('type="button"').on("click", leave)
            with button:
                ui.label(t("sign_out"))
