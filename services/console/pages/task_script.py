"""What to say in a contact: a list of steps, or one step after the other where answers decide."""

from dataclasses import dataclass, field

from markupsafe import Markup
from nicegui import ui

from services.console.pages.task_keys import Keys, hint
from services.console.view import View
from services.console.widgets.html import html, link
from shared.contracts.campaign.scripts import (
    PathStep,
    RenderedMaterial,
    RenderedStep,
    ScriptAnswer,
    TaskScript,
)
from shared.contracts.events import Disposition


@dataclass
class ScriptWalk:
    """How far the contact has come in its script. The way goes into the record."""

    view: View
    script: TaskScript
    keys: Keys
    _taken: list[tuple[RenderedStep, ScriptAnswer | None]] = field(default_factory=list)

    @property
    def path(self) -> list[PathStep] | None:
        """Nothing where the script has no branches or nobody began it."""
        if not self._taken:
            return None
        taken = [
            PathStep(step=step.key, answer=answer.key if answer else None) for step, answer in self._taken
        ]
        here = self._here()
        return taken if here is None else [*taken, PathStep(step=here.key)]

    @property
    def end(self) -> Disposition | None:
        """How the script says that the contact ended."""
        last = self._taken[-1][1] if self._taken else None
        return last.end if last else None

    def draw(self) -> None:
        t = self.view.t
        html(Markup("<h3>{}</h3>").format(t("task.script"))).style("margin-top: 16px; font-weight: 600")
        if any(step.answers for step in self.script.steps):
            self._box = ui.element("div").classes("script-walk").props('aria-live="polite"')
            self._draw_walk()
        else:
            html(_list(Markup().join(self._said(step, "") for step in self.script.steps)))
        if self.script.materials:
            html(Markup("<h3>{}</h3>").format(t("task.materials"))).style(
                "margin-top: 16px; font-weight: 600"
            )
            for material in self.script.materials:
                self._material(material)

    def _said(self, step: RenderedStep, answer: str) -> Markup:
        chosen = Markup('<br><b class="small">{}</b>').format(answer) if answer else Markup()
        return Markup("<li><div>{}{}</div></li>").format(self.view.t.local(step.text), chosen)

    def _here(self) -> RenderedStep | None:
        """The step to say now; None at the end."""
        if not self._taken:
            return self.script.steps[0]
        step, answer = self._taken[-1]
        following = answer.next if answer else step.next
        return next((each for each in self.script.steps if each.key == following), None)

    def _draw_walk(self) -> None:
        t, here = self.view.t, self._here()
        self._box.clear()
        self.keys.script = {}
        with self._box:
            if self._taken:
                lines = [self._said(step, t.local(a.label) if a else "") for step, a in self._taken]
                html(_list(Markup().join(lines))).classes("muted")
            if here is not None:
                html(Markup("<p><b>{}</b></p>").format(t.local(here.text)))
            else:
                ended = t.word("disposition", self.end) if self.end else t("task.script.over")
                html(Markup("<p><b>{}</b></p>").format(t("task.script.ended", how=ended)))
            with ui.element("div").classes("actions"):
                if here is not None:
                    for answer in here.answers:
                        self._button(t.local(answer.label), here, answer)
                    if here.next:
                        self._button(t("task.script.next"), here, None)
                if self._taken:
                    back = ui.button(t("task.script.back"), on_click=self._back).props("flat no-caps dense")
                    self.keys.script["0"] = self._back
                    hint(back, "0")

    def _button(self, label: str, step: RenderedStep, answer: ScriptAnswer | None) -> None:
        async def choose() -> None:
            self._taken.append((step, answer))
            self._draw_walk()

        button = ui.button(label, on_click=choose).props("outline no-caps dense padding='4px 14px'")
        key = str(len(self.keys.script) + 1)
        if len(key) == 1:
            self.keys.script[key] = choose
            hint(button, key)

    async def _back(self) -> None:
        self._taken.pop()
        self._draw_walk()

    def _material(self, material: RenderedMaterial) -> None:
        t = self.view.t
        name = t.local(material.name)
        if material.uri:
            shown = (
                link(name, material.uri) if material.uri.startswith("https://") else Markup("{}").format(name)
            )
            html(Markup("<p>{} <span class='muted small'>{}</span></p>").format(shown, material.ref))
        elif material.body:
            html(Markup("<p>{} <span class='muted small'>{}</span></p>").format(name, material.ref))
            show_body(t.local(material.body), page=material.kind == "html")


def show_body(body: str, *, page: bool) -> None:
    """A page is shown in a frame of its own that runs nothing and reaches nothing of ours."""
    if page:
        html(
            Markup(
                '<iframe sandbox referrerpolicy="no-referrer" class="material" srcdoc="{}"></iframe>'
            ).format(body)
        )
    else:
        html(Markup('<pre class="material">{}</pre>').format(body))


def _list(items: Markup) -> Markup:
    return Markup('<ol class="steps" style="margin-top: 8px">{}</ol>').format(items)
