"""First of all: what the campaign is called, the strategy it carries out, and its budget."""

from typing import Any

from nicegui import ui

from services.console.pages.campaign_studio.choices import Choices
from services.console.pages.campaign_studio.step import one, typed
from services.console.view import View
from services.console.widgets.fields import LocalField, Place, text_field
from services.console.widgets.numbers import number
from shared.contracts.campaign import CampaignContent


class BasicsStep:
    name = "basics"
    parts = ("name", "strategy", "budget")

    def __init__(self, view: View, known: Choices) -> None:
        self._t, self._known = view.t, known

    def draw(self, content: CampaignContent) -> None:
        t, budget = self._t, content.budget
        self._name = LocalField(t, t("field.name"), content.name)
        self._strategy = one(
            t("campaign_studio.strategy"), self._known.strategies, content.strategy, clearable=True
        )
        with ui.element("div").classes("grid cols-2").style("gap: 10px"):
            self._amount = text_field(t("campaign_studio.budget"), str(budget.amount) if budget else "")
            self._currency = text_field(t("field.currency"), budget.currency if budget else "CNY")

    def body(self) -> dict[str, Any]:
        amount = number(self._amount.value)
        return {
            "name": self._name.body(),
            "strategy": self._strategy.value,
            "budget": {"amount": amount, "currency": typed(self._currency)} if amount else None,
        }

    def places(self) -> dict[str, Place]:
        return {
            **self._name.places("/name"),
            "/strategy": self._strategy,
            "/budget": self._amount,
            "/budget/currency": self._currency,
        }
