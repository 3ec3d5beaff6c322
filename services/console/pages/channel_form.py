"""Setting up and changing a channel: what it is, and how its provider is reached."""

from typing import Any, get_args

from markupsafe import Markup
from nicegui import ui

from services.console.api import segment
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import LocalField, Place, Remark, number_field, rounded, text_field
from services.console.widgets.html import html
from shared.contracts.campaign.channels import ChannelKind, ChannelView, ConnectorType
from shared.contracts.events import Channel as ConsentChannel

_USUAL: dict[str, dict[str, Any]] = {
    "webhook": {"url": "", "batch": 1},
    "smtp": {
        "host": "",
        "port": 587,
        "security": "starttls",
        "username": "",
        "sender": "",
        "sender_name": "",
    },
    "file": {"folder": "", "format": "csv", "batch": 500},
    "sandbox": {"delivered": 0.95, "failed": 0.03, "receipt_seconds": 2},
}
"""The fields of each type, with what they begin with."""
_CHOICES = {
    "security": ("channel_security.", ("starttls", "tls", "none")),
    "format": ("channel_format.", ("csv", "ndjson")),
}
"""Values of a field to choose from, and where their words are found."""
_SHARES = frozenset({"delivered", "failed"})


async def ask(view: View, channel: ChannelView | None) -> ChannelView | None:
    """The channel that was saved, or nothing when the user turned back."""
    asked, name = _Form(view, channel), "change" if channel else "write"
    title, note = view.t(f"channels.{name}"), view.t("channels.form.note")
    return await form(view.t, title=title, note=note, draw=asked.draw, save=asked.save, wide=True)


class _Connector:
    """Shows the fields of the type that is chosen."""

    def __init__(self, view: View, channel: ChannelView | None) -> None:
        t = view.t
        self._t = t
        self._known = channel.connector.model_dump() if channel else {"type": "webhook"}
        types = {each: t.word("connector", each) for each in get_args(ConnectorType)}
        self.type = ui.select(types, value=self._known["type"], label=t("channels.connector"))
        self.type.props("outlined dense options-dense")
        self._box = ui.element("div").classes("grid cols-2").style("gap: 10px")
        self._remark = Remark()
        self._fields: dict[str, Any] = {}
        self._password: ui.input | None = None
        self._draw()
        self.type.on_value_change(self._draw)

    def _draw(self) -> None:
        chosen = str(self.type.value)
        known = self._known if self._known["type"] == chosen else {}
        self._box.clear()
        self._password = None
        with self._box:
            self._fields = {
                name: self._field(name, usual if known.get(name) is None else known[name])
                for name, usual in _USUAL[chosen].items()
            }
            if chosen == "smtp":
                self._password = secret_field(self._t("channels.password.new"))

    def _field(self, name: str, value: Any) -> Any:
        label = self._t(f"channels.connector.{name}")
        if name in _CHOICES:
            words, values = _CHOICES[name]
            choices = {each: self._t(f"{words}{each}") for each in values}
            return ui.select(choices, value=value, label=label).props("outlined dense options-dense")
        if isinstance(value, float):
            return number_field(label, round(value * 100, 4), suffix="%")
        return number_field(label, value) if isinstance(value, int) else text_field(label, value)

    def body(self) -> dict[str, Any]:
        body: dict[str, Any] = {"type": self.type.value}
        for name, field in self._fields.items():
            if name in _SHARES:
                body[name] = None if field.value is None else round(field.value / 100, 6)
            elif isinstance(field, ui.number):
                body[name] = rounded(field)
            else:
                body[name] = str(field.value or "").strip() or None
        if self._password is not None and self._password.value:
            body["password"] = self._password.value
        return body

    def places(self, at: str) -> dict[str, Place]:
        places: dict[str, Place] = {at: self._remark, f"{at}/type": self.type}
        places |= {f"{at}/{name}": field for name, field in self._fields.items()}
        return places | ({f"{at}/password": self._password} if self._password else {})


class _Form:
    def __init__(self, view: View, channel: ChannelView | None) -> None:
        self._view, self._channel = view, channel

    def draw(self) -> None:
        t, channel = self._view.t, self._channel
        with ui.element("div").classes("grid cols-3").style("gap: 10px"):
            self._key = text_field(t("field.key"), channel.key if channel else "")
            self._name = LocalField(t, t("field.name"), channel.name if channel else None)
            kinds = {each: t.word("channel_kind", each) for each in get_args(ChannelKind)}
            consents = {each: t.word("channel", each) for each in get_args(ConsentChannel)}
            self._kind = ui.select(kinds, value=channel.kind if channel else "sms", label=t("channels.kind"))
            consent = channel.consent if channel else "sms"
            self._consent = ui.select(consents, value=consent, label=t("channels.consent"))
            self._per_minute = number_field(t("channels.per_minute"), channel.per_minute if channel else 600)
            daily = channel.daily_capacity if channel else 100_000
            self._daily = number_field(t("channels.daily_capacity"), daily)
            self._cost = text_field(t("channels.cost"), str(channel.cost) if channel else "0.05")
            self._currency = text_field(t("field.currency"), channel.currency if channel else "CNY")
        for choice in (self._kind, self._consent):
            choice.props("outlined dense options-dense")
        html(Markup("<h3>{}</h3>").format(t("channels.provider")))
        self._connector = _Connector(self._view, channel)
        self._secret = secret_field(t("channels.secret.new"))
        if channel is not None:
            for fixed in (self._key, self._kind, self._consent):
                fixed.disable()

    async def save(self) -> ChannelView | None:
        api, channel, body = self._view.api, self._channel, self._body()
        if channel is None:
            body |= {"key": str(self._key.value or "").strip()}
            body |= {"kind": self._kind.value, "consent": self._consent.value}
            sent = api.post("campaign", "/v1/channels", ChannelView, body)
        else:
            path = f"/v1/channels/{segment(channel.key)}"
            sent = api.patch("campaign", path, ChannelView, body, if_match=channel.version)
        saved = await self._view.attempt(sent, self._places())
        if saved is not None:
            self._view.done(self._view.t("channels.done", ref=saved.key))
        return saved

    def _body(self) -> dict[str, Any]:
        body = {
            "name": self._name.body(),
            "per_minute": rounded(self._per_minute),
            "daily_capacity": rounded(self._daily),
            "cost": str(self._cost.value or "").strip(),
            "currency": str(self._currency.value or "").strip(),
            "connector": self._connector.body(),
        }
        return body | ({"secret": self._secret.value} if self._secret.value else {})

    def _places(self) -> dict[str, Place]:
        return {
            "/key": self._key,
            **self._name.places("/name"),
            "/kind": self._kind,
            "/consent": self._consent,
            "/per_minute": self._per_minute,
            "/daily_capacity": self._daily,
            "/cost": self._cost,
            "/currency": self._currency,
            "/secret": self._secret,
            **self._connector.places("/connector"),
        }


def secret_field(label: str) -> ui.input:
    """What is typed is not shown, and not offered by the browser another time."""
    return ui.input(label).props("outlined dense type=password maxlength=200 autocomplete=new-password")
