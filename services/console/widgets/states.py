"""Loading, empty and failed: the three states a section has besides its data."""

from collections.abc import Awaitable, Callable

from markupsafe import Markup
from nicegui import ui

from services.console.api import ApiProblem
from services.console.i18n import Texts
from services.console.widgets.html import html


def skeleton(height: int) -> None:
    ui.element("div").classes("bone").style(f"height: {height}px").props('aria-hidden="true"')


def empty_state(
    title: str, what_to_do: str, *, action: tuple[str, Callable[[], Awaitable[None]]] | None = None
) -> None:
    """`action`: the button that does it, as its label and what it calls."""
    with ui.element("div").classes("state"):
        html(Markup("<b>{}</b>{}").format(title, what_to_do))
        if action:
            label, act = action
            ui.button(label, on_click=act).props("unelevated no-caps")


def error_state(t: Texts, problem: ApiProblem, *, retry: Callable[[], Awaitable[None]]) -> None:
    known = problem.status if problem.status in {403, 404, 422} else 503
    with ui.element("div").classes("panel state").props('role="alert"'):
        name = t(f"service.{problem.service}")
        html(
            Markup("<b>{}</b>{}").format(
                t(f"failed.{known}", service=name), problem.detail if problem.status else t("problem.503")
            )
        )
        if known == 503:
            ui.button(t("retry"), on_click=retry).props("outline no-caps")
