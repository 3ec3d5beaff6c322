"""Declaring a model that groups customers: what for, which kind, over which features, how many groups."""

from collections.abc import Awaitable, Callable, Sequence
from typing import Any

from markupsafe import Markup
from nicegui import ui

from services.console.view import View
from services.console.widgets.fields import rounded
from services.console.widgets.html import html
from shared.contracts.segmentation import ModelRunView, ModelView, SegmentView
from shared.contracts.segmentation.clusters import KRange

_KINDS = ("ensemble", "kmeans", "rfm", "tactical")
_AUTO = "auto"
_NUMBERS_OF_GROUPS = {str(k): str(k) for k in range(2, 13)}
_MEASURES = {"recency": "last_txn_days", "frequency": "txn_count_90d", "monetary": "aum"}


class DeclarationForm:
    """Three steps on one panel; what a kind does not ask for is not shown."""

    def __init__(
        self,
        view: View,
        features: dict[str, str],
        segments: Sequence[SegmentView],
        changed: Callable[[], Awaitable[None]],
    ) -> None:
        self._view = view
        self._changed = changed
        t = view.t
        self._features = features
        self._segments = {one.key: f"{t.local(one.name)} ({one.key})" for one in segments}

    def draw(self) -> None:
        t = self._view.t
        with ui.element("section").classes("panel"):
            html(
                Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                    t("models.new"), t("models.new.note")
                )
            )
            with ui.element("div").classes("grid cols-2"):
                self._what_for()
                self._how()
            with ui.element("div").classes("actions").style("margin-top: 12px"):
                self._run_now = ui.checkbox(t("models.run_now"), value=True)
                self._save = ui.button(t("models.declare"), on_click=self._declare).props(
                    "unelevated no-caps"
                )

    def _what_for(self) -> None:
        t = self._view.t
        with ui.element("div").classes("stack"):
            self._key = ui.input(t("models.key")).props("outlined dense maxlength=80")
            self._name = ui.input(t("models.name")).props("outlined dense maxlength=200")
            self._goal = ui.textarea(t("models.goal")).props("outlined dense autogrow maxlength=4000")
            self._success = ui.textarea(t("models.success")).props("outlined dense autogrow maxlength=4000")
            self._approval = ui.checkbox(t("models.needs_approval"))

    def _how(self) -> None:
        t = self._view.t
        with ui.element("div").classes("stack"):
            kinds = {kind: t(f"model_kind.{kind}") for kind in _KINDS}
            self._kind = ui.select(kinds, value=_KINDS[0], label=t("models.kind")).props("outlined dense")
            self._chosen = self._picker(self._features, t("models.features"))
            self._strategic = self._picker(self._segments, t("models.strategic"))
            self._k = ui.select(_NUMBERS_OF_GROUPS, label=t("models.k")).props("outlined dense")
            self._range()
            self._measures = {
                name: ui.select(self._features, label=t(f"models.{name}"), with_input=True).props(
                    "outlined dense"
                )
                for name in _MEASURES
            }
            for name, key in _MEASURES.items():
                self._measures[name].set_value(key if key in self._features else None)
            self._seed = ui.number(t("models.seed"), value=0, min=0, precision=0).props("outlined dense")
            self._kind.on_value_change(self._fit)
        self._fit()

    def _range(self) -> None:
        """From how many to how many clusters a partition of an ensemble has."""
        few = KRange()
        with ui.element("div").classes("grid cols-2").style("gap: 10px") as self._k_range:
            self._low, self._high = (
                ui.number(self._view.t(f"models.k_range.{end}"), value=value, min=2, precision=0).props(
                    "outlined dense"
                )
                for end, value in (("low", few.low), ("high", few.high))
            )

    def _picker(self, options: dict[str, str], label: str) -> ui.select:
        picked = ui.select(options, label=label, multiple=True, with_input=True, value=[])
        picked.props("outlined dense use-chips")
        return picked

    def _fit(self) -> None:
        kind = str(self._kind.value)
        self._chosen.set_visibility(kind != "rfm")
        # A campaign says how many versions it can make: parts of a split are not recommended.
        automatic = {} if kind == "tactical" else {_AUTO: self._view.t("models.k.auto")}
        self._k.set_options({**automatic, **_NUMBERS_OF_GROUPS}, value=_AUTO if automatic else "4")
        self._k.set_visibility(kind != "rfm")
        self._k_range.set_visibility(kind == "ensemble")
        self._strategic.set_visibility(kind == "tactical")
        self._seed.set_visibility(kind != "rfm")
        for select in self._measures.values():
            select.set_visibility(kind == "rfm")

    def _parameters(self) -> dict[str, Any]:
        """As the kind asks for them."""
        kind, k = str(self._kind.value), str(self._k.value)
        features, seed = list(self._chosen.value or []), int(self._seed.value or 0)
        match kind:
            case "rfm":
                measures = {name: str(select.value or "") for name, select in self._measures.items()}
                return {"variant": "afr", **measures}
            case "tactical":
                split = {"name": "campaign", "features": features, "k": int(k)}
                return {"strategic": list(self._strategic.value or []), "splits": [split], "seed": seed}
            case _:
                common = {"features": features, "k": k if k == _AUTO else int(k), "seed": seed}
                ends = {"low": rounded(self._low), "high": rounded(self._high)}
                return {**common, "k_range": ends} if kind == "ensemble" else common

    async def _declare(self) -> None:
        t, name = self._view.t, str(self._name.value or "").strip()
        body = {
            "key": str(self._key.value or "").strip(),
            "name": {"zh": name, "en": name},
            "kind": str(self._kind.value),
            "goal": str(self._goal.value or ""),
            "success": str(self._success.value or ""),
            "needs_approval": bool(self._approval.value),
            "parameters": self._parameters(),
        }
        self._save.disable()
        api = self._view.api
        model = await self._view.attempt(api.post("segmentation", "/v1/models", ModelView, body))
        self._save.enable()
        if model is None:
            return
        if self._run_now.value:
            path = f"/v1/models/{model.id}/runs"
            run = await self._view.attempt(api.post("segmentation", path, ModelRunView))
            if run is not None:
                ui.navigate.to(f"/model-runs/{run.id}")
                return
        self._view.done(t("models.declared"))
        await self._changed()
