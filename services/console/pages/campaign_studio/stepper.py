"""The list of steps with a mark on each, and the form of the one that is open."""

from collections.abc import Callable, Collection, Sequence
from functools import partial

from markupsafe import Markup
from nicegui import ui

from services.console.i18n import Texts
from services.console.pages.campaign_studio.step import Step
from services.console.widgets.html import html, tag
from shared.contracts.campaign import CampaignContent

_TONES = {"wrong": "bad", "unsaved": "accent", "missing": "warn", "complete": "good", "optional": ""}


class Stepper:
    """All forms stand on the page, one of them is shown: what is typed in the others stays."""

    def __init__(self, t: Texts, steps: Sequence[Step]) -> None:
        self._t, self._steps = t, steps
        self._open = 0
        self._buttons: list[ui.element] = []
        self._marks: list[ui.html] = []
        self._boxes: list[ui.element] = []
        self._panels: list[ui.element] = []

    def draw_list(self) -> None:
        t = self._t
        with ui.element("nav").classes("stack").style("gap: 8px") as nav:
            nav.props["aria-label"] = t("campaign_studio.steps")
            for number, step in enumerate(self._steps):
                button = ui.element("button").classes("pick").props(f'type="button" data-step="{step.name}"')
                button.on("click", partial(self.open, number))
                with button:
                    html(Markup("{}. {}").format(number + 1, t(f"campaign_studio.step.{step.name}")))
                    self._marks.append(html(Markup(), tag="span").classes("pick-state"))
                self._buttons.append(button)

    def draw_forms(self) -> None:
        for number, step in enumerate(self._steps):
            with ui.element("section").classes("panel") as panel:
                self._panels.append(panel)
                html(
                    Markup('<div class="panel-head"><h2>{}</h2><p>{}</p></div>').format(
                        self._t(f"campaign_studio.step.{step.name}"),
                        self._t(f"campaign_studio.step.{step.name}.note"),
                    )
                )
                self._boxes.append(ui.element("div").classes("stack").style("gap: 12px"))
                self._draw_ways(number)
        self.open(0)

    def _draw_ways(self, number: int) -> None:
        with ui.element("div").classes("actions").style("justify-content: flex-end; margin-top: 14px"):
            if number:
                back = ui.button(self._t("campaign_studio.back"), on_click=partial(self.open, number - 1))
                back.props("flat no-caps dense padding='2px 12px'")
            if number + 1 < len(self._steps):
                on = ui.button(self._t("campaign_studio.next"), on_click=partial(self.open, number + 1))
                on.props("outline no-caps dense padding='2px 12px'")

    def fill(self, content: CampaignContent, *, besides: Collection[str] = ()) -> None:
        """Every form anew, except those that write one of the parts `besides`."""
        for step, box in zip(self._steps, self._boxes, strict=True):
            if not set(step.parts) & set(besides):
                box.clear()
                with box:
                    step.draw(content)

    def open(self, number: int) -> None:
        self._open = number
        for at, (button, panel) in enumerate(zip(self._buttons, self._panels, strict=True)):
            panel.set_visibility(at == number)
            button.props(
                'aria-current="step"' if at == number else "", remove="" if at == number else "aria-current"
            )

    def mark(self, stand_of: Callable[[Step], str]) -> None:
        """`stand_of`: wrong, unsaved, missing, complete or optional."""
        for step, mark in zip(self._steps, self._marks, strict=True):
            stand = stand_of(step)
            words = tag(self._t(f"campaign_studio.stand.{stand}"), _TONES[stand])
            if mark.content != str(words):
                mark.set_content(str(words))

    def open_first(self, chosen: Callable[[Step], bool]) -> None:
        """Unless the step that is open is one of the chosen already."""
        if chosen(self._steps[self._open]):
            return
        found = next((at for at, step in enumerate(self._steps) if chosen(step)), None)
        if found is not None:
            self.open(found)
