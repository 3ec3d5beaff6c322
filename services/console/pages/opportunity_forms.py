"""Opening an opportunity, and the menu that moves one on."""

from collections.abc import Awaitable, Callable, Mapping
from datetime import timedelta
from typing import Any

from nicegui import ui

from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import Places, text_field
from shared import clock
from shared.contracts.campaign.opportunities import OpportunityView, Stage

_REASONS = ("price", "competitor", "no_need", "no_answer", "unsuitable", "other")
_USUAL_DAYS = 90


async def open_opportunity(view: View, customer: str = "") -> OpportunityView | None:
    """What was opened, or nothing when the user turned back."""
    t = view.t
    fields: dict[str, Any] = {}

    def draw() -> None:
        fields["customer_id"] = text_field(t("opportunities.field.customer"), customer)
        fields["name"] = text_field(t("opportunities.field.name"))
        fields["amount"] = text_field(t("opportunities.field.amount"))
        soon = clock.today() + timedelta(days=_USUAL_DAYS)
        fields["expected_close"] = text_field(t("opportunities.field.close"), soon.isoformat())
        fields["next_action"] = text_field(t("opportunities.field.next_action"))
        fields["next_action_on"] = text_field(t("opportunities.field.next_action_on"))

    async def save() -> OpportunityView | None:
        typed = {name: str(each.value or "").strip() for name, each in fields.items()}
        body: Mapping[str, object] = {
            **{name: value or None for name, value in typed.items()},
            "amount": typed["amount"].replace(",", "") or None,
            "name": typed["name"],
        }
        places: Places = {f"/{name}": each for name, each in fields.items()}
        made = view.api.post("campaign", "/v1/opportunities", OpportunityView, body)
        opened = await view.attempt(made, places)
        if opened is not None:
            view.done(t("opportunities.opened"))
        return opened

    return await form(
        t, title=t("opportunities.open"), note=t("opportunities.open.note"), draw=draw, save=save
    )


class Mover:
    """The menu of each card: where its opportunity may go from here."""

    def __init__(self, view: View, stages: list[Stage], again: Callable[[], Awaitable[None]]) -> None:
        self._view, self._stages, self._again = view, stages, again

    def menu(self, one: OpportunityView) -> None:
        t = self._view.t
        with ui.button("⋯").props("flat dense no-caps") as more:
            more.props["aria-label"] = t("opportunities.act", name=one.name)
            with ui.menu():
                verb = "move" if one.status == "open" else "reopen"
                for stage in self._stages:
                    if one.status != "open" or stage.key != one.stage:
                        name = t(f"opportunities.{verb}", stage=t.local(stage.name))
                        ui.menu_item(name, on_click=self._step(one, verb, {"stage": stage.key}))
                if one.status == "open":
                    ui.separator()
                    ui.menu_item(t("opportunities.win"), on_click=self._win(one))
                    ui.menu_item(t("opportunities.lose"), on_click=self._lose(one))

    def _step(
        self, one: OpportunityView, verb: str, body: Mapping[str, object]
    ) -> Callable[[], Awaitable[None]]:
        async def act() -> None:
            await self._post(one, verb, body)

        return act

    def _win(self, one: OpportunityView) -> Callable[[], Awaitable[None]]:
        t = self._view.t

        async def act() -> None:
            fields: list[ui.input] = []

            def draw() -> None:
                fields.append(text_field(t("opportunities.field.won"), str(one.amount)))

            async def save() -> OpportunityView | None:
                body = {"amount": str(fields[0].value or "").replace(",", "")}
                return await self._send(one, "win", body, {"/amount": fields[0]})

            title = t("opportunities.win")
            if await form(t, title=title, note=one.name, draw=draw, save=save) is not None:
                await self._again()

        return act

    def _lose(self, one: OpportunityView) -> Callable[[], Awaitable[None]]:
        t = self._view.t

        async def act() -> None:
            fields: list[Any] = []

            def draw() -> None:
                reasons = {each: t.word("loss", each) for each in _REASONS}
                reason = ui.select(reasons, value="price", label=t("opportunities.field.reason"))
                fields.append(reason.props("outlined dense"))
                fields.append(text_field(t("opportunities.field.note")))

            async def save() -> OpportunityView | None:
                body = {"reason": fields[0].value, "note": str(fields[1].value or "")}
                return await self._send(one, "lose", body, {"/reason": fields[0], "/note": fields[1]})

            title = t("opportunities.lose")
            if await form(t, title=title, note=one.name, draw=draw, save=save) is not None:
                await self._again()

        return act

    async def _post(self, one: OpportunityView, verb: str, body: Mapping[str, object]) -> None:
        if await self._send(one, verb, body, {}) is not None:
            await self._again()

    async def _send(
        self, one: OpportunityView, verb: str, body: Mapping[str, object], places: Places
    ) -> OpportunityView | None:
        path = f"/v1/opportunities/{one.id}:{verb}"
        sent = self._view.api.post("campaign", path, OpportunityView, body, if_match=one.version)
        moved = await self._view.attempt(sent, places)
        if moved is not None:
            self._view.done(self._view.t("opportunities.done"))
        return moved
