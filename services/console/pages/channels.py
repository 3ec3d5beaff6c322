"""Channels: how messages reach customers, what each is allowed to carry, and whether it works."""

import asyncio
from collections.abc import Awaitable, Callable
from dataclasses import dataclass

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.formats import NOTHING, exact_money, moment, whole
from services.console.frame import heading
from services.console.pages import channel_form
from services.console.view import View, page
from services.console.widgets.dialogs import form
from services.console.widgets.fields import Places, text_field
from services.console.widgets.html import Cell, facts, html, table, tag, two_lines
from services.console.widgets.states import empty_state
from shared.auth import Role
from shared.contracts.base import Page
from shared.contracts.campaign.channels import (
    ChannelTestView,
    ChannelView,
    FileConnector,
    SandboxConnector,
    SmtpConnector,
    WebhookConnector,
)

Reload = Callable[[], Awaitable[None]]
_TESTS = 3
_TONES = {"accepted": "good", "delivered": "good", "refused": "bad", "failed": "bad", "unknown": "warn"}


@dataclass(frozen=True)
class Shelf:
    channels: list[ChannelView]
    tests: list[list[ChannelTestView]]


@page("/channels", title="channels.title", nav="channels")
async def channels_page(view: View) -> None:
    t = view.t

    async def again() -> None:
        await reload()

    async def write() -> None:
        if await channel_form.ask(view, None) is not None:
            await again()

    with heading(t("channels.title"), t("channels.note")):
        if view.user.has(Role.strategist):
            view.bank_wide(ui.button(t("channels.write"), on_click=write)).props("unelevated no-caps")
    reload = view.section(lambda: _fetch(view), lambda shelf: _draw(view, shelf, again), height=320)


def _keeps(view: View) -> bool:
    return view.user.has(Role.strategist) and view.user.at_head_office


async def _fetch(view: View) -> Shelf:
    found = await view.api.get("campaign", "/v1/channels", Page[ChannelView], {"limit": 1000})
    tests = await asyncio.gather(*(_tests(view, each.key) for each in found.items))
    return Shelf(found.items, tests)


async def _tests(view: View, key: str) -> list[ChannelTestView]:
    path = f"/v1/channels/{segment(key)}/tests"
    return (await view.api.get("campaign", path, Page[ChannelTestView], {"limit": _TESTS})).items


def _draw(view: View, shelf: Shelf, again: Reload) -> None:
    t = view.t
    if not shelf.channels:
        with ui.element("section").classes("panel"):
            empty_state(t("channels.empty"), t("channels.empty.do"))
        return
    with ui.element("div").classes("grid cols-2"):
        for channel, tests in zip(shelf.channels, shelf.tests, strict=True):
            _draw_channel(view, channel, tests, again)


def _draw_channel(view: View, channel: ChannelView, tests: list[ChannelTestView], again: Reload) -> None:
    t = view.t
    state = tag(t.word("channel_state", channel.state), "good" if channel.state == "enabled" else "")
    with ui.element("section").classes("panel"):
        head = Markup('<div class="panel-head"><h2>{}</h2><span>{} {}</span></div>')
        html(head.format(t.local(channel.name), tag(channel.key), state))
        html(facts(_facts(view, channel)))
        if tests:
            html(_last_tests(view, tests))
        if _keeps(view):
            _draw_actions(view, channel, again)


def _facts(view: View, channel: ChannelView) -> list[tuple[str, Cell]]:
    t = view.t
    rate = t("channels.rate.is", minute=whole(channel.per_minute), day=whole(channel.daily_capacity))
    secrets = [
        t(f"channels.{name}")
        for name, has in (("secret", channel.has_secret), ("password", channel.has_password))
        if has
    ]
    connector = two_lines(t.word("connector", channel.connector.type), _reached(view, channel))
    return [
        (t("channels.kind"), t.word("channel_kind", channel.kind)),
        (t("channels.connector"), connector),
        (t("channels.consent"), t.word("channel", channel.consent)),
        (t("channels.rate"), rate),
        (t("channels.cost"), exact_money(channel.cost, channel.currency)),
        (t("channels.secrets"), "、".join(secrets) or NOTHING),
    ]


def _reached(view: View, channel: ChannelView) -> str:
    match channel.connector:
        case WebhookConnector(url=url):
            return url
        case SmtpConnector(host=host, port=port, sender=sender):
            return f"{sender} · {host}:{port}"
        case FileConnector(folder=folder, format=kind):
            return f"{folder} · {kind.upper()}"
        case SandboxConnector() as sandbox:
            shares = {"delivered": f"{sandbox.delivered:.0%}", "failed": f"{sandbox.failed:.0%}"}
            return view.t("channels.sandbox.is", **shares)


def _last_tests(view: View, tests: list[ChannelTestView]) -> Markup:
    t = view.t
    rows: list[list[Cell]] = [
        [
            two_lines(moment(each.at), each.by),
            tag(t.word("submission", each.outcome), _TONES[each.outcome]),
            each.detail or each.reference or NOTHING,
        ]
        for each in tests
    ]
    return table([t("channels.tested"), t("channels.outcome"), t("channels.said")], rows)


def _draw_actions(view: View, channel: ChannelView, again: Reload) -> None:
    t, on = view.t, channel.state == "enabled"
    path = f"/v1/channels/{segment(channel.key)}"

    async def change() -> None:
        if await channel_form.ask(view, channel) is not None:
            await again()

    async def switch() -> None:
        verb = "disable" if on else "enable"
        if await view.attempt(view.api.post("campaign", f"{path}:{verb}", ChannelView, {})) is not None:
            await again()

    async def try_it() -> None:
        if await _TestForm(view, channel, path).ask() is not None:
            await again()

    with ui.element("div").classes("actions"):
        ui.button(t("channels.change"), on_click=change).props("outline no-caps dense")
        ui.button(t("channels.test"), on_click=try_it).props("outline no-caps dense")
        ui.button(t("channels.disable" if on else "channels.enable"), on_click=switch).props(
            "flat no-caps dense" if on else "unelevated no-caps dense"
        )


class _TestForm:
    """One message to an address of the bank's own."""

    def __init__(self, view: View, channel: ChannelView, path: str) -> None:
        self._view, self._channel, self._path = view, channel, path

    async def ask(self) -> ChannelTestView | None:
        t = self._view.t
        title = t("channels.test.title", name=t.local(self._channel.name))
        note, send = t("channels.test.note"), t("channels.test.send")
        return await form(t, title=title, note=note, draw=self._fields, save=self._send, button_text=send)

    def _fields(self) -> None:
        t, mail = self._view.t, self._channel.kind == "email"
        self._recipient = text_field(t("channels.recipient"))
        self._subject = text_field(t("channels.subject"), t("channels.test.text") if mail else "")
        self._subject.set_visibility(mail)
        self._body = ui.textarea(t("channels.body"), value=t("channels.test.text"))
        self._body.props("outlined autogrow maxlength=2000")

    async def _send(self) -> ChannelTestView | None:
        body = {
            "recipient": str(self._recipient.value or "").strip(),
            "subject": str(self._subject.value or "").strip() or None,
            "body": str(self._body.value or ""),
            "language": self._view.t.language,
        }
        places: Places = {"/recipient": self._recipient, "/subject": self._subject, "/body": self._body}
        sent = self._view.api.post("campaign", f"{self._path}:test", ChannelTestView, body)
        return await self._view.attempt(sent, places)
