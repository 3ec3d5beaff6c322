"""A draft campaign from a strategy: what the strategy says is in it, the rest is asked for."""

from collections.abc import Mapping
from datetime import timedelta
from typing import Any

from nicegui import ui

from services.console.pages.strategy_choices import Choices, Options
from services.console.view import View
from services.console.widgets.dialogs import form
from services.console.widgets.fields import LocalField, Places, text_field
from shared.clock import today
from shared.contracts.campaign import CampaignView
from shared.contracts.campaign.fixes import Objective
from shared.contracts.campaign.strategies import StrategyView

_HOLD_OUT = 0.1
_DAYS = 30
_SCENARIOS = {"life_cycle": "life_cycle", "product": "product", "real_time_event": "event"}


async def draft_campaign(view: View, strategy: StrategyView, known: Choices) -> CampaignView | None:
    """The draft, or nothing when the user turned back."""
    return await _Form(view, strategy, known).ask()


class _Form:
    def __init__(self, view: View, strategy: StrategyView, known: Choices) -> None:
        self._view, self._strategy, self._known = view, strategy, known

    async def ask(self) -> CampaignView | None:
        t = self._view.t
        return await form(
            t,
            title=t("strategy.draft"),
            note=t("strategy.draft.note"),
            draw=self._fields,
            save=self._save,
            wide=True,
        )

    def _fields(self) -> None:
        t, strategy, known = self._view.t, self._strategy, self._known
        self._key = text_field(t("field.key"), f"{strategy.key}-")
        self._name = LocalField(t, t("field.name"), strategy.name)
        start, end = self._days()
        with ui.element("div").classes("grid cols-3").style("gap: 10px"):
            self._offer = _one(t("strategy.draft.offer"), known.offers, strategy.offers)
            self._channel = _one(t("strategy.draft.channel"), known.channels, strategy.channels)
            self._script = _one(t("strategy.draft.script"), known.scripts, strategy.scripts)
            self._start = text_field(t("fix.start"), start)
            self._end = text_field(t("fix.end"), end)
            self._amount = text_field(t("strategy.amount"))
            self._owner = text_field(t("fix.owner"), self._view.user.staff or "")
            self._accountable = text_field(t("fix.accountable"), self._view.user.staff or "")

    def _days(self) -> tuple[str, str]:
        """A month from today, within the strategy's period."""
        objective = self._strategy.objective
        if objective is None:
            return "", ""
        start = max(objective.start, today())
        return start.isoformat(), min(start + timedelta(days=_DAYS), objective.end).isoformat()

    async def _save(self) -> CampaignView | None:
        places: Places = {
            "/key": self._key,
            **self._name.places("/name"),
            "/scheme/arms/0/offer": self._offer,
            "/scheme/arms/0/channel": self._channel,
            "/scheme/arms/0/script": self._script,
            "/schedule/start": self._start,
            "/schedule/end": self._end,
            "/budget": self._amount,
            "/people/owner": self._owner,
            "/responsibility": self._accountable,
        }
        sent = self._view.api.post("campaign", "/v1/campaigns", CampaignView, self._body())
        return await self._view.attempt(sent, places)

    def _body(self) -> Mapping[str, object]:
        """What nothing is said of stays missing: the campaign says so, and asks for it."""
        strategy = self._strategy
        objective, amount = strategy.objective, _typed(self._amount)
        shared = set(Objective.model_fields)
        body: dict[str, Any] = {
            "key": _typed(self._key),
            "name": self._name.body(),
            "strategy": strategy.key,
            "objective": objective.model_dump(mode="json", include=shared) if objective else None,
            "scheme": self._scheme(),
            "audience": {"include": strategy.segments} if strategy.segments else None,
        }
        if amount and strategy.budget:
            body["budget"] = {"amount": amount, "currency": strategy.budget.currency}
        elif amount:
            body["budget"] = {"amount": amount}
        if _typed(self._start) and _typed(self._end):
            body["schedule"] = {"start": _typed(self._start), "end": _typed(self._end)}
        if _typed(self._owner):
            body["people"] = {"owner": _typed(self._owner), "orgs": [strategy.org]}
        if _typed(self._accountable):
            body["responsibility"] = {"accountable": _typed(self._accountable)}
        return body

    def _scheme(self) -> dict[str, Any] | None:
        """One arm beside a hold-out."""
        scenario = self._strategy.scenario
        if scenario is None or not (self._offer.value and self._channel.value and self._script.value):
            return None
        arm = {
            "key": "main",
            "share": 1 - _HOLD_OUT,
            "offer": self._offer.value,
            "channel": self._channel.value,
            "script": self._script.value,
        }
        detail = scenario.model_dump(mode="json", exclude={"kind"})
        kind = _SCENARIOS[scenario.kind]
        return {"scenario": {"kind": kind, "detail": detail}, "arms": [arm], "hold_out": _HOLD_OUT}


def _one(label: str, options: Options, keys: list[str]) -> ui.select:
    """One of those the strategy names; the first unless the user chooses another."""
    named = {key: options.get(key, key) for key in keys}
    select = ui.select(named, label=label, value=next(iter(keys), None))
    select.props("outlined dense")
    return select


def _typed(field: ui.input) -> str:
    return str(field.value or "").strip()
